//! What ingest hears is kept on tapes: an hour on each, the oldest removed for room, every one with what a replay needs.
//!
//! Ingest's thread copies frames to a ring; the keeper packs them on a thread of its own. A tape on which it cannot write
//! stops no trading: that is logged, and another is begun a minute later.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::agent::Agent;
use engine::domain::{InstrumentIndex, Nanos};
use engine::error::SetupError;
use engine::primitive::{AtomicU64, Ordering};
use engine::ring::bytes;
use engine::shm::paths::IpcPaths;
use engine::simulation::recorder::RecordedFeed;
use engine::venue::binance::{DecodeError, MarketEvent};
use engine::venue::link::{FeedReader, FeedWriter};
use engine::venue::replay::{TapeSource, TapeWriter};
use engine::venue::{Frame, MarketData, Source};

use crate::config::{Settings, Venue};
use crate::tapes;
use crate::venue::VenueFeed;
use crate::venue::listing::Listing;

/// Bytes of the ring between ingest and the keeper: seconds of a busy market.
const RING_BYTES: usize = 8 << 20;

/// Frames that the keeper takes in one cycle.
const BATCH: usize = 256;

/// How long a tape is.
const LENGTH: Nanos = Nanos::from_secs(3_600);

/// A tape ends early at this share of the room that all may take, so that removing whole tapes keeps to it.
const SHARE: u64 = 8;

/// How soon what was heard can be read on the tape.
const SEALED_WITHIN: Nanos = Nanos::from_secs(2);

/// Bytes of text that are packed at once: packed, less than the writer gathers for one write, so that a process that is
/// killed leaves whole pieces.
const PIECE: usize = 512 << 10;

/// How long after a failure the next tape is begun.
const AGAIN: Nanos = Nanos::from_secs(60);

/// How often snapshots are asked for at most, where frames were lost.
const ASK_EVERY: Nanos = Nanos::from_secs(10);

/// Market data as a hosted ingest reads them.
pub enum HostFeed {
    /// As they come.
    Plain(Box<VenueFeed>),
    /// With a copy on tapes.
    Kept(Box<KeptFeed>),
}

/// Market data that leave a copy for the keeper.
///
/// A book on a tape begins with a snapshot, so all books' are asked for when a tape begins, and again where frames are
/// missing on it.
pub struct KeptFeed {
    inner: RecordedFeed<VenueFeed>,
    instruments: InstrumentIndex,
    /// Tapes that were begun, by the keeper.
    begun: Arc<AtomicU64>,
    /// What snapshots were last asked for: tapes begun, and frames lost.
    asked: (u64, u64),
    ask_next: Nanos,
}

impl KeptFeed {
    /// Asks for snapshots of all books where the tape lacks them.
    #[inline]
    fn complete(&mut self, now: Nanos) {
        // Relaxed: nothing is read that the keeper wrote before it.
        let wanted = (self.begun.load(Ordering::Relaxed), self.inner.lost());
        if wanted == self.asked || now < self.ask_next {
            return;
        }
        if wanted.1 != self.asked.1 {
            tracing::warn!(lost = wanted.1, "frames are missing on the tape: its keeper fell behind");
        }
        self.asked = wanted;
        self.ask_next = now.saturating_add(ASK_EVERY);
        for instrument in 0..self.instruments {
            self.inner.request_snapshot(instrument, now);
        }
    }
}

