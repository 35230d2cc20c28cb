//! Port 5557: limits, positions, halts.

use std::collections::BTreeMap;

use engine::counters::{CounterReader, HaltReader, HaltState};
use engine::domain::{Nanos, SourceId};
use engine::shm::paths::IpcPaths;

use crate::api::envelope::Request;
use crate::api::risk::{HaltEvent, RiskState, SymbolFilter};
use crate::api::{ApiError, code};
use crate::config::Places;
use crate::service::account::Event;
use crate::service::attach::Attached;
use crate::service::show;
use crate::zmq::desk::{Desk, Outcome, Ticket, result};
use crate::zmq::looking::{Views, not_ready, unknown};
use crate::zmq::router::{Operations, RouterCounts};

/// Owners of halt pages.
const HALT_OWNERS: [&str; 3] = ["operator", "risk", "route"];

/// The port's operations.
pub struct RiskManagement {
    views: Views,
    pages: Vec<(&'static str, Attached<HaltReader>)>,
    risk: Attached<CounterReader>,
    last_halt: Option<HaltEvent>,
}

impl RiskManagement {
    /// Looks at the engine under `ipc`, whose journals lie under `places`.
    #[must_use]
    pub fn new(ipc: &IpcPaths, places: &Places) -> Self {
        let page = |owner: &'static str| {
            let path = ipc.halts(owner);
            (owner, Attached::new(move || HaltReader::attach(&path)))
        };
        let counters = ipc.counters("risk");
        Self {
            views: Views::new("risk_management", "risk", ipc, places),
            pages: HALT_OWNERS.map(page).into(),
            risk: Attached::new(move || CounterReader::attach(&counters)),
            last_halt: None,
        }
    }

    fn answer(&self, request: &Request, now: Nanos) -> Outcome {
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
            _ => Err(unknown(request)),
        }
    }

    fn known(&self, symbol: Option<String>) -> Result<Option<String>, ApiError> {
        if let Some(symbol) = &symbol {
            self.views.table()?.find(symbol)?;
        }
        Ok(symbol)
    }

    fn state(&self) -> Result<RiskState, ApiError> {
        let table = self.views.table()?;
        let readers: Vec<&HaltReader> = self.pages.iter().filter_map(|(_, page)| page.get().ok()).collect();
        let strictest =
            |states: &mut dyn Iterator<Item = HaltState>| states.max().unwrap_or(HaltState::Halted);
        let global = strictest(&mut readers.iter().map(|page| page.global()));
        // A page's answer for one scope includes its global word, so what is stricter than that is the scope's own.
        let nobody = SourceId(engine::limits::SOURCES_MAX as u16 - 1);
        let nothing = engine::limits::INSTRUMENTS_MAX as u32 - 1;
        let symbols = table.iter().filter_map(|facts| {
            let state = strictest(&mut readers.iter().map(|page| page.state(nobody, facts.index)));
            (state != HaltState::Active).then(|| (facts.symbol.to_string(), state.to_string()))
        });
        let strategies = self.views.names.rows().filter_map(|row| {
            let state = strictest(&mut readers.iter().map(|page| page.state(row.source, nothing)));
            let name = row.name().unwrap_or_default().to_owned();
            (state != HaltState::Active).then(|| (name, state.to_string()))
        });
        let orders = self.views.account.orders().map_err(not_ready)?;
        let open = || orders.iter().filter(|row| row.is_open());
        let unknown = open().filter(|row| row.state == Some(engine::message::OrderState::Unknown));
        let counters = self.risk.get().map_err(not_ready)?;
        let rejected: BTreeMap<String, u64> = counters
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("rejected_")?.to_owned(), value)))
            .filter(|&(_, value)| value > 0)
            .collect();
        Ok(RiskState {
            state: global.to_string(),
            pages: self
                .pages
                .iter()
                .map(|(owner, page)| {
                    let state = page.get().map_or(HaltState::Halted, HaltReader::global);
                    ((*owner).to_owned(), state.to_string())
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
        self.risk.refresh(now);
        self.views.refresh(now)
    }

    fn work(&mut self, now: Nanos, desk: &mut Desk) -> usize {
        let mut halts = Vec::new();
        let done = self.views.poll(now, &mut |event| {
            if let Event::Halt(halt, at) = event {
                halts.push((*halt, *at));
            }
        });
        for (halt, at) in halts {
            let Ok(table) = self.views.table() else { break };
            let event = show::halt(&halt, at, table, &self.views.names);
            desk.push("risk", &event);
            self.last_halt = Some(event);
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
}
