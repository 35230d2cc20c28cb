//! The filters that bind our orders, at scales that cover the wire.

use serde_json::Value;

use crate::domain::{Filters, Instrument, NotionalFilter, Price, Quantity, QuantityFilter};

use super::exact::{Bound, Exact, scale};

/// Parts of a filter, as written.
struct Range {
    min: Exact,
    max: Exact,
    step: Exact,
}

/// Filters of a symbol before it has scales.
#[derive(Default)]
struct Written<'a> {
    price: Option<&'a Value>,
    lot: Option<&'a Value>,
    market_lot: Option<&'a Value>,
    notionals: [Option<&'a Value>; 2],
    max_orders: Option<&'a Value>,
}

/// A number of a filter; re-serialised answers write those of other filters as empty or null, so a part that is
/// needed must be there.
fn part(filter: &Value, key: &str) -> Result<Exact, String> {
    let name = filter["filterType"].as_str().unwrap_or("filter");
    optional(filter, key)?.ok_or_else(|| format!("{name}: {key} is missing"))
}

/// A number that need not be there.
fn optional(filter: &Value, key: &str) -> Result<Option<Exact>, String> {
    let text = match filter.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let name = filter["filterType"].as_str().unwrap_or("filter");
    Exact::parse(&text).map(Some).ok_or_else(|| format!("{name}: {key} is {text:.40}, no plain decimal"))
}

fn range(filter: &Value, [min, max, step]: [&str; 3]) -> Result<Range, String> {
    Ok(Range { min: part(filter, min)?, max: part(filter, max)?, step: part(filter, step)? })
}

/// Reads the filters of `symbol` into `instrument`, and its scales.
///
/// # Errors
/// Why it cannot be traded: a filter that is missing or not readable. What was read by then stays.
pub(super) fn read(symbol: &Value, instrument: &mut Instrument) -> Result<(), String> {
    let none = Vec::new();
    let mut written = Written::default();
    for filter in symbol.get("filters").and_then(Value::as_array).unwrap_or(&none) {
        let slot = match filter["filterType"].as_str() {
            Some("PRICE_FILTER") => &mut written.price,
            Some("LOT_SIZE") => &mut written.lot,
            Some("MARKET_LOT_SIZE") => &mut written.market_lot,
            Some("NOTIONAL") => &mut written.notionals[0],
            Some("MIN_NOTIONAL") => &mut written.notionals[1],
            Some("MAX_NUM_ORDERS") => &mut written.max_orders,
            _ => continue,
        };
        if slot.replace(filter).is_some() {
            return Err(format!("filter {} is there twice", filter["filterType"]));
        }
    }
    let price = written.price.ok_or("PRICE_FILTER: missing")?;
    let price = range(price, ["minPrice", "maxPrice", "tickSize"])?;
    let sizes = ["minQty", "maxQty", "stepSize"];
    let lot = range(written.lot.ok_or("LOT_SIZE: missing")?, sizes)?;
    let market_lot = written.market_lot.map(|filter| range(filter, sizes)).transpose()?;

    let bound = |max: Exact| (!max.is_zero()).then_some(max);
    instrument.price_scale = scale(bound(price.max), price.step).ok_or("PRICE_FILTER: no scale holds it")?;
    instrument.quantity_scale = scale(bound(lot.max), lot.step).ok_or("LOT_SIZE: no scale holds it")?;
    let price = scaled(&price, instrument.price_scale.digits()).ok_or("PRICE_FILTER: out of range")?;
    let lots = |range: &Range| scaled(range, instrument.quantity_scale.digits()).map(quantities);
    instrument.filters = Filters {
        tick: Price(price[2]),
        min_price: Price(price[0]),
        max_price: Price(price[1]),
        lot: lots(&lot).ok_or("LOT_SIZE: out of range")?,
        market_lot: match &market_lot {
            Some(range) => lots(range).ok_or("MARKET_LOT_SIZE: out of range")?,
            None => QuantityFilter::default(),
        },
        notional: NotionalFilter::default(),
        max_open_orders: written.max_orders.map(max_orders).transpose()?.flatten(),
        // Where nothing is said, as for futures, there is no such request.
        cancel_replace: symbol.get("cancelReplaceAllowed").and_then(Value::as_bool) == Some(true),
        oco: symbol.get("ocoAllowed").and_then(Value::as_bool) == Some(true),
    };
    for filter in written.notionals.into_iter().flatten() {
        notional(filter, instrument.notional_scale(), &mut instrument.filters.notional)?;
    }
    Ok(())
}

/// Minimum, maximum and step at `decimals`. The step is exact or nothing is.
fn scaled(range: &Range, decimals: u8) -> Option<[i64; 3]> {
    let [min, max, step] = [
        range.min.bound(decimals, Bound::Lower)?,
        range.max.bound(decimals, Bound::Upper)?,
        range.step.at(decimals)?,
    ];
    Some([i64::try_from(min).ok()?, i64::try_from(max).ok()?, i64::try_from(step).ok()?])
}

fn quantities([min, max, step]: [i64; 3]) -> QuantityFilter {
    QuantityFilter { min: Quantity(min), max: Quantity(max), step: Quantity(step) }
}

/// `NOTIONAL` and `MIN_NOTIONAL`; futures name the minimum `notional`. Of two minimums the larger holds, and what is
/// not said of market orders holds for them too.
fn notional(filter: &Value, decimals: u8, into: &mut NotionalFilter) -> Result<(), String> {
    let min = match optional(filter, "minNotional")? {
        Some(min) => min,
        None => part(filter, "notional")?,
    };
    let flag = |key: &str| filter.get(key).and_then(Value::as_bool);
    if !min.is_zero() {
        let min = min.bound(decimals, Bound::Lower).ok_or("notional filter: out of range")?;
        into.min = into.min.max(Some(min));
        into.min_applies_to_market |=
            flag("applyMinToMarket").or_else(|| flag("applyToMarket")).unwrap_or(true);
    }
    if let Some(max) = optional(filter, "maxNotional")?.filter(|max| !max.is_zero()) {
        into.max = Some(max.bound(decimals, Bound::Upper).ok_or("notional filter: out of range")?);
        into.max_applies_to_market = flag("applyMaxToMarket").unwrap_or(true);
    }
    Ok(())
}

/// `MAX_NUM_ORDERS`: spot says `maxNumOrders`, futures `limit`; zero is none.
fn max_orders(filter: &Value) -> Result<Option<u32>, String> {
    let mut most = None;
    for key in ["maxNumOrders", "limit"] {
        if let Some(count) = optional(filter, key)?.filter(|count| !count.is_zero()) {
            let count = count.at(0).and_then(|count| u32::try_from(count).ok());
            most = most.max(Some(count.ok_or_else(|| format!("MAX_NUM_ORDERS: {key} is no count"))?));
        }
    }
    Ok(most)
}
