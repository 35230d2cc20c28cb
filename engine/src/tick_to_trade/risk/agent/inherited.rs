//! Risk that begins with what an earlier session left at the venue, which no journal of its own tells.

use crate::counters::halt::HaltState;
use crate::domain::Nanos;
use crate::error::RejectCode;
use crate::tick_to_trade::risk::agent::Risk;

impl Risk {
    /// Begins with everything CANCEL_ONLY by a latch, for `reason`: positions and the day's loss count from zero in a new
    /// session, and whether that is right only a person can say. What was left resting on purpose stays. To be called before
    /// the first cycle, by the thread that made it.
    pub fn begin_halted(&mut self, reason: &str, now: Nanos) {
        self.raise(None, HaltState::CancelOnly, (RejectCode::Unresolved, reason), now);
    }
}
