//! The services hosting their agents, each in a process of its own, at a `simulated_exchange` over sockets: started in any
//! order, each killed in turn while trading, and found again.

mod stack;

use engine::counters::{HaltReader, HaltState};
use rustix::process::Signal;
use serde_json::{Value, json};
use stack::hosting::{SERVICES, exchange, fills, hosting, ready, risk_counter};
use stack::{Client, Home, PATIENCE_WITH_FILLS, Subscriber, get, look, until, until_within};

/// As in the deployment: risk, the operator, the gateway and ingest keep their data where no other writes it.
fn apart(home: &Home) -> [String; 2] {
    let at = |owner: &str| format!("{owner}={}", home.path().join(owner).display());
    ["--data-dirs".to_owned(), ["risk", "operator", "gateway", "ingest"].map(at).join(",")]
}

#[test]
fn the_order_port_waits_for_no_agent_but_its_own_and_says_what_it_cannot_tell_yet() {
    let home = Home::new();
    let exchange = exchange(&home);
    let start = |place: usize| hosting(&home, &exchange, SERVICES[place], &[]);
    let mut services = [3, 2].map(start);
    let [_, (endpoint, _)] = [0, 1].map(|place: usize| ready(&mut services[place]));
    let mut client = Client::connect(&zmq::Context::new(), &endpoint);
    assert_eq!(client.refused("orders.open", json!({})), "NOT_READY");

    let mut later = [1, 0].map(start);
    later.iter_mut().for_each(|service| _ = ready(service));
    until("orders are known", || (client.ask("orders.open", json!({}))["ok"] == json!(true)).then_some(()));
}

#[test]
fn services_trade_with_their_own_agents_and_each_may_be_killed() {
    let home = Home::new();
    let exchange = exchange(&home);
    let apart = apart(&home);
    let apart = apart.each_ref().map(String::as_str);
    let mut services = SERVICES.map(|binary| hosting(&home, &exchange, binary, &apart));
    for service in &mut services {
        let (_, http) = ready(service);
        assert_eq!(get(http, "/ready").0, 200);
    }
    until("the strategies trade", || (fills(&home) > 0).then_some(()));
    let sessions = std::fs::read_dir(home.path().join("risk/default/sessions")).expect("risk's own").count();
    assert_eq!(sessions, 1, "risk's journal lies apart");

    for (place, binary) in SERVICES.into_iter().enumerate() {
        services[place].signal(Signal::KILL);
        until("it is dead", || (!services[place].is_running()).then_some(()));
        services[place] = hosting(&home, &exchange, binary, &apart);
        ready(&mut services[place]);
        let before = fills(&home);
        assert!(before > 0, "what was filled before is known still");
        until_within(PATIENCE_WITH_FILLS, "trading goes on", || (fills(&home) > before).then_some(()));
    }
    until("an order is told from the venue's frame on", || {
        let orders = look(&home, &["orders", "--all", "--data-dirs", apart[1]]);
        let ids = orders.as_array()?.iter().filter_map(|order| order["order_id"].as_str());
        let mut lives = ids.map(|id| look(&home, &["trace", id, "--data-dirs", apart[1]]));
        lives.any(|life| life[0]["by"] == json!("venue")).then_some(())
    });
    for service in services {
        service.signal(Signal::TERM);
        let (code, error) = service.wait();
        assert_eq!(code, Some(0), "{error}");
    }
    let tapes = std::fs::read_dir(home.path().join("ingest/default/tapes")).expect("ingest's own").flatten();
    let tapes: Vec<_> = tapes.map(|tape| tape.path()).collect();
    assert_eq!(tapes.len(), 2, "one of each life");
    for tape in tapes {
        let replayed = home.trading(&["replay"]).arg(&tape).arg("--json").output().expect("the binary runs");
        let error = String::from_utf8_lossy(&replayed.stderr);
        let summary: Value =
            serde_json::from_slice(&replayed.stdout).unwrap_or_else(|_| panic!("{tape:?}: {error}"));
        assert_eq!(
            (&summary["ingest"]["synchronised"], &summary["books_untrusted"]),
            (&json!(2), &json!([])),
            "{summary}"
        );
    }
}

