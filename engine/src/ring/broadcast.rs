//! The lossy ring: one producer that never waits, any number of readers.
//!
//! A reader that was lapped knows it and how many messages it missed, exactly: its position is its own count.

use std::path::Path;

use crate::error::SetupError;
use crate::ring::defect::Defect;
use crate::ring::message::Message;
use crate::ring::slot::{self, Found, Slots};
use crate::shm::{Readable, SegmentKind, Writable};

/// Which part of a ring a lapped reader leaves behind it: the oldest eighth is about to be overwritten, and a reader
/// that resumed there would be lapped again before its first copy.
const MARGIN: u64 = 8;

/// The writing end. Aligned so that it shares no line, nor its neighbour, with a reader's private state.
#[repr(align(128))]
pub struct Producer<T> {
    position: u64,
    ring: Slots<Writable, T>,
}

impl<T: Message> Producer<T> {
    /// Makes the ring file, replacing an older one by rename.
    ///
    /// # Errors
    /// When `capacity` is no power of two within the limits, or the file cannot be made.
    pub fn create(ring: &Path, capacity: usize, epoch: u32) -> Result<Self, SetupError> {
        let spec = slot::spec::<T>(ring, SegmentKind::Broadcast, capacity, epoch)?;
        let page = Writable::create(ring, &spec)?;
        let made = *page.descriptor();
        Ok(Self { position: 0, ring: Slots::new(ring, page, &made)? })
    }

    /// Writes `message` over the oldest one.
    #[inline]
    pub fn publish(&mut self, message: &T) {
        self.ring.write(self.position, message, true);
        self.position += 1;
    }

    /// Brings the slot of the next message to hand, as [`spsc::Producer::prepare`](crate::ring::spsc::Producer::prepare).
    #[inline(always)]
    pub fn prepare(&self) {
        self.ring.fetch_next(self.position);
    }

    /// Messages published so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Messages that the ring holds.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.ring.capacity() as usize
    }
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled<T> {
    /// The next message.
    Message(T),
    /// No message yet.
    Empty,
    /// The producer was faster: the reader has skipped ahead.
    Lapped {
        /// Exactly how many messages were skipped.
        missed: u64,
    },
}

/// A reading end; of broadcast rings, and of watched lossless rings as an onlooker that nobody waits for.
#[repr(align(128))]
pub struct Reader<T> {
    position: u64,
    ring: Slots<Readable, T>,
    /// The producer's stamps have said "gone" and "not gone" at once.
    contradicted: bool,
}

impl<T: Message> Reader<T> {
    /// Attaches in front of the next message: a reader that comes before the first one sees everything.
    ///
    /// # Errors
    /// When the ring is missing or foreign.
    pub fn attach(ring: &Path) -> Result<Self, SetupError> {
        let mut reader = Self::attach_at(ring, 0)?;
        reader.position = reader.ring.head(0);
        Ok(reader)
    }

    /// Attaches in front of message `position`. If that is gone, the first poll says how many are missed.
    ///
    /// # Errors
    /// When the ring is missing or foreign.
    pub fn attach_at(ring: &Path, position: u64) -> Result<Self, SetupError> {
        let page = Readable::attach_any(
            ring,
            &[SegmentKind::Broadcast, SegmentKind::WatchedRing].map(slot::expected::<T>),
        )?;
        let found = *page.descriptor();
        Ok(Self { position, ring: Slots::new(ring, page, &found)?, contradicted: false })
    }

