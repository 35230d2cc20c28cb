//! Services that host their agents, each in a process of its own, at a `simulated_exchange` over sockets.

use std::net::SocketAddr;

use serde_json::json;

use super::exchange::Exchange;
use super::{Home, Process, look};

/// Binaries of the services, in an order in which none finds what it needs at its start.
pub const SERVICES: [&str; 4] = [
    env!("CARGO_BIN_EXE_strategy_engine"),
    env!("CARGO_BIN_EXE_risk_management_service"),
    env!("CARGO_BIN_EXE_order_execution_service"),
    env!("CARGO_BIN_EXE_market_data_service"),
];

/// Starts the exchange that they trade at.
pub fn exchange(home: &Home) -> Exchange {
    Exchange::start(home, &["--rate", "200", "--limits", "100"])
}

/// Starts a service with its agent; the built-in strategy begins to trade soon.
pub fn hosting(home: &Home, exchange: &Exchange, binary: &str, more: &[&str]) -> Process {
    // Nobody takes a parameter where no strategy runs.
    let strategies: &[&str] = if more.contains(&"none") { &[] } else { &["--param", "warm_up=500ms"] };
    hosting_as_told(home, exchange, binary, &[strategies, more].concat())
}

/// Starts a service with its agent, and nothing set but `more`.
pub fn hosting_as_told(home: &Home, exchange: &Exchange, binary: &str, more: &[&str]) -> Process {
    let own = ["--host-agent", "--port", "0", "--log-format", "json", "--log-filter", "info"];
    let venue = exchange.flags(false);
    let venue: Vec<&str> = venue.iter().map(String::as_str).collect();
    home.start(binary, &[&own[..], &venue, more].concat())
}

/// Where a service listens and where it answers HTTP, once it is ready.
pub fn ready(process: &mut Process) -> (String, SocketAddr) {
    let entry = process.log("ready", |entry| entry["fields"]["message"] == json!("ready"));
    let text = |key: &str| entry["fields"][key].as_str().expect("text").to_owned();
    (text("endpoint"), text("http").parse().expect("an address"))
}

/// What has been filled, by the journals.
pub fn fills(home: &Home) -> usize {
    look(home, &["fills"]).to_string().matches("\"trade_id\"").count()
}

/// One of risk's counters.
pub fn risk_counter(home: &Home, name: &str) -> u64 {
    look(home, &["counters"])["risk"][name].as_u64().expect("a counter")
}
