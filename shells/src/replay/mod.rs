//! `trading replay`: tapes through the whole system in virtual time, or a recorded session again.

pub mod checkpoints;
pub mod instruments;
pub mod pace;
pub mod rerun;
pub mod summary;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::clock::Stopwatch;
use engine::domain::{Instruments, Nanos};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::simulation::ahead::RecordedFrames;
use engine::simulation::exchange::SimulatedExchange;
use engine::simulation::source::FrameSource;
use engine::simulation::stepper::Stepper;
use engine::tick_to_trade::assembly::{JournalSet, Path as AgentPath};
use engine::venue::replay::{TapeBytes, TapeSet};
use tempfile::TempDir;

use crate::assembly::{Link, PathSetup};
use crate::cli::args::ReplayArgs;
use crate::cli::progress::Progress;
use crate::config::places::shared_memory;
use crate::config::{Environment, Secrets, Settings};
use crate::replay::checkpoints::Checkpoints;
use crate::replay::instruments::Table;
use crate::replay::pace::Pace;
use crate::replay::summary::{Facts, Summary};
use crate::session::Session;
use crate::trade::{Trading, simulation};

/// Runs `trading replay`.
///
/// # Errors
/// When an argument, a tape or a session is no good, with one line that names it.
pub fn run(args: &ReplayArgs, environment: &Environment) -> Result<(), SetupError> {
    if let [directory] = args.files.as_slice()
        && directory.is_dir()
    {
        if !Session::is_one(directory) {
            return Err(SetupError::file(directory, "is a directory without a recorded session"));
        }
        return rerun::run(directory, args);
    }
    let settings = Settings::resolve(&args.settings, environment, Secrets::Withhold)?;
    let mut trading = Trading::of(&settings, &args.parameters)?;
    if !settings.has_symbols() {
        trading.symbols.clear();
    }
    let table = Table::of(&args.files, args.exchange_info.as_deref())?;
    let room = Room::new(args.report.as_deref())?;
    let mut replay = Replay::prepare(args, &trading, &table, &room)?;
    replay.run(args)?;
    let summary = replay.summary(&table)?;
    room.keep(&summary)?;
    summary.print(args.json);
    Ok(())
}

/// Where a replay keeps its rings and journals: private, and gone at the end but for a report.
pub struct Room {
    shared: TempDir,
    report: Option<PathBuf>,
}

impl Room {
    /// Makes the directories.
    ///
    /// # Errors
    /// When they cannot be made, or the report's directory is not empty.
    pub fn new(report: Option<&Path>) -> Result<Self, SetupError> {
        let parent = shared_memory();
        let shared = tempfile::Builder::new()
            .prefix("trading-replay-")
            .tempdir_in(&parent)
            .map_err(|error| SetupError::io(parent, "making a directory in it", error))?;
        if let Some(report) = report {
            std::fs::create_dir_all(report).map_err(|error| SetupError::io(report, "making it", error))?;
            let used = std::fs::read_dir(report).is_ok_and(|mut entries| entries.next().is_some());
            if used {
                return Err(SetupError::file(report, "is not empty: a report is never mixed with another"));
            }
        }
        Ok(Self { shared, report: report.map(Path::to_owned) })
    }

    /// Shared memory.
    ///
    /// # Errors
    /// When the directories cannot be made.
    pub fn ipc(&self) -> Result<IpcPaths, SetupError> {
        let paths = IpcPaths::new(self.shared.path().join("ipc"));
        paths.create()?;
        Ok(paths)
    }

    /// Where the journals go.
    #[must_use]
    pub fn journals(&self) -> PathBuf {
        self.report.clone().unwrap_or_else(|| self.shared.path().join("journals"))
    }

    /// Writes the summary beside the journals, where a report is wanted.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, summary: &Summary) -> Result<(), SetupError> {
        let Some(report) = &self.report else { return Ok(()) };
        let path = report.join("summary.json");
        let text = summary.to_json().to_string() + "\n";
        std::fs::write(&path, text).map_err(|error| SetupError::io(path, "writing it", error))
    }
}

/// A replay of tapes, ready to run.
struct Replay {
    stepper: Stepper<RecordedFrames>,
    /// How far the tapes have been read.
    bytes: TapeBytes,
    instruments: Arc<Instruments>,
    ipc: IpcPaths,
    checkpoints: Option<Checkpoints>,
    stopwatch: Stopwatch,
    elapsed: Nanos,
    trading: Trading,
    journals: PathBuf,
}

impl Replay {
    fn prepare(args: &ReplayArgs, trading: &Trading, table: &Table, room: &Room) -> Result<Self, SetupError> {
        let instruments = Arc::clone(&table.instruments);
        let targets = trading.targets(&instruments, &table.present)?;
        let strategies = trading.strategies(&instruments, &targets)?;
        let ipc = room.ipc()?;
        let stopwatch = Stopwatch::calibrate();
        let link = Link::create(&ipc, args.ring_capacity, 1)?;
        let tapes = TapeSet::open(&args.files)?;
        let bytes = tapes.bytes();
        let mut frames = RecordedFrames::new(tapes, Arc::clone(&instruments))?;
        let journals = room.journals();
        let setup = PathSetup {
            ipc: &ipc,
            journals: &journals,
            sync: args.report.is_some(),
            epoch: 1,
            instruments: &instruments,
            stopwatch,
            capacity: args.ring_capacity,
            external: false,
            now: frames.next_time()?,
        };
        let config = setup.config(trading, &strategies)?;
        let mut set = JournalSet::new(args.ring_capacity);
        let mut path =
            AgentPath::assemble(&config, strategies, link.feed.into_direct(), link.entry, &mut set)?;
        let checkpoints = match (&args.checkpoints, args.every) {
            (Some(out), Some(every)) => {
                let (checkpoints, observer) = Checkpoints::create(out, every, Arc::clone(&instruments))?;
                path.ingest_mut().observe(Box::new(observer));
                Some(checkpoints)
            }
            _ => None,
        };
        let matching = simulation(&args.fills)?;
        let latency = args.fills.feed_latency.0;
        let exchange =
            SimulatedExchange::new(link.venue, frames, Arc::clone(&instruments), matching, latency)?;
        let stepper = Stepper::new(exchange, path, set);
        let (trading, elapsed) = (trading.clone(), Nanos::ZERO);
        Ok(Self { stepper, bytes, instruments, ipc, checkpoints, stopwatch, elapsed, trading, journals })
    }

    fn run(&mut self, args: &ReplayArgs) -> Result<(), SetupError> {
        let mut pace = Pace::new(args.speed, self.stepper.now());
        let started = self.stopwatch.elapsed();
        let progress = Progress::bytes(self.bytes.total(), "replaying");
        let Self { stepper, bytes, .. } = self;
        stepper.run(&mut |next| {
            progress.at(bytes.read());
            pace.wait_for(next)
        })?;
        progress.finish();
        self.elapsed = self.stopwatch.elapsed() - started;
        if let Some(checkpoints) = self.checkpoints.take() {
            checkpoints.finish(self.stepper.path().ingest())?;
        }
        Ok(())
    }

    fn summary(&mut self, table: &Table) -> Result<Summary, SetupError> {
        let facts = Facts {
            elapsed: self.elapsed,
            inferred: table.inferred.clone(),
            trading: self.trading.clone(),
            journals: self.journals.clone(),
        };
        Summary::of(self.stepper.path(), self.stepper.journals(), &self.instruments, &self.ipc, facts)
    }
}
