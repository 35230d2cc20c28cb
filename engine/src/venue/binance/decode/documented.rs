//! The documented field orders of the three busiest events, read straight through.
//!
//! Whatever differs, be it a new field, another order, white space, an unknown symbol or a damaged byte, is `None`,
//! and the frame is read again by `fields`, which is the authority: results are the same by construction of tests.

use crate::book::DiffIds;
use crate::domain::{InstrumentIndex, Market, Nanos, Price, Quantity, Side};
use crate::message::tick::Top;
use crate::venue::binance::json::Cursor;
use crate::venue::binance::number::{Closing, Ending, Reading, Shape, load, time};
use crate::venue::binance::{DecodeError, MarketEvent};

use super::levels::{self, Shapes, Sides};
use super::symbols::SymbolTable;

/// What reading one frame needs of the decoder.
pub(super) struct Documented<'d, 'f, R> {
    pub(super) reading: R,
    /// The whole frame.
    pub(super) frame: &'f [u8],
    /// What has not been read yet. A slice and no index: what is ahead is then compared with its length alone.
    pub(super) rest: &'f [u8],
    pub(super) market: Market,
    pub(super) symbols: &'d SymbolTable,
    pub(super) shapes: &'d mut [Shapes],
    pub(super) sides: &'d mut Sides,
}

/// A depth frame up to its levels.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DepthHead {
    pub(super) instrument: InstrumentIndex,
    pub(super) ids: DiffIds,
    pub(super) event_time: Nanos,
    /// Where the array of bids starts.
    pub(super) levels: usize,
    /// Whether a combined stream's wrapper is around it.
    pub(super) wrapped: bool,
}

/// Bytes that hold any symbol, or any pair of the fast way. Inside of them nothing asks where the frame ends.
const WINDOW: usize = 64;

/// Bytes that hold any integer of 64 bits and what follows it: more digits are too many.
const INTEGER: usize = 32;

/// A price, a quantity, and the texts that must close them, however they are written.
#[cold]
#[inline(never)]
fn any_pair(
    text: &[u8],
    Shapes { price, quantity, .. }: &mut Shapes,
    [between, closing]: [Closing; 2],
) -> Option<([i64; 2], usize)> {
    price.learn(text, 0);
    let read = |shape: &mut Shape, at: usize, closing: Closing| {
        let (value, end) = shape.read(text, at).ok()?;
        closing.rest().starts(load(text, end)).then_some((value, end + closing.length() - 1))
    };
    let (first, end) = read(price, 0, between)?;
    let (second, end) = read(quantity, end, closing)?;
    Some(([first, second], end))
}

