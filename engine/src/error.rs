//! Errors of set-up and the reject codes of the hot path.
//!
//! Set-up errors carry text that names the file, key or line. On the hot path a refusal is a small `Copy` code.

use std::path::PathBuf;

use crate::wire::wire_enum;

/// Something could not be set up. The message is one line that names what was wrong and where.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The operating system refused.
    #[error("{path}: {action}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// Its answer.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the line where there is one.
        reason: String,
    },
    /// A parameter, symbol or other input is not valid.
    #[error("{0}")]
    Invalid(String),
}

impl SetupError {
    /// An operating system error on `path` during `action`.
    pub fn io(path: impl Into<PathBuf>, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), action, source }
    }

    /// `path` is not what it should be.
    pub fn file(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::File { path: path.into(), reason: reason.into() }
    }
}

wire_enum! {
    /// Why an intent was refused (reliability.md §1.3). The first failing control wins.
    RejectCode {
        /// Accepted.
        None = 0 => "ACCEPTED",
        /// C01: trading is halted, or reduce-only and the order does not reduce.
        Halted = 1 => "HALTED",
        /// C02: the frame or the identity is not valid.
        BadRequest = 2 => "BAD_REQUEST",
        /// C03: the id was used before.
        DuplicateId = 3 => "DUP_ID",
        /// C04: the same content too often in too short a time.
        DuplicateContent = 4 => "DUP_CONTENT",
        /// C05: the instrument does not trade now.
        FilterStatus = 5 => "FILTER_STATUS",
        /// C05: price outside the venue's range or off the tick grid.
        FilterPrice = 6 => "FILTER_PRICE",
        /// C05: quantity outside the venue's range or off the lot grid.
        FilterLot = 7 => "FILTER_LOT",
        /// C05: notional outside the venue's range.
        FilterNotional = 8 => "FILTER_NOTIONAL",
        /// C06: quantity above the limit, or no limit set.
        MaxQuantity = 9 => "MAX_QTY",
        /// C07: notional above the limit.
        MaxNotional = 10 => "MAX_NOTIONAL",
        /// C08: price too far from the reference.
        Collar = 11 => "COLLAR",
        /// C07, C08: no reference price.
        NoReference = 12 => "NO_REF",
        /// C10: the book is stale, untrusted or crossed.
        StaleMarketData = 13 => "STALE_MD",
        /// C11: the worst-case position would exceed the limit.
        MaxPosition = 14 => "MAX_POS",
        /// C12: gross exposure would exceed the limit.
        MaxGross = 15 => "MAX_GROSS",
        /// C15: too many open orders.
        MaxOpen = 16 => "MAX_OPEN",
        /// C16: too many messages.
        MessageRate = 17 => "MSG_RATE",
        /// C18: too many fills in the window; latched.
        RepeatExecution = 18 => "REPEAT_EXEC",
        /// C19: the day's loss reached its limit; latched.
        DayLoss = 19 => "DAY_LOSS",
        /// C21: too many rejects; latched.
        RejectStorm = 20 => "REJECT_STORM",
        /// C22: would trade against an order of our own.
        SelfTrade = 21 => "SELF_TRADE",
        /// C23: too many unresolved orders.
        Unresolved = 22 => "UNRESOLVED",
        /// C25: the journal has no room or failed.
        Journal = 23 => "JOURNAL",
        /// The order ring is full.
        RingFull = 24 => "RING_FULL",
        /// Its `valid_until` has passed.
        Expired = 25 => "EXPIRED",
        /// The order to cancel is not open.
        UnknownOrder = 26 => "UNKNOWN_ORDER",
        /// C27: the order reached route without risk's approval.
        Unapproved = 27 => "UNAPPROVED",
        /// The venue refused it; the venue's own code is beside it.
        Venue = 28 => "VENUE",
        /// C24: ingest or route is not there or does not beat, or the venue is not connected and reconciled.
        LinkDown = 29 => "LINK_DOWN",
        /// The amendment cannot keep the order's place in the queue: it does not lower the quantity, lowers it to what
        /// is filled, or changes more than that.
        KeepPriority = 30 => "KEEP_PRIORITY",
        /// The order cannot be replaced in one request: it is filled in part, or the venue takes none on the instrument.
        NoReplace = 31 => "NO_REPLACE",
        /// The venue takes no pair of orders of which one cancels the other on the instrument.
        NoOco = 32 => "NO_OCO",
    }
}
