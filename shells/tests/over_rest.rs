//! `trading run` at a `simulated_exchange` whose WebSocket API goes down and comes back: meanwhile everything goes over REST,
//! and at the end the exchange's own books equal ours.

mod stack;

use serde_json::{Value, json};
use stack::books::Books;
use stack::desk::World;
use stack::{look, until};

/// How often what happened without a connection has been settled.
fn settled(world: &World) -> u64 {
    look(&world.home, &["counters"])["route"]["reconciled"].as_u64().unwrap_or(0)
}

/// Takes the WebSocket API down, and waits until REST stands in.
fn down(world: &World) {
    let before = settled(world);
    world.wreak("fault=no-websocket-api");
    until("REST stands in", || (settled(world) > before).then_some(()));
    assert_eq!(look(&world.home, &["counters"])["route"]["stood_in"], 1);
}

/// Brings it back, and waits until it has taken over.
fn back(world: &World) {
    let before = settled(world);
    world.exchange.admin("DELETE", "/admin/faults");
    until("a session has taken over", || (settled(world) > before).then_some(()));
    assert_eq!(look(&world.home, &["counters"])["route"]["stood_in"], 0);
}

/// The books of both sides, once nothing is open.
fn compare(world: &mut World) {
    world.orders.done("order.cancel_all", json!({}));
    until("nothing is open", || {
        let open = world.exchange.signed("/api/v3/openOrders", "");
        let ours = world.orders.done("orders.open", json!({}));
        (open == json!([]) && ours == json!([])).then_some(())
    });
    let theirs = Books::of_exchange(&world.exchange, &["BTCUSDT"]);
    let ours = Books::of_journals(&world.home);
    assert!(!ours.fills.is_empty());
    assert_eq!(theirs.differences(&ours), Vec::<String>::new());
}

/// The market trades with an order.
fn fill(world: &World, id: &str, quantity: &str) {
    let order = world.theirs(id)["orderId"].clone();
    world.exchange.admin("POST", &format!("/admin/fill?order={order}&quantity={quantity}"));
}

fn id_of(reply: &Value) -> String {
    reply["result"]["order_id"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

#[test]
fn everything_goes_over_rest_until_the_session_is_back() {
    let mut world = World::new();
    let before = world.resting();
    down(&world);
    // What stood before is filled meanwhile.
    fill(&world, &before, "0.01");
    world.until_state(&before, "FILLED");

    let pair = world.around();
    let pair = world.place_pair(&pair);
    pair.iter().for_each(|id| world.until_state(id, "OPEN"));
    fill(&world, &pair[0], "0.01");
    world.until_state(&pair[0], "FILLED");
    world.until_state(&pair[1], "EXPIRED");

    let id = world.resting();
    fill(&world, &id, "0.004");
    world.until_state(&id, "PARTIAL");
    world.orders.done("order.amend", json!({"order_id": id, "quantity": "0.008"}));
    until("it is amended", || (world.ours(&id)["quantity"] == "0.008").then_some(()));
    fill(&world, &id, "0.004");
    world.until_state(&id, "FILLED");

    let cancelled = world.resting();
    world.orders.done("order.cancel", json!({ "order_id": cancelled }));
    world.until_state(&cancelled, "CANCELED");

    let first = world.resting();
    let price = world.far();
    let second = id_of(&world.orders.ask("order.replace", json!({"order_id": first, "price": price})));
    world.until_state(&first, "CANCELED");
    world.until_state(&second, "OPEN");

    let market = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"});
    let market = id_of(&world.orders.ask("order.place", market));
    world.until_state(&market, "FILLED");

    back(&world);
    fill(&world, &second, "0.01");
    world.until_state(&second, "FILLED");
    let after = world.resting();
    assert_eq!(world.theirs(&after)["status"], "NEW");
    compare(&mut world);
}

#[test]
fn an_answer_that_is_lost_over_rest_is_asked_for_and_nothing_is_sent_again() {
    let mut world = World::new();
    world.resting();
    down(&world);
    for (fault, end) in [
        ("lost-ack", "OPEN"),
        ("disconnect&bytes=17", "OPEN"),
        ("unexpected-response", "OPEN"),
        ("lost-request", "NEVER_PLACED"),
    ] {
        get_through(&mut world);
        world.wreak(&format!("fault={fault}&method=order.place&count=1"));
        let before = world.orders.done("orders.open", json!({}));
        let order = json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": world.far(),
            "valid_for_ms": 60_000});
        let reply = world.orders.ask("order.place", order);
        let known = |list: &Value, id: &Value| {
            list.as_array().expect("a list").iter().any(|order| order["order_id"] == *id)
        };
        let id = until(&format!("{fault}: it is known: {reply}"), || {
            let open = world.orders.done("orders.open", json!({}));
            let new = open.as_array()?.iter().map(|order| &order["order_id"]);
            new.filter(|id| !known(&before, id)).find_map(|id| id.as_str().map(str::to_owned))
        });
        let trace = look(&world.home, &["trace", &id]).to_string();
        world.until_state(&id, end);
        assert!(
            trace.contains("UNKNOWN") || look(&world.home, &["trace", &id]).to_string().contains("UNKNOWN"),
            "{trace}"
        );
    }
    get_through(&mut world);
    let id = world.resting();
    fill(&world, &id, "0.01");
    world.until_state(&id, "FILLED");
    back(&world);
    compare(&mut world);
}

/// Waits until orders get through: behind one whose answer does not come they are refused.
fn get_through(world: &mut World) {
    until("an order gets through", || {
        let order = json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": world.far(),
            "valid_for_ms": 60_000});
        let reply = world.orders.ask("order.place", order);
        let id = reply["result"]["order_id"].as_str()?;
        let state = until(&format!("{id} is answered"), || {
            let state = world.ours(id)["state"].clone();
            (state == "OPEN" || state == "REJECTED").then_some(state)
        });
        (state == "OPEN").then_some(())
    });
}
