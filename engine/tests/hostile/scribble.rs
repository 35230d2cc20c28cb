//! A writer that scribbles over everything that one role owns while all others run their real code.
//!
//! An episode is a small engine with every agent apart. It trades honestly for a while; then one role turns: its agent
//! stops, and a scribbler stores words into all files of its directory, between the others' duty cycles and, in one
//! episode of four, from a thread of its own. Nobody may crash, no order may leave that risk did not approve, and what
//! is impossible must be named. `HOSTILE_WRITES` sets how many words are stored in all: a million where it is not set. Files
//! that nobody believes any more can do no harm, so that more words mean more episodes and not longer ones.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use engine::agent::Agent;
use engine::clock::Clock;
use engine::counters::halt::HaltPage;
use engine::domain::{Nanos, OrderId, SourceId};
use engine::error::RejectCode;
use engine::journal::{Decision, Halt, Tail};
use engine::message::command::Command;
use engine::message::{Intent, IntentKind};
use engine::primitive::{AtomicU64, Ordering};
use engine::ring::broadcast::{Polled, Reader};
use engine::ring::spsc;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::JournalSet;
use engine::venue::simulated::Request;
use memmap2::{MmapOptions, MmapRaw};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::world::World;

/// Small, so that every slot is hit often.
const CAPACITY: usize = 64;
/// Roles that turn, below. Route has the key to the venue: what it sends nobody behind it can stop.
const ROLES: u64 = 6;
/// Words stored in all, where nobody says otherwise.
const WRITES: u64 = 1_000_000;
/// Least episodes of one role, of which the last is threaded, and most words that one of them stores.
const EPISODES: u64 = 4;
const EPISODE_WRITES: u64 = 50_000;
/// Orders that leave before a role turns, and the duty cycles that they may take.
const HONEST: usize = 5;
const HONEST_MAX: u32 = 60_000;
/// Words stored between two cycles of the others.
const BURST: u64 = 40;
/// Time from one cycle to the next.
const STEP: Nanos = Nanos::from_millis(1);

/// Words of one file, mapped as its owner maps them.
struct Victim {
    map: MmapRaw,
}

impl Victim {
    fn open(path: &Path) -> Self {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("the owner may");
        Self { map: MmapOptions::new().map_raw(&file).expect("mapped") }
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, `len` bytes long and lives as long as `self`; all who see it use atomic
        // words.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(self.map.as_mut_ptr().cast(), self.map.len() / size_of::<u64>())
        }
    }
}

/// Whoever has a role's rights and means harm.
pub struct Scribbler {
    files: Vec<Victim>,
    random: Xoshiro256PlusPlus,
}

impl Scribbler {
    /// Over every mapped file under `directory`.
    pub fn of(directory: &Path, seed: u64) -> Self {
        let mut paths: Vec<PathBuf> = Vec::new();
        let mut folders = vec![directory.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a directory").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if entry.metadata().is_ok_and(|found| found.len() > 4_096) {
                    paths.push(path);
                }
            }
        }
        paths.sort();
        assert!(!paths.is_empty(), "{} owns nothing", directory.display());
        let files = paths.iter().map(|path| Victim::open(path)).collect();
        Self { files, random: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.random.next_u64() % bound as u64) as usize
    }

    /// Stores one word, or moves one line: anything from noise to what looks right.
    fn scribble(&mut self) {
        let file = self.below(self.files.len());
        let count = self.files[file].words().len();
        let lines = count / 8;
        // The descriptor page is one of the places, and rings' first slots are as likely as all others.
        let (at, from) = (self.below(count), self.below(lines) * 8);
        let (kind, noise) = (self.below(10), self.random.next_u64());
        let words = self.files[file].words();
        let old = words[at].load(Ordering::Relaxed);
        let new = match kind {
            0 => noise,
            1 => noise % 16,
            2 => old ^ (1 << (noise % 64)),
            3 => old.wrapping_add(1),
            4 => old.wrapping_sub(1),
            5 => old | (1 << 63),
            6 => [u64::MAX, i64::MAX as u64, i64::MIN as u64, 1 << 62][(noise % 4) as usize],
            7 => words[from].load(Ordering::Relaxed),
            // A message of before as a later one, with a stamp that fits the slot.
            8 => {
                let to = at / 8 * 8;
                for n in 1..8 {
                    words[to + n].store(words[from + n].load(Ordering::Relaxed), Ordering::Relaxed);
                }
                words[to].store(
                    words[to].load(Ordering::Relaxed).wrapping_add(CAPACITY as u64),
                    Ordering::Relaxed,
                );
                return;
            }
            _ => words[from + at % 8].load(Ordering::Relaxed).wrapping_add(CAPACITY as u64),
        };
        words[at].store(new, Ordering::Relaxed);
    }

    /// Stores `writes` words or lines.
    pub fn burst(&mut self, writes: u64) {
        (0..writes).for_each(|_| self.scribble());
    }
}

