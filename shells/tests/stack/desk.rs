//! A desk that trades at a `simulated_exchange` over sockets, through port 5556, without strategies.

use serde_json::{Value, json};

use super::exchange::Exchange;
use super::{Client, Home, Process, Subscriber, endpoint, until};

/// An engine that trades at an exchange over sockets, and clients of both.
pub struct World {
    pub orders: Client,
    pub risk: Client,
    bbo: Subscriber,
    prices: u32,
    pub exchange: Exchange,
    _engine: Process,
    pub home: Home,
}

impl World {
    /// With nothing open.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// The same with more flags for the engine.
    pub fn with(more: &[&str]) -> Self {
        let home = Home::new();
        let exchange = Exchange::start(&home, &["--rate", "100", "--limits", "100"]);
        let flags = exchange.flags(false);
        let own = ["run", "--headless", "--for", "10m", "--strategy", "none"];
        let own = own.into_iter().chain(more.iter().copied());
        let all: Vec<&str> = own.chain(flags.iter().map(String::as_str)).collect();
        let engine = home.start(env!("CARGO_BIN_EXE_trading"), &all);
        let ports = home.ports();
        let context = zmq::Context::new();
        let mut orders = Client::connect(&context, &endpoint(&ports, "order_execution"));
        orders.done("subscribe", json!({}));
        let risk = Client::connect(&context, &endpoint(&ports, "risk_management"));
        let bbo = Subscriber::connect(&context, &endpoint(&ports, "market_data"), "bbo/BTCUSDT/");
        Self { orders, risk, bbo, prices: 0, exchange, _engine: engine, home }
    }

    /// A price of a buy that rests, and that risk lets through; each another one (C04).
    pub fn far(&mut self) -> String {
        self.prices += 1;
        let bid: f64 = self.bbo.receive().1["bid"].as_str().expect("a bid").parse().expect("a number");
        format!("{:.2}", bid * 0.98 - f64::from(self.prices))
    }

    /// An order of 0.01 that rests; its id.
    pub fn resting(&mut self) -> String {
        let order = json!({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": self.far(),
            "valid_for_ms": 60_000});
        let placed = self.let_through("order.place", &order);
        let id = placed["order_id"].as_str().expect("an id").to_owned();
        self.until_state(&id, "OPEN");
        id
    }

    /// A sell of 0.01 around the market, as a pair.
    pub fn around(&mut self) -> Value {
        let low: f64 = self.far().parse().expect("a number");
        // What was filled at the upper price has made that the last one.
        self.exchange.until_last_between(low, low / 0.98 * 1.01);
        let high = format!("{:.2}", low / 0.98 * 1.02);
        json!({"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "above_price": high,
            "below_stop_price": format!("{low:.2}"), "below_price": format!("{:.2}", low * 0.999),
            "valid_for_ms": 60_000})
    }

    /// Asks for a pair, which risk lets through; its ids.
    pub fn place_pair(&mut self, pair: &Value) -> [String; 2] {
        let placed = self.let_through("order.oco", pair);
        ["above_order_id", "below_order_id"].map(|key| placed[key].as_str().expect("an id").to_owned())
    }

    /// Asks until risk lets it through; the result.
    fn let_through(&mut self, op: &str, order: &Value) -> Value {
        until("it is let through", || {
            let reply = self.orders.ask(op, order.clone());
            let code = &reply["error"]["code"];
            let early = ["NO_REF", "STALE_MD", "LINK_DOWN", "HALTED"].iter().any(|early| code == early);
            assert!(early || reply["ok"] == true, "{reply}");
            (!early).then(|| reply["result"].clone())
        })
    }

    /// The order as we know it.
    pub fn ours(&mut self, id: &str) -> Value {
        self.orders.done("order.get", json!({ "order_id": id }))
    }

    /// The order as the exchange has it.
    pub fn theirs(&self, id: &str) -> Value {
        self.exchange.signed("/api/v3/order", &format!("symbol=BTCUSDT&origClientOrderId={id}"))
    }

    /// Waits until we know the order to be in `state`.
    pub fn until_state(&mut self, id: &str, state: &str) {
        until(&format!("{id} is {state}"), || (self.ours(id)["state"] == state).then_some(()));
    }

    /// Lets the exchange do wrong.
    pub fn wreak(&self, fault: &str) {
        self.exchange.admin("POST", &format!("/admin/faults?{fault}"));
    }
}
