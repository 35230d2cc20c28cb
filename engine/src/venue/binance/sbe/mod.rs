//! SBE market streams of Binance Spot (schema `stream_1_0.xml`, id 1): binary frames to the events that JSON gives.
//!
//! Little endian. A header of 8 bytes, a block of fixed fields, groups, and the symbol at the end. A later version may
//! make blocks and group entries longer and add data at the end: lengths that the frame states are followed, and what
//! is behind the known fields is passed over (binance.md §10). What is shorter than what we need is refused.

pub mod encode;
mod number;
mod wire;
mod label;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::book::{DiffIds, Level};
use crate::domain::{Instrument, InstrumentIndex, Instruments, Market, Nanos, Price, Quantity, Side};
use crate::message::tick::Top;
use crate::venue::binance::decode::SymbolTable;
use crate::venue::binance::{DecodeError, DecodeReason, MarketEvent, Skip};

use number::Exponents;
use wire::{Group, HEADER, Message, malformed};

pub use label::Label;

/// The schema's id.
pub const SCHEMA: u16 = 1;

/// Template ids of the schema.
pub mod template {
    /// `TradesStreamEvent`, of `<symbol>@trade`.
    pub const TRADES: u16 = 10_000;
    /// `BestBidAskStreamEvent`, of `<symbol>@bestBidAsk`.
    pub const BEST_BID_ASK: u16 = 10_001;
    /// `DepthSnapshotStreamEvent`, of `<symbol>@depth20`.
    pub const DEPTH_SNAPSHOT: u16 = 10_002;
    /// `DepthDiffStreamEvent`, of `<symbol>@depth`.
    pub const DEPTH_DIFF: u16 = 10_003;
}

/// What an SBE message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SbeEvent<'a> {
    /// What a JSON frame would say too. A message of several trades is as many of these.
    Market(MarketEvent<'a>),
    /// The best levels of a book, some twenty a side. It is no snapshot to start a book from: what is below is
    /// missing.
    Best {
        /// The instrument.
        instrument: InstrumentIndex,
        /// The book's update that made it so.
        update_id: u64,
        /// When.
        event_time: Nanos,
        /// The best bids, best first.
        bids: &'a [Level],
        /// The best asks, best first.
        asks: &'a [Level],
    },
}

/// Decodes SBE frames. Owned by one agent; it allocates only while its buffers grow to the largest frame met.
#[derive(Debug)]
pub struct SbeDecoder {
    instruments: Arc<Instruments>,
    symbols: SymbolTable,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// What follows the header and the block: the instrument, with its numbers' exponents.
struct Subject<'a> {
    index: InstrumentIndex,
    exponents: Exponents<'a>,
}

impl SbeDecoder {
    /// A decoder for the spot instruments among these.
    #[must_use]
    pub fn new(instruments: Arc<Instruments>) -> Self {
        let symbols = SymbolTable::new(&instruments, Market::Spot);
        Self { instruments, symbols, bids: Vec::new(), asks: Vec::new() }
    }

