//! Events that the exchange's side has decoded, handed to the engine's side in memory.
//!
//! For a replay, whose two sides are one thread: a frame is read once, and its bytes are not copied. What arrives, in
//! which order and when is the same as over a ring.

use crate::book::Level;
use crate::domain::{InstrumentIndex, Nanos};
use crate::ring::spsc;
use crate::venue::binance::MarketEvent;
use crate::venue::binance::frames::Read;
use crate::venue::{Frame, MarketData};

/// Events that a batch has room for from the start.
const EVENTS_EXPECTED: usize = 1_024;

/// Levels that it has room for from the start.
const LEVELS_EXPECTED: usize = 1 << 15;

/// An event of a frame. Its levels, bids first, lie in the batch.
#[derive(Clone, Copy, Debug)]
struct Told {
    arrival: Nanos,
    event: Read<'static>,
    /// Whether the frame told the event before it too.
    follows: bool,
    first: usize,
    bids: usize,
    asks: usize,
}

/// Events in the order of their arrival.
#[derive(Debug)]
pub struct Batch {
    told: Vec<Told>,
    levels: Vec<Level>,
    next: usize,
}

impl Default for Batch {
    fn default() -> Self {
        let (told, levels) = (Vec::with_capacity(EVENTS_EXPECTED), Vec::with_capacity(LEVELS_EXPECTED));
        Self { told, levels, next: 0 }
    }
}

impl Batch {
    /// Adds an event of a frame that arrives at `arrival`, which is not before those added earlier; whether it `follows`
    /// another of the same frame.
    pub fn push(&mut self, arrival: Nanos, follows: bool, event: &Read<'_>) {
        let first = self.levels.len();
        let mut keep = |bids: &[Level], asks: &[Level]| {
            self.levels.extend_from_slice(bids);
            self.levels.extend_from_slice(asks);
            (bids.len(), asks.len())
        };
        let ((bids, asks), event) = match *event {
            Ok(MarketEvent::Depth { instrument, ids, event_time, bids, asks }) => {
                let event = MarketEvent::Depth { instrument, ids, event_time, bids: &[], asks: &[] };
                (keep(bids, asks), Ok(event))
            }
            Ok(MarketEvent::Snapshot { instrument, last_update_id, bids, asks }) => {
                let event = MarketEvent::Snapshot { instrument, last_update_id, bids: &[], asks: &[] };
                (keep(bids, asks), Ok(event))
            }
            Ok(MarketEvent::BookTicker { instrument, update_id, top, event_time }) => {
                ((0, 0), Ok(MarketEvent::BookTicker { instrument, update_id, top, event_time }))
            }
            Ok(MarketEvent::Trade {
                instrument,
                trade_id,
                price,
                quantity,
                aggressor,
                event_time,
                aggregate,
            }) => {
                let event = MarketEvent::Trade {
                    instrument,
                    trade_id,
                    price,
                    quantity,
                    aggressor,
                    event_time,
                    aggregate,
                };
                ((0, 0), Ok(event))
            }
            Ok(MarketEvent::Kline { instrument, bar, event_time }) => {
                ((0, 0), Ok(MarketEvent::Kline { instrument, bar, event_time }))
            }
            Ok(MarketEvent::Skipped(skip)) => ((0, 0), Ok(MarketEvent::Skipped(skip))),
            Err(error) => ((0, 0), Err(error)),
        };
        self.told.push(Told { arrival, event, follows, first, bids, asks });
    }

    /// When the next event arrives; `Nanos::NEVER` when there is none.
    #[must_use]
    pub fn next_arrival(&self) -> Nanos {
        self.told.get(self.next).map_or(Nanos::NEVER, |told| told.arrival)
    }

