//! ZeroMQ pair sockets: between threads without the kernel, and over a Unix socket.

use std::path::Path;

use engine::error::SetupError;
use zerocopy::{FromBytes, IntoBytes};
use zmq::{Context, DONTWAIT, PAIR, Socket};

use crate::peers::{CAPACITY, Line, Openers, Receiver, Sender, Transport, ready, refused};

/// How long a blocking end waits before it looks again, in milliseconds.
const PATIENCE_MS: i32 = 100;

/// How long a closed socket goes on delivering, in milliseconds. Its thread shares a core with an end that does not yield.
const LINGER_MS: i32 = 10_000;

/// A socket, and the flags of its calls.
pub struct Sending(Socket, i32);

/// A socket, and the flags of its calls.
pub struct Receiving(Socket, i32);

impl Sender for Sending {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        self.0.send(line.as_bytes(), self.1).is_ok()
    }
}

impl Receiver for Receiving {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        let mut line = Line::default();
        let bytes = self.0.recv_into(line.as_mut_bytes(), self.1).ok()?;
        (bytes == size_of::<Line>()).then_some(line)
    }
}

fn open(address: &str, flags: i32) -> Result<Openers<Inproc>, SetupError> {
    let refused = |error| refused("zmq", error);
    let context = Context::new();
    let (sender, receiver) = (context.socket(PAIR).map_err(refused)?, context.socket(PAIR).map_err(refused)?);
    let high_water = i32::try_from(CAPACITY).unwrap_or(i32::MAX);
    for socket in [&sender, &receiver] {
        socket.set_sndhwm(high_water).map_err(refused)?;
        socket.set_rcvhwm(high_water).map_err(refused)?;
        socket.set_sndtimeo(PATIENCE_MS).map_err(refused)?;
        socket.set_rcvtimeo(PATIENCE_MS).map_err(refused)?;
        // A closed socket still delivers what it holds, or the last message would be lost.
        socket.set_linger(LINGER_MS).map_err(refused)?;
    }
    sender.bind(address).map_err(refused)?;
    receiver.connect(address).map_err(refused)?;
    Ok(ready(Sending(sender, flags), Receiving(receiver, flags)))
}

/// Between threads, spinning.
pub struct Inproc;

impl Transport for Inproc {
    const NAME: &'static str = "zmq inproc";
    type Sender = Sending;
    type Receiver = Receiving;

    fn open(_place: &Path, channel: &str) -> Result<Openers<Self>, SetupError> {
        open(&format!("inproc://{channel}"), DONTWAIT)
    }
}

/// Over a Unix socket, blocking: ZeroMQ's own threads need the cores that spinning would take.
pub struct Ipc;

impl Transport for Ipc {
    const NAME: &'static str = "zmq ipc";
    type Sender = Sending;
    type Receiver = Receiving;

    fn open(place: &Path, channel: &str) -> Result<Openers<Self>, SetupError> {
        let (sender, receiver) = open(&format!("ipc://{}", place.join(channel).display()), 0)?;
        Ok((sender, receiver))
    }
}

// `FromBytes` is what makes any received bytes a valid line.
const _: fn() = || {
    fn any_bytes<T: FromBytes>() {}
    any_bytes::<Line>();
};
