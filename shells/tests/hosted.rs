//! The services hosting their agents, each in a process of its own, at a `simulated_exchange` over sockets: started in any
//! order, each killed in turn while trading, and found again.

mod stack;

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::json;
use stack::exchange::Exchange;
use stack::{Client, Home, Process, get, until};

/// Binaries of the services, in an order in which none finds what it needs at its start.
const SERVICES: [&str; 4] = [
    env!("CARGO_BIN_EXE_strategy_engine"),
    env!("CARGO_BIN_EXE_risk_management_service"),
    env!("CARGO_BIN_EXE_order_execution_service"),
    env!("CARGO_BIN_EXE_market_data_service"),
];

/// As in the deployment: risk, the operator and the gateway keep their data where no other writes it.
fn hosting(home: &Home, exchange: &Exchange, binary: &str) -> Process {
    let at = |owner: &str| format!("{owner}={}", home.path().join(owner).display());
    let apart = ["risk", "operator", "gateway"].map(at).join(",");
    let own = ["--host-agent", "--port", "0", "--log-format", "json", "--param", "warm_up=500ms"];
    let venue = exchange.flags(false);
    let venue: Vec<&str> = venue.iter().map(String::as_str).collect();
    home.start(binary, &[&own[..], &["--data-dirs", &apart], &venue].concat())
}

/// Where a service answers HTTP and ZeroMQ, once it is ready.
fn ready(process: &mut Process) -> (SocketAddr, String) {
    let entry = process.log("ready", |entry| entry["fields"]["message"] == json!("ready"));
    let text = |field: &str| entry["fields"][field].as_str().expect("text").to_owned();
    (text("http").parse().expect("an address"), text("endpoint"))
}

/// What has been filled, by the journals.
fn fills(home: &Home) -> usize {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_trading"))
        .args(["fills", "--json"])
        .env_clear()
        .env("HOME", home.path())
        .env("TRADING_IPC_DIR", home.path().join("ipc"))
        .env("TRADING_DATA_DIR", home.path().join("data"))
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.matches("\"trade_id\"").count()
}

#[test]
fn the_order_port_waits_for_no_agent_but_its_own_and_says_what_it_cannot_tell_yet() {
    let home = Home::new();
    let exchange = Exchange::start(&home, &["--rate", "200", "--limits", "100"]);
    let mut services = [3, 2].map(|place: usize| hosting(&home, &exchange, SERVICES[place]));
    let [_, (_, endpoint)] = [0, 1].map(|place: usize| ready(&mut services[place]));
    let mut client = Client::connect(&zmq::Context::new(), &endpoint);
    assert_eq!(client.refused("orders.open", json!({})), "NOT_READY");

    let mut later = [1, 0].map(|place: usize| hosting(&home, &exchange, SERVICES[place]));
    later.iter_mut().for_each(|service| _ = ready(service));
    until("orders are known", || (client.ask("orders.open", json!({}))["ok"] == json!(true)).then_some(()));
}

#[test]
fn services_trade_with_their_own_agents_and_each_may_be_killed() {
    let home = Home::new();
    let exchange = Exchange::start(&home, &["--rate", "200", "--limits", "100"]);
    let mut services = SERVICES.map(|binary| hosting(&home, &exchange, binary));
    for service in &mut services {
        let (http, _) = ready(service);
        assert_eq!(get(http, "/ready").0, 200);
    }
    until("the strategies trade", || (fills(&home) > 0).then_some(()));
    let sessions = std::fs::read_dir(home.path().join("risk/default/sessions")).expect("risk's own").count();
    assert_eq!(sessions, 1, "risk's journal lies apart");

    for (place, binary) in SERVICES.into_iter().enumerate() {
        services[place].signal(Signal::KILL);
        until("it is dead", || (!services[place].is_running()).then_some(()));
        services[place] = hosting(&home, &exchange, binary);
        ready(&mut services[place]);
        let before = fills(&home);
        assert!(before > 0, "what was filled before is known still");
        until("trading goes on", || (fills(&home) > before).then_some(()));
    }
    for service in services {
        service.signal(Signal::TERM);
        let (code, error) = service.wait();
        assert_eq!(code, Some(0), "{error}");
    }
}
