//! A replay as `trading replay` runs it: a tape, the simulated exchange, the agents and their journals in virtual time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::clock::Stopwatch;
use engine::domain::{InstrumentIndex, Instruments, Nanos, Quantity};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::simulation::ahead::RecordedFrames;
use engine::simulation::exchange::SimulatedExchange;
use engine::simulation::source::FrameSource as _;
use engine::simulation::stepper::Stepper;
use engine::tick_to_trade::assembly::{JournalSet, Path as Agents, PathConfig, RingSizes, StrategySlot};
use engine::tick_to_trade::ingest::IngestConfig;
use engine::tick_to_trade::route::RouteTiming;
use engine::venue::replay::TapeSet;
use engine::venue::simulated::{FeeRate, QueueModel, SimulationConfig};
use shells::assembly::Link;
use shells::replay::instruments::Table;
use tempfile::TempDir;

use crate::desk::quoter::Quoter;
use crate::desk::{USUAL, limits};

/// Messages that each ring holds.
const RING: usize = 1 << 12;

/// A millisecond to the exchange and one back, as the peers' scripts have it.
const LATENCY: Nanos = Nanos::from_millis(1);

/// A replay, ready to run.
pub struct Replay {
    stepper: Stepper<RecordedFrames>,
    _room: TempDir,
}

impl Replay {
    /// Of `tape`, which `play` says how to read, quoting the first instrument of it every 100 ms.
    ///
    /// # Errors
    /// When it is no tape or a file cannot be made.
    pub fn of(
        tape: &Path,
        play: &dyn Fn(TapeSet, Arc<Instruments>) -> Result<RecordedFrames, SetupError>,
        stopwatch: Stopwatch,
        scratch: &Path,
    ) -> Result<Self, SetupError> {
        let room = tempfile::tempdir_in(scratch)
            .map_err(|error| SetupError::io(scratch, "making a directory in it", error))?;
        let ipc = IpcPaths::new(room.path().join("ipc"));
        ipc.create()?;
        let tapes = [PathBuf::from(tape)];
        let table = Table::of(&tapes, None)?;
        let instruments = Arc::clone(&table.instruments);
        let mut frames = play(TapeSet::open(&tapes)?, Arc::clone(&instruments))?;
        let link = Link::create(&ipc, RING, 1)?;
        let config = PathConfig {
            ipc,
            journals: room.path().join("journals"),
            sync: false,
            epoch: 1,
            instruments: Arc::clone(&instruments),
            stopwatch,
            rings: RingSizes::of_session(RING),
            ingest: IngestConfig { silence: Nanos::from_secs(10) },
            limits: limits(&instruments, USUAL),
            timing: RouteTiming::default(),
            external: false,
            apart: false,
            now: frames.next_time()?,
        };
        let strategies = table.present.first().map(|&index| slot(&table, index));
        let mut journals = JournalSet::new(RING);
        let agents = Agents::assemble(
            &config,
            strategies.into_iter().collect(),
            link.feed.into_direct(),
            link.entry,
            &mut journals,
        )?;
        let matching = SimulationConfig {
            queue: QueueModel::RiskAverse,
            maker_fee: FeeRate(200),
            taker_fee: FeeRate(700),
            order_latency: LATENCY,
            answer_latency: LATENCY,
            partial_fills: false,
        };
        let exchange = SimulatedExchange::new(link.venue, frames, instruments, matching, Nanos::ZERO)?;
        Ok(Self { stepper: Stepper::new(exchange, agents, journals), _room: room })
    }

    /// Plays it; `at_step` sees the virtual time before each step.
    ///
    /// # Errors
    /// When the tape or a journal fails.
    pub fn run(&mut self, at_step: &mut dyn FnMut(Nanos)) -> Result<(), SetupError> {
        self.stepper.run(&mut |next| {
            at_step(next);
            true
        })
    }

    /// Level changes and trades that ingest has taken.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.stepper.path().ingest().counters().events
    }

    /// Requests sent and trades of ours.
    #[must_use]
    pub const fn requests_and_fills(&self) -> (u64, u64) {
        let counters = &self.stepper.path().route().counters;
        (counters.sent + counters.cancels, counters.fills)
    }

    /// What its journals mean: equal for equal replays.
    #[must_use]
    pub fn state_hash(&self) -> String {
        self.stepper.journals().state_hash().to_string()
    }
}

fn slot(table: &Table, index: InstrumentIndex) -> StrategySlot {
    let instrument = table.instruments.get(index);
    let filters = instrument.map(|instrument| instrument.filters).unwrap_or_default();
    let quantity = Quantity(filters.lot.min.0.max(filters.lot.step.0).max(1));
    let strategy = Box::new(Quoter::new(index, filters.tick, quantity));
    StrategySlot { name: "quoter".to_owned(), strategy, instruments: vec![index] }
}
