//! Frames from memory, handed over when they are given.

use std::cell::Cell;

use engine::domain::{InstrumentIndex, Market, Nanos};
use engine::venue::{Frame, MarketData, Source};

/// A frame to come.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its market.
    pub market: Market,
    /// The URL of the request that it answers; `None` on a stream.
    pub url: Option<String>,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// A feed of frames made beforehand.
pub struct Frames {
    frames: Vec<Given>,
    next: usize,
    given: Cell<usize>,
}

impl Frames {
    /// Frames of which none has arrived yet.
    #[must_use]
    pub const fn new(frames: Vec<Given>) -> Self {
        Self { frames, next: 0, given: Cell::new(0) }
    }

    /// Makes the next `count` arrive.
    pub fn give(&self, count: usize) {
        self.given.set(self.given.get() + count);
    }

    /// The `count` frames that arrive next.
    pub fn ahead(&self, count: usize) -> impl Iterator<Item = &Given> {
        self.frames.iter().skip(self.given.get()).take(count)
    }

    /// What they take of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |frame: &Given| {
            size_of::<Given>() + frame.payload.capacity() + frame.url.as_ref().map_or(0, String::capacity)
        };
        self.frames.iter().map(of).sum()
    }

    /// How many have not arrived yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.frames.len().saturating_sub(self.given.get())
    }
}

impl MarketData for Frames {
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        if self.next >= self.given.get() {
            return false;
        }
        let Some(given) = self.frames.get(self.next) else { return false };
        self.next += 1;
        let source = given.url.as_deref().map_or(Source::Stream, Source::Rest);
        on_frame(&Frame { received: now, market: given.market, source, payload: &given.payload });
        true
    }

    #[inline]
    fn is_near(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }

    fn request_snapshot(&mut self, _instrument: InstrumentIndex, _now: Nanos) {}
}
