//! Risk after a restart, and when others die or lie.

use super::*;
use crate::journal::{EpochStart, InstrumentRow};

/// The start of an epoch, as the assembly writes it.
pub(super) fn begin(journal: &mut Journal) {
    let table = instruments();
    let start = EpochStart::new("test", 0, 4, NOW, 0, 0);
    journal.append(NOW, 0, &start).expect("room");
    for (index, instrument) in table.iter() {
        let row = InstrumentRow::new(index, instrument);
        journal.append(NOW, 0, &row).expect("room");
    }
}

#[test]
fn a_restarted_risk_counts_what_was_approved_in_full() {
    let mut rig = Rig::new(limits());
    begin(&mut rig.risk.ports.journal);
    rig.settle(NOW);
    let orders = [limit(id(0, 1), 0, Side::Buy, 1_000, 20), limit(id(0, 2), 0, Side::Buy, 995, 10)];
    for order in &orders {
        rig.send(order);
    }
    rig.settle(NOW);
    let told =
        [fill(&orders[0], 1_000, 4, 4, 1), report(&orders[0], ReportKind::Canceled, OrderState::Canceled, 4)];
    // The second order was approved and nothing was heard of it: it counts in full.
    let mut again = Rig::new(limits());
    begin(&mut again.route.2);
    told.iter().for_each(|report| again.tell(report));
    let records = rig.records();
    let found =
        again.risk.recover(records.iter().copied().map(Ok), &instruments(), false).expect("recovered");
    assert_eq!((found.reports, found.unreported, found.unsent), (2, 1, 0));
    assert_eq!(again.risk.exposure(0), Some((4, 10, 0)));
    assert_eq!(again.risk.open_orders(), (1, 0));
    again.settle(NOW);
    assert_eq!(again.risk.check(&orders[1], NOW), Err(RejectCode::DuplicateId), "an id is used once ever");
    // The baseline of the day survives too.
    again.risk.state.day.restore(0, Some(5_000 * USD));
    again.risk.check_day(NOW);
    assert_eq!(again.risk.day_result(), Some(-5_000 * USD + 4 * 5 * USD));
}

#[test]
fn a_restarted_risk_counts_a_replacement_beside_the_order_whose_place_it_takes() {
    let mut rig = Rig::new(limits());
    begin(&mut rig.risk.ports.journal);
    rig.settle(NOW);
    let old = limit(id(0, 1), 0, Side::Buy, 1_000, 20);
    rig.send(&old);
    rig.settle(NOW);
    let kind = crate::message::IntentKind::Replace.code();
    let new = Intent { target: old.id, kind, ..limit(id(0, 2), 0, Side::Buy, 995, 10) };
    let elapsed = rig.risk.elapsed();
    rig.risk.ports.journal.append(NOW, elapsed, &Decision::new(new, RejectCode::None, 0)).expect("room");
    let mut again = Rig::new(limits());
    begin(&mut again.route.2);
    again.tell(&report(&old, ReportKind::Accepted, OrderState::Open, 0));
    let records = rig.records();
    let found =
        again.risk.recover(records.iter().copied().map(Ok), &instruments(), false).expect("recovered");
    assert_eq!((found.unreported, again.risk.exposure(0)), (1, Some((0, 30, 0))));
    assert_eq!(
        again.risk.check(&Intent { target: OrderId::NONE, kind: 1, ..new }, NOW),
        Err(RejectCode::DuplicateId)
    );
    again.tell(&report(&old, ReportKind::Canceled, OrderState::Canceled, 0));
    again.tell(&report(&new, ReportKind::Rejected, OrderState::Rejected, 0));
    again.settle(NOW);
    assert_eq!(again.risk.exposure(0), Some((0, 0, 0)));
}

