//! `simulated_exchange`: Binance Spot's REST, stream and WebSocket-API protocols over the engine's exchange.
//!
//! One task, the desk, owns the exchange; connections read, check who asks, and talk to it by bounded channels.
//! binance.md says what is imitated; an answer that Binance would not give is a defect.

pub mod failure;
pub mod json;
pub mod interval;
pub mod params;
pub mod keys;
pub mod method;
pub mod http;
pub mod websocket;
pub mod limits;
pub mod render;
pub mod lists;
pub mod history;
pub mod sbe;
pub mod streams;
pub mod clock;
pub mod faults;
pub mod door;
pub mod market;
pub mod settings;
pub mod desk;
pub mod admin;
pub mod connection;
pub mod talk;
pub mod tls;
pub mod operator;
pub mod server;
