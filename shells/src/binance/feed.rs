//! Market data over combined streams, with depth snapshots over REST (binance.md §4).
//!
//! In SBE, depth, best prices and trades come as binary frames; bars and aggregate trades, of which SBE has none, still come
//! as JSON.
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
use crate::binance::feed_line::Line;
use crate::binance::limits::{Permit, RateLimits, Share, WeightBudget, retry_after};
use crate::binance::streams::Streams;
use crate::config::Secret;
use crate::transport::{HttpClient, HttpEvent, Reactor, TlsTrust, Watch};

/// After so many looks at streams, which may never be silent, one at the answers to requests.
const LOOKS: u32 = 16;

/// A snapshot that has no answer by then is asked for again by ingest.
const ANSWER_MAX: Nanos = Nanos::from_secs(10);

/// Levels of a snapshot a side, and the weight of asking for them (binance.md §3).
const SNAPSHOT_LEVELS: u32 = 1_000;
const SNAPSHOT_WEIGHT: u64 = 50;

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
    /// Follows `streams` of every instrument at `endpoints`. `seed` spreads reconnections.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new(
        endpoints: &Endpoints,
        trust: &TlsTrust,
        instruments: Arc<Instruments>,
        streams: &Streams,
        seed: u64,
    ) -> std::io::Result<Self> {
        Ok(Self {
            lines: Line::all(&endpoints.streams, &instruments, &streams.in_json(), streams.copies(), seed),
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

    /// Follows what there is in SBE so, which `key` opens, and the rest of `streams` in JSON.
    #[must_use]
    pub fn in_sbe(mut self, endpoints: &Endpoints, key: &Secret, streams: &Streams, seed: u64) -> Self {
        let (listed, copies) = (&self.instruments, streams.copies());
        let binary = Line::all(&endpoints.sbe, listed, &streams.in_sbe(), copies, seed);
        let text = Line::all(&endpoints.streams, listed, &streams.beside_sbe(), copies, !seed);
        let binary = binary.into_iter().map(|line| line.in_sbe(key));
        let silence = streams.silence_beside_sbe();
        self.lines = binary.chain(text.into_iter().map(|line| line.silent_for(silence))).collect();
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
            let in_sbe = line.is_in_sbe();
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
        if lines.iter().all(Line::is_down) {
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
