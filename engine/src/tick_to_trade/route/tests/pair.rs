//! Two orders of which one cancels the other.

use super::*;
use crate::domain::Liquidity;
use crate::message::report::FeeAsset;

const SENT: (ReportKind, OrderState) = (ReportKind::Sent, OrderState::Sent);
const ACCEPTED: (ReportKind, OrderState) = (ReportKind::Accepted, OrderState::Open);
const CANCEL_SENT: (ReportKind, OrderState) = (ReportKind::CancelSent, OrderState::PendingCancel);
const CANCELED: (ReportKind, OrderState) = (ReportKind::Canceled, OrderState::Canceled);
const EXPIRED: (ReportKind, OrderState) = (ReportKind::Expired, OrderState::Expired);
const REFUSED: (ReportKind, OrderState) = (ReportKind::Rejected, OrderState::Rejected);
const UNKNOWN: (ReportKind, OrderState) = (ReportKind::Unknown, OrderState::Unknown);

/// A pair whose upper order has `sequence`.
pub(super) fn pair(sequence: u64) -> [Intent; 2] {
    let leg = |kind: IntentKind, sequence: u64, other: u64| Intent {
        kind: kind.code(),
        target: new_order(other).id,
        side: Side::Sell.code(),
        ..new_order(sequence)
    };
    let above = leg(IntentKind::OcoAbove, sequence, sequence + 1);
    let below = leg(IntentKind::OcoBelow, sequence + 1, sequence);
    [
        Intent { order_type: OrderType::LimitMaker.code(), price: Price(110), ..above },
        Intent { order_type: OrderType::StopLossLimit.code(), trigger: Price(90), price: Price(89), ..below },
    ]
}

/// Approves a pair, which leaves; its ids.
fn leave(bench: &mut Bench) -> [OrderId; 2] {
    let legs = pair(1);
    legs.into_iter().for_each(|leg| bench.approve(leg));
    let ids = legs.map(|leg| leg.id);
    assert_eq!(bench.work(START), [SENT, SENT]);
    assert_eq!(bench.seen(), [Seen::Pair(ids[0], ids[1])]);
    ids
}

/// The same, and both rest.
fn rest(bench: &mut Bench) -> [OrderId; 2] {
    let ids = leave(bench);
    ids.into_iter().for_each(|id| bench.tell(id, VenueEventKind::Accepted));
    assert_eq!(bench.work(START), [ACCEPTED, ACCEPTED]);
    ids
}

fn states(bench: &Bench, ids: [OrderId; 2]) -> [OrderState; 2] {
    ids.map(|id| bench.route.orders().get(id).expect("known").state)
}

fn trade(quantity: i64) -> VenueEventKind {
    VenueEventKind::Trade {
        price: Price(110),
        quantity: Quantity(quantity),
        trade_id: quantity.unsigned_abs(),
        fee: 0,
        fee_asset: FeeAsset::Quote,
        liquidity: Liquidity::Maker,
    }
}

#[test]
fn one_request_places_both_and_what_one_does_ends_the_other() {
    for quantity in [10, 4] {
        let mut bench = Bench::new();
        let [above, below] = rest(&mut bench);
        bench.tell_filled(above, trade(quantity), quantity);
        bench.tell(below, VenueEventKind::Expired);
        let traded = if quantity == 10 { OrderState::Filled } else { OrderState::Partial };
        assert_eq!(bench.work(START), [(ReportKind::Fill, traded), EXPIRED]);
        assert_eq!(bench.work(START + Nanos::from_secs(60)), []);
        assert_eq!(bench.seen(), [], "nothing is left to ask");
        let counters = &bench.route.counters;
        assert_eq!((counters.sent, counters.pairs, bench.route.requests()), (2, 1, 1));
    }
}

#[test]
fn the_end_of_the_other_that_nobody_tells_is_asked_about() {
    let mut bench = Bench::new();
    let [above, below] = rest(&mut bench);
    bench.tell_filled(below, trade(4), 4);
    bench.work(START);
    assert_eq!(bench.seen(), [], "its own event is on its way");
    let later = START + Nanos::from_secs(2);
    bench.work(later);
    assert_eq!(bench.seen(), [Seen::Query(above)]);
    bench.tell(above, told(OrderState::Expired));
    assert_eq!(bench.work(later), [EXPIRED]);
    assert_eq!(states(&bench, [above, below]), [OrderState::Expired, OrderState::Partial]);
    bench.work(later + Nanos::from_secs(60));
    assert_eq!(bench.seen(), []);
}

