//! Error codes beside those of risk (`engine::error::RejectCode`), which come back as they are.

/// The request cannot be read, or a field of it is missing, unknown or no good.
pub const BAD_REQUEST: &str = "BAD_REQUEST";
/// There is no such operation on this port.
pub const UNKNOWN_OP: &str = "UNKNOWN_OP";
/// The message is longer than 64 KiB.
pub const TOO_LARGE: &str = "TOO_LARGE";
/// This peer asks too often.
pub const RATE_LIMIT: &str = "RATE_LIMIT";
/// The agent behind the port is not attached or does not beat.
pub const NOT_READY: &str = "NOT_READY";
/// The engine knows no such symbol.
pub const UNKNOWN_SYMBOL: &str = "UNKNOWN_SYMBOL";
/// No such order is known.
pub const UNKNOWN_ORDER: &str = "UNKNOWN_ORDER";
/// There is no strategy of that name.
pub const UNKNOWN_STRATEGY: &str = "UNKNOWN_STRATEGY";
/// There is no limit of that name.
pub const UNKNOWN_LIMIT: &str = "UNKNOWN_LIMIT";
/// The value lies above the ceiling that the engine was started with (C29).
pub const CEILING: &str = "CEILING";
/// A parameter's value does not do.
pub const BAD_VALUE: &str = "BAD_VALUE";
/// The answer did not come in time: what became of the request is not known.
pub const TIMEOUT: &str = "TIMEOUT";
/// A defect of ours, or the machine's refusal.
pub const INTERNAL: &str = "INTERNAL";
