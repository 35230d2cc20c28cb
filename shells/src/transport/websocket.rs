//! A WebSocket client that never blocks: connects, shakes hands, and hands messages over one at a time.
//!
//! Pings are answered by the library with their own payload, as Binance asks (binance.md §4). Compression is never
//! offered. A connection on which nothing arrives for the idle limit, not even a ping, is half-open: it is dropped.

use std::io;

use engine::domain::Nanos;
use engine::limits::FRAME_BYTES_MAX;
use tungstenite::client::client_with_config;
use tungstenite::handshake::client::{ClientHandshake, Request, generate_key};
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use crate::transport::SendError;
use crate::transport::reactor::Reactor;
use crate::transport::stream::{Dial, Stream};
use crate::transport::tls::TlsTrust;
use crate::transport::url::Url;

/// Bytes that may wait for a peer that does not read. Beyond them the connection is given up: a request must not leave
/// late.
const WRITE_BYTES_MAX: usize = 1 << 20;

/// Bytes that are held at most, to leave together: what a TLS record takes, less a request. What comes on top leaves at once.
const HELD_BYTES_MAX: usize = 15 << 10;

/// Bytes asked for in one read. The library fills them with zeros before each: with its own 128 KiB that costs more than
/// everything else that is done to a frame. Nearly every frame is shorter than this, and a longer one takes more reads.
const READ_BYTES: usize = 8 << 10;

/// How long connecting and shaking hands may take together.
const OPENING_MAX: Nanos = Nanos::from_secs(10);

/// What one look at a connection gave.
#[derive(Debug, PartialEq, Eq)]
pub enum WsEvent {
    /// Nothing now.
    Idle,
    /// The handshake is over: messages may be sent.
    Opened,
    /// A message was handed over. There may be more.
    Message,
    /// The connection is over, and why. A new one must be made.
    Closed(String),
}

/// One connection, from its dialling to its end.
#[derive(Debug)]
pub struct WebSocketClient {
    phase: Phase,
    request: Option<Box<Request>>,
    started: Nanos,
    heard: Nanos,
    idle_limit: Nanos,
    /// Whether the socket had no room for all of a message: the rest leaves when it has.
    unsent: bool,
    /// Whether messages wait for those that leave with them.
    held: bool,
}

#[derive(Debug)]
enum Phase {
    // All are large, and the phase is taken out and put back at every look.
    Dialling(Box<Dial>),
    Shaking(Box<MidHandshake<ClientHandshake<Stream>>>),
    Open(Box<WebSocket<Stream>>),
    Over,
}

