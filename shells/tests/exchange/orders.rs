//! Our own order entry as a client of the exchange, over sockets, plain and TLS, with both kinds of key.

use std::io::Write;
use std::sync::Arc;

use engine::domain::{Instruments, Market, OrderId, Price, Quantity, Side, SourceId};
use engine::message::report::OrderState;
use engine::venue::binance::exchange_info;
use engine::venue::{OrderEntry, Question, VenueEvent, VenueEventKind};
use serde_json::Value;
use shells::binance::{BinanceEntry, Endpoints, Signer};
use shells::config::{Credentials, Secret};
use shells::transport::TlsTrust;

use crate::support::{Exchange, deadline, now};

/// The entry, and everything that it has told.
pub struct Desk {
    pub entry: BinanceEntry,
    told: Vec<VenueEvent>,
}

impl Desk {
    pub fn open(exchange: &Exchange, key: &str, secret: &str, secure: bool) -> Self {
        Self::open_at(exchange, key, secret, secure, |endpoints| endpoints)
    }

    /// Where `moved` says.
    pub fn open_at(
        exchange: &Exchange,
        key: &str,
        secret: &str,
        secure: bool,
        moved: impl FnOnce(Endpoints) -> Endpoints,
    ) -> Self {
        let info = exchange.http("GET", "/api/v3/exchangeInfo", "", "").2.to_string();
        let table = exchange_info::instruments(info.as_bytes(), Market::Spot).expect("instruments");
        let instruments = Arc::new(Instruments::new(table).expect("a table"));
        let text = |name: &str| exchange.keys[key][name].as_str().expect("a key").to_owned();
        let credentials =
            Credentials { key: Secret::new(text("api_key")), secret: Secret::new(text(secret)) };
        let signer = Arc::new(Signer::new(&credentials).expect("a key"));
        let port = exchange.running.address.port();
        let base = if secure { format!("wss://localhost:{port}") } else { format!("ws://127.0.0.1:{port}") };
        let endpoints = moved(Endpoints::at(&base).expect("a place"));
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(exchange.running.certificate.as_bytes()).expect("written");
        let trust = TlsTrust::file(file.path()).expect("a certificate");
        let entry = BinanceEntry::new(&endpoints, &trust, signer, instruments, 1).expect("a reactor");
        Self { entry, told: Vec::new() }
    }

    /// Polls until something is told that `wanted` says yes to; gives what was told from the last such on.
    pub fn until(&mut self, wanted: impl Fn(&VenueEvent) -> bool) -> VenueEvent {
        let deadline = deadline();
        while now() < deadline {
            if let Some(event) = self.entry.poll(now()) {
                self.told.push(event);
                if wanted(&event) {
                    return event;
                }
            } else {
                std::thread::yield_now();
            }
        }
        panic!("it never came; told were {:?}", self.told);
    }

    pub fn until_kind(&mut self, kind: VenueEventKind) -> VenueEvent {
        self.until(|event| event.kind == kind)
    }

    fn traded(&self, wanted: impl Fn(&VenueEvent) -> bool) -> i64 {
        let quantity = |event: &VenueEvent| match event.kind {
            VenueEventKind::Trade { quantity, .. } if wanted(event) => quantity.0,
            _ => 0,
        };
        self.told.iter().map(quantity).sum()
    }
}

pub fn id(sequence: u64) -> OrderId {
    OrderId { epoch: 1, source: SourceId(2), source_epoch: 1, sequence }
}

/// Nobody speaks the WebSocket API there.
pub fn without_a_session(endpoints: Endpoints) -> Endpoints {
    Endpoints { ws_api: endpoints.streams.join("/nothing"), ..endpoints }
}

fn is_state(event: &VenueEvent, wanted: OrderState) -> bool {
    matches!(event.kind, VenueEventKind::QueryState { state, .. } if state == wanted)
}

fn place(exchange: &Exchange, order: OrderId, rest: &str) {
    let params = format!("symbol=BTCUSDT&newClientOrderId={order}&{rest}");
    let (status, _, body) = exchange.signed("POST", "/api/v3/order", &params);
    assert_eq!(status, 200, "{body}");
}

