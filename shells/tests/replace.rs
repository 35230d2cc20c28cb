//! Replacements from port 5556 to a `simulated_exchange` over sockets, in one request of the venue's, also when half of it
//! is refused or something is lost on the way.

mod stack;

use serde_json::{Value, json};
use stack::desk::World;
use stack::{look, until};

const METHOD: &str = "order.cancelReplace";

fn replace(world: &mut World, id: &str, price: &str) -> Value {
    world.orders.ask("order.replace", json!({"order_id": id, "price": price}))
}

fn new_id(reply: &Value) -> String {
    reply["result"]["order_id"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

/// What risk was asked to do to an order, in turn.
fn asked(world: &World, id: &str) -> Vec<&'static str> {
    let trace = look(&world.home, &["trace", id]);
    let steps = trace.as_array().unwrap_or_else(|| panic!("{trace}")).iter().map(ToString::to_string);
    let of = |step: String| {
        ["replace", "cancel"].into_iter().find(|verb| step.contains(&format!("decided to {verb} it")))
    };
    steps.filter_map(of).collect()
}

/// The only order that is open and is not `other`.
fn beside(world: &mut World, other: &str) -> String {
    let open = world.orders.done("orders.open", json!({}));
    let ids = open.as_array().expect("a list").iter().filter_map(|order| order["order_id"].as_str());
    let ids: Vec<&str> = ids.filter(|id| *id != other).collect();
    let [id] = ids[..] else { panic!("{open}") };
    id.to_owned()
}

#[test]
fn one_request_replaces_an_order_whatever_is_lost() {
    let mut world = World::new();
    let first = world.resting();
    let price = world.far();
    let reply = replace(&mut world, &first, &price);
    let second = new_id(&reply);
    world.until_state(&first, "CANCELED");
    world.until_state(&second, "OPEN");
    assert_eq!(
        (&world.theirs(&first)["status"], &world.theirs(&second)["status"]),
        (&json!("CANCELED"), &json!("NEW"))
    );
    assert_eq!(world.ours(&second)["price"].as_str().map(|price| price.parse::<f64>()), Some(price.parse()));
    assert_eq!(asked(&world, &first), ["replace"]);

    // The answer is lost, or says nothing: reports and questions tell.
    world.wreak(&format!("fault=lost-ack&method={METHOD}&count=1"));
    let price = world.far();
    let third = new_id(&replace(&mut world, &second, &price));
    world.wreak(&format!("fault=unexpected-response&method={METHOD}&count=1"));
    let price = world.far();
    let reply = replace(&mut world, &third, &price);
    let fourth = beside(&mut world, &third);
    assert!(reply["ok"] == true || reply["error"]["code"] == "TIMEOUT", "{reply}");
    world.until_state(&third, "CANCELED");
    world.until_state(&fourth, "OPEN");

    // The request is lost: the one rests on, the other proves never to have been, and nothing is sent again.
    world.wreak(&format!("fault=lost-request&method={METHOD}&count=1"));
    let price = world.far();
    let reply = replace(&mut world, &fourth, &price);
    assert_eq!(reply["error"]["code"], "TIMEOUT", "{reply}");
    let fifth = beside(&mut world, &fourth);
    world.until_state(&fourth, "OPEN");
    world.until_state(&fifth, "NEVER_PLACED");
    assert_eq!((asked(&world, &fourth), &world.theirs(&fourth)["status"]), (vec!["replace"], &json!("NEW")));
}

#[test]
fn half_of_it_is_known_for_what_it_is() {
    let mut world = World::new();
    // A maker that would take is refused after the cancel.
    let order = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01",
        "price": world.far(), "valid_for_ms": 60_000});
    world.resting();
    let maker = world.orders.done("order.place", order)["order_id"].as_str().expect("an id").to_owned();
    world.until_state(&maker, "OPEN");
    let crossing: f64 = world.far().parse::<f64>().expect("a number") / 0.98 * 1.005;
    let reply = replace(&mut world, &maker, &format!("{crossing:.0}"));
    assert_eq!(reply["error"]["code"], "VENUE", "{reply}");
    world.until_state(&maker, "CANCELED");
    assert_eq!(world.theirs(&maker)["status"], "CANCELED");

    // A fill that we had not heard of when it left keeps the order, and the new one is not attempted.
    let id = world.resting();
    let venue_id = world.theirs(&id)["orderId"].clone();
    world.wreak("fault=dropped-frame&stream=user&count=2");
    world.exchange.admin("POST", &format!("/admin/fill?order={venue_id}&quantity=0.004"));
    let price = world.far();
    let reply = replace(&mut world, &id, &price);
    assert_eq!(reply["error"]["code"], "VENUE", "{reply}");
    world.until_state(&id, "PARTIAL");
    assert_eq!(
        (world.ours(&id)["filled"].as_str(), world.theirs(&id)["status"].as_str()),
        (Some("0.004"), Some("PARTIALLY_FILLED"))
    );

    // Now that something is filled, one is cancelled and then the rest is placed.
    let price = world.far();
    let rest = new_id(&replace(&mut world, &id, &price));
    world.until_state(&id, "CANCELED");
    world.until_state(&rest, "OPEN");
    assert_eq!(world.ours(&rest)["quantity"], "0.006");
    assert_eq!(asked(&world, &id), ["replace", "cancel"]);
}

#[test]
fn what_risk_refuses_because_both_count_is_done_in_turn_unless_it_grows() {
    let mut world = World::new();
    let id = world.resting();
    // Room for this order, and not for two of them.
    let value =
        world.theirs(&id)["price"].as_str().expect("a price").parse::<f64>().expect("a number") * 0.01;
    let limit = json!({"key": "BTCUSDT.max_position_value", "value": format!("{:.0}", value * 1.5)});
    world.risk.done("limits.set", limit);
    let larger = world.orders.ask("order.replace", json!({"order_id": id, "quantity": "0.012"}));
    assert_eq!(larger["error"]["code"], "MAX_POS", "{larger}");
    assert_eq!(world.ours(&id)["state"], "OPEN", "it rests on");
    let price = world.far();
    let next = new_id(&replace(&mut world, &id, &price));
    world.until_state(&id, "CANCELED");
    until("the other rests", || (world.ours(&next)["state"] == "OPEN").then_some(()));
    assert_eq!(asked(&world, &id), ["replace", "replace", "cancel"]);
}
