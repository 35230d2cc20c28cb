//! Orders that wait for a price, and what sets them off.

use super::balances::Amount;
use super::core::Exchange;
use super::event::ExecutionKind;
use super::order::{Expiry, Status};
use super::request::NewOrder;
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

    /// Starts the conditional orders whose condition the last price meets, oldest first; what they trade may meet the
    /// next one's. Each starts once, so this ends.
    pub(super) fn trigger(&mut self, instrument: InstrumentIndex) {
        loop {
            let Some(book) = self.books.get(instrument as usize) else { return };
            let ready = |id: &&u64| {
                self.orders
                    .get(**id)
                    .is_some_and(|order| self.triggers(instrument, order.kind, order.side, order.stop_price))
            };
            let Some(id) = book.waiting.iter().find(ready).copied() else { return };
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
        let new = NewOrder {
            instrument: order.instrument,
            client_id: order.client_id.clone(),
            side: order.side,
            kind: order.kind,
            time_in_force: order.time_in_force,
            price: order.price,
            stop_price: order.stop_price,
            quantity: order.leaves(),
            quote_quantity: 0,
            stp: order.stp,
            strategy_id: None,
            strategy_type: None,
        };
        let plan = self.plan(order.account, instrument, &new);
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
