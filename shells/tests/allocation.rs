//! The agents allocate nothing once they are warm, over a whole replay; and a replay by deadlines and decoded events is
//! the replay in which every agent is driven again and again over rings.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path as FilePath;
use std::sync::Arc;

use engine::agent::Agent as _;
use engine::clock::Stopwatch;
use engine::domain::{Instruments, Nanos, Quantity};
use engine::shm::paths::IpcPaths;
use engine::simulation::exchange::SimulatedExchange;
use engine::simulation::source::{FrameSource as _, TapeFrames};
use engine::simulation::stepper::Stepper;
use engine::tick_to_trade::assembly::{JournalSet, Path, PathConfig, RingSizes, StrategySlot};
use engine::tick_to_trade::ingest::IngestConfig;
use engine::tick_to_trade::risk::{AccountLimits, InstrumentLimits, Limits, Rate, SourceLimits};
use engine::tick_to_trade::route::RouteTiming;
use engine::tick_to_trade::strategy::registry::{self, Settings};
use engine::venue::replay::TapeSet;
use engine::venue::simulated::{FeeRate, QueueModel, SimulationConfig};
use shells::assembly::Link;
use shells::replay::instruments::Table;
use support::tape;

/// Counts what a thread asks for while it wants that counted.
struct Counting;

thread_local! {
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// One more request, where they are counted.
fn note() {
    // A thread that ends has no cell any more: nobody counts there.
    let _ = COUNTED.try_with(|counted| counted.set(counted.get().map(|count| count + 1)));
}

#[allow(unsafe_code)]
// SAFETY: every call goes to the system's allocator as it came; counting touches a cell of the thread and allocates
// nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` asked for memory.
fn counted<T>(work: impl FnOnce() -> T) -> (T, u64) {
    COUNTED.set(Some(0));
    let value = work();
    (value, COUNTED.replace(None).unwrap_or(0))
}

const RING: usize = 1 << 12;

fn limits(instruments: &Instruments) -> Limits {
    const MONEY: i128 = 1 << 90;
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
            day_loss_soft: MONEY,
            day_loss_hard: MONEY,
            duplicates: Rate::new(3, Nanos::from_millis(500)),
            repeat_fills: Rate::new(200, Nanos::from_secs(10)),
            reject_storm: Rate::new(1_000, Nanos::from_secs(10)),
            max_unknown: 5,
        },
        instruments: vec![each; instruments.len()],
        sources: vec![source; 8],
    }
}

/// Everything a replay is made of, but for how it is driven.
struct Parts {
    link: Link,
    config: PathConfig,
    strategies: Vec<StrategySlot>,
    frames: TapeFrames,
    journals: JournalSet,
}

fn parts(room: &FilePath, tape: &FilePath) -> Parts {
    let ipc = IpcPaths::new(room.join("ipc"));
    ipc.create().expect("directories");
    let tapes = [tape.to_owned()];
    let table = Table::of(&tapes, None).expect("a tape");
    let instruments = Arc::clone(&table.instruments);
    let mut frames = TapeFrames::new(TapeSet::open(&tapes).expect("a tape"));
    let link = Link::create(&ipc, RING, 1).expect("rings");
    let strategies = table.present.iter().take(4).map(|&index| {
        let instrument = instruments.get(index).expect("listed");
        let strategy =
            registry::create("market_making", index, instrument, &Settings::new()).expect("a strategy");
        StrategySlot { name: format!("maker {index}"), strategy, instruments: vec![index] }
    });
    let strategies = strategies.collect();
    let config = PathConfig {
        ipc,
        journals: room.join("journals"),
        sync: false,
        epoch: 1,
        limits: limits(&instruments),
        instruments,
        stopwatch: Stopwatch::calibrate(),
        rings: RingSizes::all(RING),
        ingest: IngestConfig { silence: Nanos::from_secs(10) },
        timing: RouteTiming::default(),
        external: false,
        apart: false,
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

/// The replay as `trading replay` does it: its state hash, and how many orders it sent.
fn by_deadlines(tape: &FilePath, latency: Nanos) -> (String, u64) {
    let room = tempfile::tempdir().expect("a folder");
    let Parts { link, config, strategies, frames, mut journals } = parts(room.path(), tape);
    let path = Path::assemble(&config, strategies, link.feed.into_direct(), link.entry, &mut journals)
        .expect("assembled");
    let exchange =
        SimulatedExchange::new(link.venue, frames, config.instruments, MATCHING, latency).expect("a tape");
    let mut stepper = Stepper::new(exchange, path, journals);
    stepper.run(&mut |_| true).expect("played");
    (stepper.journals().state_hash().to_string(), stepper.path().route().counters.sent)
}

/// The same replay over rings, everybody driven at every instant until nobody has work. Also how often the agents asked
/// for memory after the first `warm` frames; with `planted`, somebody does so at every instant.
fn by_turns(tape: &FilePath, latency: Nanos, warm: u64, planted: bool) -> (String, u64, u64) {
    let room = tempfile::tempdir().expect("a folder");
    let Parts { link, config, strategies, frames, mut journals } = parts(room.path(), tape);
    let mut path =
        Path::assemble(&config, strategies, link.feed, link.entry, &mut journals).expect("assembled");
    let mut exchange =
        SimulatedExchange::new(link.venue, frames, config.instruments, MATCHING, latency).expect("a tape");
    let (mut now, mut requests, mut last, mut stopped) = (config.now, 0, Nanos::NEVER, false);
    loop {
        loop {
            let mut work = exchange.do_work(now);
            let (done, asked) = counted(|| path.do_work(now));
            work += done;
            if path.frames_taken() >= warm {
                requests += asked;
            }
            journals.drain_after(work).expect("written");
            assert!(exchange.take_failure().is_none());
            if work == 0 {
                break;
            }
        }
        if planted && path.frames_taken() >= warm {
            requests += counted(|| std::hint::black_box(Vec::<u64>::with_capacity(1))).1;
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
    (journals.state_hash().to_string(), path.route().counters.sent, requests)
}

#[test]
fn a_replay_by_deadlines_is_the_replay_by_turns() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = tape(home.path(), "cryptofeed_usdm_20210405");
    for latency in [Nanos::ZERO, Nanos::from_millis(7), Nanos::from_millis(700)] {
        let (hash, sent) = by_deadlines(&tape, latency);
        let (other, also_sent, _) = by_turns(&tape, latency, u64::MAX, false);
        assert!(sent > 0, "nothing was traded");
        assert_eq!((hash, sent), (other, also_sent), "feed latency {latency:?}");
    }
}

/// Frames of a tape.
fn frames(tape: &FilePath) -> u64 {
    let (mut frames, mut count) = (TapeFrames::new(TapeSet::open(&[tape.to_owned()]).expect("a tape")), 0);
    while frames.next_time().expect("a frame") != Nanos::NEVER {
        frames.next(&mut |_| count += 1).expect("a frame");
    }
    count
}

#[test]
fn warm_agents_allocate_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = tape(home.path(), "usdm_btcusdt_20240808");
    // Half of the tape: by then the book has reached its size.
    let warm = frames(&tape) / 2;
    let (_, sent, requests) = by_turns(&tape, Nanos::from_millis(3), warm, false);
    assert!(sent > 0, "nothing was traded");
    assert_eq!(requests, 0, "requests for memory by warm agents");
    let (_, _, planted) = by_turns(&tape, Nanos::from_millis(3), warm, true);
    assert!(planted > 0, "a planted request was not seen");
}
