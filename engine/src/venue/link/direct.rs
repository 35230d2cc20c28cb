//! Events that the exchange's side has decoded, handed to the engine's side in memory.
//!
//! For a replay, whose two sides are one thread: a frame is read once, and its bytes are not copied. What arrives, in
//! which order and when is the same as over a ring.

use crate::domain::{InstrumentIndex, Nanos};
use crate::ring::spsc;
use crate::venue::binance::frames::Read;
use crate::venue::link::Batch;
use crate::venue::{Frame, MarketData};

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

    #[inline]
    fn is_near(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Nanos {
        self.inbox.next_arrival()
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, _now: Nanos) {
        // A full ring means that the exchange has not read the wishes before: ingest asks again later.
        let _ = self.wishes.try_push(&u64::from(instrument));
    }
}
