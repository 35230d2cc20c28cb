//! The cold side of a journal: takes records from the ring, writes them to segments, syncs, and only then gives
//! their slots back.

use std::fs;
use std::path::{Path, PathBuf};

use crate::crash;
use crate::domain::{Instruments, Nanos};
use crate::error::SetupError;
use crate::journal::appender::Journal;
use crate::journal::digest::{Digest, StateHash};
use crate::journal::payload::{EpochStart, InstrumentRow};
use crate::journal::record::Record;
use crate::journal::writer::{SegmentOptions, SegmentWriter};
use crate::ring::tail::Consumer;

/// Most records of one group commit: 128 KiB, under a millisecond to sync on the disks we know.
pub const GROUP_MAX: usize = 1024;

/// The instrument table of the last epoch, as far as it is written.
#[derive(Clone, Copy)]
struct Table {
    epoch: u32,
    /// Rows that the epoch's start promises.
    promised: u32,
    rows: u32,
}

impl Table {
    fn follow(table: &mut Option<Self>, record: &Record) {
        if let Some(start) = record.read::<EpochStart>() {
            *table = Some(Self { epoch: record.epoch, promised: start.instruments, rows: 0 });
        } else if let Some(table) = table
            && record.read::<InstrumentRow>().is_some()
        {
            table.rows += 1;
        }
    }
}

/// Moves one journal from its ring to its segments. Lives on a thread of its own, which calls
/// [`drain`](Self::drain) every millisecond or sooner.
pub struct JournalWriter {
    segments: SegmentWriter,
    digest: Digest,
    table: Option<Table>,
    ring: PathBuf,
    cursor: PathBuf,
    consumer: Option<Consumer<Record>>,
    batch: Vec<Record>,
}

impl JournalWriter {
    /// Recovers the journal in `dir`: verifies its segments, moves into them what an earlier life left in the ring,
    /// and removes that ring. After this the owner makes a new ring and [`attach`](Self::attach)es it here.
    ///
    /// # Errors
    /// When the segments are damaged, or the ring is there but cannot be read (left by another build: drain it with
    /// that build) or does not follow the segments.
    pub fn open(
        dir: &Path,
        options: &SegmentOptions,
        ring: &Path,
        cursor: &Path,
    ) -> Result<Self, SetupError> {
        let mut writer = Self::recover(dir, options, ring, cursor)?;
        if writer.consumer.is_some() {
            writer.remove_ring()?;
        }
        Ok(writer)
    }

