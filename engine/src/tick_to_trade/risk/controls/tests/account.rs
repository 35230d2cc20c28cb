//! C11 to C25, cancels and new limits.

use super::*;
use crate::domain::Instruments;
use crate::message::report::FeeAsset;
use crate::tick_to_trade::risk::fixture::table;

#[test]
fn c11_counts_position_and_every_open_order() {
    let mut limits = limits();
    limits.instruments[0].max_position = Quantity(40);
    let mut desk = Desk::with(limits);
    desk.hold(0, Side::Buy, 1_000, 10);
    let first = desk.buy(1_000, 20);
    desk.approve(&first);
    let (fits, over) = (desk.buy(1_000, 10), desk.buy(1_000, 12));
    assert_eq!((desk.verdict(&fits), desk.verdict(&over)), (RejectCode::None, RejectCode::MaxPosition));
    // Unknown counts in full; a cancel frees what was not filled.
    desk.state.limits.instruments[0].max_unknown = 9;
    desk.state.on_report(&report(&first, ReportKind::Unknown, OrderState::Unknown, 0), NOW);
    assert_eq!(desk.verdict(&over), RejectCode::MaxPosition);
    desk.state.on_report(&fill(&first, 1_000, 4, 4, 900), NOW);
    assert_eq!(desk.verdict(&over), RejectCode::MaxPosition, "10 + 4 + 16 as before");
    desk.state.on_report(&report(&first, ReportKind::Canceled, OrderState::Canceled, 4), NOW);
    assert_eq!(desk.verdict(&over), RejectCode::None, "14 + 12");
}

#[test]
fn c11_holds_each_source_to_its_own_limit_too() {
    let mut limits = limits();
    // 20 units at 1005.
    limits.sources[0].max_position_value = 20_100 * USD;
    let mut desk = Desk::with(limits);
    // Another source holds more than that, the other way: it is not ours.
    let theirs = limit(id(1, 1), 0, Side::Sell, 1_000, 30);
    desk.approve(&theirs);
    desk.state.on_report(&fill(&theirs, 1_000, 30, 30, 900), NOW);
    let first = desk.buy(1_000, 12);
    desk.approve(&first);
    let (fits, over) = (desk.buy(1_000, 8), desk.buy(1_000, 10));
    assert_eq!((desk.verdict(&fits), desk.verdict(&over)), (RejectCode::None, RejectCode::MaxPosition));
    let others = Intent { id: id(1, 2), ..over };
    assert_eq!(desk.verdict(&others), RejectCode::None, "the other source has its own");
    desk.state.on_report(&fill(&first, 1_000, 12, 12, 901), NOW);
    let back = desk.sell(1_010, 12);
    desk.state.limits.sources[0].max_position_value = 1;
    assert_eq!(desk.verdict(&back), RejectCode::None, "shrinks its own");
    let through = desk.sell(1_010, 14);
    assert_eq!(desk.verdict(&through), RejectCode::MaxPosition, "and beyond");
}

#[test]
fn an_unknown_position_rejects_until_known() {
    let mut desk = Desk::new();
    let order = desk.sell(1_005, 10);
    desk.hold(0, Side::Buy, 1_000, 10);
    let broken = Report { trade_id: 0, ..fill(&order, 1_005, 2, 2, 1) };
    desk.state.on_report(&broken, NOW);
    assert_eq!(desk.verdict(&order), RejectCode::MaxPosition, "not even what would reduce");
    let other = limit(desk.next(), 1, Side::Buy, 1_000, 1);
    assert_eq!(desk.verdict(&other), RejectCode::MaxGross, "a held instrument has no value");
    desk.state.check_day(NOW);
    assert_eq!(desk.state.day.result, None);

    let mut desk = Desk::new();
    desk.state.on_report(&Report { instrument: 77, ..broken }, NOW);
    assert_eq!(desk.verdict(&other), RejectCode::MaxPosition, "nobody knows whose report it was");
    let mut desk = Desk::new();
    let stranger = limit(id(9, 1), 1, Side::Buy, 1_000, 1);
    desk.state.on_report(&fill(&stranger, 1_000, 1, 1, 5), NOW);
    assert_eq!(desk.verdict(&other), RejectCode::MaxPosition, "a source that does not exist");
}

