//! What the journals tell, counted for metrics.

use std::collections::BTreeMap;

use engine::domain::{InstrumentIndex, Side, SourceId};
use engine::error::RejectCode;
use engine::message::{OrderState, Report, ReportKind};

use crate::service::account::{Account, Event};
use crate::service::families::{Families, names};
use crate::service::instruments::Table;
use crate::service::orders::OrderRow;
use crate::service::show::Names;

/// Counts since the first record of the journals.
#[derive(Debug, Default)]
pub struct Tally {
    /// Orders by side and outcome.
    orders: BTreeMap<(&'static str, &'static str), u64>,
    /// Fills by instrument and source.
    fills: BTreeMap<(InstrumentIndex, SourceId), u64>,
}

fn side(code: u8) -> &'static str {
    Side::try_from(code).map_or("none", Side::as_str)
}

/// What a report makes of an order, where it ends it or begins it.
fn outcome(report: &Report) -> Option<&'static str> {
    let filled = report.state == OrderState::Filled.code();
    match ReportKind::try_from(report.kind).ok()? {
        ReportKind::Sent => Some("sent"),
        ReportKind::Fill if filled => Some("filled"),
        ReportKind::Canceled => Some("canceled"),
        ReportKind::Expired => Some("expired"),
        ReportKind::Rejected => Some("rejected"),
        ReportKind::NeverPlaced => Some("never_placed"),
        _ => None,
    }
}

impl Tally {
    /// Counts `event`.
    pub fn count(&mut self, event: &Event) {
        match event {
            Event::Report(report, _) => {
                if let Some(outcome) = outcome(report) {
                    *self.orders.entry((side(report.side), outcome)).or_default() += 1;
                }
                if report.kind == ReportKind::Fill.code() {
                    *self.fills.entry((report.instrument, report.id.source)).or_default() += 1;
                }
            }
            Event::Decision(decision, _, _) => {
                let refused = decision.code() != RejectCode::None.code();
                if refused && decision.intent().places_order() {
                    let key = (side(decision.intent().side), "refused_by_risk");
                    *self.orders.entry(key).or_default() += 1 + u64::from(decision.repeats());
                }
            }
            Event::Swept(..) | Event::Halt(..) => {}
        }
    }

    /// Orders, fills, and what is open.
    pub fn families(&self, account: &Account, table: &Table, called: &Names, families: &mut Families) {
        for side in Side::ALL {
            // There before the first, so that a rate has a beginning.
            for outcome in ["sent", "filled", "canceled", "expired", "rejected", "refused_by_risk"] {
                let count = self.orders.get(&(side.as_str(), outcome)).copied().unwrap_or(0);
                families.counter(names::ORDERS, &[("side", side.as_str()), ("outcome", outcome)], count);
            }
        }
        let Ok(orders) = account.orders() else { return };
        let mut open: BTreeMap<(InstrumentIndex, SourceId), u64> = BTreeMap::new();
        let mut unknown = 0;
        let living = |row: &&OrderRow| row.is_open();
        for row in orders.iter().filter(living) {
            *open.entry((row.instrument, row.id.source)).or_default() += 1;
            unknown += u64::from(row.state == Some(OrderState::Unknown));
        }
        families.gauge(names::UNKNOWN, &[], unknown as f64);
        // Every pair that has traded is shown, at 0 as well.
        let strategies = called.rows().flat_map(|row| {
            let source = row.source;
            row.followed().map(move |instrument| (instrument, source)).collect::<Vec<_>>()
        });
        let mut pairs: Vec<(InstrumentIndex, SourceId)> = strategies.collect();
        pairs.extend(self.fills.keys());
        pairs.extend(open.keys());
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs {
            let Some(facts) = table.get(pair.0) else { continue };
            let strategy = called.of(pair.1);
            let labels = [("symbol", &*facts.symbol), ("strategy", strategy.as_str())];
            families.counter(names::FILLS, &labels, self.fills.get(&pair).copied().unwrap_or(0));
            families.gauge(names::OPEN, &labels, open.get(&pair).copied().unwrap_or(0) as f64);
        }
    }
}
