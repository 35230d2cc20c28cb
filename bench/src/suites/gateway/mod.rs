//! What looking costs the path: ten thousand reads a second at the gateway, and scrapes of every `/metrics` without a
//! pause, while an engine on the other core turns frames into orders.
//!
//! ```text
//! core 0                                                               core 1
//! readers ─HTTP─▶ api_gateway ─ZeroMQ─▶ the four services ─shared memory─▶ ingest ▶ strategy ▶ risk ▶ route
//! scraper ─HTTP─▶ every /metrics of them
//! ```
//!
//! The baseline is the same engine with the same services attached, while the same reader asks another engine's gateway, with
//! services of its own, as often. What both have in common is a busy neighbour: on a virtual machine, whose cores may be one
//! core's two threads, any work on one takes from the other. What is left is what reading *this* engine costs it. How much
//! the neighbour takes is shown beside it, over nobody who asks at all. On two cores the client has to share that of the
//! gateway and the services: what is held there is held with the client's own work taken off.

mod engine_core;
mod stack;
mod clients;

use std::path::Path;
use std::sync::mpsc;

use engine::clock::Stopwatch;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::primitive::{AtomicU64, Ordering};
use engine::shm::paths::IpcPaths;

use crate::histogram::Histogram;
use crate::report::{Ratio, Row, Target};
use crate::rig::Placement;
use crate::series::{Samples, Series};
use crate::suites::Bench;
use clients::{Ask, Clients, Ran};
use stack::Stack;

const SUITE: &str = "gateway";

/// How long anything may take to come up, or to answer.
const PATIENCE: Nanos = Nanos::from_secs(30);

/// Reads a second, of all connections together.
const READS_A_SECOND: i64 = 10_000;

/// From read to read.
const INTERVAL: Nanos = Nanos(1_000_000_000 / READS_A_SECOND);

/// Connections of the readers, each with one request under way.
const CONNECTIONS: usize = 16;

/// What is read, in turn: one kind of answer that the gateway keeps by itself, and three that a service gives.
const READS: [Ask; 4] = [
    Ask { path: "/api/v1/status", holds: "\"ready\":true,\"services\"" },
    Ask { path: "/api/v1/book/BTCUSDT", holds: "\"trusted\":true" },
    Ask { path: "/api/v1/positions", holds: "\"stale\":false,\"data\":[" },
    Ask { path: "/api/v1/orders", holds: "\"stale\":false,\"data\":[" },
];

/// What is scraped of every server.
const SCRAPE: [Ask; 1] = [Ask { path: "/metrics", holds: "process_cpu_seconds_total" }];

/// Whoever is not touched stays within the noise of two equal measurements.
const UNTOUCHED: Target = Target::AtMost(1.05);

/// What is going on while the engine's times are taken.
mod phase {
    /// Nobody asks.
    pub const QUIET: u64 = 0;
    /// The gateway is read.
    pub const READ: u64 = 1;
    /// Every `/metrics` is scraped.
    pub const SCRAPED: u64 = 2;
    /// The other engine's gateway is read.
    pub const READ_BESIDE: u64 = 3;
    /// Every `/metrics` of the other engine's is scraped.
    pub const SCRAPED_BESIDE: u64 = 4;
    /// How many phases have times of their own.
    pub const KINDS: usize = 5;
    /// Between phases: no times are taken.
    pub const BETWEEN: u64 = 5;
    /// The engines end.
    pub const END: u64 = 6;
}

/// What the two cores tell each other.
struct Between {
    /// The phase that the engine is to be in.
    wanted: AtomicU64,
    /// The phase that it is in.
    seen: AtomicU64,
    /// Times that it has taken in it.
    taken: AtomicU64,
}

