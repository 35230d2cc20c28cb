//! What frames do: to books, best prices and signs of life, and so to the tick stream.

use std::hint::cold_path;

use crate::book::{BookCell, DiffIds, DiffOutcome, Distrust, Level, SnapshotOutcome};
use crate::clock::{Moment, Stopwatch};
use crate::domain::{InstrumentIndex, Instruments, Interval, Nanos};
use crate::hint::unlikely;
use crate::message::tick::{TRUSTED, Top, interval_flags};
use crate::message::{Tick, TickKind};
use crate::room::{self, Line};
use crate::tick_to_trade::ingest::counts::IngestCounters;
use crate::tick_to_trade::ingest::instrument_state::InstrumentState;
use crate::tick_to_trade::ingest::{BookObserver, IngestConfig, IngestPorts};
use crate::venue::Frame;
use crate::venue::binance::frames::{FrameDecoder, Read};
use crate::venue::binance::{Bar, DecodeError, MarketEvent, Skip};

/// How often a book's cell is refreshed, at most, in a duty cycle that took nothing: readers of cells see a book this old.
const CELL_INTERVAL: Nanos = Nanos::from_millis(1);

/// How much longer a cell may wait for such a cycle.
const CELL_PATIENCE: Nanos = Nanos::from_millis(4);

/// After so long without a word of an instrument its lines may be far away. Sooner they are not, and asking for them costs more
/// than it brings.
const FORGOTTEN: Nanos = Nanos::from_millis(5);

/// Everything that an event borrowed from the feed and the decoder is applied to.
pub(super) struct Markets {
    ports: IngestPorts,
    pub(super) states: Vec<InstrumentState>,
    pub(super) stopwatch: Stopwatch,
    /// When the last event of this duty cycle was applied.
    pub(super) done: Moment,
    config: IngestConfig,
    pub(super) counters: IngestCounters,
    /// Instruments whose cell is out of date, and when the cells are written next.
    dirty: Vec<InstrumentIndex>,
    pub(super) cells_due: Nanos,
    /// Instruments that want a snapshot, and when to ask next.
    pub(super) wanting: Vec<InstrumentIndex>,
    pub(super) wanting_due: Nanos,
    pub(super) silence_due: Nanos,
    pub(super) observer: Option<Box<dyn BookObserver>>,
    /// Where those behind ingest on this thread have lines of each instrument.
    pub(super) awaited: Vec<Line>,
}

/// What every tick of a frame shares.
struct Context {
    now: Nanos,
    received: Nanos,
    stamp: u32,
    /// Of ticks, beside whether the book is trusted.
    flags: u8,
}

impl Markets {
    pub(super) fn new(
        ports: IngestPorts,
        instruments: &Instruments,
        stopwatch: Stopwatch,
        config: IngestConfig,
    ) -> Self {
        Self {
            ports,
            states: instruments.iter().map(|(_, instrument)| InstrumentState::new(instrument)).collect(),
            dirty: room::vector(instruments.len(), 0),
            wanting: room::vector(instruments.len(), 0),
            stopwatch,
            done: Moment::UNKNOWN,
            config,
            counters: IngestCounters::default(),
            cells_due: Nanos::NEVER,
            wanting_due: Nanos::NEVER,
            silence_due: Nanos::NEVER,
            observer: None,
            awaited: Vec::new(),
        }
    }

    /// What every frame looks at of its instrument: its best prices, and what begins its book.
    pub(super) fn lines(&self) -> [Line; 2] {
        Line::first_of(&self.states)
    }

    pub(super) fn on_frame(&mut self, decoder: &mut FrameDecoder, frame: &Frame<'_>, now: Nanos) {
        self.counters.frames += 1;
        // However the feed came by it, that is not part of any stage.
        let taken = self.stopwatch.elapsed();
        let mut done = taken;
        decoder.decode(frame, |event| {
            let decoded = self.stopwatch.elapsed();
            self.ports.histograms.note(0, decoded - done);
            done = self.take(event, frame.received, now, [taken, decoded]);
        });
    }

