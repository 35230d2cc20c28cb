//! Hand-worked lives of icebergs. The book starts with bids 99 × 5 and 98 × 7, asks 101 × 4 and 102 × 6.

use super::fixture::{Rig, instrument, limit, market};
use super::{AmendOrder, NewOrder, OrderName};
use crate::domain::{Price, Quantity, SelfTrade, Side, TimeInForce};

/// Of account 0: 10 to sell at 101, of which 3 are shown.
fn iceberg() -> NewOrder {
    NewOrder { iceberg: Quantity(3), ..limit(Side::Sell, 101, 10) }
}

fn rig() -> Rig {
    Rig::new(instrument("ABCUSDT"))
}

fn shown(rig: &Rig) -> i64 {
    rig.exchange.published_quantity(0, Side::Sell, Price(101)).0
}

#[test]
fn a_part_is_shown_and_the_next_one_queues_behind() {
    let mut rig = rig();
    let totals = rig.totals();
    let hidden = rig.place(0, &iceberg()).expect("placed");
    let plain = rig.place(1, &limit(Side::Sell, 101, 2)).expect("placed");
    assert_eq!(shown(&rig), 4 + 3 + 2);
    assert_eq!(rig.balance(0, 0), (990, 10), "all of it is reserved");
    rig.told();
    // The market's 4, the part, the other order, and then the next part.
    let taker = rig.place(2, &market(Side::Buy, 11)).expect("placed");
    let trades: Vec<_> = rig.told().into_iter().filter(|told| told.1 == "TRADE").collect();
    let [to, by, of] = [taker, hidden, plain];
    assert_eq!(
        trades[1..3],
        [(to, "TRADE", "PARTIALLY_FILLED", 3, 101), (by, "TRADE", "PARTIALLY_FILLED", 3, 101)]
    );
    assert_eq!(trades[3..5], [(to, "TRADE", "PARTIALLY_FILLED", 2, 101), (of, "TRADE", "FILLED", 2, 101)]);
    assert_eq!(trades[5..], [(to, "TRADE", "FILLED", 2, 101), (by, "TRADE", "PARTIALLY_FILLED", 2, 101)]);
    assert_eq!(shown(&rig), 1, "what is left of the second part");
    // Who comes now stands before the third part, and behind the second.
    let late = rig.place(1, &limit(Side::Sell, 101, 5)).expect("placed");
    rig.told();
    rig.place(2, &market(Side::Buy, 4)).expect("placed");
    let made: Vec<_> = rig.told().into_iter().filter(|told| told.0 == hidden || told.0 == late).collect();
    assert_eq!(
        made,
        [(hidden, "TRADE", "PARTIALLY_FILLED", 1, 101), (late, "TRADE", "PARTIALLY_FILLED", 3, 101)]
    );
    assert_eq!(shown(&rig), 2 + 3);
    // The part that has come since then stands behind the rest of it.
    rig.told();
    rig.place(2, &market(Side::Buy, 3)).expect("placed");
    let made: Vec<_> = rig.told().into_iter().filter(|told| told.0 == hidden || told.0 == late).collect();
    let then = [(late, "TRADE", "FILLED", 2, 101), (hidden, "TRADE", "PARTIALLY_FILLED", 1, 101)];
    assert_eq!(made, then);
    assert_eq!(rig.totals(), totals);
}

#[test]
fn what_is_hidden_fills_whoever_wants_all_and_the_market_that_comes_through() {
    let mut rig = rig();
    let hidden = rig.place(0, &iceberg()).expect("placed");
    let all = NewOrder { time_in_force: TimeInForce::FillOrKill, ..limit(Side::Buy, 101, 15) };
    let taker = rig.place(1, &all).expect("placed");
    let filled = |rig: &Rig, id: u64| rig.exchange.order(id).expect("known").filled.0;
    assert_eq!((filled(&rig, taker), filled(&rig, hidden)), (0, 0), "there are 14");
    let taker = rig.place(1, &NewOrder { quantity: Quantity(14), ..all }).expect("placed");
    assert_eq!((filled(&rig, taker), filled(&rig, hidden)), (14, 10));

    let mut rig = self::rig();
    let hidden = rig.place(0, &iceberg()).expect("placed");
    rig.print(Side::Buy, 101, 20);
    assert_eq!(filled(&rig, hidden), 3, "a part at its price");
    rig.print(Side::Buy, 102, 6);
    assert_eq!(filled(&rig, hidden), 9, "all that trades through it");
    let mut rig = self::rig();
    let hidden = rig.place(0, &iceberg()).expect("placed");
    rig.diff(&[(101, 8)], &[(101, 0)]);
    assert_eq!(filled(&rig, hidden), 8, "part after part");
}

