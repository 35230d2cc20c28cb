//! The one door to atomics.
//!
//! Every other module imports them from here (the `tidy` test holds that), so that a model checker can stand in for the
//! hardware by changing this file alone: with `--cfg loom` the atomics are loom's.
//!
//! Whatever orders memory is a [`SyncPoint`]: both ends of a pair carry one name, `docs/ordering.md` lists them, and
//! `tests/loom.rs` weakens each end in turn and shows that a check fails.

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

#[cfg(loom)]
use loom::sync::atomic::fence;
#[cfg(not(loom))]
use std::sync::atomic::fence;

/// A pair of operations, a release and an acquire, by which one thread or process sees what another did before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPoint {
    /// Who copied a word of a new value sees that its slot was marked busy (`shm::stamped`).
    BusyMark,
    /// Who sees a slot's stamp sees its value (`shm::stamped`).
    Stamp,
    /// Who sees a file's ready word sees its descriptor, and what its body was filled with (`shm::descriptor`).
    Ready,
    /// Who sees a record's stamp sees the record, and the cleared word behind it (`ring::bytes`).
    Record,
    /// Who sees a cursor may overwrite what lies below it: all reads there have ended (`ring::cursor`).
    Cursor,
    /// Who rings sees that a peer sleeps, or that peer's last look sees what was published (`shm::bell`). Each end is a
    /// barrier: a store before it and a load after it.
    Asleep,
}

/// The two ends of a [`SyncPoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// What was done before it is seen.
    Release,
    /// What comes after it sees.
    Acquire,
}

impl SyncPoint {
    /// Every pair.
    pub const ALL: [Self; 6] =
        [Self::BusyMark, Self::Stamp, Self::Ready, Self::Record, Self::Cursor, Self::Asleep];

    /// Stores `value`; who acquires it sees everything done before.
    #[inline(always)]
    pub fn publish(self, word: &AtomicU64, value: u64) {
        let order = if self.holds(End::Release) { Ordering::Release } else { Ordering::Relaxed };
        word.store(value, order);
    }

    /// Everything done before is seen by who acquires anything stored after.
    #[inline(always)]
    pub fn release(self) {
        if self.holds(End::Release) {
            fence(Ordering::Release);
        }
    }

    /// What comes after sees everything done before the value was published that a relaxed load of `word` has just
    /// found.
    ///
    /// It is a fence after a relaxed load because memory that is mapped read-only may be loaded no other way.
    #[inline(always)]
    pub fn acquire(self, word: &AtomicU64) {
        if self.holds(End::Acquire) {
            fence(Ordering::Acquire);
            // ThreadSanitizer knows no fences: for it the load is made again, as one that acquires.
            if cfg!(tsan) {
                let _ = word.load(Ordering::Acquire);
            }
        }
    }

    /// Of two who pass the ends of this pair, at least one sees after it what the other stored before it, of which `own`
    /// is the last.
    #[inline(always)]
    pub fn barrier(self, end: End, own: &AtomicU64) {
        // Loom changes threads at loads and stores, not at fences: between our store and the fence there must be one.
        if cfg!(loom) {
            let _ = own.load(Ordering::Relaxed);
        }
        if self.holds(end) {
            fence(Ordering::SeqCst);
        }
    }

    #[cfg(not(loom))]
    #[inline(always)]
    const fn holds(self, _end: End) -> bool {
        true
    }

    #[cfg(loom)]
    fn holds(self, end: End) -> bool {
        weakened::get() != Some((self, end))
    }
}

/// Which end of which pair is taken away, to show that a check fails without it. For model checking alone.
#[cfg(loom)]
pub mod weakened {
    use super::{End, SyncPoint};
    use std::cell::Cell;

    thread_local! {
        // Loom runs all threads of a model on one thread of the machine.
        static WEAKENED: Cell<Option<(SyncPoint, End)>> = const { Cell::new(None) };
    }

    /// What is taken away at present.
    pub fn get() -> Option<(SyncPoint, End)> {
        WEAKENED.get()
    }

    /// Takes `end` away, or nothing.
    pub fn set(end: Option<(SyncPoint, End)>) {
        WEAKENED.set(end);
    }
}
