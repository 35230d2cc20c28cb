//! Hand-worked lives of order lists. The book starts with bids 99 × 5 and 98 × 7, asks 101 × 4 and 102 × 6.

use super::fixture::{Rig, limit, market};
use super::{CancelOrder, Expiry, ListName, NewOrder, OrderName, Restriction, reject};
use crate::domain::{OrderType, Price, Quantity, Side, TimeInForce};

fn leg(kind: OrderType, side: Side, price: i64, stop_price: i64) -> NewOrder {
    let plain = if price == 0 { market(side, 3) } else { limit(side, price, 3) };
    NewOrder { kind, stop_price: Price(stop_price), client_id: kind.as_str().into(), ..plain }
}

fn place(rig: &mut Rig, legs: [&NewOrder; 2]) -> Result<u64, i32> {
    let now = rig.now();
    rig.exchange.place_oco(now, 0, "list".into(), legs).map_err(|reject| reject.code)
}

/// A sell: 3 at 105, or all of it for at least 94 once the price is 95.
fn protected(rig: &mut Rig) -> u64 {
    let below = leg(OrderType::StopLossLimit, Side::Sell, 94, 95);
    place(rig, [&below, &leg(OrderType::LimitMaker, Side::Sell, 105, 0)]).expect("placed")
}

#[test]
fn one_reservation_serves_both_and_a_fill_ends_the_other() {
    let (mut rig, totals) = Rig::traded();
    let list = protected(&mut rig);
    let [below, above] = rig.exchange.list(list).expect("a list").legs[..] else { panic!("two") };
    assert_eq!(rig.told(), [(below, "NEW", "NEW", 0, 0), (above, "NEW", "NEW", 0, 0)]);
    assert_eq!(rig.lists(), ["EXEC_STARTED"]);
    assert_eq!(rig.balance(0, 0), (997, 3), "3 and not 6");
    rig.diff(&[], &[(101, 0), (102, 0)]);
    rig.print(Side::Buy, 105, 1);
    let expired = (below, "EXPIRED", "EXPIRED", 0, 0);
    assert_eq!(rig.told(), [expired, (above, "TRADE", "PARTIALLY_FILLED", 1, 105)]);
    assert_eq!(rig.exchange.order(below).and_then(|order| order.expiry), Some(Expiry::OcoTrigger));
    assert_eq!((rig.lists(), rig.balance(0, 0)), (vec![], (997, 2)), "one is still open");
    rig.print(Side::Buy, 105, 9);
    assert_eq!(rig.told(), [(above, "TRADE", "FILLED", 2, 105)]);
    assert_eq!((rig.lists(), rig.balance(0, 0)), (vec!["ALL_DONE"], (997, 0)));
    assert_eq!(rig.exchange.open_lists(0).count(), 0);
    assert_eq!(rig.totals(), totals);
}

#[test]
fn a_trigger_ends_the_other_before_it_trades() {
    let (mut rig, totals) = Rig::traded();
    let list = protected(&mut rig);
    let [below, above] = rig.exchange.list(list).expect("a list").legs[..] else { panic!("two") };
    rig.told();
    rig.print(Side::Sell, 95, 1);
    let told = rig.told();
    assert_eq!(told[0], (above, "EXPIRED", "EXPIRED", 0, 0));
    assert_eq!(told[1..], [(below, "NEW", "NEW", 0, 0), (below, "TRADE", "FILLED", 3, 99)]);
    assert_eq!((rig.lists(), rig.balance(0, 0)), (vec!["ALL_DONE"], (997, 0)));
    assert_eq!(rig.totals(), totals);
}

#[test]
fn a_buy_reserves_the_dearer_and_gives_back_what_the_cheaper_does_not_need() {
    for set_off in [true, false] {
        let (mut rig, totals) = Rig::traded();
        let below = leg(OrderType::LimitMaker, Side::Buy, 98, 0);
        let resting = TimeInForce::GoodTillCancel;
        let above = NewOrder { time_in_force: resting, ..leg(OrderType::StopLossLimit, Side::Buy, 104, 103) };
        let list = place(&mut rig, [&below, &above]).expect("placed");
        assert_eq!(rig.balance(0, 1), (100_000 - 312, 312));
        if set_off {
            rig.print(Side::Buy, 103, 1);
            assert_eq!(rig.balance(0, 1), (100_000 - 303, 0), "at 101");
        } else {
            rig.print(Side::Sell, 97, 50);
            assert_eq!(rig.balance(0, 1), (100_000 - 294, 0), "at 98");
        }
        assert!(rig.exchange.list(list).expect("a list").done);
        assert_eq!(rig.totals(), totals);
    }
}

