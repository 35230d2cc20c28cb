//! `trading simulate`: whole sessions on generated markets with faults, in virtual time on one thread, a seed each.
//!
//! A seed names everything that happens in its session: the market, the latencies, the faults. What went wrong once goes
//! wrong again.

use std::sync::Arc;

use engine::clock::Stopwatch;
use engine::domain::{Instruments, Market, Nanos};
use engine::error::SetupError;
use engine::simulation::exchange::SimulatedExchange;
use engine::simulation::faults::{FaultCounts, FaultRates, Faults};
use engine::simulation::source::GeneratedFrames;
use engine::simulation::stepper::Stepper;
use engine::tick_to_trade::assembly::{JournalSet, Path};
use engine::venue::binance::exchange_info;
use engine::venue::generated::GeneratedMarket;
use serde_json::{Map, Value, json};

use crate::assembly::{Link, PathSetup};
use crate::cli::args::{Lie, SimulateArgs};
use crate::cli::output::say;
use crate::cli::progress::Progress;
use crate::cli::table::Table;
use crate::config::{Environment, Secrets, Settings};
use crate::replay::Room;
use crate::replay::summary::{Facts, Summary};
use crate::run::RING_CAPACITY;
use crate::trade::{Trading, simulation};

/// When every session begins: half an hour before a day ends, so that the change of days is met.
const BEGIN: Nanos = Nanos::from_secs(1_767_655_800);

/// Largest latency of orders, of answers and of the feed that a seed may draw.
const LATENCY: Nanos = Nanos::from_millis(20);

/// Runs `trading simulate`.
///
/// # Errors
/// When a setting is no good, or a session failed: every seed of one that did is named.
pub fn run(args: &SimulateArgs, environment: &Environment) -> Result<(), SetupError> {
    let settings = Settings::resolve(&args.settings, environment, Secrets::Withhold)?;
    let trading = Trading::of(&settings, &args.parameters)?;
    let last = args.seed.checked_add(args.seeds - 1).ok_or_else(|| {
        SetupError::Invalid(format!("--seed {} --seeds {}: there are not so many", args.seed, args.seeds))
    })?;
    let length = u64::try_from(args.duration.0.0).unwrap_or(0);
    let progress = Progress::of(length.saturating_mul(args.seeds), "simulating");
    let mut outcomes = Vec::new();
    for seed in args.seed..=last {
        let done = length * (seed - args.seed);
        let one = Session::prepare(seed, args, &trading)?;
        outcomes.push(one.run(args, &mut |passed| progress.at(done + passed)));
    }
    progress.finish();
    show(&outcomes, args.json);
    let failed: Vec<_> = outcomes.iter().filter(|one| one.failure.is_some()).collect();
    let Some(first) = failed.first() else { return Ok(()) };
    let seeds: Vec<_> = failed.iter().map(|one| one.seed.to_string()).collect();
    Err(SetupError::Invalid(format!(
        "{} of {} seeds failed: {}; the first of them again: the same command with --seeds 1 --seed {}",
        failed.len(),
        outcomes.len(),
        seeds.join(", "),
        first.seed
    )))
}

/// What a seed came to.
struct Outcome {
    seed: u64,
    faults: FaultCounts,
    /// The session's summary, where it has one.
    summary: Option<Value>,
    failure: Option<String>,
}

impl Outcome {
    /// A figure of the summary, in words.
    fn figure(&self, key: &str) -> String {
        match self.summary.as_ref().map(|summary| &summary[key]) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        }
    }

    fn faults(&self) -> Map<String, Value> {
        let counts = FaultCounts::NAMES.iter().zip(self.faults.to_array());
        counts.map(|(&name, count)| (name.to_owned(), json!(count))).collect()
    }

    fn to_json(&self) -> Value {
        let figure = |key: &str| self.summary.as_ref().map_or(Value::Null, |summary| summary[key].clone());
        json!({
            "seed": self.seed, "state_hash": figure("state_hash"), "events": figure("events"),
            "orders": figure("orders"), "fills": figure("fills"), "rejects": figure("rejects"),
            "faults": self.faults(), "failure": self.failure,
        })
    }
}

/// The session of one seed.
struct Session {
    seed: u64,
    stepper: Stepper<GeneratedFrames>,
    instruments: Arc<Instruments>,
    room: Room,
    trading: Trading,
}

