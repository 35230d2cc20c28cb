//! Decoded events, frame by frame: what the exchange's side and the engine's side of a replay, or a thread that reads
//! ahead, hand to each other in memory.

use crate::book::Level;
use crate::domain::Nanos;
use crate::venue::binance::MarketEvent;
use crate::venue::binance::frames::Read;

/// Frames, and events, that a batch has room for from the start.
const EXPECTED: usize = 1_024;

/// Levels that it has room for from the start.
const LEVELS_EXPECTED: usize = 1 << 15;

/// What is told of a frame is `told` from where that of the frame before ends up to `end`.
#[derive(Clone, Copy, Debug)]
struct Heard {
    arrival: Nanos,
    end: usize,
}

/// An event. Its levels, bids first, lie in the batch.
#[derive(Clone, Copy, Debug)]
struct Told {
    event: Read<'static>,
    first: usize,
    bids: usize,
    asks: usize,
}

/// What is told of frames, in the order of their arrival.
#[derive(Debug)]
pub struct Batch {
    frames: Vec<Heard>,
    told: Vec<Told>,
    levels: Vec<Level>,
    /// The next frame to be taken, and the first event of it.
    next: usize,
    next_told: usize,
}

impl Default for Batch {
    fn default() -> Self {
        let (frames, told) = (Vec::with_capacity(EXPECTED), Vec::with_capacity(EXPECTED));
        let levels = Vec::with_capacity(LEVELS_EXPECTED);
        Self { frames, told, levels, next: 0, next_told: 0 }
    }
}

impl Batch {
    /// Begins a frame that arrives at `arrival`, which is not before those added earlier.
    pub fn frame(&mut self, arrival: Nanos) {
        self.frames.push(Heard { arrival, end: self.told.len() });
    }

    /// Adds an event of the frame that was begun last.
    pub fn tell(&mut self, event: &Read<'_>) {
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
        self.told.push(Told { event, first, bids, asks });
        if let Some(frame) = self.frames.last_mut() {
            frame.end = self.told.len();
        }
    }

    /// When the next frame arrives; `Nanos::NEVER` when there is none.
    #[must_use]
    #[inline]
    pub fn next_arrival(&self) -> Nanos {
        self.frames.get(self.next).map_or(Nanos::NEVER, |frame| frame.arrival)
    }

    /// Whether every frame was taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.frames.len() == self.next
    }

    /// Frames and levels in it.
    #[must_use]
    pub const fn size(&self) -> (usize, usize) {
        (self.frames.len(), self.levels.len())
    }

    /// Takes the next frame if it has arrived by `now`.
    #[inline]
    pub(super) fn take(&mut self, now: Nanos, on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> bool {
        self.next_arrival() <= now && self.take_next(on_event)
    }

    /// Takes the next frame: its arrival, and each event of it.
    pub fn take_next(&mut self, on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> bool {
        let Some(&Heard { arrival, end }) = self.frames.get(self.next) else { return false };
        for Told { event, first, bids, asks } in &self.told[self.next_told..end] {
            if let Ok(MarketEvent::Depth { .. } | MarketEvent::Snapshot { .. }) = event {
                let (mut event, levels) = (*event, &self.levels[*first..first + bids + asks]);
                if let Ok(
                    MarketEvent::Depth { bids: told_bids, asks: told_asks, .. }
                    | MarketEvent::Snapshot { bids: told_bids, asks: told_asks, .. },
                ) = &mut event
                {
                    (*told_bids, *told_asks) = levels.split_at(*bids);
                }
                on_event(arrival, &event);
            } else {
                on_event(arrival, event);
            }
        }
        (self.next, self.next_told) = (self.next + 1, end);
        if self.is_empty() {
            self.frames.clear();
            self.told.clear();
            self.levels.clear();
            (self.next, self.next_told) = (0, 0);
        }
        true
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
                batch.frame(Nanos(at));
                batch.tell(event);
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
        for (events, at) in [(3, 1), (0, 1), (1, 1), (2, 2), (0, 3)] {
            batch.frame(Nanos(at));
            (0..events).for_each(|_| batch.tell(&event));
        }
        let mut seen = 0;
        let frames: Vec<usize> = std::iter::from_fn(|| {
            let before = seen;
            batch.take(Nanos(5), &mut |_, _| seen += 1).then(|| seen - before)
        })
        .collect();
        assert_eq!(frames, [3, 0, 1, 2, 0]);
    }
}
