//! What a restarted risk counts again: latches, rates, limits, and what never left.

use super::restart::begin;
use super::*;
use crate::journal::LimitChange;
use crate::tick_to_trade::risk::fixture::pair;

fn at(millis: i64) -> Nanos {
    NOW.saturating_add(Nanos::from_millis(millis))
}

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

/// Fills of one each of an order of `source`, one a millisecond from `from` on.
fn fills(rig: &mut Rig, source: u16, from: Nanos, count: i64, first_trade: u64) {
    for number in 0..count {
        let trade = first_trade + number.unsigned_abs();
        let order = limit(id(source, trade), 1, Side::Buy, 1_000, 1);
        let when = from.saturating_add(Nanos::from_millis(number));
        rig.tell(&Report { at: when, ..fill(&order, 1_000, 1, 1, trade) });
    }
}

#[test]
fn a_latch_of_what_was_told_meanwhile_stands_and_one_that_was_cleared_does_not() {
    let mut rig = life(limits());
    rig.settle(at(0));
    rig.risk.raise(Some(SourceId(0)), HaltState::Halted, plain(RejectCode::RepeatExecution), at(0));
    rig.risk.clear_source(SourceId(0), "looked into it", at(1));
    rig.risk.raise(Some(SourceId(2)), HaltState::Halted, plain(RejectCode::RejectStorm), at(1));
    let told = |before: i64, after: i64, rig: &mut Rig| {
        let mut again = life(limits());
        fills(&mut again, 0, at(-20), before, 100);
        fills(&mut again, 0, at(20), after, 200);
        fills(&mut again, 2, at(100), 6, 300);
        recover(&mut again, rig, false);
        again.settle(at(200));
        let page = &again.risk.ports.page;
        assert_eq!(page.source(SourceId(2)), HaltState::Halted, "as its last life had it");
        assert_eq!(again.risk.state.sources[2].latched, Some(RejectCode::RejectStorm));
        let state = page.source(SourceId(0));
        let raised: Vec<Halt> = again.records().iter().filter_map(Record::read).collect();
        (state, raised.iter().map(|halt| (halt.source, halt.reason().map(str::to_owned))).collect::<Vec<_>>())
    };
    // Six a second are too many: all before it was cleared, three on each side, all after.
    assert_eq!(told(6, 0, &mut rig), (HaltState::Active, vec![]));
    assert_eq!(told(3, 3, &mut rig), (HaltState::Active, vec![]));
    let reason = Some("REPEAT_EXEC".to_owned());
    assert_eq!(told(0, 6, &mut rig), (HaltState::Halted, vec![(SourceId(0), reason)]));
}

#[test]
fn the_days_loss_of_what_was_told_meanwhile_is_found_though_nothing_is_held() {
    let mut rig = life(limits());
    rig.settle(NOW);
    let mut again = life(limits());
    // No price comes: what is flat needs none.
    let quiet = path(again.folder.path(), "quiet");
    let _ticks = broadcast::Producer::<Tick>::create(&quiet, RING_CAPACITY_MIN, EPOCH).expect("made");
    again.risk.ports.ticks = Late::fixed(Reader::attach(&quiet).expect("attached"));
    again.tell(&fill(&limit(id(0, 1), 0, Side::Buy, 1_110, 10), 1_110, 10, 10, 1));
    again.tell(&fill(&limit(id(0, 2), 0, Side::Sell, 710, 10), 710, 10, 10, 2));
    recover(&mut again, &mut rig, false);
    again.settle(NOW);
    assert_eq!(again.risk.day_result(), Some(-4_000 * USD));
    assert_eq!(again.risk.ports.page.global(), HaltState::Halted);
}

