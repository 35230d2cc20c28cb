//! A WebSocket connection: frames in, frames out, pings, and its end.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::connection::{Hall, Session, WRITE_LIMIT, envelope};
use super::desk::{Connection, Out, ToDesk};
use super::render::TimeUnit;
use super::streams::Wire;
use super::websocket::{BINARY, PING, PONG, Reader, Received, TEXT, Violation, write, write_close};

/// Messages a second that a stream connection may send (binance.md §4).
const MESSAGES_A_SECOND: u32 = 5;
/// Most bytes gathered before they are written.
const GATHERED_MAX: usize = 64 << 10;

/// What a WebSocket is for.
pub enum Manner {
    /// Market streams.
    Streams {
        /// The first ones.
        names: Vec<String>,
        /// How they are told.
        wire: Wire,
        /// In what times are told.
        unit: TimeUnit,
    },
    /// The WebSocket API.
    Api {
        /// In what times are told.
        unit: TimeUnit,
        /// Whether answers tell what was used of the limits.
        limits: bool,
        /// Who it is.
        session: Session,
    },
}

/// A WebSocket.
pub struct Talk {
    id: Connection,
    address: IpAddr,
    hall: Hall,
    manner: Manner,
    inbox: mpsc::Receiver<Out>,
    reader: Reader,
    /// Gathered, to be written.
    out: Vec<u8>,
    /// Bytes after which the connection is cut.
    cut: Option<usize>,
    half_open: bool,
    second: (Instant, u32),
}

/// The talk is over.
struct Over;

/// Tokio's clock, which paces a connection; nothing of the exchange's state depends on it.
fn present() -> Instant {
    Instant::now()
}

impl Talk {
    /// Begins, with bytes that came with the upgrade.
    #[must_use]
    pub fn new(
        id: Connection,
        address: IpAddr,
        hall: Hall,
        manner: Manner,
        inbox: mpsc::Receiver<Out>,
        buffer: Vec<u8>,
    ) -> Self {
        let second = (present(), 0);
        let reader = Reader::new(buffer);
        Self {
            id,
            address,
            hall,
            manner,
            inbox,
            reader,
            out: Vec::new(),
            cut: None,
            half_open: false,
            second,
        }
    }

    /// Talks to the end.
    pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut stream: S) {
        let opened = match &mut self.manner {
            Manner::Streams { names, wire, unit } => {
                ToDesk::Follow(self.id, std::mem::take(names), *wire, *unit)
            }
            Manner::Api { .. } => ToDesk::Api(self.id),
        };
        if self.hall.desk.send(opened).await.is_err() {
            return;
        }
        let keeping = self.hall.keeping;
        let end = present() + keeping.life;
        let mut next_ping = present() + keeping.ping;
        let mut heard = present();
        // What came with the upgrade may hold messages already.
        let mut over = self.hear().await.is_err();
        while !over {
            if self.flush(&mut stream).await.is_err() {
                break;
            }
            tokio::select! {
                said = self.inbox.recv() => match said {
                    Some(out) => {
                        over = self.say(out).is_err();
                        while !over && self.out.len() < GATHERED_MAX && let Ok(out) = self.inbox.try_recv() {
                            over = self.say(out).is_err();
                        }
                    }
                    None => over = true,
                },
                read = stream.read_buf(&mut self.reader.buffer), if !self.half_open => match read {
                    Ok(0) | Err(_) => over = true,
                    Ok(_) => {
                        heard = present();
                        over = self.hear().await.is_err();
                    }
                },
                () = sleep_until(next_ping) => {
                    next_ping = present() + keeping.ping;
                    if present() > heard + keeping.pong {
                        over = true;
                    } else if !self.half_open {
                        let stamp = crate::exchange::json::millis(self.hall.door.clock.now());
                        write(&mut self.out, PING, stamp.to_string().as_bytes());
                    }
                }
                () = sleep_until(end) => {
                    write_close(&mut self.out, 1000);
                    over = true;
                }
            }
        }
        let _ = self.flush(&mut stream).await;
        let _ = timeout(Duration::from_secs(1), stream.shutdown()).await;
    }

    /// Writes what was gathered.
    async fn flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Result<(), Over> {
        if self.out.is_empty() {
            return Ok(());
        }
        if self.half_open {
            self.out.clear();
            return Ok(());
        }
        let length = self.cut.map_or(self.out.len(), |cut| cut.min(self.out.len()));
        let written = timeout(WRITE_LIMIT, stream.write_all(&self.out[..length])).await;
        if let Some(cut) = &mut self.cut {
            *cut -= length;
            if *cut == 0 {
                self.out.clear();
                return Err(Over);
            }
        }
        self.out.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            _ => Err(Over),
        }
    }

    fn say(&mut self, out: Out) -> Result<(), Over> {
        match out {
            Out::Frame(text) => write(&mut self.out, TEXT, text.as_bytes()),
            Out::Binary(bytes) => write(&mut self.out, BINARY, &bytes),
            Out::Answer(answer) => {
                let limits = matches!(self.manner, Manner::Api { limits: true, .. });
                write(&mut self.out, TEXT, envelope(&answer, limits).as_bytes());
            }
            Out::Close(code) => {
                write_close(&mut self.out, code);
                return Err(Over);
            }
            Out::Cut(0) => {
                self.out.clear();
                return Err(Over);
            }
            Out::Cut(bytes) => self.cut = Some(self.out.len() + bytes),
            Out::HalfOpen => self.half_open = true,
        }
        Ok(())
    }

    /// Reads every message that is whole.
    async fn hear(&mut self) -> Result<(), Over> {
        loop {
            let message = match self.reader.message() {
                Ok(None) => return Ok(()),
                Ok(Some(message)) => message,
                Err(Violation(code)) => {
                    write_close(&mut self.out, code);
                    return Err(Over);
                }
            };
            if self.is_too_much() {
                write_close(&mut self.out, 1008);
                return Err(Over);
            }
            match message {
                Received::Ping(payload) => write(&mut self.out, PONG, &payload),
                Received::Pong(_) => {}
                Received::Close => {
                    write_close(&mut self.out, 1000);
                    return Err(Over);
                }
                Received::Text(text) => self.hear_text(text).await?,
            }
        }
    }

    /// Whether a stream connection has sent too many messages in this second.
    fn is_too_much(&mut self) -> bool {
        if !matches!(self.manner, Manner::Streams { .. }) {
            return false;
        }
        let now = present();
        if now >= self.second.0 + Duration::from_secs(1) {
            self.second = (now, 0);
        }
        self.second.1 += 1;
        self.second.1 > MESSAGES_A_SECOND
    }

    async fn hear_text(&mut self, text: String) -> Result<(), Over> {
        let message = match &mut self.manner {
            Manner::Streams { .. } => ToDesk::Control(self.id, text),
            Manner::Api { unit, session, .. } => {
                ToDesk::Call(session.hear(&text, self.id, self.address, *unit, &self.hall))
            }
        };
        self.hall.desk.send(message).await.map_err(|_| Over)
    }
}
