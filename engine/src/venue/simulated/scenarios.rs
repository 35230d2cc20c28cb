//! Hand-worked lives of orders, one rule a test. The book starts with bids 99 × 5 and 98 × 7, asks 101 × 4 and 102 × 6.

use super::fixture::{CONFIG, Rig, Told, What, instrument, limit, maker_only, market, order_id, with_tif};
use super::{FeeRate, QueueModel, Request, RequestKind, SimulationConfig};
use crate::domain::{
    Filters, Instrument, InstrumentKind, Nanos, Price, Quantity, QuantityFilter, Scale, SelfTrade, Side,
    TimeInForce,
};
use crate::message::OrderState;
use crate::message::report::FeeAsset;
use crate::venue::VenueEventKind;
use What::{Accepted, Canceled, Expired, Made, Rejected, Took};

const NOTHING: [Told; 0] = [];

#[test]
fn a_resting_order_waits_for_the_queue_and_fills_by_parts() {
    let mut rig = Rig::new(CONFIG);
    assert_eq!(rig.send(&limit(1, Side::Buy, 99, 10)).told(), [(1, Accepted, 0)]);
    assert_eq!(rig.trade(Side::Sell, 99, 3).told(), NOTHING);
    assert_eq!(rig.trade(Side::Buy, 99, 50).told(), NOTHING, "the other side's aggressor");
    assert_eq!(rig.trade(Side::Sell, 99, 6).told(), [(1, Made(99, 4), 4)], "5 stood before us");
    assert_eq!(rig.trade(Side::Sell, 99, 60).told(), [(1, Made(99, 6), 10)]);
    assert_eq!(rig.trade(Side::Sell, 99, 60).told(), NOTHING);
    assert_eq!(rig.venue.open_orders().count(), 0);
}

#[test]
fn a_mode_of_self_trade_prevention_that_there_is_not_is_refused() {
    let mut rig = Rig::new(CONFIG);
    for (sequence, mode, expected) in [
        (1, SelfTrade::ExpireTaker.code(), Accepted),
        (2, SelfTrade::ExpireMaker.code(), Rejected(-1013)),
        (3, 77, Rejected(-1102)),
    ] {
        let order = Request { self_trade: mode, ..limit(sequence, Side::Buy, 99, 1) };
        assert_eq!(rig.send(&order).told(), [(sequence, expected, 0)], "{mode}");
    }
}

#[test]
fn a_new_better_level_has_no_queue() {
    let mut rig = Rig::new(CONFIG);
    rig.send(&limit(1, Side::Sell, 100, 10)).told();
    assert_eq!(rig.trade(Side::Buy, 100, 4).told(), [(1, Made(100, 4), 4)]);
}

#[test]
fn cancels_of_others_move_us_by_the_model() {
    for (queue, ahead) in [(QueueModel::RiskAverse, 5), (QueueModel::Probabilistic { power: 1 }, 4)] {
        let mut rig = Rig::new(SimulationConfig { queue, ..CONFIG });
        rig.send(&limit(1, Side::Buy, 99, 10)).told();
        // 5 more join behind us, then 3 of the 10 leave: 3 × 5 / 10 = 1 of them before us.
        rig.diff(&[(99, 10)], &[]).diff(&[(99, 7)], &[]);
        let order = *rig.venue.open_orders().next().expect("it rests");
        assert_eq!(order.ahead().0, ahead, "{queue:?}");
        rig.wait(50).trade(Side::Sell, 99, 5);
        let expected: &[Told] = if ahead == 5 { &[] } else { &[(1, Made(99, 1), 1)] };
        assert_eq!(rig.told(), expected, "{queue:?}");
        // The level falls to 1: whoever still stands before us is in it.
        rig.diff(&[(99, 1)], &[]);
        let order = *rig.venue.open_orders().next().expect("it rests");
        assert!(order.ahead().0 <= 1, "{queue:?}");
    }
}