#[test]
fn the_account_tells_and_answers_over_either_key_and_wire() {
    for (key, secret, secure) in
        [("hmac", "secret", false), ("ed25519", "private_key", false), ("ed25519", "private_key", true)]
    {
        let exchange = Exchange::start(&[]);
        let mut desk = Desk::open(&exchange, key, secret, secure);
        assert!(desk.entry.ask(Question::OpenOrders, now()).is_err(), "nothing leaves before the session");
        desk.until_kind(VenueEventKind::Connected);
        desk.entry.ask(Question::OpenOrders, now()).expect("asked");
        desk.until_kind(VenueEventKind::OpenOrdersTold);
        assert_eq!(desk.told.len(), 2, "{:?}", desk.told);

        // One that fills at once, one that rests, and one of somebody else.
        place(&exchange, id(1), "side=BUY&type=MARKET&quantity=0.01");
        desk.until(|event| matches!(event.kind, VenueEventKind::Trade { .. }) && event.cumulative.0 > 0);
        let (bid, _) = exchange.top("BTCUSDT");
        let resting = format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={:.2}", bid * 0.9);
        place(&exchange, id(2), &resting);
        desk.until(|event| event.kind == VenueEventKind::Accepted && event.id == id(2));
        let foreign = format!("symbol=BTCUSDT&newClientOrderId=web_1&{resting}");
        assert_eq!(exchange.signed("POST", "/api/v3/order", &foreign).0, 200);

        desk.entry.query(0, id(1), now()).expect("asked");
        let filled = desk.until(|event| is_state(event, OrderState::Filled));
        let traded = desk.traded(|event| event.id == id(1));
        assert_eq!((filled.id, filled.cumulative.0, traded > 0), (id(1), traded, true));
        desk.told.clear();
        let venue_order_id = filled.venue_order_id;
        let of = Question::TradesOf { instrument: 0, id: id(1), venue_order_id, trade_id: 0 };
        desk.entry.ask(of, now()).expect("asked");
        desk.until_kind(VenueEventKind::TradesTold);
        assert_eq!(desk.traded(|event| event.id == id(1)), filled.cumulative.0);
        let trade_id = |event: &VenueEvent| match event.kind {
            VenueEventKind::Trade { trade_id, .. } => Some(trade_id),
            _ => None,
        };
        let last = desk.told.iter().filter_map(trade_id).max().expect("a trade");
        for (first, trades) in [(last, 1), (last + 1, 0)] {
            desk.told.clear();
            let rest = Question::TradesOf { instrument: 0, id: id(1), venue_order_id, trade_id: first };
            desk.entry.ask(rest, now()).expect("asked");
            desk.until_kind(VenueEventKind::TradesTold);
            assert_eq!(desk.told.iter().filter_map(trade_id).count(), trades, "from {first} of {last} on");
        }
        desk.told.clear();
        desk.entry.ask(Question::TradesFrom { instrument: 0, trade_id: 1 }, now()).expect("asked");
        desk.until_kind(VenueEventKind::TradesTold);
        let same = |event: &VenueEvent| event.venue_order_id == filled.venue_order_id;
        assert_eq!(desk.traded(same), filled.cumulative.0);

        desk.told.clear();
        desk.entry.ask(Question::OpenOrders, now()).expect("asked");
        desk.until_kind(VenueEventKind::OpenOrdersTold);
        let [ours, theirs] = desk.told[..2] else { panic!("{:?}", desk.told) };
        let wanted = VenueEventKind::OpenOrder {
            state: OrderState::Open,
            side: Side::Buy,
            price: Price((bid * 90.0).round() as i64 * 1_000_000),
            quantity: Quantity(1_000_000),
        };
        assert_eq!((ours.id, ours.kind), (id(2), wanted));
        assert_eq!((theirs.id, is_state(&theirs, OrderState::Open)), (OrderId::NONE, true));

        desk.entry.query(0, id(9), now()).expect("asked");
        let unknown = desk.until_kind(VenueEventKind::QueryNotFound);
        assert_eq!((unknown.id, unknown.instrument), (id(9), 0));
        assert_eq!(desk.entry.unreadable(), 0);
    }
}

#[test]
fn an_amended_order_keeps_both_of_its_ids() {
    let exchange = Exchange::start(&[]);
    let mut desk = Desk::open(&exchange, "ed25519", "private_key", false);
    desk.until_kind(VenueEventKind::Connected);
    let (bid, _) = exchange.top("BTCUSDT");
    let resting = format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={:.2}", bid * 0.9);
    place(&exchange, id(1), &resting);
    let before = desk.until(|event| event.kind == VenueEventKind::Accepted);
    let amend = |quantity: &str| {
        let params =
            format!("symbol=BTCUSDT&origClientOrderId={0}&newClientOrderId={0}&newQty={quantity}", id(1));
        exchange.signed("PUT", "/api/v3/order/amend/keepPriority", &params)
    };
    assert_eq!(amend("0.006").0, 200);
    let amended = desk.until(|event| matches!(event.kind, VenueEventKind::Amended { .. }));
    assert_eq!((amended.id, amended.venue_order_id), (id(1), before.venue_order_id));
    let VenueEventKind::Amended { quantity } = amended.kind else { unreachable!("it was waited for") };
    desk.entry.query(0, id(1), now()).expect("asked");
    desk.until_kind(VenueEventKind::QueryState { state: OrderState::Open, quantity });
    assert_eq!(amend("0.006").0, 400, "it would not lower the quantity");
    let cancel = format!("symbol=BTCUSDT&origClientOrderId={}", id(1));
    assert_eq!(exchange.signed("DELETE", "/api/v3/order", &cancel).0, 200);
    desk.until(|event| event.kind == VenueEventKind::Canceled && event.id == id(1));
}

