//! Hand-worked lives of pairs. The book starts with bids 99 × 5 and 98 × 7, asks 101 × 4 and 102 × 6; the last price is 100.

use super::super::fixture::{
    CONFIG, Rig, Told, What, instrument, limit, maker_only, market, order_id, waits, with_tif,
};
use super::super::{Request, RequestKind, SimulationConfig};
use super::*;
use crate::domain::{Filters, Instrument, Nanos, SelfTrade, Side, TimeInForce};
use OrderType::{StopLoss, StopLossLimit, TakeProfit};
use What::{Accepted, CancelRejected, Canceled, Expired, Made, Rejected, Took};

const NOTHING: [Told; 0] = [];
const PLACED: [Told; 2] = [(1, Accepted, 0), (2, Accepted, 0)];

fn paired(above: Request, below: Request) -> [Request; 2] {
    [
        Request { kind: RequestKind::PlaceAbove.code(), target: below.id, ..above },
        Request { kind: RequestKind::PlaceBelow.code(), target: above.id, ..below },
    ]
}

/// A sell of 3: at 103, or for at least 96 once the price is 97.
fn around() -> [Request; 2] {
    let stop = waits(StopLossLimit, 97, limit(2, Side::Sell, 96, 3));
    paired(maker_only(1, Side::Sell, 103, 3), stop)
}

/// The same without limits: both wait.
fn both_wait() -> [Request; 2] {
    let sell = |sequence| market(sequence, Side::Sell, 3);
    paired(waits(TakeProfit, 103, sell(1)), waits(StopLoss, 97, sell(2)))
}

fn rig(config: SimulationConfig) -> Rig {
    let mut rig = Rig::new(config);
    rig.trade(Side::Buy, 100, 1);
    rig
}

fn place(rig: &mut Rig, pair: &[Request; 2]) -> Vec<Told> {
    rig.send(&pair[0]).send(&pair[1]).told()
}

#[test]
fn a_fill_of_one_ends_the_other_before_it_is_told() {
    let mut rig = rig(CONFIG);
    assert_eq!(place(&mut rig, &around()), PLACED);
    assert_eq!(rig.venue.open_orders().count(), 2);
    assert_eq!(rig.trade(Side::Buy, 102, 1).trade(Side::Sell, 98, 1).told(), NOTHING);
    assert_eq!(rig.trade(Side::Buy, 103, 1).told(), [(2, Expired, 0), (1, Made(103, 1), 1)]);
    assert_eq!(rig.trade(Side::Sell, 97, 1).told(), NOTHING, "it waits no more");
    assert_eq!(rig.trade(Side::Buy, 103, 9).told(), [(1, Made(103, 2), 3)]);
    assert_eq!(rig.venue.open_orders().count(), 0);
    // A book that reaches it fills it as a trade does.
    let mut rig = self::rig(CONFIG);
    place(&mut rig, &around());
    let filled = [(2, Expired, 0), (1, Made(103, 3), 3)];
    assert_eq!(rig.diff(&[(103, 5)], &[(101, 0), (102, 0)]).told(), filled);
}

#[test]
fn a_trigger_ends_the_other_before_it_acts() {
    for (pair, last, other, set_off) in
        [(around(), 97, 1, 2), (both_wait(), 97, 1, 2), (both_wait(), 103, 2, 1)]
    {
        let mut rig = rig(CONFIG);
        assert_eq!(place(&mut rig, &pair), PLACED);
        let told = [(other, Expired, 0), (set_off, Accepted, 0), (set_off, Took(99, 3), 3)];
        assert_eq!(rig.trade(Side::Buy, last, 1).told(), told);
        assert_eq!(rig.venue.open_orders().count(), 0);
    }
    // Set off and resting it stands alone.
    let mut rig = rig(CONFIG);
    let stop = waits(StopLossLimit, 97, limit(2, Side::Sell, 104, 3));
    place(&mut rig, &paired(maker_only(1, Side::Sell, 103, 3), stop));
    assert_eq!(rig.trade(Side::Sell, 97, 1).told(), [(1, Expired, 0), (2, Accepted, 0)]);
    assert_eq!(rig.cancel(2).told(), [(2, Canceled, 0)]);
}

