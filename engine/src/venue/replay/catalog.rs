//! The instruments of a set of tapes, found by reading ahead of the replay.
//!
//! An exchangeInfo inside a tape is the venue's own word and is taken as it is. Every other symbol is inferred from
//! what was recorded of it, and marked so: its grid follows from its numbers, its filters are otherwise off.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::domain::{
    DecimalError, Filters, Instrument, InstrumentKind, Market, Price, Quantity, QuantityFilter, Symbol,
};
use crate::error::SetupError;
use crate::venue::replay::assets::split_symbol;
use crate::venue::replay::grid::Grid;
use crate::venue::replay::merge::market_of_tape;
use crate::venue::replay::tape::{TapeLine, TapeReader};
use crate::venue::replay::{TapeSource, scan};

/// Lines after which a tape whose exchangeInfo lists every symbol so far is not read further: a session subscribes
/// when it starts, and a list without a query is the venue's whole list.
const LINES_WITH_LIST: u64 = 4_096;

/// Prices after which a grid is taken as known, given a snapshot was among them.
const PRICES_ENOUGH: u32 = 64;

/// Value of a COIN-M contract in USD: 100 for bitcoin, 10 for the rest (`contractSize` of `/dapi/v1/exchangeInfo`).
const COIN_MULTIPLIER_BTC: i64 = 100;
/// See [`COIN_MULTIPLIER_BTC`].
const COIN_MULTIPLIER: i64 = 10;

/// An instrument of the tapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The instrument.
    pub instrument: Instrument,
    /// Whether it was inferred from its frames, not described by an exchangeInfo.
    pub inferred: bool,
    /// Whether a frame read ahead speaks of it: an exchangeInfo lists many more than a session follows.
    pub present: bool,
}

/// The instruments of a set of tapes: first those of exchangeInfos, in their order, then the inferred by symbol;
/// market by market.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The instruments.
    pub entries: Vec<CatalogEntry>,
}

/// What was seen of a symbol.
#[derive(Default)]
struct Seen {
    prices: Grid,
    quantities: Grid,
    snapshot: bool,
    us: bool,
}

/// What was seen of a market.
#[derive(Default)]
struct Found {
    listed: Vec<Instrument>,
    /// Index into `listed` of each symbol.
    by_symbol: BTreeMap<Symbol, usize>,
    /// Which of `listed` a frame spoke of.
    present: BTreeSet<usize>,
    /// Whether an exchangeInfo without a query was among them.
    complete: bool,
    seen: BTreeMap<Symbol, Seen>,
}

impl Catalog {
    /// Reads the tapes ahead. `parse` reads an exchangeInfo of a market.
    ///
    /// # Errors
    /// When a tape cannot be read, an exchangeInfo cannot be parsed, or a symbol's numbers fit no scale.
    pub fn scan(
        paths: &[PathBuf],
        parse: impl Fn(&[u8], Market) -> Result<Vec<Instrument>, SetupError>,
    ) -> Result<Self, SetupError> {
        let mut markets: BTreeMap<Market, Found> = BTreeMap::new();
        for path in paths {
            let market = market_of_tape(path)?;
            markets.entry(market).or_default().read_tape(path, market, &parse)?;
        }
        let mut entries = Vec::new();
        for (market, found) in markets {
            found.settle(market, &mut entries);
        }
        Ok(Self { entries })
    }

    /// The instruments alone, in order.
    #[must_use]
    pub fn into_instruments(self) -> Vec<Instrument> {
        self.entries.into_iter().map(|entry| entry.instrument).collect()
    }
}