    /// Decodes one binary frame and hands over what it says, in order.
    ///
    /// # Errors
    /// When the frame is cut, of another schema, shorter than its template, or holds a number that is not exact here.
    /// Nothing of it has been handed over then, but for trades before a broken one. The error names the instrument where
    /// the frame's end could be read: its book must not be trusted any more.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        on_event: &mut dyn FnMut(SbeEvent<'_>),
    ) -> Result<(), DecodeError> {
        let message = Message::read(bytes)?;
        if message.schema != SCHEMA {
            return Err(malformed(4));
        }
        let known = match message.template {
            template::TRADES => self.trades(&message, on_event),
            template::BEST_BID_ASK => self.best_bid_ask(&message, on_event),
            template::DEPTH_SNAPSHOT => self.depth(&message, false, on_event),
            template::DEPTH_DIFF => self.depth(&message, true, on_event),
            _ => {
                on_event(SbeEvent::Market(MarketEvent::Skipped(Skip::Event)));
                return Ok(());
            }
        }?;
        if !known {
            on_event(SbeEvent::Market(MarketEvent::Skipped(Skip::Symbol)));
        }
        Ok(())
    }

    /// The instrument whose symbol stands at `at`, where its numbers' exponents are at `exponents` in the block; `None`
    /// when it is not listed.
    fn subject<'a>(
        symbols: &SymbolTable,
        instruments: &'a Instruments,
        message: &Message<'_>,
        at: usize,
        exponents: usize,
    ) -> Result<Option<Subject<'a>>, DecodeError> {
        let symbol = message.text(at)?;
        let (price, quantity) = (message.field::<1>(exponents)?, message.field::<1>(exponents + 1)?);
        let Some(index) = symbols.find(symbol, 0, symbol.len()) else { return Ok(None) };
        let listed: Option<&'a Instrument> = instruments.get(index);
        Ok(listed.map(|instrument| Subject {
            index,
            exponents: Exponents::new(instrument, i8::from_le_bytes(price), i8::from_le_bytes(quantity)),
        }))
    }

    fn trades(
        &mut self,
        message: &Message<'_>,
        on_event: &mut dyn FnMut(SbeEvent<'_>),
    ) -> Result<bool, DecodeError> {
        // Block: eventTime 0, transactTime 8, exponents 16 and 17. Entry: id 0, price 8, qty 16, isBuyerMaker 24.
        let event_time = message.time(0)?;
        let trades = trade_group(message)?;
        let subject = Self::subject(&self.symbols, &self.instruments, message, trades.end, 16)?;
        let Some(Subject { index, exponents }) = subject else { return Ok(false) };
        let named = |error: DecodeError| DecodeError { instrument: Some(index), ..error };
        for at in trades.entries() {
            let aggressor = match message.byte(at + 24)? {
                0 => Side::Buy,
                1 => Side::Sell,
                _ => return Err(named(malformed(at + 24))),
            };
            on_event(SbeEvent::Market(MarketEvent::Trade {
                instrument: index,
                trade_id: message.unsigned(at).map_err(named)?,
                price: Price(exponents.price(message.signed(at + 8)?, at + 8).map_err(named)?),
                quantity: Quantity(exponents.quantity(message.signed(at + 16)?, at + 16).map_err(named)?),
                aggressor,
                event_time,
                aggregate: false,
            }));
        }
        Ok(true)
    }

    fn best_bid_ask(
        &mut self,
        message: &Message<'_>,
        on_event: &mut dyn FnMut(SbeEvent<'_>),
    ) -> Result<bool, DecodeError> {
        // Block: eventTime 0, bookUpdateId 8, exponents 16 and 17, bid 18, its quantity 26, ask 34, its quantity 42.
        let event_time = message.time(0)?;
        let end = message.after_block(50)?;
        let subject = Self::subject(&self.symbols, &self.instruments, message, end, 16)?;
        let Some(Subject { index, exponents }) = subject else { return Ok(false) };
        let named = |error: DecodeError| DecodeError { instrument: Some(index), ..error };
        let price = |at| exponents.price(message.signed_field(at)?, HEADER + at).map(Price).map_err(named);
        let quantity =
            |at| exponents.quantity(message.signed_field(at)?, HEADER + at).map(Quantity).map_err(named);
        let top = Top {
            bid: price(18)?,
            bid_quantity: quantity(26)?,
            ask: price(34)?,
            ask_quantity: quantity(42)?,
        };
        let update_id = message.unsigned_field(8).map_err(named)?;
        let event_time = Some(event_time);
        on_event(SbeEvent::Market(MarketEvent::BookTicker { instrument: index, update_id, top, event_time }));
        Ok(true)
    }

    /// A diff, or the best levels.
    fn depth(
        &mut self,
        message: &Message<'_>,
        diff: bool,
        on_event: &mut dyn FnMut(SbeEvent<'_>),
    ) -> Result<bool, DecodeError> {
        // Block: eventTime 0, one update id or first and last at 8 and 16, then the exponents. Entry: price 0, qty 8.
        let exponents_at = if diff { 24 } else { 16 };
        let event_time = message.time(0)?;
        let [bids, asks] = side_groups(message, exponents_at)?;
        let subject = Self::subject(&self.symbols, &self.instruments, message, asks.end, exponents_at)?;
        let Some(Subject { index, exponents }) = subject else { return Ok(false) };
        let named = |error: DecodeError| DecodeError { instrument: Some(index), ..error };
        let first = message.unsigned_field(8).map_err(named)?;
        levels(message, &bids, &exponents, &mut self.bids).map_err(named)?;
        levels(message, &asks, &exponents, &mut self.asks).map_err(named)?;
        let (bids, asks) = (&*self.bids, &*self.asks);
        if diff {
            let ids = DiffIds { first, last: message.unsigned_field(16).map_err(named)?, previous: None };
            let event = MarketEvent::Depth { instrument: index, ids, event_time, bids, asks };
            on_event(SbeEvent::Market(event));
        } else {
            on_event(SbeEvent::Best { instrument: index, update_id: first, event_time, bids, asks });
        }
        Ok(true)
    }
}

/// The trades of a message.
fn trade_group(message: &Message<'_>) -> Result<Group, DecodeError> {
    message.group(message.after_block(18)?, Group::wide, 25)
}

/// Bids and asks of a message whose block ends with the exponents, at `exponents`.
fn side_groups(message: &Message<'_>, exponents: usize) -> Result<[Group; 2], DecodeError> {
    let bids = message.group(message.after_block(exponents + 2)?, Group::narrow, 16)?;
    let asks = message.group(bids.end, Group::narrow, 16)?;
    Ok([bids, asks])
}

fn levels(
    message: &Message<'_>,
    group: &Group,
    exponents: &Exponents<'_>,
    into: &mut Vec<Level>,
) -> Result<(), DecodeError> {
    into.clear();
    for at in group.entries() {
        into.push(Level {
            price: Price(exponents.price(message.signed(at)?, at)?),
            quantity: Quantity(exponents.quantity(message.signed(at + 8)?, at + 8)?),
        });
    }
    Ok(())
}

/// The error of a number that is not exact here.
fn inexact(reason: crate::domain::DecimalError, at: usize) -> DecodeError {
    DecodeError { reason: DecodeReason::Decimal(reason), at, instrument: None }
}
