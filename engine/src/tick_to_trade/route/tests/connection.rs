//! Faults of the connection (reliability.md §2), in virtual time, each with the outcome that the table asks for.

use super::*;
use crate::domain::Liquidity;
use crate::error::SetupError;
use crate::message::report::FeeAsset;

const SENT: (ReportKind, OrderState) = (ReportKind::Sent, OrderState::Sent);
const ACCEPTED: (ReportKind, OrderState) = (ReportKind::Accepted, OrderState::Open);
const UNKNOWN: (ReportKind, OrderState) = (ReportKind::Unknown, OrderState::Unknown);

pub(super) fn trade(quantity: i64, trade_id: u64) -> VenueEventKind {
    VenueEventKind::Trade {
        price: Price(100),
        quantity: Quantity(quantity),
        trade_id,
        fee: 1,
        fee_asset: FeeAsset::Quote,
        liquidity: Liquidity::Maker,
    }
}

pub(super) fn trades_of(id: OrderId) -> Seen {
    Seen::Ask(Question::TradesOf { instrument: 0, id, venue_order_id: id.sequence + 76, trade_id: 0 })
}

pub(super) fn filled(bench: &Bench, id: OrderId) -> (OrderState, i64, i64) {
    let order = bench.route.orders().get(id).expect("known");
    (order.state, order.cumulative.0, order.leaves().0)
}

/// An order that has left.
fn sent(bench: &mut Bench, sequence: u64) -> OrderId {
    let id = bench.place(sequence);
    assert_eq!(bench.work(START), [SENT]);
    assert_eq!(bench.seen(), [Seen::Place(id)]);
    id
}

pub(super) fn after(seconds: i64) -> Nanos {
    START + Nanos::from_secs(seconds)
}

#[test]
fn f02_lost_ack_of_a_filled_order_moves_the_position_once() {
    let mut bench = Bench::new();
    let id = sent(&mut bench, 1);
    bench.tell(id, VenueEventKind::Unknown);
    assert_eq!(bench.work(START), [UNKNOWN]);
    assert_eq!(bench.seen(), [Seen::Query(id)]);
    // The query says filled; what it traded, and for which fee, only the trades say.
    bench.tell_filled(id, told(OrderState::Filled), 10);
    assert_eq!(bench.work(START), []);
    assert_eq!(
        filled(&bench, id),
        (OrderState::Unknown, 0, 10),
        "counted in full until the trades are known"
    );
    assert_eq!(bench.seen(), [trades_of(id)]);
    bench.tell(id, trade(4, 1));
    bench.tell(id, trade(6, 2));
    bench.tell(id, VenueEventKind::TradesTold);
    // The stream tells them as well, late.
    bench.tell(id, trade(4, 1));
    bench.tell(id, trade(6, 2));
    assert_eq!(
        bench.work(START),
        [
            (ReportKind::Accepted, OrderState::Partial),
            (ReportKind::Fill, OrderState::Partial),
            (ReportKind::Fill, OrderState::Filled)
        ]
    );
    assert_eq!(filled(&bench, id), (OrderState::Filled, 10, 0));
    assert_eq!((bench.route.counters.fills, bench.route.counters.sent), (2, 1));
    assert_eq!(bench.work(after(60)), []);
    assert_eq!(bench.seen(), [], "nothing is asked of what is settled");
}

#[test]
fn f08_f14_an_end_with_a_missed_trade_waits_for_the_trade() {
    for end in [VenueEventKind::Canceled, VenueEventKind::Expired] {
        let mut bench = Bench::new();
        let id = sent(&mut bench, 1);
        bench.tell(id, VenueEventKind::Accepted);
        bench.tell_filled(id, end, 4);
        assert_eq!(bench.work(START), [ACCEPTED]);
        assert_eq!(bench.seen(), [trades_of(id)]);
        bench.tell(id, trade(4, 1));
        bench.tell(id, VenueEventKind::TradesTold);
        assert_eq!(bench.work(START), [(ReportKind::Fill, OrderState::Partial)]);
        assert_eq!(bench.seen(), [Seen::Query(id)]);
        let (kind, state) = match end {
            VenueEventKind::Canceled => (ReportKind::Canceled, OrderState::Canceled),
            _ => (ReportKind::Expired, OrderState::Expired),
        };
        bench.tell_filled(id, told(state), 4);
        assert_eq!(bench.work(START), [(kind, state)]);
        assert_eq!(filled(&bench, id), (state, 4, 0));
        assert_eq!(bench.work(after(60)), []);
        assert_eq!(bench.seen(), []);
    }
}

