//! What latches hold, whom they cost what is open, and who is refused in whose name.

use super::*;
use crate::message::IntentKind;

fn halts(rig: &mut Rig) -> Vec<(u8, HaltState)> {
    let state = |halt: Halt| (halt.scope, HaltState::try_from(halt.state).expect("a state"));
    rig.records().iter().filter_map(Record::read).map(state).collect()
}

/// Targets of the cancels that risk has sent of its own accord since it was last asked.
fn cancelled(rig: &mut Rig) -> Vec<OrderId> {
    let orders = rig.orders();
    let own = orders.iter().map(SealedOrder::intent).filter(|intent| intent.id.source == SourceId::RISK);
    own.inspect(|intent| assert_eq!(intent.kind, IntentKind::Cancel.code())).map(|own| own.target).collect()
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

#[test]
fn whom_a_latch_halts_loses_what_is_open_until_it_is_gone() {
    let mut rig = Rig::new(limits());
    rig.settle(NOW);
    let at = |millis| NOW.saturating_add(Nanos::from_millis(millis));
    let orders = [
        limit(id(0, 1), 0, Side::Buy, 1_000, 2),
        limit(id(0, 2), 1, Side::Buy, 1_000, 2),
        limit(id(1, 1), 2, Side::Buy, 1_000, 2),
    ];
    orders.iter().for_each(|order| rig.send(order));
    rig.settle(at(0));
    assert_eq!(rig.orders().len(), 3);
    rig.risk.raise(None, HaltState::ReduceOnly, plain(RejectCode::DayLoss), at(0));
    rig.settle(at(0));
    assert!(rig.orders().is_empty(), "what may still shrink a position stays");
    rig.risk.raise(Some(SourceId(0)), HaltState::Halted, plain(RejectCode::RejectStorm), at(0));
    rig.settle(at(0));
    let mut seen = cancelled(&mut rig);
    seen.sort_unstable();
    assert_eq!(seen, [orders[0].id, orders[1].id], "its own, and nobody else's");
    assert_eq!(rig.risk.next_deadline(), at(1_000));
    rig.tell(&report(&orders[0], ReportKind::Canceled, OrderState::Canceled, 0));
    rig.settle(at(999));
    assert!(rig.orders().is_empty());
    rig.settle(at(1_000));
    assert_eq!(cancelled(&mut rig), [orders[1].id], "again, until it is gone");
    rig.risk.raise(None, HaltState::Halted, plain(RejectCode::DayLoss), at(1_100));
    rig.settle(at(1_100));
    assert_eq!(cancelled(&mut rig).len(), 2, "everybody's");
    rig.risk.clear_global("looked into it", at(1_200));
    rig.risk.clear_source(SourceId(0), "looked into it", at(1_200));
    rig.settle(at(9_000));
    assert!(rig.orders().is_empty(), "whom nothing halts keeps what is open");
}

#[test]
fn what_a_halted_page_left_open_is_cancelled_a_batch_a_cycle() {
    let mut limits = limits();
    let wide = Rate::new(1_000, Nanos::from_secs(1));
    (limits.account.orders, limits.account.max_open, limits.sources[0].orders) = (wide, 1_000, wide);
    (limits.instruments[2].max_open, limits.account.duplicates.count) = (1_000, 1_000);
    let mut rig = Rig::new(limits);
    rig.settle(NOW);
    let count = crate::limits::POLL_BATCH as u64 + 3;
    for sequence in 1..=count {
        rig.send(&limit(id(0, sequence), 2, Side::Buy, 1_000, 1));
        rig.settle(NOW);
        assert_eq!(rig.orders().len(), 1);
    }
    rig.risk.raise(None, HaltState::Halted, plain(RejectCode::Journal), NOW);
    let mut left = count;
    while left > 0 {
        let work = rig.risk.do_work(NOW) as u64;
        rig.writer.drain().expect("written");
        let seen = cancelled(&mut rig).len() as u64;
        assert_eq!(seen, work.min(left));
        assert!(seen > 0 && seen <= crate::limits::POLL_BATCH as u64);
        left -= seen;
    }
    assert_eq!(rig.risk.do_work(NOW), 0);
}
