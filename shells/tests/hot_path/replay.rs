//! A tape replayed over rings, every agent driven at every instant, and watched once it is warm.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path as FilePath;
use std::sync::Arc;

use engine::agent::Agent as _;
use engine::clock::Stopwatch;
use engine::domain::{Instrument, InstrumentIndex, Instruments, Nanos, Quantity};
use engine::error::SetupError;
use engine::journal::{JournalReader, RecordKind};
use engine::shm::paths::IpcPaths;
use engine::simulation::ahead::{FramesAhead, RecordedFrames};
use engine::simulation::exchange::SimulatedExchange;
use engine::simulation::faults::Faults;
use engine::simulation::source::{FrameSource as _, TapeFrames};
use engine::simulation::stepper::Stepper;
use engine::tick_to_trade::assembly::{
    JournalSet, Path, PathConfig, PathParts, RingSizes, StrategySlot, apart, journal_directory,
};
use engine::tick_to_trade::ingest::IngestConfig;
use engine::tick_to_trade::risk::{AccountLimits, InstrumentLimits, Limits, Rate, SourceLimits};
use engine::tick_to_trade::route::RouteTiming;
use engine::tick_to_trade::strategy::Strategy;
use engine::tick_to_trade::strategy::registry::{self, Settings};
use engine::venue::link::{LinkFeed, LinkOrderEntry};
use engine::venue::replay::TapeSet;
use engine::venue::simulated::{FeeRate, QueueModel, SimulationConfig};
use shells::assembly::Link;
use shells::config::places::shared_memory;
use shells::replay::instruments::Table;

use crate::watch::Watch;

/// How the agents are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// In one process that nobody else comes to: a replay.
    Closed,
    /// In one process, to which clients, the operator and the gateway may come: a live engine.
    Open,
    /// As if each were in a process of its own.
    Apart,
}

/// Makes the strategy of an instrument.
pub type Make<'a> = &'a dyn Fn(InstrumentIndex, &Instrument) -> Box<dyn Strategy>;

/// Who trades.
#[derive(Clone, Copy)]
pub struct Traders<'a> {
    pub make: Make<'a>,
    /// The loss of a day that stops new risk; a tenth more stops all.
    pub day_loss: i128,
}

impl<'a> Traders<'a> {
    /// Whatever they lose.
    pub fn of(make: Make<'a>) -> Self {
        Self { make, day_loss: MONEY }
    }
}

/// One of those that there are.
pub fn market_making(index: InstrumentIndex, instrument: &Instrument) -> Box<dyn Strategy> {
    registry::create("market_making", index, instrument, &Settings::new()).expect("a strategy")
}

const RING: usize = 1 << 12;

/// More than there is.
pub const MONEY: i128 = 1 << 90;

fn limits(instruments: &Instruments, day_loss: i128) -> Limits {
    let each = InstrumentLimits {
        max_quantity: Quantity(1 << 50),
        max_notional: MONEY,
        max_position: Quantity(1 << 60),
        max_position_value: MONEY,
        collar_aggressive_bps: 500,
        collar_passive_bps: 1_000,
        stale_after: Nanos::from_secs(60),
        max_open: 32,
        max_unknown: 1,
    };
    let messages = Rate::new(1_000, Nanos::from_secs(10));
    let source = SourceLimits {
        orders: messages,
        cancels: messages,
        cancels_for_others: false,
        max_position_value: MONEY,
        keep_on_loss: false,
    };
    Limits {
        account: AccountLimits {
            currency: "USDT".into(),
            at_par: Vec::new(),
            max_gross: MONEY,
            max_open: 1_024,
            orders: messages,
            cancels: messages,
            day_loss_soft: day_loss,
            day_loss_hard: day_loss + day_loss / 10,
            duplicates: Rate::new(3, Nanos::from_millis(500)),
            repeat_fills: Rate::new(200, Nanos::from_secs(10)),
            reject_storm: Rate::new(1_000, Nanos::from_secs(10)),
            max_unknown: 5,
        },
        instruments: vec![each; instruments.len()],
        sources: vec![source; 8],
    }
}

/// Who reads the tape.
#[derive(Clone, Copy, Debug)]
pub enum Reading {
    /// The replay, when it needs a frame.
    Here,
    /// A thread of its own, ahead.
    Ahead,
}

