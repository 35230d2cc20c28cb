//! The lossless ring: one producer, one consumer.
//!
//! The ring file is the producer's, the cursor file the consumer's; neither can write the other's. The consumer
//! learns of a message by its slot's stamp alone, and the producer reads the cursor only when its cached copy says
//! full: in steady state one cache line moves per message.
//!
//! A ring that others watch ([`Producer::create_watched`]), or whose ends may die alone ([`Producer::open`]), has each slot
//! marked while it is written, which is one store more a message. In any other the consumer is the only reader, and it never looks at what is being written.

use std::path::Path;

use crate::error::SetupError;
use crate::hint::unlikely;
use crate::ring::cursor::{Cursor, Gate};
use crate::ring::defect::Defect;
use crate::ring::message::{Full, Message};
use crate::ring::slot::{self, Slots};
use crate::shm::{Expected, Late, Readable, SegmentKind, Writable};

/// Most messages that a consumer is done with before it publishes its cursor.
const PUBLISH_EVERY: u64 = 64;

/// The writing end. Aligned so that it shares no line, nor its neighbour, with the other end's private state.
#[repr(align(128))]
pub struct Producer<T> {
    position: u64,
    /// Whether somebody may read beside the consumer.
    watched: bool,
    ring: Slots<Writable, T>,
    gate: Gate,
}

impl<T: Message> Producer<T> {
    /// Makes the ring file, replacing an older one by rename. The consumer's `cursor` file may come later. For ends that live
    /// and die together; see [`open`](Self::open).
    ///
    /// # Errors
    /// When `capacity` is no power of two within the limits, or the file cannot be made.
    pub fn create(ring: &Path, cursor: &Path, capacity: usize, epoch: u32) -> Result<Self, SetupError> {
        Self::create_of((SegmentKind::Ring, ring), cursor, capacity, epoch)
    }