impl Found {
    fn read_tape(
        &mut self,
        path: &Path,
        market: Market,
        parse: &impl Fn(&[u8], Market) -> Result<Vec<Instrument>, SetupError>,
    ) -> Result<(), SetupError> {
        let mut reader = TapeReader::open(path)?;
        let mut unlisted = false;
        while let Some(line) = reader.next()? {
            let at = line.line;
            let place = |reason: String| SetupError::file(path, format!("line {at}: {reason}"));
            match line.source {
                TapeSource::Rest(url) if scan::is_exchange_info_url(url) => {
                    let listed = parse(line.payload, market).map_err(|error| place(error.to_string()))?;
                    self.list(listed, !scan::has_query(url));
                    unlisted = self.seen.keys().any(|symbol| !self.by_symbol.contains_key(symbol));
                }
                TapeSource::Rest(_) | TapeSource::Stream | TapeSource::Sbe => {
                    unlisted |= self.follow(&line).map_err(place)?;
                }
                TapeSource::User | TapeSource::Request | TapeSource::Unknown => {}
            }
            if self.complete && !unlisted && at >= LINES_WITH_LIST {
                break;
            }
        }
        Ok(())
    }

    /// Adds the instruments of an exchangeInfo; the first description of a symbol stays.
    fn list(&mut self, listed: Vec<Instrument>, complete: bool) {
        for instrument in listed {
            let next = self.listed.len();
            if *self.by_symbol.entry(instrument.symbol).or_insert(next) == next {
                self.listed.push(instrument);
            }
        }
        self.complete |= complete;
    }

    /// Notes the symbol and the numbers of a frame; whether its symbol is not listed.
    fn follow(&mut self, line: &TapeLine<'_>) -> Result<bool, String> {
        let (symbol, snapshot, us) = match line.source {
            TapeSource::Rest(url) if scan::is_depth_url(url) => {
                (scan::symbol_of_url(url), true, scan::is_us_url(url))
            }
            TapeSource::Stream => (scan::symbol_of_frame(line.payload), false, false),
            TapeSource::Sbe => (scan::symbol_of_sbe(line.payload), false, false),
            _ => return Ok(false),
        };
        let Some(symbol) = symbol else { return Ok(false) };
        if let Some(&listed) = self.by_symbol.get(symbol) {
            self.present.insert(listed);
            return Ok(false);
        }
        let symbol = Symbol::new(symbol).map_err(|error| error.to_string())?;
        let seen = self.seen.entry(symbol).or_default();
        seen.us |= us;
        if snapshot || !(seen.snapshot && seen.prices.count() >= PRICES_ENOUGH) {
            seen.snapshot |= snapshot;
            // A frame that is no JSON tells nothing: ingest will refuse it when its time comes.
            if let Ok(frame) = serde_json::from_slice::<Value>(line.payload) {
                seen.add(&frame).map_err(|error| format!("symbol {symbol}: {error}"))?;
            }
        }
        Ok(true)
    }

    fn settle(self, market: Market, entries: &mut Vec<CatalogEntry>) {
        let spoken_of =
            |index| self.present.contains(&index) || self.seen.contains_key(&self.listed[index].symbol);
        let present: Vec<bool> = (0..self.listed.len()).map(spoken_of).collect();
        for (instrument, present) in self.listed.into_iter().zip(present) {
            entries.push(CatalogEntry { instrument, inferred: false, present });
        }
        for (symbol, seen) in self.seen {
            if !self.by_symbol.contains_key(&symbol) {
                entries.push(CatalogEntry {
                    instrument: seen.infer(symbol, market),
                    inferred: true,
                    present: true,
                });
            }
        }
    }
}

impl Seen {
    /// Adds the prices and quantities of a snapshot, diff, bookTicker or trade.
    fn add(&mut self, frame: &Value) -> Result<(), DecimalError> {
        let event = frame.get("data").unwrap_or(frame);
        for side in ["bids", "asks", "b", "a"] {
            for level in event.get(side).and_then(Value::as_array).into_iter().flatten() {
                self.pair(level.get(0), level.get(1))?;
            }
        }
        for (price, quantity) in [("b", "B"), ("a", "A")] {
            self.pair(event.get(price), event.get(quantity))?;
        }
        // Elsewhere `p` is something else: a 24-hour ticker's change, which may be negative.
        if matches!(event.get("e").and_then(Value::as_str), Some("trade" | "aggTrade")) {
            self.pair(event.get("p"), event.get("q"))?;
        }
        Ok(())
    }

