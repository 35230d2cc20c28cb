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

/// Words of an intent.
const WORDS: usize = size_of::<Intent>() / size_of::<u64>();

/// A key to each word of an intent and to its approval: as SHA-512 has them, from the cube roots of the first primes.
const KEYS: [u64; WORDS + 1] = [
    0x428a_2f98_d728_ae22,
    0x7137_4491_23ef_65cd,
    0xb5c0_fbcf_ec4d_3b2f,
    0xe9b5_dba5_8189_dbbc,
    0x3956_c25b_f348_b538,
    0x59f1_11f1_b605_d019,
    0x923f_82a4_af19_4f9b,
    0xab1c_5ed5_da6d_8118,
    0xd807_aa98_a303_0242,
    0x1283_5b01_4570_6fbe,
    0x2431_85be_4ee4_b28c,
    0x550c_7dc3_d5ff_b4e2,
];

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
    #[inline(always)]
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

    /// Two words at a time, each beside a key of its own, multiplied, and both halves of the product kept: what either word
    /// was is all over them, and what two words have in common cancels nowhere.
    #[inline(always)]
    fn digest(intent: &Intent, approval: u64) -> u64 {
        let words: &[u64; WORDS] = zerocopy::transmute_ref!(intent);
        let word = |at: usize| if at < WORDS { words[at] } else { approval };
        let mut digest = 0_u64;
        for at in (0..KEYS.len()).step_by(2) {
            let product = u128::from(word(at) ^ KEYS[at]) * u128::from(word(at + 1) ^ KEYS[at + 1]);
            digest = digest.wrapping_add(product as u64) ^ (product >> u64::BITS) as u64;
        }
        digest
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
        let flip = |bits: &[usize]| {
            let mut changed = words;
            bits.iter().for_each(|bit| changed[bit / 64] ^= 1 << (bit % 64));
            let changed: SealedOrder = zerocopy::transmute!(changed);
            assert_eq!(changed.unseal(), None, "bits {bits:?}");
        };
        for one in 0..words.len() * 64 {
            flip(&[one]);
            (0..one).for_each(|other| flip(&[one, other]));
        }
    }

    #[test]
    fn words_in_each_others_places_and_none_at_all_are_no_order() {
        let mut words: [u64; size_of::<SealedOrder>() / 8] = std::array::from_fn(|at| at as u64);
        words[WORDS + 1] = SealedOrder::approve(&zerocopy::transmute!(first(&words)), words[WORDS]).check;
        let unseal = |words: [u64; WORDS + 2]| {
            let sealed: SealedOrder = zerocopy::transmute!(words);
            sealed.unseal().is_some()
        };
        assert!(unseal(words) && !unseal([0; WORDS + 2]));
        for (one, other) in (0..words.len()).flat_map(|one| (0..one).map(move |other| (one, other))) {
            let mut changed = words;
            changed.swap(one, other);
            assert!(!unseal(changed), "words {one} and {other}");
        }
    }

    /// The words of the intent.
    fn first(words: &[u64; WORDS + 2]) -> [u64; WORDS] {
        std::array::from_fn(|at| words[at])
    }
}
