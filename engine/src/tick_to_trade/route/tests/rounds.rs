//! A way on which nobody tells of orders: what becomes of them is found by asking.

use super::connection::{after, filled, trade, trades_of};
use super::*;
use crate::tick_to_trade::route::rounds::{APART, ROUND, UNHEARD_MAX};

/// With a venue that answers, and tells nothing by itself.
fn stood_in() -> Bench {
    let mut bench = Bench::with(RouteTiming { connection: true, ..RouteTiming::default() });
    bench.tell(OrderId::NONE, VenueEventKind::StoodIn);
    bench.tell(OrderId::NONE, VenueEventKind::OpenOrdersTold);
    assert_eq!(bench.work(START), []);
    assert_eq!(bench.seen(), [Seen::Ask(Question::OpenOrders)]);
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::Active);
    bench
}

/// An order that rests, as the answer to its own request says.
fn rests(bench: &mut Bench, sequence: u64, now: Nanos) -> OrderId {
    let id = bench.place(sequence);
    bench.work(now);
    bench.tell(id, told(OrderState::Open));
    bench.work(now);
    assert_eq!(filled(bench, id), (OrderState::Open, 0, 10));
    assert!(bench.seen().contains(&Seen::Place(id)));
    id
}

#[test]
fn a_fill_that_nobody_tells_of_is_found_by_asking_and_counts_once() {
    let mut bench = stood_in();
    let id = rests(&mut bench, 1, START);
    let mut asked = Vec::new();
    for second in 1..=3 {
        bench.tell_filled(id, told(OrderState::Open), 0);
        assert_eq!(bench.work(after(second)), []);
        asked.extend(bench.seen());
    }
    assert_eq!(asked, [Seen::Query(id); 3]);
    // A part of it trades, and later the rest; each list of its trades has them all.
    bench.tell_filled(id, told(OrderState::Partial), 4);
    assert_eq!(bench.work(after(4)), []);
    assert_eq!(bench.seen().last(), Some(&trades_of(id)));
    bench.tell(id, trade(4, 20));
    bench.tell(id, VenueEventKind::TradesTold);
    assert_eq!(bench.work(after(4)), [(ReportKind::Fill, OrderState::Partial)]);
    bench.tell_filled(id, told(OrderState::Filled), 10);
    bench.work(after(6));
    assert_eq!(bench.seen().last(), Some(&trades_of(id)));
    for _ in 0..2 {
        bench.tell(id, trade(4, 20));
        bench.tell(id, trade(6, 21));
        bench.tell(id, VenueEventKind::TradesTold);
    }
    assert_eq!(bench.work(after(6)), [(ReportKind::Fill, OrderState::Filled)]);
    assert_eq!((filled(&bench, id), bench.route.counters.fills), ((OrderState::Filled, 10, 0), 2));
    bench.seen();
    bench.work(after(60));
    assert_eq!(bench.seen(), [], "nothing is asked of what has ended");
    let counters = &bench.route.counters;
    assert_eq!((counters.reconciled, counters.disconnects), (1, 0), "and nothing was listed again");
}

#[test]
fn every_order_has_its_turn_and_no_more_is_asked_than_the_rate_allows() {
    for count in [1, 2, 5, 12] {
        let mut bench = stood_in();
        let ids: Vec<OrderId> = (1..=count).map(|sequence| rests(&mut bench, sequence, START)).collect();
        let step = Nanos(APART.0 / 4);
        // Long enough for two rounds.
        let (mut now, mut turns) = (START, Vec::new());
        let end = START + Nanos(ROUND.0.max(APART.0 * count as i64) * 2 + ROUND.0);
        while now < end {
            now = now + step;
            bench.work(now);
            for seen in bench.seen() {
                let Seen::Query(id) = seen else { panic!("{seen:?}") };
                bench.tell(id, told(OrderState::Open));
                turns.push((id, now));
            }
        }
        for id in &ids {
            let own: Vec<Nanos> = turns.iter().filter(|turn| turn.0 == *id).map(|turn| turn.1).collect();
            assert!(own.len() >= 2, "{count}: {id} had {own:?}");
            assert!(own.windows(2).all(|two| two[1] - two[0] >= ROUND), "{count}: {id} had {own:?}");
        }
        assert!(turns.windows(2).all(|two| two[1].1 - two[0].1 >= APART), "{count}: {turns:?}");
    }
}

#[test]
fn nobody_is_asked_while_events_are_told_or_nothing_is_settled() {
    let mut bench = Bench::connected();
    let id = bench.place(1);
    bench.work(START);
    bench.tell(id, VenueEventKind::Accepted);
    bench.work(START);
    bench.seen();
    bench.work(after(60));
    assert_eq!(bench.seen(), []);
    assert_eq!(bench.route.next_deadline(), Nanos::NEVER);

    bench.tell(OrderId::NONE, VenueEventKind::Disconnected);
    bench.tell(OrderId::NONE, VenueEventKind::StoodIn);
    bench.work(after(61));
    assert_eq!(bench.seen(), [Seen::Ask(Question::OpenOrders)], "what was missed comes first");
    bench.tell(id, told(OrderState::Open));
    bench.tell(OrderId::NONE, VenueEventKind::OpenOrdersTold);
    bench.work(after(62));
    assert_eq!(bench.seen(), [Seen::Query(id)]);
    // The session is back, and then nothing is.
    bench.tell(OrderId::NONE, VenueEventKind::Disconnected);
    bench.work(after(63));
    bench.work(after(70));
    assert_eq!(bench.seen(), []);
    bench.tell(OrderId::NONE, VenueEventKind::Connected);
    bench.tell(id, told(OrderState::Open));
    bench.tell(OrderId::NONE, VenueEventKind::OpenOrdersTold);
    bench.work(after(71));
    assert_eq!(bench.seen(), [Seen::Ask(Question::OpenOrders)]);
    bench.work(after(100));
    assert_eq!(bench.seen(), []);
}

