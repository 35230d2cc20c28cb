//! Order entry over the WebSocket API, or over REST in its place: route's requests out, the venue's answers and the account's
//! events in.

use std::collections::VecDeque;
use std::sync::Arc;

use engine::domain::{InstrumentIndex, Instruments, Market, Nanos, OrderId, Quantity};
use engine::message::{Intent, IntentKind, Order};
use engine::venue::binance::account::{self, Told};
use engine::venue::binance::order_request::{self, Asked};
use engine::venue::binance::user_data;
use engine::venue::{LimitsUsed, NotSent, OrderEntry, Question, VenueEvent, VenueEventKind};
use serde_json::Value;
use tracing::{info, warn};

mod rest;

pub use rest::STAND_IN_AFTER;

use crate::binance::entry::rest::StandIn;
use crate::binance::fallback::Fallback;
use crate::binance::limits::{self, Counted, Permit, RateLimits};
use crate::binance::session::{Session, SessionEvent};
use crate::binance::{Endpoints, Signer};
use crate::config::values::RecvWindow;
use crate::transport::{SendError, TlsTrust};

/// Requests whose instrument is remembered: an error answer names only the request.
const ASKED_MAX: usize = 4_096;

/// Events that there is room for from the start.
const EVENTS: usize = 1_024;

/// Messages taken in one look, so that a flood does not keep the agent.
const MESSAGES_MAX: usize = 64;

/// How often what was used of the limits is looked at without a request.
const ROLL_EVERY: Nanos = Nanos::from_secs(1);

/// Weights of questions (binance.md §3).
const WEIGHT_QUERY: u64 = 4;
const WEIGHT_OPEN_ORDERS: u64 = 80;
const WEIGHT_TRADES_OF: u64 = 5;
const WEIGHT_TRADES: u64 = 20;

/// An account of Binance Spot behind the engine's trait.
pub struct BinanceEntry {
    session: Session,
    fallback: Fallback,
    stand_in: StandIn,
    market: Market,
    instruments: Arc<Instruments>,
    events: VecDeque<VenueEvent>,
    asked: VecDeque<(OrderId, InstrumentIndex)>,
    request: Vec<u8>,
    message: Vec<u8>,
    unreadable: u64,
    attempts: u64,
    /// When what was used of the limits is looked at again: a window may have ended without a request in the next.
    roll_due: Nanos,
}

