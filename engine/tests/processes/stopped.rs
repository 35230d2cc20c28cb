//! Processes that are stopped, as a debugger, a frozen container or a starved core stops them, and go on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use engine::counters::heartbeat::{ALIVE_WITHIN, HeartbeatReader};
use engine::ring::broadcast::{self, Polled};
use engine::ring::{Full, spsc};
use engine::shm::paths::IpcPaths;
use rustix::process::{Pid, Signal, kill_process};

use crate::Engine;
use crate::world::until;

type Line = [u64; 7];
const CAPACITY: u64 = 64;

fn line(n: u64) -> Line {
    std::array::from_fn(|at| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at as u64)
}

fn at(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

fn folder() -> PathBuf {
    PathBuf::from(std::env::var("PROCESS_FOLDER").expect("the parent's folder"))
}

/// How many messages the child waits for: the parent writes it when it has published the last.
fn wanted(folder: &Path) -> Option<u64> {
    fs::read_to_string(at(folder, "wanted")).ok()?.parse().ok()
}

fn say(folder: &Path, name: &str, text: &str) {
    fs::write(at(folder, "saying"), text).expect("written");
    fs::rename(at(folder, "saying"), at(folder, name)).expect("renamed");
}

/// The child: reads a broadcast ring, knows every message by its place, and says how many it missed.
pub fn reads() {
    let folder = folder();
    let mut reader = broadcast::Reader::<Line>::attach_at(&at(&folder, "ring"), 0).expect("attached");
    let (mut read, mut missed) = (0, 0);
    until("the last message", || {
        let before = reader.position();
        match reader.poll() {
            Polled::Message(found) => {
                assert_eq!(found, line(before), "what is counted as missed was missed");
                read += 1;
                if read == 1 {
                    say(&folder, "started", "");
                }
            }
            Polled::Lapped { missed: more } => missed += more,
            Polled::Empty => {}
        }
        wanted(&folder) == Some(reader.position())
    });
    say(&folder, "result", &format!("{read} {missed}"));
}

/// The child: takes every message of a lossless ring.
pub fn takes() {
    let folder = folder();
    let (ring, cursor) = (at(&folder, "ring"), at(&folder, "cursor"));
    let mut consumer = spsc::Consumer::<Line>::attach(&ring, &cursor).expect("attached");
    until("the last message", || {
        let before = consumer.position();
        if let Some(found) = consumer.poll() {
            assert_eq!(found, line(before));
            if before == 0 {
                say(&folder, "started", "");
            }
        }
        wanted(&folder) == Some(consumer.position())
    });
    say(&folder, "result", &consumer.position().to_string());
}

struct Stopped(Child);

impl Stopped {
    fn start(role: &str, folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "role", "--nocapture", "--test-threads", "1"]).stdout(Stdio::null());
        command.env("PROCESS_ROLE", role).env("PROCESS_FOLDER", folder);
        Self(command.spawn().expect("a child"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("our child");
    }

    /// Stops it, and waits until the kernel says that it is.
    fn stop(&self) {
        self.signal(Signal::STOP);
        until("the stop", || state(self.0.id()) == Some('T'));
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// The kernel's letter for what a process does.
fn state(process: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[test]
fn a_broadcast_waits_for_no_reader_that_is_stopped_and_it_knows_its_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    let ring = at(folder.path(), "ring");
    let mut producer = broadcast::Producer::<Line>::create(&ring, CAPACITY as usize, 1).expect("made");
    producer.publish(&line(0));
    let mut reader = Stopped::start("reads", folder.path());
    until("the reader", || at(folder.path(), "started").exists());
    reader.stop();
    // Nobody reads: were anybody waited for, this would not end.
    let messages = 100 * CAPACITY + 7;
    (1..messages).for_each(|n| producer.publish(&line(n)));
    reader.signal(Signal::CONT);
    say(folder.path(), "wanted", &messages.to_string());
    assert!(reader.0.wait().expect("reaped").success());
    let result = fs::read_to_string(at(folder.path(), "result")).expect("said");
    // Of what stood in the ring it skips the oldest eighth, which could be overwritten as it reads.
    let read = 1 + CAPACITY * 7 / 8;
    assert_eq!(result, format!("{read} {}", messages - read));
}

#[test]
fn an_order_ring_whose_reader_is_stopped_fills_rejects_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ring, cursor) = (at(folder.path(), "ring"), at(folder.path(), "cursor"));
    let mut producer = spsc::Producer::<Line>::create(&ring, &cursor, CAPACITY as usize, 1).expect("made");
    producer.try_push(&line(0)).expect("room");
    let mut reader = Stopped::start("takes", folder.path());
    until("the reader", || at(folder.path(), "started").exists());
    reader.stop();
    while producer.try_push(&line(producer.position())).is_ok() {}
    // Whether it had given the first slot back when it was stopped is its own affair.
    assert!((CAPACITY..=CAPACITY + 1).contains(&producer.position()));
    for _ in 0..10_000 {
        assert_eq!(producer.try_push(&line(0)), Err(Full), "told at once, every time");
    }
    reader.signal(Signal::CONT);
    until("room again", || producer.try_push(&line(producer.position())).is_ok());
    say(folder.path(), "wanted", &producer.position().to_string());
    assert!(reader.0.wait().expect("reaped").success());
    assert_eq!(
        fs::read_to_string(at(folder.path(), "result")).expect("said"),
        producer.position().to_string()
    );
}

#[test]
fn an_engine_whose_route_is_stopped_waits_for_nobody_and_goes_on_after() {
    let mut engine = Engine::start(None, false);
    engine.orders(3);
    let ipc = IpcPaths::new(engine.folder.path().join("ipc"));
    let beats = ["ingest", "risk", "strategy"]
        .map(|role| HeartbeatReader::attach(&ipc.heartbeat(role)).expect("it beats"));
    let route = engine.process("route");
    kill_process(route, Signal::STOP).expect("our child");
    let from = beats.iter().map(HeartbeatReader::time).max().expect("three");
    // Longer than a silence that makes route dead to risk, on the engine's own timeline.
    let until = from.saturating_add(ALIVE_WITHIN).saturating_add(ALIVE_WITHIN);
    engine.watch("two seconds of the others' work", |_| beats.iter().all(|heart| heart.time() > until));
    kill_process(route, Signal::CONT).expect("our child");
    engine.orders(3);
    engine.verdict().expect("nothing is lost or repeated");
}
