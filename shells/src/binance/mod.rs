//! Binance over sockets: market data and order entry behind the engine's two traits (binance.md).
//!
//! ```text
//! streams  ──WebSocket──▶ BinanceFeed  ──frames──▶ ingest
//! REST     ──depth──────▶     │  asks for snapshots, within its share of the weight
//! ws-api   ◀─WebSocket──▶ BinanceEntry ◀──orders── route
//! REST     ◀─────────────      │  where the WebSocket API has no session
//! ```
//!
//! The protocol itself, bytes to events and back, is `engine::venue::binance`. Here are connections, keys and limits.

pub mod signer;
pub mod endpoints;
pub mod clock;
pub mod limits;
pub mod dedup;
mod line;
pub mod streams;
mod feed_line;
pub mod session;
mod envelope;
pub mod fallback;
pub mod entry;
pub mod feed;

pub use endpoints::Endpoints;
pub use entry::BinanceEntry;
pub use feed::BinanceFeed;
pub use signer::Signer;
pub use streams::Streams;
