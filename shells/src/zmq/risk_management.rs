//! Port 5557: limits, positions, halts.

use engine::counters::{CounterReader, HaltReader, HaltState};
use engine::domain::{InstrumentIndex, Nanos, OrderId, SourceId};
use engine::message::Intent;
use engine::message::command::{COMMAND_TEXT_MAX, CommandKind};
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::{LOGGED_HALTS, RISK_SERVICE};

use crate::api::envelope::Request;
use crate::api::risk::{Checked, HaltEvent, HaltRequest, Limit, Limits, RiskState, SetLimit, SymbolFilter};
use crate::api::{ApiError, code};
use crate::client::intents::NewOrder;
use crate::config::Places;
use crate::service::account::Event;
use crate::service::attach::Attached;
use crate::service::families::{Families, names};
use crate::service::instruments::Table;
use crate::service::{money, show};
use crate::zmq::commanding::Commanding;
use crate::zmq::desk::{Desk, Outcome, Ticket, result};
use crate::zmq::halts::{ServicePage, latches, names as halted_names, scope};
use crate::zmq::looking::{Views, not_ready, unknown};
use crate::zmq::router::{Operations, RouterCounts};

/// Owners of halt pages.
const HALT_OWNERS: [&str; 6] = ["operator", "gateway", RISK_SERVICE, LOGGED_HALTS, "risk", "route"];

/// A source and an instrument that nobody halts: what a page says of them is its global word, or one scope's.
const NOBODY: SourceId = SourceId(engine::limits::SOURCES_MAX as u16 - 1);
const NOTHING: InstrumentIndex = engine::limits::INSTRUMENTS_MAX as InstrumentIndex - 1;

/// What risk refused, by code.
fn rejections(reader: &CounterReader) -> impl Iterator<Item = (&str, u64)> {
    reader.iter().filter_map(|(name, value)| Some((name.strip_prefix("rejected_")?, value)))
}

/// The port's operations.
pub struct RiskManagement {
    views: Views,
    pages: Vec<(&'static str, Attached<HaltReader>)>,
    last_halt: Option<HaltEvent>,
    own: ServicePage,
    commanding: Commanding,
}

impl RiskManagement {
    /// Looks at the engine under `ipc`, whose journals lie under `places`.
    #[must_use]
    pub fn new(ipc: &IpcPaths, places: &Places) -> Self {
        let page = |owner: &'static str| {
            let path = ipc.halts(owner);
            (owner, Attached::new(move || HaltReader::attach(&path)))
        };
        Self {
            views: Views::new("risk_management", "risk", ipc, places),
            pages: HALT_OWNERS.map(page).into(),
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
        for (_, page) in &mut self.pages {
            page.refresh_now(now);
        }
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

    /// What all pages together say of `source` on `instrument`.
    fn strictest(&self, source: SourceId, instrument: InstrumentIndex) -> HaltState {
        let readers = self.pages.iter().filter_map(|(_, page)| page.get().ok());
        readers.map(|page| page.state(source, instrument)).max().unwrap_or(HaltState::Halted)
    }

    /// What they say globally.
    fn global(&self) -> HaltState {
        self.strictest(NOBODY, NOTHING)
    }

    fn halted(&self, table: &Table, families: &mut Families) {
        let mut show = |scope: &str, state: HaltState| {
            families.gauge(names::HALTED, &[("scope", scope)], f64::from(state.code() - 1));
        };
        show("global", self.global());
        for facts in table.iter() {
            show(&facts.symbol, self.strictest(NOBODY, facts.index));
        }
        for row in self.views.names.rows() {
            show(row.name().unwrap_or("strategy"), self.strictest(row.source, NOTHING));
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
        let symbols = table.iter().filter_map(|facts| {
            let state = self.strictest(NOBODY, facts.index);
            (state != HaltState::Active).then(|| (facts.symbol.to_string(), state.to_string()))
        });
        let strategies = self.views.names.rows().filter_map(|row| {
            let state = self.strictest(row.source, NOTHING);
            let name = row.name().unwrap_or_default().to_owned();
            (state != HaltState::Active).then(|| (name, state.to_string()))
        });
        let orders = self.views.account.orders().map_err(not_ready)?;
        let open = || orders.iter().filter(|row| row.is_open());
        let unknown = open().filter(|row| row.state == Some(engine::message::OrderState::Unknown));
        let counters = self.views.counters().map_err(not_ready)?;
        let rejected = rejections(counters).filter(|&(_, count)| count > 0);
        let rejected = rejected.map(|(code, count)| (code.to_owned(), count)).collect();
        Ok(RiskState {
            state: self.global().to_string(),
            pages: self
                .pages
                .iter()
                .map(|(owner, page)| {
                    let state = page.get().map_or("ABSENT", |page| page.global().as_str());
                    ((*owner).to_owned(), state.to_owned())
                })
                .collect(),
            symbols: symbols.collect(),
            strategies: strategies.collect(),
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
        self.pages.iter_mut().for_each(|(_, page)| {
            page.refresh(now);
        });
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
