//! Pairs through the whole pass.

use super::*;
use crate::domain::{OrderType, Price, Quantity, Side, SourceId, TimeInForce};
use crate::message::report::OrderState;
use crate::message::{IntentKind, Report, ReportKind};
use crate::tick_to_trade::risk::fixture::{
    EPOCH, OPEN, USD, fill, id, instruments, limit, limits, pair, report,
};
use crate::tick_to_trade::risk::limits::{Limits, Rate};
use crate::tick_to_trade::risk::market::tests::top;
use crate::tick_to_trade::risk::state::Latch;

const NOW: Nanos = Nanos::from_secs(100);

fn desk(limits: Limits) -> State {
    let mut state = State::new(&instruments(), limits, EPOCH).expect("valid limits");
    for instrument in 0..4 {
        state.on_tick(&top(instrument, 1_000, 1_010, NOW));
    }
    state.check_day(NOW);
    state.filters.iter_mut().for_each(|filters| filters.oco = true);
    state
}

fn verdict(state: &State, [above, below]: &[Intent; 2]) -> RejectCode {
    state.check_pair([above, below], above.id.source, NOW, &OPEN).err().unwrap_or(RejectCode::None)
}

fn approve(state: &mut State, legs: &[Intent; 2]) {
    let orders = state.check_pair([&legs[0], &legs[1]], legs[0].id.source, NOW, &OPEN);
    let orders = orders.expect("it passes");
    state.on_identity(legs[1].id);
    state.on_pair(&orders, NOW);
}

#[test]
fn both_pass_or_neither_and_each_is_held_to_every_control() {
    let state = desk(limits());
    let good = pair(1, 0, Side::Sell, 10);
    assert_eq!(verdict(&state, &good), RejectCode::None);
    assert_eq!(verdict(&state, &pair(1, 0, Side::Buy, 10)), RejectCode::None);
    type Spoil = fn(&mut Intent);
    let spoils: [(RejectCode, Spoil); 8] = [
        (RejectCode::Expired, |leg| leg.valid_until = Nanos(NOW.0 - 1)),
        (RejectCode::FilterPrice, |leg| leg.price = Price(leg.price.0 + 1)),
        (RejectCode::BadRequest, |leg| leg.quantity = Quantity(12)),
        (RejectCode::BadRequest, |leg| leg.side = Side::Buy.code()),
        (RejectCode::BadRequest, |leg| leg.self_trade = 2),
        (RejectCode::BadRequest, |leg| leg.order_type = OrderType::Limit.code()),
        (RejectCode::BadRequest, |leg| leg.instrument = 1),
        (RejectCode::BadRequest, |leg| leg.target = leg.id),
    ];
    for (code, spoil) in spoils {
        for place in 0..2 {
            let mut legs = good;
            spoil(&mut legs[place]);
            assert_eq!(verdict(&state, &legs), code, "leg {place}");
        }
    }
    // The one above is above, and no two wait for the same.
    let mut crossed = good;
    crossed[1].trigger = Price(1_055);
    assert_eq!(verdict(&state, &crossed), RejectCode::BadRequest);
    let mut stops = good;
    (stops[0].order_type, stops[0].trigger) = (OrderType::StopLossLimit.code(), Price(1_050));
    assert_eq!(verdict(&state, &stops), RejectCode::BadRequest);
    let far = [good[0], Intent { trigger: Price(500), price: Price(500), ..good[1] }];
    assert_eq!(verdict(&state, &far), RejectCode::Collar, "the lower one alone");
    let plain = [limit(id(0, 1), 0, Side::Sell, 1_050, 10), good[1]];
    assert_eq!(verdict(&state, &plain), RejectCode::BadRequest);
}

#[test]
fn one_alone_is_nothing_and_venues_without_pairs_take_none() {
    let mut state = desk(limits());
    let legs = pair(1, 0, Side::Sell, 10);
    for leg in &legs {
        let alone = state.check(leg, leg.id.source, NOW, &OPEN);
        assert_eq!(alone, Err(RejectCode::BadRequest));
        let late = Intent { valid_until: Nanos(NOW.0 - 1), ..*leg };
        assert_eq!(state.check(&late, leg.id.source, NOW, &OPEN), Err(RejectCode::Expired));
    }
    state.filters[0].oco = false;
    assert_eq!(verdict(&state, &legs), RejectCode::NoOco);
}

#[test]
fn the_larger_is_reserved_while_both_rest_and_each_for_itself_whenever_that_is_not_sure() {
    let sells = |state: &State| state.exposure(0).sells;
    let resting =
        |cumulative| move |leg: &Intent| report(leg, ReportKind::Accepted, OrderState::Open, cumulative);
    let mut state = desk(limits());
    let legs = pair(1, 0, Side::Sell, 10);
    approve(&mut state, &legs);
    assert_eq!((sells(&state), state.orders.tally(0).open), (10, 2));
    assert_eq!(state.exposure_of(SourceId(0), 0).sells, 10);
    legs.iter().for_each(|leg| assert!(!state.on_report(&resting(0)(leg), NOW)));
    assert_eq!(sells(&state), 10);
    for (odd, of, after) in [
        // A lost answer, of either.
        (report(&legs[0], ReportKind::Unknown, OrderState::Unknown, 0), 0, 20),
        (report(&legs[1], ReportKind::Unknown, OrderState::Unknown, 0), 1, 20),
        // One has ended: the other counts until its own end is told.
        (report(&legs[0], ReportKind::Canceled, OrderState::Canceled, 0), 0, 10),
        (report(&legs[1], ReportKind::Canceled, OrderState::Canceled, 0), 1, 10),
        // One trades: what is left of it, and the other until it is told to have expired.
        (fill(&legs[0], 1_050, 4, 4, 1), 0, 16),
        (fill(&legs[1], 945, 10, 10, 1), 1, 10),
        // One has become smaller at the venue: of the other nothing is told.
        (Report { leaves: Quantity(4), ..report(&legs[0], ReportKind::Amended, OrderState::Open, 0) }, 0, 14),
    ] {
        let mut state = desk(limits());
        approve(&mut state, &legs);
        state.on_report(&odd, NOW);
        assert_eq!(sells(&state), after, "{odd:?}");
        let other = &legs[1 - of];
        state.on_report(&report(other, ReportKind::Expired, OrderState::Expired, 0), NOW);
        let left = report(&legs[of], ReportKind::Canceled, OrderState::Canceled, odd.cumulative.0);
        state.on_report(&left, NOW);
        assert_eq!((sells(&state), state.orders.total().open), (0, 0), "{odd:?}");
    }
}