impl MarketData for HostFeed {
    #[inline]
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        match self {
            Self::Plain(feed) => feed.poll(now, on_frame),
            Self::Kept(feed) => {
                feed.complete(now);
                feed.inner.poll(now, on_frame)
            }
        }
    }

    #[inline]
    fn poll_read(
        &mut self,
        now: Nanos,
        on_event: &mut dyn FnMut(Nanos, &Result<MarketEvent<'_>, DecodeError>),
    ) -> Option<bool> {
        match self {
            Self::Plain(feed) => feed.poll_read(now, on_event),
            // Tapes are of frames.
            Self::Kept(_) => None,
        }
    }

    #[inline]
    fn is_near(&self) -> bool {
        match self {
            Self::Plain(feed) => feed.is_near(),
            Self::Kept(feed) => feed.inner.is_near(),
        }
    }

    fn next_deadline(&self) -> Nanos {
        match self {
            Self::Plain(feed) => feed.next_deadline(),
            Self::Kept(feed) => feed.inner.next_deadline(),
        }
    }

    fn reconnects(&self) -> u64 {
        match self {
            Self::Plain(feed) => feed.reconnects(),
            Self::Kept(feed) => feed.inner.reconnects(),
        }
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos) {
        match self {
            Self::Plain(feed) => feed.request_snapshot(instrument, now),
            Self::Kept(feed) => feed.inner.request_snapshot(instrument, now),
        }
    }
}

/// What tapes are kept of, and where.
struct Shelf {
    directory: PathBuf,
    venue: Venue,
    /// Bytes that all tapes may take.
    most: u64,
    /// The listing, which every tape begins with: where it was asked, and the answer.
    listing: (String, Vec<u8>),
}

/// The tape that is being written.
struct Tape {
    path: PathBuf,
    writer: TapeWriter,
    end: Nanos,
    /// Text that cannot be read on it yet, and when the next is to be.
    unsealed: usize,
    seal_at: Nanos,
}

/// Writes the tapes, on a thread of its own.
pub struct Keeper {
    frames: FeedReader,
    shelf: Shelf,
    tape: Option<Tape>,
    begun: Arc<AtomicU64>,
    begin_at: Nanos,
}

/// Feed and keeper, where the settings want tapes.
///
/// # Errors
/// When the ring cannot be made.
pub fn keep(
    (settings, listing): (&Settings, &Listing),
    (ipc, epoch): (&IpcPaths, u32),
    feed: VenueFeed,
    now: Nanos,
) -> Result<(HostFeed, Option<Keeper>), SetupError> {
    if settings.tapes_max_bytes == 0 {
        return Ok((HostFeed::Plain(Box::new(feed)), None));
    }
    let shelf = Shelf {
        directory: tapes::directory(&settings.places),
        venue: settings.venue,
        most: settings.tapes_max_bytes,
        listing: (listing.url.clone(), listing.body().to_vec()),
    };
    let instruments = listing.instruments.len().try_into().unwrap_or(InstrumentIndex::MAX);
    let (feed, keeper) = shelf.keep((ipc, epoch), (feed, instruments), now)?;
    Ok((HostFeed::Kept(Box::new(feed)), Some(keeper)))
}

impl Shelf {
    /// Begins the first tape of what `feed` gives of so many `instruments`.
    fn keep(
        self,
        (ipc, epoch): (&IpcPaths, u32),
        (feed, instruments): (VenueFeed, InstrumentIndex),
        now: Nanos,
    ) -> Result<(KeptFeed, Keeper), SetupError> {
        let (ring, cursor) = ipc.link("tape");
        let tap = FeedWriter::new(bytes::Producer::create(&ring, &cursor, RING_BYTES, epoch)?);
        let mut frames = FeedReader::new(bytes::Consumer::attach(&ring, &cursor)?);
        // What another life left in the ring is older than the tape; nobody writes to it yet.
        while frames.read(&mut |_| {}) {}
        let (tape, begin_at) = match self.begin(now) {
            Ok(tape) => (Some(tape), Nanos::NEVER),
            Err(failure) => (None, missed(&failure, now)),
        };
        let begun = Arc::new(AtomicU64::new(0));
        let inner = RecordedFeed::new(feed, tap);
        let feed = KeptFeed { inner, instruments, begun: Arc::clone(&begun), asked: (0, 0), ask_next: now };
        Ok((feed, Keeper { frames, shelf: self, tape, begun, begin_at }))
    }

