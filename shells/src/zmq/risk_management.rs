//! Port 5557: limits, positions, halts.

use engine::counters::{CounterReader, HaltState};
use engine::domain::{Nanos, OrderId, SourceId};
use engine::journal::HaltScope;
use engine::message::Intent;
use engine::message::command::{COMMAND_TEXT_MAX, CommandKind};
use engine::shm::paths::IpcPaths;

use crate::api::envelope::Request;
use crate::api::risk::{Checked, HaltEvent, HaltRequest, Limit, Limits, RiskState, SetLimit, SymbolFilter};
use crate::api::{ApiError, code};
use crate::client::intents::NewOrder;
use crate::config::Places;
use crate::service::account::Event;
use crate::service::families::{Families, names};
use crate::service::instruments::Table;
use crate::service::{money, show};
use crate::zmq::commanding::Commanding;
use crate::zmq::desk::{Desk, Outcome, Ticket, result};
use crate::zmq::halts::{ServicePage, latches, names as halted_names, scope};
use crate::zmq::looking::{Views, not_ready, unknown};
use crate::zmq::permitted::{Pages, Permitted};
use crate::zmq::router::{Operations, RouterCounts};

/// What risk refused, by code.
fn rejections(reader: &CounterReader) -> impl Iterator<Item = (&str, u64)> {
    reader.iter().filter_map(|(name, value)| Some((name.strip_prefix("rejected_")?, value)))
}

/// The port's operations.
pub struct RiskManagement {
    views: Views,
    pages: Pages,
    last_halt: Option<HaltEvent>,
    own: ServicePage,
    commanding: Commanding,
}

impl RiskManagement {
    /// Looks at the engine under `ipc`, whose journals lie under `places`.
    #[must_use]
    pub fn new(ipc: &IpcPaths, places: &Places) -> Self {
        Self {
            views: Views::new("risk_management", "risk", ipc, places),
            pages: Pages::new(ipc),
            last_halt: None,
            own: ServicePage::new(ipc, places),
            commanding: Commanding::new("risk", ipc),
        }
    }

    fn answer(&mut self, request: &Request, now: Nanos) -> Outcome {
        if let Some(outcome) = self.views.serve(request, now) {
            return outcome;
        }
        match request.op.as_str() {
            "risk.state" => result(&self.state()?),
            "positions" => {
                let SymbolFilter { symbol } = request.read()?;
                let books = (self.views.table()?, self.views.account.ledger().map_err(not_ready)?);
                let symbol = self.known(symbol)?;
                let mark = |index| self.views.mark(index);
                result(&show::positions(books, symbol.as_deref(), &self.views.names, &mark))
            }
            "pnl" => {
                let SymbolFilter { symbol } = request.read()?;
                let books = (self.views.table()?, self.views.account.ledger().map_err(not_ready)?);
                let symbol = self.known(symbol)?;
                let mark = |index| self.views.mark(index);
                result(&show::pnl(books, symbol.as_deref(), &self.views.names, &mark))
            }
            "halt" => self.halt(request, HaltState::Halted, now),
            "reduce_only" => self.halt(request, HaltState::ReduceOnly, now),
            "resume" => self.halt(request, HaltState::Active, now),
            _ => Err(unknown(request)),
        }
    }

