//! A generated market: a seeded order flow that emits Binance spot's own frames.
//!
//! It needs no network and no recording, and runs the real decoder. Equal symbols, seed, start and rate give equal
//! bytes; each symbol has draws of its own, so that the company it is in does not change it.

pub(crate) mod random;
mod ladder;
mod profile;
mod json;
mod flow;
mod bars;
mod frames;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use crate::book::Level;
use crate::domain::{Nanos, Scale, Side};
use crate::error::SetupError;
use crate::message::tick::Top;
use crate::venue::Source;
use crate::venue::generated::bars::SecondBar;
use crate::venue::generated::flow::{Flow, SWEEP_MAX, Trade};
use crate::venue::generated::frames::Frames;
use crate::venue::generated::json::Json;
use crate::venue::generated::profile::Profile;
use crate::venue::generated::random::Random;

/// From an event at the venue to its frame's receipt.
const STREAM_LATENCY: Nanos = Nanos::from_micros(1_500);

/// From a request for a snapshot to its receipt.
const SNAPSHOT_LATENCY: Nanos = Nanos::from_millis(50);

/// When the first snapshot of a session arrives, after its first diffs; each symbol's a little later than the last.
const FIRST_SNAPSHOT: Nanos = Nanos::from_millis(200);
/// See [`FIRST_SNAPSHOT`].
const NEXT_SNAPSHOT: Nanos = Nanos::from_millis(10);

/// Time between diffs of a symbol.
const DIFF_INTERVAL: Nanos = Nanos::from_millis(100);

/// Length of a bar.
const SECOND: Nanos = Nanos::from_secs(1);

/// Most events a second and symbol.
const RATE_MAX: u32 = 1_000_000;

/// What happens next to a symbol; at the same instant in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// An event of the order flow.
    Event,
    /// A diff is due.
    Diff,
    /// A bar closes.
    Bar,
}

/// A frame that is due, not yet written.
#[derive(Clone, Copy, Debug)]
enum Due {
    Trade(Trade),
    BookTicker(u64, Top),
    /// What changed since the last diff. The flow stands still until it is written.
    Diff,
    Bar(SecondBar),
}

/// One symbol.
#[derive(Debug)]
struct Symbol {
    flow: Flow,
    frames: Frames,
    arrivals: Random,
    bar: SecondBar,
    /// Last update told by a diff.
    told: u64,
    /// When a snapshot arrives; `NEVER` if none was asked for.
    snapshot: Nanos,
}

/// A market of generated symbols.
#[derive(Debug)]
pub struct GeneratedMarket {
    symbols: Vec<Symbol>,
    start: Nanos,
    /// Mean time between events of a symbol, in nanoseconds.
    interval: i64,
    timers: BinaryHeap<Reverse<(Nanos, Timer, usize)>>,
    /// Frames due, in order: event time at the venue, symbol, frame. Never empty between calls.
    due: VecDeque<(Nanos, usize, Due)>,
    /// The earliest snapshot on its way, and whose.
    snapshot: Option<(Nanos, usize)>,
    /// Whether each change of a book is told at once, as a diff, instead of tickers and a diff now and then.
    prompt: bool,
    json: Json,
}

impl GeneratedMarket {
    /// A market of `symbols`, whose flow begins at `start` with `rate` events a second and symbol.
    ///
    /// # Errors
    /// When there is no symbol or one twice, a symbol is not letters and digits that end in a known quote asset, the
    /// rate is 0 or above a million, or the start lies before 1970 or beyond the year 2116.
    pub fn new(symbols: &[&str], seed: u64, start: Nanos, rate: u32) -> Result<Self, SetupError> {
        let refused = |reason: String| Err(SetupError::Invalid(format!("generated market: {reason}")));
        if symbols.is_empty() {
            return refused("no symbols".to_owned());
        }
        if symbols.iter().collect::<BTreeSet<_>>().len() != symbols.len() {
            return refused(format!("a symbol is named twice: {symbols:?}"));
        }
        if rate == 0 || rate > RATE_MAX {
            return refused(format!("{rate} events a second: 1 to {RATE_MAX} expected"));
        }
        if start < Nanos::ZERO || start > Nanos(i64::MAX / 2) {
            return refused(format!("start {} is out of range", start.0));
        }
        let mut market = Self {
            symbols: Vec::with_capacity(symbols.len()),
            start,
            interval: 1_000_000_000 / i64::from(rate),
            timers: BinaryHeap::with_capacity(3 * symbols.len() + 1),
            due: VecDeque::with_capacity(2 * SWEEP_MAX),
            snapshot: None,
            prompt: false,
            json: Json::default(),
        };
        for (index, name) in symbols.iter().enumerate() {
            market.add(index, Profile::new(name)?, seed, rate);
        }
        market.find_snapshot();
        market.run();
        Ok(market)
    }

    fn add(&mut self, index: usize, profile: Profile, seed: u64, rate: u32) {
        let flow = Flow::new(&profile, seed, rate);
        let mut arrivals = Random::new(!(seed ^ profile.hash));
        let phase = Nanos(arrivals.below(DIFF_INTERVAL.0));
        let bar = SecondBar::empty(flow.top().bid);
        let nth = i64::try_from(index).unwrap_or(i64::MAX);
        let snapshot = self.start + FIRST_SNAPSHOT + Nanos(NEXT_SNAPSHOT.0.saturating_mul(nth));
        let first = self.start + Nanos(arrivals.exponential(self.interval));
        self.timers.push(Reverse((first, Timer::Event, index)));
        self.timers.push(Reverse((self.start + phase, Timer::Diff, index)));
        let second = Nanos((self.start.0 / SECOND.0 + 1) * SECOND.0);
        self.timers.push(Reverse((second, Timer::Bar, index)));
        let told = flow.update_id();
        self.symbols.push(Symbol { flow, frames: Frames::new(profile), arrivals, bar, told, snapshot });
    }

