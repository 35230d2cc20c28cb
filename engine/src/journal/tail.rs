//! Following a living journal from another agent or process: from the ring, and from the segments where the ring has
//! moved on. The writer frees a slot only after its record is in the segments, so nothing falls between.

use std::path::{Path, PathBuf};

use crate::error::SetupError;
use crate::hint::likely;
use crate::journal::reader::JournalReader;
use crate::journal::record::Record;
use crate::ring::Defect;
use crate::ring::broadcast::{Polled, Reader};

/// Most records of the ring that one poll passes over: its work is bounded whatever the owner writes.
const SKIP_MAX: usize = 1024;

/// Reads every record of a journal once, in order.
pub struct Tail {
    ring: Reader<Record>,
    ring_path: PathBuf,
    segments: Option<PathBuf>,
    /// Sequence of the next record; 0 until the first one tells.
    next: u64,
    /// A record of the ring that lies ahead of `next`.
    held: Option<Record>,
    backlog: Option<JournalReader>,
    missed: u64,
    failure: Option<SetupError>,
    /// The last poll ended only because its work is bounded.
    passing: bool,
}

impl Tail {
    /// Follows the journal from the next record on. Without its directory of `segments`, a tail that the ring laps
    /// loses records, and says how many.
    ///
    /// # Errors
    /// When the ring is missing or foreign.
    pub fn attach(ring: &Path, segments: Option<&Path>) -> Result<Self, SetupError> {
        Ok(Self::new(Reader::attach(ring)?, ring, segments, 0))
    }

    /// Follows the journal from record `next` on (from 1), which may be long past.
    ///
    /// # Errors
    /// When the ring is missing or foreign, the segments cannot be listed, or `next` is 0.
    pub fn attach_from(ring: &Path, segments: Option<&Path>, next: u64) -> Result<Self, SetupError> {
        if next == 0 {
            return Err(SetupError::file(ring, "sequences of a journal count from 1"));
        }
        let mut tail = Self::new(Reader::attach_at(ring, 0)?, ring, segments, next);
        tail.backlog = segments.map(|dir| JournalReader::open_at(dir, next)).transpose()?;
        Ok(tail)
    }

    fn new(ring: Reader<Record>, path: &Path, segments: Option<&Path>, next: u64) -> Self {
        Self {
            ring,
            ring_path: path.to_owned(),
            segments: segments.map(Path::to_owned),
            next,
            held: None,
            backlog: None,
            missed: 0,
            failure: None,
            passing: false,
        }
    }

    /// The next record. [`Polled::Lapped`] means records lost for good: there were no segments to read them from, or
    /// reading them failed ([`failure`](Self::failure) says how).
    ///
    /// In step with the journal this is one look at the ring. Fallen behind, it reads files, and may say
    /// [`Polled::Empty`] while it passes over records of the ring that it had from there.
    #[inline(always)]
    pub fn poll(&mut self) -> Polled<Record> {
        if self.is_empty() { Polled::Empty } else { self.poll_next() }
    }

