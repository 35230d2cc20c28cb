//! The same strategies at the same generated market in the three placements: all agents on one thread (`shared`), one
//! thread each (`dedicated`), and four services of a process each (`services`). Every stage, side by side, from the
//! histograms that `trading latency` shows.
//!
//! It runs the program that lies beside it by its names, at a `simulated_exchange` of its own for each:
//! `cargo build --release --bin trading_system` makes it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engine::counters::HistogramReader;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::shm::paths::{IpcPaths, OWNERS};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::histogram::Histogram;
use crate::report::{Ratio, Row};
use crate::rig::Placement;
use crate::suites::Bench;
use crate::suites::exchange::server::{Server, runtime};

const SUITE: &str = "placements";

/// How long anything may take to come up, or to end.
const PATIENCE: Nanos = Nanos::from_secs(60);

/// Between two looks at what has come up or ended.
const NAP: Duration = Duration::from_millis(20);

/// The exchange's market: the same for each placement, from its first event on.
const MARKET: [&str; 4] = ["--seed", "1", "--rate", "500"];

/// What is told to every process that hosts the strategies: to begin soon, and to follow every tick of the mid price.
const QUICK_TO_QUOTE: [&str; 4] = ["--param", "warm_up=500ms", "--param", "requote_bps=0"];

/// The stages, as an order passes them.
const STAGES: [&str; 7] = ["decode", "book", "strategy", "risk", "route", "tick_to_order", "order_to_ack"];

/// The programs of a placement, each with its arguments.
type Programs = &'static [(&'static str, &'static [&'static str])];

/// The placements.
const PLACEMENTS: [(&str, Programs); 3] = [
    ("shared", &[("trading", &["run", "--headless", "--json", "--placement", "shared"])]),
    ("dedicated", &[("trading", &["run", "--headless", "--json", "--placement", "dedicated"])]),
    (
        "services",
        &[
            ("market_data_service", &["--port", "0"]),
            ("order_execution_service", &["--port", "0"]),
            ("risk_management_service", &["--port", "0"]),
            ("strategy_engine", &["--port", "0"]),
        ],
    ),
];

/// A placement's times, by stage.
type Stages = Vec<(&'static str, Histogram)>;

/// Runs the suite.
///
/// # Errors
/// When a program is not there, does not come up, or sends no order.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let mut measured: Vec<(&str, Stages)> = Vec::new();
    for (name, programs) in PLACEMENTS {
        measured.push((name, measure(bench, name, programs)?));
    }
    let shared = measured[0].1.clone();
    for (place, (stage, floor)) in shared.iter().enumerate() {
        for (name, stages) in &measured {
            let times = stages[place].1.clone();
            let over = |part: f64| times.at(part) / floor.at(part);
            let (middle, tail) = (over(0.5), over(0.99));
            let row = Row::times(SUITE, format!("{stage}, {name}"), Placement::Alone, times);
            let ratios = [Ratio::plain("shared's p50", middle), Ratio::plain("shared's p99", tail)];
            bench.report.push(ratios.into_iter().fold(row, Row::with));
        }
    }
    bench.report.note(
        "placements: market_making on two symbols at an exchange over loopback, each placement in turn, idle threads back \
         off; the exchange has the first core, the engine's threads go where the kernel puts them: with two cores the \
         threads of `dedicated` and `services` take turns",
    );
    Ok(())
}

fn broken(what: &str, reason: impl std::fmt::Display) -> SetupError {
    SetupError::Invalid(format!("{SUITE}: {what}: {reason}"))
}

fn measure(bench: &Bench<'_>, name: &str, programs: Programs) -> Result<Stages, SetupError> {
    let home = bench.scratch.join(name);
    std::fs::create_dir_all(&home).map_err(|error| SetupError::io(&home, "making it", error))?;
    let runtime = runtime(bench.rig.cores()[0])?;
    let exchange = Server::start(&runtime, &home, &MARKET)?;
    let endpoint = format!("ws://{}", exchange.running.address);
    // What a program inherits is this thread's place, and it is to have both cores.
    spread(&bench.rig.cores())?;
    let started = Processes::start(&home, &endpoint, programs);
    bench.rig.pin(0)?;
    let mut started = started?;
    let ipc = IpcPaths::new(home.join("ipc"));
    started.wait_for_stages(bench, &ipc)?;
    let span = bench.scale().of(20_000, 5_000, 300);
    std::thread::sleep(Duration::from_millis(span));
    started.check()?;
    let times = |name| stage(&ipc, name)?.ok_or_else(|| broken(name, "nothing was recorded"));
    let stages = STAGES.into_iter().map(|name| Ok((name, times(name)?))).collect();
    started.end(bench)?;
    stages
}

/// Lets this thread, and what it starts, have all of `cores`.
fn spread(cores: &[usize]) -> Result<(), SetupError> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    sched_setaffinity(None, &set).map_err(|error| SetupError::io("cores", "taking both", error.into()))
}

