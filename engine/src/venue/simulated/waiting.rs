//! Orders that wait for the last price to reach their trigger (binance.md §6): accepted, and on no book until then.

use super::matching::Matching;
use super::request::Placement;
use super::resting::OpenOrder;
use super::taker;
use crate::domain::{InstrumentIndex, OrderId, OrderType, Price, Side};
use crate::message::OrderState;
use crate::venue::VenueEventKind;

/// What an order waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) order_type: OrderType,
    /// Positive.
    pub(super) trigger: Price,
}

impl Condition {
    /// Whether the last price meets it; before the first trade it does not.
    pub(super) fn is_met(&self, side: Side, last: Option<Price>) -> bool {
        last.is_some_and(|last| self.order_type.is_triggered(side, self.trigger, last))
    }
}

/// An order that waits, and what it is to be then.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    order: OpenOrder,
    placement: Placement,
    condition: Condition,
}

/// The orders of one instrument that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom(Vec<Waiting>);

impl WaitingRoom {
    pub(super) fn insert(&mut self, order: OpenOrder, placement: Placement, condition: Condition) {
        self.0.push(Waiting { order, placement, condition });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenOrder> {
        self.0.iter().map(|waiting| &waiting.order)
    }

    pub(super) fn get_mut(&mut self, id: OrderId) -> Option<&mut OpenOrder> {
        self.0.iter_mut().map(|waiting| &mut waiting.order).find(|order| order.id == id)
    }

    pub(super) fn remove(&mut self, id: OrderId) -> Option<OpenOrder> {
        let at = self.0.iter().position(|waiting| waiting.order.id == id)?;
        Some(self.0.remove(at).order)
    }

    /// Takes out the other one of the pair of `order`. Of two that wait for prices on both sides of the last one at most one is on
    /// a book, and what a book's order does ends the other here.
    pub(super) fn take_other(&mut self, order: &OpenOrder) -> Option<OpenOrder> {
        if order.other == OrderId::NONE {
            return None;
        }
        let at = self.0.iter().position(|waiting| waiting.order.is_other_of(order))?;
        Some(self.0.remove(at).order)
    }

    /// Takes out the oldest whose condition `last` meets.
    fn take_met(&mut self, last: Option<Price>) -> Option<Waiting> {
        let met = |waiting: &Waiting| waiting.condition.is_met(waiting.order.side, last);
        let at = self.0.iter().position(met)?;
        Some(self.0.remove(at))
    }
}

impl Matching {
    /// Sets off what waits for the last price of the market, oldest first. Our own trades are not the market's: they
    /// set nothing off, so this ends.
    pub(super) fn set_off(&mut self, index: InstrumentIndex) {
        loop {
            let Some(market) = self.markets.get_mut(index as usize) else { return };
            let Some(Waiting { order, placement, .. }) = market.waiting.take_met(market.last) else { return };
            let order = self.part(order);
            let Some(market) = self.markets.get_mut(index as usize) else { return };
            let placement = Placement { quantity: order.quantity, condition: None, ..placement };
            let own = market.own.get(placement.side.opposite()).best();
            let plan = taker::plan(&market.depth, own, &placement, &mut self.trades);
            self.clearing.say(self.clock, VenueEventKind::Accepted, &order);
            if self.pays(&placement, plan) {
                self.carry_out(order, &placement, plan);
            } else {
                self.clearing.end(self.clock, &order, OrderState::Expired);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CONFIG, Rig, Told, What, limit, market, order_id, waits, with_tif};
    use super::super::{Request, RequestKind};
    use super::*;
    use crate::domain::{Quantity, TimeInForce};
    use OrderType::{StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit};
    use What::{Accepted, Canceled, Expired, Made, Rejected, Took};

    const NOTHING: [Told; 0] = [];

    #[test]
    fn each_type_is_set_off_on_its_own_side_of_the_last_price() {
        for (order_type, side, short, reached) in [
            (StopLoss, Side::Buy, 102, 103),
            (StopLoss, Side::Sell, 98, 97),
            (TakeProfit, Side::Buy, 98, 97),
            (TakeProfit, Side::Sell, 102, 103),
        ] {
            let mut rig = Rig::new(CONFIG);
            rig.trade(Side::Buy, 100, 1).told();
            let order = waits(order_type, reached, market(1, side, 2));
            assert_eq!(rig.send(&order).told(), [(1, Accepted, 0)], "{order_type} {side}");
            assert_eq!(rig.trade(Side::Buy, short, 1).told(), NOTHING, "{order_type} {side}");
            let price = if side == Side::Buy { 101 } else { 99 };
            let expected = [(1, Accepted, 0), (1, Took(price, 2), 2)];
            assert_eq!(rig.trade(Side::Buy, reached, 1).told(), expected, "{order_type} {side}");
            assert_eq!(rig.venue.open_orders().count(), 0);
        }
    }

    #[test]
    fn what_would_be_set_off_at_once_is_refused() {
        let mut rig = Rig::new(CONFIG);
        // Before the first trade there is no last price.
        let early = waits(StopLoss, 97, market(1, Side::Sell, 1));
        assert_eq!(rig.send(&early).told(), [(1, Accepted, 0)]);
        rig.trade(Side::Buy, 100, 1).told();
        for (at, order_type, side, trigger) in [
            (2, StopLossLimit, Side::Sell, 100),
            (3, StopLossLimit, Side::Buy, 100),
            (4, TakeProfitLimit, Side::Sell, 99),
            (5, TakeProfitLimit, Side::Buy, 101),
        ] {
            let order = waits(order_type, trigger, limit(at, side, 100, 1));
            assert_eq!(rig.send(&order).told(), [(at, Rejected(-2010), 0)], "{order_type} {side}");
        }
    }

    #[test]
    fn a_limit_takes_to_its_price_and_then_rests_or_expires() {
        let mut rig = Rig::new(CONFIG);
        rig.trade(Side::Buy, 100, 1).told();
        rig.send(&waits(StopLossLimit, 98, limit(1, Side::Sell, 99, 8)));
        let immediate = with_tif(limit(2, Side::Sell, 97, 9), TimeInForce::ImmediateOrCancel);
        rig.send(&waits(StopLossLimit, 97, immediate)).told();
        // It does nothing on the book before: a trade at its price passes it by.
        assert_eq!(rig.trade(Side::Buy, 99, 50).told(), NOTHING);
        assert_eq!(rig.trade(Side::Sell, 98, 1).told(), [(1, Accepted, 0), (1, Took(99, 5), 5)]);
        assert_eq!(rig.trade(Side::Buy, 99, 1).told(), [(1, Made(99, 1), 6)], "what is left of it rests");
        let expected = [(2, Accepted, 0), (2, Took(98, 7), 7), (2, Expired, 7)];
        assert_eq!(rig.trade(Side::Sell, 97, 1).told(), expected);
    }

    #[test]
    fn while_it_waits_it_is_known_amended_and_cancelled_as_any_open_order() {
        let mut rig = Rig::new(CONFIG);
        rig.trade(Side::Buy, 100, 1).told();
        rig.send(&waits(StopLossLimit, 98, limit(1, Side::Sell, 97, 8)));
        rig.send(&waits(TakeProfit, 105, market(2, Side::Sell, 3))).told();
        assert_eq!(rig.venue.open_orders().map(|order| order.id).collect::<Vec<_>>(), [1, 2].map(order_id));
        let kind = VenueEventKind::QueryState { state: OrderState::Open, quantity: Quantity(8) };
        assert_eq!(rig.send(&Request::query(0, order_id(1))).told(), [(1, What::Other(kind), 0)]);
        let (target, quantity) = (order_id(1), Quantity(3));
        let amend = Request { target, quantity, kind: RequestKind::Amend.code(), ..Request::default() };
        let kind = VenueEventKind::Amended { quantity };
        assert_eq!(rig.send(&amend).told(), [(1, What::Other(kind), 0)]);
        assert_eq!(rig.cancel(2).told(), [(2, Canceled, 0)]);
        assert_eq!(rig.trade(Side::Buy, 106, 1).told(), NOTHING, "it is gone");
        let expected = [(1, Accepted, 0), (1, Took(99, 3), 3)];
        assert_eq!(rig.trade(Side::Sell, 98, 1).told(), expected, "as amended");
        assert_eq!(rig.venue.open_orders().count(), 0);
    }
}
