//! Port 5556: orders and execution reports.

use engine::domain::{Nanos, OrderId, Quantity, SourceId};
use engine::error::RejectCode;
use engine::message::OrderState;
use engine::shm::paths::IpcPaths;
use serde_json::Value;

use crate::api::envelope::Request;
use crate::api::orders::{
    self as api, AmendOrder, CancelAll, Fill, FillsQuery, Flatten, GetOrder, Order, OrderFilter, PlaceOrder,
};
use crate::api::{ApiError, code};
use crate::client::intents::{Intents, NewOrder};
use crate::client::pair;
use crate::client::sweep::{Scope, at_venue};
use crate::config::Places;
use crate::service::account::Event;
use crate::service::families::{Families, names};
use crate::service::instruments::read_quantity;
use crate::service::liveness::venue_clock_offset;
use crate::service::orders::OrderRow;
use crate::service::show;
use crate::service::tally::Tally;
use crate::zmq::desk::{Desk, Ticket, result};
use crate::zmq::looking::{Views, not_ready, unknown};
use crate::zmq::order_entry::OrderEntry;
use crate::zmq::router::{Operations, RouterCounts};

/// Fills that `fills` answers with when no limit is given, and at most.
const FILLS_DEFAULT: usize = 100;
const FILLS_MAX: usize = 1_000;

/// The port's operations.
pub struct OrderExecution {
    views: Views,
    tally: Tally,
    entry: OrderEntry,
    intents: Option<Intents>,
    /// Why there is no ring, if there is none.
    no_ring: String,
}

impl OrderExecution {
    /// Looks at the engine under `ipc`, whose journals lie under `places`.
    #[must_use]
    pub fn new(ipc: &IpcPaths, places: &Places) -> Self {
        Self {
            views: Views::new("order_execution", "route", ipc, places),
            tally: Tally::default(),
            entry: OrderEntry::default(),
            intents: None,
            no_ring: "the intent ring is not open yet".to_owned(),
        }
    }

    /// Opens the clients' intent ring for the engine that runs now.
    fn open_ring(&mut self) {
        let epoch = self.views.epoch();
        if epoch == 0 || self.intents.as_ref().is_some_and(|intents| intents.epoch() == epoch) {
            return;
        }
        match Intents::open(&self.views.ipc, SourceId::CLIENT, epoch) {
            Ok(intents) => self.intents = Some(intents),
            Err(error) => {
                self.intents = None;
                self.no_ring = error.to_string();
            }
        }
    }

    fn answer(&mut self, request: &Request, ticket: Ticket, now: Nanos, desk: &mut Desk) {
        let outcome = match request.op.as_str() {
            "order.get" => request.read().and_then(|query| result(&self.get(&query, &ticket)?)),
            "orders.open" => request.read().and_then(|filter| result(&self.open(&filter)?)),
            "fills" => request.read().and_then(|query| result(&self.fills(&query)?)),
            _ => match self.act(request, &ticket, now, desk) {
                // The reply follows what becomes of it.
                Ok(None) => return,
                Ok(Some(outcome)) => Ok(outcome),
                Err(error) => Err(error),
            },
        };
        desk.reply(ticket, outcome);
    }

    /// Serves what changes something.
    fn act(
        &mut self,
        request: &Request,
        ticket: &Ticket,
        now: Nanos,
        desk: &mut Desk,
    ) -> Result<Option<Value>, ApiError> {
        match request.op.as_str() {
            "order.place" => {
                let place: PlaceOrder = request.read()?;
                let order = NewOrder::read(self.views.table()?, &place)?;
                if let Some(name) = &place.client_id {
                    self.entry.check_name(ticket, name)?;
                }
                let intents = ring(&mut self.intents, &self.no_ring)?;
                self.entry.place(intents, &order, (ticket.clone(), place.client_id), now, desk);
                Ok(None)
            }
            "order.oco" => {
                let orders = pair::read(self.views.table()?, &request.read()?)?;
                let intents = ring(&mut self.intents, &self.no_ring)?;
                self.entry.pairs.place(intents, &orders, (ticket.clone(), now), desk);
                Ok(None)
            }
            "order.cancel" => {
                let row = self.living(&request.read()?, ticket)?;
                let intents = ring(&mut self.intents, &self.no_ring)?;
                self.entry.cancel(intents, &row, ticket.clone(), now, desk);
                Ok(None)
            }
            "order.amend" => {
                let (row, quantity) = self.lowered(request.read()?, ticket)?;
                not_of_pair(&row, self.views.epoch(), RejectCode::KeepPriority)?;
                let intents = ring(&mut self.intents, &self.no_ring)?;
                self.entry.amend(intents, &row, quantity, (ticket.clone(), now), desk);
                Ok(None)
            }
            "order.replace" => {
                let amend: AmendOrder = request.read()?;
                let (row, order) = self.amended(&amend, ticket)?;
                not_of_pair(&row, self.views.epoch(), RejectCode::NoReplace)?;
                let at_once = row.state == Some(OrderState::Open) && row.filled == Quantity::ZERO;
                let at_once = at_once
                    && self.views.table()?.get(row.instrument).is_some_and(|facts| facts.cancel_replace);
                let intents = ring(&mut self.intents, &self.no_ring)?;
                if at_once {
                    self.entry.swap(intents, &row, order, (ticket.clone(), now), desk);
                } else {
                    self.entry.replace(intents, row.id, order, (ticket.clone(), now), desk);
                }
                Ok(None)
            }
            "order.cancel_all" => {
                let all: CancelAll = request.read()?;
                let scope = Scope::read(self.views.table()?, &self.views.names, &all.filter())?;
                let orders = self.views.account.orders().map_err(not_ready)?;
                let intents = ring(&mut self.intents, &self.no_ring)?;
                let Some(instrument) = at_venue(&scope, &all)? else {
                    return result(&OrderEntry::sweep(intents, &scope, orders, now)?).map(Some);
                };
                self.entry.sweep_venue(intents, instrument, orders, (ticket.clone(), now), desk);
                Ok(None)
            }
            "flatten" => {
                let Flatten { symbol } = request.read()?;
                let instrument = match symbol {
                    Some(symbol) => Some(self.views.table()?.find(&symbol)?.index),
                    None => None,
                };
                let orders = self.views.account.orders().map_err(not_ready)?;
                let intents = ring(&mut self.intents, &self.no_ring)?;
                self.entry.flatten(intents, instrument, orders, (ticket.clone(), now), desk);
                Ok(None)
            }
            _ => Err(unknown(request)),
        }
    }

