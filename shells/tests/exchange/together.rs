//! Requests of one duty cycle leave together, at a venue that says how its bytes came.

#![allow(clippy::disallowed_types)] // Whoever writes a log is shared; here one thread does.

use std::io::{Cursor, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::venue::{OrderEntry, Question, VenueEventKind};
use serde_json::{Value, json};
use shells::binance::Endpoints;
use shells::venue::VenueEntry;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use crate::orders::{Desk, id};
use crate::support::{Exchange, PATIENCE, deadline, now};

/// Longer than what leaves takes to arrive in the same machine.
const MOMENT: Duration = Duration::from_millis(100);

/// Opens a session, and then tells the bytes of every read.
fn serve(listener: &TcpListener, reads: &Sender<Vec<u8>>, sockets: &Sender<TcpStream>) {
    let (socket, _) = listener.accept().expect("a connection");
    let mut session = tungstenite::accept(socket).expect("a handshake");
    loop {
        let Message::Text(text) = session.read().expect("a request") else { continue };
        let asked: Value = serde_json::from_str(&text).expect("JSON");
        let time = now().0 / 1_000_000;
        let answer = json!({"id": asked["id"], "status": 200, "result": {"serverTime": time}});
        session.send(Message::text(answer.to_string())).expect("told");
        if asked["id"] == "subscribe" {
            break;
        }
    }
    let socket = session.get_mut();
    sockets.send(socket.try_clone().expect("a handle")).expect("the test lives");
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = socket.read(&mut bytes) {
        if reads.send(bytes[..count].to_vec()).is_err() {
            return;
        }
    }
}

/// The ids of the requests whose bytes these are.
fn requests(bytes: Vec<u8>) -> Vec<String> {
    let mut session = WebSocket::from_raw_socket(Cursor::new(bytes), Role::Server, None);
    let mut ids = Vec::new();
    while let Ok(message) = session.read() {
        let request: Value = serde_json::from_str(message.to_text().expect("a text")).expect("JSON");
        ids.push(format!("{} {}", request["method"], request["params"]["origClientOrderId"]));
    }
    ids
}

/// A place where somebody may listen, and the services there.
fn place() -> (TcpListener, Endpoints) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, Endpoints::at(&format!("ws://127.0.0.1:{port}")).expect("a place"))
}

fn open() -> (Exchange, Desk, Receiver<Vec<u8>>, TcpStream) {
    let exchange = Exchange::start(&[]);
    let (listener, Endpoints { ws_api, .. }) = place();
    let ((reads, read), (sockets, socket)) = (channel(), channel());
    std::thread::spawn(move || serve(&listener, &reads, &sockets));
    let mut desk =
        Desk::open_at(&exchange, "hmac", "secret", false, |endpoints| Endpoints { ws_api, ..endpoints });
    desk.until_kind(VenueEventKind::Connected);
    (exchange, desk, read, socket.recv_timeout(PATIENCE).expect("a session"))
}

fn told(sequence: u64, method: &str) -> String {
    format!("\"{method}\" \"{}\"", id(sequence))
}

#[test]
fn requests_of_one_cycle_arrive_in_one_read_and_one_by_itself_at_once() {
    let (_exchange, mut desk, read, _socket) = open();
    for sequence in [1, 2] {
        desk.entry.cancel(0, id(sequence), id(100 + sequence), now()).expect("taken");
    }
    for sequence in [3, 4] {
        desk.entry.query(0, id(sequence), now()).expect("taken");
    }
    assert!(desk.entry.holds() && read.recv_timeout(MOMENT).is_err(), "nothing leaves before the cycle ends");
    desk.entry.flush();
    let (cancel, query) = ("order.cancel", "order.status");
    assert_eq!(
        requests(read.recv_timeout(PATIENCE).expect("they leave")),
        [told(1, cancel), told(2, cancel), told(3, query), told(4, query)]
    );
    desk.entry.cancel(0, id(5), id(105), now()).expect("taken");
    desk.entry.flush();
    assert_eq!(requests(read.recv_timeout(PATIENCE).expect("it leaves")), [told(5, cancel)]);
    // Without a word of its own it leaves before the sockets are looked at.
    desk.entry.query(0, id(6), now()).expect("taken");
    assert_eq!(desk.entry.poll(now()), None);
    assert_eq!(requests(read.recv_timeout(PATIENCE).expect("it leaves")), [told(6, query)]);
    assert!(read.recv_timeout(MOMENT).is_err(), "and once");
    // As every session has it.
    let mut entry = VenueEntry::Sockets(Box::new(desk.entry));
    entry.query(0, id(7), now()).expect("taken");
    assert!(entry.holds() && read.recv_timeout(MOMENT).is_err());
    entry.flush();
    assert_eq!(requests(read.recv_timeout(PATIENCE).expect("it leaves")), [told(7, query)]);
}