impl Session {
    fn prepare(seed: u64, args: &SimulateArgs, trading: &Trading) -> Result<Self, SetupError> {
        let symbols: Vec<&str> = trading.symbols.iter().map(String::as_str).collect();
        let market = GeneratedMarket::new(&symbols, seed, BEGIN, args.rate)?;
        let listed = exchange_info::instruments(&market.exchange_info(), Market::Spot)?;
        let instruments = Arc::new(Instruments::new(listed)?);
        let targets = trading.targets(&instruments, &[])?;
        let strategies = trading.strategies(&instruments, &targets)?;
        let room = Room::new(None)?;
        let ipc = room.ipc()?;
        let link = Link::create(&ipc, RING_CAPACITY, 1)?;
        let journals = room.journals();
        let setup = PathSetup {
            ipc: &ipc,
            journals: &journals,
            sync: false,
            epoch: 1,
            instruments: &instruments,
            stopwatch: Stopwatch::calibrate(),
            capacity: RING_CAPACITY,
            external: false,
            now: BEGIN,
        };
        let config = setup.config(trading, &strategies)?;
        let mut set = JournalSet::new(RING_CAPACITY);
        let path = Path::assemble(&config, strategies, link.feed.into_direct(), link.entry, &mut set)?;
        let lies = i64::from(args.plant == Some(Lie::PhantomFill)) * 10;
        let mut faults = Faults::new(seed, FaultRates { phantom_fills: lies, ..FaultRates::USUAL });
        let mut matching = simulation(&args.fills)?;
        matching.order_latency = faults.span(LATENCY);
        matching.answer_latency = faults.span(LATENCY);
        let feed_latency = faults.span(LATENCY);
        let frames = GeneratedFrames::new(market, &trading.symbols, &instruments);
        let exchange =
            SimulatedExchange::new(link.venue, frames, Arc::clone(&instruments), matching, feed_latency)?;
        let mut stepper = Stepper::new(exchange, path, set);
        stepper.inject(faults);
        Ok(Self { seed, stepper, instruments, room, trading: trading.clone() })
    }

    /// Plays it and judges how it ended.
    fn run(mut self, args: &SimulateArgs, progress: &mut dyn FnMut(u64)) -> Outcome {
        let end = BEGIN.saturating_add(args.duration.0);
        let played = self.stepper.run(&mut |next| {
            progress((next.min(end) - BEGIN).0.max(0).unsigned_abs());
            next < end
        });
        let summary = played.and_then(|()| self.summary());
        let faults =
            self.stepper.exchange().faults().map_or_else(FaultCounts::default, |faults| faults.counts);
        let (summary, failure) = match summary {
            Ok(summary) => {
                let failure = self.judge(&summary);
                (Some(summary), failure)
            }
            Err(error) => (None, Some(error.to_string())),
        };
        Outcome { seed: self.seed, faults, summary, failure }
    }

    /// The summary, which holds the journals against each other and against risk's ledger.
    fn summary(&self) -> Result<Value, SetupError> {
        let facts = Facts {
            elapsed: Nanos::ZERO,
            inferred: Vec::new(),
            trading: self.trading.clone(),
            journals: self.room.journals(),
        };
        let (path, journals) = (self.stepper.path(), self.stepper.journals());
        Ok(Summary::of(path, journals, &self.instruments, &self.room.ipc()?, facts)?.to_json())
    }

    /// What must hold at the end of any session.
    fn judge(&self, summary: &Value) -> Option<String> {
        let path = self.stepper.path();
        let account = self.stepper.exchange().matching().account();
        for (index, instrument) in self.instruments.iter() {
            let ours = path.risk().ledger().position(index).map(|position| i128::from(position.0));
            let theirs = account.ledger(index).position();
            if ours != Some(theirs) {
                return Some(format!(
                    "{}: the exchange says position {theirs}, we say {ours:?} (in units of the instrument)",
                    instrument.symbol
                ));
            }
        }
        if let Some(failed) = path.host().iter().find_map(|hosted| hosted.failure()) {
            return Some(format!("a strategy failed: {failed}"));
        }
        let endless = path.route().orders().iter().filter(|order| !order.state.is_terminal());
        let endless: Vec<_> = endless.map(|order| format!("{} {}", order.id, order.state.as_str())).collect();
        if !endless.is_empty() || summary["open"] != json!(0) {
            return Some(format!("{} orders have no end: {}", summary["open"], endless.join(", ")));
        }
        let (overfills, unapproved) = (path.route().counters.overfills, path.route().counters.unapproved);
        let sound = (overfills, unapproved) == (0, 0);
        (!sound)
            .then(|| format!("{overfills} fills beyond an order, {unapproved} orders without an approval"))
    }
}

fn show(outcomes: &[Outcome], as_json: bool) {
    let failed = outcomes.iter().filter(|one| one.failure.is_some()).count();
    if as_json {
        let seeds: Vec<_> = outcomes.iter().map(Outcome::to_json).collect();
        say!("{}", json!({"seeds": seeds, "failed": failed}));
        return;
    }
    let mut table = Table::new(&["seed", "state hash", "events", "orders", "fills", "faults", "outcome"]);
    for one in outcomes {
        table.row(vec![
            one.seed.to_string(),
            one.figure("state_hash"),
            one.figure("events"),
            one.figure("orders"),
            one.figure("fills"),
            one.faults.to_array().iter().sum::<u64>().to_string(),
            one.failure.clone().unwrap_or_else(|| "sound".to_owned()),
        ]);
    }
    say!("{table}");
}