/// Everything a replay is made of, but for how it is driven.
struct Parts {
    link: Link,
    config: PathConfig,
    strategies: Vec<StrategySlot>,
    frames: RecordedFrames,
    journals: JournalSet,
}

fn parts(room: &FilePath, tape: &FilePath, (joined, read): (Joined, Reading), traders: Traders<'_>) -> Parts {
    let ipc = IpcPaths::new(room.join("ipc"));
    ipc.create().expect("directories");
    let tapes = [tape.to_owned()];
    let table = Table::of(&tapes, None).expect("a tape");
    let instruments = Arc::clone(&table.instruments);
    let tapes = TapeSet::open(&tapes).expect("a tape");
    let mut frames: RecordedFrames = match read {
        Reading::Here => TapeFrames::new(tapes).into(),
        Reading::Ahead => FramesAhead::start(tapes, Arc::clone(&instruments)).expect("a thread").into(),
    };
    let link = Link::create(&ipc, RING, 1).expect("rings");
    let strategies = table.present.iter().take(4).map(|&index| {
        let instrument = instruments.get(index).expect("listed");
        let strategy = (traders.make)(index, instrument);
        StrategySlot { name: format!("maker {index}"), strategy, instruments: vec![index] }
    });
    let strategies = strategies.collect();
    let config = PathConfig {
        ipc,
        journals: room.join("journals"),
        sync: false,
        epoch: 1,
        limits: limits(&instruments, traders.day_loss),
        instruments,
        stopwatch: Stopwatch::calibrate(),
        rings: RingSizes::all(RING),
        ingest: IngestConfig { silence: Nanos::from_secs(10) },
        timing: RouteTiming::default(),
        external: joined != Joined::Closed,
        apart: joined == Joined::Apart,
        now: frames.next_time().expect("a frame"),
    };
    Parts { link, config, strategies, frames, journals: JournalSet::new(RING) }
}

const MATCHING: SimulationConfig = SimulationConfig {
    queue: QueueModel::RiskAverse,
    maker_fee: FeeRate(200),
    taker_fee: FeeRate(500),
    order_latency: Nanos::from_millis(1),
    answer_latency: Nanos::from_millis(1),
    partial_fills: true,
};

/// A folder in shared memory, where an engine's files lie: a disk's pages are written back and given again.
fn room() -> tempfile::TempDir {
    tempfile::tempdir_in(shared_memory()).expect("a folder")
}

/// What a replay did, in one line: its state hash, and one of when everything was journalled and how each day began, which
/// the state leaves out.
fn told(state: &JournalSet, journals: &FilePath) -> String {
    let mut moments = DefaultHasher::new();
    for owner in ["risk", "route"] {
        for record in JournalReader::open(&journal_directory(journals, owner)).expect("a journal") {
            let record = record.expect("a record");
            (record.sequence, record.at.0, record.kind).hash(&mut moments);
            if record.kind == RecordKind::Day.code() {
                record.payload.hash(&mut moments);
            }
        }
    }
    format!("{} {:016x}", state.state_hash(), moments.finish())
}

/// The replay as `trading replay` does it, with faults on the link if there are any: what it did, and how many orders it
/// sent.
///
/// # Errors
/// When the replay ends early.
pub fn by_deadlines(
    tape: &FilePath,
    (read, latency): (Reading, Nanos),
    traders: Traders<'_>,
    faults: Option<Faults>,
) -> Result<(String, u64), SetupError> {
    let room = room();
    let Parts { link, config, strategies, frames, mut journals } =
        parts(room.path(), tape, (Joined::Closed, read), traders);
    let path = Path::assemble(&config, strategies, link.feed.into_direct(), link.entry, &mut journals)
        .expect("assembled");
    let (instruments, directory) = (Arc::clone(&config.instruments), config.journals);
    let exchange =
        SimulatedExchange::new(link.venue, frames, config.instruments, MATCHING, latency).expect("a tape");
    let mut stepper = Stepper::new(exchange, path, journals);
    if let Some(faults) = faults {
        stepper.inject(faults);
    }
    stepper.run(&mut |_| true)?;
    let (path, account) = (stepper.path(), stepper.exchange().matching().account());
    for (index, instrument) in instruments.iter() {
        let ours = path.risk().ledger().position(index).map(|position| i128::from(position.0));
        assert_eq!(ours, Some(account.ledger(index).position()), "{}", instrument.symbol);
    }
    assert_eq!(path.route().orders().live(), 0);
    Ok((told(stepper.journals(), &directory), path.route().counters.sent))
}

