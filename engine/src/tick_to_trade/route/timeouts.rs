//! How long route waits, and the deadlines of orders in flight. Every queue has one fixed delay, so arrival order is deadline order.

use std::collections::VecDeque;

use crate::domain::{Nanos, OrderId};
use crate::room;

/// Orders in flight that there is room for from the start; more make the queue grow.
const EXPECTED: usize = 16_384;

/// Delays of order entry (reliability.md §2).
#[derive(Clone, Copy, Debug)]
pub struct RouteTiming {
    /// Without an answer for this long an order is UNKNOWN and queried (F16: 2 s).
    pub answer: Nanos,
    /// Time between queries of one order (F03: at least 1 s).
    pub query: Nanos,
    /// After this long nothing that was sent can still reach the venue's book: `recvWindow` + 10 s + margin.
    pub conclusive: Nanos,
    /// Whether the venue is behind a connection: then nothing new leaves before the venue is `Connected` and what
    /// happened without it is settled (C24, F17).
    pub connection: bool,
}

impl RouteTiming {
    /// What a venue behind a connection needs, which may take a request within `window`.
    #[must_use]
    pub fn behind_connection(window: Nanos) -> Self {
        Self { conclusive: Self::conclusive_after(window), connection: true, ..Self::default() }
    }

    /// After how long a request can no longer reach the book that the venue may take within `window`: it may wait inside
    /// the venue for another 10 s.
    #[must_use]
    pub const fn conclusive_after(window: Nanos) -> Nanos {
        window.saturating_add(Nanos::from_secs(10 + 1))
    }
}

impl Default for RouteTiming {
    fn default() -> Self {
        Self {
            answer: Nanos::from_secs(2),
            query: Nanos::from_secs(1),
            conclusive: Self::conclusive_after(Nanos::from_secs(5)),
            connection: false,
        }
    }
}

/// Orders waiting for one fixed delay.
#[derive(Debug)]
pub struct Timeouts {
    delay: Nanos,
    queue: VecDeque<(Nanos, OrderId)>,
}

impl Timeouts {
    /// Every order put in comes out `delay` later.
    #[must_use]
    pub fn new(delay: Nanos) -> Self {
        Self { delay, queue: room::queue(EXPECTED, (Nanos::ZERO, OrderId::NONE)) }
    }

    /// Starts the delay for `id` at `now`.
    #[inline]
    pub fn start(&mut self, id: OrderId, now: Nanos) {
        self.queue.push_back((now.saturating_add(self.delay), id));
    }

    /// With the end of `ended`, forgets the oldest orders as far as they are `settled`, two at most: more than end at a time,
    /// so that the queue is as long as what is in flight and not as all that was sent within the delay. Most end in the
    /// order in which they were sent: nobody is asked then.
    pub fn shed(&mut self, ended: OrderId, settled: impl Fn(OrderId) -> bool) {
        for _ in 0..2 {
            let Some(&(_, id)) = self.queue.front() else { return };
            if id != ended && !settled(id) {
                return;
            }
            self.queue.pop_front();
            if id == ended {
                return;
            }
        }
    }

    /// Takes out the next order whose delay is over. It may have been settled meanwhile: the caller looks.
    pub fn due(&mut self, now: Nanos) -> Option<OrderId> {
        if self.queue.front().is_some_and(|&(at, _)| at <= now) {
            self.queue.pop_front().map(|(_, id)| id)
        } else {
            None
        }
    }

    /// When the next delay is over.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        self.queue.front().map_or(Nanos::NEVER, |&(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceId;

    const fn order(sequence: u64) -> OrderId {
        OrderId { epoch: 1, source: SourceId(0), source_epoch: 1, sequence }
    }

    #[test]
    fn a_burst_of_settled_orders_does_not_wait_for_its_delay_and_an_open_one_does() {
        let mut timeouts = Timeouts::new(Nanos::from_secs(2));
        for sequence in 0..1_000 {
            timeouts.start(order(sequence), Nanos(1));
            timeouts.shed(order(sequence), |_| unreachable!("it is the oldest"));
        }
        assert_eq!(timeouts.queue.len(), 0, "each went with its end");
        for sequence in 0..10 {
            timeouts.start(order(sequence), Nanos(1));
        }
        for sequence in 1..10 {
            timeouts.shed(order(sequence), |id| id != order(0));
        }
        assert_eq!(timeouts.queue.len(), 10, "nothing leaves from behind an open one");
        timeouts.shed(order(0), |_| unreachable!("it is the oldest"));
        for sequence in 10..20 {
            timeouts.start(order(sequence), Nanos(1));
            timeouts.shed(order(sequence), |_| true);
        }
        assert_eq!(timeouts.queue.len(), 0, "what ended behind it is caught up with");
        for sequence in [998, 999] {
            timeouts.start(order(sequence), Nanos(1));
        }
        timeouts.shed(order(999), |_| false);
        assert_eq!(timeouts.due(Nanos::from_secs(3)), Some(order(998)));
        assert_eq!(timeouts.due(Nanos::from_secs(3)), Some(order(999)));
    }
}
