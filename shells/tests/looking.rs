//! The looking commands against a running engine, a killed one, and none.

mod support;

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use support::{Engine, json, success, trading, until};

/// Orders of the running engine; empty while there is none.
fn orders(home: &Path) -> Vec<Value> {
    let output = trading(home, &["orders", "--all", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[test]
fn every_looking_command_says_how_to_start_an_engine() {
    let home = tempfile::tempdir().expect("a folder");
    for command in ["status", "orders", "fills", "positions", "pnl", "risk", "latency", "counters"] {
        for flags in [&[][..], &["--json"]] {
            let output = trading(home.path(), &[&[command], flags].concat());
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{command}");
            assert!(
                error.contains("no engine is running in ") && error.contains("start one with"),
                "{error}"
            );
        }
    }
    let output = trading(home.path(), &["journal", "tail"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no engine is running in "));
}

#[test]
fn what_is_shown_is_what_the_journals_say() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let engine = Engine::start(home);
    until("a cancelled order", || orders(home).iter().any(|order| order["state"] == "CANCELED"));
    let status = json(home, &["status"]);
    assert_eq!((&status["running"], &status["risk"]["state"]), (&true.into(), &"ACTIVE".into()));
    assert_eq!(status["venue_clock_offset_ns"], 0, "the market is in the process");
    let agents = status["agents"].as_array().expect("agents");
    assert!(
        agents.iter().all(|agent| agent["hosted"] == true && agent["cycles"].as_u64() > Some(0)),
        "{status}"
    );
    assert!(status["books"].as_array().is_some_and(|books| books.len() == 2 && books[0]["trusted"] == true));
    for command in [&["orders"][..], &["fills"], &["positions"], &["pnl"], &["risk"], &["status"]] {
        // Tables have a head even when nothing is in them.
        assert!(!success(&trading(home, command)).is_empty(), "{command:?}");
    }
    let tail = success(&trading(home, &["journal", "tail", "--lines", "3", "--for", "200ms", "--json"]));
    let records: Vec<Value> = tail.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(records.len() >= 6 && records.iter().any(|record| record["journal"] == "route"), "{tail}");

    // A killed engine's orders can still be looked at.
    engine.kill();
    let output = trading(home, &["orders", "--all", "--json"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not run: this is what it left"));
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let shown = all.iter().filter(|order| order["state"] != "REJECTED").count();
    assert_eq!(json(home, &["status"])["running"], false);

    // As many as the journals' own dump has, once the ring's last records are with it.
    let next = Engine::start(home);
    until("the next session", || {
        let output = trading(home, &["status", "--json"]);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()["epoch"] == 2
    });
    next.end();
    let first = home.join("data/default/sessions/00000001");
    let dump = success(&trading(home, &["journal", "dump", first.to_str().expect("a path"), "--json"]));
    let approved = dump.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let approved = approved.filter(|record| {
        record["record"] == "DECISION" && record["kind"] == "NEW" && record["code"] == "ACCEPTED"
    });
    assert_eq!(approved.count(), shown);
}

#[test]
fn the_end_of_the_terminal_ends_a_session_in_order_unless_it_was_told_to_outlive_it() {
    let ran = |engine: &Engine, home: &Path| {
        until("an order", || !orders(home).is_empty());
        engine.signal(Signal::HUP);
    };
    let home = tempfile::tempdir().expect("a folder");
    // Whatever started the tests may itself ignore the signal.
    let engine = Engine::start_by(home.path(), &["env", "--default-signal=HUP"], &[]);
    ran(&engine, home.path());
    // In order: its journals add up, and it says so; a signal that nobody catches is no success.
    engine.wait();
    // As `nohup` starts it: an ignored signal stays ignored.
    let home = tempfile::tempdir().expect("a folder");
    let engine = Engine::start_by(home.path(), &["nohup"], &[]);
    ran(&engine, home.path());
    let fills = || json(home.path(), &["orders", "--all"]).as_array().map_or(0, Vec::len);
    let before = fills();
    until("trading goes on", || fills() > before);
    engine.end();
}

#[test]
fn an_orders_life_is_told_from_the_venues_frame_to_its_last_report() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let engine = Engine::start(home);
    let caused = || {
        // Orders that a tick caused, and that have ended.
        let ended = orders(home).into_iter().filter(|order| order["state"] == "CANCELED");
        ended.into_iter().map(|order| order["order_id"].as_str().expect("an id").to_owned()).find(|id| {
            let steps = json(home, &["trace", id]);
            steps.as_array().is_some_and(|steps| steps.iter().any(|step| step["by"] == "ingest"))
        })
    };
    until("an order that a tick caused", || caused().is_some());
    let id = caused().expect("one");
    engine.end();
    let steps = json(home, &["trace", &id]);
    let steps = steps.as_array().expect("steps");
    let told: Vec<&str> = steps.iter().map(|step| step["by"].as_str().expect("who")).collect();
    assert_eq!(told[..5], ["venue", "ingest", "strategy", "risk", "route"], "{steps:?}");
    let since: Vec<i64> = steps.iter().map(|step| step["since_ns"].as_i64().expect("a number")).collect();
    assert!(since.is_sorted() && since[0] == 0 && since[3] > 0, "{since:?}");
    assert!(steps.last().expect("a step")["event"].as_str().is_some_and(|event| event.contains("CANCELED")));
    assert!(success(&trading(home, &["trace", &id])).contains("took the tick up"));
    for (id, expected) in
        [("t-1-0-0-ffff", "do not tell of"), ("x", "not an order id"), ("t-99-0-0-1", "00000153")]
    {
        let output = trading(home, &["trace", id]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(expected), "{error}");
    }
}
