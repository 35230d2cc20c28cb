//! Both clients against servers that behave, that cut, and that stall.

use std::io::Write;
use std::time::Duration;

use engine::domain::Nanos;
use tungstenite::Message;

use super::stream::WRITTEN;
use super::testing::{Server, drive};
use super::{HttpClient, HttpEvent, Reactor, SendError, Url, Watch, WebSocketClient, WsEvent};

const IDLE: Nanos = Nanos::from_secs(30);

fn connect(server: &Server, url: &Url, idle: Nanos) -> WebSocketClient {
    WebSocketClient::connect(url, &server.trust, &[("X-Test", "1")], idle, Nanos::ZERO).expect("begun")
}

/// Polls until a message, the opening or the end.
fn next(client: &mut WebSocketClient, reactor: &mut Reactor, got: &mut Vec<String>) -> WsEvent {
    drive(reactor, "the next event", |reactor, now| {
        let event =
            client.poll(reactor, now, &mut |_, bytes| got.push(String::from_utf8_lossy(bytes).into_owned()));
        (event != WsEvent::Idle).then_some(event)
    })
}

fn echo(secure: bool) -> Server {
    Server::start(secure, 1, |_, line| {
        let mut socket = tungstenite::accept(line).expect("a handshake");
        socket.send(Message::Ping(vec![7, 8].into())).expect("a ping");
        while let Ok(message) = socket.read() {
            match message {
                Message::Text(_) => socket.send(message).expect("an echo"),
                Message::Pong(payload) => {
                    socket.send(Message::text(format!("pong {payload:?}"))).expect("told");
                }
                _ => {}
            }
        }
    })
}

#[test]
fn messages_come_back_plain_and_over_tls_and_pings_are_answered() {
    for (secure, scheme) in [(false, "ws"), (true, "wss")] {
        let server = echo(secure);
        let mut reactor = Reactor::new().expect("a reactor");
        let mut client = connect(&server, &server.url(scheme, "/ws"), IDLE);
        assert_eq!(client.send("early"), Err(SendError::NotSent));
        let mut got = Vec::new();
        assert_eq!(next(&mut client, &mut reactor, &mut got), WsEvent::Opened);
        let large = "x".repeat(300_000);
        for text in ["one", "two", &large] {
            client.send(text).expect("sent");
        }
        while got.len() < 4 {
            assert_eq!(next(&mut client, &mut reactor, &mut got), WsEvent::Message);
        }
        got.sort_by_key(String::len);
        assert_eq!((got[0].as_str(), got[1].as_str(), got[3].len()), ("one", "two", 300_000));
        assert!(
            got[2].starts_with("pong") && got[2].contains("07\\b") || got[2].contains("x07\\x08"),
            "{}",
            got[2]
        );
        client.close(&mut reactor);
        assert_eq!(client.send("late"), Err(SendError::NotSent));
    }
}

/// Bytes that TLS 1.3 adds to a record: its head, the kind of its content, and the tag.
const RECORD: usize = 5 + 1 + 16;

/// Bytes of each write since the last question.
fn written() -> Vec<usize> {
    WRITTEN.take()
}

/// An open connection to an echo that has nothing more to say by itself.
fn open_echo(server: &Server, scheme: &str, reactor: &mut Reactor) -> WebSocketClient {
    let mut client = connect(server, &server.url(scheme, "/ws"), IDLE);
    let mut got = Vec::new();
    while got.is_empty() {
        next(&mut client, reactor, &mut got);
    }
    assert!(got[0].starts_with("pong"));
    written();
    client
}

