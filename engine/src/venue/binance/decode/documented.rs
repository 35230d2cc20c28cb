//! The documented field orders of the three busiest events, read straight through.
//!
//! Whatever differs, be it a new field, another order, white space, an unknown symbol or a damaged byte, is `None`,
//! and the frame is read again by `fields`, which is the authority: results are the same by construction of tests.

use crate::book::DiffIds;
use crate::domain::{InstrumentIndex, Market, Nanos, Price, Quantity, Side};
use crate::message::tick::Top;
use crate::venue::binance::MarketEvent;
use crate::venue::binance::json::Cursor;
use crate::venue::binance::number::{Closing, Shape, milliseconds, time, unsigned};

use super::levels::{self, Shapes, Sides};
use super::symbols::SymbolTable;

/// What reading one frame needs of the decoder.
pub(super) struct Documented<'d, 'f> {
    pub(super) cursor: Cursor<'f>,
    pub(super) market: Market,
    pub(super) symbols: &'d SymbolTable,
    pub(super) shapes: &'d mut [Shapes],
    pub(super) sides: &'d mut Sides,
}

/// Reads a decimal and the text that must close it, quote included.
#[inline(always)]
fn decimal<const AGAIN: bool>(cursor: &mut Cursor<'_>, shape: &mut Shape, closing: Closing) -> Option<i64> {
    let (value, end) = shape.closed::<AGAIN>(cursor.bytes, cursor.at, closing)?;
    cursor.at = end;
    Some(value)
}