#[test]
fn an_operators_halt_needs_none_of_the_processes() {
    let home = Home::new();
    let exchange = exchange(&home);
    let apart = apart(&home);
    let apart = apart.each_ref().map(String::as_str);
    let mut processes =
        SERVICES.map(|binary| hosting(&home, &exchange, binary, &apart)).into_iter().collect::<Vec<_>>();
    for service in &mut processes {
        ready(service);
    }
    let gateway = home.start(env!("CARGO_BIN_EXE_api_gateway"), &["--port", "0", apart[0], apart[1]]);
    until("the gateway has its page", || HaltReader::attach(&home.ipc().halts("gateway")).ok());
    until("risk approves", || (risk_counter(&home, "orders") > 0).then_some(()));
    processes.push(gateway);
    processes.iter().for_each(|process| process.signal(Signal::STOP));
    let halt = home.trading(&["halt", "--keep-orders"]).args(apart).output().expect("the binary runs");
    assert!(halt.status.success(), "{halt:?}");
    let page = HaltReader::attach(&home.ipc().halts("operator")).expect("a page");
    assert_eq!(page.global(), HaltState::Halted);
    processes.iter().for_each(|process| process.signal(Signal::CONT));
    until("risk refuses", || (risk_counter(&home, "rejected_HALTED") > 0).then_some(()));
    for process in processes {
        process.signal(Signal::TERM);
        let (code, error) = process.wait();
        assert_eq!(code, Some(0), "{error}");
    }
}

#[test]
fn bars_that_are_not_made_here_are_the_venues_own() {
    let home = Home::new();
    let exchange = exchange(&home);
    let mut service = hosting(&home, &exchange, SERVICES[3], &["--klines", "1m,5m"]);
    let (endpoint, _) = ready(&mut service);
    let bars = Subscriber::connect(&zmq::Context::new(), &endpoint, "bar/5m/BTCUSDT/");
    let number = |value: &serde_json::Value| value.as_str().expect("text").parse::<f64>().expect("a number");
    let mut bar = json!(null);
    for _ in 0..4 {
        bar = bars.receive().1;
        let [open, high, low, close] = ["open", "high", "low", "close"].map(|name| number(&bar[name]));
        assert!([open, close].iter().all(|price| (low..=high).contains(price)), "{bar}");
    }
    assert_eq!((&bar["interval"], &bar["complete"]), (&json!("5m"), &json!(true)), "{bar}");
    let listed = exchange.public("/api/v3/klines?symbol=BTCUSDT&interval=5m&limit=3");
    let is_it =
        |one: &&serde_json::Value| one[0].as_i64().map(|at| at * 1_000_000) == bar["open_time_ns"].as_i64();
    let theirs = listed.as_array().expect("bars").iter().find(is_it).expect("the bar");
    assert_eq!(number(&bar["open"]).to_bits(), number(&theirs[1]).to_bits(), "{bar} {theirs}");
    // It has grown since.
    assert!(number(&bar["high"]) <= number(&theirs[2]) && number(&bar["low"]) >= number(&theirs[3]));
    assert!(number(&bar["volume"]) > 0.0 && number(&bar["volume"]) <= number(&theirs[5]), "{bar} {theirs}");
    assert!(
        bar["trades"].as_i64() > Some(0) && bar["trades"].as_i64() <= theirs[8].as_i64(),
        "{bar} {theirs}"
    );
}

#[test]
fn services_trade_on_market_data_in_sbe() {
    let home = Home::new();
    let exchange = exchange(&home);
    let flags = ["--market-data-format", "sbe"];
    let mut services = SERVICES.map(|binary| hosting(&home, &exchange, binary, &flags));
    services.iter_mut().for_each(|service| _ = ready(service));
    until("the strategies trade", || (fills(&home) > 0).then_some(()));
    // Only who follows SBE has a stream of this name.
    exchange.admin("POST", "/admin/faults?fault=duplicate-frame&stream=@bestBidAsk&count=1");
    until("a frame of SBE comes twice", || {
        exchange.admin("GET", "/admin/faults").to_string().contains("\"hits\":1").then_some(())
    });
    for service in services {
        service.signal(Signal::TERM);
        let (code, error) = service.wait();
        assert_eq!(code, Some(0), "{error}");
    }
}
