//! What more instruments cost: the whole way at its slow end, and memory.

use std::hint::black_box;
use std::sync::Arc;

use engine::domain::{Instruments, Market, Nanos};
use engine::error::SetupError;

use crate::desk::feed::Given;
use crate::desk::{Desk, Plan};
use crate::frames::{Draws, Script, instrument};
use crate::histogram::Histogram;
use crate::machine::resident_bytes;
use crate::report::{Ratio, Row, Target};
use crate::rig::Placement;
use crate::suites::Bench;
use crate::suites::tick_to_order::RETURN;

const SUITE: &str = "growth";

/// Instruments of each row.
const COUNTS: [usize; 4] = [1, 10, 100, 1_000];

/// At the most instruments, the 99th percentile may be this many times that of one.
const FLAT: Target = Target::AtMost(1.2);

/// Levels a side of each book.
const DEPTH: usize = 100;

/// Frames between two writings of the journals.
const CHUNK: usize = 64;

/// Frames of each instrument, on average, that pass before any is measured: the market has been open for a while.
const SETTLED: usize = 4;

/// A pause in which others have the caches that this core shares with theirs.
const SILENCE: Nanos = Nanos::from_millis(50);

/// Lines of the cache that are an instrument's own and that its frame's way to an order needs: its symbol and how its numbers
/// are read (3), ingest's state (2), risk's limits, filters, position, price and open orders (8), what its order's text is
/// made of (3).
const LINES: usize = 16;

/// Lines like those of each of many instruments, in as many tables.
struct Strangers {
    tables: Vec<Vec<[u64; 8]>>,
    draws: Draws,
}

impl Strangers {
    fn new(count: usize) -> Self {
        Self { tables: (0..LINES).map(|_| vec![[1; 8]; count]).collect(), draws: Draws::new(1) }
    }

    /// Reads the lines of one of them, all at once: none has to be known to ask for another.
    fn visit(&mut self) {
        let count = self.tables.first().map_or(0, Vec::len);
        let which = self.draws.below(count as u64) as usize;
        let sum = self.tables.iter().fold(0, |sum: u64, table| sum.wrapping_add(table[which][0]));
        black_box(sum);
    }
}

/// Runs the suite.
///
/// # Errors
/// When a file cannot be made, or a frame does not lead to exactly one order.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let counts = &COUNTS[..bench.scale().of(4, 4, 2)];
    let most = counts[counts.len() - 1];
    memory(bench, counts)?;
    let mut times: Vec<Histogram> = counts.iter().map(|_| Histogram::prepared()).collect();
    let (mut beside, mut again) = (Histogram::prepared(), Histogram::prepared());
    let mut strangers = Strangers::new(most);
    let settling = (SETTLED * most).next_multiple_of(CHUNK);
    for seed in 0..bench.scale().of(9, 3, 1) {
        for (&count, times) in counts.iter().zip(&mut times) {
            let mut desk = round(bench, (count, seed), settling, times, || {})?;
            if count == most {
                after_silence(bench, &mut desk, &mut again)?;
            }
        }
        round(bench, (1, seed), settling, &mut beside, || strangers.visit())?;
    }
    let one = times[0].at(0.99);
    let over = |times: &Histogram, target| Ratio {
        to: "one instrument's p99, at p99".to_owned(),
        value: times.at(0.99) / one,
        target,
    };
    for (&count, times) in counts.iter().zip(times) {
        let ratio = over(&times, (count == COUNTS[3]).then_some(FLAT));
        let name = format!("bookTicker to order bytes, {count} instruments");
        bench.report.push(Row::times(SUITE, name, Placement::Alone, times).of_size(count).with(ratio));
    }
    // What the machine's memory alone takes for an instrument that is one of many; and for one that was silent.
    let ratio = over(&beside, None);
    let name = format!("bookTicker to order bytes, 1 instrument, and {LINES} lines of one of many");
    bench.report.push(Row::times(SUITE, name, Placement::Alone, beside).with(ratio));
    let ratio = over(&again, None);
    let name = format!("bookTicker to order bytes, {most} instruments, the first of each after a silence");
    bench.report.push(Row::times(SUITE, name, Placement::Alone, again).with(ratio));
    Ok(())
}

/// Times of `count` instruments' frames to orders, with what is done `beside` each; `settling` frames pass before. A frame of
/// each instrument is left.
fn round(
    bench: &Bench<'_>,
    (count, seed): (usize, u64),
    settling: usize,
    times: &mut Histogram,
    mut beside: impl FnMut(),
) -> Result<Desk, SetupError> {
    let chunks = bench.scale().of(8_000, 4_000, 64_usize).div_ceil(CHUNK);
    let mut desk = desk(bench, count, settling + chunks * (CHUNK + RETURN), seed)?;
    for _ in 0..settling / CHUNK {
        desk.take(CHUNK);
        desk.journals.drain_all()?;
    }
    for _ in 0..chunks {
        desk.take(RETURN);
        for _ in 0..CHUNK {
            times.record(take(bench, &mut desk, &mut beside)?);
        }
        desk.journals.drain_all()?;
    }
    Ok(desk)
}

