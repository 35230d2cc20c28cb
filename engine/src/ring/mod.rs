//! Rings: single-producer queues in shared memory.
//!
//! ```text
//! spsc       one producer, one consumer, nothing lost: full is told to the producer at once
//! tail       the same ring, watched by any number of readers by position (the journal ring)
//! broadcast  one producer that never waits, any number of readers, each of which knows what it missed
//! bytes      spsc for records of any length
//! ```
//!
//! There is no shared head or tail: a slot's stamp, in the payload's own cache line, says which message it holds.

pub mod message;
pub mod defect;
mod slot;
mod cursor;
pub mod spsc;
pub mod broadcast;
pub mod tail;
pub mod bytes;
pub mod backlog;

pub use defect::Defect;
pub use message::{Full, Message};

#[cfg(test)]
pub(crate) mod patience {
    //! Waiting in tests between threads, bounded in count so that a lost message is a failure and not a hang.

    /// Counts the waits in a row that brought nothing.
    #[derive(Default)]
    pub(crate) struct Patience(u64);

    impl Patience {
        /// Lets other threads run; fails after ten million times in a row.
        pub(crate) fn wait(&mut self) {
            self.0 += 1;
            assert!(self.0 < 10_000_000, "the other thread does nothing any more");
            std::thread::yield_now();
        }

        /// Something came.
        pub(crate) fn renew(&mut self) {
            self.0 = 0;
        }
    }
}
