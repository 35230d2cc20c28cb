//! The acting commands against a running engine: through risk, in the operator's log, with codes where refused.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{Engine, json, success, trading, until};

/// The newest session's engine, once it trades.
fn ready(home: &Path, arguments: &[&str]) -> Engine {
    let engine = Engine::start_with(home, arguments);
    until("an order", || {
        let orders = trading(home, &["orders", "--all", "--json"]).stdout;
        serde_json::from_slice::<Vec<Value>>(&orders).is_ok_and(|orders| !orders.is_empty())
    });
    engine
}

/// A price `percent` of the best bid, on the tick.
fn price(home: &Path, percent: u64) -> String {
    let book = json(home, &["book", "BTCUSDT"]);
    let bid: f64 = book["bids"][0][0].as_str().expect("a bid").parse().expect("a number");
    format!("{:.2}", bid * percent as f64 / 100.0)
}

fn error(home: &Path, arguments: &[&str]) -> String {
    let output = trading(home, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn an_order_goes_through_risk_and_is_cancelled() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    assert!(error(home, &["order", "buy", "BTCUSDT", "0.001"]).contains("no engine is running in "));
    let engine = ready(home, &[]);
    let far = price(home, 98);
    let arguments =
        ["order", "buy", "BTCUSDT", "0.001", "--price", &far, "--valid-for", "60s", "--reason", "a test"];
    let order = json(home, &arguments);
    assert_eq!((&order["state"], &order["strategy"]), (&"OPEN".into(), &"operator".into()), "{order}");
    let id = order["order_id"].as_str().expect("an id").to_owned();
    let open = json(home, &["orders"]);
    assert!(open.as_array().is_some_and(|open| open.iter().any(|order| order["order_id"] == id.as_str())));
    assert_eq!(json(home, &["cancel", &id])["state"], "CANCELED");
    let ended = error(home, &["cancel", &id]);
    assert!(ended.contains("UNKNOWN_ORDER") && ended.contains("has ended: CANCELED"), "{ended}");
    let life = success(&trading(home, &["trace", &id]));
    assert!(life.contains("operator  decided on it") && life.contains("decided to cancel it"), "{life}");
    for verb in ["amend", "replace"] {
        assert_eq!(trading(home, &[verb, &id]).status.code(), Some(2), "nothing to change");
    }

    // Risk refuses with its code; what cannot be read is refused before it.
    let low = price(home, 50);
    let far_off = ["order", "buy", "BTCUSDT", "0.001", "--price", &low, "--valid-for", "60s"];
    assert!(error(home, &far_off).contains("COLLAR: C08: price too far from the reference"));
    let large = error(home, &["order", "buy", "BTCUSDT", "5", "--price", &far, "--valid-for", "60s"]);
    assert!(large.contains("MAX_"), "{large}");
    assert!(error(home, &["order", "buy", "NOPE", "1"]).contains("UNKNOWN_SYMBOL"));
    let high = price(home, 102);
    let pair =
        ["order", "oco", "sell", "BTCUSDT", "0.001", "--above-price", &high, "--below-stop-price", &far];
    assert_eq!(trading(home, &pair[..7]).status.code(), Some(2), "half of a pair");
    let crossed =
        ["order", "oco", "sell", "BTCUSDT", "0.001", "--above-price", &far, "--below-stop-price", &high];
    let crossed = error(home, &crossed);
    assert!(crossed.contains("BAD_REQUEST: above_price: it is not above below_stop_price"), "{crossed}");
    assert!(error(home, &["order", "sell", "BTCUSDT", "1e3"]).contains("quantity"));
    assert!(error(home, &["cancel", "nonsense"]).contains("not an order id"));
    assert_eq!(trading(home, &["order", "hold", "BTCUSDT", "1"]).status.code(), Some(2));

    // All of it is in the operator's log.
    let log = std::fs::read_to_string(home.join("data/default/operator.log")).expect("a log");
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(entries.iter().any(|entry| {
        entry["reason"] == "a test" && entry["command"].as_str().is_some_and(|text| text.contains(&far))
    }));
    engine.end();
}

#[test]
fn of_a_pair_on_the_market_inside_one_cancels_the_other() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    // Strategies of the other symbol: an order against one's own would be refused.
    let engine = ready(home, &["--strategy", "market_making@ETHUSDT"]);
    for cancelled in [0, 1] {
        let (high, low) = (price(home, 102), price(home, 98));
        let arguments = ["order", "oco", "sell", "BTCUSDT", "0.001", "--above-price", &high];
        let arguments = [&arguments[..], &["--below-stop-price", &low, "--valid-for", "60s"]].concat();
        let placed = json(home, &arguments);
        let ids = [0, 1].map(|leg| placed[leg]["order_id"].as_str().expect("an id").to_owned());
        assert_eq!((&placed[0]["state"], &placed[1]["state"]), (&"OPEN".into(), &"OPEN".into()), "{placed}");
        assert_eq!(json(home, &["cancel", &ids[cancelled]])["state"], "CANCELED");
        let state = || {
            let orders = json(home, &["orders", "--all"]);
            let orders = orders.as_array().expect("orders").clone();
            let other = orders.into_iter().find(|order| order["order_id"] == ids[1 - cancelled].as_str());
            other.expect("the other one")["state"].clone()
        };
        until("the end of the other", || state() == "CANCELED");
    }
    engine.end();
}