#[test]
fn the_cancel_of_one_is_the_cancel_of_both() {
    for (cancelled, other) in [(1, 2), (2, 1)] {
        for pair in [around(), both_wait()] {
            let mut rig = rig(CONFIG);
            place(&mut rig, &pair);
            assert_eq!(rig.cancel(cancelled).told(), [(cancelled, Canceled, 0), (other, Canceled, 0)]);
            assert_eq!(rig.cancel(other).told(), [(other, CancelRejected(code::CANCEL), 0)]);
        }
        let mut rig = rig(CONFIG);
        place(&mut rig, &around());
        let kind = RequestKind::Replace.code();
        let new = Request { kind, target: order_id(cancelled), ..limit(3, Side::Sell, 104, 3) };
        let told = [(cancelled, Canceled, 0), (other, Canceled, 0), (3, Accepted, 0)];
        assert_eq!(rig.send(&new).told(), told);
    }
    let mut rig = rig(CONFIG);
    place(&mut rig, &around());
    let sweep = Request { id: order_id(9), kind: RequestKind::Sweep.code(), ..Request::default() };
    let told = rig.send(&sweep).told();
    assert_eq!((told.len(), &told[..2]), (3, &[(1, Canceled, 0), (2, Canceled, 0)][..]), "each once");
}

#[test]
fn what_does_not_fit_is_refused_whole() {
    let [above, below] = around();
    let mode = SelfTrade::ExpireTaker.code();
    let higher = waits(StopLossLimit, 104, limit(2, Side::Sell, 96, 3));
    // Before the first trade nothing is set off, and no last price tells above from below.
    assert_eq!(
        place(&mut Rig::new(CONFIG), &paired(above, higher)),
        [(1, Rejected(code::MALFORMED), 0)],
        "crossed"
    );
    for (code, [above, below]) in [
        (code::MALFORMED, [above, Request { quantity: Quantity(2), ..below }]),
        (code::MALFORMED, [above, Request { self_trade: mode, ..below }]),
        (code::MALFORMED, [Request { order_type: 99, ..above }, below]),
        (code::MALFORMED, paired(limit(1, Side::Sell, 103, 3), below)),
        (code::MALFORMED, paired(above, waits(StopLossLimit, 104, limit(2, Side::Buy, 104, 3)))),
        (code::MALFORMED, [above, Request { quantity: Quantity(0), ..below }]),
        // It would take.
        (code::NEW_ORDER, paired(maker_only(1, Side::Sell, 99, 3), below)),
        // It would be set off.
        (code::NEW_ORDER, paired(above, waits(StopLoss, 100, market(2, Side::Sell, 3)))),
        // An order of that name is open.
        (code::NEW_ORDER, paired(above, Request { id: order_id(8), ..below })),
        // Where the last price is on the wrong side of the upper one, which would not take.
        (code::NEW_ORDER, paired(maker_only(1, Side::Sell, 100, 3), below)),
    ] {
        let mut rig = rig(CONFIG);
        rig.send(&limit(8, Side::Buy, 90, 1)).told();
        assert_eq!(place(&mut rig, &[above, below]), [(1, Rejected(code), 0)], "{above:?} {below:?}");
        assert_eq!(rig.venue.open_orders().count(), 1);
    }
    let one = Filters { max_open_orders: Some(1), ..Filters::default() };
    let mut rig = Rig::listing(Instrument { filters: one, ..instrument() }, CONFIG);
    assert_eq!(place(&mut rig, &around()), [(1, Rejected(code::FILTER), 0)], "there is room for one");
}

#[test]
fn one_without_the_other_is_nothing_and_both_arrive_at_once() {
    let [above, below] = around();
    let mut rig = rig(SimulationConfig { order_latency: Nanos::from_millis(5), ..CONFIG });
    let refused = |sequence| (sequence, Rejected(code::MALFORMED), 0);
    assert_eq!(
        rig.send(&above).send(&limit(3, Side::Buy, 90, 1)).wait(5).told(),
        [refused(1), (3, Accepted, 0)]
    );
    assert_eq!(rig.send(&below).wait(5).told(), [refused(2)]);
    assert_eq!(rig.send(&above).wait(5).told(), [refused(1)]);
    assert_eq!(rig.send(&above).send(&below).wait(4).told(), NOTHING);
    assert_eq!(rig.wait(1).told(), PLACED);
    // A buy stands the other way round.
    let stop = with_tif(waits(StopLossLimit, 103, limit(4, Side::Buy, 104, 2)), TimeInForce::GoodTillCancel);
    let buy = paired(stop, maker_only(5, Side::Buy, 97, 2));
    rig.send(&buy[0]).send(&buy[1]);
    assert_eq!(rig.wait(5).told(), [(4, Accepted, 0), (5, Accepted, 0)]);
    // The print at 103 fills the sell as it sets the buy off, each of which ends the other of its own pair.
    let told = rig.trade(Side::Buy, 103, 3).told();
    assert_eq!(told[..2], [(2, Expired, 0), (1, Made(103, 3), 3)]);
    assert_eq!(told[2..4], [(5, Expired, 0), (4, Accepted, 0)]);
    assert_eq!(told[4..], [(4, Took(101, 2), 2)]);
}