#[test]
fn a_refusal_is_of_both_and_told_once_of_each() {
    for named in [0, 1] {
        let mut bench = Bench::new();
        let ids = leave(&mut bench);
        let refused = VenueEventKind::Rejected { code: -2010 };
        bench.tell_venue(ids[named], 0, refused, 0);
        assert_eq!(bench.work(START), [REFUSED, REFUSED], "the answer names one of them");
        bench.tell_venue(ids[1 - named], 0, refused, 0);
        assert_eq!(bench.work(START), []);
        assert_eq!((bench.seen(), bench.route.orders().live()), (vec![], 0));
    }
}

#[test]
fn without_an_answer_both_are_unknown_and_asked_about_and_nothing_is_sent_again() {
    for lost in [false, true] {
        let mut bench = Bench::new();
        let [above, below] = leave(&mut bench);
        let mut now = START;
        if lost {
            bench.tell_venue(above, 0, VenueEventKind::Unknown, 0);
        } else {
            now = START + Nanos::from_secs(2);
        }
        assert_eq!(bench.work(now), [UNKNOWN, UNKNOWN], "lost: {lost}");
        assert_eq!(bench.seen(), [Seen::Query(above), Seen::Query(below)]);
        // It did arrive.
        bench.tell(above, told(OrderState::Open));
        bench.tell(below, told(OrderState::Open));
        assert_eq!(bench.work(now), [ACCEPTED, ACCEPTED]);
        bench.work(now + Nanos::from_secs(60));
        assert_eq!(bench.seen(), []);
    }
}

#[test]
fn a_request_that_never_arrived_placed_neither() {
    let mut bench = Bench::new();
    let ids = leave(&mut bench);
    let mut now = START + Nanos::from_secs(2);
    assert_eq!(bench.work(now), [UNKNOWN, UNKNOWN]);
    now = START + RouteTiming::default().conclusive;
    let mut reports = Vec::new();
    for _ in 0..4 {
        ids.into_iter().for_each(|id| bench.tell_venue(id, 0, VenueEventKind::QueryNotFound, 0));
        reports.extend(bench.work(now));
        now = now + Nanos::from_secs(1);
    }
    assert_eq!(reports, [(ReportKind::NeverPlaced, OrderState::NeverPlaced); 2]);
    assert!(bench.seen().iter().all(|seen| matches!(seen, Seen::Query(_))));
}

#[test]
fn a_cancel_of_one_ends_both_also_when_the_end_of_the_other_is_not_told() {
    for told_of_both in [true, false] {
        let mut bench = Bench::new();
        let [above, below] = rest(&mut bench);
        bench.approve(cancel(below, 3));
        assert_eq!(bench.work(START), [CANCEL_SENT]);
        bench.tell(below, VenueEventKind::Canceled);
        if told_of_both {
            bench.tell(above, VenueEventKind::Canceled);
            assert_eq!(bench.work(START), [CANCELED, CANCELED]);
        } else {
            assert_eq!(bench.work(START), [CANCELED]);
            let later = START + Nanos::from_secs(2);
            bench.work(later);
            bench.tell(above, told(OrderState::Canceled));
            assert_eq!(bench.work(later), [CANCELED]);
        }
        assert_eq!(bench.route.orders().live(), 0);
    }
}

#[test]
fn cancels_reach_each_of_both() {
    let mut bench = Bench::new();
    let ids = rest(&mut bench);
    bench.operator.set_global(HaltState::Halted);
    ids.into_iter().zip(3..).for_each(|(id, sequence)| bench.approve(cancel(id, sequence)));
    assert_eq!(bench.work(START), [CANCEL_SENT, CANCEL_SENT]);
    bench.tell(ids[0], VenueEventKind::Canceled);
    bench.tell(ids[1], VenueEventKind::CancelRejected { code: -2011 });
    bench.tell(ids[1], VenueEventKind::Canceled);
    assert_eq!(bench.work(START), [CANCELED, CANCELED]);
    assert_eq!(bench.route.orders().live(), 0);
}

