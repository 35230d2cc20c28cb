//! Answers written by hand, and every recorded one.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::domain::{Instruments, Nanos, Price, Quantity};
use crate::venue::binance::MarketEvent;
use crate::venue::binance::decode::{Decoder, lines, recordings, source};
use crate::venue::{Frame, Source};

const SPOT: &str = r#"{"timezone":"UTC","novelty":{"a":[1]},"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
"isSpotTradingAllowed":true,"cancelReplaceAllowed":true,"ocoAllowed":true,"filters":[{"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},
{"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},{"filterType":"NOVEL","limit":{}},
{"filterType":"MARKET_LOT_SIZE","minQty":"0.00000000","maxQty":"105.07867116","stepSize":"0.00000000"},
{"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,"maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5},
{"filterType":"MAX_NUM_ORDERS","maxNumOrders":200,"limit":0}]}]}"#;

const COIN: &str = r#"{"symbols":[{"symbol":"BTCUSD_PERP","contractType":"PERPETUAL","contractStatus":"TRADING","contractSize":100,"marginAsset":"BTC",
"baseAsset":"BTC","quoteAsset":"USD","filters":[{"minPrice":"1000","maxPrice":"1000000","filterType":"PRICE_FILTER","tickSize":"0.1","minQty":null,"stepSize":""},
{"stepSize":"1","filterType":"LOT_SIZE","maxQty":"1000000","minQty":"1"},{"limit":200,"filterType":"MAX_NUM_ORDERS"}]}]}"#;

const LINEAR: &str = r#"{"symbols":[{"symbol":"SHIBUSDT","contractType":"TRADIFI_PERPETUAL","status":"TRADING","marginAsset":"USDT",
"baseAsset":"SHIB","quoteAsset":"USDT","filters":[{"minPrice":"0.000001","maxPrice":"200","filterType":"PRICE_FILTER","tickSize":"0.000001"},
{"stepSize":"1","filterType":"LOT_SIZE","maxQty":"92233720368","minQty":"1"},{"notional":"5","filterType":"MIN_NOTIONAL"}]}]}"#;