#[test]
fn a_trade_through_us_or_a_book_that_reaches_us_fills_us_whole() {
    let mut rig = Rig::new(CONFIG);
    rig.send(&limit(1, Side::Buy, 99, 10)).send(&limit(2, Side::Buy, 98, 10)).told();
    assert_eq!(rig.trade(Side::Sell, 98, 1).told(), [(1, Made(99, 10), 10)], "at our price, not the trade's");
    assert_eq!(
        rig.diff(&[(99, 0), (98, 0)], &[(98, 1)]).told(),
        [(2, Made(98, 10), 10)],
        "an ask has come to our price"
    );
    rig.diff(&[(97, 1)], &[(98, 0)]).send(&limit(3, Side::Sell, 100, 3)).told();
    assert_eq!(
        rig.ticker(1, (100, 1), (101, 4)).told(),
        [(3, Made(100, 3), 3)],
        "so has a bid, by the ticker"
    );
}

#[test]
fn a_ticker_that_is_not_newer_fills_nothing() {
    let mut rig = Rig::new(CONFIG);
    rig.send(&limit(1, Side::Sell, 100, 3)).told();
    assert_eq!(rig.ticker(0, (100, 1), (101, 4)).told(), NOTHING);
}

#[test]
fn a_taker_walks_the_levels_and_its_remainder_rests() {
    let mut rig = Rig::new(CONFIG);
    let told = rig.send(&limit(1, Side::Buy, 102, 12)).told();
    assert_eq!(told, [(1, Accepted, 0), (1, Took(101, 4), 4), (1, Took(102, 6), 10)]);
    let order = *rig.venue.open_orders().next().expect("2 are left");
    assert_eq!((order.leaves().0, order.ahead().0, order.price.0), (2, 0, 102));
    assert_eq!(rig.diff(&[], &[(103, 9)]).told(), NOTHING, "the asks it took are not there for it again");
    assert_eq!(
        rig.send(&with_tif(limit(2, Side::Buy, 102, 1), TimeInForce::ImmediateOrCancel)).told(),
        [(2, Accepted, 0), (2, Expired, 0)]
    );
    assert_eq!(rig.diff(&[], &[(102, 5)]).told(), [(1, Made(102, 2), 12)], "a changed level is new supply");
}

#[test]
fn lifetimes() {
    let mut rig = Rig::new(CONFIG);
    let ioc = with_tif(limit(1, Side::Sell, 99, 9), TimeInForce::ImmediateOrCancel);
    assert_eq!(rig.send(&ioc).told(), [(1, Accepted, 0), (1, Took(99, 5), 5), (1, Expired, 5)]);
    let fok = with_tif(limit(2, Side::Buy, 102, 11), TimeInForce::FillOrKill);
    assert_eq!(rig.send(&fok).told(), [(2, Accepted, 0), (2, Expired, 0)], "10 are offered");
    let fok = with_tif(limit(3, Side::Buy, 102, 10), TimeInForce::FillOrKill);
    assert_eq!(rig.send(&fok).told(), [(3, Accepted, 0), (3, Took(101, 4), 4), (3, Took(102, 6), 10)]);
    assert_eq!(
        rig.send(&market(4, Side::Buy, 1)).told(),
        [(4, Accepted, 0), (4, Expired, 0)],
        "no asks left"
    );
    assert_eq!(
        rig.send(&market(5, Side::Sell, 8)).told(),
        [(5, Accepted, 0), (5, Took(98, 7), 7), (5, Expired, 7)]
    );
    assert_eq!(rig.venue.open_orders().count(), 0);
}

#[test]
fn a_maker_only_order_is_refused_where_it_would_take() {
    let mut rig = Rig::new(CONFIG);
    assert_eq!(rig.send(&maker_only(1, Side::Buy, 101, 1)).told(), [(1, Rejected(-2010), 0)]);
    assert_eq!(rig.send(&maker_only(2, Side::Buy, 100, 1)).told(), [(2, Accepted, 0)]);
    assert_eq!(rig.send(&maker_only(3, Side::Sell, 100, 1)).told(), [(3, Rejected(-2010), 0)], "our own bid");
}

#[test]
fn our_orders_do_not_trade_with_each_other() {
    let mut rig = Rig::new(CONFIG);
    rig.send(&limit(1, Side::Sell, 102, 5)).told();
    let told = rig.send(&limit(2, Side::Buy, 103, 20)).told();
    assert_eq!(told, [(2, Accepted, 0), (2, Took(101, 4), 4), (2, Expired, 4)]);
    assert_eq!(rig.venue.open_orders().map(|order| order.id).collect::<Vec<_>>(), [order_id(1)]);
    let fok = with_tif(limit(3, Side::Buy, 103, 1), TimeInForce::FillOrKill);
    assert_eq!(rig.send(&fok).told(), [(3, Accepted, 0), (3, Expired, 0)]);
}