    /// As [`create`](Self::create), of a ring that `broadcast::Reader`s may watch.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_watched(
        ring: &Path,
        cursor: &Path,
        capacity: usize,
        epoch: u32,
    ) -> Result<Self, SetupError> {
        Self::create_of((SegmentKind::WatchedRing, ring), cursor, capacity, epoch)
    }

    fn create_of(
        (kind, ring): (SegmentKind, &Path),
        cursor: &Path,
        capacity: usize,
        epoch: u32,
    ) -> Result<Self, SetupError> {
        let page = Writable::create(ring, &slot::spec::<T>(ring, kind, capacity, epoch)?)?;
        let made = *page.descriptor();
        let watched = kind == SegmentKind::WatchedRing;
        let ring = Slots::new(ring, page, &made)?;
        Ok(Self { position: 0, watched, ring, gate: Gate::new(cursor, &made) })
    }

    /// Takes over the ring file that a dead life of this producer left, in the same epoch and of the same capacity:
    /// goes on behind the last message that was committed. Consumers stay attached and lose nothing; a message whose
    /// writing was only begun never was.
    ///
    /// The caller holds the owner's lock, so that no other life can be writing.
    ///
    /// # Errors
    /// When the ring is missing or foreign, or has another epoch or capacity.
    pub fn resume(ring: &Path, cursor: &Path, capacity: usize, epoch: u32) -> Result<Self, SetupError> {
        Self::resume_of(&slot::lossless::<T>(), ring, cursor, (capacity, epoch))
    }

    /// As [`resume`](Self::resume), of a ring that `broadcast::Reader`s may watch and no other.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_watched(
        ring: &Path,
        cursor: &Path,
        capacity: usize,
        epoch: u32,
    ) -> Result<Self, SetupError> {
        Self::resume_of(&[slot::expected::<T>(SegmentKind::WatchedRing)], ring, cursor, (capacity, epoch))
    }

    fn resume_of(
        kinds: &[Expected],
        ring: &Path,
        cursor: &Path,
        (capacity, epoch): (usize, u32),
    ) -> Result<Self, SetupError> {
        // Looked at before it is touched: a ring that is not ours to go on with keeps its life.
        let found = *Readable::attach_any(ring, kinds)?.descriptor();
        if (found.epoch, found.capacity) != (epoch, capacity as u64) {
            let reason = format!(
                "is of epoch {} and holds {} messages, not of epoch {epoch} with {capacity}",
                found.epoch, found.capacity
            );
            return Err(SetupError::file(ring, reason));
        }
        let page = Writable::take_over(ring, &slot::expected::<T>(found.kind))?;
        let found = *page.descriptor();
        let ring = Slots::new(ring, page, &found)?;
        let position = ring.committed();
        let gate = Gate::resume(cursor, &found, position);
        Ok(Self { position, watched: found.kind == SegmentKind::WatchedRing, ring, gate })
    }

    /// [Resumes](Self::resume) if there is a ring to go on with, else [creates](Self::create_watched) one whose ends may die
    /// alone: with its marks, a message that was only begun is none even to a consumer that has lost its cursor.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn open(ring: &Path, cursor: &Path, capacity: usize, epoch: u32) -> Result<Self, SetupError> {
        Self::resume(ring, cursor, capacity, epoch)
            .or_else(|_| Self::create_watched(ring, cursor, capacity, epoch))
    }

    /// How many lives of this producer wrote the ring before this one: 0 in a ring that it made.
    #[must_use]
    pub fn life(&self) -> u64 {
        self.ring.page().life()
    }

    /// Writes `message` behind the others. Always in line: what the message is made of goes from registers to the ring, and is
    /// never a message elsewhere.
    ///
    /// # Errors
    /// [`Full`] when the consumer has not yet read what the slot holds. Never waits.
    #[inline(always)]
    pub fn try_push(&mut self, message: &T) -> Result<(), Full> {
        let position = self.position;
        if unlikely(self.gate.room(position) == 0) && self.gate.refresh(position, 1) == 0 {
            return Err(Full);
        }
        self.ring.write(position, message, self.watched);
        self.position = position + 1;
        Ok(())
    }

    /// Brings the slot of the next message to hand, and where the one behind it will be looked for: a lap ago is so long that
    /// they are in no near cache. For who has nothing else to do.
    #[inline(always)]
    pub fn prepare(&self) {
        self.ring.fetch_next(self.position);
    }

    /// Looks for the consumer, unless it was found already: some system calls, else made by the first message that finds
    /// the ring full.
    pub fn meet(&mut self) {
        self.gate.meet();
    }

    /// Slots that are surely free now. The cursor is reread when the cached copy says that less than half is.
    #[inline]
    pub fn free(&mut self) -> usize {
        let room = self.gate.room(self.position);
        let room = if unlikely(room * 2 < self.ring.capacity()) {
            self.gate.refresh(self.position, 1)
        } else {
            room
        };
        room as usize
    }

    /// Dies while it writes the next message: for models, in which nobody kills a thread.
    #[cfg(loom)]
    pub fn die_writing(self) {
        self.ring.begin(self.position, self.watched);
    }

    /// The message written last, by this life or the one before.
    #[must_use]
    pub fn last(&self) -> Option<T> {
        self.ring.read(self.position.checked_sub(1)?)
    }

    /// Messages that the ring holds when full.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.ring.capacity() as usize
    }

    /// Messages pushed so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }
}

/// The reading end. Aligned so that it shares no line, nor its neighbour, with the other end's private state.
#[repr(align(128))]
pub struct Consumer<T> {
    position: u64,
    /// Position at which the cursor is published next: `publish_every` messages behind what it says now.
    due: u64,
    publish_every: u64,
    ring: Slots<Readable, T>,
    cursor: Cursor,
}

impl<T: Message> Consumer<T> {
    /// The consumer of a ring that may come late, vanish, or be replaced; it opens its own `cursor` file with the first
    /// ring.
    #[must_use]
    pub fn late(ring: &Path, cursor: &Path) -> Late<Self> {
        let cursor = cursor.to_owned();
        Late::new(ring, move |ring| Self::attach(ring, &cursor))
    }

    /// Attaches to the producer's `ring` and opens its own `cursor` file: where an earlier life left it if it read
    /// this very ring, else at the first message.
    ///
    /// What an earlier life took but had not published comes again: the message that it had in hand always does.
    ///
    /// # Errors
    /// When the ring is missing or foreign, or the cursor file cannot be written or stands outside the ring.
    pub fn attach(ring: &Path, cursor: &Path) -> Result<Self, SetupError> {
        let page = Readable::attach_any(ring, &slot::lossless::<T>())?;
        let found = *page.descriptor();
        let ring = Slots::new(ring, page, &found)?;
        let own = Cursor::open(cursor, &found)?;
        let (position, publish_every) = (own.position(), (ring.capacity() / 4).min(PUBLISH_EVERY));
        let head = ring.head(0);
        if position > head || head - position > ring.capacity() {
            let reason = format!("stands at {position}, outside the ring, whose head is {head}");
            return Err(SetupError::file(cursor, reason));
        }
        Ok(Self { position, due: position + publish_every, publish_every, ring, cursor: own })
    }

