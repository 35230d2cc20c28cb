//! What becomes of resting orders when processes end in order, or die: `on_shutdown` and `on_loss`.

mod stack;

use std::collections::BTreeMap;

use engine::counters::{HaltReader, HaltState};
use engine::error::RejectCode;
use engine::journal::{Decision, Tail};
use engine::message::IntentKind;
use engine::ring::broadcast::Polled;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};
use stack::exchange::Exchange;
use stack::hosting::{SERVICES, exchange, fills, hosting, ready, risk_counter};
use stack::{Home, PATIENCE_WITH_FILLS, Process, look, until, until_within};

/// Ticks that the market has brought when a second of cancels is surely over: a generated market's time is the clock's.
const LATER: u64 = 3_000;

/// Starts everything with `more` and waits until it trades.
fn trading(home: &Home, more: &[&str]) -> ([Process; 4], Exchange) {
    let more = [&["--strategy", "market_making"], more].concat();
    let exchange = exchange(home);
    let mut services = SERVICES.map(|binary| hosting(home, &exchange, binary, &more));
    services.iter_mut().for_each(|service| _ = ready(service));
    until("the strategies trade", || (fills(home) > 0).then_some(()));
    (services, exchange)
}

/// Open orders by id: whose each is.
fn open(home: &Home) -> BTreeMap<String, String> {
    let text = |order: &Value, key: &str| order[key].as_str().expect("text").to_owned();
    let orders = look(home, &["orders"]);
    let rows = orders.as_array().expect("orders");
    rows.iter().map(|order| (text(order, "order_id"), text(order, "strategy"))).collect()
}

/// The operator's order, which rests: the market does not come so far.
fn rest_one(home: &Home) {
    let book = look(home, &["book", "BTCUSDT"]);
    let best: f64 = book["bids"][0][0].as_str().and_then(|price| price.parse().ok()).expect("a bid");
    let price = format!("{:.2}", best * 0.98);
    let arguments = ["order", "buy", "BTCUSDT", "0.001", "--price", &price, "--post-only", "--json"];
    let (code, error) = home.start(env!("CARGO_BIN_EXE_trading"), &arguments).wait();
    assert_eq!(code, Some(0), "{error}");
}

fn is_peoples(open: &BTreeMap<String, String>) -> bool {
    open.values().any(|whose| whose == "operator")
}

/// Waits until an order of the operator rests.
fn peoples(home: &Home) {
    until("the operator's order rests", || {
        rest_one(home);
        is_peoples(&open(home)).then_some(())
    });
}

fn end(process: Process) {
    process.signal(Signal::TERM);
    let (code, error) = process.wait();
    assert_eq!(code, Some(0), "{error}");
}

/// The orders that strategies left open, once the market has moved on, by what became of them.
fn left(home: &Home, ids: &BTreeMap<String, String>) -> Vec<String> {
    let ticks = risk_counter(home, "ticks");
    until("the market moves on", || (risk_counter(home, "ticks") > ticks + LATER).then_some(()));
    let orders = look(home, &["orders", "--all"]);
    let rows = orders.as_array().expect("orders").iter();
    let meant = rows.filter(|order| order["order_id"].as_str().is_some_and(|id| ids.contains_key(id)));
    meant.map(|order| order["state"].as_str().expect("a state").to_owned()).collect()
}

#[test]
fn who_ends_in_order_cancels_what_it_answers_for() {
    let home = Home::new();
    let ([strategies, risk, orders, market_data], _exchange) = trading(&home, &[]);
    peoples(&home);
    end(strategies);
    let rest = open(&home);
    assert!(rest.values().all(|whose| whose == "operator"), "strategies' are gone: {rest:?}");
    peoples(&home);
    end(risk);
    assert_eq!(open(&home), BTreeMap::new(), "with risk nobody could cancel any more");
    end(orders);
    end(market_data);
}

#[test]
fn order_execution_has_everything_cancelled_through_risk_before_it_ends() {
    let home = Home::new();
    let ([_strategies, _risk, orders, _market_data], exchange) = trading(&home, &[]);
    peoples(&home);
    end(orders);
    assert_eq!(open(&home), BTreeMap::new());
    // The next life takes new ones.
    let mut orders = hosting(&home, &exchange, SERVICES[2], &[]);
    ready(&mut orders);
    let before = fills(&home);
    until_within(PATIENCE_WITH_FILLS, "trading goes on", || (fills(&home) > before).then_some(()));
}

#[test]
fn strategies_that_end_with_keep_leave_their_orders_and_killed_ones_lose_them() {
    let home = Home::new();
    let more = ["--strategy", "market_making", "--on-shutdown", "keep"];
    let ([strategies, _risk, _orders, _market_data], exchange) = trading(&home, &more[2..]);
    end(strategies);
    // A market maker that is just moving its quotes has none.
    let ids = (0..9).find_map(|_| {
        let ids = open(&home);
        if ids.is_empty() {
            let mut next = hosting(&home, &exchange, SERVICES[0], &more);
            ready(&mut next);
            let before = fills(&home);
            until("they trade", || (fills(&home) > before).then_some(()));
            end(next);
        }
        (!ids.is_empty()).then_some(ids)
    });
    let states = left(&home, &ids.expect("orders rest"));
    assert!(!states.is_empty() && !states.iter().any(|state| state == "CANCELED"), "{states:?}");

    // The same policy is no help to one that dies.
    let mut next = hosting(&home, &exchange, SERVICES[0], &more);
    ready(&mut next);
    let ids = until("orders rest", || Some(open(&home)).filter(|ids| !ids.is_empty()));
    next.signal(Signal::KILL);
    next.wait();
    left(&home, &ids);
    assert_eq!(open(&home), BTreeMap::new(), "risk cancelled them");
}