    /// Begins a tape at `now`, after room was made for it.
    fn begin(&self, now: Nanos) -> Result<Tape, SetupError> {
        let directory = &self.directory;
        fs::create_dir_all(directory).map_err(|error| SetupError::io(directory, "making it", error))?;
        tapes::make_room(directory, self.most - self.share())?;
        let path = directory.join(tapes::name(self.venue, now));
        let mut writer = TapeWriter::create(&path)?;
        let listed = writer.write(now, TapeSource::Rest(&self.listing.0), &self.listing.1);
        if let Err(failure) = listed.and_then(|()| writer.seal()) {
            // One without its beginning is no tape. What keeps it from being removed is in its name's way only.
            let _ = fs::remove_file(&path);
            return Err(failure);
        }
        let seal_at = now.saturating_add(SEALED_WITHIN);
        Ok(Tape { path, writer, end: now.saturating_add(LENGTH), unsealed: 0, seal_at })
    }

    const fn share(&self) -> u64 {
        self.most / SHARE
    }
}

impl Tape {
    fn write(&mut self, frame: &Frame<'_>) -> Result<(), SetupError> {
        if frame.payload.is_empty() {
            // It tells nothing, and a tape cannot hold it.
            return Ok(());
        }
        // SBE stands in two digits a byte.
        self.unsealed += frame.payload.len() * if frame.source == Source::Sbe { 2 } else { 1 };
        self.writer.write(frame.received, frame.source.into(), frame.payload)?;
        if self.unsealed >= PIECE { self.seal() } else { Ok(()) }
    }

    fn seal(&mut self) -> Result<(), SetupError> {
        self.unsealed = 0;
        self.writer.seal()
    }

    fn bytes(&self) -> u64 {
        size(&self.path)
    }
}

/// Says that nothing is kept for a minute; when the next tape is begun.
fn missed(failure: &SetupError, now: Nanos) -> Nanos {
    tracing::error!(%failure, "nothing is kept for a minute");
    now.saturating_add(AGAIN)
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

impl Keeper {
    /// Writes what is left and ends the tape.
    pub fn finish(mut self) {
        while self.do_work(Nanos::ZERO) > 0 {}
        if let Some(failure) = self.tape.and_then(|tape| tape.writer.finish().err()) {
            tracing::error!(%failure, "the tape is not whole");
        }
    }

    /// Takes frames, and writes them where there is a tape.
    fn take(&mut self) -> Result<usize, SetupError> {
        let Self { frames, tape, .. } = self;
        let mut taken = 0;
        let mut outcome = Ok(());
        while taken < BATCH && outcome.is_ok() {
            let more = frames.read(&mut |frame| {
                outcome = tape.as_mut().map_or(Ok(()), |tape| tape.write(frame));
            });
            if !more {
                break;
            }
            taken += 1;
        }
        outcome.map(|()| taken)
    }

    /// Seals, ends and begins tapes when it is time.
    fn turn(&mut self, now: Nanos) -> Result<(), SetupError> {
        if let Some(tape) = self.tape.as_mut().filter(|tape| now >= tape.seal_at) {
            tape.seal_at = now.saturating_add(SEALED_WITHIN);
            if tape.unsealed > 0 {
                tape.seal()?;
            }
            if now >= tape.end || tape.bytes() >= self.shelf.share() {
                self.begin_at = now;
            }
        }
        if now < self.begin_at {
            return Ok(());
        }
        self.begin_at = Nanos::NEVER;
        self.tape.take().map_or(Ok(()), |tape| tape.writer.finish())?;
        self.tape = Some(self.shelf.begin(now)?);
        // Relaxed: the feed reads nothing else of it.
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Agent for Keeper {
    fn name(&self) -> &'static str {
        "tapes"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.turn(now).and_then(|()| self.take()).unwrap_or_else(|failure| {
            self.tape = None;
            self.begin_at = missed(&failure, now);
            0
        })
    }

    fn next_deadline(&self) -> Nanos {
        self.tape.as_ref().map_or(self.begin_at, |tape| tape.seal_at)
    }
}

#[cfg(test)]
mod tests;
