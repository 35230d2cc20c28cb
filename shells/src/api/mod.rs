//! Every message that the services and their clients exchange, defined once: the ZeroMQ ports, the gateway and the
//! command line speak these types.
//!
//! Prices, quantities and money are decimal strings. Fields that end in `_ns` are integer nanoseconds: since the Unix
//! epoch for moments, else a span. (The gateway shows them as decimal strings.)

pub mod envelope;
pub mod code;
pub mod market;
pub mod orders;
pub mod risk;
pub mod service;
pub mod strategies;

pub use envelope::{ApiError, Push, Reply, Request};
