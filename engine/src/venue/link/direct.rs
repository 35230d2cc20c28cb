//! Events that the exchange's side has decoded, handed to the engine's side in memory.
//!
//! For a replay, whose two sides are one thread: a frame is read once, and its bytes are not copied. What arrives, in
//! which order and when is the same as over a ring.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::{InstrumentIndex, Nanos};
use crate::ring::spsc;
use crate::venue::binance::frames::Read;
use crate::venue::link::{Batch, Place};
use crate::venue::{Frame, MarketData};

/// Batches that there is room for from the start: more are in use where frames arrive long after they were played.
const BATCHES_EXPECTED: usize = 8;

/// Batches that the exchange's side reads as well, ahead of the engine's.
struct Shared {
    batch: Arc<Batch>,
    place: Place,
    /// Those behind it.
    later: VecDeque<Arc<Batch>>,
    /// Frames taken, and frames that were played, with what the tape holds besides.
    taken: u64,
    played: u64,
    /// How much later than it was played a frame arrives.
    latency: Nanos,
    /// When the next frame arrives; `Nanos::NEVER` before it was played.
    next: Nanos,
}

impl Shared {
    fn new() -> Self {
        let (batch, later) = (Arc::default(), VecDeque::with_capacity(BATCHES_EXPECTED));
        let (place, latency) = (Place::default(), Nanos::ZERO);
        Self { batch, place, later, taken: 0, played: 0, latency, next: Nanos::NEVER }
    }

    /// The exchange's side has come to the end of so many frames.
    #[inline]
    fn allow(&mut self, played: u64) {
        if self.played != played {
            self.played = played;
            self.find_next();
        }
    }

    #[inline(always)]
    fn take(&mut self, now: Nanos, on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> bool {
        let taken = self.next <= now && self.batch.read(&mut self.place, self.latency, on_event);
        if taken {
            self.taken += 1;
            self.find_next();
        }
        taken
    }

    /// Finds out when the next frame arrives; a batch that was read is left for the next one.
    #[inline]
    fn find_next(&mut self) {
        while self.taken != self.played {
            while self.batch.ends_at(self.place)
                && let Some(batch) = self.later.pop_front()
            {
                (self.batch, self.place) = (batch, Place::default());
            }
            if !self.batch.passes(&mut self.place) {
                self.next = self.batch.arrival(self.place).saturating_add(self.latency);
                return;
            }
            self.taken += 1;
        }
        self.next = Nanos::NEVER;
    }
}

/// The engine's side.
pub struct DirectFeed {
    inbox: Batch,
    shared: Shared,
    wishes: spsc::Producer<u64>,
}

impl DirectFeed {
    /// Writes wishes for snapshots, as instrument indices, to `wishes`.
    #[must_use]
    pub fn new(wishes: spsc::Producer<u64>) -> Self {
        Self { inbox: Batch::default(), shared: Shared::new(), wishes }
    }

    /// Goes on with `batch` behind those before it, whose frames arrive `latency` later than it says.
    pub fn follow(&mut self, batch: Arc<Batch>, latency: Nanos) {
        self.shared.later.push_back(batch);
        self.shared.latency = latency;
    }

    /// The exchange's side has come to the end of so many frames, of the batches that are followed if any are.
    #[inline]
    pub fn allow(&mut self, played: u64) {
        self.shared.allow(played);
    }

    /// Takes over what `outbox` holds, once all that came before it was taken or if it arrives together with that.
    #[inline]
    pub fn refill(&mut self, outbox: &mut Batch) {
        if outbox.is_empty() {
            return;
        }
        if self.inbox.is_empty() {
            std::mem::swap(&mut self.inbox, outbox);
        } else {
            self.inbox.join(outbox);
        }
    }
}

impl MarketData for DirectFeed {
    fn poll(&mut self, _now: Nanos, _on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        false
    }

    #[inline(always)]
    fn poll_read(&mut self, now: Nanos, on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> Option<bool> {
        Some(self.shared.take(now, on_event) || self.inbox.take(now, on_event))
    }

    #[inline]
    fn is_near(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Nanos {
        self.inbox.next_arrival().min(self.shared.next)
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, _now: Nanos) {
        // A full ring means that the exchange has not read the wishes before: ingest asks again later.
        let _ = self.wishes.try_push(&u64::from(instrument));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::binance::{MarketEvent, Skip};

    /// A batch of frames of one event each that were received `at`.
    fn batch(at: &[i64]) -> Arc<Batch> {
        let mut batch = Batch::default();
        for &at in at {
            batch.frame(Nanos(at));
            batch.tell(&Ok(MarketEvent::Skipped(Skip::Event)));
        }
        Arc::new(batch)
    }

    #[test]
    fn frames_that_are_shared_come_once_they_were_played_and_not_before_they_arrive() {
        let mut shared = Shared { latency: Nanos(5), ..Shared::new() };
        let mut came = Vec::new();
        let mut take = |shared: &mut Shared, now| shared.take(Nanos(now), &mut |at, _| came.push(at.0));
        shared.later.extend([batch(&[10, 20]), batch(&[20])]);
        assert_eq!(shared.next, Nanos::NEVER);
        shared.allow(1);
        assert_eq!(shared.next, Nanos(15));
        assert!(!take(&mut shared, 14) && take(&mut shared, 15) && !take(&mut shared, 99), "one was played");
        // The exchange's side is a batch and a half ahead.
        shared.later.extend([batch(&[]), batch(&[30, 40])]);
        shared.allow(4);
        assert!(take(&mut shared, 25) && take(&mut shared, 25) && !take(&mut shared, 25));
        assert_eq!(shared.next, Nanos(35));
        assert!(take(&mut shared, 99) && !take(&mut shared, 99));
        // The end of a batch, before the next one is known.
        shared.allow(5);
        assert!(take(&mut shared, 99) && shared.next == Nanos::NEVER);
        shared.later.push_back(batch(&[50]));
        shared.allow(6);
        assert!(take(&mut shared, 99));
        assert_eq!(came, [15, 25, 25, 35, 45, 55]);
    }

    #[test]
    fn what_is_no_frame_is_passed_by_once_it_was_played() {
        let mut lines = Batch::default();
        for (at, is_frame) in [(10, false), (20, true), (30, false), (30, false), (40, true)] {
            lines.frame(Nanos(at));
            if is_frame {
                lines.tell(&Ok(MarketEvent::Skipped(Skip::Event)));
            } else {
                lines.no_frame();
            }
        }
        let mut shared = Shared::new();
        shared.later.push_back(Arc::new(lines));
        let (mut came, mut taken) = (Vec::new(), 0);
        for played in 1..=5 {
            shared.allow(played);
            while shared.take(Nanos(99), &mut |at, _| came.push((played, at.0))) {
                taken += 1;
            }
            assert_eq!(shared.next, Nanos::NEVER);
        }
        assert_eq!((came.as_slice(), taken), (&[(2, 20), (5, 40)][..], 2));
    }
}
