//! Binance's protocols: bytes in, bytes out.

pub(in crate::venue) mod number;
mod json;
mod text;
mod request_id;
pub mod account;
pub mod canonical;
pub mod decode;
pub mod sbe;
pub mod frames;
pub mod exchange_info;
pub mod order_request;
pub mod user_data;

use crate::book::{DiffIds, Level};
use crate::domain::{DecimalError, InstrumentIndex, Nanos, Price, Quantity, Side};
use crate::message::tick::Top;

/// A bar of a kline stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Quantity traded.
    pub volume: Quantity,
    /// Number of trades.
    pub trades: u64,
    /// When it opened.
    pub opened: Nanos,
    /// Its length.
    pub length: Nanos,
    /// Whether it is final.
    pub closed: bool,
}

/// What a market frame says. Levels borrow the decoder's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketEvent<'a> {
    /// A depth diff.
    Depth {
        /// The instrument.
        instrument: InstrumentIndex,
        /// Its update ids.
        ids: DiffIds,
        /// `E`.
        event_time: Nanos,
        /// Changed bids, in the frame's order.
        bids: &'a [Level],
        /// Changed asks, in the frame's order.
        asks: &'a [Level],
    },
    /// A REST depth snapshot.
    Snapshot {
        /// The instrument.
        instrument: InstrumentIndex,
        /// `lastUpdateId`.
        last_update_id: u64,
        /// All bids of the snapshot.
        bids: &'a [Level],
        /// All asks of the snapshot.
        asks: &'a [Level],
    },
    /// The best bid and ask.
    BookTicker {
        /// The instrument.
        instrument: InstrumentIndex,
        /// `u`: the book update that made it so.
        update_id: u64,
        /// The best bid and ask.
        top: Top,
        /// `E`, where the frame has one: spot's has not.
        event_time: Option<Nanos>,
    },
    /// A trade, or an aggregate of trades of one taker at one price.
    Trade {
        /// The instrument.
        instrument: InstrumentIndex,
        /// `t`, or `a` for an aggregate.
        trade_id: u64,
        /// Its price.
        price: Price,
        /// Its quantity.
        quantity: Quantity,
        /// The taker's side: sell when the buyer was the maker (`m`).
        aggressor: Side,
        /// `E`.
        event_time: Nanos,
        /// Whether it is an `aggTrade`: a feed with both streams tells every trade twice.
        aggregate: bool,
    },
    /// A bar.
    Kline {
        /// The instrument.
        instrument: InstrumentIndex,
        /// The bar.
        bar: Bar,
        /// `E`.
        event_time: Nanos,
    },
    /// Nothing for us: an event, symbol or control message that is well-formed but unknown.
    Skipped(Skip),
}

/// Why a well-formed frame was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// An event type or REST answer that the engine does not use.
    Event,
    /// A symbol that is not in the table.
    Symbol,
}

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeReason {
    /// Not JSON, truncated, or not of the shape of its event.
    #[error("malformed")]
    Malformed,
    /// A field of the event is missing.
    #[error("a field is missing")]
    Missing,
    /// A price or quantity is not exact at the instrument's scale.
    #[error("{0}")]
    Decimal(#[from] DecimalError),
}

/// A frame was refused, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} near byte {at}")]
pub struct DecodeError {
    /// Why.
    pub reason: DecodeReason,
    /// Where in the payload.
    pub at: usize,
    /// The instrument, if the frame had told it before it broke: its book must not be trusted.
    pub instrument: Option<InstrumentIndex>,
}