#[test]
fn latches_and_what_never_left_survive_a_restart() {
    let mut rig = Rig::new(limits());
    begin(&mut rig.risk.ports.journal);
    rig.settle(NOW);
    let orders = [limit(id(0, 1), 0, Side::Buy, 1_000, 20), limit(id(0, 2), 0, Side::Buy, 995, 10)];
    rig.send(&orders[0]);
    rig.settle(NOW);
    rig.risk.raise(Some(SourceId(1)), HaltState::Halted, plain(RejectCode::RejectStorm), NOW);
    rig.risk.raise(None, HaltState::ReduceOnly, plain(RejectCode::DayLoss), NOW);
    // Approved and journalled, but its life ended before it reached the ring.
    let elapsed = rig.risk.elapsed();
    rig.risk
        .ports
        .journal
        .append(NOW, elapsed, &Decision::new(orders[1], RejectCode::None, 0))
        .expect("room");
    let records = rig.records();
    let path = |name: &str| path(rig.folder.path(), name);
    let (ring, cursor) = (path("orders"), path("orders.cursor"));
    let mut again = Rig::new(limits());
    begin(&mut again.route.2);
    again.risk.ports.orders = Producer::resume(&ring, &cursor, RING_CAPACITY_MIN, EPOCH).expect("taken over");
    let found = again.risk.recover(records.iter().copied().map(Ok), &instruments(), true).expect("recovered");
    assert_eq!((found.unreported, found.unsent), (1, 1));
    assert_eq!(again.risk.exposure(0), Some((0, 20, 0)), "what never left binds nothing");
    again.settle(NOW);
    assert_eq!(again.risk.check(&limit(id(1, 9), 1, Side::Buy, 1_000, 2), NOW), Err(RejectCode::Halted));
    assert_eq!(again.risk.check(&limit(id(0, 9), 1, Side::Buy, 1_000, 2), NOW), Err(RejectCode::Halted));
    // Intents whose slots had not been given back are passed over, not decided twice.
    again.send(&orders[0]);
    again.settle(NOW);
    let withdrawn: Vec<_> = again.decisions().iter().map(|(_, decision)| decision.intent().id).collect();
    assert_eq!(withdrawn, [orders[1].id], "all that is journalled is the end of what never left");
    again.risk.clear_source(SourceId(1), "seen to", NOW);
    again.risk.clear_global("seen to", NOW);
    assert_eq!(again.risk.check(&limit(id(1, 9), 1, Side::Buy, 1_000, 2), NOW), Ok(()));
}

#[test]
fn a_dead_link_stops_new_orders_and_a_dead_strategy_loses_its_own() {
    use crate::counters::Heartbeat;
    use crate::shm::paths::IpcPaths;
    let mut rig = Rig::new(limits());
    let ipc = IpcPaths::new(rig.folder.path().join("ipc"));
    ipc.create().expect("made");
    let at = |millis: i64| NOW.saturating_add(Nanos::from_millis(millis));
    let heart = |owner: &str| Heartbeat::create(&ipc.heartbeat(owner), 1).expect("made");
    rig.risk.ports.peers = Peers::watch(&ipc);
    let (mut ingest, mut route) = (heart("ingest"), heart("route"));
    let order = limit(id(2, 1), 0, Side::Buy, 1_000, 2);
    rig.settle(at(0));
    assert_eq!(rig.risk.check(&order, at(0)), Err(RejectCode::LinkDown), "they are there, but never beat");
    let mut strategy = heart("strategy");
    let mut step = |rig: &mut Rig, millis: i64, who: [bool; 3]| {
        for (heart, beats) in [&mut ingest, &mut route, &mut strategy].into_iter().zip(who) {
            if beats {
                heart.beat(at(millis));
            }
        }
        rig.settle(at(millis));
    };
    step(&mut rig, 100, [true, true, true]);
    assert_eq!(rig.risk.check(&order, at(100)), Ok(()), "it clears by itself");
    rig.send(&order);
    (2..=5).for_each(|look| step(&mut rig, look * 100, [true, true, true]));
    assert_eq!(rig.orders().len(), 1);
    (6..=14).for_each(|look| step(&mut rig, look * 100, [true, false, true]));
    assert_eq!(rig.risk.check(&limit(id(2, 2), 0, Side::Buy, 1_000, 2), at(1_400)), Ok(()));
    (15..=16).for_each(|look| step(&mut rig, look * 100, [true, false, true]));
    assert_eq!(
        rig.risk.check(&limit(id(2, 2), 0, Side::Buy, 1_000, 2), at(1_600)),
        Err(RejectCode::LinkDown)
    );
    assert!(rig.orders().is_empty(), "the strategy lives: its orders stay");
    (17..=28).for_each(|look| step(&mut rig, look * 100, [true, true, false]));
    let cancels = rig.orders();
    let seen: Vec<_> = cancels.iter().map(|cancel| (cancel.intent().kind, cancel.intent().target)).collect();
    assert_eq!(seen, [(crate::message::IntentKind::Cancel.code(), order.id)]);
    assert_eq!(cancels[0].intent().id.source, SourceId::RISK);
    // Reported gone: no more cancels.
    rig.tell(&report(&order, ReportKind::Canceled, OrderState::Canceled, 0));
    (29..=60).for_each(|look| step(&mut rig, look * 100, [true, true, false]));
    assert!(rig.orders().is_empty());
}

