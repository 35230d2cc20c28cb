//! Market data over combined streams, with depth snapshots over REST (binance.md §4).
//!
//! In SBE, depth, best prices and trades come as binary frames; bars, of which SBE has none, still come as JSON.
//!
//! Streams stand in the URL of a connection, so that nothing is subscribed by messages and a reconnection subscribes
//! again by itself. A connection near the end of its day, or told of a shutdown, is replaced before it is closed; while
//! two carry the same streams, and always with redundant connections, the first arrival of each event counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::domain::{InstrumentIndex, Instruments, Market, Nanos};
use engine::venue::{Frame, MarketData, Source};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::warn;

use crate::binance::Endpoints;
use crate::binance::dedup::Dedup;
use crate::binance::limits::{Permit, RateLimits, Share, WeightBudget, retry_after};
use crate::config::Secret;
use crate::transport::{
    Backoff, HttpClient, HttpEvent, Reactor, TlsTrust, Url, Watch, WebSocketClient, WsEvent,
};

/// Streams of one symbol.
const STREAMS: [&str; 4] = ["depth@100ms", "bookTicker", "trade", "kline_1m"];

/// Of those, what SBE has no stream for; and its own streams (binance.md §10).
const BARS: [&str; 1] = ["kline_1m"];
const SBE_STREAMS: [&str; 3] = ["depth", "bestBidAsk", "trade"];

/// After so many looks at streams, which may never be silent, one at the answers to requests.
const LOOKS: u32 = 16;

/// Symbols on one connection: their streams stay far below the venue's 1,024, and their URL short.
const SYMBOLS_MAX: usize = 50;

/// A connection lives at most 24 hours; its replacement is opened a little earlier.
const LIFE: Nanos = Nanos::from_secs(24 * 3_600 - 600);

/// A connection of which nothing is heard, not even the server's ping every 20 s, is half-open.
const IDLE_MAX: Nanos = Nanos::from_secs(65);

/// Without one frame for this long a connection is silent, though it may be pinged: its streams come ten times a second.
const SILENCE_MAX: Nanos = Nanos::from_secs(15);

/// The same of bars alone: one begins every minute.
const BARS_SILENCE_MAX: Nanos = Nanos::from_secs(150);

/// A snapshot that has no answer by then is asked for again by ingest.
const ANSWER_MAX: Nanos = Nanos::from_secs(10);

/// Levels of a snapshot a side, and the weight of asking for them (binance.md §3).
const SNAPSHOT_LEVELS: u32 = 1_000;
const SNAPSHOT_WEIGHT: u64 = 50;

/// How the word that the server goes down begins, combined and raw.
const SHUTDOWN: [&[u8]; 2] = [b"{\"stream\":\"!serverShutdown\"", b"{\"e\":\"serverShutdown\""];

/// What the feed met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounts {
    /// Connections that opened.
    pub connections: u64,
    /// Of those, the ones that took the place of another.
    pub reconnects: u64,
    /// Frames handed over.
    pub frames: u64,
    /// Frames that another connection had brought already.
    pub repeats: u64,
    /// Snapshots that the venue, or our share of its weight, refused.
    pub refused: u64,
}

