//! A session of the WebSocket API: connects, learns the venue's clock, logs on or signs, subscribes the account's
//! events, and begins again when any of it ends (binance.md §7).

use std::sync::Arc;

use engine::domain::Nanos;
use engine::venue::binance::canonical;
use serde_json::Value;
use tracing::warn;

use crate::binance::Signer;
use crate::binance::clock::{offset, server_time};
use crate::binance::limits::{CountBudget, RateLimits, Share, WeightBudget};
use crate::binance::line::{Line, Seen, Step, ask_clock, own_answer};
use crate::config::values::RecvWindow;
use crate::transport::{Backoff, Reactor, SendError, TlsTrust, Url, Watch, WebSocketClient, WsEvent};

/// A connection lives at most 24 hours; the next one is opened a little earlier.
const LIFE: Nanos = Nanos::from_secs(24 * 3_600 - 600);

/// How long a connection that was replaced is still listened to: answers to what was sent on it are under way.
const LINGER: Nanos = Nanos::from_secs(5);

/// The server pings every 20 s: three that did not come, and the connection is half-open.
const IDLE_MAX: Nanos = Nanos::from_secs(65);

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

/// One session after the other, without a gap where the end of one can be foreseen.
pub struct Session {
    url: Url,
    trust: TlsTrust,
    signer: Arc<Signer>,
    reactor: Reactor,
    // Lines are large, and taken out and put back at every look.
    line: Option<Box<Line>>,
    /// What is to take its place, while it lives.
    next: Option<Box<Line>>,
    /// What it took the place of, and until when that is listened to.
    last: Option<(Box<Line>, Nanos)>,
    life: Nanos,
    replaced: u64,
    retry_at: Nanos,
    backoff: Backoff,
    /// The venue's clock less ours.
    offset: Nanos,
    window: RecvWindow,
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
            line: None,
            next: None,
            last: None,
            life: LIFE,
            replaced: 0,
            retry_at: Nanos(i64::MIN),
            backoff: Backoff::new(Nanos::from_millis(100), Nanos::from_secs(30), seed),
            offset: Nanos::ZERO,
            window: RecvWindow::default(),
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

    /// Lets the venue take a request for as long as `window` after it was made.
    pub const fn within(&mut self, window: RecvWindow) {
        self.window = window;
    }

    /// Lets a connection live for `life` instead of the venue's day.
    pub const fn live_for(&mut self, life: Nanos) {
        self.life = life;
    }

