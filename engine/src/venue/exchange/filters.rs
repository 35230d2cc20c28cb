//! The filters of a symbol, each refusal by its name (binance.md §2).

use super::balances::Amount;
use super::reject::Reject;
use super::request::NewOrder;
use crate::domain::{Instrument, OrderType, Price, Quantity};

/// Most open conditional orders of an account on a symbol: MAX_NUM_ALGO_ORDERS, as spot lists it.
pub const ALGO_ORDERS_MAX: usize = 5;
/// Most open lists of an account on a symbol: MAX_NUM_ORDER_LISTS, as spot lists it.
pub const ORDER_LISTS_MAX: usize = 20;
/// Most open icebergs of an account on a symbol: MAX_NUM_ICEBERG_ORDERS, as the venue lists it.
pub const ICEBERG_ORDERS_MAX: usize = 5;
/// Most parts of an iceberg: ICEBERG_PARTS, as the venue lists it.
pub const ICEBERG_PARTS_MAX: i64 = 100;
/// Least and most that an order may trail by, in ten-thousandths: TRAILING_DELTA, as the venue lists it.
pub const TRAILING_DELTA: [u32; 2] = [10, 2_000];
/// Most amendments of an order: MAX_NUM_ORDER_AMENDS, as spot lists it.
pub const AMENDS_MAX: u32 = 10;

/// PERCENT_PRICE_BY_SIDE, in hundredths of the reference: bids up and down, asks up and down.
pub const PERCENT_PRICE: [i128; 4] = [120, 50, 200, 80];

/// Which part of a range fails: MARKET_LOT_SIZE applies to market orders on top of LOT_SIZE.
fn lot(instrument: &Instrument, kind: OrderType, quantity: Quantity) -> Result<(), Reject> {
    let filters = &instrument.filters;
    if !filters.lot.passes(quantity) {
        return Err(Reject::filter("LOT_SIZE"));
    }
    if kind.is_market() && !filters.lot_of(true).passes(quantity) {
        return Err(Reject::filter("MARKET_LOT_SIZE"));
    }
    Ok(())
}

fn notional(instrument: &Instrument, price: Price, quantity: Quantity, market: bool) -> Result<(), Reject> {
    let (min, max) = instrument.filters.notional.bounds(market);
    let value = instrument.notional(price, quantity);
    let passes = min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max);
    if passes { Ok(()) } else { Err(Reject::filter("NOTIONAL")) }
}

/// Judges prices and quantities of `order`; `reference` is the average or last price, where there is one.
pub(super) fn judge(
    instrument: &Instrument,
    order: &NewOrder,
    reference: Option<Price>,
) -> Result<(), Reject> {
    let filters = &instrument.filters;
    // A stop that trails may have no price to begin at.
    let stops = order.kind.is_conditional() && (order.stop_price.is_some() || order.trailing_delta == 0);
    let priced = [(order.price, !order.kind.is_market()), (order.stop_price, stops)];
    for (price, _) in priced.iter().filter(|(_, present)| *present) {
        if !filters.price_passes(*price) {
            return Err(Reject::filter("PRICE_FILTER"));
        }
    }
    if !order.kind.is_market()
        && let Some(reference) = reference
    {
        let [bid_up, bid_down, ask_up, ask_down] = PERCENT_PRICE;
        let (up, down) = match order.side {
            crate::domain::Side::Buy => (bid_up, bid_down),
            crate::domain::Side::Sell => (ask_up, ask_down),
        };
        let price = i128::from(order.price.0) * 100;
        let reference = i128::from(reference.0);
        if price > reference * up || price < reference * down {
            return Err(Reject::filter("PERCENT_PRICE_BY_SIDE"));
        }
    }
    if order.quantity.0 > 0 {
        lot(instrument, order.kind, order.quantity)?;
        let valued = if order.kind.is_market() { reference } else { Some(order.price) };
        if let Some(price) = valued {
            notional(instrument, price, order.quantity, order.kind.is_market())?;
        }
    }
    iceberg(instrument, order)?;
    let [least, most] = TRAILING_DELTA;
    if order.trailing_delta != 0 && !(least..=most).contains(&order.trailing_delta) {
        return Err(Reject::filter("TRAILING_DELTA"));
    }
    Ok(())
}

/// Judges the part of an iceberg that is shown.
fn iceberg(instrument: &Instrument, order: &NewOrder) -> Result<(), Reject> {
    let part = order.iceberg;
    if part == Quantity::ZERO {
        return Ok(());
    }
    if part > order.quantity {
        return Err(Reject::new(-2010, "IcebergQty exceeds QTY."));
    }
    if !instrument.filters.lot.passes(part) {
        return Err(Reject::filter("LOT_SIZE"));
    }
    let whole = order.quantity.0 / part.0;
    if whole > ICEBERG_PARTS_MAX || whole == ICEBERG_PARTS_MAX && order.quantity.0 % part.0 != 0 {
        return Err(Reject::filter("ICEBERG_PARTS"));
    }
    Ok(())
}

/// Judges the value of a market order by value.
pub(super) fn judge_value(instrument: &Instrument, value: Amount) -> Result<(), Reject> {
    let (min, max) = instrument.filters.notional.bounds(true);
    let scale = i32::from(instrument.notional_scale()) - i32::from(super::AMOUNT_SCALE);
    let unit = 10_i128.pow(scale.unsigned_abs());
    // Compared at whichever scale is finer.
    let at_scale =
        |bound: i128| if scale >= 0 { (value.saturating_mul(unit), bound) } else { (value, bound * unit) };
    let below = min.map(at_scale).is_some_and(|(value, min)| value < min);
    let above = max.map(at_scale).is_some_and(|(value, max)| value > max);
    if below || above { Err(Reject::filter("NOTIONAL")) } else { Ok(()) }
}
