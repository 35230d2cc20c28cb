//! What the strategies' host reads of the other agents.

use crate::domain::Nanos;
use crate::journal::Tail;
use crate::message::Tick;
use crate::ring::broadcast::Reader;
use crate::shm::Late;

/// What the host reads.
pub struct Inputs {
    /// Ingest's ticks.
    pub ticks: Late<Reader<Tick>>,
    /// Route's journal: reports.
    pub reports: Tail,
    /// Risk's journal: refusals.
    pub decisions: Tail,
}

impl Inputs {
    /// Whether it is time to look for other processes' files again: at most every 100 ms, and never where there are none.
    #[inline]
    pub(super) const fn is_due(&self, now: Nanos) -> bool {
        let due = self.ticks.due();
        now.0 >= due.0 && due.0 != Nanos::NEVER.0
    }

    /// Looks for files of other processes that came or were replaced; true if the ticks go on in another ring, or in none
    /// because this one lies: what was in between is not known.
    #[cold]
    pub(super) fn look(&mut self, now: Nanos) -> bool {
        // A missing ring is found again with a later look.
        let _ = (self.reports.refresh(), self.decisions.refresh());
        if let Some(defect) = self.ticks.get().and_then(Reader::defect) {
            self.ticks.quarantine(defect.to_string());
            self.ticks.refresh(now);
            return true;
        }
        self.ticks.refresh(now) && self.ticks.attached() > 1
    }
}