/// What left for the venue, held against what risk approved.
struct Judge {
    requests: Reader<Request>,
    decisions: Tail,
    approved: BTreeMap<OrderId, u32>,
    left: BTreeMap<OrderId, u32>,
    reasons: Vec<String>,
}

impl Judge {
    fn attach(ipc: &IpcPaths) -> Self {
        Self {
            requests: Reader::attach_at(&ipc.link("requests").0, 0).expect("attached"),
            decisions: Tail::attach_from(&ipc.journal("risk"), None, 1).expect("attached"),
            approved: BTreeMap::new(),
            left: BTreeMap::new(),
            reasons: Vec::new(),
        }
    }

    /// Takes what risk has decided; not to be called once risk has turned.
    fn hear(&mut self) {
        loop {
            match self.decisions.poll() {
                Polled::Message(record) => {
                    if let Some(halt) = record.read::<Halt>() {
                        self.reasons.push(halt.reason().expect("a readable reason").to_owned());
                    }
                    let Some(decision) = record.read::<Decision>() else { continue };
                    let new = decision.intent().kind == IntentKind::New.code();
                    if new && decision.code() == RejectCode::None.code() {
                        *self.approved.entry(decision.intent().id).or_default() += 1;
                    }
                }
                Polled::Empty => return,
                Polled::Lapped { missed } => panic!("the judge missed {missed} decisions"),
            }
        }
    }

    fn look(&mut self) {
        loop {
            match self.requests.poll() {
                Polled::Message(request) if request.target == OrderId::NONE => {
                    *self.left.entry(request.id).or_default() += 1;
                }
                Polled::Message(_) => {}
                Polled::Empty => return,
                Polled::Lapped { missed } => panic!("the judge missed {missed} requests"),
            }
        }
    }

    fn verdict(&self) -> Result<(), String> {
        for (id, times) in &self.left {
            if *times != 1 || self.approved.get(id) != Some(&1) {
                return Err(format!("{id} left {times} times, approved: {:?}", self.approved.get(id)));
            }
        }
        Ok(())
    }
}

