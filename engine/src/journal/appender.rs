//! The hot side of a journal: its owner appends to a ring in shared memory and goes on.
//!
//! A record is committed (level P: it survives any process's death) once its slot is stamped. Nothing here touches a
//! disk.

use std::path::Path;

use crate::domain::Nanos;
use crate::error::SetupError;
use crate::journal::health::Health;
use crate::journal::record::{Payload, Record};
use crate::ring::Full;
use crate::ring::tail::Producer;

/// The owner's end of a journal.
pub struct Journal {
    ring: Producer<Record>,
    epoch: u32,
    next: u64,
    health: Health,
}

impl Journal {
    /// Makes the ring of `capacity` records for engine epoch `epoch`. `next` is the sequence of the first record:
    /// one above the last in the segments (`JournalWriter::next_sequence`).
    ///
    /// # Errors
    /// When a ring stands there already (its records must be drained first), `epoch` or `next` is 0, or the file
    /// cannot be made.
    pub fn create(
        ring: &Path,
        cursor: &Path,
        capacity: usize,
        epoch: u32,
        next: u64,
    ) -> Result<Self, SetupError> {
        if epoch == 0 || next == 0 {
            return Err(SetupError::file(ring, "epochs and sequences of a journal count from 1"));
        }
        if ring.exists() {
            return Err(SetupError::file(ring, "still holds an earlier life's records: drain it first"));
        }
        Ok(Self::over(Producer::create_watched(ring, cursor, capacity, epoch)?, epoch, next))
    }

    /// Takes over the ring that a dead life of the owner left in the same epoch: its tails stay attached. `next` as for
    /// [`create`](Self::create), once the writer has drained all of it.
    ///
    /// # Errors
    /// When the ring is missing, foreign, or of another epoch or capacity.
    pub fn resume(
        ring: &Path,
        cursor: &Path,
        capacity: usize,
        epoch: u32,
        next: u64,
    ) -> Result<Self, SetupError> {
        Ok(Self::over(Producer::resume_watched(ring, cursor, capacity, epoch)?, epoch, next))
    }

    fn over(ring: Producer<Record>, epoch: u32, next: u64) -> Self {
        Self { ring, epoch, next, health: Health::default() }
    }

    /// Heeds what the writers say of themselves; without, the journal is taken for sound.
    #[must_use]
    pub fn heeding(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// What the writers say of themselves.
    #[inline]
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// How many lives of the owner wrote the ring before this one.
    #[must_use]
    pub fn life(&self) -> u64 {
        self.ring.life()
    }

    /// Commits a record of `payload` at `at` on the timeline, `elapsed` on the monotonic clock, and returns its
    /// sequence. Always in line, as [`Producer::try_push`].
    ///
    /// # Errors
    /// When the writer has fallen a whole ring behind: nothing was journalled (C25).
    #[inline(always)]
    pub fn append<P: Payload>(&mut self, at: Nanos, elapsed: i64, payload: &P) -> Result<u64, Full> {
        let sequence = self.next;
        self.ring.try_push(&Record::new(sequence, self.epoch, at, elapsed, payload))?;
        self.next += 1;
        Ok(sequence)
    }

    /// Brings the room of the next record to hand; see [`Producer::prepare`].
    #[inline(always)]
    pub fn prepare(&self) {
        self.ring.prepare();
    }

    /// Looks for the writer, unless it was found already; see [`Producer::meet`].
    pub fn meet(&mut self) {
        self.ring.meet();
    }

    /// Records that surely fit now.
    #[inline]
    pub fn free(&mut self) -> usize {
        self.ring.free()
    }

    /// Records that fit an empty ring.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Records appended in this epoch.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.ring.position()
    }

    /// Sequence of the next record.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The engine epoch of its records.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }
}
