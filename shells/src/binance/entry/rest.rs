//! REST in the place of the WebSocket API's session, while there is none.
//!
//! ```text
//! no session for 5 s ──▶ REST is asked for the time ──an answer──▶ StoodIn ──a session──▶ Disconnected, Connected
//!                          ▲                                          │
//!                          └─────later and later──── Disconnected ◀──a question has no answer
//! ```
//!
//! Route takes `StoodIn` as it takes every connection: what was missed is settled before anything new leaves. And as nobody
//! tells of orders then, it asks after them.

use engine::domain::Nanos;
use engine::venue::VenueEventKind;
use tracing::{info, warn};

use crate::binance::BinanceEntry;
use crate::binance::fallback::CLOCK_ID;
use crate::binance::limits::Permit;
use crate::transport::Backoff;

/// How long there must be no session before REST takes its place: most are back before.
pub const STAND_IN_AFTER: Nanos = Nanos::from_secs(5);

/// Between looks at the venue's clock, which say too that REST still answers where nothing else is asked.
const CLOCK_EVERY: Nanos = Nanos::from_secs(10);

/// What the venue's time costs, asked for twice (binance.md §3).
const WEIGHT_CLOCK: u64 = 2;

/// Whether REST stands in, and what decides about it.
#[derive(Debug)]
pub(super) struct StandIn {
    /// Whether it may order.
    pub(super) allowed: bool,
    /// Whether it does.
    pub(super) is_in: bool,
    /// Since when there is no session.
    alone_since: Option<Nanos>,
    /// When the venue's clock may be asked for next.
    ask_at: Nanos,
    backoff: Backoff,
}

impl StandIn {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            allowed: false,
            is_in: false,
            alone_since: None,
            ask_at: Nanos(i64::MIN),
            backoff: Backoff::new(Nanos::from_secs(1), Nanos::from_secs(60), seed),
        }
    }
}

impl BinanceEntry {
    /// Hears what REST has answered, and lets it stand in where that is due.
    pub(super) fn look_at_rest(&mut self, now: Nanos) {
        let venue = self.session.venue_time(now);
        let heard = self.fallback.poll(self.session.reactor_mut(), now, venue);
        if let Some(weight) = heard.weight {
            self.session.budget.told(weight, venue);
        }
        for (window, count) in heard.orders {
            self.session.counted.told_orders(window, count, venue);
        }
        for message in heard.messages {
            if message.starts_with(format!("{{\"id\":\"{CLOCK_ID}\"").as_bytes()) {
                self.look_for_refusal(&message, now);
            } else {
                self.message = message;
                self.on_message(now);
            }
        }
        if let Some(reason) = heard.failed {
            self.rest_failed(&reason, now);
        } else if let Some((told, asked)) = heard.clock {
            self.session.measured(told, asked, now);
            self.rest_answered(now);
        }
        if self.stand_in.allowed && !self.session.is_ready() {
            self.try_rest(now);
        }
    }

    /// Asks for the time, where it is time for that: what answers may stand in.
    fn try_rest(&mut self, now: Nanos) {
        let since = *self.stand_in.alone_since.get_or_insert(now);
        if now < since.saturating_add(STAND_IN_AFTER) || now < self.stand_in.ask_at {
            return;
        }
        self.stand_in.ask_at = now.saturating_add(CLOCK_EVERY);
        let venue = self.session.venue_time(now);
        let permitted = self.session.budget.ask(WEIGHT_CLOCK, venue) == Permit::Granted
            && self.session.counted.ask(0, venue) == Permit::Granted;
        if permitted {
            // What does not leave is asked for again.
            let _ = self.fallback.ask_clock(now);
        }
    }

    fn rest_answered(&mut self, now: Nanos) {
        if self.session.is_ready() {
            return;
        }
        if self.stand_in.is_in {
            // It has lasted: another failure is a new one.
            self.stand_in.backoff.reset();
            return;
        }
        self.stand_in.is_in = true;
        info!(clock_offset_us = self.session.clock_offset().0 / 1_000, "orders go over REST");
        self.of_no_order(VenueEventKind::StoodIn, now);
    }

    /// REST does not answer, or nobody can read what it does.
    pub(super) fn rest_failed(&mut self, reason: &str, now: Nanos) {
        self.stand_in.ask_at = now.saturating_add(self.stand_in.backoff.next_wait());
        warn!(reason, "REST does not answer");
        self.leave_rest(now);
    }

    /// There is a session.
    pub(super) fn session_begins(&mut self, now: Nanos) {
        self.stand_in.alone_since = None;
        self.stand_in.backoff.reset();
        self.leave_rest(now);
    }

    /// Takes back what waits to leave over REST, and says of each that it has not left.
    pub(super) fn withdraw_from_rest(&mut self, now: Nanos) {
        for message in self.fallback.withdraw() {
            self.message = message;
            self.on_message(now);
        }
        self.message.clear();
    }

    /// What is under way there is asked after over what comes next; what is not must not leave behind that.
    fn leave_rest(&mut self, now: Nanos) {
        self.withdraw_from_rest(now);
        self.fallback.forget_questions(self.session.reactor_mut());
        if std::mem::take(&mut self.stand_in.is_in) {
            info!("orders do not go over REST any more");
            self.of_no_order(VenueEventKind::Disconnected, now);
        }
    }
}