    /// The open order that a request names.
    fn living(&self, query: &GetOrder, ticket: &Ticket) -> Result<OrderRow, ApiError> {
        let id = self.find(query, ticket)?;
        let orders = self.views.account.orders().map_err(not_ready)?;
        let row = orders.get(id).filter(|row| row.is_open());
        row.copied().ok_or_else(|| ApiError::new(code::UNKNOWN_ORDER, format!("{id}: no such order is open")))
    }

    /// The order to amend, and its new quantity.
    fn lowered(&self, amend: AmendOrder, ticket: &Ticket) -> Result<(OrderRow, Quantity), ApiError> {
        let AmendOrder { order_id, client_id, quantity, price, stop_price } = amend;
        let row = self.living(&GetOrder { order_id, client_id }, ticket)?;
        let given = [("price", price.is_some()), ("stop_price", stop_price.is_some())];
        if let Some((field, _)) = given.iter().find(|(_, given)| *given) {
            let reason =
                format!("{field}: an order with another price loses its place; order.replace makes one");
            return Err(ApiError::new(RejectCode::KeepPriority.as_str(), reason));
        }
        let missing = || ApiError::new(code::BAD_REQUEST, "quantity: missing");
        let facts = self.views.table()?.get(row.instrument);
        let facts = facts.ok_or_else(|| ApiError::new(code::INTERNAL, "an order of no instrument"))?;
        Ok((row, read_quantity(facts, "quantity", &quantity.ok_or_else(missing)?)?))
    }

    /// The order to replace, and what it is to become.
    fn amended(&self, amend: &AmendOrder, ticket: &Ticket) -> Result<(OrderRow, NewOrder), ApiError> {
        let AmendOrder { order_id, client_id, quantity, price, stop_price } = amend.clone();
        let row = self.living(&GetOrder { order_id, client_id }, ticket)?;
        let bad = |reason: &str| ApiError::new(code::BAD_REQUEST, reason);
        if quantity.is_none() && price.is_none() && stop_price.is_none() {
            return Err(bad("quantity, price or stop_price: one must be given"));
        }
        let facts = self.views.table()?.get(row.instrument);
        let facts = facts.ok_or_else(|| ApiError::new(code::INTERNAL, "an order of no instrument"))?;
        let shown = show::order(&row, facts, &self.views.names);
        let request = PlaceOrder {
            client_id: None,
            symbol: shown.symbol,
            side: shown.side,
            order_type: shown.order_type,
            time_in_force: Some(shown.time_in_force),
            quantity: quantity.unwrap_or(shown.quantity),
            price: price.or(shown.price),
            stop_price: stop_price.or(shown.stop_price),
            self_trade_prevention: shown.self_trade_prevention,
            valid_for_ms: None,
        };
        Ok((row, NewOrder::read(self.views.table()?, &request)?))
    }

    fn show(&self, row: &OrderRow) -> Result<Order, ApiError> {
        let facts = self.views.table()?.get(row.instrument);
        let facts = facts.ok_or_else(|| ApiError::new(code::INTERNAL, "an order of no instrument"))?;
        let client_id = self.entry.client_id(row.id).cloned();
        Ok(Order { client_id, ..show::order(row, facts, &self.views.names) })
    }

    fn get(&self, query: &GetOrder, ticket: &Ticket) -> Result<Order, ApiError> {
        let id = self.find(query, ticket)?;
        let orders = self.views.account.orders().map_err(not_ready)?;
        let row = orders
            .get(id)
            .ok_or_else(|| ApiError::new(code::UNKNOWN_ORDER, format!("{id}: no such order is known")))?;
        self.show(row)
    }

