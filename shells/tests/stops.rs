//! Orders that wait for a trigger price, from port 5556 and the command line to a `simulated_exchange` and back, also
//! when the processes that know of them are killed.

mod stack;

use rustix::process::Signal;
use serde_json::{Value, json};
use stack::exchange::Exchange;
use stack::hosting::{SERVICES, exchange, hosting, ready};
use stack::{Client, Home, Process, look, until};

const NONE: [&str; 2] = ["--strategy", "none"];

struct World {
    exchange: Exchange,
    services: Vec<Process>,
    orders: Client,
    home: Home,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let exchange = exchange(&home);
        let mut services: Vec<Process> =
            SERVICES.iter().map(|binary| hosting(&home, &exchange, binary, &NONE)).collect();
        let endpoints: Vec<String> = services.iter_mut().map(|service| ready(service).0).collect();
        let orders = Client::connect(&zmq::Context::new(), &endpoints[2]);
        Self { exchange, services, orders, home }
    }

    /// Kills a service, and waits until its next life is ready.
    fn restart(&mut self, which: usize) {
        let killed = self.services.remove(which);
        killed.signal(Signal::KILL);
        killed.wait();
        self.services.insert(which, hosting(&self.home, &self.exchange, SERVICES[which], &NONE));
        let endpoint = ready(&mut self.services[which]).0;
        if which == 2 {
            self.orders = Client::connect(&zmq::Context::new(), &endpoint);
        }
    }

    /// The best price of a side.
    fn best(&self, side: &str) -> f64 {
        until("there is a book", || {
            let book = look(&self.home, &["book", "BTCUSDT"]);
            book[side][0][0].as_str()?.parse().ok()
        })
    }

    fn place(&mut self, order: &Value) -> String {
        let placed = until("an order is let through", || {
            let reply = self.orders.ask("order.place", order.clone());
            let code = &reply["error"]["code"];
            let early = ["NO_REF", "STALE_MD", "LINK_DOWN", "HALTED"].iter().any(|early| code == early);
            assert!(early || reply["ok"] == true, "{reply}");
            (!early).then_some(reply)
        });
        placed["result"]["order_id"].as_str().expect("an id").to_owned()
    }

    fn until_ours(&mut self, id: &str, state: &str) -> Value {
        until(&format!("{id} is {state}"), || {
            let order = self.orders.ask("order.get", json!({ "order_id": id }))["result"].clone();
            (order["state"] == state).then_some(order)
        })
    }

    /// The order as the exchange has it.
    fn theirs(&self, id: &str) -> Value {
        self.exchange.signed("/api/v3/order", &format!("symbol=BTCUSDT&origClientOrderId={id}"))
    }
}

