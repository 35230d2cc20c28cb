//! C01 to C10, and the limits that nobody set.

use super::*;
use crate::message::IntentKind;

#[test]
fn an_order_within_every_limit_passes_and_default_limits_pass_nothing() {
    let mut desk = Desk::new();
    let order = desk.buy(1_000, 10);
    assert_eq!(desk.verdict(&order), RejectCode::None);
    let mut nothing = limits();
    nothing.instruments = vec![Default::default(); 4];
    nothing.sources = vec![Default::default(); 3];
    nothing.account = AccountLimits { currency: "USDT".into(), ..AccountLimits::default() };
    let desk = Desk::with(nothing);
    for intent in [order, market(order.id, 1, Side::Sell, 1), limit(order.id, 3, Side::Buy, 1, 1)] {
        assert_ne!(desk.verdict(&intent), RejectCode::None);
    }
}

/// Every limit in turn is left unset: each makes its own control reject.
#[test]
fn an_absent_limit_rejects() {
    type Unset = fn(&mut Limits);
    let cases: [(RejectCode, Unset); 18] = [
        (RejectCode::MaxQuantity, |l| l.instruments[0].max_quantity = Quantity(0)),
        (RejectCode::MaxNotional, |l| l.instruments[0].max_notional = 0),
        (RejectCode::Collar, |l| l.instruments[0].collar_aggressive_bps = 0),
        (RejectCode::StaleMarketData, |l| l.instruments[0].stale_after = Nanos::ZERO),
        (RejectCode::MaxPosition, |l| l.instruments[0].max_position = Quantity(0)),
        (RejectCode::MaxPosition, |l| l.instruments[0].max_position_value = 0),
        (RejectCode::MaxPosition, |l| l.sources[0].max_position_value = 0),
        (RejectCode::MaxGross, |l| l.account.max_gross = 0),
        (RejectCode::MaxOpen, |l| l.instruments[0].max_open = 0),
        (RejectCode::MaxOpen, |l| l.account.max_open = 0),
        (RejectCode::MessageRate, |l| l.sources[0].orders = Rate::default()),
        (RejectCode::MessageRate, |l| l.account.orders = Rate::default()),
        (RejectCode::DuplicateContent, |l| l.account.duplicates = Rate::default()),
        (RejectCode::RepeatExecution, |l| l.account.repeat_fills = Rate::default()),
        (RejectCode::DayLoss, |l| l.account.day_loss_soft = 0),
        (RejectCode::RejectStorm, |l| l.account.reject_storm = Rate::default()),
        (RejectCode::Unresolved, |l| l.instruments[0].max_unknown = 0),
        (RejectCode::Unresolved, |l| l.account.max_unknown = 0),
    ];
    for (code, unset) in cases {
        let mut limits = limits();
        unset(&mut limits);
        let mut desk = Desk::with(limits);
        let order = desk.buy(1_010, 10);
        assert_eq!(desk.verdict(&order), code);
    }
}

#[test]
fn c01_halts_by_degrees() {
    let mut desk = Desk::new();
    let order = desk.buy(1_000, 10);
    let at = |desk: &Desk, intent: &Intent, halt| {
        desk.state.check(intent, ALICE, NOW, &Gates { halt, ..OPEN }).err()
    };
    assert_eq!(at(&desk, &order, HaltState::Active), None);
    for halt in [HaltState::ReduceOnly, HaltState::CancelOnly, HaltState::Halted] {
        assert_eq!(at(&desk, &order, halt), Some(RejectCode::Halted), "{halt}");
    }
    assert_eq!(
        at(&desk, &Intent::default(), HaltState::Halted),
        Some(RejectCode::Halted),
        "also what is malformed"
    );
    // Reduce-only: long 10; the flat instrument may not open, the sell may not flip (reliability.md §1.2).
    desk.hold(0, Side::Buy, 1_000, 10);
    let (exact, over, more) = (desk.sell(1_005, 10), desk.sell(1_005, 12), desk.buy(1_000, 2));
    let opens = limit(desk.next(), 1, Side::Sell, 1_005, 1);
    assert_eq!(at(&desk, &exact, HaltState::ReduceOnly), None);
    for intent in [over, more, opens] {
        assert_eq!(at(&desk, &intent, HaltState::ReduceOnly), Some(RejectCode::Halted));
    }
    assert_eq!(at(&desk, &exact, HaltState::CancelOnly), Some(RejectCode::Halted));
    // With the first sell on its way, a second one could flip.
    desk.approve(&exact);
    let second = desk.sell(1_010, 2);
    assert_eq!(at(&desk, &second, HaltState::ReduceOnly), Some(RejectCode::Halted));
    // In its place another may come, for only one of them ever trades; it may not flip either.
    desk.state.filters[0].cancel_replace = true;
    let in_place = |intent: Intent| Intent { kind: IntentKind::Replace.code(), target: exact.id, ..intent };
    let (moved, larger) = (in_place(desk.sell(1_010, 10)), in_place(desk.sell(1_010, 12)));
    assert_eq!(at(&desk, &moved, HaltState::ReduceOnly), None);
    assert_eq!(at(&desk, &larger, HaltState::ReduceOnly), Some(RejectCode::Halted));
    let more = in_place(desk.buy(1_000, 2));
    assert_eq!(at(&desk, &more, HaltState::ReduceOnly), Some(RejectCode::Halted));
    // Cancels pass whatever the halt.
    let cancel = cancel(desk.next(), exact.id, 0);
    assert_eq!(at(&desk, &cancel, HaltState::Halted), None);
}