impl WebSocketClient {
    /// Begins to connect to `url`, with `headers` beside the handshake's own. Without anything heard for `idle_limit`
    /// it counts as half-open.
    ///
    /// # Errors
    /// When the system refuses a socket, or a header is none.
    pub fn connect(
        url: &Url,
        trust: &TlsTrust,
        headers: &[(&str, &str)],
        idle_limit: Nanos,
        now: Nanos,
    ) -> Result<Self, String> {
        let mut request = Request::builder()
            .uri(url.to_string())
            .header("Host", url.authority())
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).map_err(|error| error.to_string())?;
        let dial = Dial::start(url, trust).map_err(|error| format!("{url}: {error}"))?;
        Ok(Self {
            phase: Phase::Dialling(Box::new(dial)),
            request: Some(Box::new(request)),
            started: now,
            heard: now,
            idle_limit,
            unsent: false,
            held: false,
        })
    }

    /// Whether messages may be sent.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// Takes one step. `on_message` gets the payload of a text (`false`) or binary (`true`) message.
    pub fn poll(
        &mut self,
        reactor: &mut Reactor,
        now: Nanos,
        on_message: &mut dyn FnMut(bool, &[u8]),
    ) -> WsEvent {
        // Before the connection may turn out to be over. What fails here is found by the look.
        let _ = self.flush();
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Over => WsEvent::Idle,
            Phase::Open(socket) => self.read(socket, reactor, now, on_message),
            opening if now - self.started > OPENING_MAX => {
                leave(opening, reactor);
                WsEvent::Closed("it did not open in ten seconds".to_owned())
            }
            Phase::Dialling(mut dial) => match dial.poll(reactor) {
                Ok(None) => {
                    self.phase = Phase::Dialling(dial);
                    WsEvent::Idle
                }
                Ok(Some(stream)) => self.shake(stream, reactor, now),
                Err(error) => WsEvent::Closed(error),
            },
            Phase::Shaking(shaking) => {
                if !shaking.get_ref().get_ref().is_ready(reactor) {
                    self.phase = Phase::Shaking(shaking);
                    return WsEvent::Idle;
                }
                // What blocks inside stays unknown to us, so the next edge is waited for.
                shaking.get_ref().get_ref().blocked(reactor);
                self.shaken(shaking.handshake().map(|(socket, _)| socket), reactor, now)
            }
        }
    }

    fn shake(&mut self, stream: Stream, reactor: &mut Reactor, now: Nanos) -> WsEvent {
        let Some(request) = self.request.take() else { return WsEvent::Closed("shaken already".to_owned()) };
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX))
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(HELD_BYTES_MAX)
            .max_write_buffer_size(WRITE_BYTES_MAX);
        let shaken = client_with_config(*request, stream, Some(config)).map(|(socket, _)| socket);
        self.shaken(shaken, reactor, now)
    }

    fn shaken(
        &mut self,
        outcome: Result<WebSocket<Stream>, HandshakeError<ClientHandshake<Stream>>>,
        reactor: &mut Reactor,
        now: Nanos,
    ) -> WsEvent {
        match outcome {
            Ok(socket) => {
                // Messages may have come together with the answer to the handshake.
                socket.get_ref().unblocked(reactor);
                self.phase = Phase::Open(Box::new(socket));
                self.heard = now;
                WsEvent::Opened
            }
            Err(HandshakeError::Interrupted(shaking)) => {
                self.phase = Phase::Shaking(Box::new(shaking));
                WsEvent::Idle
            }
            Err(HandshakeError::Failure(error)) => WsEvent::Closed(describe(&error)),
        }
    }

    fn read(
        &mut self,
        mut socket: Box<WebSocket<Stream>>,
        reactor: &mut Reactor,
        now: Nanos,
        on_message: &mut dyn FnMut(bool, &[u8]),
    ) -> WsEvent {
        if !socket.get_ref().is_ready(reactor) {
            if now - self.heard > self.idle_limit {
                socket.get_mut().leave(reactor);
                return WsEvent::Closed("nothing was heard for too long: half-open".to_owned());
            }
            self.phase = Phase::Open(socket);
            return WsEvent::Idle;
        }
        if std::mem::take(&mut self.unsent) && blocks(&socket.flush()) {
            self.unsent = true;
        }
        socket.get_mut().refresh(reactor);
        let event = match socket.read() {
            Ok(message) => {
                self.heard = now;
                match &message {
                    Message::Text(text) => on_message(false, text.as_bytes()),
                    Message::Binary(bytes) => on_message(true, bytes),
                    // Answered by the library; the answer leaves with the next read or write.
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                    Message::Close(frame) => {
                        let why = frame.as_ref().map_or("without a reason".to_owned(), ToString::to_string);
                        // The farewell is a courtesy.
                        let _ = socket.flush();
                        socket.get_mut().leave(reactor);
                        return WsEvent::Closed(format!("closed by the server: {why}"));
                    }
                }
                WsEvent::Message
            }
            Err(error) if would_block(&error) => {
                socket.get_ref().blocked(reactor);
                WsEvent::Idle
            }
            Err(error) => {
                socket.get_mut().leave(reactor);
                return WsEvent::Closed(describe(&error));
            }
        };
        self.phase = Phase::Open(socket);
        event
    }

    /// Sends a text message at once, and what is held before it.
    ///
    /// # Errors
    /// As [`hold`](Self::hold) and [`flush`](Self::flush).
    pub fn send(&mut self, text: &str) -> Result<(), SendError> {
        self.hold(text)?;
        self.flush()
    }

    /// Keeps a text message, behind what is held before it, until [`flush`](Self::flush) or the next look.
    ///
    /// # Errors
    /// When the connection is not open, or too much waits for its peer: nothing left. When it broke with what was too much to
    /// be held: part of it may have left, and the outcome is unknown ([`SendError::Maybe`]).
    pub fn hold(&mut self, text: &str) -> Result<(), SendError> {
        let Phase::Open(socket) = &mut self.phase else { return Err(SendError::NotSent) };
        match socket.write(Message::text(text)) {
            // The buffer of unsent bytes was full before any of this.
            Err(Error::WriteBufferFull(_)) => Err(SendError::NotSent),
            written => {
                self.held = true;
                self.after(&written)
            }
        }
    }

    /// Lets leave what is held, in one write.
    ///
    /// # Errors
    /// When the connection broke, or the peer does not read: part of it may have left, and the outcome of each message is
    /// unknown ([`SendError::Maybe`]).
    pub fn flush(&mut self) -> Result<(), SendError> {
        if !std::mem::take(&mut self.held) {
            return Ok(());
        }
        let Phase::Open(socket) = &mut self.phase else { return Err(SendError::Maybe) };
        let flushed = socket.flush();
        self.after(&flushed)
    }

    fn after(&mut self, outcome: &Result<(), Error>) -> Result<(), SendError> {
        // What the socket has no room for is in the buffer, and leaves when it has.
        let blocked = blocks(outcome);
        self.unsent |= blocked;
        if blocked || outcome.is_ok() { Ok(()) } else { Err(SendError::Maybe) }
    }

    /// Ends the connection; a farewell is sent if it can be without waiting.
    pub fn close(&mut self, reactor: &mut Reactor) {
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        leave(phase, reactor);
    }
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn blocks(outcome: &Result<(), Error>) -> bool {
    outcome.as_ref().is_err_and(would_block)
}

fn leave(phase: Phase, reactor: &mut Reactor) {
    match phase {
        Phase::Open(mut socket) => {
            let _ = socket.close(None);
            socket.get_mut().leave(reactor);
        }
        Phase::Shaking(mut shaking) => shaking.get_mut().get_mut().leave(reactor),
        Phase::Dialling(_) | Phase::Over => {}
    }
}

/// An error without what a server may have put into it beyond its status.
fn describe(error: &Error) -> String {
    match error {
        Error::Http(response) => format!("the server answered {}", response.status()),
        other => other.to_string(),
    }
}
