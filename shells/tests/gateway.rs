//! The gateway before a running engine: what it shows, what it does, whom it refuses, and what it does when others hang.

mod stack;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use engine::counters::{HaltReader, HaltState};
use rustix::process::Signal;
use serde_json::{Value, json};
use shells::gateway::tokens::{Role, TokenFile};
use stack::{Home, PATIENCE, Process, endpoint, until};
use tungstenite::Message;

/// A gateway, and where it listens.
struct Gateway {
    process: Process,
    address: SocketAddr,
    token: Option<String>,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("bound").port()
}

impl Gateway {
    /// Starts it before `endpoints`: market data, orders, risk, strategies.
    fn start(home: &Home, endpoints: &[String; 4]) -> Self {
        let port = free_port().to_string();
        let [market_data, orders, risk, strategies] = endpoints;
        let arguments = [
            "--port",
            &port,
            "--market-data-endpoint",
            market_data,
            "--order-execution-endpoint",
            orders,
            "--risk-management-endpoint",
            risk,
            "--strategy-engine-endpoint",
            strategies,
        ];
        let process = home.start(env!("CARGO_BIN_EXE_api_gateway"), &arguments);
        let address = SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
        until("the gateway listens", || TcpStream::connect(address).ok());
        Self { process, address, token: None }
    }

    /// Before nobody at all.
    fn alone(home: &Home) -> Self {
        Self::start(home, &[0; 4].map(|_| format!("tcp://127.0.0.1:{}", free_port())))
    }

