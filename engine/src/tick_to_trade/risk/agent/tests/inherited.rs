//! Risk that begins halted for what another session left.

use super::*;

#[test]
fn nothing_is_approved_before_a_person_lets_go_and_a_restart_does_not_forget_it() {
    let mut rig = Rig::new(limits());
    rig.risk.begin_halted("session 1: 0.5 AUSDT", NOW);
    rig.send(&limit(id(2, 1), 0, Side::Buy, 1_000, 10));
    rig.settle(NOW);
    assert_eq!(rig.orders(), []);
    let page = HaltReader::attach(&rig.folder.path().join("risk")).expect("attached");
    assert_eq!(page.global(), HaltState::CancelOnly);
    let halts: Vec<Halt> = rig.records().iter().filter_map(Record::read).collect();
    assert_eq!(halts.len(), 1);
    assert_eq!(
        (halts[0].cause, halts[0].reason()),
        (RejectCode::Unresolved.code(), Some("session 1: 0.5 AUSDT"))
    );

    let records = rig.records();
    let mut again = Rig::new(limits());
    again.risk.recover(records.iter().copied().map(Ok), &instruments(), false).expect("recovered");
    assert_eq!(again.risk.ports.page.global(), HaltState::CancelOnly);
    again.risk.clear_global("it holds that at will", NOW);
    again.send(&limit(id(2, 2), 0, Side::Buy, 1_000, 10));
    again.settle(NOW);
    assert_eq!(again.orders().len(), 1);
}
