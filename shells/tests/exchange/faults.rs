//! Every fault, seen by a client. Names in brackets are those of `reliability.md`.

use std::io::Read;

use serde_json::{Value, json};
use tungstenite::{Error, Message};

use crate::support::{Exchange, Socket};
use crate::websocket::signed;

/// An exchange whose market stands still, with a book; a socket that hears its user data.
fn quiet(flags: &[&str]) -> (Exchange, Socket) {
    let all: Vec<&str> = ["--speed", "step", "--past", "5s"].iter().chain(flags).copied().collect();
    let exchange = Exchange::start(&all);
    exchange.operator("POST", "/admin/step?by=5s");
    let mut socket = exchange.socket("/ws-api/v3");
    let subscribed = socket.ask(&signed(&exchange, "userDataStream.subscribe.signature", json!({})));
    assert_eq!(subscribed["status"], 200, "{subscribed}");
    (exchange, socket)
}

fn wreak(exchange: &Exchange, fault: &str) {
    let (status, _, body) = exchange.operator("POST", &format!("/admin/faults?{fault}"));
    assert_eq!(status, 200, "{fault}: {body}");
}

/// A bid that stays on the book.
fn bid(exchange: &Exchange, id: &str) -> Value {
    let (bid, _) = exchange.top("BTCUSDT");
    let order = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "price": format!("{:.2}", bid * 0.9), "quantity": "0.02", "newClientOrderId": id});
    signed(exchange, "order.place", order)
}

fn cancel(exchange: &Exchange, id: &str) -> Value {
    signed(exchange, "order.cancel", json!({"symbol": "BTCUSDT", "origClientOrderId": id}))
}

fn query(exchange: &Exchange, id: &str) -> (u16, Value) {
    let (status, _, body) =
        exchange.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&origClientOrderId={id}"));
    (status, body)
}

/// Whether the next answer to `ping` comes before any answer to `method`.
fn is_unanswered(socket: &mut Socket, method: &str) -> bool {
    socket.send(&json!({"id": "marker", "method": "ping"}));
    socket.until(|answer| answer["id"] == "marker" || answer["id"] == method)["id"] == "marker"
}

#[test]
fn an_answer_is_lost_or_late_and_the_order_lives() {
    let (exchange, mut socket) = quiet(&["--fault", "F01,method=order.place,count=1"]);
    socket.send(&bid(&exchange, "a"));
    let report = socket.until(|message| message["event"]["e"] == "executionReport");
    assert_eq!(report["event"]["c"], "a");
    assert!(is_unanswered(&mut socket, "order.place"));
    assert_eq!(query(&exchange, "a").1["status"], "NEW");
    wreak(&exchange, "fault=delayed-ack&method=order.place&ms=200&count=1");
    socket.send(&bid(&exchange, "b"));
    assert!(is_unanswered(&mut socket, "order.place"), "not yet");
    assert_eq!(socket.until(|answer| answer["id"] == "order.place")["status"], 200, "but then");
    let hits = exchange.operator("GET", "/admin/faults").2;
    assert_eq!((&hits[0]["hits"], &hits[1]["left"]), (&json!(1), &json!(0)), "{hits}");
}

#[test]
fn a_request_is_lost_or_late() {
    let (exchange, mut socket) = quiet(&[]);
    wreak(&exchange, "fault=F03&method=order.place&count=1");
    socket.send(&bid(&exchange, "a"));
    assert!(is_unanswered(&mut socket, "order.place"));
    assert_eq!(query(&exchange, "a").1["code"], -2013);
    wreak(&exchange, "fault=F04&method=order.place&count=1&ms=100");
    socket.send(&bid(&exchange, "b"));
    let report = socket.until(|message| message["event"]["e"] == "executionReport");
    assert_eq!(report["event"]["c"], "b", "it acts when nobody expects it any more");
    assert!(is_unanswered(&mut socket, "order.place"));
}

#[test]
fn outcomes_are_unknown() {
    let (exchange, mut socket) = quiet(&[]);
    for (at, (fault, status, code, lives)) in [
        ("fault=server-error&status=502", 502, Value::Null, true),
        ("fault=server-error&executed=false", 503, Value::Null, false),
        ("fault=unexpected-response", 500, json!(-1006), true),
        ("fault=timeout&executed=false", 408, json!(-1007), false),
    ]
    .into_iter()
    .enumerate()
    {
        wreak(&exchange, &format!("{fault}&method=order.place&count=1"));
        let (price, id) = (exchange.top("BTCUSDT").0 * 0.9, format!("r{at}"));
        let order = format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price:.2}&newClientOrderId={id}"
        );
        let answer = exchange.signed("POST", "/api/v3/order", &order);
        assert_eq!((answer.0, &answer.2["code"]), (status, &code), "{fault}");
        assert_eq!(query(&exchange, &id).0 == 200, lives, "{fault}");
    }
    wreak(&exchange, "fault=timeout&method=order.place&count=1");
    assert_eq!(open_outcome(&exchange, &mut socket, "w"), (408, -1007, true));
}