#[test]
fn an_iceberg_that_takes_hides_what_then_rests_and_shrinks_from_below() {
    let mut rig = rig();
    let id = rig.place(0, &NewOrder { iceberg: Quantity(3), ..limit(Side::Buy, 101, 10) }).expect("placed");
    let shown = |rig: &Rig| rig.exchange.published_quantity(0, Side::Buy, Price(101)).0;
    assert_eq!((rig.exchange.order(id).expect("known").filled.0, shown(&rig)), (4, 3));
    let amend = |rig: &mut Rig, quantity: i64| {
        let now = rig.now();
        let name = OrderName { id: Some(id), client_id: None };
        let client_id = format!("to-{quantity}").into();
        rig.exchange.amend(
            now,
            0,
            AmendOrder { instrument: 0, name, client_id, quantity: Quantity(quantity) },
        )
    };
    assert_eq!((amend(&mut rig, 8), shown(&rig)), (Ok(id), 3));
    assert_eq!((amend(&mut rig, 6), shown(&rig)), (Ok(id), 2));
    assert_eq!(rig.balance(0, 1).1, 202);
    rig.print(Side::Sell, 101, 9);
    assert_eq!(rig.exchange.order(id).map(|order| order.status.as_str()), Some("FILLED"));
}

#[test]
fn an_account_is_kept_from_all_of_its_own_iceberg() {
    for (stp, left, of_taker) in
        [(SelfTrade::ExpireMaker, 0, 6), (SelfTrade::ExpireTaker, 10, 4), (SelfTrade::Decrement, 4, 4)]
    {
        let mut rig = rig();
        let totals = rig.totals();
        let hidden = rig.place(0, &iceberg()).expect("placed");
        let taker = NewOrder { stp, ..limit(Side::Buy, 102, 10) };
        let taker = rig.place(0, &taker).expect("placed");
        let order = |id: u64| rig.exchange.order(id).expect("known");
        let open = if order(hidden).status.is_open() { order(hidden).leaves().0 } else { 0 };
        assert_eq!((open, order(hidden).filled.0), (left, 0), "{stp}");
        assert!(order(taker).filled.0 >= of_taker, "{stp}: {:?}", order(taker));
        assert_eq!(shown(&rig), left.min(3), "{stp}");
        assert_eq!(rig.totals(), totals);
    }
}

#[test]
fn icebergs_that_do_not_fit_are_refused_by_name() {
    let mut rig = rig();
    let told = |rig: &mut Rig, order: &NewOrder| {
        let now = rig.now();
        rig.exchange.place(now, 0, order).map_err(|reject| (reject.code, reject.message.into_owned()))
    };
    let parts = |quantity: i64, part: i64| NewOrder {
        iceberg: Quantity(part),
        client_id: format!("{quantity}").into(),
        ..limit(Side::Sell, 101, quantity)
    };
    let filter = |name: &str| Err((-1013, format!("Filter failure: {name}")));
    assert_eq!(told(&mut rig, &parts(201, 2)), filter("ICEBERG_PARTS"));
    assert_eq!(told(&mut rig, &parts(5, 6)), Err((-2010, "IcebergQty exceeds QTY.".to_owned())));
    for quantity in [200, 10, 11, 12, 13] {
        assert!(told(&mut rig, &parts(quantity, 2)).is_ok());
    }
    assert_eq!(told(&mut rig, &parts(14, 2)), filter("MAX_NUM_ICEBERG_ORDERS"));
}