    /// What subscribers are told of an event.
    fn report(&self, event: &Event) -> Option<api::Report> {
        match event {
            Event::Report(report, row) => {
                let facts = self.views.table().ok()?.get(row.instrument)?;
                let told = show::report(report, row, facts, &self.views.names);
                let client_id = self.entry.client_id(row.id).cloned();
                Some(api::Report { order: Order { client_id, ..told.order }, ..told })
            }
            Event::Decision(decision, Some(row), at) if decision.code() != RejectCode::None.code() => {
                let kind = "RISK_REJECTED".to_owned();
                Some(api::Report { kind, fill: None, order: self.show(row).ok()?, time_ns: at.0 })
            }
            Event::Decision(..) | Event::Swept(..) | Event::Halt(..) => None,
        }
    }

    fn open(&self, filter: &OrderFilter) -> Result<Vec<Order>, ApiError> {
        let scope = Scope::read(self.views.table()?, &self.views.names, filter)?;
        let orders = self.views.account.orders().map_err(not_ready)?;
        let meant = orders.iter().filter(|row| row.is_open() && scope.takes(row.instrument, row.id.source));
        meant.map(|row| self.show(row)).collect()
    }

    /// The order that a request names.
    fn find(&self, query: &GetOrder, ticket: &Ticket) -> Result<OrderId, ApiError> {
        let bad = |reason: String| ApiError::new(code::BAD_REQUEST, reason);
        match (&query.order_id, &query.client_id) {
            (Some(text), None) => text.parse().map_err(|error| bad(format!("order_id: {text:?}: {error}"))),
            (None, Some(name)) => self.entry.find(ticket, name).ok_or_else(|| {
                let reason = format!("client_id: this connection has no order {name:?}");
                ApiError::new(code::UNKNOWN_ORDER, reason)
            }),
            _ => Err(bad("order_id or client_id: one must be given".to_owned())),
        }
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

/// One of a pair is neither amended nor replaced, at once or in turn: the venue would end or change the other with it.
/// Whether an order of a session before that of `epoch` is one, nobody here knows.
fn not_of_pair(row: &OrderRow, epoch: u32, code: RejectCode) -> Result<(), ApiError> {
    let what = if row.intent.is_some_and(|intent| intent.is_of_pair()) {
        "one of a pair; cancel it, which ends both, and place anew"
    } else if row.id.epoch != epoch {
        "an earlier session's, which may be one of a pair; cancel it and place anew"
    } else {
        return Ok(());
    };
    Err(ApiError::new(code.as_str(), format!("{}: {what}", row.id)))
}

/// The clients' ring.
fn ring<'a>(intents: &'a mut Option<Intents>, reason: &str) -> Result<&'a mut Intents, ApiError> {
    intents.as_mut().ok_or_else(|| not_ready(reason))
}

impl Operations for OrderExecution {
    fn refresh(&mut self, now: Nanos) -> Result<(), String> {
        let generation = self.views.generation();
        let ready = self.views.refresh(now);
        if self.views.generation() != generation {
            self.tally = Tally::default();
        }
        self.open_ring();
        ready
    }

    fn complaint(&self) -> Option<String> {
        self.views.complaint()
    }

    fn work(&mut self, now: Nanos, desk: &mut Desk) -> usize {
        let mut events = Vec::new();
        let heard = desk.is_heard();
        let Self { views, tally, entry, intents, .. } = self;
        let mut done = views.poll(now, &mut |event| {
            tally.count(event);
            entry.on_event(event, intents.as_mut(), now, desk);
            if heard {
                events.push(*event);
            }
        });
        if let (Ok(table), Ok(orders), Ok(ledger)) =
            (views.books.table(), views.account.orders(), views.account.ledger())
        {
            done += entry.tend(intents.as_mut(), (table, orders, ledger), now, desk);
        }
        for event in events {
            if let Some(report) = self.report(&event) {
                desk.push("report", &report);
            }
        }
        done
    }

    fn serve(&mut self, request: &Request, ticket: Ticket, now: Nanos, desk: &mut Desk) {
        match self.views.serve(request, now) {
            Some(outcome) => desk.reply(ticket, outcome),
            None => self.answer(request, ticket, now, desk),
        }
    }

    fn epoch(&self) -> u32 {
        self.views.epoch()
    }

    fn counted(&mut self, counts: RouterCounts) {
        self.views.counted(counts);
    }

    fn families(&mut self, now: Nanos, families: &mut Families) {
        self.views.families(now, families);
        // A venue that tells of no limits has used none.
        let used = |name: &str| self.views.counters().ok().and_then(|reader| reader.get(name)).unwrap_or(0);
        for (limit, counter) in [("request_weight", "weight_used_ppm"), ("orders", "orders_used_ppm")] {
            families.gauge(names::RATE, &[("limit", limit)], used(counter) as f64 / 1e6);
        }
        if let Ok(offset) = self.views.counters().map(venue_clock_offset) {
            families.gauge(names::CLOCK, &[], offset as f64 / 1e9);
        }
        let Self { views, tally, .. } = self;
        if let Ok(table) = views.table() {
            tally.families(&views.account, table, &views.names, families);
        }
    }
}