impl Between {
    /// Waits until the engine has done what `is_so` asks for.
    fn wait(&self, stopwatch: Stopwatch, is_so: impl Fn(&Self) -> bool) -> Result<(), SetupError> {
        let end = stopwatch.elapsed() + PATIENCE;
        while !is_so(self) {
            if stopwatch.elapsed() > end {
                return Err(broken("the engine does not move"));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Has the engine's times taken while `work` is done.
    fn during(
        &self,
        stopwatch: Stopwatch,
        kind: u64,
        work: impl FnOnce() -> Result<Ran, SetupError>,
    ) -> Result<Ran, SetupError> {
        self.wanted.store(kind, Ordering::Release);
        self.wait(stopwatch, |between| between.seen.load(Ordering::Acquire) == kind)?;
        let ran = work()?;
        // On a busy machine it may not have had a turn.
        self.wait(stopwatch, |between| between.taken.load(Ordering::Acquire) > 0)?;
        self.wanted.store(phase::BETWEEN, Ordering::Release);
        self.wait(stopwatch, |between| between.seen.load(Ordering::Acquire) == phase::BETWEEN)?;
        Ok(ran)
    }
}

/// What the clients saw.
#[derive(Default)]
struct Asked {
    /// From each read's intended sending to its answer.
    paced: Series,
    /// The part of the promised rate that was held, round by round.
    held: Vec<f64>,
    /// A read when each connection asks again at once: the mean time from one answer to the next.
    fast: Series,
    /// A scrape, when each server is asked again at once.
    scrapes: Series,
}

/// Runs the suite.
///
/// # Errors
/// When something cannot be set up, an answer is not what it should be, or a frame does not lead to an order.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let new = AtomicU64::new;
    let between = Between { wanted: new(phase::BETWEEN), seen: new(phase::BETWEEN), taken: new(0) };
    let (rig, scratch) = (bench.rig, bench.scratch);
    let stopwatch = rig.stopwatch;
    let (own, other) =
        (Site::new(&scratch.join("read"), stopwatch)?, Site::new(&scratch.join("beside"), stopwatch)?);
    let (journals, journals_beside) = (own.ground.journals(), other.ground.journals());
    let (room, room_beside) = (scratch.join("read"), scratch.join("beside"));
    let (tell, tell_beside) = (own.tell.clone(), other.tell.clone());
    let there = || engine_core::run(&between, &journals, stopwatch, (&room, tell));
    let here = || {
        std::thread::scope(|scope| {
            let place = (room_beside.as_path(), tell_beside);
            let beside = || engine_core::run_beside(&between, &journals_beside, stopwatch, place);
            let beside = scope.spawn(beside);
            let measured = measure(bench, &between, [own, other]);
            between.wanted.store(phase::END, Ordering::Release);
            let ended = beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            ended.and(measured)
        })
    };
    let (times, asked) = rig.pair(there, here)?;
    // What ended the engine comes before what others met without it.
    report(bench, &times?, &asked?);
    Ok(())
}

/// An engine and all that looks at it, before they start.
struct Site {
    ground: stack::Ground,
    tell: mpsc::Sender<IpcPaths>,
    told: mpsc::Receiver<IpcPaths>,
}

impl Site {
    fn new(room: &Path, stopwatch: Stopwatch) -> Result<Self, SetupError> {
        std::fs::create_dir_all(room).map_err(|error| SetupError::io(room, "making it", error))?;
        let (tell, told) = mpsc::channel();
        Ok(Self { ground: stack::Ground::new(room, stopwatch)?, tell, told })
    }

    /// Starts what looks at the engine, once that has begun.
    fn start(self) -> Result<Stack, SetupError> {
        let patience = std::time::Duration::from_secs(PATIENCE.0.unsigned_abs() / 1_000_000_000);
        let ipc = self.told.recv_timeout(patience).map_err(|_| broken("an engine did not begin"))?;
        Stack::start(self.ground, &ipc)
    }
}

fn measure(bench: &Bench<'_>, between: &Between, [own, other]: [Site; 2]) -> Result<Asked, SetupError> {
    let own = own.start()?;
    let asked = other.start().and_then(|other| {
        let asked = ask(bench, between, [&own, &other]);
        other.stop();
        asked
    });
    own.stop();
    asked
}

/// Who asks the gateway and the services of one engine.
struct Askers {
    readers: Clients,
    scraper: Clients,
}

impl Askers {
    fn new(stack: &Stack, stopwatch: Stopwatch) -> Result<Self, SetupError> {
        let mut readers = Clients::open(&vec![stack.gateway_url(); CONNECTIONS], &READS, stopwatch)?;
        let mut scraper = Clients::open(stack.scraped(), &SCRAPE, stopwatch)?;
        readers.warm_up(READS.len() * CONNECTIONS)?;
        scraper.warm_up(stack.scraped().len())?;
        Ok(Self { readers, scraper })
    }
}

fn ask(bench: &Bench<'_>, between: &Between, [own, other]: [&Stack; 2]) -> Result<Asked, SetupError> {
    let stopwatch = bench.rig.stopwatch;
    let Askers { mut readers, mut scraper } = Askers::new(own, stopwatch)?;
    let mut beside = Askers::new(other, stopwatch)?;
    let span = Nanos::from_millis(bench.scale().of(1_000, 300, 20));
    let mut asked = Asked::default();
    for _ in 0..bench.rounds() {
        between.during(stopwatch, phase::QUIET, || Ok(clients::nobody(span)))?;
        between.during(stopwatch, phase::READ_BESIDE, || beside.readers.run(span, Some(INTERVAL)))?;
        between.during(stopwatch, phase::SCRAPED_BESIDE, || beside.scraper.run(span, None))?;
        let read = between.during(stopwatch, phase::READ, || readers.run(span, Some(INTERVAL)))?;
        asked.paced.add_alone(&read.times);
        asked.held.push(read.count as f64 * INTERVAL.0 as f64 / read.spent.0 as f64);
        let scraped = between.during(stopwatch, phase::SCRAPED, || scraper.run(span, None))?;
        asked.scrapes.add_alone(&scraped.times);
        // As much as can be read is another matter than what it costs the engine.
        let fast = readers.run(span, None)?;
        let mut mean = Histogram::default();
        mean.record_mean(fast.spent, fast.count);
        asked.fast.add_alone(&mean);
    }
    Ok(asked)
}

fn report(bench: &mut Bench<'_>, times: &[Series; phase::KINDS], asked: &Asked) {
    let [quiet, read, scraped, read_beside, scraped_beside] = times;
    let held = asked.held.iter().copied().fold(f64::INFINITY, f64::min);
    push(bench, "a read of 10,000 a second: due to answered", &asked.paced, |_| {
        vec![Ratio::promised("10,000 a second, at worst", held, Target::AtLeast(0.99))]
    });
    push(bench, "a read at full speed", &asked.fast, |samples| {
        let part = samples.figure() / INTERVAL.0 as f64;
        vec![Ratio::promised("the 100 us of 10,000 a second", part, Target::AtMost(1.0))]
    });
    push(bench, "a scrape of a /metrics, without a pause", &asked.scrapes, |_| Vec::new());
    push(bench, "tick to order, nobody asks", quiet, |_| Vec::new());
    let over = |samples: &Samples, floor: &Series| {
        let tail = |samples: &Samples| samples.times.at(0.99);
        let ratios = |floor: &Samples| [samples.over(floor), tail(samples) / tail(floor)];
        floor.alone().map_or([f64::NAN; 2], ratios)
    };
    let rows =
        [("10,000 reads a second", read, read_beside), ("scrapes without a pause", scraped, scraped_beside)];
    for (what, here, beside) in rows {
        push(bench, &format!("tick to order beside {what} of another engine"), beside, |samples| {
            let [middle, tail] = over(samples, quiet);
            vec![Ratio::plain("nobody asks, p50", middle), Ratio::plain("nobody asks, p99", tail)]
        });
        push(bench, &format!("tick to order beside {what}"), here, |samples| {
            let ([middle, tail], [alone, _]) = (over(samples, beside), over(samples, quiet));
            vec![
                Ratio::promised("as many elsewhere, p50", middle, UNTOUCHED),
                Ratio::plain("as many elsewhere, p99", tail),
                Ratio::plain("nobody asks, p50", alone),
            ]
        });
    }
    bench.report.note(format!(
        "gateway: {CONNECTIONS} kept connections and one client thread on the core of the gateway and of the four \
         services, and of a second engine with its own, which is read and scraped as the first; every answer is checked; \
         the engine that is measured has the other core alone and turns {} frames a second into orders",
        1_000_000_000 / engine_core::PACE.0
    ));
}

fn push(bench: &mut Bench<'_>, name: &str, series: &Series, ratios: impl Fn(&Samples) -> Vec<Ratio>) {
    let Some(samples) = series.alone() else { return };
    let mut row = Row::times(SUITE, name, Placement::Alone, samples.times.clone());
    row.ratios = ratios(samples);
    bench.report.push(row);
}

/// What went wrong, with the suite's name.
fn broken(reason: impl std::fmt::Display) -> SetupError {
    SetupError::Invalid(format!("{SUITE}: {reason}"))
}
