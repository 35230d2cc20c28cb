//! The owner cuts a file short while another process reads it: the reader lives, knows, and believes nothing.

use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use engine::counters::halt::{HaltPage, HaltReader, HaltState};
use engine::counters::{CellReader, CellWriter, Heartbeat};
use engine::domain::{Nanos, SourceId};
use engine::message::{Intent, Tick};
use engine::ring::broadcast::Polled;
use engine::ring::{Defect, broadcast, spsc};
use libc::{SIGBUS, c_int};
use memmap2::MmapOptions;

use crate::world::until;
use crate::{Killed, child};

const CAPACITY: usize = 256;
/// More than a page of either ring.
const MESSAGES: usize = 100;
/// What the child's own handler ends it with.
const HANDLED: i32 = 77;

fn cut(folder: &Path, name: &str, length: u64) {
    let file = OpenOptions::new().write(true).open(folder.join(name)).expect("the owner may");
    file.set_len(length).expect("cut");
}

/// The child: reads everything until it is cut short, then says what it found by writing a file.
pub fn reads(folder: &Path, how: &str) {
    let at = |name: &str| folder.join(name);
    let mut ticks = broadcast::Reader::<Tick>::attach_at(&at("ticks"), 0).expect("attached");
    let mut intents = spsc::Consumer::<Intent>::attach(&at("intents"), &at("cursor")).expect("attached");
    let cells = CellReader::<[u64; 500]>::attach(&at("cells")).expect("attached");
    let halts = HaltReader::attach(&at("halts")).expect("attached");
    if how == "unguarded" {
        without_the_guard();
    }
    assert_eq!((halts.state(SourceId(3), 16_000), cells.read(5)), (HaltState::Active, Some([5; 500])));
    let taken = (0..MESSAGES).filter(|_| matches!(ticks.poll(), Polled::Message(_))).count();
    assert_eq!((taken, (0..MESSAGES).filter_map(|_| intents.poll()).count()), (MESSAGES, MESSAGES));
    fs::write(at("ready"), b"").expect("written");
    until("every file cut short", || {
        let _ = (ticks.poll(), intents.poll());
        let halted = halts.state(SourceId(3), 16_000) == HaltState::Halted;
        halted && cells.read(5).is_none() && ticks.defect().is_some() && intents.defect().is_some()
    });
    let defects = (ticks.defect(), intents.defect());
    assert_eq!(defects, (Some(Defect::CutShort), Some(Defect::CutShort)));
    assert_eq!((ticks.poll(), intents.poll(), cells.read(0)), (Polled::Empty, None, None));
    assert!(!ticks.is_current() && !intents.is_current() && !cells.is_current() && !halts.is_current());
    let again = broadcast::Reader::<Tick>::attach(&at("ticks")).err().expect("not attached again");
    let again = again.to_string();
    assert!(again.contains("is too short") || again.contains("its descriptor says"), "{again}");
    fs::write(at("survived"), b"").expect("written");
}

/// The planted bug: what stood here before there was a guard.
fn without_the_guard() {
    // SAFETY: the default disposition has no handler that could be wrong.
    #[allow(unsafe_code)]
    unsafe {
        libc::signal(SIGBUS, libc::SIG_DFL);
    }
}

extern "C" fn handles(_signal: c_int) {
    // SAFETY: `_exit` may be called in a handler.
    #[allow(unsafe_code)]
    unsafe {
        libc::_exit(HANDLED);
    }
}

/// The child: a fault that is not of our mappings goes to who stood there before us.
pub fn faults_elsewhere(folder: &Path, handled: bool) {
    if handled {
        // SAFETY: the handler does only what a handler may.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(SIGBUS, handles as extern "C" fn(c_int) as usize);
        }
    }
    let _guarded = HaltReader::attach(&folder.join("halts")).expect("attached");
    let path = folder.join("elsewhere");
    fs::write(&path, [1; 4096]).expect("written");
    let file = OpenOptions::new().read(true).write(true).open(&path).expect("there");
    // SAFETY: the file is this test's own, and its being cut short is what is tested.
    #[allow(unsafe_code)]
    let map = unsafe { MmapOptions::new().map(&file).expect("mapped") };
    file.set_len(0).expect("cut");
    let byte = map[100];
    panic!("read {byte} from a file that is gone");
}

struct Owner {
    folder: tempfile::TempDir,
    _ticks: broadcast::Producer<Tick>,
    _intents: spsc::Producer<Intent>,
    _cells: CellWriter<[u64; 500]>,
    _halts: HaltPage,
}

fn owner() -> Owner {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let mut ticks = broadcast::Producer::create(&at("ticks"), CAPACITY, 1).expect("made");
    let mut intents = spsc::Producer::create(&at("intents"), &at("cursor"), CAPACITY, 1).expect("made");
    let mut cells = CellWriter::create(&at("cells"), 10, 1).expect("made");
    (0..10).for_each(|n| cells.write(n, &[n as u64; 500]));
    (0..MESSAGES).for_each(|_| ticks.publish(&Tick::default()));
    (0..MESSAGES).for_each(|_| intents.try_push(&Intent::default()).expect("room"));
    let halts = HaltPage::create(&at("halts"), 1).expect("made");
    Owner { _ticks: ticks, _intents: intents, _cells: cells, _halts: halts, folder }
}

impl Owner {
    /// Cuts every file to `length` under the reader.
    fn betray(&self, role: &str, length: u64) -> std::process::ExitStatus {
        let folder = self.folder.path().to_owned();
        let mut reader = Killed(child(role, &folder).spawn().expect("a child"));
        until("the reader", || folder.join("ready").exists());
        ["cells", "halts", "ticks", "intents"].iter().for_each(|name| cut(&folder, name, length));
        reader.0.wait().expect("reaped")
    }
}

#[test]
fn a_reader_outlives_its_files_and_believes_nothing() {
    for length in [0, 4_096, 4_104] {
        let owner = owner();
        let status = owner.betray("reads", length);
        assert!(status.success(), "cut to {length}: {status}");
        assert!(owner.folder.path().join("survived").exists());
    }
}

#[test]
fn without_the_guard_the_reader_dies() {
    let status = owner().betray("reads without the guard", 0);
    assert_eq!(status.signal(), Some(SIGBUS), "{status}");
}

#[test]
fn a_fault_elsewhere_is_not_ours() {
    let owner = owner();
    let run = |role| child(role, owner.folder.path()).status().expect("it ran");
    assert_eq!(run("faults elsewhere").signal(), Some(SIGBUS));
    assert_eq!(run("faults elsewhere behind a handler").code(), Some(HANDLED));
}

#[test]
fn a_heartbeat_that_is_cut_short_is_a_dead_ones() {
    use engine::counters::heartbeat::Pulse;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heartbeat");
    let mut heart = Heartbeat::create(&path, 1).expect("made");
    let mut pulse = Pulse::new(&path);
    pulse.look(Nanos::ZERO);
    heart.beat(Nanos::ZERO);
    pulse.look(Nanos::from_millis(100));
    assert!(pulse.is_alive());
    cut(folder.path(), "heartbeat", 0);
    (2..=13).for_each(|n| pulse.look(Nanos::from_millis(100 * n)));
    assert!(!pulse.is_alive());
}
