//! Amendments from port 5556 to a `simulated_exchange` over sockets and back, also when something is lost on the way.

mod stack;

use serde_json::{Value, json};
use stack::exchange::Exchange;
use stack::{Client, Home, Subscriber, endpoint, until};

/// An engine that trades at an exchange over sockets, and clients of both.
struct World {
    orders: Client,
    bbo: Subscriber,
    exchange: Exchange,
    _engine: stack::Process,
    _home: Home,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let exchange = Exchange::start(&home, &["--rate", "100", "--limits", "100"]);
        let flags = exchange.flags(false);
        let own = ["run", "--headless", "--for", "10m", "--strategy", "none"];
        let all: Vec<&str> = own.into_iter().chain(flags.iter().map(String::as_str)).collect();
        let engine = home.start(env!("CARGO_BIN_EXE_trading"), &all);
        let ports = home.ports();
        let context = zmq::Context::new();
        let mut orders = Client::connect(&context, &endpoint(&ports, "order_execution"));
        orders.done("subscribe", json!({}));
        let bbo = Subscriber::connect(&context, &endpoint(&ports, "market_data"), "bbo/BTCUSDT/");
        Self { orders, bbo, exchange, _engine: engine, _home: home }
    }

    /// An order of 0.01 that rests; its id.
    fn resting(&mut self) -> String {
        let bid: f64 = self.bbo.receive().1["bid"].as_str().expect("a bid").parse().expect("a number");
        let order = json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": format!("{:.2}", bid * 0.98),
            "valid_for_ms": 60_000});
        let id = until("an order is let through", || {
            let reply = self.orders.ask("order.place", order.clone());
            let code = &reply["error"]["code"];
            let early = ["NO_REF", "STALE_MD", "LINK_DOWN", "HALTED"].iter().any(|early| code == early);
            assert!(early || reply["ok"] == true, "{reply}");
            (!early).then(|| reply["result"]["order_id"].as_str().expect("an id").to_owned())
        });
        until("it is open", || (self.ours(&id)["state"] == "OPEN").then_some(()));
        id
    }

    fn ours(&mut self, id: &str) -> Value {
        self.orders.done("order.get", json!({ "order_id": id }))
    }

    /// The order as the exchange has it.
    fn theirs(&self, id: &str) -> Value {
        self.exchange.signed("/api/v3/order", &format!("symbol=BTCUSDT&origClientOrderId={id}"))
    }

    fn amend(&mut self, id: &str, quantity: &str) -> Value {
        self.orders.ask("order.amend", json!({"order_id": id, "quantity": quantity}))
    }

    fn wreak(&self, fault: &str) {
        self.exchange.admin("POST", &format!("/admin/faults?{fault}"));
    }
}

#[test]
fn an_order_is_amended_in_place_whatever_is_lost() {
    let mut world = World::new();
    let id = world.resting();
    let before = world.theirs(&id);
    let reply = world.amend(&id, "0.008");
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
    assert_eq!(world.amend(&id, "0.007")["ok"], true);
    // The report is lost: a question tells, and the port has given up waiting by then or not.
    world.wreak("fault=dropped-frame&stream=user&count=1");
    let reply = world.amend(&id, "0.006");
    assert!(reply["ok"] == true || reply["error"]["code"] == "TIMEOUT", "{reply}");
    until("a question tells", || (world.ours(&id)["quantity"] == "0.006").then_some(()));
    assert_eq!(world.theirs(&id)["origQty"], "0.00600000");
    // The request is lost: what it would have freed stays counted, and it is not sent again.
    world.wreak("fault=lost-request&method=order.amend.keepPriority&count=1");
    let reply = world.amend(&id, "0.005");
    assert_eq!(reply["error"]["code"], "TIMEOUT", "{reply}");
    assert_eq!(
        (world.ours(&id)["quantity"].as_str(), world.theirs(&id)["origQty"].as_str()),
        (Some("0.006"), Some("0.00600000"))
    );
    world.orders.done("order.cancel", json!({ "order_id": id }));
    until("it is cancelled", || (world.theirs(&id)["status"] == "CANCELED").then_some(()));
    until("we know it", || (world.ours(&id)["state"] == "CANCELED").then_some(()));
}
