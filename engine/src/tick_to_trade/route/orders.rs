//! Route's orders: every live one, and the latest that ended, so that a late report still finds its order.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::OrderId;
use crate::tick_to_trade::route::state::OrderRecord;

/// Ended orders remembered (reliability.md F03: tombstones). Older ones are forgotten first; a report for a forgotten
/// order is counted as foreign.
const ENDED_MAX: usize = 65_536;

/// Orders by id. Bounded: live ones by risk's limits, ended ones by `ENDED_MAX`.
#[derive(Debug, Default)]
pub struct Orders {
    by_id: BTreeMap<OrderId, OrderRecord>,
    ended: VecDeque<OrderId>,
    live: usize,
}

impl Orders {
    /// Takes a new order. Returns `false`, and changes nothing, if its id was used before.
    pub fn insert(&mut self, order: OrderRecord) -> bool {
        if self.by_id.contains_key(&order.id) {
            return false;
        }
        self.live += 1;
        self.by_id.insert(order.id, order);
        true
    }

    /// The order with this id.
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<&OrderRecord> {
        self.by_id.get(&id)
    }

    /// The order with this id, to change; the caller then says whether it [`ended`](Self::ended).
    pub fn get_mut(&mut self, id: OrderId) -> Option<&mut OrderRecord> {
        self.by_id.get_mut(&id)
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
            && self.by_id.get(&oldest).is_some_and(|order| order.state.is_terminal())
        {
            self.by_id.remove(&oldest);
        }
    }

    /// How many are not terminal.
    #[must_use]
    pub const fn live(&self) -> usize {
        self.live
    }

    /// Every order remembered, by id.
    pub fn iter(&self) -> impl Iterator<Item = &OrderRecord> {
        self.by_id.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Nanos, Price, Quantity, Side};
    use crate::message::report::OrderState;

    fn order(sequence: u64) -> OrderRecord {
        let id = OrderId { epoch: 1, sequence, ..OrderId::NONE };
        OrderRecord::new(id, 0, Side::Buy, Price(1), Quantity(1), Nanos::ZERO)
    }

    #[test]
    fn an_id_is_taken_once_and_the_oldest_ended_are_forgotten() {
        let mut orders = Orders::default();
        let count = ENDED_MAX as u64 + 10;
        for sequence in 1..=count {
            assert!(orders.insert(order(sequence)));
            assert!(!orders.insert(order(sequence)));
            let id = order(sequence).id;
            orders.get_mut(id).expect("inserted").state = OrderState::Filled;
            orders.ended(id, true);
        }
        assert_eq!((orders.live(), orders.iter().count()), (0, ENDED_MAX));
        assert!(orders.get(order(10).id).is_none() && orders.get(order(11).id).is_some());
    }
}
