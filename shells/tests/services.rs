//! The services as processes: any order of starts, one of each, ended in order, and found again after a restart.

mod stack;

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::{Value, json};
use stack::hosting::ready;
use stack::{Client, Home, Process, get, until};

const MARKET_DATA: &str = env!("CARGO_BIN_EXE_market_data_service");
const ORDERS: &str = env!("CARGO_BIN_EXE_order_execution_service");
const RISK: &str = env!("CARGO_BIN_EXE_risk_management_service");
const STRATEGIES: &str = env!("CARGO_BIN_EXE_strategy_engine");

fn not_ready(process: &mut Process) -> Value {
    process.log("not ready", |entry| entry["fields"]["message"] == json!("not ready"))
}

#[test]
fn services_wait_for_their_engine_and_find_the_next() {
    let home = Home::new();
    let mut services = [MARKET_DATA, STRATEGIES, RISK, ORDERS].map(|binary| home.service(binary));
    for service in &mut services {
        let reason = not_ready(service)["fields"]["reason"].clone();
        assert!(reason.as_str().expect("a reason").contains("not"), "{reason}");
    }
    let engine = home.engine(&[]);
    let found = services.each_mut().map(ready);
    for (_, http) in &found {
        assert_eq!(get(*http, "/ready").0, 200);
    }
    let context = zmq::Context::new();
    let mut orders = Client::connect(&context, &found[3].0);
    until("the strategies trade", || (!orders.done("fills", json!({})).as_array()?.is_empty()).then_some(()));

    // A second instance is refused, in one line.
    let (code, error) = home.start(RISK, &["--port", "0"]).wait();
    assert_eq!(code, Some(1));
    assert!(error.contains("risk_management runs on this instance already"), "{error}");
    // One that is killed is as good as new after its restart; the others never noticed.
    let [market_data, strategies, risk, killed] = services;
    killed.signal(Signal::KILL);
    killed.wait();
    let mut again = home.service(ORDERS);
    let (endpoint, _) = ready(&mut again);
    let fills = orders_of(&context, &endpoint);
    assert!(fills > 0, "what was filled before is known again");

    // The engine is killed: every port closes. The next one is found.
    engine.signal(Signal::KILL);
    engine.wait();
    let mut services = [market_data, strategies, risk, again];
    services.iter_mut().for_each(|service| _ = not_ready(service));
    let _engine = home.engine(&[]);
    services.iter_mut().for_each(|service| _ = ready(service));
    for service in services {
        service.signal(Signal::TERM);
        let (code, error) = service.wait();
        assert_eq!(code, Some(0), "{error}");
    }
}

fn orders_of(context: &zmq::Context, endpoint: &str) -> usize {
    Client::connect(context, endpoint).done("fills", json!({})).as_array().map_or(0, Vec::len)
}

#[test]
fn what_a_service_hosts_and_for_how_long_is_not_asked() {
    let home = Home::new();
    for (flag, value) in [("--role", "risk"), ("--for", "1s")] {
        let (code, error) = home.start(MARKET_DATA, &[flag, value, "--port", "0"]).wait();
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(&format!("{flag} is of `trading engine`")), "{error}");
    }
}

#[test]
fn a_service_that_still_waits_for_others_ends_when_it_is_told_to() {
    let home = Home::new();
    // A venue that takes connections and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let venue = format!("ws://{}", mute.local_addr().expect("bound"));
    // Ingest waits for the venue, the others for ingest.
    for binary in [MARKET_DATA, ORDERS, RISK, STRATEGIES] {
        let own = ["--host-agent", "--port", "0", "--log-format", "json", "--log-filter", "info"];
        let told = ["--exchange-endpoint", &venue, "--strategy", "none"];
        let mut process = home.start(binary, &[&own[..], &told].concat());
        process.log("started", |entry| entry["fields"]["message"] == json!("started"));
        process.signal(Signal::TERM);
        let (code, error) = process.wait();
        // Its patience with them is a minute, after which it fails.
        assert_eq!(code, Some(0), "{binary}: {error}");
    }
}