#[test]
fn a_stop_waits_at_the_exchange_whoever_dies_and_is_replaced_and_cancelled() {
    let mut world = World::new();
    let below = |share: f64| format!("{:.0}", world.best("bids") * share);
    let [stop, limit, lower] = [0.98, 0.979, 0.975].map(below);
    let order = json!({"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS_LIMIT", "quantity": "0.01",
        "price": limit, "stop_price": stop, "self_trade_prevention": "EXPIRE_BOTH", "valid_for_ms": 60_000});
    let id = world.place(&order);
    let shown = world.until_ours(&id, "OPEN");
    assert_eq!((&shown["type"], &shown["stop_price"]), (&json!("STOP_LOSS_LIMIT"), &json!(stop)));
    let there = world.theirs(&id);
    let padded = |price: &str| json!(format!("{price}.00000000"));
    assert_eq!((&there["type"], &there["status"]), (&json!("STOP_LOSS_LIMIT"), &json!("NEW")));
    assert_eq!((&there["stopPrice"], &there["price"]), (&padded(&stop), &padded(&limit)));

    assert_eq!(there["selfTradePreventionMode"], "EXPIRE_BOTH");

    let lowered = world.orders.done("order.amend", json!({"order_id": id, "quantity": "0.008"}));
    assert_eq!(lowered["order_id"], json!(id));
    assert_eq!(world.until_ours(&id, "OPEN")["quantity"], "0.008");
    assert_eq!(world.theirs(&id)["origQty"], "0.00800000");

    // Route's next life, and then risk's, know it as it is.
    for service in [2, 1] {
        world.restart(service);
        let again = world.until_ours(&id, "OPEN");
        assert_eq!((&again["stop_price"], &again["price"]), (&json!(stop), &json!(limit)));
        assert_eq!(world.theirs(&id)["orderId"], there["orderId"]);
    }
    // Risk still counts it: a buy at its limit would trade with it.
    let buy = json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": limit});
    let code = until("risk answers for the order", || {
        let code = world.orders.ask("order.place", buy.clone())["error"]["code"].clone();
        (!["NO_REF", "STALE_MD", "LINK_DOWN", "HALTED"].iter().any(|early| code == *early)).then_some(code)
    });
    assert_eq!(code, "SELF_TRADE");

    let moved = json!({"order_id": id, "stop_price": lower, "price": lower});
    assert_eq!(world.orders.refused("order.amend", moved.clone()), "KEEP_PRIORITY");
    let next = world.orders.done("order.replace", moved)["order_id"].as_str().expect("an id").to_owned();
    world.until_ours(&id, "CANCELED");
    assert_eq!(world.until_ours(&next, "OPEN")["stop_price"], json!(lower));
    let there = world.theirs(&next);
    assert_eq!(
        (&there["stopPrice"], &there["selfTradePreventionMode"]),
        (&padded(&lower), &json!("EXPIRE_BOTH"))
    );
    world.orders.done("order.cancel", json!({ "order_id": next }));
    world.until_ours(&next, "CANCELED");
    assert_eq!(world.theirs(&next)["status"], "CANCELED");
}

#[test]
fn both_orders_of_a_replacement_are_known_to_the_next_life_of_route_and_of_risk() {
    let mut world = World::new();
    let below = |share: f64| format!("{:.0}", world.best("bids") * share);
    let [stop, lower] = [0.98, 0.975].map(below);
    let order = json!({"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS_LIMIT", "quantity": "0.01",
        "price": stop, "stop_price": stop, "valid_for_ms": 60_000});
    let id = world.place(&order);
    world.until_ours(&id, "OPEN");
    // The venue does it and tells nothing, and route dies while it waits.
    for fault in ["fault=lost-ack&method=order.cancelReplace&count=1", "fault=dropped-frame&stream=user"] {
        world.exchange.admin("POST", &format!("/admin/faults?{fault}"));
    }
    let moved =
        json!({"id": "1000", "op": "order.replace", "order_id": id, "stop_price": lower, "price": lower});
    world.orders.send(&[moved.to_string().as_bytes()]);
    until("the venue has replaced it", || (world.theirs(&id)["status"] == "CANCELED").then_some(()));
    world.exchange.admin("DELETE", "/admin/faults");
    world.restart(2);
    world.until_ours(&id, "CANCELED");
    let open = world.orders.done("orders.open", json!({}));
    let [next] = &open.as_array().expect("a list")[..] else { panic!("{open}") };
    let next = next["order_id"].as_str().expect("an id").to_owned();
    world.restart(1);
    assert_eq!(world.until_ours(&next, "OPEN")["stop_price"], json!(lower));
    assert_eq!(world.theirs(&next)["status"], "NEW");
    world.orders.done("order.cancel", json!({ "order_id": next }));
    world.until_ours(&next, "CANCELED");
}

