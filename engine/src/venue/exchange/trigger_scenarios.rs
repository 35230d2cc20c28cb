//! Hand-worked lives of orders that set off others, and of stops that trail. The book starts with bids 99 × 5 and 98 × 7,
//! asks 101 × 4 and 102 × 6.

use super::fixture::{Rig, instrument, limit, market};
use super::waiting::turning_point;
use super::{AmendOrder, CancelOrder, Expiry, NewOrder, OrderName, Restriction, Status};
use crate::domain::{OrderType, Price, Quantity, Side, TimeInForce};

fn named(name: &str, order: &NewOrder) -> NewOrder {
    NewOrder { client_id: name.into(), ..order.clone() }
}

/// Places a list of account 0; its orders' ids, or the code it was refused with.
fn place(rig: &mut Rig, working: &NewOrder, pending: &[&NewOrder]) -> Result<Vec<u64>, i32> {
    let now = rig.now();
    let list = rig.exchange.place_oto(now, 0, "list".into(), working, pending);
    list.map(|id| rig.exchange.list(id).expect("a list").legs.clone()).map_err(|reject| reject.code)
}

/// A buy of 3 at 100, and then a sell of them at 105.
fn round_trip(rig: &mut Rig) -> Vec<u64> {
    let working = named("in", &limit(Side::Buy, 100, 3));
    place(rig, &working, &[&named("out", &limit(Side::Sell, 105, 3))]).expect("placed")
}

/// A buy of 3 at 100, and then a sell of them at 105 or, once the price is 95, for at least 94.
fn guarded(rig: &mut Rig) -> Vec<u64> {
    let stop = NewOrder { kind: OrderType::StopLossLimit, stop_price: Price(95), ..limit(Side::Sell, 94, 3) };
    let profit = NewOrder { kind: OrderType::LimitMaker, ..limit(Side::Sell, 105, 3) };
    let working = named("in", &limit(Side::Buy, 100, 3));
    place(rig, &working, &[&named("stop", &stop), &named("profit", &profit)]).expect("placed")
}

fn cancel(rig: &mut Rig, id: u64) {
    let now = rig.now();
    let name = OrderName { id: Some(id), client_id: None };
    let cancel = CancelOrder { instrument: 0, name, cancel_id: "x".into(), restriction: Restriction::Any };
    assert_eq!(rig.exchange.cancel(now, 0, &cancel), Ok(id));
}

#[test]
fn an_order_waits_unreserved_until_the_working_one_has_filled_whole() {
    let (mut rig, totals) = Rig::traded();
    let [first, second] = round_trip(&mut rig)[..] else { panic!("two") };
    assert_eq!(rig.told(), [(first, "NEW", "NEW", 0, 0), (second, "NEW", "PENDING_NEW", 0, 0)]);
    assert_eq!(rig.lists(), ["EXEC_STARTED"]);
    assert_eq!((rig.balance(0, 0), rig.balance(0, 1)), ((1_000, 0), (99_700, 300)));
    rig.print(Side::Sell, 100, 1);
    assert_eq!(rig.told(), [(first, "TRADE", "PARTIALLY_FILLED", 1, 100)]);
    assert_eq!(rig.balance(0, 0), (1_001, 0), "a part sets nothing off");
    rig.print(Side::Sell, 100, 5);
    assert_eq!(rig.told(), [(first, "TRADE", "FILLED", 2, 100), (second, "NEW", "NEW", 0, 0)]);
    assert_eq!((rig.lists(), rig.balance(0, 0)), (vec![], (1_000, 3)));
    assert_eq!(rig.exchange.published_quantity(0, Side::Sell, Price(105)), Quantity(3));
    rig.diff(&[], &[(101, 0), (102, 0)]);
    rig.print(Side::Buy, 105, 9);
    assert_eq!(rig.told(), [(second, "TRADE", "FILLED", 3, 105)]);
    assert_eq!((rig.lists(), rig.balance(0, 1)), (vec!["ALL_DONE"], (100_015, 0)));
    assert_eq!(rig.totals(), totals);
}

#[test]
fn a_working_order_that_fills_on_arrival_sets_off_at_once() {
    let (mut rig, totals) = Rig::traded();
    let working = named("in", &limit(Side::Buy, 101, 2));
    let pending = named("out", &market(Side::Sell, 2));
    let [first, second] = place(&mut rig, &working, &[&pending]).expect("placed")[..] else { panic!("two") };
    let told = rig.told();
    assert_eq!(told[..2], [(first, "NEW", "NEW", 0, 0), (second, "NEW", "PENDING_NEW", 0, 0)]);
    assert_eq!(told[2..4], [(first, "TRADE", "FILLED", 2, 101), (second, "NEW", "NEW", 0, 0)]);
    assert_eq!(told[4..], [(second, "TRADE", "FILLED", 2, 99)]);
    assert_eq!((rig.lists(), rig.balance(0, 1)), (vec!["EXEC_STARTED", "ALL_DONE"], (99_996, 0)));
    assert_eq!(rig.totals(), totals);
}