    /// Whether requests may leave.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.is_ready())
    }

    /// Sessions that the next one took over from, without a gap.
    #[must_use]
    pub const fn replaced(&self) -> u64 {
        self.replaced
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

    /// Takes one step of each connection. `on_message` gets at most one message, that is not the session's own.
    pub fn poll(&mut self, now: Nanos, on_message: &mut dyn FnMut(&[u8])) -> SessionEvent {
        // On the connection that it was meant for, before another takes its place.
        self.flush();
        self.reactor.turn();
        if self.listen_to_last(now, on_message) {
            return SessionEvent::Busy;
        }
        if let Some(event) = self.replace(now, on_message) {
            return event;
        }
        let Some(mut line) = self.line.take() else {
            // What was to replace it does so now, or a new one is opened.
            return match self.next.take() {
                Some(next) => {
                    self.line = Some(next);
                    SessionEvent::Busy
                }
                None => self.dial_first(now),
            };
        };
        let was_ready = line.is_ready();
        match self.look(&mut line, now, on_message) {
            Seen::Ended(reason) => self.end(*line, was_ready, now, reason),
            Seen::Ready => {
                self.line = Some(line);
                self.backoff.reset();
                SessionEvent::Ready
            }
            Seen::Busy => {
                self.line = Some(line);
                SessionEvent::Busy
            }
            Seen::Idle => {
                self.line = Some(line);
                SessionEvent::Idle
            }
        }
    }

    /// Hears what still comes on the connection that was replaced; whether there was anything.
    fn listen_to_last(&mut self, now: Nanos, on_message: &mut dyn FnMut(&[u8])) -> bool {
        let Some((mut last, until)) = self.last.take() else { return false };
        let event = last.socket.poll(&mut self.reactor, now, &mut |_, bytes| {
            if own_answer(bytes).is_none() {
                on_message(bytes);
            }
        });
        if matches!(event, WsEvent::Closed(_)) || now >= until {
            last.socket.close(&mut self.reactor);
        } else {
            self.last = Some((last, until));
        }
        event == WsEvent::Message
    }

    /// Opens what replaces a connection whose end is near, and swaps them once it is a session; what it did, if anything.
    fn replace(&mut self, now: Nanos, on_message: &mut dyn FnMut(&[u8])) -> Option<SessionEvent> {
        let Some(mut next) = self.next.take() else {
            let ends = |line: &Line| line.is_ready() && (line.leaving || now - line.opened > self.life);
            if self.line.as_deref().is_some_and(ends) {
                self.next = self.dial(now).ok().flatten();
            }
            return None;
        };
        match self.look(&mut next, now, on_message) {
            Seen::Ended(reason) => {
                next.socket.close(&mut self.reactor);
                warn!(reason, "the next session of order entry did not open");
                self.retry_at = now.saturating_add(self.backoff.next_wait());
                None
            }
            Seen::Ready => {
                // Its events come on both for a while: what is told twice is known by its ids.
                let until = now.saturating_add(LINGER);
                self.last = self.line.replace(next).map(|line| (line, until));
                self.replaced += 1;
                self.backoff.reset();
                // Where there was none left to replace, there was a gap, and that was told.
                Some(if self.last.is_some() { SessionEvent::Busy } else { SessionEvent::Ready })
            }
            Seen::Busy => {
                self.next = Some(next);
                Some(SessionEvent::Busy)
            }
            Seen::Idle => {
                self.next = Some(next);
                None
            }
        }
    }

    /// Takes one step of a connection.
    fn look(&mut self, line: &mut Line, now: Nanos, on_message: &mut dyn FnMut(&[u8])) -> Seen {
        let mut own = None;
        let event = line.socket.poll(&mut self.reactor, now, &mut |_, bytes| {
            own = own_answer(bytes);
            if own.is_none() {
                on_message(bytes);
            }
        });
        line.heard(&event, now);
        let before = line.step;
        match &event {
            WsEvent::Closed(reason) => return Seen::Ended(reason.clone()),
            WsEvent::Opened => {
                line.opened = now;
                self.next_step(line, Step::Clock, now);
            }
            WsEvent::Message | WsEvent::Idle => {}
        }
        if let Some(answer) = own {
            self.on_own(line, &answer, now);
        }
        self.keep(line, now);
        if let Some(reason) = line.doomed.take().or_else(|| line.overdue(now)) {
            return Seen::Ended(reason);
        }
        match event {
            _ if line.is_ready() && before != Step::Ready => Seen::Ready,
            WsEvent::Idle => Seen::Idle,
            _ => Seen::Busy,
        }
    }

    /// Takes a request of ours, with key and signature where the session cannot log on, to leave with the others by the next
    /// [`flush`](Self::flush) or look.
    ///
    /// # Errors
    /// When nothing of it left, or it is not known whether it did.
    pub fn hold(&mut self, request: &mut Vec<u8>) -> Result<(), SendError> {
        if !self.is_ready() {
            return Err(SendError::NotSent);
        }
        if !self.signer.logs_on() {
            self.sign(request)?;
        }
        self.line.as_mut().map_or(Err(SendError::NotSent), |line| line.hold(request))
    }

    /// Lets leave what was taken, in one write.
    pub fn flush(&mut self) {
        if let Some(line) = &mut self.line {
            // Of a broken connection nobody knows what left: its end says so.
            let _ = line.socket.flush();
        }
    }

    /// Adds to `request`, which will be signed, for how long the venue may take it.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn bind(&self, request: &mut Vec<u8>) -> Result<(), SendError> {
        canonical::bound(request, self.window.0).map_err(|_| SendError::NotSent)
    }

    fn sign(&self, request: &mut Vec<u8>) -> Result<(), SendError> {
        let key = self.signer.api_key();
        let payload = canonical::payload(request, key).map_err(|_| SendError::NotSent)?;
        canonical::attach(request, key, &self.signer.sign(&payload)).map_err(|_| SendError::NotSent)
    }

    /// What a sleep of the thread that polls this may wait for.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn watch(&self) -> std::io::Result<Watch> {
        self.reactor.watch()
    }

    /// What watches its sockets, for others of the same agent.
    pub const fn reactor_mut(&mut self) -> &mut Reactor {
        &mut self.reactor
    }

    /// The venue's clock was `told`, as it was asked elsewhere.
    pub fn measured(&mut self, told: Nanos, asked: Nanos, now: Nanos) {
        (self.offset, _) = offset(told, asked, now);
    }

    /// What signs its requests.
    #[must_use]
    pub const fn signer(&self) -> &Arc<Signer> {
        &self.signer
    }

    /// Ends the session at the next look, for a reason found in a message.
    pub fn doom(&mut self, reason: &str) {
        if let Some(line) = &mut self.line {
            line.doomed = Some(reason.to_owned());
        }
    }

    /// The server goes down: the next session is opened while this one still stands.
    pub const fn leave(&mut self) {
        if let Some(line) = &mut self.line {
            line.leaving = true;
        }
    }

    fn dial_first(&mut self, now: Nanos) -> SessionEvent {
        match self.dial(now) {
            Ok(line) => {
                let busy = line.is_some();
                self.line = line;
                if busy { SessionEvent::Busy } else { SessionEvent::Idle }
            }
            Err(reason) => SessionEvent::Ended { was_ready: false, reason },
        }
    }

    /// A new connection, unless it is too early for one.
    fn dial(&mut self, now: Nanos) -> Result<Option<Box<Line>>, String> {
        if now < self.retry_at || self.budget.blocked(self.venue_time(now)).is_some() {
            return Ok(None);
        }
        let socket = WebSocketClient::connect(&self.url, &self.trust, &[], IDLE_MAX, now);
        let socket = socket.inspect_err(|_| self.retry_at = now.saturating_add(self.backoff.next_wait()))?;
        Ok(Some(Box::new(Line::new(socket, now))))
    }

    fn end(&mut self, mut line: Line, was_ready: bool, now: Nanos, reason: String) -> SessionEvent {
        line.socket.close(&mut self.reactor);
        self.retry_at = now.saturating_add(self.backoff.next_wait());
        SessionEvent::Ended { was_ready, reason }
    }

    fn next_step(&mut self, line: &mut Line, step: Step, now: Nanos) {
        (line.step, line.since) = (step, now);
        let sent = match step {
            Step::Clock => ask_clock(line, now),
            Step::LoggingOn => self.own_request(line, ("logon", "session.logon"), now, true),
            Step::Subscribing if self.signer.logs_on() => {
                self.own_request(line, ("subscribe", "userDataStream.subscribe"), now, false)
            }
            Step::Subscribing => {
                self.own_request(line, ("subscribe", "userDataStream.subscribe.signature"), now, true)
            }
            Step::Opening | Step::Ready => Ok(()),
        };
        if sent.is_err() {
            line.doomed = Some("a request of the opening did not leave".to_owned());
        }
    }

    fn own_request(
        &mut self,
        line: &mut Line,
        (id, method): (&str, &str),
        now: Nanos,
        signed: bool,
    ) -> Result<(), SendError> {
        let timestamp = self.venue_time(now).0 / 1_000_000;
        let params = if signed { format!("\"timestamp\":{timestamp}") } else { String::new() };
        let mut request = std::mem::take(&mut self.scratch);
        request.clear();
        request.extend_from_slice(
            format!("{{\"id\":\"{id}\",\"method\":\"{method}\",\"params\":{{{params}}}}}").as_bytes(),
        );
        let sent =
            if signed { self.bind(&mut request).and_then(|()| self.sign(&mut request)) } else { Ok(()) };
        let sent = sent.and_then(|()| line.transmit(&request));
        self.scratch = request;
        sent
    }

    /// The answer to a request of the session's own.
    fn on_own(&mut self, line: &mut Line, answer: &Value, now: Nanos) {
        let id = answer["id"].as_str().unwrap_or_default();
        if answer["status"].as_u64() != Some(200) {
            // The venue's text may hold what was sent: only its numbers are kept.
            let status = answer["status"].as_u64().unwrap_or(0);
            let code = answer["error"]["code"].as_i64().unwrap_or(0);
            line.doomed = Some(format!("{id} was refused with status {status}, code {code}"));
            return;
        }
        match (id, line.step) {
            ("clock", step) => {
                if let Some(told) = server_time(&answer["result"]) {
                    (self.offset, _) = offset(told, line.clock_asked, now);
                }
                if step == Step::Clock {
                    let next = if self.signer.logs_on() { Step::LoggingOn } else { Step::Subscribing };
                    self.next_step(line, next, now);
                }
            }
            ("logon", Step::LoggingOn) => self.next_step(line, Step::Subscribing, now),
            ("subscribe", Step::Subscribing) => self.next_step(line, Step::Ready, now),
            _ => {}
        }
    }

    fn keep(&self, line: &mut Line, now: Nanos) {
        let due = line.is_ready() && now >= line.clock_asked.saturating_add(CLOCK_EVERY);
        if due && ask_clock(line, now).is_err() {
            line.doomed = Some("the venue takes no requests".to_owned());
        }
    }
}
