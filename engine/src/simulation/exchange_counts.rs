//! What the exchange counts.

use crate::counters::counter_set;

counter_set! {
    /// What the exchange counted since it started. Written by the exchange alone.
    ExchangeCounters {
        /// Frames played.
        frames,
        /// Requests taken.
        requests,
        /// Answers given.
        answers,
        /// Frames that waited because the feed was full.
        held,
        /// Frames that the exchange itself could not read: they reach the engine all the same.
        unreadable,
    }
}
