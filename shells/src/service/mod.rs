//! What the services show: views of the engine's shared memory and journals. They only read, they attach in any
//! order, and they attach again when an engine was restarted.

pub mod attach;
pub mod instruments;
pub mod latency;
pub mod liveness;
pub mod market;
pub mod bars;
pub mod account;
pub mod orders;
pub mod show;
pub mod families;
pub mod tally;
pub mod money;
pub mod rings;
