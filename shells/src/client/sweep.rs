//! What `cancel_all` and `flatten` do, decided from what is known: which orders to cancel, which to place.

use std::collections::BTreeSet;

use engine::domain::{InstrumentIndex, OrderId, Quantity, Side, SourceId};
use engine::error::RejectCode;
use engine::ledger::Ledger;
use engine::message::{IntentKind, OrderState, Report, ReportKind};

use crate::api::orders::{CancelAll, OrderFilter};
use crate::api::{ApiError, code};
use crate::client::intents::NewOrder;
use crate::client::session::refused;
use crate::service::instruments::Table;
use crate::service::orders::Orders;
use crate::service::show::Names;

/// Which orders are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Of this instrument alone.
    pub instrument: Option<InstrumentIndex>,
    /// Of this source alone.
    pub source: Option<SourceId>,
}

impl Scope {
    /// Reads a filter.
    ///
    /// # Errors
    /// `UNKNOWN_SYMBOL` or `UNKNOWN_STRATEGY`.
    pub fn read(table: &Table, names: &Names, filter: &OrderFilter) -> Result<Self, ApiError> {
        let unknown = |name: &String| {
            ApiError::new(code::UNKNOWN_STRATEGY, format!("{name:?}: there is no such strategy"))
        };
        Ok(Self {
            instrument: match &filter.symbol {
                Some(symbol) => Some(table.find(symbol)?.index),
                None => None,
            },
            source: match &filter.strategy {
                Some(name) => Some(names.find(name).ok_or_else(|| unknown(name))?),
                None => None,
            },
        })
    }

    /// Whether an order of `source` on `instrument` is meant.
    #[must_use]
    pub fn takes(&self, instrument: InstrumentIndex, source: SourceId) -> bool {
        self.instrument.is_none_or(|only| only == instrument) && self.source.is_none_or(|only| only == source)
    }

    /// The open orders that are meant and are not being cancelled yet. One that another was to replace is not: the venue
    /// may refuse that whole.
    #[must_use]
    pub fn to_cancel(&self, orders: &Orders) -> Vec<(OrderId, InstrumentIndex)> {
        let intents = orders.iter().filter_map(|row| row.intent);
        let replacing = intents.filter(|intent| intent.kind == IntentKind::Replace.code());
        let replaced: BTreeSet<OrderId> = replacing.map(|intent| intent.target).collect();
        let meant = orders.iter().filter(|row| {
            row.is_open()
                && (row.state != Some(OrderState::PendingCancel) || replaced.contains(&row.id))
                && self.takes(row.instrument, row.id.source)
        });
        meant.map(|row| (row.id, row.instrument)).collect()
    }

    /// The orders that are meant and are open, those that are being cancelled among them.
    #[must_use]
    pub fn all_open(&self, orders: &Orders) -> Vec<OrderId> {
        let meant = orders.iter().filter(|row| row.is_open() && self.takes(row.instrument, row.id.source));
        meant.map(|row| row.id).collect()
    }

    /// How many of the orders that are meant are open.
    #[must_use]
    pub fn open(&self, orders: &Orders) -> usize {
        self.all_open(orders).len()
    }
}

/// The instrument on which the venue shall cancel whatever the account has open; none where ours alone are meant.
///
/// # Errors
/// `BAD_REQUEST` when foreign orders are meant without a symbol, or of one strategy.
pub fn at_venue(scope: &Scope, request: &CancelAll) -> Result<Option<InstrumentIndex>, ApiError> {
    match (request.foreign, scope) {
        (false, _) => Ok(None),
        (true, Scope { instrument: Some(instrument), source: None }) => Ok(Some(*instrument)),
        (true, _) => Err(ApiError::new(code::BAD_REQUEST, "foreign: needs a symbol, and no strategy")),
    }
}

/// What came of a request that the venue cancel all on an instrument, as route reports it.
///
/// # Errors
/// `TIMEOUT` when the venue did not say, else why it was refused.
pub fn outcome(report: &Report) -> Result<(), ApiError> {
    match (ReportKind::try_from(report.kind), RejectCode::try_from(report.detail)) {
        (Ok(ReportKind::Swept), _) => Ok(()),
        (_, Ok(RejectCode::Unresolved) | Err(_)) => {
            Err(ApiError::new(code::TIMEOUT, "the venue did not say whether it has cancelled all"))
        }
        (_, Ok(code)) => Err(refused(code)),
    }
}

/// Market orders that close every position, of one instrument or of all, down to what is less than a lot.
#[must_use]
pub fn closing(table: &Table, ledger: &Ledger, instrument: Option<InstrumentIndex>) -> Vec<NewOrder> {
    let meant = table.iter().filter(|facts| instrument.is_none_or(|only| only == facts.index));
    let close = |facts: &engine::journal::InstrumentFacts| {
        let held = ledger.position(facts.index)?.0;
        let lot = facts.lot.0.max(1);
        let quantity = i64::try_from(held.unsigned_abs()).unwrap_or(i64::MAX) / lot * lot;
        let side = if held > 0 { Side::Sell } else { Side::Buy };
        (quantity > 0).then(|| NewOrder::market(facts.index, side, Quantity(quantity)))
    };
    meant.filter_map(close).collect()
}
