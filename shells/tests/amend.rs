//! Amendments from port 5556 to a `simulated_exchange` over sockets and back, also when something is lost on the way.

mod stack;

use serde_json::{Value, json};
use stack::desk::World;
use stack::until;

fn amend(world: &mut World, id: &str, quantity: &str) -> Value {
    world.orders.ask("order.amend", json!({"order_id": id, "quantity": quantity}))
}

#[test]
fn an_order_is_amended_in_place_whatever_is_lost() {
    let mut world = World::new();
    let id = world.resting();
    let before = world.theirs(&id);
    let reply = amend(&mut world, &id, "0.008");
    assert_eq!(reply["ok"], true, "{reply}");
    let after = world.theirs(&id);
    assert_eq!((&after["orderId"], &after["origQty"]), (&before["orderId"], &"0.00800000".into()));
    assert_eq!(world.ours(&id)["quantity"], "0.008");
    assert_eq!(
        world.orders.refused("order.amend", json!({"order_id": id, "quantity": "0.009"})),
        "KEEP_PRIORITY"
    );

    // The answer is lost: the report tells.
    world.wreak("fault=lost-ack&method=order.amend.keepPriority&count=1");
    assert_eq!(amend(&mut world, &id, "0.007")["ok"], true);
    // The report is lost: a question tells, and the port has given up waiting by then or not.
    world.wreak("fault=dropped-frame&stream=user&count=1");
    let reply = amend(&mut world, &id, "0.006");
    assert!(reply["ok"] == true || reply["error"]["code"] == "TIMEOUT", "{reply}");
    until("a question tells", || (world.ours(&id)["quantity"] == "0.006").then_some(()));
    assert_eq!(world.theirs(&id)["origQty"], "0.00600000");
    // The request is lost: what it would have freed stays counted, and it is not sent again.
    world.wreak("fault=lost-request&method=order.amend.keepPriority&count=1");
    let reply = amend(&mut world, &id, "0.005");
    assert_eq!(reply["error"]["code"], "TIMEOUT", "{reply}");
    assert_eq!(
        (world.ours(&id)["quantity"].as_str(), world.theirs(&id)["origQty"].as_str()),
        (Some("0.006"), Some("0.00600000"))
    );
    world.orders.done("order.cancel", json!({ "order_id": id }));
    until("it is cancelled", || (world.theirs(&id)["status"] == "CANCELED").then_some(()));
    until("we know it", || (world.ours(&id)["state"] == "CANCELED").then_some(()));
}
