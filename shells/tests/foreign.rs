//! What others have placed on the account: it stays, unless a person says that the venue shall cancel that too.

mod stack;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stack::desk::World;
use stack::until;

/// The name that somebody else gave to their order.
const THEIRS: &str = "by-hand";

/// Places an order of the same account past the engine.
fn by_hand(world: &mut World) {
    let price = world.far();
    let order = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price}&newClientOrderId={THEIRS}"
    );
    world.exchange.act("POST", "/api/v3/order", &order);
}

/// Client ids of what the account has open at the exchange.
fn open(world: &World) -> BTreeSet<String> {
    let orders = world.exchange.signed("/api/v3/openOrders", "symbol=BTCUSDT");
    let id = |order: &Value| order["clientOrderId"].as_str().expect("an id").to_owned();
    orders.as_array().expect("a list").iter().map(id).collect()
}

fn all() -> Value {
    json!({"symbol": "BTCUSDT", "foreign": true})
}

#[test]
fn only_who_asks_for_it_cancels_what_others_have_placed() {
    let mut world = World::new();
    let first = world.resting();
    by_hand(&mut world);
    world.orders.done("order.cancel_all", json!({"symbol": "BTCUSDT"}));
    world.until_state(&first, "CANCELED");
    assert_eq!(open(&world), BTreeSet::from([THEIRS.to_owned()]));

    let ours: BTreeSet<String> = (0..2).map(|_| world.resting()).collect();
    let swept = world.orders.done("order.cancel_all", all());
    let told: BTreeSet<String> = swept["canceled"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|id| id.as_str())
        .map(str::to_owned)
        .collect();
    assert_eq!((told, open(&world)), (ours.clone(), BTreeSet::new()));
    ours.iter().for_each(|id| world.until_state(id, "CANCELED"));
    assert_eq!(world.orders.done("order.cancel_all", all())["canceled"], json!([]), "nothing is open");
    for request in
        [json!({"foreign": true}), json!({"symbol": "BTCUSDT", "strategy": "client", "foreign": true})]
    {
        assert_eq!(world.orders.refused("order.cancel_all", request), "BAD_REQUEST");
    }

    by_hand(&mut world);
    let id = world.resting();
    let output =
        world.home.trading(&["cancel-all", "--symbol", "BTCUSDT", "--foreign"]).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((open(&world), world.ours(&id)["state"].as_str()), (BTreeSet::new(), Some("CANCELED")));
}

#[test]
fn what_becomes_of_each_is_known_although_the_answer_is_lost() {
    let mut world = World::new();
    let id = world.resting();
    world.wreak("fault=lost-ack&method=openOrders.cancelAll&count=1");
    assert_eq!(world.orders.refused("order.cancel_all", all()), "TIMEOUT");
    world.until_state(&id, "CANCELED");

    // The order's own event is lost: a question tells.
    let id = world.resting();
    world.wreak("fault=dropped-frame&stream=user&count=1");
    assert_eq!(world.orders.done("order.cancel_all", all())["canceled"], json!([id]));
    world.until_state(&id, "CANCELED");

    // The request is lost: the order rests on, and nobody sends it again.
    let id = world.resting();
    by_hand(&mut world);
    world.wreak("fault=lost-request&method=openOrders.cancelAll&count=1");
    assert_eq!(world.orders.refused("order.cancel_all", all()), "TIMEOUT");
    until("a question told that it rests on", || (world.ours(&id)["state"] == "OPEN").then_some(()));
    assert_eq!(open(&world), BTreeSet::from([THEIRS.to_owned(), id]));
}

#[test]
fn it_leaves_over_rest_while_there_is_no_session() {
    // Nothing new does, if it may not: no session comes back while this lasts, and nothing takes its place.
    let mut world = World::with(&["--orders-over-rest=no"]);
    let id = world.resting();
    by_hand(&mut world);
    world.wreak("fault=no-websocket-api");
    until("no session is left", || {
        let counters = stack::look(&world.home, &["counters"]);
        (counters["route"]["disconnects"].as_u64() > Some(0)).then_some(())
    });
    world.orders.done("order.cancel_all", all());
    assert_eq!(open(&world), BTreeSet::new());
    world.until_state(&id, "CANCELED");
    let order = json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": world.far()});
    assert_eq!(world.orders.ask("order.place", order)["ok"], false);
    let counters = stack::look(&world.home, &["counters"]);
    assert_eq!(counters["route"]["reconciled"], 1, "no session has come back meanwhile");
}
