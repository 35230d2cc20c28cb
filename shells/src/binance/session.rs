//! A session of the WebSocket API: connects, learns the venue's clock, logs on or signs, subscribes the account's
//! events, and begins again when any of it ends (binance.md §7).

use std::sync::Arc;

use engine::domain::Nanos;
use engine::venue::binance::canonical;
use serde_json::Value;

use crate::binance::Signer;
use crate::binance::limits::{CountBudget, RateLimits, Share, WeightBudget};
use crate::transport::{Backoff, Reactor, SendError, TlsTrust, Url, WebSocketClient, WsEvent};

/// A connection lives at most 24 hours; it is given up a little earlier, at a moment of ours.
const LIFE: Nanos = Nanos::from_secs(24 * 3_600 - 600);

/// The server pings every 20 s: three that did not come, and the connection is half-open.
const IDLE_MAX: Nanos = Nanos::from_secs(65);

/// How long the server may say nothing at all after a request: it answers within milliseconds, so the connection is
/// half-open long before a ping is missed.
const SILENCE_MAX: Nanos = Nanos::from_secs(5);

/// How long a step of the opening may take.
const STEP_MAX: Nanos = Nanos::from_secs(10);

/// Between looks at the venue's clock.
const CLOCK_EVERY: Nanos = Nanos::from_secs(60);

/// What became of one look at the session.
#[derive(Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// Nothing now.
    Idle,
    /// It is ready: requests may leave, and the account's events come.
    Ready,
    /// It is over; the next attempt follows by itself. Whether it had been ready, and why it ended.
    Ended {
        /// Whether it had been ready.
        was_ready: bool,
        /// Why.
        reason: String,
    },
    /// A message was handled. There may be more.
    Busy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Opening,
    Clock,
    LoggingOn,
    Subscribing,
    Ready,
}

/// One session after the other.
pub struct Session {
    url: Url,
    trust: TlsTrust,
    signer: Arc<Signer>,
    reactor: Reactor,
    socket: Option<WebSocketClient>,
    step: Step,
    since: Nanos,
    opened: Nanos,
    retry_at: Nanos,
    backoff: Backoff,
    clock_asked: Nanos,
    /// A request left after the last message came; and since when that is so, as the last look saw it.
    waits: bool,
    waits_since: Option<Nanos>,
    /// The venue's clock less ours.
    offset: Nanos,
    /// A reason to end that was found while reading.
    doomed: Option<String>,
    /// What may be asked.
    pub budget: WeightBudget,
    /// How often it may be asked, and what may be ordered.
    pub counted: CountBudget,
    scratch: Vec<u8>,
}

