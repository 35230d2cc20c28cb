//! From a frame's bytes to the order's bytes on one thread: decoding, book, strategy, every control of risk, the state
//! of the order, both journals and all stage stamps, beside serde_json reading the same frame into typed text. Then the
//! same way over two processes.

pub mod apart;
pub mod crossing;
mod messages;
mod parts;

use std::hint::black_box;
use std::sync::Arc;

use engine::agent::Agent as _;
use engine::domain::{Instruments, Market};
use engine::error::SetupError;

use crate::desk::feed::Given;
use crate::desk::{Desk, Plan};
use crate::frames::{Script, instrument};
use crate::histogram::Histogram;
use crate::peers::json::{self, BookTicker, DepthUpdate, Typed};
use crate::report::{Ratio, Target};
use crate::series::{Samples, Series};
use crate::suites::Bench;
use crate::suites::tick_to_order::parts::Parts;

const SUITE: &str = "tick-to-order";

/// Frames before the first that counts: every buffer has grown and every branch was taken.
const WARM: usize = 256;

/// Frames between two writings of the journals, which are not part of the way.
const CHUNK: usize = 64;

/// Frames behind such a writing before the next that counts: writers have a thread of their own, and here they have just been
/// to the kernel on the core that is measured.
pub const RETURN: usize = 2;

/// The longest of a thousand may take this many times the middle one.
const TAIL: Target = Target::AtMost(3.0);

/// A kind of frame that moves the top each time.
pub struct Kind {
    /// What reports call it.
    pub name: &'static str,
    market: Market,
    make: fn(&mut Script) -> Vec<u8>,
    parse: fn(&[u8]) -> bool,
    /// Most that the whole way may take of serde_json's parse alone.
    target: f64,
}

/// The two kinds that promises are about.
pub const KINDS: [Kind; 2] = [
    Kind {
        name: "bookTicker",
        market: Market::UsdMargined,
        make: Script::book_ticker,
        parse: <BookTicker<'_> as Typed>::serde,
        target: 0.8,
    },
    Kind {
        name: "depthUpdate 20+20",
        market: Market::Spot,
        make: |script| script.depth(20),
        parse: <DepthUpdate<'_> as Typed>::serde,
        target: 0.3,
    },
];

impl Kind {
    /// A desk that has the book, and `count` frames to come.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn plan(&self, count: usize, seed: u64) -> Result<Plan, SetupError> {
        let instrument = instrument("BTCUSDT", self.market);
        let mut script = Script::new(instrument.clone(), seed);
        let (url, payload) = script.snapshot(1_000);
        let mut frames = vec![Given { market: self.market, url: Some(url), payload }];
        let stream = |payload| Given { market: self.market, url: None, payload };
        frames.push(stream(script.depth(20)));
        frames.extend((0..count).map(|_| stream((self.make)(&mut script))));
        Ok(Plan::new(Arc::new(Instruments::new(vec![instrument])?), frames))
    }
}

/// Runs the suite.
///
/// # Errors
/// When a file cannot be made, or a frame does not lead to exactly one order.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let mut rows: Vec<[Series; 6]> = KINDS.iter().map(|_| Default::default()).collect();
    let (mut crossing, two_cores) = (Series::default(), bench.rig.has_two_cores());
    let count: usize = bench.scale().of(6_400, 3_200, 64);
    for round in 0..bench.rounds() {
        for (kind, [ours, serde, plain, parts, told, over_two]) in KINDS.iter().zip(&mut rows) {
            let chunks = count.div_ceil(CHUNK);
            let plan = kind.plan(WARM + 2 * (count + chunks * RETURN), u64::from(round) + 1)?;
            let mut desk = Desk::new(plan, bench.rig.stopwatch, bench.scratch)?;
            let mut alone = Parts::new(&desk)?;
            desk.feed().ahead(2 + WARM).for_each(|given| alone.read(given));
            desk.warm_up(2 + WARM)?;
            let [own, theirs, arithmetic, of_parts, of_told] =
                measure(bench, kind, &mut desk, &mut alone, count)?;
            ours.add_alone(&own);
            serde.add_alone(&theirs);
            plain.add_alone(&arithmetic);
            parts.add_alone(&of_parts);
            told.add_alone(&of_told);
            if two_cores {
                let measure = || apart::measure(bench, kind, count, u64::from(round) + 1);
                over_two.add(bench.rig.measure_long(measure)?);
                crossing.add(bench.rig.measure(|| crossing::measure(bench, count / 2))?);
            }
        }
    }
    let tail = |own: &Samples| own.times.at(0.999) / own.times.at(0.5);
    for (kind, [ours, serde, plain, parts, told, over_two]) in KINDS.iter().zip(&rows) {
        let ratios = |_, own: &Samples| {
            let over = serde.alone().map_or(f64::NAN, |serde| own.over(serde));
            vec![
                Ratio::promised("serde_json's parse of the frame", over, Target::AtMost(kind.target)),
                Ratio::promised("its own p50 at p99.9", tail(own), TAIL),
            ]
        };
        bench.report.push_series(SUITE, &format!("{}: bytes to order bytes", kind.name), ours, &ratios);
        let name = format!("{}: {} reads the frame", kind.name, json::SERDE);
        bench.report.push_series(SUITE, &name, serde, &|_, _| Vec::new());
        let of_both = |_, own: &Samples| {
            let over = |whole: &Series| whole.alone().map_or(f64::NAN, |whole| own.over(whole));
            let way = Ratio::plain("the whole way", over(ours));
            vec![Ratio::plain("serde_json's parse of the frame", over(serde)), way]
        };
        bench.report.push_series(SUITE, &format!("{}: its parts alone", kind.name), parts, &of_both);
        let name = format!("{}: its parts and three messages", kind.name);
        bench.report.push_series(SUITE, &name, told, &of_both);
        // What the tail of anything so long is on this machine, whoever wrote it.
        let name = format!("{}: plain arithmetic for as long", kind.name);
        let ratios = |_, own: &Samples| vec![Ratio::plain("its own p50 at p99.9", tail(own))];
        bench.report.push_series(SUITE, &name, plain, &ratios);
        apart::report(bench, kind, over_two, ours, &crossing);
    }
    let hops = |_, own: &Samples| vec![Ratio::plain("raw hops", own.over_raw() * 2.0)];
    bench.report.push_series(SUITE, &format!("{}, two processes", crossing::NAME), &crossing, &hops);
    bench
        .report
        .note("tick-to-order: each frame alone between two fenced readings of the clock, which are included");
    bench.report.note(if two_cores {
        "tick-to-order, two processes: ingest and route spin on the first core, strategy and risk on the second"
    } else {
        "tick-to-order, two processes: left out, for only one core can be pinned and two that spin need two"
    });
    Ok(())
}

