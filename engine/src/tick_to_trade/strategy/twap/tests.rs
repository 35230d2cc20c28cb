//! TWAP against a venue that accepts all, fills what is told, and lets time pass.

use super::*;
use crate::domain::OrderType;
use crate::message::report::OrderState;
use crate::message::{Intent, IntentKind};
use crate::tick_to_trade::strategy::testing::{Bench, instrument, report_of, top_tick};
use crate::tick_to_trade::strategy::touch::untrusted;
use crate::tick_to_trade::strategy::working::Working;

const SECOND: Nanos = Nanos::from_secs(1);

/// Ten units in ten slices over ten seconds.
fn bench(settings: &[(&str, &str)]) -> Bench<Twap> {
    let mut strategy = Twap::new(Parameters::default(), 0, &instrument());
    let base = [("duration", "10s"), ("slices", "10"), ("size_unit", "quantity"), ("size", "10")];
    for (key, value) in base.iter().chain(settings) {
        strategy.set(key, value).expect("valid");
    }
    Bench::new(strategy, Working::new(&[], &[]))
}

fn side_of(intent: &Intent) -> Side {
    Side::try_from(intent.side).expect("valid")
}

/// Takes what is sent in `span`, fills what takes, and tells it: the second it was sent in, price, quantity.
fn take_all(bench: &mut Bench<Twap>, tenths: u32) -> Vec<(i64, i64, i64)> {
    let start = bench.now;
    let mut taken = Vec::new();
    for _ in 0..tenths {
        bench.wait(Nanos::from_millis(100));
        for intent in bench.rig.sent() {
            assert_eq!(intent.time_in_force, TimeInForce::ImmediateOrCancel.code());
            taken.push(((bench.now - start).0 / 1_000_000_000, intent.price.0, intent.quantity.0));
            bench.fill(&intent);
        }
    }
    taken
}

#[test]
fn takes_equal_slices_at_equal_times_and_then_no_more() {
    for (side, price) in [("buy", 10_005), ("sell", 9_995)] {
        let mut bench = bench(&[("style", "take"), ("side", side)]);
        bench.tick(&top_tick(9_995, 10_005));
        let taken = take_all(&mut bench, 300);
        assert_eq!(taken, (0..10).map(|second| (second, price, 1_000)).collect::<Vec<_>>());
        assert_eq!(bench.position(), bench.strategy.parameters.side.sign() * 10_000);
        assert_eq!(bench.strategy.next_timer(), Nanos::NEVER, "finished");
    }
}

#[test]
fn a_maker_rests_at_the_touch_follows_it_and_takes_what_its_time_left() {
    let mut bench = bench(&[("style", "make"), ("between", "100ms")]);
    bench.tick(&top_tick(9_995, 10_005));
    let first = bench.venue();
    assert_eq!(first.iter().map(|order| order.price).collect::<Vec<_>>(), [Price(9_995)]);
    assert_eq!(first[0].order_type, OrderType::LimitMaker.code());
    // Half of it trades; the market moves up, and the rest follows.
    bench.tell(&report_of(&first[0], ReportKind::Fill, OrderState::Partial, 500));
    bench.wait(Nanos::from_millis(200));
    bench.tick(&top_tick(10_000, 10_010));
    let cancel = bench.venue();
    assert_eq!(cancel.iter().map(|order| order.target).collect::<Vec<_>>(), [first[0].id]);
    bench.wait(Nanos::from_millis(200));
    let second = bench.venue();
    assert_eq!((second.len(), second[0].price, second[0].quantity), (1, Price(10_000), Quantity(500)));
    // Its second is over: what is late is taken, what is due rests.
    bench.wait(SECOND);
    let cancel = bench.venue();
    assert_eq!(cancel.iter().map(|order| order.target).collect::<Vec<_>>(), [second[0].id]);
    bench.wait(Nanos::from_millis(200));
    let [late]: [Intent; 1] = bench.rig.sent().try_into().expect("one");
    let ioc = TimeInForce::ImmediateOrCancel.code();
    assert_eq!((late.price, late.quantity, late.time_in_force), (Price(10_010), Quantity(500), ioc));
    bench.fill(&late);
    bench.wait(Nanos::from_millis(200));
    let third = bench.venue();
    assert_eq!((third.len(), third[0].price, third[0].quantity), (1, Price(10_000), Quantity(1_000)));
    assert_eq!(third[0].order_type, OrderType::LimitMaker.code());
}

