//! The exchange by example.

use super::fixture::{Rig, UNIT, instrument, limit, market};
use super::{AmendOrder, CancelOrder, NewOrder, OrderName, Restriction};
use crate::domain::{Filters, Instrument, Quantity, QuantityFilter};
use crate::domain::{OrderType, Price, SelfTrade, Side, TimeInForce};

fn rig() -> Rig {
    Rig::new(instrument("ABCUSDT"))
}

fn cancel(rig: &mut Rig, account: u32, id: u64) -> Result<u64, i32> {
    let now = rig.now();
    let name = OrderName { id: Some(id), client_id: None };
    let cancel = CancelOrder { instrument: 0, name, cancel_id: "x".into(), restriction: Restriction::Any };
    rig.exchange.cancel(now, account, &cancel).map_err(|reject| reject.code)
}

#[test]
fn an_order_waits_its_turn_behind_the_market_and_earlier_accounts() {
    let mut rig = rig();
    rig.place(0, &limit(Side::Buy, 99, 10)).expect("placed");
    rig.place(1, &limit(Side::Buy, 99, 10)).expect("placed");
    rig.told();
    rig.print(Side::Sell, 99, 5);
    assert_eq!(rig.told(), [], "the market's 5 were first");
    rig.diff(&[(99, 0)], &[]);
    rig.print(Side::Sell, 99, 12);
    let expected = [(1, "TRADE", "FILLED", 10, 99), (2, "TRADE", "PARTIALLY_FILLED", 2, 99)];
    assert_eq!(rig.told(), expected);
    assert_eq!((rig.balance(0, 0), rig.balance(0, 1)), ((1_010, 0), (99_010, 0)));
    assert_eq!(rig.balance(1, 1), (99_010, 792));
}

#[test]
fn accounts_trade_with_each_other_between_what_the_market_queues() {
    let mut rig = rig();
    // The queue at 101: the market's 4, then 3 of account 0; a level of account 1 stands before both.
    rig.place(0, &limit(Side::Sell, 101, 3)).expect("placed");
    rig.place(1, &limit(Side::Sell, 100, 2)).expect("placed");
    rig.told();
    rig.place(2, &limit(Side::Buy, 101, 8)).expect("placed");
    let expected = [
        (3, "NEW", "NEW", 0, 0),
        (3, "TRADE", "PARTIALLY_FILLED", 2, 100),
        (2, "TRADE", "FILLED", 2, 100),
        (3, "TRADE", "PARTIALLY_FILLED", 4, 101),
        (3, "TRADE", "FILLED", 2, 101),
        (1, "TRADE", "PARTIALLY_FILLED", 2, 101),
    ];
    assert_eq!(rig.told(), expected);
    // 8 bought, 0.1 % of them as fee; 200 + 606 paid.
    let account = rig.exchange.account(2).expect("an account");
    assert_eq!(account.balances[0].free, 1_008 * UNIT - UNIT * 8 / 1_000);
    assert_eq!(rig.balance(2, 1), (100_000 - 806, 0));
    let (_, top) = rig.exchange.top(0).expect("a book");
    assert_eq!(top.sell.map(|level| (level.price.0, level.quantity.0)), Some((101, 1)));
}

#[test]
fn lifetimes_and_market_orders() {
    let mut rig = rig();
    let ioc = NewOrder { time_in_force: TimeInForce::ImmediateOrCancel, ..limit(Side::Buy, 101, 9) };
    rig.place(0, &ioc).expect("placed");
    assert_eq!(rig.told()[1..], [(1, "TRADE", "PARTIALLY_FILLED", 4, 101), (1, "EXPIRED", "EXPIRED", 0, 0)]);
    let fok = NewOrder { time_in_force: TimeInForce::FillOrKill, ..limit(Side::Buy, 102, 7) };
    rig.place(0, &fok).expect("placed");
    assert_eq!(rig.told()[1..], [(2, "EXPIRED", "EXPIRED", 0, 0)]);
    rig.place(0, &market(Side::Sell, 6)).expect("placed");
    assert_eq!(rig.told()[1..], [(3, "TRADE", "PARTIALLY_FILLED", 5, 99), (3, "TRADE", "FILLED", 1, 98)]);
    let by_value = NewOrder { quantity: Quantity(0), quote_quantity: 250 * UNIT, ..market(Side::Buy, 0) };
    rig.place(0, &by_value).expect("placed");
    assert_eq!(rig.told()[1..], [(4, "TRADE", "FILLED", 2, 102)], "250 buys 2 at 102");
    assert_eq!(rig.balance(0, 1).1, 0, "nothing stays reserved");
    let maker = NewOrder { kind: OrderType::LimitMaker, ..limit(Side::Buy, 102, 1) };
    assert_eq!(rig.place(0, &maker), Err(-2010));
}

