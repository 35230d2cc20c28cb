//! What each event of the venue does to an order, named after the faults of reliability.md §2.

use super::*;
use crate::domain::Liquidity;
use crate::message::report::FeeAsset;

fn order(state: OrderState) -> OrderRecord {
    let mut order = OrderRecord::new(OrderId::NONE, 0, Side::Buy, Price(100), Quantity(10), Nanos::ZERO);
    order.state = state;
    order
}

fn event(kind: VenueEventKind) -> VenueEvent {
    VenueEvent {
        kind,
        id: OrderId::NONE,
        venue_order_id: 5,
        cumulative: Quantity::ZERO,
        instrument: 0,
        received: Nanos::ZERO,
    }
}

fn trade(quantity: i64, trade_id: u64) -> VenueEvent {
    event(VenueEventKind::Trade {
        price: Price(100),
        quantity: Quantity(quantity),
        trade_id,
        fee: 0,
        fee_asset: FeeAsset::Quote,
        liquidity: Liquidity::Maker,
    })
}

/// A stop order is accepted twice: when it waits, and when its trigger sets it off (binance.md §8).
#[test]
fn an_order_that_is_set_off_is_open_before_and_after() {
    let mut order = order(OrderState::Sent);
    assert!(matches!(order.apply(&event(VenueEventKind::Accepted)), Effect::Report { .. }));
    assert_eq!(order.apply(&event(VenueEventKind::Accepted)), Effect::Stale);
    assert_eq!((order.state, order.is_open_question()), (OrderState::Open, false));
    assert!(matches!(order.apply(&event(VenueEventKind::Expired)), Effect::Report { .. }));
    assert_eq!(order.state, OrderState::Expired, "it found nobody to trade with");
}

#[test]
fn f01_a_lost_ack_is_unknown_until_the_venue_says() {
    let mut order = order(OrderState::Sent);
    assert_eq!(order.apply(&event(VenueEventKind::Unknown)), report(ReportKind::Unknown));
    assert_eq!((order.state, order.leaves()), (OrderState::Unknown, Quantity(10)));
    assert_eq!(order.apply(&event(VenueEventKind::Accepted)), report(ReportKind::Accepted));
    assert_eq!(order.state, OrderState::Open);
}

#[test]
fn f04_a_report_revives_a_dead_order() {
    for dead in [OrderState::NeverPlaced, OrderState::Rejected] {
        let mut order = order(dead);
        let Effect::Report { revived, .. } = order.apply(&trade(4, 1)) else { panic!("not reported") };
        assert!(revived);
        assert_eq!((order.state, order.cumulative), (OrderState::Partial, Quantity(4)));
    }
}

#[test]
fn f07_a_refused_cancel_stays_pending() {
    let mut order = order(OrderState::PendingCancel);
    assert_eq!(order.apply(&event(VenueEventKind::CancelRejected { code: -2011 })), Effect::Ask);
    assert_eq!(order.state, OrderState::PendingCancel);
    order.apply(&trade(10, 1));
    assert_eq!(order.state, OrderState::Filled);
}

#[test]
fn f09_a_trade_after_the_cancel_counts() {
    let mut order = order(OrderState::Canceled);
    order.apply(&trade(4, 1));
    assert_eq!(
        (order.state, order.cumulative, order.leaves()),
        (OrderState::Canceled, Quantity(4), Quantity(0))
    );
    order.apply(&trade(6, 2));
    assert_eq!(order.state, OrderState::Filled);
}

#[test]
fn f10_f11_stale_news_and_repeated_trades_change_nothing() {
    let mut order = order(OrderState::Open);
    order.apply(&trade(10, 1));
    for stale in [
        event(VenueEventKind::Canceled),
        event(VenueEventKind::Accepted),
        event(VenueEventKind::Expired),
        event(VenueEventKind::Rejected { code: -2010 }),
        event(VenueEventKind::QueryState { state: OrderState::Open, quantity: Quantity::ZERO }),
        event(VenueEventKind::Unknown),
        trade(10, 1),
    ] {
        assert_eq!(order.apply(&stale), Effect::Stale, "{stale:?}");
        assert_eq!((order.state, order.cumulative), (OrderState::Filled, Quantity(10)));
    }
}

#[test]
fn f13_a_fill_before_the_ack_implies_it() {
    let mut order = order(OrderState::Sent);
    let Effect::Report { implied_accept, .. } = order.apply(&trade(3, 1)) else { panic!("not reported") };
    assert!(implied_accept);
    assert_eq!(order.apply(&event(VenueEventKind::Accepted)), Effect::Stale);
    assert_eq!(order.state, OrderState::Partial);
}

fn told(state: OrderState, quantity: i64) -> VenueEvent {
    event(VenueEventKind::QueryState { state, quantity: Quantity(quantity) })
}

#[test]
fn an_amendment_lowers_the_quantity_only_when_the_venue_says_so() {
    let mut order = order(OrderState::Open);
    order.amend_sent(Quantity(6), Nanos(1));
    assert_eq!(
        (order.quantity, order.leaves(), order.is_open_question()),
        (Quantity(10), Quantity(10), true)
    );
    let amended = event(VenueEventKind::Amended { quantity: Quantity(6) });
    assert_eq!(order.apply(&amended), report(ReportKind::Amended));
    assert_eq!((order.leaves(), order.state, order.is_amending()), (Quantity(6), OrderState::Open, false));
    assert_eq!(order.apply(&amended), Effect::Stale);
    assert_eq!(order.apply(&event(VenueEventKind::Amended { quantity: Quantity(9) })), Effect::Stale);
    assert_eq!(order.apply(&trade(7, 1)), Effect::Overfill);
    order.apply(&trade(6, 2));
    assert_eq!(order.state, OrderState::Filled);
}

#[test]
fn a_lost_amendment_is_told_by_a_query() {
    for (told, kind, state, leaves) in [
        (told(OrderState::Open, 6), ReportKind::Amended, OrderState::Partial, 2),
        (told(OrderState::Filled, 4), ReportKind::Amended, OrderState::Filled, 0),
        (told(OrderState::Canceled, 6), ReportKind::Canceled, OrderState::Canceled, 0),
    ] {
        let mut order = order(OrderState::Open);
        order.apply(&trade(4, 1));
        order.amend_sent(Quantity(6), Nanos(1));
        assert_eq!(order.apply(&event(VenueEventKind::Unknown)), Effect::Ask);
        let told = VenueEvent { cumulative: Quantity(4), ..told };
        assert_eq!(order.apply(&told), report(kind), "{told:?}");
        assert_eq!((order.state, order.leaves()), (state, Quantity(leaves)));
    }
    let mut order = order(OrderState::Open);
    order.amend_sent(Quantity(6), Nanos(1));
    assert_eq!(order.apply(&told(OrderState::Open, 10)), Effect::Stale);
    assert!(order.is_amending(), "it may still arrive");
    let refused = event(VenueEventKind::AmendRejected { code: -2038 });
    assert!(matches!(order.apply(&refused), Effect::Report { kind: ReportKind::AmendRejected, .. }));
    assert_eq!((order.leaves(), order.apply(&refused)), (Quantity(10), Effect::Stale));
}

#[test]
fn more_than_was_ordered_is_never_applied() {
    let mut order = order(OrderState::Open);
    for quantity in [11, 0, -1, i64::MAX] {
        assert_eq!(order.apply(&trade(quantity, 7)), Effect::Overfill);
        assert_eq!(order.cumulative, Quantity(0));
    }
}
