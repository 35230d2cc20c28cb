//! What risk counts of itself.

use crate::error::RejectCode;

/// What risk has done, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskCounts {
    /// New orders approved.
    pub orders: u64,
    /// Cancels approved.
    pub cancels: u64,
    /// Amendments approved.
    pub amends: u64,
    /// Intents refused, by `RejectCode` code.
    pub rejected: [u64; RejectCode::ALL.len()],
    /// Reports taken.
    pub reports: u64,
    /// Reports that were lost for good: exposure is not known since.
    pub reports_missed: u64,
    /// Ticks taken.
    pub ticks: u64,
    /// Ticks that were overwritten before risk saw them.
    pub ticks_missed: u64,
    /// Latches raised.
    pub latches: u64,
    /// Approved orders that did not fit the ring after all: an error in the program, which halts everything.
    pub orders_lost: u64,
    /// Intents taken from sources that are not strategies.
    pub external: u64,
    /// Commands carried out.
    pub commands: u64,
}

/// `value` as a counter: held at the ends of its range.
pub(super) fn unsigned(value: i128) -> u64 {
    u64::try_from(value.max(0)).unwrap_or(u64::MAX)
}

impl Default for RiskCounts {
    fn default() -> Self {
        Self {
            orders: 0,
            cancels: 0,
            amends: 0,
            rejected: [0; RejectCode::ALL.len()],
            reports: 0,
            reports_missed: 0,
            ticks: 0,
            ticks_missed: 0,
            latches: 0,
            orders_lost: 0,
            external: 0,
            commands: 0,
        }
    }
}
