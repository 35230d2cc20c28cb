//! SBE market streams: who may have them, and that they say what JSON says.

use std::sync::Arc;

use engine::domain::{Instruments, Market, Nanos};
use engine::venue::binance::decode::Decoder;
use engine::venue::binance::sbe::{SbeDecoder, SbeEvent};
use engine::venue::binance::{MarketEvent, exchange_info};
use engine::venue::{Frame, Source};
use serde_json::json;
use tungstenite::Message;

use crate::support::{Exchange, Socket};

/// What an event says, but for the fineness of its time.
fn said(event: &MarketEvent<'_>) -> String {
    match *event {
        MarketEvent::Depth { instrument, ids, bids, asks, .. } => {
            format!("{instrument} {ids:?} {bids:?} {asks:?}")
        }
        MarketEvent::BookTicker { instrument, update_id, top, .. } => {
            format!("{instrument} {update_id} {top:?}")
        }
        MarketEvent::Trade { instrument, trade_id, price, quantity, aggressor, aggregate, .. } => {
            format!("{instrument} {trade_id} {price:?} {quantity:?} {aggressor:?} {aggregate}")
        }
        other => panic!("{other:?} of no stream that is followed"),
    }
}

/// Everything that comes before the answer to a question, which is JSON on every wire.
fn drain(socket: &mut Socket) -> Vec<Message> {
    socket.send(&json!({"method": "LIST_SUBSCRIPTIONS", "id": "mark"}));
    let mut came = Vec::new();
    for _ in 0..100_000 {
        match socket.0.read().expect("a message") {
            Message::Text(text) if text.contains("\"mark\"") => return came,
            message @ (Message::Text(_) | Message::Binary(_)) => came.push(message),
            _ => {}
        }
    }
    panic!("the answer never came");
}

fn instruments(exchange: &Exchange) -> Arc<Instruments> {
    let info = exchange.http("GET", "/api/v3/exchangeInfo", "", "").2.to_string();
    let table = exchange_info::instruments(info.as_bytes(), Market::Spot).expect("instruments");
    Arc::new(Instruments::new(table).expect("a table"))
}

#[test]
fn sbe_says_what_json_says_in_the_same_order() {
    let exchange = Exchange::start(&["--speed", "step"]);
    let table = instruments(&exchange);
    let mut json = exchange
        .socket("/stream?streams=btcusdt@trade/btcusdt@depth@100ms/btcusdt@bookTicker/ethusdt@depth@100ms");
    let sbe = "/stream?streams=btcusdt@trade/btcusdt@depth/btcusdt@bestBidAsk/ethusdt@depth/ethusdt@depth20";
    let mut sbe = exchange.sbe_socket(sbe, "ed25519").expect("an Ed25519 key");
    // Control messages are JSON on both; once they are answered, both are followed.
    for (socket, count) in [(&mut json, 4), (&mut sbe, 5)] {
        let list = socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
        assert_eq!(list["result"].as_array().map(Vec::len), Some(count), "{list}");
    }
    let refused = sbe.ask(&json!({"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 2}));
    assert_eq!(refused["error"]["code"], 2, "there are no bars in SBE");

    let (mut decoder, mut sbe_decoder) = (Decoder::new(Arc::clone(&table)), SbeDecoder::new(table));
    let (mut texts, mut frames, mut best, mut grouped) = (Vec::new(), Vec::new(), 0, 0);
    // A client may send no more than five messages a second.
    for _ in 0..2 {
        assert_eq!(exchange.operator("POST", "/admin/step?by=1s").0, 200);
        for message in drain(&mut sbe) {
            let Message::Binary(bytes) = message else { panic!("{message:?} among the data") };
            let before = frames.len();
            let decoded = sbe_decoder.decode(&bytes, &mut |event| match event {
                SbeEvent::Market(event) => frames.push(said(&event)),
                SbeEvent::Best { bids, asks, .. } => {
                    assert!(bids.len() <= 20 && asks.len() <= 20 && bids.len() + asks.len() > 20);
                    best += 1;
                }
            });
            assert_eq!(decoded, Ok(()));
            grouped += usize::from(frames.len() > before + 1);
        }
        for message in drain(&mut json) {
            let Message::Text(text) = message else { panic!("{message:?} among JSON") };
            let (received, market, source) = (Nanos::ZERO, Market::Spot, Source::Stream);
            let frame = Frame { received, market, source, payload: text.as_bytes() };
            texts.push(said(&decoder.decode(&frame).expect("sound")));
        }
    }
    assert!(frames.len() > 100 && best > 0 && grouped > 0, "{} {best} {grouped}", frames.len());
    assert_eq!(frames, texts);
}

#[test]
fn only_an_ed25519_key_opens_them() {
    let exchange = Exchange::start(&[]);
    for (key, status) in [("hmac", 401), ("none", 401)] {
        assert_eq!(exchange.sbe_socket("/ws/btcusdt@trade", key).err(), Some(status), "{key}");
    }
    assert_eq!(exchange.sbe_socket("/nothing", "ed25519").err(), Some(404));
    let mut raw = exchange.sbe_socket("/ws/btcusdt@depth20", "ed25519").expect("a key");
    assert!(raw.0.read().expect("a message").is_binary());
    assert_eq!(exchange.operator("POST", "/admin/announce-shutdown").0, 200);
    let told = drain(&mut raw).into_iter().find(Message::is_text);
    let told = told.and_then(|message| message.into_text().ok()).expect("as JSON");
    assert!(told.starts_with("{\"e\":\"serverShutdown\""), "{told}");
}