impl BinanceEntry {
    /// Trades at `endpoints` with the account of `signer`.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new(
        endpoints: &Endpoints,
        trust: &TlsTrust,
        signer: Arc<Signer>,
        instruments: Arc<Instruments>,
        seed: u64,
    ) -> std::io::Result<Self> {
        Ok(Self {
            session: Session::new(endpoints.ws_api.clone(), trust.clone(), signer, seed)?,
            fallback: Fallback::new(&endpoints.rest, trust),
            stand_in: StandIn::new(seed),
            market: Market::Spot,
            instruments,
            events: VecDeque::with_capacity(EVENTS),
            asked: VecDeque::with_capacity(ASKED_MAX),
            request: Vec::with_capacity(order_request::REQUEST_ROOM),
            message: Vec::with_capacity(64 << 10),
            unreadable: 0,
            attempts: 0,
            roll_due: Nanos(i64::MIN),
        })
    }

    /// Keeps to the venue's own limits.
    #[must_use]
    pub fn limited(mut self, limits: &RateLimits) -> Self {
        self.session.limit(limits);
        self
    }

    /// Lets the venue take a request for as long as `window` after it was made.
    #[must_use]
    pub fn within(mut self, window: RecvWindow) -> Self {
        self.session.within(window);
        self
    }

    /// Lets orders leave over REST while the WebSocket API has no session, if they are `allowed` to.
    #[must_use]
    pub const fn over_rest(mut self, allowed: bool) -> Self {
        self.stand_in.allowed = allowed;
        self
    }

    /// Lets a connection live for `life` instead of the venue's day.
    pub const fn live_for(&mut self, life: Nanos) {
        self.session.live_for(life);
    }

    /// The session, to look at.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Messages about orders of ours that could not be read. Each is followed by a question of route's.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Sessions that ended, or never began.
    #[must_use]
    pub const fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Whether new orders and questions about the account may leave.
    fn is_open(&self) -> bool {
        self.session.is_ready() || self.stand_in.is_in
    }

    /// Lets the request leave with the others of its duty cycle; `asked` is what of an order, which must not leave after
    /// `valid_until`. Without a session it goes over REST, if that may.
    fn transmit(&mut self, asked: Option<Asked>, valid_until: Nanos, now: Nanos) -> Result<(), NotSent> {
        let venue = self.session.venue_time(now);
        // Only a new order counts against the venue's limits of orders.
        let orders = match asked {
            Some(Asked::Place | Asked::Replace) => 1,
            Some(Asked::Oco) => 2,
            _ => 0,
        };
        if orders > 0 && !self.is_open() {
            return Err(NotSent);
        }
        if self.session.budget.blocked(venue).is_some()
            || self.session.counted.ask(orders, venue) != Permit::Granted
        {
            return Err(NotSent);
        }
        self.session.bind(&mut self.request).map_err(|_| NotSent)?;
        if !self.session.is_ready() {
            let signer = Arc::clone(self.session.signer());
            let may_order = (self.stand_in.is_in, valid_until);
            return self.fallback.send(may_order, &self.request, &signer, now).map_err(|_| NotSent);
        }
        match self.session.hold(&mut self.request) {
            // Of a broken connection nobody knows what left: its end says so, and route asks.
            Ok(()) | Err(SendError::Maybe) => Ok(()),
            Err(SendError::NotSent) => Err(NotSent),
        }
    }

    /// Writes and sends the request of an intent.
    fn dispatch(&mut self, intent: &Intent, now: Nanos) -> Result<(), NotSent> {
        let Some(instrument) = self.instruments.get(intent.instrument) else { return Err(NotSent) };
        self.request.clear();
        let timestamp = self.session.venue_time(now);
        let out = &mut self.request;
        let (asked, subject) = match IntentKind::try_from(intent.kind) {
            Ok(IntentKind::New) => {
                order_request::encode_place(intent, instrument, timestamp, out).map_err(|_| NotSent)?;
                (Asked::Place, intent.id)
            }
            Ok(IntentKind::Cancel) => {
                order_request::encode_cancel(intent, instrument, timestamp, out);
                (Asked::Cancel, intent.target)
            }
            Ok(IntentKind::Amend) => {
                order_request::encode_amend(intent, instrument, timestamp, out);
                (Asked::Amend, intent.target)
            }
            Ok(IntentKind::Replace) => {
                order_request::encode_replace(intent, instrument, timestamp, out).map_err(|_| NotSent)?;
                (Asked::Replace, intent.id)
            }
            Ok(IntentKind::Sweep) => {
                order_request::encode_sweep(intent, instrument, timestamp, out);
                (Asked::Sweep, intent.id)
            }
            // They come as a pair.
            Ok(IntentKind::OcoAbove | IntentKind::OcoBelow) | Err(_) => return Err(NotSent),
        };
        self.transmit(Some(asked), intent.valid_until, now)?;
        self.remember(subject, intent.instrument);
        Ok(())
    }

    /// Cancels an order of ours; `id` names the cancel. An order needs risk's approval, a cancel does not.
    ///
    /// # Errors
    /// When nothing of it left.
    pub fn cancel(
        &mut self,
        instrument: InstrumentIndex,
        target: OrderId,
        id: OrderId,
        now: Nanos,
    ) -> Result<(), NotSent> {
        let kind = IntentKind::Cancel.code();
        self.dispatch(&Intent { id, target, instrument, kind, ..Intent::default() }, now)
    }

    fn permit(&mut self, weight: u64, now: Nanos) -> Result<(), NotSent> {
        match self.session.budget.ask(weight, self.session.venue_time(now)) {
            Permit::Granted => Ok(()),
            Permit::Wait(_) => Err(NotSent),
        }
    }

    fn remember(&mut self, id: OrderId, instrument: InstrumentIndex) {
        if self.asked.len() == ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back((id, instrument));
    }

    fn of_no_order(&mut self, kind: VenueEventKind, now: Nanos) {
        self.events.push_back(VenueEvent {
            kind,
            id: OrderId::NONE,
            venue_order_id: 0,
            cumulative: Quantity::ZERO,
            instrument: 0,
            received: now,
        });
    }

    fn look(&mut self, now: Nanos) {
        // Before anything is read that may ask for silence.
        self.session.flush();
        self.look_at_rest(now);
        for _ in 0..MESSAGES_MAX {
            let Self { session, message, .. } = self;
            message.clear();
            match session.poll(now, &mut |bytes| message.extend_from_slice(bytes)) {
                SessionEvent::Idle => return,
                SessionEvent::Busy => {}
                SessionEvent::Ready => {
                    info!(clock_offset_us = self.session.clock_offset().0 / 1_000, "order entry is ready");
                    self.session_begins(now);
                    self.of_no_order(VenueEventKind::Connected, now);
                }
                SessionEvent::Ended { was_ready, reason } => {
                    self.attempts += 1;
                    warn!(reason, "order entry has no session");
                    if was_ready {
                        self.of_no_order(VenueEventKind::Disconnected, now);
                    }
                    return;
                }
            }
            if !self.message.is_empty() {
                self.on_message(now);
            }
        }
    }

    fn on_message(&mut self, now: Nanos) {
        let message = std::mem::take(&mut self.message);
        let venue = self.session.venue_time(now);
        let Session { budget, counted, .. } = &mut self.session;
        limits::counts(&message, &mut |limit, count| match limit.counted {
            Counted::Weight => budget.told(count, venue),
            Counted::Orders | Counted::Requests => counted.told(limit, count, venue),
        });
        match user_data::decode(&message, self.market, &self.instruments, now) {
            Ok(Some(event)) => self.on_event(event, &message, now),
            Ok(None) => self.on_other(&message, now),
            Err(error) => self.on_unreadable(&error.to_string(), now),
        }
        self.message = message;
    }

    fn on_unreadable(&mut self, error: &str, now: Nanos) {
        self.unreadable += 1;
        // What it said of which order is not known: begin again, and ask for all of it.
        warn!(error, "a message of the account cannot be read");
        self.doom("a message of the account cannot be read", now);
    }

    /// Ends the session, or what stands in for it, for a reason found in a message.
    fn doom(&mut self, reason: &str, now: Nanos) {
        self.session.doom(reason);
        if self.stand_in.is_in {
            self.rest_failed(reason, now);
        }
    }

    fn on_event(&mut self, mut event: VenueEvent, message: &[u8], now: Nanos) {
        if event.instrument == user_data::UNNAMED
            && let Some((_, instrument)) = self.asked.iter().rev().find(|(id, _)| *id == event.id)
        {
            event.instrument = *instrument;
        }
        self.events.push_back(event);
        if !matches!(event.kind, VenueEventKind::Trade { .. } | VenueEventKind::Accepted) {
            self.look_for_refusal(message, now);
        }
    }

    /// Everything that is not of one order of ours.
    fn on_other(&mut self, message: &[u8], now: Nanos) {
        let Self { events, market, instruments, .. } = self;
        let told = account::decode(message, *market, instruments, now, &mut |event| events.push_back(*event));
        match told {
            Ok(Some(Told::All)) => {}
            Ok(Some(Told::More(question))) => {
                if self.ask(question, now).is_err() {
                    self.doom("the rest of a list could not be asked for", now);
                }
            }
            Ok(Some(Told::Refused { status, code })) => {
                warn!(status, code, "the venue refused a question about the account");
                self.look_for_refusal(message, now);
            }
            Ok(None) if contains(message, b"\"serverShutdown\"") => self.session.leave(),
            Ok(None) if contains(message, b"\"eventStreamTerminated\"") => {
                self.session.doom("the account's events ended");
            }
            Ok(None) => {}
            Err(error) => self.on_unreadable(&error.to_string(), now),
        }
    }

    /// Whether the venue wants silence (429) or has banned us (418), and until when.
    fn look_for_refusal(&mut self, message: &[u8], now: Nanos) {
        if !contains(message, b"\"status\":429") && !contains(message, b"\"status\":418") {
            return;
        }
        let Ok(answer) = serde_json::from_slice::<Value>(message) else { return };
        let banned = answer["status"] == 418;
        let venue_now = self.session.venue_time(now);
        let until = answer["error"]["data"]["retryAfter"].as_i64();
        let until = until.map_or(venue_now.saturating_add(Nanos::from_secs(60)), Nanos::from_millis);
        self.session.budget.refused(until, banned);
        self.withdraw_from_rest(now);
        let until = Nanos(until.0 - self.session.clock_offset().0);
        warn!(banned, seconds = (until.0 - now.0) / 1_000_000_000, "the venue asks for silence");
        let kind =
            if banned { VenueEventKind::Banned { until } } else { VenueEventKind::Throttled { until } };
        self.of_no_order(kind, now);
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

impl OrderEntry for BinanceEntry {
    fn send(&mut self, order: &Order, now: Nanos) -> Result<(), NotSent> {
        self.dispatch(order.intent(), now)
    }

    fn send_pair(&mut self, above: &Order, below: &Order, now: Nanos) -> Result<(), NotSent> {
        let (above, below) = (above.intent(), below.intent());
        let instrument = self.instruments.get(above.instrument).ok_or(NotSent)?;
        self.request.clear();
        let timestamp = self.session.venue_time(now);
        let encoded = order_request::encode_oco(above, below, instrument, timestamp, &mut self.request);
        encoded.map_err(|_| NotSent)?;
        self.transmit(Some(Asked::Oco), above.valid_until.min(below.valid_until), now)?;
        self.remember(above.id, above.instrument);
        Ok(())
    }

    fn query(&mut self, instrument: InstrumentIndex, id: OrderId, now: Nanos) -> Result<(), NotSent> {
        self.permit(WEIGHT_QUERY, now)?;
        self.request.clear();
        let known = self.instruments.get(instrument).ok_or(NotSent)?;
        order_request::encode_query(id, known, self.session.venue_time(now), &mut self.request);
        self.transmit(Some(Asked::Query), Nanos::NEVER, now)?;
        self.remember(id, instrument);
        Ok(())
    }

    fn ask(&mut self, question: Question, now: Nanos) -> Result<(), NotSent> {
        if !self.is_open() {
            return Err(NotSent);
        }
        let weight = match question {
            Question::OpenOrders => WEIGHT_OPEN_ORDERS,
            Question::TradesOf { .. } => WEIGHT_TRADES_OF,
            Question::TradesFrom { .. } => WEIGHT_TRADES,
        };
        self.permit(weight, now)?;
        self.request.clear();
        let timestamp = self.session.venue_time(now);
        if !account::encode(&question, &self.instruments, timestamp, &mut self.request) {
            return Err(NotSent);
        }
        self.transmit(None, Nanos::NEVER, now)
    }

    fn holds(&self) -> bool {
        true
    }

    fn flush(&mut self) {
        self.session.flush();
    }

    fn poll(&mut self, now: Nanos) -> Option<VenueEvent> {
        if now >= self.roll_due {
            self.roll_due = now.saturating_add(ROLL_EVERY);
            let venue = self.session.venue_time(now);
            self.session.budget.roll(venue);
            self.session.counted.roll(venue);
        }
        if self.events.is_empty() {
            self.look(now);
        }
        self.events.pop_front()
    }

    fn limits_used(&self) -> LimitsUsed {
        let Session { budget, counted, .. } = &self.session;
        LimitsUsed { weight_ppm: budget.used_ppm(), orders_ppm: counted.orders_used_ppm() }
    }

    fn clock_offset(&self) -> Nanos {
        self.session.clock_offset()
    }

    fn next_deadline(&self) -> Nanos {
        if self.events.is_empty() { Nanos::NEVER } else { Nanos::ZERO }
    }
}
