//! Route's orders: every live one, and the latest that ended, so that a late report still finds its order.
//!
//! A slab made at the start with an index by id, so that nothing allocates while trading.

use std::collections::VecDeque;

use crate::domain::{Nanos, OrderId, Price, Quantity, Side};
use crate::message::report::{Report, ReportKind};
use crate::tick_to_trade::order_index::OrderIndex;
use crate::tick_to_trade::route::state::OrderRecord;

/// Ended orders remembered (reliability.md F03: tombstones). Older ones are forgotten first; a report for a forgotten
/// order is counted as foreign.
const ENDED_MAX: usize = 65_536;

/// Live orders that there is room for from the start. Risk's limits bound them; an account that may hold more makes the
/// slab grow.
const LIVE_EXPECTED: usize = 16_384;

/// Vectors kept for orders with many trades, and the trades that each has room for.
const SPARES: usize = 256;
const SPARE_TRADES: usize = 64;

/// Orders by id. Bounded: live ones by risk's limits, ended ones by `ENDED_MAX`.
#[derive(Debug)]
pub struct Orders {
    slots: Vec<OrderRecord>,
    /// Slots that hold no order.
    free: Vec<u32>,
    index: OrderIndex,
    ended: VecDeque<OrderId>,
    live: usize,
    spares: Vec<Vec<u64>>,
}

impl Default for Orders {
    fn default() -> Self {
        Self::with_capacity(LIVE_EXPECTED + ENDED_MAX)
    }
}

/// A slot without an order.
const fn vacant() -> OrderRecord {
    OrderRecord::new(OrderId::NONE, 0, Side::Buy, Price::NONE, Quantity::ZERO, Nanos::ZERO)
}

impl Orders {
    fn with_capacity(capacity: usize) -> Self {
        let last = u32::try_from(capacity).unwrap_or(u32::MAX - 1);
        Self {
            slots: (0..last).map(|_| vacant()).collect(),
            free: (0..last).rev().collect(),
            index: OrderIndex::new(capacity),
            ended: VecDeque::with_capacity(ENDED_MAX + 1),
            live: 0,
            spares: (0..SPARES).map(|_| Vec::with_capacity(SPARE_TRADES)).collect(),
        }
    }

    /// Takes a new order. Returns `false`, and changes nothing, if its id was used before.
    pub fn insert(&mut self, order: OrderRecord) -> bool {
        if self.index.find(order.id).is_some() {
            return false;
        }
        let Some(place) = self.free.pop().or_else(|| self.grow()) else { return false };
        self.live += 1;
        self.index.insert(order.id, place);
        self.slots[place as usize] = order;
        true
    }

    /// More live orders than expected: twice the room. Gives a free slot.
    #[cold]
    fn grow(&mut self) -> Option<u32> {
        let (before, capacity) = (self.slots.len(), self.slots.len() * 2);
        let places = u32::try_from(before).ok()?..u32::try_from(capacity).ok()?;
        self.index = OrderIndex::new(capacity);
        for (place, order) in (0..).zip(&self.slots) {
            self.index.insert(order.id, place);
        }
        self.slots.resize_with(capacity, vacant);
        self.free.extend(places.rev());
        self.free.pop()
    }

    /// The order with this id.
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<&OrderRecord> {
        self.index.find(id).map(|place| &self.slots[place as usize])
    }

    /// The order with this id, to change; the caller then says whether it [`ended`](Self::ended).
    pub fn get_mut(&mut self, id: OrderId) -> Option<&mut OrderRecord> {
        let order = &mut self.slots[self.index.find(id)? as usize];
        if order.trades.is_short()
            && let Some(vector) = self.spares.pop()
        {
            order.trades.lend(vector);
        }
        Some(order)
    }

    /// To be called when `id` went from live to terminal (`true`) or was revived (`false`).
    pub fn ended(&mut self, id: OrderId, terminal: bool) {
        if !terminal {
            self.live += 1;
            return;
        }
        self.live = self.live.saturating_sub(1);
        self.ended.push_back(id);
        if self.ended.len() > ENDED_MAX
            && let Some(oldest) = self.ended.pop_front()
            && self.get(oldest).is_some_and(|order| order.state.is_terminal())
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, id: OrderId) {
        let Some(place) = self.index.find(id) else { return };
        self.index.remove(id);
        self.spares.extend(self.slots[place as usize].trades.take_back());
        self.slots[place as usize] = vacant();
        self.free.push(place);
    }

    /// How many are not terminal.
    #[must_use]
    pub const fn live(&self) -> usize {
        self.live
    }

    /// Every order remembered, in no particular order, but in the same one whenever the same happened.
    pub fn iter(&self) -> impl Iterator<Item = &OrderRecord> {
        self.slots.iter().filter(|order| order.id != OrderId::NONE)
    }
}

/// A report of `order` as it stands.
pub(super) fn describe(order: &OrderRecord, kind: ReportKind, now: Nanos) -> Report {
    Report {
        id: order.id,
        venue_order_id: order.venue_order_id,
        price: order.price,
        quantity: order.quantity,
        cumulative: order.cumulative,
        leaves: order.leaves(),
        fee: 0,
        trade_id: 0,
        instrument: order.instrument,
        kind: kind.code(),
        state: order.state.code(),
        side: order.side.code(),
        detail: 0,
        at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::report::OrderState;

    fn order(sequence: u64) -> OrderRecord {
        let id = OrderId { epoch: 1, sequence, ..OrderId::NONE };
        OrderRecord::new(id, 0, Side::Buy, Price(1), Quantity(1), Nanos::ZERO)
    }

    #[test]
    fn an_id_is_taken_once_and_the_oldest_ended_are_forgotten() {
        let mut orders = Orders::default();
        let count = (LIVE_EXPECTED + ENDED_MAX) as u64 + 10;
        for sequence in 1..=count {
            assert!(orders.insert(order(sequence)));
            assert!(!orders.insert(order(sequence)));
            let id = order(sequence).id;
            orders.get_mut(id).expect("inserted").state = OrderState::Filled;
            orders.ended(id, true);
        }
        assert_eq!((orders.live(), orders.iter().count()), (0, ENDED_MAX));
        let last_forgotten = count - ENDED_MAX as u64;
        assert!(orders.get(order(last_forgotten).id).is_none());
        assert!(orders.get(order(last_forgotten + 1).id).is_some());
    }

    #[test]
    fn more_live_orders_than_expected_make_it_grow() {
        let mut orders = Orders::with_capacity(4);
        for sequence in 1..=100 {
            assert!(orders.insert(order(sequence)));
        }
        assert_eq!((orders.live(), orders.iter().count()), (100, 100));
        assert!((1..=100).all(|sequence| orders.get(order(sequence).id).is_some()));
    }

    #[test]
    fn a_vector_lent_for_many_trades_comes_back() {
        let mut orders = Orders::with_capacity(4);
        let id = order(1).id;
        orders.insert(order(1));
        for trade in 0..20 {
            orders.get_mut(id).expect("live").trades.push(trade);
        }
        assert_eq!(orders.spares.len(), SPARES - 1);
        orders.forget(id);
        assert_eq!((orders.spares.len(), orders.iter().count()), (SPARES, 0));
    }
}
