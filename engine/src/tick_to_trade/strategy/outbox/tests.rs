//! An outbox on a real ring.

use super::*;
use crate::message::report::{OrderState, ReportKind};
use crate::tick_to_trade::strategy::testing::{CAPACITY, Rig, report_of};

const NOW: Nanos = Nanos::from_secs(50);

fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.outbox.begin(NOW, 77);
    rig
}

fn place(rig: &mut Rig) -> Result<OrderId, RejectCode> {
    rig.outbox.limit(4, Side::Buy, Price(100), Quantity(8), TimeInForce::GoodTillCancel)
}

#[test]
fn an_intent_carries_its_identity_times_and_cause() {
    let mut rig = rig();
    let id = place(&mut rig).expect("sent");
    let cancel = rig.outbox.cancel(id).expect("sent");
    assert_eq!(rig.outbox.market(1, Side::Sell, Quantity(2)).map(|id| id.sequence), Ok(3));
    let sent = rig.sent();
    assert_eq!((sent[0].id, sent[1].id, sent[1].target), (id, cancel, id));
    for (intent, sequence) in sent.iter().zip(1..) {
        let id = OrderId { epoch: 3, source: SourceId(2), source_epoch: 5, sequence };
        assert_eq!((intent.id, intent.decided, intent.valid_until), (id, NOW, NOW + ORDER_LIFE));
        assert_eq!((intent.stamp, intent.reserved), (77, [0; 3]));
    }
    assert_eq!((sent[1].instrument, sent[1].kind, sent[1].side, sent[1].order_type), (4, 2, 0, 0));
    assert_eq!((sent[2].price, sent[2].order_type), (Price::NONE, OrderType::Market.code()));
}

#[test]
fn what_waits_has_a_trigger_and_its_type_follows_from_its_limit() {
    let mut rig = rig();
    let (trigger, limit, quantity) = (Price(95), Price(94), Quantity(2));
    for at in [None, Some(limit)] {
        rig.outbox.stop_loss(1, Side::Sell, (trigger, at), quantity).expect("sent");
        rig.outbox.take_profit(1, Side::Buy, (trigger, at), quantity).expect("sent");
    }
    let sent: Vec<_> = rig.sent().iter().map(|i| (i.order_type, i.price, i.trigger, i.side)).collect();
    let none = Price::NONE;
    assert_eq!(
        sent,
        [(4, none, trigger, 2), (6, none, trigger, 1), (5, limit, trigger, 2), (7, limit, trigger, 1)]
    );
    for prices in [(Price::NONE, None), (trigger, Some(Price::NONE))] {
        let refused = rig.outbox.stop_loss(1, Side::Sell, prices, quantity);
        assert_eq!(refused, Err(RejectCode::FilterPrice));
    }
}

#[test]
fn what_waits_for_a_trigger_is_not_replaced_by_what_does_not() {
    let mut rig = rig();
    let stop = rig.outbox.stop_loss(1, Side::Sell, (Price(95), Some(Price(94))), Quantity(2)).expect("sent");
    let placed = rig.sent()[0];
    rig.outbox.working_mut().apply(&report_of(&placed, ReportKind::Accepted, OrderState::Open, 0));
    assert_eq!(rig.outbox.replace(stop, Price(93), Quantity(2), false), Err(RejectCode::NoReplace));
}

#[test]
fn an_order_can_be_cancelled_though_another_is_to_take_its_place() {
    let mut rig = rig();
    let old = place(&mut rig).expect("sent");
    let placed = rig.sent()[0];
    rig.outbox.working_mut().apply(&report_of(&placed, ReportKind::Accepted, OrderState::Open, 0));
    rig.outbox.replace(old, Price(101), Quantity(6), true).expect("sent");
    let report = report_of(&placed, ReportKind::CancelSent, OrderState::PendingCancel, 0);
    rig.outbox.working_mut().apply(&report);
    assert_eq!(rig.outbox.cancel_all(None), Ok(2));
    assert_eq!(rig.outbox.cancel(old), Err(RejectCode::DuplicateId), "one is enough");
}

