//! Binance's protocols: market frames in JSON and SBE, numbers, rules, user data, requests.

use std::cell::RefCell;
use std::sync::Arc;

use engine::book::{DiffIds, Level};
use engine::domain::{
    Filters, Instrument, InstrumentKind, Instruments, Market, Nanos, Price, Quantity, Scale, Symbol, decimal,
};
use engine::message::tick::Top;
use engine::venue::binance::decode::Decoder;
use engine::venue::binance::sbe::encode::{Extension, SbeEncoder, Trade};
use engine::venue::binance::sbe::{Label, SbeDecoder};
use engine::venue::binance::{MarketEvent, exchange_info as rules, order_request, user_data as user};
use engine::venue::{Frame, Source};

const MARKETS: [Market; 3] = [Market::Spot, Market::UsdMargined, Market::CoinMargined];
const PRICE_DIGITS: u8 = 2;

fn instrument(market: Market, symbol: &str, kind: InstrumentKind) -> Instrument {
    Instrument {
        symbol: Symbol::new(symbol).expect("it fits"),
        market,
        kind,
        base: "BTC".into(),
        quote: "USDT".into(),
        price_scale: Scale::new(PRICE_DIGITS).expect("valid"),
        quantity_scale: Scale::new(5).expect("valid"),
        multiplier: 1,
        filters: Filters::default(),
        untradable: None,
    }
}

fn table() -> Arc<Instruments> {
    let table = vec![
        instrument(Market::Spot, "BTCUSDT", InstrumentKind::Spot),
        instrument(Market::UsdMargined, "BTCUSDT", InstrumentKind::Linear),
        instrument(Market::CoinMargined, "BTCUSD_PERP", InstrumentKind::Inverse),
    ];
    Arc::new(Instruments::new(table).expect("valid"))
}

thread_local! {
    static DECODERS: RefCell<[Decoder; 2]> = RefCell::new([taught(), Decoder::new(table())]);
    static SBE: RefCell<SbeDecoder> = RefCell::new(SbeDecoder::new(table()));
    static TABLE: Arc<Instruments> = table();
}

fn told(decoder: &mut Decoder, market: Market, source: Source<'_>, payload: &[u8]) -> Option<String> {
    let frame = Frame { received: Nanos::ZERO, market, source, payload };
    decoder.decode(&frame).ok().map(|event| format!("{event:?}"))
}

/// A decoder that has templates of the seeds: it learns of what comes twice running.
fn taught() -> Decoder {
    let mut decoder = Decoder::new(table());
    for seed in frame_seeds() {
        for market in MARKETS {
            for _ in 0..2 {
                _ = told(&mut decoder, market, Source::Stream, &seed);
            }
        }
    }
    decoder
}

/// A frame says the same, or nothing, by a template or on the straight way and, behind a space, on the general way.
pub fn frames(data: &[u8]) {
    let spaced = [b" ", data].concat();
    DECODERS.with_borrow_mut(|[straight, general]| {
        for market in MARKETS {
            let (one, other) = (
                told(straight, market, Source::Stream, data),
                told(general, market, Source::Stream, &spaced),
            );
            assert_eq!(one, other, "{market:?} {:?}", String::from_utf8_lossy(data));
        }
    });
}

pub fn frame_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1723000000123,"s":"BTCUSDT","U":5,"u":9,"b":[["61837.63","1.50000"],["61837.00","0.00000"]],"a":[["61837.64","0.00010"]]}}"#,
        r#"{"e":"depthUpdate","E":1723000000123,"T":1723000000120,"s":"BTCUSDT","U":5,"u":9,"pu":4,"b":[],"a":[["1.00","1"]]}"#,
        r#"{"u":77,"s":"BTCUSDT","b":"61837.63","B":"1.5","a":"61837.64","A":"0.25"}"#,
        r#"{"e":"trade","E":1723000000123,"s":"BTCUSDT","t":12345,"p":"61837.63","q":"0.00100","T":1723000000122,"m":true,"M":true}"#,
        r#"{"e":"aggTrade","E":1723000000123,"s":"BTCUSDT","a":12345,"p":"61837.63","q":"0.001","f":1,"l":2,"T":1723000000122,"m":false,"M":true}"#,
        r#"{"e":"kline","E":1723000000123,"s":"BTCUSDT","k":{"t":1723000000000,"T":1723000000999,"s":"BTCUSDT","i":"1s","f":1,"L":2,"o":"1.00","c":"1.10","h":"1.20","l":"0.90","v":"3.5","n":2,"x":true,"q":"3","V":"1","Q":"1","B":"0"}}"#,
        r#"{"result":null,"id":1}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// An answer to a depth request, and a URL of any bytes.
pub fn snapshots(data: &[u8]) {
    let asked = Source::Rest("https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5000");
    DECODERS.with_borrow_mut(|[first, second]| {
        assert_eq!(told(first, Market::Spot, asked, data), told(second, Market::Spot, asked, data));
        if let Ok(url) = std::str::from_utf8(data) {
            _ = told(first, Market::Spot, Source::Rest(url), br#"{"lastUpdateId":1,"bids":[],"asks":[]}"#);
        }
    });
}

pub fn snapshot_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"lastUpdateId":160,"bids":[["0.02","431.00000"],["0.01","1"]],"asks":[["4.00","12"]]}"#,
        r#"{"code":-1121,"msg":"Invalid symbol."}"#,
        "https://api.binance.com/api/v3/depth?limit=5&symbol=%42TCUSDT",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// A price in a frame is what plain decimal reading makes of its text, or the frame is refused.
