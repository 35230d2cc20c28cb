//! When intents begin that risk takes after the agents before it in the same cycle.

use super::*;
use crate::counters::HistogramReader;

const PAST: Nanos = Nanos(7);

/// Risk that has come to rest, with an order open.
fn rested() -> Rig {
    let mut rig = Rig::new(limits());
    rig.risk.ports.stopwatch = Stopwatch::aged();
    rig.send(&limit(id(0, 1), 0, Side::Buy, 1_000, 2));
    rig.settle(NOW);
    rig
}

/// An order unlike the one before.
fn next(sequence: u64) -> Intent {
    limit(id(0, sequence), u32::try_from(sequence % 3).expect("small"), Side::Buy, 1_000, 2)
}

/// A cycle at `now` that is handed `PAST`: when it was, what it leaves, and what it journalled says of when that was.
fn cycle(rig: &mut Rig, now: Nanos) -> ([Nanos; 2], Moment, Vec<Nanos>) {
    let known = rig.records().len();
    let (stopwatch, mut moment) = (rig.risk.ports.stopwatch, Moment::at(PAST));
    let before = stopwatch.elapsed();
    rig.risk.do_work_from(now, &mut moment);
    let within = [before, stopwatch.elapsed()];
    let told = rig.records()[known..].iter().map(|record| Nanos(record.elapsed)).collect();
    (within, moment, told)
}

#[test]
fn the_first_intent_begins_at_the_moment_that_is_handed_on_and_no_other_does() {
    let mut rig = rested();
    (2..4).for_each(|sequence| rig.send(&next(sequence)));
    (0..TICKS_PER_FRAME).for_each(|_| rig.ticks.publish(&top(0, 1_000, 1_010, NOW)));
    let ([before, after], moment, told) = cycle(&mut rig, NOW);
    assert!(matches!(told[..], [PAST, second] if second > before), "{told:?}");
    let left = moment.or_read(&rig.risk.ports.stopwatch);
    assert!(left > told[1] && left <= after);
    let histograms = HistogramReader::attach(&rig.folder.path().join("histograms")).expect("attached");
    let times = || histograms.get("risk").expect("a stage");
    rig.risk.record_times();
    let longest = times().max;
    assert!(longest >= (before - PAST).0.unsigned_abs() && times().min <= (after - before).0.unsigned_abs());
    // The cycle after that begins by itself.
    rig.send(&next(4));
    rig.risk.do_work(NOW);
    assert_eq!(rig.risk.do_work(NOW), 0, "which leaves time to record it");
    assert!(rig.records().last().is_some_and(|record| record.elapsed > after.0));
    assert_eq!((times().count, times().max, rig.risk.counts().orders), (4, longest, 4));
}

#[test]
fn no_intent_begins_before_what_came_first() {
    let mut rig = rested();
    assert_eq!(cycle(&mut rig, NOW).1, Moment::UNKNOWN, "it took nothing");
    let open = limit(id(0, 1), 0, Side::Buy, 1_000, 2);
    let mut sequence = 1;
    let mut begins_late = |rig: &mut Rig, now, what: &str| {
        sequence += 1;
        rig.send(&next(sequence));
        let ([before, _], _, told) = cycle(rig, now);
        assert!(!told.is_empty() && told.iter().all(|time| *time > before), "{what}: {told:?}");
        assert_eq!(rig.risk.counts().orders, sequence, "{what}");
    };
    rig.tell(&report(&open, ReportKind::Accepted, OrderState::Open, 0));
    begins_late(&mut rig, NOW, "a report");
    (0..=TICKS_PER_FRAME).for_each(|_| rig.ticks.publish(&top(1, 1_000, 1_010, NOW)));
    begins_late(&mut rig, NOW, "more ticks than a frame's");
    begins_late(&mut rig, NOW + Nanos::from_millis(200), "a look for files");
}

#[test]
fn no_order_begins_before_risk_has_cancelled_what_it_halts() {
    let mut rig = rested();
    rig.send(&next(2));
    rig.risk.raise(Some(SourceId(0)), HaltState::Halted, plain(RejectCode::DayLoss), NOW);
    let (_, moment, _) = cycle(&mut rig, NOW);
    assert_eq!((rig.risk.own_cancels(), moment), (1, Moment::UNKNOWN));
}
