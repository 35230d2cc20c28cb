//! What the measuring itself costs. It is part of every figure and never subtracted from one.

use std::hint::black_box;

use engine::domain::Nanos;
use engine::error::SetupError;

use crate::histogram::Histogram;
use crate::report::Row;
use crate::suites::Bench;

const SUITE: &str = "baseline";

/// Operations in a batch.
const BATCH: u64 = 1_000;

/// Runs the suite.
///
/// # Errors
/// When a thread cannot be pinned.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let batches = bench.scale().of(5_000, 1_000, 5);
    let stopwatch = bench.rig.stopwatch;
    let empty = bench.rig.time_batches(batches, BATCH, || (0..BATCH).for_each(|turn| _ = black_box(turn)));
    bench.report.push(row("empty loop", empty));
    let clock = bench
        .rig
        .time_batches(batches, BATCH, || (0..BATCH).for_each(|_| _ = black_box(stopwatch.elapsed())));
    bench.report.push(row("clock read", clock));
    let mut target = Histogram::prepared();
    let record = bench.rig.time_batches(batches, BATCH, || {
        (0..BATCH).for_each(|turn| target.record(Nanos(turn.cast_signed())));
    });
    bench.report.push(row("histogram record", record));
    let mut steps = Histogram::prepared();
    for _ in 0..batches * 10 {
        let before = stopwatch.elapsed();
        steps.record(stopwatch.elapsed() - before);
    }
    bench.report.push(row("two clock reads, each pair alone", steps));
    let mut probes = Histogram::default();
    for _ in 0..bench.scale().of(40, 10, 2) {
        probes.record(Nanos(bench.rig.probe()?.round() as i64));
    }
    bench.report.push(row("raw round trip between the cores, one word each way", probes));
    Ok(())
}

fn row(name: &str, times: Histogram) -> Row {
    Row::times(SUITE, name, crate::rig::Placement::Alone, times)
}