    /// An event that was decoded before: there is nothing to time of that here.
    pub(super) fn on_read(&mut self, event: &Read<'_>, received: Nanos, now: Nanos) {
        let taken = self.stopwatch.elapsed();
        self.take(event, received, now, [taken; 2]);
    }

    /// Applies an event, and returns when that was done.
    #[inline(always)]
    fn take(&mut self, event: &Read<'_>, received: Nanos, now: Nanos, [taken, decoded]: [Nanos; 2]) -> Nanos {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let context = Context { now, received, stamp: (taken.0 as u32).max(1), flags: 0 };
        match event {
            Ok(event) => self.on_event(event, &context),
            Err(error) => {
                cold_path();
                self.on_malformed(error, &context);
            }
        }
        let done = self.stopwatch.elapsed();
        self.done = Moment::at(done);
        self.ports.histograms.note(1, done - decoded);
        done
    }

    fn on_event(&mut self, event: &MarketEvent<'_>, context: &Context) {
        match *event {
            MarketEvent::Depth { instrument, ids, event_time, bids, asks } => {
                self.heard(instrument, context);
                self.on_diff(instrument, ids, [bids, asks], event_time, context);
            }
            MarketEvent::Snapshot { instrument, last_update_id, bids, asks } => {
                self.heard(instrument, context);
                self.on_snapshot(instrument, last_update_id, [bids, asks], context);
            }
            MarketEvent::BookTicker { instrument, update_id, top, event_time } => {
                self.counters.book_tickers += 1;
                if self.heard(instrument, context).refine_top(update_id, top) {
                    self.publish_top(instrument, top, event_time, context);
                }
            }
            MarketEvent::Trade {
                instrument,
                trade_id,
                price,
                quantity,
                aggressor,
                event_time,
                aggregate,
            } => {
                if self.heard(instrument, context).takes_trade(aggregate) {
                    self.counters.trades += 1;
                    self.counters.events += 1;
                    let id = i64::try_from(trade_id).unwrap_or(i64::MAX);
                    let values = [price.0, quantity.0, id, i64::from(aggressor.code())];
                    self.publish(TickKind::Trade, instrument, values, Some(event_time), context);
                }
            }
            MarketEvent::Kline { instrument, bar, event_time } => {
                self.heard(instrument, context);
                self.publish_bar(instrument, &bar, event_time, context);
            }
            MarketEvent::Skipped(Skip::Event) => self.counters.skipped_events += 1,
            MarketEvent::Skipped(Skip::Symbol) => self.counters.skipped_symbols += 1,
        }
    }

    fn on_diff(
        &mut self,
        instrument: InstrumentIndex,
        ids: DiffIds,
        [bids, asks]: [&[Level]; 2],
        event_time: Nanos,
        context: &Context,
    ) {
        let state = &mut self.states[instrument as usize];
        let before = state.book.is_trusted();
        self.counters.events += (bids.len() + asks.len()) as u64;
        let outcome = state.book.on_diff(ids, bids, asks);
        let applied = matches!(outcome, DiffOutcome::Applied | DiffOutcome::Unsound);
        match outcome {
            DiffOutcome::Applied | DiffOutcome::Unsound => {
                self.counters.diffs += 1;
                if let Some(observer) = &mut self.observer {
                    observer.on_book(instrument, &state.book);
                }
            }
            DiffOutcome::Stale => self.counters.diffs_stale += 1,
            DiffOutcome::Gap => self.counters.gaps += 1,
            DiffOutcome::Malformed => self.counters.malformed += 1,
            DiffOutcome::Buffered => {}
        }
        self.after_book(instrument, before, applied, Some(event_time), context);
    }