#[test]
fn on_loss_keep_leaves_what_a_killed_strategy_had() {
    let home = Home::new();
    let ([strategies, _risk, _orders, _market_data], _exchange) = trading(&home, &["--on-loss", "keep"]);
    let ids = until("orders rest", || Some(open(&home)).filter(|ids| !ids.is_empty()));
    strategies.signal(Signal::KILL);
    strategies.wait();
    // What it asked for last is taken up long before risk can take it for dead.
    let ticks = risk_counter(&home, "ticks");
    until("risk goes on", || (risk_counter(&home, "ticks") > ticks + 20).then_some(()));
    let cancels = risk_counter(&home, "cancels");
    left(&home, &ids);
    assert_eq!(risk_counter(&home, "cancels"), cancels, "risk cancelled nothing");
}

/// Ids of the orders that rest at the exchange when `trading run` has ended, and that of the operator's own.
fn after_run(placement: &str, on_shutdown: &str) -> (Vec<Value>, Value) {
    let home = Home::new();
    let exchange = exchange(&home);
    let venue = exchange.flags(false);
    let venue: Vec<&str> = venue.iter().map(String::as_str).collect();
    let own = ["run", "--headless", "--for", "10m", "--param", "warm_up=500ms"];
    let told = ["--placement", placement, "--on-shutdown", on_shutdown];
    let process = home.start(env!("CARGO_BIN_EXE_trading"), &[&own[..], &told, &venue].concat());
    until("the strategies trade", || (fills(&home) > 0).then_some(()));
    peoples(&home);
    let operators = open(&home).into_iter().find(|(_, whose)| whose == "operator").expect("it rests").0;
    end(process);
    let rest = exchange.signed("/api/v3/openOrders", "");
    let ids = rest.as_array().expect("a list").iter().map(|order| order["clientOrderId"].clone());
    (ids.collect(), json!(operators))
}

#[test]
fn everything_in_one_process_cancels_or_keeps_what_people_placed_as_well() {
    for placement in ["shared", "dedicated"] {
        let (rest, _) = after_run(placement, "cancel");
        assert_eq!(rest, Vec::<Value>::new(), "{placement}");
        let (rest, operators) = after_run(placement, "keep");
        assert!(rest.contains(&operators), "{placement}: {operators} is not of {rest:?}");
    }
}

/// Starts `trading` so that a write beyond the limit of a file's size fails, where it would end the process.
fn bearing_limits(home: &Home, exchange: &Exchange, arguments: &[&str]) -> Process {
    let venue = exchange.flags(false);
    let venue: Vec<&str> = venue.iter().map(String::as_str).collect();
    let shell = ["-c", r#"trap '' XFSZ; exec "$0" "$@""#, env!("CARGO_BIN_EXE_trading")];
    home.start("/bin/sh", &[&shell[..], arguments, &venue].concat())
}

/// From now on no file grows and no write beyond its first page succeeds, as on a disk that fails.
fn break_disk(process: &Process) {
    let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    prlimit(id, Resource::Fsize, Rlimit { current: Some(4_096), maximum: None }).expect("ours");
}

/// What risk decided, first to last: whether it was a new order, and the code.
fn decided(home: &Home) -> Vec<(bool, RejectCode)> {
    let ring = home.ipc().journal("risk");
    let session = std::fs::read_dir(home.path().join("data/default/sessions")).expect("sessions");
    let session = session.flatten().next().expect("a session").path();
    let mut tail = Tail::attach_from(&ring, Some(&session.join("risk")), 1).expect("it stays");
    let mut decided = Vec::new();
    while let Polled::Message(record) = tail.poll() {
        if let Some(decision) = record.read::<Decision>() {
            let new = decision.intent().kind == IntentKind::New.code();
            decided.push((new, RejectCode::try_from(decision.code()).expect("a code")));
        }
    }
    decided
}

#[test]
fn a_journal_that_cannot_be_written_ends_trading_in_order_and_says_why() {
    let run =
        ["run", "--headless", "--for", "10m", "--strategy", "market_making", "--param", "warm_up=500ms"];
    let hosted = ["engine", "--strategy", "market_making", "--param", "warm_up=500ms"];
    for arguments in [&run[..], &hosted[..]] {
        let home = Home::new();
        let exchange = exchange(&home);
        let process = bearing_limits(&home, &exchange, arguments);
        until("the strategies trade", || (fills(&home) > 0).then_some(()));
        peoples(&home);
        break_disk(&process);
        let (code, error) = process.wait();
        assert_eq!(code, Some(1), "{error}");
        let told = error.lines().filter(|line| line.contains("a journal failed, and trading stopped"));
        assert_eq!(told.count(), 1, "{error}");
        assert!(error.contains(".journal: write: ") && error.contains("File too large"), "{error}");
        let rest = exchange.signed("/api/v3/openOrders", "");
        assert_eq!(rest, json!([]), "what rested is cancelled");
        let halt = HaltReader::attach(&home.ipc().halts("risk")).expect("it stays").global();
        assert_eq!(halt, HaltState::Halted, "until an operator clears it");
        let decided = decided(&home);
        assert!(decided.contains(&(true, RejectCode::None)));
        let stopped = decided.iter().position(|&(_, code)| code == RejectCode::Journal);
        let after = stopped.map_or(&[][..], |at| &decided[at..]);
        assert!(!after.contains(&(true, RejectCode::None)), "nothing is approved after it: {after:?}");
    }
}
