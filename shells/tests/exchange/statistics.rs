//! Statistics of spans, bars in time zones, streams of all symbols, and times in microseconds.

use serde_json::{Value, json};

use crate::support::Exchange;

fn get(exchange: &Exchange, target: &str) -> (u16, Value) {
    let (status, _, body) = exchange.http("GET", &format!("/api/v3/{target}"), "", "");
    (status, body)
}

fn refusal(exchange: &Exchange, target: &str) -> (u16, i64) {
    let (status, body) = get(exchange, target);
    (status, body["code"].as_i64().unwrap_or(0))
}

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;

#[test]
fn statistics_of_a_window_and_of_the_trading_day_say_what_they_cover() {
    let exchange = Exchange::start(&["--past", "3m"]);
    let (_, window) = get(&exchange, "ticker?symbol=BTCUSDT&windowSize=1m");
    let opens = window["openTime"].as_i64().expect("a time");
    let span = window["closeTime"].as_i64().expect("a time") - opens;
    assert!(opens % MINUTE == 0 && (MINUTE..2 * MINUTE).contains(&span), "{window}");
    let (_, day) = get(&exchange, "ticker?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D");
    assert_eq!(day.as_array().map(Vec::len), Some(2));
    assert!(
        window["count"].as_u64() < day[0]["count"].as_u64() && window["count"].as_u64() > Some(0),
        "{window} {day}"
    );
    let (_, today) = get(&exchange, "ticker/tradingDay?symbol=BTCUSDT&timeZone=-5:30");
    let opens = today["openTime"].as_i64().expect("a time");
    assert_eq!((opens - 330 * MINUTE).rem_euclid(DAY), 0, "{today}");
    assert_eq!(today["closeTime"], opens + DAY - 1);
    for path in ["ticker", "ticker/tradingDay", "ticker/24hr"] {
        let (_, full) = get(&exchange, &format!("{path}?symbol=BTCUSDT"));
        let (_, mini) = get(&exchange, &format!("{path}?symbol=BTCUSDT&type=MINI"));
        assert!(
            full["priceChangePercent"].is_string() && mini["priceChangePercent"].is_null(),
            "{path}: {mini}"
        );
        assert!(mini["lastPrice"].is_string() && mini["lastId"].is_u64(), "{path}: {mini}");
    }
    assert_eq!(refusal(&exchange, "ticker"), (400, -1102));
    assert_eq!(refusal(&exchange, "ticker?symbol=BTCUSDT&windowSize=8d"), (400, -1100));
    assert_eq!(refusal(&exchange, "ticker/24hr?symbol=BTCUSDT&type=HUGE"), (400, -1139));
    assert_eq!(refusal(&exchange, "ticker/24hr?symbols=%5B%22BTCUSDT%22,%22BTCUSDT%22%5D"), (400, -1151));
    assert_eq!(refusal(&exchange, "ticker/24hr?symbol=BTCUSDT&symbolStatus=OPEN"), (400, -1122));
    assert_eq!(refusal(&exchange, "ticker/24hr?symbol=BTCUSDT&symbolStatus=HALT"), (400, -1220));
    assert_eq!(get(&exchange, "ticker/price?symbolStatus=HALT"), (200, json!([])));
}

#[test]
fn listings_are_found_by_permission_and_status() {
    let exchange = Exchange::start(&[]);
    let count = |target: &str| get(&exchange, target).1["symbols"].as_array().map(Vec::len);
    assert_eq!(count("exchangeInfo?permissions=SPOT"), Some(2));
    assert_eq!(count("exchangeInfo?permissions=%5B%22MARGIN%22,%22SPOT%22%5D&symbolStatus=TRADING"), Some(2));
    assert_eq!(count("exchangeInfo?permissions=MARGIN"), Some(0));
    assert_eq!(count("exchangeInfo?symbolStatus=BREAK"), Some(0));
    assert_eq!(refusal(&exchange, "exchangeInfo?symbol=BTCUSDT&permissions=SPOT"), (400, -1128));
}

#[test]
fn bars_begin_where_their_time_zone_says() {
    let exchange = Exchange::start(&[]);
    let opens = |zone: &str| {
        let (_, bars) = get(&exchange, &format!("klines?symbol=BTCUSDT&interval=1d&limit=1{zone}"));
        (bars[0][0].as_i64().expect("a time"), bars[0][6].as_i64().expect("a time"))
    };
    let (opened, closes) = opens("");
    assert_eq!((opened % DAY, closes - opened), (0, DAY - 1));
    assert_eq!((opens("&timeZone=-3:15").0 - 195 * MINUTE) % DAY, 0);
    assert_eq!((opens("&timeZone=+08:00").0 + 480 * MINUTE) % DAY, 0);
    assert_eq!(refusal(&exchange, "klines?symbol=BTCUSDT&interval=1d&timeZone=15"), (400, -1100));
    let mut socket = exchange.socket("/stream?streams=btcusdt@kline_1d@+08:00/ethusdt@kline_1s");
    let bar = socket.until(|message| message["stream"] == "btcusdt@kline_1d@+08:00");
    assert_eq!(bar["data"]["k"]["t"].as_i64().map(|at| (at + 480 * MINUTE) % DAY), Some(0), "{bar}");
}

