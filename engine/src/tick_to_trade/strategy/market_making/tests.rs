//! Quotes of market making: where, how large, when they move, and what makes them.

use super::*;
use crate::domain::{InstrumentKind, OrderType};
use crate::error::RejectCode;
use crate::message::report::OrderState;
use crate::message::{Intent, IntentKind};
use crate::tick_to_trade::strategy::position::Position;
use crate::tick_to_trade::strategy::testing::{Bench, instrument, kind_of, report_of, top_tick};
use crate::tick_to_trade::strategy::touch::untrusted;
use crate::tick_to_trade::strategy::working::Working;

const SECOND: Nanos = Nanos::from_secs(1);

fn making_on(instrument: &Instrument, held: i64) -> Bench<MarketMaking> {
    let mut strategy = MarketMaking::new(Parameters::default(), 0, instrument);
    for (key, value) in
        [("warm_up", "2s"), ("size_unit", "quantity"), ("order_size", "1"), ("max_position", "3")]
    {
        strategy.set(key, value).expect("valid");
    }
    Bench::new(strategy, Working::new(&[Position::new(0, Quantity(held), Price(10_000))], &[]))
}

fn by_side(sent: &[Intent]) -> (Option<i64>, Option<i64>) {
    let price =
        |side: Side| sent.iter().find(|intent| intent.side == side.code()).map(|intent| intent.price.0);
    (price(Side::Buy), price(Side::Sell))
}

fn quoted(held: i64, settings: &[(&str, &str)]) -> (Option<i64>, Option<i64>) {
    let mut bench = quoting(held, settings);
    by_side(&bench.rig.sent())
}

/// Warm, with the mid at 100.00 and a variance of about one square basis point per second, at its first quotes.
fn quoting(held: i64, settings: &[(&str, &str)]) -> Bench<MarketMaking> {
    let mut bench = making_on(&instrument(), held);
    for (key, value) in settings {
        bench.strategy.set(key, value).expect("valid");
    }
    for bid in [9_900, 9_902] {
        assert_eq!(bench.sent_on(&top_tick(bid, bid + 200)), [], "not warm yet");
        bench.wait(SECOND);
    }
    bench.tick(&top_tick(9_900, 10_100));
    bench
}

#[test]
fn long_inventory_lowers_both_quotes_and_short_raises_them() {
    let strong = [("gamma", "0.5"), ("requote_bps", "0")];
    let flat = quoted(0, &strong);
    let (long, short) = (quoted(1_000, &strong), quoted(-1_000, &strong));
    let quotes = |pair: (Option<i64>, Option<i64>)| (pair.0.expect("a bid"), pair.1.expect("an ask"));
    let ((bid, ask), (long_bid, long_ask), (short_bid, short_ask)) =
        (quotes(flat), quotes(long), quotes(short));
    assert!(long_bid < bid && long_ask < ask, "{long:?} {flat:?}");
    assert!(short_bid > bid && short_ask > ask, "{short:?} {flat:?}");
    assert_eq!(ask - 10_000, 10_000 - bid, "flat is symmetric");
}

#[test]
fn quotes_widen_with_risk_aversion() {
    let (calm, averse) = (quoted(0, &[]), quoted(0, &[("gamma", "1")]));
    assert!(averse.0 < calm.0 && averse.1 > calm.1, "{calm:?} {averse:?}");
}

#[test]
fn quotes_are_maker_orders_on_the_grid_on_their_side_of_the_market() {
    // Tight markets off the grid, and an inventory that pushes the quotes through them.
    for held in [-2_000, 0, 2_000] {
        let mut bench = quoting(held, &[("kappa", "1000"), ("gamma", "0.5")]);
        bench.venue();
        let mut seen = 0;
        for (bid, ask) in [(9_998, 10_001), (10_002, 10_003), (9_991, 9_994), (10_009, 10_010)] {
            bench.wait(SECOND);
            bench.tick(&top_tick(bid, ask));
            // The old quotes go; a second later the new ones come.
            bench.venue();
            bench.wait(SECOND);
            for intent in bench.venue() {
                assert_eq!((intent.kind, intent.order_type), (1, OrderType::LimitMaker.code()));
                assert_eq!((intent.price.0 % 5, intent.quantity), (0, Quantity(1_000)));
                let buys = intent.side == Side::Buy.code();
                let passive = if buys { intent.price.0 < ask } else { intent.price.0 > bid };
                assert!(passive, "{intent:?} into {bid} {ask}");
                seen += 1;
            }
        }
        assert!(seen > 3, "{seen} quotes holding {held}");
    }
}

