//! `Order`: an intent that risk approved. The type is sealed: nothing outside this crate can make one, and inside it
//! only `tick_to_trade::risk` calls `Order::approve` (the `tidy` test holds that).

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::message::intent::Intent;

/// An approved intent, 96 bytes. Written by risk alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Order {
    intent: Intent,
    approval: u64,
    check: u64,
}

const _: () = assert!(size_of::<Order>() == 96);

impl Order {
    /// The approved intent.
    #[must_use]
    pub const fn intent(&self) -> &Intent {
        &self.intent
    }

    /// Sequence of the approval in risk's journal: each is used once (C27).
    #[must_use]
    pub const fn approval(&self) -> u64 {
        self.approval
    }

    /// Whether the content is what risk approved (C27).
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.check == Self::digest(&self.intent, self.approval)
    }

    /// Approves `intent` as the `approval`-th record of risk's journal.
    pub(crate) fn approve(intent: Intent, approval: u64) -> Self {
        let check = Self::digest(&intent, approval);
        Self { intent, approval, check }
    }

    fn digest(intent: &Intent, approval: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(intent.as_bytes(), approval)
    }
}