#[test]
fn c02_refuses_what_is_malformed() {
    let mut desk = Desk::new();
    let good = desk.buy(1_000, 10);
    let maker = Intent { order_type: 3, ..good };
    assert_eq!(desk.verdict(&Intent { self_trade: 6, ..good }), RejectCode::None);
    assert_eq!((desk.verdict(&good), desk.verdict(&maker)), (RejectCode::None, RejectCode::None));
    let bad = [
        Intent { kind: 0, ..good },
        Intent { kind: 3, ..good },
        Intent { kind: 4, ..good },
        Intent { kind: 5, ..good },
        Intent { kind: 6, ..good },
        Intent { side: 0, ..good },
        Intent { side: 3, ..good },
        Intent { order_type: 0, ..good },
        Intent { order_type: 9, ..good },
        Intent { time_in_force: 0, ..good },
        Intent { time_in_force: 4, ..good },
        Intent { time_in_force: 2, ..maker },
        Intent { reserved: [0, 0, 1], ..good },
        Intent { self_trade: 7, ..good },
        Intent { instrument: 4, ..good },
        Intent { instrument: u32::MAX, ..good },
        Intent { quantity: Quantity(0), ..good },
        Intent { quantity: Quantity(i64::MIN), ..good },
        Intent { price: Price(0), ..good },
        Intent { price: Price(-5), ..good },
        Intent { order_type: 2, ..good },
        Intent { target: id(0, 1), ..good },
        Intent { id: OrderId { epoch: EPOCH + 1, ..good.id }, ..good },
        Intent { id: OrderId { source_epoch: 0, ..good.id }, ..good },
        Intent { id: OrderId { sequence: 0, ..good.id }, ..good },
        Intent { kind: 2, ..good },
        Intent { trigger: Price(1), ..good },
    ];
    for intent in bad {
        assert_eq!(desk.verdict(&intent), RejectCode::BadRequest, "{intent:?}");
    }
    // The ring says who speaks, whatever the message claims; a ring of nobody is refused.
    for source in [SourceId(1), SourceId(3), SourceId(u16::MAX)] {
        assert_eq!(desk.state.check(&good, source, NOW, &OPEN), Err(RejectCode::BadRequest));
    }
}

