//! HTTP, the parameters of requests as JSON and as forms, names of streams, and faults.

use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use engine::domain::{Instruments, Scale};
use serde_json::{Map, Value};
use shells::exchange::faults::Fault;
use shells::exchange::http::{Request, Unread, read};
use shells::exchange::json::members;
use shells::exchange::method::Method;
use shells::exchange::params::{Params, plain, signed_text};
use shells::exchange::streams::{self, Wire};
use tokio::io::{AsyncRead, ReadBuf};

/// A connection that gives at most so many bytes at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    piece: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let length = self.piece.min(self.rest.len()).min(buffer.remaining());
        let (now, later) = self.rest.split_at(length);
        buffer.put_slice(now);
        self.rest = later;
        Poll::Ready(Ok(()))
    }
}

/// Every request on a connection, and why there was no other.
fn requests(bytes: &[u8], piece: usize) -> (Vec<Request>, Unread) {
    let (mut stream, mut buffer) = (Pieces { rest: bytes, piece }, Vec::new());
    let mut found = Vec::new();
    loop {
        let next = pin!(read(&mut stream, &mut buffer)).poll(&mut Context::from_waker(Waker::noop()));
        match next {
            Poll::Ready(Ok(request)) => found.push(request),
            Poll::Ready(Err(unread)) => return (found, unread),
            Poll::Pending => panic!("it waits for bytes that are there"),
        }
        assert!(found.len() <= bytes.len(), "a request out of nothing");
    }
}

/// Requests over a connection, whole and in pieces: it must not matter how they are cut.
pub fn http(data: &[u8]) {
    let whole = requests(data, usize::MAX);
    for piece in [1, 7] {
        assert_eq!(requests(data, piece), whole, "{piece} bytes at a time");
    }
    for request in &whole.0 {
        let _ = (request.upgrade_key(), Method::by_path(&request.verb, &request.path));
        assert_eq!(request.path.find('?'), None);
    }
}

/// Seeds of [`http`].
pub fn http_seeds() -> Vec<Vec<u8>> {
    [
        "GET /api/v3/depth?symbol=BTCUSDT&limit=5 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nX-MBX-APIKEY: k\r\n\r\nsymbol=ABCDGET /api/v3/ping HTTP/1.1\r\n\r\n",
        "GET http://x/ws/btcusdt@trade HTTP/1.0\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: close\r\n\r\n",
        "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Every way to read a parameter: none may panic, and what is read as a number is that number.
fn values(params: &Params) {
    let scale = Scale::new(8).expect("a scale");
    for name in params.names() {
        let _ = (params.need(name), params.integer(name), params.need_integer(name), params.flag(name));
        if let Ok(Some(value)) = params.decimal(name, scale) {
            let shown = plain(value, scale);
            let again = Params::of_form(&format!("n={shown}"), "").expect("a form");
            assert_eq!(again.decimal("n", scale).ok(), Some(Some(value)), "{shown}");
        }
    }
    assert!(params.signed_text().len() >= params.len().saturating_sub(1));
}

/// The `params` of a WebSocket request, and a whole one; `serde_json` must agree on what is an object, and of what.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = members(text);
    let reference = serde_json::from_str::<Map<String, Value>>(text);
    if let Ok(reference) = &reference {
        let found = found.as_ref().expect("serde_json reads it");
        let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, reference.keys().map(String::as_str).collect());
        for (name, value) in found {
            let value: Value = serde_json::from_str(value).expect("a value");
            let repeated = found.iter().filter(|(other, _)| other == name).count() > 1;
            assert!(repeated || reference.get(name) == Some(&value), "{name}");
        }
    }
    if let Ok(params) = Params::of_json(text) {
        assert!(params.len() <= found.map_or(0, |found| found.len()), "a parameter out of nothing");
        values(&params);
    }
    let nothing = Instruments::new(Vec::new());
    if let Ok(instruments) = nothing {
        for wire in [Wire::Combined, Wire::Sbe] {
            let _ = streams::parse(text, wire, &instruments);
        }
    }
}

/// Seeds of [`json`].
pub fn json_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","price":"100.50","quantity":0.5,"timestamp":1795361214259}"#,
        r#"{"id":"a","method":"order.place","params":{"symbols":["A","B"],"x":null,"recvWindow":5000.125}}"#,
        r#"{ "apiKey" : "\u0041\"" , "flag":true }"#,
        "btcusdt@kline_1m",
        "{}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// A query and a form body, parted by the first line's end, and a fault as a flag.
pub fn form(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (query, body) = text.split_once('\n').unwrap_or((text, ""));
    assert!(signed_text(query, body).len() <= query.len() + body.len());
    if let Ok(params) = Params::of_form(query, body) {
        let alone = Params::of_form(query, "").expect("a part of what was read");
        for name in alone.names() {
            assert_eq!(params.get(name), alone.get(name), "the query wins");
        }
        values(&params);
        let _ = Fault::read(&params);
    }
    let _ = Fault::read_flag(query);
}

/// Seeds of [`form`].
pub fn form_seeds() -> Vec<Vec<u8>> {
    [
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.5&price=1.50\nnewClientOrderId=a%20b&signature=ab",
        "symbol=%E8%BF%99USDT&recvWindow=5000.125&timestamp=1795361214259000\nsymbol=X&x=a+b",
        "fault=lost-ack&method=order.place&count=1&ms=5&chance=500000\n",
        "F01,method=order.place,count=1,skip=2",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