#[test]
fn a_fill_may_overtake_a_cancel() {
    let latency = SimulationConfig {
        order_latency: Nanos::from_millis(10),
        answer_latency: Nanos::from_millis(4),
        ..CONFIG
    };
    let mut rig = Rig::new(latency);
    rig.send(&limit(1, Side::Buy, 99, 2));
    assert_eq!(rig.venue.next_deadline(), Nanos::from_millis(110));
    assert_eq!(rig.wait(13).told(), NOTHING);
    assert_eq!(rig.venue.next_deadline(), Nanos::from_millis(114));
    assert_eq!(rig.wait(1).told(), [(1, Accepted, 0)]);
    // The cancel leaves at 114 and arrives at 124; the fill happens at 120 and is heard of at 124.
    rig.cancel(1).wait(6).trade(Side::Sell, 98, 1);
    assert_eq!(rig.wait(4).told(), [(1, Made(99, 2), 2)]);
    assert_eq!(rig.wait(4).told(), [(1, What::CancelRejected(-2011), 0)]);
    assert_eq!(rig.venue.next_deadline(), Nanos::NEVER);

    rig.send(&limit(2, Side::Buy, 99, 2)).wait(10).cancel(2).wait(10);
    assert_eq!(
        rig.trade(Side::Sell, 98, 1).told(),
        [(2, Accepted, 0)],
        "what is due acts before the market moves"
    );
    assert_eq!(rig.wait(4).told(), [(2, Canceled, 0)]);
}

#[test]
fn cancels_and_queries_tell_what_became_of_an_order() {
    let mut rig = Rig::new(CONFIG);
    let query = |sequence| Request::query(0, order_id(sequence));
    let state =
        |state, quantity| What::Other(VenueEventKind::QueryState { state, quantity: Quantity(quantity) });
    rig.send(&limit(1, Side::Buy, 99, 10)).told();
    assert_eq!(rig.send(&query(1)).told(), [(1, state(OrderState::Open, 10), 0)]);
    rig.trade(Side::Sell, 99, 8).told();
    assert_eq!(rig.send(&query(1)).told(), [(1, state(OrderState::Partial, 10), 3)]);
    let elsewhere = Request {
        instrument: 7,
        target: order_id(1),
        kind: RequestKind::Cancel.code(),
        ..Request::default()
    };
    assert_eq!(rig.send(&elsewhere).told(), [(1, What::CancelRejected(-2011), 0)], "not its instrument");
    assert_eq!(rig.cancel(1).told(), [(1, Canceled, 3)]);
    assert_eq!(rig.cancel(1).told(), [(1, What::CancelRejected(-2011), 0)]);
    assert_eq!(rig.send(&query(1)).told(), [(1, state(OrderState::Canceled, 0), 3)]);
    assert_eq!(rig.send(&query(2)).told(), [(2, What::Other(VenueEventKind::QueryNotFound), 0)]);
    rig.send(&maker_only(3, Side::Buy, 105, 1)).told();
    assert_eq!(
        rig.send(&query(3)).told(),
        [(3, What::Other(VenueEventKind::QueryNotFound), 0)],
        "never placed"
    );
    let nothing = Request { kind: RequestKind::Cancel.code(), ..Request::default() };
    assert_eq!(rig.send(&nothing).told(), [(0, What::CancelRejected(-1102), 0)]);
}

#[test]
fn a_cancel_of_all_ends_each_and_is_answered_once() {
    let mut rig = Rig::new(CONFIG);
    let sweep = |instrument| Request {
        id: order_id(90),
        instrument,
        kind: RequestKind::Sweep.code(),
        ..Request::default()
    };
    let swept = (90, What::Other(VenueEventKind::Swept), 0);
    rig.send(&limit(1, Side::Buy, 99, 10)).send(&limit(2, Side::Sell, 101, 4)).told();
    rig.trade(Side::Sell, 99, 8).told();
    assert_eq!(rig.send(&sweep(0)).told(), [(1, Canceled, 3), (2, Canceled, 0), swept]);
    assert_eq!(rig.venue.open_orders().count(), 0);
    assert_eq!(rig.send(&sweep(0)).told(), [swept], "nothing was open");
    let refused = What::Other(VenueEventKind::SweepRejected { code: -1121 });
    assert_eq!(rig.send(&sweep(7)).told(), [(90, refused, 0)]);
}

