//! `trading simulate`: seeds name sessions, faults happen and are survived, and a lie of the exchange is found.

use std::process::{Command, Output};

use serde_json::Value;

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trading"))
        .args(["simulate", "--for", "10m", "--symbols", "BTCUSDT", "--json"])
        .args(["--param", "warm_up=500ms"])
        .args(arguments)
        .env_clear()
        // No file of it is touched.
        .env("HOME", "/nonexistent")
        .output()
        .expect("the binary runs")
}

fn seeds(output: &Output) -> Vec<Value> {
    let all: Value = serde_json::from_slice(&output.stdout).expect("json");
    all["seeds"].as_array().expect("seeds").clone()
}

#[test]
fn a_seed_names_a_session_and_faults_are_survived() {
    let both = simulate(&["--seeds", "2", "--seed", "5"]);
    let error = String::from_utf8_lossy(&both.stderr);
    assert!(both.status.success(), "{error}");
    assert_eq!(error, "", "no bar where nobody looks");
    let both = seeds(&both);
    for one in &both {
        let count = |key: &str| one[key].as_u64().expect("a number");
        assert!(count("fills") > 0 && count("orders") > 0, "{one}");
        for fault in ["lost_frames", "repeated_frames", "late_frames", "lost_requests", "repeated_answers"] {
            assert!(one["faults"][fault].as_u64() > Some(0), "{fault}: {one}");
        }
        assert_eq!(one["faults"]["phantom_fills"], 0);
        assert!(one["failure"].is_null());
    }
    assert_ne!(both[0]["state_hash"], both[1]["state_hash"]);
    let again = seeds(&simulate(&["--seeds", "1", "--seed", "6"]));
    assert_eq!(again, both[1..], "the same seed, the same session, to the last fault and fill");
}

#[test]
fn an_exchange_that_lies_is_found_out_and_its_seed_named() {
    let lied = simulate(&["--seeds", "1", "--seed", "5", "--plant", "phantom-fill"]);
    assert_eq!(lied.status.code(), Some(1));
    let error = String::from_utf8_lossy(&lied.stderr);
    assert!(error.starts_with("trading: 1 of 1 seeds failed: 5;"), "{error}");
    assert!(seeds(&lied)[0]["failure"].is_string());
}
