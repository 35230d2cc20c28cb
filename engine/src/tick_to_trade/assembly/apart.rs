//! Each agent in a process of its own: made in any order, restarted alone.
//!
//! ```text
//! route    reserves the engine epoch, which its journal ring shows         needs nobody
//! ingest   publishes the timeline, ticks, books and the instrument table   needs nobody
//! risk     takes its epoch from route's ring, recovers from both journals  needs route's ring
//! strategy likewise                                                        needs route's and risk's rings
//! ```
//!
//! A builder fails when what it needs is not there yet: the caller tries again until its patience is over. Everything else
//! is looked for by the agent itself.

use std::path::Path;

use crate::agent::Published;
use crate::counters::CellReader;
use crate::domain::Instruments;
use crate::error::SetupError;
use crate::journal::{ListedInstrument, Tail};
use crate::shm::Late;
use crate::shm::paths::IpcPaths;
use crate::tick_to_trade::assembly::builders;
use crate::tick_to_trade::assembly::config::{PathConfig, StrategySlot};
use crate::tick_to_trade::assembly::journals::JournalSet;
use crate::tick_to_trade::ingest::Ingest;
use crate::tick_to_trade::risk::Risk;
use crate::tick_to_trade::route::Route;
use crate::tick_to_trade::strategy::host::StrategyHost;
use crate::venue::{MarketData, OrderEntry};

/// The engine epoch, as route's journal ring shows it: of the present life, or of the last one.
///
/// # Errors
/// When there is no such ring, or it cannot be read.
pub fn epoch(ipc: &IpcPaths) -> Result<u32, SetupError> {
    epoch_of(&ipc.journal("route"))
}

/// The same for whoever goes on looking: the ring is mapped again only when another one stands there.
#[must_use]
pub fn route_epoch(ipc: &IpcPaths) -> Late<u32> {
    Late::new(ipc.journal("route"), epoch_of)
}

fn epoch_of(ring: &Path) -> Result<u32, SetupError> {
    Ok(Tail::attach(ring, None)?.epoch())
}

/// Whether the table that ingest has published is ours.
///
/// # Errors
/// When there is none yet, or it is another one: the row is named.
pub fn check_instruments(ipc: &IpcPaths, instruments: &Instruments) -> Result<(), SetupError> {
    let path = ipc.instruments();
    let rows = CellReader::<ListedInstrument>::attach(&path)?;
    if rows.count() != instruments.len() {
        let reason = format!("lists {} instruments, not {}", rows.count(), instruments.len());
        return Err(SetupError::file(path, reason));
    }
    for (index, instrument) in instruments.iter() {
        if rows.read(index as usize) != Some(ListedInstrument::new(index, instrument)?) {
            let reason = format!("instrument {index} is not {} as we know it", instrument.symbol);
            return Err(SetupError::file(path, reason));
        }
    }
    Ok(())
}

/// Whether the journals that strategies follow are there.
///
/// # Errors
/// When one is not, or is of another epoch.
pub fn ready_for_strategies(config: &PathConfig) -> Result<(), SetupError> {
    for owner in ["route", "risk"] {
        let ring = config.ipc.journal(owner);
        let found = epoch_of(&ring)?;
        if found != config.epoch {
            return Err(SetupError::file(ring, format!("is of epoch {found}, not {}", config.epoch)));
        }
    }
    Ok(())
}

/// Ingest alone.
///
/// # Errors
/// When a file cannot be made.
pub fn ingest<M: MarketData>(config: &PathConfig, feed: M) -> Result<Published<Ingest<M>>, SetupError> {
    builders::ingest(config, feed)
}

/// The strategies alone. Their positions and open orders are those of the journals.
///
/// # Errors
/// When route or risk is not there yet, or a strategy does not fit the instruments.
pub fn strategies(
    config: &PathConfig,
    slots: Vec<StrategySlot>,
) -> Result<Published<StrategyHost>, SetupError> {
    builders::strategies(config, slots)
}

/// Risk alone, for `count` strategies; its journal joins `journals`.
///
/// # Errors
/// When route is not there yet, a journal is damaged, or a limit does not fit the instruments.
pub fn risk(
    config: &PathConfig,
    count: usize,
    journals: &mut JournalSet,
) -> Result<Published<Risk>, SetupError> {
    // Before anything is touched.
    let found = epoch(&config.ipc)?;
    if found != config.epoch {
        return Err(SetupError::Invalid(format!("route is in epoch {found}, not {}", config.epoch)));
    }
    let journal = journals.open("risk", config)?;
    builders::risk(config, count, journal, builders::page(config, "risk")?)
}

/// Route alone; its journal joins `journals`.
///
/// # Errors
/// When a journal is damaged or a file cannot be made.
pub fn route<E: OrderEntry>(
    config: &PathConfig,
    entry: E,
    journals: &mut JournalSet,
) -> Result<Published<Route<E>>, SetupError> {
    let journal = journals.open("route", config)?;
    builders::route(config, entry, journal, builders::page(config, "route")?)
}
