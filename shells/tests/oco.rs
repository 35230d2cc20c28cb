//! Pairs of orders of which one cancels the other, from port 5556 and the command line to a `simulated_exchange` over sockets,
//! also when something is refused or lost on the way.

mod stack;

use serde_json::{Value, json};
use stack::desk::World;
use stack::{look, until};

const METHOD: &str = "orderList.place.oco";

/// A pair of which both rest; its ids.
fn rest(world: &mut World) -> [String; 2] {
    let pair = world.around();
    let ids = world.place_pair(&pair);
    ids.iter().for_each(|id| world.until_state(id, "OPEN"));
    ids
}

fn their_states(world: &World, ids: &[String; 2]) -> [Value; 2] {
    [0, 1].map(|leg| world.theirs(&ids[leg])["status"].clone())
}

/// The exchange has never had them.
fn never_there(world: &World, ids: &[String; 2]) {
    let all = world.exchange.signed("/api/v3/allOrders", "symbol=BTCUSDT&limit=1000").to_string();
    assert!(ids.iter().all(|id| !all.contains(&format!("\"{id}\""))), "{ids:?} in {all}");
}

/// Waits until both are known to have ended so, and the exchange says the same.
fn until_both(world: &mut World, ids: &[String; 2], states: [&str; 2]) {
    ids.iter().zip(states).for_each(|(id, state)| world.until_state(id, state));
    assert_eq!(their_states(world, ids), states.map(Value::from));
}

#[test]
fn one_request_places_both_and_what_ends_one_ends_the_other() {
    let mut world = World::new();
    let ids = rest(&mut world);
    let [above, below] = [0, 1].map(|leg| world.theirs(&ids[leg]));
    assert_eq!((&above["type"], &below["type"]), (&json!("LIMIT_MAKER"), &json!("STOP_LOSS_LIMIT")));
    assert!(above["orderListId"].as_i64().is_some_and(|list| list > 0), "{above}");
    assert_eq!(above["orderListId"], below["orderListId"]);
    // Risk counts one of them.
    let exposure = world.risk.done("risk.state", json!({}));
    assert_eq!(exposure["open_orders"], 2, "{exposure}");
    // Neither is changed alone, not in turn either.
    for id in &ids {
        for (op, code) in [("order.replace", "NO_REPLACE"), ("order.amend", "KEEP_PRIORITY")] {
            let reply = world.orders.ask(op, json!({"order_id": id, "quantity": "0.008"}));
            assert_eq!(reply["error"]["code"], code, "{reply}");
        }
    }
    assert_eq!(their_states(&world, &ids), ["NEW", "NEW"].map(Value::from));

    // A part of one is filled: the venue expires the other.
    world.exchange.admin("POST", &format!("/admin/fill?order={}&quantity=0.004", above["orderId"]));
    world.until_state(&ids[1], "EXPIRED");
    world.until_state(&ids[0], "PARTIAL");
    assert_eq!(their_states(&world, &ids), ["PARTIALLY_FILLED", "EXPIRED"].map(Value::from));
    world.exchange.admin("POST", &format!("/admin/fill?order={}", above["orderId"]));
    until_both(&mut world, &ids, ["FILLED", "EXPIRED"]);

    // The cancel of one is the cancel of both.
    for leg in [0, 1] {
        let ids = rest(&mut world);
        world.orders.done("order.cancel", json!({"order_id": ids[leg]}));
        until_both(&mut world, &ids, ["CANCELED"; 2]);
        let trace = look(&world.home, &["trace", &ids[1 - leg]]).to_string();
        assert!(trace.contains("decided on it") && !trace.contains("decided to cancel it"), "{trace}");
    }
    // One of a pair is not changed alone.
    let ids = rest(&mut world);
    let smaller = json!({"order_id": ids[0], "quantity": "0.005"});
    assert_eq!(world.orders.refused("order.amend", smaller), "KEEP_PRIORITY");
    world.orders.done("order.cancel_all", json!({}));
    until_both(&mut world, &ids, ["CANCELED"; 2]);
}

