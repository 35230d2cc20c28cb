//! Tests of the table: by hand, and against a plain map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::{Nanos, OrderType, Quantity, SourceId};

fn id(sequence: u64) -> OrderId {
    OrderId { epoch: 1, source: SourceId(0), source_epoch: 1, sequence }
}

fn order(sequence: u64, instrument: u32, side: Side, price: i64, quantity: i64) -> NewOrder {
    NewOrder {
        id: id(sequence),
        instrument,
        side,
        order_type: OrderType::Limit,
        price: Price(price),
        trigger: Price::NONE,
        quantity: Quantity(quantity),
        valid_until: Nanos::NEVER,
    }
}

fn report(sequence: u64, state: OrderState, cumulative: i64, leaves: i64) -> Report {
    Report {
        id: id(sequence),
        kind: ReportKind::Accepted.code(),
        state: state.code(),
        side: Side::Buy.code(),
        price: Price(90),
        quantity: Quantity(cumulative + leaves),
        cumulative: Quantity(cumulative),
        leaves: Quantity(leaves),
        ..Report::default()
    }
}

#[test]
fn an_order_counts_from_approval_to_its_end() {
    let mut orders = OpenOrders::new(1, 4);
    orders.reserve(&order(1, 0, Side::Buy, 100, 10), Price(100)).expect("room");
    assert_eq!((orders.left(0, Side::Buy), orders.best(orders.row(0), Side::Buy)), (10, Some(Price(100))));
    assert_eq!(orders.instrument_of(id(1)), Some(0));
    orders.on_report(&report(1, OrderState::Sent, 0, 10), 0).expect("known");
    // Unknown counts in full, whatever the report says is left.
    orders.on_report(&report(1, OrderState::Unknown, 0, 0), 0).expect("known");
    assert_eq!((orders.left(0, Side::Buy), orders.total()), (10, Tally { open: 1, unknown: 1 }));
    orders.on_report(&report(1, OrderState::Partial, 4, 6), 4).expect("known");
    assert_eq!((orders.left(0, Side::Buy), orders.tally(0)), (6, Tally { open: 1, unknown: 0 }));
    orders.on_report(&report(1, OrderState::Canceled, 4, 0), 0).expect("known");
    assert_eq!(
        (orders.left(0, Side::Buy), orders.total(), orders.best(orders.row(0), Side::Buy)),
        (0, Tally::default(), None)
    );
}

#[test]
fn missing_trades_stay_counted_after_the_end() {
    let mut orders = OpenOrders::new(1, 4);
    orders.reserve(&order(1, 0, Side::Buy, 100, 10), Price(100)).expect("room");
    // Cancelled with 7 filled, of which the position saw 3: 4 are still to come (F08).
    orders.on_report(&report(1, OrderState::Partial, 3, 7), 3).expect("known");
    orders.on_report(&report(1, OrderState::Canceled, 7, 0), 0).expect("known");
    assert_eq!(
        (orders.left(0, Side::Buy), orders.total(), orders.best(orders.row(0), Side::Buy)),
        (4, Tally::default(), None)
    );
    assert_eq!(orders.instrument_of(id(1)), None, "nothing to cancel");
    // It sorts behind what may trade, also at a better price.
    orders.reserve(&order(2, 0, Side::Buy, 50, 1), Price(50)).expect("room");
    assert_eq!(orders.best(orders.row(0), Side::Buy), Some(Price(50)));
    orders.on_report(&report(1, OrderState::Canceled, 7, 0), 4).expect("known");
    assert_eq!(orders.left(0, Side::Buy), 1);
}

