//! Which ids are open, and what became of those that are not.

use std::collections::VecDeque;

use crate::domain::{InstrumentIndex, OrderId, Quantity, Side};
use crate::limits::{SIMULATED_HISTORY, SOURCES_MAX};
use crate::message::OrderState;

/// An open order, and the side of its instrument's book it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: OrderId,
    pub(super) side: Side,
}

/// The end of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) id: OrderId,
    pub(super) instrument: InstrumentIndex,
    pub(super) venue_order_id: u64,
    pub(super) cumulative: Quantity,
    pub(super) state: OrderState,
}

/// What the venue can say of an order that is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// How it ended.
    Ended(Finished),
    /// It may have ended so long ago that it is forgotten.
    Forgotten,
    /// It never was.
    Never,
}

/// All ids that the venue has seen.
#[derive(Debug)]
pub(super) struct Registry {
    /// Sorted by id.
    open: Vec<Place>,
    /// In order of their end.
    finished: VecDeque<Finished>,
    /// How many of `finished` are kept.
    history: usize,
    /// By source, the highest id that was forgotten. A source's ids rise, so a higher one was never forgotten.
    forgotten: [OrderId; SOURCES_MAX],
}

impl Registry {
    pub(super) fn new() -> Self {
        Self::with_history(SIMULATED_HISTORY)
    }

    fn with_history(history: usize) -> Self {
        let finished = VecDeque::with_capacity(history);
        Self { open: Vec::new(), finished, history, forgotten: [OrderId::NONE; SOURCES_MAX] }
    }

    /// Where the open order `id` is.
    pub(super) fn find(&self, id: OrderId) -> Option<Place> {
        let at = self.open.binary_search_by_key(&id, |place| place.id).ok()?;
        Some(self.open[at])
    }

    /// An order has come onto the book. Its id must not be open.
    pub(super) fn open(&mut self, place: Place) {
        if let Err(at) = self.open.binary_search_by_key(&place.id, |open| open.id) {
            self.open.insert(at, place);
        }
    }

    /// An order has ended, on the book or before it came there.
    pub(super) fn finish(&mut self, end: Finished) {
        if let Ok(at) = self.open.binary_search_by_key(&end.id, |place| place.id) {
            self.open.remove(at);
        }
        if self.finished.len() == self.history
            && let Some(oldest) = self.finished.pop_front()
            && let Some(highest) = self.forgotten.get_mut(usize::from(oldest.id.source.0))
        {
            *highest = oldest.id.max(*highest);
        }
        self.finished.push_back(end);
    }

    /// What became of `id` on `instrument`, which is not open.
    pub(super) fn past(&self, instrument: InstrumentIndex, id: OrderId) -> Past {
        let matches = |end: &&Finished| end.id == id && end.instrument == instrument;
        match self.finished.iter().rev().find(matches) {
            Some(&end) => Past::Ended(end),
            None if self.forgotten.get(usize::from(id.source.0)).is_some_and(|&highest| id <= highest) => {
                Past::Forgotten
            }
            None => Past::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::order_id;
    use super::*;

    fn place(sequence: u64) -> Place {
        Place { id: order_id(sequence), side: Side::Buy }
    }

    fn end(sequence: u64, state: OrderState) -> Finished {
        let id = order_id(sequence);
        Finished { id, instrument: 3, venue_order_id: sequence, cumulative: Quantity(1), state }
    }

    #[test]
    fn an_id_is_open_until_it_ends_and_may_come_again() {
        let mut registry = Registry::new();
        for sequence in [2, 1, 3] {
            registry.open(place(sequence));
        }
        assert_eq!(registry.find(order_id(2)), Some(place(2)));
        registry.finish(end(2, OrderState::Canceled));
        assert_eq!(registry.find(order_id(2)), None);
        assert_eq!(registry.past(3, order_id(2)), Past::Ended(end(2, OrderState::Canceled)));
        assert_eq!(registry.past(4, order_id(2)), Past::Never, "of another instrument");
        registry.open(place(2));
        registry.finish(end(2, OrderState::Filled));
        assert_eq!(registry.past(3, order_id(2)), Past::Ended(end(2, OrderState::Filled)), "the latest");
        assert!(registry.find(order_id(1)).is_some() && registry.find(order_id(3)).is_some());
    }

    #[test]
    fn what_was_forgotten_is_not_called_never() {
        let mut registry = Registry::with_history(2);
        for sequence in [1, 2, 4] {
            registry.finish(end(sequence, OrderState::Filled));
        }
        assert_eq!(registry.past(3, order_id(1)), Past::Forgotten);
        assert_eq!(registry.past(3, order_id(3)), Past::Never);
        assert_eq!(registry.past(3, order_id(5)), Past::Never);
        assert!(matches!(registry.past(3, order_id(2)), Past::Ended(_)));
    }
}
