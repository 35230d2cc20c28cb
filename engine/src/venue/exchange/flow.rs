//! The market's events: they move its levels, fill resting orders, and are told on as the exchange's own.

use super::core::Exchange;
use super::side::MarketFill;
use crate::book::{DiffIds, Level};
use crate::domain::{InstrumentIndex, Nanos, Price, Quantity, Side};
use crate::venue::binance::MarketEvent;
use crate::venue::simulated::queue::Stamp;

impl Exchange {
    /// Something happened on the market at `now`; times inside the event are the feed's own.
    ///
    /// Tickers are not used: the depth of a feed says the same, later or at once.
    pub fn on_market(&mut self, now: Nanos, event: &MarketEvent<'_>) {
        self.advance(now);
        match *event {
            MarketEvent::Depth { instrument, ids, event_time, bids, asks } => {
                if self.follows(instrument, ids) {
                    self.on_levels(instrument, Some(event_time), bids, asks, false);
                }
            }
            MarketEvent::Snapshot { instrument, last_update_id, bids, asks } => {
                let Some(book) = self.books.get_mut(instrument as usize) else { return };
                if book.feed.is_none_or(|last| last < last_update_id) {
                    book.feed = Some(last_update_id);
                    self.on_levels(instrument, None, bids, asks, true);
                }
            }
            MarketEvent::Trade {
                instrument,
                trade_id,
                price,
                quantity,
                aggressor,
                event_time,
                aggregate,
            } => {
                let Some(book) = self.books.get_mut(instrument as usize) else { return };
                // A feed with trades and aggregates tells everything twice; the kind that comes first counts.
                if book.tape.is_some_and(|(kind, last)| kind != aggregate || trade_id <= last) {
                    return;
                }
                book.tape = Some((aggregate, trade_id));
                self.on_print(instrument, price, quantity, aggressor, event_time);
            }
            MarketEvent::BookTicker { .. } | MarketEvent::Kline { .. } | MarketEvent::Skipped(_) => {}
        }
    }

    /// Whether a diff is news. One after a gap is taken all the same: this book is the exchange's own, and the feed's
    /// is only what moves it.
    fn follows(&mut self, instrument: InstrumentIndex, ids: DiffIds) -> bool {
        let Some(book) = self.books.get_mut(instrument as usize) else { return false };
        let news = book.feed.is_some_and(|last| ids.last > last);
        if news {
            book.feed = Some(ids.last);
        }
        news
    }

    fn on_levels(
        &mut self,
        instrument: InstrumentIndex,
        event: Option<Nanos>,
        bids: &[Level],
        asks: &[Level],
        whole: bool,
    ) {
        let stamp = Stamp { event, seen: self.clock };
        let queue = self.queue;
        let book = &mut self.books[instrument as usize];
        book.sides.buy.set_market(bids, whole);
        book.sides.sell.set_market(asks, whole);
        let (bid, ask) = (book.sides.buy.best_market(), book.sides.sell.best_market());
        if let Some((bid, ask)) = bid.zip(ask).filter(|(bid, ask)| bid >= ask) {
            // The feed has left out that a level went. What it has just told stands.
            if bids.iter().any(|level| level.price == bid && level.quantity.0 > 0) {
                book.sides.sell.drop_crossed(bid);
            } else {
                book.sides.buy.drop_crossed(ask);
            }
        }
        for side in [Side::Buy, Side::Sell] {
            self.match_market(instrument, side);
            self.books[instrument as usize].sides.get_mut(side).on_levels(stamp, queue);
        }
        self.finish(instrument);
    }

    /// The market's levels of the other side that reach orders of `side` trade with them, as far as they go.
    fn match_market(&mut self, instrument: InstrumentIndex, side: Side) {
        loop {
            let book = &mut self.books[instrument as usize];
            let Some(level) = book.sides.get(side.opposite()).best_open() else { return };
            let fills = book.sides.get_mut(side).on_crossed(level);
            if fills.is_empty() {
                return;
            }
            let taken: i64 = fills.iter().map(|fill| fill.quantity).sum();
            book.sides.get_mut(side.opposite()).take_market(level.price, taken);
            self.made(instrument, side, &fills);
        }
    }

    fn on_print(
        &mut self,
        instrument: InstrumentIndex,
        price: Price,
        quantity: Quantity,
        aggressor: Side,
        event: Nanos,
    ) {
        let stamp = Stamp { event: Some(event), seen: self.clock };
        let side = aggressor.opposite();
        let book = &mut self.books[instrument as usize];
        let fills = book.sides.get_mut(side).on_print(price, quantity.0, stamp);
        let given: i64 = fills.iter().map(|fill| fill.quantity).sum();
        self.made(instrument, side, &fills);
        if quantity.0 > given {
            self.trade(instrument, price, Quantity(quantity.0 - given), aggressor);
        }
        self.finish(instrument);
    }

    /// The market trades with this order alone, at its price, whatever the queue: what a test asks for. Returns
    /// whether it stood on the book with so much left.
    pub fn meet(&mut self, now: Nanos, id: u64, quantity: Quantity) -> bool {
        self.advance(now);
        let Some(order) = self.orders.get(id) else { return false };
        let stands = order.status.is_open() && order.working.is_some();
        if !stands || quantity.0 <= 0 || quantity > order.leaves() {
            return false;
        }
        let (instrument, side, price) = (order.instrument, order.side, order.price);
        self.books[instrument as usize].sides.get_mut(side).reduce(id, price, quantity.0);
        self.made(instrument, side, &[MarketFill { id, price, quantity: quantity.0 }]);
        self.finish(instrument);
        true
    }

    /// Orders of `side` made against the market.
    fn made(&mut self, instrument: InstrumentIndex, side: Side, fills: &[MarketFill]) {
        for fill in fills {
            let quantity = Quantity(fill.quantity);
            let trade = self.trade(instrument, fill.price, quantity, side.opposite());
            self.fill(fill.id, trade, fill.price, quantity, true);
            self.market_side(instrument, fill.price, quantity, side.opposite());
        }
    }
}
