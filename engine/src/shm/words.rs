//! Copies plain values to and from words of shared memory.
//!
//! The words are relaxed atomics: a copy may be torn between words, never within one, and is never undefined
//! behaviour. Whether it is torn is for the caller's protocol to find out.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::primitive::{AtomicU64, Ordering};

/// Bytes of a word.
pub const WORD: usize = size_of::<u64>();

/// Words of a `T`. A type whose size is no multiple of a word does not compile.
#[must_use]
pub const fn count<T>() -> usize {
    const { assert!(size_of::<T>() > 0 && size_of::<T>().is_multiple_of(WORD)) };
    size_of::<T>() / WORD
}

/// Copies `value` into the first words of `words`, in falling order: the stamp that a slot begins with is stored next, and
/// a core hands stores to one line over as one as long as each is beside the one before.
///
/// # Panics
/// When `words` is shorter than the value: callers cut slices of the right size.
#[inline]
pub fn store<T: IntoBytes + Immutable>(words: &[AtomicU64], value: &T) {
    let words = &words[..count::<T>()];
    for (word, bytes) in words.iter().zip(value.as_bytes().as_chunks::<WORD>().0).rev() {
        word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
    }
}

/// Copies a `T` out of the first words of `words`, in rising order.
///
/// # Panics
/// When `words` is shorter than the value: callers cut slices of the right size.
#[inline]
#[must_use]
pub fn load<T: FromBytes + IntoBytes>(words: &[AtomicU64]) -> T {
    let mut value = T::new_zeroed();
    load_into(words, &mut value);
    value
}

/// The same to where `value` is to stay: a copy that is moved again is stored in pieces that a core cannot read as one.
///
/// # Panics
/// As [`load`].
#[inline]
pub fn load_into<T: FromBytes + IntoBytes>(words: &[AtomicU64], value: &mut T) {
    let words = &words[..count::<T>()];
    for (word, bytes) in words.iter().zip(value.as_mut_bytes().as_chunks_mut::<WORD>().0) {
        *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_and_its_neighbours_too() {
        let words: Vec<AtomicU64> = (0..5).map(AtomicU64::new).collect();
        let value = [0x0102_0304_u32, u32::MAX, 7, 0];
        store(&words[1..], &value);
        assert_eq!(load::<[u32; 4]>(&words[1..]), value);
        assert_eq!(words[0].load(Ordering::Relaxed), 0);
        assert_eq!(words[3].load(Ordering::Relaxed), 3);
    }
}
