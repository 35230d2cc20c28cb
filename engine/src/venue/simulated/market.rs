//! One instrument at the exchange: its book, our orders on it, and its tape of trades.

use super::clearing::Clearing;
use super::config::SimulationConfig;
use super::depth::Depth;
use super::queue::Stamp;
use super::registry::Place;
use super::resting::{OpenOrder, Print, Resting};
use super::waiting::WaitingRoom;
use crate::book::Level;
use crate::domain::{BySide, Instrument, Liquidity, Nanos, Price, Quantity, Side};
use crate::message::OrderState;

/// Which trades of the feed count.
#[derive(Clone, Copy, Debug, Default)]
struct Tape {
    /// Of the last trade that counted: whether it was an aggregate, and its id.
    last: Option<(bool, u64)>,
}

impl Tape {
    /// Whether a trade is news. A feed with trades and aggregates tells everything twice: the kind that comes first
    /// is followed, the other ignored. Within it ids rise; one that does not was told before.
    fn is_news(&mut self, aggregate: bool, trade_id: u64) -> bool {
        let news = self.last.is_none_or(|(kind, last)| kind == aggregate && trade_id > last);
        if news {
            self.last = Some((aggregate, trade_id));
        }
        news
    }
}

/// A trade of the feed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeedTrade {
    pub(super) trade_id: u64,
    pub(super) aggregate: bool,
    pub(super) aggressor: Side,
    pub(super) print: Print,
}

/// One instrument at the exchange.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) depth: Depth,
    pub(super) own: BySide<Resting>,
    pub(super) waiting: WaitingRoom,
    /// The last price traded while there was a book; `None` before the first.
    pub(super) last: Option<Price>,
    tape: Tape,
}

impl Market {
    /// Without a book.
    pub(super) fn new(instrument: &Instrument) -> Self {
        let own = BySide { buy: Resting::new(Side::Buy), sell: Resting::new(Side::Sell) };
        let (waiting, tape) = (WaitingRoom::default(), Tape::default());
        Self { depth: Depth::new(instrument), own, waiting, last: None, tape }
    }

    /// Our orders, on the book or waiting.
    pub(super) fn orders(&self) -> impl Iterator<Item = &OpenOrder> {
        self.own.buy.iter().chain(self.own.sell.iter()).chain(self.waiting.iter())
    }

    /// The order at `place`.
    pub(super) fn order(&self, place: Place) -> Option<&OpenOrder> {
        let waiting = || self.waiting.iter().find(|order| order.id == place.id);
        self.own.get(place.side).get(place.id).or_else(waiting)
    }

    /// The order at `place`, to lower its quantity: its place in the queue stays.
    pub(super) fn order_mut(&mut self, place: Place) -> Option<&mut OpenOrder> {
        match self.own.get_mut(place.side).get_mut(place.id) {
            None => self.waiting.get_mut(place.id),
            found => found,
        }
    }

    /// Takes the order at `place` off.
    pub(super) fn remove(&mut self, place: Place) -> Option<OpenOrder> {
        self.own.get_mut(place.side).remove(place.id).or_else(|| self.waiting.remove(place.id))
    }

    /// A trade of the feed. Without a live book it fills nothing, and the queue does not move.
    pub(super) fn on_trade(
        &mut self,
        trade: FeedTrade,
        config: &SimulationConfig,
        instrument: &Instrument,
        clearing: &mut Clearing,
    ) {
        let FeedTrade { trade_id, aggregate, aggressor, print } = trade;
        // Futures feeds carry records of insurance funds and the like, without price or quantity.
        if !print.price.is_some() || print.quantity.0 <= 0 || !self.tape.is_news(aggregate, trade_id) {
            return;
        }
        if !self.depth.is_live() || self.depth.is_empty() {
            return;
        }
        self.last = Some(print.price);
        let Self { own, waiting, .. } = self;
        own.get_mut(aggressor.opposite()).on_print(print, config.partial_fills, |order, quantity| {
            made(clearing, waiting, print.stamp.seen, (instrument, order), quantity);
        });
    }

    /// The book has changed, or only its best prices. One that is not live fills nothing, and the queue does not move.
    #[inline]
    pub(super) fn on_book(
        &mut self,
        (stamp, only_top): (Stamp, bool),
        config: &SimulationConfig,
        instrument: &Instrument,
        clearing: &mut Clearing,
    ) {
        if !self.depth.is_live() {
            return;
        }
        let Self { depth, own, waiting, .. } = self;
        // Two frames of three are best prices, and few come near an order.
        if only_top
            && let Some((bid, ask)) = depth.ticker_best()
            && own.buy.is_behind(bid, ask)
            && own.sell.is_behind(ask, bid)
        {
            return;
        }
        for side in [Side::Buy, Side::Sell] {
            own.get_mut(side).on_book(depth, stamp, config.queue, |order, quantity| {
                made(clearing, waiting, stamp.seen, (instrument, order), quantity);
            });
        }
    }
}

/// Clears a fill of a resting order: always at its own price. If it is one of a pair, the other one ends before it is told.
fn made(
    clearing: &mut Clearing,
    waiting: &mut WaitingRoom,
    now: Nanos,
    (instrument, order): (&Instrument, &OpenOrder),
    quantity: Quantity,
) {
    if let Some(other) = waiting.take_other(order) {
        clearing.end(now, &other, OrderState::Expired);
    }
    clearing.trade(now, instrument, order, Level { price: order.price, quantity }, Liquidity::Maker);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trade_counts_once() {
        let mut tape = Tape::default();
        let news = [(true, 5), (false, 900), (true, 5), (true, 4), (true, 6)]
            .map(|(kind, id)| tape.is_news(kind, id));
        assert_eq!(news, [true, false, false, false, true]);
    }
}