#[test]
fn what_is_held_leaves_in_order_by_one_write_and_over_tls_as_one_record() {
    for (secure, scheme) in [(false, "ws"), (true, "wss")] {
        let (server, mut reactor) = (echo(secure), Reactor::new().expect("a reactor"));
        let mut client = open_echo(&server, scheme, &mut reactor);
        let requests = ["cancel 1", "cancel 2", "place the third", "place the fourth"];
        for text in requests {
            client.hold(text).expect("held");
        }
        assert!(written().is_empty());
        client.flush().expect("they leave");
        let frames: usize = requests.iter().map(|text| 2 + 4 + text.len()).sum();
        assert_eq!(written(), [frames + if secure { RECORD } else { 0 }]);
        client.flush().expect("nothing is left");
        client.send("alone").expect("sent");
        assert_eq!(written().len(), 1);
        let mut got = Vec::new();
        while got.len() < 5 {
            next(&mut client, &mut reactor, &mut got);
        }
        assert_eq!((&got[..4], got[4].as_str()), (&requests.map(str::to_owned)[..], "alone"));
        assert!(written().is_empty());
    }
}

#[test]
fn more_than_a_record_is_not_held_and_leaves_by_one_write_too() {
    for (secure, scheme) in [(false, "ws"), (true, "wss")] {
        let (server, mut reactor) = (echo(secure), Reactor::new().expect("a reactor"));
        let mut client = open_echo(&server, scheme, &mut reactor);
        let (small, large) = ("x".repeat(1_000), "y".repeat(20_000));
        for _ in 0..20 {
            client.hold(&small).expect("held");
        }
        let each = 1_000 + 4 + 4;
        let whole = (15 << 10) / each + 1;
        assert_eq!(written(), [whole * each + if secure { RECORD } else { 0 }]);
        client.flush().expect("the rest");
        assert_eq!(written(), [(20 - whole) * each + if secure { RECORD } else { 0 }]);
        client.send(&large).expect("sent");
        assert_eq!(written(), [20_000 + 8 + if secure { 2 * RECORD } else { 0 }]);
    }
}

#[test]
fn what_is_held_leaves_before_the_connection_is_looked_at_or_ended() {
    let (server, mut reactor) = (echo(false), Reactor::new().expect("a reactor"));
    let mut client = open_echo(&server, "ws", &mut reactor);
    client.hold("held").expect("held");
    assert_eq!(client.poll(&mut reactor, Nanos::ZERO, &mut |_, _| {}), WsEvent::Idle);
    assert_eq!(written(), [4 + 6]);
    let mut got = Vec::new();
    next(&mut client, &mut reactor, &mut got);
    assert_eq!(got, ["held"]);
    client.hold("last").expect("held");
    client.close(&mut reactor);
    assert_eq!(written().iter().sum::<usize>(), (4 + 6) + 6, "with the farewell");
    let ended = (client.hold("late"), client.flush(), client.flush());
    assert_eq!(ended, (Err(SendError::NotSent), Err(SendError::Maybe), Ok(())), "the farewell told nobody");
}

#[test]
fn what_the_socket_has_no_room_for_leaves_in_order_when_it_has() {
    let (begin, begun) = std::sync::mpsc::channel::<usize>();
    let server = Server::start(false, 1, move |_, line| {
        let mut socket = tungstenite::accept(line).expect("a handshake");
        let count = begun.recv().expect("the client lives");
        for number in 0..count {
            let text = socket.read().expect("a message").into_text().expect("a text");
            assert!(text.starts_with(&format!("{number} ")), "{number}");
        }
        socket.send(Message::text("all")).expect("told");
    });
    let mut reactor = Reactor::new().expect("a reactor");
    let mut client = connect(&server, &server.url("ws", "/"), IDLE);
    assert_eq!(next(&mut client, &mut reactor, &mut Vec::new()), WsEvent::Opened);
    let mut count = 0;
    // Until nothing more is taken: that has not left, and all before it does.
    while let Ok(()) = client.hold(&format!("{count} {}", "z".repeat(50_000))) {
        client.flush().expect("it leaves, or waits for room");
        count += 1;
    }
    begin.send(count).expect("the server lives");
    let mut got = Vec::new();
    assert_eq!(next(&mut client, &mut reactor, &mut got), WsEvent::Message);
    assert_eq!(got, ["all"]);
}

