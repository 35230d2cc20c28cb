//! What a replay, a rerun or a live session came to.

use std::sync::Arc;

use engine::domain::{Decimal, InstrumentIndex, Instruments, Nanos, Price};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::simulation::audit::Audit;
use engine::tick_to_trade::assembly::{JournalSet, Path};
use engine::tick_to_trade::ingest::counts::IngestCounters;
use engine::tick_to_trade::strategy::hosted::Hosted;
use engine::venue::{MarketData, OrderEntry};
use serde_json::{Map, Value, json};

use crate::api::service::Latency;
use crate::cli::looking::stage_table;
use crate::cli::output::say;
use crate::cli::table::Table;
use crate::service::latency::latency;
use crate::trade::Trading;

/// Facts that the agents do not know.
pub struct Facts {
    /// Real time that it took.
    pub elapsed: Nanos,
    /// Symbols whose rules were inferred.
    pub inferred: Vec<String>,
    /// What traded.
    pub trading: Trading,
    /// Where the journals lie.
    pub journals: std::path::PathBuf,
}

/// Position and money of one instrument at the end, or of one strategy on it.
struct Line {
    strategy: Option<String>,
    symbol: String,
    money: String,
    position: Decimal,
    realised: Decimal,
    unrealised: Decimal,
    fees: Decimal,
    total: Decimal,
}

/// The summary.
pub struct Summary {
    facts: Facts,
    ingest: IngestCounters,
    untrusted: Vec<String>,
    audit: Audit,
    lines: Vec<Line>,
    own_lines: Vec<Line>,
    stages: Latency,
    state_hash: String,
    memory_peak_kib: Option<u64>,
}

impl Summary {
    /// Audits the journals and gathers what the agents know.
    ///
    /// # Errors
    /// When something does not reconcile, or a file cannot be read.
    pub fn of<M: MarketData, E: OrderEntry>(
        path: &Path<M, E>,
        journals: &JournalSet,
        instruments: &Arc<Instruments>,
        ipc: &IpcPaths,
        facts: Facts,
    ) -> Result<Self, SetupError> {
        let own: u64 = path.host().iter().map(|hosted| hosted.outbox().sequence()).sum();
        // What clients and the operator sent was decided on as well, and what risk cancelled by itself.
        let intents = own + path.risk().counts().external + path.risk().own_cancels();
        let audit = Audit::of(&facts.journals, path.risk().ledger(), intents)?;
        let mut untrusted = Vec::new();
        let mut lines = Vec::new();
        for (index, instrument) in instruments.iter() {
            let Some(book) = path.ingest().book(index) else { continue };
            if book.version() > 0 && !book.is_trusted() {
                untrusted.push(instrument.symbol.to_string());
            }
            lines.extend(line_of(path, instruments, index, None)?);
        }
        let mut own_lines = Vec::new();
        for hosted in path.host().iter() {
            for &index in hosted.instruments() {
                own_lines.extend(line_of(path, instruments, index, Some(hosted))?);
            }
        }
        Ok(Self {
            ingest: *path.ingest().counters(),
            untrusted,
            audit,
            lines,
            own_lines,
            stages: latency(ipc),
            state_hash: journals.state_hash().to_string(),
            memory_peak_kib: memory_peak(),
            facts,
        })
    }

    /// State hash of the journals.
    #[must_use]
    pub fn state_hash(&self) -> &str {
        &self.state_hash
    }

    /// Prints it.
    pub fn print(&self, as_json: bool) {
        if as_json {
            say!("{}", self.to_json());
        } else {
            self.print_tables();
        }
    }

    fn events_per_second(&self) -> u64 {
        let nanos = u128::from(self.facts.elapsed.0.max(1).unsigned_abs());
        u64::try_from(u128::from(self.ingest.events) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
    }

    /// The summary as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let counts: Map<String, Value> = IngestCounters::NAMES
            .iter()
            .zip(self.ingest.to_array())
            .map(|(&name, n)| (name.to_owned(), json!(n)))
            .collect();
        let all = |lines: &[Line]| lines.iter().map(Line::to_json).collect::<Vec<_>>();
        json!({
            "events": self.ingest.events, "elapsed_ns": self.facts.elapsed.0,
            "events_per_second": self.events_per_second(), "ingest": counts,
            "books_untrusted": self.untrusted, "inferred": self.facts.inferred,
            "strategies": self.facts.trading.names(), "intents": self.audit.intents, "orders": self.audit.orders,
            "cancels": self.audit.cancels, "sent": self.audit.sent, "fills": self.audit.fills,
            "open": self.audit.open(), "order_states": self.audit.states, "rejects": self.audit.rejects,
            "positions": all(&self.lines), "by_strategy": all(&self.own_lines), "reconciled": true,
            "stages": self.stages.stages,
            "state_hash": self.state_hash, "memory_peak_kib": self.memory_peak_kib,
        })
    }

