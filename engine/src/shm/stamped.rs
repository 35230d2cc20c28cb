//! The stamped slot: a value and the word that says which value it is, the protocol under rings and cells.
//!
//! ```text
//! slot = | stamp: u64 | value's words | padding to whole cache lines |
//! stamp: 0 never written · s holds value s · BUSY | s value s is being written
//! ```
//!
//! It is a seqlock with its sequence in the value's own line: the busy mark goes up before the first word changes and
//! the stamp comes after the last, so a reader that finds the same stamp before and after its copy has an untorn copy.
//! One writer; any number of readers. A writer that dies in between leaves the busy mark: the value never appears.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::crash;
use crate::limits::CACHE_LINE;
use crate::primitive::{AtomicU64, Ordering, SyncPoint};
use crate::shm::words::{self, WORD};

/// Set in a stamp while its value is being written. Stamps never reach it: 2^63 writes are 292 years of one every
/// nanosecond.
pub const BUSY: u64 = 1 << 63;

/// Words from one slot for a `T` to the next. 56 bytes of value and the stamp fill one line.
#[must_use]
pub const fn stride<T>() -> usize {
    (words::count::<T>() + 1).next_multiple_of(CACHE_LINE / WORD)
}

/// Writes `value` as number `stamp`, which is neither 0 nor has [`BUSY`] set. Only the slot's one writer calls this.
#[inline]
pub fn write<T: IntoBytes + Immutable>(slot: &[AtomicU64], stamp: u64, value: &T) {
    mark(slot, stamp);
    write_unseen(slot, stamp, value);
}

/// Marks the slot as being written, for readers that nobody waits for.
#[inline(always)]
pub fn mark(slot: &[AtomicU64], stamp: u64) {
    slot[0].store(BUSY | stamp, Ordering::Relaxed);
    // Release: partner is the acquire in `is_unchanged`; a reader that copied any of the words stored next also sees the
    // busy mark, or a later stamp.
    SyncPoint::BusyMark.release();
}

/// As [`write()`], of a slot that is [marked](mark), or that nobody reads before the stamp is there: the slot's one reader has
/// said that it is done with the value before, and waits for this one. A writer that dies in between leaves the stamp before.
#[inline]
pub fn write_unseen<T: IntoBytes + Immutable>(slot: &[AtomicU64], stamp: u64, value: &T) {
    crash::point("slot.begun");
    words::store(&slot[1..], value);
    crash::point("slot.written");
    // Release: partner is the acquire in `copy`.
    SyncPoint::Stamp.publish(&slot[0], stamp);
}

/// The slot's stamp as it is now, busy mark included.
#[inline]
#[must_use]
pub fn stamp(slot: &[AtomicU64]) -> u64 {
    slot[0].load(Ordering::Relaxed)
}

/// Copies the value after [`stamp`] said that it is there. May be torn, unless the writer waits for this reader.
#[inline]
#[must_use]
pub fn copy<T: FromBytes + IntoBytes>(slot: &[AtomicU64]) -> T {
    let mut value = T::new_zeroed();
    copy_into(slot, &mut value);
    value
}

/// As [`copy`], to where the value is to stay.
#[inline]
pub fn copy_into<T: FromBytes + IntoBytes>(slot: &[AtomicU64], value: &mut T) {
    // Acquire: partner is the release of the stamp in `write`.
    SyncPoint::Stamp.acquire(&slot[0]);
    words::load_into(&slot[1..], value);
}

/// Whether the slot was left alone since `before` was read: then the copy made in between is not torn.
#[inline]
#[must_use]
pub fn is_unchanged(slot: &[AtomicU64], before: u64) -> bool {
    // Acquire: partner is the release fence after the busy mark in `write`.
    SyncPoint::BusyMark.acquire(&slot[0]);
    stamp(slot) == before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_six_bytes_fill_one_line() {
        assert_eq!(stride::<[u64; 1]>(), 8);
        assert_eq!(stride::<[u64; 7]>(), 8);
        assert_eq!(stride::<[u64; 8]>(), 16);
    }

    #[test]
    fn a_change_during_the_copy_is_found() {
        let slot: Vec<AtomicU64> = (0..8).map(|_| AtomicU64::new(0)).collect();
        assert_eq!(stamp(&slot), 0);
        write(&slot, 1, &[7_u64; 7]);
        let before = stamp(&slot);
        assert_eq!((before, copy::<[u64; 7]>(&slot)), (1, [7; 7]));
        assert!(is_unchanged(&slot, before));
        // A writer that died in the middle: the mark stands.
        slot[0].store(BUSY | 2, Ordering::Relaxed);
        assert!(!is_unchanged(&slot, before));
        write(&slot, 2, &[8_u64; 7]);
        assert!(!is_unchanged(&slot, before));
    }
}
