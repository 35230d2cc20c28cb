//! The lossless ring against a model of a queue, between threads, and across deaths of either end.

use super::*;
use crate::ring::broadcast;
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

    fn watched_producer(&self) -> Producer<Line> {
        Producer::create_watched(&self.ring, &self.cursor, CAPACITY, 1).expect("made")
    }

    fn successor(&self) -> Producer<Line> {
        Producer::resume(&self.ring, &self.cursor, CAPACITY, 1).expect("taken over")
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
    /// The other of a pair is looked for, and taken or left.
    Second(bool),
    /// The next message waits for the one behind it, or not.
    Unless(bool),
    Commit,
    Restart,
    /// The producer dies, between two messages or in the middle of one, and comes again.
    Succeed(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_u64..100).prop_map(Step::Push),
        3 => (1_u64..100).prop_map(Step::Poll),
        1 => (1_u64..40).prop_map(Step::Hold),
        1 => any::<bool>().prop_map(Step::Second),
        1 => any::<bool>().prop_map(Step::Unless),
        1 => Just(Step::Commit),
        1 => Just(Step::Restart),
        1 => any::<bool>().prop_map(Step::Succeed),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn behaves_as_a_bounded_queue(steps in steps(), watched in any::<bool>()) {
        let files = Ring::new();
        let made = if watched { files.watched_producer() } else { files.producer(CAPACITY) };
        let (mut producer, mut consumer) = (made, files.consumer());
        // The model: message n is `line(n)`; these three counts say everything about the queue.
        let (mut pushed, mut taken, mut published) = (0_u64, 0_u64, 0_u64);
        let mut lives = 0;
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
                    if wanted.is_none() || taken - published >= CAPACITY as u64 / 4 {
                        published = taken;
                    }
                    taken += u64::from(wanted.is_some());
                },
                Step::Hold(count) => for _ in 0..count {
                    let wanted = (taken < pushed).then(|| line(taken));
                    prop_assert_eq!(consumer.poll_held(), wanted);
                    taken += u64::from(wanted.is_some());
                },
                Step::Second(takes) => {
                    let wanted = (takes && taken < pushed).then(|| line(taken));
                    prop_assert_eq!(consumer.poll_if(|_| takes), wanted);
                    taken += u64::from(wanted.is_some());
                }
                Step::Unless(waits) => {
                    let comes = taken < pushed && (!waits || taken + 1 < pushed);
                    let mut next = line(u64::MAX);
                    prop_assert_eq!(consumer.poll_unless_into(&mut next, |_| waits), comes);
                    prop_assert!(!comes || next == line(taken));
                    if !comes || taken - published >= CAPACITY as u64 / 4 {
                        published = taken;
                    }
                    taken += u64::from(comes);
                }
                Step::Commit => {
                    consumer.commit();
                    published = taken;
                }
                Step::Restart => {
                    // What was taken but not published comes again.
                    consumer = files.consumer();
                    taken = published;
                }
                Step::Succeed(torn) => {
                    let room = pushed - published < CAPACITY as u64;
                    if torn && room {
                        producer.ring.begin(pushed, watched);
                    }
                    drop(producer);
                    lives += 1;
                    producer = files.successor();
                    prop_assert_eq!((producer.life(), consumer.life()), (lives, lives));
                    prop_assert_eq!(producer.watched, watched);
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
fn what_a_consumer_had_in_hand_when_it_died_comes_again() {
    // At every place in a batch, for a single message and for the first of two that are taken together.
    for (dies_at, takes_other) in (0..40).flat_map(|n| [(n, None), (n, Some(true)), (n, Some(false))]) {
        let files = Ring::new();
        let (mut producer, mut consumer) = (files.producer(CAPACITY), files.consumer());
        (0..CAPACITY as u64).for_each(|n| producer.try_push(&line(n)).expect("room"));
        for n in 0..=dies_at {
            assert_eq!(consumer.poll(), Some(line(n)));
        }
        if let Some(takes) = takes_other {
            assert_eq!(consumer.poll_if(|_| takes), takes.then(|| line(dies_at + 1)));
        }
        drop(consumer);
        let mut consumer = files.consumer();
        assert!(consumer.position() <= dies_at, "{dies_at} was in hand, and {takes_other:?}");
        for n in consumer.position()..CAPACITY as u64 {
            assert_eq!(consumer.poll(), Some(line(n)));
        }
    }
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
    assert_eq!(successor.try_push(&line(164)), Err(Full), "the old ring's cursor gives no room in this one");
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
fn a_producer_goes_on_only_with_its_own_ring() {
    let files = Ring::new();
    let open = |capacity, epoch| Producer::<Line>::open(&files.ring, &files.cursor, capacity, epoch);
    let resume = |capacity, epoch| Producer::<Line>::resume(&files.ring, &files.cursor, capacity, epoch);
    assert!(resume(CAPACITY, 1).is_err(), "there is none");
    let mut first = open(CAPACITY, 1).expect("made");
    first.try_push(&line(0)).expect("room");
    for (capacity, epoch) in [(CAPACITY, 2), (CAPACITY * 2, 1)] {
        assert!(resume(capacity, epoch).is_err());
    }
    assert_eq!(first.life(), 0, "untouched");
    let second = open(CAPACITY, 1).expect("taken over");
    assert_eq!((second.position(), second.life()), (1, 1));
    let third = open(CAPACITY, 2).expect("made anew");
    assert_eq!((third.position(), third.life()), (0, 0));
    assert!(Producer::<[u64; 6]>::resume(&files.ring, &files.cursor, CAPACITY, 2).is_err());
}

#[test]
fn who_needs_a_watched_ring_leaves_another_as_it_is() {
    let files = Ring::new();
    let resume = || Producer::<Line>::resume_watched(&files.ring, &files.cursor, CAPACITY, 1);
    let plain = files.producer(CAPACITY);
    assert!(resume().is_err());
    assert_eq!(plain.life(), 0, "untouched");
    drop(plain);
    drop(files.watched_producer());
    assert_eq!(resume().expect("taken over").life(), 1);
}

#[test]
fn a_successor_finds_no_room_that_its_predecessor_had_not() {
    let files = Ring::new();
    let mut producer = files.producer(CAPACITY);
    let mut consumer = files.consumer();
    for n in 0..100 {
        producer.try_push(&line(n)).expect("room");
        if n < 40 {
            assert_eq!(consumer.poll_held(), Some(line(n)));
            consumer.commit();
        }
    }
    // The consumer's file is gone as well: nothing says how much is free.
    let lost = files.cursor.with_extension("away");
    std::fs::rename(&files.cursor, &lost).expect("renamed");
    let mut producer = files.successor();
    assert_eq!((producer.position(), producer.free(), producer.try_push(&line(100))), (100, 0, Err(Full)));
    std::fs::rename(&lost, &files.cursor).expect("renamed");
    assert_eq!(producer.free(), 4);
    for n in 100..104 {
        producer.try_push(&line(n)).expect("room");
    }
    assert_eq!(producer.try_push(&line(104)), Err(Full));
    for n in 40..104 {
        assert_eq!(consumer.poll(), Some(line(n)));
    }
    assert_eq!(consumer.poll(), None);
}

#[test]
fn a_late_ring_is_read_from_where_its_cursor_stands() {
    use crate::domain::Nanos;
    let files = Ring::new();
    let mut late = Consumer::<Line>::late(&files.ring, &files.cursor);
    assert!(!late.look(Nanos(0)) && late.get().is_none());
    let mut producer = files.producer(CAPACITY);
    producer.try_push(&line(0)).expect("room");
    producer.try_push(&line(1)).expect("room");
    assert!(late.look(Nanos(1)));
    let consumer = late.get_mut().expect("attached");
    assert_eq!(consumer.poll_held(), Some(line(0)));
    consumer.commit();
    // The consumer's own restart.
    let mut late = Consumer::<Line>::late(&files.ring, &files.cursor);
    assert!(late.look(Nanos(2)));
    assert_eq!(late.get_mut().and_then(Consumer::poll), Some(line(1)));
    // The producer's restart needs no new look; its replacement does.
    let mut producer = files.successor();
    producer.try_push(&line(2)).expect("room");
    assert!(!late.look(Nanos(3)));
    assert_eq!(late.get_mut().and_then(Consumer::poll), Some(line(2)));
    let mut producer = files.producer(CAPACITY);
    producer.try_push(&line(7)).expect("room");
    assert!(late.look(Nanos(4)));
    assert_eq!(late.get_mut().and_then(Consumer::poll), Some(line(7)));
}

#[test]
fn a_cursor_that_lies_is_not_believed() {
    let files = Ring::new();
    let mut producer = files.producer(CAPACITY);
    let consumer = files.consumer();
    for n in 0..CAPACITY as u64 {
        producer.try_push(&line(n)).expect("room");
    }
    let mut cursor = Cursor::open(&files.cursor, consumer.ring.page().descriptor()).expect("its own file");
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

#[test]
fn only_a_watched_ring_has_onlookers() {
    let files = Ring::new();
    let producer = files.producer(CAPACITY);
    let refusal = broadcast::Reader::<Line>::attach(&files.ring).err().expect("nobody else may read it");
    assert!(refusal.to_string().contains("holds a ring"), "{refusal}");
    drop(producer);
    let _producer = files.watched_producer();
    broadcast::Reader::<Line>::attach(&files.ring).expect("a reader");
}