    /// Tells each change of a book at once, as a diff after the trades that made it, and no tickers: what an exchange
    /// knows of itself, not what it publishes.
    #[must_use]
    pub fn prompt(mut self) -> Self {
        self.prompt = true;
        self
    }

    /// The exchangeInfo that lists the symbols, in their order.
    #[must_use]
    pub fn exchange_info(&self) -> Vec<u8> {
        frames::exchange_info(self.symbols.iter().map(|symbol| &symbol.frames), self.start)
    }

    /// When the next frame arrives.
    #[must_use]
    pub fn next_time(&self) -> Nanos {
        let stream = self.due.front().map_or(Nanos::NEVER, |due| due.0 + STREAM_LATENCY);
        self.snapshot.map_or(stream, |(snapshot, _)| stream.min(snapshot))
    }

    /// Hands over the one frame that arrives at [`next_time`](Self::next_time), and moves on.
    pub fn next_frame(&mut self, on_frame: &mut dyn FnMut(Nanos, &Source<'_>, &[u8])) {
        let time = self.next_time();
        self.json.clear();
        if let Some((_, index)) = self.snapshot.filter(|&(snapshot, _)| snapshot == time) {
            let symbol = &mut self.symbols[index];
            symbol.snapshot = Nanos::NEVER;
            symbol.frames.snapshot(&mut self.json, &symbol.flow);
            on_frame(time, &Source::Rest(&symbol.frames.url), self.json.bytes());
            self.find_snapshot();
            return;
        }
        let Some((event, index, due)) = self.due.pop_front() else { return };
        let Symbol { flow, frames, told, .. } = &mut self.symbols[index];
        match due {
            Due::Trade(trade) => frames.trade(&mut self.json, &trade, event),
            Due::BookTicker(update_id, top) => frames.book_ticker(&mut self.json, update_id, &top),
            Due::Bar(bar) => frames.kline(&mut self.json, &bar, event),
            Due::Diff => {
                frames.depth(&mut self.json, flow, *told, event);
                *told = flow.update_id();
            }
        }
        on_frame(time, &Source::Stream, self.json.bytes());
        self.run();
    }

    /// Asks for a snapshot of a symbol; it arrives a little later and is of the book at that time, ahead of the
    /// diffs as a REST answer may be. A request while another is on its way, or for no symbol, is answered by none.
    pub fn request_snapshot(&mut self, symbol_index: usize, now: Nanos) {
        if let Some(symbol) =
            self.symbols.get_mut(symbol_index).filter(|symbol| symbol.snapshot == Nanos::NEVER)
        {
            symbol.snapshot = now.saturating_add(SNAPSHOT_LATENCY);
            self.find_snapshot();
        }
    }

    /// Levels of the book behind the frames, best first, in units of [`scales`](Self::scales). The flow runs ahead
    /// of the frames up to the next one.
    pub fn levels(&self, symbol_index: usize, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.symbols.get(symbol_index).into_iter().flat_map(move |symbol| symbol.flow.levels(side))
    }

    /// Last update of that book.
    #[must_use]
    pub fn update_id(&self, symbol_index: usize) -> Option<u64> {
        self.symbols.get(symbol_index).map(|symbol| symbol.flow.update_id())
    }

    /// Scales of a symbol's prices and quantities: its tick and lot are one unit.
    #[must_use]
    pub fn scales(&self, symbol_index: usize) -> Option<(Scale, Scale)> {
        let profile = self.symbols.get(symbol_index)?.frames.profile();
        Some((profile.price_scale, profile.quantity_scale))
    }

    fn find_snapshot(&mut self) {
        let on_its_way =
            self.symbols.iter().enumerate().filter(|(_, symbol)| symbol.snapshot != Nanos::NEVER);
        self.snapshot = on_its_way.map(|(index, symbol)| (symbol.snapshot, index)).min();
    }

    /// Runs the flow until a frame is due. Bars bound it to a second.
    fn run(&mut self) {
        while self.due.is_empty() {
            let Some(Reverse((time, timer, index))) = self.timers.pop() else { return };
            let symbol = &mut self.symbols[index];
            let next = match timer {
                Timer::Event => {
                    let moved = symbol.flow.step();
                    for trade in symbol.flow.trades() {
                        symbol.bar.add(trade);
                        self.due.push_back((time, index, Due::Trade(*trade)));
                    }
                    if self.prompt {
                        if symbol.flow.update_id() != symbol.told {
                            self.due.push_back((time, index, Due::Diff));
                        }
                    } else if moved {
                        let ticker = Due::BookTicker(symbol.flow.update_id(), symbol.flow.top());
                        self.due.push_back((time, index, ticker));
                    }
                    time + Nanos(symbol.arrivals.exponential(self.interval).max(1))
                }
                Timer::Diff => {
                    if symbol.flow.update_id() != symbol.told {
                        self.due.push_back((time, index, Due::Diff));
                    }
                    time + DIFF_INTERVAL
                }
                Timer::Bar => {
                    self.due.push_back((time, index, Due::Bar(symbol.bar)));
                    symbol.bar = SecondBar::empty(symbol.bar.close);
                    time + SECOND
                }
            };
            self.timers.push(Reverse((next, timer, index)));
        }
    }
}