#[test]
fn never_quotes_before_warm_up_or_on_a_book_that_is_not_trusted() {
    let mut bench = making_on(&instrument(), 0);
    assert_eq!(bench.sent_on(&top_tick(9_990, 10_010)), []);
    bench.wait(SECOND);
    assert_eq!(bench.sent_on(&Tick { flags: 0, ..top_tick(9_990, 10_010) }), []);
    bench.wait(Nanos::from_secs(100));
    assert_eq!(bench.rig.sent(), []);
    assert_eq!(bench.sent_on(&top_tick(9_990, 10_010)), [], "the gap did not warm it up");
}

#[test]
fn lost_trust_cancels_at_once_and_the_next_top_quotes_again() {
    let mut bench = quoting(0, &[]);
    assert_eq!(bench.venue().len(), 2);
    bench.tick(&untrusted(0, bench.now));
    let cancels = bench.venue();
    assert_eq!(cancels.len(), 2);
    assert!(cancels.iter().all(|intent| intent.kind == IntentKind::Cancel.code()));
    bench.wait(SECOND);
    assert_eq!(bench.rig.sent(), []);
    assert_eq!(bench.sent_on(&top_tick(9_900, 10_100)).len(), 2);
}

#[test]
fn a_cancel_that_failed_on_a_book_without_trust_waits_for_no_refresh() {
    let mut bench = quoting(0, &[]);
    bench.venue();
    bench.strategy.set("refresh", "60s").expect("valid");
    bench.tick(&untrusted(0, bench.now));
    let cancels = bench.rig.sent();
    assert_eq!(cancels.len(), 2);
    for cancel in cancels {
        let refused = bench.rig.outbox.working_mut().refuse(cancel.id, RejectCode::RingFull);
        let refusal = refused.expect("it works");
        bench.strategy.on_refusal(&refusal, bench.now, &mut bench.rig.outbox);
    }
    bench.wait(Nanos::from_millis(20));
    let again = bench.rig.sent();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|intent| intent.kind == IntentKind::Cancel.code()));
}

#[test]
fn a_shorter_refresh_does_not_wait_for_the_end_of_the_longer_one() {
    let mut bench = quoting(0, &[("refresh", "60s"), ("requote_bps", "0")]);
    bench.venue();
    assert_eq!(bench.sent_on(&top_tick(9_700, 9_900)), [], "too soon after the last look");
    bench.strategy.set("refresh", "100ms").expect("valid");
    assert_eq!(bench.sent_on(&top_tick(9_700, 9_900)).len(), 2);
}

#[test]
fn a_side_that_could_pass_the_largest_position_is_not_quoted() {
    for (held, bids, asks) in
        [(2_000, true, true), (2_002, false, true), (3_000, false, true), (-2_002, true, false)]
    {
        let (bid, ask) = quoted(held, &[]);
        assert_eq!((bid.is_some(), ask.is_some()), (bids, asks), "holding {held}");
    }
    // A fill that reaches the limit takes the side away, and the other side stays.
    let mut bench = quoting(2_000, &[("requote_bps", "1000")]);
    let sent = bench.venue();
    let bid = sent.iter().find(|intent| intent.side == Side::Buy.code()).expect("a bid");
    bench.fill(bid);
    bench.wait(SECOND);
    assert_eq!((bench.rig.sent(), bench.position()), (Vec::new(), 3_000));
    assert_eq!(bench.rig.outbox.working().orders().len(), 1);
}

#[test]
fn moves_a_quote_only_beyond_the_threshold_and_only_after_its_cancel() {
    let mut bench = quoting(0, &[("requote_bps", "20"), ("horizon", "1ms")]);
    assert_eq!(bench.venue().len(), 2);
    bench.wait(SECOND);
    assert_eq!(bench.sent_on(&top_tick(9_915, 10_115)), [], "15 basis points");
    bench.wait(SECOND);
    let sent = bench.sent_on(&top_tick(9_940, 10_140));
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|intent| intent.kind == IntentKind::Cancel.code()));
    bench.wait(SECOND);
    assert_eq!(bench.sent_on(&top_tick(9_940, 10_140)), [], "the cancels are on their way");
    for intent in sent {
        let order = *bench.rig.outbox.working().find(intent.target).expect("it works");
        let target = Intent { id: order.id, side: order.side.code(), quantity: order.quantity, ..intent };
        bench.tell(&report_of(&target, ReportKind::Canceled, OrderState::Canceled, 0));
    }
    bench.wait(SECOND);
    assert_eq!(bench.venue().iter().filter(|intent| intent.kind == IntentKind::New.code()).count(), 2);
}

