//! Pairs on a real ring.

use super::*;
use crate::domain::Nanos;
use crate::limits::CANCEL_RESERVE;
use crate::message::report::{OrderState, ReportKind};
use crate::tick_to_trade::strategy::testing::{CAPACITY, Rig, report_of};
use crate::tick_to_trade::strategy::working::{WORKING_MAX, WorkingState};

const SIZE: Quantity = Quantity(4);
/// A stop below a sell's market.
const STOP: (Price, Option<Price>) = (Price(95), Some(Price(94)));

fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.outbox.begin(Nanos::from_secs(50), 7);
    rig
}

fn sell(rig: &mut Rig) -> Result<Pair, RejectCode> {
    rig.outbox.oco(1, Side::Sell, SIZE, (Better::Maker(Price(105)), STOP))
}

#[test]
fn two_intents_name_each_other_and_the_upper_one_is_first() {
    let mut rig = rig();
    let sold = sell(&mut rig).expect("sent");
    let buy = (Better::TakeProfit(Price(95), None), (Price(105), None));
    let bought = rig.outbox.oco(1, Side::Buy, SIZE, buy).expect("sent");
    let sent = rig.sent();
    assert!(sent[0].pairs_with(&sent[1]) && sent[2].pairs_with(&sent[3]));
    assert_eq!((sold.better, sold.stop), (sent[0].id, sent[1].id));
    assert_eq!((bought.stop, bought.better), (sent[2].id, sent[3].id), "a buy's stop is above");
    let facts: Vec<_> = sent.iter().map(|sent| (sent.order_type, sent.price.0, sent.trigger.0)).collect();
    assert_eq!(facts, [(3, 105, 0), (5, 94, 95), (4, 0, 105), (6, 0, 95)]);
    assert!(sent.iter().all(|sent| (sent.quantity, sent.instrument, sent.stamp) == (SIZE, 1, 7)));
}

#[test]
fn each_works_and_ends_by_its_own_reports_and_neither_is_replaced() {
    let mut rig = rig();
    let Pair { better, stop } = sell(&mut rig).expect("sent");
    let sent = rig.sent();
    for leg in &sent {
        rig.outbox.working_mut().apply(&report_of(leg, ReportKind::Accepted, OrderState::Open, 0));
        assert_eq!(rig.outbox.replace(leg.id, Price(106), SIZE, true), Err(RejectCode::NoReplace));
    }
    // A cancel that somebody else has sent is not half of a replacement.
    rig.outbox.working_mut().apply(&report_of(
        &sent[0],
        ReportKind::CancelSent,
        OrderState::PendingCancel,
        0,
    ));
    assert_eq!(rig.outbox.cancel(better), Err(RejectCode::DuplicateId), "one is enough");
    assert_eq!(rig.outbox.working().find(stop).map(|order| order.state), Some(WorkingState::Open));
    for leg in &sent {
        rig.outbox.working_mut().apply(&report_of(leg, ReportKind::Canceled, OrderState::Canceled, 0));
    }
    assert!(rig.outbox.working().orders().is_empty());
}

#[test]
fn what_could_not_be_sent_is_refused_whole_and_costs_no_id() {
    let mut rig = rig();
    for (better, stop, code) in [
        (Better::Maker(Price(95)), STOP, RejectCode::BadRequest),
        (Better::TakeProfit(Price(90), None), STOP, RejectCode::BadRequest),
        (Better::Maker(Price::NONE), STOP, RejectCode::FilterPrice),
        (Better::Maker(Price(105)), (Price::NONE, None), RejectCode::FilterPrice),
        (Better::TakeProfit(Price(105), Some(Price::NONE)), STOP, RejectCode::FilterPrice),
    ] {
        assert_eq!(rig.outbox.oco(1, Side::Sell, SIZE, (better, stop)), Err(code), "{better:?}");
    }
    let none = rig.outbox.oco(1, Side::Sell, Quantity::ZERO, (Better::Maker(Price(105)), STOP));
    assert_eq!((none, rig.outbox.sequence()), (Err(RejectCode::FilterLot), 0));
    let single = |rig: &mut Rig| rig.outbox.market(0, Side::Buy, SIZE);
    for _ in 1..CAPACITY - CANCEL_RESERVE {
        single(&mut rig).expect("room");
    }
    assert_eq!(sell(&mut rig), Err(RejectCode::RingFull), "there is room for one beside the cancels");
    assert!(single(&mut rig).is_ok());
    let mut rig = self::rig();
    for at in 0..WORKING_MAX - 1 {
        rig.outbox.market(0, Side::Buy, SIZE).expect("room");
        let intent = rig.sent()[0];
        rig.outbox.working_mut().apply(&report_of(&intent, ReportKind::Accepted, OrderState::Open, 0));
        assert_eq!(rig.outbox.working().orders().len(), at + 1);
    }
    assert_eq!(sell(&mut rig), Err(RejectCode::MaxOpen), "there is room for one");
}
