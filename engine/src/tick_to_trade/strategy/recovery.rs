//! What the strategies' last lives left: positions and open orders of each source, from route's journal.

use std::collections::BTreeMap;

use crate::domain::{InstrumentIndex, Instruments, OrderId, Side, SourceId};
use crate::error::SetupError;
use crate::journal::Tail;
use crate::journal::translate::Translator;
use crate::message::report::{OrderState, Report, ReportKind};
use crate::tick_to_trade::strategy::position::Position;
use crate::tick_to_trade::strategy::working::Working;

/// One source's past.
#[derive(Debug, Default)]
struct SourcePast {
    positions: BTreeMap<InstrumentIndex, Position>,
    open: BTreeMap<OrderId, Report>,
    /// The latest source epoch seen in the present engine epoch.
    source_epoch: u16,
}

/// The past of every source.
#[derive(Debug)]
pub struct Past {
    epoch: u32,
    sources: BTreeMap<SourceId, SourcePast>,
}

impl Past {
    /// No past, in engine epoch `epoch`.
    #[must_use]
    pub const fn new(epoch: u32) -> Self {
        Self { epoch, sources: BTreeMap::new() }
    }

    /// Takes up every report that `reports` has by now; it must stand at its journal's first record.
    ///
    /// # Errors
    /// When the journal cannot be read, or the instruments of this epoch were others.
    pub fn read(&mut self, reports: &mut Tail, instruments: &Instruments) -> Result<(), SetupError> {
        let mut table = Translator::new(instruments, self.epoch);
        reports.catch_up(|record| {
            table.follow(record);
            if let Some(report) =
                table.report(record).filter(|report| report.instrument != InstrumentIndex::MAX)
            {
                self.take(&report);
            }
        })?;
        table.check()
    }

    fn take(&mut self, report: &Report) {
        let past = self.sources.entry(report.id.source).or_default();
        if report.id.epoch == self.epoch {
            past.source_epoch = past.source_epoch.max(report.id.source_epoch);
        }
        let fill = report.kind == ReportKind::Fill.code();
        if fill && let Ok(side) = Side::try_from(report.side) {
            let flat = || Position::flat(report.instrument);
            let position = past.positions.entry(report.instrument).or_insert_with(flat);
            position.apply(side, report.price, report.quantity);
        }
        if OrderState::try_from(report.state).is_ok_and(OrderState::is_terminal) {
            past.open.remove(&report.id);
            return;
        }
        let open = past.open.entry(report.id).or_insert(*report);
        // A fill tells of the trade's price and quantity, not of the order's.
        let (price, quantity) =
            if fill { (open.price, open.quantity) } else { (report.price, report.quantity) };
        *open = Report { price, quantity, ..*report };
    }

    /// The latest source epoch of `source` in the present engine epoch; 0 if there was none.
    #[must_use]
    pub fn source_epoch(&self, source: SourceId) -> u16 {
        self.sources.get(&source).map_or(0, |past| past.source_epoch)
    }

    /// Positions and open orders of `source`.
    #[must_use]
    pub fn working(&self, source: SourceId) -> Working {
        let Some(past) = self.sources.get(&source) else { return Working::new(&[], &[]) };
        let positions: Vec<Position> = past.positions.values().copied().collect();
        let open: Vec<Report> = past.open.values().copied().collect();
        Working::new(&positions, &open)
    }
}
