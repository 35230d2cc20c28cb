//! Ingest: venue frames become books and ticks.
//!
//! It is the only writer of every book and of the tick ring. A gap, a malformed frame or a crossed book makes the book
//! untrusted; ingest says so in the tick stream, asks for a snapshot, and resynchronises. It also knows silence: an
//! instrument that spoke and then says nothing.

pub mod counts;
pub mod instrument_state;
mod markets;

use std::sync::Arc;

use crate::agent::{Agent, Observed};
use crate::book::{Book, BookCell};
use crate::clock::{Moment, Stopwatch};
use crate::counters::Histograms;
use crate::counters::cell::CellWriter;
use crate::domain::{InstrumentIndex, Instruments, Nanos};
use crate::limits::POLL_BATCH;
use crate::message::Tick;
use crate::message::tick::Top;
use crate::ring::broadcast;
use crate::room::Line;
use crate::tick_to_trade::ingest::counts::IngestCounters;
use crate::tick_to_trade::ingest::markets::Markets;
use crate::venue::MarketData;
use crate::venue::binance::frames::FrameDecoder;

/// How often an untrusted book asks for a snapshot, at most.
const SNAPSHOT_INTERVAL: Nanos = Nanos::from_secs(1);

/// What ingest is told at start.
#[derive(Clone, Copy, Debug)]
pub struct IngestConfig {
    /// An instrument that spoke and then says nothing for this long is silent; `Nanos::NEVER` turns it off.
    pub silence: Nanos,
}

/// The rings and files of ingest.
pub struct IngestPorts {
    /// The tick stream.
    pub ticks: broadcast::Producer<Tick>,
    /// The top levels of every book.
    pub cells: CellWriter<BookCell>,
    /// Stage latencies: `decode` and `book`, in this order.
    pub histograms: Histograms,
}

/// Names of ingest's latency histograms, in the order of [`IngestPorts::histograms`].
pub const INGEST_STAGES: [&str; 2] = ["decode", "book"];

/// The agent.
pub struct Ingest<M> {
    feed: M,
    decoder: FrameDecoder,
    markets: Markets,
}

/// Looks at books as they change: checkpoints of a replay.
pub trait BookObserver: Send {
    /// A diff or snapshot was applied to the book of `instrument`.
    fn on_book(&mut self, instrument: InstrumentIndex, book: &Book);
}

impl<M: MarketData> Ingest<M> {
    /// Joins a feed to the ports.
    pub fn new(
        ports: IngestPorts,
        feed: M,
        instruments: Arc<Instruments>,
        stopwatch: Stopwatch,
        config: IngestConfig,
    ) -> Self {
        let markets = Markets::new(ports, &instruments, stopwatch, config);
        let mut decoder = FrameDecoder::new(instruments);
        decoder.bring(markets.lines());
        Self { feed, decoder, markets }
    }

    /// Shows every change of a book to `observer`.
    pub fn observe(&mut self, observer: Box<dyn BookObserver>) {
        self.markets.observer = Some(observer);
    }

    /// Has these lines of an instrument brought as soon as a frame is about it, for others on this thread.
    pub fn bring(&mut self, lines: impl Iterator<Item = Line>) {
        self.markets.awaited.extend(lines);
    }

    /// The book of `instrument`.
    pub fn book(&self, instrument: InstrumentIndex) -> Option<&Book> {
        self.markets.states.get(instrument as usize).map(|state| &state.book)
    }

    /// The newest best bid and ask of `instrument`.
    pub fn top(&self, instrument: InstrumentIndex) -> Option<Top> {
        self.markets.states.get(instrument as usize).map(|state| state.top)
    }

    /// Counts since start.
    pub const fn counters(&self) -> &IngestCounters {
        &self.markets.counters
    }

    /// The feed, for a driver that fills it.
    pub const fn feed_mut(&mut self) -> &mut M {
        &mut self.feed
    }

    /// The feed.
    pub const fn feed(&self) -> &M {
        &self.feed
    }

    #[inline]
    fn ask_for_snapshots(&mut self, now: Nanos) -> usize {
        if now < self.markets.wanting_due { 0 } else { self.ask(now) }
    }

    #[cold]
    fn ask(&mut self, now: Nanos) -> usize {
        let Self { feed, markets, .. } = self;
        let states = &markets.states;
        markets.wanting.retain(|&index| !states[index as usize].book.is_trusted());
        for &index in &markets.wanting {
            feed.request_snapshot(index, now);
            markets.counters.snapshots_requested += 1;
        }
        markets.wanting_due =
            if markets.wanting.is_empty() { Nanos::NEVER } else { now.saturating_add(SNAPSHOT_INTERVAL) };
        1
    }
}

impl<M: MarketData> Agent for Ingest<M> {
    fn name(&self) -> &'static str {
        "ingest"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.do_work_from(now, &mut Moment::default())
    }

    /// A frame begins when the feed hands it over, which may have taken long: nobody's moment is used.
    fn do_work_from(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        self.markets.done.forget();
        let mut work = 0;
        while work < POLL_BATCH {
            let Self { feed, decoder, markets } = self;
            let taken =
                match feed.poll_read(now, &mut |received, event| markets.on_read(event, received, now)) {
                    Some(read) => {
                        markets.counters.frames += u64::from(read);
                        read
                    }
                    None => feed.poll(now, &mut |frame| markets.on_frame(decoder, frame, now)),
                };
            if !taken {
                break;
            }
            work += 1;
        }
        if work == 0 {
            self.markets.settle();
            self.markets.prepare();
        }
        let rare = self.ask_for_snapshots(now) + self.markets.find_silence(now);
        work += rare;
        // Cells are a view for people and shells: writing one changes no decision, so it is no work to replay, and what a
        // frame has just caused need not wait for it.
        let written = self.markets.write_cells(now, work == 0);
        *moment =
            if rare > 0 || written || !self.feed.is_near() { Moment::UNKNOWN } else { self.markets.done };
        work
    }

    fn next_deadline(&self) -> Nanos {
        let markets = &self.markets;
        self.feed.next_deadline().min(markets.cells_due).min(markets.wanting_due).min(markets.silence_due)
    }
}

impl<M: MarketData> Observed for Ingest<M> {
    fn names(&self) -> Vec<String> {
        IngestCounters::NAMES.iter().chain(&["reconnects"]).map(|&name| name.to_owned()).collect()
    }

    fn values(&self, set: &mut dyn FnMut(usize, u64)) {
        let values = self.markets.counters.to_array();
        let all = values.into_iter().chain([self.feed.reconnects()]);
        all.enumerate().for_each(|(i, value)| set(i, value));
    }

    fn record_times(&mut self) {
        self.markets.settle();
    }
}

#[cfg(test)]
mod tests;