#[test]
fn a_connection_that_ends_with_what_it_holds_is_told_of() {
    let (_exchange, mut desk, read, socket) = open();
    desk.entry.cancel(0, id(1), id(101), now()).expect("taken");
    socket.shutdown(Shutdown::Both).expect("cut");
    assert!(read.recv_timeout(PATIENCE).is_err(), "nothing is read any more");
    // Taken before the end was seen: whether it left is not known, and nobody says that it did not.
    desk.entry.cancel(0, id(2), id(102), now()).expect("taken");
    desk.entry.flush();
    desk.until_kind(VenueEventKind::Disconnected);
    assert!(desk.entry.ask(Question::OpenOrders, now()).is_err());
}

/// Looks, when the log says that the venue asks for silence, whether what was `held` has arrived by then.
#[derive(Clone)]
struct OnSilence {
    read: Arc<Mutex<Receiver<Vec<u8>>>>,
    held: Arc<Mutex<Option<String>>>,
}

impl Write for OnSilence {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if String::from_utf8_lossy(line).contains("asks for silence")
            && let Some(held) = self.held.lock().expect("one thread").take()
        {
            // Nothing leaves while this waits.
            let (read, mut arrived) = (self.read.lock().expect("one thread"), Vec::new());
            while !arrived.contains(&held) {
                arrived.extend(requests(read.recv_timeout(PATIENCE).expect("it left before")));
            }
        }
        Ok(line.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_held_has_left_before_an_answer_over_rest_is_read_that_asks_for_silence() {
    let exchange = Exchange::start(&[]);
    let ((api, Endpoints { ws_api, .. }), (web, Endpoints { rest, .. })) = (place(), place());
    let mut desk = Desk::open_at(&exchange, "hmac", "secret", false, |to| Endpoints { ws_api, rest, ..to });
    // A cancel goes over REST, and its answer takes longer than the next session.
    desk.entry.cancel(0, id(1), id(101), now()).expect("taken");
    let (asked, was_asked) = channel();
    std::thread::spawn(move || asked.send(web.accept().map(|(socket, _)| socket)));
    let end = deadline();
    let mut socket = loop {
        assert!(now() < end && desk.entry.poll(now()).is_none(), "it is asked over REST");
        if let Ok(socket) = was_asked.try_recv() {
            break socket.expect("a connection");
        }
    };
    socket.set_nonblocking(true).expect("it can");
    let mut bytes = vec![0; 1 << 12];
    while socket.read(&mut bytes).is_err() {
        assert!(now() < end && desk.entry.poll(now()).is_none(), "the request comes");
    }
    let ((reads, read), (sockets, _session)) = (channel(), channel());
    std::thread::spawn(move || serve(&api, &reads, &sockets));
    desk.until_kind(VenueEventKind::Connected);

    let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 2\r\n\r\n{}";
    socket.write_all(answer.as_bytes()).expect("answered");
    let seen = OnSilence { read: Arc::new(Mutex::new(read)), held: Arc::default() };
    let log = seen.clone();
    let log = tracing_subscriber::fmt().with_writer(move || log.clone()).finish();
    // As long as there is another, nobody decides for all threads whether anybody listens.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    tracing::subscriber::with_default(log, || {
        for sequence in 2.. {
            assert!(now() < end, "the answer is read");
            // Each look begins with a request that is held.
            desk.entry.query(0, id(sequence), now()).expect("taken");
            *seen.held.lock().expect("one thread") = Some(told(sequence, "order.status"));
            let told = desk.entry.poll(now());
            if told.is_some_and(|event| event.id == id(1)) {
                break;
            }
            assert_eq!(told, None);
            std::thread::yield_now();
        }
    });
    assert!(seen.held.lock().expect("one thread").is_none(), "it was looked at");
    desk.until(|event| matches!(event.kind, VenueEventKind::Throttled { .. }));
    assert!(desk.entry.query(0, id(1), now()).is_err(), "and then there is silence");
}
