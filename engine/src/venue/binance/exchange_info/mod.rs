//! `exchangeInfo`: what the venue lists, read at start-up (binance.md §2).
//!
//! The answer grows new symbols, fields, filters and values at any time. None of them may keep the engine from
//! starting: what this build cannot read makes its one instrument untradable, with the reason beside it. A symbol without a name, or
//! with one that is longer than any, is no answer of the venue's.

mod exact;
mod filters;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::{Filters, Instrument, InstrumentKind, Market, Scale, Symbol};
use crate::error::SetupError;

/// The part of the answer that is used.
#[derive(Deserialize)]
struct Answer {
    symbols: Vec<Value>,
}

/// Contract types whose value follows from price and quantity as for a perpetual contract.
const CONTRACT_TYPES: [&str; 6] =
    ["PERPETUAL", "CURRENT_MONTH", "NEXT_MONTH", "CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL"];

/// Scale of an instrument whose own numbers cannot be read: that of the wire.
const WIRE_SCALE: Scale = Scale::new(8).expect("eight is below the finest scale");

fn answer(json: &[u8]) -> Result<Answer, SetupError> {
    serde_json::from_slice(json).map_err(|error| SetupError::Invalid(format!("exchangeInfo: {error}")))
}

/// Every instrument of an `exchangeInfo` answer of `market`, in its order.
///
/// # Errors
/// When the text is not JSON, has no `symbols`, or one of them has no name or one that is too long.
pub fn instruments(json: &[u8], market: Market) -> Result<Vec<Instrument>, SetupError> {
    let symbols = answer(json)?.symbols;
    symbols.iter().enumerate().map(|(place, symbol)| instrument(place, symbol, market)).collect()
}

/// The market an `exchangeInfo` answer is of, by the fields of its first symbol; `None` where it has none.
///
/// # Errors
/// When the text is not JSON or has no `symbols`.
pub fn guess_market(json: &[u8]) -> Result<Option<Market>, SetupError> {
    let symbols = answer(json)?.symbols;
    Ok(symbols.first().map(|symbol| {
        if symbol.get("contractSize").is_some() {
            Market::CoinMargined
        } else if symbol.get("contractType").is_some() || symbol.get("marginAsset").is_some() {
            Market::UsdMargined
        } else {
            Market::Spot
        }
    }))
}

fn text<'a>(symbol: &'a Value, key: &str) -> Option<&'a str> {
    symbol.get(key).and_then(Value::as_str)
}

/// Why the symbol at `place` makes an answer useless: whose filters these are, nobody knows.
fn at(place: usize, reason: &dyn std::fmt::Display) -> SetupError {
    SetupError::Invalid(format!("exchangeInfo: symbol number {}: {reason}", place + 1))
}

fn instrument(place: usize, symbol: &Value, market: Market) -> Result<Instrument, SetupError> {
    let name = text(symbol, "symbol").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| at(place, &"it has no name"))?;
    let kind = match market {
        Market::Spot => InstrumentKind::Spot,
        Market::UsdMargined => InstrumentKind::Linear,
        Market::CoinMargined => InstrumentKind::Inverse,
    };
    let contract = match kind {
        InstrumentKind::Spot | InstrumentKind::Linear => Some(1),
        InstrumentKind::Inverse => {
            symbol.get("contractSize").and_then(Value::as_i64).filter(|&size| size > 0)
        }
    };
    let mut instrument = Instrument {
        symbol: Symbol::new(name).map_err(|error| at(place, &error))?,
        market,
        kind,
        base: text(symbol, "baseAsset").unwrap_or_default().into(),
        quote: text(symbol, "quoteAsset").unwrap_or_default().into(),
        price_scale: WIRE_SCALE,
        quantity_scale: WIRE_SCALE,
        multiplier: contract.unwrap_or(1),
        filters: Filters::default(),
        untradable: None,
    };
    let filters = filters::read(symbol, &mut instrument);
    instrument.untradable = state(symbol, market)
        .and_then(|()| contract.map(|_| ()).ok_or_else(|| "contractSize: not a whole number".into()))
        .and(filters)
        .err()
        .map(Into::into);
    Ok(instrument)
}

/// Whether the symbol trades, else why not.
fn state(symbol: &Value, market: Market) -> Result<(), String> {
    let key = if market == Market::CoinMargined { "contractStatus" } else { "status" };
    match text(symbol, key) {
        Some("TRADING") => {}
        Some(status) => return Err(format!("{key}: {status}")),
        None => return Err(format!("{key}: missing")),
    }
    for asset in ["baseAsset", "quoteAsset"] {
        if text(symbol, asset).is_none_or(str::is_empty) {
            return Err(format!("{asset}: missing"));
        }
    }
    if market == Market::Spot {
        return Ok(());
    }
    match text(symbol, "contractType") {
        Some(kind) if CONTRACT_TYPES.contains(&kind) => Ok(()),
        Some(kind) => Err(format!("contractType: {kind:?}")),
        None => Err("contractType: missing".into()),
    }
}

#[cfg(test)]
mod tests;