#[test]
fn what_is_reserved_comes_back() {
    let mut rig = rig();
    let id = rig.place(0, &limit(Side::Buy, 90, 100)).expect("placed");
    assert_eq!(rig.balance(0, 1), (91_000, 9_000));
    assert_eq!(rig.place(0, &limit(Side::Buy, 99, 1_000)), Err(-2010), "99,000 of 91,000");
    assert_eq!(cancel(&mut rig, 1, id), Err(-2011), "not its order");
    assert_eq!(cancel(&mut rig, 0, id), Ok(id));
    assert_eq!(cancel(&mut rig, 0, id), Err(-2011));
    assert_eq!(rig.balance(0, 1), (100_000, 0));
}

#[test]
fn an_account_does_not_trade_with_itself_unless_it_wants_to() {
    type Ends = &'static [(u64, &'static str, &'static str)];
    let cases: [(SelfTrade, Ends); 4] = [
        (SelfTrade::ExpireMaker, &[(1, "EXPIRED", "EXPIRED_IN_MATCH")]),
        (SelfTrade::ExpireTaker, &[(2, "EXPIRED", "EXPIRED_IN_MATCH")]),
        (SelfTrade::ExpireBoth, &[(1, "EXPIRED", "EXPIRED_IN_MATCH"), (2, "EXPIRED", "EXPIRED_IN_MATCH")]),
        (SelfTrade::Decrement, &[(1, "EXPIRED", "EXPIRED_IN_MATCH")]),
    ];
    for (stp, expected) in cases {
        let mut rig = rig();
        rig.place(0, &limit(Side::Sell, 100, 2)).expect("placed");
        rig.told();
        rig.place(0, &NewOrder { stp, ..limit(Side::Buy, 100, 5) }).expect("placed");
        let told = rig.told();
        let ended: Vec<_> =
            told.iter().filter(|told| told.1 == "EXPIRED").map(|told| (told.0, told.1, told.2)).collect();
        assert_eq!(ended, expected, "{stp:?}");
        assert!(told.iter().all(|told| told.1 != "TRADE"), "{stp:?}");
        let left: i64 = rig.exchange.open_orders(0, None).map(|order| order.leaves().0).sum();
        let expected = match stp {
            SelfTrade::ExpireMaker => 5,
            SelfTrade::ExpireTaker => 2,
            SelfTrade::ExpireBoth => 0,
            _ => 3,
        };
        assert_eq!(left, expected, "{stp:?}");
    }
    let mut rig = rig();
    rig.place(0, &limit(Side::Sell, 100, 2)).expect("placed");
    rig.place(0, &NewOrder { stp: SelfTrade::None, ..limit(Side::Buy, 100, 2) }).expect("placed");
    assert_eq!((rig.balance(0, 0), rig.balance(0, 1)), ((1_000, 0), (100_000, 0)));
}

#[test]
fn conditional_orders_start_when_the_price_comes() {
    let mut rig = rig();
    rig.print(Side::Buy, 101, 1);
    let stop = NewOrder { kind: OrderType::StopLoss, stop_price: Price(99), ..market(Side::Sell, 3) };
    assert_eq!(
        rig.place(0, &NewOrder { stop_price: Price(102), ..stop.clone() }),
        Err(-2010),
        "it would trigger at once"
    );
    let id = rig.place(0, &stop).expect("placed");
    assert_eq!(rig.balance(0, 0), (997, 3));
    rig.told();
    rig.print(Side::Sell, 99, 1);
    assert_eq!(rig.told(), [(id, "NEW", "NEW", 0, 0), (id, "TRADE", "FILLED", 3, 99)]);
    let take = NewOrder {
        kind: OrderType::TakeProfitLimit,
        stop_price: Price(101),
        time_in_force: TimeInForce::GoodTillCancel,
        ..limit(Side::Sell, 103, 2)
    };
    let id = rig.place(0, &take).expect("placed");
    rig.print(Side::Buy, 101, 1);
    rig.told();
    assert!(rig.exchange.order(id).is_some_and(|order| order.working.is_some()));
    assert_eq!(cancel(&mut rig, 0, id), Ok(id));
    assert_eq!(rig.balance(0, 0), (997, 0));
}

