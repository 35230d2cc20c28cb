//! Frames of every kind, written by hand after the protocol, and what must hold for each of them.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::{Decoder, oracle};
use crate::book::{DiffIds, Level};
use crate::domain::{
    DecimalError, Filters, Instrument, InstrumentKind, Instruments, Market, Nanos, Price, Quantity, Scale,
    Side, Symbol,
};
use crate::venue::binance::{DecodeReason, MarketEvent, Skip};
use crate::venue::{Frame, Source};

/// An instrument without filters.
pub(in crate::venue::binance) fn instrument(
    symbol: &str,
    market: Market,
    price: u8,
    quantity: u8,
) -> Instrument {
    let kind = match market {
        Market::Spot => InstrumentKind::Spot,
        Market::UsdMargined => InstrumentKind::Linear,
        Market::CoinMargined => InstrumentKind::Inverse,
    };
    Instrument {
        symbol: Symbol::new(symbol).expect("it fits"),
        market,
        kind,
        base: "BTC".into(),
        quote: "USDT".into(),
        price_scale: Scale::new(price).expect("a valid scale"),
        quantity_scale: Scale::new(quantity).expect("a valid scale"),
        multiplier: 1,
        filters: Filters::default(),
        untradable: None,
    }
}

pub(in crate::venue::binance) fn instruments(table: Vec<Instrument>) -> Arc<Instruments> {
    Arc::new(Instruments::new(table).expect("a valid table"))
}

fn table() -> Arc<Instruments> {
    instruments(vec![
        instrument("BTCUSDT", Market::Spot, 8, 8),
        instrument("这是测试币456", Market::Spot, 8, 5),
        instrument("BTCUSDT", Market::UsdMargined, 8, 8),
        instrument("BTCUSD_PERP", Market::CoinMargined, 8, 8),
    ])
}

const SNAPSHOT_URL: &str = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000";
const COIN_URL: &str = "https://dapi.binance.com/dapi/v1/depth?symbol=BTCUSD_PERP&limit=1000 (inferred)";