#[test]
fn what_a_broken_connection_held_may_have_left() {
    let server = Server::start(false, 1, |_, line| drop(tungstenite::accept(line).expect("a handshake")));
    let mut reactor = Reactor::new().expect("a reactor");
    let mut client = connect(&server, &server.url("ws", "/"), IDLE);
    assert_eq!(next(&mut client, &mut reactor, &mut Vec::new()), WsEvent::Opened);
    let clock = super::testing::Ticking::start();
    // The peer's end is known to the system a moment later, and refuses what follows.
    while client.hold("held").and_then(|()| client.flush()) == Ok(()) {
        assert!(clock.now() < super::testing::DEADLINE);
    }
    client.hold("held").expect("taken all the same");
    assert_eq!(client.flush(), Err(SendError::Maybe));
    let WsEvent::Closed(_) = next(&mut client, &mut reactor, &mut Vec::new()) else { panic!("it lives") };
}

#[test]
fn a_certificate_that_is_not_trusted_ends_the_connection() {
    let (server, other) = (echo(true), echo(true));
    let mut reactor = Reactor::new().expect("a reactor");
    let mut client = WebSocketClient::connect(&server.url("wss", "/"), &other.trust, &[], IDLE, Nanos::ZERO);
    let client = client.as_mut().expect("begun");
    let WsEvent::Closed(why) = next(client, &mut reactor, &mut Vec::new()) else { panic!("it opened") };
    assert!(why.contains("ertificate"), "{why}");
}

#[test]
fn a_cut_at_any_byte_ends_the_connection_and_no_part_of_a_message_is_handed_over() {
    const BODY: &[u8] = b"\x81\x05hello\x81\x05again";
    let server = Server::start(false, BODY.len(), |number, line| {
        let mut socket = tungstenite::accept(line).expect("a handshake");
        socket.get_mut().write_all(&BODY[..number]).expect("written");
    });
    let mut reactor = Reactor::new().expect("a reactor");
    for cut in 0..BODY.len() {
        let mut client = connect(&server, &server.url("ws", "/"), IDLE);
        let mut got = Vec::new();
        while !matches!(next(&mut client, &mut reactor, &mut got), WsEvent::Closed(_)) {}
        assert_eq!(got, ["hello"; 1][..usize::from(cut >= 7)], "cut at {cut}");
    }
}

#[test]
fn a_server_that_says_nothing_is_half_open() {
    let server = Server::start(false, 1, |_, line| {
        let socket = tungstenite::accept(line).expect("a handshake");
        // Held until the client gives up.
        std::mem::forget(socket);
    });
    let mut reactor = Reactor::new().expect("a reactor");
    let mut client = connect(&server, &server.url("ws", "/"), Nanos::from_millis(50));
    let mut got = Vec::new();
    assert_eq!(next(&mut client, &mut reactor, &mut got), WsEvent::Opened);
    let WsEvent::Closed(why) = next(&mut client, &mut reactor, &mut got) else { panic!("a message") };
    assert!(why.contains("half-open"), "{why}");
}

#[test]
fn nobody_there_and_no_websocket_are_told_apart() {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let url: Url = format!("ws://127.0.0.1:{port}/").parse().expect("a URL");
    let server = Server::start(false, 1, |_, mut line| {
        let mut request = [0; 512];
        let _ = line.read(&mut request).expect("a request");
        line.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nsecret").expect("written");
    });
    let mut reactor = Reactor::new().expect("a reactor");
    let mut refused = connect(&server, &url, IDLE);
    let WsEvent::Closed(why) = next(&mut refused, &mut reactor, &mut Vec::new()) else { panic!("it opened") };
    assert!(why.contains("refused"), "{why}");
    let mut forbidden = connect(&server, &server.url("ws", "/"), IDLE);
    let WsEvent::Closed(why) = next(&mut forbidden, &mut reactor, &mut Vec::new()) else {
        panic!("it opened")
    };
    assert!(why.contains("403") && !why.contains("secret"), "{why}");
}