type Agents = Path<LinkFeed, LinkOrderEntry>;

fn assemble(
    config: &PathConfig,
    strategies: Vec<StrategySlot>,
    (feed, entry): (LinkFeed, LinkOrderEntry),
    journals: &mut JournalSet,
) -> Agents {
    if !config.apart {
        return Path::assemble(config, strategies, feed, entry, journals).expect("assembled");
    }
    let count = strategies.len();
    let route = apart::route(config, entry, journals).expect("route");
    let ingest = apart::ingest(config, feed).expect("ingest");
    let risk = apart::risk(config, count, journals).expect("risk");
    let host = apart::strategies(config, strategies).expect("strategies");
    Path::from_parts(PathParts { ingest, host, risk, route })
}

/// How a replay by turns went.
pub struct Played {
    pub hash: String,
    pub sent: u64,
    /// Time of the tape that passed under watch.
    pub watched: Nanos,
}

/// The same replay over rings, everybody driven at every instant until nobody has work. After the first `warm` frames
/// the agents are watched, each duty cycle by itself; then something that is `planted` happens once as well.
pub fn by_turns(
    tape: &FilePath,
    (joined, latency, traders): (Joined, Nanos, Traders<'_>),
    (watch, warm): (&mut Watch, u64),
    mut planted: Option<Box<dyn FnOnce()>>,
) -> Played {
    let room = room();
    let Parts { link, config, strategies, frames, mut journals } =
        parts(room.path(), tape, (joined, Reading::Here), traders);
    let mut path = assemble(&config, strategies, (link.feed, link.entry), &mut journals);
    let mut exchange =
        SimulatedExchange::new(link.venue, frames, config.instruments, MATCHING, latency).expect("a tape");
    let (mut now, mut last, mut stopped, mut warm_at) = (config.now, Nanos::NEVER, false, None);
    loop {
        loop {
            let watched = if path.frames_taken() >= warm { Some(&mut *watch) } else { None };
            if watched.is_some() {
                warm_at = warm_at.or(Some(now));
            }
            let work = exchange.do_work(now) + cycle(&mut path, now, watched);
            journals.drain_after(work).expect("written");
            assert!(exchange.take_failure().is_none());
            if work == 0 {
                break;
            }
        }
        if warm_at.is_some()
            && let Some(planted) = planted.take()
        {
            watch.over("planted", planted);
        }
        if exchange.is_exhausted() && !stopped {
            path.stop(now);
            (stopped, last) = (true, now + Nanos::from_secs(30));
            continue;
        }
        let next = exchange.next_deadline().min(path.next_deadline());
        if stopped && (path.route().orders().live() == 0 || next > last) {
            break;
        }
        now = now.max(next);
    }
    path.publish();
    journals.drain_all().expect("written");
    let watched = warm_at.map_or(Nanos::ZERO, |warm_at| now - warm_at);
    Played { hash: told(&journals, &config.journals), sent: path.route().counters.sent, watched }
}

/// One duty cycle of every agent.
fn cycle(path: &mut Agents, now: Nanos, watch: Option<&mut Watch>) -> usize {
    let Some(watch) = watch else { return path.do_work(now) };
    let (ingest, host, risk, route) = path.parts_mut();
    watch.over("ingest", || ingest.do_work(now))
        + watch.over("strategy", || host.do_work(now))
        + watch.over("risk", || risk.do_work(now))
        + watch.over("route", || route.do_work(now))
}

/// Frames of a tape.
pub fn frames(tape: &FilePath) -> u64 {
    let (mut frames, mut count) = (TapeFrames::new(TapeSet::open(&[tape.to_owned()]).expect("a tape")), 0);
    while frames.next_time().expect("a frame") != Nanos::NEVER {
        frames.next(&mut |_| count += 1).expect("a frame");
    }
    count
}