/// Places an order: how it is answered, and whether it lives.
fn open_outcome(exchange: &Exchange, socket: &mut Socket, id: &str) -> (u64, i64, bool) {
    let answer = socket.ask(&bid(exchange, id));
    let status = answer["status"].as_u64().expect("a status");
    (status, answer["error"]["code"].as_i64().unwrap_or(0), query(exchange, id).0 == 200)
}

/// Cancels an order: how often that is reported. All of it comes before the answer to the next request.
fn times_canceled(exchange: &Exchange, socket: &mut Socket, id: &str) -> usize {
    socket.send(&cancel(exchange, id));
    socket.send(&json!({"id": "marker", "method": "ping"}));
    let mut reports = 0;
    socket.until(|message| {
        reports += usize::from(message["event"]["x"] == "CANCELED");
        message["id"] == "marker"
    });
    reports
}

/// Exchanges with a bug, which the checks above must tell from a sound one.
#[test]
fn planted_bugs_are_caught() {
    let (exchange, mut socket) = quiet(&[]);
    // -1007 is answered, and the order that should live was dropped.
    wreak(&exchange, "fault=timeout&method=order.place&count=1");
    let sound = open_outcome(&exchange, &mut socket, "a");
    wreak(&exchange, "fault=timeout&method=order.place&executed=false&count=1");
    let broken = open_outcome(&exchange, &mut socket, "b");
    assert_eq!((sound, broken), ((408, -1007, true), (408, -1007, false)));
    // A report that should come twice comes once: its repeat is lost.
    wreak(&exchange, "fault=F11&count=1");
    let sound = times_canceled(&exchange, &mut socket, "a");
    socket.ask(&bid(&exchange, "c"));
    let broken = times_canceled(&exchange, &mut socket, "c");
    assert_eq!((sound, broken), (2, 1));
}

#[test]
fn limits_are_hit_on_request() {
    let (exchange, mut socket) = quiet(&[]);
    wreak(&exchange, "fault=F06&method=order.place&count=1&ms=7000");
    let answer = socket.ask(&bid(&exchange, "a"));
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(429), &json!(-1003)));
    assert!(answer["error"]["data"]["retryAfter"].is_u64());
    wreak(&exchange, "fault=banned&method=time&count=1&ms=60000");
    let (status, head, _) = exchange.http("GET", "/api/v3/time", "", "");
    assert!(status == 418 && head.contains("retry-after: 60"), "{head}");
    assert_eq!(exchange.http("GET", "/api/v3/ping", "", "").0, 418, "from now on");
}

#[test]
fn reports_come_early_twice_stale_or_after_the_cancel() {
    let (exchange, mut socket) = quiet(&[]);
    wreak(&exchange, "fault=F13&method=order.place&count=1");
    socket.send(&bid(&exchange, "a"));
    assert_eq!(socket.next()["event"]["x"], "NEW");
    socket.until(|message| message["id"] == "order.place");

    wreak(&exchange, "fault=F11&count=1");
    socket.send(&cancel(&exchange, "a"));
    let mut reports = Vec::new();
    while reports.len() < 2 {
        reports.push(socket.until(|message| message["event"]["x"] == "CANCELED"));
    }
    assert_eq!(reports[0], reports[1]);

    wreak(&exchange, "fault=stale-report");
    socket.ask(&bid(&exchange, "b"));
    socket.send(&cancel(&exchange, "b"));
    let ended = socket.until(|message| message["event"]["x"] == "CANCELED");
    let stale = socket.until(|message| message["event"]["e"] == "executionReport");
    assert_eq!((&stale["event"]["x"], &stale["event"]["i"]), (&json!("NEW"), &ended["event"]["i"]));
    assert_eq!(exchange.operator("DELETE", "/admin/faults").0, 200);

    socket.ask(&bid(&exchange, "c"));
    wreak(&exchange, "fault=F09&method=order.cancel&count=1");
    socket.send(&cancel(&exchange, "c"));
    let ended = socket.until(|message| message["event"]["x"] == "CANCELED");
    assert_eq!(ended["event"]["z"], "0.01000000");
    let trade = socket.until(|message| message["event"]["e"] == "executionReport");
    assert_eq!((&trade["event"]["x"], &trade["event"]["l"]), (&json!("TRADE"), &json!("0.01000000")));
}

