//! The ports beside a running engine: what they say, whom they refuse, and that nobody can disturb anybody.

mod stack;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stack::{Client, Home, Subscriber, endpoint, get, http, until};

#[test]
fn market_data_comes_at_once_in_sequence_and_by_whole_topics() {
    let home = Home::new();
    let _engine = home.engine(&[]);
    let ports = home.ports();
    let context = zmq::Context::new();
    let market_data = endpoint(&ports, "market_data");
    let all = Subscriber::connect(&context, &market_data, "");
    let mut seen: BTreeMap<String, (u64, Value)> = BTreeMap::new();
    let wanted =
        ["bbo/BTCUSDT/", "book/ETHUSDT/", "trade/BTCUSDT/", "bar/1s/BTCUSDT/", "bar/1m/ETHUSDT/", "status/"];
    let enough = |seen: &BTreeMap<String, (u64, Value)>| {
        wanted.iter().all(|topic| seen.get(*topic).is_some_and(|(count, _)| *count >= 3))
    };
    while !enough(&seen) {
        let (topic, message) = all.receive();
        let (count, last) = seen.entry(topic.clone()).or_insert((0, Value::Null));
        if let Some(before) = last["seq"].as_u64() {
            let seq = message["seq"].as_u64().expect("a number");
            assert!(
                seq == before + 1 || (seq == before && message == *last),
                "{topic}: {before}, then {seq}"
            );
        }
        (*count, *last) = (*count + 1, message);
    }
    let bbo = &seen["bbo/BTCUSDT/"].1;
    let decimal = |value: &Value| value.as_str().expect("a string").parse::<f64>().expect("a number");
    assert!(decimal(&bbo["bid"]) < decimal(&bbo["ask"]), "{bbo}");
    let book = &seen["book/ETHUSDT/"].1;
    assert!(book["bids"].as_array().map(Vec::len) <= Some(20) && book["trusted"] == json!(true), "{book}");

    // A new subscriber gets the last value, and a prefix takes nothing of a longer symbol.
    let late = Subscriber::connect(&context, &market_data, "status/");
    assert_eq!(late.receive().0, "status/");
    ports.stop();
}

#[test]
fn requests_are_answered_and_broken_ones_refused() {
    let home = Home::new();
    let _engine = home.engine(&[]);
    let ports = home.ports();
    let context = zmq::Context::new();
    let mut orders = Client::connect(&context, &endpoint(&ports, "order_execution"));
    let mut risk = Client::connect(&context, &endpoint(&ports, "risk_management"));
    let mut strategies = Client::connect(&context, &endpoint(&ports, "strategy_engine"));
    for client in [&mut orders, &mut risk, &mut strategies] {
        assert_eq!(client.done("status", json!({}))["ready"], json!(true));
        assert_eq!(client.done("instruments", json!({})).as_array().map(Vec::len), Some(2));
        assert!(client.done("latency", json!({}))["stages"]["decode"]["count"].as_u64() > Some(0));
        assert_eq!(client.refused("order.destroy", json!({})), "UNKNOWN_OP");
        assert_eq!(client.refused("status", json!({"more": 1})), "BAD_REQUEST");
    }
    // Reports of the running strategies are pushed, in sequence.
    orders.done("subscribe", json!({}));
    let first = orders.push("a fill", |push| push["data"]["kind"] == json!("FILL"));
    let order = first["data"]["order"]["order_id"].as_str().expect("an id").to_owned();
    let next = orders.push("any", |_| true);
    assert_eq!(next["seq"].as_u64(), first["seq"].as_u64().map(|seq| seq + 1));
    let shown = orders.done("order.get", json!({ "order_id": order }));
    assert_eq!(shown["order_id"], json!(order));
    assert!(shown["strategy"].as_str().expect("a name").starts_with("market_making/"), "{shown}");
    let fills = orders.done("fills", json!({"limit": 1_000}));
    assert!(fills.as_array().expect("a list").iter().any(|fill| fill["order_id"] == json!(order)));
    orders.done("unsubscribe", json!({}));

    let positions = until("a position is known", || {
        let positions = risk.done("positions", json!({}));
        (!positions.as_array()?.is_empty()).then_some(positions)
    });
    assert!(positions[0]["quantity"].is_string() && positions[0]["mark"].is_string(), "{positions}");
    assert!(risk.done("pnl", json!({}))[0]["total"].is_string());
    assert_eq!(risk.done("risk.state", json!({}))["state"], json!("ACTIVE"));
    assert_eq!(risk.refused("positions", json!({"symbol": "NOSUCH"})), "UNKNOWN_SYMBOL");
    let listed = strategies.done("strategies", json!({}));
    assert_eq!(listed[0]["name"], json!("market_making/BTCUSDT"));
    strategies.done("subscribe", json!({}));
    strategies
        .push("a signal", |push| push["push"] == json!("signal") && push["data"]["verdict"].is_string());
    ports.stop();
}

