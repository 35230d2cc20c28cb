//! The wire between the engine and a venue that lives in the same process: rings in place of sockets.
//!
//! The exchange's side writes frames and answers; the engine's side is a [`MarketData`] and an [`OrderEntry`] like any
//! other. Every message carries the time at which it arrives, so latency is the writer's to choose.
//!
//! [`MarketData`]: crate::venue::MarketData
//! [`OrderEntry`]: crate::venue::OrderEntry

mod answer;
mod batch;
pub mod direct;
pub mod feed;
pub mod order_entry;

pub use batch::{Batch, Place};
pub use direct::DirectFeed;
pub use feed::{FeedReader, FeedWriter, LinkFeed};
pub use order_entry::LinkOrderEntry;
