//! The simulated venue: our orders matched against recorded or generated flow, deterministic, in integers.

pub mod config;
pub(in crate::venue) mod queue;
pub mod request;
mod fees;
mod filters;
mod depth;
pub mod resting;
mod taker;
pub mod account;
mod registry;
mod waiting;
mod pair;
mod clearing;
mod market;
pub mod matching;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod properties;

pub use account::{Account, Ledger};
pub use config::{FeeRate, QueueModel, SimulationConfig};
pub use matching::Matching;
pub use request::{Request, RequestKind};
pub use resting::OpenOrder;
