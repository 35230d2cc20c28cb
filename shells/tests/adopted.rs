//! Orders that an engine left at the exchange, when it was killed, and the next one finds there: another session, under
//! another epoch.

mod stack;

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::Value;
use stack::exchange::Exchange;
use stack::hosting::exchange;
use stack::{Home, Process, look, until};

const SYMBOL: &str = "BTCUSDT";

/// Market making that quotes half a percent from the market, `1 / kappa` basis points: nothing fills that soon.
const FAR: [&str; 6] = ["--param", "warm_up=0s", "--param", "gamma=0.000001", "--param", "kappa=0.02"];

/// Without a strategy.
const NOBODY: [&str; 2] = ["--strategy", "none"];

/// Starts `trading run` at the exchange.
fn run(home: &Home, exchange: &Exchange, more: &[&str]) -> Process {
    let venue = exchange.flags(false);
    let venue: Vec<&str> = venue.iter().map(String::as_str).collect();
    let own = ["run", "--headless", "--for", "10m", "--symbols", SYMBOL];
    home.start(env!("CARGO_BIN_EXE_trading"), &[&own[..], &venue, more].concat())
}

/// Client ids of our open orders at the exchange.
fn open(exchange: &Exchange) -> BTreeSet<String> {
    let orders = exchange.signed("/api/v3/openOrders", &format!("symbol={SYMBOL}"));
    let id = |order: &Value| order["clientOrderId"].as_str().expect("an id").to_owned();
    orders.as_array().expect("a list").iter().map(id).collect()
}

/// Kills the engine; what it left at the exchange.
fn kill(mut engine: Process, exchange: &Exchange) -> BTreeSet<String> {
    engine.signal(Signal::KILL);
    until("it is dead", || (!engine.is_running()).then_some(()));
    let left = open(exchange);
    assert!(!left.is_empty() && left.iter().all(|id| id.starts_with("t-1-")), "{left:?}");
    left
}

/// Waits until the engine has found all of these at the exchange.
fn until_found(home: &Home, left: &BTreeSet<String>) {
    until("every order was found", || {
        let counters = look(home, &["counters"]);
        (counters["route"]["adopted"].as_u64()? >= left.len() as u64).then_some(())
    });
}

fn end(engine: Process) {
    engine.signal(Signal::TERM);
    let (code, error) = engine.wait();
    assert_eq!(code, Some(0), "{error}");
}

#[test]
fn what_is_of_a_strategy_that_does_not_run_any_more_is_cancelled() {
    let home = Home::new();
    let exchange = exchange(&home);
    let engine = run(&home, &exchange, &FAR);
    until("both quotes rest", || (open(&exchange).len() >= 2).then_some(()));
    let left = kill(engine, &exchange);

    let engine = run(&home, &exchange, &NOBODY);
    until_found(&home, &left);
    until("risk has cancelled them", || open(&exchange).is_empty().then_some(()));
    let all = look(&home, &["orders", "--all"]).to_string();
    assert!(left.iter().all(|id| all.contains(id)), "{left:?} in {all}");
    end(engine);
}

#[test]
fn what_a_person_placed_stays_and_can_be_cancelled_by_its_id() {
    let home = Home::new();
    let exchange = exchange(&home);
    let engine = run(&home, &exchange, &NOBODY);
    until("orders may be placed", || {
        let counters = look(&home, &["counters"]);
        let past = |owner: &str, name: &str| counters[owner][name].as_u64() > Some(0);
        (past("route", "reconciled") && past("risk", "ticks")).then_some(())
    });
    let top = exchange.public(&format!("/api/v3/ticker/bookTicker?symbol={SYMBOL}"));
    let bid: f64 = top["bidPrice"].as_str().expect("a price").parse().expect("a number");
    look(&home, &["order", "buy", SYMBOL, "0.001", "--price", &format!("{:.2}", bid * 0.98)]);
    until("it rests", || (!open(&exchange).is_empty()).then_some(()));
    let left = kill(engine, &exchange);

    let engine = run(&home, &exchange, &NOBODY);
    until_found(&home, &left);
    let orders = look(&home, &["orders"]).to_string();
    assert!(left.iter().all(|id| orders.contains(id)), "{left:?} in {orders}");
    assert_eq!(open(&exchange), left, "nobody cancels it unasked");
    for id in &left {
        look(&home, &["cancel", id]);
    }
    until("they are cancelled", || open(&exchange).is_empty().then_some(()));
    end(engine);
}
