//! A TCP connection, with TLS over it where the URL says so, from the look-up of the name to the first byte.

use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use mio::net::TcpStream;
use rustls::{ClientConnection, StreamOwned};

use crate::transport::reactor::{Reactor, Registered};
use crate::transport::tls::TlsTrust;
use crate::transport::url::Url;

/// An open connection.
#[derive(Debug)]
pub struct Stream {
    wire: Wire,
    registered: Option<Registered>,
}

#[derive(Debug)]
enum Wire {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

/// A socket that knows when it has been read to the end: a read that gave less than was asked for has emptied it
/// (epoll(7)), and until something happens on it the next one would only say so by another system call.
#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    /// How often something had happened on it when the reactor was last asked; `None` where each read is tried.
    happened: Option<u64>,
    empty: bool,
}

#[cfg(test)]
thread_local! {
    /// Bytes of each write that this thread made of a socket.
    pub(super) static WRITTEN: std::cell::RefCell<Vec<usize>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Lets tests see how much was written, and how often.
#[inline]
fn told(written: io::Result<usize>) -> io::Result<usize> {
    #[cfg(test)]
    WRITTEN.with_borrow_mut(|calls| calls.extend(written.as_ref().ok()));
    written
}

impl Socket {
    fn refresh(&mut self, happened: Option<u64>) {
        if happened.is_none() || happened != self.happened {
            (self.happened, self.empty) = (happened, false);
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.empty {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.stream.read(buffer)?;
        // None of it is the end of the stream, which is to be seen again.
        self.empty = self.happened.is_some() && count > 0 && count < buffer.len();
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        told(self.stream.write(buffer))
    }

    /// TLS hands over all its records together.
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        told(self.stream.write_vectored(buffers))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Wire {
    fn socket(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Stream {
    /// Learns from the reactor whether something has happened. To be called before reads that follow a turn of it.
    pub(super) fn refresh(&mut self, reactor: &Reactor) {
        let happened = self.registered.as_ref().and_then(|registered| reactor.happened(registered));
        self.wire.socket().refresh(happened);
    }

    /// Leaves the reactor, to be dropped.
    pub(super) fn leave(&mut self, reactor: &mut Reactor) {
        if let Some(registered) = self.registered.take() {
            reactor.deregister(&mut self.wire.socket().stream, &registered);
        }
    }

    pub(super) fn is_ready(&self, reactor: &Reactor) -> bool {
        self.registered.as_ref().is_some_and(|registered| reactor.is_ready(registered))
    }

    pub(super) fn unblocked(&self, reactor: &mut Reactor) {
        if let Some(registered) = &self.registered {
            reactor.unblocked(registered);
        }
    }

    pub(super) fn blocked(&self, reactor: &mut Reactor) {
        if let Some(registered) = &self.registered {
            reactor.blocked(registered);
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.wire {
            Wire::Plain(socket) => socket.read(buffer),
            Wire::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.wire {
            Wire::Plain(socket) => socket.write(buffer),
            Wire::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.wire {
            Wire::Plain(socket) => socket.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

/// A connection on its way.
#[derive(Debug)]
pub struct Dial {
    url: Url,
    trust: TlsTrust,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Resolving(Receiver<Result<SocketAddr, String>>),
    Connecting(TcpStream),
    Over,
}

impl Dial {
    /// Begins to connect to `url`.
    ///
    /// # Errors
    /// When the system refuses a socket or a thread for the look-up.
    pub fn start(url: &Url, trust: &TlsTrust) -> io::Result<Self> {
        let step = match url.host.parse::<IpAddr>() {
            Ok(address) => Step::Connecting(TcpStream::connect(SocketAddr::new(address, url.port))?),
            Err(_) => Step::Resolving(look_up(url)?),
        };
        Ok(Self { url: url.clone(), trust: trust.clone(), step })
    }

    /// Goes on; gives the stream once it is connected (TLS then shakes hands with the first bytes).
    ///
    /// # Errors
    /// With what went wrong. Nothing more comes after that.
    pub fn poll(&mut self, reactor: &mut Reactor) -> Result<Option<Stream>, String> {
        if let Step::Resolving(answer) = &self.step {
            match answer.try_recv() {
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return self.fail("the look-up ended"),
                Ok(Err(error)) => return self.fail(&error),
                Ok(Ok(address)) => match TcpStream::connect(address) {
                    Ok(socket) => self.step = Step::Connecting(socket),
                    Err(error) => return self.fail(&error.to_string()),
                },
            }
        }
        let Step::Connecting(socket) = &self.step else { return Err("it has ended".to_owned()) };
        match socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return self.fail(&error.to_string()),
        }
        if let Err(error) = socket.peer_addr() {
            return match error.kind() {
                io::ErrorKind::NotConnected => Ok(None),
                _ => self.fail(&error.to_string()),
            };
        }
        let Step::Connecting(socket) = std::mem::replace(&mut self.step, Step::Over) else {
            return Err("it has ended".to_owned());
        };
        self.connected(socket, reactor).map(Some)
    }

    fn connected(&self, mut socket: TcpStream, reactor: &mut Reactor) -> Result<Stream, String> {
        // Without this a small request waits for the acknowledgement of the one before (Nagle).
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        let tls = if self.url.secure { Some(self.trust.connect(&self.url.host)?) } else { None };
        let registered = reactor.register(&mut socket).map_err(|error| error.to_string())?;
        let socket = Socket { stream: socket, happened: None, empty: false };
        let wire = match tls {
            None => Wire::Plain(socket),
            Some(session) => Wire::Tls(Box::new(StreamOwned::new(session, socket))),
        };
        Ok(Stream { wire, registered: Some(registered) })
    }

    fn fail<T>(&mut self, error: &str) -> Result<T, String> {
        self.step = Step::Over;
        Err(format!("{}: {error}", self.url.authority()))
    }
}

/// Looks a name up on a thread of its own, because the system's look-up blocks.
fn look_up(url: &Url) -> io::Result<Receiver<Result<SocketAddr, String>>> {
    let (sender, receiver) = channel();
    let (host, port) = (url.host.clone(), url.port);
    std::thread::Builder::new().name("look-up".to_owned()).spawn(move || {
        let found = (host.as_str(), port)
            .to_socket_addrs()
            .map_err(|error| error.to_string())
            .and_then(|mut all| all.next().ok_or_else(|| "no address".to_owned()));
        // Nobody waits any more when this fails.
        let _ = sender.send(found);
    })?;
    Ok(receiver)
}