#[test]
fn trades_that_never_come_are_asked_for_once_an_interval() {
    let mut bench = Bench::new();
    let id = sent(&mut bench, 1);
    bench.tell(id, VenueEventKind::Accepted);
    bench.work(START);
    bench.seen();
    for second in 0..20 {
        // Whatever the venue says, and however fast, it is not asked faster.
        for _ in 0..10 {
            bench.tell_filled(id, told(OrderState::Filled), 10);
            assert_eq!(bench.work(after(second)), []);
        }
        let asked = bench.seen();
        assert!((1..=2).contains(&asked.len()), "{second}: {asked:?}");
    }
}

#[test]
fn f06_nothing_leaves_before_the_venue_wants_to_hear_again() {
    let mut bench = Bench::new();
    let id = sent(&mut bench, 1);
    bench.tell(id, VenueEventKind::Accepted);
    bench.work(START);
    bench.seen();
    bench.tell(OrderId::NONE, VenueEventKind::Throttled { until: after(30) });
    bench.work(START);
    for second in [0, 10, 29] {
        bench.place(10 + second);
        let cancel = Intent {
            id: OrderId { sequence: 100 + second, ..id },
            target: id,
            kind: IntentKind::Cancel.code(),
            valid_until: after(60),
            ..Intent::default()
        };
        bench.approve(cancel);
        let told = bench.work(after(i64::try_from(second).expect("small")));
        assert_eq!(
            told,
            [(ReportKind::Rejected, OrderState::Rejected), (ReportKind::CancelRejected, OrderState::Open)]
        );
    }
    assert_eq!(bench.seen(), []);
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::Active);
    let next = bench.place(50);
    assert_eq!(bench.work(after(30)), [SENT]);
    assert_eq!(bench.seen(), [Seen::Place(next)]);
    // 418 is for an operator to look at.
    bench.tell(OrderId::NONE, VenueEventKind::Banned { until: after(120) });
    bench.work(after(31));
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::Halted);
    bench.place(51);
    assert_eq!(bench.work(after(50)), [UNKNOWN, (ReportKind::Rejected, OrderState::Rejected)]);
    assert_eq!(bench.seen(), [], "not even a query during a ban");
    bench.work(after(121));
    assert_eq!(bench.seen(), [Seen::Query(next)]);
}

#[test]
fn nothing_new_leaves_before_the_venue_is_reconciled() {
    let mut bench = Bench::with(RouteTiming { connection: true, ..RouteTiming::default() });
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::CancelOnly);
    bench.place(1);
    assert_eq!(bench.work(START), [(ReportKind::Rejected, OrderState::Rejected)]);
    bench.tell(OrderId::NONE, VenueEventKind::Connected);
    bench.place(2);
    assert_eq!(bench.work(START), [(ReportKind::Rejected, OrderState::Rejected)]);
    assert_eq!(bench.seen(), [Seen::Ask(Question::OpenOrders)]);
    // An answer that does not come is asked for again.
    bench.work(after(10));
    assert_eq!(bench.seen(), [Seen::Ask(Question::OpenOrders)]);
    bench.tell(OrderId::NONE, VenueEventKind::OpenOrdersTold);
    bench.work(after(10));
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::Active);
    let id = bench.place(3);
    assert_eq!(bench.work(after(10)), [SENT]);
    assert_eq!(bench.seen(), [Seen::Place(id)]);
}