#[test]
fn streams_of_all_symbols_tell_those_that_traded() {
    let exchange = Exchange::start(&["--rate", "200"]);
    let mut socket = exchange.socket("/stream?streams=!miniTicker@arr/!ticker_1h@arr/btcusdt@ticker_4h");
    let told = socket.until(|message| message["stream"] == "!miniTicker@arr");
    let first = &told["data"][0];
    assert_eq!((&first["e"], &first["s"]), (&"24hrMiniTicker".into(), &"BTCUSDT".into()), "{told}");
    let told = socket.until(|message| message["stream"] == "!ticker_1h@arr");
    let symbols: Vec<_> = told["data"].as_array().into_iter().flatten().map(|one| &one["s"]).collect();
    assert_eq!(symbols, ["BTCUSDT", "ETHUSDT"], "{told}");
    assert_eq!(told["data"][0]["e"], "1hTicker");
    let told = socket.until(|message| message["stream"] == "btcusdt@ticker_4h");
    assert_eq!(told["data"]["O"].as_i64().map(|at| at % MINUTE), Some(0), "{told}");
    let left = socket.ask(&json!({"method": "UNSUBSCRIBE", "params": ["!miniTicker@arr"], "id": 1}));
    assert_eq!(left["result"], Value::Null);
    let rest = socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 2}));
    assert_eq!(rest["result"], json!(["!ticker_1h@arr", "btcusdt@ticker_4h"]));
    let still = exchange.socket("/ws/!miniTicker@arr").until(Value::is_array);
    assert_eq!(still[0]["e"], "24hrMiniTicker");
}

/// Whether a time is of now, in microseconds.
fn is_micros(at: &Value) -> bool {
    at.as_u64().is_some_and(|at| at > 1_000_000_000_000_000)
}

#[test]
fn whoever_asks_for_microseconds_gets_them_everywhere() {
    let exchange = Exchange::start(&["--rate", "200"]);
    let header = "X-MBX-TIME-UNIT: MICROSECOND\r\n";
    let get = |target: &str| exchange.http("GET", &format!("/api/v3/{target}"), header, "").2;
    for (target, place) in [
        ("time", "/serverTime"),
        ("exchangeInfo", "/serverTime"),
        ("trades?symbol=BTCUSDT&limit=1", "/0/time"),
        ("aggTrades?symbol=BTCUSDT&limit=1", "/0/T"),
        ("klines?symbol=BTCUSDT&interval=1m&limit=1", "/0/6"),
        ("ticker/24hr?symbol=BTCUSDT", "/openTime"),
        ("ticker?symbol=BTCUSDT", "/closeTime"),
        ("ticker/tradingDay?symbol=BTCUSDT", "/closeTime"),
        ("avgPrice?symbol=BTCUSDT", "/closeTime"),
    ] {
        let answer = get(target);
        assert!(answer.pointer(place).is_some_and(is_micros), "{target}: {answer}");
    }
    let bad = exchange.http("GET", "/api/v3/time", "X-MBX-TIME-UNIT: SECOND\r\n", "");
    assert_eq!((bad.0, &bad.2["code"]), (400, &json!(-1194)));
    // A bound in microseconds is as good as one in milliseconds.
    let newest = get("aggTrades?symbol=BTCUSDT&limit=1")[0]["T"].clone();
    let since = get(&format!("aggTrades?symbol=BTCUSDT&startTime={newest}"));
    assert!(since.as_array().is_some_and(|list| !list.is_empty() && list.len() < 100), "{since}");
    for (path, unit) in [("/ws/btcusdt@trade", ""), ("/ws/btcusdt@trade", "?timeUnit=MICROSECOND")] {
        let trade = exchange.socket(&format!("{path}{unit}")).next();
        assert_eq!(is_micros(&trade["T"]) && is_micros(&trade["E"]), !unit.is_empty(), "{trade}");
    }
    let mut both =
        exchange.socket("/stream?streams=btcusdt@kline_1s/btcusdt@depth@100ms&timeUnit=microsecond");
    let bar = both.until(|message| message["stream"] == "btcusdt@kline_1s");
    assert!(is_micros(&bar["data"]["k"]["t"]) && is_micros(&bar["data"]["k"]["T"]), "{bar}");
}

#[test]
fn events_of_an_account_come_in_the_unit_that_was_asked_for_and_say_when_they_end() {
    let exchange = Exchange::start(&[]);
    let mut socket = exchange.socket("/ws-api/v3?timeUnit=MICROSECOND");
    let key = exchange.keys["hmac"]["api_key"].as_str().expect("a key");
    let stamp = exchange.now();
    let signature = exchange.sign(&format!("apiKey={key}&timestamp={stamp}"));
    let params =
        json!({"apiKey": key, "timestamp": u64::try_from(stamp).expect("now"), "signature": signature});
    let made =
        socket.ask(&json!({"id": 1, "method": "userDataStream.subscribe.signature", "params": params}));
    assert_eq!(made["result"]["subscriptionId"], 0, "{made}");
    exchange.signed("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01");
    let report = socket.until(|message| message["event"]["e"] == "executionReport");
    assert!(is_micros(&report["event"]["E"]) && is_micros(&report["event"]["T"]), "{report}");
    socket.send(&json!({"id": 2, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": 0}}));
    socket.until(|message| message["event"]["e"] == "eventStreamTerminated");
}