    /// One request; status, head and body.
    fn raw(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let token = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n"));
        let host = if headers.to_lowercase().contains("host:") { "" } else { "Host: localhost\r\n" };
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{}{headers}\r\n",
            token.unwrap_or_default()
        );
        // A server that refuses a body may close before it has all of it.
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8(text).expect("text");
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        (status, head.to_lowercase(), body.to_owned())
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (headers, body) = if body.is_null() {
            ("", String::new())
        } else {
            ("Content-Type: application/json\r\n", body.to_string())
        };
        let (status, head, body) = self.raw(method, path, headers, &body);
        let value: Value =
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {head}\n{body}"));
        if status >= 400 {
            assert!(head.contains("application/problem+json"), "{head}");
            assert_eq!((&value["status"], &value["type"]), (&json!(status), &json!("about:blank")));
        }
        (status, value)
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, &Value::Null)
    }

    /// What a path shows, once it does.
    fn data(&self, path: &str) -> Value {
        until(&format!("{path} is shown"), || match self.get(path) {
            (200, shown) => Some(shown["data"].clone()),
            _ => None,
        })
    }

    fn code(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let (status, problem) = self.call(method, path, body);
        (status, problem["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// What the gateway's page says of everything.
fn page(home: &Home) -> HaltState {
    HaltReader::attach(&home.ipc().halts("gateway")).expect("a page").global()
}

struct World {
    gateway: Gateway,
    ports: Option<shells::ports::Ports>,
    engine: Process,
    home: Home,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let arguments = ["run", "--headless", "--for", "10m", "--rate", "200", "--strategy", "none"];
        let engine = home.start(env!("CARGO_BIN_EXE_trading"), &arguments);
        let ports = home.ports();
        let endpoints = shells::ports::SERVICES.map(|service| endpoint(&ports, service));
        let gateway = Gateway::start(&home, &endpoints);
        Self { gateway, ports: Some(ports), engine, home }
    }

    /// A buy that rests.
    fn order(&self) -> Value {
        let book = self.gateway.data("/api/v1/book/BTCUSDT?depth=1");
        let bid: f64 = book["bids"][0][0].as_str().expect("a bid").parse().expect("a number");
        let price = format!("{:.2}", bid * 0.98);
        json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001", "price": price, "valid_for_ms": 60_000})
    }
}

#[test]
fn everything_is_shown_with_its_age_and_times_keep_every_digit() {
    let world = World::new();
    let gateway = &world.gateway;
    until("it is ready", || (gateway.raw("GET", "/ready", "", "").0 == 200).then_some(()));
    let (_, shown) = gateway.get("/api/v1/status");
    assert_eq!((&shown["stale"], &shown["data"]["ready"]), (&json!(false), &json!(true)), "{shown}");
    let book = gateway.data("/api/v1/book/BTCUSDT?depth=3");
    assert_eq!((book["bids"].as_array().map(Vec::len), book["symbol"].as_str()), (Some(3), Some("BTCUSDT")));
    let time = book["time_ns"].as_str().expect("a string");
    assert!(time.len() == 19 && time.parse::<i64>().is_ok(), "{time}");
    for path in
        ["instruments", "positions", "orders", "fills?limit=3", "pnl", "risk", "strategies", "latency"]
    {
        let (status, shown) = gateway.get(&format!("/api/v1/{path}"));
        assert_eq!((status, &shown["stale"]), (200, &json!(false)), "{path}: {shown}");
        assert!(shown["age_ns"].is_string() && shown["time_ns"].is_string());
    }
    until("there are trades", || {
        (gateway.data("/api/v1/trades/BTCUSDT?limit=5").as_array().map(Vec::len) == Some(5)).then_some(())
    });
    until("there are bars", || {
        gateway
            .data("/api/v1/bars/BTCUSDT?interval=1s")
            .as_array()
            .is_some_and(|bars| bars.len() > 1)
            .then_some(())
    });
    for (path, status, code) in [
        ("/api/v1/book/NOPE", 404, "UNKNOWN_SYMBOL"),
        ("/api/v1/positions?symbol=NOPE", 404, "UNKNOWN_SYMBOL"),
        ("/api/v1/book/BTCUSDT?depth=0", 400, "BAD_REQUEST"),
        ("/api/v1/book/BTCUSDT?dept=1", 400, "BAD_REQUEST"),
        ("/api/v1/fills?limit=100000", 400, "BAD_REQUEST"),
        ("/api/v1/bars/BTCUSDT?interval=2m", 400, "BAD_REQUEST"),
        ("/api/v1/orders/nonsense", 400, "BAD_REQUEST"),
        ("/api/v1/nothing", 404, "NOT_FOUND"),
    ] {
        assert_eq!(gateway.code("GET", path, &Value::Null), (status, code.to_owned()), "{path}");
    }
    assert_eq!(gateway.code("PUT", "/api/v1/orders", &json!({})).0, 405);
    let (_, _, metrics) = gateway.raw("GET", "/metrics", "", "");
    let errors = r#"http_requests_total{method="GET",path="/api/v1/orders/{id}",service="api_gateway",status="500"} 0"#;
    assert!(metrics.contains(errors) && metrics.contains("process_resident_memory_bytes"), "{metrics}");
    assert!(!metrics.contains("nonsense"), "a label from outside");
}

#[test]
fn orders_go_through_and_reports_come_back() {
    let world = World::new();
    let gateway = &world.gateway;
    let order = world.order();
    let stream = TcpStream::connect(gateway.address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let url = format!("ws://localhost:{}/ws", gateway.address.port());
    let (mut socket, _) = tungstenite::client(url, stream).expect("upgraded");
    let say = |socket: &mut tungstenite::WebSocket<TcpStream>, what: Value| {
        socket.send(Message::text(what.to_string())).expect("sent");
    };
    let hear = |socket: &mut tungstenite::WebSocket<TcpStream>, wanted: &dyn Fn(&Value) -> bool| {
        until("it is told", || match socket.read().expect("a message") {
            Message::Text(text) => serde_json::from_str::<Value>(&text).ok().filter(wanted),
            _ => None,
        })
    };
    say(&mut socket, json!({"subscribe": ["bbo/BTCUSDT", "reports"]}));
    hear(&mut socket, &|told| told["subscribed"] == json!(["bbo/BTCUSDT", "reports"]));
    let bbo = hear(&mut socket, &|told| told["channel"] == json!("bbo/BTCUSDT"));
    assert!(bbo["data"]["time_ns"].is_string() && bbo["seq"].is_u64(), "{bbo}");
    let id = until("an order is let through", || {
        let (status, placed) = gateway.call("POST", "/api/v1/orders", &order);
        (status == 202).then(|| placed["order_id"].as_str().expect("an id").to_owned())
    });
    let accepted = hear(&mut socket, &|told| {
        told["channel"] == json!("reports") && told["data"]["kind"] == json!("ACCEPTED")
    });
    assert_eq!(accepted["data"]["order"]["order_id"], json!(id));
    assert_eq!(gateway.data(&format!("/api/v1/orders/{id}"))["state"], json!("OPEN"));
    assert_eq!(gateway.call("DELETE", &format!("/api/v1/orders/{id}"), &Value::Null).0, 200);
    hear(&mut socket, &|told| told["data"]["kind"] == json!("CANCELED"));
    say(&mut socket, json!({"subscribe": ["nonsense"]}));
    hear(&mut socket, &|told| told["error"]["code"] == json!("BAD_REQUEST"));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let bid: f64 = bbo["data"]["bid"].as_str().expect("a bid").parse().expect("a number");
    let (high, low) = (format!("{:.2}", bid * 1.02), format!("{:.2}", bid * 0.98));
    let pair = json!({"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.001", "above_price": high,
        "below_stop_price": low, "valid_for_ms": 60_000});
    let (status, placed) = gateway.call("POST", "/api/v1/order-lists", &pair);
    assert_eq!(status, 202, "{placed}");
    assert_eq!(
        gateway
            .call("DELETE", &format!("/api/v1/orders/{}", text(&placed["below_order_id"])), &Value::Null)
            .0,
        200
    );
    until("the other one ends with it", || {
        let order = gateway.data(&format!("/api/v1/orders/{}", text(&placed["above_order_id"])));
        (order["state"] == json!("CANCELED")).then_some(())
    });
    for (field, value, reason) in [
        ("below_stop_price", json!("x"), "below_stop_price: \"x\""),
        (
            "below_stop_price",
            json!(format!("{:.2}", bid * 1.03)),
            "above_price: it is not above below_stop_price",
        ),
        ("above_type", json!("STOP_LOSS_LIMIT"), "above_stop_price: missing"),
    ] {
        let mut wrong = pair.clone();
        wrong[field] = value;
        let (status, problem) = gateway.call("POST", "/api/v1/order-lists", &wrong);
        assert_eq!((status, &problem["code"]), (400, &json!("BAD_REQUEST")), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with(reason)), "{problem}");
    }
    let mut wrong = order;
    wrong["pirce"] = json!("1");
    assert_eq!(gateway.code("POST", "/api/v1/orders", &wrong), (400, "BAD_REQUEST".to_owned()));
    let (status, swept) = gateway.call("POST", "/api/v1/flatten", &Value::Null);
    assert_eq!(status, 200, "{swept}");
}

#[test]
fn a_halt_holds_with_the_engine_stopped_and_reads_go_on() {
    let mut world = World::new();
    let gateway = &world.gateway;
    let positions = gateway.data("/api/v1/positions");
    until("names are known", || {
        (gateway.call("POST", "/api/v1/halt", &json!({"symbol": "BTCUSDT"})).0 == 200).then_some(())
    });
    assert_eq!(page(&world.home), HaltState::Active);
    world.engine.signal(Signal::STOP);
    let (status, halted) = gateway.call("POST", "/api/v1/halt", &json!({"reason": "news"}));
    assert_eq!((status, &halted["state"]), (200, &json!("HALTED")), "{halted}");
    assert!(halted["orders"].is_object(), "what rests was to be cancelled: {halted}");
    assert_eq!(page(&world.home), HaltState::Halted);
    until("it notices", || (gateway.raw("GET", "/ready", "", "").0 == 503).then_some(()));
    let (status, shown) = gateway.get("/api/v1/positions");
    assert_eq!((status, &shown["stale"], &shown["data"]), (200, &json!(true), &positions), "{shown}");
    assert_eq!(gateway.code("POST", "/api/v1/orders", &world_order()), (503, "NOT_READY".to_owned()));
    // Gone altogether it is the same.
    world.ports.take().expect("ports").stop();
    let (status, _) = gateway.call("POST", "/api/v1/reduce-only", &Value::Null);
    assert_eq!((status, page(&world.home)), (200, HaltState::ReduceOnly));
    let (status, resumed) = gateway.call("POST", "/api/v1/resume", &Value::Null);
    assert_eq!((status, page(&world.home)), (200, HaltState::Active));
    assert_eq!(resumed["risk"]["error"]["code"], json!("NOT_READY"), "{resumed}");
    world.engine.signal(Signal::CONT);
}

fn world_order() -> Value {
    json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001", "price": "1.00"})
}

#[test]
fn tokens_open_as_far_as_their_role_and_no_longer_than_they_live() {
    let home = Home::new();
    let file = TokenFile::new(&home.path().join("data/default/tokens.json"));
    let make = |role| file.create(role, None).expect("made");
    let ((reader, read), (_, operate)) = (make(Role::Read), make(Role::Operate));
    let path: PathBuf = home.settings().api_tokens_file;
    assert!(path.exists(), "{path:?}");
    let mut gateway = Gateway::alone(&home);
    assert_eq!(gateway.code("GET", "/api/v1/status", &Value::Null), (401, "UNAUTHORIZED".to_owned()));
    assert_eq!(gateway.raw("GET", "/health", "", "").0, 200);
    gateway.token = Some("trading_0_guess".to_owned());
    assert_eq!(gateway.code("GET", "/api/v1/status", &Value::Null).0, 401);
    gateway.token = Some(read.to_string());
    assert_eq!(gateway.get("/api/v1/status").0, 200);
    assert_eq!(gateway.code("POST", "/api/v1/halt", &Value::Null), (403, "FORBIDDEN".to_owned()));
    assert_eq!(gateway.code("POST", "/api/v1/orders", &world_order()), (403, "FORBIDDEN".to_owned()));
    gateway.token = Some(operate.to_string());
    assert_eq!(gateway.call("POST", "/api/v1/halt", &Value::Null).0, 200);
    assert_eq!(page(&home), HaltState::Halted);
    let log = std::fs::read_to_string(home.settings().places.data.join("gateway.log")).expect("a log");
    assert!(log.contains("token:") && !log.contains(operate.as_str()), "{log}");
    gateway.token = Some(read.to_string());
    file.revoke(&reader.id).expect("revoked");
    until("it is refused", || (gateway.code("GET", "/api/v1/status", &Value::Null).0 == 401).then_some(()));
    // Guessing gets slow: the address is refused, with a time to wait.
    let refused = until("guesses are refused", || {
        let (status, head, _) = gateway.raw("GET", "/api/v1/status", "", "");
        (status == 429).then_some(head)
    });
    assert!(refused.contains("retry-after: "), "{refused}");
    gateway.process.signal(Signal::TERM);
    let (code, said) = gateway.process.wait();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains(read.as_str()) && !said.contains(operate.as_str()), "a token in the log");
}

#[test]
fn attacks_are_refused_and_cost_nobody_else() {
    let home = Home::new();
    let gateway = Gateway::alone(&home);
    // A head that never ends is cut off; meanwhile others are served.
    let mut slow = TcpStream::connect(gateway.address).expect("connected");
    slow.set_read_timeout(Some(PATIENCE)).expect("set");
    slow.write_all(b"GET /health HTTP/1.1\r\nHost: local").expect("sent");
    // So is a body that never comes.
    let mut silent = TcpStream::connect(gateway.address).expect("connected");
    silent.set_read_timeout(Some(PATIENCE)).expect("set");
    let head = "POST /api/v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    silent.write_all(format!("{head}Content-Length: 99\r\n\r\n{{\"reason\":").as_bytes()).expect("sent");
    for headers in [
        "Host: evil.example\r\n",
        "Origin: http://evil.example\r\n",
        "X-Forwarded-For: 10.0.0.1\r\n",
        "Host: localhost.evil.example:80\r\n",
    ] {
        let (status, _, body) = gateway.raw("GET", "/api/v1/status", headers, "");
        assert!(status == 403 && body.contains("trading token create"), "{headers}: {status} {body}");
    }
    let json_type = "Content-Type: application/json\r\n";
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(70_000));
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    for (headers, body, status) in [
        (json_type, long.as_str(), 413),
        (json_type, deep.as_str(), 400),
        (json_type, "{\"reason\":\"a\",\"reason\":\"b\"}", 400),
        (json_type, "{\"everything\":true}", 400),
        (json_type, "nonsense", 400),
        (json_type, "[null,null]", 400),
        ("Content-Type: text/plain\r\n", "{}", 415),
    ] {
        let (found, _, answer) = gateway.raw("POST", "/api/v1/halt", headers, body);
        assert_eq!(found, status, "{answer}");
    }
    assert_eq!(page(&home), HaltState::Active, "nothing of that halted anything");
    let many: String = (0..100).map(|n| format!("X-{n}: y\r\n")).collect();
    assert_eq!(gateway.raw("GET", "/health", &many, "").0, 431);
    assert_eq!(gateway.raw("GET", "/docs", "", "").0, 200);
    let (status, description) = gateway.get("/openapi.json");
    assert_eq!((status, &description["openapi"]), (200, &json!("3.1.0")), "{}", description["openapi"]);
    // Cut off: the end of the stream, or an error, but not the end of patience.
    let mut rest = Vec::new();
    let cut = slow.read_to_end(&mut rest);
    let waited = cut.as_ref().err().map(std::io::Error::kind);
    assert!(waited != Some(std::io::ErrorKind::WouldBlock), "it still waits: {cut:?}");
    let mut answer = String::new();
    silent.read_to_string(&mut answer).expect("an answer, and the end");
    assert!(answer.contains("the request took longer than 10 s"), "{answer}");
    assert_eq!(page(&home), HaltState::Active, "half a body halts nothing");
    // A second gateway on the same instance would fight over the page.
    let second = home.start(env!("CARGO_BIN_EXE_api_gateway"), &["--port", &free_port().to_string()]);
    let (code, said) = second.wait();
    assert!(code == Some(1) && said.contains("another process is gateway"), "{code:?} {said}");
}