#[test]
fn a_replacement_is_judged_with_the_order_that_it_replaces_still_counted() {
    let mut limits = limits();
    limits.instruments[0].max_position = Quantity(30);
    let mut desk = Desk::with(limits);
    let old = desk.buy(1_000, 20);
    desk.approve(&old);
    let new = desk.buy(1_005, 10);
    let replacing = |intent: &Intent| Intent { kind: IntentKind::Replace.code(), target: old.id, ..*intent };
    assert_eq!(desk.verdict(&replacing(&new)), RejectCode::NoReplace, "the venue takes none");
    desk.state.filters[0].cancel_replace = true;
    assert_eq!(desk.verdict(&replacing(&new)), RejectCode::None);
    let larger = desk.buy(1_005, 12);
    assert_eq!(desk.verdict(&replacing(&larger)), RejectCode::MaxPosition, "20 and 12 may both trade");
    for (intent, code) in [
        (Intent { target: OrderId::NONE, ..replacing(&new) }, RejectCode::BadRequest),
        (Intent { target: id(0, 77), ..replacing(&new) }, RejectCode::UnknownOrder),
        (Intent { id: id(1, 1), ..replacing(&new) }, RejectCode::UnknownOrder),
        (Intent { instrument: 1, ..replacing(&new) }, RejectCode::BadRequest),
        (Intent { price: Price(1_003), ..replacing(&new) }, RejectCode::FilterPrice),
        (Intent { id: old.id, ..replacing(&new) }, RejectCode::DuplicateId),
        (Intent { valid_until: Nanos(1), ..replacing(&new) }, RejectCode::Expired),
    ] {
        assert_eq!(desk.verdict(&intent), code, "{intent:?}");
    }
    let under = |halt| desk.state.check(&replacing(&new), ALICE, NOW, &Gates { halt, ..OPEN }).err();
    assert_eq!(
        [HaltState::ReduceOnly, HaltState::CancelOnly].map(under),
        [Some(RejectCode::Halted), Some(RejectCode::Halted)]
    );
    // Approved, both count until the venue has spoken of the first.
    desk.approve(&replacing(&new));
    assert_eq!(desk.state.orders.left(0, Side::Buy), 30);
    desk.state.on_report(&report(&old, ReportKind::Canceled, OrderState::Canceled, 0), NOW);
    assert_eq!(desk.state.orders.left(0, Side::Buy), 10);
    desk.state.on_report(&fill(&new, 1_005, 4, 4, 1), NOW);
    let more = Intent { target: new.id, ..replacing(&desk.buy(1_010, 10)) };
    assert_eq!(desk.verdict(&more), RejectCode::NoReplace, "what is filled would come on top");
    desk.state.on_report(&report(&new, ReportKind::Unknown, OrderState::Unknown, 4), NOW);
    assert_eq!(desk.verdict(&more), RejectCode::Unresolved);
}

#[test]
fn a_cancel_of_all_is_for_people_and_never_late() {
    let desk = Desk::new();
    let sweep =
        |id| Intent { kind: IntentKind::Sweep.code(), valid_until: NOW, ..cancel(id, OrderId::NONE, 0) };
    let people = sweep(id(OPERATOR.0, 1));
    let check =
        |intent: &Intent, halt| desk.state.check(intent, intent.id.source, NOW, &Gates { halt, ..OPEN });
    for halt in [HaltState::Active, HaltState::CancelOnly, HaltState::Halted] {
        assert!(matches!(check(&people, halt), Ok(Request::Sweep(_))), "{halt}");
    }
    for (intent, code) in [
        (sweep(id(0, 1)), RejectCode::BadRequest),
        (Intent { target: id(0, 1), ..people }, RejectCode::BadRequest),
        (Intent { quantity: Quantity(1), ..people }, RejectCode::BadRequest),
        (Intent { instrument: 4, ..people }, RejectCode::BadRequest),
        (Intent { valid_until: Nanos(NOW.0 - 1), ..people }, RejectCode::Expired),
    ] {
        assert_eq!(desk.verdict(&intent), code, "{intent:?}");
    }
    let mut none = limits();
    none.sources[usize::from(OPERATOR.0)].cancels = Rate::default();
    assert_eq!(Desk::with(none).verdict(&people), RejectCode::MessageRate);
}

#[test]
fn what_an_earlier_session_left_is_neither_amended_nor_replaced() {
    // The venue may hold it as one of a pair: then it would change or cancel the other too.
    let mut desk = Desk::new();
    desk.state.filters[0].cancel_replace = true;
    let (older, own) = (desk.buy(1_000, 10), desk.buy(1_000, 10));
    let older = Intent { id: OrderId { epoch: older.id.epoch - 1, ..older.id }, ..older };
    for (order, codes) in [
        (own, [RejectCode::None, RejectCode::None]),
        (older, [RejectCode::KeepPriority, RejectCode::NoReplace]),
    ] {
        let adopted = report(&order, ReportKind::Accepted, OrderState::Open, 0);
        assert!(!desk.state.on_report(&adopted, NOW));
        let next = desk.next();
        assert_eq!(desk.verdict(&amend(next, order.id, 0, 8)), codes[0]);
        let anew = Intent { kind: IntentKind::Replace.code(), target: order.id, ..desk.buy(990, 10) };
        assert_eq!(desk.verdict(&anew), codes[1]);
        let next = desk.next();
        assert_eq!(desk.verdict(&cancel(next, order.id, 0)), RejectCode::None);
    }
}

