//! Decoded events, frame by frame: what the exchange's side of a replay, or a thread that reads ahead, hands on in memory.

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
    is_frame: bool,
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
    /// Of whoever takes its frames: the next one.
    next: Place,
}

/// Where somebody is who reads a batch: at a frame, and the first event of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    frame: usize,
    told: usize,
}

impl Default for Batch {
    fn default() -> Self {
        let (frames, told) = (Vec::with_capacity(EXPECTED), Vec::with_capacity(EXPECTED));
        let levels = Vec::with_capacity(LEVELS_EXPECTED);
        Self { frames, told, levels, next: Place::default() }
    }
}

impl Batch {
    /// Begins a frame that arrives at `arrival`, which is not before those added earlier.
    pub fn frame(&mut self, arrival: Nanos) {
        self.frames.push(Heard { arrival, end: self.told.len(), is_frame: true });
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
        self.arrival(self.next)
    }

    /// Takes over what `other` holds, of which nothing was taken, if that arrives at once with the last of its own: who takes
    /// what has arrived by then takes all of it.
    pub(super) fn join(&mut self, other: &mut Self) {
        if self.frames.last().is_none_or(|last| last.arrival != other.next_arrival()) {
            return;
        }
        let (told, levels) = (self.told.len(), self.levels.len());
        self.frames.extend(other.frames.iter().map(|frame| Heard { end: frame.end + told, ..*frame }));
        self.told.extend(other.told.iter().map(|event| Told { first: event.first + levels, ..*event }));
        self.levels.extend_from_slice(&other.levels);
        other.clear();
    }

    /// When the frame at `place` arrives; `Nanos::NEVER` behind the last.
    #[must_use]
    #[inline]
    pub fn arrival(&self, place: Place) -> Nanos {
        self.frames.get(place.frame).map_or(Nanos::NEVER, |frame| frame.arrival)
    }

    /// The line of the tape that was begun last is no frame: it only takes its time.
    pub fn no_frame(&mut self) {
        if let Some(line) = self.frames.last_mut() {
            line.is_frame = false;
        }
    }

    /// Moves `place` on if what is there is no frame; whether it was none.
    #[inline]
    pub fn passes(&self, place: &mut Place) -> bool {
        let passes = self.frames.get(place.frame).is_some_and(|line| !line.is_frame);
        place.frame += usize::from(passes);
        passes
    }

    /// Whether every frame was taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends_at(self.next)
    }

    /// Whether `place` is behind the last frame.
    #[must_use]
    #[inline]
    pub const fn ends_at(&self, place: Place) -> bool {
        self.frames.len() == place.frame
    }

    /// Frames and levels in it.
    #[must_use]
    pub const fn size(&self) -> (usize, usize) {
        (self.frames.len(), self.levels.len())
    }

    /// Forgets all frames.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.told.clear();
        self.levels.clear();
        self.next = Place::default();
    }

    /// Takes the next frame if it has arrived by `now`: its arrival, and each event of it.
    #[inline(always)]
    pub(super) fn take(&mut self, now: Nanos, on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> bool {
        if self.next_arrival() > now {
            return false;
        }
        let mut next = self.next;
        let taken = self.read(&mut next, Nanos::ZERO, on_event);
        self.next = next;
        if self.is_empty() {
            self.clear();
        }
        taken
    }

    /// Reads the frame at `place`, which moves to the next one: its arrival, `latency` later than it says, and each event of it.
    /// False behind the last.
    ///
    /// Inlined, so that whoever hears is known where it is called.
    #[inline(always)]
    pub fn read(
        &self,
        place: &mut Place,
        latency: Nanos,
        on_event: &mut dyn FnMut(Nanos, &Read<'_>),
    ) -> bool {
        let Some(&Heard { arrival, end, .. }) = self.frames.get(place.frame) else { return false };
        let arrival = arrival.saturating_add(latency);
        for Told { event, first, bids, asks } in &self.told[place.told..end] {
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
        *place = Place { frame: place.frame + 1, told: end };
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
    fn what_arrives_at_once_with_the_last_is_joined_to_it_and_nothing_else_is() {
        let bids = levels(1, 3);
        let depth = |first| {
            let ids = DiffIds { first, last: first, previous: None };
            let (event_time, bids) = (Nanos::ZERO, &bids[..1 + usize::from(first > 1)]);
            Ok(MarketEvent::Depth { instrument: 0, ids, event_time, bids, asks: &[] })
        };
        let add = |batch: &mut Batch, at, first| {
            batch.frame(Nanos(at));
            batch.tell(&depth(first));
        };
        let (mut batch, mut other) = (Batch::default(), Batch::default());
        for (at, first) in [(1, 1), (2, 2)] {
            add(&mut batch, at, first);
        }
        add(&mut other, 3, 9);
        batch.join(&mut other);
        assert_eq!((batch.frames.len(), other.frames.len()), (2, 1));
        other.clear();
        for (at, first) in [(2, 1), (2, 3), (4, 4)] {
            add(&mut other, at, first);
        }
        batch.join(&mut other);
        assert!(other.is_empty());
        let mut came = Vec::new();
        while batch.take(Nanos(9), &mut |at, read| came.push((at.0, format!("{read:?}")))) {}
        let said = [(1, 1), (2, 2), (2, 1), (2, 3), (4, 4)];
        assert_eq!(came, said.map(|(at, first)| (at, format!("{:?}", depth(first)))));
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
