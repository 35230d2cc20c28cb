//! Orders that wait for a price, and what sets them off.

use super::balances::Amount;
use super::core::Exchange;
use super::event::ExecutionKind;
use super::order::{Expiry, Order, Status};
use crate::domain::{InstrumentIndex, OrderType, Price, Side};

impl Exchange {
    /// Whether the last price meets a condition.
    pub(super) fn triggers(
        &self,
        instrument: InstrumentIndex,
        kind: OrderType,
        side: Side,
        stop: Price,
    ) -> bool {
        let last = self.books.get(instrument as usize).and_then(|book| book.last);
        last.is_some_and(|last| kind.is_triggered(side, stop, last))
    }

    /// An order waits from now on.
    pub(super) fn wait(&mut self, id: u64) {
        if let Some(order) = self.orders.get(id) {
            self.books[order.instrument as usize].waiting.push(id);
        }
    }

    /// An order that trails learns the last price: it begins to trail at its stop price, or at once without one, and the
    /// best price since then is what the price has to turn from.
    pub(super) fn follow_price(&mut self, id: u64) {
        let now = self.clock;
        let Some(order) = self.orders.get_mut(id).filter(|order| order.trailing_delta > 0) else { return };
        let Some(last) = self.books.get(order.instrument as usize).and_then(|book| book.last) else { return };
        match (order.trail, order.side) {
            (Some(best), Side::Sell) => order.trail = Some(best.max(last)),
            (Some(best), Side::Buy) => order.trail = Some(best.min(last)),
            (None, side) => {
                if !order.stop_price.is_some() || order.kind.is_triggered(side, order.stop_price, last) {
                    (order.trail, order.trailing_since) = (Some(last), Some(now));
                }
            }
        }
    }

    /// Whether the last price sets off an order that waits.
    fn is_set_off(&self, order: &Order) -> bool {
        if order.trailing_delta == 0 {
            return self.triggers(order.instrument, order.kind, order.side, order.stop_price);
        }
        let last = self.books.get(order.instrument as usize).and_then(|book| book.last);
        last.zip(order.trail).is_some_and(|(last, best)| {
            let turn = turning_point(order.side, best, order.trailing_delta);
            if order.side == Side::Sell { last <= turn } else { last >= turn }
        })
    }

    /// Places the orders of lists whose working order has filled, and starts the conditional orders whose condition the
    /// last price meets, oldest first; what they trade may meet the next one's. Each starts once, so this ends.
    pub(super) fn trigger(&mut self, instrument: InstrumentIndex) {
        loop {
            while let Some(list) = self.lists.next_ready() {
                self.place_pending(list);
            }
            let Some(book) = self.books.get(instrument as usize) else { return };
            let waiting = book.waiting.clone();
            waiting.iter().for_each(|id| self.follow_price(*id));
            let ready = |id: &&u64| self.orders.get(**id).is_some_and(|order| self.is_set_off(order));
            let Some(id) = waiting.iter().find(ready).copied() else { return };
            self.books[instrument as usize].waiting.retain(|waiting| *waiting != id);
            self.start(id);
        }
    }

    /// A conditional order comes alive.
    fn start(&mut self, id: u64) {
        let now = self.clock;
        let instruments = std::sync::Arc::clone(&self.instruments);
        if let Some(list) = self.orders.get(id).map(|order| order.list).filter(|&list| list != 0) {
            self.activate(id, list);
        }
        let Some(order) = self.orders.get_mut(id) else { return };
        order.working = Some(now);
        let order = order.clone();
        let Some(instrument) = instruments.get(order.instrument) else { return };
        self.report(ExecutionKind::New, id, None, None);
        let plan = self.plan(order.account, instrument, &order.again());
        // What a market order reserved at its stop price may not be what it costs now.
        if order.kind.is_market() && order.side == Side::Buy {
            let wanted = plan.value.unwrap_or(Amount::MAX);
            let asset = self.pays_with(&order);
            let free = self.accounts[order.account as usize].balances[asset as usize].free;
            if wanted > free + order.locked {
                self.end(id, Status::Expired, Some(Expiry::Rejected), None);
                return;
            }
            let more = wanted - order.locked;
            if let Some(order) = self.orders.get_mut(id) {
                order.locked = wanted;
            }
            self.credit(order.account, asset, -more, more);
        }
        self.execute(id, &plan);
    }
}

/// The price at which an order of `side` that trails by `delta` ten-thousandths is set off, after `best`.
pub(super) fn turning_point(side: Side, best: Price, delta: u32) -> Price {
    let (best, delta) = (i128::from(best.0), i128::from(delta));
    let turn = match side {
        Side::Sell => (best * (10_000 - delta)).div_euclid(10_000),
        Side::Buy => -(-best * (10_000 + delta)).div_euclid(10_000),
    };
    Price(i64::try_from(turn).unwrap_or(i64::MAX))
}
