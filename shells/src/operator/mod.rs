//! What operators do to a running system, and the log of it: their own halt page, written under a lock, and a record of
//! who did what and why, on the disk before anybody is told that it was done.

pub mod lock;
pub mod log;
pub mod names;
pub mod halts;
pub mod logged;
pub mod held;
pub mod page;

use engine::shm::OwnerLock;
use engine::shm::paths::IpcPaths;

/// The agents of an engine.
pub const AGENTS: [&str; 4] = ["ingest", "strategy", "risk", "route"];

/// Whether an agent of an engine is hosted on this directory: the kernel drops a host's lock when it dies, however it
/// dies.
#[must_use]
pub fn is_running(ipc: &IpcPaths) -> bool {
    AGENTS.iter().any(|agent| OwnerLock::is_held(ipc, agent))
}

pub use halts::{Done, apply, restore, still};
pub use lock::OperatorLock;
pub use log::{Act, Entry, OperatorLog, Scope};
