//! Recording a session: every frame in, every order out and every answer, on a tape that replays.
//!
//! The hot path copies into a ring and goes on; a thread of the recorder's own makes text of it. What finds no room is
//! counted as lost: such a session cannot be replayed bit for bit, and says so. What a tape cannot tell is noted for the
//! input log, whose owner takes the notes after every cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::agent::Agent;
use crate::domain::{InstrumentIndex, Instruments, Nanos, OrderId, OrderType, SelfTrade, Side, TimeInForce};
use crate::error::SetupError;
use crate::journal::Unsent;
use crate::limits::POLL_BATCH;
use crate::message::{Answer, Intent, IntentKind, Order};
use crate::ring::spsc;
use crate::room;
use crate::venue::binance::order_request;
use crate::venue::binance::user_data::{self, OrderFacts};
use crate::venue::link::{FeedReader, FeedWriter};
use crate::venue::replay::{TapeSource, TapeWriter};
use crate::venue::{
    Frame, LimitsUsed, MarketData, NotSent, OrderEntry, Question, VenueEvent, VenueEventKind,
};
use crate::wire::UnknownCode;

/// Frames, orders or answers that the recorder takes in one cycle.
const BATCH: usize = 256;

/// Requests of one cycle that did not leave, at most: when a connection is lost, route may ask about every live order.
const UNSENT_MAX: usize = 16_384;

/// Market data that leaves a copy for the recorder.
pub struct RecordedFeed<M> {
    inner: M,
    tap: FeedWriter,
    lost: u64,
}

impl<M> RecordedFeed<M> {
    /// Copies what `inner` gives to `tap`.
    pub const fn new(inner: M, tap: FeedWriter) -> Self {
        Self { inner, tap, lost: 0 }
    }

    /// Frames that the recorder had no room for.
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

impl<M: MarketData> MarketData for RecordedFeed<M> {
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        let Self { inner, tap, lost } = self;
        inner.poll(now, &mut |frame| {
            *lost += u64::from(tap.write(frame).is_err());
            on_frame(frame);
        })
    }

    #[inline]
    fn is_near(&self) -> bool {
        self.inner.is_near()
    }

    fn next_deadline(&self) -> Nanos {
        self.inner.next_deadline()
    }

    fn reconnects(&self) -> u64 {
        self.inner.reconnects()
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos) {
        self.inner.request_snapshot(instrument, now);
    }
}

/// An order as it left, for the recorder.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Departure {
    intent: Intent,
    at: Nanos,
}

/// What the input log must hold of one cycle's order entry. Written by the entry, emptied by the log's owner.
pub struct Notes {
    /// What the venue said, where it is behind a connection: much of that is on no tape.
    pub answers: Vec<Answer>,
    /// Requests that did not leave.
    pub unsent: Vec<Unsent>,
    connection: bool,
}

impl Notes {
    /// Notes of a venue, which may be behind a `connection`.
    #[must_use]
    pub fn new(connection: bool) -> Self {
        Self {
            answers: room::vector(POLL_BATCH, Answer::default()),
            unsent: room::vector(UNSENT_MAX, Unsent::new(0)),
            connection,
        }
    }
}

/// Notes `value`; `false` when there is no room.
fn note<T>(notes: &mut Vec<T>, value: T) -> bool {
    let fits = notes.len() < notes.capacity();
    if fits {
        notes.push(value);
    }
    fits
}

/// Order entry that leaves a copy for the recorder.
pub struct RecordedEntry<E> {
    inner: E,
    departures: spsc::Producer<Departure>,
    answers: spsc::Producer<Answer>,
    notes: Option<Notes>,
    /// Requests that route has made, whether they left or not.
    requests: u64,
    lost: u64,
}

impl<E> RecordedEntry<E> {
    /// Copies what `inner` sends and receives to the two rings.
    pub const fn new(
        inner: E,
        departures: spsc::Producer<Departure>,
        answers: spsc::Producer<Answer>,
    ) -> Self {
        Self { inner, departures, answers, notes: None, requests: 0, lost: 0 }
    }

    /// The same with notes for an input log, whose owner must take them after every cycle.
    #[must_use]
    pub fn noting(self, notes: Notes) -> Self {
        Self { notes: Some(notes), ..self }
    }

    /// Orders, answers and notes that there was no room for.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The notes of the last cycle, if there are to be any.
    pub const fn notes_mut(&mut self) -> Option<&mut Notes> {
        self.notes.as_mut()
    }

    /// Counts a request, and notes one that did not leave.
    fn asked(&mut self, outcome: Result<(), NotSent>) -> Result<(), NotSent> {
        self.requests += 1;
        if let (Err(NotSent), Some(notes)) = (outcome, &mut self.notes) {
            self.lost += u64::from(!note(&mut notes.unsent, Unsent::new(self.requests)));
        }
        outcome
    }
}

