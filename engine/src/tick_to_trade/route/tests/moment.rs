//! When orders begin that route takes after the agents before it in the same cycle, and which are timed from a frame on.

use super::*;

const PAST: Nanos = Nanos(7);

/// A cycle at `now` that is handed `PAST`: when it was, what it leaves, and what its records say of when they were.
fn cycle(bench: &mut Bench, now: Nanos) -> ([Nanos; 2], Moment, Vec<Nanos>) {
    let (stopwatch, mut moment) = (bench.route.stopwatch, Moment::at(PAST));
    let before = stopwatch.elapsed();
    bench.route.do_work_from(now, &mut moment);
    let within = [before, stopwatch.elapsed()];
    (within, moment, times(bench))
}

fn times(bench: &mut Bench) -> Vec<Nanos> {
    let mut told = Vec::new();
    while let Polled::Message(record) = bench.reports.poll() {
        told.push(Nanos(record.elapsed));
    }
    told
}

#[test]
fn the_first_order_begins_at_the_moment_that_is_handed_on_and_no_other_does() {
    let mut bench = Bench::new();
    bench.route.stopwatch = Stopwatch::aged();
    bench.work(START);
    let _ = [1, 2].map(|sequence| bench.place(sequence));
    let ([before, after], moment, told) = cycle(&mut bench, START);
    assert!(matches!(told[..], [PAST, second] if second > before), "{told:?}");
    let left = moment.or_read(&bench.route.stopwatch);
    assert!(left > told[1] && left <= after);
    let histograms = HistogramReader::attach(&bench._folder.path().join("histograms")).expect("attached");
    let times_of = || histograms.get("route").expect("a stage");
    bench.route.record_times();
    let longest = times_of().max;
    assert!(
        longest >= (before - PAST).0.unsigned_abs() && times_of().min <= (after - before).0.unsigned_abs()
    );
    // The cycle after that begins by itself.
    bench.place(3);
    bench.work_unread(START);
    assert!(times(&mut bench)[0] > after);
    bench.route.record_times();
    assert_eq!((times_of().count, times_of().max), (3, longest));
}

#[test]
fn no_order_begins_before_what_came_first() {
    let mut bench = Bench::new();
    bench.work(START);
    let first = bench.place(1);
    bench.work(START);
    assert_eq!(cycle(&mut bench, START).1, Moment::UNKNOWN, "it took nothing");
    bench.tell(first, VenueEventKind::Accepted);
    bench.place(2);
    let ([before, _], moment, told) = cycle(&mut bench, START);
    assert!(told.len() == 2 && told[0] > before && told[1] > told[0], "after an event: {told:?}");
    assert_ne!(moment, Moment::UNKNOWN);
    bench.place(3);
    let ([before, _], _, told) = cycle(&mut bench, START + Nanos::from_millis(200));
    assert!(told.len() == 1 && told[0] > before, "after a look for files: {told:?}");
    bench.route.entry_mut().near = false;
    bench.place(4);
    let ([before, _], _, told) = cycle(&mut bench, START + Nanos::from_millis(200));
    assert!(told.len() == 1 && told[0] > before, "after a look at sockets: {told:?}");
}

#[test]
fn what_a_frame_caused_is_timed_from_that_frame_and_what_a_timer_caused_is_not() {
    let mut bench = Bench::new();
    let histograms = HistogramReader::attach(&bench._folder.path().join("histograms")).expect("attached");
    let work = |bench: &mut Bench| {
        bench.work(START);
        assert_eq!(bench.route.do_work(START), 0, "which leaves time to record them");
        ["route", "tick_to_order"].map(|name| histograms.get(name).expect("a stage").count)
    };
    let by_timer = bench.place(1);
    assert_eq!(work(&mut bench), [1, 0]);
    bench.approve(Intent { stamp: 7, ..new_order(2) });
    assert_eq!(work(&mut bench), [2, 1]);
    bench.approve(Intent { stamp: 7, ..cancel(by_timer, 3) });
    assert_eq!(work(&mut bench), [3, 2]);
}
