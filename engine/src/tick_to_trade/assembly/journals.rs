//! The journals of an engine: opened, drained, retired.

use std::path::{Path as FilePath, PathBuf};

use crate::clock::Stopwatch;
use crate::counters::Histograms;
use crate::error::SetupError;
use crate::journal::digest::combine;
use crate::journal::{EpochStart, Health, Journal, JournalWriter, SegmentOptions, StateHash};
use crate::shm::identity::BUILD_HASH;
use crate::tick_to_trade::assembly::config::PathConfig;

/// Name of the one histogram of a journal: from taking a batch of records to having it written, and synced where the
/// journal is.
pub const JOURNAL_STAGE: &str = "journal";

/// A journal's writer, with the times that it takes.
struct Timed {
    name: &'static str,
    writer: JournalWriter,
    stopwatch: Stopwatch,
    histograms: Histograms,
}

impl Timed {
    fn new(name: &'static str, writer: JournalWriter, config: &PathConfig) -> Result<Self, SetupError> {
        let path = config.ipc.journal_histograms(name);
        let histograms = Histograms::create(&path, &[JOURNAL_STAGE], config.epoch)?;
        Ok(Self { name, writer, stopwatch: config.stopwatch, histograms })
    }

    fn drain(&mut self) -> Result<usize, SetupError> {
        let started = self.stopwatch.elapsed();
        let written = self.writer.drain()?;
        if written > 0 {
            self.histograms.record(0, (self.stopwatch.elapsed() - started).0.unsigned_abs());
        }
        Ok(written)
    }
}

/// The journals' cold side: one writer a journal.
pub struct JournalSet {
    writers: Vec<Timed>,
    ring: usize,
    undrained: usize,
    health: Health,
}

/// Directory of a journal.
#[must_use]
pub fn journal_directory(journals: &FilePath, name: &str) -> PathBuf {
    journals.join(name)
}

impl JournalSet {
    /// Writers of no journal yet; each ring holds `ring` records.
    #[must_use]
    pub fn new(ring: usize) -> Self {
        Self { writers: Vec::new(), ring, undrained: 0, health: Health::default() }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writers.is_empty()
    }

    /// How the journals are, as their owners see it at once.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Recovers the journal called `name`, makes its ring, and writes the epoch's start and instrument table. Where
    /// agents are apart, an owner that was restarted goes on in the ring of its last life.
    ///
    /// # Errors
    /// When the journal is damaged or the files cannot be made.
    pub fn open(&mut self, name: &'static str, config: &PathConfig) -> Result<Journal, SetupError> {
        let (ring, cursor) = (config.ipc.journal(name), config.ipc.journal_cursor(name));
        let directory = journal_directory(&config.journals, name);
        let options = SegmentOptions { sync: config.sync, ..SegmentOptions::new(name) };
        if config.apart {
            let (writer, goes_on) =
                JournalWriter::open_in_epoch(&directory, &options, &ring, &cursor, config.epoch)?;
            if goes_on {
                let (capacity, next) = (config.rings.journal, writer.next_sequence());
                let journal = Journal::resume(&ring, &cursor, capacity, config.epoch, next)?;
                return self.begin(name, config, (writer, journal));
            }
            return self.create(name, config, writer);
        }
        let writer = JournalWriter::open(&directory, &options, &ring, &cursor)?;
        self.create(name, config, writer)
    }

    /// Makes a new ring behind `writer` and begins the epoch in it.
    fn create(
        &mut self,
        name: &'static str,
        config: &PathConfig,
        mut writer: JournalWriter,
    ) -> Result<Journal, SetupError> {
        let (ring, cursor) = (config.ipc.journal(name), config.ipc.journal_cursor(name));
        let journal =
            Journal::create(&ring, &cursor, config.rings.journal, config.epoch, writer.next_sequence())?;
        writer.attach()?;
        self.begin(name, config, (writer, journal))
    }

    /// Begins the epoch in the ring, or completes its beginning.
    fn begin(
        &mut self,
        name: &'static str,
        config: &PathConfig,
        (mut writer, mut journal): (JournalWriter, Journal),
    ) -> Result<Journal, SetupError> {
        let count = u32::try_from(config.instruments.len()).unwrap_or(u32::MAX);
        let start = EpochStart::new(name, writer.epoch(), count, config.now, BUILD_HASH, 0);
        let elapsed = config.stopwatch.elapsed().0;
        writer.begin_epoch(&mut journal, &start, &config.instruments, (config.now, elapsed))?;
        self.writers.push(Timed::new(name, writer, config)?);
        Ok(journal.heeding(self.health.clone()))
    }

    /// Writes what has arrived; returns how many records. Tells [`health`](Self::health) what it finds.
    ///
    /// # Errors
    /// When a journal cannot be written: final. When a disk has no room for a next segment: the other journals are
    /// written, and the next call tries again.
    pub fn drain(&mut self) -> Result<usize, SetupError> {
        self.undrained = 0;
        let (mut written, mut no_room) = (0, None);
        for timed in &mut self.writers {
            match timed.drain() {
                Ok(count) => written += count,
                Err(error) if timed.writer.has_failed() => {
                    self.health.fail(&error);
                    return Err(error);
                }
                Err(error) => no_room = no_room.or(Some(error)),
            }
        }
        self.health.has_room(no_room.is_none());
        no_room.map_or(Ok(written), Err)
    }

    /// Writes until nothing is left.
    ///
    /// # Errors
    /// When a journal cannot be written.
    pub fn drain_all(&mut self) -> Result<(), SetupError> {
        while self.drain()? > 0 {}
        Ok(())
    }

    /// For a driver that is the agents' own thread: drains often enough that no ring passes half its capacity. To be
    /// called after every duty cycle, which appends at most a few records an input.
    ///
    /// # Errors
    /// When a journal cannot be written.
    pub fn drain_after(&mut self, work: usize) -> Result<(), SetupError> {
        self.drain_behind(work * RECORDS_PER_MESSAGE)
    }

    /// The same for a driver that knows how many `records` there may be since the last call.
    ///
    /// # Errors
    /// When a journal cannot be written.
    #[inline]
    pub fn drain_behind(&mut self, records: usize) -> Result<(), SetupError> {
        self.undrained += records;
        if self.undrained >= self.ring / 2 { self.drain_all() } else { Ok(()) }
    }

    /// State hash of the journals of risk and route together.
    #[must_use]
    pub fn state_hash(&self) -> StateHash {
        let logical = self.writers.iter().filter(|timed| timed.name != "input");
        combine(&logical.map(|timed| timed.writer.digest()).collect::<Vec<_>>())
    }

    /// Ends every journal in good order.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn retire(self) -> Result<(), SetupError> {
        self.writers.into_iter().try_for_each(|timed| timed.writer.retire())
    }
}

/// Most records that one message makes an agent append.
const RECORDS_PER_MESSAGE: usize = 4;
