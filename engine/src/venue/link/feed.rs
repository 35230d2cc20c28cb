//! Frames over a byte ring.

use crate::domain::{InstrumentIndex, Market, Nanos};
use crate::ring::{Full, bytes, spsc};
use crate::venue::link::DirectFeed;
use crate::venue::{Frame, MarketData, Source};

/// Codes of a [`Source`] in a record's header.
const STREAM: u64 = 0;
const REST: u64 = 1;
const SBE: u64 = 2;

/// The exchange's side: writes frames. A REST frame's URL stands before its payload.
pub struct FeedWriter {
    ring: bytes::Producer,
}

impl FeedWriter {
    /// Writes into `ring`.
    #[must_use]
    pub const fn new(ring: bytes::Producer) -> Self {
        Self { ring }
    }

    /// Hands over a frame that arrives at `frame.received`.
    ///
    /// # Errors
    /// When the ring has no room: nothing was written.
    pub fn write(&mut self, frame: &Frame<'_>) -> Result<(), Full> {
        let (source, url) = match frame.source {
            Source::Stream => (STREAM, ""),
            Source::Sbe => (SBE, ""),
            Source::Rest(url) => (REST, url),
        };
        let received = frame.received.0.cast_unsigned();
        let kind = source | u64::from(frame.market.code()) << 8;
        self.ring.try_push([received, kind, url.len() as u64], &[url.as_bytes(), frame.payload])
    }
}

/// Reads what a [`FeedWriter`] wrote.
pub struct FeedReader {
    ring: bytes::Consumer,
}

impl FeedReader {
    /// Reads from `ring`.
    #[must_use]
    pub const fn new(ring: bytes::Consumer) -> Self {
        Self { ring }
    }

    /// When the next frame arrives; `None` when there is none.
    pub fn next_arrival(&mut self) -> Option<Nanos> {
        self.ring.peek_header().map(|[received, ..]| Nanos(received.cast_signed()))
    }

    /// Takes the next frame, whenever it arrives.
    pub fn read(&mut self, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        self.ring.poll(&mut |[received, kind, url_bytes], record| {
            let url_bytes = usize::try_from(url_bytes).unwrap_or(usize::MAX).min(record.len());
            let (url, payload) = record.split_at(url_bytes);
            let source = match kind & 0xff {
                REST => Source::Rest(std::str::from_utf8(url).unwrap_or_default()),
                SBE => Source::Sbe,
                _ => Source::Stream,
            };
            let code = u8::try_from(kind >> 8).unwrap_or_default();
            let market = Market::try_from(code).unwrap_or(Market::Spot);
            on_frame(&Frame { received: Nanos(received.cast_signed()), market, source, payload });
        })
    }
}

/// The engine's side: hands frames over when they arrive.
pub struct LinkFeed {
    frames: FeedReader,
    wishes: spsc::Producer<u64>,
    /// When the frame at the head of the ring arrives, once seen.
    next: Option<Nanos>,
}

impl LinkFeed {
    /// Reads `frames` and writes wishes for snapshots, as instrument indices, to `wishes`.
    #[must_use]
    pub const fn new(frames: FeedReader, wishes: spsc::Producer<u64>) -> Self {
        Self { frames, wishes, next: None }
    }
}

impl LinkFeed {
    /// The same without a ring of frames: for a driver that hands decoded events over.
    #[must_use]
    pub fn into_direct(self) -> DirectFeed {
        DirectFeed::new(self.wishes)
    }
}

impl MarketData for LinkFeed {
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        if self.next.is_none() {
            self.next = self.frames.next_arrival();
        }
        if self.next.is_none_or(|arrival| arrival > now) {
            return false;
        }
        self.next = None;
        self.frames.read(on_frame)
    }

    #[inline]
    fn is_near(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Nanos {
        // A frame behind one not yet seen cannot be earlier: frames arrive in order.
        self.next.unwrap_or(Nanos::NEVER)
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, _now: Nanos) {
        // A full ring means that the exchange has not read the wishes before: ingest asks again later.
        let _ = self.wishes.try_push(&u64::from(instrument));
    }
}