#[test]
fn an_amendment_only_lowers_what_its_source_has_open() {
    let mut desk = Desk::new();
    let order = desk.buy(1_000, 10);
    desk.approve(&order);
    desk.state.on_report(&fill(&order, 1_000, 4, 4, 1), NOW);
    let own = desk.next();
    let to = |quantity| amend(own, order.id, 0, quantity);
    for (quantity, code) in [
        (8, RejectCode::None),
        (6, RejectCode::None),
        (10, RejectCode::KeepPriority),
        (12, RejectCode::KeepPriority),
        (4, RejectCode::KeepPriority),
        (2, RejectCode::KeepPriority),
        (7, RejectCode::FilterLot),
        (0, RejectCode::BadRequest),
        (-2, RejectCode::BadRequest),
    ] {
        assert_eq!(desk.verdict(&to(quantity)), code, "to {quantity}");
    }
    for (intent, code) in [
        (Intent { target: id(0, 77), ..to(8) }, RejectCode::UnknownOrder),
        (Intent { id: id(1, 1), ..to(8) }, RejectCode::UnknownOrder),
        (Intent { instrument: 1, ..to(8) }, RejectCode::BadRequest),
        (Intent { price: Price(1_005), ..to(8) }, RejectCode::BadRequest),
        (Intent { id: order.id, ..to(8) }, RejectCode::DuplicateId),
        (Intent { valid_until: Nanos(1), ..to(8) }, RejectCode::Expired),
    ] {
        assert_eq!(desk.verdict(&intent), code, "{intent:?}");
    }
    let under = |halt| desk.state.check(&to(8), ALICE, NOW, &Gates { halt, ..OPEN }).err();
    assert_eq!(
        (under(HaltState::ReduceOnly), under(HaltState::CancelOnly)),
        (None, Some(RejectCode::Halted))
    );
    // What was approved frees nothing; what the venue did, frees as much.
    let left = |desk: &Desk| desk.state.orders.left(0, Side::Buy);
    desk.state.on_amend(ALICE, NOW);
    assert_eq!(left(&desk), 6);
    let sent = report(&order, ReportKind::AmendSent, OrderState::Partial, 4);
    desk.state.on_report(&sent, NOW);
    assert_eq!(left(&desk), 6);
    let amended = Intent { quantity: Quantity(8), ..order };
    desk.state.on_report(&report(&amended, ReportKind::Amended, OrderState::Partial, 4), NOW);
    assert_eq!(left(&desk), 4);
    desk.state.on_report(&report(&order, ReportKind::Unknown, OrderState::Unknown, 4), NOW);
    assert_eq!(desk.verdict(&to(6)), RejectCode::Unresolved);
}

#[test]
fn c03_ids_rise_within_their_epoch() {
    let mut desk = Desk::new();
    let order = desk.buy(1_000, 10);
    desk.state.on_identity(OrderId { source_epoch: 2, ..id(0, 10) });
    for (source_epoch, sequence, code) in [
        (2, 11, RejectCode::None),
        (2, 10, RejectCode::DuplicateId),
        (2, 1, RejectCode::DuplicateId),
        (1, u64::MAX, RejectCode::DuplicateId),
        (3, 1, RejectCode::None),
    ] {
        let intent = Intent { id: OrderId { source_epoch, ..id(0, sequence) }, ..order };
        assert_eq!(desk.verdict(&intent), code, "{source_epoch} {sequence}");
    }
    desk.state.on_identity(id(0, 999));
    assert_eq!(desk.state.sources[0].last, (2, 10), "an old epoch does not turn it back");
}

#[test]
fn what_is_late_is_expired() {
    let mut desk = Desk::new();
    let order = desk.buy(1_000, 10);
    for (valid_until, code) in [
        (NOW, RejectCode::None),
        (NOW - Nanos(1), RejectCode::Expired),
        (Nanos(i64::MIN), RejectCode::Expired),
    ] {
        assert_eq!(desk.verdict(&Intent { valid_until, ..order }), code);
    }
}

