//! Files: tapes, journals, and what other processes map.

use std::cell::RefCell;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use engine::counters::CounterReader;
use engine::counters::halt::{HaltPage, HaltReader};
use engine::domain::Nanos;
use engine::journal::{
    Decision, Describer, EpochStart, Halt, InputRecord, InstrumentRow, Journal, JournalReader, JournalWriter,
    Record, SegmentOptions, Unsent, verify,
};
use engine::message::{Answer, Intent, Report, Tick};
use engine::ring::{broadcast, spsc};
use engine::venue::VenueEvent;
use engine::venue::replay::TapeReader;
use tempfile::TempDir;
use zerocopy::{FromBytes, IntoBytes};

/// Lines of a tape that are read at most: a small file may unpack to a large one.
const LINES_MAX: usize = 10_000;

thread_local! {
    static SCRATCH: RefCell<TempDir> = RefCell::new(scratch());
}

fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("trading-fuzz-").tempdir_in(parent).expect("a folder")
}

fn write(name: &str, data: &[u8]) -> PathBuf {
    SCRATCH.with_borrow(|scratch| {
        let path = scratch.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        // A new file each time: readers may hold the old one.
        _ = std::fs::remove_file(&path);
        std::fs::write(&path, data).expect("written");
        path
    })
}

/// A tape, packed or not, of either format.
pub fn tapes(data: &[u8]) {
    let input = Box::new(Cursor::new(data.to_vec()));
    let Ok(mut reader) = TapeReader::from_read(input, PathBuf::from("fuzz")) else { return };
    let mut last = 0;
    for _ in 0..LINES_MAX {
        match reader.next() {
            Ok(Some(line)) => {
                assert!(line.line > last, "line {} after {last}", line.line);
                last = line.line;
            }
            Ok(None) => break,
            // An error is one line that names the place.
            Err(error) => {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
                break;
            }
        }
    }
}

pub fn tape_seeds() -> Vec<Vec<u8>> {
    [
        "1700000000000000000\tws\t{\"u\":1}\n1700000000000000001\trest https://x/api/v3/depth?symbol=A\t{}\n",
        "1700000000000000000 {\"stream\":\"a\",\"data\":{}}\n1700000000000000001 {\"lastUpdateId\":1}\n",
        "1\tuser\t{}\n2\torder\t{}\n",
        "1\tsbe\t1a0011270100\n2\tsbe\tzz\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Records of a journal, taken one by one.
pub fn records(data: &[u8]) {
    let mut describer = Describer::new();
    for bytes in data.chunks_exact(size_of::<Record>()) {
        let record = Record::read_from_bytes(bytes).expect("any bits are a record");
        _ = (record.read::<Report>(), record.read::<Decision>(), record.read::<InputRecord>());
        _ = record.read::<Answer>().map(|answer| VenueEvent::try_from(&answer));
        _ = record.read::<EpochStart>().map(|start| start.name().map(str::len));
        _ = record.read::<Halt>().map(|halt| halt.reason().map(str::len));
        _ = record.read::<InstrumentRow>().map(|row| row.facts());
        assert_eq!(describer.line(&record).lines().count(), 1, "one line a record");
        _ = describer.json(&record);
    }
}

pub fn record_seeds() -> Vec<Vec<u8>> {
    let now = Nanos::from_secs(1);
    let report = Record::new(1, 1, now, 1, &Report::default());
    let decision =
        Record::new(2, 1, now, 1, &Decision::new(Intent::default(), engine::error::RejectCode::None, 0));
    let start = Record::new(3, 1, now, 1, &EpochStart::new("risk", 0, 1, now, 1, 0));
    let input = Record::new(4, 1, now, 1, &InputRecord::new(0, 1));
    let answer = Record::new(5, 1, now, 1, &Answer { kind: 1, ..Answer::default() });
    let unsent = Record::new(6, 1, now, 1, &Unsent::new(1));
    let all = [report, decision, start, input, answer, unsent];
    all.iter().map(|record| record.as_bytes().to_vec()).chain([all.as_bytes().to_vec()]).collect()
}

/// A journal of one segment.
pub fn segments(data: &[u8]) {
    let path = write("journal/00000001.journal", data);
    let directory = path.parent().expect("a parent");
    let read =
        JournalReader::open(directory).map(|reader| reader.take(LINES_MAX).filter(Result::is_ok).count());
    // Whoever verifies a journal sees what a reader sees.
    assert!(verify(directory).is_err() || read.is_ok());
}

pub fn segment_seeds() -> Vec<Vec<u8>> {
    let scratch = scratch();
    let path = |name: &str| scratch.path().join(name);
    let options = SegmentOptions { segment_records: 8, sync: false, ..SegmentOptions::new("risk") };
    let mut writer =
        JournalWriter::open(&path("seed"), &options, &path("ring"), &path("cursor")).expect("opened");
    let mut journal = Journal::create(&path("ring"), &path("cursor"), 64, 1, 1).expect("made");
    writer.attach().expect("attached");
    for number in 1..=5 {
        let report = Report { venue_order_id: number, ..Report::default() };
        journal.append(Nanos::from_secs(1), 1, &report).expect("room");
    }
    while writer.drain().expect("written") > 0 {}
    writer.retire().expect("closed");
    vec![std::fs::read(path("seed/00000001.journal")).expect("a segment")]
}

/// Files that another process made, whatever they hold: attached or refused in one line, and read without harm.
pub fn mappings(data: &[u8]) {
    let path = write("mapped", data);
    if let Ok(mut ticks) = broadcast::Reader::<Tick>::attach(&path) {
        (0..100).for_each(|_| _ = ticks.poll());
    }
    if let Ok(halts) = HaltReader::attach(&path) {
        _ = halts.state(engine::domain::SourceId(0), 0);
    }
    if let Ok(counters) = CounterReader::attach(&path) {
        _ = counters.get("frames");
    }
    let cursor = path.with_extension("cursor");
    if let Ok(mut intents) = spsc::Consumer::<Intent>::attach(&path, &cursor) {
        (0..100).for_each(|_| _ = intents.poll());
    }
}

pub fn mapping_seeds() -> Vec<Vec<u8>> {
    let scratch = scratch();
    let path = |name: &str| scratch.path().join(name);
    let mut ticks = broadcast::Producer::create(&path("ticks"), 64, 1).expect("made");
    (0..10).for_each(|_| ticks.publish(&Tick::default()));
    let _intents = spsc::Producer::<Intent>::create(&path("intents"), &path("cursor"), 64, 1).expect("made");
    let _halts = HaltPage::create(&path("halts"), 1).expect("made");
    ["ticks", "intents", "halts"].map(|name| std::fs::read(path(name)).expect("a file")).to_vec()
}