#[test]
fn contents_rates_and_rejects_are_counted_as_the_last_life_did() {
    let mut limits = limits();
    limits.sources[1].orders = Rate::new(3, Nanos::from_secs(1));
    let mut rig = life(limits.clone());
    rig.settle(NOW);
    let mut again = life(limits);
    // Everything that was approved has ended, as route tells.
    let orders: Vec<Intent> = (1..=2)
        .map(|n| limit(id(0, n), 0, Side::Buy, 1_000, 2))
        .chain((1..=3).map(|n| limit(id(1, n), 1, Side::Buy, 1_000 - n as i64, 1)))
        .collect();
    for order in &orders {
        rig.send(order);
        rig.settle(NOW);
        let gone = report(order, ReportKind::Canceled, OrderState::Canceled, 0);
        rig.tell(&Report { at: NOW, ..gone });
        again.tell(&Report { at: NOW, ..gone });
    }
    for sequence in 1..=11 {
        rig.send(&Intent { side: 9, ..limit(id(2, sequence), 0, Side::Buy, 1_000, 2) });
    }
    rig.settle(NOW);
    let seen = rig.codes();
    assert_eq!(seen.iter().filter(|code| **code == RejectCode::None).count(), 5, "{seen:?}");
    let found = recover(&mut again, &mut rig, false);
    assert_eq!((found.unreported, found.unsent), (0, 0));
    again.settle(NOW);
    let third = limit(id(0, 9), 0, Side::Buy, 1_000, 2);
    assert_eq!(again.risk.check(&third, NOW), Err(RejectCode::DuplicateContent), "C04");
    assert_eq!(again.risk.check(&third, at(501)), Ok(()));
    let fourth = limit(id(1, 9), 1, Side::Buy, 1_000, 1);
    assert_eq!(again.risk.check(&fourth, NOW), Err(RejectCode::MessageRate), "C16");
    assert_eq!(again.risk.check(&fourth, at(501)), Ok(()));
    assert_eq!(again.risk.ports.page.source(SourceId(2)), HaltState::Active);
    again.send(&Intent { side: 9, ..limit(id(2, 20), 0, Side::Buy, 1_000, 2) });
    again.settle(NOW);
    assert_eq!(again.risk.ports.page.source(SourceId(2)), HaltState::Halted, "C21: the twelfth");
}

#[test]
fn a_refused_pair_counts_once_again_and_what_is_left_of_a_pair_is_known_for_one() {
    let mut limits = limits();
    limits.account.reject_storm.count = 3;
    let with_pairs = |limits: Limits| {
        let mut rig = life(limits);
        rig.risk.state.filters.iter_mut().for_each(|filters| filters.oco = true);
        rig
    };
    let (mut rig, mut again) = (with_pairs(limits.clone()), with_pairs(limits));
    rig.settle(NOW);
    let pairs: Vec<[Intent; 2]> =
        [1, 3, 5].map(|n: u64| pair(n, 0, Side::Sell, 2 * n.cast_signed())).to_vec();
    let refused =
        |leg: &Intent| Report { at: NOW, ..report(leg, ReportKind::Rejected, OrderState::Rejected, 0) };
    for (number, legs) in pairs.iter().enumerate() {
        legs.iter().for_each(|leg| rig.send(leg));
        rig.settle(NOW);
        // Of the first two route has told; the last is on its way.
        for leg in legs {
            again.tell(&Report { at: NOW, ..report(leg, ReportKind::Sent, OrderState::Sent, 0) });
            if number < 2 {
                rig.tell(&refused(leg));
            }
        }
        legs.iter().rev().filter(|_| number < 2).for_each(|leg| again.tell(&refused(leg)));
    }
    recover(&mut again, &mut rig, false);
    again.settle(NOW);
    assert_eq!(again.risk.ports.page.source(SourceId(0)), HaltState::Active, "two, and not four");
    assert_eq!(again.risk.exposure(0), Some((0, 0, 20)));
    let amend = crate::tick_to_trade::risk::fixture::amend(id(0, 9), pairs[2][1].id, 0, 8);
    assert_eq!(again.risk.check(&amend, NOW), Err(RejectCode::KeepPriority));
    pairs[2].iter().for_each(|leg| again.tell(&refused(leg)));
    again.settle(NOW);
    assert_eq!(again.risk.ports.page.source(SourceId(0)), HaltState::Halted, "the third");
    assert_eq!(again.risk.open_orders().0, 0);
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
