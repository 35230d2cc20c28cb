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
#[test]
fn several_run_side_by_side_with_their_own_limits_positions_and_results() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = generated_of(home.path(), &["BTCUSDT", "ETHUSDT"], 60);
    let twap = ["duration=20s", "slices=10", "size=2000", "side=buy"].map(|pair| format!("twap.{pair}"));
    let mut arguments = vec!["replay", tape.to_str().expect("a path")];
    arguments.extend(["--strategy", "market_making@ETHUSDT,twap@BTCUSDT+ETHUSDT"]);
    twap.iter().for_each(|pair| arguments.extend(["--param", pair]));
    arguments.extend(["--param", "market_making.warm_up=1s"]);
    let whole = json(home.path(), &arguments);
    let lines = |summary: &Value| {
        let lines = summary["by_strategy"].as_array().expect("lines").clone();
        lines.into_iter().map(|line| (line["strategy"].to_string(), line)).collect::<Vec<_>>()
    };
    let number =
        |line: &Value, key: &str| line[key].as_str().expect("text").parse::<f64>().expect("a number");
    let own = lines(&whole);
    let names: Vec<_> = own.iter().map(|(name, _)| name.trim_matches('"')).collect();
    assert_eq!(names, ["market_making/ETHUSDT", "twap/BTCUSDT", "twap/ETHUSDT"], "{whole}");
    // What each made adds up to what the account made.
    for total in whole["positions"].as_array().expect("positions") {
        for key in ["position", "fees", "total"] {
            let parts = own.iter().filter(|(_, line)| line["symbol"] == total["symbol"]);
            let sum: f64 = parts.map(|(_, line)| number(line, key)).sum();
            assert!((sum - number(total, key)).abs() < 1e-9, "{key}: {whole}");
        }
    }
    // A limit of one is no limit of the other.
    arguments.extend(["--param", "twap.max_position_size=500"]);
    let held = json(home.path(), &arguments);
    assert!(held["rejects"]["MAX_POS"].as_u64() > Some(0), "{held}");
    let size = |summary: &Value, strategy: &str| {
        let own = lines(summary);
        let line = own.iter().find(|(name, _)| name.contains(strategy)).map(|(_, line)| line.clone());
        number(&line.expect("it traded"), "position")
    };
    assert!(size(&held, "twap/BTCUSDT") > 0.0);
    assert!(size(&held, "twap/BTCUSDT") < 0.3 * size(&whole, "twap/BTCUSDT"), "{held}");
}