#[test]
fn a_pair_that_may_not_leave_is_refused_whole() {
    let mut bench = Bench::new();
    bench.operator.set_global(HaltState::CancelOnly);
    pair(1).into_iter().for_each(|leg| bench.approve(leg));
    assert_eq!(bench.work(START), [REFUSED, REFUSED]);
    bench.operator.set_global(HaltState::Active);
    pair(3).into_iter().for_each(|leg| bench.approve(leg));
    assert_eq!(bench.work(START + Nanos::from_secs(61)), [EXPIRED, EXPIRED]);
    // An id is used once.
    bench.place(6);
    bench.work(START);
    pair(5).into_iter().for_each(|leg| bench.approve(leg));
    assert_eq!(bench.work(START), [REFUSED, REFUSED]);
    bench.route.entry.refuse = true;
    pair(7).into_iter().for_each(|leg| bench.approve(leg));
    let never = (ReportKind::NeverPlaced, OrderState::NeverPlaced);
    assert_eq!(bench.work(START), [SENT, SENT, never, never]);
    assert!(bench.seen().iter().all(|seen| !matches!(seen, Seen::Pair(..))));
}

#[test]
fn one_without_the_other_waits_until_something_else_comes_or_its_time_is_over() {
    let mut bench = Bench::new();
    let [above, below] = pair(1);
    bench.approve(above);
    assert_eq!(bench.work(START), []);
    // Risk has died between the two, and its next life goes on.
    bench.place(4);
    assert_eq!(bench.work(START), [REFUSED, SENT]);
    bench.approve(below);
    assert_eq!(bench.work(START), [REFUSED]);
    bench.approve(pair(5)[0]);
    assert_eq!(bench.work(START + Nanos::from_secs(61)).last(), Some(&EXPIRED));
    assert!(bench.seen().iter().all(|seen| !matches!(seen, Seen::Pair(..))));
}

#[test]
fn a_pair_of_which_half_is_forged_does_not_leave() {
    let mut bench = Bench::new();
    let [above, below] = pair(1);
    bench.approve(above);
    // The same approval again.
    bench.orders.try_push(&SealedOrder::approve(&below, 1)).expect("room");
    assert_eq!(bench.work(START), [REFUSED, REFUSED]);
    assert_eq!((bench.route.ports.halts.global(), bench.seen()), (HaltState::Halted, vec![]));
}

#[test]
fn a_restart_asks_about_whatever_of_both_may_have_left() {
    // The journal ends behind the SENT of the upper one, or of both.
    for (missing, told_of) in [(1, 1), (0, 2)] {
        let mut bench = Bench::new();
        let legs = pair(1);
        legs.into_iter().for_each(|leg| bench.approve(leg));
        bench.work_unread(START);
        let mut next = bench.restarted(missing);
        assert_eq!(next.work(START), vec![UNKNOWN; told_of], "{missing}");
        let mut asked = next.seen();
        asked.sort_by_key(|seen| *seen == Seen::Query(legs[1].id));
        let ids = legs.map(|leg| Seen::Query(leg.id));
        assert_eq!(asked, ids[..told_of]);
        legs[..told_of].iter().for_each(|leg| next.tell(leg.id, told(OrderState::Open)));
        assert_eq!(next.work(START), vec![ACCEPTED; told_of]);
        // It is known for what it is by its own events.
        legs[..told_of].iter().for_each(|leg| next.tell(leg.id, VenueEventKind::Canceled));
        assert_eq!(next.work(START), vec![CANCELED; told_of]);
    }
}

#[test]
fn one_of_a_pair_is_neither_amended_nor_replaced() {
    let mut bench = Bench::new();
    let ids = rest(&mut bench);
    let amend = Intent {
        id: OrderId { sequence: 7, ..ids[0] },
        target: ids[0],
        kind: IntentKind::Amend.code(),
        quantity: Quantity(1),
        ..Intent { instrument: 0, ..Intent::default() }
    };
    bench.approve(Intent { valid_until: Nanos::NEVER, ..amend });
    assert_eq!(bench.work(START), [(ReportKind::AmendRejected, OrderState::Open)]);
    let replace = Intent { kind: IntentKind::Replace.code(), target: ids[1], ..new_order(8) };
    bench.approve(replace);
    assert_eq!(bench.work(START), [REFUSED]);
    assert_eq!(bench.seen(), [], "nothing left");
}
