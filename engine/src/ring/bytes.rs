//! The lossless ring for records of any length: one producer, one consumer.
//!
//! ```text
//! record at word p (p % 8 = 0) = | p + 1 | length in bytes | header: 3 words | payload | padding to a cache line |
//! ```
//!
//! A record may wrap around the end of the ring, at any word. Payload is anything, stamps that look right
//! included: so before the producer publishes a record it clears the first word behind it, and one line of the ring
//! always stays free for that.

use std::path::Path;

use crate::error::SetupError;
use crate::limits::{BYTE_RING_MAX, BYTE_RING_MIN, CACHE_LINE};
use crate::primitive::{AtomicU64, Ordering, SyncPoint};
use crate::ring::cursor::{Cursor, Gate};
use crate::ring::defect::Defect;
use crate::ring::message::Full;
use crate::shm::words::WORD;
use crate::shm::{Expected, Readable, SegmentKind, SegmentSpec, Writable};

/// Layout of the records.
const LAYOUT: u64 = 1;
const EXPECTED: Expected =
    Expected { kind: SegmentKind::ByteRing, layout: LAYOUT, element_size: WORD as u32 };

/// Smallest ring, in bytes. Models are checked on four lines.
const BYTES_MIN: usize = if cfg!(loom) { 4 * CACHE_LINE } else { BYTE_RING_MIN };

/// Words of a cache line: records start on one.
const LINE: u64 = (CACHE_LINE / WORD) as u64;
/// Words in front of the payload.
const FRONT: u64 = 5;

/// Words of a record with `bytes` of payload.
const fn record_words(bytes: u64) -> u64 {
    (FRONT + bytes.div_ceil(WORD as u64)).next_multiple_of(LINE)
}

/// Longest payload of a ring of `words`: the record fills at most half of it.
const fn payload_max(words: u64) -> u64 {
    (words / 2 - FRONT) * WORD as u64
}

fn check_words(path: &Path, words: u64) -> Result<u64, SetupError> {
    let bytes = words.saturating_mul(WORD as u64);
    if bytes.is_power_of_two() && (BYTES_MIN as u64..=BYTE_RING_MAX as u64).contains(&bytes) {
        return Ok(words - 1);
    }
    let (least, most) = (BYTES_MIN, BYTE_RING_MAX);
    Err(SetupError::file(path, format!("{bytes} bytes is no power of two in {least}..={most}")))
}

/// The writing end. Aligned so that it shares no line, nor its neighbour, with the other end's private state.
#[repr(align(128))]
pub struct Producer {
    position: u64,
    mask: u64,
    ring: Writable,
    gate: Gate,
}

impl Producer {
    /// Makes the ring file of `bytes`, replacing an older one by rename. The consumer's `cursor` may come later.
    ///
    /// # Errors
    /// When `bytes` is no power of two within the limits, or the file cannot be made.
    pub fn create(ring: &Path, cursor: &Path, bytes: usize, epoch: u32) -> Result<Self, SetupError> {
        let capacity = (bytes / WORD) as u64;
        let mask = check_words(ring, if bytes.is_multiple_of(WORD) { capacity } else { 0 })?;
        let spec = SegmentSpec {
            kind: EXPECTED.kind,
            layout: EXPECTED.layout,
            element_size: EXPECTED.element_size,
            capacity,
            epoch,
            body_bytes: bytes,
            parent: 0,
        };
        let page = Writable::create(ring, &spec)?;
        let gate = Gate::new(cursor, page.descriptor());
        Ok(Self { position: 0, mask, ring: page, gate })
    }

    /// Longest payload that this ring takes, in bytes.
    #[must_use]
    pub const fn payload_max(&self) -> usize {
        payload_max(self.mask + 1) as usize
    }

