//! The rings: no message lost, torn, repeated or overwritten before it was read, and laps counted exactly.

use std::path::Path;

use engine::error::SetupError;
use engine::ring::broadcast::{self, Polled};
use engine::ring::{bytes, spsc};
use loom::thread;

use crate::board::Board;
use crate::{Line, check, line, path, saw};

const CAPACITY: usize = 2;
/// Twice round the ring.
const MESSAGES: u64 = 4;
/// How often an end tries; a full or an empty ring uses tries up.
const TRIES: u64 = MESSAGES + 1;

/// How a producer makes a ring.
type Made = fn(&Path, &Path, usize, u32) -> Result<spsc::Producer<Line>, SetupError>;

fn pair(name: &str, made: Made) -> (spsc::Producer<Line>, spsc::Consumer<Line>) {
    let (ring, cursor) = (path(name), path(&format!("{name} cursor")));
    let producer = made(&ring, &cursor, CAPACITY, 1).expect("made");
    let consumer = spsc::Consumer::attach(&ring, &cursor).expect("attached");
    (producer, consumer)
}

/// Pushes while there is room; the cell of a message is written when its slot is known to be free.
fn push(mut producer: spsc::Producer<Line>, board: &Board) -> spsc::Producer<Line> {
    for _ in 0..TRIES {
        let n = producer.position();
        if n == MESSAGES {
            break;
        }
        if producer.free() > 0 {
            board.write(n);
            producer.try_push(&line(n)).expect("there was room");
        } else {
            saw("full");
            thread::yield_now();
        }
    }
    producer
}

fn take(consumer: &mut spsc::Consumer<Line>, board: &Board) -> bool {
    let n = consumer.position();
    let Some(found) = consumer.poll_held() else { return false };
    assert_eq!(found, line(n));
    board.check(n);
    consumer.commit();
    true
}

/// One producer, one consumer: what is pushed is taken, whole and in order, and no slot is written before it was given
/// back.
pub fn spsc_hands_over() {
    check(&["all met", "empty", "full"], || {
        let (producer, mut consumer) = pair("spsc", spsc::Producer::create);
        let board = Board::new(CAPACITY);
        let pushing = thread::spawn({
            let board = board.clone();
            move || push(producer, &board)
        });
        for _ in 0..TRIES {
            if !take(&mut consumer, &board) {
                saw("empty");
                thread::yield_now();
            }
        }
        if consumer.position() == MESSAGES {
            saw("all met");
        }
        let mut producer = pushing.join().expect("pushed");
        while take(&mut consumer, &board) {}
        assert_eq!(consumer.position(), producer.position(), "a message is lost");
        producer = push(producer, &board);
        while take(&mut consumer, &board) {}
        assert!(producer.position() > CAPACITY as u64, "there was room for more");
        assert_eq!(consumer.position(), producer.position(), "a message is lost");
    });
}

/// A consumer that dies with a message taken and not given back, and comes again: it goes on at its cursor while the
/// producer goes on pushing.
pub fn spsc_resumes() {
    check(&["came again", "first", "full"], || {
        let (producer, mut consumer) = pair("resumed", spsc::Producer::create);
        let board = Board::new(CAPACITY);
        let pushing = thread::spawn({
            let board = board.clone();
            move || push(producer, &board)
        });
        let first = take(&mut consumer, &board);
        let second = consumer.poll_held();
        drop(consumer);
        let mut consumer = spsc::Consumer::<Line>::attach(&path("resumed"), &path("resumed cursor"))
            .expect("attached again");
        assert_eq!(consumer.position(), u64::from(first), "it goes on at its cursor");
        if first {
            saw("first");
        }
        let again = consumer.peek();
        if second.is_some() {
            assert_eq!(again, second, "what was not given back comes again");
            saw("came again");
        }
        take(&mut consumer, &board);
        let producer = pushing.join().expect("pushed");
        while take(&mut consumer, &board) {}
        assert_eq!(consumer.position(), producer.position(), "a message is lost");
    });
}

/// A producer that dies while it writes, and comes again behind what it had committed, while the consumer reads.
pub fn spsc_producer_resumes() {
    check(&["all met", "empty"], || {
        let (mut producer, mut consumer) = pair("producer resumed", spsc::Producer::create);
        let board = Board::new(CAPACITY);
        board.write(0);
        producer.try_push(&line(0)).expect("room");
        producer.die_writing();
        let pushing = thread::spawn({
            let board = board.clone();
            move || {
                let (ring, cursor) = (path("producer resumed"), path("producer resumed cursor"));
                let mut producer =
                    spsc::Producer::<Line>::resume(&ring, &cursor, CAPACITY, 1).expect("its own ring");
                assert_eq!((producer.position(), producer.life()), (1, 1), "what was only begun never was");
                for _ in 0..TRIES {
                    let n = producer.position();
                    if n < MESSAGES - 1 && producer.free() > 0 {
                        board.write(n);
                        producer.try_push(&line(n)).expect("there was room");
                    } else {
                        thread::yield_now();
                    }
                }
                producer
            }
        });
        for _ in 0..TRIES {
            if !take(&mut consumer, &board) {
                saw("empty");
                thread::yield_now();
            }
        }
        let producer = pushing.join().expect("pushed");
        while take(&mut consumer, &board) {}
        assert_eq!(consumer.position(), producer.position(), "a message is lost");
        if consumer.position() == MESSAGES - 1 {
            saw("all met");
        }
    });
}

