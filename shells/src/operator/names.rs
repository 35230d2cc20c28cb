//! Names of what the engine numbers: symbols and strategies, from the tables in shared memory.

use engine::counters::cell::CellReader;
use engine::domain::{InstrumentIndex, SourceId};
use engine::error::SetupError;
use engine::journal::{InstrumentFacts, ListedInstrument};
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::strategy::row::StrategyRow;

/// Most symbols that an error names.
const NAMED_MAX: usize = 10;

/// The instruments of the engine that runs, or ran last, by index.
///
/// # Errors
/// When their table is missing or cannot be read.
pub fn instruments(ipc: &IpcPaths) -> Result<Vec<(InstrumentIndex, InstrumentFacts)>, SetupError> {
    let rows = CellReader::<ListedInstrument>::attach(&ipc.instruments())?;
    let rows = (0..).zip((0..rows.count()).map(|index| rows.read(index)));
    Ok(rows.filter_map(|(index, row)| Some((index, row?.facts()?))).collect())
}

/// The instrument called `symbol`.
///
/// # Errors
/// When the engine knows none.
pub fn instrument(ipc: &IpcPaths, symbol: &str) -> Result<(InstrumentIndex, InstrumentFacts), SetupError> {
    let mut rows = instruments(ipc)?;
    if let Some(found) = rows.iter().position(|(_, facts)| &*facts.symbol == symbol) {
        return Ok(rows.swap_remove(found));
    }
    let known: Vec<&str> = rows.iter().take(NAMED_MAX).map(|(_, facts)| &*facts.symbol).collect();
    let more = if rows.len() > NAMED_MAX { " and others" } else { "" };
    let known = known.join(", ");
    Err(SetupError::Invalid(format!("{symbol}: the engine knows no such symbol; there are {known}{more}")))
}

/// The strategies of the engine that runs, or ran last, by source: `NAME/SYMBOL`.
///
/// # Errors
/// When their table is missing or cannot be read.
pub fn sources(ipc: &IpcPaths) -> Result<Vec<(SourceId, String)>, SetupError> {
    let rows = CellReader::<StrategyRow>::attach(&ipc.strategies())?;
    let rows = (0..rows.count()).filter_map(|source| rows.read(source));
    Ok(rows.filter_map(|row| Some((row.source, row.name()?.to_owned()))).collect())
}