/// A frame of every kind on every market, in documented order.
const SAMPLES: &[(Market, Option<&str>, &str)] = &[
    (
        Market::Spot,
        None,
        r#"{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"],["0.10000000","12.34567891"]],"a":[["61837.64000000","1.54698000"],["123456789.5","7"]]}"#,
    ),
    (
        Market::Spot,
        None,
        r#"{"e":"depthUpdate","E":1723161255208123,"s":"这是测试币456","U":1,"u":2,"b":[],"a":[["1.5","0.00000"]]}"#,
    ),
    (
        Market::Spot,
        None,
        r#"{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}"#,
    ),
    (
        Market::Spot,
        None,
        r#"{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}"#,
    ),
    (
        Market::Spot,
        None,
        r#"{"e":"trade","E":1680652700455,"s":"BTCUSDT","t":3051,"p":"28145.10000000","q":"0.00200000","b":20484,"a":20486,"T":1680652700452,"m":false,"M":true}"#,
    ),
    (
        Market::Spot,
        None,
        r#"{"e":"aggTrade","E":1617566591315,"s":"BTCUSDT","a":665076760,"p":"58001.03000000","q":"0.08620500","f":745522877,"l":745522878,"T":1617566591314,"m":true,"M":true}"#,
    ),
    (
        Market::Spot,
        None,
        r#"{"e":"kline","E":1617566591776,"s":"BTCUSDT","k":{"t":1617566580000,"T":1617566639999,"s":"BTCUSDT","i":"1m","f":346711017,"L":346711087,"o":"2063.88000000","c":"2064.73000000","h":"2065.00000000","l":"2063.80000000","v":"70.86425000","n":71,"x":false,"q":"146321.71560700","V":"46.98201000","Q":"97009.77617410","B":"0"}}"#,
    ),
    (
        Market::Spot,
        Some(SNAPSHOT_URL),
        r#"{"lastUpdateId":1513939277,"bids":[["43.52240000","0.28000000"],["43.52200000","4.59000000"]],"asks":[]}"#,
    ),
    (
        Market::UsdMargined,
        None,
        r#"{"e":"depthUpdate","E":1680652700594,"T":1680652700586,"s":"BTCUSDT","U":2710246765373,"u":2710246765597,"pu":2710246765326,"b":[["5000.00","14.368"],["28018.90","0.000"]],"a":[["28145.20","6.961"]]}"#,
    ),
    (
        Market::UsdMargined,
        None,
        r#"{"e":"bookTicker","u":2710246762461,"s":"BTCUSDT","b":"28145.10","B":"3.868","a":"28145.20","A":"6.887","T":1680652700430,"E":1680652700435}"#,
    ),
    (
        Market::UsdMargined,
        None,
        r#"{"e":"trade","E":1680652700455,"T":1680652700452,"s":"BTCUSDT","t":3535186032,"p":"28145.10","q":"0.002","X":"MARKET","m":true}"#,
    ),
    (
        Market::UsdMargined,
        None,
        r#"{"e":"aggTrade","E":1626992741575,"a":16599292,"s":"BTCUSDT","p":"1.01100","q":"10","f":23961322,"l":23961322,"T":1626992741421,"m":false}"#,
    ),
    (
        Market::CoinMargined,
        None,
        r#"{"e":"depthUpdate","E":1723161257440,"T":1723161257432,"s":"BTCUSD_PERP","ps":"BTCUSD","U":1007198631260,"u":1007198631565,"pu":1007198631198,"b":[["61773.6","1001"],["61776.4","0"]],"a":[["61801.4","12"]]}"#,
    ),
    (
        Market::CoinMargined,
        None,
        r#"{"u":1007198632021,"e":"bookTicker","s":"BTCUSD_PERP","ps":"BTCUSD","b":"61804.7","B":"35","a":"61804.8","A":"1645","T":1723161257465,"E":1723161257476}"#,
    ),
    (
        Market::CoinMargined,
        None,
        r#"{"e":"trade","E":1723161257687,"T":1723161257679,"s":"BTCUSD_PERP","t":849714402,"p":"61804.8","q":"4","X":"MARKET","m":false}"#,
    ),
    (
        Market::CoinMargined,
        Some(COIN_URL),
        r#"{"lastUpdateId":1007198635033,"E":1723161257835,"T":1723161257823,"symbol":"BTCUSD_PERP","pair":"BTCUSD","bids":[["61804.7","35"]],"asks":[["61804.8","8"]]}"#,
    ),
];

pub(super) fn frame<'a>(market: Market, url: Option<&'a str>, payload: &'a [u8]) -> Frame<'a> {
    Frame { received: Nanos::ZERO, market, source: url.map_or(Source::Stream, Source::Rest), payload }
}

/// The levels left by the last frame.
fn sides(decoder: &Decoder) -> (Vec<Level>, Vec<Level>) {
    (decoder.sides.bids.levels().to_vec(), decoder.sides.asks.levels().to_vec())
}

