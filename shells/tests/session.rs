//! Live sessions on the generated market: recorded, replayed to the same hash, one at a time on an instance.

mod support;

use std::fs;

use serde_json::Value;
use support::{json, success, trading};

#[test]
fn a_session_on_one_thread_replays_to_its_own_hash() {
    let home = tempfile::tempdir().expect("a folder");
    let live =
        json(home.path(), &["run", "--headless", "--for", "4s", "--rate", "500", "--param", "warm_up=500ms"]);
    assert!(live["orders"].as_u64() > Some(0), "nothing was traded: {live}");
    let sessions = home.path().join("data/default/sessions");
    let session = fs::read_dir(&sessions).expect("sessions").flatten().next().expect("one").path();
    let again = json(home.path(), &["replay", session.to_str().expect("a path")]);
    for figure in ["state_hash", "orders", "fills", "positions", "intents"] {
        assert_eq!(live[figure], again[figure], "{figure}");
    }

    // What it left in shared memory can still be looked at.
    let counters = json(home.path(), &["counters"]);
    assert_eq!(counters["ingest"]["frames"], live["ingest"]["frames"]);
    assert!(json(home.path(), &["latency"])["route"]["count"].as_u64() > Some(0));
    let book = json(home.path(), &["book", "BTCUSDT", "--depth", "5"]);
    assert_eq!(
        (book["trusted"].clone(), book["bids"].as_array().map(Vec::len)),
        (Value::Bool(true), Some(5))
    );
    let verified = json(home.path(), &["journal", "verify"]);
    assert_eq!(verified.as_array().map(Vec::len), Some(3));

    // The checker can fail: an answer changed on the tape is found.
    let tape = session.join("tape.tsv");
    let text = fs::read_to_string(&tape).expect("a tape");
    let line = text.lines().find(|line| line.contains("\tuser\t") && line.contains("\"x\":\"TRADE\""));
    if let Some(line) = line {
        let changed = line.replacen("\"m\":true", "\"m\":false", 1);
        assert_ne!(line, changed);
        fs::write(&tape, text.replacen(line, &changed, 1)).expect("written");
        let output = trading(home.path(), &["replay", session.to_str().expect("a path")]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("state hash"));
    }
}

#[test]
fn dedicated_threads_trade_and_reconcile() {
    let home = tempfile::tempdir().expect("a folder");
    let arguments = [
        "run",
        "--headless",
        "--for",
        "4s",
        "--placement",
        "dedicated",
        "--rate",
        "500",
        "--param",
        "warm_up=500ms",
    ];
    let live = json(home.path(), &arguments);
    assert_eq!(live["reconciled"], Value::Bool(true));
    assert!(live["orders"].as_u64() > Some(0), "nothing was traded: {live}");
}

#[test]
fn the_status_line_comes_every_second() {
    let home = tempfile::tempdir().expect("a folder");
    let text = success(&trading(home.path(), &["run", "--headless", "--for", "3s"]));
    assert!(text.lines().filter(|line| line.contains("frames/s")).count() >= 2, "{text}");
    assert!(text.contains("state hash"), "{text}");
}

#[test]
fn resting_orders_are_cancelled_at_the_end_or_kept_as_the_policy_says() {
    for (policy, kept) in [("cancel", false), ("keep", true)] {
        let home = tempfile::tempdir().expect("a folder");
        let arguments = [
            "run",
            "--headless",
            "--for",
            "3s",
            "--rate",
            "500",
            "--param",
            "warm_up=500ms",
            "--on-shutdown",
            policy,
        ];
        let live = json(home.path(), &arguments);
        assert!(live["orders"].as_u64() > Some(0), "{live}");
        assert_eq!(live["open"].as_u64() > Some(0), kept, "{policy}: {live}");
        let sessions = home.path().join("data/default/sessions");
        let session = fs::read_dir(&sessions).expect("sessions").flatten().next().expect("one").path();
        let again = json(home.path(), &["replay", session.to_str().expect("a path")]);
        assert_eq!(live["state_hash"], again["state_hash"], "{policy}");
    }
}