#[test]
fn c12_sums_worst_cases_over_instruments() {
    let mut desk = Desk::new();
    // 100 contracts of 100 dollars = 10000; 11 × 10 × 1005 = 110550.
    desk.hold(2, Side::Sell, 1_000, 100);
    desk.hold(1, Side::Buy, 1_000, 11);
    // 150000 − 120550 = 29450: 28 × 1005 = 28140 fits, 30 × 1005 = 30150 does not.
    let (fits, over) = (desk.buy(1_000, 28), desk.buy(1_000, 30));
    assert_eq!((desk.verdict(&fits), desk.verdict(&over)), (RejectCode::None, RejectCode::MaxGross));
    // A held instrument without a price: only what shrinks a position passes.
    desk.now = NOW + Nanos::from_secs(3);
    desk.state.on_tick(&top(0, 1_000, 1_010, desk.now));
    desk.state.on_tick(&top(1, 1_000, 1_010, desk.now));
    assert_eq!(desk.verdict(&fits), RejectCode::MaxGross);
    let reduces = limit(desk.next(), 1, Side::Sell, 1_005, 4);
    assert_eq!(desk.verdict(&reduces), RejectCode::None);
}

#[test]
fn c15_counts_open_orders_of_symbol_venue_and_account() {
    let mut desk = Desk::new();
    for price in [990, 995, 1_000, 1_005] {
        let order = desk.buy(price, 2);
        desk.approve(&order);
    }
    let order = desk.buy(985, 2);
    assert_eq!(desk.verdict(&order), RejectCode::MaxOpen, "the venue allows 4");
    desk.state.filters[0].max_open_orders = None;
    desk.approve(&order);
    let order = desk.buy(980, 2);
    assert_eq!(desk.verdict(&order), RejectCode::MaxOpen, "the limit is 5");
    desk.state.limits.account.max_open = 5;
    let elsewhere = limit(desk.next(), 2, Side::Buy, 1_000, 1);
    assert_eq!(desk.verdict(&elsewhere), RejectCode::MaxOpen);
    desk.state.limits.account.max_open = 6;
    assert_eq!(desk.verdict(&elsewhere), RejectCode::None);
}

#[test]
fn c16_buckets_empty_and_refill() {
    let mut limits = limits();
    limits.sources[0].orders = Rate::new(2, Nanos::from_secs(1));
    let mut desk = Desk::with(limits);
    for price in [990, 995] {
        let order = desk.buy(price, 2);
        desk.approve(&order);
    }
    let order = desk.buy(1_000, 2);
    assert_eq!(desk.verdict(&order), RejectCode::MessageRate);
    let other = Intent { id: id(1, 1), ..order };
    assert_eq!(desk.verdict(&other), RejectCode::None, "another source has its own");
    desk.now = NOW + Nanos::from_millis(500);
    assert_eq!(desk.verdict(&order), RejectCode::None);
}

#[test]
fn c18_and_c21_latch_until_an_operator_clears() {
    let mut desk = Desk::new();
    let big = limit(id(0, 1), 2, Side::Buy, 1_000, 40);
    for trade in 1..=5 {
        desk.state.on_report(&fill(&big, 1_000, 1, trade, trade as u64), NOW);
    }
    assert_eq!(desk.state.take_latch(), None);
    desk.state.on_report(&fill(&big, 1_000, 1, 6, 6), NOW + Nanos::from_secs(1));
    assert_eq!(desk.state.take_latch(), Some(Latch::Source(ALICE, RejectCode::RepeatExecution)));
    let order = desk.buy(990, 2);
    assert_eq!(desk.verdict(&order), RejectCode::RepeatExecution);
    assert_eq!(desk.verdict(&Intent { id: id(1, 1), ..order }), RejectCode::None, "the other trades on");
    desk.now = NOW + Nanos::from_secs(1);
    desk.state.clear_source(ALICE);
    assert_eq!(desk.verdict(&order), RejectCode::None);

    let mut desk = Desk::new();
    for _ in 0..20 {
        desk.state.on_reject(ALICE, RejectCode::StaleMarketData, NOW);
    }
    for _ in 0..11 {
        desk.state.on_reject(ALICE, RejectCode::MaxQuantity, NOW);
    }
    assert_eq!(desk.state.take_latch(), None, "conditions do not count");
    let refused = report(&order, ReportKind::Rejected, OrderState::Rejected, 0);
    desk.state.on_report(&refused, NOW);
    assert_eq!(desk.state.take_latch(), Some(Latch::Source(ALICE, RejectCode::RejectStorm)));
    assert_eq!(desk.verdict(&order), RejectCode::RejectStorm);
    desk.state.clear_source(ALICE);
    assert_eq!(desk.verdict(&order), RejectCode::None);
}