impl<E: OrderEntry> OrderEntry for RecordedEntry<E> {
    fn send(&mut self, order: &Order, now: Nanos) -> Result<(), NotSent> {
        let outcome = self.inner.send(order, now);
        self.asked(outcome)?;
        let departure = Departure { intent: *order.intent(), at: now };
        self.lost += u64::from(self.departures.try_push(&departure).is_err());
        Ok(())
    }

    fn send_pair(&mut self, above: &Order, below: &Order, now: Nanos) -> Result<(), NotSent> {
        let outcome = self.inner.send_pair(above, below, now);
        self.asked(outcome)?;
        if self.departures.free() < 2 {
            // One without the other would be read as an order of its own.
            self.lost += 2;
            return Ok(());
        }
        for order in [above, below] {
            let departure = Departure { intent: *order.intent(), at: now };
            self.lost += u64::from(self.departures.try_push(&departure).is_err());
        }
        Ok(())
    }

    fn query(&mut self, instrument: InstrumentIndex, id: OrderId, now: Nanos) -> Result<(), NotSent> {
        let outcome = self.inner.query(instrument, id, now);
        self.asked(outcome)
    }

    fn ask(&mut self, question: Question, now: Nanos) -> Result<(), NotSent> {
        let outcome = self.inner.ask(question, now);
        self.asked(outcome)
    }

    #[inline]
    fn holds(&self) -> bool {
        self.inner.holds()
    }

    fn flush(&mut self) {
        self.inner.flush();
    }

    fn poll(&mut self, now: Nanos) -> Option<VenueEvent> {
        let event = self.inner.poll(now)?;
        let answer = Answer::from(&event);
        self.lost += u64::from(self.answers.try_push(&answer).is_err());
        if let Some(notes) = self.notes.as_mut().filter(|notes| notes.connection) {
            self.lost += u64::from(!note(&mut notes.answers, answer));
        }
        Some(event)
    }

    fn limits_used(&self) -> LimitsUsed {
        self.inner.limits_used()
    }

    fn clock_offset(&self) -> Nanos {
        self.inner.clock_offset()
    }

    #[inline]
    fn is_near(&self) -> bool {
        self.inner.is_near()
    }

    fn next_deadline(&self) -> Nanos {
        self.inner.next_deadline()
    }
}

/// Writes the tape, on a thread of its own.
pub struct Recorder {
    frames: FeedReader,
    departures: spsc::Consumer<Departure>,
    answers: spsc::Consumer<Answer>,
    instruments: Arc<Instruments>,
    /// Orders whose answers may still come: an event alone does not tell what was ordered.
    orders: BTreeMap<OrderId, OrderFacts>,
    /// The first of a pair that left, until the other of the same request is read.
    above: Option<Intent>,
    /// Second orders of pairs whose answers may still come: a refusal of a pair names the first.
    below: BTreeSet<OrderId>,
    executions: u64,
    writer: TapeWriter,
    text: Vec<u8>,
    failure: Option<SetupError>,
}

impl Recorder {
    /// Writes what comes through the three rings to `writer`.
    #[must_use]
    pub const fn new(
        frames: FeedReader,
        departures: spsc::Consumer<Departure>,
        answers: spsc::Consumer<Answer>,
        instruments: Arc<Instruments>,
        writer: TapeWriter,
    ) -> Self {
        Self {
            frames,
            departures,
            answers,
            instruments,
            orders: BTreeMap::new(),
            above: None,
            below: BTreeSet::new(),
            executions: 0,
            writer,
            text: Vec::new(),
            failure: None,
        }
    }

    /// Writes what is left and closes the tape.
    ///
    /// # Errors
    /// When writing failed, now or before.
    pub fn finish(mut self) -> Result<(), SetupError> {
        while self.do_work(Nanos::ZERO) > 0 {}
        match self.failure {
            Some(failure) => Err(failure),
            None => self.writer.finish(),
        }
    }

    fn record(&mut self) -> Result<usize, SetupError> {
        Ok(self.record_frames()? + self.record_departures()? + self.record_answers()?)
    }

    fn record_frames(&mut self) -> Result<usize, SetupError> {
        let Self { frames, writer, .. } = self;
        let mut written = 0;
        let mut outcome = Ok(());
        while written < BATCH && outcome.is_ok() {
            let taken = frames.read(&mut |frame| {
                outcome = writer.write(frame.received, frame.source.into(), frame.payload);
            });
            if !taken {
                break;
            }
            written += 1;
        }
        outcome.map(|()| written)
    }