/// A reader that nobody waits for: every message is read untorn at its own position, or counted as missed.
fn watch(reader: &mut broadcast::Reader<Line>, seen: &mut u64) -> bool {
    let before = reader.position();
    match reader.poll() {
        Polled::Message(found) => {
            assert_eq!(found, line(before), "torn, stale or another's");
            *seen += 1;
            saw("message");
            assert_eq!(reader.position(), before + 1);
        }
        Polled::Lapped { missed } => {
            assert!(missed > 0);
            saw("lapped");
            *seen += missed;
            assert_eq!(reader.position(), before + missed);
        }
        Polled::Empty => {
            saw("empty");
            return false;
        }
    }
    assert!(reader.position() <= MESSAGES);
    true
}

/// One producer that never waits, one reader.
pub fn broadcast_counts_laps() {
    check(&["empty", "lapped", "message"], || {
        let ring = path("broadcast");
        let mut producer = broadcast::Producer::<Line>::create(&ring, CAPACITY, 1).expect("made");
        let mut reader = broadcast::Reader::<Line>::attach(&ring).expect("attached");
        let publishing = thread::spawn(move || (0..MESSAGES).for_each(|n| producer.publish(&line(n))));
        let mut seen = 0;
        for _ in 0..3 {
            watch(&mut reader, &mut seen);
        }
        publishing.join().expect("published");
        while watch(&mut reader, &mut seen) {}
        assert_eq!((reader.position(), seen), (MESSAGES, MESSAGES));
    });
}

/// A lossless ring, its consumer, and an onlooker that nobody waits for.
pub fn tail_watches() {
    check(&["empty", "lapped", "message"], || {
        let (producer, mut consumer) = pair("tail", spsc::Producer::create_watched);
        let mut reader = broadcast::Reader::<Line>::attach(&path("tail")).expect("attached");
        let pushing = thread::spawn(move || {
            let (mut producer, board) = (producer, Board::new(CAPACITY));
            for n in 0..MESSAGES {
                board.write(n);
                producer.try_push(&line(n)).expect("the consumer took the last one");
                assert!(take(&mut consumer, &board));
            }
        });
        let mut seen = 0;
        for _ in 0..2 {
            watch(&mut reader, &mut seen);
        }
        pushing.join().expect("pushed");
        while watch(&mut reader, &mut seen) {}
        assert_eq!((reader.position(), seen), (MESSAGES, MESSAGES));
    });
}

/// Words of the byte ring, and in front of a payload.
const WORDS: u64 = 32;
const FRONT: u64 = 5;

/// Payload of a record at word `start`: each word is the stamp that a record there would have one lap later.
fn lookalike(start: u64, words: u64) -> Vec<u8> {
    let first = start + FRONT;
    (first..first + words).flat_map(|at| (at + WORDS + 1).to_ne_bytes()).collect()
}

/// Records of the byte model: where they start and how many words their payload has. The first fills two lines, so
/// that its payload covers a place where a record starts a lap later.
const RECORDS: [(u64, u64); 5] = [(0, 11), (16, 3), (24, 3), (32, 3), (40, 3)];

fn push_records(mut producer: bytes::Producer, board: &Board) -> (bytes::Producer, usize) {
    let mut n = 1;
    for _ in 0..RECORDS.len() {
        let Some(&(start, words)) = RECORDS.get(n) else { break };
        board.write(n as u64);
        if producer.try_push([n as u64, start, !start], &[&lookalike(start, words)]).is_ok() {
            n += 1;
        } else {
            saw("full");
            thread::yield_now();
        }
    }
    if n == RECORDS.len() {
        // The last record fits only when the second was given back: all reads of it have ended.
        board.write(1);
    }
    (producer, n)
}

fn take_record(consumer: &mut bytes::Consumer, n: &mut usize, board: &Board) -> bool {
    let any = consumer.poll(&mut |header, payload| {
        let (start, words) = RECORDS[*n];
        assert_eq!(header, [*n as u64, start, !start]);
        assert_eq!(payload, lookalike(start, words));
        board.check(*n as u64);
        *n += 1;
    });
    assert!(consumer.is_sound(), "a record of impossible length");
    any
}

/// Records of any length: none torn, none that is payload of another, none lost.
pub fn bytes_hand_over() {
    check(&["all met", "empty", "full"], || {
        let (ring, cursor) = (path("bytes"), path("bytes cursor"));
        let mut producer = bytes::Producer::create(&ring, &cursor, (WORDS * 8) as usize, 1).expect("made");
        let mut consumer = bytes::Consumer::attach(&ring, &cursor).expect("attached");
        let board = Board::new(RECORDS.len());
        let (mut taken, (start, words)) = (0, RECORDS[0]);
        producer.try_push([0, start, !start], &[&lookalike(start, words)]).expect("room");
        assert!(take_record(&mut consumer, &mut taken, &board));
        let pushing = thread::spawn({
            let board = board.clone();
            move || push_records(producer, &board)
        });
        for _ in 0..RECORDS.len() {
            if !take_record(&mut consumer, &mut taken, &board) {
                saw("empty");
                thread::yield_now();
            }
        }
        if taken == RECORDS.len() {
            saw("all met");
        }
        let (_producer, pushed) = pushing.join().expect("pushed");
        while take_record(&mut consumer, &mut taken, &board) {}
        assert_eq!(taken, pushed, "a record is lost");
    });
}