#[test]
fn c19_counts_a_fee_in_a_third_asset_at_the_highest_rate() {
    let mut desk = Desk::new();
    let order = limit(id(0, 1), 0, Side::Buy, 1_000, 40);
    let paid_in = |asset: FeeAsset, fee: i64, trade: u64| {
        let cumulative = 10 * i64::try_from(trade).expect("small");
        Report { fee, detail: asset.code() << 4 | 1, ..fill(&order, 1_000, 10, cumulative, trade) }
    };
    let total = |desk: &mut Desk| {
        desk.state.on_tick(&top(0, 1_000, 1_001, NOW));
        desk.state.check_day(NOW);
        desk.state.day.result
    };
    desk.state.on_report(&paid_in(FeeAsset::Quote, 0, 1), NOW);
    let without = total(&mut desk).expect("known");
    desk.state.on_report(&paid_in(FeeAsset::Other, 12, 2), NOW);
    let with = total(&mut desk).expect("known");
    // 10 at 1000 are worth 10,000, of which one part in a thousand.
    assert_eq!(without - with, 10 * USD);
    desk.state.on_report(&paid_in(FeeAsset::Other, -12, 3), NOW);
    assert_eq!(total(&mut desk), Some(with), "a rebate costs nothing");
    desk.state.on_report(&paid_in(FeeAsset::Bnb, 12, 4), NOW);
    assert_eq!(total(&mut desk), Some(with - 10 * USD), "BNB is such an asset");
}

#[test]
fn c19_knows_the_result_of_a_flat_account_with_the_first_price() {
    // As after a restart: the fills are known before any price is. Through this market nothing else is valued.
    let mut limits = limits();
    limits.instruments.truncate(1);
    let alone = Instruments::new(vec![table().remove(0)]).expect("valid");
    let mut state = State::new(&alone, limits, EPOCH).expect("valid");
    let (bought, sold) =
        (limit(id(0, 1), 0, Side::Buy, 1_000, 10), limit(id(0, 2), 0, Side::Sell, 1_000, 10));
    let in_base = |report: Report| Report { fee: 5, detail: FeeAsset::Base.code() << 4 | 1, ..report };
    state.on_report(&in_base(fill(&bought, 1_000, 10, 10, 1)), NOW);
    state.on_report(&in_base(fill(&sold, 1_000, 10, 10, 2)), NOW);
    state.check_day(NOW);
    assert_eq!((state.day.state, state.day.result), (DayState::Unknown, None));
    assert!(state.on_tick(&top(0, 1_000, 1_010, NOW)), "the day's result may be known now");
    state.check_day(NOW);
    assert_eq!(state.day.state, DayState::Fine);
    assert!(!state.on_tick(&top(0, 1_000, 1_020, NOW)), "a flat account does not change with prices");
}