    fn record_departures(&mut self) -> Result<usize, SetupError> {
        let mut written = 0;
        while written < BATCH
            && let Some(Departure { intent, at }) = self.departures.poll()
        {
            written += 1;
            let Some(instrument) = self.instruments.get(intent.instrument) else { continue };
            self.text.clear();
            if intent.kind == IntentKind::Amend.code() {
                order_request::encode_amend(&intent, instrument, at, &mut self.text);
            } else if intent.kind == IntentKind::Sweep.code() {
                order_request::encode_sweep(&intent, instrument, at, &mut self.text);
            } else if intent.places_order() {
                let Ok(facts) = facts_of(&intent, at) else { continue };
                self.orders.insert(intent.id, facts);
                if intent.opens_pair() {
                    self.above = Some(intent);
                    continue;
                }
                let encoded = match (IntentKind::try_from(intent.kind), self.above.take()) {
                    (Ok(IntentKind::OcoBelow), Some(above)) => {
                        self.below.insert(intent.id);
                        order_request::encode_oco(&above, &intent, instrument, at, &mut self.text)
                    }
                    (Ok(IntentKind::Replace), _) => {
                        order_request::encode_replace(&intent, instrument, at, &mut self.text)
                    }
                    _ => order_request::encode_place(&intent, instrument, at, &mut self.text),
                };
                if encoded.is_err() {
                    continue;
                }
            } else {
                if let Some(order) = self.orders.get_mut(&intent.target) {
                    order.cancel = intent.id;
                }
                order_request::encode_cancel(&intent, instrument, at, &mut self.text);
            }
            self.writer.write(at, TapeSource::Request, &self.text)?;
        }
        Ok(written)
    }

    fn record_answers(&mut self) -> Result<usize, SetupError> {
        let mut written = 0;
        while written < BATCH
            && let Some(answer) = self.answers.poll()
        {
            written += 1;
            let Ok(event) = VenueEvent::try_from(&answer) else { continue };
            self.text.clear();
            if self.encode(&event) {
                self.writer.write(event.received, TapeSource::User, &self.text)?;
            }
        }
        Ok(written)
    }

    /// Makes the venue's own text of an event.
    fn encode(&mut self, event: &VenueEvent) -> bool {
        let Some(instrument) = self.instruments.get(event.instrument) else { return false };
        let Some(order) = self.orders.get_mut(&event.id) else {
            return user_data::encode_answer(event, instrument, &mut self.text);
        };
        self.executions += 1;
        order.execution_id = self.executions;
        order.time = event.received;
        match event.kind {
            VenueEventKind::Trade { price, quantity, .. } => {
                order.cumulative_quote += instrument.notional(price, quantity);
            }
            VenueEventKind::Amended { quantity } => order.quantity = quantity,
            _ => {}
        }
        let told = user_data::encode_report(event, order, instrument, &mut self.text)
            || user_data::encode_answer(event, instrument, &mut self.text);
        if matches!(
            event.kind,
            VenueEventKind::Canceled | VenueEventKind::Expired | VenueEventKind::Rejected { .. }
        ) || event.cumulative >= order.quantity
        {
            self.forget(event);
        }
        told
    }

    /// Forgets an order of which nothing more will be told, and with a refused first of a pair the second.
    fn forget(&mut self, event: &VenueEvent) {
        self.orders.remove(&event.id);
        self.below.remove(&event.id);
        let other = event.id.next();
        if matches!(event.kind, VenueEventKind::Rejected { .. }) && self.below.remove(&other) {
            self.orders.remove(&other);
        }
    }
}

/// What a report must tell of the order that `intent` asks for, created at `at`.
fn facts_of(intent: &Intent, at: Nanos) -> Result<OrderFacts, UnknownCode> {
    Ok(OrderFacts {
        side: Side::try_from(intent.side)?,
        order_type: OrderType::try_from(intent.order_type)?,
        // A report names a lifetime for orders without one, as the venue does.
        time_in_force: TimeInForce::try_from(intent.time_in_force).unwrap_or(TimeInForce::GoodTillCancel),
        price: intent.price,
        trigger: intent.trigger,
        // What the simulated venue does, also where it is not asked to.
        self_trade: SelfTrade::ExpireTaker,
        quantity: intent.quantity,
        cumulative_quote: 0,
        cancel: OrderId::NONE,
        execution_id: 0,
        created: at,
        time: at,
    })
}

impl Agent for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn do_work(&mut self, _now: Nanos) -> usize {
        if self.failure.is_some() {
            return 0;
        }
        self.record().unwrap_or_else(|failure| {
            self.failure = Some(failure);
            0
        })
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }
}

#[cfg(test)]
mod tests;
