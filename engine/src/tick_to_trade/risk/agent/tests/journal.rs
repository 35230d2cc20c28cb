//! What risk does when what it journals does not reach a disk (C25).

use super::*;

/// The code of a new order that is sent at `now`, and how many orders leave for it and for a cancel of `resting`.
fn answers(rig: &mut Rig, sequence: u64, resting: OrderId, now: Nanos) -> (RejectCode, usize) {
    (0..4).for_each(|instrument| rig.ticks.publish(&top(instrument, 1_000, 1_010, now)));
    rig.send(&limit(id(0, sequence), 0, Side::Buy, 1_000, 2));
    rig.send(&cancel(id(0, sequence + 1), resting, 0));
    rig.settle(now);
    let code = rig.risk.counts().rejected.iter().position(|&count| count > 0).unwrap_or_default();
    rig.risk.counts.rejected.fill(0);
    (RejectCode::try_from(u8::try_from(code).expect("a code")).expect("a code"), rig.orders().len())
}

#[test]
fn without_room_nothing_new_passes_until_there_is_and_cancels_do() {
    let mut rig = Rig::new(limits());
    let resting = id(0, 1);
    rig.send(&limit(resting, 0, Side::Buy, 1_000, 2));
    rig.settle(NOW);
    assert_eq!(rig.orders().len(), 1);
    rig.health.has_room(false);
    assert_eq!(answers(&mut rig, 2, resting, NOW), (RejectCode::Journal, 1));
    rig.health.has_room(true);
    assert_eq!(answers(&mut rig, 4, resting, NOW), (RejectCode::None, 2), "it clears by itself");
}

#[test]
fn a_journal_that_failed_stops_orders_at_once_and_latches_everything() {
    let mut rig = Rig::new(limits());
    let resting = id(0, 1);
    rig.send(&limit(resting, 0, Side::Buy, 1_000, 2));
    rig.settle(NOW);
    rig.orders();
    rig.health.fail(&SetupError::Invalid("segment 1: sync: no".to_owned()));
    // Its own cancel, and that of risk, whose latch cancels what is open of everybody.
    assert_eq!(answers(&mut rig, 2, resting, NOW), (RejectCode::Journal, 2), "before any look");
    assert_eq!(answers(&mut rig, 4, resting, NOW), (RejectCode::Halted, 1));
    let page = HaltReader::attach(&path(rig.folder.path(), "risk")).expect("attached");
    assert_eq!(page.global(), HaltState::Halted);
    let halts: Vec<_> = rig.records().iter().filter_map(Record::read::<Halt>).collect();
    assert_eq!(halts.len(), 1, "once");
    assert_eq!(RejectCode::try_from(halts[0].cause), Ok(RejectCode::Journal));
}

#[test]
fn an_end_that_a_failure_began_latches_as_well() {
    let mut rig = Rig::new(limits());
    rig.settle(NOW);
    rig.health.fail(&SetupError::Invalid("segment 1: sync: no".to_owned()));
    rig.risk.close(NOW);
    rig.risk.do_work(NOW);
    let page = HaltReader::attach(&path(rig.folder.path(), "risk")).expect("attached");
    assert_eq!(page.global(), HaltState::Halted);
}