#[test]
fn what_rests_untouched_is_replaced_on_its_side_and_works_until_the_venue_has_spoken() {
    let mut rig = rig();
    let old = place(&mut rig).expect("sent");
    let placed = rig.sent()[0];
    let replace = |rig: &mut Rig, target| rig.outbox.replace(target, Price(101), Quantity(6), true);
    assert_eq!(replace(&mut rig, old), Err(RejectCode::Unresolved), "it does not rest yet");
    let report = |kind, state, filled| report_of(&placed, kind, state, filled);
    rig.outbox.working_mut().apply(&report(ReportKind::Accepted, OrderState::Open, 0));
    let new = replace(&mut rig, old).expect("sent");
    let [sent] = rig.sent()[..] else { panic!("one intent") };
    assert_eq!((sent.id, sent.target, sent.kind), (new, old, IntentKind::Replace.code()));
    assert_eq!((sent.instrument, sent.side, sent.price), (4, Side::Buy.code(), Price(101)));
    assert_eq!((sent.order_type, sent.quantity), (OrderType::LimitMaker.code(), Quantity(6)));
    assert_eq!(rig.outbox.working().orders().len(), 2);
    // Refused by risk: the one works on, and the other never did.
    assert!(rig.outbox.working_mut().refuse(new, RejectCode::MaxPosition).is_some());
    assert_eq!(rig.outbox.working().find(old).map(|order| order.state), Some(WorkingState::Open));
    assert_eq!(rig.outbox.working().find(new), None);
    rig.outbox.working_mut().apply(&report(ReportKind::Fill, OrderState::Partial, 3));
    assert_eq!(replace(&mut rig, old), Err(RejectCode::NoReplace));
    assert_eq!(replace(&mut rig, new), Err(RejectCode::UnknownOrder));
    assert_eq!(rig.outbox.replace(old, Price(101), Quantity(6), false), Err(RejectCode::NoReplace));
}

#[test]
fn ids_have_no_holes_whatever_is_refused() {
    let mut rig = rig();
    for n in 1..=20 {
        let limit_maker = rig.outbox.limit_maker(0, Side::Sell, Price::NONE, Quantity(1));
        assert_eq!(limit_maker, Err(RejectCode::FilterPrice));
        assert_eq!(rig.outbox.market(0, Side::Buy, Quantity(-1)), Err(RejectCode::FilterLot));
        assert_eq!(rig.outbox.cancel(OrderId::NONE), Err(RejectCode::UnknownOrder));
        assert_eq!(place(&mut rig).map(|id| id.sequence), Ok(n));
    }
    let sequences: Vec<_> = rig.sent().iter().map(|intent| intent.id.sequence).collect();
    assert_eq!(sequences, (1..=20).collect::<Vec<_>>());
}

#[test]
fn cancels_find_room_where_new_orders_do_not() {
    let mut rig = rig();
    let mut placed = Vec::new();
    let refused = loop {
        match place(&mut rig) {
            Ok(id) => placed.push(id),
            Err(code) => break code,
        }
    };
    assert_eq!((refused, placed.len()), (RejectCode::RingFull, CAPACITY - CANCEL_RESERVE));
    for &id in placed.iter().take(CANCEL_RESERVE) {
        rig.outbox.cancel(id).expect("room is kept for cancels");
    }
    assert_eq!(rig.outbox.cancel(placed[0]), Err(RejectCode::DuplicateId), "one is on its way");
    assert_eq!(rig.outbox.cancel(placed[CANCEL_RESERVE]), Err(RejectCode::RingFull));
    let mut sent = rig.sent();
    assert_eq!(rig.outbox.cancel_all(None), Ok(placed.len() - CANCEL_RESERVE));
    sent.extend(rig.sent());
    let sequences: Vec<_> = sent.iter().map(|intent| intent.id.sequence).collect();
    let all = CAPACITY + placed.len() - CANCEL_RESERVE;
    assert_eq!(sequences, (1..=all as u64).collect::<Vec<_>>(), "a full ring costs no id");
}

#[test]
fn working_orders_are_bounded() {
    let mut rig = rig();
    for _ in 0..WORKING_MAX {
        place(&mut rig).expect("room");
        let intent = rig.sent()[0];
        rig.outbox.working_mut().apply(&report_of(&intent, ReportKind::Accepted, OrderState::Open, 0));
    }
    assert_eq!(place(&mut rig), Err(RejectCode::MaxOpen));
    assert_eq!(rig.outbox.cancel_all(Some(3)), Ok(0), "none of that instrument");
}

#[test]
fn the_life_of_an_intent_can_be_set() {
    let mut rig = rig();
    let mut life = rig.outbox.life();
    PARAMETERS.set(&mut life, "order_life", "250ms").expect("valid");
    rig.outbox.set_life(life);
    place(&mut rig).expect("sent");
    assert_eq!(rig.sent()[0].valid_until, NOW + Nanos::from_millis(250));
    let error = PARAMETERS.set(&mut life, "order_life", "0s").expect_err("no life");
    assert_eq!(error.to_string(), r#"outbox: order_life = "0s": out of range; it takes 1ms to 1h"#);
}