    /// Sends what risk itself must do; `false` if it is nothing of that kind.
    fn command(&mut self, request: &Request, ticket: &Ticket, now: Nanos) -> Result<bool, ApiError> {
        let ticket = ticket.clone();
        match request.op.as_str() {
            "limits.get" => {
                if let Some(field) = request.fields.keys().next() {
                    let reason = format!("limits.get: unknown field `{field}`");
                    return Err(ApiError::new(code::BAD_REQUEST, reason));
                }
                let reply = |rows: Vec<[String; 3]>| {
                    let row = |[key, value, ceiling]: [String; 3]| (key, Limit { value, ceiling });
                    result(&Limits { limits: rows.into_iter().map(row).collect() })
                };
                self.commanding.list(CommandKind::Limit, "", ticket, reply, now)?;
            }
            "limits.set" => {
                let SetLimit { key, value } = request.read()?;
                let reply = |[key, value, _]: [String; 3]| result(&SetLimit { key, value });
                let what = (CommandKind::SetLimit, 0);
                self.commanding.send(what, ("", &key, &value), Some((ticket, reply)), now)?;
            }
            "check" => {
                let order = NewOrder::read(self.views.table()?, &request.read()?)?;
                // An identity that no intent has used, so that only the content is judged.
                let id = OrderId {
                    epoch: self.views.epoch(),
                    source: SourceId::CLIENT,
                    source_epoch: u16::MAX,
                    sequence: u64::MAX,
                };
                let valid_until = now.saturating_add(order.valid_for);
                let intent = Intent { id, valid_until, decided: now, ..order.intent() };
                let reply = |[_, verdict, _]: [String; 3]| result(&Checked { verdict });
                self.commanding.check(intent, ticket, reply, now)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Asks risk to clear a latch that a resume is about.
    fn clear_latch(&mut self, row: u32, reason: &str, now: Nanos) -> Result<(), ApiError> {
        let kept = reason.floor_char_boundary(reason.len().min(COMMAND_TEXT_MAX));
        self.commanding.send((CommandKind::ClearLatch, row), ("", "", &reason[..kept]), None, now)
    }

    /// Sets our own page; answers with what all pages say then.
    fn halt(&mut self, request: &Request, state: HaltState, now: Nanos) -> Outcome {
        let halt: HaltRequest = request.read()?;
        let scope = scope(&halt)?;
        let known = halted_names(self.views.table()?, &self.views.names);
        let rows = latches(&scope, &known);
        self.own.set(&scope, state, halt.reason.clone(), known)?;
        tracing::warn!(%state, %scope, reason = halt.reason.as_deref().unwrap_or(""), "halt page set");
        self.pages.refresh_now(now);
        if state == HaltState::Active {
            let reason = halt.reason.unwrap_or_else(|| "resumed through port 5557".to_owned());
            rows.into_iter().try_for_each(|row| self.clear_latch(row, &reason, now))?;
        }
        result(&self.state()?)
    }

    fn known(&self, symbol: Option<String>) -> Result<Option<String>, ApiError> {
        if let Some(symbol) = &symbol {
            self.views.table()?.find(symbol)?;
        }
        Ok(symbol)
    }

    fn halted(&self, table: &Table, families: &mut Families) {
        for Permitted { name, state, .. } in self.pages.permitted(table, &self.views.names) {
            families.gauge(names::HALTED, &[("scope", &name)], f64::from(state.code() - 1));
        }
    }

    /// Its views.
    #[must_use]
    pub const fn views(&self) -> &Views {
        &self.views
    }

    /// What `risk.state` answers.
    ///
    /// # Errors
    /// When it is not known yet.
    pub fn state(&self) -> Result<RiskState, ApiError> {
        let table = self.views.table()?;
        let permitted = self.pages.permitted(table, &self.views.names);
        let halted = |scope| {
            let rows =
                permitted.iter().filter(move |row| row.scope == scope && row.state != HaltState::Active);
            rows.map(|row| (row.name.clone(), row.state.to_string())).collect()
        };
        let orders = self.views.account.orders().map_err(not_ready)?;
        let open = || orders.iter().filter(|row| row.is_open());
        let unknown = open().filter(|row| row.state == Some(engine::message::OrderState::Unknown));
        let counters = self.views.counters().map_err(not_ready)?;
        let rejected = rejections(counters).filter(|&(_, count)| count > 0);
        let rejected = rejected.map(|(code, count)| (code.to_owned(), count)).collect();
        Ok(RiskState {
            state: self.pages.global().to_string(),
            pages: self.pages.by_owner().map(|(owner, state)| (owner.to_owned(), state.to_owned())).collect(),
            symbols: halted(HaltScope::Instrument),
            strategies: halted(HaltScope::Source),
            last_halt: self.last_halt.clone(),
            open_orders: open().count() as u64,
            unknown_orders: unknown.count() as u64,
            approved: counters
                .get("orders")
                .ok_or_else(|| ApiError::new(code::INTERNAL, "risk counts no orders"))?,
            rejected,
        })
    }
}

impl Operations for RiskManagement {
    fn refresh(&mut self, now: Nanos) -> Result<(), String> {
        self.pages.refresh(now);
        let ready = self.views.refresh(now);
        self.commanding.refresh(self.views.epoch(), now);
        ready
    }

    fn complaint(&self) -> Option<String> {
        self.views.complaint()
    }

    fn work(&mut self, now: Nanos, desk: &mut Desk) -> usize {
        let mut halts = Vec::new();
        let done = self.views.poll(now, &mut |event| {
            if let Event::Halt(halt, at) = event {
                halts.push((*halt, *at));
            }
        });
        let done = done + self.commanding.tend(now, desk);
        for (halt, at) in halts {
            let Ok(table) = self.views.table() else { break };
            let event = show::halt(&halt, at, table, &self.views.names);
            desk.push("risk", &event);
            self.last_halt = Some(event);
        }
        if let Ok(table) = self.views.table() {
            let changes = self.pages.changes(table, &self.views.names, now);
            changes.iter().for_each(|change| desk.push("halt", change));
        }
        done
    }

    fn serve(&mut self, request: &Request, ticket: Ticket, now: Nanos, desk: &mut Desk) {
        let outcome = match self.command(request, &ticket, now) {
            // The reply follows risk's answer.
            Ok(true) => return,
            Ok(false) => self.answer(request, now),
            Err(error) => Err(error),
        };
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
        if let Ok(reader) = self.views.counters() {
            for (code, count) in rejections(reader) {
                families.counter(names::REJECTIONS, &[("code", code)], count);
            }
            if let (Some(loss), Some(limit)) = (reader.get("day_loss"), reader.get("day_loss_soft")) {
                let share = if limit == 0 { 1.0 } else { loss as f64 / limit as f64 };
                families.gauge(names::DAY_LOSS, &[], share);
            }
            let lapped = [("ring", "ticks"), ("reader", "risk")];
            families.from_counter(names::LAPPED, &lapped, reader, "ticks_missed");
        }
        let views = &self.views;
        let Ok(table) = views.table() else { return };
        self.halted(table, families);
        if let Ok(ledger) = views.account.ledger() {
            money::families((table, ledger), &views.names, &|index| views.mark(index), families);
        }
    }
}
