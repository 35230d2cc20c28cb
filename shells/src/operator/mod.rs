//! What operators do to a running system, and the log of it: their own halt page, written under a lock, and a record of
//! who did what and why, on the disk before anybody is told that it was done.

pub mod lock;
pub mod log;
pub mod names;
pub mod halts;

pub use halts::{Done, apply, restore};
pub use lock::OperatorLock;
pub use log::{Act, Entry, OperatorLog, Scope};