#[test]
fn a_tester_fills_an_order_at_will() {
    let (exchange, mut socket) = quiet(&[]);
    let placed = socket.ask(&bid(&exchange, "a"));
    let id = placed["result"]["orderId"].as_u64().expect("an id");
    assert_eq!(exchange.operator("POST", &format!("/admin/fill?order={id}&quantity=0.005")).0, 200);
    let report = socket.until(|message| message["event"]["x"] == "TRADE");
    assert_eq!((&report["event"]["X"], &report["event"]["m"]), (&json!("PARTIALLY_FILLED"), &json!(true)));
    assert_eq!(exchange.operator("POST", &format!("/admin/fill?order={id}")).0, 200);
    socket.until(|message| message["event"]["X"] == "FILLED");
    assert_eq!(exchange.operator("POST", &format!("/admin/fill?order={id}")).0, 400);
}

#[test]
fn stream_frames_are_lost_repeated_or_swapped() {
    let exchange = Exchange::start(&["--rate", "200"]);
    let mut socket = exchange.socket("/ws/btcusdt@depth@100ms");
    let mut diffs = |count: usize| -> Vec<(u64, u64)> {
        let ids = |diff: &Value| (diff["U"].as_u64().expect("an id"), diff["u"].as_u64().expect("an id"));
        (0..count).map(|_| ids(&socket.until(|message| message["e"] == "depthUpdate"))).collect()
    };
    let follows = |ids: &[(u64, u64)]| ids.windows(2).all(|pair| pair[1].0 == pair[0].1 + 1);
    assert!(follows(&diffs(5)), "without faults they follow each other");
    wreak(&exchange, "fault=sequence-gap&count=1&skip=2");
    let ids = diffs(8);
    assert!(ids.windows(2).any(|pair| pair[1].0 > pair[0].1 + 1), "a gap: {ids:?}");
    wreak(&exchange, "fault=duplicate-frame&count=1&skip=2");
    let ids = diffs(8);
    assert!(ids.windows(2).any(|pair| pair[0] == pair[1]), "twice: {ids:?}");
    wreak(&exchange, "fault=reordered-frame&count=1&skip=2");
    let ids = diffs(8);
    assert!(ids.windows(2).any(|pair| pair[1].0 < pair[0].0), "swapped: {ids:?}");
    wreak(&exchange, "fault=dropped-frame&stream=btcusdt@depth&count=2&skip=2");
    assert!(!follows(&diffs(10)), "left out");
    assert!(follows(&diffs(5)), "and then no more");
}

#[test]
fn a_stream_falls_silent_and_comes_back() {
    let (exchange, _) = quiet(&[]);
    let mut socket = exchange.socket("/stream?streams=btcusdt@trade/ethusdt@trade");
    wreak(&exchange, "fault=F16&stream=btcusdt");
    exchange.operator("POST", "/admin/step?by=30s");
    // Trades of a step come in the order of symbols' events: when enough of one have come, the other is silent.
    for _ in 0..20 {
        assert_eq!(socket.next()["stream"], "ethusdt@trade");
    }
    exchange.operator("DELETE", "/admin/faults");
    exchange.operator("POST", "/admin/step?by=30s");
    socket.until(|message| message["stream"] == "btcusdt@trade");
    wreak(&exchange, "fault=delayed-frame&ms=50&count=1");
    exchange.operator("POST", "/admin/step?by=30s");
    socket.until(|message| message["stream"] == "btcusdt@trade");
}

#[test]
fn connections_are_cut_at_any_byte_or_go_dead() {
    let (exchange, mut socket) = quiet(&[]);
    wreak(&exchange, "fault=disconnect&method=order.place&bytes=17&count=1");
    socket.send(&bid(&exchange, "a"));
    let tungstenite::stream::MaybeTlsStream::Plain(stream) = socket.0.get_mut() else { panic!("plain") };
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest.len(), 17, "a frame that ends in the middle");
    assert_eq!(query(&exchange, "a").1["status"], "NEW");

    let mut socket = exchange.socket("/ws-api/v3");
    wreak(&exchange, "fault=half-open&method=order.place&count=1");
    socket.send(&bid(&exchange, "b"));
    let tungstenite::stream::MaybeTlsStream::Plain(stream) = socket.0.get_mut() else { panic!("plain") };
    stream.set_read_timeout(Some(std::time::Duration::from_millis(500))).expect("a limit");
    socket.0.send(Message::text(json!({"id": 1, "method": "ping"}).to_string())).expect("the socket stands");
    assert!(
        matches!(socket.0.read(), Err(Error::Io(error)) if error.kind() != std::io::ErrorKind::UnexpectedEof)
    );
    assert_eq!(query(&exchange, "b").1["status"], "NEW");
}