impl Session {
    /// A session at `url`, to be driven by [`poll`](Self::poll). `seed` spreads the attempts of many clients.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new(url: Url, trust: TlsTrust, signer: Arc<Signer>, seed: u64) -> std::io::Result<Self> {
        Ok(Self {
            url,
            trust,
            signer,
            reactor: Reactor::new()?,
            socket: None,
            step: Step::Opening,
            since: Nanos::ZERO,
            opened: Nanos::ZERO,
            retry_at: Nanos(i64::MIN),
            backoff: Backoff::new(Nanos::from_millis(100), Nanos::from_secs(30), seed),
            clock_asked: Nanos::ZERO,
            waits: false,
            waits_since: None,
            offset: Nanos::ZERO,
            doomed: None,
            budget: WeightBudget::new(Share::ROUTE, 0),
            counted: CountBudget::default(),
            scratch: Vec::with_capacity(1_024),
        })
    }

    /// Keeps to the venue's own limits from now on.
    pub fn limit(&mut self, limits: &RateLimits) {
        self.budget = WeightBudget::new(Share::ROUTE, limits.weight_a_minute());
        self.counted = CountBudget::new(limits);
    }

    /// Whether requests may leave.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.step == Step::Ready && self.socket.is_some()
    }

    /// The venue's clock less ours, as last measured.
    #[must_use]
    pub const fn clock_offset(&self) -> Nanos {
        self.offset
    }

    /// The venue's time.
    #[must_use]
    pub fn venue_time(&self, now: Nanos) -> Nanos {
        now.saturating_add(self.offset)
    }

    /// Takes one step. `on_message` gets every message that is not the session's own.
    pub fn poll(&mut self, now: Nanos, on_message: &mut dyn FnMut(&[u8])) -> SessionEvent {
        let Some(mut socket) = self.socket.take() else { return self.dial(now) };
        self.reactor.turn();
        let mut own = None;
        let event = socket.poll(&mut self.reactor, now, &mut |_, bytes| {
            own = own_answer(bytes);
            if own.is_none() {
                on_message(bytes);
            }
        });
        self.socket = Some(socket);
        match event {
            WsEvent::Closed(reason) => return self.end(now, reason),
            WsEvent::Opened => {
                self.opened = now;
                self.next_step(Step::Clock, now);
            }
            WsEvent::Message => (self.waits, self.waits_since) = (false, None),
            WsEvent::Idle if self.waits && self.waits_since.is_none() => self.waits_since = Some(now),
            WsEvent::Idle => {}
        }
        let before = self.step;
        if let Some(answer) = own {
            self.on_own(&answer, now);
        }
        if let Some(reason) = self.doomed.take() {
            return self.end(now, reason);
        }
        self.keep(now);
        if let Some(reason) = self.overdue(now) {
            return self.end(now, reason);
        }
        match event {
            _ if self.step == Step::Ready && before != Step::Ready => {
                self.backoff.reset();
                SessionEvent::Ready
            }
            WsEvent::Idle => SessionEvent::Idle,
            _ => SessionEvent::Busy,
        }
    }

    /// Sends a request of ours, with key and signature where the session cannot log on.
    ///
    /// # Errors
    /// When nothing of it left, or it is not known whether it did.
    pub fn send(&mut self, request: &mut Vec<u8>) -> Result<(), SendError> {
        if !self.is_ready() {
            return Err(SendError::NotSent);
        }
        if !self.signer.logs_on() {
            self.sign(request)?;
        }
        self.transmit(request)
    }

    fn sign(&self, request: &mut Vec<u8>) -> Result<(), SendError> {
        let key = self.signer.api_key();
        let payload = canonical::payload(request, key).map_err(|_| SendError::NotSent)?;
        canonical::attach(request, key, &self.signer.sign(&payload)).map_err(|_| SendError::NotSent)
    }

    fn transmit(&mut self, request: &[u8]) -> Result<(), SendError> {
        let text = std::str::from_utf8(request).map_err(|_| SendError::NotSent)?;
        let socket = self.socket.as_mut().ok_or(SendError::NotSent)?;
        self.waits = true;
        socket.send(text)
    }

    /// Ends the session at the next look, for a reason found in a message.
    pub fn doom(&mut self, reason: &str) {
        self.doomed = Some(reason.to_owned());
    }

    fn dial(&mut self, now: Nanos) -> SessionEvent {
        if now < self.retry_at || self.budget.blocked(self.venue_time(now)).is_some() {
            return SessionEvent::Idle;
        }
        (self.step, self.since) = (Step::Opening, now);
        match WebSocketClient::connect(&self.url, &self.trust, &[], IDLE_MAX, now) {
            Ok(socket) => {
                self.socket = Some(socket);
                SessionEvent::Busy
            }
            Err(reason) => self.end(now, reason),
        }
    }

    fn end(&mut self, now: Nanos, reason: String) -> SessionEvent {
        let was_ready = self.step == Step::Ready;
        if let Some(mut socket) = self.socket.take() {
            socket.close(&mut self.reactor);
        }
        (self.step, self.waits, self.waits_since) = (Step::Opening, false, None);
        self.retry_at = now.saturating_add(self.backoff.next_wait());
        SessionEvent::Ended { was_ready, reason }
    }

    fn next_step(&mut self, step: Step, now: Nanos) {
        (self.step, self.since) = (step, now);
        let sent = match step {
            Step::Clock => self.ask_clock(now),
            Step::LoggingOn => self.own_request("logon", "session.logon", now, true),
            Step::Subscribing if self.signer.logs_on() => {
                self.own_request("subscribe", "userDataStream.subscribe", now, false)
            }
            Step::Subscribing => {
                self.own_request("subscribe", "userDataStream.subscribe.signature", now, true)
            }
            Step::Opening | Step::Ready => Ok(()),
        };
        if sent.is_err() {
            self.doom("a request of the opening did not leave");
        }
    }

    fn ask_clock(&mut self, now: Nanos) -> Result<(), SendError> {
        self.clock_asked = now;
        self.transmit(br#"{"id":"clock","method":"time"}"#)
    }

    fn own_request(&mut self, id: &str, method: &str, now: Nanos, signed: bool) -> Result<(), SendError> {
        let timestamp = self.venue_time(now).0 / 1_000_000;
        let params =
            if signed || id == "logon" { format!("\"timestamp\":{timestamp}") } else { String::new() };
        let mut request = std::mem::take(&mut self.scratch);
        request.clear();
        request.extend_from_slice(
            format!("{{\"id\":\"{id}\",\"method\":\"{method}\",\"params\":{{{params}}}}}").as_bytes(),
        );
        let sent = if signed { self.sign(&mut request) } else { Ok(()) };
        let sent = sent.and_then(|()| self.transmit(&request));
        self.scratch = request;
        sent
    }

    /// The answer to a request of the session's own.
    fn on_own(&mut self, answer: &Value, now: Nanos) {
        let id = answer["id"].as_str().unwrap_or_default();
        if answer["status"].as_u64() != Some(200) {
            // The venue's text may hold what was sent: only its numbers are kept.
            let status = answer["status"].as_u64().unwrap_or(0);
            let code = answer["error"]["code"].as_i64().unwrap_or(0);
            return self.doom(&format!("{id} was refused with status {status}, code {code}"));
        }
        match (id, self.step) {
            ("clock", step) => {
                if let Some(server) = answer["result"]["serverTime"].as_i64() {
                    let half = (now - self.clock_asked).0 / 2;
                    // Milliseconds; microseconds where the venue is asked for them.
                    let unit = if server > 100_000_000_000_000 { 1_000 } else { 1_000_000 };
                    self.offset = Nanos(server.saturating_mul(unit) + half - now.0);
                }
                if step == Step::Clock {
                    let next = if self.signer.logs_on() { Step::LoggingOn } else { Step::Subscribing };
                    self.next_step(next, now);
                }
            }
            ("logon", Step::LoggingOn) => self.next_step(Step::Subscribing, now),
            ("subscribe", Step::Subscribing) => self.next_step(Step::Ready, now),
            _ => {}
        }
    }

    fn keep(&mut self, now: Nanos) {
        let due = self.step == Step::Ready && now >= self.clock_asked.saturating_add(CLOCK_EVERY);
        if due && self.ask_clock(now).is_err() {
            self.doom("the venue takes no requests");
        }
    }

    fn overdue(&self, now: Nanos) -> Option<String> {
        self.socket.as_ref()?;
        match self.step {
            Step::Ready if now - self.opened > LIFE => Some("its day is over".to_owned()),
            Step::Ready if self.waits_since.is_some_and(|since| now - since > SILENCE_MAX) => {
                Some("nothing came after a request".to_owned())
            }
            // The transport itself limits the opening.
            Step::Ready | Step::Opening => None,
            step if now - self.since > STEP_MAX => Some(format!("{step:?} was not answered")),
            _ => None,
        }
    }
}

/// The answer to one of the session's own requests.
fn own_answer(bytes: &[u8]) -> Option<Value> {
    let ours = [&b"{\"id\":\"clock\""[..], b"{\"id\":\"logon\"", b"{\"id\":\"subscribe\""];
    if ours.iter().any(|head| bytes.starts_with(head)) { serde_json::from_slice(bytes).ok() } else { None }
}
