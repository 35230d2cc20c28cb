//! Amendments that keep an order's place.

use super::*;

/// An order that rests.
fn resting(bench: &mut Bench) -> OrderId {
    let id = bench.place(1);
    bench.work(START);
    bench.tell(id, VenueEventKind::Accepted);
    bench.work(START);
    assert_eq!(bench.seen(), [Seen::Place(id)]);
    id
}

fn amend(bench: &mut Bench, sequence: u64, target: OrderId, quantity: i64) {
    let intent = Intent {
        target,
        quantity: Quantity(quantity),
        kind: IntentKind::Amend.code(),
        ..Intent { price: Price::NONE, side: 0, order_type: 0, time_in_force: 0, ..new_order(sequence) }
    };
    bench.approve(intent);
}

fn leaves(bench: &Bench, id: OrderId) -> i64 {
    bench.route.orders().get(id).expect("known").leaves().0
}

const AMEND_SENT: (ReportKind, OrderState) = (ReportKind::AmendSent, OrderState::Open);
const AMENDED: (ReportKind, OrderState) = (ReportKind::Amended, OrderState::Open);
const REFUSED: (ReportKind, OrderState) = (ReportKind::AmendRejected, OrderState::Open);

fn told(state: OrderState, quantity: i64) -> VenueEventKind {
    VenueEventKind::QueryState { state, quantity: Quantity(quantity) }
}

#[test]
fn what_it_frees_is_free_once_the_venue_says_so() {
    let mut bench = Bench::new();
    let id = resting(&mut bench);
    amend(&mut bench, 2, id, 6);
    assert_eq!(bench.work(START), [AMEND_SENT]);
    assert_eq!((bench.seen(), leaves(&bench, id)), (vec![Seen::Amend(id, 6)], 10));
    // One at a time: which of two was done could not be told.
    amend(&mut bench, 3, id, 4);
    assert_eq!(bench.work(START), [REFUSED]);
    bench.tell(id, VenueEventKind::Amended { quantity: Quantity(6) });
    assert_eq!((bench.work(START), leaves(&bench, id)), (vec![AMENDED], 6));
    amend(&mut bench, 4, id, 6);
    assert_eq!(bench.work(START), [REFUSED], "it would not lower the quantity");
    assert_eq!(bench.work(START + Nanos::from_secs(60)), []);
    assert_eq!(bench.seen(), [], "what is settled is not asked about");
}

#[test]
fn a_lost_amendment_is_asked_about_and_never_sent_again() {
    let mut bench = Bench::new();
    let id = resting(&mut bench);
    amend(&mut bench, 2, id, 6);
    bench.work(START);
    let mut now = START + Nanos::from_secs(2);
    assert_eq!(bench.work(now), []);
    assert_eq!(bench.seen(), [Seen::Amend(id, 6), Seen::Query(id)]);
    // Not done yet, and it may still arrive: nothing is decided before that is out of the question.
    bench.tell(id, told(OrderState::Open, 10));
    assert_eq!(bench.work(now), []);
    let conclusive = START + RouteTiming::default().conclusive;
    while now < conclusive {
        now = now + Nanos::from_secs(1);
        assert_eq!(bench.work(now), []);
        assert_eq!(bench.seen(), [Seen::Query(id)]);
    }
    bench.tell(id, told(OrderState::Open, 10));
    assert_eq!((bench.work(now), leaves(&bench, id)), (vec![REFUSED], 10));
    // It was done after all.
    bench.tell(id, VenueEventKind::Amended { quantity: Quantity(6) });
    assert_eq!((bench.work(now), leaves(&bench, id)), (vec![AMENDED], 6));
}

#[test]
fn an_amendment_of_unknown_outcome_is_told_by_a_query() {
    let mut bench = Bench::new();
    let id = resting(&mut bench);
    amend(&mut bench, 2, id, 6);
    bench.work(START);
    bench.seen();
    bench.tell(id, VenueEventKind::Unknown);
    assert_eq!(bench.work(START), []);
    assert_eq!(bench.seen(), [Seen::Query(id)]);
    bench.tell(id, told(OrderState::Open, 6));
    assert_eq!((bench.work(START), leaves(&bench, id)), (vec![AMENDED], 6));
}

#[test]
fn only_an_order_that_rests_is_amended_and_never_under_a_halt() {
    let mut bench = Bench::new();
    let id = bench.place(1);
    amend(&mut bench, 2, id, 6);
    assert_eq!(
        bench.work(START),
        [(ReportKind::Sent, OrderState::Sent), (ReportKind::AmendRejected, OrderState::Sent)]
    );
    bench.tell(id, VenueEventKind::Accepted);
    bench.work(START);
    bench.operator.set_global(HaltState::CancelOnly);
    amend(&mut bench, 3, id, 6);
    assert_eq!(bench.work(START), [REFUSED]);
    assert_eq!(bench.seen(), [Seen::Place(id)]);
}

#[test]
fn a_refused_amendment_makes_the_order_be_asked_about_once() {
    let mut bench = Bench::new();
    let id = resting(&mut bench);
    amend(&mut bench, 2, id, 6);
    bench.work(START);
    bench.seen();
    bench.tell(id, VenueEventKind::AmendRejected { code: -2013 });
    assert_eq!(bench.work(START), [REFUSED]);
    assert_eq!(bench.seen(), [Seen::Query(id)]);
}