#[test]
fn however_a_list_ends_early_nothing_of_it_stays() {
    for which in [0, 1] {
        let (mut rig, totals) = Rig::traded();
        let ids = round_trip(&mut rig);
        rig.told();
        cancel(&mut rig, ids[which]);
        let mut told = rig.told();
        told.sort_unstable();
        assert_eq!(told, [ids[0], ids[1]].map(|id| (id, "CANCELED", "CANCELED", 0, 0)));
        assert_eq!((rig.lists(), rig.balance(0, 1)), (vec!["ALL_DONE"], (100_000, 0)));
        assert_eq!(rig.totals(), totals);
    }
    // What is not filled at once expires, and with it what waited for it.
    let (mut rig, _) = Rig::traded();
    let tif = TimeInForce::ImmediateOrCancel;
    let working = NewOrder { time_in_force: tif, ..named("in", &limit(Side::Buy, 101, 6)) };
    let pending = named("out", &limit(Side::Sell, 105, 6));
    let ids = place(&mut rig, &working, &[&pending]).expect("placed");
    assert_eq!(rig.told()[3..], [ids[0], ids[1]].map(|id| (id, "EXPIRED", "EXPIRED", 0, 0)));
    let expiry = |id: u64| rig.exchange.order(id).and_then(|order| order.expiry);
    assert_eq!(expiry(ids[0]), Some(Expiry::UnfilledIoc));
    assert_eq!(expiry(ids[1]), Some(Expiry::OtoPhaseOneExpired));
    assert_eq!(rig.balance(0, 0), (1_004, 0), "what was bought is kept");
}

#[test]
fn a_pair_that_was_set_off_has_one_reservation_and_one_ends_the_other() {
    let (mut rig, totals) = Rig::traded();
    let [working, stop, profit] = guarded(&mut rig)[..] else { panic!("three") };
    let pending = [stop, profit].map(|id| (id, "NEW", "PENDING_NEW", 0, 0));
    assert_eq!(rig.told()[1..], pending);
    rig.print(Side::Sell, 100, 9);
    let placed = [stop, profit].map(|id| (id, "NEW", "NEW", 0, 0));
    assert_eq!(rig.told()[1..], placed);
    assert_eq!(rig.balance(0, 0), (1_000, 3), "3 and not 6");
    rig.print(Side::Sell, 95, 1);
    let told = rig.told();
    assert_eq!(told[0], (profit, "EXPIRED", "EXPIRED", 0, 0));
    assert_eq!(told[1..], [(stop, "NEW", "NEW", 0, 0), (stop, "TRADE", "FILLED", 3, 99)]);
    assert_eq!((rig.lists(), rig.balance(0, 0)), (vec!["ALL_DONE"], (1_000, 0)));
    assert_eq!(rig.totals(), totals);

    // One of the pair is cancelled, before or after its turn: all that is open ends.
    for turn in [false, true] {
        let (mut rig, _) = Rig::traded();
        let ids = guarded(&mut rig);
        if turn {
            rig.print(Side::Sell, 100, 9);
        }
        cancel(&mut rig, ids[2]);
        assert!(ids.iter().all(|id| !rig.exchange.order(*id).expect("known").status.is_open()));
        assert_eq!((rig.balance(0, 0).1, rig.balance(0, 1).1), (0, 0));
        assert!(working == ids[0] && rig.exchange.open_lists(0).next().is_none());
    }
}

#[test]
fn what_is_refused_in_its_turn_expires_and_what_does_not_fit_is_refused_at_once() {
    let (mut rig, _) = Rig::traded();
    let dear = named("out", &limit(Side::Sell, 105, 2_000));
    let ids = place(&mut rig, &named("in", &limit(Side::Buy, 100, 3)), &[&dear]).expect("placed");
    rig.told();
    rig.print(Side::Sell, 100, 9);
    assert_eq!(rig.told()[1..], [(ids[1], "EXPIRED", "EXPIRED", 0, 0)], "it has 1003");
    assert_eq!(rig.exchange.order(ids[1]).and_then(|order| order.expiry), Some(Expiry::Rejected));
    assert_eq!((rig.lists(), rig.balance(0, 0)), (vec!["ALL_DONE"], (1_003, 0)));

    let (fair, far) = (limit(Side::Buy, 100, 3), named("out", &limit(Side::Sell, 500, 3)));
    let stop = NewOrder { kind: OrderType::StopLossLimit, stop_price: Price(95), ..fair.clone() };
    let out = named("out", &limit(Side::Sell, 105, 3));
    for (working, pending, code) in [
        (named("in", &stop), &out, -1116),
        (named("in", &market(Side::Buy, 3)), &out, -1116),
        (named("out", &fair), &out, -2010),
        (named("in", &limit(Side::Buy, 100, 2_000)), &out, -2010),
        (named("in", &fair), &far, -1013),
    ] {
        assert_eq!(place(&mut rig, &working, &[pending]), Err(code), "{working:?}");
    }
    assert_eq!((rig.told().len(), rig.balance(0, 1)), (0, (99_700, 0)));
}

