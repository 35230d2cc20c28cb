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
        let killed =
            std::mem::replace(&mut services[place], hosting_after_kill(&home, binary, &services[place]));
        killed.wait();
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

/// Kills `old` and starts its successor, which takes over once the kernel has dropped the locks of the dead.
fn hosting_after_kill(home: &Home, binary: &str, old: &Process) -> Process {
    old.signal(Signal::KILL);
    until("it is dead", || {
        let mut next = hosting(home, binary);
        let mut refused = || (!next.is_running()).then_some(());
        // A successor that comes too early is refused by the lock; one that lives for a moment was not.
        for _ in 0..200 {
            if refused().is_some() {
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Some(next)
    })
}
