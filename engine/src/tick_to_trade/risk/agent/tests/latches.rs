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

#[test]
fn a_foreign_identity_is_refused_in_its_rings_name() {
    let mut rig = Rig::new(limits());
    rig.settle(NOW);
    let working = limit(id(2, 1), 0, Side::Buy, 1_000, 2);
    rig.send(&working);
    rig.settle(NOW);
    // Source 1 names the operator's order, and an identity above all that the operator will ever have.
    let highest = OrderId { source_epoch: u16::MAX, sequence: u64::MAX, ..working.id };
    for id in [working.id, highest] {
        rig.intents[1].try_push(&Intent { id, ..working }).expect("room");
    }
    rig.settle(NOW);
    let decisions = rig.decisions();
    let refused = |decision: &Decision| (decision.intent().id, decision.code());
    let nameless = OrderId::nameless(EPOCH, SourceId(1));
    let bad = RejectCode::BadRequest.code();
    assert_eq!(
        decisions.iter().map(|(_, decision)| refused(decision)).collect::<Vec<_>>(),
        [(working.id, RejectCode::None.code()), (nameless, bad), (nameless, bad)],
        "no refusal names the operator's order"
    );
    // After a restart the operator's next intent is decided, and the forged one again refused.
    let mut records = rig.records();
    let sequence = records.len() as u64 + 1;
    let elder = Decision::new(Intent { id: nameless, ..working }, RejectCode::BadRequest, 0);
    records.push(Record::new(sequence, EPOCH, NOW, 0, &elder));
    let mut again = Rig::new(limits());
    again.risk.recover(records.into_iter().map(Ok), &instruments(), false).expect("recovered");
    again.settle(NOW);
    again.intents[1].try_push(&working).expect("room");
    again.send(&limit(id(2, 2), 0, Side::Buy, 995, 2));
    again.settle(NOW);
    let decisions = again.decisions();
    let mut seen: Vec<_> = decisions.iter().map(|(_, decision)| refused(decision)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(nameless, bad), (id(2, 2), RejectCode::None.code())]);
}
