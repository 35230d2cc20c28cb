//! The short way against the long one, at all sizes of limits, filters and orders.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::domain::{
    Instrument, InstrumentKind, Instruments, NotionalFilter, Price, Quantity, QuantityFilter, Side,
};
use crate::tick_to_trade::risk::fixture::{EPOCH, OPEN, fill, id, limit, limits};
use crate::tick_to_trade::risk::limits::{InstrumentLimits, Limits, Rate};
use crate::tick_to_trade::risk::market::tests::top;
use crate::tick_to_trade::risk::request::{Request, read_alone};
use crate::tick_to_trade::risk::valuation::tests::instrument;

const NOW: Nanos = Nanos::from_secs(100);

/// A number of any size, often one at which something ends.
fn number() -> impl Strategy<Value = i64> {
    let ends = vec![0, 1, 2, 3, 5, 10, 1 << 31, 1 << 32, 1 << 62, i64::MAX - 1, i64::MAX];
    prop_oneof![6 => 0_i64..40, 2 => 0_i64..5_000, 2 => prop::sample::select(ends), 1 => 0..i64::MAX]
}

/// A limit of any size, or more often none.
fn most() -> impl Strategy<Value = i64> {
    prop_oneof![1 => number(), 4 => Just(i64::MAX)]
}

/// The same of money.
fn money() -> impl Strategy<Value = i128> {
    let unit = prop::sample::select(vec![1, 10, 10_000, 100_000_000, 10_000_000_000, 1 << 64]);
    let factors = (number(), unit).prop_map(|(number, unit)| i128::from(number) * unit);
    prop_oneof![2 => factors, 7 => Just(i128::MAX), 1 => Just(i128::from(u64::MAX))]
}

prop_compose! {
    fn traded()(
        kind in prop::sample::select(InstrumentKind::ALL),
        (multiplier, scales) in (1_i64..5, [0_u8..6, 0_u8..6]),
        (quote, untradable) in (prop::sample::select(vec!["USDT", "USDT", "USDT", "ETH"]), 0..20),
        (tick, min_price, max_price) in (0_i64..4, 0_i64..10, most()),
        (min, max, step) in (0_i64..4, most(), 0_i64..4),
        (least, dearest, max_open_orders) in (0_i128..200, prop::option::of(money()), 0_u32..6),
    ) -> Instrument {
        let multiplier = if kind == InstrumentKind::Spot { 1 } else { multiplier };
        let mut made = instrument("BTCUSDT", kind, multiplier, ["BTC", quote], scales);
        (made.filters.tick, made.filters.max_price) = (Price(tick), Price(max_price));
        made.filters.min_price = Price(min_price);
        made.filters.lot = QuantityFilter { min: Quantity(min), max: Quantity(max), step: Quantity(step) };
        let min = (least < 100).then_some(least);
        made.filters.notional = NotionalFilter { min, max: dearest, ..NotionalFilter::default() };
        made.filters.max_open_orders = (max_open_orders > 0).then_some(max_open_orders);
        made.untradable = (untradable == 0).then(|| "halted".into());
        made
    }
}

prop_compose! {
    fn limited()(
        (quantity, value, position) in (most(), money(), most()),
        (position_value, gross, own) in (money(), money(), money()),
        (tight, wider) in (0_u32..10_001, 0_u32..10_001),
        (stale_after, max_open, max_unknown, repeats) in (0_i64..80, 0_u32..9, 0_u32..9, 0..20),
    ) -> Limits {
        let mut all = limits();
        all.instruments = vec![InstrumentLimits {
            max_quantity: Quantity(quantity),
            max_notional: value,
            max_position: Quantity(position),
            max_position_value: position_value,
            collar_aggressive_bps: tight,
            collar_passive_bps: tight + wider,
            stale_after: Nanos(stale_after),
            max_open,
            max_unknown,
        }];
        (all.account.max_gross, all.sources[0].max_position_value) = (gross, own);
        (all.account.day_loss_soft, all.account.day_loss_hard) = (i128::MAX, i128::MAX);
        if repeats == 0 {
            all.account.duplicates = Rate::new(0, Nanos::ZERO);
        }
        all
    }
}