#[test]
fn the_next_session_takes_over_before_the_last_one_ends() {
    let exchange = Exchange::start(&[]);
    let mut desk = Desk::open(&exchange, "ed25519", "private_key", false);
    desk.until_kind(VenueEventKind::Connected);
    assert_eq!(exchange.operator("POST", "/admin/announce-shutdown").0, 200);
    for sessions in 1..=3 {
        let deadline = deadline();
        while desk.entry.session().replaced() < sessions {
            assert!(now() < deadline, "no session took over; told were {:?}", desk.told);
            desk.told.extend(desk.entry.poll(now()));
        }
        place(&exchange, id(sessions), "side=BUY&type=MARKET&quantity=0.01");
        desk.until(|event| matches!(event.kind, VenueEventKind::Trade { .. }) && event.id == id(sessions));
        // The next ones because a connection is old.
        desk.entry.live_for(engine::domain::Nanos::from_millis(300));
    }
    assert!(desk.told.iter().all(|event| event.kind != VenueEventKind::Disconnected), "{:?}", desk.told);
}

#[test]
fn a_session_that_is_cut_is_followed_by_a_new_one() {
    let exchange = Exchange::start(&[]);
    let mut desk = Desk::open(&exchange, "ed25519", "private_key", false);
    desk.until_kind(VenueEventKind::Connected);
    assert_eq!(exchange.operator("POST", "/admin/faults?fault=day-cut").0, 200);
    desk.until_kind(VenueEventKind::Disconnected);
    desk.until_kind(VenueEventKind::Connected);
    place(&exchange, id(1), "side=BUY&type=MARKET&quantity=0.01");
    desk.until(|event| matches!(event.kind, VenueEventKind::Trade { .. }) && event.id == id(1));
}

#[test]
fn without_a_session_an_order_is_cancelled_and_asked_for_over_rest() {
    let exchange = Exchange::start(&[]);
    for (key, secret, secure) in [("ed25519", "private_key", false), ("hmac", "secret", true)] {
        let mut desk = Desk::open_at(&exchange, key, secret, secure, without_a_session);
        let order = id(if secure { 2 } else { 1 });
        place(&exchange, order, "side=BUY&type=LIMIT&timeInForce=GTC&price=50000&quantity=0.01");
        desk.entry.query(0, order, now()).expect("asked");
        desk.until(|event| event.id == order && is_state(event, OrderState::Open));
        desk.entry.cancel(0, order, id(100 + order.sequence), now()).expect("sent");
        desk.until(|event| event.id == order && is_state(event, OrderState::Canceled));
        let query = format!("symbol=BTCUSDT&origClientOrderId={order}");
        assert_eq!(exchange.signed("GET", "/api/v3/order", &query).2["status"], "CANCELED");
        // It is gone: the venue says so.
        desk.entry.cancel(0, order, id(200 + order.sequence), now()).expect("sent");
        desk.until(|event| event.id == order && event.kind == VenueEventKind::CancelRejected { code: -2011 });
        assert!(!desk.entry.session().is_ready() && desk.entry.ask(Question::OpenOrders, now()).is_err());
    }
}

#[test]
fn without_a_session_one_of_a_pair_is_cancelled_over_rest_and_the_other_ends_with_it() {
    let exchange = Exchange::start(&[]);
    for cancelled in [0, 1] {
        let mut desk = Desk::open_at(&exchange, "ed25519", "private_key", false, without_a_session);
        let ids = [1, 2].map(|leg| id(10 * (cancelled + 1) + leg));
        let (bid, ask) = exchange.top("BTCUSDT");
        let params = format!(
            "symbol=BTCUSDT&side=SELL&quantity=0.01&aboveType=LIMIT_MAKER&abovePrice={:.2}&aboveClientOrderId={}\
             &belowType=STOP_LOSS&belowStopPrice={:.2}&belowClientOrderId={}",
            ask * 1.05,
            ids[0],
            bid * 0.95,
            ids[1]
        );
        let (status, _, body) = exchange.signed("POST", "/api/v3/orderList/oco", &params);
        assert_eq!(status, 200, "{body}");
        for leg in ids {
            desk.entry.query(0, leg, now()).expect("asked");
            desk.until(|event| event.id == leg && is_state(event, OrderState::Open));
        }
        let (one, other) = if cancelled == 0 { (ids[0], ids[1]) } else { (ids[1], ids[0]) };
        desk.entry.cancel(0, one, id(100 + one.sequence), now()).expect("sent");
        desk.until(|event| event.id == one && is_state(event, OrderState::Canceled));
        // No event of the account tells of the other one: route asks.
        desk.entry.query(0, other, now()).expect("asked");
        desk.until(|event| event.id == other && is_state(event, OrderState::Canceled));
        assert!(!desk.entry.session().is_ready());
    }
}

#[test]
fn a_wrong_key_never_connects_and_is_not_told() {
    let exchange = Exchange::start(&[]);
    let mut wrong = exchange.keys.clone();
    wrong["hmac"]["secret"] = Value::from("canary-of-a-secret");
    let mut exchange = exchange;
    exchange.keys = wrong;
    let mut desk = Desk::open(&exchange, "hmac", "secret", false);
    let deadline = deadline();
    // Two attempts are enough: each would connect within milliseconds.
    while desk.entry.attempts() < 2 && now() < deadline {
        assert_eq!(desk.entry.poll(now()), None);
    }
    assert!(desk.entry.attempts() >= 2, "it gave up");
}
