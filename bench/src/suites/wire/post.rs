//! The exchange's end of the wire: market data that the bench makes, a snapshot where one is asked for, and orders on
//! their way to a real exchange behind it and back. Sockets are read without waiting.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use engine::clock::Stopwatch;
use engine::domain::Nanos;
use engine::error::SetupError;
use shells::exchange::http;
use shells::exchange::websocket::{Reader, Received};

/// How long anything may take.
pub const PATIENCE: Nanos = Nanos::from_secs(30);

/// How an order's last report shows its state.
const ENDS: [&[u8]; 3] = [b"\"X\":\"EXPIRED\"", b"\"X\":\"FILLED\"", b"\"X\":\"REJECTED\""];

/// A failure of a socket.
pub fn broken(what: &str, reason: impl std::fmt::Display) -> SetupError {
    SetupError::Invalid(format!("{what}: {reason}"))
}

/// Appends what has come; whether there was anything.
fn take(stream: &mut TcpStream, to: &mut Vec<u8>) -> Result<bool, SetupError> {
    let mut bytes = [0; 16 << 10];
    match stream.read(&mut bytes) {
        Ok(0) => Err(broken("a connection", "it was closed")),
        Ok(count) => {
            to.extend_from_slice(&bytes[..count]);
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(broken("a connection", error)),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn prepared(stream: TcpStream) -> Result<TcpStream, SetupError> {
    let set = stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true));
    set.map(|()| stream).map_err(|error| broken("a connection", error))
}

/// One port and the connection that was last accepted there.
pub struct Door {
    listener: TcpListener,
    stream: Option<TcpStream>,
    heard: Vec<u8>,
    /// Whether it has become a WebSocket.
    open: bool,
}

impl Door {
    /// Listens on a port of the system's choice.
    ///
    /// # Errors
    /// When there is none.
    pub fn new() -> Result<Self, SetupError> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| broken("a port", error))?;
        listener.set_nonblocking(true).map_err(|error| broken("a port", error))?;
        Ok(Self { listener, stream: None, heard: Vec::new(), open: false })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> Result<SocketAddr, SetupError> {
        self.listener.local_addr().map_err(|error| broken("a port", error))
    }

    /// Whether a WebSocket is open here.
    pub const fn is_open(&self) -> bool {
        self.open
    }

    fn accept(&mut self) -> Result<bool, SetupError> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                (self.stream, self.open) = (Some(prepared(stream)?), false);
                self.heard.clear();
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(broken("a port", error)),
        }
    }

    /// Takes connections, opens WebSockets, and answers any other request with `body`.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn serve(&mut self, body: &mut dyn FnMut() -> Vec<u8>) -> Result<(), SetupError> {
        self.accept()?;
        let Some(stream) = self.stream.as_mut().filter(|_| !self.open) else { return Ok(()) };
        take(stream, &mut self.heard)?;
        if !self.heard.ends_with(b"\r\n\r\n") {
            return Ok(());
        }
        let head = String::from_utf8_lossy(&self.heard).into_owned();
        self.heard.clear();
        let named = |line: &str| {
            line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        };
        let key = head.lines().filter_map(named).find(|(name, _)| name == "sec-websocket-key");
        let answer = match &key {
            Some((_, key)) => http::upgraded(key),
            None => {
                let body = String::from_utf8_lossy(&body()).into_owned();
                http::response(200, "application/json", "", &body, true)
            }
        };
        // A snapshot is more than a socket takes at once.
        stream.set_nonblocking(false).map_err(|error| broken("a connection", error))?;
        stream.write_all(answer.as_bytes()).map_err(|error| broken("a connection", error))?;
        stream.set_nonblocking(true).map_err(|error| broken("a connection", error))?;
        self.open = key.is_some();
        Ok(())
    }

    /// Sends `frame`.
    ///
    /// # Errors
    /// When there is nobody to send it to.
    pub fn send(&mut self, frame: &[u8]) -> Result<(), SetupError> {
        let stream = self.stream.as_mut().ok_or_else(|| broken("a connection", "there is none"))?;
        stream.write_all(frame).map_err(|error| broken("a connection", error))
    }

    /// Sends `frame`, and waits for the first bytes that come back by `answers`: from before the sending to after the
    /// arrival.
    ///
    /// # Errors
    /// When nothing comes back.
    pub fn echo(
        &mut self,
        frame: &[u8],
        answers: &mut Self,
        stopwatch: Stopwatch,
    ) -> Result<Nanos, SetupError> {
        let (Some(out), Some(back)) = (&mut self.stream, &mut answers.stream) else {
            return Err(broken("the echo", "not connected"));
        };
        let start = stopwatch.elapsed();
        out.write_all(frame).map_err(|error| broken("the echo", error))?;
        answers.heard.clear();
        while !take(back, &mut answers.heard)? {
            if stopwatch.elapsed() - start > PATIENCE {
                return Err(broken("the echo", "nothing came back"));
            }
        }
        Ok(stopwatch.elapsed() - start)
    }
}