#[test]
fn what_waits_for_its_turn_is_amended_and_reserves_nothing() {
    let (mut rig, totals) = Rig::traded();
    let ids = round_trip(&mut rig);
    let now = rig.now();
    let name = OrderName { id: Some(ids[1]), client_id: None };
    let amend = AmendOrder { instrument: 0, name, client_id: "less".into(), quantity: Quantity(2) };
    assert_eq!(rig.exchange.amend(now, 0, amend), Ok(ids[1]));
    assert_eq!((rig.balance(0, 0), rig.balance(0, 1)), ((1_000, 0), (99_700, 300)));
    rig.print(Side::Sell, 100, 9);
    assert_eq!(rig.exchange.order(ids[1]).map(|order| order.status), Some(Status::New));
    assert_eq!(rig.balance(0, 0), (1_001, 2));
    assert_eq!(rig.totals(), totals);
}

/// Prints prices of which the last one sets off the order, and no other.
fn set_off_by_the_last(rig: &mut Rig, id: u64, prices: &[i64]) {
    let (last, before) = prices.split_last().expect("prices");
    for price in before {
        rig.print(Side::Buy, *price, 1);
        assert_eq!(rig.told(), [], "not by {price}");
    }
    rig.print(Side::Buy, *last, 1);
    assert_eq!(rig.told()[0], (id, "NEW", "NEW", 0, 0), "by {last}");
}

#[test]
fn a_stop_trails_as_the_venue_tells_it() {
    let trailing = |kind, side, price, stop, delta| NewOrder {
        kind,
        stop_price: Price(stop),
        trailing_delta: delta,
        ..limit(side, price, 1)
    };
    use OrderType::{StopLossLimit, TakeProfitLimit};
    // The scenarios of its page about them, a hundredth or a tenth of their prices.
    for (order, prices) in [
        (trailing(StopLossLimit, Side::Buy, 450, 440, 500), &[370, 440, 460, 420, 440, 441][..]),
        (trailing(StopLossLimit, Side::Sell, 380, 390, 1_000), &[415, 390, 370, 410, 370, 369]),
        (trailing(TakeProfitLimit, Side::Buy, 385, 380, 850), &[420, 380, 370, 390, 380, 401, 402]),
        (trailing(TakeProfitLimit, Side::Sell, 410, 420, 750), &[415, 390, 420, 450, 440, 465, 431, 430]),
        (trailing(StopLossLimit, Side::Sell, 390, 0, 700), &[420, 395, 455, 424, 423]),
    ] {
        let mut rig = Rig::new(instrument("ABCUSDT"));
        rig.print(Side::Buy, 400, 1);
        let id = rig.place(0, &order).expect("placed");
        let begun = rig.exchange.order(id).and_then(|order| order.trailing_since).is_some();
        assert_eq!(begun, !order.stop_price.is_some(), "without a price it begins at once");
        rig.told();
        set_off_by_the_last(&mut rig, id, prices);
        assert!(rig.exchange.order(id).and_then(|order| order.trailing_since).is_some());
    }
}

#[test]
fn a_market_order_that_trails_reserves_what_it_may_cost() {
    let (mut rig, totals) = Rig::traded();
    let order = NewOrder { kind: OrderType::StopLoss, trailing_delta: 500, ..market(Side::Buy, 4) };
    let id = rig.place(0, &order).expect("placed");
    assert_eq!(rig.balance(0, 1), (100_000 - 4 * 105, 4 * 105));
    rig.told();
    set_off_by_the_last(&mut rig, id, &[90, 94, 95]);
    assert_eq!(rig.balance(0, 1), (100_000 - 4 * 101, 0));
    assert_eq!(rig.totals(), totals);
    for delta in [9, 2_001] {
        assert_eq!(rig.place(0, &NewOrder { trailing_delta: delta, ..order.clone() }), Err(-1013));
    }
}

#[test]
fn a_turn_is_never_rounded_towards_the_price() {
    assert_eq!(turning_point(Side::Sell, Price(455), 700), Price(423), "423.15");
    assert_eq!(turning_point(Side::Buy, Price(421), 500), Price(443), "442.05");
    assert_eq!(turning_point(Side::Buy, Price(420), 500), Price(441));
    assert_eq!(turning_point(Side::Buy, Price(i64::MAX), 2_000), Price(i64::MAX));
}
