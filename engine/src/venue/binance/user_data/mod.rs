//! What the venue says of our orders: user events and answers, both ways (binance.md §7 and §8).
//!
//! The simulated exchange writes them and route reads them, so the same tests hold for both ends.

mod encode;
mod decode;

#[cfg(test)]
mod tests;

pub(super) use decode::decode_trade;
pub use decode::{decode, decode_trades};
pub use encode::{OrderFacts, encode_answer, encode_report};

use crate::domain::InstrumentIndex;
use crate::message::report::OrderState;

/// The instrument of an event whose answer does not name it: an error answer of the venue names only the request.
/// Whoever sent the request knows the order's instrument.
pub const UNNAMED: InstrumentIndex = InstrumentIndex::MAX;

/// The venue's words for the states of an order (`X`, and `status` in answers).
const STATUSES: [(&str, OrderState); 8] = [
    ("NEW", OrderState::Open),
    ("PARTIALLY_FILLED", OrderState::Partial),
    ("FILLED", OrderState::Filled),
    ("CANCELED", OrderState::Canceled),
    ("PENDING_CANCEL", OrderState::PendingCancel),
    ("REJECTED", OrderState::Rejected),
    ("EXPIRED", OrderState::Expired),
    ("EXPIRED_IN_MATCH", OrderState::Expired),
];

/// `PENDING_NEW`: known to the venue, not on the book yet.
const PENDING_NEW: &str = "PENDING_NEW";

/// The state that the venue's `status` names; UNKNOWN, and so counted in full, for a word of another year.
#[must_use]
pub fn state_named(status: &str) -> OrderState {
    let known = STATUSES.iter().find(|(text, _)| *text == status).map(|&(_, state)| state);
    known.unwrap_or(if status == PENDING_NEW { OrderState::Sent } else { OrderState::Unknown })
}

/// Code of a reported rejection: reports say why in words only (binance.md §9).
const NEW_ORDER_REJECTED: i32 = -2010;
/// Code of an answer that came too late to know the outcome.
const TIMEOUT: i32 = -1007;
/// Code of an unknown order in an answer to a cancel.
const CANCEL_REJECTED: i32 = -2011;
/// Code of an unknown order in an answer to a query.
const NO_SUCH_ORDER: i32 = -2013;
