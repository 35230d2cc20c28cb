//! Latches of risk's own page: raised by controls, cleared by an operator.

use crate::counters::halt::HaltState;
use crate::crash;
use crate::domain::{Nanos, SourceId};
use crate::error::RejectCode;
use crate::journal::Halt;
use crate::tick_to_trade::risk::agent::Risk;
use crate::tick_to_trade::risk::state::Latch;

impl Risk {
    /// An operator clears the latches of `source` (C18, C21); `reason` goes to the journal.
    pub fn clear_source(&mut self, source: SourceId, reason: &str, now: Nanos) {
        if usize::from(source.0) < self.state.sources.len() {
            self.state.clear_source(source);
            self.set_halt(Some(source), HaltState::Active, (RejectCode::None, reason), now);
        }
    }

    /// An operator clears risk's global latch (C19). It comes back with the next check if the loss stands.
    pub fn clear_global(&mut self, reason: &str, now: Nanos) {
        self.state.clear_day_latch();
        self.day_due = true;
        self.set_halt(None, HaltState::Active, (RejectCode::None, reason), now);
    }

    pub(super) fn publish_latches(&mut self, now: Nanos) {
        while let Some(latch) = self.state.take_latch() {
            match latch {
                Latch::Source(source, code) => {
                    self.raise(Some(source), HaltState::Halted, plain(code), now);
                }
                Latch::Global(state) => self.raise(None, state, plain(RejectCode::DayLoss), now),
            }
        }
    }

    /// Makes risk's page for `source`, or for all, at least `state`: a latch lowers none that stands. The journal says
    /// what holds from then on.
    pub(super) fn raise(
        &mut self,
        source: Option<SourceId>,
        state: HaltState,
        why: (RejectCode, &str),
        now: Nanos,
    ) {
        self.counts.latches += 1;
        let page = &self.ports.page;
        let held = source.map_or_else(|| page.global(), |source| page.source(source));
        self.set_halt(source, state.max(held), why, now);
    }

    /// Sets risk's page for `source`, or for all, and journals it.
    fn set_halt(
        &mut self,
        source: Option<SourceId>,
        state: HaltState,
        (cause, reason): (RejectCode, &str),
        now: Nanos,
    ) {
        let halt = match source {
            Some(source) => {
                self.ports.page.set_source(source, state);
                Halt::source(source, state, cause, reason)
            }
            None => {
                self.ports.page.set_global(state);
                Halt::global(state, cause, reason)
            }
        };
        crash::point("halt.set");
        let elapsed = self.elapsed();
        // The page is what holds; a full journal takes nothing from it.
        let _ = self.ports.journal.append(now, elapsed, &halt);
    }
}

/// A cause that says all there is to say.
pub(super) const fn plain(cause: RejectCode) -> (RejectCode, &'static str) {
    (cause, cause.as_str())
}
