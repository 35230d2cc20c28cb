//! Pairs through rings and journals.

use super::restart::begin;
use super::*;
use crate::tick_to_trade::risk::fixture::pair;

fn rig() -> Rig {
    let mut rig = Rig::new(limits());
    rig.risk.state.filters.iter_mut().for_each(|filters| filters.oco = true);
    rig
}

#[test]
fn a_pair_is_decided_when_both_have_come_and_stands_together_for_route() {
    let mut rig = rig();
    let legs = pair(1, 0, Side::Sell, 10);
    rig.send(&legs[0]);
    rig.send(&limit(id(1, 1), 0, Side::Sell, 1_020, 2));
    rig.settle(NOW);
    // Others are not held up.
    assert_eq!(rig.codes(), [RejectCode::None]);
    rig.send(&legs[1]);
    rig.settle(NOW);
    assert_eq!(rig.codes(), [RejectCode::None; 3]);
    let pushed: Vec<Intent> = rig.orders().iter().skip(1).map(|order| *order.intent()).collect();
    assert_eq!(pushed, legs);
    assert_eq!(rig.risk.counts().external, 3, "each counts as an intent of people");
    assert_eq!((rig.risk.counts().orders, rig.risk.exposure(0)), (3, Some((0, 0, 12))));
}

#[test]
fn what_is_no_pair_is_refused_and_the_next_is_decided() {
    let mut rig = rig();
    let [above, below] = pair(1, 0, Side::Sell, 10);
    rig.send(&above);
    rig.send(&limit(id(0, 3), 0, Side::Sell, 1_020, 2));
    rig.send(&below);
    rig.settle(NOW);
    // The lower one came behind a later id, too.
    assert_eq!(rig.codes(), [RejectCode::BadRequest, RejectCode::None, RejectCode::BadRequest]);
    let late = pair(5, 0, Side::Sell, 10).map(|leg| Intent { valid_until: Nanos(NOW.0 - 1), ..leg });
    rig.send(&late[0]);
    rig.settle(NOW);
    assert_eq!(rig.codes().last(), Some(&RejectCode::Expired), "nothing is waited for that comes too late");
    let refused = pair(7, 0, Side::Sell, 60);
    refused.iter().for_each(|leg| rig.send(leg));
    rig.settle(NOW);
    assert_eq!(rig.codes()[4..], [RejectCode::MaxQuantity; 2], "each has its answer");
    assert_eq!(rig.orders().len(), 1);
    assert_eq!(rig.risk.exposure(0), Some((0, 0, 2)));
}

#[test]
fn a_restarted_risk_counts_each_of_both_in_full() {
    let mut rig = rig();
    begin(&mut rig.risk.ports.journal);
    rig.settle(NOW);
    let legs = pair(1, 0, Side::Sell, 10);
    legs.iter().for_each(|leg| rig.send(leg));
    rig.settle(NOW);
    assert_eq!(rig.risk.exposure(0), Some((0, 0, 10)));
    let records = rig.records();
    for reported in 0..=2 {
        let mut again = Rig::new(limits());
        begin(&mut again.route.2);
        for leg in &legs[..reported] {
            again.tell(&report(leg, ReportKind::Accepted, OrderState::Open, 0));
        }
        let found =
            again.risk.recover(records.iter().copied().map(Ok), &instruments(), false).expect("recovered");
        assert_eq!(found.unreported, 2 - reported as u64);
        assert_eq!((again.risk.exposure(0), again.risk.open_orders().0), (Some((0, 0, 20)), 2));
        again.settle(NOW);
        for leg in &legs {
            let alone = Intent { kind: 1, target: OrderId::NONE, ..*leg };
            assert_eq!(again.risk.check(&alone, NOW), Err(RejectCode::DuplicateId));
            again.tell(&report(leg, ReportKind::Expired, OrderState::Expired, 0));
        }
        again.settle(NOW);
        assert_eq!(again.risk.exposure(0), Some((0, 0, 0)));
    }
}