#[test]
fn flatten_closes_the_position_and_strategies_go_on() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    // Strategies of the other symbol: an order against one's own would be refused.
    let engine = ready(home, &["--strategy", "market_making@ETHUSDT"]);
    let bought = json(home, &["order", "buy", "BTCUSDT", "0.01", "--valid-for", "60s"]);
    assert_eq!((&bought["state"], &bought["filled"]), (&"FILLED".into(), &"0.01".into()), "{bought}");
    let position = || {
        let rows = json(home, &["positions"]);
        let rows = rows.as_array().expect("positions").clone();
        let whole = rows.into_iter().find(|row| row["symbol"] == "BTCUSDT" && row["strategy"].is_null());
        whole.map_or_else(|| "0".to_owned(), |row| row["quantity"].as_str().expect("text").to_owned())
    };
    assert_ne!(position(), "0");
    let done = json(home, &["flatten"]);
    assert!(done["placed"].as_array().is_some_and(|placed| !placed.is_empty()), "{done}");
    until("a flat position", || position() == "0");
    // The strategies place orders again.
    let before = json(home, &["orders", "--all"]).as_array().map(Vec::len);
    until("another order", || json(home, &["orders", "--all"]).as_array().map(Vec::len) > before);
    engine.end();
}

#[test]
fn a_halt_cancels_what_rests_and_cancel_all_does_so_without() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let engine = ready(home, &[]);
    let far = price(home, 98);
    let rest = || {
        let order = json(home, &["order", "buy", "BTCUSDT", "0.001", "--price", &far, "--valid-for", "60s"]);
        order["order_id"].as_str().expect("an id").to_owned()
    };
    let state = |id: &str| {
        let orders = json(home, &["orders", "--all"]);
        let orders = orders.as_array().expect("orders").clone();
        orders.into_iter().find(|order| order["order_id"] == id).map(|order| order["state"].to_string())
    };
    let first = rest();
    let swept = json(home, &["cancel-all", "--symbol", "BTCUSDT"]);
    let canceled = swept["canceled"].as_array().expect("a list");
    assert!(canceled.iter().any(|id| id == first.as_str()), "{swept}");
    let second = rest();
    let kept = json(home, &["halt", "--keep-orders"]);
    assert_eq!((&kept["canceled"], state(&second)), (&Value::Null, Some("\"OPEN\"".to_owned())));
    let halted = json(home, &["halt"]);
    assert!(halted["canceled"].as_u64() > Some(0), "{halted}");
    until("the cancel", || state(&second) == Some("\"CANCELED\"".to_owned()));
    assert!(error(home, &["order", "buy", "BTCUSDT", "0.001"]).contains("HALTED"));
    // What was halted by its name is not let go with everything, and nobody is left to think so.
    success(&trading(home, &["halt", "--symbol", "ETHUSDT"]));
    let resumed = json(home, &["resume"]);
    assert_eq!(resumed["scopes"], serde_json::json!({"symbol ETHUSDT": "HALTED"}), "{resumed}");
    let words = success(&trading(home, &["resume"]));
    assert!(words.contains("but symbol ETHUSDT is still HALTED"), "{words}");
    assert!(success(&trading(home, &["status"])).contains("but ETHUSDT is HALTED"));
    success(&trading(home, &["resume", "--symbol", "ETHUSDT"]));
    assert!(!success(&trading(home, &["status"])).contains("but "));
    engine.end();
}

#[test]
fn strategies_are_listed_with_their_parameters() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let engine = ready(home, &[]);
    let rows = json(home, &["strategy", "list"]);
    let names: Vec<&str> =
        rows.as_array().expect("rows").iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["market_making/BTCUSDT", "market_making/ETHUSDT"]);
    let one = json(home, &["strategy", "show", "market_making"]);
    assert!(one["parameters"].as_array().is_some_and(|rows| rows.iter().any(|row| row["key"] == "gamma")));
    assert!(success(&trading(home, &["strategy", "list"])).contains("momentum"));
    assert!(error(home, &["strategy", "show", "hodl"]).contains("UNKNOWN_STRATEGY"));
    let other = error(home, &["book", "NOPE"]);
    assert!(other.contains("NOPE: the engine knows no such symbol; there are BTCUSDT, ETHUSDT"), "{other}");
    let stages = success(&trading(home, &["latency"]));
    let stages: Vec<&str> =
        stages.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(
        stages,
        ["decode", "book", "strategy", "risk", "route", "tick_to_order", "order_to_ack", "journal"]
    );
    engine.end();
}
