//! Order entry of a recorded session: what was heard is heard again, what did not leave does not leave again.

use std::collections::VecDeque;

use crate::domain::{InstrumentIndex, Nanos, OrderId};
use crate::journal::Unsent;
use crate::message::Order;
use crate::venue::{NotSent, OrderEntry, Question, VenueEvent};

/// Order entry that gives back one cycle after another.
#[derive(Debug, Default)]
pub struct ReplayedEntry {
    answers: VecDeque<VenueEvent>,
    unsent: VecDeque<u64>,
    /// Requests that were made, by which those that did not leave are numbered.
    requests: u64,
}

impl ReplayedEntry {
    /// The next cycle hears `event`, after those that it was given before.
    pub fn hear(&mut self, event: VenueEvent) {
        self.answers.push_back(event);
    }

    /// The next cycle makes a request that does not leave.
    pub fn refuse(&mut self, unsent: Unsent) {
        self.unsent.push_back(unsent.request);
    }

    /// A request that should not have left and has not been made.
    #[must_use]
    pub fn unmade(&self) -> Option<u64> {
        self.unsent.front().copied()
    }

    fn asked(&mut self) -> Result<(), NotSent> {
        self.requests += 1;
        match self.unsent.pop_front_if(|unsent| *unsent == self.requests) {
            Some(_) => Err(NotSent),
            None => Ok(()),
        }
    }
}

impl OrderEntry for ReplayedEntry {
    fn send(&mut self, _: &Order, _: Nanos) -> Result<(), NotSent> {
        self.asked()
    }

    fn send_pair(&mut self, _: &Order, _: &Order, _: Nanos) -> Result<(), NotSent> {
        self.asked()
    }

    fn query(&mut self, _: InstrumentIndex, _: OrderId, _: Nanos) -> Result<(), NotSent> {
        self.asked()
    }

    fn ask(&mut self, _: Question, _: Nanos) -> Result<(), NotSent> {
        self.asked()
    }

    fn poll(&mut self, _: Nanos) -> Option<VenueEvent> {
        self.answers.pop_front()
    }

    #[inline]
    fn is_near(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_that_were_recorded_do_not_leave_and_all_others_do() {
        let mut entry = ReplayedEntry::default();
        for request in [2, 3] {
            entry.refuse(Unsent::new(request));
        }
        let outcomes: Vec<bool> =
            (0..4).map(|_| entry.ask(Question::OpenOrders, Nanos::ZERO).is_ok()).collect();
        assert_eq!(outcomes, [true, false, false, true]);
        assert_eq!(entry.unmade(), None);
        entry.refuse(Unsent::new(4));
        assert_eq!((entry.query(0, OrderId::NONE, Nanos::ZERO), entry.unmade()), (Ok(()), Some(4)));
    }
}
