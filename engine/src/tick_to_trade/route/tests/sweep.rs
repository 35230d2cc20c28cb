//! One request that cancels whatever is open on an instrument.

use super::*;

const SWEPT: (ReportKind, OrderState) = (ReportKind::Swept, OrderState::Canceled);
const REFUSED: (ReportKind, OrderState) = (ReportKind::SweepRejected, OrderState::Rejected);

/// Orders that rest; the request of `sequence` for all of instrument 0.
fn resting(bench: &mut Bench, count: u64) -> Vec<OrderId> {
    let ids: Vec<OrderId> = (1..=count).map(|sequence| bench.place(sequence)).collect();
    bench.work(START);
    ids.iter().for_each(|&id| bench.tell(id, VenueEventKind::Accepted));
    bench.work(START);
    bench.seen();
    ids
}

fn sweep(bench: &mut Bench, sequence: u64) -> OrderId {
    let id = new_order(sequence).id;
    let valid_until = START + Nanos::from_secs(1);
    bench.approve(Intent { id, kind: IntentKind::Sweep.code(), valid_until, ..Intent::default() });
    id
}

#[test]
fn one_request_leaves_and_every_order_ends_by_its_own_event() {
    let mut bench = Bench::new();
    let ids = resting(&mut bench, 3);
    let request = sweep(&mut bench, 4);
    assert_eq!(bench.work(START), []);
    assert_eq!(bench.seen(), [Seen::Sweep(0)]);
    bench.tell(ids[0], VenueEventKind::Canceled);
    bench.tell(request, VenueEventKind::Swept);
    bench.tell(ids[1], VenueEventKind::Canceled);
    let canceled = (ReportKind::Canceled, OrderState::Canceled);
    assert_eq!(bench.work(START), [canceled, SWEPT, canceled]);
    // The event of the third was lost, or it came to the book after the request: a question tells.
    let mut now = START + Nanos::from_secs(2);
    assert_eq!(bench.work(now), []);
    assert_eq!(bench.seen(), [Seen::Query(ids[2])]);
    bench.tell(ids[2], told(OrderState::Open));
    assert_eq!(bench.work(now), []);
    for _ in 0..20 {
        now = now + Nanos::from_secs(1);
        assert_eq!(bench.work(now), []);
    }
    assert_eq!(bench.seen(), [], "it rests on, and is a question no more");
    assert_eq!(bench.route.orders().live(), 1);
}

#[test]
fn a_refusal_is_reported_and_the_orders_are_asked_about() {
    let mut bench = Bench::new();
    let ids = resting(&mut bench, 1);
    for (sequence, kind) in [(2, VenueEventKind::SweepRejected { code: -1121 }), (3, VenueEventKind::Unknown)]
    {
        let request = sweep(&mut bench, sequence);
        bench.work(START);
        bench.tell(request, kind);
        assert_eq!(bench.work(START), [REFUSED], "{kind:?}");
        assert_eq!(bench.seen(), [Seen::Sweep(0), Seen::Query(ids[0])]);
        bench.tell(ids[0], told(OrderState::Open));
        let now = START + Nanos::from_secs(1);
        assert_eq!(bench.work(now), []);
        bench.tell(request, VenueEventKind::Swept);
        assert_eq!(bench.work(now), [], "it was answered");
    }
    assert_eq!(bench.route.orders().live(), 1);
}

#[test]
fn one_without_an_answer_is_reported_and_never_sent_again() {
    let mut bench = Bench::new();
    let ids = resting(&mut bench, 1);
    sweep(&mut bench, 2);
    // Orders that leave meanwhile do not push it out of the queue of those that wait.
    bench.place(3);
    bench.work(START);
    bench.tell(new_order(3).id, VenueEventKind::Rejected { code: -2010 });
    bench.work(START);
    bench.place(4);
    bench.work(START);
    bench.tell(new_order(4).id, VenueEventKind::Rejected { code: -2010 });
    bench.work(START);
    bench.seen();
    let mut now = START + Nanos::from_secs(2);
    assert_eq!(bench.work(now), [REFUSED]);
    assert_eq!(bench.seen(), [Seen::Query(ids[0])]);
    bench.tell(ids[0], told(OrderState::Canceled));
    assert_eq!(bench.work(now), [(ReportKind::Canceled, OrderState::Canceled)]);
    for _ in 0..20 {
        now = now + Nanos::from_secs(1);
        assert_eq!(bench.work(now), []);
    }
    assert_eq!(bench.seen(), []);
}

#[test]
fn it_leaves_under_a_halt_but_not_late_nor_against_the_venues_wish() {
    let mut bench = Bench::connected();
    bench.operator.set_global(HaltState::Halted);
    sweep(&mut bench, 1);
    bench.work(START);
    assert_eq!(bench.seen(), [Seen::Sweep(0)]);
    sweep(&mut bench, 2);
    let late = START + Nanos::from_secs(3);
    assert_eq!(bench.work(late), [REFUSED, REFUSED], "one without an answer, one too late");
    bench.tell(OrderId::NONE, VenueEventKind::Throttled { until: START + Nanos::from_secs(9) });
    sweep(&mut bench, 3);
    assert_eq!(bench.work(START), [REFUSED]);
    assert_eq!(bench.seen(), []);
}