#[test]
fn c04_stops_the_third_of_equal_content() {
    let mut desk = Desk::new();
    for _ in 0..2 {
        let order = desk.buy(1_000, 2);
        desk.approve(&order);
    }
    let order = desk.buy(1_000, 2);
    assert_eq!(desk.verdict(&order), RejectCode::DuplicateContent);
    assert_eq!(desk.verdict(&Intent { quantity: Quantity(4), ..order }), RejectCode::None);
    desk.now = NOW + Nanos(500_000_001);
    assert_eq!(desk.verdict(&order), RejectCode::None);
}

#[test]
fn c05_to_c08_and_c10_through_the_pass() {
    let mut desk = Desk::new();
    let order = desk.buy(1_000, 10);
    for (price, quantity, code) in [
        (1_001, 10, RejectCode::FilterPrice),
        (1_000, 11, RejectCode::FilterLot),
        (1_000, 62, RejectCode::FilterLot),
        (400, 2, RejectCode::FilterNotional),
        (1_000, 42, RejectCode::MaxQuantity),
        (1_255, 40, RejectCode::MaxNotional),
        (1_015, 10, RejectCode::None),
        (1_020, 10, RejectCode::Collar),
        (805, 10, RejectCode::None),
        (800, 10, RejectCode::Collar),
        (i64::MAX - 2, 2, RejectCode::MaxNotional),
    ] {
        let intent = Intent { price: Price(price), quantity: Quantity(quantity), ..order };
        assert_eq!(desk.verdict(&intent), code, "{quantity} at {price}");
    }
    desk.state.tradable[0] = false;
    desk.state.bind();
    assert_eq!(desk.verdict(&order), RejectCode::FilterStatus);
    // C07: 4 contracts of 10 are worth 10 × 4 × 1005 × 1.01 at market; at most 50000.
    let sized = |desk: &mut Desk, quantity| market(desk.next(), 1, Side::Sell, quantity);
    for (quantity, code) in [(4, RejectCode::None), (5, RejectCode::MaxNotional)] {
        let intent = sized(&mut desk, quantity);
        assert_eq!(desk.verdict(&intent), code, "{quantity}");
    }
    let intent = sized(&mut desk, 4);
    desk.now = NOW + Nanos::from_secs(2);
    assert_eq!(desk.verdict(&intent), RejectCode::None, "as old as allowed");
    desk.now = desk.now + Nanos(1);
    assert_eq!(desk.verdict(&intent), RejectCode::StaleMarketData);
    desk.state.on_tick(&top(1, 1_010, 1_010, desk.now));
    assert_eq!(desk.verdict(&intent), RejectCode::StaleMarketData, "locked");
}

/// An order on the first instrument that waits for `trigger`; without a limit where `price` is zero.
fn waits(desk: &mut Desk, order_type: OrderType, side: Side, prices: [i64; 2], quantity: i64) -> Intent {
    let [trigger, price] = prices.map(Price);
    let order = limit(desk.next(), 0, side, price.0, quantity);
    Intent { order_type: order_type.code(), trigger, ..order }
}

#[test]
fn c02_to_c08_of_an_order_that_waits_for_its_trigger() {
    use OrderType::{StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit};
    let mut desk = Desk::new();
    for (order_type, side, prices, code) in [
        (StopLoss, Side::Sell, [950, 0], RejectCode::None),
        (TakeProfit, Side::Sell, [1_100, 0], RejectCode::None),
        // 945 is far from today's 1005, and near the trigger.
        (StopLossLimit, Side::Sell, [950, 945], RejectCode::None),
        (StopLossLimit, Side::Sell, [950, 935], RejectCode::Collar),
        (StopLossLimit, Side::Sell, [950, 1_100], RejectCode::None),
        (TakeProfitLimit, Side::Buy, [900, 905], RejectCode::None),
        (TakeProfitLimit, Side::Buy, [900, 915], RejectCode::Collar),
        // The trigger has the wide collar: 20 % of 1005 on either side.
        (StopLoss, Side::Sell, [805, 0], RejectCode::None),
        (StopLoss, Side::Sell, [800, 0], RejectCode::Collar),
        (StopLoss, Side::Buy, [1_205, 0], RejectCode::None),
        (StopLoss, Side::Buy, [1_210, 0], RejectCode::Collar),
        (StopLoss, Side::Sell, [951, 0], RejectCode::FilterPrice),
        (StopLossLimit, Side::Sell, [950, 946], RejectCode::FilterPrice),
        (StopLoss, Side::Sell, [0, 0], RejectCode::BadRequest),
        (TakeProfit, Side::Sell, [-5, 0], RejectCode::BadRequest),
        (StopLoss, Side::Sell, [950, 945], RejectCode::BadRequest),
        (StopLossLimit, Side::Sell, [950, 0], RejectCode::BadRequest),
        (TakeProfitLimit, Side::Sell, [0, 945], RejectCode::BadRequest),
        (StopLoss, Side::Buy, [i64::MAX, 0], RejectCode::FilterPrice),
    ] {
        let intent = waits(&mut desk, order_type, side, prices, 4);
        assert_eq!(desk.verdict(&intent), code, "{order_type} {side} {prices:?}");
    }
    // A cancel and an amendment have no trigger.
    let order = waits(&mut desk, StopLoss, Side::Sell, [950, 0], 10);
    desk.approve(&order);
    for change in [cancel(desk.next(), order.id, 0), amend(desk.next(), order.id, 0, 4)] {
        assert_eq!(desk.verdict(&change), RejectCode::None);
        assert_eq!(desk.verdict(&Intent { trigger: Price(5), ..change }), RejectCode::BadRequest);
        assert_eq!(desk.verdict(&Intent { self_trade: 1, ..change }), RejectCode::BadRequest);
    }
}

