//! Our resting orders of one side of one instrument, best price first, then in order of arrival.

use super::config::{QueueModel, better};
use super::depth::Depth;
use super::queue::{Position, Stamp};
use crate::domain::{InstrumentIndex, Nanos, OrderId, Price, Quantity, Side};

/// An order of ours on the exchange's book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Our id of it.
    pub id: OrderId,
    /// The exchange's id of it.
    pub venue_order_id: u64,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Its side.
    pub side: Side,
    /// Its limit price.
    pub price: Price,
    /// Its quantity.
    pub quantity: Quantity,
    /// Filled so far.
    pub filled: Quantity,
    /// When it reached the book, on the exchange's side of the latency.
    pub accepted: Nanos,
    /// The other one of the pair that it was placed in; `OrderId::NONE` where there is none, or it was set off.
    pub other: OrderId,
    pub(super) position: Position,
}

impl OpenOrder {
    /// What is left to fill.
    #[must_use]
    pub const fn leaves(&self) -> Quantity {
        Quantity(self.quantity.0 - self.filled.0)
    }

    /// Whether the two were placed as a pair, each of which names the other.
    pub(super) fn is_other_of(&self, order: &Self) -> bool {
        self.other != OrderId::NONE && (self.other, self.id) == (order.id, order.other)
    }

    /// The market's quantity at its price that stands before it, by the queue model.
    #[must_use]
    pub const fn ahead(&self) -> Quantity {
        Quantity(self.position.ahead())
    }
}

/// A trade of the market on our side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Print {
    pub(super) price: Price,
    pub(super) quantity: Quantity,
    pub(super) stamp: Stamp,
}

/// Our resting orders of one side.
#[derive(Debug)]
pub(super) struct Resting {
    side: Side,
    orders: Vec<OpenOrder>,
    /// All of them know what the depth holds at their prices, and no trade there waits to be seen in it.
    settled: bool,
}

impl Resting {
    /// No orders.
    pub(super) const fn new(side: Side) -> Self {
        Self { side, orders: Vec::new(), settled: false }
    }

    /// Adds an order behind those at its price.
    pub(super) fn insert(&mut self, order: OpenOrder) {
        let at = self.orders.partition_point(|other| !better(self.side, order.price.0, other.price.0));
        self.orders.insert(at, order);
        self.settled = false;
    }

    /// Takes an order off.
    pub(super) fn remove(&mut self, id: OrderId) -> Option<OpenOrder> {
        let at = self.orders.iter().position(|order| order.id == id)?;
        Some(self.orders.remove(at))
    }

    /// The order called `id`.
    pub(super) fn get(&self, id: OrderId) -> Option<&OpenOrder> {
        self.orders.iter().find(|order| order.id == id)
    }

    /// The order called `id`, to lower its quantity: its place stays.
    pub(super) fn get_mut(&mut self, id: OrderId) -> Option<&mut OpenOrder> {
        self.orders.iter_mut().find(|order| order.id == id)
    }

