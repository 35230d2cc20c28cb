//! The looking commands: they map what a running (or ended) engine left in shared memory, and show it.

pub mod view;
pub mod account;
pub mod status;

use std::path::Path;

use engine::book::{BookCell, Level};
use engine::counters::CounterReader;
use engine::counters::cell::CellReader;
use engine::domain::{Decimal, Scale, Side};
use engine::error::SetupError;
use engine::journal::InstrumentFacts;
use engine::shm::paths::{IpcPaths, OWNERS};
use serde_json::{Map, Value, json};

use crate::api::service::Latency;
use crate::cli::args::{BookArgs, LookArgs};
use crate::cli::output::say;
use crate::cli::table::{Table, micros};
use crate::config::{Environment, PlaceFlags, Places, Secrets, Settings};
use crate::operator::{self, names};
use crate::service::latency;

/// The files of the instance that `places` names.
fn find(places: &PlaceFlags, environment: &Environment) -> Result<IpcPaths, SetupError> {
    let places = Settings::resolve(places, environment, Secrets::Withhold)?.places;
    find_left(&places)
}

/// The shared files of an engine that runs, or ran.
///
/// # Errors
/// When none did.
pub fn find_left(places: &Places) -> Result<IpcPaths, SetupError> {
    let ipc = IpcPaths::new(&places.ipc);
    if !ipc.instruments().exists() {
        return Err(none(&ipc));
    }
    if !operator::is_running(&ipc) {
        eprintln!("trading: the engine in {} does not run: this is what it left", ipc.root().display());
    }
    Ok(ipc)
}

/// The shared files of an engine that runs.
///
/// # Errors
/// When none does.
pub fn find_running(places: &Places) -> Result<IpcPaths, SetupError> {
    let ipc = IpcPaths::new(&places.ipc);
    if operator::is_running(&ipc) { Ok(ipc) } else { Err(none(&ipc)) }
}

fn none(ipc: &IpcPaths) -> SetupError {
    SetupError::Invalid(format!(
        "no engine is running in {}; start one with `trading run`",
        ipc.root().display()
    ))
}

/// `trading latency`.
///
/// # Errors
/// When no engine has run there, or its files are not readable.
pub fn latency(args: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let latency = latency::latency(&find(&args.places, environment)?);
    if args.json {
        say!("{}", json!(latency.stages));
    } else {
        say!("{}", stage_table(&latency));
    }
    Ok(())
}

/// The stages in the order in which a frame and its order pass them.
const STAGES: [&str; 8] =
    ["decode", "book", "strategy", "risk", "route", "tick_to_order", "order_to_ack", "journal"];

/// The stages as a table, in microseconds.
#[must_use]
pub fn stage_table(latency: &Latency) -> Table {
    let mut table = Table::new(&["stage", "count", "p50 µs", "p90 µs", "p99 µs", "p99.9 µs", "max µs"]);
    let mut stages: Vec<_> = latency.stages.iter().collect();
    // As an order passes them; a stage that this does not name comes last.
    stages.sort_by_key(|(name, _)| STAGES.iter().position(|stage| stage == name).unwrap_or(STAGES.len()));
    for (name, row) in stages {
        let show = |nanos| if row.count == 0 { "-".to_owned() } else { micros(nanos) };
        let mut cells = vec![name.clone(), row.count.to_string()];
        cells.extend([row.p50_ns, row.p90_ns, row.p99_ns, row.p999_ns, row.max_ns].map(show));
        table.row(cells);
    }
    table
}

/// `trading counters`.
///
/// # Errors
/// When no engine has run there, or its files are not readable.
pub fn counters(args: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let paths = find(&args.places, environment)?;
    let mut owners = Map::new();
    for owner in OWNERS {
        let file = paths.counters(owner);
        if file.exists() {
            owners.insert(owner.to_owned(), Value::Object(read_counters(&file)?));
        }
    }
    if args.json {
        say!("{}", Value::Object(owners));
        return Ok(());
    }
    let mut table = Table::new(&["agent", "counter", "value"]);
    for (owner, counters) in &owners {
        for (name, value) in counters.as_object().into_iter().flatten() {
            table.row(vec![owner.clone(), name.clone(), value.to_string()]);
        }
    }
    say!("{table}");
    Ok(())
}

fn read_counters(file: &Path) -> Result<Map<String, Value>, SetupError> {
    let reader = CounterReader::attach(file)?;
    Ok(reader.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

/// `trading book SYMBOL`.
///
/// # Errors
/// When no engine has run there, or it does not know the symbol.
pub fn book(args: &BookArgs, environment: &Environment) -> Result<(), SetupError> {
    let paths = find(&args.look.places, environment)?;
    let (index, facts) = names::instrument(&paths, &args.symbol)?;
    let cells = CellReader::<BookCell>::attach(&paths.books())?;
    let cell = cells.read(index as usize).ok_or_else(|| {
        SetupError::Invalid(format!("{}: no book has been published yet; try again", args.symbol))
    })?;
    let depth = usize::from(args.depth);
    let side = |side| -> Vec<[String; 2]> {
        cell.levels(side).take(depth).map(|level| show_level(&level, &facts)).collect()
    };
    let (bids, asks) = (side(Side::Buy), side(Side::Sell));
    if args.look.json {
        say!(
            "{}",
            json!({"symbol": args.symbol, "trusted": cell.is_trusted(), "update_id": cell.update_id,
                "bids": bids, "asks": asks})
        );
        return Ok(());
    }
    let trust = if cell.is_trusted() { "trusted" } else { "NOT TRUSTED" };
    say!("{}  update {}  {trust}", args.symbol, cell.update_id);
    let mut table = Table::new(&["bid quantity", "bid", "ask", "ask quantity"]);
    for row in 0..bids.len().max(asks.len()) {
        let cell =
            |side: &Vec<[String; 2]>, part: usize| side.get(row).map_or(String::new(), |l| l[part].clone());
        table.row(vec![cell(&bids, 1), cell(&bids, 0), cell(&asks, 0), cell(&asks, 1)]);
    }
    say!("{table}");
    Ok(())
}

fn show_level(level: &Level, facts: &InstrumentFacts) -> [String; 2] {
    let show = |value: i64, scale: Scale| Decimal::new(value, scale).to_string();
    [show(level.price.0, facts.price_scale), show(level.quantity.0, facts.quantity_scale)]
}
