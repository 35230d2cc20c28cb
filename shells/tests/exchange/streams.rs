//! Market streams: subscriptions, the book that diffs lead to, and TLS.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tungstenite::Message;

use crate::support::Exchange;

#[test]
fn streams_are_followed_and_left() {
    let exchange = Exchange::start(&[]);
    let mut socket = exchange.socket("/stream?streams=btcusdt@bookTicker");
    let ticker = socket.next();
    assert_eq!((&ticker["stream"], &ticker["data"]["s"]), (&json!("btcusdt@bookTicker"), &json!("BTCUSDT")));
    let done = socket
        .ask(&json!({"method": "SUBSCRIBE", "params": ["ethusdt@trade", "ethusdt@kline_1s"], "id": "a"}));
    assert_eq!(done["result"], Value::Null);
    let list = socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 3}));
    assert_eq!(list["result"], json!(["btcusdt@bookTicker", "ethusdt@trade", "ethusdt@kline_1s"]));
    let trade = socket.until(|message| message["stream"] == "ethusdt@trade");
    assert!(trade["data"]["p"].is_string() && trade["data"]["t"].is_u64());
    socket.until(|message| message["data"]["k"]["i"] == "1s");
    socket.ask(
        &json!({"method": "UNSUBSCRIBE", "params": ["btcusdt@bookTicker", "ethusdt@kline_1s"], "id": 4}),
    );
    let refused = socket.ask(&json!({"method": "SUBSCRIBE", "params": ["nonsense"], "id": 5}));
    assert_eq!(refused["error"]["code"], 2);
    let mut raw = exchange.socket("/ws/btcusdt@aggTrade/ethusdt@depth5@100ms");
    raw.until(|message| message["e"] == "aggTrade");
    raw.until(|message| message["bids"].as_array().is_some_and(|bids| bids.len() == 5));
}

/// Applies levels to a side.
fn apply(side: &mut BTreeMap<String, String>, levels: &Value) {
    for level in levels.as_array().into_iter().flatten() {
        let [price, quantity] = [0, 1].map(|at| level[at].as_str().expect("a text").to_owned());
        if quantity.trim_matches(['0', '.']).is_empty() {
            side.remove(&price);
        } else {
            side.insert(price, quantity);
        }
    }
}

#[test]
fn diffs_and_a_snapshot_lead_to_the_book_with_our_orders_in_it() {
    let exchange = Exchange::start(&["--rate", "200", "--speed", "step", "--past", "5s"]);
    exchange.operator("POST", "/admin/step?by=5s");
    let mut socket = exchange.socket("/ws/btcusdt@depth@100ms");
    let list = socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
    assert_eq!(list["result"], json!(["btcusdt@depth@100ms"]));
    let book = || exchange.http("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000", "", "").2;
    let snapshot = book();
    let mut last = snapshot["lastUpdateId"].as_u64().expect("an id");
    let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
    apply(&mut bids, &snapshot["bids"]);
    apply(&mut asks, &snapshot["asks"]);
    let (bid, _) = exchange.top("BTCUSDT");
    let price = format!("{:.2}", bid * 0.95);
    exchange.signed(
        "POST",
        "/api/v3/order",
        &format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.12345&price={price}"),
    );
    for round in 0..20 {
        exchange.operator("POST", "/admin/step?by=100ms");
        // The market stands still until the next step: every diff up to this book will come.
        let now = book();
        let at = now["lastUpdateId"].as_u64().expect("an id");
        while last < at {
            let diff = socket.next();
            let (from, to) = (diff["U"].as_u64().expect("an id"), diff["u"].as_u64().expect("an id"));
            if to <= last {
                continue;
            }
            assert!(from <= last + 1, "a gap: {from} after {last}");
            last = to;
            apply(&mut bids, &diff["b"]);
            apply(&mut asks, &diff["a"]);
        }
        let (mut now_bids, mut now_asks) = (BTreeMap::new(), BTreeMap::new());
        apply(&mut now_bids, &now["bids"]);
        apply(&mut now_asks, &now["asks"]);
        assert_eq!((&bids, &asks), (&now_bids, &now_asks), "round {round}");
    }
    let ours = bids.get(&format!("{price}000000")).map(String::as_str);
    assert_eq!(ours, Some("0.12345000"), "our order is in the book");
}

#[test]
fn one_port_speaks_tls_too() {
    let exchange = Exchange::start(&[]);
    let mut socket = exchange.tls_socket("/ws-api/v3");
    socket.send(Message::text(r#"{"id":1,"method":"time"}"#)).expect("sent");
    let Message::Text(text) = socket.read().expect("an answer") else { panic!("no text") };
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert!(answer["result"]["serverTime"].is_u64(), "{answer}");
}

#[test]
fn a_stepped_market_stands_still_until_it_is_told() {
    let exchange = Exchange::start(&["--speed", "step"]);
    assert_eq!(exchange.operator("GET", "/ready").0, 503);
    assert_eq!(exchange.operator("POST", "/admin/step?by=5s").0, 200);
    let book = |exchange: &Exchange| exchange.http("GET", "/api/v3/depth?symbol=BTCUSDT&limit=50", "", "").2;
    let before = book(&exchange);
    assert_eq!(exchange.operator("GET", "/ready").0, 200);
    assert_eq!(book(&exchange), before);
    exchange.operator("POST", "/admin/step?by=1s");
    assert_ne!(book(&exchange)["lastUpdateId"], before["lastUpdateId"]);
    assert_eq!(exchange.operator("POST", "/admin/step?by=soon").0, 400);
    assert_eq!(exchange.operator("GET", "/health").0, 200);
    let (_, _, metrics) = exchange.operator("GET", "/metrics");
    let lines: Vec<&str> = metrics.as_str().expect("text").lines().collect();
    assert!(lines.contains(&"trading_exchange_orders_total 0"), "{lines:?}");
    for name in ["process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_open_fds "] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(name)).count(), 1, "{name} in {lines:?}");
    }
}
