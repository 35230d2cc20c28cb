//! A new order in the place of another, in one request.

use super::*;
use crate::domain::Liquidity;
use crate::message::report::FeeAsset;

const SENT: (ReportKind, OrderState) = (ReportKind::Sent, OrderState::Sent);
const CANCEL_SENT: (ReportKind, OrderState) = (ReportKind::CancelSent, OrderState::PendingCancel);
const CANCELED: (ReportKind, OrderState) = (ReportKind::Canceled, OrderState::Canceled);
const ACCEPTED: (ReportKind, OrderState) = (ReportKind::Accepted, OrderState::Open);
const RESTS_ON: (ReportKind, OrderState) = (ReportKind::CancelRejected, OrderState::Open);
const REFUSED: (ReportKind, OrderState) = (ReportKind::Rejected, OrderState::Rejected);
const UNKNOWN: (ReportKind, OrderState) = (ReportKind::Unknown, OrderState::Unknown);

/// An order that rests.
fn resting(bench: &mut Bench) -> OrderId {
    let id = bench.place(1);
    bench.work(START);
    bench.tell(id, VenueEventKind::Accepted);
    bench.work(START);
    bench.seen();
    id
}

fn replacement(sequence: u64, target: OrderId) -> Intent {
    Intent { target, kind: IntentKind::Replace.code(), price: Price(99), ..new_order(sequence) }
}

/// Replaces `target` by the order of `sequence`, which leaves; its id.
fn replace(bench: &mut Bench, sequence: u64, target: OrderId) -> OrderId {
    let intent = replacement(sequence, target);
    bench.approve(intent);
    assert_eq!(bench.work(START), [SENT, CANCEL_SENT]);
    assert_eq!(bench.seen(), [Seen::Replace(target, intent.id)]);
    intent.id
}

fn states(bench: &Bench, ids: [OrderId; 2]) -> [OrderState; 2] {
    ids.map(|id| bench.route.orders().get(id).expect("known").state)
}

#[test]
fn one_request_ends_the_one_and_begins_the_other() {
    let mut bench = Bench::new();
    let old = resting(&mut bench);
    let new = replace(&mut bench, 2, old);
    bench.tell(old, VenueEventKind::Canceled);
    bench.tell(new, VenueEventKind::Accepted);
    assert_eq!(bench.work(START), [CANCELED, ACCEPTED]);
    assert_eq!(bench.work(START + Nanos::from_secs(60)), []);
    assert_eq!(bench.seen(), [], "nothing is left to ask");
    assert_eq!((bench.route.counters.sent, bench.route.counters.replaces), (2, 1));
    // A replacement can be replaced.
    let third = replace(&mut bench, 3, new);
    assert_eq!(states(&bench, [new, third]), [OrderState::PendingCancel, OrderState::Sent]);
}

#[test]
fn what_is_not_attempted_leaves_the_other_as_the_venue_says_that_it_is() {
    for (told_of_old, end, state) in [
        (told(OrderState::Open), vec![REFUSED, RESTS_ON], OrderState::Open),
        (told(OrderState::Canceled), vec![REFUSED, CANCELED], OrderState::Canceled),
    ] {
        let mut bench = Bench::new();
        let old = resting(&mut bench);
        let new = replace(&mut bench, 2, old);
        bench.tell(new, VenueEventKind::Rejected { code: -2011 });
        let mut reports = bench.work(START);
        assert_eq!(bench.seen(), [Seen::Query(old)]);
        bench.tell(old, told_of_old);
        reports.extend(bench.work(START));
        assert_eq!((reports, states(&bench, [old, new])), (end, [state, OrderState::Rejected]));
    }
}

#[test]
fn a_cancel_leaves_though_a_replacement_is_on_its_way_for_that_may_be_refused_whole() {
    let mut bench = Bench::new();
    let old = resting(&mut bench);
    let new = replace(&mut bench, 2, old);
    bench.approve(cancel(old, 3));
    assert_eq!(bench.work(START), [CANCEL_SENT]);
    assert_eq!(bench.seen(), [Seen::Cancel(old)]);
    bench.approve(cancel(old, 4));
    bench.work(START);
    assert_eq!(bench.seen(), [], "one is enough");
    bench.tell(old, VenueEventKind::Canceled);
    bench.tell(new, VenueEventKind::Rejected { code: -2011 });
    assert_eq!(bench.work(START), [CANCELED, REFUSED]);
    assert_eq!(bench.route.orders().live(), 0);
}

#[test]
fn a_new_order_that_is_refused_after_the_cancel_leaves_neither() {
    let mut bench = Bench::new();
    let old = resting(&mut bench);
    let new = replace(&mut bench, 2, old);
    bench.tell(old, VenueEventKind::Canceled);
    bench.tell(new, VenueEventKind::Rejected { code: -2010 });
    // The venue may tell of the refusal twice: as a report and as an answer.
    bench.tell(new, VenueEventKind::Rejected { code: -2010 });
    assert_eq!(bench.work(START), [CANCELED, REFUSED]);
    assert_eq!((bench.seen(), bench.route.orders().live()), (vec![], 0));
}

