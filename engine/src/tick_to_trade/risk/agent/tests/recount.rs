//! What a restarted risk counts again: latches, rates, limits, and what never left.

use super::restart::begin;
use super::*;
use crate::journal::LimitChange;

/// A life with the start of an epoch in both journals.
fn life(limits: Limits) -> Rig {
    let mut rig = Rig::new(limits);
    begin(&mut rig.risk.ports.journal);
    begin(&mut rig.route.2);
    rig
}

/// Another life over what `rig` wrote, whose reports it has been told of.
fn recover(again: &mut Rig, rig: &mut Rig, resumed: bool) -> Recovered {
    let records = rig.records();
    again.risk.recover(records.into_iter().map(Ok), &instruments(), resumed).expect("recovered")
}

#[test]
fn what_never_left_is_withdrawn_once_and_for_all() {
    let mut rig = life(limits());
    rig.settle(NOW);
    let orders = [limit(id(0, 1), 0, Side::Buy, 1_000, 20), limit(id(0, 2), 0, Side::Buy, 995, 10)];
    rig.send(&orders[0]);
    rig.settle(NOW);
    // The second was approved and journalled, but its life ended before it reached the ring.
    let elapsed = rig.risk.elapsed();
    let lost = Decision::new(orders[1], RejectCode::None, 0);
    rig.risk.ports.journal.append(NOW, elapsed, &lost).expect("room");
    let name = |name: &str| path(rig.folder.path(), name);
    let (ring, cursor) = (name("orders"), name("orders.cursor"));
    let mut records = rig.records();
    for lives in 1..=3_u64 {
        let mut again = life(limits());
        again.risk.ports.orders =
            Producer::resume(&ring, &cursor, RING_CAPACITY_MIN, EPOCH).expect("taken over");
        // Its journal stands further than those of the lives before.
        for _ in 0..10 * lives {
            again.risk.ports.journal.append(NOW, 0, &DayStart::new(0, Some(0))).expect("room");
            again.writer.drain().expect("written");
        }
        let found =
            again.risk.recover(records.iter().copied().map(Ok), &instruments(), true).expect("recovered");
        assert_eq!((found.unsent, found.unreported), (u64::from(lives == 1), lives), "life {lives}");
        again.settle(NOW);
        assert_eq!(again.risk.open_orders().0, u32::try_from(lives).expect("few"));
        // What it approves stands in the ring above what never left.
        again.send(&limit(id(1, lives), 1, Side::Buy, 1_000 - lives as i64, 1));
        again.settle(NOW);
        let added: Vec<Record> =
            again.records().into_iter().filter(|record| record.read::<Decision>().is_some()).collect();
        let seen: Vec<_> =
            added.iter().filter_map(Record::read).map(|d: Decision| (d.intent().id, d.code())).collect();
        let approved = (id(1, lives), RejectCode::None.code());
        let withdrawn = (orders[1].id, RejectCode::Expired.code());
        let expected = if lives == 1 { vec![withdrawn, approved] } else { vec![approved] };
        assert_eq!(seen, expected, "life {lives}");
        records.extend(added);
    }
}

#[test]
fn limits_that_were_changed_stay_so_and_get_no_looser_than_the_start() {
    let mut rig = life(limits());
    rig.settle(NOW);
    let change = |rig: &mut Rig, key: &str, value: &str| {
        rig.risk.ports.journal.append(NOW, 0, &LimitChange::new(key, value)).expect("room");
    };
    for (key, value) in [
        ("account.max_open", "2"),
        ("account.max_open", "3"),
        ("source.0.orders", "7/1000ms"),
        ("account.day_loss_hard", "1500"),
        // Refused when it was set: below the soft one.
        ("account.day_loss_hard", "500"),
        ("BTCUSDT.max_quantity", "30"),
    ] {
        change(&mut rig, key, value);
    }
    let mut again = life(limits());
    recover(&mut again, &mut rig, false);
    let now = again.risk.limits();
    assert_eq!((now.account.max_open, now.sources[0].orders.count), (3, 7));
    assert_eq!((now.account.day_loss_soft, now.account.day_loss_hard), (1_000 * USD, 1_500 * USD));
    assert_eq!(
        (now.instruments[0].max_quantity, now.instruments[1].max_quantity),
        (Quantity(30), Quantity(40))
    );
    // Started with less, it has less.
    let mut tight = limits();
    tight.account.max_open = 1;
    let mut again = life(tight);
    recover(&mut again, &mut rig, false);
    assert_eq!(again.risk.limits().account.max_open, 1);
    // Of an earlier epoch nothing holds; what is no limit is no start.
    let records = rig.records();
    let elder = records.iter().map(|record| Record { epoch: EPOCH - 1, ..*record }).map(Ok);
    let mut again = life(limits());
    again.risk.recover(elder, &instruments(), false).expect("recovered");
    assert_eq!(again.risk.limits(), &limits());
    change(&mut rig, "account.nothing", "2");
    let mut again = life(limits());
    let records = rig.records();
    let error = again.risk.recover(records.into_iter().map(Ok), &instruments(), false).expect_err("no limit");
    let text = "risk's journal sets limit account.nothing to 2, which is no limit or no value of it";
    assert_eq!(error.to_string(), text);
}