#[test]
fn c19_reduces_then_halts_and_stays() {
    let mut desk = Desk::new();
    desk.hold(0, Side::Buy, 1_010, 10);
    let (more, less) = (desk.buy(900, 2), desk.sell(900, 2));
    let at = |desk: &mut Desk, bid: i64, ask: i64| {
        desk.state.on_tick(&top(0, bid, ask, NOW));
        desk.state.check_day(NOW);
        let latch = desk.state.take_latch();
        let price = Price(bid - bid % 5);
        let pair = [more, less].map(|intent| desk.verdict(&Intent { price, ..intent }));
        (latch, pair)
    };
    const DAY_LOSS: RejectCode = RejectCode::DayLoss;
    // Bought 10 at 1010: at a mid of 910.5 (marked down to 910) the loss is exactly 1000.
    assert_eq!(at(&mut desk, 911, 912), (None, [RejectCode::None; 2]), "911: 990");
    let soft = Some(Latch::Global(HaltState::ReduceOnly));
    assert_eq!(at(&mut desk, 910, 911), (soft, [DAY_LOSS, RejectCode::None]));
    assert_eq!(at(&mut desk, 1_000, 1_010), (None, [DAY_LOSS, RejectCode::None]), "latched");
    let hard = Some(Latch::Global(HaltState::Halted));
    assert_eq!(at(&mut desk, 709, 710), (hard, [DAY_LOSS; 2]), "709: 3010");
    assert_eq!(at(&mut desk, 1_000, 1_010), (None, [DAY_LOSS; 2]), "latched");
    desk.state.clear_day_latch();
    assert_eq!(at(&mut desk, 1_000, 1_010), (None, [RejectCode::None; 2]));
    // Without a price the result is not known: only what shrinks passes, were it valued.
    desk.state.on_tick_gap();
    desk.state.check_day(NOW);
    assert_eq!(desk.state.day.result, None);
    let elsewhere = limit(desk.next(), 2, Side::Buy, 1_000, 1);
    assert_eq!(desk.verdict(&elsewhere), RejectCode::StaleMarketData);
}

#[test]
fn c19_counts_fees_and_forgets_yesterday() {
    let mut desk = Desk::new();
    desk.trade += 1;
    let order = limit(id(1, 1), 0, Side::Buy, 1_005, 2);
    let paid = Report { fee: 999 * USD as i64, ..fill(&order, 1_005, 2, 2, 1) };
    desk.state.on_report(&paid, NOW);
    desk.state.check_day(NOW);
    assert_eq!((desk.state.day.result, desk.state.take_latch()), (Some(-999 * USD), None));
    // Midnight: at 1004 it is 1001 down in all, 1001 at its start, so nothing today.
    let midnight = Nanos::from_secs(86_400);
    desk.state.on_tick(&top(0, 1_003, 1_005, midnight - Nanos(1)));
    desk.state.check_day(midnight);
    assert_eq!((desk.state.day.result, desk.state.take_latch()), (Some(0), None));
    assert_eq!(desk.state.day.baseline(), Some((1, Some(-1_001 * USD))));
}

#[test]
fn c22_never_meets_an_order_of_our_own() {
    let mut desk = Desk::new();
    let resting = desk.buy(1_000, 2);
    desk.approve(&resting);
    let (meets, above) = (desk.sell(1_000, 2), desk.sell(1_005, 2));
    assert_eq!((desk.verdict(&meets), desk.verdict(&above)), (RejectCode::SelfTrade, RejectCode::None));
    let any = market(desk.next(), 0, Side::Sell, 2);
    assert_eq!(desk.verdict(&any), RejectCode::SelfTrade);
    // Still so while nobody knows what became of it.
    desk.state.limits.instruments[0].max_unknown = 9;
    desk.state.on_report(&report(&resting, ReportKind::Unknown, OrderState::Unknown, 0), NOW);
    assert_eq!(desk.verdict(&meets), RejectCode::SelfTrade);
    desk.state.on_report(&report(&resting, ReportKind::NeverPlaced, OrderState::NeverPlaced, 0), NOW);
    assert_eq!(desk.verdict(&meets), RejectCode::None);
}

#[test]
fn c23_waits_for_unresolved_orders() {
    let mut desk = Desk::new();
    let orders = [0, 1, 2].map(|instrument| limit(desk.next(), instrument, Side::Buy, 1_000, 2));
    for order in &orders {
        desk.approve(order);
    }
    desk.state.on_report(&report(&orders[0], ReportKind::Unknown, OrderState::Unknown, 0), NOW);
    let (here, there) = (desk.buy(995, 2), limit(desk.next(), 3, Side::Buy, 1_000, 1));
    assert_eq!(desk.verdict(&here), RejectCode::Unresolved);
    desk.state.limits.instruments[3].max_notional = i128::MAX;
    desk.state.limits.instruments[3].max_position_value = i128::MAX;
    desk.state.limits.account.max_gross = i128::MAX;
    assert_eq!(desk.verdict(&there), RejectCode::None);
    desk.state.on_report(&report(&orders[1], ReportKind::Unknown, OrderState::Unknown, 0), NOW);
    assert_eq!(desk.verdict(&there), RejectCode::Unresolved, "two in the account");
    for order in &orders[..2] {
        desk.state.on_report(&report(order, ReportKind::Accepted, OrderState::Open, 0), NOW);
    }
    assert_eq!((desk.verdict(&here), desk.verdict(&there)), (RejectCode::None, RejectCode::None));
}