/// The agents of an episode, by role.
struct Agents {
    agents: Vec<(&'static str, Box<dyn Agent>)>,
    /// Each owner drains its own journal.
    journals: [(&'static str, JournalSet); 2],
    ipc: IpcPaths,
    now: Nanos,
}

impl Agents {
    fn start(folder: &Path) -> Self {
        let ipc = IpcPaths::new(folder.join("ipc"));
        ipc.create().expect("made");
        let world = |publishes| World::new(ipc.clone(), folder.join("data"), CAPACITY, publishes);
        let first = world(true);
        // All share this thread: nobody can wait for another's ring.
        first.lay_links();
        let mut agents: Vec<(&'static str, Box<dyn Agent>)> = vec![("venue", Box::new(first.venue()))];
        let world = world(false);
        let mut journals = ["route", "risk"].map(|owner| (owner, JournalSet::new(CAPACITY)));
        agents.push(("ingest", Box::new(world.ingest())));
        agents.push(("route", Box::new(world.route(&mut journals[0].1))));
        agents.push(("risk", Box::new(world.risk(&mut journals[1].1))));
        agents.push(("strategy", Box::new(world.strategy())));
        let now = { world.timeline.clock }.now();
        Self { agents, journals, ipc, now }
    }

    /// One duty cycle of everybody but `hostile`.
    fn cycle(&mut self, hostile: &str, judge: &mut Judge) {
        self.now = self.now.saturating_add(STEP);
        for (_, agent) in self.agents.iter_mut().filter(|(role, _)| *role != hostile) {
            agent.do_work(self.now);
        }
        if hostile != "route" {
            judge.look();
        }
        if hostile != "risk" {
            judge.hear();
        }
        for (_, journals) in self.journals.iter_mut().filter(|(owner, _)| *owner != hostile) {
            journals.drain().expect("written");
        }
    }
}

/// What people own: made by their shells, read by the agents.
struct People {
    _halts: HaltPage,
    _intents: spsc::Producer<Intent>,
    _commands: [spsc::Producer<Command>; 2],
}

impl People {
    fn come(ipc: &IpcPaths) -> Self {
        let commands = |agent| {
            let (ring, cursor) = ipc.commands(agent, "operator");
            spsc::Producer::create(&ring, &cursor, CAPACITY, 1).expect("made")
        };
        let source = SourceId::OPERATOR;
        let (ring, cursor) = (ipc.intents(source), ipc.intents_cursor(source));
        Self {
            _halts: HaltPage::create(&ipc.halts("operator"), 1).expect("made"),
            _intents: spsc::Producer::create(&ring, &cursor, CAPACITY, 1).expect("made"),
            _commands: ["risk", "strategy"].map(commands),
        }
    }
}

/// One role turns after an honest while; returns what risk said of it.
fn episode(role: &'static str, seed: u64, writes: u64, threaded: bool) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut agents = Agents::start(folder.path());
    let _people = People::come(&agents.ipc);
    let mut judge = Judge::attach(&agents.ipc);
    for _ in 0..HONEST_MAX {
        if judge.left.len() >= HONEST {
            break;
        }
        agents.cycle("", &mut judge);
    }
    assert!(judge.left.len() >= HONEST, "an engine that does not trade proves nothing");
    let mut scribbler = Scribbler::of(&agents.ipc.root().join(role), seed);
    if threaded {
        let scribbling = thread::spawn(move || {
            for _ in 0..writes.div_ceil(BURST) {
                scribbler.burst(BURST);
                thread::yield_now();
            }
        });
        while !scribbling.is_finished() {
            agents.cycle(role, &mut judge);
        }
        scribbling.join().expect("it stores words");
    } else {
        for _ in 0..writes.div_ceil(BURST) {
            scribbler.burst(BURST);
            agents.cycle(role, &mut judge);
        }
    }
    // What was left in the rings, and the looks that come every 100 ms.
    (0..300).for_each(|_| agents.cycle(role, &mut judge));
    if role != "route" {
        judge.verdict().expect("only what risk approved, and once");
    }
    judge.reasons
}

fn writes_wanted() -> u64 {
    std::env::var("HOSTILE_WRITES").map_or(WRITES, |text| text.parse().expect("HOSTILE_WRITES is a number"))
}

fn role_turns(role: &'static str) -> Vec<String> {
    let mut reasons = Vec::new();
    // Most of the writes are the stepped ones: they can be repeated from their seed.
    let writes = writes_wanted().div_ceil(ROLES);
    let episodes = writes.div_ceil(EPISODE_WRITES).max(EPISODES);
    let each = writes.div_ceil(episodes);
    for seed in 0..episodes {
        let threaded = seed % EPISODES == EPISODES - 1;
        let outcome = catch_unwind(|| episode(role, seed, each, threaded));
        reasons.extend(outcome.unwrap_or_else(|_| panic!("{role} turned, seed {seed}: see above")));
    }
    reasons
}

fn assert_said(reasons: &[String], what: &str) {
    assert!(reasons.iter().any(|reason| reason.contains(what)), "{what}: {reasons:?}");
}

#[test]
fn strategies_turn() {
    assert_said(&role_turns("strategy"), "intents-2.ring holds what no producer leaves there");
}

#[test]
fn ingest_turns() {
    assert_said(&role_turns("ingest"), "ticks.ring holds what no producer leaves there");
}

#[test]
fn risk_turns() {
    // Whoever could say why is the one who turned; route stops by itself, which `Agents::cycle` shows by going on.
    role_turns("risk");
}

#[test]
fn route_turns() {
    assert_said(&role_turns("route"), "route's journal.ring holds what no producer leaves there");
}

#[test]
fn the_venue_turns() {
    role_turns("venue");
}

#[test]
fn the_operator_turns() {
    assert_said(&role_turns("operator"), "intents-1.ring holds what no producer leaves there");
}
