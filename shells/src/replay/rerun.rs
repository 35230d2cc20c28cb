//! A recorded session again, held against what it came to when it was live.

use std::path::Path;
use std::sync::Arc;

use engine::clock::Stopwatch;
use engine::domain::{Instruments, Market};
use engine::error::SetupError;
use engine::simulation::replayed::ReplayedEntry;
use engine::simulation::rerun::{Recorded, Rerun, RerunPorts};
use engine::tick_to_trade::assembly::{JournalSet, Path as AgentPath, journal_directory};
use engine::venue::binance::exchange_info;
use engine::venue::replay::{Catalog, TapeReader};

use crate::assembly::{Link, PathSetup};
use crate::cli::args::ReplayArgs;
use crate::cli::output::say;
use crate::replay::Room;
use crate::replay::summary::{Facts, Summary};
use crate::session::Session;

/// Runs the session in `directory` again.
///
/// # Errors
/// When it cannot be read or was not wholly recorded, or the state hash differs from the live session's.
pub fn run(directory: &Path, args: &ReplayArgs) -> Result<(), SetupError> {
    let (session, file) = Session::open(directory)?;
    let refuse = |reason: &str| Err(SetupError::file(directory, reason));
    if file.placement != "shared" {
        return refuse("was run on several threads, whose interleaving is not recorded: it does not replay");
    }
    if file.lost > 0 {
        return refuse("was not wholly recorded: it does not replay");
    }
    let Some(live_hash) = &file.state_hash else {
        return refuse("did not end in good order: there is no state hash to hold a replay against");
    };
    let tapes = [session.tape()];
    let catalog = Catalog::scan(&tapes, exchange_info::instruments)?;
    let instruments = Arc::new(Instruments::new(catalog.into_instruments())?);
    let room = Room::new(args.report.as_deref())?;
    let ipc = room.ipc()?;
    let journals = room.journals();
    let stopwatch = Stopwatch::calibrate();
    let (engine_feed, feed, wishes) = Link::feed(&ipc, args.ring_capacity, file.epoch)?;
    let now = TapeReader::open(&tapes[0])?.next()?.map_or(engine::domain::Nanos::ZERO, |line| line.received);
    let setup = PathSetup {
        ipc: &ipc,
        journals: &journals,
        sync: args.report.is_some(),
        epoch: file.epoch,
        instruments: &instruments,
        stopwatch,
        capacity: args.ring_capacity,
        // As it was live: a source that never came still has its place in the round that risk makes.
        external: true,
        now,
    };
    let targets = file.trading.targets(&instruments, &[])?;
    let strategies = file.trading.strategies(&instruments, &targets)?;
    let mut config = setup.config(&file.trading, &strategies)?;
    config.timing = file.timing();
    let mut set = JournalSet::new(args.ring_capacity);
    let mut path = AgentPath::assemble(&config, strategies, engine_feed, ReplayedEntry::default(), &mut set)?;
    if let Some(reason) = &file.begins_halted {
        path.risk_mut().begin_halted(reason, now);
    }
    let mut rerun = Rerun::new(path, set, RerunPorts { feed, wishes });
    let started = stopwatch.elapsed();
    rerun.run(&Recorded {
        tape: &tapes[0],
        log: &journal_directory(directory, "input"),
        market: Market::Spot,
        instruments: Arc::clone(&instruments),
        connection: config.timing.connection,
    })?;
    let elapsed = stopwatch.elapsed() - started;
    let facts = Facts { elapsed, inferred: Vec::new(), trading: file.trading.clone(), journals };
    let summary = Summary::of(rerun.path(), rerun.journals(), &instruments, &ipc, facts)?;
    room.keep(&summary)?;
    summary.print(args.json);
    if summary.state_hash() != live_hash {
        let reason = format!("live it came to state hash {live_hash}, replayed to {}", summary.state_hash());
        return Err(SetupError::file(directory, reason));
    }
    if !args.json {
        say!("equal to the live session's");
    }
    Ok(())
}
