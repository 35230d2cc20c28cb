//! Requests that are held, and leave together by the end of the duty cycle in which they were made.

use super::*;
use crate::counters::Snapshot;

/// At a venue whose entry holds requests, with two orders that rest.
fn holding() -> (Bench, [OrderId; 2]) {
    let mut bench = Bench::connected();
    bench.route.entry.held = Some(Vec::new());
    let resting = [1, 2].map(|sequence| bench.place(sequence));
    bench.work(START);
    resting.iter().for_each(|id| bench.tell(*id, VenueEventKind::Accepted));
    bench.work(START);
    assert_eq!(bench.seen(), resting.map(Seen::Place));
    bench.route.entry.flushes = 0;
    (bench, resting)
}

fn cancel(bench: &mut Bench, target: OrderId, sequence: u64) {
    let kind = IntentKind::Cancel.code();
    bench.approve(Intent { target, kind, ..new_order(sequence) });
}

fn times(bench: &mut Bench, stage: &str) -> Snapshot {
    bench.route.record_times();
    let histograms = HistogramReader::attach(&bench._folder.path().join("histograms")).expect("attached");
    histograms.get(stage).expect("a stage")
}

#[test]
fn what_one_cycle_asks_leaves_together_in_order_before_the_cycle_ends() {
    let (mut bench, [first, second]) = holding();
    cancel(&mut bench, first, 3);
    cancel(&mut bench, second, 4);
    let placed = [5, 6].map(|sequence| bench.place(sequence));
    assert_eq!(bench.route.do_work(START), 4);
    let [third, fourth] = placed.map(Seen::Place);
    assert_eq!(bench.seen(), [Seen::Cancel(first), Seen::Cancel(second), third, fourth]);
    assert_eq!(bench.route.entry.flushes, 1);
    // One by itself does not wait for a second.
    let alone = bench.place(7);
    assert_eq!(bench.route.do_work(START), 1);
    assert_eq!(bench.seen(), [Seen::Place(alone)]);
}

#[test]
fn what_was_taken_up_before_a_halt_leaves_in_its_cycle_and_nothing_new_after_it() {
    let (mut bench, [first, _]) = holding();
    let before = bench.place(3);
    bench.place(4);
    pair::pair(5).iter().for_each(|leg| bench.approve(*leg));
    cancel(&mut bench, first, 7);
    let page = bench._folder.path().join("operator");
    bench.route.entry.halting = Some(HaltPage::reopen(&page).expect("its page"));
    assert_eq!(bench.route.do_work(START), 4);
    // It stands in the journal as sent, and whoever halts wants to know what may be alive.
    assert_eq!(bench.seen(), [Seen::Place(before), Seen::Cancel(first)]);
    assert_eq!(bench.route.entry.flushes, 1);
    let sent = (ReportKind::Sent, OrderState::Sent);
    let rejected = (ReportKind::Rejected, OrderState::Rejected);
    let cancelling = (ReportKind::CancelSent, OrderState::PendingCancel);
    assert_eq!(bench.work(START), [sent, rejected, rejected, rejected, cancelling]);
    assert_eq!(bench.seen(), []);
}

#[test]
fn no_more_is_held_than_a_cycle_takes() {
    let (mut bench, _) = holding();
    let batch = u64::try_from(POLL_BATCH).expect("fits");
    let all: Vec<Seen> = (3..=batch + 4).map(|sequence| Seen::Place(bench.place(sequence))).collect();
    assert_eq!(bench.route.do_work(START), POLL_BATCH);
    assert_eq!(bench.seen(), all[..POLL_BATCH]);
    assert_eq!(bench.route.do_work(START), 2);
    assert_eq!(bench.seen(), all[POLL_BATCH..]);
}

#[test]
fn questions_leave_in_their_cycle_too_whatever_made_them() {
    let (mut bench, [first, second]) = holding();
    let [third, fourth] = [3, 4].map(|sequence| bench.place(sequence));
    bench.work(START);
    bench.seen();
    // An event, a pause without an answer, and a connection that is made.
    bench.tell(third, VenueEventKind::Unknown);
    bench.route.do_work(START);
    assert_eq!(bench.seen(), [Seen::Query(third)]);
    bench.route.do_work(START + Nanos::from_secs(2));
    assert_eq!(bench.seen(), [Seen::Query(fourth), Seen::Query(third)]);
    bench.tell(OrderId::NONE, VenueEventKind::Connected);
    bench.route.do_work(START + Nanos::from_secs(2));
    assert_eq!(bench.seen(), [Seen::Ask(Question::OpenOrders)]);
    bench.tell(OrderId::NONE, VenueEventKind::OpenOrdersTold);
    bench.route.do_work(START + Nanos::from_secs(2));
    assert_eq!(bench.seen().len(), 2, "{first} and {second}: the others are asked about already");
    // And those of a life that begins.
    let mut bench = Bench::new();
    let all = [1, 2].map(|sequence| bench.place(sequence));
    bench.work_unread(START);
    let mut next = bench.restarted(0);
    next.route.entry.held = Some(Vec::new());
    next.route.do_work(START);
    assert_eq!(next.seen(), [all[1], all[0]].map(Seen::Query));
}

#[test]
fn what_a_broken_connection_held_is_unknown_and_asked_about() {
    let (mut bench, _) = holding();
    let [third, fourth] = [3, 4].map(|sequence| bench.place(sequence));
    bench.route.do_work(START);
    // Whether the flush failed is not for the entry to say, but for the connection's end.
    bench.tell(OrderId::NONE, VenueEventKind::Disconnected);
    bench.route.do_work(START);
    for id in [third, fourth] {
        assert_eq!(bench.route.orders().get(id).map(|order| order.state), Some(OrderState::Unknown));
    }
    let seen = bench.seen();
    assert!([third, fourth].iter().all(|id| seen.contains(&Seen::Query(*id))), "{seen:?}");
    let placed = seen.iter().filter(|seen| matches!(seen, Seen::Place(_))).count();
    assert_eq!(placed, 2, "an id leaves once ever");
}

#[test]
fn the_time_of_an_order_ends_when_what_is_held_has_left() {
    let (mut bench, _) = holding();
    let before = [times(&mut bench, "route"), times(&mut bench, "tick_to_order")];
    assert_eq!((before[0].count, before[1].count), (2, 0));
    let started = bench.route.stopwatch.elapsed();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let stamp = started.0 as u32 | 1;
    for sequence in 3..6 {
        bench.approve(Intent { stamp, ..new_order(sequence) });
    }
    let mut moment = Moment::at(started);
    bench.route.entry.flushed = Some((bench.route.stopwatch, Nanos::ZERO));
    bench.route.do_work_from(START, &mut moment);
    let ended = moment.or_read(&bench.route.stopwatch);
    assert!(bench.route.entry.flushed.is_some_and(|(_, at)| at >= started && ended >= at));
    let [route, tick_to_order] = [times(&mut bench, "route"), times(&mut bench, "tick_to_order")];
    assert_eq!((route.count, tick_to_order.count), (5, 3));
    // All three by the same reading, which is the last of the cycle.
    let since = (ended - Nanos(i64::from(stamp))).0.unsigned_abs() & u64::from(u32::MAX);
    assert_eq!(tick_to_order.sum, 3 * since);
    assert!(route.max >= (ended - started).0.unsigned_abs());
}
