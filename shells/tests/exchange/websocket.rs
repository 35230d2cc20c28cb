//! The WebSocket API: sessions, orders, user data.

use serde_json::{Value, json};

use crate::support::{Exchange, Socket};

/// Signs the parameters of a request with the HMAC key.
pub fn signed(exchange: &Exchange, method: &str, mut params: Value) -> Value {
    params["apiKey"] = exchange.keys["hmac"]["api_key"].clone();
    params["timestamp"] = json!(u64::try_from(exchange.now()).expect("fits"));
    let mut pairs: Vec<String> = params
        .as_object()
        .expect("an object")
        .iter()
        .map(|(name, value)| {
            format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    pairs.sort();
    params["signature"] = json!(exchange.sign(&pairs.join("&")));
    json!({"id": method, "method": method, "params": params})
}

fn log_on(exchange: &Exchange, socket: &mut Socket) -> Value {
    let key = exchange.keys["ed25519"]["api_key"].as_str().expect("a key");
    let now = exchange.now();
    let signature = exchange.sign_ed25519(&format!("apiKey={key}&timestamp={now}"));
    let now = u64::try_from(now).expect("fits");
    socket.ask(&json!({"id": 1, "method": "session.logon", "params": {"apiKey": key, "timestamp": now, "signature": signature}}))
}

fn stamp(exchange: &Exchange) -> u64 {
    u64::try_from(exchange.now()).expect("fits")
}

#[test]
fn a_session_trades_and_hears_of_it() {
    let exchange = Exchange::start(&[]);
    let mut socket = exchange.socket("/ws-api/v3");
    let refused = socket.ask(&json!({"id": "x", "method": "userDataStream.subscribe", "params": {}}));
    assert_eq!(refused["error"]["code"], -1102);
    let on = log_on(&exchange, &mut socket);
    assert_eq!(on["status"], 200, "{on}");
    let subscribed = socket.ask(&json!({"id": "s", "method": "userDataStream.subscribe", "params": {}}));
    assert_eq!(subscribed["result"]["subscriptionId"], 0);
    assert_eq!(subscribed["rateLimits"][0]["rateLimitType"], "REQUEST_WEIGHT");
    let again = socket.ask(&json!({"id": "t", "method": "userDataStream.subscribe"}));
    assert_eq!(again["error"]["code"], -2035);

    let (bid, _) = exchange.top("BTCUSDT");
    let price = format!("{:.2}", bid * 0.9);
    let place = json!({"id": null, "method": "order.place", "params": {
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": price,
        "quantity": "0.01", "newClientOrderId": "ours", "timestamp": stamp(&exchange)}});
    socket.send(&place);
    let placed = socket.next();
    assert_eq!(
        (&placed["id"], &placed["result"]["status"]),
        (&Value::Null, &json!("NEW")),
        "the answer comes first"
    );
    let report = socket.next();
    assert_eq!((&report["subscriptionId"], &report["event"]["e"]), (&json!(0), &json!("executionReport")));
    assert_eq!(
        (&report["event"]["c"], &report["event"]["x"], &report["event"]["C"]),
        (&json!("ours"), &json!("NEW"), &json!(""))
    );
    let position = socket.next();
    assert_eq!(position["event"]["e"], "outboundAccountPosition");
    let cancelled = socket.ask(&json!({"id": 9, "method": "order.cancel", "params": {
        "symbol": "BTCUSDT", "origClientOrderId": "ours", "newClientOrderId": "away", "timestamp": stamp(&exchange)}}));
    assert_eq!(cancelled["result"]["status"], "CANCELED");
    let report = socket.until(|message| message["event"]["x"] == "CANCELED");
    assert_eq!((&report["event"]["c"], &report["event"]["C"]), (&json!("away"), &json!("ours")));
    let status = socket.ask(&json!({"id": 10, "method": "order.status", "params": {
        "symbol": "BTCUSDT", "origClientOrderId": "ours", "timestamp": stamp(&exchange)}}));
    assert_eq!(status["result"]["status"], "CANCELED");
    let open = socket
        .ask(&json!({"id": 11, "method": "openOrders.status", "params": {"timestamp": stamp(&exchange)}}));
    assert_eq!(open["result"], json!([]));
    let market = socket.ask(&json!({"id": 12, "method": "order.place", "params": {
        "symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": 0.010, "timestamp": stamp(&exchange)}}));
    assert_eq!(market["result"]["status"], "FILLED", "{market}");
    let report = socket.until(|message| message["event"]["X"] == "FILLED");
    assert_eq!((&report["event"]["x"], &report["event"]["N"]), (&json!("TRADE"), &json!("USDT")));
    let out = socket.ask(&json!({"id": 13, "method": "session.logout"}));
    assert_eq!(out["status"], 200);
    let refused = socket
        .ask(&json!({"id": 14, "method": "openOrders.status", "params": {"timestamp": stamp(&exchange)}}));
    assert_eq!(refused["error"]["code"], -1102);
}

#[test]
fn signed_requests_need_no_session() {
    let exchange = Exchange::start(&[]);
    let mut socket = exchange.socket("/ws-api/v3?returnRateLimits=false");
    let on = socket.ask(&signed(&exchange, "session.logon", json!({})));
    assert_eq!(on["error"]["code"], -4056, "not with an HMAC key: {on}");
    let subscribed = socket.ask(&signed(&exchange, "userDataStream.subscribe.signature", json!({})));
    assert_eq!(subscribed["result"]["subscriptionId"], 0, "{subscribed}");
    assert_eq!(subscribed["rateLimits"], Value::Null);
    let (bid, _) = exchange.top("ETHUSDT");
    let placed = socket.ask(&signed(
        &exchange,
        "order.place",
        json!({
        "symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "price": format!("{:.2}", bid * 0.9), "quantity": "0.1"}),
    ));
    assert_eq!(placed["status"], 200, "{placed}");
    socket.until(|message| message["event"]["x"] == "NEW");
    let mut forged = signed(&exchange, "account.status", json!({}));
    forged["params"]["signature"] = json!("00");
    assert_eq!(socket.ask(&forged)["error"]["code"], -1022);
    let all = socket.ask(&signed(&exchange, "openOrders.cancelAll", json!({"symbol": "ETHUSDT"})));
    assert_eq!(all["result"].as_array().map(Vec::len), Some(1), "{all}");
    for (message, code) in [
        (json!({"id": 1, "method": "order.fly"}), -1020),
        (json!({"id": 1, "method": "depth", "params": []}), -1135),
        (json!({"id": 1.5, "method": "ping"}), -1135),
    ] {
        socket.send(&message);
        assert_eq!(socket.until(|answer| answer["error"].is_object())["error"]["code"], code);
    }
}

#[test]
fn a_request_says_for_itself_whether_its_answer_tells_the_limits() {
    let exchange = Exchange::start(&[]);
    let told = |path: &str, params: Value| {
        let answer = exchange.socket(path).ask(&json!({"id": 1, "method": "time", "params": params}));
        assert!(answer["result"]["serverTime"].is_u64(), "{answer}");
        answer["rateLimits"].is_array()
    };
    assert!(told("/ws-api/v3", json!({})));
    assert!(!told("/ws-api/v3", json!({"returnRateLimits": false})));
    assert!(told("/ws-api/v3?returnRateLimits=false", json!({"returnRateLimits": true})));
    let bad = json!({"id": 1, "method": "time", "params": {"returnRateLimits": "perhaps"}});
    assert_eq!(exchange.socket("/ws-api/v3").ask(&bad)["error"]["code"], -1100);
}
