//! Port 5556: orders and execution reports.

use engine::domain::{Nanos, OrderId};
use engine::shm::paths::IpcPaths;

use crate::api::envelope::Request;
use crate::api::orders::{Fill, FillsQuery, GetOrder, Order, OrderFilter};
use crate::api::{ApiError, code};
use crate::config::Places;
use crate::service::account::Event;
use crate::service::families::Families;
use crate::service::orders::OrderRow;
use crate::service::show;
use crate::service::tally::Tally;
use crate::zmq::desk::{Desk, Outcome, Ticket, result};
use crate::zmq::looking::{Views, not_ready, unknown};
use crate::zmq::router::{Operations, RouterCounts};

/// Fills that `fills` answers with when no limit is given, and at most.
const FILLS_DEFAULT: usize = 100;
const FILLS_MAX: usize = 1_000;

/// The port's operations.
pub struct OrderExecution {
    views: Views,
    tally: Tally,
}

impl OrderExecution {
    /// Looks at the engine under `ipc`, whose journals lie under `places`.
    #[must_use]
    pub fn new(ipc: &IpcPaths, places: &Places) -> Self {
        Self { views: Views::new("order_execution", "route", ipc, places), tally: Tally::default() }
    }

    fn answer(&self, request: &Request, now: Nanos) -> Outcome {
        if let Some(outcome) = self.views.serve(request, now) {
            return outcome;
        }
        match request.op.as_str() {
            "order.get" => result(&self.get(&request.read()?)?),
            "orders.open" => result(&self.open(&request.read()?)?),
            "fills" => result(&self.fills(&request.read()?)?),
            _ => Err(unknown(request)),
        }
    }

    fn show(&self, row: &OrderRow) -> Result<Order, ApiError> {
        let facts = self.views.table()?.get(row.instrument);
        let facts = facts.ok_or_else(|| ApiError::new(code::INTERNAL, "an order of no instrument"))?;
        Ok(show::order(row, facts, &self.views.names))
    }

    fn get(&self, query: &GetOrder) -> Result<Order, ApiError> {
        let id = find(query)?;
        let orders = self.views.account.orders().map_err(not_ready)?;
        let row = orders
            .get(id)
            .ok_or_else(|| ApiError::new(code::UNKNOWN_ORDER, format!("{id}: no such order is known")))?;
        self.show(row)
    }

    fn open(&self, filter: &OrderFilter) -> Result<Vec<Order>, ApiError> {
        let table = self.views.table()?;
        let instrument = match &filter.symbol {
            Some(symbol) => Some(table.find(symbol)?.index),
            None => None,
        };
        let source = match &filter.strategy {
            Some(name) => Some(self.views.names.find(name).ok_or_else(|| {
                ApiError::new(code::UNKNOWN_STRATEGY, format!("{name:?}: there is no such strategy"))
            })?),
            None => None,
        };
        let orders = self.views.account.orders().map_err(not_ready)?;
        let meant = orders.iter().filter(|row| {
            row.is_open()
                && instrument.is_none_or(|instrument| row.instrument == instrument)
                && source.is_none_or(|source| row.id.source == source)
        });
        meant.map(|row| self.show(row)).collect()
    }

    fn fills(&self, query: &FillsQuery) -> Result<Vec<Fill>, ApiError> {
        let limit = query.limit.unwrap_or(FILLS_DEFAULT);
        if limit > FILLS_MAX {
            return Err(ApiError::new(code::BAD_REQUEST, format!("limit: {limit} is above {FILLS_MAX}")));
        }
        let table = self.views.table()?;
        let instrument = match &query.symbol {
            Some(symbol) => Some(table.find(symbol)?.index),
            None => None,
        };
        let orders = self.views.account.orders().map_err(not_ready)?;
        let meant = orders
            .fills()
            .rev()
            .filter(|report| instrument.is_none_or(|instrument| report.instrument == instrument));
        let mut fills: Vec<Fill> = meant
            .take(limit)
            .filter_map(|report| Some(show::fill(report, table.get(report.instrument)?, &self.views.names)))
            .collect();
        fills.reverse();
        Ok(fills)
    }
}

/// The order that a request names.
fn find(query: &GetOrder) -> Result<OrderId, ApiError> {
    let bad = |reason: &str| ApiError::new(code::BAD_REQUEST, reason);
    let text = query.order_id.as_ref().ok_or_else(|| bad("order_id: missing"))?;
    text.parse().map_err(|error| bad(&format!("order_id: {text:?}: {error}")))
}

impl Operations for OrderExecution {
    fn refresh(&mut self, now: Nanos) -> Result<(), String> {
        let generation = self.views.generation();
        let ready = self.views.refresh(now);
        if self.views.generation() != generation {
            self.tally = Tally::default();
        }
        ready
    }

    fn work(&mut self, now: Nanos, desk: &mut Desk) -> usize {
        let mut events = Vec::new();
        let heard = desk.is_heard();
        let Self { views, tally } = self;
        let done = views.poll(now, &mut |event| {
            tally.count(event);
            if heard && let Event::Report(report, row) = event {
                events.push((*report, *row));
            }
        });
        for (report, row) in events {
            if let Some(facts) = self.views.table().ok().and_then(|table| table.get(row.instrument)) {
                desk.push("report", &show::report(&report, &row, facts, &self.views.names));
            }
        }
        done
    }

    fn serve(&mut self, request: &Request, ticket: Ticket, now: Nanos, desk: &mut Desk) {
        let outcome = self.answer(request, now);
        desk.reply(ticket, outcome);
    }

    fn epoch(&self) -> u32 {
        self.views.epoch()
    }

    fn counted(&mut self, counts: RouterCounts) {
        self.views.counted(counts);
    }

    fn families(&mut self, now: Nanos, families: &mut Families) {
        self.views.families(now, families);
        let Self { views, tally } = self;
        if let Ok(table) = views.table() {
            tally.families(&views.account, table, &views.names, families);
        }
    }
}
