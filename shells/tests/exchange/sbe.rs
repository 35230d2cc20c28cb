//! SBE market streams: who may have them, and that they say what JSON says.

use std::sync::Arc;

use engine::domain::{Instruments, Market, Nanos};
use engine::venue::binance::decode::Decoder;
use engine::venue::binance::sbe::{SbeDecoder, SbeEvent};
use engine::venue::binance::{MarketEvent, exchange_info};
use engine::venue::{Frame, Source};
use serde_json::json;
use tungstenite::Message;

use crate::support::{Exchange, Socket, deadline, now};

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

/// What comes up to the next change of the second symbol's book: the last thing that a publication tells.
fn gather(socket: &mut Socket, read: &mut dyn FnMut(Message, &mut Vec<String>)) -> Vec<String> {
    let (mut said, deadline) = (Vec::new(), deadline());
    while now() < deadline {
        let message = socket.0.read().expect("a message");
        if message.is_text() || message.is_binary() {
            read(message, &mut said);
        }
        if said.last().is_some_and(|last| last.starts_with("1 DiffIds")) {
            return said;
        }
    }
    panic!("the book never changed");
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
    let (mut decoder, mut sbe_decoder) = (Decoder::new(Arc::clone(&table)), SbeDecoder::new(table));
    let mut read_json = |message, said_now: &mut Vec<String>| {
        let Message::Text(text) = message else { panic!("{message:?} among JSON") };
        let (received, market, source) = (Nanos::ZERO, Market::Spot, Source::Stream);
        let frame = Frame { received, market, source, payload: text.as_bytes() };
        said_now.push(said(&decoder.decode(&frame).expect("sound")));
    };
    // What was told before both are followed is out of the way.
    assert_eq!(exchange.operator("POST", "/admin/step?by=500ms").0, 200);
    let stepped = (0..10).map(|_| gather(&mut json, &mut read_json).len()).any(|count| count > 10);
    assert!(stepped, "the market stood still");
    let sbe = "/stream?streams=btcusdt@trade/btcusdt@depth/btcusdt@bestBidAsk/ethusdt@depth";
    let mut sbe = exchange.sbe_socket(sbe, "ed25519").expect("an Ed25519 key");
    // Control messages are JSON on both; once they are answered, both are followed.
    for socket in [&mut json, &mut sbe] {
        let list = socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
        assert_eq!(list["result"].as_array().map(Vec::len), Some(4), "{list}");
    }
    let refused = sbe.ask(&json!({"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 2}));
    assert_eq!(refused["error"]["code"], 2, "there are no bars in SBE");

    let mut grouped = 0;
    let mut read_sbe = |message, said_now: &mut Vec<String>| {
        let Message::Binary(bytes) = message else { panic!("{message:?} among the data") };
        let before = said_now.len();
        let decoded = sbe_decoder.decode(&bytes, &mut |event| match event {
            SbeEvent::Market(event) => said_now.push(said(&event)),
            SbeEvent::Best { .. } => panic!("nobody follows the best levels"),
        });
        assert_eq!(decoded, Ok(()));
        grouped += usize::from(said_now.len() > before + 1);
    };
    for _ in 0..3 {
        assert_eq!(exchange.operator("POST", "/admin/step?by=500ms").0, 200);
        let told = (gather(&mut sbe, &mut read_sbe), gather(&mut json, &mut read_json));
        assert!(told.0.len() > 10, "{told:?}");
        assert_eq!(told.0, told.1);
    }
    assert!(grouped > 0, "no taker traded twice");
}

#[test]
fn only_an_ed25519_key_opens_them() {
    let exchange = Exchange::start(&[]);
    for (key, status) in [("hmac", 401), ("none", 401)] {
        assert_eq!(exchange.sbe_socket("/ws/btcusdt@trade", key).err(), Some(status), "{key}");
    }
    assert_eq!(exchange.sbe_socket("/nothing", "ed25519").err(), Some(404));
    let mut raw = exchange.sbe_socket("/ws/btcusdt@depth20", "ed25519").expect("a key");
    let Message::Binary(bytes) = raw.0.read().expect("a message") else { panic!("no data") };
    let mut levels = (0, 0);
    let read = SbeDecoder::new(instruments(&exchange)).decode(&bytes, &mut |event| {
        if let SbeEvent::Best { bids, asks, .. } = event {
            levels = (bids.len(), asks.len());
        }
    });
    assert_eq!((read, levels), (Ok(()), (20, 20)));
    assert_eq!(exchange.operator("POST", "/admin/announce-shutdown").0, 200);
    let mut texts = (0..1_000).map(|_| raw.0.read().expect("a message")).filter(Message::is_text);
    let told = texts.next().and_then(|message| message.into_text().ok()).expect("as JSON");
    assert!(told.starts_with("{\"e\":\"serverShutdown\""), "{told}");
}