    /// Adds a price and its quantity, if both are texts. The price of a deleted level counts; one of zero (an
    /// insurance fund's trade) does not.
    fn pair(&mut self, price: Option<&Value>, quantity: Option<&Value>) -> Result<(), DecimalError> {
        if let (Some(price), Some(quantity)) =
            (price.and_then(Value::as_str), quantity.and_then(Value::as_str))
        {
            self.prices.add(price.as_bytes())?;
            self.quantities.add(quantity.as_bytes())?;
        }
        Ok(())
    }

    /// The instrument that these numbers suggest.
    fn infer(self, symbol: Symbol, market: Market) -> Instrument {
        let (kind, multiplier) = match market {
            Market::Spot => (InstrumentKind::Spot, 1),
            Market::UsdMargined => (InstrumentKind::Linear, 1),
            Market::CoinMargined if symbol.starts_with("BTCUSD_") => {
                (InstrumentKind::Inverse, COIN_MULTIPLIER_BTC)
            }
            Market::CoinMargined => (InstrumentKind::Inverse, COIN_MULTIPLIER),
        };
        let split = split_symbol(&symbol, self.us);
        let (base, quote) = split.unwrap_or((&symbol, ""));
        let untradable = if split.is_none() {
            Some("inferred from a tape, and no known quote asset ends its symbol")
        } else if self.prices.count() == 0 {
            Some("inferred from a tape that holds no price of it")
        } else {
            None
        };
        let (price_scale, tick) = self.prices.settle();
        let (quantity_scale, step) = self.quantities.settle();
        let (tick, step) = (Price(tick), Quantity(step));
        let lot = QuantityFilter { min: step, max: Quantity::ZERO, step };
        Instrument {
            market,
            kind,
            base: base.into(),
            quote: quote.into(),
            price_scale,
            quantity_scale,
            multiplier,
            filters: Filters { tick, lot, ..Filters::default() },
            untradable: untradable.map(Into::into),
            symbol,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Scale;

    fn tape(folder: &tempfile::TempDir, name: &str, lines: &[(&str, &str)]) -> PathBuf {
        let path = folder.path().join(name);
        let lines = (1..).zip(lines).map(|(at, (source, payload))| format!("{at}\t{source}\t{payload}\n"));
        std::fs::write(&path, lines.collect::<String>()).expect("a temporary file");
        path
    }

    /// Stands in for the decoder of exchangeInfo: symbols separated by spaces.
    fn parse(text: &[u8], market: Market) -> Result<Vec<Instrument>, SetupError> {
        let text = std::str::from_utf8(text).map_err(|_| SetupError::Invalid("not text".into()))?;
        text.split(' ').map(|symbol| Ok(Seen::default().infer(Symbol::new(symbol)?, market))).collect()
    }

    fn scan_one(path: PathBuf) -> Catalog {
        Catalog::scan(&[path], parse).expect("a tape")
    }

    #[test]
    fn an_unlisted_symbol_is_inferred_from_its_snapshot() {
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = scan_one(tape(
            &folder,
            "a",
            &[
                (
                    "ws",
                    r#"{"stream":"x","data":{"e":"trade","E":1,"s":"BTTCUSDT","p":"0.0000040","q":"7000000000000"}}"#,
                ),
                (
                    "rest https://api.binance.com/api/v3/depth?symbol=BTTCUSDT&limit=1000 (inferred)",
                    r#"{"lastUpdateId":1,"bids":[["0.00000390","2000000000000.0"]],"asks":[["0.00000410","1.0"]]}"#,
                ),
                ("ws", r#"{"stream":"x","data":{"e":"24hrMiniTicker","E":1,"s":"QUIET"}}"#),
                ("ws", r#"{"e":"24hrTicker","E":1,"s":"BTTCUSDT","p":"-0.000000015","q":"0.5"}"#),
                ("ws", "not JSON"),
            ],
        ));
        let [bttc, quiet] = &catalog.entries[..] else { panic!("two symbols: {catalog:?}") };
        let instrument = &bttc.instrument;
        assert!(bttc.inferred && instrument.untradable.is_none());
        assert_eq!(
            (&*instrument.symbol, &*instrument.base, &*instrument.quote),
            ("BTTCUSDT", "BTTC", "USDT")
        );
        assert_eq!(instrument.price("0.0000001"), Ok(instrument.filters.tick));
        assert_eq!(instrument.quantity("1"), Ok(instrument.filters.lot.step));
        let largest = instrument.quantity("7000000000000000").expect("a thousand times the largest fits").0;
        assert!(largest > i64::MAX / 100, "and one more decimal would not");
        assert!(quiet.instrument.untradable.is_some(), "nothing is known of it");
    }

    #[test]
    fn contracts_have_the_venues_multipliers() {
        let folder = tempfile::tempdir().expect("a folder");
        let frame = |symbol: &str| {
            format!(r#"{{"e":"depthUpdate","s":"{symbol}","ps":"X","pu":1,"b":[["1.5","3"]]}}"#)
        };
        let (bitcoin, ether) = (frame("BTCUSD_PERP"), frame("ETHUSD_240927"));
        let catalog = scan_one(tape(&folder, "c", &[("ws", &bitcoin), ("ws", &ether)]));
        let facts = |entry: &CatalogEntry| {
            let instrument = &entry.instrument;
            (instrument.kind, instrument.multiplier, instrument.quote.clone())
        };
        assert_eq!(facts(&catalog.entries[0]), (InstrumentKind::Inverse, 100, "USD".into()));
        assert_eq!(facts(&catalog.entries[1]), (InstrumentKind::Inverse, 10, "USD".into()));
        assert_eq!(catalog.entries[0].instrument.price_scale, Scale::new(8).expect("a scale"));
    }

    #[test]
    fn a_list_covers_tapes_of_its_market_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let trade = |symbol: &str| format!(r#"{{"e":"trade","s":"{symbol}","p":"2","q":"3"}}"#);
        let spot = tape(
            &folder,
            "spot",
            &[
                ("ws", &trade("AUSDT")),
                ("rest https://api.binance.com/api/v3/exchangeInfo", "BUSDT AUSDT BUSDT"),
                ("ws", &trade("NEWUSDT")),
            ],
        );
        let more = tape(&folder, "more", &[("ws", &trade("BUSDT")), ("ws", &trade("CUSDT"))]);
        let futures = tape(
            &folder,
            "futures",
            &[(
                "rest https://fapi.binance.com/fapi/v1/depth?symbol=AUSDT",
                r#"{"bids":[["2","3"]],"asks":[]}"#,
            )],
        );
        let catalog = Catalog::scan(&[more, futures, spot], parse).expect("three tapes");
        let entries: Vec<_> = catalog
            .entries
            .iter()
            .map(|entry| (entry.instrument.market, &*entry.instrument.symbol, entry.inferred))
            .collect();
        assert_eq!(
            entries,
            [
                (Market::Spot, "BUSDT", false),
                (Market::Spot, "AUSDT", false),
                (Market::Spot, "CUSDT", true),
                (Market::Spot, "NEWUSDT", true),
                (Market::UsdMargined, "AUSDT", true),
            ]
        );
    }

    #[test]
    fn what_cannot_be_listed_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let refuse = |_: &[u8], _| Err(SetupError::Invalid("no symbols".into()));
        let info = tape(&folder, "i", &[("ws", "{}"), ("rest https://x/api/v3/exchangeInfo", "{}")]);
        let error = Catalog::scan(&[info], refuse).expect_err("refused").to_string();
        assert!(error.ends_with("i: line 2: no symbols"), "{error}");
        let fine = tape(&folder, "f", &[("ws", r#"{"e":"trade","s":"AUSDT","p":"0.0000000001","q":"1"}"#)]);
        let error = Catalog::scan(&[fine], parse).expect_err("ten decimals").to_string();
        assert!(error.contains("f: line 1: symbol AUSDT: more decimals"), "{error}");
    }
}
