//! The operator's halt against a running system: at once, with it stopped or dead, and across its restart.

mod support;

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use support::{Engine, json, success, trading, until};

/// A counter of the running session; 0 while there is none.
fn counter(home: &Path, agent: &str, name: &str) -> u64 {
    let output = trading(home, &["counters", "--json"]);
    let counters: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    counters[agent][name].as_u64().unwrap_or(0)
}

fn wall_clock() -> i64 {
    shells::operator::log::wall_clock().0
}

/// When the orders of the latest session left.
fn sent(home: &Path) -> Vec<i64> {
    let dump = success(&trading(home, &["journal", "dump", "--json"]));
    let records = dump.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let sent = records.filter(|record| record["kind"] == "SENT");
    sent.map(|record| record["at"].as_i64().expect("a time")).collect()
}

#[test]
fn a_halt_stops_orders_at_once_and_a_resume_lets_them_go() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let engine = Engine::start(home);
    until("an order", || counter(home, "route", "sent") > 0);
    let answer = json(home, &["halt", "--reason", "a test"]);
    let halted = wall_clock();
    assert_eq!((&answer["state"], &answer["scope"]["scope"]), (&"HALTED".into(), &"global".into()));
    // Strategies go on wanting orders, and get none.
    until("a refusal", || counter(home, "risk", "rejected_HALTED") > 2);
    let resumed = wall_clock();
    success(&trading(home, &["resume"]));
    until("an order after the halt", || sent(home).iter().any(|&at| at >= resumed));
    engine.end();
    let sent = sent(home);
    let during: Vec<_> = sent.iter().filter(|&&at| (halted..resumed).contains(&at)).collect();
    assert!(during.is_empty(), "sent during the halt: {during:?}");
    assert!(sent.iter().any(|&at| at < halted), "{sent:?}");
    // What people did when is not recorded, and the session says so.
    let sessions = home.join("data/default/sessions");
    let session = std::fs::read_dir(sessions).expect("sessions").flatten().next().expect("one").path();
    let output = trading(home, &["replay", session.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("was not wholly recorded"), "{said}");
    // Who, what, why.
    let log = std::fs::read_to_string(home.join("data/default/operator.log")).expect("a log");
    let first: Value = serde_json::from_str(log.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&first["reason"], &first["act"], &first["state"]),
        (&"a test".into(), &"halt".into(), &"HALTED".into())
    );
    assert!(first["uid"].is_u64() && first["time_ns"].is_i64());
}

#[test]
fn a_halt_works_with_the_engine_stopped_or_dead_and_survives_it() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let engine = Engine::start(home);
    until("an order", || counter(home, "route", "sent") > 0);
    engine.signal(Signal::STOP);
    success(&trading(home, &["halt"]));
    let halted = wall_clock();
    engine.signal(Signal::CONT);
    until("a refusal", || counter(home, "risk", "rejected_HALTED") > 0);
    engine.signal(Signal::KILL);
    drop(engine);
    success(&trading(home, &["reduce-only"]));
    success(&trading(home, &["halt", "--reason", "with nothing alive"]));
    assert!(sent(home).iter().all(|&at| at < halted));
    // Shared memory is lost, as at a reboot; the halt is not.
    std::fs::remove_dir_all(home.join("ipc")).expect("there");
    let engine = Engine::start(home);
    until("a refusal", || counter(home, "risk", "rejected_HALTED") > 0);
    assert_eq!(counter(home, "route", "sent"), 0);
    success(&trading(home, &["resume"]));
    until("an order", || counter(home, "route", "sent") > 0);
    engine.end();
}

#[test]
fn a_halt_of_one_symbol_leaves_the_other() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let refused = trading(home, &["halt", "--symbol", "BTCUSDT"]);
    assert_eq!(refused.status.code(), Some(1), "no engine has told of its symbols");
    let engine = Engine::start(home);
    until("an order", || counter(home, "route", "sent") > 0);
    let refused = trading(home, &["halt", "--symbol", "NOPE"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("NOPE: the engine knows no such symbol"));
    let refused = trading(home, &["halt", "--strategy", "momentum"]);
    assert!(
        String::from_utf8_lossy(&refused.stderr)
            .contains("no strategy momentum; there are market_making/BTCUSDT")
    );
    success(&trading(home, &["halt", "--symbol", "BTCUSDT"]));
    let halted = wall_clock();
    until("a refusal", || counter(home, "risk", "rejected_HALTED") > 0);
    let before = counter(home, "route", "sent");
    until("an order of the other", || counter(home, "route", "sent") > before);
    // The other one's strategy as well, and nothing is sent.
    success(&trading(home, &["halt", "--strategy", "market_making/ETHUSDT"]));
    let both = wall_clock();
    let refused = || counter(home, "risk", "rejected_HALTED");
    let before = refused();
    until("a refusal of both", || refused() > before + 4);
    let late: Vec<i64> = sent(home).into_iter().filter(|&at| at >= both).map(|at| at - both).collect();
    assert!(late.is_empty(), "{late:?} ns after the halt");
    engine.end();
    let dump = success(&trading(home, &["journal", "dump", "--json"]));
    let late = dump
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|record| record["kind"] == "SENT" && record["at"].as_i64() > Some(halted));
    let symbols: std::collections::BTreeSet<_> =
        late.map(|record| record["symbol"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(symbols.into_iter().collect::<Vec<_>>(), ["ETHUSDT"]);
}
