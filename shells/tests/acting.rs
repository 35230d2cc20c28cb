//! Acting through the ports: orders go through risk like any other, halts hold at once, and the command line's client
//! does the same.

mod stack;

use serde_json::{Value, json};
use stack::{Client, Home, Subscriber, endpoint, until};

/// An engine without strategies, and clients of its ports.
struct World {
    orders: Client,
    risk: Client,
    bbo: Subscriber,
    ports: shells::ports::Ports,
    _engine: stack::Process,
    home: Home,
}

impl World {
    fn new() -> Self {
        Self::at(Home::new())
    }

    fn at(home: Home) -> Self {
        let engine = home.start(
            env!("CARGO_BIN_EXE_trading"),
            &["run", "--headless", "--for", "10m", "--rate", "200", "--strategy", "none"],
        );
        let ports = home.ports();
        let context = zmq::Context::new();
        let orders = Client::connect(&context, &endpoint(&ports, "order_execution"));
        let risk = Client::connect(&context, &endpoint(&ports, "risk_management"));
        let bbo = Subscriber::connect(&context, &endpoint(&ports, "market_data"), "bbo/BTCUSDT/");
        Self { orders, risk, bbo, ports, _engine: engine, home }
    }

    /// A buy far enough below the market to rest, close enough to be let through.
    fn resting(&self) -> Value {
        let bbo = self.bbo.receive().1;
        let bid: f64 = bbo["bid"].as_str().expect("a bid").parse().expect("a number");
        // A whole number: it is shown as it is written.
        let price = format!("{:.0}", bid * 0.98);
        json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001", "price": price, "valid_for_ms": 60_000})
    }

    /// Places an order, once the book is there for risk to look at.
    fn place(&mut self, order: &Value) -> String {
        let placed = until("an order is let through", || {
            let reply = self.orders.ask("order.place", order.clone());
            let early = ["NO_REF", "STALE_MD"].map(|code| json!(code)).contains(&reply["error"]["code"]);
            (!early).then_some(reply)
        });
        assert_eq!(placed["ok"], json!(true), "{placed}");
        placed["result"]["order_id"].as_str().expect("an id").to_owned()
    }

    fn until_state(&mut self, id: &str, state: &str) -> Value {
        until(&format!("{id} is {state}"), || {
            let order = self.orders.done("order.get", json!({ "order_id": id }));
            (order["state"] == json!(state)).then_some(order)
        })
    }
}

#[test]
fn an_order_is_placed_seen_replaced_and_cancelled() {
    let mut world = World::new();
    world.orders.done("subscribe", json!({}));
    let mut order = world.resting();
    order["client_id"] = json!("mine");
    let id = world.place(&order);
    let open = world.orders.push("it is open", |push| {
        push["data"]["order"]["order_id"] == json!(id) && push["data"]["kind"] == json!("ACCEPTED")
    });
    assert_eq!(open["data"]["order"]["client_id"], json!("mine"));
    let shown = world.orders.done("order.get", json!({"client_id": "mine"}));
    assert_eq!((&shown["strategy"], &shown["price"]), (&json!("client"), &order["price"]));
    assert_eq!(world.orders.refused("order.place", order.clone()), "DUP_ID");
    assert_eq!(world.orders.done("orders.open", json!({})).as_array().map(Vec::len), Some(1));

    let larger = json!({"order_id": id, "quantity": "0.002"});
    let priced = json!({"order_id": id, "quantity": "0.0005", "price": order["price"]});
    for request in [&larger, &priced] {
        assert_eq!(world.orders.refused("order.amend", request.clone()), "KEEP_PRIORITY");
    }
    let amended = world.orders.done("order.amend", json!({"order_id": id, "quantity": "0.0005"}));
    assert_eq!(amended["order_id"], json!(id));
    assert_eq!(world.until_state(&id, "OPEN")["quantity"], json!("0.0005"));
    let replaced = world.orders.done("order.replace", larger);
    let next = replaced["order_id"].as_str().expect("an id").to_owned();
    assert_eq!(world.until_state(&id, "CANCELED")["filled"], json!("0"));
    assert_eq!(world.until_state(&next, "OPEN")["quantity"], json!("0.002"));
    world.orders.done("order.cancel", json!({ "order_id": next }));
    world.until_state(&next, "CANCELED");
    assert_eq!(world.orders.refused("order.cancel", json!({ "order_id": next })), "UNKNOWN_ORDER");
    for (fields, code) in [
        (json!({"symbol": "NOSUCH", "side": "BUY", "quantity": "1", "price": "1"}), "UNKNOWN_SYMBOL"),
        (json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "1"}), "BAD_REQUEST"),
        (json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "5", "price": "59000"}), "MAX_NOTIONAL"),
        (json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.1", "price": "100"}), "COLLAR"),
    ] {
        assert_eq!(world.orders.refused("order.place", fields), code);
    }
}