#[test]
fn looks_no_more_often_than_refresh_and_the_timer_makes_up_for_it_where_no_tick_comes() {
    let mut bench = quoting(0, &[("refresh", "500ms"), ("requote_bps", "0")]);
    bench.venue();
    bench.wait(Nanos::from_millis(100));
    assert_eq!(bench.sent_on(&top_tick(9_700, 9_900)), [], "too soon after the last look");
    bench.wait(Nanos::from_millis(899));
    assert_eq!(bench.rig.sent(), [], "a tick may come still");
    bench.wait(Nanos::from_millis(1));
    assert_eq!(bench.rig.sent().len(), 2);
}

#[test]
fn where_ticks_come_a_tick_causes_the_quotes_and_not_the_timer() {
    let mut bench = quoting(0, &[("requote_bps", "0")]);
    let (mut caused, mut timed) = (0, 0);
    for n in 0..600_i64 {
        let bid = 9_900 + n * 7 % 40 * 10;
        bench.tick(&top_tick(bid, bid + 200));
        caused += bench.venue().len();
        bench.wait(Nanos::from_millis(30));
        timed += bench.venue().len();
    }
    assert!(caused > 100 && timed == 0, "{caused} by a tick, {timed} by the timer");
}

#[test]
fn refusals_are_followed_by_longer_and_longer_pauses() {
    let mut bench = quoting(0, &[("refresh", "0s")]);
    let mut attempts = 0;
    for _ in 0..20 {
        for intent in bench.rig.sent() {
            attempts += 1;
            let working = bench.rig.outbox.working_mut();
            let refusal = working.refuse(intent.id, RejectCode::Halted).expect("it works");
            bench.strategy.on_refusal(&refusal, bench.now, &mut bench.rig.outbox);
        }
        bench.wait(SECOND);
        bench.tick(&top_tick(9_900, 10_100));
    }
    // Two sides, each at pauses of 0.25, 0.5, 1, 2, 4, 8 s: six or seven rounds in 20 s, not 20.
    assert!((10..=14).contains(&attempts), "{attempts}");
}

#[test]
fn a_side_that_the_venue_refuses_pauses_alone() {
    let mut bench = quoting(0, &[]);
    let mut counts = BySide { buy: 0, sell: 0 };
    for n in 0..20 {
        for intent in bench.rig.sent() {
            if intent.kind == IntentKind::Cancel.code() {
                continue;
            }
            let side = Side::try_from(intent.side).expect("valid");
            *counts.get_mut(side) += 1;
            if side == Side::Sell {
                bench.tell(&report_of(&intent, ReportKind::Rejected, OrderState::Rejected, 0));
            } else {
                bench.tell(&report_of(&intent, ReportKind::Accepted, OrderState::Open, 0));
                bench.tell(&report_of(&intent, ReportKind::Expired, OrderState::Expired, 0));
            }
        }
        bench.wait(SECOND);
        bench.tick(&top_tick(9_900 + n % 2, 10_100));
    }
    assert!(counts.buy >= 20 && (5..=7).contains(&counts.sell), "{counts:?}");
}

#[test]
fn quotes_every_kind_of_instrument() {
    for (kind, multiplier) in [(InstrumentKind::Linear, 10), (InstrumentKind::Inverse, 100)] {
        let mut bench = making_on(&kind_of(kind, multiplier), 0);
        for (key, value) in [("size_unit", "notional"), ("max_position", "2500"), ("order_size", "250")] {
            bench.strategy.set(key, value).expect("valid");
        }
        for bid in [9_900, 9_902, 9_900] {
            bench.tick(&top_tick(bid, bid + 200));
            bench.wait(SECOND);
        }
        bench.tick(&top_tick(9_900, 10_100));
        let quantity = if kind == InstrumentKind::Linear { 250 } else { 2_500 };
        let sent = bench.venue();
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|intent| intent.quantity == Quantity(quantity)), "{kind}: {sent:?}");
    }
}

#[test]
fn the_same_ticks_give_the_same_intents() {
    let run = || {
        let mut bench = quoting(0, &[]);
        let mut sent = Vec::new();
        for n in 0..500_i64 {
            let bid = 9_900 + (n * n * 7_919) % 61 - 30;
            bench.tick(&top_tick(bid, bid + 200));
            sent.extend(bench.venue());
            bench.wait(Nanos::from_millis(137));
        }
        sent
    };
    let first = run();
    assert!(first.len() > 100, "{}", first.len());
    assert_eq!(first, run());
}
