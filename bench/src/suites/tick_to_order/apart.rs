//! The same way over two processes: the tick goes from one core to the other, and the order comes back.

use std::path::Path;

use engine::domain::Nanos;
use engine::error::SetupError;

use crate::desk::apart::{Behind, Front, QUIET};
use crate::histogram::Histogram;
use crate::report::{Ratio, Target};
use crate::series::{Samples, Series, median};
use crate::suites::Bench;
use crate::suites::ring::meeting::{Answerer, Meeting as _, Pipes, place};
use crate::suites::tick_to_order::{CHUNK, Kind, SUITE, WARM};

/// What the way over two processes may take beyond one thread's: one raw hop there, one back, and half of one.
const HOPS: f64 = 2.5;

/// Time in which each finds the other's files, which are looked for every 100 ms, and in which all comes to rest.
const MEET: Nanos = Nanos::from_millis(250);

/// Time from an order to the next frame, in which the venue's answer reaches everybody.
pub const REST: Nanos = Nanos::from_micros(10);

/// No order takes longer.
const LONGEST: Nanos = Nanos::from_secs(2);

/// What the other process does.
///
/// # Errors
/// When the first is not there.
pub fn answer(kind: &Kind, place: &Path, wait: crate::rig::Wait) -> Result<(), SetupError> {
    let behind = Behind::open(kind.plan(0, 1)?, place)?;
    Pipes::of_answerer().meet()?;
    behind.serve(wait)
}

/// Times of the way of `count` frames.
///
/// # Errors
/// When the other process cannot be started, or a frame does not lead to exactly one order.
pub fn measure(bench: &Bench<'_>, kind: &Kind, count: usize, seed: u64) -> Result<Histogram, SetupError> {
    let (rig, room) = (bench.rig, place(bench.scratch)?);
    let mut front = Front::open(kind.plan(2 * WARM + count, seed)?, room.path())?;
    let mut other = Answerer::start(kind.name, rig, room.path())?;
    other.meeting()?.meet()?;
    front.pass(MEET, rig.wait);
    // The snapshot and the first difference, and whatever orders they lead to.
    for _ in 0..2 {
        front.arrive();
        front.pass(REST, rig.wait);
    }
    front.pass(MEET, rig.wait);
    let mut times = Histogram::prepared();
    for turn in 0..WARM + count {
        if turn % CHUNK == 0 {
            front.journals.drain_all()?;
            front.pass(Nanos(QUIET.0 * 4), rig.wait);
        }
        let time = way(bench, kind, &mut front)?;
        if turn >= WARM {
            times.record(time);
        }
        front.pass(REST, rig.wait);
    }
    Ok(times)
}

/// One frame to its order.
fn way(bench: &Bench<'_>, kind: &Kind, front: &mut Front) -> Result<Nanos, SetupError> {
    front.arrive();
    let (before, wait) = (front.orders(), bench.rig.wait);
    let (came, time) = bench.rig.time(|| {
        let start = front.cycle(wait);
        while front.orders() == before {
            if front.cycle(wait) - start > LONGEST {
                return false;
            }
        }
        true
    });
    if came && front.orders() == before + 1 {
        return Ok(time);
    }
    let sent = front.orders() - before;
    Err(SetupError::Invalid(format!("{SUITE}: over two processes a {} led to {sent} orders", kind.name)))
}

/// Adds the rows to the report; `alone` is the way on one thread, `crossing` what the two processes tell each other.
pub fn report(bench: &mut Bench<'_>, kind: &Kind, apart: &Series, alone: &Series, crossing: &Series) {
    let one = alone.alone().map_or(f64::NAN, Samples::figure);
    let ratios = |placement, own: &Samples| {
        let over = |allowed: &dyn Fn(f64) -> f64| {
            let each = own.figures.iter().zip(&own.raws).map(|(figure, &raw)| figure / allowed(raw));
            median(&each.collect::<Vec<_>>())
        };
        let told = crossing.at(placement).map_or(f64::NAN, Samples::over_raw);
        vec![
            Ratio::promised(
                format!("one thread's p50 and {HOPS} raw hops"),
                over(&|round_trip| one + HOPS * round_trip / 2.0),
                Target::AtMost(1.0),
            ),
            Ratio::plain("one thread's p50 and what they tell", over(&|round_trip| one + told * round_trip)),
            Ratio::plain("one thread's p50", over(&|_| one)),
            Ratio::plain("raw hops", over(&|round_trip| round_trip / 2.0)),
        ]
    };
    let name = format!("{}: bytes to order bytes, two processes", kind.name);
    bench.report.push_series(SUITE, &name, apart, &ratios);
}