/// The next answer (tag, status, body) or failure.
fn answer(client: &mut HttpClient, reactor: &mut Reactor) -> Result<(u64, u16, String), (u64, bool, String)> {
    let mut got = None;
    drive(reactor, "an answer", |reactor, now| {
        let event = client.poll(reactor, now, &mut |answer| {
            let body = String::from_utf8_lossy(answer.body).into_owned();
            assert_eq!(answer.header("x-weight"), Some("5"));
            got = Some((answer.tag, answer.status, body));
        });
        match event {
            HttpEvent::Idle => None,
            HttpEvent::Answered => got.take().map(Ok),
            HttpEvent::Failed { tag, maybe_sent, reason } => Some(Err((tag, maybe_sent, reason))),
        }
    })
}

#[test]
fn requests_share_a_connection_and_a_cut_one_is_not_asked_again() {
    for (secure, scheme) in [(false, "http"), (true, "https")] {
        let server = Server::start(secure, 2, |number, mut line| {
            let mut buffer = [0; 4096];
            for answered in 0.. {
                let Ok(count) = line.read(&mut buffer) else { return };
                if count == 0 {
                    return;
                }
                let asked = String::from_utf8_lossy(&buffer[..count]).into_owned();
                if number == 0 && answered == 2 {
                    // The third request on the first connection is read and never answered.
                    return;
                }
                let body = asked.lines().next().unwrap_or_default().to_owned();
                let head =
                    format!("HTTP/1.1 200 OK\r\nX-Weight: 5\r\nContent-Length: {}\r\n\r\n", body.len());
                line.write_all((head + &body).as_bytes()).expect("written");
                line.flush().expect("flushed");
            }
        });
        let mut reactor = Reactor::new().expect("a reactor");
        let mut client = HttpClient::new(server.url(scheme, "/api"), server.trust.clone(), IDLE);
        for tag in 0..4 {
            let method = if tag == 1 { "POST" } else { "GET" };
            client
                .request(method, &format!("/v3/{tag}"), &[("X-Key", "k")], tag, Nanos::ZERO)
                .expect("queued");
        }
        assert_eq!(answer(&mut client, &mut reactor), Ok((0, 200, "GET /api/v3/0 HTTP/1.1".to_owned())));
        assert_eq!(answer(&mut client, &mut reactor), Ok((1, 200, "POST /api/v3/1 HTTP/1.1".to_owned())));
        let (tag, maybe_sent, _) = answer(&mut client, &mut reactor).expect_err("cut");
        assert_eq!((tag, maybe_sent), (2, true));
        assert_eq!(answer(&mut client, &mut reactor), Ok((3, 200, "GET /api/v3/3 HTTP/1.1".to_owned())));
        assert_eq!(client.pending(), 0);
    }
}

#[test]
fn a_request_is_not_lost_on_a_connection_that_the_server_has_left() {
    for (secure, scheme) in [(false, "http"), (true, "https")] {
        let (heard, was_heard) = std::sync::mpsc::channel();
        let (left, has_left) = std::sync::mpsc::channel();
        let server = Server::start(secure, 2, move |_, mut line| {
            let mut buffer = [0; 4096];
            let count = line.read(&mut buffer).expect("a request");
            assert!(count > 0);
            line.write_all(b"HTTP/1.1 200 OK\r\nX-Weight: 5\r\nContent-Length: 2\r\n\r\nok")
                .expect("written");
            line.flush().expect("flushed");
            was_heard.recv().expect("the test goes on");
            drop(line);
            left.send(()).expect("the test waits");
        });
        let mut reactor = Reactor::new().expect("a reactor");
        let mut client = HttpClient::new(server.url(scheme, "/"), server.trust.clone(), IDLE);
        for tag in 0..2 {
            client.request("POST", "/order", &[], tag, Nanos::ZERO).expect("queued");
            assert_eq!(answer(&mut client, &mut reactor), Ok((tag, 200, "ok".to_owned())));
            heard.send(()).expect("it serves");
            has_left.recv().expect("it leaves");
        }
    }
}