    /// Recovers the journal as [`open`](Self::open) does, but leaves a ring of `epoch` in place, emptied and attached:
    /// the owner goes on in it (`Journal::resume`), and whoever follows it needs not attach again. Says whether there
    /// was one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_in_epoch(
        dir: &Path,
        options: &SegmentOptions,
        ring: &Path,
        cursor: &Path,
        epoch: u32,
    ) -> Result<(Self, bool), SetupError> {
        let mut writer = Self::recover(dir, options, ring, cursor)?;
        let goes_on = writer.consumer.as_ref().map(|consumer| consumer.epoch() == epoch);
        if goes_on == Some(false) {
            writer.remove_ring()?;
        }
        Ok((writer, goes_on == Some(true)))
    }

    /// Verifies the segments and moves into them what the ring holds, if there is one; it stays attached.
    fn recover(dir: &Path, options: &SegmentOptions, ring: &Path, cursor: &Path) -> Result<Self, SetupError> {
        let (mut digest, mut table, mut last) = (Digest::new(), None, None);
        let segments = SegmentWriter::open(dir, options, |record| {
            digest.update(record);
            Table::follow(&mut table, record);
            last = Some(*record);
        })?;
        let mut writer = Self {
            segments,
            digest,
            table,
            ring: ring.to_owned(),
            cursor: cursor.to_owned(),
            consumer: None,
            batch: Vec::with_capacity(GROUP_MAX),
        };
        if ring.exists() {
            writer.attach()?;
            writer.skip_written(last.as_ref())?;
            while writer.drain()? > 0 {}
        }
        Ok(writer)
    }

    /// Attaches to the ring that the owner has made.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn attach(&mut self) -> Result<(), SetupError> {
        self.consumer = Some(Consumer::attach(&self.ring, &self.cursor)?);
        Ok(())
    }

    /// Has `journal`, which this writer drains, begin its epoch at `at`, `elapsed` on the monotonic clock: with `start` and
    /// the rows of `instruments`, as far as an earlier life was not killed before it wrote them. To be called before the
    /// owner appends anything else.
    ///
    /// # Errors
    /// When another table was begun, or what is to be written cannot be.
    pub fn begin_epoch(
        &mut self,
        journal: &mut Journal,
        start: &EpochStart,
        instruments: &Instruments,
        (at, elapsed): (Nanos, i64),
    ) -> Result<(), SetupError> {
        let table = self.table.filter(|table| table.epoch == journal.epoch());
        let written = table.map_or(0, |table| table.rows);
        if let Some(Table { promised, .. }) = table
            && written < promised
            && promised != start.instruments
        {
            let reason = format!(
                "began a table of {promised} instruments, not {}; a new table needs a new epoch",
                start.instruments
            );
            return Err(SetupError::file(&self.ring, reason));
        }
        let full = |ring: &Path| SetupError::file(ring, "is full at the start");
        if table.is_none() {
            journal.append(at, elapsed, start).map_err(|_| full(&self.ring))?;
        }
        for (index, instrument) in instruments.iter().skip(written as usize) {
            // The table may be longer than the ring.
            while journal.free() == 0 {
                self.drain()?;
            }
            let row = InstrumentRow::new(index, instrument);
            journal.append(at, elapsed, &row).map_err(|_| full(&self.ring))?;
        }
        while self.drain()? > 0 {}
        Ok(())
    }

    /// Writes and syncs what has arrived, then frees its slots; returns how many records that were. Call again at
    /// once while it returns [`GROUP_MAX`].
    ///
    /// # Errors
    /// When no ring is attached, the records do not follow, or writing or syncing fails: final. When the next
    /// segment cannot be allocated (disk full): everything taken is safe, and the next call tries again.
    pub fn drain(&mut self) -> Result<usize, SetupError> {
        let mut written = 0;
        loop {
            // A group ends where the segments end: what a full disk has no room for is not taken.
            let most = (GROUP_MAX - written).min(self.segments.room());
            let count = self.drain_group(most)?;
            written += count;
            if count < most || written == GROUP_MAX {
                return Ok(written);
            }
        }
    }

    /// The same for at most `most` records, for which there is room.
    fn drain_group(&mut self, most: usize) -> Result<usize, SetupError> {
        let Some(consumer) = &mut self.consumer else {
            return Err(SetupError::file(&self.ring, "no ring is attached"));
        };
        self.batch.clear();
        while self.batch.len() < most
            && let Some(record) = consumer.poll_held()
        {
            self.batch.push(record);
        }
        if self.batch.is_empty() {
            // Nothing to sync; but after a failure this must not look like a journal with nothing to do.
            self.segments.sync()?;
            self.segments.prepare_spare()?;
            return Ok(0);
        }
        self.segments.append(&self.batch)?;
        crash::point("journal.written");
        self.segments.sync()?;
        crash::point("journal.synced");
        consumer.commit();
        for record in &self.batch {
            self.digest.update(record);
            Table::follow(&mut self.table, record);
        }
        self.segments.prepare_spare()?;
        Ok(self.batch.len())
    }

    /// Ends the journal's life in good order: drains all of the ring and removes it, so that the next start, of
    /// whatever build, finds nothing to recover. The owner must have stopped.
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    pub fn retire(mut self) -> Result<(), SetupError> {
        while self.drain()? > 0 {}
        self.remove_ring()
    }

    /// Passes over records of the ring that a life killed between sync and commit had written already.
    fn skip_written(&mut self, last: Option<&Record>) -> Result<(), SetupError> {
        let Some(consumer) = &mut self.consumer else { return Ok(()) };
        while let Some(record) = consumer.peek()
            && record.sequence <= self.segments.written()
        {
            if record.sequence == self.segments.written() && Some(&record) != last {
                let reason = format!("record {} differs from the one in the segments", record.sequence);
                return Err(SetupError::file(&self.ring, reason));
            }
            let _ = consumer.poll_held();
        }
        consumer.commit();
        Ok(())
    }

    fn remove_ring(&mut self) -> Result<(), SetupError> {
        self.consumer = None;
        for path in [&self.ring, &self.cursor] {
            fs::remove_file(path).map_err(|source| SetupError::io(path, "remove", source))?;
        }
        Ok(())
    }

    /// The sequence that the owner's first record must have.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.segments.written() + 1
    }

    /// The last record that is safe from power loss (level S); 0 for none.
    #[must_use]
    pub const fn durable(&self) -> u64 {
        self.segments.durable()
    }

    /// Epoch of the last record written; 0 for none.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.segments.epoch()
    }

    /// Whether an error stopped it for good.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.segments.has_failed()
    }

    /// Frames of a torn tail that recovery moved aside.
    #[must_use]
    pub const fn quarantined(&self) -> usize {
        self.segments.quarantined()
    }

    /// The state hash of all records written, as `verify` finds it.
    #[must_use]
    pub const fn digest(&self) -> StateHash {
        self.digest.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::{Workshop, instrument, options, record, records};
    use crate::journal::reader::verify;
    use crate::limits::RING_CAPACITY_MIN;
    use crate::message::Report;
    use crate::ring::Full;

    #[test]
    fn what_is_appended_is_read_back_over_many_segments_and_epochs() {
        let shop = Workshop::new();
        for epoch in 1..=3 {
            let (mut writer, mut journal) = shop.start(epoch);
            for count in [1, 7, 8, 30] {
                shop.append(&mut journal, count);
                assert_eq!(writer.drain().expect("drained") as u64, count);
                assert_eq!(writer.durable(), journal.next_sequence() - 1);
            }
            assert_eq!(writer.drain().expect("empty"), 0);
            assert_eq!(verify(&shop.dir).expect("sound").digest, writer.digest());
            writer.retire().expect("retired");
        }
        let summary = verify(&shop.dir).expect("sound");
        assert_eq!((summary.records, summary.segments, summary.torn), (138, 18, None));
        let epochs: Vec<_> = summary.epochs.iter().map(|e| (e.epoch, e.first, e.records)).collect();
        assert_eq!(epochs, [(1, 1, 46), (2, 47, 46), (3, 93, 46)]);
        let expected: Vec<_> =
            (1..=3).flat_map(|e| records(46 * (u64::from(e) - 1) + 1, 46 * u64::from(e), e)).collect();
        assert_eq!(shop.read(), expected);
    }

    #[test]
    fn a_ring_that_nobody_drains_is_full_and_loses_nothing() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        shop.append(&mut journal, RING_CAPACITY_MIN as u64);
        assert_eq!(journal.free(), 0);
        assert_eq!(journal.append(Nanos(0), 0, &Report::default()), Err(Full));
        assert_eq!(journal.next_sequence(), 65, "a refused record takes no sequence");
        assert_eq!(writer.drain().expect("drained"), RING_CAPACITY_MIN);
        assert_eq!(journal.free(), RING_CAPACITY_MIN);
        shop.append(&mut journal, 1);
        assert_eq!(journal.position(), 65);
    }

    #[test]
    fn a_restarted_owner_drains_what_its_predecessor_left() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        shop.append(&mut journal, 5);
        writer.drain().expect("drained");
        shop.append(&mut journal, 6);
        drop((writer, journal));
        let again = Journal::create(&shop.ring, &shop.cursor, RING_CAPACITY_MIN, 2, 12);
        assert!(again.is_err(), "a ring with records is not replaced");
        let (_writer, journal) = shop.start(2);
        assert_eq!(journal.next_sequence(), 12);
        assert_eq!(shop.read(), records(1, 11, 1));
    }

    #[test]
    fn killed_between_sync_and_commit_no_record_is_written_twice() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        shop.append(&mut journal, 10);
        // What `drain` does, up to the point where the process dies.
        writer.segments.append(&records(1, 4, 1)).expect("written");
        drop((writer, journal));
        let writer = shop.open().expect("recovered");
        assert_eq!(writer.next_sequence(), 11);
        drop(writer);
        assert_eq!(shop.read(), records(1, 10, 1));
        assert_eq!(shop.open().expect("again").next_sequence(), 11);
    }

    #[test]
    fn what_could_not_be_synced_stays_in_the_ring() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        shop.append(&mut journal, 1);
        writer.drain().expect("drained");
        writer.segments.break_sync();
        shop.append(&mut journal, RING_CAPACITY_MIN as u64);
        assert!(writer.drain().is_err());
        assert_eq!((journal.free(), writer.durable()), (0, 1), "no slot is given back");
        assert!(writer.drain().is_err(), "final");
        assert!(writer.has_failed());
        drop((writer, journal));
        assert_eq!(shop.open().expect("recovered").durable(), 65);
        assert_eq!(shop.read(), records(1, 65, 1));
    }

    #[test]
    fn a_disk_without_room_is_asked_again_and_nothing_is_lost() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        shop.append(&mut journal, 5);
        writer.drain().expect("drained");
        // Nobody can make a file in what is no directory any more.
        let away = shop.dir.with_extension("away");
        std::fs::rename(&shop.dir, &away).expect("moved");
        std::fs::write(&shop.dir, b"").expect("in its place");
        shop.append(&mut journal, 20);
        for _ in 0..2 {
            let error = writer.drain().expect_err("no room").to_string();
            assert!(error.contains("00000003") && error.contains("create"), "{error}");
            assert!(!writer.has_failed());
            assert_eq!(writer.durable(), 16, "what the next segment had room for");
        }
        std::fs::remove_file(&shop.dir).expect("removed");
        std::fs::rename(&away, &shop.dir).expect("back");
        assert_eq!(writer.drain().expect("goes on"), 9);
        assert_eq!(shop.read(), records(1, 25, 1));
        writer.retire().expect("retired");
    }

    #[test]
    fn a_ring_of_another_life_is_refused() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        shop.append(&mut journal, 3);
        let other = Report { fee: 1, ..Report::default() };
        let third = Record::new(3, 1, Nanos(0), 0, &other);
        writer.segments.append(&[record(1, 1), record(2, 1), third]).expect("written");
        drop(writer);
        let error = shop.open().err().expect("refused").to_string();
        assert!(error.contains("record 3 differs"), "{error}");
    }

    #[test]
    fn a_hole_between_segments_and_ring_is_refused() {
        let shop = Workshop::new();
        let (mut writer, mut journal) = shop.start(1);
        shop.append(&mut journal, 3);
        writer.drain().expect("drained");
        shop.append(&mut journal, 3);
        drop((writer, journal));
        std::fs::remove_dir_all(&shop.dir).expect("removed");
        let error = shop.open().err().expect("refused").to_string();
        assert!(error.contains("record 4 of epoch 1 cannot follow record 0"), "{error}");
        assert!(shop.ring.exists(), "nothing is thrown away");
    }

    /// Begins epoch 2 with `symbols` in a ring that may be an earlier life's; gives its table as it is read then.
    fn begin(shop: &Workshop, symbols: &[&str]) -> Result<Vec<String>, SetupError> {
        let instruments = Instruments::new(symbols.iter().map(|symbol| instrument(symbol)).collect())?;
        let (mut writer, goes_on) =
            JournalWriter::open_in_epoch(&shop.dir, &options(), &shop.ring, &shop.cursor, 2)?;
        let next = writer.next_sequence();
        let mut journal = if goes_on {
            Journal::resume(&shop.ring, &shop.cursor, RING_CAPACITY_MIN, 2, next)?
        } else {
            let journal = Journal::create(&shop.ring, &shop.cursor, RING_CAPACITY_MIN, 2, next)?;
            writer.attach()?;
            journal
        };
        let start = EpochStart::new("test", 1, u32::try_from(symbols.len()).expect("few"), Nanos::ZERO, 0, 0);
        writer.begin_epoch(&mut journal, &start, &instruments, (Nanos::ZERO, 0))?;
        let records = shop.read();
        let epoch = records.iter().filter(|record| record.epoch == 2);
        let starts = epoch.clone().filter(|record| record.read::<EpochStart>().is_some()).count();
        assert_eq!(starts, 1);
        let rows = epoch.filter_map(|record| record.read::<InstrumentRow>()?.facts());
        Ok(rows.map(|facts| facts.symbol.to_string()).collect())
    }

    #[test]
    fn a_table_that_a_death_cut_short_is_completed() {
        let symbols = ["AUSDT", "BUSDT", "CUSDT"];
        // Killed after the ring was made, after the epoch's start, and after each row; drained by then, or not.
        for (written, drained) in (0..=4).flat_map(|written| [(written, false), (written, true)]) {
            let shop = Workshop::new();
            let (mut writer, mut first) = shop.start(1);
            shop.append(&mut first, 3);
            drop(first);
            writer.drain().expect("drained");
            writer.retire().expect("retired");
            let (mut writer, mut journal) = shop.start(2);
            let start = EpochStart::new("test", 1, 3, Nanos::ZERO, 0, 0);
            if written > 0 {
                journal.append(Nanos::ZERO, 0, &start).expect("room");
            }
            for (index, symbol) in (0..written.max(1) - 1).zip(symbols) {
                let row = InstrumentRow::new(index, &instrument(symbol));
                journal.append(Nanos::ZERO, 0, &row).expect("room");
            }
            if drained {
                writer.drain().expect("drained");
            }
            drop((writer, journal));
            if (1..4).contains(&written) {
                let error = begin(&shop, &symbols[..2]).expect_err("another table").to_string();
                assert!(error.contains("began a table of 3 instruments, not 2"), "{error}");
            }
            assert_eq!(begin(&shop, &symbols).expect("completed"), symbols, "{written} {drained}");
            assert_eq!(begin(&shop, &symbols).expect("again"), symbols);
        }
    }

    #[test]
    fn epochs_and_sequences_count_from_one() {
        let shop = Workshop::new();
        for (epoch, next) in [(0, 1), (1, 0)] {
            assert!(Journal::create(&shop.ring, &shop.cursor, 64, epoch, next).is_err());
        }
        let mut writer =
            JournalWriter::open(&shop.dir, &options(), &shop.ring, &shop.cursor).expect("opened");
        assert!(writer.drain().is_err(), "no ring yet");
    }
}