    /// Whether every event was taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.told.len() == self.next
    }

    /// Takes the events of the next frame if it has arrived by `now`.
    fn take(&mut self, now: Nanos, on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> bool {
        if self.next_arrival() > now || self.is_empty() {
            return false;
        }
        loop {
            let Told { arrival, event, first, bids, asks, .. } = &self.told[self.next];
            if let Ok(MarketEvent::Depth { .. } | MarketEvent::Snapshot { .. }) = event {
                let (mut event, levels) = (*event, &self.levels[*first..first + bids + asks]);
                if let Ok(
                    MarketEvent::Depth { bids: told_bids, asks: told_asks, .. }
                    | MarketEvent::Snapshot { bids: told_bids, asks: told_asks, .. },
                ) = &mut event
                {
                    (*told_bids, *told_asks) = levels.split_at(*bids);
                }
                on_event(*arrival, &event);
            } else {
                on_event(*arrival, event);
            }
            self.next += 1;
            if !self.told.get(self.next).is_some_and(|told| told.follows) {
                break;
            }
        }
        if self.is_empty() {
            self.told.clear();
            self.levels.clear();
            self.next = 0;
        }
        true
    }
}

/// The engine's side.
pub struct DirectFeed {
    inbox: Batch,
    wishes: spsc::Producer<u64>,
}

impl DirectFeed {
    /// Writes wishes for snapshots, as instrument indices, to `wishes`.
    #[must_use]
    pub fn new(wishes: spsc::Producer<u64>) -> Self {
        Self { inbox: Batch::default(), wishes }
    }

    /// Takes over what `outbox` holds, once all that came before it was taken.
    #[inline]
    pub fn refill(&mut self, outbox: &mut Batch) {
        if self.inbox.is_empty() && !outbox.is_empty() {
            std::mem::swap(&mut self.inbox, outbox);
        }
    }
}

impl MarketData for DirectFeed {
    fn poll(&mut self, _now: Nanos, _on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        false
    }

    fn poll_read(&mut self, now: Nanos, on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> Option<bool> {
        Some(self.inbox.take(now, on_event))
    }

    fn next_deadline(&self) -> Nanos {
        self.inbox.next_arrival()
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, _now: Nanos) {
        // A full ring means that the exchange has not read the wishes before: ingest asks again later.
        let _ = self.wishes.try_push(&u64::from(instrument));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::DiffIds;
    use crate::domain::{Price, Quantity};
    use crate::venue::binance::{DecodeError, DecodeReason, Skip};

    fn levels(from: i64, count: i64) -> Vec<Level> {
        (from..from + count).map(|n| Level { price: Price(n), quantity: Quantity(n + 1) }).collect()
    }

    #[test]
    fn events_come_out_as_they_went_in_and_not_before_they_arrive() {
        let (bids, asks, more) = (levels(1, 3), levels(50, 2), levels(9, 4));
        let ids = DiffIds { first: 1, last: 2, previous: None };
        let (zero, none): (_, &[Level]) = (Nanos::ZERO, &[]);
        let error = DecodeError { reason: DecodeReason::Missing, at: 4, instrument: Some(1) };
        let events = [
            Ok(MarketEvent::Depth { instrument: 0, ids, event_time: zero, bids: &bids, asks: &asks }),
            Ok(MarketEvent::Snapshot { instrument: 1, last_update_id: 7, bids: none, asks: &more }),
            Err(error),
            Ok(MarketEvent::Skipped(Skip::Symbol)),
        ];
        let mut batch = Batch::default();
        for round in 0..3 {
            for (event, at) in events.iter().zip(10..) {
                batch.push(Nanos(at), false, event);
            }
            assert!(!batch.take(Nanos(9), &mut |_, _| panic!("not there yet")), "round {round}");
            for (event, at) in events.iter().zip(10..) {
                assert_eq!(batch.next_arrival(), Nanos(at));
                let mut seen = 0;
                let taken = batch.take(Nanos(at), &mut |arrival, told| {
                    assert_eq!((arrival, told), (Nanos(at), event));
                    seen += 1;
                });
                assert!(taken && seen == 1);
            }
            assert!(batch.is_empty() && batch.next_arrival() == Nanos::NEVER);
        }
    }

    #[test]
    fn the_events_of_a_frame_are_taken_together() {
        let mut batch = Batch::default();
        let event = Ok(MarketEvent::Skipped(Skip::Event));
        for (follows, at) in [(false, 1), (true, 1), (true, 1), (false, 1), (false, 2)] {
            batch.push(Nanos(at), follows, &event);
        }
        let mut seen = 0;
        let frames: Vec<usize> = std::iter::from_fn(|| {
            let before = seen;
            batch.take(Nanos(5), &mut |_, _| seen += 1).then(|| seen - before)
        })
        .collect();
        assert_eq!(frames, [3, 1, 1]);
    }
}