    /// Writes one record: `header`, then `parts` one after the other.
    ///
    /// # Errors
    /// [`Full`] when there is no room, or never will be: the payload exceeds [`payload_max`](Self::payload_max).
    /// Never waits.
    #[inline]
    pub fn try_push(&mut self, header: [u64; 3], parts: &[&[u8]]) -> Result<(), Full> {
        let bytes = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.len() as u64));
        if bytes > payload_max(self.mask + 1) {
            return Err(Full);
        }
        let (start, length) = (self.position, record_words(bytes));
        // Strictly more than the record: the word behind it is cleared below.
        if self.gate.room(start) <= length && self.gate.refresh(start, length + 1) <= length {
            return Err(Full);
        }
        self.word(start + length).store(0, Ordering::Relaxed);
        self.word(start + 1).store(bytes, Ordering::Relaxed);
        for (at, word) in (start + 2..).zip(header) {
            self.word(at).store(word, Ordering::Relaxed);
        }
        self.store_payload(start + FRONT, parts);
        // Release: partner is the acquire in `Consumer::front`; the record and the cleared word come first.
        SyncPoint::Record.publish(self.word(start), start + 1);
        self.position = start + length;
        Ok(())
    }

    #[inline]
    fn word(&self, at: u64) -> &AtomicU64 {
        &self.ring.body()[(at & self.mask) as usize]
    }

    /// Packs the parts into words without a gap between them.
    fn store_payload(&self, mut at: u64, parts: &[&[u8]]) {
        let (mut pending, mut fill) = ([0_u8; WORD], 0);
        for part in parts {
            let mut rest = *part;
            if fill > 0 {
                let take = rest.len().min(WORD - fill);
                pending[fill..fill + take].copy_from_slice(&rest[..take]);
                (fill, rest) = (fill + take, &rest[take..]);
                if fill < WORD {
                    continue;
                }
                self.word(at).store(u64::from_ne_bytes(pending), Ordering::Relaxed);
                at += 1;
            }
            let (whole, tail) = rest.as_chunks::<WORD>();
            for bytes in whole {
                self.word(at).store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
                at += 1;
            }
            fill = tail.len();
            pending[..fill].copy_from_slice(tail);
        }
        if fill > 0 {
            pending[fill..].fill(0);
            self.word(at).store(u64::from_ne_bytes(pending), Ordering::Relaxed);
        }
    }
}

/// The reading end. Aligned so that it shares no line, nor its neighbour, with the other end's private state.
#[repr(align(128))]
pub struct Consumer {
    position: u64,
    published: u64,
    mask: u64,
    ring: Readable,
    cursor: Cursor,
    /// Private copy of the record at hand: nobody looks at bytes that another process may still change.
    copy: Vec<u8>,
    sound: bool,
}

impl Consumer {
    /// Attaches to the producer's `ring` and opens its own `cursor` file: where an earlier life left it if it read
    /// this very ring, else at the first record.
    ///
    /// # Errors
    /// When the ring is missing or foreign, or the cursor file cannot be written or stands on no record's start.
    pub fn attach(ring: &Path, cursor: &Path) -> Result<Self, SetupError> {
        let page = Readable::attach(ring, &EXPECTED)?;
        let mask = check_words(ring, page.descriptor().capacity)?;
        if page.body().len() as u64 <= mask {
            return Err(SetupError::file(ring, "is too short for its capacity"));
        }
        let own = Cursor::open(cursor, page.descriptor())?;
        let position = own.position();
        if !position.is_multiple_of(LINE) {
            return Err(SetupError::file(
                cursor,
                format!("stands at {position}, which is no record's start"),
            ));
        }
        let copy = vec![0; payload_max(mask + 1) as usize + WORD];
        Ok(Self { position, published: position, mask, ring: page, cursor: own, copy, sound: true })
    }

    /// Hands the next record to `on_record`; `false` when there is none. The cursor is published after every quarter
    /// of the ring, and whenever the ring is found empty.
    #[inline]
    pub fn poll(&mut self, on_record: &mut dyn FnMut([u64; 3], &[u8])) -> bool {
        let Some((header, bytes)) = self.front() else {
            if self.position != self.published {
                self.commit();
            }
            return false;
        };
        self.load_payload(bytes);
        on_record(header, &self.copy[..bytes as usize]);
        self.position += record_words(bytes);
        if self.position - self.published > self.mask / 4 {
            self.commit();
        }
        true
    }

    /// The next record's header, the record left where it is.
    #[inline]
    pub fn peek_header(&mut self) -> Option<[u64; 3]> {
        self.front().map(|(header, _)| header)
    }

    /// Gives the space of all records taken back to the producer now.
    pub fn commit(&mut self) {
        self.cursor.publish(self.position);
        self.published = self.position;
    }