    /// Our orders, best first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenOrder> {
        self.orders.iter()
    }

    /// Our best price.
    pub(super) fn best(&self) -> Option<Price> {
        self.orders.first().map(|order| order.price)
    }

    /// A trade against this side. One at a worse price than ours would have traded with us first: it fills us whole,
    /// at our price. One at our price fills what is left of it after the queue before us; `partial` as in
    /// `SimulationConfig::partial_fills`. `on_fill` gets each order after its fill, and what that filled.
    pub(super) fn on_print(
        &mut self,
        print: Print,
        partial: bool,
        mut on_fill: impl FnMut(&OpenOrder, Quantity),
    ) {
        let mut ours = 0;
        let mut earlier = 0;
        let mut waiting = false;
        for order in &mut self.orders {
            let leaves = order.leaves().0;
            let filled = if better(self.side, order.price.0, print.price.0) {
                leaves
            } else if order.price == print.price {
                self.settled = false;
                let reaches = order.position.on_trade(print.quantity.0, ours, print.stamp);
                order.position.stay_behind(earlier);
                earlier = order.ahead().0;
                match reaches {
                    // Time priority: nothing for a later order while an earlier one waits.
                    _ if waiting => 0,
                    1.. if !partial => leaves,
                    _ => reaches.min(leaves),
                }
            } else {
                break;
            };
            if order.price == print.price {
                ours += filled.min(print.quantity.0 - ours);
                waiting |= filled < leaves;
            }
            if filled > 0 {
                order.filled.0 += filled;
                on_fill(order, Quantity(filled));
            }
        }
        self.orders.retain(|order| order.leaves().0 > 0);
    }

    /// The book has changed. An order whose price the other side has reached is filled whole, at its own price; the
    /// others learn what their level holds now.
    #[inline]
    pub(super) fn on_book(
        &mut self,
        depth: &Depth,
        stamp: Stamp,
        model: QueueModel,
        on_fill: impl FnMut(&OpenOrder, Quantity),
    ) {
        if !self.orders.is_empty() {
            self.hold_against(depth, stamp, model, on_fill);
        }
    }

    /// Whether new best prices of this side and of the other leave all orders behind them, and so tell them nothing.
    #[inline]
    pub(super) fn is_behind(&self, best: Price, other: Price) -> bool {
        let behind = |price: Price| better(self.side, best.0, price.0) && better(self.side, other.0, price.0);
        // The others are no better than the first.
        self.best().is_none_or(|first| self.settled && behind(first))
    }

    fn hold_against(
        &mut self,
        depth: &Depth,
        stamp: Stamp,
        model: QueueModel,
        mut on_fill: impl FnMut(&OpenOrder, Quantity),
    ) {
        let other = depth.best_open(self.side.opposite());
        let (mut earlier, mut gone) = ((Price::NONE, 0), false);
        self.settled = self.orders.first().is_some_and(|first| depth.leaves_behind(self.side, first.price));
        for order in &mut self.orders {
            if other.is_some_and(|other| !better(self.side, other.0, order.price.0)) {
                let filled = order.leaves();
                order.filled = order.quantity;
                on_fill(order, filled);
                gone = true;
                continue;
            }
            order.position.on_level(depth.quantity_at(self.side, order.price).0, stamp, model);
            if earlier.0 == order.price {
                order.position.stay_behind(earlier.1);
            }
            earlier = (order.price, order.ahead().0);
            self.settled &= order.position.is_settled();
        }
        if gone {
            self.orders.retain(|order| order.leaves().0 > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{instrument, levels, order_id};
    use super::*;

    fn order(sequence: u64, side: Side, price: i64, quantity: i64, ahead: i64) -> OpenOrder {
        OpenOrder {
            id: order_id(sequence),
            venue_order_id: sequence,
            instrument: 0,
            side,
            price: Price(price),
            quantity: Quantity(quantity),
            filled: Quantity::ZERO,
            accepted: Nanos::ZERO,
            other: OrderId::NONE,
            position: Position::behind(ahead),
        }
    }

    fn print(price: i64, quantity: i64) -> Print {
        Print { price: Price(price), quantity: Quantity(quantity), stamp: Stamp::default() }
    }

    fn fills(resting: &mut Resting, price: i64, quantity: i64, partial: bool) -> Vec<(u64, i64)> {
        let mut fills = Vec::new();
        resting.on_print(print(price, quantity), partial, |order, filled| {
            fills.push((order.id.sequence, filled.0));
        });
        fills
    }

    #[test]
    fn orders_stand_by_price_then_time_on_both_sides() {
        for (side, expected) in [(Side::Buy, [3, 1, 4, 2]), (Side::Sell, [2, 1, 4, 3])] {
            let mut resting = Resting::new(side);
            for (sequence, price) in [(1, 100), (2, 99), (3, 101), (4, 100)] {
                resting.insert(order(sequence, side, price, 1, 0));
            }
            let found: Vec<u64> = resting.iter().map(|order| order.id.sequence).collect();
            assert_eq!(found, expected);
            assert_eq!(resting.remove(order_id(1)).map(|order| order.price), Some(Price(100)));
            assert!(resting.get(order_id(1)).is_none() && resting.remove(order_id(1)).is_none());
        }
    }

    #[test]
    fn one_trade_is_shared_in_time_order() {
        // The queue: 100 of others, our 50, 20 of others, our 30.
        let mut resting = Resting::new(Side::Buy);
        resting.insert(order(1, Side::Buy, 99, 50, 100));
        resting.insert(order(2, Side::Buy, 99, 30, 120));
        assert_eq!(fills(&mut resting, 99, 110, true), [(1, 10)]);
        assert_eq!(resting.get(order_id(2)).map(|order| order.ahead().0), Some(20));
        assert_eq!(fills(&mut resting, 99, 65, true), [(1, 40), (2, 5)]);
        assert_eq!(fills(&mut resting, 99, 100, true), [(2, 25)]);
        assert_eq!(resting.best(), None);
    }

    #[test]
    fn a_trade_beyond_us_fills_us_whole_and_one_short_of_us_not_at_all() {
        for (side, through, short) in [(Side::Buy, 98, 100), (Side::Sell, 100, 98)] {
            let mut resting = Resting::new(side);
            resting.insert(order(1, side, 99, 50, 100));
            assert_eq!(fills(&mut resting, short, 1_000, true), []);
            assert_eq!(fills(&mut resting, through, 1, true), [(1, 50)]);
        }
    }

    #[test]
    fn without_partial_fills_a_trade_that_reaches_us_is_enough() {
        let mut resting = Resting::new(Side::Sell);
        resting.insert(order(1, Side::Sell, 99, 50, 10));
        resting.insert(order(2, Side::Sell, 99, 50, 10));
        assert_eq!(fills(&mut resting, 99, 10, false), []);
        assert_eq!(fills(&mut resting, 99, 1, false), [(1, 50)]);
        assert_eq!(fills(&mut resting, 99, 60, false), [(2, 50)]);
    }

    #[test]
    fn a_book_that_reaches_our_price_fills_us() {
        for (side, own, bids, asks) in
            [(Side::Buy, 100, [(98, 5)], [(100, 1)]), (Side::Sell, 98, [(98, 1)], [(100, 5)])]
        {
            let mut depth = Depth::new(&instrument());
            depth.on_snapshot(1, &levels(&bids), &levels(&asks));
            let mut resting = Resting::new(side);
            resting.insert(order(1, side, own, 50, 0));
            resting.insert(order(2, side, 99, 50, 0));
            let mut filled = Vec::new();
            resting.on_book(&depth, Stamp::default(), QueueModel::RiskAverse, |order, quantity| {
                filled.push((order.id.sequence, quantity.0));
            });
            assert_eq!(filled, [(1, 50)], "{side}");
            assert_eq!(resting.best(), Some(Price(99)));
        }
    }

    /// Ours of 5 behind 20, of which a ticker then takes 8; ours of 5 behind the 12 that are left.
    fn two_that_know_different_pasts() -> Resting {
        let mut depth = Depth::new(&instrument());
        let mut resting = Resting::new(Side::Buy);
        resting.insert(order(1, Side::Buy, 99, 5, 20));
        depth.on_snapshot(1, &levels(&[(99, 12)]), &[]);
        resting.on_book(&depth, Stamp::default(), QueueModel::RiskAverse, |_, _| {});
        resting.insert(order(2, Side::Buy, 99, 5, 12));
        resting
    }

    #[test]
    fn time_priority_holds_whatever_each_order_knows() {
        // The trade behind that ticker comes: 8 of it are old news to the first order only.
        let mut resting = two_that_know_different_pasts();
        assert_eq!(fills(&mut resting, 99, 20, true), []);
        let mut resting = two_that_know_different_pasts();
        assert_eq!(fills(&mut resting, 99, 10, true), []);
        assert_eq!(resting.iter().map(|order| order.ahead().0).collect::<Vec<_>>(), [10, 10]);
    }

    #[test]
    fn no_guess_moves_a_later_order_before_an_earlier_one() {
        let mut depth = Depth::new(&instrument());
        depth.on_snapshot(1, &levels(&[(99, 40)]), &[]);
        let mut resting = Resting::new(Side::Buy);
        for (sequence, ahead) in [(1, 45), (2, 55)] {
            let mut behind = order(sequence, Side::Buy, 99, 5, ahead);
            behind.position.on_level(100, Stamp::default(), QueueModel::RiskAverse);
            resting.insert(behind);
        }
        resting.insert(order(3, Side::Buy, 98, 5, 10));
        // 60 × 45⁴ / (45⁴ + 55⁴) = 18 leaves 27; alone, the later order would move by 41, to 14.
        resting.on_book(&depth, Stamp::default(), QueueModel::Probabilistic { power: 4 }, |_, _| {});
        assert_eq!(
            resting.iter().map(|order| order.ahead().0).collect::<Vec<_>>(),
            [27, 27, 0],
            "nor one at another price"
        );
    }
}