#[test]
fn a_foreign_or_revived_order_is_adopted() {
    let mut orders = OpenOrders::new(1, 1);
    orders.on_report(&report(9, OrderState::Canceled, 0, 0), 0).expect("nothing to adopt");
    assert_eq!(orders.total(), Tally::default());
    orders.on_report(&report(9, OrderState::Partial, 2, 5), 0).expect("room");
    assert_eq!((orders.left(0, Side::Buy), orders.best(orders.row(0), Side::Buy)), (5, Some(Price(90))));
    assert_eq!(orders.on_report(&report(8, OrderState::Open, 0, 5), 0), Err(TableFull));
    orders.on_report(&report(9, OrderState::Filled, 7, 0), 5).expect("known");
    // Told by a fill, its own price is not known: assume the worst.
    let fill = Report { kind: ReportKind::Fill.code(), ..report(8, OrderState::Partial, 1, 4) };
    orders.on_report(&fill, 1).expect("room");
    assert_eq!(
        (orders.left(0, Side::Buy), orders.best(orders.row(0), Side::Buy)),
        (4, Some(Price(i64::MAX)))
    );
    let mut orders = OpenOrders::new(1, 4);
    for bad in [Report { side: 7, ..fill }, Report { instrument: 1, ..fill }] {
        assert_eq!(orders.on_report(&bad, 0), Err(TableFull));
    }
    // A state that names nothing is unresolved.
    orders.on_report(&Report { state: 200, ..fill }, 0).expect("room");
    assert_eq!(orders.total().unknown, 1);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve { instrument: u32, side: Side, price: i64, quantity: i64 },
    Report { which: usize, state: usize, fill: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop::sample::select(Side::ALL);
    prop_oneof![
        (0_u32..3, side, 1_i64..20, 1_i64..9).prop_map(|(instrument, side, price, quantity)| Step::Reserve {
            instrument,
            side,
            price,
            quantity
        }),
        (any::<usize>(), 0..OrderState::ALL.len(), 0_i64..4).prop_map(|(which, state, fill)| Step::Report {
            which,
            state,
            fill
        }),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_plain_map(steps in prop::collection::vec(step(), 1..200)) {
        let mut orders = OpenOrders::new(3, 24);
        let mut model: BTreeMap<u64, (NewOrder, i64, bool)> = BTreeMap::new();
        for (sequence, step) in (1..).zip(steps) {
            match step {
                Step::Reserve { instrument, side, price, quantity } => {
                    let order = order(sequence, instrument, side, price, quantity);
                    let fits = model.len() < 24;
                    prop_assert_eq!(orders.has_room(), fits);
                    let is_first = Side::ALL.iter().all(|side| orders.left(instrument, *side) == 0);
                    let wanted = if fits { Ok(is_first) } else { Err(TableFull) };
                    prop_assert_eq!(orders.reserve(&order, order.price), wanted);
                    if fits {
                        model.insert(sequence, (order, 0, false));
                    }
                }
                Step::Report { which, state, fill } => {
                    let Some((&sequence, entry)) = model.iter_mut().nth(which % 24) else { continue };
                    let (order, filled, unknown) = entry;
                    let state = OrderState::ALL[state];
                    let fill = fill.min(order.quantity.0 - *filled);
                    *filled += fill;
                    *unknown = state == OrderState::Unknown;
                    let leaves = if state.is_terminal() { 0 } else { order.quantity.0 - *filled };
                    let report = Report { id: id(sequence), ..report(sequence, state, *filled, leaves) };
                    orders.on_report(&report, fill).expect("it is in the table");
                    if state.is_terminal() {
                        model.remove(&sequence);
                    }
                }
            }
            for instrument in 0..3 {
                for side in [Side::Buy, Side::Sell] {
                    let own = || model.values().filter(move |(o, ..)| o.instrument == instrument && o.side == side);
                    let left: i64 = own().map(|(order, filled, _)| order.quantity.0 - filled).sum();
                    prop_assert_eq!(orders.left(instrument, side), i128::from(left));
                    let prices = own().map(|(order, ..)| order.price);
                    let best = if side == Side::Buy { prices.max() } else { prices.min() };
                    prop_assert_eq!(orders.best(orders.row(instrument), side), best);
                }
            }
            let unknown = model.values().filter(|entry| entry.2).count();
            prop_assert_eq!(orders.total(), Tally { open: model.len() as u32, unknown: unknown as u32 });
            for sequence in model.keys() {
                prop_assert!(orders.instrument_of(id(*sequence)).is_some());
            }
            let mut open: Vec<_> = orders.open_of(|_| true).iter().map(|(id, _)| id.sequence).collect();
            open.sort_unstable();
            prop_assert!(open.iter().eq(model.keys()), "{:?}", open);
        }
    }
}
