//! What the tests of this folder share.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::domain::{Filters, Instrument, InstrumentKind, Market, Nanos, Scale, Symbol};
use crate::journal::appender::Journal;
use crate::journal::drain::JournalWriter;
use crate::journal::reader::JournalReader;
use crate::journal::record::Record;
use crate::journal::writer::SegmentOptions;
use crate::limits::RING_CAPACITY_MIN;
use crate::message::Report;

/// A spot instrument.
pub(crate) fn instrument(symbol: &str) -> Instrument {
    Instrument {
        symbol: Symbol::new(symbol).expect("it fits"),
        market: Market::Spot,
        kind: InstrumentKind::Spot,
        base: "BASE".into(),
        quote: "QUOTE".into(),
        price_scale: Scale::new(2).expect("valid"),
        quantity_scale: Scale::new(5).expect("valid"),
        multiplier: 1,
        filters: Filters::default(),
        untradable: None,
    }
}

/// Record number `sequence` of `epoch`, unlike any other. Its last byte is not zero, so that a cut shows.
pub(crate) fn record(sequence: u64, epoch: u32) -> Record {
    let at = i64::try_from(sequence).expect("small");
    let venue_order_id = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let report = Report { venue_order_id, at: Nanos(-at), ..Report::default() };
    Record::new(sequence, epoch, Nanos(at), -at, &report)
}

/// Records `first..=last` of `epoch`.
pub(crate) fn records(first: u64, last: u64, epoch: u32) -> Vec<Record> {
    (first..=last).map(|sequence| record(sequence, epoch)).collect()
}

/// Writes eight records a segment, without waiting for the disk.
pub(crate) fn options() -> SegmentOptions {
    SegmentOptions { segment_records: 8, sync: false, ..SegmentOptions::new("test") }
}

/// A folder for one journal.
pub(crate) struct Workshop {
    _folder: TempDir,
    /// The segments.
    pub dir: PathBuf,
    /// The ring.
    pub ring: PathBuf,
    /// The writer's cursor.
    pub cursor: PathBuf,
}

impl Workshop {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name| folder.path().join(name);
        Self { dir: path("segments"), ring: path("ring"), cursor: path("cursor"), _folder: folder }
    }

    /// Opens the writer, as a process that starts does.
    pub(crate) fn open(&self) -> Result<JournalWriter, crate::error::SetupError> {
        JournalWriter::open(&self.dir, &options(), &self.ring, &self.cursor)
    }

    /// A life of the owner: recovers, makes the smallest ring, attaches.
    pub(crate) fn start(&self, epoch: u32) -> (JournalWriter, Journal) {
        let mut writer = self.open().expect("recovered");
        let next = writer.next_sequence();
        let journal =
            Journal::create(&self.ring, &self.cursor, RING_CAPACITY_MIN, epoch, next).expect("a ring");
        writer.attach().expect("attached");
        (writer, journal)
    }

    /// Appends `count` records.
    pub(crate) fn append(&self, journal: &mut Journal, count: u64) {
        for _ in 0..count {
            let sequence = journal.next_sequence();
            let record = record(sequence, journal.epoch());
            let report = record.read::<Report>().expect("a report");
            assert_eq!(journal.append(record.at, record.elapsed, &report), Ok(sequence));
        }
    }

    /// All records in the segments.
    pub(crate) fn read(&self) -> Vec<Record> {
        let reader = JournalReader::open(&self.dir).expect("opened");
        reader.collect::<Result<_, _>>().expect("sound")
    }
}
