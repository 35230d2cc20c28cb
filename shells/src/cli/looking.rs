//! The looking commands: they map what a running (or ended) engine left in shared memory, and show it.

use std::path::Path;

use engine::book::{BookCell, Level};
use engine::counters::cell::CellReader;
use engine::counters::{CounterReader, HistogramReader};
use engine::domain::{Decimal, Scale, Side};
use engine::error::SetupError;
use engine::journal::InstrumentFacts;
use engine::shm::paths::{IpcPaths, OWNERS};
use serde_json::{Map, Value, json};

use crate::cli::args::{BookArgs, LookArgs};
use crate::cli::output::say;
use crate::cli::table::{Table, micros};
use crate::config::{Environment, PlaceFlags, Secrets, Settings};
use crate::operator::names;

/// The fractions of a latency distribution that people look at.
const PERCENTILES: [(&str, u64, u64); 4] =
    [("p50", 50, 100), ("p90", 90, 100), ("p99", 99, 100), ("p99.9", 999, 1000)];

/// The files of the instance that `places` names.
fn find(places: &PlaceFlags, environment: &Environment) -> Result<IpcPaths, SetupError> {
    let places = Settings::resolve(places, environment, Secrets::Withhold)?.places;
    if !places.ipc.is_dir() {
        return Err(SetupError::Invalid(format!(
            "no engine has run in {}; start one with `trading run`",
            places.ipc.display()
        )));
    }
    Ok(IpcPaths::new(places.ipc))
}

/// `trading latency`.
///
/// # Errors
/// When no engine has run there, or its files are not readable.
pub fn latency(args: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let stages = stages(&find(&args.places, environment)?)?;
    if args.json {
        say!("{}", Value::Object(stages));
    } else {
        say!("{}", stage_table(&stages));
    }
    Ok(())
}

/// Percentiles of every stage under `paths`, in nanoseconds, by `owner.stage`.
///
/// # Errors
/// When a histogram file is there and cannot be read.
pub fn stages(paths: &IpcPaths) -> Result<Map<String, Value>, SetupError> {
    let mut stages = Map::new();
    for owner in OWNERS {
        let file = paths.histograms(owner);
        if !file.exists() {
            continue;
        }
        let reader = HistogramReader::attach(&file)?;
        for name in reader.names() {
            let Some(snapshot) = reader.get(name) else { continue };
            let mut row = Map::new();
            row.insert("count".to_owned(), json!(snapshot.count));
            for (label, numerator, denominator) in PERCENTILES {
                // A percentile is the end of its cell, which may lie beyond the largest value in it.
                let value = snapshot.percentile(numerator, denominator).min(snapshot.max);
                row.insert(format!("{label}_ns"), json!(value));
            }
            row.insert("max_ns".to_owned(), json!(snapshot.max));
            stages.insert(name.to_owned(), Value::Object(row));
        }
    }
    Ok(stages)
}

/// The stages as a table, in microseconds.
#[must_use]
pub fn stage_table(stages: &Map<String, Value>) -> Table {
    let mut table = Table::new(&["stage", "count", "p50 µs", "p90 µs", "p99 µs", "p99.9 µs", "max µs"]);
    for (name, row) in stages {
        let field = |key: &str| row[key].as_u64().unwrap_or(0);
        let mut cells = vec![name.clone(), field("count").to_string()];
        cells.extend(["p50_ns", "p90_ns", "p99_ns", "p99.9_ns", "max_ns"].map(|key| micros(field(key))));
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