#[test]
fn a_cancel_of_one_or_of_the_list_ends_both() {
    for whole in [true, false] {
        let (mut rig, totals) = Rig::traded();
        let list = protected(&mut rig);
        let [below, above] = rig.exchange.list(list).expect("a list").legs[..] else { panic!("two") };
        rig.told();
        let now = rig.now();
        if whole {
            let name = ListName { id: Some(list), client_id: Some("list") };
            assert_eq!(rig.exchange.cancel_list(now, 0, (0, name), "mine"), Ok(list));
            assert_eq!(rig.exchange.cancel_list(now, 0, (0, name), "mine"), Err(reject::UNKNOWN_LIST));
        } else {
            let name = OrderName { id: Some(above), client_id: None };
            let restriction = Restriction::Any;
            let cancel = CancelOrder { instrument: 0, name, cancel_id: "mine".into(), restriction };
            assert_eq!(rig.exchange.cancel(now, 0, &cancel), Ok(above));
        }
        let mut told = rig.told();
        told.sort_unstable();
        assert_eq!(told, [below, above].map(|id| (id, "CANCELED", "CANCELED", 0, 0)));
        assert_eq!((rig.lists(), rig.balance(0, 0)), (vec!["ALL_DONE"], (1_000, 0)));
        assert_eq!(rig.totals(), totals);
    }
    let (mut rig, _) = Rig::traded();
    protected(&mut rig);
    let now = rig.now();
    assert_eq!(rig.exchange.cancel_all(now, 0, 0, || "all".into()).map(|ids| ids.len()), Ok(1));
    assert_eq!((rig.told().len(), rig.balance(0, 0)), (4, (1_000, 0)), "each told once");
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_stays() {
    use OrderType::{Limit, LimitMaker, StopLoss, StopLossLimit, TakeProfit};
    let (mut rig, _) = Rig::traded();
    let (sell, buy) = (Side::Sell, Side::Buy);
    let stop = leg(StopLossLimit, sell, 94, 95);
    for (legs, code) in [
        ([leg(LimitMaker, sell, 95, 0), leg(LimitMaker, sell, 105, 0)], -1168),
        ([stop.clone(), leg(Limit, sell, 105, 0)], -1158),
        ([leg(StopLoss, buy, 0, 95), leg(StopLoss, buy, 0, 105)], -1196),
        ([leg(TakeProfit, buy, 0, 95), leg(LimitMaker, buy, 105, 0)], -1165),
        ([leg(LimitMaker, sell, 95, 0), leg(TakeProfit, sell, 0, 105)], -1166),
        ([stop.clone(), leg(StopLoss, sell, 0, 105)], -1197),
        ([leg(LimitMaker, buy, 95, 0), leg(TakeProfit, buy, 0, 105)], -1198),
        ([leg(TakeProfit, sell, 0, 95), leg(TakeProfit, sell, 0, 105)], -1199),
        // The last price is 100.
        ([stop.clone(), leg(TakeProfit, sell, 0, 100)], -2010),
        ([leg(StopLoss, sell, 0, 101), leg(LimitMaker, sell, 105, 0)], -2010),
        ([leg(StopLoss, sell, 0, 95), leg(StopLoss, sell, 0, 95)], -1197),
    ] {
        assert_eq!(place(&mut rig, [&legs[0], &legs[1]]), Err(code), "{legs:?}");
    }
    let dear = |leg: NewOrder| NewOrder { quantity: Quantity(1_001), ..leg };
    let legs = [dear(stop.clone()), dear(leg(LimitMaker, sell, 105, 0))];
    assert_eq!(place(&mut rig, [&legs[0], &legs[1]]), Err(-2010), "it has 1000");
    assert_eq!((rig.told().len(), rig.balance(0, 0), rig.exchange.order_count()), (0, (1_000, 0), 0));
    protected(&mut rig);
    assert_eq!(place(&mut rig, [&stop, &leg(LimitMaker, sell, 105, 0)]), Err(-2010), "a list of that name");
}