    /// Whether [`poll`](Self::poll) would surely find no record yet: asked in every duty cycle, and mostly there is none.
    #[inline(always)]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        likely(self.backlog.is_none() && self.held.is_none()) && self.ring.is_empty()
    }

    #[inline(never)]
    fn poll_next(&mut self) -> Polled<Record> {
        if self.backlog.is_none() && self.held.is_none() {
            match self.ring.poll() {
                Polled::Message(record) if record.sequence == self.next => {
                    self.next += 1;
                    return Polled::Message(record);
                }
                Polled::Message(record) => self.held = Some(record),
                Polled::Empty => return Polled::Empty,
                // How much was missed, the sequence of the next record says.
                Polled::Lapped { .. } => {}
            }
        }
        self.poll_behind()
    }

    #[cold]
    fn poll_behind(&mut self) -> Polled<Record> {
        self.passing = false;
        if let Some(record) = self.poll_backlog() {
            return Polled::Message(record);
        }
        for _ in 0..SKIP_MAX {
            let Some(record) = self.held.take().or_else(|| self.poll_ring()) else { return Polled::Empty };
            if self.next == 0 || record.sequence == self.next {
                self.next = record.sequence.saturating_add(1);
                return Polled::Message(record);
            }
            if record.sequence < self.next {
                // It came from the segments already.
                continue;
            }
            self.held = Some(record);
            if let Some(missing) = self.poll_segments() {
                return Polled::Message(missing);
            }
            let missed = record.sequence - self.next;
            self.missed = self.missed.saturating_add(missed);
            self.next = record.sequence;
            return Polled::Lapped { missed };
        }
        self.passing = true;
        Polled::Empty
    }

    /// Takes every record up to the newest one there is now; for an owner that starts and has to know what was.
    ///
    /// # Errors
    /// When records are lost or cannot be read.
    pub fn catch_up(&mut self, mut on_record: impl FnMut(&Record)) -> Result<(), SetupError> {
        loop {
            match self.poll() {
                Polled::Message(record) => on_record(&record),
                Polled::Empty if self.passing => {}
                Polled::Empty => return Ok(()),
                Polled::Lapped { missed } => {
                    let why = self.failure.take().map_or_else(String::new, |failure| format!(": {failure}"));
                    return Err(SetupError::file(&self.ring_path, format!("{missed} records are lost{why}")));
                }
            }
        }
    }

    /// The next record in the ring, at whatever sequence. After a lap it looks once more; lapped again it gives up
    /// until the next poll.
    fn poll_ring(&mut self) -> Option<Record> {
        for _ in 0..2 {
            match self.ring.poll() {
                Polled::Message(record) => return Some(record),
                Polled::Empty => return None,
                Polled::Lapped { .. } => {}
            }
        }
        None
    }

    /// Record `next`, from the segments read anew.
    fn poll_segments(&mut self) -> Option<Record> {
        match JournalReader::open_at(self.segments.as_deref()?, self.next) {
            Ok(reader) => self.backlog = Some(reader),
            Err(error) => self.failure = Some(error),
        }
        self.poll_backlog()
    }

    /// Record `next`, from the segments being read.
    fn poll_backlog(&mut self) -> Option<Record> {
        match self.backlog.as_mut()?.next() {
            Some(Ok(record)) if record.sequence == self.next => {
                self.next += 1;
                return Some(record);
            }
            Some(Err(error)) => self.failure = Some(error),
            Some(Ok(_)) | None => {}
        }
        self.backlog = None;
        None
    }

    /// Attaches again if the owner has made a new ring; returns whether it did. For a slow cadence: a system call.
    ///
    /// # Errors
    /// When the new ring is missing or foreign; the old one stays in use.
    pub fn refresh(&mut self) -> Result<bool, SetupError> {
        if self.held.is_some() || self.ring.is_current() {
            return Ok(false);
        }
        let fresh = Reader::attach_at(&self.ring_path, 0)?;
        // What is left in the old ring, its next owner moves to the segments before it makes the new one.
        self.ring = fresh;
        Ok(true)
    }

    /// Why nothing in the ring is to be believed, if so. What the segments hold is not the ring's.
    #[must_use]
    pub fn defect(&self) -> Option<Defect> {
        self.ring.defect()
    }

    /// The engine epoch in which the ring was made.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.ring.epoch()
    }

    /// Sequence of the next record; 0 while not known.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Records lost for good.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    /// Why segments could not be read, the last time.
    #[must_use]
    pub const fn failure(&self) -> Option<&SetupError> {
        self.failure.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::Workshop;
    use crate::journal::{Journal, JournalWriter};
    use crate::limits::RING_CAPACITY_MIN;

    /// Polls up to the first empty answer.
    fn take(tail: &mut Tail) -> Vec<u64> {
        let mut taken = Vec::new();
        for _ in 0..100_000 {
            match tail.poll() {
                Polled::Message(record) => taken.push(record.sequence),
                Polled::Empty => return taken,
                Polled::Lapped { missed } => panic!("missed {missed}"),
            }
        }
        panic!("never empty");
    }

    fn range(sequences: std::ops::RangeInclusive<u64>) -> Vec<u64> {
        sequences.collect()
    }

    #[test]
    fn in_step_it_reads_the_ring_alone() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        let mut tail = Tail::attach(&shop.ring, None).expect("attached");
        assert!(take(&mut tail).is_empty());
        for n in 0..200 {
            shop.append(&mut journal, 1);
            writer.drain().expect("drained");
            assert_eq!(take(&mut tail), [n + 1]);
        }
        assert_eq!((tail.next_sequence(), tail.missed()), (201, 0));
    }

    #[test]
    fn a_new_life_goes_on_in_the_ring_of_the_last_and_tails_stay_attached() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        let mut tail = Tail::attach_from(&shop.ring, Some(&shop.dir), 1).expect("attached");
        shop.append(&mut journal, 10);
        writer.drain().expect("drained");
        shop.append(&mut journal, 5);
        assert_eq!(take(&mut tail), range(1..=15));
        drop((writer, journal));
        let reopen = |epoch| {
            let options = crate::journal::fixture::options();
            JournalWriter::open_in_epoch(&shop.dir, &options, &shop.ring, &shop.cursor, epoch)
        };
        let (mut writer, goes_on) = reopen(1).expect("recovered");
        assert_eq!((goes_on, writer.next_sequence()), (true, 16));
        let mut journal =
            Journal::resume(&shop.ring, &shop.cursor, RING_CAPACITY_MIN, 1, 16).expect("resumed");
        assert_eq!(journal.life(), 1);
        for life in 0..30 {
            shop.append(&mut journal, 7);
            writer.drain().expect("drained");
            assert_eq!(take(&mut tail), range(16 + life * 7..=22 + life * 7));
        }
        drop((writer, journal));
        // Another epoch does not go on in it.
        let (writer, goes_on) = reopen(2).expect("recovered");
        assert!(!goes_on && !shop.ring.exists());
        assert_eq!(writer.next_sequence(), 226);
    }

    #[test]
    fn catching_up_takes_all_there_is() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        for _ in 0..40 {
            shop.append(&mut journal, 50);
            writer.drain().expect("drained");
        }
        shop.append(&mut journal, 20);
        let mut tail = Tail::attach_from(&shop.ring, Some(&shop.dir), 1).expect("attached");
        let mut taken = Vec::new();
        tail.catch_up(|record| taken.push(record.sequence)).expect("all there");
        assert_eq!(taken, range(1..=2020));
        shop.append(&mut journal, 1);
        assert_eq!(take(&mut tail), [2021]);
        let mut blind = Tail::attach_from(&shop.ring, None, 1).expect("attached");
        assert!(blind.catch_up(|_| {}).expect_err("long gone").to_string().contains("records are lost"));
    }

    #[test]
    fn lapped_it_reads_the_segments_and_misses_nothing() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        let mut tail = Tail::attach(&shop.ring, Some(&shop.dir)).expect("attached");
        shop.append(&mut journal, 3);
        assert_eq!(take(&mut tail), range(1..=3));
        for _ in 0..10 {
            shop.append(&mut journal, RING_CAPACITY_MIN as u64 - 3);
            writer.drain().expect("drained");
        }
        shop.append(&mut journal, 5);
        assert_eq!(take(&mut tail), range(4..=618));
        assert!(tail.failure().is_none());
        shop.append(&mut journal, 2);
        assert_eq!(take(&mut tail), [619, 620]);
    }

    #[test]
    fn without_segments_it_counts_what_it_lost() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        let mut tail = Tail::attach_from(&shop.ring, None, 1).expect("attached");
        for _ in 0..10 {
            shop.append(&mut journal, 50);
            writer.drain().expect("drained");
        }
        let Polled::Lapped { missed } = tail.poll() else { panic!("not lapped") };
        let taken = take(&mut tail);
        assert_eq!(missed + taken.len() as u64, 500);
        assert_eq!((taken[0], tail.missed()), (missed + 1, missed));
    }

    #[test]
    fn segments_that_cannot_be_read_are_a_loss_with_a_reason() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        let mut tail = Tail::attach(&shop.ring, Some(&shop.dir)).expect("attached");
        for _ in 0..5 {
            shop.append(&mut journal, 60);
            writer.drain().expect("drained");
        }
        std::fs::write(shop.dir.join("00000001.journal"), "nonsense").expect("written");
        // The tail had not read a record yet, so it takes the oldest of the ring as its first.
        let Polled::Message(first) = tail.poll() else { panic!("no record") };
        for _ in 0..5 {
            shop.append(&mut journal, 60);
            writer.drain().expect("drained");
        }
        let behind = take_lapped(&mut tail, first.sequence);
        assert_eq!(behind, tail.missed());
        assert!(tail.failure().expect("a reason").to_string().contains("00000001.journal"));
    }

    /// Polls until lapped; returns how many were missed.
    fn take_lapped(tail: &mut Tail, after: u64) -> u64 {
        let mut last = after;
        for _ in 0..100_000 {
            match tail.poll() {
                Polled::Message(record) => {
                    assert_eq!(record.sequence, last + 1);
                    last = record.sequence;
                }
                Polled::Empty => break,
                Polled::Lapped { missed } => return missed,
            }
        }
        panic!("never lapped");
    }

    #[test]
    fn it_starts_in_the_past_and_crosses_a_restart() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        shop.append(&mut journal, 60);
        writer.drain().expect("drained");
        shop.append(&mut journal, 10);
        let mut tail = Tail::attach_from(&shop.ring, Some(&shop.dir), 5).expect("attached");
        assert_eq!(take(&mut tail), range(5..=70));
        assert!(!tail.refresh().expect("current"));
        // Two more that the tail does not see before the owner dies.
        shop.append(&mut journal, 2);
        drop((writer, journal));
        let (mut writer, mut journal) = shop.start(2);
        shop.append(&mut journal, 4);
        writer.drain().expect("drained");
        assert!(tail.refresh().expect("attached again"));
        assert_eq!(take(&mut tail), range(71..=76));
        assert!(Tail::attach_from(&shop.ring, None, 0).is_err());
    }
}
