//! The lossless ring: one producer, one consumer.
//!
//! The ring file is the producer's, the cursor file the consumer's; neither can write the other's. The consumer
//! learns of a message by its slot's stamp alone, and the producer reads the cursor only when its cached copy says
//! full: in steady state one cache line moves per message.

use std::marker::PhantomData;
use std::path::Path;

use crate::error::SetupError;
use crate::ring::cursor::{Cursor, Gate};
use crate::ring::message::{Full, Message};
use crate::ring::slot;
use crate::shm::{Readable, SegmentKind, Writable};

/// Most messages that a consumer takes before it publishes its cursor.
const PUBLISH_EVERY: u64 = 64;

/// The writing end. Aligned so that it shares no line, nor its neighbour, with the other end's private state.
#[repr(align(128))]
pub struct Producer<T> {
    position: u64,
    mask: u64,
    ring: Writable,
    gate: Gate,
    _message: PhantomData<fn(T)>,
}

impl<T: Message> Producer<T> {
    /// Makes the ring file, replacing an older one by rename. The consumer's `cursor` file may come later.
    ///
    /// # Errors
    /// When `capacity` is no power of two within the limits, or the file cannot be made.
    pub fn create(ring: &Path, cursor: &Path, capacity: usize, epoch: u32) -> Result<Self, SetupError> {
        let spec = slot::spec::<T>(ring, SegmentKind::Ring, capacity, epoch)?;
        let page = Writable::create(ring, &spec)?;
        let mask = slot::checked_mask::<T>(ring, page.descriptor())?;
        let gate = Gate::new(cursor, page.descriptor());
        Ok(Self { position: 0, mask, ring: page, gate, _message: PhantomData })
    }

    /// Writes `message` behind the others.
    ///
    /// # Errors
    /// [`Full`] when the consumer has not yet read what the slot holds. Never waits.
    #[inline]
    pub fn try_push(&mut self, message: &T) -> Result<(), Full> {
        if self.gate.room(self.position) == 0 && self.gate.refresh(self.position, 1) == 0 {
            return Err(Full);
        }
        slot::write(self.ring.body(), self.mask, self.position, message);
        self.position += 1;
        Ok(())
    }

    /// Slots that are surely free now. The cursor is reread when the cached copy says that less than half is.
    #[inline]
    pub fn free(&mut self) -> usize {
        let room = self.gate.room(self.position);
        let room = if room <= self.mask / 2 { self.gate.refresh(self.position, 1) } else { room };
        room as usize
    }

    /// Messages that the ring holds when full.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.mask as usize + 1
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
    published: u64,
    publish_every: u64,
    mask: u64,
    ring: Readable,
    cursor: Cursor,
    _message: PhantomData<fn() -> T>,
}

impl<T: Message> Consumer<T> {
    /// Attaches to the producer's `ring` and opens its own `cursor` file: where an earlier life left it if it read
    /// this very ring, else at the first message.
    ///
    /// What an earlier life took but had not published comes again.
    ///
    /// # Errors
    /// When the ring is missing or foreign, or the cursor file cannot be written or stands outside the ring.
    pub fn attach(ring: &Path, cursor: &Path) -> Result<Self, SetupError> {
        let page = Readable::attach(ring, &slot::expected::<T>(SegmentKind::Ring))?;
        let mask = slot::checked_mask::<T>(ring, page.descriptor())?;
        let own = Cursor::open(cursor, page.descriptor())?;
        let position = own.position();
        let head = slot::head::<T>(page.body(), mask, 0);
        if position > head || head - position > mask + 1 {
            let reason = format!("stands at {position}, outside the ring, whose head is {head}");
            return Err(SetupError::file(cursor, reason));
        }
        Ok(Self {
            position,
            published: position,
            publish_every: ((mask + 1) / 4).min(PUBLISH_EVERY),
            mask,
            ring: page,
            cursor: own,
            _message: PhantomData,
        })
    }

    /// Takes the next message. Publishes the cursor now and then, and whenever the ring is found empty.
    #[inline]
    pub fn poll(&mut self) -> Option<T> {
        let taken = self.poll_held();
        let held = self.position - self.published;
        if held >= self.publish_every || (taken.is_none() && held > 0) {
            self.commit();
        }
        taken
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
        slot::read(self.ring.body(), self.mask, self.position)
    }

