//! Counters, latency histograms, halt pages and seqlock cells in mapped files, one writer each.
//!
//! The writer stores plainly (no read-modify-write, no locks); anybody may read at any time, also after the writer has
//! died. Counters and histograms carry their names, so that a reader lists them without knowing the code.

pub mod set;
mod names;
pub mod counter;
pub mod hdr;
pub mod histogram;
pub mod snapshot;
pub mod halt;
pub mod cell;
pub mod heartbeat;

pub(crate) use set::counter_set;

pub use cell::{CellReader, CellWriter};
pub use counter::{CounterReader, Counters};
pub use halt::{HaltPage, HaltPages, HaltReader, HaltState};
pub use heartbeat::{Heartbeat, HeartbeatReader, Pulse};
pub use histogram::{HistogramReader, Histograms};
pub use snapshot::Snapshot;