/// Reads until the peer closes.
fn is_closed(socket: &mut Socket) -> bool {
    for _ in 0..100_000 {
        match socket.0.read() {
            Ok(Message::Close(_)) | Err(_) => return true,
            Ok(_) => {}
        }
    }
    false
}

#[test]
fn every_connection_ends() {
    let (exchange, mut api) = quiet(&[]);
    let mut streams = exchange.socket("/stream?streams=btcusdt@trade");
    let mut raw = exchange.socket("/ws/btcusdt@trade");
    for socket in [&mut streams, &mut raw] {
        socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
    }
    wreak(&exchange, "fault=server-shutdown&ms=100");
    assert_eq!(api.until(|message| message["event"]["e"] == "serverShutdown")["subscriptionId"], Value::Null);
    assert_eq!(
        streams.until(|message| message["stream"] == "!serverShutdown")["data"]["e"],
        "serverShutdown"
    );
    raw.until(|message| message["e"] == "serverShutdown");
    assert!(is_closed(&mut api) && is_closed(&mut streams) && is_closed(&mut raw));
    let mut again = exchange.socket("/ws-api/v3");
    again.ask(&json!({"id": 1, "method": "ping"}));
    wreak(&exchange, "fault=day-cut");
    assert!(is_closed(&mut again));
    let (brief, mut socket) = quiet(&["--life", "200ms"]);
    assert!(is_closed(&mut socket), "its 24 hours are over");
    drop(brief);
}

#[test]
fn without_its_websocket_api_rest_and_streams_stay() {
    let (exchange, mut api) = quiet(&[]);
    let mut streams = exchange.socket("/ws");
    wreak(&exchange, "fault=no-websocket-api");
    assert!(is_closed(&mut api) && is_closed(&mut exchange.socket("/ws-api/v3")));
    assert_eq!(exchange.http("GET", "/api/v3/ping", "", "").0, 200);
    streams.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
    assert_eq!(exchange.operator("DELETE", "/admin/faults").0, 200);
    let mut again = exchange.socket("/ws-api/v3");
    assert_eq!(again.ask(&json!({"id": 1, "method": "ping"}))["status"], 200);
}

#[test]
fn a_peer_that_does_not_answer_pings_is_left() {
    use std::io::Write;
    let exchange = Exchange::start(&["--ping", "50ms", "--pong", "200ms"]);
    let mut stream = std::net::TcpStream::connect(exchange.running.address).expect("a connection");
    let upgrade = "GET /ws-api/v3 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).expect("sent");
    stream.set_read_timeout(Some(crate::support::PATIENCE)).expect("a limit");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("it ends");
    assert!(all.windows(2).any(|pair| pair[0] == 0x89), "pings came");
    // One that answers stays: its client answers by itself.
    let mut socket = exchange.socket("/ws-api/v3");
    for id in 0..10 {
        socket.ask(&json!({"id": id, "method": "time"}));
        std::thread::sleep(std::time::Duration::from_millis(40));
    }
}

#[test]
fn the_clock_is_wrong_on_request() {
    let (exchange, mut socket) = quiet(&[]);
    wreak(&exchange, "fault=F22&ms=10000");
    assert_eq!(socket.ask(&bid(&exchange, "a"))["error"]["code"], -1021);
    wreak(&exchange, "fault=clock-skew&ms=-10000");
    assert_eq!(socket.ask(&bid(&exchange, "a"))["error"]["code"], -1021);
    wreak(&exchange, "fault=clock-skew&ms=0");
    assert_eq!(socket.ask(&bid(&exchange, "a"))["status"], 200);
}

#[test]
fn faults_that_make_no_sense_are_refused() {
    let exchange = Exchange::start(&[]);
    for bad in ["fault=nothing", "fault=lost-ack&method=fly", "", "fault=lost-ack&often=1"] {
        assert_eq!(exchange.operator("POST", &format!("/admin/faults?{bad}")).0, 400, "{bad}");
    }
}