#[test]
fn a_replacement_ends_the_one_and_begins_the_other_or_neither() {
    let mut rig = Rig::new(CONFIG);
    let replace = |target, request: Request| Request {
        target: order_id(target),
        kind: RequestKind::Replace.code(),
        ..request
    };
    rig.send(&limit(1, Side::Buy, 99, 10)).told();
    assert_eq!(
        rig.send(&replace(1, limit(2, Side::Buy, 98, 4))).told(),
        [(1, Canceled, 0), (2, Accepted, 0)]
    );
    let none = [(3, Rejected(-2011), 0)];
    assert_eq!(rig.send(&replace(1, limit(3, Side::Buy, 98, 4))).told(), none, "it has ended");
    let malformed = Request { quantity: Quantity(0), ..limit(4, Side::Buy, 98, 4) };
    assert_eq!(rig.send(&replace(2, malformed)).told(), [(4, Rejected(-1102), 0)]);
    assert_eq!(rig.venue.open_orders().map(|order| order.id).collect::<Vec<_>>(), [order_id(2)]);
    // That it would take, only the book tells: after the cancel.
    assert_eq!(
        rig.send(&replace(2, maker_only(5, Side::Buy, 101, 1))).told(),
        [(2, Canceled, 0), (5, Rejected(-2010), 0)]
    );
    rig.send(&limit(6, Side::Buy, 99, 10)).told();
    assert_eq!(rig.trade(Side::Sell, 99, 8).told(), [(6, Made(99, 3), 3)]);
    assert_eq!(
        rig.send(&replace(6, limit(7, Side::Buy, 98, 4))).told(),
        [(7, Rejected(-2011), 0)],
        "in part"
    );
    assert_eq!(rig.venue.open_orders().count(), 1);
}

#[test]
fn an_amended_order_keeps_its_place() {
    let mut rig = Rig::new(CONFIG);
    let amend = |sequence, quantity| Request {
        id: order_id(90),
        target: order_id(sequence),
        quantity: Quantity(quantity),
        kind: RequestKind::Amend.code(),
        ..Request::default()
    };
    rig.send(&limit(1, Side::Buy, 99, 10)).send(&limit(2, Side::Buy, 99, 4)).told();
    let other = What::Other;
    let amended = other(VenueEventKind::Amended { quantity: Quantity(6) });
    assert_eq!(rig.send(&amend(1, 6)).told(), [(1, amended, 0)]);
    // 5 of the market stand before both, and the first still before the second.
    assert_eq!(rig.trade(Side::Sell, 99, 10).told(), [(1, Made(99, 5), 5)]);
    let refused = |code| other(VenueEventKind::AmendRejected { code });
    for (sequence, quantity, code) in [(1, 6, -2038), (1, 5, -2038), (1, 0, -2038), (3, 1, -2013)] {
        assert_eq!(rig.send(&amend(sequence, quantity)).told(), [(sequence, refused(code), 0)]);
    }
    assert_eq!(rig.trade(Side::Sell, 99, 3).told(), [(1, Made(99, 1), 6), (2, Made(99, 2), 2)]);
}