/// Four orders when the connection breaks: one is cancelled by the venue meanwhile after a partial fill, one fills, one
/// rests, and one had not been answered and was accepted.
#[test]
fn f17_a_gap_ends_with_the_venues_truth_before_trading_goes_on() {
    let mut bench = Bench::connected();
    let [cancelled, full, resting, unanswered] = [1, 2, 3, 4].map(|sequence| sent(&mut bench, sequence));
    for id in [cancelled, full, resting] {
        bench.tell(id, VenueEventKind::Accepted);
    }
    bench.tell(full, trade(1, 20));
    bench.work(START);
    bench.seen();
    bench.tell(OrderId::NONE, VenueEventKind::Disconnected);
    assert_eq!(bench.work(START), [UNKNOWN]);
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::CancelOnly);

    let now = after(30);
    bench.tell(OrderId::NONE, VenueEventKind::Connected);
    bench.work(now);
    bench.seen();
    bench.tell(resting, told(OrderState::Open));
    bench.tell(unanswered, told(OrderState::Open));
    bench.tell(OrderId::NONE, VenueEventKind::OpenOrdersTold);
    assert_eq!(bench.work(now), [ACCEPTED], "the unanswered one lives");
    let asked = bench.seen();
    let sweep = Seen::Ask(Question::TradesFrom { instrument: 0, trade_id: 21 });
    assert_eq!(asked, [Seen::Query(cancelled), Seen::Query(full), sweep]);
    let blocked = bench.place(5);
    assert_eq!(bench.work(now), [(ReportKind::Rejected, OrderState::Rejected)]);
    assert!(bench.route.orders().get(blocked).is_none());

    // The sweep names only the venue's ids.
    bench.tell_venue(OrderId::NONE, 78, trade(9, 21), 0);
    bench.tell_venue(OrderId::NONE, 4_711, trade(9, 22), 0);
    bench.tell(OrderId::NONE, VenueEventKind::TradesTold);
    bench.tell_filled(full, told(OrderState::Filled), 10);
    bench.tell_filled(cancelled, told(OrderState::Canceled), 4);
    assert_eq!(bench.work(now), [(ReportKind::Fill, OrderState::Filled)]);
    assert_eq!(bench.route.counters.foreign, 1);
    assert_eq!(bench.seen(), [trades_of(cancelled)]);
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::CancelOnly, "one trade is not known yet");
    bench.tell(cancelled, trade(4, 23));
    bench.tell(cancelled, VenueEventKind::TradesTold);
    bench.work(now);
    bench.tell_filled(cancelled, told(OrderState::Canceled), 4);
    assert_eq!(bench.work(now), [(ReportKind::Canceled, OrderState::Canceled)]);

    assert_eq!(filled(&bench, cancelled), (OrderState::Canceled, 4, 0));
    assert_eq!(filled(&bench, full), (OrderState::Filled, 10, 0));
    assert_eq!(filled(&bench, resting), (OrderState::Open, 0, 10));
    assert_eq!(filled(&bench, unanswered), (OrderState::Open, 0, 10));
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::Active);
    assert_eq!((bench.route.counters.reconciled, bench.route.counters.disconnects), (2, 1));
    bench.seen();
    let next = bench.place(6);
    bench.work(now);
    assert_eq!(bench.seen(), [Seen::Place(next)]);
}

#[test]
fn a_latch_outlives_a_reconnection() {
    let mut bench = Bench::connected();
    bench.orders.try_push(&SealedOrder::approve(&new_order(1), 7)).expect("room");
    bench.orders.try_push(&SealedOrder::approve(&new_order(2), 7)).expect("room");
    bench.work(START);
    for kind in [VenueEventKind::Disconnected, VenueEventKind::Connected, VenueEventKind::OpenOrdersTold] {
        bench.tell(OrderId::NONE, kind);
        bench.work(START);
        assert_eq!(bench.route.ports.own_halts.global(), HaltState::Halted, "{kind:?}");
    }
}

/// The venue refuses a stale timestamp with -1021: definitive, the order was never placed, and nothing is asked.
#[test]
fn f22_a_refused_timestamp_is_definitive() {
    let mut bench = Bench::connected();
    let id = sent(&mut bench, 1);
    bench.tell(id, VenueEventKind::Rejected { code: -1021 });
    assert_eq!(bench.work(START), [(ReportKind::Rejected, OrderState::Rejected)]);
    assert_eq!((filled(&bench, id), bench.route.counters.unknown), ((OrderState::Rejected, 0, 0), 0));
    assert_eq!(bench.work(after(60)), []);
    assert_eq!(bench.seen(), []);
}

#[test]
fn nothing_new_leaves_while_journals_do_not_reach_the_disk_and_cancels_do() {
    let mut bench = Bench::new();
    let resting = bench.place(1);
    bench.work(START);
    bench.tell(resting, VenueEventKind::Accepted);
    bench.work(START);
    bench.health.has_room(false);
    bench.place(2);
    assert_eq!(bench.work(START), [(ReportKind::Rejected, OrderState::Rejected)]);
    bench.health.has_room(true);
    let third = bench.place(3);
    bench.work(START);
    bench.health.fail(&SetupError::Invalid("segment 1: write: no".to_owned()));
    bench.place(4);
    assert_eq!(bench.work(START), [(ReportKind::Rejected, OrderState::Rejected)]);
    bench.approve(cancel(resting, 5));
    bench.work(START);
    assert_eq!(bench.seen(), [Seen::Place(resting), Seen::Place(third), Seen::Cancel(resting)]);
}
