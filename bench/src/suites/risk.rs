//! Risk: every control on an order, alone and as the agent does it with journal and order ring, beside serde_json reading
//! a bookTicker.

use std::hint::black_box;

use engine::agent::Agent as _;
use engine::domain::SourceId;
use engine::error::SetupError;
use engine::limits::POLL_BATCH;
use engine::message::Intent;
use engine::ring::spsc;

use crate::desk::{BURSTS, Desk, Plan};
use crate::frames::{Script, instrument};
use crate::histogram::Histogram;
use crate::peers::json::{self, BookTicker, Typed};
use crate::report::{Ratio, Target};
use crate::series::{Samples, Series};
use crate::suites::Bench;
use crate::suites::tick_to_order::KINDS;

const SUITE: &str = "risk";

/// What a pass may take of serde_json's parse: in the middle, and in the worst of a thousand.
const MIDDLE: Target = Target::AtMost(0.1);
const WORST: Target = Target::AtMost(0.3);

/// Frames before the first that counts.
const WARM: usize = 128;

/// bookTickers parsed in turn.
const TICKERS: usize = 64;

/// Runs the suite.
///
/// # Errors
/// When a file cannot be made, or risk refuses an order.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let count = bench.scale().of(4_000, 1_500, 8);
    let (mut agent, mut controls, mut serde) = (Series::default(), Series::default(), Series::default());
    let mut script = Script::new(instrument("BTCUSDT", engine::domain::Market::UsdMargined), 5);
    let tickers: Vec<_> = (0..TICKERS).map(|_| script.book_ticker()).collect();
    for round in 0..bench.rounds() {
        let plan = KINDS[0].plan(count + WARM, u64::from(round))?;
        let plan = Plan { orders_per_top: POLL_BATCH, rate: BURSTS, ..plan };
        let mut desk = Desk::new(plan, bench.rig.stopwatch, bench.scratch)?;
        let [whole, alone] = measure(bench, &mut desk, count)?;
        agent.add_alone(&whole);
        controls.add_alone(&alone);
        let times = bench.rig.time_batches(count as u64, TICKERS as u64, || {
            for ticker in &tickers {
                black_box(<BookTicker<'_> as Typed>::serde(black_box(ticker)));
            }
        });
        serde.add_alone(&times);
    }
    let ratios = |_, own: &Samples| {
        let Some(serde) = serde.alone() else { return Vec::new() };
        let worst = own.times.at(0.999) / serde.figure();
        vec![
            Ratio::promised("serde_json's parse of a bookTicker", own.over(serde), MIDDLE),
            Ratio::promised("serde_json's parse, at p99.9", worst, WORST),
        ]
    };
    bench.report.push_series(SUITE, "every control", &controls, &ratios);
    bench.report.push_series(SUITE, "the agent: controls, state, journal, order ring", &agent, &ratios);
    bench
        .report
        .push_series(SUITE, &format!("{} reads a bookTicker", json::SERDE), &serde, &|_, _| Vec::new());
    Ok(())
}

/// Times of the agent's pass and of the controls alone; each is the mean of the intents of one duty cycle.
fn measure(bench: &Bench<'_>, desk: &mut Desk, count: usize) -> Result<[Histogram; 2], SetupError> {
    let (mut whole, mut alone) = (Histogram::prepared(), Histogram::prepared());
    // A second reader of what the strategy asks for; nobody waits for it.
    let ring = desk.ipc.intents(SourceId::strategy(0));
    let mut copies: spsc::Consumer<Intent> = spsc::Consumer::attach(&ring, &ring.with_extension("copy"))?;
    for _ in 0..WARM {
        desk.warm_up(1)?;
        while copies.poll().is_some() {}
    }
    for _ in 0..count {
        desk.arrive();
        let now = desk.now();
        // Ticks and reports are taken before anything is timed.
        while desk.agents.ingest.do_work(now) + desk.agents.risk.do_work(now) > 0 {}
        desk.agents.host.do_work(now);
        let intents: [Option<Intent>; POLL_BATCH] = std::array::from_fn(|_| copies.poll());
        let risk = desk.agents.risk.agent_mut();
        let mut check = || {
            let each = intents.iter().flatten();
            each.filter(|intent| risk.check(black_box(intent), now).is_ok()).count()
        };
        // Unmeasured: the journals' writers have just been to the kernel, and the other side's frames are warm too. Twice:
        // a clock does not wait for what the first pass still asks of memory.
        black_box(check() + check());
        let (passed, time) = bench.rig.time(check);
        alone.record_mean(time, POLL_BATCH as u64);
        let (work, time) = bench.rig.time(|| desk.agents.risk.do_work(now));
        whole.record_mean(time, POLL_BATCH as u64);
        let before = desk.orders();
        desk.rest()?;
        let sent = desk.orders() - before;
        if [passed, work, sent as usize] != [POLL_BATCH; 3] {
            let reason =
                format!("{SUITE}: of {POLL_BATCH} orders {passed} passed, {work} were taken, {sent} sent");
            return Err(SetupError::Invalid(reason));
        }
    }
    Ok([whole, alone])
}