/// The order entry connection, passed on byte for byte.
pub struct Relay {
    door: Door,
    exchange: SocketAddr,
    upstream: Option<TcpStream>,
    /// Where the client's handshake ends and its messages begin.
    shaken: bool,
    reader: Reader,
    bytes: Vec<u8>,
    told: Vec<u8>,
    /// Orders that passed.
    pub orders: u64,
    /// Orders of which the last report passed.
    pub ended: u64,
    /// Bytes of the last order.
    pub order_bytes: usize,
}

impl Relay {
    /// Between `door` and the exchange.
    pub fn new(door: Door, exchange: SocketAddr) -> Self {
        Self {
            door,
            exchange,
            upstream: None,
            shaken: false,
            reader: Reader::default(),
            bytes: Vec::new(),
            told: Vec::new(),
            orders: 0,
            ended: 0,
            order_bytes: 0,
        }
    }

    /// Passes on what has come from either side.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn pump(&mut self) -> Result<(), SetupError> {
        if self.door.accept()? {
            let upstream =
                TcpStream::connect(self.exchange).map_err(|error| broken("the exchange", error))?;
            self.upstream = Some(prepared(upstream)?);
            (self.shaken, self.reader) = (false, Reader::default());
        }
        self.pass_up()?;
        let (Some(upstream), Some(stream)) = (&mut self.upstream, &mut self.door.stream) else {
            return Ok(());
        };
        let before = self.told.len();
        if take(upstream, &mut self.told)? {
            stream.write_all(&self.told[before..]).map_err(|error| broken("the client", error))?;
            if ENDS.iter().any(|end| contains(&self.told, end)) {
                self.ended += 1;
                self.told.clear();
            }
        }
        Ok(())
    }

    /// Passes on what the client has sent, if it has.
    fn pass_up(&mut self) -> Result<(), SetupError> {
        let (Some(upstream), Some(stream)) = (&mut self.upstream, &mut self.door.stream) else {
            return Ok(());
        };
        self.bytes.clear();
        if take(stream, &mut self.bytes)? {
            upstream.write_all(&self.bytes).map_err(|error| broken("the exchange", error))?;
            self.read()?;
        }
        Ok(())
    }

    /// Counts the orders in what the client has sent.
    fn read(&mut self) -> Result<(), SetupError> {
        if !self.shaken {
            self.shaken = self.bytes.ends_with(b"\r\n\r\n");
            return Ok(());
        }
        self.reader.buffer.extend_from_slice(&self.bytes);
        while let Some(message) =
            self.reader.message().map_err(|violation| broken("the client", format!("{violation:?}")))?
        {
            if let Received::Text(text) = message
                && text.contains("\"order.place\"")
            {
                self.orders += 1;
                self.order_bytes = text.len();
            }
        }
        Ok(())
    }

    /// Sends `frame` by `streams`, and waits for the order that it causes: from before the sending to after its arrival.
    /// `None` where something else came.
    ///
    /// # Errors
    /// When nothing comes.
    pub fn order_for(
        &mut self,
        frame: &[u8],
        streams: &mut Door,
        stopwatch: Stopwatch,
    ) -> Result<Option<Nanos>, SetupError> {
        let (Some(out), Some(back)) = (&mut streams.stream, &mut self.door.stream) else {
            return Err(broken("the system", "not connected"));
        };
        let start = stopwatch.elapsed();
        out.write_all(frame).map_err(|error| broken("the system", error))?;
        self.bytes.clear();
        while !take(back, &mut self.bytes)? {
            if stopwatch.elapsed() - start > PATIENCE {
                return Err(broken("the system", format!("no order came after {}", self.orders)));
            }
        }
        let time = stopwatch.elapsed() - start;
        let upstream = self.upstream.as_mut().ok_or_else(|| broken("the exchange", "not connected"))?;
        upstream.write_all(&self.bytes).map_err(|error| broken("the exchange", error))?;
        let before = self.orders;
        self.read()?;
        Ok((self.orders == before + 1).then_some(time))
    }
}
