//! Where operations leave their replies and pushes; the router carries them away.

use serde::Serialize;
use serde_json::Value;

use crate::api::{ApiError, code};

/// Whom a reply goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The peer's routing id.
    pub(super) peer: Vec<u8>,
    /// Whether the peer sent an empty frame before its request, as REQ sockets do, and wants one back.
    pub(super) delimited: bool,
    /// The request's id.
    pub(super) id: String,
}

/// The outcome of a request.
pub type Outcome = Result<Value, ApiError>;

/// Replies and pushes on their way out.
#[derive(Debug, Default)]
pub struct Desk {
    pub(super) replies: Vec<(Ticket, Outcome)>,
    pub(super) pushes: Vec<(&'static str, Value)>,
    /// Whether anybody would hear a push.
    pub(super) heard: bool,
}

impl Desk {
    /// Answers a request.
    pub fn reply(&mut self, ticket: Ticket, outcome: Outcome) {
        self.replies.push((ticket, outcome));
    }

    /// Whether a push would reach anybody: if not, it need not be made.
    #[must_use]
    pub const fn is_heard(&self) -> bool {
        self.heard
    }

    /// Tells every subscriber.
    pub fn push(&mut self, name: &'static str, message: &impl Serialize) {
        if let Ok(value) = serde_json::to_value(message) {
            self.pushes.push((name, value));
        }
    }
}

/// A message as the result of a request.
///
/// # Errors
/// `INTERNAL` when it cannot be serialised: a defect.
pub fn result(message: &impl Serialize) -> Outcome {
    serde_json::to_value(message).map_err(|error| ApiError::new(code::INTERNAL, error.to_string()))
}
