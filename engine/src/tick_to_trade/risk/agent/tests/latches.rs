//! What latches hold, whom they cost what is open, and who is refused in whose name.

use super::*;

fn halts(rig: &mut Rig) -> Vec<(u8, HaltState)> {
    let state = |halt: Halt| (halt.scope, HaltState::try_from(halt.state).expect("a state"));
    rig.records().iter().filter_map(Record::read).map(state).collect()
}

#[test]
fn a_latch_lowers_none_that_stands() {
    let mut rig = Rig::new(limits());
    rig.settle(NOW);
    // One batch of fills crosses the soft limit of the day, then the hard one.
    rig.tell(&fill(&limit(id(0, 1), 0, Side::Buy, 1_110, 10), 1_110, 10, 10, 1));
    rig.tell(&fill(&limit(id(0, 2), 0, Side::Buy, 1_110, 20), 1_110, 20, 20, 2));
    rig.settle(NOW);
    assert_eq!(rig.risk.ports.page.global(), HaltState::Halted);
    assert_eq!(halts(&mut rig), [(1, HaltState::ReduceOnly), (1, HaltState::Halted)], "in order");
    // A milder one does not let go of it, and the journal says what holds.
    rig.risk.raise(None, HaltState::CancelOnly, plain(RejectCode::StaleMarketData), NOW);
    rig.risk.raise(Some(SourceId(1)), HaltState::Halted, plain(RejectCode::RejectStorm), NOW);
    rig.risk.raise(Some(SourceId(1)), HaltState::ReduceOnly, plain(RejectCode::RejectStorm), NOW);
    let page = &rig.risk.ports.page;
    assert_eq!([page.global(), page.source(SourceId(1))], [HaltState::Halted; 2]);
    assert_eq!(page.source(SourceId(0)), HaltState::Active);
    assert_eq!(
        halts(&mut rig)[2..],
        [(1, HaltState::Halted), (2, HaltState::Halted), (2, HaltState::Halted)]
    );
    rig.risk.clear_global("looked into it", NOW);
    assert_eq!(rig.risk.ports.page.global(), HaltState::Active, "an operator lowers it");
}