/// Risk with a book, a position and an open order, which need not be within its limits; `None` where those are no limits.
fn at_work(
    instrument: Instrument,
    limits: Limits,
    (bid, spread): (i64, i64),
    (held, open, price): (i64, i64, i64),
    [held_by, open_by]: [Side; 2],
) -> Option<State> {
    let mut state = State::new(&Instruments::new(vec![instrument]).ok()?, limits, EPOCH).ok()?;
    let order = |sequence, side, quantity| limit(id(1, sequence), 0, side, price, quantity);
    if held > 0 {
        state.on_report(&fill(&order(1, held_by, held), 1, held, held, 1), NOW);
    }
    if let Some(order) = read_alone(&order(2, open_by, open), state.origin(id(1, 2).source)) {
        state.on_approval(&order, NOW);
    }
    // The first intent of an epoch does not surely pass.
    state.on_identity(id(0, 0));
    state.on_tick(&top(0, bid, bid.saturating_add(spread), NOW));
    state.check_day(NOW);
    Some(state)
}

#[test]
fn the_short_way_passes_nothing_that_a_control_stops() {
    let sides = prop::sample::select(Side::ALL);
    let quantity = prop_oneof![6 => 1_i64..40, 1 => number()];
    let times = (0_i64..30, 20_i64..60);
    let of_order = (number(), quantity, -3_i64..5, sides.clone(), (times, 0..12));
    let none_or_some = || prop_oneof![3 => Just(0), 1 => number()];
    let past = (none_or_some(), none_or_some(), 1_i64..100);
    let bid = prop_oneof![8 => 1_i64..5_000, 1 => number()];
    let given = (traded(), limited(), (bid, 0_i64..9), past, [sides.clone(), sides]);
    let all = (given, prop::collection::vec(of_order, 1..8));
    let (passed, shortly) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 6_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&all, |((instrument, limits, book, past, sides), orders)| {
        let made = || at_work(instrument.clone(), limits.clone(), book, past, sides);
        let Some(state) = made() else { return Ok(()) };
        for (sequence, (price, quantity, near, side, ((late, valid), stray))) in (1..).zip(orders) {
            // Near the market or anywhere.
            let price = if near == 4 { price } else { book.0.saturating_add(near) };
            let mut intent = limit(id(0, sequence), 0, side, price, quantity);
            match stray {
                0 => intent.id.sequence = 0,
                1 => intent.id.source_epoch += 1,
                2 => intent.id.source_epoch -= 1,
                _ => {}
            }
            let intent = Intent { valid_until: NOW + Nanos(valid), ..intent };
            let now = NOW + Nanos(late);
            let verdict = state.check_in_full(&intent, intent.id.source, now, &OPEN);
            prop_assert_eq!(state.check(&intent, intent.id.source, now, &OPEN), verdict);
            let short = state.surely_passes(&intent, intent.id.source, now);
            if let Some(order) = short {
                prop_assert_eq!(&verdict, &Ok(Request::New(order)));
                // And is counted as by the long way.
                let [mut shortly, mut long] = [made(), made()].map(|state| state.expect("as before"));
                shortly.on_sure_approval(&order, intent.id.source, now);
                long.on_identity(intent.id);
                long.on_approval(&order, now);
                prop_assert_eq!(format!("{shortly:?}"), format!("{long:?}"));
            }
            passed.set(passed.get() + u32::from(verdict.is_ok()));
            shortly.set(shortly.get() + u32::from(short.is_some()));
        }
        Ok(())
    });
    outcome.expect("the same both ways");
    let (passed, shortly) = (passed.get(), shortly.get());
    assert!(shortly > 300 && shortly > passed / 3, "of {passed} that passed, {shortly} the short way");
}