#[test]
fn what_waits_is_amended_and_reserves_for_what_is_left() {
    let mut rig = rig();
    rig.print(Side::Buy, 100, 1);
    for (kind, price, reserved) in
        [(OrderType::StopLoss, 0, [515, 206, 202]), (OrderType::StopLossLimit, 104, [520, 208, 202])]
    {
        let before = rig.balance(0, 1).0;
        let plain = if price == 0 { market(Side::Buy, 5) } else { limit(Side::Buy, price, 5) };
        let id = rig.place(0, &NewOrder { kind, stop_price: Price(103), ..plain }).expect("placed");
        assert_eq!(rig.balance(0, 1), (before - reserved[0], reserved[0]), "{kind}");
        let (now, name) = (rig.now(), OrderName { id: Some(id), client_id: None });
        let amend = AmendOrder { instrument: 0, name, client_id: "less".into(), quantity: Quantity(2) };
        assert_eq!(rig.exchange.amend(now, 0, amend), Ok(id));
        assert_eq!(rig.balance(0, 1), (before - reserved[1], reserved[1]), "{kind}");
        rig.diff(&[], &[(101, 4)]);
        rig.print(Side::Buy, 103, 1);
        assert_eq!(rig.balance(0, 1), (before - reserved[2], 0), "{kind}: 2 at 101");
        rig.print(Side::Buy, 100, 1);
    }
}

#[test]
fn a_market_that_reaches_an_order_trades_as_much_as_it_has() {
    let mut rig = rig();
    rig.place(0, &limit(Side::Buy, 100, 10)).expect("placed");
    rig.told();
    rig.diff(&[], &[(100, 3)]);
    assert_eq!(rig.told(), [(1, "TRADE", "PARTIALLY_FILLED", 3, 100)]);
    let (_, top) = rig.exchange.top(0).expect("a book");
    assert_eq!(top.buy.map(|level| (level.price.0, level.quantity.0)), Some((100, 7)));
    assert_eq!(top.sell.map(|level| (level.price.0, level.quantity.0)), Some((101, 4)), "the 3 are gone");
    rig.print(Side::Sell, 98, 4);
    assert_eq!(rig.told(), [(1, "TRADE", "PARTIALLY_FILLED", 4, 100)], "what traded through was ours first");
}

#[test]
fn filters_and_ids_refuse_by_name() {
    let filters = Filters {
        tick: Price(5),
        lot: QuantityFilter { max: Quantity(50), ..QuantityFilter::default() },
        max_open_orders: Some(2),
        ..Filters::default()
    };
    let mut rig = Rig::new(Instrument { filters, ..instrument("ABCUSDT") });
    let named = NewOrder { client_id: "mine".into(), ..limit(Side::Buy, 90, 1) };
    assert_eq!(rig.place(0, &limit(Side::Buy, 91, 1)), Err(-1013));
    assert_eq!(rig.place(0, &limit(Side::Buy, 90, 51)), Err(-1013));
    assert_eq!(rig.place(0, &named), Ok(1));
    assert_eq!(rig.place(0, &named), Err(-2010));
    assert_eq!(rig.place(1, &named), Ok(2), "ids are the account's own");
    assert_eq!(rig.place(0, &limit(Side::Buy, 90, 1)), Ok(3));
    assert_eq!(rig.place(0, &limit(Side::Buy, 90, 1)), Err(-1013), "the third");
    assert_eq!(cancel(&mut rig, 0, 1), Ok(1));
    assert_eq!(rig.place(0, &named), Ok(4), "free again");
    let name = OrderName { id: None, client_id: Some("mine") };
    assert_eq!(rig.exchange.find(0, 0, name).map(|order| order.id), Ok(4), "the newest");
}

#[test]
fn a_level_that_is_told_again_does_not_come_back() {
    let mut rig = rig();
    rig.place(0, &market(Side::Sell, 3)).expect("placed");
    rig.exchange.take_depth(0);
    rig.diff(&[(99, 5)], &[]);
    assert_eq!(rig.exchange.published_quantity(0, Side::Buy, Price(99)), Quantity(2), "3 of the 5 are gone");
    assert_eq!(rig.exchange.take_depth(0), None);
    rig.diff(&[(99, 6)], &[]);
    assert_eq!(rig.exchange.published_quantity(0, Side::Buy, Price(99)), Quantity(6));
}