/// Arithmetic in a register, of `turns` turns; the same code wherever it is called from.
#[inline(never)]
fn spin(turns: u64) -> u64 {
    (0..turns).fold(1, |sum: u64, turn| black_box(sum ^ turn))
}

/// Turns of [`spin`] that take `time`.
fn turns_of(bench: &Bench<'_>, time: f64) -> u64 {
    const TRIAL: u64 = 10_000;
    let trials = (0..16).map(|_| bench.rig.time(|| spin(TRIAL)).1.0);
    let trial = trials.min().unwrap_or(i64::MAX).max(1);
    ((time * TRIAL as f64) / trial as f64).round() as u64
}

/// Times of the whole way, of the parse alone, of arithmetic that takes as long as the way, and of its parts, frame by frame.
fn measure(
    bench: &Bench<'_>,
    kind: &Kind,
    desk: &mut Desk,
    parts: &mut Parts,
    count: usize,
) -> Result<[Histogram; 5], SetupError> {
    let (mut own, mut theirs) = (Histogram::prepared(), Histogram::prepared());
    let (mut plain, mut of_parts) = (Histogram::prepared(), [Histogram::prepared(), Histogram::prepared()]);
    let mut left = count;
    while left > 0 {
        let chunk = left.min(CHUNK);
        left -= chunk;
        for given in desk.feed().ahead(RETURN + chunk) {
            let payload = black_box(given.payload.as_slice());
            // Once unmeasured: whoever received it has just touched its bytes, here and below.
            black_box((kind.parse)(payload));
            let (read, time) = bench.rig.time(|| (kind.parse)(payload));
            theirs.record(time);
            parts.read(given);
            if !read {
                return Err(SetupError::Invalid(format!("{SUITE}: serde_json cannot read a {}", kind.name)));
            }
        }
        desk.take(RETURN);
        for _ in 0..chunk {
            desk.arrive();
            let before = desk.orders();
            let (_, time) = bench.rig.time(|| desk.cycle());
            own.record(time);
            let sent = desk.orders() - before;
            if sent != 1 {
                return Err(SetupError::Invalid(format!("{SUITE}: a {} led to {sent} orders", kind.name)));
            }
            // The venue's answer comes later, and is no part of the way.
            while desk.cycle() > 0 {}
        }
        let turns = turns_of(bench, own.at(0.5));
        (0..chunk).for_each(|_| plain.record(bench.rig.time(|| spin(turns)).1));
        desk.journals.drain_all()?;
        take_parts(bench, desk, parts, chunk, &mut of_parts)?;
    }
    let [of_parts, of_told] = of_parts;
    Ok([own, theirs, plain, of_parts, of_told])
}

/// Times of the parts for the next `chunk` frames, which the desk takes too: without messages, and with them for every other.
fn take_parts(
    bench: &Bench<'_>,
    desk: &mut Desk,
    parts: &mut Parts,
    chunk: usize,
    times: &mut [Histogram; 2],
) -> Result<(), SetupError> {
    let ahead: Vec<_> = desk.feed().ahead(RETURN + chunk).cloned().collect();
    ahead[..RETURN].iter().for_each(|given| parts.read(given));
    desk.take(RETURN);
    parts.skip();
    for (given, told) in ahead[RETURN..].iter().zip([false, true].into_iter().cycle()) {
        desk.arrive();
        let now = desk.now();
        desk.agents.ingest.do_work(now);
        desk.agents.host.do_work(now);
        times[usize::from(told)].record(parts.time(bench, desk, given, told)?);
        while desk.cycle() > 0 {}
    }
    desk.journals.drain_all()
}