#[test]
fn without_an_answer_both_are_asked_about_and_nothing_is_sent_again() {
    for lost in [false, true] {
        let mut bench = Bench::new();
        let old = resting(&mut bench);
        let new = replace(&mut bench, 2, old);
        let mut now = START;
        if lost {
            bench.tell(new, VenueEventKind::Unknown);
        } else {
            now = START + Nanos::from_secs(2);
        }
        assert_eq!(bench.work(now), [UNKNOWN], "lost: {lost}");
        let mut asked = bench.seen();
        asked.sort_by_key(|seen| *seen == Seen::Query(new));
        assert_eq!(asked, [Seen::Query(old), Seen::Query(new)]);
        // The request may still arrive: the new one counts in full until that is out of the question.
        bench.tell(old, told(OrderState::Open));
        bench.tell_venue(new, 0, VenueEventKind::QueryNotFound, 0);
        assert_eq!(bench.work(now), [RESTS_ON]);
        let conclusive = START + RouteTiming::default().conclusive;
        while now < conclusive {
            now = now + Nanos::from_secs(1);
            assert_eq!(bench.work(now), []);
            assert_eq!(bench.seen(), [Seen::Query(new)]);
        }
        // It did arrive.
        bench.tell(old, VenueEventKind::Canceled);
        bench.tell(new, told(OrderState::Open));
        assert_eq!(bench.work(now), [CANCELED, ACCEPTED]);
    }
}

#[test]
fn only_an_order_that_rests_untouched_is_replaced() {
    let mut bench = Bench::new();
    let old = bench.place(1);
    bench.work(START);
    let refused = |bench: &mut Bench, sequence, what| {
        bench.approve(replacement(sequence, old));
        let reports = bench.work(START);
        assert_eq!(reports, [(ReportKind::Rejected, OrderState::Rejected)], "{what}");
    };
    refused(&mut bench, 2, "not accepted yet");
    bench.tell(old, VenueEventKind::Accepted);
    bench.work(START);
    bench.operator.set_global(HaltState::CancelOnly);
    refused(&mut bench, 3, "halted");
    bench.operator.set_global(HaltState::Active);
    bench.approve(Intent { valid_until: Nanos(START.0 - 1), ..replacement(4, old) });
    assert_eq!(bench.work(START), [(ReportKind::Expired, OrderState::Expired)]);
    bench.approve(Intent { instrument: 1, ..replacement(5, old) });
    assert_eq!(bench.work(START), [REFUSED], "of another instrument");
    let part = VenueEventKind::Trade {
        price: Price(100),
        quantity: Quantity(4),
        trade_id: 1,
        fee: 0,
        fee_asset: FeeAsset::Quote,
        liquidity: Liquidity::Maker,
    };
    bench.tell_filled(old, part, 4);
    bench.work(START);
    refused(&mut bench, 6, "filled in part");
    bench.tell(old, VenueEventKind::Canceled);
    bench.seen();
    bench.work(START);
    refused(&mut bench, 7, "or no more");
    assert!(bench.seen().iter().all(|seen| !matches!(seen, Seen::Replace(..))));
}

#[test]
fn a_request_that_did_not_leave_touches_nothing() {
    let mut bench = Bench::new();
    let old = resting(&mut bench);
    bench.route.entry.refuse = true;
    bench.approve(replacement(2, old));
    assert_eq!(bench.work(START), [SENT, (ReportKind::NeverPlaced, OrderState::NeverPlaced)]);
    assert_eq!(states(&bench, [old, new_order(2).id]), [OrderState::Open, OrderState::NeverPlaced]);
}

#[test]
fn a_restart_asks_about_both_wherever_the_last_life_ended() {
    // The journal ends behind the SENT of the new order, or behind the cancel of the other.
    for missing in [1, 0] {
        let mut bench = Bench::new();
        let old = bench.place(1);
        bench.work_unread(START);
        bench.tell(old, VenueEventKind::Accepted);
        bench.approve(replacement(2, old));
        bench.work_unread(START);
        let new = new_order(2).id;
        let mut next = bench.restarted(missing);
        let reports = next.work(START);
        assert_eq!(reports, [UNKNOWN], "{missing}");
        let mut asked = next.seen();
        asked.sort_by_key(|seen| *seen == Seen::Query(new));
        assert_eq!(asked, [Seen::Query(old), Seen::Query(new)]);
        next.tell(old, VenueEventKind::Canceled);
        next.tell(new, told(OrderState::Open));
        assert_eq!(next.work(START), [CANCELED, ACCEPTED]);
    }
}