#[test]
fn c25_and_a_full_ring_keep_room_for_cancels() {
    let mut desk = Desk::new();
    let resting = desk.buy(1_000, 2);
    desk.approve(&resting);
    let (order, cancel) = (desk.buy(995, 2), cancel(desk.next(), resting.id, 0));
    let at = |intent, journal_free, ring_free| {
        desk.state.check(intent, ALICE, NOW, &Gates { journal_free, ring_free, ..OPEN }).err()
    };
    assert_eq!(at(&order, JOURNAL_RESERVE + 1, CANCEL_RESERVE + 1), None);
    assert_eq!(at(&order, JOURNAL_RESERVE, 100), Some(RejectCode::Journal));
    assert_eq!(at(&order, 100, CANCEL_RESERVE), Some(RejectCode::RingFull));
    assert_eq!(at(&cancel, 1, 1), None);
    assert_eq!(at(&cancel, 0, 1), Some(RejectCode::Journal));
    assert_eq!(at(&cancel, 1, 0), Some(RejectCode::RingFull));
}

#[test]
fn cancels_need_a_known_order_and_their_own_bucket() {
    let mut desk = Desk::new();
    let resting = desk.buy(1_000, 2);
    desk.approve(&resting);
    let own = cancel(desk.next(), resting.id, 0);
    assert_eq!(desk.verdict(&own), RejectCode::None);
    assert_eq!(desk.verdict(&Intent { valid_until: Nanos(1), ..own }), RejectCode::None, "late, but welcome");
    assert_eq!(desk.verdict(&cancel(own.id, id(0, 777), 0)), RejectCode::UnknownOrder);
    assert_eq!(desk.verdict(&cancel(own.id, resting.id, 1)), RejectCode::BadRequest);
    assert_eq!(desk.verdict(&cancel(id(1, 1), resting.id, 0)), RejectCode::UnknownOrder, "not its own");
    let operator = cancel(id(OPERATOR.0, 1), resting.id, 0);
    assert_eq!(desk.verdict(&operator), RejectCode::None);
    // New orders do not use up the bucket of cancels, and a flood of cancels does not stop the operator.
    for _ in 0..10 {
        assert_eq!(desk.verdict(&own), RejectCode::None);
        desk.state.on_cancel(ALICE, NOW);
    }
    assert_eq!(desk.verdict(&own), RejectCode::MessageRate);
    for _ in 0..10 {
        desk.state.on_cancel(SourceId(1), NOW);
    }
    assert_eq!(desk.verdict(&operator), RejectCode::None);
    let order = desk.buy(995, 2);
    assert_eq!(desk.verdict(&order), RejectCode::None);
}

#[test]
fn new_limits_hold_at_once_and_keep_the_counts() {
    let mut desk = Desk::new();
    let order = desk.buy(1_000, 10);
    desk.approve(&order);
    let order = desk.buy(1_000, 12);
    let mut tighter = limits();
    tighter.instruments[0].max_quantity = Quantity(10);
    desk.state.set_limits(&instruments(), tighter.clone(), NOW).expect("valid");
    assert_eq!(desk.verdict(&order), RejectCode::MaxQuantity);
    tighter.account.day_loss_soft = -1;
    let error = desk.state.set_limits(&instruments(), tighter.clone(), NOW).expect_err("negative");
    assert!(error.to_string().contains("day_loss_soft"), "{error}");
    tighter.account.day_loss_soft = 1;
    tighter.account.currency = "EUR".into();
    assert!(desk.state.set_limits(&instruments(), tighter, NOW).is_err());
    assert_eq!(desk.verdict(&order), RejectCode::MaxQuantity, "the old ones stay");
}
