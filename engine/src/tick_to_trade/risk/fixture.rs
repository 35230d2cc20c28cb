//! What the tests of this folder share: a small market, limits wide enough for one order, and intents.

use crate::counters::halt::HaltState;
use crate::domain::{
    Instrument, InstrumentKind, Instruments, Nanos, NotionalFilter, OrderId, OrderType, Price, Quantity,
    QuantityFilter, Side, SourceId, TimeInForce,
};
use crate::message::report::{FeeAsset, OrderState};
use crate::message::{Intent, IntentKind, Report, ReportKind};
use crate::tick_to_trade::risk::controls::Gates;
use crate::tick_to_trade::risk::limits::{
    AccountLimits, InstrumentLimits, Limits, Rate, SourceLimits, UNLIMITED,
};
use crate::tick_to_trade::risk::valuation::tests::instrument;

/// Dollars in the account's unit.
pub(super) const USD: i128 = 100_000_000;

/// The engine epoch of the tests.
pub(super) const EPOCH: u32 = 3;

/// Index of the operator among the sources.
pub(super) const OPERATOR: SourceId = SourceId(2);

/// Everything is open.
pub(super) const OPEN: Gates =
    Gates { halt: HaltState::Active, journal_free: 1_000, ring_free: 1_000, link_up: true };

/// A spot pair, a linear contract of 10, an inverse contract of 100 dollars, and a pair quoted in the first's base.
/// Prices and quantities are whole numbers.
pub(super) fn table() -> Vec<Instrument> {
    use InstrumentKind::{Inverse, Linear, Spot};
    let mut table = vec![
        instrument("BTCUSDT", Spot, 1, ["BTC", "USDT"], [0, 0]),
        instrument("BTCUSDT_PERP", Linear, 10, ["BTC", "USDT"], [0, 0]),
        instrument("BTCUSD_PERP", Inverse, 100, ["BTC", "USD"], [0, 0]),
        instrument("ETHBTC", Spot, 1, ["ETH", "BTC"], [0, 0]),
    ];
    table[0].filters.tick = Price(5);
    table[0].filters.lot = QuantityFilter { min: Quantity(2), max: Quantity(60), step: Quantity(2) };
    table[0].filters.notional = NotionalFilter {
        min: Some(1_000),
        max: None,
        min_applies_to_market: true,
        max_applies_to_market: true,
    };
    table[0].filters.max_open_orders = Some(4);
    table
}

pub(super) fn instruments() -> Instruments {
    Instruments::new(table()).expect("a valid table")
}

/// Two strategies and the operator.
pub(super) fn limits() -> Limits {
    let second = |count| Rate::new(count, Nanos::from_secs(1));
    let instrument = InstrumentLimits {
        max_quantity: Quantity(40),
        max_notional: 50_000 * USD,
        max_position: Quantity(100),
        max_position_value: 120_000 * USD,
        collar_aggressive_bps: 100,
        collar_passive_bps: 2_000,
        stale_after: Nanos::from_secs(2),
        max_open: 5,
        max_unknown: 1,
    };
    let source = SourceLimits {
        orders: second(20),
        cancels: second(10),
        max_position_value: UNLIMITED,
        ..SourceLimits::default()
    };
    Limits {
        account: AccountLimits {
            currency: "USDT".into(),
            at_par: vec!["USD".into()],
            max_gross: 150_000 * USD,
            max_open: 12,
            orders: second(30),
            cancels: second(15),
            day_loss_soft: 1_000 * USD,
            day_loss_hard: 3_000 * USD,
            duplicates: Rate::new(3, Nanos::from_millis(500)),
            repeat_fills: second(6),
            reject_storm: second(12),
            max_unknown: 2,
        },
        instruments: vec![instrument; 4],
        sources: vec![source, source, SourceLimits { cancels_for_others: true, ..source }],
    }
}

pub(super) fn id(source: u16, sequence: u64) -> OrderId {
    OrderId { epoch: EPOCH, source: SourceId(source), source_epoch: 1, sequence }
}

/// A limit order, good for ever.
pub(super) fn limit(id: OrderId, instrument: u32, side: Side, price: i64, quantity: i64) -> Intent {
    Intent {
        id,
        price: Price(price),
        quantity: Quantity(quantity),
        valid_until: Nanos::NEVER,
        instrument,
        kind: IntentKind::New.code(),
        side: side.code(),
        order_type: OrderType::Limit.code(),
        time_in_force: TimeInForce::GoodTillCancel.code(),
        ..Intent::default()
    }
}

/// The same at any price.
pub(super) fn market(id: OrderId, instrument: u32, side: Side, quantity: i64) -> Intent {
    Intent { order_type: OrderType::Market.code(), ..limit(id, instrument, side, 0, quantity) }
}

pub(super) fn cancel(id: OrderId, target: OrderId, instrument: u32) -> Intent {
    Intent { id, target, instrument, kind: IntentKind::Cancel.code(), ..Intent::default() }
}

/// An amendment of `target` to `quantity`, good for ever.
pub(super) fn amend(id: OrderId, target: OrderId, instrument: u32, quantity: i64) -> Intent {
    let (kind, quantity) = (IntentKind::Amend.code(), Quantity(quantity));
    Intent { kind, quantity, valid_until: Nanos::NEVER, ..cancel(id, target, instrument) }
}

/// A pair of which the upper order has `sequence`, around books of 1000/1010.
pub(super) fn pair(sequence: u64, instrument: u32, side: Side, quantity: i64) -> [Intent; 2] {
    let leg = |kind: IntentKind, sequence, other, price| Intent {
        kind: kind.code(),
        target: id(0, other),
        ..limit(id(0, sequence), instrument, side, price, quantity)
    };
    let above = leg(IntentKind::OcoAbove, sequence, sequence + 1, 1_050);
    let below = leg(IntentKind::OcoBelow, sequence + 1, sequence, 950);
    let maker = |leg| Intent { order_type: OrderType::LimitMaker.code(), ..leg };
    let stop =
        |leg: Intent| Intent { order_type: OrderType::StopLossLimit.code(), trigger: leg.price, ..leg };
    match side {
        Side::Sell => [maker(above), stop(below)],
        Side::Buy => [stop(above), maker(below)],
    }
}

/// A report about the order of `intent`.
pub(super) fn report(intent: &Intent, kind: ReportKind, state: OrderState, cumulative: i64) -> Report {
    let leaves = if state.is_terminal() { 0 } else { intent.quantity.0 - cumulative };
    Report {
        id: intent.id,
        price: intent.price,
        quantity: intent.quantity,
        cumulative: Quantity(cumulative),
        leaves: Quantity(leaves),
        instrument: intent.instrument,
        kind: kind.code(),
        state: state.code(),
        side: intent.side,
        ..Report::default()
    }
}

/// A fill of `quantity` at `price`, after which `cumulative` of the order is filled.
pub(super) fn fill(intent: &Intent, price: i64, quantity: i64, cumulative: i64, trade_id: u64) -> Report {
    let state = if cumulative >= intent.quantity.0 { OrderState::Filled } else { OrderState::Partial };
    Report {
        price: Price(price),
        quantity: Quantity(quantity),
        trade_id,
        detail: FeeAsset::Quote.code() << 4 | 1,
        ..report(intent, ReportKind::Fill, state, cumulative)
    }
}
