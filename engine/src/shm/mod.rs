//! Shared memory: mapped files with one writer each, told apart by a descriptor page.
//!
//! ```text
//! file = | descriptor page (4096 B, immutable once ready) | body: 64-bit words, all zero at first |
//! ```
//!
//! Everything in a mapping is an atomic word, so that two processes may look at it at once without undefined
//! behaviour. Readers in other processes map read-only, and all use only relaxed loads and fences: the standard library promises
//! no more than relaxed loads on memory that is mapped read-only. Who reads what its own process writes does so by the mapping
//! that it is written by.

pub mod identity;
pub mod words;
pub mod stamped;
pub mod descriptor;
#[cfg(not(any(loom, miri, tsan)))]
mod sigbus;
#[cfg(not(any(loom, miri, tsan)))]
mod own;
#[cfg(not(any(loom, miri, tsan)))]
mod region;
#[cfg(not(any(loom, miri, tsan)))]
mod posix;
#[cfg(any(loom, miri, tsan))]
pub mod process_local;
pub mod mapping;
pub mod late;
pub mod paths;
pub mod guard;
#[cfg(not(any(loom, miri, tsan)))]
mod futex;
pub mod bell;

pub use bell::Bell;
pub use descriptor::{Descriptor, SegmentKind};
pub use guard::OwnerLock;
pub use late::Late;
pub use mapping::{Expected, Readable, SegmentSpec, Writable};