#[test]
fn no_price_beyond_the_limit_and_no_taking_across_a_wide_spread() {
    let mut limited = bench(&[("style", "take"), ("limit", "100")]);
    limited.tick(&top_tick(9_995, 10_005));
    let [resting]: [Intent; 1] = limited.venue().try_into().expect("one");
    assert_eq!((resting.price, resting.order_type), (Price(9_995), OrderType::LimitMaker.code()));
    limited.wait(SECOND);
    limited.tick(&top_tick(10_010, 10_020));
    let cancelled = limited.venue();
    assert_eq!(cancelled.len(), 1, "{cancelled:?}");
    limited.wait(SECOND);
    let [resting]: [Intent; 1] = limited.venue().try_into().expect("one");
    assert_eq!(resting.price, Price(10_000), "at the limit, below the market");
    limited.wait(SECOND);
    limited.tick(&top_tick(9_995, 10_000));
    limited.venue();
    limited.wait(SECOND);
    let [taken]: [Intent; 1] = limited.rig.sent().try_into().expect("one");
    assert_eq!((taken.price, taken.quantity), (Price(10_000), Quantity(2_000)), "two slices at most");

    let mut wide = bench(&[("style", "take"), ("max_spread_bps", "9")]);
    wide.tick(&top_tick(9_995, 10_005));
    assert_eq!(wide.venue()[0].order_type, OrderType::LimitMaker.code());
}

#[test]
fn a_programme_that_fell_behind_catches_up_slice_by_slice_and_drops_nothing() {
    let mut bench = bench(&[("style", "take"), ("between", "1s")]);
    bench.tick(&top_tick(9_995, 10_005));
    assert_eq!(take_all(&mut bench, 10).len(), 2);
    bench.tick(&untrusted(0, bench.now));
    assert_eq!(take_all(&mut bench, 200), [], "blind for twenty seconds");
    bench.tick(&top_tick(9_995, 10_005));
    let taken: Vec<_> = take_all(&mut bench, 100).iter().map(|&(_, _, quantity)| quantity).collect();
    assert_eq!(taken, [2_000; 4]);
    assert_eq!(bench.position(), 10_000);
}

#[test]
fn slices_below_the_venues_least_are_saved_up_and_nothing_is_left_behind() {
    // A slice is 0.0015 units; the least order is 0.004, in steps of 0.002.
    let mut bench = bench(&[("style", "take"), ("size", "0.015")]);
    bench.tick(&top_tick(9_995, 10_005));
    let quantities: Vec<_> = take_all(&mut bench, 300).iter().map(|&(_, _, quantity)| quantity).collect();
    assert_eq!(quantities.iter().sum::<i64>(), 14, "all but half a step: {quantities:?}");
    assert!(quantities.iter().all(|&quantity| quantity >= 4), "{quantities:?}");
}

#[test]
fn lost_trust_cancels_what_rests() {
    let mut bench = bench(&[]);
    bench.tick(&top_tick(9_995, 10_005));
    let [resting]: [Intent; 1] = bench.venue().try_into().expect("one");
    let sent = bench.sent_on(&untrusted(0, bench.now));
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].kind, sent[0].target), (IntentKind::Cancel.code(), resting.id));
}

#[test]
fn a_new_start_is_a_new_programme_and_the_side_stands_while_one_runs() {
    let mut bench = bench(&[("style", "take")]);
    bench.tick(&top_tick(9_995, 10_005));
    take_all(&mut bench, 200);
    let refused = bench.strategy.set("side", "sell").expect_err("it runs");
    assert_eq!(refused.to_string(), "twap: side cannot change while a programme runs: stop it first");
    assert!(bench.strategy.set("size", "11").is_ok(), "more, while it runs");
    assert_eq!(take_all(&mut bench, 20), [(0, 10_005, 1_000)]);
    bench.strategy.on_stop(bench.now, &mut bench.rig.outbox);
    bench.strategy.set("side", "sell").expect("stopped");
    bench.restart();
    bench.tick(&top_tick(9_995, 10_005));
    let sold = take_all(&mut bench, 200);
    assert_eq!((sold.len(), sold[0]), (10, (0, 9_995, 1_100)));
    assert_eq!(bench.position(), 0);
}

#[test]
fn orders_are_refused_by_the_venue_and_tried_again_later_and_later() {
    let mut bench = bench(&[("style", "take")]);
    bench.tick(&top_tick(9_995, 10_005));
    let mut refused = 0;
    for _ in 0..100 {
        for intent in bench.rig.sent() {
            assert_eq!(side_of(&intent), Side::Buy);
            refused += 1;
            bench.tell(&report_of(&intent, ReportKind::Rejected, OrderState::Rejected, 0));
        }
        bench.wait(Nanos::from_millis(100));
    }
    assert_eq!(refused, 6, "at 0, 0.25, 0.75, 1.75, 3.75, 7.75 s");
}