fn one(json: &str, market: Market) -> Instrument {
    let mut all = instruments(json.as_bytes(), market).expect("a readable answer");
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn spot_filters_are_read_exactly() {
    let found = one(SPOT, Market::Spot);
    assert_eq!((found.price_scale.digits(), found.quantity_scale.digits()), (8, 8));
    assert_eq!(found.untradable, None);
    let filters = found.filters;
    assert_eq!(filters.tick, Price(1_000_000));
    assert_eq!(filters.max_price, Price(100_000_000_000_000));
    assert_eq!(filters.lot.step, Quantity(1_000));
    assert_eq!(filters.market_lot.max, Quantity(10_507_867_116));
    assert_eq!(filters.market_lot.step, Quantity::ZERO);
    assert_eq!(filters.notional.min, Some(5 * 10_i128.pow(16)));
    assert_eq!(filters.notional.max, Some(9_000_000 * 10_i128.pow(16)));
    assert!(filters.notional.min_applies_to_market && !filters.notional.max_applies_to_market);
    assert_eq!((filters.max_open_orders, filters.cancel_replace), (Some(200), true));
    let without = SPOT.replace("cancelReplaceAllowed\":true", "cancelReplaceAllowed\":false");
    assert!(!one(&without, Market::Spot).filters.cancel_replace);
    let (with, none) = (r#""ocoAllowed":true"#, r#""ocoAllowed":false"#);
    assert!(filters.oco && SPOT.contains(with) && !one(&SPOT.replace(with, none), Market::Spot).filters.oco);
    // Off the tick, on the wire: NKNUSDT's book held such levels.
    assert_eq!(found.price("0.35213456"), Ok(Price(35_213_456)));
}

#[test]
fn futures_have_kinds_and_multipliers() {
    let coin = one(COIN, Market::CoinMargined);
    assert_eq!(
        (coin.kind, coin.multiplier, coin.untradable.as_deref()),
        (InstrumentKind::Inverse, 100, None)
    );
    assert_eq!((coin.filters.max_open_orders, coin.filters.cancel_replace), (Some(200), false));
    assert_eq!(coin.filters.notional.min, None);
    let linear = one(LINEAR, Market::UsdMargined);
    assert_eq!(
        (linear.kind, linear.multiplier, linear.untradable.as_deref()),
        (InstrumentKind::Linear, 1, None)
    );
    assert_eq!(linear.quantity_scale.digits(), 5);
    assert_eq!(linear.filters.notional.min, Some(5 * 10_i128.pow(13)));
    assert!(linear.filters.notional.min_applies_to_market);
    for (json, market) in [(SPOT, Market::Spot), (COIN, Market::CoinMargined), (LINEAR, Market::UsdMargined)]
    {
        assert_eq!(guess_market(json.as_bytes()).expect("a readable answer"), Some(market));
    }
}

#[test]
fn what_cannot_be_read_is_untradable_with_the_reason() {
    for (from, to, reason) in [
        ("\"TRADING\"", "\"CANCEL_ONLY\"", "status: CANCEL_ONLY"),
        ("\"status\":\"TRADING\",", "", "status: missing"),
        ("\"quoteAsset\":\"USDT\",", "", "quoteAsset: missing"),
        ("\"tickSize\":\"0.01000000\"", "\"tickSize\":null", "PRICE_FILTER: tickSize is missing"),
        ("\"0.01000000\"}", "\"1e-2\"}", "PRICE_FILTER: tickSize is 1e-2, no plain decimal"),
        ("\"0.01000000\"}", "0.01}", ""),
        ("\"0.01000000\"}", "[1]}", "PRICE_FILTER: tickSize is [1], no plain decimal"),
        ("9000.00000000", "99999999999999999999", "LOT_SIZE: no scale holds it"),
        ("\"LOT_SIZE\"", "\"LOTSIZE\"", "LOT_SIZE: missing"),
        ("\"NOVEL\"", "\"LOT_SIZE\"", "filter \"LOT_SIZE\" is there twice"),
        ("105.07867116", "9999999999999999999", "MARKET_LOT_SIZE: out of range"),
        ("\"maxNumOrders\":200", "\"maxNumOrders\":2.5", "MAX_NUM_ORDERS: maxNumOrders is no count"),
        ("\"filters\":[", "\"filter\":[", "PRICE_FILTER: missing"),
    ] {
        let changed = SPOT.replacen(from, to, 1);
        assert_ne!(changed, SPOT, "{from}");
        assert_eq!(one(&changed, Market::Spot).untradable.as_deref().unwrap_or_default(), reason, "{to}");
    }
    let odd = COIN.replace("\"contractSize\":100", "\"contractSize\":\"many\"");
    assert_eq!(
        one(&odd, Market::CoinMargined).untradable.as_deref(),
        Some("contractSize: not a whole number")
    );
    let odd = LINEAR.replace("TRADIFI_PERPETUAL", "");
    assert_eq!(one(&odd, Market::UsdMargined).untradable.as_deref(), Some("contractType: \"\""));
}

#[test]
fn an_answer_of_another_kind_is_an_error() {
    for bad in [
        "",
        "{",
        "[]",
        r#"{"code":-1003,"msg":"x"}"#,
        r#"{"symbols":{}}"#,
        r#"{"symbols":[{"status":"TRADING"}]}"#,
    ] {
        assert!(instruments(bad.as_bytes(), Market::Spot).is_err(), "{bad}");
    }
    for cut in 0..SPOT.len() {
        assert!(instruments(&SPOT.as_bytes()[..cut], Market::Spot).is_err(), "cut at {cut}");
    }
}

/// A recorded answer, unpacked where it is packed.
fn load(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text).expect("a gzip file");
    text
}

#[test]
fn every_recorded_answer_loads() {
    let Some(folder) = recordings() else { return };
    // Listed and tradable symbols, counted apart from this code.
    let expected = [
        ("coinm_full_20210721.json.gz", Market::CoinMargined, 36, 36),
        ("spot_btcusdt_20250823_reformatted.json", Market::Spot, 1, 1),
        ("spot_full_20211012.json.gz", Market::Spot, 1_695, 1_262),
        ("spot_tslabusdt_2026_trimmed.json", Market::Spot, 1, 1),
        ("testnet_spot_btcusdt_20260913.json", Market::Spot, 1, 1),
        ("tr_full_20230410.json.gz", Market::Spot, 2_183, 1_405),
        ("us_spot_btcusd_20260904.json", Market::Spot, 1, 1),
        ("usdm_full_20210722.json.gz", Market::UsdMargined, 122, 121),
        ("usdm_full_20260331.json.gz", Market::UsdMargined, 705, 590),
    ];
    for (name, market, listed, tradable) in expected {
        let json = load(&folder.join("samples/exchange_info").join(name));
        assert_eq!(guess_market(&json).expect("a readable answer"), Some(market), "{name}");
        let all = instruments(&json, market).expect("a readable answer");
        let reasons: Vec<_> = all
            .iter()
            .filter_map(|i| i.untradable.as_ref().map(|reason| format!("{} {reason}", i.symbol)))
            .collect();
        assert_eq!((all.len(), all.len() - reasons.len()), (listed, tradable), "{name}: {reasons:?}");
        for found in all.iter().filter(|found| found.untradable.is_none()) {
            let (tick, step) = (found.filters.tick.0, found.filters.lot.step.0);
            assert!(tick >= 0 && step > 0 && found.filters.lot.max.0 > 0, "{name}: {found:?}");
        }
        let table = Instruments::new(all).expect("symbols are distinct");
        assert_eq!(table.len(), listed);
    }
}

#[test]
fn recorded_books_fit_the_scales_of_their_own_answer() {
    let Some(folder) = recordings() else { return };
    for (name, market) in [
        ("cryptofeed_spot_20210417", Market::Spot),
        ("cryptofeed_spot_20211012", Market::Spot), // NKNUSDT: levels off its tick and its step
        ("cryptofeed_us_20211012", Market::Spot),
        ("cryptofeed_usdm_20210722", Market::UsdMargined),
    ] {
        let path = folder.join("tape").join(format!("{name}.tsv.gz"));
        let answer =
            lines(&path).find(|(origin, _)| origin.contains("exchangeInfo")).expect("the tape has one");
        let all = instruments(answer.1.as_bytes(), market).expect("a readable answer");
        let mut decoder = Decoder::new(Arc::new(Instruments::new(all).expect("symbols are distinct")));
        let mut off_grid = 0;
        for (origin, payload) in lines(&path) {
            let source = source(&origin);
            let frame = Frame { received: Nanos::ZERO, market, source, payload: payload.as_bytes() };
            let table = Arc::clone(decoder.instruments());
            let event = decoder.decode(&frame).unwrap_or_else(|error| panic!("{name}: {error}: {payload}"));
            match event {
                MarketEvent::Depth { instrument, bids, asks, .. }
                | MarketEvent::Snapshot { instrument, bids, asks, .. } => {
                    let filters = &table.get(instrument).expect("it is listed").filters;
                    let off = |price: Price| price.0 % filters.tick.0 != 0;
                    off_grid += bids.iter().chain(asks).filter(|level| off(level.price)).count();
                }
                MarketEvent::Skipped(_) => assert_ne!(frame.source, Source::Stream, "{payload}"),
                _ => {}
            }
        }
        assert!(off_grid > 0 || name != "cryptofeed_spot_20211012", "{name}: no level off the tick");
    }
}