impl<'f, R: Reading> Documented<'_, 'f, R> {
    /// Passes exactly `literal`, or stays and says `None`.
    #[inline(always)]
    fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Option<()> {
        let (found, rest) = self.rest.split_first_chunk::<N>()?;
        if found != literal {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    /// Passes what a cursor passes.
    #[inline(always)]
    fn passed<T>(&mut self, pass: impl FnOnce(&mut Cursor<'f>) -> Result<T, DecodeError>) -> Option<T> {
        let mut cursor = Cursor::new(self.rest, 0);
        let value = pass(&mut cursor).ok()?;
        self.rest = self.rest.get(cursor.at..)?;
        Some(value)
    }

    /// The event of a stream frame in documented order; levels go to `sides`.
    #[inline(always)]
    pub(super) fn read(mut self) -> Option<MarketEvent<'static>> {
        let wrapped = self.literal(b"{\"stream\":\"").is_some();
        if wrapped {
            self.passed(|cursor| cursor.long_string_rest())?;
            self.literal(b",\"data\":{\"")?;
        } else {
            self.literal(b"{\"")?;
        }
        let event = if self.literal(b"u\":").is_some() {
            let update_id = self.unsigned()?;
            if self.market != Market::Spot {
                self.literal(b",\"e\":\"bookTicker\"")?;
            }
            self.book_ticker(update_id)?
        } else if self.literal(b"e\":\"depthUpdate\",\"E\":").is_some() {
            self.depth()?
        } else if self.literal(b"e\":\"trade\",\"E\":").is_some() {
            self.trade()?
        } else {
            self.literal(b"e\":\"bookTicker\",\"u\":")?;
            let update_id = self.unsigned()?;
            self.book_ticker(update_id)?
        };
        if wrapped {
            self.literal(b"}")?;
        }
        self.rest.is_empty().then_some(event)
    }

    /// An unsigned integer. What follows it is compared with a literal, so a point or an exponent is seen there.
    #[inline(always)]
    fn unsigned(&mut self) -> Option<u64> {
        let (value, end) = match self.rest.first_chunk::<INTEGER>() {
            Some(window) => self.reading.unsigned(window, 0)?,
            None => self.reading.unsigned(self.rest, 0)?,
        };
        self.rest = self.rest.get(end..)?;
        Some(value)
    }

    #[inline(always)]
    fn milliseconds(&mut self) -> Option<u64> {
        let (value, end) = match self.rest.first_chunk::<INTEGER>() {
            Some(window) => self.reading.milliseconds(window, 0)?,
            None => self.reading.milliseconds(self.rest, 0)?,
        };
        self.rest = self.rest.get(end..)?;
        Some(value)
    }

    #[inline(always)]
    fn time(&mut self) -> Option<Nanos> {
        time(self.milliseconds()?).map(|(time, _)| time)
    }

    /// `,"T":` and a number that is not used.
    #[inline(always)]
    fn transaction_time(&mut self) -> Option<()> {
        self.literal(b",\"T\":")?;
        self.milliseconds().map(|_| ())
    }

    /// A price and a quantity of `instrument`, and the texts that must close them, quotes included.
    #[inline(always)]
    fn pair_of(&mut self, instrument: InstrumentIndex, closings: [Closing; 2]) -> Option<(Price, Quantity)> {
        let Self { reading, rest, frame, .. } = self;
        let shapes = self.shapes.get_mut(instrument as usize)?;
        let expected = [&shapes.price, &shapes.quantity];
        let found = if let Some(window) = rest.first_chunk::<WINDOW>() {
            reading.pair(window, 0, expected, closings)
        } else {
            let ending = frame.last_chunk::<WINDOW>();
            let start = WINDOW - rest.len();
            ending
                .and_then(|ending| reading.pair(&Ending(ending), start, expected, closings))
                .map(|(values, end)| (values, end - start))
        };
        let ([price, quantity], end) = match found {
            Some(found) => found,
            None => any_pair(rest, shapes, closings)?,
        };
        *rest = rest.get(end..)?;
        Some((Price(price), Quantity(quantity)))
    }

    /// `,"s":"..."`.
    #[inline(always)]
    fn symbol(&mut self) -> Option<InstrumentIndex> {
        self.literal(b",\"s\":\"")?;
        let (instrument, end) = match self.rest.first_chunk::<WINDOW>() {
            Some(window) => self.symbols.find_quoted(window, 0)?,
            None => self.symbols.find_quoted(self.rest, 0)?,
        };
        self.rest = self.rest.get(end + 1..)?;
        Some(instrument)
    }

    /// `,"ps":"..."` of COIN-M.
    #[inline(always)]
    fn pair(&mut self) -> Option<()> {
        if self.market == Market::CoinMargined {
            self.literal(b",\"ps\":\"")?;
            self.passed(|cursor| cursor.string_rest())?;
        }
        Some(())
    }

    #[inline(always)]
    fn levels(
        &mut self,
        instrument: InstrumentIndex,
        side: impl Fn(&mut Sides) -> &mut levels::Side,
    ) -> Option<()> {
        let Self { shapes, sides, .. } = self;
        let shapes = shapes.get_mut(instrument as usize)?;
        let mut cursor = Cursor::new(self.rest, 0);
        levels::read(&mut cursor, shapes, side(sides)).ok()?;
        self.rest = self.rest.get(cursor.at..)?;
        Some(())
    }

    /// The event of a depth frame of which only the levels are left to be read.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn behind(mut self, head: &DepthHead) -> Option<MarketEvent<'static>> {
        self.rest = self.rest.get(head.levels..)?;
        let event = self.both_sides(head.instrument, head.ids, head.event_time)?;
        if head.wrapped {
            self.literal(b"}")?;
        }
        self.rest.is_empty().then_some(event)
    }

    /// From behind `"E":`. Futures add `T`, `pu`, and COIN-M `ps`.
    #[inline(always)]
    fn depth(&mut self) -> Option<MarketEvent<'static>> {
        let futures = self.market != Market::Spot;
        let event_time = self.time()?;
        if futures {
            self.transaction_time()?;
        }
        let instrument = self.symbol()?;
        self.pair()?;
        self.literal(b",\"U\":")?;
        let first = self.unsigned()?;
        self.literal(b",\"u\":")?;
        let last = self.unsigned()?;
        let mut previous = None;
        if futures {
            self.literal(b",\"pu\":")?;
            previous = Some(self.unsigned()?);
        }
        self.literal(b",\"b\":")?;
        self.both_sides(instrument, DiffIds { first, last, previous }, event_time)
    }

    /// The levels of a depth frame, which end it.
    #[inline(always)]
    fn both_sides(
        &mut self,
        instrument: InstrumentIndex,
        ids: DiffIds,
        event_time: Nanos,
    ) -> Option<MarketEvent<'static>> {
        self.levels(instrument, |sides| &mut sides.bids)?;
        self.literal(b",\"a\":")?;
        self.levels(instrument, |sides| &mut sides.asks)?;
        self.literal(b"}")?;
        Some(MarketEvent::Depth { instrument, ids, event_time, bids: &[], asks: &[] })
    }

    /// From behind the value of `u`. Futures end with `T` and `E`.
    #[inline(always)]
    fn book_ticker(&mut self, update_id: u64) -> Option<MarketEvent<'static>> {
        const BID: [Closing; 2] = [Closing::new(b"\",\"B\":\""), Closing::new(b"\",\"a\":\"")];
        const ASK: [Closing; 2] = [Closing::new(b"\",\"A\":\""), Closing::new(b"\"")];
        let instrument = self.symbol()?;
        self.pair()?;
        self.literal(b",\"b\":\"")?;
        let (bid, bid_quantity) = self.pair_of(instrument, BID)?;
        let (ask, ask_quantity) = self.pair_of(instrument, ASK)?;
        let top = Top { bid, bid_quantity, ask, ask_quantity };
        let mut event_time = None;
        if self.market != Market::Spot {
            self.transaction_time()?;
            self.literal(b",\"E\":")?;
            event_time = Some(self.time()?);
        }
        self.literal(b"}")?;
        Some(MarketEvent::BookTicker { instrument, update_id, top, event_time })
    }

    /// From behind `"E":`. Spot has `T` behind the quantity, futures before the symbol; futures add `X`.
    #[inline(always)]
    fn trade(&mut self) -> Option<MarketEvent<'static>> {
        const CLOSINGS: [Closing; 2] = [Closing::new(b"\",\"q\":\""), Closing::new(b"\"")];
        let futures = self.market != Market::Spot;
        let event_time = self.time()?;
        if futures {
            self.transaction_time()?;
        }
        let instrument = self.symbol()?;
        self.literal(b",\"t\":")?;
        let trade_id = self.unsigned()?;
        self.literal(b",\"p\":\"")?;
        let (price, quantity) = self.pair_of(instrument, CLOSINGS)?;
        if futures {
            self.literal(b",\"X\":\"")?;
            self.passed(|cursor| cursor.string_rest())?;
        } else {
            self.transaction_time()?;
        }
        self.literal(b",\"m\":")?;
        let aggressor = if self.passed(|cursor| cursor.boolean())? { Side::Sell } else { Side::Buy };
        if !futures {
            self.literal(b",\"M\":")?;
            self.passed(|cursor| cursor.boolean())?;
        }
        self.literal(b"}")?;
        Some(MarketEvent::Trade {
            instrument,
            trade_id,
            price,
            quantity,
            aggressor,
            event_time,
            aggregate: false,
        })
    }
}