#[test]
fn an_answer_older_than_the_cancel_does_not_refuse_it() {
    for overtaken in [true, false] {
        let mut bench = stood_in();
        let id = rests(&mut bench, 1, START);
        let now = if overtaken { after(1) } else { START };
        bench.work(now);
        assert_eq!(bench.seen(), vec![Seen::Query(id); usize::from(overtaken)]);
        bench.approve(cancel(id, 2));
        bench.work(now);
        assert_eq!(bench.seen(), [Seen::Cancel(id)]);
        bench.tell(id, told(OrderState::Open));
        let refused = [(ReportKind::CancelRejected, OrderState::Open)];
        assert_eq!(bench.work(now), if overtaken { &[][..] } else { &refused[..] });
        if overtaken {
            // What it says of an end holds whenever it was asked for.
            bench.tell(id, told(OrderState::Canceled));
            assert_eq!(bench.work(now), [(ReportKind::Canceled, OrderState::Canceled)]);
        }
    }
}

#[test]
fn a_lost_answer_is_asked_for_and_not_sent_again() {
    let mut bench = stood_in();
    let id = bench.place(1);
    bench.work(START);
    assert_eq!(bench.seen(), [Seen::Place(id)]);
    bench.tell(id, VenueEventKind::Unknown);
    assert_eq!(bench.work(START), [(ReportKind::Unknown, OrderState::Unknown)]);
    assert_eq!(bench.seen(), [Seen::Query(id)]);
    bench.tell(id, told(OrderState::Open));
    assert_eq!(bench.work(START), [(ReportKind::Accepted, OrderState::Open)]);
    assert_eq!(bench.route.counters.sent, 1);
}

#[test]
fn while_nothing_is_answered_nothing_new_leaves_and_cancels_do() {
    let mut bench = stood_in();
    let id = rests(&mut bench, 1, START);
    let first = START + ROUND;
    bench.work(first);
    let late = first + UNHEARD_MAX + Nanos(1);
    bench.work(late);
    bench.seen();
    let refused = bench.place(2);
    assert_eq!(bench.work(late), [(ReportKind::Rejected, OrderState::Rejected)]);
    assert_eq!(bench.seen(), []);
    bench.approve(cancel(id, 9));
    assert_eq!(bench.work(late), [(ReportKind::CancelSent, OrderState::PendingCancel)]);
    assert!(bench.seen().contains(&Seen::Cancel(id)));
    assert!(bench.route.orders.get(refused).is_none_or(|order| order.state == OrderState::Rejected));
    // Whatever it says of an order shows that it answers again.
    bench.tell(id, VenueEventKind::Canceled);
    bench.work(late);
    let third = bench.place(3);
    assert_eq!(bench.work(late), [(ReportKind::Sent, OrderState::Sent)]);
    assert_eq!(bench.seen(), [Seen::Place(third)]);
}

#[test]
fn that_nothing_is_left_to_be_told_is_no_silence() {
    let mut bench = stood_in();
    let ids = [1, 2].map(|sequence| rests(&mut bench, sequence, START));
    // A round begins, and both end before its second turn.
    bench.work(START + ROUND);
    ids.iter().for_each(|&id| bench.tell(id, VenueEventKind::Canceled));
    bench.work(START + ROUND);
    for quarter in 5..40 {
        bench.work(START + Nanos(ROUND.0 / 4 * quarter));
    }
    let late = START + Nanos(ROUND.0 * 10) + UNHEARD_MAX;
    bench.work(late);
    bench.place(3);
    assert_eq!(bench.work(late), [(ReportKind::Sent, OrderState::Sent)]);
}

#[test]
fn what_we_say_ourselves_is_no_answer() {
    for said in [VenueEventKind::Unknown, VenueEventKind::CancelRejected { code: 0 }] {
        let mut bench = stood_in();
        let id = rests(&mut bench, 1, START);
        let first = START + ROUND;
        bench.work(first);
        bench.tell(id, said);
        bench.work(first);
        let late = first + UNHEARD_MAX + Nanos(1);
        bench.work(late);
        bench.place(2);
        assert_eq!(bench.work(late), [(ReportKind::Rejected, OrderState::Rejected)], "{said:?}");
    }
}

#[test]
fn that_an_order_was_taken_is_no_answer_to_the_cancel_behind_it() {
    let mut bench = stood_in();
    let id = bench.place(1);
    bench.work(START);
    bench.approve(cancel(id, 2));
    assert_eq!(bench.work(START), [(ReportKind::CancelSent, OrderState::PendingCancel)]);
    bench.tell(id, told(OrderState::Open));
    assert_eq!(bench.work(START), []);
    bench.tell(id, VenueEventKind::Canceled);
    assert_eq!(bench.work(START), [(ReportKind::Canceled, OrderState::Canceled)]);
}