    fn print_tables(&self) {
        let (ingest, audit) = (&self.ingest, &self.audit);
        let millis = self.facts.elapsed.0 / 1_000_000;
        say!(
            "events {} in {}.{:03} s, {} a second; frames {}, malformed {}, skipped {}",
            ingest.events,
            millis / 1_000,
            millis % 1_000,
            self.events_per_second(),
            ingest.frames,
            ingest.malformed,
            ingest.skipped_events + ingest.skipped_symbols,
        );
        let trust = if self.untrusted.is_empty() {
            "all trusted".to_owned()
        } else {
            format!("NOT TRUSTED: {}", self.untrusted.join(" "))
        };
        say!("books  gaps {}, snapshots {}, {trust}", ingest.gaps, ingest.snapshots);
        if !self.facts.inferred.is_empty() {
            say!("rules inferred from the tape, not told by the venue: {}", self.facts.inferred.join(" "));
        }
        say!(
            "orders intents {}, approved {}, cancels {}, sent {}, fills {}, open {}",
            audit.intents,
            audit.orders,
            audit.cancels,
            audit.sent,
            audit.fills,
            audit.open(),
        );
        let list = |counts: &std::collections::BTreeMap<&str, u64>| {
            counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        };
        if !audit.states.is_empty() {
            say!("states {}", list(&audit.states));
        }
        if !audit.rejects.is_empty() {
            say!("rejects {}", list(&audit.rejects));
        }
        if !self.lines.is_empty() {
            let table = table_of("", &self.lines);
            say!(
                "\n{table}\nreconciled: positions, cash and fees equal the sums of the fills to the last unit"
            );
        }
        // With one strategy they say the same.
        if self.own_lines.len() > 1 {
            say!("\n{}", table_of("strategy", &self.own_lines));
        }
        say!("\n{}", stage_table(&self.stages));
        say!("\nstate hash {}", self.state_hash);
    }
}

impl Line {
    fn to_json(&self) -> Value {
        let mut line = json!({
            "symbol": self.symbol, "position": self.position.to_string(), "currency": self.money,
            "realised": self.realised.to_string(), "unrealised": self.unrealised.to_string(),
            "fees": self.fees.to_string(), "total": self.total.to_string(),
        });
        if let Some(strategy) = &self.strategy {
            line["strategy"] = json!(strategy);
        }
        line
    }
}

/// A table of `lines`, each with its strategy under the heading `who`, if there is one.
fn table_of(who: &'static str, lines: &[Line]) -> Table {
    let columns = ["symbol", "position", "realised", "unrealised", "fees", "PnL", "in"];
    let heading: Vec<&str> = [who].into_iter().filter(|who| !who.is_empty()).chain(columns).collect();
    let mut table = Table::new(&heading);
    for line in lines {
        let numbers = [line.position, line.realised, line.unrealised, line.fees, line.total];
        let mut cells: Vec<String> = line.strategy.iter().cloned().collect();
        cells.push(line.symbol.clone());
        cells.extend(numbers.iter().map(ToString::to_string));
        cells.push(line.money.clone());
        table.row(cells);
    }
    table
}

/// The most memory that this process has held so far, in KiB, where the kernel tells.
fn memory_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The line of an instrument that traded, valued at the mid of its last top: of all sources, or of one strategy.
fn line_of<M: MarketData, E: OrderEntry>(
    path: &Path<M, E>,
    instruments: &Arc<Instruments>,
    index: InstrumentIndex,
    strategy: Option<&Hosted>,
) -> Result<Option<Line>, SetupError> {
    let ledger = path.risk().ledger();
    let source = strategy.map(|hosted| hosted.outbox().identity().source);
    let account = source.map_or_else(|| ledger.account(index), |source| ledger.account_of(index, source));
    let (Some(instrument), Some(terms), Some(account)) =
        (instruments.get(index), ledger.terms(index), account)
    else {
        return Ok(None);
    };
    if account.bought == 0 && account.sold == 0 {
        return Ok(None);
    }
    let mark = path.ingest().top(index).map_or(Price::NONE, |top| Price(top.mid_times_two() / 2));
    let pnl = account.pnl(terms, mark).map_err(|error| {
        SetupError::Invalid(format!("{}: its PnL cannot be told: {error}", instrument.symbol))
    })?;
    let money = |value: i128| Decimal { value, scale: terms.scale() };
    Ok(Some(Line {
        strategy: strategy.map(|hosted| hosted.name().to_owned()),
        symbol: instrument.symbol.to_string(),
        money: instrument.kind.money(&instrument.base, &instrument.quote).to_owned(),
        position: instrument.show_quantity(account.position),
        realised: money(pnl.realised),
        unrealised: money(pnl.unrealised),
        fees: money(pnl.fees),
        total: money(pnl.total),
    }))
}