    /// Gives the slots of all messages taken back to the producer now.
    #[inline]
    pub fn commit(&mut self) {
        self.cursor.publish(self.position);
        self.published = self.position;
    }

    /// Messages taken so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Epoch of the producer.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.ring.descriptor().epoch
    }

    /// Whether the ring still stands under its name; `false` means that the producer made a new one: attach again.
    /// A system call.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.ring.is_current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::patience::Patience;
    use proptest::prelude::*;
    use std::thread;
    use tempfile::TempDir;

    type Line = [u64; 7];
    const CAPACITY: usize = 64;

    fn line(n: u64) -> Line {
        std::array::from_fn(|at| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at as u64)
    }

    struct Ring {
        _folder: TempDir,
        ring: std::path::PathBuf,
        cursor: std::path::PathBuf,
    }

    impl Ring {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let (ring, cursor) = (folder.path().join("ring"), folder.path().join("cursor"));
            Self { _folder: folder, ring, cursor }
        }

        fn producer(&self, capacity: usize) -> Producer<Line> {
            Producer::create(&self.ring, &self.cursor, capacity, 1).expect("made")
        }

        fn consumer(&self) -> Consumer<Line> {
            Consumer::attach(&self.ring, &self.cursor).expect("attached")
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push(u64),
        Poll(u64),
        Hold(u64),
        Commit,
        Restart,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1_u64..100).prop_map(Step::Push),
            3 => (1_u64..100).prop_map(Step::Poll),
            1 => (1_u64..40).prop_map(Step::Hold),
            1 => Just(Step::Commit),
            1 => Just(Step::Restart),
        ];
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        #[test]
        fn behaves_as_a_bounded_queue(steps in steps()) {
            let files = Ring::new();
            let (mut producer, mut consumer) = (files.producer(CAPACITY), files.consumer());
            // The model: message n is `line(n)`; these three counts say everything about the queue.
            let (mut pushed, mut taken, mut published) = (0_u64, 0_u64, 0_u64);
            for step in steps {
                match step {
                    Step::Push(count) => for _ in 0..count {
                        let room = pushed - published < CAPACITY as u64;
                        prop_assert_eq!(producer.try_push(&line(pushed)), if room { Ok(()) } else { Err(Full) });
                        pushed += u64::from(room);
                    },
                    Step::Poll(count) => for _ in 0..count {
                        let wanted = (taken < pushed).then(|| line(taken));
                        prop_assert_eq!(consumer.peek(), wanted);
                        prop_assert_eq!(consumer.poll(), wanted);
                        taken += u64::from(wanted.is_some());
                        if wanted.is_none() || taken - published >= CAPACITY as u64 / 4 {
                            published = taken;
                        }
                    },
                    Step::Hold(count) => for _ in 0..count {
                        let wanted = (taken < pushed).then(|| line(taken));
                        prop_assert_eq!(consumer.poll_held(), wanted);
                        taken += u64::from(wanted.is_some());
                    },
                    Step::Commit => {
                        consumer.commit();
                        published = taken;
                    }
                    Step::Restart => {
                        // What was taken but not published comes again.
                        consumer = files.consumer();
                        taken = published;
                    }
                }
                prop_assert_eq!((producer.position(), consumer.position()), (pushed, taken));
                let (free, exact) = (producer.free() as u64, CAPACITY as u64 - (pushed - published));
                prop_assert!(free <= exact && (free == exact || free >= CAPACITY as u64 / 2), "{} of {}", free, exact);
            }
        }
    }

    #[test]
    fn every_word_arrives_between_threads() {
        const MESSAGES: u64 = 200_000;
        let files = Ring::new();
        let (mut producer, mut consumer) = (files.producer(CAPACITY), files.consumer());
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let (mut n, mut patience) = (0, Patience::default());
                while n < MESSAGES {
                    if let Some(found) = consumer.poll() {
                        assert_eq!(found, line(n));
                        n += 1;
                        patience.renew();
                    } else {
                        patience.wait();
                    }
                }
                assert_eq!(consumer.poll(), None);
            });
            let mut n = 0;
            // A reader that failed empties nothing any more: stop and let the scope report it.
            while n < MESSAGES && !reading.is_finished() {
                match producer.try_push(&line(n)) {
                    Ok(()) => n += 1,
                    Err(Full) => thread::yield_now(),
                }
            }
        });
    }

    #[test]
    fn the_consumer_may_come_late_and_find_a_full_ring() {
        let files = Ring::new();
        let mut producer = files.producer(CAPACITY);
        for n in 0..CAPACITY as u64 {
            assert_eq!(producer.try_push(&line(n)), Ok(()));
        }
        assert_eq!((producer.try_push(&line(64)), producer.free()), (Err(Full), 0));
        let mut consumer = files.consumer();
        assert_eq!(consumer.poll(), Some(line(0)));
        assert_eq!(producer.free(), 0, "taken, but not given back yet");
        consumer.commit();
        assert_eq!((producer.free(), producer.try_push(&line(64))), (1, Ok(())));
    }

    #[test]
    fn a_new_ring_does_not_confuse_those_of_the_old_one() {
        let files = Ring::new();
        let mut producer = files.producer(CAPACITY);
        let mut consumer = files.consumer();
        for n in 0..10 {
            producer.try_push(&line(n)).expect("room");
        }
        assert_eq!((consumer.poll(), consumer.poll()), (Some(line(0)), Some(line(1))));
        consumer.commit();
        // The same epoch on purpose: files are told apart by their creation, not by what their owner claims.
        let mut successor = files.producer(CAPACITY);
        for n in 100..164 {
            successor.try_push(&line(n)).expect("room");
        }
        assert_eq!(
            successor.try_push(&line(164)),
            Err(Full),
            "the old ring's cursor gives no room in this one"
        );
        assert!(!consumer.is_current());
        assert_eq!(
            (consumer.poll(), consumer.position()),
            (Some(line(2)), 3),
            "it still reads what it had mapped"
        );
        let mut consumer = files.consumer();
        assert!(consumer.is_current());
        assert_eq!(consumer.position(), 0);
        for n in 100..200 {
            assert_eq!(consumer.poll(), Some(line(n)));
            consumer.commit();
            successor.try_push(&line(n + 64)).expect("the new cursor is found");
        }
    }

    #[test]
    fn a_cursor_that_lies_is_not_believed() {
        let files = Ring::new();
        let mut producer = files.producer(CAPACITY);
        let consumer = files.consumer();
        for n in 0..CAPACITY as u64 {
            producer.try_push(&line(n)).expect("room");
        }
        let mut cursor = Cursor::open(&files.cursor, consumer.ring.descriptor()).expect("its own file");
        for lie in [65, u64::MAX, 1 << 63] {
            cursor.publish(lie);
            assert_eq!((producer.free(), producer.try_push(&line(64))), (0, Err(Full)), "{lie}");
            assert!(Consumer::<Line>::attach(&files.ring, &files.cursor).is_err(), "{lie}");
        }
        cursor.publish(2);
        assert_eq!(producer.free(), 2);
        cursor.publish(1);
        assert_eq!((producer.try_push(&line(64)), producer.try_push(&line(65))), (Ok(()), Ok(())));
        assert_eq!(producer.try_push(&line(66)), Err(Full), "it ran backwards");
    }

    #[test]
    fn capacity_and_type_are_checked() {
        let files = Ring::new();
        for bad in [0, 1, 32, 63, 65, 1 << 25, usize::MAX] {
            assert!(Producer::<Line>::create(&files.ring, &files.cursor, bad, 1).is_err(), "{bad}");
        }
        assert!(Consumer::<Line>::attach(&files.ring, &files.cursor).is_err(), "no ring");
        let _producer = files.producer(CAPACITY);
        assert!(Consumer::<[u64; 6]>::attach(&files.ring, &files.cursor).is_err());
        assert!(Consumer::<[i64; 7]>::attach(&files.ring, &files.cursor).is_err());
    }

    #[test]
    fn ends_can_move_to_their_threads() {
        fn assert_send<T: Send>() {}
        assert_send::<Producer<Line>>();
        assert_send::<Consumer<Line>>();
    }
}