#[test]
fn nobody_disturbs_anybody() {
    let home = Home::new();
    let _engine = home.engine(&[]);
    let ports = home.ports();
    let context = zmq::Context::new();
    let address = endpoint(&ports, "risk_management");
    let mut quiet = Client::connect(&context, &address);
    quiet.done("status", json!({}));

    let broken = Client::connect(&context, &address);
    let long = vec![b' '; (64 << 10) + 1];
    let frames: [(&[&[u8]], &str); 6] = [
        (&[b"nonsense"], "BAD_REQUEST"),
        (&[b"{}"], "BAD_REQUEST"),
        (&[b"a", b"b"], "BAD_REQUEST"),
        (&[b"\xff\x00"], "BAD_REQUEST"),
        (&[b"[[[[[[[[[[[[[[[[[[[[[[[[[[[["], "BAD_REQUEST"),
        (&[&long], "TOO_LARGE"),
    ];
    for (frames, code) in frames {
        broken.send(frames);
        assert_eq!(broken.receive()["error"]["code"], json!(code));
    }
    // A flood: errors beyond the bucket, and the quiet one is served all the while.
    let flood = Client::connect(&context, &address);
    for _ in 0..5_000 {
        flood.send(&[br#"{"id":"f","op":"status"}"#]);
    }
    quiet.done("positions", json!({}));
    until("the flood is refused", || (flood.receive()["error"]["code"] == json!("RATE_LIMIT")).then_some(()));
    // One that never reads its pushes, and one whose TCP connection says nothing at all.
    let orders = endpoint(&ports, "order_execution");
    let deaf = Client::connect(&context, &orders);
    deaf.send(&[br#"{"id":"1","op":"subscribe"}"#]);
    let half_open = std::net::TcpStream::connect(orders.trim_start_matches("tcp://")).expect("connected");
    let mut other = Client::connect(&context, &orders);
    for _ in 0..50 {
        other.done("orders.open", json!({}));
    }
    drop(half_open);
    let counters = quiet.done("status", json!({}))["counters"].clone();
    assert_eq!((counters["malformed"].as_u64(), counters["oversized"].as_u64()), (Some(5), Some(1)));
    assert!(counters["throttled"].as_u64() > Some(0), "{counters}");
    ports.stop();
}

#[test]
fn health_means_it_and_metrics_are_there() {
    let home = Home::new();
    let ports = home.ports();
    let address = http(&ports, "risk_management");
    assert_eq!(get(address, "/health").0, 200);
    until("it says what is missing", || {
        let (status, body) = get(address, "/ready");
        assert_eq!(status, 503);
        body.contains("risk is not there").then_some(())
    });

    let engine = home.engine(&[]);
    endpoint(&ports, "risk_management");
    assert_eq!(get(address, "/ready").0, 200);
    metrics_are_there(&ports);

    // A frozen engine is noticed, its ports are closed, and both come back with it.
    engine.signal(rustix::process::Signal::STOP);
    let body = until("a frozen engine is noticed", || {
        let (status, body) = get(address, "/ready");
        (status == 503).then_some(body)
    });
    assert!(body.contains("stalled"), "{body}");
    engine.signal(rustix::process::Signal::CONT);
    until("it is ready again", || (get(address, "/ready").0 == 200).then_some(()));
    // Another engine: the services find it.
    drop(engine);
    until("it is gone", || (get(address, "/ready").0 == 503).then_some(()));
    let _engine = home.engine(&[]);
    until("the next engine is found", || get(address, "/ready").1.contains("\"epoch\":2").then_some(()));
    ports.stop();
}

/// As many connections as a service's HTTP port serves at once (`http::server`).
const SEATS: usize = 64;

#[test]
fn an_http_connection_too_many_waits_until_another_ends() {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream;
    let home = Home::new();
    let ports = home.ports();
    let address = http(&ports, "risk_management");
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    };
    let hear = |stream: &mut TcpStream| {
        let mut bytes = [0; 4_096];
        let length = stream.read(&mut bytes).expect("an answer");
        assert!(
            bytes[..length].starts_with(b"HTTP/1.1 200 "),
            "{}",
            String::from_utf8_lossy(&bytes[..length])
        );
    };
    let connect = || {
        let stream = TcpStream::connect(address).expect("the kernel lets it in");
        stream.set_read_timeout(Some(stack::PATIENCE)).expect("set");
        stream
    };
    let mut seated: Vec<TcpStream> = (0..SEATS).map(|_| connect()).collect();
    for stream in &mut seated {
        ask(stream);
        hear(stream);
    }
    let mut late = connect();
    ask(&mut late);
    // All others are asked again: had it a seat, it would be answered before them.
    for stream in &mut seated {
        ask(stream);
        hear(stream);
    }
    late.set_nonblocking(true).expect("set");
    let early = late.peek(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(early, Err(ErrorKind::WouldBlock), "every seat is taken");
    late.set_nonblocking(false).expect("set");
    drop(seated.pop());
    hear(&mut late);
    ports.stop();
}

/// Every metric that these services make has a line, and status 500 has one before the first error.
fn metrics_are_there(ports: &shells::ports::Ports) {
    let holds = |service: &str, lines: &[&str]| {
        let address = http(ports, service);
        until(&format!("{service} shows {lines:?}"), || {
            let text = get(address, "/metrics").1;
            lines.iter().all(|line| text.lines().any(|found| found.starts_with(line))).then_some(())
        });
    };
    let errors =
        "http_requests_total{method=\"GET\",path=\"/metrics\",service=\"risk_management\",status=\"500\"} 0";
    holds(
        "risk_management",
        &[
            errors,
            "trading_risk_rejections_total{code=\"MAX_POS\"}",
            "trading_halted{scope=\"global\"} 0",
            "trading_position{symbol=\"BTCUSDT\",strategy=\"market_making/BTCUSDT\"}",
            "trading_pnl{symbol=\"BTCUSDT\",strategy=\"market_making/BTCUSDT\",kind=\"total\"}",
            "trading_exposure{symbol=\"BTCUSDT\"}",
            "trading_fees_total{symbol=\"ETHUSDT\"}",
            "trading_agent_heartbeat_age_seconds{agent=\"risk\"}",
            "trading_agent_duty_cycle_seconds{agent=\"risk\"}",
            "trading_journal_durable_lag_seconds{journal=\"risk\"}",
            "trading_ring_lapped_total{ring=\"ticks\",reader=\"risk\"} 0",
            "trading_stage_latency_seconds_bucket{stage=\"risk\",le=\"0.00000005\"}",
            "process_resident_memory_bytes",
            "trading_build_info",
            "trading_day_loss_used_ratio",
        ],
    );
    holds(
        "market_data",
        &[
            "trading_ticks_total{symbol=\"BTCUSDT\",kind=\"top\"}",
            "trading_book_trusted{symbol=\"ETHUSDT\"} 1",
            "trading_book_age_seconds{symbol=\"BTCUSDT\"}",
            "trading_book_gaps_total{symbol=\"BTCUSDT\"}",
            "trading_feed_silent{stream=\"BTCUSDT\"} 0",
            "trading_feed_reconnects_total 0",
            "trading_zmq_dropped_total 0",
            "trading_stage_latency_seconds_count{stage=\"decode\"}",
            "trading_stage_latency_seconds_count{stage=\"book\"}",
            "http_request_duration_seconds_count{method=\"GET\",path=\"/ready\",service=\"market_data\"}",
        ],
    );
    holds(
        "order_execution",
        &[
            "trading_orders_total{side=\"BUY\",outcome=\"sent\"}",
            "trading_open_orders{symbol=\"BTCUSDT\",strategy=\"market_making/BTCUSDT\"}",
            "trading_unknown_orders 0",
            "trading_fills_total{symbol=\"ETHUSDT\",strategy=\"market_making/ETHUSDT\"}",
            "trading_ring_occupancy{ring=\"orders\"}",
            "trading_stage_latency_seconds_count{stage=\"tick_to_order\"}",
            "trading_rate_limit_used_ratio{limit=",
        ],
    );
}