pub fn numbers(data: &[u8]) {
    // These end or change the text before it is a number.
    if data.iter().any(|&byte| byte == b'"' || byte == b'\\') || data.starts_with(b"-") {
        return;
    }
    let scale = Scale::new(PRICE_DIGITS).expect("valid");
    let expected = decimal::parse(data, scale).ok();
    let frame =
        [br#"{"u":1,"s":"BTCUSDT","b":""#, data, br#"","B":"1","a":"9.00","A":"1"}"#.as_slice()].concat();
    DECODERS.with_borrow_mut(|[decoder, _]| {
        let frame =
            Frame { received: Nanos::ZERO, market: Market::Spot, source: Source::Stream, payload: &frame };
        let found = match decoder.decode(&frame) {
            Ok(MarketEvent::BookTicker { top, .. }) => Some(top.bid.0),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        };
        assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(data));
    });
}

pub fn number_seeds() -> Vec<Vec<u8>> {
    [
        "61837.63",
        "0.01000000",
        "1",
        "00001.10",
        "92233720368547758.07",
        "92233720368547758.08",
        "1.001",
        "",
        ".",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The venue's rules.
pub fn exchange_info(data: &[u8]) {
    for market in MARKETS {
        if let Ok(listed) = rules::instruments(data, market) {
            // What is listed makes a table, or says why not.
            _ = Instruments::new(listed);
        }
    }
    _ = rules::guess_market(data);
}

pub fn exchange_info_seeds() -> Vec<Vec<u8>> {
    let spot = r#"{"timezone":"UTC","symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},{"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},{"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true}]}]}"#;
    vec![spot.as_bytes().to_vec()]
}

/// User events, and answers to our requests.
pub fn user_data(data: &[u8]) {
    TABLE.with(|table| {
        for market in MARKETS {
            if let Ok(Some(event)) = user::decode(data, market, table, Nanos::ZERO) {
                // An error names none: whoever asked knows of which it is.
                let unnamed = event.instrument == user::UNNAMED;
                assert!(unnamed || table.get(event.instrument).is_some(), "{event:?}");
            }
        }
    });
}

pub fn user_data_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"e":"executionReport","E":1499405658658,"s":"BTCUSDT","c":"t-1-2-1-7","S":"BUY","o":"LIMIT","f":"GTC","q":"1.00000000","p":"0.10","P":"0","F":"0","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":4293153,"l":"0.50000","z":"0.50000","L":"0.10","n":"0.00001","N":"USDT","T":1499405658657,"t":77,"I":8641984,"w":true,"m":false,"M":false,"O":1499405658657,"Z":"0","Y":"0","Q":"0"}"#,
        r#"{"id":"q-t-1-2-1-7","status":400,"error":{"code":-2013,"msg":"Order does not exist."}}"#,
        r#"{"id":"p-t-1-2-1-7","status":200,"result":{"symbol":"BTCUSDT","orderId":4,"clientOrderId":"t-1-2-1-7","status":"NEW"}}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Our own requests, as a tape gives them back.
pub fn requests(data: &[u8]) {
    TABLE.with(|table| {
        for market in MARKETS {
            if let Ok(Some(request)) = order_request::decode(data, market, table) {
                assert!(table.get(request.instrument).is_some(), "{request:?}");
            }
        }
    });
}

pub fn request_seeds() -> Vec<Vec<u8>> {
    let text = r#"{"id":"t-1-2-1-7","method":"order.place","params":{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"1.00000","price":"0.10","newClientOrderId":"t-1-2-1-7","timestamp":1499405658657}}"#;
    vec![text.as_bytes().to_vec()]
}

/// Binary market frames: read twice they say the same, name listed instruments only, and have a label.
pub fn sbe(data: &[u8]) {
    let read = || {
        SBE.with_borrow_mut(|decoder| {
            let mut events = Vec::new();
            let outcome = decoder.decode(data, &mut |event| events.push(format!("{event:?}")));
            (outcome, events)
        })
    };
    let (outcome, events) = read();
    assert_eq!((outcome, &events), (read().0, &read().1));
    let label = Label::of(data);
    assert!(label.is_some() || outcome.is_err() || events.iter().all(|event| event.contains("Skipped")));
    if outcome.is_ok() && !data.is_empty() {
        // Bytes behind a frame are a later version's: they change nothing.
        let longer = [data, &[0; 3]].concat();
        SBE.with_borrow_mut(|decoder| {
            let mut again = Vec::new();
            let outcome = decoder.decode(&longer, &mut |event| again.push(format!("{event:?}")));
            assert_eq!((outcome, again), (Ok(()), events));
        });
    }
}

pub fn sbe_seeds() -> Vec<Vec<u8>> {
    let table = table();
    let instrument = table.get(0).expect("listed");
    let level = |n: i64| Level { price: Price(n), quantity: Quantity(n) };
    let trade = Trade { id: 1, price: Price(2), quantity: Quantity(3), buyer_is_maker: true };
    let top = Top { bid: Price(1), bid_quantity: Quantity(2), ask: Price(3), ask_quantity: Quantity(4) };
    let (at, ids) = (Nanos::from_secs(1_700_000_000), DiffIds { first: 5, last: 9, previous: None });
    let extensions = [Extension::default(), Extension { version: 1, block: 3, entry: 2, tail: 1 }];
    let all = extensions.map(|extension| {
        let encoder = SbeEncoder::new(instrument, extension);
        let sides = [&[level(1), level(2)][..], &[level(3)][..]];
        [
            encoder.trades(at, &[trade, trade]),
            encoder.best_bid_ask(at, 7, &top),
            encoder.best_levels(at, 8, sides),
            encoder.depth_diff(at, ids, sides),
        ]
    });
    all.into_iter().flatten().collect()
}
