//! Plain memory that two threads hand to each other by a ring.
//!
//! A slot's words are atomics, and loom runs the loads of a thread in order: it would not notice that a producer
//! overwrites a slot that is still being read. It does notice two threads at one plain cell that no sync point keeps
//! apart. So whoever takes a message looks at its cell, and whoever writes one wrote the cell before.

use std::sync::Arc;

use loom::cell::UnsafeCell;

/// One plain cell for each slot of a ring. Copies share them.
#[derive(Clone)]
pub struct Board(Arc<[UnsafeCell<u64>]>);

// SAFETY: loom checks every access to the cells, and fails the model when two are not ordered: that is the test.
#[allow(unsafe_code)]
unsafe impl Send for Board {}

impl Board {
    /// A board for as many slots.
    pub fn new(slots: usize) -> Self {
        Self((0..slots).map(|_| UnsafeCell::new(0)).collect())
    }

    /// To be called before message `n` is written.
    pub fn write(&self, n: u64) {
        self.cell(n).with_mut(|cell| {
            // SAFETY: `cell` points into the cell, and loom has checked that nobody else is there.
            #[allow(unsafe_code)]
            unsafe {
                *cell = n;
            }
        });
    }

    /// To be called while message `n` is held.
    pub fn check(&self, n: u64) {
        let found = self.cell(n).with(|cell| {
            // SAFETY: as in `write`.
            #[allow(unsafe_code)]
            unsafe {
                *cell
            }
        });
        assert_eq!(found, n, "the cell of another message");
    }

    fn cell(&self, n: u64) -> &UnsafeCell<u64> {
        &self.0[n as usize % self.0.len()]
    }
}
