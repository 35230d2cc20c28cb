//! Every built-in strategy through a whole replay: it reconciles, repeats, and several run side by side.

mod support;

use engine::tick_to_trade::strategy::registry;
use serde_json::{Value, json as value};
use support::{generated_of, json, tape};

#[test]
fn every_strategy_replays_to_the_same_hash_and_reconciles() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = tape(home.path(), "spot_btcusdt_20240808_0809");
    let tape = tape.to_str().expect("a path");
    for entry in registry::TABLE {
        let replay = || json(home.path(), &["replay", tape, "--strategy", entry.name]);
        let (first, again) = (replay(), replay());
        assert_eq!(first["reconciled"], Value::Bool(true), "{}", entry.name);
        assert_eq!(first["state_hash"], again["state_hash"], "{}", entry.name);
        assert_eq!(first["open"], value!(0), "{}", entry.name);
    }
}

#[test]
fn an_execution_trades_its_size_and_no_more() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = generated_of(home.path(), &["BTCUSDT"], 60);
    let arguments = [
        &["replay", tape.to_str().expect("a path"), "--strategy", "twap"][..],
        &["--param", "duration=20s", "--param", "slices=10", "--param", "size_unit=quantity"],
        &["--param", "size=0.02", "--param", "side=sell"],
    ]
    .concat();
    let summary = json(home.path(), &arguments);
    let position = summary["positions"][0]["position"].as_str().expect("a position");
    assert_eq!(position.parse::<f64>().expect("a number"), -0.02, "{summary}");
}
