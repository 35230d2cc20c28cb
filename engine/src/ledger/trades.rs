//! Which trades were applied: exact within a bounded window.

use std::collections::VecDeque;

use crate::domain::{BySide, Side};
use crate::room;

/// Whether a trade was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not before; it belongs at this place.
    New(usize),
    /// Before.
    Before,
    /// It is not above the greatest id that was forgotten: it cannot be told.
    TooOld,
}

/// The latest trade ids of one instrument, a side each, in rising order. A venue's trade ids rise within an
/// instrument, so that a new trade goes to the end; one that comes late finds its place by bisection.
#[derive(Debug)]
pub(super) struct Trades {
    ids: BySide<VecDeque<u64>>,
    forgotten: BySide<u64>,
    capacity: usize,
}

impl Trades {
    pub(super) fn new(capacity: usize) -> Self {
        let ids = || room::queue(capacity, 0);
        Self { ids: BySide { buy: ids(), sell: ids() }, forgotten: BySide::default(), capacity }
    }

    pub(super) fn look_up(&self, side: Side, id: u64) -> Seen {
        let ids = self.ids.get(side);
        if ids.back().is_none_or(|&last| last < id) && id > *self.forgotten.get(side) {
            return Seen::New(ids.len());
        }
        match ids.binary_search(&id) {
            Ok(_) => Seen::Before,
            Err(_) if id <= *self.forgotten.get(side) => Seen::TooOld,
            Err(place) => Seen::New(place),
        }
    }

    /// Remembers a trade at the place that [`look_up`](Self::look_up) gave, and forgets the lowest id if it must.
    pub(super) fn remember(&mut self, side: Side, id: u64, place: usize) {
        let ids = self.ids.get_mut(side);
        if ids.len() < self.capacity {
            ids.insert(place, id);
        } else if place == 0 {
            *self.forgotten.get_mut(side) = id;
        } else if let Some(lowest) = ids.pop_front() {
            *self.forgotten.get_mut(side) = lowest;
            ids.insert(place - 1, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(trades: &mut Trades, side: Side, id: u64) -> Seen {
        let seen = trades.look_up(side, id);
        if let Seen::New(place) = seen {
            trades.remember(side, id, place);
        }
        seen
    }

    #[test]
    fn each_trade_is_new_once_in_any_order() {
        let mut trades = Trades::new(8);
        for id in [5, 9, 2, 7] {
            assert!(matches!(take(&mut trades, Side::Buy, id), Seen::New(_)), "{id}");
        }
        for id in [2, 5, 7, 9] {
            assert_eq!(take(&mut trades, Side::Buy, id), Seen::Before, "{id}");
        }
        // The other side of a trade with ourselves is another fill.
        assert_eq!(take(&mut trades, Side::Sell, 5), Seen::New(0));
    }

    #[test]
    fn what_was_forgotten_is_neither_new_nor_a_duplicate() {
        let mut trades = Trades::new(3);
        for id in [10, 20, 30, 40] {
            take(&mut trades, Side::Buy, id);
        }
        assert_eq!(take(&mut trades, Side::Buy, 10), Seen::TooOld);
        assert_eq!(take(&mut trades, Side::Buy, 9), Seen::TooOld);
        assert_eq!(take(&mut trades, Side::Buy, 20), Seen::Before);
        // Late and below all that is remembered: taken once, then out of reach.
        assert_eq!(take(&mut trades, Side::Buy, 15), Seen::New(0));
        assert_eq!(take(&mut trades, Side::Buy, 15), Seen::TooOld);
        assert_eq!(take(&mut trades, Side::Buy, 35), Seen::New(2));
        assert_eq!(trades.ids.buy, [30, 35, 40]);
        assert_eq!(trades.forgotten.buy, 20);
    }
}