#[test]
fn what_stands_behind_an_answer_is_not_the_next_requests() {
    let server = Server::start(false, 2, move |number, mut line| {
        let mut buffer = [0; 4096];
        let count = line.read(&mut buffer).expect("a request");
        assert!(count > 0);
        let one = |body: &str| format!("HTTP/1.1 200 OK\r\nX-Weight: 5\r\nContent-Length: 2\r\n\r\n{body}");
        let both = one(&format!("a{number}")) + &one("no");
        line.write_all(both.as_bytes()).expect("written");
        // Until the client leaves.
        while line.read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
    let mut reactor = Reactor::new().expect("a reactor");
    let mut client = HttpClient::new(server.url("http", "/"), server.trust.clone(), IDLE);
    for tag in 0..2 {
        client.request("POST", "/order", &[], tag, Nanos::ZERO).expect("queued");
        assert_eq!(answer(&mut client, &mut reactor), Ok((tag, 200, format!("a{tag}"))));
    }
}

#[test]
fn what_may_not_leave_late_fails_unsent_and_the_rest_goes_on() {
    let server = Server::start(false, 1, move |_, mut line| {
        let mut buffer = [0; 4096];
        for _ in 0..2 {
            let count = line.read(&mut buffer).expect("a request");
            let asked = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let body = asked.lines().next().unwrap_or_default().to_owned();
            let head = format!("HTTP/1.1 200 OK\r\nX-Weight: 5\r\nContent-Length: {}\r\n\r\n", body.len());
            line.write_all((head + &body).as_bytes()).expect("written");
        }
    });
    let mut reactor = Reactor::new().expect("a reactor");
    let mut client = HttpClient::new(server.url("http", "/"), server.trust.clone(), IDLE);
    client.request("GET", "/0", &[], 0, Nanos::ZERO).expect("queued");
    client.request_by(Nanos(1), ("GET", "/1"), &[], 1, Nanos::ZERO).expect("queued");
    client.request_by(Nanos::NEVER, ("GET", "/2"), &[], 2, Nanos::ZERO).expect("queued");
    assert_eq!(answer(&mut client, &mut reactor), Ok((0, 200, "GET /0 HTTP/1.1".to_owned())));
    let (tag, maybe_sent, _) = answer(&mut client, &mut reactor).expect_err("too late");
    assert_eq!((tag, maybe_sent), (1, false));
    assert_eq!(answer(&mut client, &mut reactor), Ok((2, 200, "GET /2 HTTP/1.1".to_owned())));
    client.request("GET", "/3", &[], 3, Nanos::ZERO).expect("queued");
    client.abandon(&mut reactor);
    assert_eq!(client.pending(), 0);
}

#[test]
fn a_sleep_ends_when_something_arrives_and_not_before() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut reactor = Reactor::new().expect("a poll");
    let address = listener.local_addr().expect("an address");
    let mut socket = mio::net::TcpStream::connect(address).expect("dialled");
    let _registered = reactor.register(&mut socket).expect("registered");
    let (mut peer, _) = listener.accept().expect("a peer");
    let watches = [reactor.watch().expect("a descriptor")];
    // The connection itself is something that has happened.
    assert!(Watch::wait(&watches, Duration::from_secs(60)));
    reactor.turn();
    assert!(!Watch::wait(&watches, Duration::ZERO), "it was looked at");
    peer.write_all(b"x").expect("sent");
    assert!(Watch::wait(&watches, Duration::from_secs(60)));
}
