//! The consumer's cursor: a page of its own, in the consumer's directory, that the producer only reads.

use std::path::{Path, PathBuf};

use crate::error::SetupError;
use crate::limits::CACHE_LINE;
use crate::primitive::{Ordering, SyncPoint};
use crate::shm::{Descriptor, Expected, Readable, SegmentKind, SegmentSpec, Writable};

/// Layout of the page: one word, the number of units consumed.
const LAYOUT: u64 = 1;
const EXPECTED: Expected = Expected { kind: SegmentKind::Cursor, layout: LAYOUT, element_size: 8 };

/// While the ring stays full, every how many refusals the producer looks for a new cursor file.
const LOOK_EVERY: u32 = 1024;

/// The consumer's side: says how far it has read.
pub(super) struct Cursor {
    page: Writable,
}

impl Cursor {
    /// Goes on with the file that an earlier life left for this very ring, or makes a new one at 0.
    pub(super) fn open(path: &Path, ring: &Descriptor) -> Result<Self, SetupError> {
        if let Ok(page) = Writable::reopen(path, &EXPECTED)
            && page.descriptor().parent == ring.instance
        {
            return Ok(Self { page });
        }
        let spec = SegmentSpec {
            kind: EXPECTED.kind,
            layout: EXPECTED.layout,
            element_size: EXPECTED.element_size,
            capacity: 1,
            epoch: ring.epoch,
            body_bytes: CACHE_LINE,
            parent: ring.instance,
        };
        Ok(Self { page: Writable::create(path, &spec)? })
    }

    /// What was published last.
    pub(super) fn position(&self) -> u64 {
        self.page.body()[0].load(Ordering::Relaxed)
    }

    /// Gives everything below `position` back to the producer.
    #[inline]
    pub(super) fn publish(&mut self, position: u64) {
        // Release: partner is the acquire in `Gate::refresh`; our reads of the slots end before the producer
        // may write them again.
        SyncPoint::Cursor.publish(&self.page.body()[0], position);
    }
}

/// The cursor of `ring` at `path`, for an onlooker.
pub(super) fn watch(path: &Path, ring: &Descriptor) -> Result<Readable, SetupError> {
    let page = Readable::attach(path, &EXPECTED)?;
    if page.descriptor().parent != ring.instance {
        return Err(SetupError::file(path, "belongs to another ring"));
    }
    Ok(page)
}

/// Where a cursor that is [`watch`]ed stands. Nothing may be overwritten because of it: it orders nothing.
pub(super) fn watched(page: &Readable) -> u64 {
    page.body()[0].load(Ordering::Relaxed)
}

/// The producer's side: how much room there is, from a cached copy of the cursor.
pub(super) struct Gate {
    /// Where the room ends that the cursor as last read leaves, which is never ahead of the truth.
    end: u64,
    capacity: u64,
    page: Option<Readable>,
    refusals: u32,
    path: PathBuf,
    /// `instance` of the ring: a cursor of another ring does not count.
    ring: u64,
}

impl Gate {
    /// For the ring just made. The consumer may come later: until then nothing counts as consumed.
    pub(super) fn new(path: &Path, ring: &Descriptor) -> Self {
        let (path, capacity) = (path.to_owned(), ring.capacity);
        Self { end: capacity, capacity, page: None, refusals: 0, path, ring: ring.instance }
    }

    /// For a ring taken over from a dead producer that had come to `position`. That one went by this gate too: until
    /// the cursor is read, it may have used all the room there was.
    pub(super) fn resume(path: &Path, ring: &Descriptor, position: u64) -> Self {
        Self { end: position.max(ring.capacity), ..Self::new(path, ring) }
    }

    /// Units surely free, by the cached cursor.
    #[inline]
    pub(super) fn room(&self, position: u64) -> u64 {
        self.end - position
    }

    /// Rereads the cursor, and says how much is free now; the caller needs `need`.
    #[cold]
    pub(super) fn refresh(&mut self, position: u64, need: u64) -> u64 {
        self.find_page();
        if let Some(page) = &self.page {
            let found = page.body()[0].load(Ordering::Relaxed);
            // Acquire: partner is the release in `Cursor::publish`.
            SyncPoint::Cursor.acquire(&page.body()[0]);
            // The page is another process's: a cursor that runs backwards or ahead of us is not believed.
            if (self.end - self.capacity..=position).contains(&found) {
                self.end = found + self.capacity;
            }
        }
        let room = self.room(position);
        self.refusals = if room < need { self.refusals.wrapping_add(1) } else { 0 };
        room
    }

    /// Maps the consumer's page, if it is there and was not found yet: some system calls, made here so that no message
    /// pays for them once the ring has gone round.
    pub(super) fn meet(&mut self) {
        if self.page.is_none() {
            self.find_page();
        }
    }

    /// Maps the consumer's page if it is there. While the ring stays full it looks again now and then, because a
    /// consumer may have replaced its file. These are system calls; they happen only to a ring that nobody empties.
    fn find_page(&mut self) {
        let look = match &self.page {
            None => true,
            Some(page) => self.refusals % LOOK_EVERY == LOOK_EVERY - 1 && !page.is_current(),
        };
        if !look {
            return;
        }
        if let Ok(page) = Readable::attach(&self.path, &EXPECTED)
            && page.descriptor().parent == self.ring
        {
            self.page = Some(page);
        }
    }
}