impl Documented<'_, '_> {
    /// The event of a stream frame in documented order; levels go to `sides`.
    #[inline(always)]
    pub(super) fn read(mut self) -> Option<MarketEvent<'static>> {
        let wrapped = self.cursor.literal(b"{\"stream\":\"").is_some();
        if wrapped {
            self.cursor.string_rest().ok()?;
            self.cursor.literal(b",\"data\":{\"")?;
        } else {
            self.cursor.literal(b"{\"")?;
        }
        let event = if self.cursor.literal(b"u\":").is_some() {
            let update_id = self.unsigned()?;
            if self.market != Market::Spot {
                self.cursor.literal(b",\"e\":\"bookTicker\"")?;
            }
            self.book_ticker(update_id)?
        } else if self.cursor.literal(b"e\":\"depthUpdate\",\"E\":").is_some() {
            self.depth()?
        } else if self.cursor.literal(b"e\":\"trade\",\"E\":").is_some() {
            self.trade()?
        } else {
            self.cursor.literal(b"e\":\"bookTicker\",\"u\":")?;
            let update_id = self.unsigned()?;
            self.book_ticker(update_id)?
        };
        if wrapped {
            self.cursor.literal(b"}")?;
        }
        (self.cursor.at == self.cursor.bytes.len()).then_some(event)
    }

    /// An unsigned integer. What follows it is compared with a literal, so a point or an exponent is seen there.
    #[inline(always)]
    fn unsigned(&mut self) -> Option<u64> {
        let (value, end) = unsigned(self.cursor.bytes, self.cursor.at)?;
        self.cursor.at = end;
        Some(value)
    }

    #[inline(always)]
    fn time(&mut self) -> Option<Nanos> {
        let (value, end) = milliseconds(self.cursor.bytes, self.cursor.at)?;
        self.cursor.at = end;
        time(value).map(|(time, _)| time)
    }

    /// `,"T":` and a number that is not used.
    #[inline(always)]
    fn transaction_time(&mut self) -> Option<()> {
        self.cursor.literal(b",\"T\":")?;
        let (_, end) = milliseconds(self.cursor.bytes, self.cursor.at)?;
        self.cursor.at = end;
        Some(())
    }

    /// `,"s":"..."`.
    #[inline(always)]
    fn symbol(&mut self) -> Option<InstrumentIndex> {
        self.cursor.literal(b",\"s\":\"")?;
        let (instrument, end) = self.symbols.find_quoted(self.cursor.bytes, self.cursor.at)?;
        self.cursor.at = end + 1;
        Some(instrument)
    }

    /// `,"ps":"..."` of COIN-M.
    #[inline(always)]
    fn pair(&mut self) -> Option<()> {
        if self.market == Market::CoinMargined {
            self.cursor.literal(b",\"ps\":\"")?;
            self.cursor.string_rest().ok()?;
        }
        Some(())
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
        self.cursor.literal(b",\"U\":")?;
        let first = self.unsigned()?;
        self.cursor.literal(b",\"u\":")?;
        let last = self.unsigned()?;
        let mut previous = None;
        if futures {
            self.cursor.literal(b",\"pu\":")?;
            previous = Some(self.unsigned()?);
        }
        let shapes = self.shapes.get_mut(instrument as usize)?;
        self.cursor.literal(b",\"b\":")?;
        levels::read(&mut self.cursor, shapes, &mut self.sides.bids).ok()?;
        self.cursor.literal(b",\"a\":")?;
        levels::read(&mut self.cursor, shapes, &mut self.sides.asks).ok()?;
        self.cursor.literal(b"}")?;
        let ids = DiffIds { first, last, previous };
        Some(MarketEvent::Depth { instrument, ids, event_time, bids: &[], asks: &[] })
    }

    /// From behind the value of `u`. Futures end with `T` and `E`.
    #[inline(always)]
    fn book_ticker(&mut self, update_id: u64) -> Option<MarketEvent<'static>> {
        const BID: Closing = Closing::new(b"\",\"B\":\"");
        const BID_QUANTITY: Closing = Closing::new(b"\",\"a\":\"");
        const ASK: Closing = Closing::new(b"\",\"A\":\"");
        const ASK_QUANTITY: Closing = Closing::new(b"\"");
        let instrument = self.symbol()?;
        self.pair()?;
        let cursor = &mut self.cursor;
        let Shapes { price, quantity } = self.shapes.get_mut(instrument as usize)?;
        cursor.literal(b",\"b\":\"")?;
        let top = Top {
            bid: Price(decimal::<false>(cursor, price, BID)?),
            bid_quantity: Quantity(decimal::<false>(cursor, quantity, BID_QUANTITY)?),
            ask: Price(decimal::<false>(cursor, price, ASK)?),
            ask_quantity: Quantity(decimal::<false>(cursor, quantity, ASK_QUANTITY)?),
        };
        let mut event_time = None;
        if self.market != Market::Spot {
            self.transaction_time()?;
            self.cursor.literal(b",\"E\":")?;
            event_time = Some(self.time()?);
        }
        self.cursor.literal(b"}")?;
        Some(MarketEvent::BookTicker { instrument, update_id, top, event_time })
    }

    /// From behind `"E":`. Spot has `T` behind the quantity, futures before the symbol; futures add `X`.
    #[inline(always)]
    fn trade(&mut self) -> Option<MarketEvent<'static>> {
        const PRICE: Closing = Closing::new(b"\",\"q\":\"");
        const QUANTITY: Closing = Closing::new(b"\"");
        let futures = self.market != Market::Spot;
        let event_time = self.time()?;
        if futures {
            self.transaction_time()?;
        }
        let instrument = self.symbol()?;
        self.cursor.literal(b",\"t\":")?;
        let trade_id = self.unsigned()?;
        let cursor = &mut self.cursor;
        let Shapes { price, quantity } = self.shapes.get_mut(instrument as usize)?;
        cursor.literal(b",\"p\":\"")?;
        let price = Price(decimal::<false>(cursor, price, PRICE)?);
        let quantity = Quantity(decimal::<false>(cursor, quantity, QUANTITY)?);
        if futures {
            self.cursor.literal(b",\"X\":\"")?;
            self.cursor.string_rest().ok()?;
        } else {
            self.transaction_time()?;
        }
        self.cursor.literal(b",\"m\":")?;
        let aggressor = if self.cursor.boolean().ok()? { Side::Sell } else { Side::Buy };
        if !futures {
            self.cursor.literal(b",\"M\":")?;
            self.cursor.boolean().ok()?;
        }
        self.cursor.literal(b"}")?;
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