/// Decodes both ways, by words too, checks that they agree with each other and that what is accepted agrees with the
/// oracle, and says whether the frame was accepted.
pub(super) fn check(decoder: &mut Decoder, frame: &Frame<'_>) -> Result<bool, String> {
    let text = String::from_utf8_lossy(frame.payload).into_owned();
    let mut by_words = Decoder::new(Arc::clone(decoder.instruments()));
    by_words.by_words();
    let (found, by_words) = (decoder.decode(frame), by_words.decode(frame));
    if found != by_words {
        return Err(format!("by words it is otherwise: {found:?} {by_words:?} of {text}"));
    }
    let straight = decoder.straight(frame);
    let straight_sides = sides(decoder);
    let general = decoder.general(frame);
    if let Some(event) = straight {
        let general_sides = sides(decoder);
        let depth = matches!(event, MarketEvent::Depth { .. });
        if general != Ok(event) || (depth && straight_sides != general_sides) {
            return Err(format!("the two ways differ: {straight:?} {general:?} of {text}"));
        }
    }
    let instruments = Arc::clone(decoder.instruments());
    match decoder.decode(frame) {
        Ok(event) => {
            let told = oracle::decode(frame, &instruments);
            match told.as_ref().map(oracle::Told::event) {
                Some(expected) if expected == event => Ok(true),
                // A number in an unknown field that is JSON but more than a double, in which serde_json holds it.
                None if serde_json::from_slice::<Value>(frame.payload)
                    .is_err_and(|error| error.to_string().contains("number out of range")) =>
                {
                    Ok(true)
                }
                other => Err(format!("decoder {event:?}, oracle {other:?} of {text}")),
            }
        }
        Err(error) if error.at > frame.payload.len() => Err(format!("error beyond the frame: {error}")),
        Err(_) => Ok(false),
    }
}

