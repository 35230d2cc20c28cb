//! The engine as processes that die: every agent and the venue in one of its own, killed at every named point.
//!
//! The test binary runs itself: `role` is the child. The parent watches, from outside, every request that leaves for the
//! venue, and reads the journals at the end. Debug builds only: the points are not in a release build.

#![cfg(debug_assertions)]
// The parent waits for real processes, by real time.
#![allow(clippy::disallowed_methods)]

mod judge;
mod roles;
mod stopped;
#[path = "../world/mod.rs"]
mod world;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use engine::counters::halt::{HaltReader, HaltState};
use engine::counters::heartbeat::HeartbeatReader;
use engine::domain::SourceId;
use engine::shm::paths::IpcPaths;
use judge::Judge;
use rustix::process::Pid;
use tempfile::TempDir;

/// Roles, those that others need first.
const ROLES: [&str; 5] = ["venue", "ingest", "route", "risk", "strategy"];

/// The child's entry: does nothing unless the parent says who it is.
#[test]
fn role() {
    if let Ok(role) = std::env::var("PROCESS_ROLE") {
        match role.as_str() {
            "reads" => stopped::reads(),
            "takes" => stopped::takes(),
            role => roles::play(role),
        }
    }
}

/// A running engine of five processes.
struct Engine {
    folder: TempDir,
    children: Vec<(&'static str, Child)>,
    judge: Option<Judge>,
    planted: bool,
}

impl Engine {
    fn start(armed: Option<(&'static str, &str, u64)>, planted: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut engine = Self { folder, children: Vec::new(), judge: None, planted };
        for role in ROLES {
            let arm = armed.filter(|(who, ..)| *who == role).map(|(_, point, nth)| format!("{point}:{nth}"));
            engine.spawn(role, arm.as_deref());
        }
        engine
    }

    fn spawn(&mut self, role: &'static str, arm: Option<&str>) {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "role", "--nocapture", "--test-threads", "1"]);
        command.env("PROCESS_ROLE", role).env("PROCESS_FOLDER", self.folder.path());
        command.stdout(std::process::Stdio::null());
        if let Some(arm) = arm {
            command.env("PROCESS_ARM", arm);
        }
        if self.planted {
            command.env("PROCESS_PLANT", "yes");
        }
        self.children.push((role, command.spawn().expect("a child")));
    }

    fn process(&self, role: &str) -> Pid {
        let (_, child) = self.children.iter().find(|(who, _)| *who == role).expect("running");
        Pid::from_child(child)
    }

    fn kill(&mut self, role: &str) {
        let at = self.children.iter().position(|(who, _)| *who == role).expect("running");
        let (_, mut child) = self.children.remove(at);
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    /// Looks at what leaves until `done`, or the time is over.
    fn watch(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if self.judge.is_none() {
                self.judge = Judge::attach(self.folder.path()).ok();
            }
            if let Some(judge) = &mut self.judge {
                judge.look();
            }
            if done(self) {
                return;
            }
            assert!(Instant::now() < end, "{what} did not happen within a minute");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until `count` more orders have left.
    fn orders(&mut self, count: usize) {
        let before = self.judge.as_ref().map_or(0, Judge::orders);
        self.watch("orders leaving", |engine| {
            engine.judge.as_ref().is_some_and(|judge| judge.orders() >= before + count)
        });
    }

    /// Waits until `role` has died by itself, and starts it again.
    fn reborn(&mut self, role: &'static str) {
        self.watch("death at the armed point", |engine| {
            let child = engine.children.iter_mut().find(|(who, _)| *who == role).expect("started");
            child.1.try_wait().expect("asked").is_some()
        });
        self.children.retain(|(who, _)| *who != role);
        self.spawn(role, None);
    }

    /// Kills all and judges.
    fn verdict(mut self) -> Result<(), String> {
        for role in ROLES.iter().rev() {
            self.kill(role);
        }
        let mut judge = self.judge.take().expect("the venue was there");
        judge.look();
        judge.verdict(self.folder.path())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let _ = (child.kill(), child.wait());
        }
    }
}

fn dies_at(role: &'static str, points: &[&'static str]) {
    dies_at_nth(role, points, 5);
}

fn dies_at_nth(role: &'static str, points: &[&'static str], nth: u64) {
    for point in points {
        let mut engine = Engine::start(Some((role, point, nth)), false);
        engine.reborn(role);
        engine.orders(3);
        engine.verdict().unwrap_or_else(|broken| panic!("{role} killed at {point}: {broken}"));
    }
}

#[test]
fn a_strategy_killed_at_each_point_loses_and_repeats_nothing() {
    dies_at("strategy", &["intent.before", "intent.committed"]);
}

#[test]
fn risk_killed_at_each_point_loses_and_repeats_nothing() {
    dies_at("risk", &["risk.approved", "risk.published", "journal.written", "journal.synced"]);
}

#[test]
fn route_killed_at_each_point_loses_and_repeats_nothing() {
    let points = ["route.taken", "route.sent_journalled", "route.left", "route.event_taken"];
    dies_at("route", &points);
    dies_at("route", &["route.event_journalled", "journal.written", "journal.synced"]);
}

#[test]
fn whoever_is_killed_in_the_middle_of_a_slot_leaves_a_ring_to_go_on_with() {
    for nth in [1, 40] {
        dies_at_nth("strategy", &["slot.begun", "slot.written"], nth);
        dies_at_nth("risk", &["slot.begun", "slot.written"], nth);
        dies_at_nth("route", &["slot.begun", "slot.written"], nth);
    }
    dies_at_nth("ingest", &["slot.begun"], 500);
}

#[test]
fn a_journal_whose_owner_dies_as_it_rolls_goes_on() {
    dies_at_nth("risk", &["journal.rolled"], 1);
    dies_at_nth("route", &["journal.rolled"], 1);
}

#[test]
fn route_may_die_while_it_reconciles() {
    let mut engine = Engine::start(None, false);
    engine.orders(5);
    engine.kill("route");
    engine.spawn("route", Some("route.reconciling:1"));
    engine.reborn("route");
    engine.orders(3);
    engine.verdict().expect("nothing is lost or repeated");
}

/// The strategies' ring as no producer leaves it: risk halts the source, and dies before its journal knows.
#[test]
fn a_halt_that_was_set_and_not_journalled_stays() {
    let mut engine = Engine::start(Some(("risk", "halt.set", 1)), false);
    engine.orders(3);
    let (source, ipc) = (SourceId::FIRST_STRATEGY, IpcPaths::new(engine.folder.path().join("ipc")));
    let ring = OpenOptions::new().write(true).open(ipc.intents(source)).expect("root, or its owner");
    let length = ring.metadata().expect("there").len() as usize;
    ring.write_all_at(&vec![0x55; length - 4_096], 4_096).expect("written");
    engine.reborn("risk");
    let state = || HaltReader::attach(&ipc.halts("risk")).map(|page| page.state(source, 0)).ok();
    assert_eq!(state(), Some(HaltState::Halted), "the page holds what the journal does not");
    let cycles = || HeartbeatReader::attach(&ipc.heartbeat("risk")).map_or(0, |heart| heart.cycles());
    let before = cycles();
    // A heartbeat begins anew with each life.
    engine.watch("risk at work again", |_| cycles() != before && cycles() > 0);
    assert_eq!(state(), Some(HaltState::Halted));
    engine.verdict().expect("nothing is lost or repeated");
}

#[test]
fn any_process_may_die_at_any_time_and_during_its_recovery() {
    let mut engine = Engine::start(None, false);
    engine.orders(5);
    for role in ["route", "risk", "strategy", "ingest", "risk", "route"] {
        engine.kill(role);
        if role == "risk" || role == "route" {
            engine.spawn(role, Some("recovery:1"));
            engine.reborn(role);
        } else {
            engine.spawn(role, None);
        }
        engine.orders(3);
    }
    // All but the venue at once.
    for role in ["ingest", "route", "risk", "strategy"] {
        engine.kill(role);
    }
    for role in ["strategy", "risk", "route", "ingest"] {
        engine.spawn(role, None);
    }
    engine.orders(3);
    engine.verdict().expect("nothing is lost or repeated");
}

#[test]
fn the_harness_catches_an_order_that_is_sent_before_it_is_journalled() {
    let mut engine = Engine::start(Some(("route", "route.left", 5)), true);
    engine.reborn("route");
    engine.orders(1);
    let broken = engine.verdict().expect_err("the bug is planted");
    assert!(broken.contains("left without being journalled") || broken.contains("left twice"), "{broken}");
}

#[test]
fn a_second_process_of_a_role_is_refused() {
    let mut engine = Engine::start(None, false);
    engine.orders(1);
    engine.spawn("risk", None);
    let (_, mut second) = engine.children.pop().expect("just started");
    assert!(!second.wait().expect("it ends").success());
    engine.orders(1);
}
