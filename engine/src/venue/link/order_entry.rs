//! Requests and answers over rings.

use crate::domain::{InstrumentIndex, Nanos, OrderId};
use crate::message::{Answer, Order};
use crate::ring::spsc;
use crate::venue::simulated::Request;
use crate::venue::{NotSent, OrderEntry, VenueEvent};

/// The engine's side.
pub struct LinkOrderEntry {
    requests: spsc::Producer<Request>,
    answers: spsc::Consumer<Answer>,
    /// The next answer, already out of the ring, until it arrives.
    next: Option<Answer>,
}

impl LinkOrderEntry {
    /// Writes requests to one ring and reads answers from the other.
    #[must_use]
    pub const fn new(requests: spsc::Producer<Request>, answers: spsc::Consumer<Answer>) -> Self {
        Self { requests, answers, next: None }
    }
}

impl OrderEntry for LinkOrderEntry {
    fn send(&mut self, order: &Order, now: Nanos) -> Result<(), NotSent> {
        let request = Request { sent: now, ..Request::from_order(order) };
        self.requests.try_push(&request).map_err(|_| NotSent)
    }

    fn send_pair(&mut self, above: &Order, below: &Order, now: Nanos) -> Result<(), NotSent> {
        if self.requests.free() < 2 {
            return Err(NotSent);
        }
        // There is room for both: the exchange takes up neither before the other has come.
        self.send(above, now)?;
        self.send(below, now)
    }

    fn query(&mut self, instrument: InstrumentIndex, id: OrderId, now: Nanos) -> Result<(), NotSent> {
        let request = Request { sent: now, ..Request::query(instrument, id) };
        self.requests.try_push(&request).map_err(|_| NotSent)
    }

    fn poll(&mut self, now: Nanos) -> Option<VenueEvent> {
        loop {
            if self.next.is_none() {
                self.next = self.answers.poll();
            }
            let answer = self.next.take_if(|answer| answer.received <= now)?;
            // The exchange's side is in this process: an answer that does not read back is a defect of ours, and
            // skipping it leaves the order to time out and be queried.
            if let Ok(event) = VenueEvent::try_from(&answer) {
                return Some(event);
            }
        }
    }

    #[inline]
    fn is_near(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Nanos {
        self.next.as_ref().map_or(Nanos::NEVER, |answer| answer.received)
    }
}