    fn on_snapshot(
        &mut self,
        instrument: InstrumentIndex,
        last_update_id: u64,
        [bids, asks]: [&[Level]; 2],
        context: &Context,
    ) {
        let state = &mut self.states[instrument as usize];
        let before = state.book.is_trusted();
        let observer = &mut self.observer;
        let outcome = state.book.on_snapshot_with(last_update_id, bids, asks, &mut |book| {
            if let Some(observer) = observer {
                observer.on_book(instrument, book);
            }
        });
        let loaded = matches!(outcome, SnapshotOutcome::Loaded | SnapshotOutcome::Unsound);
        if loaded {
            self.counters.snapshots += 1;
            self.counters.events += (bids.len() + asks.len()) as u64;
        } else {
            self.counters.snapshots_unused += 1;
        }
        self.after_book(instrument, before, loaded, None, context);
    }

    /// A frame that cannot be read may have held a change of the book it names.
    fn on_malformed(&mut self, error: &DecodeError, context: &Context) {
        self.counters.malformed += 1;
        let Some(instrument) = error.instrument else { return };
        let state = &mut self.states[instrument as usize];
        let before = state.book.is_trusted();
        state.book.distrust(Distrust::Malformed);
        self.after_book(instrument, before, false, None, context);
    }

    /// Tells what a frame did to a book's trust and top.
    fn after_book(
        &mut self,
        instrument: InstrumentIndex,
        trusted_before: bool,
        changed: bool,
        event_time: Option<Nanos>,
        context: &Context,
    ) {
        let state = &mut self.states[instrument as usize];
        let trusted = state.book.is_trusted();
        if trusted && !trusted_before {
            state.restart_top();
        }
        let moved = changed && state.take_book_top();
        if trusted != trusted_before {
            let counter =
                if trusted { &mut self.counters.synchronised } else { &mut self.counters.distrusts };
            *counter += 1;
            self.publish_trust(instrument, event_time, context);
        }
        if !trusted && !self.wanting.contains(&instrument) {
            self.wanting.push(instrument);
            self.wanting_due = self.wanting_due.min(context.now);
        }
        if moved || (trusted && !trusted_before) {
            let top = self.states[instrument as usize].top;
            self.publish_top(instrument, top, event_time, context);
        }
        if changed || trusted != trusted_before {
            self.mark_dirty(instrument, context.now);
        }
    }

    #[inline(always)]
    fn publish_top(
        &mut self,
        instrument: InstrumentIndex,
        top: Top,
        event_time: Option<Nanos>,
        context: &Context,
    ) {
        let values = [top.bid.0, top.bid_quantity.0, top.ask.0, top.ask_quantity.0];
        self.publish(TickKind::Top, instrument, values, event_time, context);
    }

    #[inline(never)]
    fn publish_trust(&mut self, instrument: InstrumentIndex, event_time: Option<Nanos>, context: &Context) {
        let book = &self.states[instrument as usize].book;
        let id = i64::try_from(book.update_id()).unwrap_or(i64::MAX);
        let values = [i64::from(book.is_trusted()), id, 0, 0];
        self.publish(TickKind::Trust, instrument, values, event_time, context);
    }

    #[inline(never)]
    fn publish_bar(&mut self, instrument: InstrumentIndex, bar: &Bar, event_time: Nanos, context: &Context) {
        self.counters.bars += 1;
        let flags = Interval::of(bar.length).map_or(0, interval_flags);
        let context = &Context { flags, ..*context };
        let prices = [bar.open.0, bar.high.0, bar.low.0, bar.close.0];
        self.publish(TickKind::Bar, instrument, prices, Some(event_time), context);
        let trades = i64::try_from(bar.trades).unwrap_or(i64::MAX);
        let rest = [bar.volume.0, trades, bar.opened.0 / 1_000_000, i64::from(bar.closed)];
        self.publish(TickKind::BarVolume, instrument, rest, Some(event_time), context);
    }

