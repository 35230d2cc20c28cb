//! `trading status`: the whole system on one screen.

use engine::counters::{CounterReader, HeartbeatReader};
use engine::error::SetupError;
use engine::shm::OwnerLock;
use engine::shm::paths::IpcPaths;
use serde::{Deserialize, Serialize};

use crate::api::risk::{Pnl, Position, RiskState};
use crate::cli::args::LookArgs;
use crate::cli::looking::account::{list_pnl, list_positions};
use crate::cli::looking::view::{View, refuse};
use crate::cli::output::say;
use crate::cli::table::Table;
use crate::config::Environment;
use crate::operator::log::wall_clock;
use crate::operator::{self, AGENTS};
use crate::service::liveness::venue_clock_offset;
use crate::session;

/// An agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Its name.
    pub agent: String,
    /// Whether a process hosts it.
    pub hosted: bool,
    /// Its duty cycles so far.
    pub cycles: u64,
    /// Age of its last heartbeat; `null` before the first.
    pub heartbeat_age_ns: Option<i64>,
}

/// A book.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BookStatus {
    /// The symbol.
    pub symbol: String,
    /// Whether it is trusted.
    pub trusted: bool,
    /// The middle, or what it is valued at.
    pub mark: Option<String>,
}

/// Everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The instance.
    pub instance: String,
    /// Whether an engine runs.
    pub running: bool,
    /// Its epoch, or that of the last.
    pub epoch: u32,
    /// Its session's directory.
    pub session: Option<String>,
    /// Its agents.
    pub agents: Vec<AgentStatus>,
    /// The venue's clock less ours, as route last measured it; `null` before there was a route.
    pub venue_clock_offset_ns: Option<i64>,
    /// Its books.
    pub books: Vec<BookStatus>,
    /// Halts, rejects, open orders.
    pub risk: RiskState,
    /// Positions.
    pub positions: Vec<Position>,
    /// PnL.
    pub pnl: Vec<Pnl>,
}

/// The agents under `ipc`.
#[must_use]
pub fn agents(ipc: &IpcPaths) -> Vec<AgentStatus> {
    let now = wall_clock();
    let status = |agent: &'static str| {
        let heartbeat = HeartbeatReader::attach(&ipc.heartbeat(agent)).ok();
        let beaten = heartbeat.filter(|heartbeat| heartbeat.cycles() > 0);
        AgentStatus {
            agent: agent.to_owned(),
            hosted: OwnerLock::is_held(ipc, agent),
            cycles: beaten.as_ref().map_or(0, HeartbeatReader::cycles),
            heartbeat_age_ns: beaten.map(|heartbeat| (now - heartbeat.time()).0.max(0)),
        }
    };
    AGENTS.into_iter().map(status).collect()
}

impl Status {
    /// What `view` shows.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub fn of(view: &View) -> Result<Self, SetupError> {
        let table = view.views().table().map_err(|error| refuse(&error))?;
        let books = table.iter().map(|facts| BookStatus {
            symbol: facts.symbol.to_string(),
            trusted: view.views().books.book(facts.index).is_some_and(|book| book.is_trusted()),
            mark: view.views().mark(facts.index).map(|mark| crate::service::instruments::price(facts, mark)),
        });
        let route = CounterReader::attach(&view.ipc.counters("route"));
        Ok(Self {
            instance: view.places.instance.clone(),
            running: operator::is_running(&view.ipc),
            epoch: view.views().epoch(),
            session: session::latest(&view.places).ok().map(|path| path.display().to_string()),
            agents: agents(&view.ipc),
            venue_clock_offset_ns: route.ok().as_ref().map(venue_clock_offset),
            books: books.collect(),
            risk: view.risk_state()?,
            positions: list_positions(view)?,
            pnl: list_pnl(view)?,
        })
    }
}

/// `trading status`.
///
/// # Errors
/// When no engine ran there.
pub fn status(args: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let status = Status::of(&View::open(args, environment)?)?;
    if args.json {
        say!("{}", serde_json::json!(status));
        return Ok(());
    }
    let running = if status.running { "runs" } else { "DOES NOT RUN" };
    say!("engine {} {running}, epoch {}, trading {}", status.instance, status.epoch, status.risk.state);
    for (scope, state) in status.risk.symbols.iter().chain(&status.risk.strategies) {
        say!("but {scope} is {state}");
    }
    if let Some(session) = &status.session {
        say!("session {session}");
    }
    if let Some(offset) = status.venue_clock_offset_ns {
        say!("venue's clock less ours: {} us", offset / 1_000);
    }
    let mut table = Table::new(&["agent", "hosted", "cycles", "heartbeat ms ago"]);
    for agent in &status.agents {
        let hosted = if agent.hosted { "yes" } else { "NO" };
        let age = agent.heartbeat_age_ns.map(|age| (age / 1_000_000).to_string()).unwrap_or_default();
        table.row(vec![agent.agent.clone(), hosted.to_owned(), agent.cycles.to_string(), age]);
    }
    say!("\n{table}");
    let mut table = Table::new(&["symbol", "book", "mark", "position", "PnL"]);
    for book in &status.books {
        let whole = |symbol: &str, strategy: &Option<String>| symbol == book.symbol && strategy.is_none();
        let position = status.positions.iter().find(|row| whole(&row.symbol, &row.strategy));
        let pnl = status.pnl.iter().find(|row| whole(&row.symbol, &row.strategy));
        table.row(vec![
            book.symbol.clone(),
            if book.trusted { "trusted" } else { "NOT TRUSTED" }.to_owned(),
            book.mark.clone().unwrap_or_default(),
            position.map_or_else(|| "0".to_owned(), |row| row.quantity.clone()),
            pnl.map_or_else(|| "0".to_owned(), |row| row.total.clone()),
        ]);
    }
    say!("\n{table}");
    let risk = &status.risk;
    let rejected: u64 = risk.rejected.values().sum();
    say!(
        "\norders approved {}, open {}, unknown {}, rejected {rejected}",
        risk.approved,
        risk.open_orders,
        risk.unknown_orders
    );
    Ok(())
}
