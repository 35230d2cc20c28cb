//! Strategies held back for the length of a command, on the operator's own page.

use engine::counters::cell::CellReader;
use engine::counters::{HaltPage, HaltState};
use engine::domain::SourceId;
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::strategy::row::StrategyRow;

use crate::config::Places;
use crate::operator::halts::{left, open, own_log};
use crate::operator::log::OperatorLog;
use crate::operator::names;

/// Strategies that may place nothing, until they are released. When the command dies they stay so: the log tells
/// nothing of it, and a `resume --strategy` or the next start lets them go.
pub struct Held {
    page: HaltPage,
    log: OperatorLog,
    sources: Vec<(SourceId, String)>,
}

impl Held {
    /// Halts every strategy, or those that follow `symbol`. The caller holds the operator's lock.
    ///
    /// # Errors
    /// When the symbol is unknown, the strategies are not, or the page cannot be written.
    pub fn strategies(places: &Places, symbol: Option<&str>) -> Result<Self, SetupError> {
        let ipc = IpcPaths::new(&places.ipc);
        let only = match symbol {
            Some(symbol) => Some(names::instrument(&ipc, symbol)?.0),
            None => None,
        };
        let rows = CellReader::<StrategyRow>::attach(&ipc.strategies())?;
        let rows = (0..rows.count()).filter_map(|source| rows.read(source));
        let meant = rows.filter(|row| only.is_none_or(|only| row.followed().any(|index| index == only)));
        let sources = meant.filter_map(|row| Some((row.source, row.name()?.to_owned()))).collect();
        let log = own_log(places, &ipc);
        let mut held = Self { page: open(&ipc, &log)?, log, sources };
        for (source, _) in &held.sources {
            held.page.set_source(*source, HaltState::Halted);
        }
        Ok(held)
    }

    /// Gives them back what the operator's log lets them have.
    ///
    /// # Errors
    /// When the log is damaged: they stay halted.
    pub fn release(mut self) -> Result<(), SetupError> {
        let entries = self.log.read()?;
        for (source, name) in &self.sources {
            self.page.set_source(*source, left(&entries, |scope| scope.is_strategy(name)));
        }
        Ok(())
    }
}