#[test]
fn whatever_is_lost_both_are_known_for_what_they_are_and_nothing_is_sent_again() {
    let mut world = World::new();
    world.wreak(&format!("fault=lost-ack&method={METHOD}&count=1"));
    let acknowledged = rest(&mut world);
    world.wreak(&format!("fault=unexpected-response&method={METHOD}&count=1"));
    let unsaid = rest(&mut world);
    // Neither an answer nor a report: questions tell.
    world.wreak(&format!("fault=lost-ack&method={METHOD}&count=1"));
    world.wreak("fault=dropped-frame&stream=user&count=4");
    let silent = rest(&mut world);
    world.exchange.admin("DELETE", "/admin/faults");
    world.wreak(&format!("fault=disconnect&method={METHOD}&bytes=17&count=1"));
    let cut = world.around();
    let cut = world.place_pair(&cut);
    world.wreak(&format!("fault=lost-request&method={METHOD}&count=1"));
    let pair = world.around();
    let lost = world.place_pair(&pair);
    lost.iter().for_each(|id| world.until_state(id, "NEVER_PLACED"));
    never_there(&world, &lost);
    // Cut off while it was asked: both live, or neither.
    let ended = |state: &Value| ["OPEN", "NEVER_PLACED"].iter().any(|end| state == end);
    let states = until("what was cut off is known", || {
        let states = [0, 1].map(|leg| world.ours(&cut[leg])["state"].clone());
        states.iter().all(ended).then_some(states)
    });
    assert_eq!(states[0], states[1]);
    for ids in [&acknowledged, &unsaid, &silent] {
        until_both_rest(&mut world, ids);
    }
}

fn until_both_rest(world: &mut World, ids: &[String; 2]) {
    ids.iter().for_each(|id| world.until_state(id, "OPEN"));
    assert_eq!(their_states(world, ids), ["NEW"; 2].map(Value::from));
}

#[test]
fn a_refusal_and_a_halt_reach_both() {
    let mut world = World::new();
    // The upper one would trade at once, which only the venue can say.
    let mut pair = world.around();
    let below: f64 = pair["below_stop_price"].as_str().expect("a price").parse().expect("a number");
    pair["above_price"] = json!(format!("{:.2}", below / 0.98 * 0.995));
    let ids = world.place_pair(&pair);
    for id in &ids {
        world.until_state(id, "REJECTED");
        assert_eq!(world.ours(id)["reject_code"], "VENUE");
    }
    never_there(&world, &ids);
    // What is no pair is refused before it, each field by its name.
    let wrong = json!({"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "above_price": "1"});
    let pair = world.around();
    let text = |key: &str| pair[key].as_str().expect("text").to_owned();
    let [above, stop, limit] = ["above_price", "below_stop_price", "below_price"].map(text);
    let with = |more: Value| {
        let mut spoiled = pair.clone();
        spoiled.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        spoiled
    };
    for (request, reason) in [
        (wrong, "below_stop_price: missing"),
        (with(json!({"side": "BUY", "above_type": "LIMIT_MAKER"})), "above_type: LIMIT_MAKER: of a BUY"),
        (
            with(json!({"above_price": stop, "below_stop_price": above})),
            "above_price: it is not above below_stop_price",
        ),
        (with(json!({"below_price": "x"})), "below_price: \"x\""),
    ] {
        let reply = world.orders.ask("order.oco", request);
        assert_eq!(reply["error"]["code"], "BAD_REQUEST", "{reply}");
        let message = reply["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(reason), "{reason}: {reply}");
    }

    // By the command line, and halted.
    let placed = look(
        &world.home,
        &[
            "order",
            "oco",
            "sell",
            "BTCUSDT",
            "0.01",
            "--above-price",
            &above,
            "--below-stop-price",
            &stop,
            "--below-price",
            &limit,
            "--valid-for",
            "60s",
        ],
    );
    let ids = [0, 1].map(|leg| placed[leg]["order_id"].as_str().expect("an id").to_owned());
    assert_eq!((&placed[0]["type"], &placed[1]["type"]), (&json!("LIMIT_MAKER"), &json!("STOP_LOSS_LIMIT")));
    until_both_rest(&mut world, &ids);
    let halted = world.home.trading(&["halt", "--reason", "a test"]).status().expect("the binary runs");
    assert!(halted.success());
    until_both(&mut world, &ids, ["CANCELED"; 2]);
}
