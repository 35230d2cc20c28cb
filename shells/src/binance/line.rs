//! One connection of the WebSocket API: how far it is on its way to a session, and what it waits for.

use engine::domain::Nanos;
use serde_json::Value;

use crate::transport::{SendError, WebSocketClient, WsEvent};

/// How long the server may say nothing at all after a request: it answers within milliseconds, so the connection is
/// half-open long before a ping is missed.
const SILENCE_MAX: Nanos = Nanos::from_secs(5);

/// How long a step of the opening may take.
const STEP_MAX: Nanos = Nanos::from_secs(10);

/// How far a connection is on its way to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Opening,
    Clock,
    LoggingOn,
    Subscribing,
    Ready,
}

/// One connection, on its way to a session or in one.
pub(super) struct Line {
    pub(super) socket: WebSocketClient,
    pub(super) step: Step,
    pub(super) since: Nanos,
    pub(super) opened: Nanos,
    pub(super) clock_asked: Nanos,
    /// A request left after the last message came; and since when that is so, as the last look saw it.
    pub(super) waits: bool,
    pub(super) waits_since: Option<Nanos>,
    /// A reason to end that was found while reading.
    pub(super) doomed: Option<String>,
    /// The server has said that it goes down.
    pub(super) leaving: bool,
}

/// What one look at a line gave.
pub(super) enum Seen {
    Idle,
    Busy,
    Ready,
    Ended(String),
}

impl Line {
    /// A connection that was begun just now.
    pub(super) const fn new(socket: WebSocketClient, now: Nanos) -> Self {
        Self {
            socket,
            step: Step::Opening,
            since: now,
            opened: now,
            clock_asked: Nanos::ZERO,
            waits: false,
            waits_since: None,
            doomed: None,
            leaving: false,
        }
    }

    /// Sends a request at once, of which an answer is waited for.
    pub(super) fn transmit(&mut self, request: &[u8]) -> Result<(), SendError> {
        self.hold(request)?;
        self.socket.flush()
    }

    /// Keeps a request, of which an answer is waited for, until its socket is flushed or looked at.
    pub(super) fn hold(&mut self, request: &[u8]) -> Result<(), SendError> {
        let text = std::str::from_utf8(request).map_err(|_| SendError::NotSent)?;
        self.waits = true;
        self.socket.hold(text)
    }

    /// Whether it is a session.
    pub(super) fn is_ready(&self) -> bool {
        self.step == Step::Ready
    }

    /// Takes note of what a look at its socket gave.
    pub(super) fn heard(&mut self, event: &WsEvent, now: Nanos) {
        match event {
            WsEvent::Message => (self.waits, self.waits_since) = (false, None),
            WsEvent::Idle if self.waits && self.waits_since.is_none() => self.waits_since = Some(now),
            _ => {}
        }
    }

    /// Why it is to be given up, if something did not come in time.
    pub(super) fn overdue(&self, now: Nanos) -> Option<String> {
        match self.step {
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

/// Asks for the venue's time.
pub(super) fn ask_clock(line: &mut Line, now: Nanos) -> Result<(), SendError> {
    line.clock_asked = now;
    line.transmit(br#"{"id":"clock","method":"time"}"#)
}

/// The answer to one of the session's own requests.
pub(super) fn own_answer(bytes: &[u8]) -> Option<Value> {
    let ours = [&b"{\"id\":\"clock\""[..], b"{\"id\":\"logon\"", b"{\"id\":\"subscribe\""];
    if ours.iter().any(|head| bytes.starts_with(head)) { serde_json::from_slice(bytes).ok() } else { None }
}
