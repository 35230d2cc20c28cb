//! Every reader of shared memory in a storm: its file is written all over between its reads, or while it reads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use engine::counters::halt::{HaltPage, HaltReader, HaltState};
use engine::counters::heartbeat::HeartbeatReader;
use engine::counters::{
    CellReader, CellWriter, CounterReader, Counters, Heartbeat, HistogramReader, Histograms,
};
use engine::domain::{Nanos, SourceId};
use engine::message::{Intent, Tick};
use engine::primitive::Ordering;
use engine::ring::backlog::Backlog;
use engine::ring::broadcast::Polled;
use engine::ring::{broadcast, bytes, spsc};
use engine::shm::{Expected, Readable, SegmentKind, SegmentSpec, Writable};

use crate::scribble::Scribbler;

/// Words stored at each reader, and between two of its reads.
const WRITES: u64 = 60_000;
const BURST: u64 = 3;

/// Stores words all over `folder` between the calls of `read`, which gets the number of the call.
fn storm(folder: &Path, mut read: impl FnMut(u64)) {
    let mut scribbler = Scribbler::of(folder, 1);
    for n in 0..WRITES / BURST {
        scribbler.burst(BURST);
        read(n);
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn rings_are_read_in_bounds_and_in_order() {
    let (hostile, own) = (folder(), folder());
    let at = |name: &str| hostile.path().join(name);
    let cursor = |name: &str| own.path().join(name);
    let mut intents =
        spsc::Producer::<Intent>::create_watched(&at("intents"), &cursor("intents"), 64, 1).expect("made");
    let mut ticks = broadcast::Producer::<Tick>::create(&at("ticks"), 64, 1).expect("made");
    let mut frames = bytes::Producer::create(&at("frames"), &cursor("frames"), 4_096, 1).expect("made");
    for n in 0..20_u64 {
        intents.try_push(&Intent::default()).expect("room");
        ticks.publish(&Tick::default());
        frames.try_push([n; 3], &[b"a frame of some length"]).expect("room");
    }
    let mut taking = spsc::Consumer::<Intent>::attach(&at("intents"), &cursor("intents")).expect("attached");
    let mut reading = broadcast::Reader::<Tick>::attach(&at("ticks")).expect("attached");
    let mut framing = bytes::Consumer::attach(&at("frames"), &cursor("frames")).expect("attached");
    let backlog = Backlog::<Intent>::attach(&at("intents"), &cursor("intents")).expect("attached");
    let mut defects = [0_u32; 3];
    storm(hostile.path(), |n| {
        let before = taking.position();
        assert_eq!(u64::from(taking.poll().is_some()), taking.position() - before);
        let before = reading.position();
        let moved = match reading.poll() {
            Polled::Message(_) => 1,
            Polled::Empty => 0,
            Polled::Lapped { missed } => missed,
        };
        assert_eq!(reading.position(), before + moved);
        framing.poll(&mut |_, payload| assert!(payload.len() <= 4_096 / 2));
        assert!(backlog.waiting() <= backlog.capacity());
        let _ = (backlog.oldest(), broadcast::Reader::<Tick>::attach(&at("ticks")));
        let found = [taking.defect(), reading.defect(), framing.defect()];
        found.iter().zip(&mut defects).for_each(|(found, count)| *count += u32::from(found.is_some()));
        if n % 500 == 0 {
            // Attached anew, or refused: by a descriptor or a head that cannot be.
            let again = spsc::Consumer::<Intent>::attach(&at("intents"), &cursor("intents"));
            if let Ok(again) = again {
                taking = again;
            }
        }
    });
    assert!(defects.iter().all(|&count| count > 0), "every kind of ring is found out: {defects:?}");
}

#[test]
fn pages_are_read_in_bounds_and_on_the_safe_side() {
    let hostile = folder();
    let at = |name: &str| hostile.path().join(name);
    let _halts = HaltPage::create(&at("halts"), 1).expect("made");
    let mut cells = CellWriter::<[u64; 40]>::create(&at("cells"), 8, 1).expect("made");
    let _heart = Heartbeat::create(&at("heart"), 1).expect("made");
    let _counters = Counters::create(&at("counters"), &["one", "two"], 1).expect("made");
    let mut times = Histograms::create(&at("times"), &["stage"], 1).expect("made");
    (0..8).for_each(|n| cells.write(n, &[n as u64; 40]));
    times.record(0, 1_000);
    let halts = HaltReader::attach(&at("halts")).expect("attached");
    let cells = CellReader::<[u64; 40]>::attach(&at("cells")).expect("attached");
    let heart = HeartbeatReader::attach(&at("heart")).expect("attached");
    let counters = CounterReader::attach(&at("counters")).expect("attached");
    let times = HistogramReader::attach(&at("times")).expect("attached");
    let mut halted = 0;
    storm(hostile.path(), |n| {
        let state = halts.state(SourceId((n % 70) as u16), (n % 20_000) as u32);
        halted += u32::from(state == HaltState::Halted);
        let _ = (cells.read((n % 9) as usize), heart.cycles(), heart.time() > Nanos::ZERO);
        assert_eq!(counters.iter().count(), 2, "names are read once");
        let snapshot = times.get("stage").expect("names are read once");
        let _ = (snapshot.percentile(999, 1_000), snapshot.cells().len());
        let _ = (CounterReader::attach(&at("counters")), HistogramReader::attach(&at("times")));
    });
    assert!(halted > 0, "what cannot be read is halted");
}

/// The planted bug: a reader that takes its place in the ring from the ring itself.
struct Trusting(Readable);

impl Trusting {
    fn read(&self) -> u64 {
        let words = self.0.body();
        let head = words[0].load(Ordering::Relaxed);
        words[1 + head as usize].load(Ordering::Relaxed)
    }
}

#[test]
fn a_reader_that_trusts_an_index_of_shared_memory_is_caught() {
    let hostile = folder();
    let path = hostile.path().join("ring");
    let (kind, layout, element_size) = (SegmentKind::Cells, 1, 8);
    let spec = SegmentSpec { kind, layout, element_size, capacity: 63, epoch: 1, body_bytes: 512, parent: 0 };
    let _owner = Writable::create(&path, &spec).expect("made");
    let reader = Readable::attach(&path, &Expected { kind, layout, element_size }).expect("attached");
    let trusting = Trusting(reader);
    assert_eq!(trusting.read(), 0, "it works as long as everybody is honest");
    let storm = AssertUnwindSafe(|| storm(hostile.path(), |_| _ = trusting.read()));
    let caught = catch_unwind(storm).expect_err("the storm finds it");
    let text = caught.downcast_ref::<String>().map_or("", String::as_str);
    assert!(text.contains("out of bounds"), "{text}");
}