#[test]
fn refusals_name_their_reason() {
    let filters = Filters {
        tick: Price(5),
        lot: QuantityFilter { max: Quantity(50), ..QuantityFilter::default() },
        max_open_orders: Some(2),
        ..Filters::default()
    };
    let mut rig = Rig::listing(Instrument { filters, ..instrument() }, CONFIG);
    let mut code = |request: &Request| match rig.send(request).told()[..] {
        [(_, Rejected(code), 0)] => code,
        [(_, Accepted, 0)] => 0,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(code(&limit(1, Side::Buy, 91, 1)), -1013, "off the grid");
    assert_eq!(code(&limit(1, Side::Buy, 90, 51)), -1013, "too large");
    assert_eq!(code(&limit(1, Side::Buy, 90, 0)), -1102);
    assert_eq!(code(&Request { kind: 9, ..limit(1, Side::Buy, 90, 1) }), -1102);
    assert_eq!(code(&Request { instrument: 1, ..limit(1, Side::Buy, 90, 1) }), -1121);
    assert_eq!(code(&limit(1, Side::Buy, 90, 1)), 0);
    assert_eq!(code(&limit(1, Side::Buy, 85, 1)), -2010, "an open order has this id");
    assert_eq!(code(&limit(2, Side::Buy, 90, 1)), 0);
    assert_eq!(code(&limit(3, Side::Buy, 90, 1)), -1013, "the third open order");

    let closed = Instrument { untradable: Some("HALT".into()), ..instrument() };
    assert_eq!(
        Rig::listing(closed, CONFIG).send(&limit(1, Side::Buy, 90, 1)).told(),
        [(1, Rejected(-2010), 0)]
    );
    let dear = limit(1, Side::Sell, i64::MAX, i64::MAX);
    assert_eq!(Rig::new(CONFIG).send(&dear).told(), [(1, Accepted, 0)], "a fee of nothing always fits");
    let charged = SimulationConfig { maker_fee: FeeRate(1), ..CONFIG };
    assert_eq!(Rig::new(charged).send(&dear).told(), [(1, Rejected(-1013), 0)], "this one does not");
}

#[test]
fn without_a_book_nothing_is_taken_and_nothing_fills() {
    let mut rig = Rig::without_book(instrument(), CONFIG);
    assert!(!rig.venue.has_book(0));
    assert_eq!(rig.send(&limit(1, Side::Buy, 99, 1)).told(), [(1, Rejected(-2010), 0)]);
    rig.snapshot(&[(99, 5)], &[(101, 4)]).send(&limit(1, Side::Buy, 99, 1)).told();
    assert!(rig.venue.has_book(0));
    assert_eq!(rig.gap(3).diff(&[], &[(99, 1)]).told(), NOTHING, "a gap: the book is not known");
    assert_eq!(rig.trade(Side::Sell, 90, 100).told(), NOTHING);
    assert_eq!(rig.cancel(1).told(), [(1, Canceled, 0)], "cancels always work");

    let mut empty = Rig::without_book(instrument(), CONFIG);
    empty.snapshot(&[], &[]).send(&limit(1, Side::Buy, 99, 1)).told();
    assert_eq!(empty.trade(Side::Sell, 90, 100).told(), NOTHING);
    assert_eq!(empty.send(&market(2, Side::Sell, 1)).told(), [(2, Accepted, 0), (2, Expired, 0)]);
}

#[test]
fn fees_and_sums() {
    let rebate = SimulationConfig { maker_fee: FeeRate(-100), taker_fee: FeeRate(750), ..CONFIG };
    let mut rig = Rig::new(rebate);
    rig.send(&limit(1, Side::Buy, 102, 5)).send(&limit(2, Side::Sell, 103, 2)).told();
    rig.trade(Side::Buy, 103, 2);
    let fees = |rig: &mut Rig| -> Vec<(i64, FeeAsset, u64)> {
        let fee = |kind| match kind {
            VenueEventKind::Trade { fee, fee_asset, trade_id, .. } => Some((fee, fee_asset, trade_id)),
            _ => None,
        };
        rig.events().iter().filter_map(|event| fee(event.kind)).collect()
    };
    // 206 × 0.01 % back.
    assert_eq!(fees(&mut rig), [(-2_060_000, FeeAsset::Quote, 3)]);
    let ledger = rig.venue.account().ledger(0);
    // 4 × 101 + 1 × 102 at 0.075 %, less the rebate.
    assert_eq!((ledger.bought, ledger.sold, ledger.trades), (5, 2, 3));
    assert_eq!(ledger.fees, 30_300_000 + 7_650_000 - 2_060_000);

    let scale = Scale::new(1).expect("a valid scale");
    let inverse =
        Instrument { kind: InstrumentKind::Inverse, multiplier: 100, price_scale: scale, ..instrument() };
    let mut rig = Rig::listing(inverse, rebate);
    rig.send(&market(1, Side::Buy, 5));
    // 400 / 10.1 and 100 / 10.2 base, × 0.075 %: 0.0297029…, 0.0073529…, rounded up.
    assert_eq!(fees(&mut rig), [(2_970_298, FeeAsset::Base, 1), (735_295, FeeAsset::Base, 2)]);
}
