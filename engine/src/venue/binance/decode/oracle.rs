//! A slow decoder of its own making to check the fast one against: `serde_json` values and textbook arithmetic.

use serde_json::Value;

use crate::book::{DiffIds, Level};
use crate::domain::{Instrument, InstrumentIndex, Instruments, Market, Nanos, Price, Quantity, Side};
use crate::message::tick::Top;
use crate::venue::binance::{Bar, MarketEvent, Skip};
use crate::venue::{Frame, Source};

/// What the oracle read: the event, whose levels stand beside it.
pub(super) struct Told {
    event: MarketEvent<'static>,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Told {
    fn of(event: MarketEvent<'static>) -> Option<Self> {
        Some(Self { event, bids: Vec::new(), asks: Vec::new() })
    }

    /// The whole event.
    pub(super) fn event(&self) -> MarketEvent<'_> {
        let mut event = self.event;
        match &mut event {
            MarketEvent::Depth { bids, asks, .. } | MarketEvent::Snapshot { bids, asks, .. } => {
                *bids = &self.bids;
                *asks = &self.asks;
            }
            _ => {}
        }
        event
    }
}

/// `text × 10^digits`, if that is a whole number of 64 bits and not negative.
fn scaled(text: &str, digits: u8) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    let fraction = match fraction {
        Some("") => return None,
        Some(part) => part,
        None => "",
    };
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = usize::from(digits);
    let (kept, lost) = fraction.split_at(fraction.len().min(digits));
    if lost.bytes().any(|byte| byte != b'0') {
        return None;
    }
    format!("{whole}{kept:0<digits$}").parse().ok()
}

fn price(value: &Value, instrument: &Instrument) -> Option<Price> {
    scaled(value.as_str()?, instrument.price_scale.digits()).map(Price)
}

fn quantity(value: &Value, instrument: &Instrument) -> Option<Quantity> {
    scaled(value.as_str()?, instrument.quantity_scale.digits()).map(Quantity)
}

fn time(value: &Value) -> Option<Nanos> {
    let value = value.as_i64()?;
    match value.to_string().len() {
        13 => value.checked_mul(1_000_000).map(Nanos),
        16 => value.checked_mul(1_000).map(Nanos),
        _ => None,
    }
}

fn levels(value: &Value, instrument: &Instrument) -> Option<Vec<Level>> {
    let read = |level: &Value| match level.as_array()?.as_slice() {
        [first, second] => {
            Some(Level { price: price(first, instrument)?, quantity: quantity(second, instrument)? })
        }
        _ => None,
    };
    value.as_array()?.iter().map(read).collect()
}

/// The symbol that a URL asks the depth of.
pub(super) fn asked_symbol(url: &str) -> Option<&str> {
    url.split([' ', '#']).next()?.split(['?', '&']).find_map(|part| part.strip_prefix("symbol="))
}

/// Decodes a frame; `None` where it must be refused.
pub(super) fn decode(frame: &Frame<'_>, instruments: &Instruments) -> Option<Told> {
    let value: Value = serde_json::from_slice(frame.payload).ok()?;
    if let Source::Rest(url) = frame.source {
        return snapshot(url, &value, frame.market, instruments);
    }
    let event = match (value.get("stream"), value.get("data")) {
        (Some(_), Some(data)) => data,
        _ => &value,
    };
    let has = |names: &[&str]| names.iter().all(|name| event.get(name).is_some());
    let name = match event.get("e") {
        Some(name) => name.as_str()?,
        None if has(&["u", "s"]) || has(&["b", "B", "a", "A"]) => "bookTicker",
        None => "",
    };
    if !["depthUpdate", "bookTicker", "trade", "aggTrade", "kline"].contains(&name) {
        return Told::of(MarketEvent::Skipped(Skip::Event));
    }
    let Some(index) = instruments.find(frame.market, event["s"].as_str()?) else {
        return Told::of(MarketEvent::Skipped(Skip::Symbol));
    };
    let instrument = instruments.get(index).expect("it was found");
    match name {
        "depthUpdate" => depth(event, index, instrument),
        "bookTicker" => Told::of(book_ticker(event, index, instrument)?),
        "kline" => Told::of(kline(event, index, instrument)?),
        _ => Told::of(trade(event, index, instrument)?),
    }
}