/// `payload` inside a combined stream's wrapper, the stream first or last.
fn wrap(payload: &str, stream_first: bool) -> String {
    if stream_first {
        format!(r#"{{"stream":"btcusdt@depth@100ms","data":{payload}}}"#)
    } else {
        format!(r#"{{"data":{payload},"stream":"btcusdt@depth@100ms"}}"#)
    }
}

/// Every way a sample may arrive.
fn arrivals(url: Option<&str>, payload: &str) -> Vec<String> {
    let spaced =
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(payload).expect("a sample is JSON"));
    let mut all = vec![payload.to_owned(), spaced.expect("a value has a text"), format!(" {payload}\r\n")];
    if url.is_none() {
        all.extend([wrap(payload, true), wrap(payload, false), wrap(&all[1], false)]);
    }
    all
}

#[test]
fn samples_are_read_as_the_oracle_reads_them() {
    let mut decoder = Decoder::new(table());
    for &(market, url, payload) in SAMPLES {
        for text in arrivals(url, payload) {
            let frame = frame(market, url, text.as_bytes());
            assert_eq!(check(&mut decoder, &frame), Ok(true), "{text}");
            let event = decoder.decode(&frame).expect("it was accepted");
            assert!(!matches!(event, MarketEvent::Skipped(_)), "{text}");
        }
        // The busy ones must not need the general way.
        let busy =
            ["depthUpdate", "bookTicker", "trade", "\"u\":5009"].iter().any(|name| payload.contains(name));
        if busy && !payload.contains("20486") && url.is_none() {
            assert!(decoder.straight(&frame(market, url, payload.as_bytes())).is_some(), "{payload}");
            let wrapped = wrap(payload, true);
            assert!(decoder.straight(&frame(market, url, wrapped.as_bytes())).is_some(), "{wrapped}");
        }
    }
}

#[test]
fn values_are_what_the_protocol_says() {
    let mut decoder = Decoder::new(table());
    let (market, url, payload) = SAMPLES[0];
    let level = |price, quantity| Level { price: Price(price), quantity: Quantity(quantity) };
    let expected = MarketEvent::Depth {
        instrument: 0,
        ids: DiffIds { first: 50_093_239_189, last: 50_093_239_202, previous: None },
        event_time: Nanos(1_723_161_255_208_000_000),
        bids: &[level(6_173_763_000_000, 0), level(10_000_000, 1_234_567_891)],
        asks: &[level(6_183_764_000_000, 154_698_000), level(12_345_678_950_000_000, 700_000_000)],
    };
    assert_eq!(decoder.decode(&frame(market, url, payload.as_bytes())), Ok(expected));
    let (market, url, payload) = SAMPLES[10];
    let expected = MarketEvent::Trade {
        instrument: 2,
        trade_id: 3_535_186_032,
        price: Price(2_814_510_000_000),
        quantity: Quantity(200_000),
        aggressor: Side::Sell,
        event_time: Nanos(1_680_652_700_455_000_000),
        aggregate: false,
    };
    assert_eq!(decoder.decode(&frame(market, url, payload.as_bytes())), Ok(expected));
}

#[test]
fn every_truncation_is_refused() {
    let mut decoder = Decoder::new(table());
    for &(market, url, payload) in SAMPLES {
        for text in arrivals(url, payload) {
            let whole = text.trim_end().len();
            for cut in 0..whole {
                let part = frame(market, url, &text.as_bytes()[..cut]);
                assert_eq!(check(&mut decoder, &part), Ok(false), "{text} cut at {cut}");
            }
            let longer = format!("{text}}}");
            assert_eq!(check(&mut decoder, &frame(market, url, longer.as_bytes())), Ok(false), "{longer}");
            let twice = format!("{text}{text}");
            assert_eq!(check(&mut decoder, &frame(market, url, twice.as_bytes())), Ok(false), "{twice}");
        }
    }
}

/// The fields of a flat object as texts.
fn fields(payload: &str) -> Vec<String> {
    let Ok(Value::Object(map)) = serde_json::from_str(payload) else { panic!("a sample is an object") };
    map.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect()
}

/// Calls `visit` with every order of `items` (Heap's algorithm).
fn permutations(items: &mut [String], count: usize, visit: &mut dyn FnMut(&[String])) {
    if count <= 1 {
        return visit(items);
    }
    for at in 0..count {
        permutations(items, count - 1, visit);
        items.swap(if count.is_multiple_of(2) { at } else { 0 }, count - 1);
    }
}

#[test]
fn field_order_does_not_matter() {
    let mut decoder = Decoder::new(table());
    for &(market, url, payload) in SAMPLES {
        let mut parts = fields(payload);
        if parts.len() > 7 {
            continue; // `mutations_and_orders` shuffles those.
        }
        let expected = oracle::decode(&frame(market, url, payload.as_bytes()), decoder.instruments());
        let expected = expected.expect("a sample is valid");
        let count = parts.len();
        permutations(&mut parts, count, &mut |order| {
            let text = format!("{{{}}}", order.join(","));
            let found = decoder.decode(&frame(market, url, text.as_bytes()));
            assert_eq!(found, Ok(expected.event()), "{text}");
        });
    }
}

#[test]
fn every_field_counts_once() {
    let mut decoder = Decoder::new(table());
    for &(market, url, payload) in SAMPLES {
        let parts = fields(payload);
        let told = |texts: &[&String]| {
            format!("{{{}}}", texts.iter().map(|t| t.as_str()).collect::<Vec<_>>().join(","))
        };
        for left_out in 0..parts.len() {
            let kept: Vec<_> =
                parts.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, part)| part).collect();
            let text = told(&kept);
            let frame_without = frame(market, url, text.as_bytes());
            let expected = oracle::decode(&frame_without, decoder.instruments()).is_some();
            assert_eq!(check(&mut decoder, &frame_without), Ok(expected), "{text}");
            let mut doubled: Vec<_> = parts.iter().collect();
            doubled.push(&parts[left_out]);
            let text = told(&doubled);
            let refused = decoder.decode(&frame(market, url, text.as_bytes())).is_err();
            // A field that the event needs cannot be left out; then it may not be there twice either.
            assert!(refused || expected, "{text}");
        }
    }
}