#[test]
fn an_order_that_waits_counts_at_the_worst_it_can_become() {
    let mut narrow = limits();
    narrow.instruments[0].max_notional = 45_000 * USD;
    let mut desk = Desk::with(narrow);
    // C07: 40 × 1005 × 1.01 pass today, 40 × 1200 × 1.01 would not; a limit is worth its trigger if that is more.
    for (order_type, prices, code) in [
        (OrderType::StopLoss, [1_100, 0], RejectCode::None),
        (OrderType::StopLoss, [1_200, 0], RejectCode::MaxNotional),
        (OrderType::StopLossLimit, [1_125, 1_120], RejectCode::None),
        (OrderType::StopLossLimit, [1_130, 1_120], RejectCode::MaxNotional),
    ] {
        let intent = waits(&mut desk, order_type, Side::Buy, prices, 40);
        assert_eq!(desk.verdict(&intent), code, "{order_type} {prices:?}");
    }
    // C11: what waits counts as open. C22: nothing of ours may stand where it would trade.
    let stop = waits(&mut desk, OrderType::StopLossLimit, Side::Sell, [950, 945], 40);
    desk.approve(&stop);
    assert_eq!(desk.state.exposure(0).sells, 40);
    let (below, above) = (desk.buy(940, 10), desk.buy(945, 10));
    assert_eq!((desk.verdict(&below), desk.verdict(&above)), (RejectCode::None, RejectCode::SelfTrade));
    let at_any = waits(&mut desk, OrderType::StopLoss, Side::Buy, [1_100, 0], 2);
    assert_eq!(desk.verdict(&at_any), RejectCode::SelfTrade);
}

#[test]
fn without_a_quote_nothing_passes() {
    let mut state = State::new(&instruments(), limits(), EPOCH).expect("valid limits");
    state.check_day(NOW);
    let orders = [market(id(0, 1), 1, Side::Buy, 1), limit(id(0, 1), 1, Side::Buy, 1_000, 1)];
    for intent in orders {
        assert_eq!(state.check(&intent, ALICE, NOW, &OPEN), Err(RejectCode::NoReference));
    }
    // A filter that values a market order needs the price first.
    assert_eq!(
        state.check(&market(id(0, 1), 0, Side::Buy, 2), ALICE, NOW, &OPEN),
        Err(RejectCode::NoReference)
    );
    // Its own book is good, that of the asset it is quoted in is not.
    state.on_tick(&top(3, 9, 11, NOW));
    let quoted_in_btc = limit(id(0, 1), 3, Side::Buy, 9, 1);
    assert_eq!(state.check(&quoted_in_btc, ALICE, NOW, &OPEN), Err(RejectCode::NoReference));
    state.on_tick(&top(0, 1_000, 1_010, NOW));
    assert!(state.check(&quoted_in_btc, ALICE, NOW, &OPEN).is_ok());
    state.on_tick_gap();
    assert_eq!(state.check(&quoted_in_btc, ALICE, NOW, &OPEN), Err(RejectCode::StaleMarketData));
}