    /// Whether [`poll`](Self::poll) would surely find no message yet: one look. One that is under way may be there by then.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_older(self.position)
    }

    /// Takes the next message, if it is there.
    #[inline]
    pub fn poll(&mut self) -> Polled<T> {
        match self.ring.read_checked(self.position) {
            Found::Message(message) => {
                self.position += 1;
                Polled::Message(message)
            }
            Found::NotYet => Polled::Empty,
            // Told in registers: what was found need not lie in memory for a case that hardly ever is.
            Found::Gone => match self.skip() {
                0 => Polled::Empty,
                missed => Polled::Lapped { missed },
            },
        }
    }

    /// Moves to the oldest message that is safely still there, and says how many it skips.
    #[cold]
    fn skip(&mut self) -> u64 {
        let capacity = self.ring.capacity();
        let head = self.ring.head(self.position);
        let oldest = head.saturating_sub(capacity - capacity / MARGIN);
        let missed = oldest.saturating_sub(self.position);
        if missed == 0 {
            // Only a producer that breaks the protocol leads here.
            self.contradicted = true;
            return 0;
        }
        self.position = oldest;
        missed
    }

    /// Index of the next message: messages taken plus messages missed since message 0.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Why nothing in the ring is to be believed, if so.
    #[must_use]
    pub fn defect(&self) -> Option<Defect> {
        let possible = self.ring.is_of_slot(self.position);
        match (self.ring.page().is_whole(), possible && !self.contradicted) {
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

    /// Whether the ring still stands under its name; `false` means that the producer made a new one: attach again.
    /// A system call.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.ring.page().is_current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::Ordering;
    use crate::ring::patience::Patience;
    use crate::shm::stamped::BUSY;
    use proptest::prelude::*;
    use std::path::PathBuf;
    use std::thread;
    use tempfile::TempDir;

    type Pair = [u64; 9];
    const CAPACITY: u64 = 64;

    fn message(n: u64) -> Pair {
        std::array::from_fn(|at| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at as u64)
    }

    fn ring() -> (TempDir, PathBuf, Producer<Pair>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ring");
        let producer = Producer::create(&path, CAPACITY as usize, 1).expect("made");
        (folder, path, producer)
    }

    /// What a reader at `position` must find when `head` messages were published and nothing is under way.
    fn wanted(position: u64, head: u64) -> Polled<Pair> {
        match head.checked_sub(position) {
            None | Some(0) => Polled::Empty,
            Some(behind) if behind <= CAPACITY => Polled::Message(message(position)),
            Some(behind) => Polled::Lapped { missed: behind - CAPACITY * 7 / 8 },
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Publish(u64),
        Poll { reader: usize, times: u64 },
        Attach,
        AttachAt(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (1_u64..200).prop_map(Step::Publish),
            4 => (0_usize..8, 1_u64..100).prop_map(|(reader, times)| Step::Poll { reader, times }),
            1 => Just(Step::Attach),
            1 => (0_u64..1_000).prop_map(Step::AttachAt),
        ];
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        #[test]
        fn every_reader_gets_or_counts_every_message(steps in steps()) {
            let (_folder, path, mut producer) = ring();
            let mut readers = vec![Reader::<Pair>::attach(&path).expect("attached")];
            for step in steps {
                let head = producer.position();
                match step {
                    Step::Publish(count) => for n in head..head + count {
                        producer.prepare();
                        producer.publish(&message(n));
                    },
                    Step::Poll { reader, times } => {
                        let count = readers.len();
                        let reader = &mut readers[reader % count];
                        for _ in 0..times {
                            let (before, wanted) = (reader.position(), wanted(reader.position(), head));
                            prop_assert_eq!(reader.is_empty(), wanted == Polled::Empty);
                            prop_assert_eq!(reader.poll(), wanted);
                            let moved = match wanted {
                                Polled::Message(_) => 1,
                                Polled::Empty => 0,
                                Polled::Lapped { missed } => missed,
                            };
                            prop_assert_eq!(reader.position(), before + moved);
                        }
                    }
                    Step::Attach => {
                        let reader = Reader::attach(&path).expect("attached");
                        prop_assert_eq!(reader.position(), head, "the next message");
                        readers.push(reader);
                    }
                    Step::AttachAt(position) => {
                        readers.push(Reader::attach_at(&path, position).expect("attached"));
                    }
                }
            }
        }
    }

    #[test]
    fn a_message_under_way_is_not_there_yet_and_its_predecessor_is_gone() {
        let (_folder, path, mut producer) = ring();
        for n in 0..CAPACITY {
            producer.publish(&message(n));
        }
        let mut oldest = Reader::<Pair>::attach_at(&path, 0).expect("attached");
        let mut next = Reader::<Pair>::attach_at(&path, CAPACITY).expect("attached");
        // The producer died, or was interrupted, in the middle of message 64.
        producer.ring.page().body()[0].store(BUSY | (CAPACITY + 1), Ordering::Relaxed);
        assert!(!next.is_empty() && !oldest.is_empty());
        assert_eq!(next.poll(), Polled::Empty);
        assert_eq!(oldest.poll(), Polled::Lapped { missed: CAPACITY + 1 - CAPACITY * 7 / 8 });
        producer.publish(&message(CAPACITY));
        assert_eq!(next.poll(), Polled::Message(message(CAPACITY)));
    }

    #[test]
    fn a_stamp_that_cannot_be_leads_nowhere() {
        let (_folder, path, mut producer) = ring();
        for n in 0..10 {
            producer.publish(&message(n));
        }
        for lie in [u64::MAX, BUSY, BUSY - 1, 3, 1 << 62] {
            producer.ring.page().body()[0].store(lie, Ordering::Relaxed);
            let mut reader = Reader::<Pair>::attach_at(&path, 0).expect("attached");
            for _ in 0..10 {
                let before = reader.position();
                match reader.poll() {
                    Polled::Message(found) => assert_eq!(found, message(before)),
                    Polled::Empty => assert_eq!(reader.position(), before),
                    Polled::Lapped { missed } => assert_eq!(reader.position(), before + missed),
                }
            }
            assert!(Reader::<Pair>::attach(&path).is_ok());
        }
    }

    #[test]
    fn no_copy_is_torn_and_no_message_uncounted_between_threads() {
        const MESSAGES: u64 = 200_000;
        let (_folder, path, mut producer) = ring();
        let mut reader = Reader::<Pair>::attach(&path).expect("attached");
        let (read, missed) = thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let (mut read, mut missed, mut patience) = (0, 0, Patience::default());
                while reader.position() < MESSAGES {
                    let before = reader.position();
                    match reader.poll() {
                        Polled::Message(found) => {
                            assert_eq!(found, message(before));
                            read += 1;
                            patience.renew();
                        }
                        Polled::Empty => patience.wait(),
                        Polled::Lapped { missed: more } => missed += more,
                    }
                }
                (read, missed)
            });
            for n in 0..MESSAGES {
                producer.publish(&message(n));
                if n % 1_000 == 0 {
                    thread::yield_now();
                }
            }
            reading.join().expect("no torn copy")
        });
        assert_eq!(read + missed, MESSAGES);
        assert!(read >= CAPACITY * 7 / 8, "the last messages stay and are read: {read}");
    }

    #[test]
    fn a_new_ring_leaves_the_readers_of_the_old_one_in_peace() {
        let (_folder, path, mut producer) = ring();
        let mut reader = Reader::<Pair>::attach(&path).expect("attached");
        producer.publish(&message(0));
        let mut successor = Producer::<Pair>::create(&path, CAPACITY as usize, 2).expect("made");
        successor.publish(&message(7));
        assert_eq!((reader.poll(), reader.poll()), (Polled::Message(message(0)), Polled::Empty));
        assert_eq!((reader.is_current(), reader.epoch()), (false, 1));
        let mut reader = Reader::<Pair>::attach_at(&path, 0).expect("attached");
        assert_eq!((reader.poll(), reader.epoch()), (Polled::Message(message(7)), 2));
    }

    #[test]
    fn ends_can_move_to_their_threads() {
        fn assert_send<T: Send>() {}
        assert_send::<Producer<Pair>>();
        assert_send::<Reader<Pair>>();
    }
}
