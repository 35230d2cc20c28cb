//! REST in the place of the WebSocket API's session: what our order entry tells, at an exchange that closes its WebSocket API.

use engine::message::report::OrderState;
use engine::venue::{OrderEntry, Question, VenueEvent, VenueEventKind};
use shells::binance::entry::STAND_IN_AFTER;
use shells::binance::limits::RateLimits;

use crate::orders::{Desk, id};
use crate::support::{Exchange, now};

/// A desk that may use REST, and whose entry keeps to the exchange's limits.
fn open(exchange: &Exchange) -> Desk {
    let mut desk = Desk::open(exchange, "ed25519", "private_key", false);
    let info = exchange.http("GET", "/api/v3/exchangeInfo", "", "").2.to_string();
    let limits = RateLimits::read(info.as_bytes()).expect("limits");
    desk.entry = desk.entry.limited(&limits).over_rest(true);
    desk
}

fn wreak(exchange: &Exchange, fault: &str) {
    let (status, _, body) = exchange.operator("POST", &format!("/admin/faults?{fault}"));
    assert_eq!(status, 200, "{fault}: {body}");
}

fn market_buy(exchange: &Exchange, sequence: u64) {
    let params =
        format!("symbol=BTCUSDT&newClientOrderId={}&side=BUY&type=MARKET&quantity=0.01", id(sequence));
    let (status, _, body) = exchange.signed("POST", "/api/v3/order", &params);
    assert_eq!(status, 200, "{body}");
}

fn is_filled(event: &VenueEvent) -> bool {
    matches!(event.kind, VenueEventKind::QueryState { state: OrderState::Filled, .. })
}

#[test]
fn rest_takes_the_place_of_a_session_that_does_not_come_and_gives_it_back() {
    let exchange = Exchange::start(&["--fault", "no-websocket-api"]);
    let mut desk = open(&exchange);
    // Who may not use it is as before.
    let mut other = Desk::open(&exchange, "hmac", "secret", false);
    let began = now();
    assert_eq!(other.entry.poll(began), None);
    assert!(desk.entry.ask(Question::OpenOrders, now()).is_err(), "nothing is asked before it stands in");
    let stood_in = desk.until_kind(VenueEventKind::StoodIn);
    assert!(stood_in.received.0 - began.0 >= STAND_IN_AFTER.0, "a short outage changes nothing");

    // Everything that route asks at a connection, and after a fill.
    for sequence in 1..=6 {
        market_buy(&exchange, sequence);
    }
    desk.entry.ask(Question::OpenOrders, now()).expect("asked");
    desk.until_kind(VenueEventKind::OpenOrdersTold);
    desk.entry.query(0, id(1), now()).expect("asked");
    let filled = desk.until(is_filled);
    // The other would have asked for the time before, on the same connection.
    assert_eq!(other.entry.poll(now()), None);
    other.entry.query(0, id(1), now()).expect("asked");
    other.until(|event| {
        assert_ne!(event.kind, VenueEventKind::StoodIn);
        is_filled(event)
    });
    assert!(other.entry.ask(Question::OpenOrders, now()).is_err());
    let venue_order_id = filled.venue_order_id;
    for question in [
        Question::TradesOf { instrument: 0, id: id(1), venue_order_id, trade_id: 0 },
        Question::TradesFrom { instrument: 0, trade_id: 1 },
    ] {
        desk.entry.ask(question, now()).expect("asked");
        desk.until(|event| matches!(event.kind, VenueEventKind::Trade { .. }));
        desk.until_kind(VenueEventKind::TradesTold);
    }
    // What the venue has counted is known, also of an order that left another way, and rests.
    let resting = format!(
        "symbol=BTCUSDT&newClientOrderId={}&side=BUY&type=LIMIT&timeInForce=GTC&price=50000&quantity=0.01",
        id(50)
    );
    assert_eq!(exchange.signed("POST", "/api/v3/order", &resting).0, 200);
    desk.entry.cancel(0, id(1), id(100), now()).expect("sent");
    desk.until(|event| matches!(event.kind, VenueEventKind::CancelRejected { .. }));
    let used = desk.entry.limits_used();
    assert!(used.weight_ppm > 0 && used.orders_ppm > 0, "{used:?}");

    assert_eq!(exchange.operator("DELETE", "/admin/faults").0, 200);
    desk.until_kind(VenueEventKind::Disconnected);
    desk.until_kind(VenueEventKind::Connected);
    market_buy(&exchange, 7);
    desk.until(|event| matches!(event.kind, VenueEventKind::Trade { .. }) && event.id == id(7));
    assert_eq!(desk.entry.unreadable(), 0);
}

#[test]
fn rest_that_fails_is_left_and_tried_again() {
    let exchange = Exchange::start(&["--fault", "no-websocket-api"]);
    let mut desk = open(&exchange);
    desk.until_kind(VenueEventKind::StoodIn);
    for fault in ["server-error&method=openOrders.status", "disconnect&method=openOrders.status&bytes=17"] {
        wreak(&exchange, &format!("fault={fault}&count=1"));
        desk.entry.ask(Question::OpenOrders, now()).expect("asked");
        desk.until_kind(VenueEventKind::Disconnected);
        assert!(desk.entry.ask(Question::OpenOrders, now()).is_err(), "{fault}");
        desk.until_kind(VenueEventKind::StoodIn);
        desk.entry.ask(Question::OpenOrders, now()).expect("asked");
        desk.until_kind(VenueEventKind::OpenOrdersTold);
    }
    // The answer to what acts is lost: its outcome is not known, and nothing else is.
    market_buy(&exchange, 1);
    wreak(&exchange, "fault=lost-ack&method=order.cancel&count=1");
    desk.entry.cancel(0, id(1), id(100), now()).expect("sent");
    let unknown = desk.until(|event| event.id == id(1));
    assert_eq!(unknown.kind, VenueEventKind::Unknown);
    desk.entry.query(0, id(1), now()).expect("it stands in still");
    desk.until(is_filled);
    // A refusal until a time holds for REST as well.
    wreak(&exchange, "fault=too-many-requests&method=order.status&count=1&ms=60000");
    desk.entry.query(0, id(1), now()).expect("asked");
    desk.until(|event| matches!(event.kind, VenueEventKind::Throttled { .. }));
    assert!(desk.entry.query(0, id(1), now()).is_err());
}