    /// Takes the next message. Publishes the cursor now and then, and whenever the ring is found empty, but never past
    /// the message that it hands out: that one stays in the ring until the next call shows that the caller is done with
    /// it.
    #[inline]
    pub fn poll(&mut self) -> Option<T> {
        let position = self.position;
        let next = self.ring.read(position);
        self.take(position, next.is_some());
        next
    }

    /// Takes the next message to the one in the caller's hand, if it is `wanted`; else it stays where it is. Publishes
    /// nothing: the caller is done with neither.
    #[inline]
    pub fn poll_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let next = self.peek().filter(wanted)?;
        self.position += 1;
        Some(next)
    }

    /// As [`poll`](Self::poll); but a message that `waits` for the one behind it stays where it is until that has come.
    #[inline]
    pub fn poll_unless(&mut self, waits: impl FnOnce(&T) -> bool) -> Option<T> {
        let mut message = T::new_zeroed();
        self.poll_unless_into(&mut message, waits).then_some(message)
    }

    /// The same to where `message` is to stay; false if none was taken.
    #[inline(always)]
    pub fn poll_unless_into(&mut self, message: &mut T, waits: impl FnOnce(&T) -> bool) -> bool {
        let position = self.position;
        let is_there = self.ring.read_into(position, message);
        let taken = is_there && (!waits(message) || self.is_followed());
        self.take(position, taken);
        taken
    }

    /// Steps over the message at `position`, which is ours, if it is `taken`.
    ///
    /// Handed in and not read again: behind the fence of a message's copy that would be a load that waits for the store
    /// of the message before.
    #[inline]
    fn take(&mut self, position: u64, taken: bool) {
        if taken {
            // Before the step: a caller that dies with the message in hand meets it again in its next life.
            if unlikely(position >= self.due) {
                self.commit_at(position);
            }
            self.position = position + 1;
        } else if position + self.publish_every != self.due {
            self.commit_at(position);
        }
    }

    /// Takes the next message but keeps its slot until [`commit`](Self::commit): for a consumer that must have
    /// written a message elsewhere before the ring may forget it.
    #[inline]
    pub fn poll_held(&mut self) -> Option<T> {
        let message = self.peek()?;
        self.position += 1;
        Some(message)
    }

    /// The next message, left where it is.
    #[inline]
    pub fn peek(&mut self) -> Option<T> {
        self.ring.read(self.position)
    }

    /// Whether there is surely nothing to take yet: asked in every duty cycle, and mostly there is not.
    #[inline(always)]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_older(self.position)
    }

    /// Whether a message stands behind the next one.
    fn is_followed(&self) -> bool {
        self.ring.read(self.position + 1).is_some()
    }

    /// Gives the slots of all messages taken back to the producer now.
    #[inline]
    pub fn commit(&mut self) {
        self.commit_at(self.position);
    }

    #[inline]
    fn commit_at(&mut self, position: u64) {
        self.cursor.publish(position);
        self.due = position + self.publish_every;
    }

    /// Messages taken so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Why nothing in the ring is to be believed, if so: it was cut short, or the slot at our position holds what
    /// cannot stand there. A later message in it means that the producer has overwritten what we have not read.
    #[must_use]
    pub fn defect(&self) -> Option<Defect> {
        let possible = self.ring.is_possible(self.position);
        // Asked last: of a file that is cut short meanwhile the zeros are not taken for the owner's.
        match (self.ring.page().is_whole(), possible) {
            (false, _) => Some(Defect::CutShort),
            (true, false) => Some(Defect::Impossible),
            (true, true) => None,
        }
    }

    /// Epoch of the producer.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.ring.page().descriptor().epoch
    }

    /// How many times a later life of the producer has taken the ring over. The producer's word: not to be relied on.
    #[must_use]
    pub fn life(&self) -> u64 {
        self.ring.page().life()
    }

    /// Whether the ring still stands under its name; `false` means that the producer made a new one: attach again.
    /// A system call.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.ring.page().is_current()
    }
}

#[cfg(test)]
mod tests;
