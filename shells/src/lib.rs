//! The processes around the engine: configuration, placement, and the operator's command line.
//!
//! Modules stand bottom-up: each uses only those above it, but for `cli`: its arguments, output and tables are everybody's,
//! and its commands use everything.

pub mod api;
pub mod config;
pub mod topology;
pub mod quota;
pub mod interrupt;
pub mod operator;
pub mod cli;
pub mod trade;
pub mod session;
pub mod predecessor;
pub mod tapes;
pub mod service;
pub mod client;
pub mod transport;
pub mod binance;
pub mod zmq;
pub mod http;
pub mod gateway;
pub mod ports;
pub mod log;
pub mod assembly;
pub mod replay;
pub mod exchange;
pub mod venue;
pub mod run;
pub mod simulate;
pub mod host;
pub mod serve;