/// One set of streams on its connection, and on the next one while it is replaced.
struct Line {
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
    fn all(base: &Url, instruments: &Instruments, streams: &[&str], copies: usize, seed: u64) -> Vec<Self> {
        let symbols: Vec<String> =
            instruments.iter().map(|(_, instrument)| instrument.symbol.to_lowercase()).collect();
        let mut lines = Vec::new();
        for chunk in symbols.chunks(SYMBOLS_MAX) {
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
    fn keep(&mut self, trust: &TlsTrust, reactor: &mut Reactor, now: Nanos) {
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
    fn look(
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

/// Binance's market data behind the engine's trait.
pub struct BinanceFeed {
    reactor: Reactor,
    /// When the reactor last looked.
    turned: Nanos,
    trust: TlsTrust,
    instruments: Arc<Instruments>,
    lines: Vec<Line>,
    turn: usize,
    dedup: Dedup,
    rest: HttpClient,
    wanted: BTreeSet<InstrumentIndex>,
    asked: BTreeSet<InstrumentIndex>,
    budget: WeightBudget,
    looks: u32,
    /// What it met.
    pub counts: FeedCounts,
}

impl BinanceFeed {
    /// Follows every instrument at `endpoints`, on two connections each if `redundant`. `seed` spreads reconnections.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new(
        endpoints: &Endpoints,
        trust: &TlsTrust,
        instruments: Arc<Instruments>,
        redundant: bool,
        seed: u64,
    ) -> std::io::Result<Self> {
        let copies = 1 + usize::from(redundant);
        Ok(Self {
            lines: Line::all(&endpoints.streams, &instruments, &STREAMS, copies, seed),
            reactor: Reactor::new()?,
            turned: Nanos(i64::MIN),
            trust: trust.clone(),
            instruments,
            turn: 0,
            dedup: Dedup::default(),
            rest: HttpClient::new(endpoints.rest.clone(), trust.clone(), ANSWER_MAX),
            wanted: BTreeSet::new(),
            asked: BTreeSet::new(),
            budget: WeightBudget::new(Share::INGEST, 0),
            looks: 0,
            counts: FeedCounts::default(),
        })
    }

    /// Follows depth, best prices and trades in SBE, which `key` opens.
    #[must_use]
    pub fn in_sbe(mut self, endpoints: &Endpoints, key: &Secret, redundant: bool, seed: u64) -> Self {
        let copies = 1 + usize::from(redundant);
        let mut lines = Line::all(&endpoints.sbe, &self.instruments, &SBE_STREAMS, copies, seed);
        lines.iter_mut().for_each(|line| line.key = Some(key.clone()));
        let bars = Line::all(&endpoints.streams, &self.instruments, &BARS, copies, !seed);
        lines.extend(bars.into_iter().map(|line| Line { silence: BARS_SILENCE_MAX, ..line }));
        self.lines = lines;
        self
    }

    /// Keeps to the venue's own limits.
    #[must_use]
    pub fn limited(mut self, limits: &RateLimits) -> Self {
        self.budget = WeightBudget::new(Share::INGEST, limits.weight_a_minute());
        self
    }

    /// What a sleep of the thread that polls this may wait for.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn watch(&self) -> std::io::Result<Watch> {
        self.reactor.watch()
    }

    fn depth_path(&self, instrument: InstrumentIndex) -> Option<String> {
        let symbol = &self.instruments.get(instrument)?.symbol;
        let symbol = utf8_percent_encode(symbol, NON_ALPHANUMERIC);
        Some(format!("/api/v3/depth?symbol={symbol}&limit={SNAPSHOT_LEVELS}"))
    }

    fn ask_for_snapshots(&mut self, now: Nanos) {
        while let Some(instrument) = self.wanted.first().copied() {
            if self.budget.ask(SNAPSHOT_WEIGHT, now) != Permit::Granted {
                return;
            }
            self.wanted.remove(&instrument);
            let Some(path) = self.depth_path(instrument) else { continue };
            if self.rest.request("GET", &path, &[], u64::from(instrument), now).is_ok() {
                self.asked.insert(instrument);
            }
        }
    }

    fn look_for_snapshots(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        let Self { rest, reactor, instruments, budget, counts, asked, .. } = self;
        if rest.pending() == 0 {
            return false;
        }
        let url = rest.url().to_string();
        let event = rest.poll(reactor, now, &mut |answer| {
            let index = InstrumentIndex::try_from(answer.tag).unwrap_or(InstrumentIndex::MAX);
            asked.remove(&index);
            if let Some(used) =
                answer.header("x-mbx-used-weight-1m").and_then(|text| text.trim().parse().ok())
            {
                budget.told(used, now);
            }
            if matches!(answer.status, 418 | 429) {
                budget.refused(retry_after(answer.header("retry-after"), now), answer.status == 418);
            }
            let Some(instrument) = instruments.get(index).filter(|_| answer.status == 200) else {
                counts.refused += 1;
                return;
            };
            let symbol = utf8_percent_encode(&instrument.symbol, NON_ALPHANUMERIC);
            let url = format!("{url}/api/v3/depth?symbol={symbol}&limit={SNAPSHOT_LEVELS}");
            counts.frames += 1;
            on_frame(&Frame {
                received: now,
                market: Market::Spot,
                source: Source::Rest(&url),
                payload: answer.body,
            });
        });
        match event {
            HttpEvent::Idle => false,
            HttpEvent::Answered => true,
            HttpEvent::Failed { tag, reason, .. } => {
                asked.remove(&InstrumentIndex::try_from(tag).unwrap_or(InstrumentIndex::MAX));
                warn!(reason, "a snapshot did not come");
                false
            }
        }
    }
}

impl BinanceFeed {
    /// Looks at the lines, each in its turn, until one has given a new frame; whether one has.
    fn look_at_lines(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        if now != self.turned {
            // Once a duty cycle: what arrives meanwhile is the next one's.
            self.turned = now;
            self.reactor.turn();
        }
        let Self { lines, reactor, trust, dedup, counts, turn, .. } = self;
        for _ in 0..lines.len() {
            *turn = (*turn + 1) % lines.len();
            let connection = *turn;
            let line = &mut lines[connection];
            line.keep(trust, reactor, now);
            let in_sbe = line.key.is_some();
            let (mut met, mut given) = (FeedCounts::default(), false);
            let busy = line.look(reactor, now, &mut met, &mut |binary, payload| {
                // The word of a shutdown is a text, whatever the streams are.
                let source = if in_sbe && binary { Source::Sbe } else { Source::Stream };
                given = dedup.is_new(source, payload, connection);
                if given {
                    on_frame(&Frame { received: now, market: Market::Spot, source, payload });
                } else {
                    counts.repeats += 1;
                }
            });
            counts.connections += met.connections;
            counts.reconnects += met.reconnects;
            if given {
                counts.frames += 1;
                return true;
            }
            // A repeat or a ping: there may be more, but not for this turn.
            if busy {
                break;
            }
        }
        if lines.iter().all(|line| line.socket.is_none()) {
            // After a pause of everything the venue may count anew.
            dedup.clear();
        }
        false
    }
}

impl MarketData for BinanceFeed {
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        self.ask_for_snapshots(now);
        self.looks = (self.looks + 1) % LOOKS;
        if self.looks == 0 && self.look_for_snapshots(now, on_frame) {
            return true;
        }
        self.look_at_lines(now, on_frame) || self.look_for_snapshots(now, on_frame)
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }

    fn reconnects(&self) -> u64 {
        self.counts.reconnects
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, _now: Nanos) {
        if !self.asked.contains(&instrument) {
            self.wanted.insert(instrument);
        }
    }
}
