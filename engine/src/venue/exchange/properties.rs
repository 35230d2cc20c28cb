//! What must hold after every step, whatever happens.

use proptest::prelude::*;

use super::fixture::{Rig, instrument, limit, market};
use super::{AmendOrder, CancelOrder, Contingency, NewOrder, OrderName, Restriction, Status};
use crate::domain::{OrderType, Price, Quantity, SelfTrade, Side, TimeInForce};

#[derive(Clone, Debug)]
enum Action {
    Place(u32, NewOrder),
    Oco(u32, [NewOrder; 2]),
    Oto(u32, Box<NewOrder>, Vec<NewOrder>),
    Amend(u32, u64, i64),
    Cancel(u32, u64),
    Diff(Vec<(i64, i64)>, Vec<(i64, i64)>),
    Print(Side, i64, i64),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn order() -> impl Strategy<Value = NewOrder> {
    let stp = prop_oneof![
        Just(SelfTrade::None),
        Just(SelfTrade::ExpireTaker),
        Just(SelfTrade::ExpireMaker),
        Just(SelfTrade::ExpireBoth),
        Just(SelfTrade::Decrement)
    ];
    let kind = prop_oneof![
        4 => Just(OrderType::Limit), 1 => Just(OrderType::Market), 1 => Just(OrderType::LimitMaker),
        1 => Just(OrderType::StopLoss), 1 => Just(OrderType::StopLossLimit), 1 => Just(OrderType::TakeProfitLimit),
    ];
    let tif = prop_oneof![
        3 => Just(TimeInForce::GoodTillCancel),
        1 => Just(TimeInForce::ImmediateOrCancel),
        1 => Just(TimeInForce::FillOrKill),
    ];
    let parts = prop_oneof![3 => Just(0), 1 => 2..9_i64];
    let delta = prop_oneof![2 => Just(0), 1 => 100..600_u32];
    (side(), kind, tif, stp, 95..106_i64, 1..300_i64, 95..106_i64, (parts, delta)).prop_map(
        |(side, kind, tif, stp, price, quantity, stop, (parts, delta))| {
            let base = if kind.is_market() { market(side, quantity) } else { limit(side, price, quantity) };
            let stop_price = if kind.is_conditional() { Price(stop) } else { Price::NONE };
            let time_in_force = if kind == OrderType::Limit { tif } else { TimeInForce::GoodTillCancel };
            let rests = !kind.is_market() && time_in_force == TimeInForce::GoodTillCancel;
            let iceberg = Quantity(if rests && parts > 0 { (quantity / parts).max(1) } else { 0 });
            let trailing_delta = if kind.is_conditional() { delta } else { 0 };
            // Every other one that trails does so at once.
            let stop_price = if trailing_delta % 2 == 1 { Price::NONE } else { stop_price };
            NewOrder { kind, stp, time_in_force, stop_price, iceberg, trailing_delta, ..base }
        },
    )
}

/// A list around a price: what stops a loss on one side of it, what takes the profit on the other.
fn legs() -> impl Strategy<Value = [NewOrder; 2]> {
    let stop = prop_oneof![Just(OrderType::StopLoss), Just(OrderType::StopLossLimit)];
    let profit = prop_oneof![
        3 => Just(OrderType::LimitMaker), 1 => Just(OrderType::TakeProfit), 1 => Just(OrderType::TakeProfitLimit),
    ];
    let distances = (1..5_i64, 1..5_i64, -2..3_i64);
    (order(), stop, profit, 97..104_i64, distances).prop_map(
        |(plain, stop, profit, around, (up, down, apart))| {
            let leg = |kind: OrderType, price: i64| NewOrder {
                kind,
                client_id: format!("{kind}-{around}-{up}-{down}-{apart}").into(),
                time_in_force: TimeInForce::GoodTillCancel,
                price: Price(if kind.is_market() {
                    0
                } else {
                    price + if kind.is_conditional() { apart } else { 0 }
                }),
                stop_price: Price(if kind.is_conditional() { price } else { 0 }),
                iceberg: Quantity::ZERO,
                trailing_delta: 0,
                ..plain.clone()
            };
            let [below, above] = if plain.side == Side::Sell { [stop, profit] } else { [profit, stop] };
            [leg(below, around - down), leg(above, around + up)]
        },
    )
}

/// A working order and what it sets off: one order or a pair.
fn triggering() -> impl Strategy<Value = (Box<NewOrder>, Vec<NewOrder>)> {
    let pending = prop_oneof![order().prop_map(|order| vec![order]), legs().prop_map(Vec::from)];
    (order(), pending, 0..1_000_000_u32).prop_map(|(working, pending, name)| {
        let kind = if working.kind == OrderType::LimitMaker { working.kind } else { OrderType::Limit };
        let price = if working.price.is_some() { working.price } else { Price(100) };
        let (stop_price, trailing_delta) = (Price::NONE, 0);
        let named =
            |at: usize, order: NewOrder| NewOrder { client_id: format!("{name}-{at}").into(), ..order };
        let working = NewOrder { kind, price, stop_price, trailing_delta, ..working };
        let pending = pending.into_iter().enumerate().map(|(at, order)| named(at + 1, order)).collect();
        (Box::new(named(0, working)), pending)
    })
}

fn action() -> impl Strategy<Value = Action> {
    let levels = || prop::collection::vec((95..106_i64, 0..50_i64), 0..4);
    prop_oneof![
        6 => (0..3_u32, order()).prop_map(|(account, order)| Action::Place(account, order)),
        2 => (0..3_u32, legs()).prop_map(|(account, legs)| Action::Oco(account, legs)),
        2 => (0..3_u32, triggering()).prop_map(|(account, (working, pending))| Action::Oto(account, working, pending)),
        2 => (0..3_u32, 1..40_u64).prop_map(|(account, id)| Action::Cancel(account, id)),
        1 => (0..3_u32, 1..40_u64, 1..100_i64).prop_map(|(account, id, to)| Action::Amend(account, id, to)),
        2 => (levels(), levels()).prop_map(|(bids, asks)| Action::Diff(bids, asks)),
        3 => (side(), 95..106_i64, 1..80_i64).prop_map(|(side, price, quantity)| Action::Print(side, price, quantity)),
    ]
}

fn act(rig: &mut Rig, action: &Action) {
    match action {
        Action::Place(account, order) => {
            let _ = rig.place(*account, order);
        }
        Action::Oco(account, [below, above]) => {
            let now = rig.now();
            let _ = rig.exchange.place_oco(now, *account, below.client_id.clone(), [below, above]);
        }
        Action::Oto(account, working, pending) => {
            let now = rig.now();
            let pending: Vec<&NewOrder> = pending.iter().collect();
            let name = working.client_id.clone();
            let _ = rig.exchange.place_oto(now, *account, name, working, &pending);
        }
        Action::Amend(account, id, quantity) => {
            let now = rig.now();
            let name = OrderName { id: Some(*id), client_id: None };
            let (client_id, quantity) = (format!("a{id}-{quantity}").into(), Quantity(*quantity));
            let _ =
                rig.exchange.amend(now, *account, AmendOrder { instrument: 0, name, client_id, quantity });
        }
        Action::Cancel(account, id) => {
            let now = rig.now();
            let name = OrderName { id: Some(*id), client_id: None };
            let cancel =
                CancelOrder { instrument: 0, name, cancel_id: "x".into(), restriction: Restriction::Any };
            let _ = rig.exchange.cancel(now, *account, &cancel);
        }
        Action::Diff(bids, asks) => rig.diff(bids, asks),
        Action::Print(side, price, quantity) => rig.print(*side, *price, *quantity),
    }
}

/// What a status may become.
fn follows(from: &str, to: &str) -> bool {
    match from {
        "" => matches!(to, "NEW" | "PENDING_NEW"),
        "PENDING_NEW" => matches!(to, "PENDING_NEW" | "NEW" | "CANCELED" | "EXPIRED"),
        "NEW" => to != "PENDING_NEW",
        "PARTIALLY_FILLED" => !matches!(to, "NEW" | "PENDING_NEW"),
        _ => false,
    }
}

fn check(rig: &Rig, deposited: &[i128]) -> Result<(), TestCaseError> {
    prop_assert_eq!(rig.totals(), deposited, "what one loses another gains");
    for account in 0..3 {
        let view = rig.exchange.account(account).expect("an account");
        let mut locked = vec![0; view.balances.len()];
        for order in rig.exchange.open_orders(account, None) {
            prop_assert!(order.leaves().0 > 0 && order.filled.0 >= 0, "{:?}", order);
            locked[usize::from(order.side == Side::Buy)] += order.locked();
        }
        for (balance, locked) in view.balances.iter().zip(&locked) {
            prop_assert!(balance.free >= 0, "{:?}", balance);
            prop_assert_eq!(balance.locked, *locked, "reserved for the open orders and nothing else");
        }
    }
    for order in rig.exchange.orders() {
        prop_assert!(order.filled.0 <= order.quantity.0);
        prop_assert!(order.status != Status::Filled || order.leaves().0 == 0, "{:?}", order);
        prop_assert!(order.status.is_open() || order.locked() == 0);
    }
    for list in (0..3).flat_map(|account| rig.exchange.lists(account)) {
        let legs: Vec<_> = list.legs.iter().map(|id| rig.exchange.order(*id).expect("known")).collect();
        prop_assert_eq!(list.done, !legs.iter().any(|leg| leg.status.is_open()));
        let (working, others) = match list.contingency {
            Contingency::Oco => (None, &legs[..]),
            Contingency::Oto => (Some(legs[0]), &legs[1..]),
        };
        let filled = working.is_none_or(|working| working.status == Status::Filled);
        for other in others {
            prop_assert!(
                filled || other.filled.0 == 0 && other.locked() == 0,
                "before its turn: {:?}",
                other
            );
            prop_assert_eq!(!filled && other.status.is_open(), other.status == Status::PendingNew);
        }
        if let [one, two] = others {
            prop_assert!(
                one.filled.0 == 0 || two.filled.0 == 0,
                "one cancels the other: {:?} {:?}",
                one,
                two
            );
            let started = one.filled.0 + two.filled.0 > 0;
            let both = one.status.is_open() && two.status.is_open();
            prop_assert!(!(started && both), "{:?} {:?}", one, two);
        }
    }
    let (_, top) = rig.exchange.top(0).expect("a book");
    if let (Some(bid), Some(ask)) = (top.buy, top.sell) {
        prop_assert!(bid.price < ask.price, "a book that is published never crosses: {bid:?} {ask:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn balances_add_up_and_states_follow_each_other(actions in prop::collection::vec(action(), 1..60)) {
        let mut rig = Rig::new(instrument("ABCUSDT"));
        let deposited = rig.totals();
        let mut states = std::collections::BTreeMap::<u64, &'static str>::new();
        let mut book = std::collections::BTreeMap::<(bool, i64), i64>::new();
        let (_, whole) = rig.exchange.depth(0, usize::MAX).expect("a book");
        rig.exchange.take_depth(0);
        for (side, levels) in [(false, whole.buy), (true, whole.sell)] {
            book.extend(levels.iter().map(|level| ((side, level.price.0), level.quantity.0)));
        }
        for action in &actions {
            act(&mut rig, action);
            check(&rig, &deposited)?;
            for (id, _, to, ..) in rig.told() {
                let from = states.insert(id, to).unwrap_or("");
                prop_assert!(follows(from, to), "{id}: {from} to {to}");
            }
            if let Some(change) = rig.exchange.take_depth(0) {
                for (side, levels) in [(false, &change.levels.buy), (true, &change.levels.sell)] {
                    for level in levels {
                        book.insert((side, level.price.0), level.quantity.0);
                    }
                }
                book.retain(|_, quantity| *quantity > 0);
            }
            let (_, whole) = rig.exchange.depth(0, usize::MAX).expect("a book");
            let published: Vec<_> = [(false, whole.buy), (true, whole.sell)].into_iter()
                .flat_map(|(side, levels)| levels.into_iter().map(move |level| ((side, level.price.0), level.quantity.0)))
                .collect();
            prop_assert_eq!(published.len(), book.len());
            for (at, quantity) in published {
                prop_assert_eq!(book.get(&at), Some(&quantity), "diffs lead to the book at {:?}", at);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn nobody_is_filled_through_the_queue(
        others in 0..60_i64,
        orders in prop::collection::vec((0..3_u32, 1..40_i64), 1..6),
        prints in prop::collection::vec(1..50_i64, 1..12),
    ) {
        // One level, nothing traded through it: who came first trades first, and the market's queue before all.
        let mut rig = Rig::new(instrument("ABCUSDT"));
        rig.diff(&[(99, others)], &[]);
        for (account, quantity) in &orders {
            rig.place(*account, &limit(Side::Buy, 99, *quantity)).expect("placed");
        }
        let mut traded = 0;
        for quantity in prints {
            rig.print(Side::Sell, 99, quantity);
            traded += quantity;
            // What stood before an order has to go before it: an oracle that knows only sums.
            let mut before = others;
            for (id, (_, quantity)) in (1..).zip(&orders) {
                let filled = rig.exchange.order(id).expect("known").filled.0;
                prop_assert_eq!(filled, (traded - before).clamp(0, *quantity), "order {}, {} before it", id, before);
                before += quantity;
            }
        }
    }
}
