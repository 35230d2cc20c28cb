//! `GET /health`, `/ready` and `/metrics` of the services, each on its ZeroMQ port + 10000. It shares nothing with the
//! ports' threads but the last word of each about itself.

pub mod counted;
pub mod connections;
pub mod server;

/// How far above its ZeroMQ port a service's HTTP port lies.
pub const OFFSET: u16 = 10_000;
