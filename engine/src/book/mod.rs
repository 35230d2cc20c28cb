//! Books: exact levels, snapshot + diff synchronisation, and trust as a state.

pub mod grid;
pub mod window;
mod far;
pub mod ladder;
pub mod rule;
pub mod trust;
pub mod pending;
pub mod sync;
pub mod checkpoint;
pub mod cell;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::{Price, Quantity};

pub use cell::BookCell;
pub use checkpoint::write_checkpoint;
pub use ladder::Ladder;
pub use rule::SyncRule;
pub use sync::Book;
pub use trust::{BookCounts, DiffOutcome, Distrust, SnapshotOutcome, Trust};

/// One level of a book, or a change of one: quantity 0 deletes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Level {
    /// Its price.
    pub price: Price,
    /// Its quantity.
    pub quantity: Quantity,
}

/// The update ids of a depth diff (binance.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffIds {
    /// `U`: the first update in the diff.
    pub first: u64,
    /// `u`: the last update in the diff.
    pub last: u64,
    /// `pu`: the last update of the diff before it; futures only.
    pub previous: Option<u64>,
}