#[test]
fn flatten_closes_what_was_bought_and_cancels_what_rests() {
    let mut world = World::new();
    let resting = world.resting();
    let rests = world.place(&resting);
    let bought =
        world.place(&json!({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.002", "valid_for_ms": 60_000}));
    world.until_state(&bought, "FILLED");
    let position = |risk: &mut Client| risk.done("positions", json!({}))[0]["quantity"].clone();
    until("the position is known", || (position(&mut world.risk) == json!("0.002")).then_some(()));
    let swept = world.orders.done("flatten", json!({}));
    assert_eq!((&swept["canceled"], swept["placed"].as_array().map(Vec::len)), (&json!([rests]), Some(1)));
    until("it is flat", || (position(&mut world.risk) == json!("0")).then_some(()));
    let fills = world.orders.done("fills", json!({"symbol": "BTCUSDT"}));
    assert_eq!(fills[0]["side"], json!("BUY"));
    assert!(world.risk.done("pnl", json!({}))[0]["fees"].as_str() != Some("0"));
    assert_eq!(world.orders.done("order.cancel_all", json!({}))["canceled"], json!([]));
}

#[test]
fn a_halt_holds_at_once_and_only_its_owner_lowers_it() {
    let mut world = World::new();
    let order = world.resting();
    let id = world.place(&order);
    let state = world.risk.done("halt", json!({"reason": "a test"}));
    assert_eq!((&state["state"], &state["pages"]["risk/service"]), (&json!("HALTED"), &json!("HALTED")));
    // Risk finds a new page within 100 ms; from then on it is one look.
    until("orders are refused", || {
        let mut order = order.clone();
        order["quantity"] = json!("0.0011");
        let reply = world.orders.ask("order.place", order);
        (reply["error"]["code"] == json!("HALTED")).then_some(())
    });
    world.orders.done("order.cancel", json!({ "order_id": id }));
    world.until_state(&id, "CANCELED");
    assert_eq!(world.risk.done("resume", json!({}))["state"], json!("ACTIVE"));
    world.place(&world.resting());
    let state = world.risk.done("reduce_only", json!({"symbol": "BTCUSDT"}));
    assert_eq!((&state["state"], &state["symbols"]["BTCUSDT"]), (&json!("ACTIVE"), &json!("REDUCE_ONLY")));
    assert_eq!(world.orders.refused("order.place", world.resting()), "HALTED");
    for (fields, code) in [
        (json!({"symbol": "NOSUCH"}), "UNKNOWN_SYMBOL"),
        (json!({"strategy": "nobody"}), "UNKNOWN_STRATEGY"),
        (json!({"symbol": "BTCUSDT", "strategy": "client"}), "BAD_REQUEST"),
    ] {
        assert_eq!(world.risk.refused("halt", fields), code);
    }
}

#[test]
fn subscribers_of_risk_are_told_what_may_be_traded_whoever_says_so() {
    let mut world = World::new();
    world.risk.done("subscribe", json!({}));
    let mut told = |what: &str, of: Value, state: &str| {
        world.risk.push(what, |push| {
            let told = &push["data"];
            push["push"] == json!("halt") && told["of"] == of && told["state"] == json!(state)
        })
    };
    let act = |command: &[&str]| {
        let output = world.home.trading(command).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
    };
    act(&["halt", "--symbol", "BTCUSDT"]);
    let push = told("the operator's halt of a symbol", json!("BTCUSDT"), "HALTED");
    assert_eq!(push["data"]["scope"], json!("INSTRUMENT"));
    act(&["reduce-only"]);
    assert_eq!(told("of everything", Value::Null, "REDUCE_ONLY")["data"]["scope"], json!("GLOBAL"));
    act(&["resume"]);
    told("everything may be traded", Value::Null, "ACTIVE");
    act(&["resume", "--symbol", "BTCUSDT"]);
    told("and the symbol", json!("BTCUSDT"), "ACTIVE");
    // People as well, who are in no table of strategies.
    for who in ["client", "operator"] {
        let state = world.risk.done("halt", json!({ "strategy": who }));
        assert_eq!(state["strategies"], json!({ who: "HALTED" }));
        let push = world.risk.push("a halt of people", |push| push["data"]["of"] == who);
        assert_eq!((&push["data"]["scope"], &push["data"]["state"]), (&json!("SOURCE"), &json!("HALTED")));
        let metrics = || stack::get(stack::http(&world.ports, "risk_management"), "/metrics").1;
        let row = format!("trading_halted{{scope=\"{who}\"}} 3");
        until("it is among the metrics", || metrics().contains(&row).then_some(()));
        world.risk.done("resume", json!({ "strategy": who }));
    }
}

#[test]
fn what_the_port_halted_outlives_shared_memory_and_is_logged() {
    let mut world = World::new();
    world.place(&world.resting());
    world.risk.done("halt", json!({"symbol": "BTCUSDT", "reason": "news"}));
    world.risk.done("reduce_only", json!({"strategy": "operator"}));
    let World { home, ports, _engine: mut engine, .. } = world;
    drop(ports);
    engine.signal(rustix::process::Signal::KILL);
    until("it is dead", || (!engine.is_running()).then_some(()));
    std::fs::remove_dir_all(home.path().join("ipc")).expect("as at a reboot");

    let mut world = World::at(home);
    let order = world.resting();
    until("orders are refused", || {
        let reply = world.orders.ask("order.place", order.clone());
        assert_ne!(reply["ok"], json!(true), "{reply}");
        (reply["error"]["code"] == json!("HALTED")).then_some(())
    });
    assert_eq!(world.risk.done("resume", json!({"symbol": "BTCUSDT"}))["symbols"], json!({}));
    world.place(&order);
    let log =
        std::fs::read_to_string(world.home.path().join("data/default/risk_service.log")).expect("a log");
    let first: Value = serde_json::from_str(log.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["of"], &first["reason"]), (&json!("BTCUSDT"), &json!("news")));
    assert_eq!(log.lines().count(), 3);
}

#[test]
fn the_command_lines_client_waits_for_its_answers() {
    use engine::clock::Stopwatch;
    use engine::clock::tsc::LiveClock;
    use engine::domain::SourceId;
    use shells::api::orders::PlaceOrder;
    use shells::client::session::Session;

    let mut world = World::new();
    let resting = world.resting();
    world.place(&resting);
    let clock = LiveClock::new(Stopwatch::calibrate());
    let places = world.home.settings().places;
    let mut session =
        Session::connect(&world.home.ipc(), &places, SourceId::OPERATOR, clock).expect("an engine runs");
    let mut order: PlaceOrder = serde_json::from_value(world.resting()).expect("an order");
    let placed = session.place(&order).expect("let through");
    assert_eq!(placed.strategy, "operator");
    order.quantity = "7".into();
    assert_eq!(session.place(&order).expect_err("too large").code, "MAX_NOTIONAL");
    let swept = session.flatten(None).expect("flat");
    assert_eq!((swept.canceled.len(), swept.placed.len()), (2, 0));
    let empty = Home::new();
    let none = Session::connect(&empty.ipc(), &empty.settings().places, SourceId::OPERATOR, clock);
    assert!(none.err().expect("no engine").message.contains("no engine is running in"));
    drop(world.ports);
}

#[test]
fn limits_tighten_at_once_and_loosen_to_their_ceiling() {
    let mut world = World::new();
    world.place(&world.resting());
    let limits = world.risk.done("limits.get", json!({}))["limits"].clone();
    let key = "BTCUSDT.max_notional";
    let start = limits[key]["value"].as_str().expect("a limit").to_owned();
    assert_eq!(limits[key]["ceiling"], json!(start));
    assert!(limits["account.orders"].is_object() && limits["source.0.cancels"].is_object(), "{limits}");
    let mut order = world.resting();
    order["quantity"] = json!("0.002");
    assert_eq!(world.risk.done("check", order.clone())["verdict"], json!("ACCEPTED"));
    world.risk.done("limits.set", json!({"key": key, "value": "100"}));
    assert_eq!(world.risk.done("check", order.clone())["verdict"], json!("MAX_NOTIONAL"));
    assert_eq!(world.orders.refused("order.place", order.clone()), "MAX_NOTIONAL");
    let held = world.risk.done("limits.get", json!({}))["limits"][key].clone();
    assert_eq!(held, json!({"value": "100", "ceiling": start}));
    world.risk.done("limits.set", json!({"key": key, "value": start}));
    world.place(&order);
    for (key, value, code) in [
        (key, "99999999", "CEILING"),
        (key, "-1", "BAD_VALUE"),
        (key, "x", "BAD_VALUE"),
        ("account.nothing", "1", "UNKNOWN_LIMIT"),
        ("BTCUSDT.collar_aggressive_bps", "5000", "CEILING"),
    ] {
        assert_eq!(
            world.risk.refused("limits.set", json!({"key": key, "value": value})),
            code,
            "{key}={value}"
        );
    }
    assert_eq!(world.risk.refused("limits.set", json!({"key": key})), "BAD_REQUEST");
}

#[test]
fn strategies_are_stopped_tuned_and_started() {
    let home = Home::new();
    let _engine = home.engine(&[]);
    let ports = home.ports();
    let context = zmq::Context::new();
    let mut strategies = Client::connect(&context, &endpoint(&ports, "strategy_engine"));
    let name = "market_making/BTCUSDT";
    let shown = strategies.done("strategy.get", json!({ "name": name }));
    let parameters = shown["parameters"].as_array().expect("a list").clone();
    assert!(parameters.iter().any(|row| row["key"] == json!("warm_up") && row["value"] == json!("500ms")));
    let activity = |strategies: &mut Client, wanted: &str| {
        until(&format!("it is {wanted}"), || {
            let shown = strategies.done("strategy.get", json!({ "name": name }));
            (shown["activity"] == json!(wanted)).then_some(())
        });
    };
    strategies.done("strategy.stop", json!({ "name": name }));
    activity(&mut strategies, "STOPPED");
    strategies.done("strategy.set", json!({"name": name, "key": "warm_up", "value": "750ms"}));
    let shown = strategies.done("strategy.get", json!({ "name": name }));
    let rows = shown["parameters"].as_array().expect("a list");
    assert!(
        rows.iter().any(|row| row["key"] == json!("warm_up") && row["value"] == json!("750ms")),
        "{rows:?}"
    );
    strategies.done("strategy.start", json!({ "name": name }));
    activity(&mut strategies, "RUNNING");
    for (op, fields, code) in [
        ("strategy.set", json!({"name": name, "key": "nothing", "value": "1"}), "BAD_VALUE"),
        ("strategy.set", json!({"name": name, "key": "warm_up", "value": "never"}), "BAD_VALUE"),
        ("strategy.stop", json!({"name": "nobody"}), "UNKNOWN_STRATEGY"),
        ("strategy.get", json!({"name": "nobody"}), "UNKNOWN_STRATEGY"),
        ("strategy.start", json!({}), "BAD_REQUEST"),
    ] {
        assert_eq!(strategies.refused(op, fields), code, "{op}");
    }
    ports.stop();
}
