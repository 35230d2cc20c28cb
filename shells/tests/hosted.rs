//! The services hosting their agents, each in a process of its own, beside a simulated venue: started in any order, each
//! killed in turn while trading, and found again.

mod stack;

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::json;
use stack::{Client, Home, Process, get, until};

/// Binaries of the services, in an order in which none finds what it needs at its start.
const SERVICES: [&str; 4] = [
    env!("CARGO_BIN_EXE_strategy_engine"),
    env!("CARGO_BIN_EXE_risk_management_service"),
    env!("CARGO_BIN_EXE_order_execution_service"),
    env!("CARGO_BIN_EXE_market_data_service"),
];
/// Order execution's place among them.
const ORDERS: usize = 2;

/// What every process of the engine is told alike.
const MARKET: [&str; 4] = ["--rate", "500", "--param", "warm_up=500ms"];

fn hosting(home: &Home, binary: &str) -> Process {
    let own = ["--host-agent", "true", "--port", "0", "--log-format", "json", "--log-filter", "info"];
    home.start(binary, &[&own[..], &MARKET].concat())
}

/// Where a service listens, and where it answers HTTP, once it is ready.
fn ready(process: &mut Process) -> (String, SocketAddr) {
    let entry = process.log("ready", |entry| entry["fields"]["message"] == json!("ready"));
    let text = |key: &str| entry["fields"][key].as_str().expect("text").to_owned();
    (text("endpoint"), text("http").parse().expect("an address"))
}

fn fills(context: &zmq::Context, endpoint: &str) -> usize {
    Client::connect(context, endpoint).done("fills", json!({})).as_array().map_or(0, Vec::len)
}

#[test]
fn services_trade_with_their_own_agents_and_each_may_be_killed() {
    let home = Home::new();
    let mut services = SERVICES.map(|binary| hosting(&home, binary));
    let _venue =
        home.start(env!("CARGO_BIN_EXE_trading"), &[&["engine", "--role", "venue"][..], &MARKET].concat());
    let mut found = services.each_mut().map(ready);
    for (_, http) in &found {
        assert_eq!(get(*http, "/ready").0, 200);
    }
    let context = zmq::Context::new();
    until("the strategies trade", || (fills(&context, &found[ORDERS].0) > 0).then_some(()));

    for (place, binary) in SERVICES.into_iter().enumerate() {
        services[place].signal(Signal::KILL);
        until("it is dead", || (!services[place].is_running()).then_some(()));
        services[place] = hosting(&home, binary);
        found[place] = ready(&mut services[place]);
        let before = fills(&context, &found[ORDERS].0);
        assert!(before > 0, "what was filled before is known still");
        until("trading goes on", || (fills(&context, &found[ORDERS].0) > before).then_some(()));
    }
    for service in services {
        service.signal(Signal::TERM);
        let (code, error) = service.wait();
        assert_eq!(code, Some(0), "{error}");
    }
}