#[test]
fn a_position_limit_has_room_for_one_of_them_and_open_orders_and_rates_for_both() {
    let mut tight = limits();
    tight.instruments[0].max_position = Quantity(10);
    let mut state = desk(tight);
    let legs = pair(1, 0, Side::Sell, 10);
    approve(&mut state, &legs);
    let third = limit(id(0, 3), 0, Side::Sell, 1_020, 2);
    let check = |state: &State| state.check(&third, third.id.source, NOW, &OPEN).err();
    assert_eq!(check(&state), Some(RejectCode::MaxPosition));
    legs.iter().for_each(|leg| {
        state.on_report(&report(leg, ReportKind::Expired, OrderState::Expired, 0), NOW);
    });
    assert_eq!(check(&state), None);

    let mut few = limits();
    few.instruments[0].max_open = 1;
    assert_eq!(verdict(&desk(few), &legs), RejectCode::MaxOpen);
    let mut slow = limits();
    slow.account.orders = Rate::new(1, Nanos::from_secs(1));
    assert_eq!(verdict(&desk(slow), &legs), RejectCode::MessageRate);
    let mut small = limits();
    small.instruments[0].max_notional = 9_600 * USD;
    assert_eq!(verdict(&desk(small), &legs), RejectCode::MaxNotional, "the upper one alone");
    let gates = |journal_free, ring_free| Gates { journal_free, ring_free, ..OPEN };
    use crate::limits::CANCEL_RESERVE;
    use crate::tick_to_trade::risk::JOURNAL_RESERVE;
    for (gates, code) in [
        (gates(JOURNAL_RESERVE + 1, OPEN.ring_free), RejectCode::Journal),
        (gates(OPEN.journal_free, CANCEL_RESERVE + 1), RejectCode::RingFull),
    ] {
        let verdict = desk(limits()).check_pair([&legs[0], &legs[1]], SourceId(0), NOW, &gates);
        assert_eq!(verdict.err(), Some(code));
    }
}

#[test]
fn one_of_a_pair_is_neither_amended_nor_replaced() {
    let mut state = desk(limits());
    state.filters[0].cancel_replace = true;
    let legs = pair(1, 0, Side::Sell, 10);
    approve(&mut state, &legs);
    for leg in [&legs[0], &legs[0], &legs[1]] {
        // Once an answer was lost each counts for itself; to the venue they are a pair all the same.
        state.on_report(&report(leg, ReportKind::Unknown, OrderState::Unknown, 0), NOW);
        state.on_report(&report(leg, ReportKind::Accepted, OrderState::Open, 0), NOW);
        let amend = crate::tick_to_trade::risk::fixture::amend(id(0, 3), leg.id, 0, 8);
        assert_eq!(state.check(&amend, SourceId(0), NOW, &OPEN), Err(RejectCode::KeepPriority));
        let kind = IntentKind::Replace.code();
        let new = Intent { kind, target: leg.id, ..limit(id(0, 3), 0, Side::Sell, 1_020, 10) };
        assert_eq!(state.check(&new, SourceId(0), NOW, &OPEN), Err(RejectCode::NoReplace));
    }
    assert_eq!(legs[0].time_in_force, TimeInForce::GoodTillCancel.code());
}

#[test]
fn a_refused_pair_counts_once_whichever_of_both_is_told_of_first() {
    for first in [0, 1] {
        for unknown_before in [false, true] {
            let mut limits = limits();
            limits.account.reject_storm.count = 3;
            let mut state = desk(limits);
            for refusal in 1..=3 {
                // Of another size each: equal ones in a row are refused for that.
                let legs = pair(2 * refusal - 1, 0, Side::Sell, 2 * refusal.cast_signed());
                approve(&mut state, &legs);
                for leg in legs.iter().filter(|_| unknown_before) {
                    state.on_report(&report(leg, ReportKind::Unknown, OrderState::Unknown, 0), NOW);
                }
                assert_eq!(state.take_latch(), None, "{refusal}");
                for leg in [&legs[first], &legs[1 - first]] {
                    state.on_report(&report(leg, ReportKind::Rejected, OrderState::Rejected, 0), NOW);
                }
                assert_eq!(state.orders.total().open, 0);
            }
            let storm = Latch::Source(SourceId(0), RejectCode::RejectStorm);
            assert_eq!((state.take_latch(), state.take_latch()), (Some(storm), None));
        }
    }
}