fn depth(event: &Value, index: InstrumentIndex, instrument: &Instrument) -> Option<Told> {
    let previous = match instrument.market {
        Market::Spot => None,
        _ => Some(event["pu"].as_u64()?),
    };
    let ids = DiffIds { first: event["U"].as_u64()?, last: event["u"].as_u64()?, previous };
    let event_time = time(&event["E"])?;
    let told = MarketEvent::Depth { instrument: index, ids, event_time, bids: &[], asks: &[] };
    Some(Told { event: told, bids: levels(&event["b"], instrument)?, asks: levels(&event["a"], instrument)? })
}

fn book_ticker(
    event: &Value,
    index: InstrumentIndex,
    instrument: &Instrument,
) -> Option<MarketEvent<'static>> {
    let top = Top {
        bid: price(&event["b"], instrument)?,
        bid_quantity: quantity(&event["B"], instrument)?,
        ask: price(&event["a"], instrument)?,
        ask_quantity: quantity(&event["A"], instrument)?,
    };
    let event_time = match event.get("E") {
        Some(value) => Some(time(value)?),
        None => None,
    };
    Some(MarketEvent::BookTicker { instrument: index, update_id: event["u"].as_u64()?, top, event_time })
}

fn trade(event: &Value, index: InstrumentIndex, instrument: &Instrument) -> Option<MarketEvent<'static>> {
    let aggregate = event["e"] == "aggTrade";
    Some(MarketEvent::Trade {
        instrument: index,
        trade_id: event[if aggregate { "a" } else { "t" }].as_u64()?,
        price: price(&event["p"], instrument)?,
        quantity: quantity(&event["q"], instrument)?,
        aggressor: if event["m"].as_bool()? { Side::Sell } else { Side::Buy },
        event_time: time(&event["E"])?,
        aggregate,
    })
}

fn kline(event: &Value, index: InstrumentIndex, instrument: &Instrument) -> Option<MarketEvent<'static>> {
    let bar = &event["k"];
    let unit = if bar["T"].as_u64()?.to_string().len() == 13 { 1_000_000 } else { 1_000 };
    let opened = time(&bar["t"])?;
    let length = Nanos(time(&bar["T"])?.0 + unit - opened.0);
    let bar = Bar {
        open: price(&bar["o"], instrument)?,
        high: price(&bar["h"], instrument)?,
        low: price(&bar["l"], instrument)?,
        close: price(&bar["c"], instrument)?,
        volume: quantity(&bar["v"], instrument)?,
        trades: bar["n"].as_u64()?,
        opened,
        length,
        closed: bar["x"].as_bool()?,
    };
    let event_time = time(&event["E"])?;
    (length.0 > 0).then_some(MarketEvent::Kline { instrument: index, bar, event_time })
}

fn snapshot(url: &str, value: &Value, market: Market, instruments: &Instruments) -> Option<Told> {
    let depth = url.split(['?', ' ', '#']).next()?.ends_with("/depth");
    let relevant = ["lastUpdateId", "bids", "asks"].iter().any(|key| value.get(key).is_some());
    if !depth || !relevant {
        return Told::of(MarketEvent::Skipped(Skip::Event));
    }
    let symbol = asked_symbol(url).or_else(|| value["symbol"].as_str())?;
    if value.get("symbol").is_some_and(|named| named != symbol) {
        return None;
    }
    let Some(index) = instruments.find(market, symbol) else {
        return Told::of(MarketEvent::Skipped(Skip::Symbol));
    };
    let instrument = instruments.get(index).expect("it was found");
    let last_update_id = value["lastUpdateId"].as_u64()?;
    let told = MarketEvent::Snapshot { instrument: index, last_update_id, bids: &[], asks: &[] };
    Some(Told {
        event: told,
        bids: levels(&value["bids"], instrument)?,
        asks: levels(&value["asks"], instrument)?,
    })
}