    /// `false` once the producer has written a record of impossible length: nothing is read from it any more.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.sound
    }

    /// Why nothing in the ring is to be believed, if so.
    #[must_use]
    pub fn defect(&self) -> Option<Defect> {
        // The producer clears the word in which the next record will begin.
        let possible = [0, self.position + 1].contains(&self.load(self.position));
        match (self.ring.is_whole(), self.sound && possible) {
            (false, _) => Some(Defect::CutShort),
            (true, false) => Some(Defect::Impossible),
            (true, true) => None,
        }
    }

    #[inline]
    fn word(&self, at: u64) -> &AtomicU64 {
        &self.ring.body()[(at & self.mask) as usize]
    }

    #[inline]
    fn load(&self, at: u64) -> u64 {
        self.word(at).load(Ordering::Relaxed)
    }

    /// Header and checked payload length of the next record.
    #[inline]
    fn front(&mut self) -> Option<([u64; 3], u64)> {
        let start = self.position;
        if self.load(start) != start + 1 || !self.sound {
            return None;
        }
        // Acquire: partner is the release of the stamp in `Producer::try_push`.
        SyncPoint::Record.acquire(self.word(start));
        let bytes = self.load(start + 1);
        if bytes > payload_max(self.mask + 1) {
            self.sound = false;
            return None;
        }
        Some(([self.load(start + 2), self.load(start + 3), self.load(start + 4)], bytes))
    }

    fn load_payload(&mut self, bytes: u64) {
        let body = self.ring.body();
        let first = self.position + FRONT;
        let words = bytes.div_ceil(WORD as u64) as usize;
        for (at, chunk) in (first..).zip(self.copy.as_chunks_mut::<WORD>().0[..words].iter_mut()) {
            *chunk = body[(at & self.mask) as usize].load(Ordering::Relaxed).to_ne_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::patience::Patience;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::path::PathBuf;
    use std::thread;
    use tempfile::TempDir;

    const BYTES: usize = BYTE_RING_MIN;
    const WORDS: u64 = (BYTES / WORD) as u64;

    fn files() -> (TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let (ring, cursor) = (folder.path().join("ring"), folder.path().join("cursor"));
        (folder, ring, cursor)
    }

    fn pair() -> (TempDir, Producer, Consumer) {
        let (folder, ring, cursor) = files();
        let producer = Producer::create(&ring, &cursor, BYTES, 1).expect("made");
        let consumer = Consumer::attach(&ring, &cursor).expect("attached");
        (folder, producer, consumer)
    }

    fn take(consumer: &mut Consumer) -> Option<([u64; 3], Vec<u8>)> {
        let mut taken = None;
        let any = consumer.poll(&mut |header, bytes| taken = Some((header, bytes.to_vec())));
        assert_eq!(any, taken.is_some());
        taken
    }

    fn header(n: u64) -> [u64; 3] {
        [n, !n, n << 32]
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Vec<Vec<u8>>),
        Poll(usize),
        Restart,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let part = prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..40),
            1 => prop::collection::vec(any::<u8>(), 0..1_200),
        ];
        let step = prop_oneof![
            4 => prop::collection::vec(part, 0..4).prop_map(Step::Push),
            3 => (1_usize..6).prop_map(Step::Poll),
            1 => Just(Step::Restart),
        ];
        prop::collection::vec(step, 1..80)
    }

    proptest! {
        #[test]
        fn behaves_as_a_queue_of_records(steps in steps()) {
            let (_folder, ring, cursor) = files();
            let mut producer = Producer::create(&ring, &cursor, BYTES, 1).expect("made");
            let mut consumer = Consumer::attach(&ring, &cursor).expect("attached");
            // Records not given back yet, of which the first `taken` were read.
            let (mut queue, mut taken, mut n) = (VecDeque::new(), 0, 0);
            for step in steps {
                match step {
                    Step::Push(parts) => {
                        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                        let bytes = parts.concat();
                        let used = producer.position - consumer.published;
                        let fits = bytes.len() <= producer.payload_max()
                            && used + record_words(bytes.len() as u64) < WORDS;
                        let pushed = producer.try_push(header(n), &parts);
                        prop_assert_eq!(pushed, if fits { Ok(()) } else { Err(Full) });
                        if fits {
                            queue.push_back((header(n), bytes));
                            n += 1;
                        }
                    }
                    Step::Poll(times) => for _ in 0..times {
                        let wanted = queue.get(taken).cloned();
                        prop_assert_eq!(consumer.peek_header(), wanted.as_ref().map(|record| record.0));
                        taken += usize::from(wanted.is_some());
                        prop_assert_eq!(take(&mut consumer), wanted);
                        if consumer.published == consumer.position {
                            queue.drain(..taken);
                            taken = 0;
                        }
                    },
                    Step::Restart => {
                        consumer = Consumer::attach(&ring, &cursor).expect("attached again");
                        taken = 0;
                    }
                }
            }
        }
    }

    #[test]
    fn without_a_consumer_long_records_fill_the_ring_and_no_more() {
        let (_folder, ring, cursor) = files();
        let mut producer = Producer::create(&ring, &cursor, BYTES, 1).expect("made");
        let lengths = (3..).map(|power| 1_usize << power);
        let taken: usize = lengths
            .map_while(|length| producer.try_push(header(0), &[&vec![0; length]]).ok().map(|()| length))
            .sum();
        assert!(taken < BYTES);
        let room = (BYTES - taken) / 2;
        assert_eq!(producer.try_push(header(0), &[&vec![0; BYTES / 2]]), Err(Full));
        while producer.try_push(header(0), &[&vec![0; room / 8]]).is_ok() {}
        let mut late = Consumer::attach(&ring, &cursor).expect("attached");
        assert_eq!(take(&mut late), Some((header(0), vec![0; 8])));
    }

    #[test]
    fn payload_that_looks_like_stamps_is_never_a_record() {
        let (_folder, mut producer, mut consumer) = pair();
        // Every payload word is the stamp that a record starting there one lap later would have.
        for n in 0..1_000 {
            let first = producer.position + FRONT;
            let words = n % 60;
            let payload: Vec<u8> =
                (first..first + words).flat_map(|at| (at + WORDS + 1).to_ne_bytes()).collect();
            producer.try_push(header(n), &[&payload]).expect("room");
            assert_eq!(take(&mut consumer), Some((header(n), payload)));
            assert_eq!(take(&mut consumer), None, "after record {n}");
        }
    }

    #[test]
    fn what_never_fits_is_refused_and_the_ring_goes_on() {
        let (_folder, mut producer, mut consumer) = pair();
        let largest = vec![7; producer.payload_max()];
        let too_large = vec![7; producer.payload_max() + 1];
        assert_eq!(record_words(largest.len() as u64), WORDS / 2);
        for n in 0..10 {
            assert_eq!(producer.try_push(header(n), &[&too_large]), Err(Full));
            assert_eq!(producer.try_push(header(n), &[&too_large[..1], &largest]), Err(Full));
            assert_eq!(producer.try_push(header(n), &[&largest]), Ok(()));
            assert_eq!(take(&mut consumer), Some((header(n), largest.clone())));
        }
        let (_folder, ring, cursor) = files();
        for bad in [0, 8, BYTES - 8, BYTES + 1, BYTES / 2, BYTE_RING_MAX * 2, usize::MAX] {
            assert!(Producer::create(&ring, &cursor, bad, 1).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_length_that_cannot_be_stops_the_reader() {
        let (_folder, mut producer, mut consumer) = pair();
        producer.try_push(header(0), &[b"good"]).expect("room");
        producer.try_push(header(1), &[b"bad"]).expect("room");
        assert!(take(&mut consumer).is_some());
        producer.word(consumer.position + 1).store(payload_max(WORDS) + 1, Ordering::Relaxed);
        assert!(consumer.is_sound());
        assert_eq!((take(&mut consumer), consumer.peek_header(), consumer.is_sound()), (None, None, false));
    }

    #[test]
    fn every_byte_arrives_between_threads() {
        const RECORDS: u64 = 200_000;
        let (_folder, mut producer, mut consumer) = pair();
        let pattern: Vec<u8> = (0..2_048_u32).map(|n| ((n * 131) >> 3) as u8).collect();
        let payload = |n: u64| &pattern[(n * 7 % 1_000) as usize..][..(n * 13 % 300) as usize];
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let (mut n, mut patience) = (0, Patience::default());
                while n < RECORDS {
                    let any = consumer.poll(&mut |found, bytes| {
                        assert_eq!((found, bytes), (header(n), payload(n)));
                        n += 1;
                    });
                    if any { patience.renew() } else { patience.wait() }
                }
            });
            let mut n = 0;
            while n < RECORDS && !reading.is_finished() {
                let (front, back) = payload(n).split_at(payload(n).len() / 3);
                match producer.try_push(header(n), &[front, back]) {
                    Ok(()) => n += 1,
                    Err(Full) => thread::yield_now(),
                }
            }
        });
    }
}
