//! Tapes: recorded frames, read back in receive order.
//!
//! The capture format is one frame a line, `recv_ns TAB source TAB payload`, plain, gzip or zstd; hftbacktest's
//! collector files (`local_ns SPACE payload`) are read as well. Nothing here decodes a frame's numbers.

pub mod scan;
pub(crate) mod ahead;
mod unpack;
mod received;
mod ends;
mod blocks;
mod hex;
mod collector;
mod source;
pub mod tape;
mod bytes;
pub mod merge;
pub mod assets;
mod grid;
pub mod catalog;
pub mod write;
pub mod damage;

pub use bytes::TapeBytes;
pub use catalog::{Catalog, CatalogEntry};
pub use merge::{MergedLine, TapeSet};
pub use source::TapeSource;
pub use tape::{TapeLine, TapeReader};
pub use write::TapeWriter;