#[test]
fn control_messages_and_strangers_are_skipped() {
    let mut decoder = Decoder::new(table());
    let event = [
        r#"{"result":null,"id":1}"#,
        r#"{"code":2,"msg":"Invalid request: \"x\"","id":null}"#,
        r#"{"e":"serverShutdown","E":1777777777777}"#,
        r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1777777777777}}"#,
        r#"{"e":"markPriceUpdate","E":1680652701000,"s":"BTCUSDT","p":"28147.2","P":"1","i":"2","r":"0.1","T":1680652800000}"#,
        r#"{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[]}"#,
        r#"{"stream":"btcusdt@depth5","data":{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[]}}"#,
        r#"[{"e":"24hrMiniTicker","s":"BTCUSDT"}]"#,
        r#"{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}"#,
        r#"{"data":[],"stream":"!miniTicker@arr"}"#,
        r#"{"id":"x","status":200,"result":{"symbol":"BTCUSDT"},"rateLimits":[]}"#,
        "{}",
        "null",
        "7",
        r#""text""#,
    ];
    for text in event {
        let found = decoder.decode(&frame(Market::Spot, None, text.as_bytes()));
        assert_eq!(found, Ok(MarketEvent::Skipped(Skip::Event)), "{text}");
    }
    for &(market, url, payload) in SAMPLES {
        let text = payload.replace("BTCUSD", "XRPUSD").replace("456", "457");
        let url = url.map(|url| url.replace("BTCUSD", "XRPUSD"));
        let found = decoder.decode(&frame(market, url.as_deref(), text.as_bytes()));
        assert_eq!(found, Ok(MarketEvent::Skipped(Skip::Symbol)), "{text}");
    }
    let answers = [
        (SNAPSHOT_URL, r#"{"code":-1121,"msg":"Invalid symbol."}"#),
        ("https://api.binance.com/api/v3/exchangeInfo", r#"{"timezone":"UTC","symbols":[]}"#),
        ("https://api.binance.com/api/v3/time", "{}"),
    ];
    for (url, text) in answers {
        let found = decoder.decode(&frame(Market::Spot, Some(url), text.as_bytes()));
        assert_eq!(found, Ok(MarketEvent::Skipped(Skip::Event)), "{text}");
    }
}

#[test]
fn data_without_a_stream_is_an_unknown_field() {
    let mut decoder = Decoder::new(table());
    for &(market, url, payload) in SAMPLES {
        let inside = payload.replace("BTCUSD", "XRPUSD");
        for data in [&*inside, "{\"e\":5}", "{\"e\":\"trade\",\"e\":\"trade\"}", "[1]", "7"] {
            let first = format!("{{\"data\":{data},{}", &payload[1..]);
            let last = format!("{},\"data\":{data}}}", &payload[..payload.len() - 1]);
            for text in [first, last] {
                let frame = frame(market, url, text.as_bytes());
                assert_eq!(check(&mut decoder, &frame), Ok(true), "{text}");
                assert!(!matches!(decoder.decode(&frame), Ok(MarketEvent::Skipped(_))), "{text}");
            }
        }
    }
}

#[test]
fn refusals_name_the_reason_and_the_instrument() {
    let mut decoder = Decoder::new(table());
    let mut refuse = |market, url, text: &str| {
        let error = decoder.decode(&frame(market, url, text.as_bytes())).expect_err("it must be refused");
        (error.reason, error.instrument)
    };
    let (market, url, payload) = SAMPLES[0];
    let precision = DecodeReason::Decimal(DecimalError::Precision);
    assert_eq!(refuse(market, url, &payload.replace("0.10000000", "0.100000001")), (precision, Some(0)));
    let range = DecodeReason::Decimal(DecimalError::Range);
    assert_eq!(refuse(market, url, &payload.replace("0.10000000", "-0.1000000")), (range, Some(0)));
    assert_eq!(refuse(market, url, &payload.replace("\"U\"", "\"V\"")), (DecodeReason::Missing, Some(0)));
    let overflow = payload.replace("50093239189", "18446744073709551616");
    assert_eq!(refuse(market, url, &overflow), (DecodeReason::Malformed, Some(0)));
    assert_eq!(refuse(market, url, &payload[..payload.len() - 1]), (DecodeReason::Malformed, Some(0)));
    assert_eq!(refuse(market, url, &payload[..30]), (DecodeReason::Malformed, None));
    // The stream's name told it before the frame broke.
    assert_eq!(refuse(market, url, &wrap(payload, true)[..60]), (DecodeReason::Malformed, Some(0)));
    let (market, url, payload) = SAMPLES[8];
    assert_eq!(refuse(market, url, &payload.replace("\"pu\"", "\"pv\"")), (DecodeReason::Missing, Some(2)));
    let (market, url, payload) = SAMPLES[15];
    let other = payload.replace("\"BTCUSD_PERP\"", "\"ETHUSD_PERP\"");
    assert_eq!(refuse(market, url, &other), (DecodeReason::Malformed, Some(3)));
    assert_eq!(
        refuse(market, Some("/dapi/v1/depth"), &payload.replace("symbol", "sybmol")).0,
        DecodeReason::Missing
    );
}

#[test]
fn escaped_symbols_and_keys_are_the_same_symbols_and_keys() {
    let mut decoder = Decoder::new(table());
    let (market, url, payload) = SAMPLES[1];
    let escaped =
        payload.replace("这是测试币", r"\u8fd9\u662f\u6d4b\u8bd5\u5e01").replace("\"e\"", r#""\u0065""#);
    assert_eq!(check(&mut decoder, &frame(market, url, escaped.as_bytes())), Ok(true));
    let event = decoder.decode(&frame(market, url, escaped.as_bytes()));
    assert!(matches!(event, Ok(MarketEvent::Depth { instrument: 1, .. })), "{event:?}");
    let asked = "/api/v3/depth?symbol=%E8%BF%99%E6%98%AF%E6%B5%8B%E8%AF%95%E5%B8%81456";
    let event = decoder.decode(&frame(market, Some(asked), br#"{"lastUpdateId":1,"bids":[],"asks":[]}"#));
    assert!(matches!(event, Ok(MarketEvent::Snapshot { instrument: 1, .. })), "{event:?}");
}

proptest! {
    #[test]
    fn unknown_fields_and_orders_do_not_matter(
        sample in 0..SAMPLES.len(),
        order in Just(()).prop_perturb(|(), mut random| random.random::<u64>()),
        unknown in prop::collection::vec(("[f-k][A-Za-z]{2,9}|st|nq|RPI", prop::sample::select(vec![
            "null", "-1.5e3", "[]", "{}", r#"[[["a\"]}",{}]],7]"#, r#"{"e":"x","s":{"b":[1]},"u":[]}"#, r#""\\\u00e9\"""#,
        ])), 0..4),
    ) {
        let (market, url, payload) = SAMPLES[sample];
        let mut parts = fields(payload);
        parts.extend(unknown.iter().map(|(key, value)| format!(" \"{key}\" : {value}\t")));
        let mut random = order;
        for at in (1..parts.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            parts.swap(at, (random >> 33) as usize % (at + 1));
        }
        let text = format!("{{{}}}", parts.join(","));
        let mut decoder = Decoder::new(table());
        for text in arrivals(url, &text) {
            let frame = frame(market, url, text.as_bytes());
            prop_assert_eq!(check(&mut decoder, &frame), Ok(true));
            prop_assert!(!matches!(decoder.decode(&frame), Ok(MarketEvent::Skipped(_))));
        }
    }

    #[test]
    fn damage_never_panics_and_never_lies(
        sample in 0..SAMPLES.len(),
        arrival in 0_usize..6,
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..3, prop_oneof![
            any::<u8>(), prop::sample::select(br#"{}[]",:.-0123456789eEsabuU\ "#.to_vec())
        ]), 1..4),
    ) {
        let (market, url, payload) = SAMPLES[sample];
        let texts = arrivals(url, payload);
        let mut bytes = texts[arrival % texts.len()].clone().into_bytes();
        for (place, action, byte) in damage {
            let at = place.index(bytes.len());
            match action {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        let checked = check(&mut Decoder::new(table()), &frame(market, url, &bytes));
        prop_assert!(checked.is_ok(), "{:?}", checked);
    }
}
