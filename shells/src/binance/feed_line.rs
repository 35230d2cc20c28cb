//! One of the feed's connections: dialled, heard, replaced before its day ends, and dialled again.

use engine::domain::{Instruments, Nanos};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::warn;

use crate::binance::feed::FeedCounts;
use crate::config::Secret;
use crate::transport::{Backoff, Reactor, TlsTrust, Url, WebSocketClient, WsEvent};

/// Streams on one connection: far below the venue's 1,024, so that their URL is short.
const STREAMS_MAX: usize = 200;

/// A connection lives at most 24 hours; its replacement is opened a little earlier.
const LIFE: Nanos = Nanos::from_secs(24 * 3_600 - 600);

/// A connection of which nothing is heard, not even the server's ping every 20 s, is half-open.
const IDLE_MAX: Nanos = Nanos::from_secs(65);

/// Without one frame for this long a connection is silent, though it may be pinged: its streams come ten times a second.
const SILENCE_MAX: Nanos = Nanos::from_secs(15);

/// How the word that the server goes down begins, combined and raw.
const SHUTDOWN: [&[u8]; 2] = [b"{\"stream\":\"!serverShutdown\"", b"{\"e\":\"serverShutdown\""];

/// One set of streams on its connection, and on the next one while it is replaced.
pub(super) struct Line {
    url: Url,
    socket: Option<WebSocketClient>,
    next: Option<WebSocketClient>,
    opened: Nanos,
    heard: Nanos,
    retry_at: Nanos,
    backoff: Backoff,
    ending: bool,
    /// Whether it was open before.
    known: bool,
    /// What opens SBE streams; its streams are JSON without.
    key: Option<Secret>,
    silence: Nanos,
}

impl Line {
    fn new(url: Url, seed: u64) -> Self {
        Self {
            url,
            socket: None,
            next: None,
            opened: Nanos::ZERO,
            heard: Nanos::ZERO,
            retry_at: Nanos(i64::MIN),
            backoff: Backoff::new(Nanos::from_millis(100), Nanos::from_secs(30), seed),
            ending: false,
            known: false,
            key: None,
            silence: SILENCE_MAX,
        }
    }

    /// Of `streams` of every instrument at `base`, on as many connections as that takes, each `copies` times.
    pub(super) fn all(
        base: &Url,
        instruments: &Instruments,
        streams: &[String],
        copies: usize,
        seed: u64,
    ) -> Vec<Self> {
        let symbols: Vec<String> =
            instruments.iter().map(|(_, instrument)| instrument.symbol.to_lowercase()).collect();
        let mut lines = Vec::new();
        // Without streams there is nothing to connect for.
        let Some(symbols_each) = STREAMS_MAX.checked_div(streams.len()) else { return lines };
        for chunk in symbols.chunks(symbols_each.max(1)) {
            let streams: Vec<String> = chunk
                .iter()
                .map(|symbol| utf8_percent_encode(symbol, NON_ALPHANUMERIC).to_string())
                .flat_map(|symbol| streams.iter().map(move |stream| format!("{symbol}@{stream}")))
                .collect();
            let url = base.join(&format!("/stream?streams={}", streams.join("/")));
            for _ in 0..copies {
                lines.push(Self::new(url.clone(), seed.wrapping_add(lines.len() as u64)));
            }
        }
        lines
    }

    /// Whose streams are in SBE, which `key` opens.
    pub(super) fn in_sbe(self, key: &Secret) -> Self {
        Self { key: Some(key.clone()), ..self }
    }

    /// Which may be silent for that long.
    pub(super) fn silent_for(self, silence: Nanos) -> Self {
        Self { silence, ..self }
    }

    /// Whether its streams are in SBE.
    pub(super) const fn is_in_sbe(&self) -> bool {
        self.key.is_some()
    }

    /// Whether it has no connection.
    pub(super) const fn is_down(&self) -> bool {
        self.socket.is_none()
    }

    /// A connection has opened.
    const fn came_up(&mut self, counts: &mut FeedCounts) {
        counts.connections += 1;
        counts.reconnects += self.known as u64;
        self.known = true;
    }

    fn dial(&mut self, trust: &TlsTrust, now: Nanos) -> Option<WebSocketClient> {
        if now < self.retry_at {
            return None;
        }
        let key = self.key.as_ref().map(|key| ("X-MBX-APIKEY", key.expose()));
        match WebSocketClient::connect(&self.url, trust, key.as_slice(), IDLE_MAX, now) {
            Ok(socket) => Some(socket),
            Err(reason) => {
                self.failed(&reason, now);
                None
            }
        }
    }

    fn failed(&mut self, reason: &str, now: Nanos) {
        warn!(reason, "a market data connection ended");
        self.retry_at = now.saturating_add(self.backoff.next_wait());
    }

    /// Opens what is to be open: the connection, or the one that replaces it.
    pub(super) fn keep(&mut self, trust: &TlsTrust, reactor: &mut Reactor, now: Nanos) {
        let Some(socket) = &mut self.socket else {
            // A replacement under way takes its place.
            self.socket = self.next.take().or_else(|| self.dial(trust, now));
            (self.heard, self.ending) = (now, false);
            return;
        };
        if socket.is_open() && now - self.heard > self.silence {
            socket.close(reactor);
            self.socket = None;
            return self.failed("it was silent", now);
        }
        if self.next.is_none() && socket.is_open() && (self.ending || now - self.opened > LIFE) {
            self.next = self.dial(trust, now);
        }
    }

    /// Takes one step of each connection; `on_frame` gets a payload, and whether it is binary.
    pub(super) fn look(
        &mut self,
        reactor: &mut Reactor,
        now: Nanos,
        counts: &mut FeedCounts,
        on_frame: &mut dyn FnMut(bool, &[u8]),
    ) -> bool {
        let mut busy = false;
        if let Some(mut next) = self.next.take() {
            let event = next.poll(reactor, now, on_frame);
            busy |= event == WsEvent::Message;
            match event {
                WsEvent::Closed(reason) => self.failed(&reason, now),
                // The next one speaks: the last may go.
                WsEvent::Message => {
                    if let Some(mut last) = self.socket.replace(next) {
                        last.close(reactor);
                    }
                    (self.opened, self.heard, self.ending) = (now, now, false);
                    self.came_up(counts);
                }
                WsEvent::Opened | WsEvent::Idle => self.next = Some(next),
            }
            return busy;
        }
        let Some(socket) = &mut self.socket else { return false };
        let mut ending = false;
        match socket.poll(reactor, now, &mut |binary, bytes| {
            ending |= SHUTDOWN.iter().any(|head| bytes.starts_with(head));
            on_frame(binary, bytes);
        }) {
            WsEvent::Idle => {}
            WsEvent::Opened => {
                (self.opened, self.heard) = (now, now);
                self.came_up(counts);
            }
            WsEvent::Message => {
                (busy, self.heard) = (true, now);
                self.backoff.reset();
            }
            WsEvent::Closed(reason) => {
                self.socket = None;
                self.failed(&reason, now);
            }
        }
        self.ending |= ending;
        busy
    }
}