    /// In line, where the kind of tick is known and its values are in registers.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    fn publish(
        &mut self,
        kind: TickKind,
        instrument: InstrumentIndex,
        values: [i64; 4],
        event_time: Option<Nanos>,
        context: &Context,
    ) {
        let book = &self.states[instrument as usize].book;
        let offset_us = event_time.map_or(0, |time| (time - context.received).0 / 1_000);
        let tick = Tick {
            values,
            received: context.received,
            instrument,
            exchange_offset_us: offset_us.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
            stamp: context.stamp,
            book_version: book.version() as u16,
            kind: kind.code(),
            flags: context.flags | if book.is_trusted() { TRUSTED } else { 0 },
        };
        self.ports.ticks.publish(&tick);
        self.counters.ticks += 1;
    }

    /// Notes a sign of life of `instrument`, and gives what is kept for it.
    #[inline(always)]
    fn heard(&mut self, instrument: InstrumentIndex, context: &Context) -> &mut InstrumentState {
        if self.silence_due == Nanos::NEVER {
            self.silence_due = context.now.saturating_add(self.config.silence);
        }
        let state = &mut self.states[instrument as usize];
        state.silent = false;
        if state.heard.replace(context.now).is_none_or(|before| context.now - before > FORGOTTEN) {
            bring(&self.awaited, instrument);
        }
        state
    }

    /// Records the durations that were noted.
    #[inline(always)]
    pub(super) fn settle(&mut self) {
        self.ports.histograms.settle();
    }

    /// Brings to hand where the next tick goes.
    #[inline(always)]
    pub(super) fn prepare(&self) {
        self.ports.ticks.prepare();
    }

    fn mark_dirty(&mut self, instrument: InstrumentIndex, now: Nanos) {
        let state = &mut self.states[instrument as usize];
        if !state.dirty {
            state.dirty = true;
            self.dirty.push(instrument);
            self.cells_due = self.cells_due.min(now.saturating_add(CELL_INTERVAL));
        }
    }

    /// Writes the cells that are due; `idle` when nothing else waits for it. Says whether it did.
    #[inline]
    pub(super) fn write_cells(&mut self, now: Nanos, idle: bool) -> bool {
        let due =
            unlikely(now >= self.cells_due) && (idle || now >= self.cells_due.saturating_add(CELL_PATIENCE));
        if due {
            self.write_dirty(now);
        }
        due
    }

    #[inline(never)]
    fn write_dirty(&mut self, now: Nanos) {
        for index in self.dirty.drain(..) {
            let state = &mut self.states[index as usize];
            state.dirty = false;
            self.ports.cells.write(index as usize, &BookCell::of(&state.book, index, now));
        }
        self.cells_due = Nanos::NEVER;
    }

    /// Tells of instruments that have been silent for too long, if that is due. Returns whether it was, as work.
    #[inline]
    pub(super) fn find_silence(&mut self, now: Nanos) -> usize {
        if now < self.silence_due { 0 } else { self.tell_silence(now) }
    }

    #[cold]
    fn tell_silence(&mut self, now: Nanos) -> usize {
        let limit = self.config.silence;
        let mut next = Nanos::NEVER;
        for index in 0..self.states.len() {
            let state = &mut self.states[index];
            let Some(heard) = state.heard.filter(|_| !state.silent) else { continue };
            let due = heard.saturating_add(limit);
            if due > now {
                next = next.min(due);
                continue;
            }
            state.silent = true;
            self.counters.silences += 1;
            let context = Context { now, received: now, stamp: 0, flags: 0 };
            let instrument = InstrumentIndex::try_from(index).unwrap_or(InstrumentIndex::MAX);
            self.publish(TickKind::Silence, instrument, [(now - heard).0, 0, 0, 0], None, &context);
        }
        self.silence_due = next;
        1
    }
}

/// Brings these lines of `instrument` now, for whoever needs them comes only when its event is taken.
#[inline(never)]
fn bring(awaited: &[Line], instrument: InstrumentIndex) {
    awaited.iter().for_each(|line| line.fetch(instrument as usize));
}