/// Times of the frames that are left, one of each instrument, after nothing came for a while.
fn after_silence(bench: &Bench<'_>, desk: &mut Desk, times: &mut Histogram) -> Result<(), SetupError> {
    // Busy, for a core that rests does not come back at once.
    let stopwatch = bench.rig.stopwatch;
    let over = stopwatch.elapsed() + SILENCE;
    while stopwatch.elapsed() < over {
        std::hint::spin_loop();
    }
    desk.take(RETURN);
    while desk.feed().left() > 0 {
        for _ in 0..CHUNK.min(desk.feed().left()) {
            times.record(take(bench, desk, || {})?);
        }
        desk.journals.drain_all()?;
    }
    Ok(())
}

/// One frame to its order, and what else is done in the same time.
fn take(bench: &Bench<'_>, desk: &mut Desk, mut beside: impl FnMut()) -> Result<Nanos, SetupError> {
    // Whoever received a frame has just touched its bytes.
    desk.feed()
        .ahead(1)
        .for_each(|given| _ = black_box(given.payload.iter().fold(0_u8, |sum, byte| sum ^ byte)));
    desk.arrive();
    let before = desk.orders();
    let (_, time) = bench.rig.time(|| {
        beside();
        desk.cycle()
    });
    let sent = desk.orders() - before;
    if sent != 1 {
        return Err(SetupError::Invalid(format!("{SUITE}: a bookTicker led to {sent} orders")));
    }
    while desk.cycle() > 0 {}
    Ok(time)
}

/// A desk of `count` instruments whose books are loaded, with `frames` bookTickers of them to come, in a random order, and then
/// one of each.
fn desk(bench: &Bench<'_>, count: usize, frames: usize, seed: u64) -> Result<Desk, SetupError> {
    let table: Vec<_> = (0..count).map(|n| instrument(&format!("S{n}USDT"), Market::Spot)).collect();
    let mut scripts: Vec<_> =
        table.iter().zip(1..).map(|(each, n)| Script::new(each.clone(), seed * 10_000 + n)).collect();
    let given = |url, payload| Given { market: Market::Spot, url, payload };
    let mut all = Vec::with_capacity(4 * count + frames);
    for script in &mut scripts {
        let (url, payload) = script.snapshot(DEPTH);
        all.push(given(Some(url), payload));
        all.push(given(None, script.depth(20)));
        all.push(given(None, script.book_ticker()));
    }
    let mut draws = Draws::new(seed);
    for _ in 0..frames {
        let which = draws.below(count as u64) as usize;
        all.push(given(None, scripts[which].book_ticker()));
    }
    let mut each: Vec<_> = scripts.iter_mut().map(|script| given(None, script.book_ticker())).collect();
    for last in (1..count).rev() {
        each.swap(last, draws.below(last as u64 + 1) as usize);
    }
    all.append(&mut each);
    let plan = Plan::new(Arc::new(Instruments::new(table)?), all);
    let mut desk = Desk::new(plan, bench.rig.stopwatch, bench.scratch)?;
    desk.warm_up(3 * count)?;
    Ok(desk)
}

/// What an instrument takes of memory: of the largest desk, less what the smallest takes.
fn memory(bench: &mut Bench<'_>, counts: &[usize]) -> Result<(), SetupError> {
    let (least, most) = (counts[0], counts[counts.len() - 1]);
    let taken = |count| {
        let before = resident_bytes();
        let desk = desk(bench, count, 0, 1)?;
        // Frames are no part of the system.
        let frames: usize = desk.feed().bytes();
        Ok::<_, SetupError>((resident_bytes().saturating_sub(before).saturating_sub(frames), desk))
    };
    let (small, _kept) = taken(least)?;
    let (large, _kept) = taken(most)?;
    let each = large.saturating_sub(small) / (most - least);
    let mut row = |name: String, bytes: usize| {
        let mut value = Histogram::default();
        value.record(Nanos(bytes as i64));
        let row = Row::times(SUITE, name, Placement::Alone, value);
        bench.report.push(Row { unit: "bytes", ..row });
    };
    row(format!("an instrument, books of 2 x {DEPTH} levels"), each);
    row("the system with one instrument".to_owned(), small);
    Ok(())
}