#[test]
fn strategies_that_leave_on_purpose_keep_their_orders_until_risk_closes() {
    use crate::counters::Heartbeat;
    use crate::shm::paths::IpcPaths;
    let mut rig = Rig::new(limits());
    let ipc = IpcPaths::new(rig.folder.path().join("ipc"));
    ipc.create().expect("made");
    let at = |millis: i64| NOW.saturating_add(Nanos::from_millis(millis));
    let mut hearts = ["ingest", "route", "strategy"]
        .map(|owner| Heartbeat::create(&ipc.heartbeat(owner), 1).expect("made"));
    rig.risk.ports.peers = Peers::watch(&ipc);
    let order = limit(id(2, 1), 0, Side::Buy, 1_000, 2);
    for look in 0..=2 {
        hearts.iter_mut().for_each(|heart| heart.beat(at(100 * look)));
        rig.settle(at(100 * look));
    }
    rig.send(&order);
    rig.settle(at(300));
    assert_eq!(rig.orders().len(), 1);
    hearts[2].rest();
    for look in 4..=40 {
        hearts[..2].iter_mut().for_each(|heart| heart.beat(at(100 * look)));
        rig.settle(at(100 * look));
    }
    assert!(rig.orders().is_empty(), "they are gone, and what they had stays");
    // At its own end risk leaves nothing, and approves nothing.
    rig.risk.close(at(4_000));
    assert_eq!(rig.risk.check(&limit(id(2, 2), 0, Side::Buy, 1_000, 2), at(4_000)), Err(RejectCode::Halted));
    rig.settle(at(4_100));
    assert!(rig.orders().is_empty(), "whoever placed it has time to cancel it");
    rig.settle(at(4_200));
    let cancels: Vec<_> = rig.orders().iter().map(|cancel| cancel.intent().target).collect();
    assert_eq!(cancels, [order.id]);
    rig.settle(at(5_100));
    assert!(rig.orders().is_empty());
    rig.settle(at(5_200));
    assert_eq!(rig.orders().len(), 1, "again, until it is gone");
}

#[test]
fn a_ring_that_lies_is_quarantined_and_its_source_halted() {
    let mut rig = Rig::new(limits());
    let (ring, cursor) = (path(rig.folder.path(), "intents0"), path(rig.folder.path(), "lie.cursor"));
    // A producer that does not wait for its consumer: it believes a cursor of its own making.
    let mut liar =
        Producer::<Intent>::resume(&ring, &cursor, RING_CAPACITY_MIN, EPOCH).expect("its own ring");
    let mut accomplice = Consumer::<Intent>::attach(&ring, &cursor).expect("attached");
    rig.settle(NOW);
    for sequence in 1..=RING_CAPACITY_MIN as u64 + 1 {
        liar.try_push(&limit(id(0, sequence), 0, Side::Buy, 1_000, 2)).expect("room");
        accomplice.poll_held();
        accomplice.commit();
    }
    rig.settle(NOW.saturating_add(Nanos::from_millis(100)));
    assert_eq!(rig.risk.check(&limit(id(0, 99), 0, Side::Buy, 1_000, 2), NOW), Err(RejectCode::Halted));
    assert_eq!(
        rig.risk.check(&limit(id(1, 99), 0, Side::Buy, 1_000, 2), NOW),
        Ok(()),
        "nobody else is disturbed"
    );
    assert!(rig.risk.ports.intents[0].1.get().is_none());
    assert_eq!(rig.risk.ports.intents[0].1.failure(), Some("holds what no producer leaves there"));
}

#[test]
fn a_ring_that_is_cut_short_halts_its_source_and_ticks_that_are_halt_all() {
    let mut rig = Rig::new(limits());
    let cut = |rig: &Rig, name: &str| {
        let file = std::fs::OpenOptions::new().write(true).open(path(rig.folder.path(), name));
        file.and_then(|file| file.set_len(0)).expect("cut");
    };
    let at = |millis| NOW.saturating_add(Nanos::from_millis(millis));
    rig.settle(NOW);
    cut(&rig, "intents0");
    rig.settle(at(100));
    assert_eq!(rig.risk.check(&limit(id(0, 99), 0, Side::Buy, 1_000, 2), NOW), Err(RejectCode::Halted));
    assert_eq!(rig.risk.check(&limit(id(1, 99), 0, Side::Buy, 1_000, 2), NOW), Ok(()));
    assert_eq!(rig.risk.ports.intents[0].1.failure(), Some("was cut short while it was read"));
    cut(&rig, "ticks");
    rig.settle(at(200));
    assert_eq!(rig.risk.check(&limit(id(1, 99), 0, Side::Buy, 1_000, 2), NOW), Err(RejectCode::Halted));
    assert!(rig.risk.ports.ticks.get().is_none());
}
