//! `Order`: an intent that risk approved.
//!
//! What crosses shared memory is a [`SealedOrder`], as any bits may be. Only route unseals it, which checks it, and only
//! what comes of that, an [`Order`], can be sent to a venue: no bytes can be read as one, and nothing outside this crate
//! makes one. Inside it, only `tick_to_trade::risk` approves and only `tick_to_trade::route` unseals (the `tidy` test holds
//! that).

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::message::intent::Intent;

/// An approved intent on its way from risk to route, 104 bytes. Written by risk alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SealedOrder {
    intent: Intent,
    approval: u64,
    check: u64,
}

const _: () = assert!(size_of::<SealedOrder>() == 104);

/// An approved intent that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Order(SealedOrder);

/// Compiles only as long as no bits can be read as an `Order`: if they could, both implementations would be meant.
const _: fn() = || {
    trait Ambiguous<Which> {
        fn name() {}
    }
    struct FromBits;
    impl<T> Ambiguous<()> for T {}
    impl<T: FromBytes> Ambiguous<FromBits> for T {}
    let _ = <Order as Ambiguous<_>>::name;
};

impl SealedOrder {
    /// The intent that it says was approved.
    #[must_use]
    pub const fn intent(&self) -> &Intent {
        &self.intent
    }

    /// Sequence of the approval in risk's journal: each is used once (C27).
    #[must_use]
    pub const fn approval(&self) -> u64 {
        self.approval
    }

    /// Approves `intent` as the `approval`-th record of risk's journal.
    #[inline]
    pub(crate) fn approve(intent: &Intent, approval: u64) -> Self {
        let check = Self::digest(intent, approval);
        Self { intent: *intent, approval, check }
    }

    /// The order, if the content is what risk approved (C27): where it lies, for whoever copies what was written word by word
    /// just before waits for that.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn unseal(&self) -> Option<&Order> {
        let intact = self.check == Self::digest(&self.intent, self.approval);
        // SAFETY: an `Order` is in memory what its one field is, and as long as it is lent nobody writes to either. That its
        // content was approved, which alone makes it more than that, has just been checked.
        intact.then(|| unsafe { &*std::ptr::from_ref(self).cast::<Order>() })
    }

    /// Out of line: beside it nobody's registers hold an intent.
    #[inline(never)]
    fn digest(intent: &Intent, approval: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(intent.as_bytes(), approval)
    }
}

impl Order {
    /// The approved intent.
    #[must_use]
    pub const fn intent(&self) -> &Intent {
        &self.0.intent
    }

    /// Sequence of the approval in risk's journal.
    #[must_use]
    pub const fn approval(&self) -> u64 {
        self.0.approval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_what_was_approved_may_change() {
        let sealed = SealedOrder::approve(&Intent { stamp: 7, ..Intent::default() }, 3);
        assert_eq!(sealed.unseal().map(Order::approval), Some(3));
        let words: [u64; size_of::<SealedOrder>() / 8] = zerocopy::transmute!(sealed);
        for (at, bit) in (0..words.len()).flat_map(|at| [0, 31, 63].map(|bit| (at, bit))) {
            let mut changed = words;
            changed[at] ^= 1 << bit;
            let changed: SealedOrder = zerocopy::transmute!(changed);
            assert_eq!(changed.unseal(), None, "bit {bit} of word {at}");
        }
    }
}
