//! What a user would write with a JSON library: typed structs that borrow the frame's text.

use std::hint::black_box;

use engine::book::Level;
use engine::domain::{Instrument, Instruments, Nanos, Side};
use engine::venue::binance::MarketEvent;
use serde::Deserialize;

/// Name of the reference row.
pub const SERDE: &str = "serde_json";

/// A depth diff, of spot or of futures.
#[derive(Debug, Deserialize)]
pub struct DepthUpdate<'a> {
    #[serde(rename = "e")]
    event: &'a str,
    #[serde(rename = "E")]
    time: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "pu")]
    previous: Option<u64>,
    #[serde(rename = "b", borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(rename = "a", borrow)]
    asks: Vec<[&'a str; 2]>,
}

/// A best bid and ask, of spot or of futures.
#[derive(Debug, Deserialize)]
pub struct BookTicker<'a> {
    #[serde(rename = "u")]
    id: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "b")]
    bid: &'a str,
    #[serde(rename = "B")]
    bid_quantity: &'a str,
    #[serde(rename = "a")]
    ask: &'a str,
    #[serde(rename = "A")]
    ask_quantity: &'a str,
    #[serde(rename = "E")]
    time: Option<u64>,
}

/// A trade.
#[derive(Debug, Deserialize)]
pub struct Trade<'a> {
    #[serde(rename = "e")]
    event: &'a str,
    #[serde(rename = "E")]
    time: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "t")]
    id: u64,
    #[serde(rename = "p")]
    price: &'a str,
    #[serde(rename = "q")]
    quantity: &'a str,
    #[serde(rename = "m")]
    buyer_made: bool,
}

/// A typed message, by each library.
pub trait Typed {
    /// Reads with serde_json; whether it could.
    fn serde(bytes: &[u8]) -> bool;
    /// Reads with sonic-rs from bytes.
    fn sonic_slice(bytes: &[u8]) -> bool;
    /// Reads with sonic-rs from text, which spares it the check of UTF-8 beyond the standard library's.
    fn sonic_text(bytes: &[u8]) -> bool;
    /// Whether both libraries' values are exactly those of `event`.
    fn agrees(bytes: &[u8], event: &MarketEvent<'_>, instruments: &Instruments) -> bool;
}

/// The three ways to read a struct.
macro_rules! typed {
    ($name:ident) => {
        impl Typed for $name<'_> {
            fn serde(bytes: &[u8]) -> bool {
                black_box(serde_json::from_slice::<$name<'_>>(bytes)).is_ok()
            }
            fn sonic_slice(bytes: &[u8]) -> bool {
                black_box(sonic_rs::from_slice::<$name<'_>>(bytes)).is_ok()
            }
            fn sonic_text(bytes: &[u8]) -> bool {
                let Ok(text) = std::str::from_utf8(bytes) else { return false };
                black_box(sonic_rs::from_str::<$name<'_>>(text)).is_ok()
            }
            fn agrees(bytes: &[u8], event: &MarketEvent<'_>, instruments: &Instruments) -> bool {
                let same = |read: &$name<'_>| read.is(event, instruments).unwrap_or(false);
                serde_json::from_slice::<$name<'_>>(bytes).is_ok_and(|read| same(&read))
                    && sonic_rs::from_slice::<$name<'_>>(bytes).is_ok_and(|read| same(&read))
            }
        }
    };
}

typed!(DepthUpdate);
typed!(BookTicker);
typed!(Trade);

fn millis(time: u64) -> Option<Nanos> {
    Some(Nanos::from_millis(i64::try_from(time).ok()?))
}

fn same_levels(instrument: &Instrument, read: &[[&str; 2]], levels: &[Level]) -> bool {
    let same = |(text, level): (&[&str; 2], &Level)| {
        instrument.price(text[0]) == Ok(level.price) && instrument.quantity(text[1]) == Ok(level.quantity)
    };
    read.len() == levels.len() && read.iter().zip(levels).all(same)
}

impl DepthUpdate<'_> {
    fn is(&self, event: &MarketEvent<'_>, instruments: &Instruments) -> Option<bool> {
        let MarketEvent::Depth { instrument, ids, event_time, bids, asks } = *event else { return None };
        let instrument = instruments.get(instrument)?;
        Some(
            self.event == "depthUpdate"
                && self.symbol == &*instrument.symbol
                && (self.first, self.last, self.previous) == (ids.first, ids.last, ids.previous)
                && millis(self.time) == Some(event_time)
                && same_levels(instrument, &self.bids, bids)
                && same_levels(instrument, &self.asks, asks),
        )
    }
}

impl BookTicker<'_> {
    fn is(&self, event: &MarketEvent<'_>, instruments: &Instruments) -> Option<bool> {
        let MarketEvent::BookTicker { instrument, update_id, top, event_time } = *event else { return None };
        let instrument = instruments.get(instrument)?;
        Some(
            (self.id, self.symbol) == (update_id, &*instrument.symbol)
                && instrument.price(self.bid) == Ok(top.bid)
                && instrument.quantity(self.bid_quantity) == Ok(top.bid_quantity)
                && instrument.price(self.ask) == Ok(top.ask)
                && instrument.quantity(self.ask_quantity) == Ok(top.ask_quantity)
                && self.time.and_then(millis) == event_time,
        )
    }
}

impl Trade<'_> {
    fn is(&self, event: &MarketEvent<'_>, instruments: &Instruments) -> Option<bool> {
        let MarketEvent::Trade { instrument, trade_id, price, quantity, aggressor, event_time, .. } = *event
        else {
            return None;
        };
        let instrument = instruments.get(instrument)?;
        let side = if self.buyer_made { Side::Sell } else { Side::Buy };
        Some(
            (self.event, self.id, self.symbol) == ("trade", trade_id, &*instrument.symbol)
                && instrument.price(self.price) == Ok(price)
                && instrument.quantity(self.quantity) == Ok(quantity)
                && (side, millis(self.time)) == (aggressor, Some(event_time)),
        )
    }
}
