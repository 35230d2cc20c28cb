//! Open orders of an earlier epoch at the venue (reliability.md R3).

use super::connection::{after, filled, trade, trades_of};
use super::*;

/// An order that an earlier epoch sent, of `source`.
fn earlier(sequence: u64) -> OrderId {
    OrderId { epoch: EPOCH - 1, ..new_order(sequence).id }
}

fn open(state: OrderState) -> VenueEventKind {
    VenueEventKind::OpenOrder { state, side: Side::Sell, price: Price(120), quantity: Quantity(10) }
}

/// Route at a venue that has these orders open, each with as much filled.
fn found(orders: &[(OrderId, VenueEventKind, i64)]) -> Bench {
    let mut bench = Bench::with(RouteTiming { connection: true, ..RouteTiming::default() });
    bench.tell(OrderId::NONE, VenueEventKind::Connected);
    for (id, kind, cumulative) in orders {
        bench.tell_filled(*id, *kind, *cumulative);
    }
    bench.tell(OrderId::NONE, VenueEventKind::OpenOrdersTold);
    while bench.route.do_work(START) > 0 {}
    bench
}

fn last_report(bench: &mut Bench) -> Report {
    let mut last = None;
    while let Polled::Message(record) = bench.reports.poll() {
        last = record.read::<Report>().or(last);
    }
    last.expect("a report")
}

#[test]
fn r3_an_order_of_an_earlier_epoch_counts_and_can_be_cancelled() {
    let id = earlier(7);
    let mut bench = found(&[(id, open(OrderState::Open), 0)]);
    let report = last_report(&mut bench);
    assert_eq!((report.id, report.side, report.price), (id, Side::Sell.code(), Price(120)));
    assert_eq!((report.leaves, report.cumulative), (Quantity(10), Quantity::ZERO));
    assert_eq!((report.kind, report.state), (ReportKind::Accepted.code(), OrderState::Open.code()));
    let counters = &bench.route.counters;
    assert_eq!((counters.adopted, counters.foreign, bench.route.orders().live()), (1, 0, 1));
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::Active, "trading goes on");
    assert_eq!(bench.seen(), [Seen::Ask(Question::OpenOrders)], "nothing else is to be known");

    let cancel = Intent { target: id, kind: IntentKind::Cancel.code(), ..new_order(1) };
    bench.approve(cancel);
    assert_eq!(bench.work(START), [(ReportKind::CancelSent, OrderState::PendingCancel)]);
    assert_eq!(bench.seen(), [Seen::Cancel(id)]);
    bench.tell(id, VenueEventKind::Canceled);
    assert_eq!(bench.work(START), [(ReportKind::Canceled, OrderState::Canceled)]);
}

#[test]
fn what_it_had_filled_before_is_no_fill_of_this_session() {
    let id = earlier(7);
    let mut bench = found(&[(id, open(OrderState::Partial), 6)]);
    assert_eq!(filled(&bench, id), (OrderState::Partial, 6, 4));
    assert_eq!(bench.seen(), [Seen::Ask(Question::OpenOrders), trades_of(id)]);
    bench.work(START);
    // A sweep of the instrument's trades may start behind some of its own: it says nothing of which they are.
    bench.tell_venue(OrderId::NONE, id.sequence + 76, trade(1, 90), 0);
    assert_eq!(bench.work(START), []);
    for (quantity, trade_id) in [(4, 50), (2, 60), (1, 90)] {
        bench.tell(id, trade(quantity, trade_id));
    }
    bench.tell(id, VenueEventKind::TradesTold);
    let fill = (ReportKind::Fill, OrderState::Partial);
    assert_eq!(bench.work(START), [fill], "the one trade since");
    assert_eq!(filled(&bench, id), (OrderState::Partial, 7, 3));
    // Repeats of the earlier ones, however they come, are none either.
    bench.tell_filled(id, trade(4, 50), 4);
    bench.tell(id, trade(2, 60));
    bench.tell_filled(id, trade(3, 91), 10);
    assert_eq!(bench.work(START), [(ReportKind::Fill, OrderState::Filled)]);
    assert_eq!((bench.route.counters.fills, bench.route.counters.overfills), (2, 0));
}

#[test]
fn a_fill_that_the_stream_tells_first_counts_at_once() {
    let id = earlier(7);
    let mut bench = found(&[(id, open(OrderState::Partial), 6)]);
    bench.work(START);
    bench.tell_filled(id, trade(1, 90), 7);
    assert_eq!(bench.work(START), [(ReportKind::Fill, OrderState::Partial)]);
    for (quantity, trade_id) in [(6, 50), (1, 90)] {
        bench.tell(id, trade(quantity, trade_id));
    }
    bench.tell(id, VenueEventKind::TradesTold);
    assert_eq!(bench.work(START), []);
    assert_eq!(filled(&bench, id), (OrderState::Partial, 7, 3));
}

#[test]
fn an_id_that_only_this_epoch_or_a_later_one_can_have_halts_everything() {
    for epoch in [EPOCH, EPOCH + 1] {
        let id = OrderId { epoch, ..earlier(7) };
        let bench = found(&[(id, open(OrderState::Open), 0)]);
        assert_eq!(bench.route.ports.own_halts.global(), HaltState::Halted, "{epoch}");
        assert_eq!(filled(&bench, id), (OrderState::Open, 0, 10), "it counts all the same");
    }
}

#[test]
fn what_is_not_ours_or_has_ended_is_left_alone() {
    let theirs = told(OrderState::Open);
    let full = open(OrderState::Partial);
    let ended = open(OrderState::Canceled);
    let bench = found(&[(OrderId::NONE, theirs, 0), (earlier(1), full, 10), (earlier(2), ended, 0)]);
    assert_eq!((bench.route.counters.adopted, bench.route.counters.foreign), (0, 3));
    assert_eq!(bench.route.orders().live(), 0);
}

#[test]
fn a_restart_knows_what_was_filled_before() {
    let id = earlier(7);
    let mut bench = found(&[(id, open(OrderState::Partial), 6)]);
    let mut next = bench.restarted(0);
    next.work(START);
    assert_eq!(filled(&next, id), (OrderState::Partial, 6, 4));
    assert_eq!(next.seen(), [trades_of(id)]);
    next.tell(id, trade(6, 50));
    next.tell_filled(id, trade(1, 90), 7);
    assert_eq!(next.work(after(1)), [(ReportKind::Fill, OrderState::Partial)]);
}