#[test]
fn both_of_a_pair_are_known_to_the_next_life_of_route_and_of_risk() {
    let mut world = World::new();
    let [low, high] = [0.98, 1.02].map(|share| format!("{:.0}", world.best("bids") * share));
    let price = |text: &str| text.parse().expect("a number");
    world.exchange.until_last_between(price(&low), price(&high));
    // The venue answers nothing and tells nothing, and route dies while it waits.
    let pair = json!({"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "above_price": high,
        "below_stop_price": low, "valid_for_ms": 60_000});
    until("risk can judge", || {
        let code = world.orders.ask(
            "order.oco",
            json!({"symbol": "BTCUSDT", "side": "SELL", "quantity": "1000",
            "above_price": high, "below_stop_price": low}),
        )["error"]["code"]
            .clone();
        let early = ["NO_REF", "STALE_MD", "LINK_DOWN", "HALTED"].iter().any(|early| code == *early);
        (code.is_string() && !early).then_some(())
    });
    for fault in ["fault=lost-ack&method=orderList.place.oco&count=1", "fault=dropped-frame&stream=user"] {
        world.exchange.admin("POST", &format!("/admin/faults?{fault}"));
    }
    let placed = world.orders.done("order.oco", pair);
    let ids = ["above_order_id", "below_order_id"].map(|key| placed[key].as_str().expect("an id").to_owned());
    until("the venue has it", || (world.theirs(&ids[1])["status"] == "NEW").then_some(()));
    world.exchange.admin("DELETE", "/admin/faults");
    for service in [2, 1] {
        world.restart(service);
        ids.iter().for_each(|id| {
            world.until_ours(id, "OPEN");
        });
        assert_eq!(world.orders.done("orders.open", json!({})).as_array().map(Vec::len), Some(2));
    }
    world.orders.done("order.cancel", json!({ "order_id": ids[1] }));
    for id in &ids {
        world.until_ours(id, "CANCELED");
        assert_eq!(world.theirs(id)["status"], "CANCELED");
    }
}

#[test]
fn a_stop_is_set_off_by_the_last_price_and_one_that_would_be_at_once_is_refused() {
    let world = World::new();
    let buy = |stop: f64| {
        let stop = format!("{stop:.2}");
        let arguments = ["order", "buy", "BTCUSDT", "0.001", "--stop-price", &stop, "--json"];
        world.home.start(env!("CARGO_BIN_EXE_trading"), &arguments).wait()
    };
    let of_state = |state: &str| {
        let orders = look(&world.home, &["orders", "--all"]);
        let found = orders.as_array()?.iter().find(|order| order["state"] == state)?;
        assert_eq!(found["type"], "STOP_LOSS");
        Some(found.clone())
    };
    // The last price is above it.
    let refused = until("the venue refuses it", || {
        let (code, error) = buy(world.best("bids") * 0.99);
        (code == Some(1) && error.contains("the venue refused it")).then(|| of_state("REJECTED"))?
    });
    assert_eq!(refused["reject_code"], "VENUE");
    // One at the offer is set off by the next buyer, if the market does not go the other way first.
    let filled = until("one is set off", || {
        _ = buy(world.best("asks"));
        of_state("FILLED")
    });
    let there = world.theirs(filled["order_id"].as_str().expect("an id"));
    assert_eq!((&there["status"], &there["executedQty"]), (&json!("FILLED"), &json!("0.00100000")));
}

#[test]
fn a_cancel_that_the_venue_does_not_confirm_is_told_and_is_a_failure() {
    let mut world = World::new();
    let price = format!("{:.2}", world.best("bids") * 0.98);
    let order = json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001", "price": price, "valid_for_ms": 60_000});
    let id = world.place(&order);
    world.until_ours(&id, "OPEN");
    world.exchange.signal(Signal::STOP);
    for command in [&["cancel-all"][..], &["halt"], &["cancel", &id]] {
        let (code, error) = world.home.start(env!("CARGO_BIN_EXE_trading"), command).wait();
        assert_eq!(code, Some(1), "{command:?}: {error}");
        assert!(error.contains("the venue has not confirmed the cancel") && error.contains(&id), "{error}");
    }
    world.exchange.signal(Signal::CONT);
    // What it was asked meanwhile is too old for it: it has to be asked again, once there is a session again.
    until("a cancel is confirmed", || {
        let (code, _) = world.home.start(env!("CARGO_BIN_EXE_trading"), &["cancel-all"]).wait();
        (code == Some(0) && world.theirs(&id)["status"] == "CANCELED").then_some(())
    });
    world.until_ours(&id, "CANCELED");
}