/// The times of `stage`, of whichever agent records it; none while there are none.
///
/// # Errors
/// When a file cannot be read: the programs may be of another build.
fn stage(ipc: &IpcPaths, stage: &str) -> Result<Option<Histogram>, SetupError> {
    for file in OWNERS.map(|owner| ipc.histograms(owner)).iter().filter(|file| file.exists()) {
        let snapshot = HistogramReader::attach(file)?.get(stage).filter(|snapshot| snapshot.count > 0);
        let Some(snapshot) = snapshot else { continue };
        let mut times = Histogram::default();
        for (high, count) in snapshot.cells() {
            // The end of a cell may lie beyond the largest value in it.
            times.record_many(Nanos(i64::try_from(high.min(snapshot.max)).unwrap_or(i64::MAX)), count);
        }
        return Ok(Some(times));
    }
    Ok(None)
}

/// Programs that end with this, however it ends.
struct Processes {
    home: PathBuf,
    running: Vec<(&'static str, Child)>,
}

impl Processes {
    fn start(home: &Path, endpoint: &str, programs: Programs) -> Result<Self, SetupError> {
        let own =
            std::env::current_exe().map_err(|error| SetupError::io("this program", "finding it", error))?;
        let mut started = Self { home: home.to_path_buf(), running: Vec::new() };
        for (name, arguments) in programs {
            let program = own.with_file_name("trading_system");
            if !program.exists() {
                let reason = "is not there: `cargo build --release --bin trading_system` makes it";
                return Err(SetupError::file(program, reason));
            }
            let log = |of: &str| -> Result<Stdio, SetupError> {
                let path: PathBuf = home.join(format!("{name}.{of}"));
                let file = std::fs::File::create(&path)
                    .map_err(|error| SetupError::io(&path, "making it", error))?;
                Ok(file.into())
            };
            let child = Command::new(&program)
                .arg0(name)
                .args(*arguments)
                .args(QUICK_TO_QUOTE)
                .env_clear()
                .env("HOME", home)
                .env("TRADING_IPC_DIR", home.join("ipc"))
                .env("TRADING_DATA_DIR", home.join("data"))
                .env("TRADING_EXCHANGE_ENDPOINT", endpoint)
                .env("TRADING_EXCHANGE_KEYS_FILE", home.join("keys.json"))
                .stdin(Stdio::null())
                .stdout(log("out")?)
                .stderr(log("log")?)
                .spawn()
                .map_err(|error| SetupError::io(&program, "starting it", error))?;
            started.running.push((name, child));
        }
        Ok(started)
    }

    /// The last line that each has logged.
    fn last_words(&self) -> String {
        let words = self.running.iter().map(|(name, _)| {
            let log = std::fs::read_to_string(self.home.join(format!("{name}.log"))).unwrap_or_default();
            format!("{name} said last: {}", log.lines().last().unwrap_or("nothing"))
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// Whether all of them still run.
    fn check(&mut self) -> Result<(), SetupError> {
        let ended = self.running.iter_mut().find_map(|(name, child)| Some((*name, child.try_wait().ok()??)));
        let Some((name, status)) = ended else { return Ok(()) };
        Err(broken(name, format!("it ended, {status}; {}", self.last_words())))
    }

    /// Waits until every stage was passed at least once.
    fn wait_for_stages(&mut self, bench: &Bench<'_>, ipc: &IpcPaths) -> Result<(), SetupError> {
        let end = bench.rig.stopwatch.elapsed() + PATIENCE;
        loop {
            self.check()?;
            // A file that is just being made cannot be read yet.
            let missing = STAGES.into_iter().find_map(|name| match stage(ipc, name) {
                Ok(Some(_)) => None,
                Ok(None) => Some(format!("nothing passed {name}; {}", self.last_words())),
                Err(error) => Some(error.to_string()),
            });
            let Some(reason) = missing else { return Ok(()) };
            if bench.rig.stopwatch.elapsed() > end {
                return Err(broken("after a minute", reason));
            }
            std::thread::sleep(NAP);
        }
    }

    /// Ends them in good order.
    fn end(mut self, bench: &Bench<'_>) -> Result<(), SetupError> {
        let pid = |child: &Child| i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        for (_, child) in &self.running {
            // One that has ended is found below.
            pid(child).map(|pid| kill_process(pid, Signal::TERM));
        }
        let end = bench.rig.stopwatch.elapsed() + PATIENCE;
        for (name, child) in &mut self.running {
            let status = loop {
                match child.try_wait() {
                    Ok(Some(status)) => break status,
                    _ if bench.rig.stopwatch.elapsed() > end => return Err(broken(name, "it does not end")),
                    _ => std::thread::sleep(NAP),
                }
            };
            if !status.success() {
                return Err(broken(name, format!("at its end: {status}")));
            }
        }
        Ok(())
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            // One that has ended needs neither.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
