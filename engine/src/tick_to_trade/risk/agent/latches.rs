//! Latches of risk's own page: raised by controls, cleared by an operator. Whom one halts loses what is open.

use crate::clock::Moment;
use crate::counters::halt::HaltState;
use crate::crash;
use crate::domain::{Nanos, SourceId};
use crate::error::RejectCode;
use crate::journal::Halt;
use crate::limits::POLL_BATCH;
use crate::tick_to_trade::risk::agent::Risk;
use crate::tick_to_trade::risk::agent::watch::SWEEP;
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

    /// Takes what the controls have raised to risk's page; says whether there was any.
    #[inline]
    pub(super) fn publish_latches(&mut self, now: Nanos) -> bool {
        let raised = self.state.has_raised();
        if raised {
            self.publish_raised(now);
        }
        raised
    }

    #[cold]
    fn publish_raised(&mut self, now: Nanos) {
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
        // Whom it halts loses what is open; whom it clears, nothing more.
        self.watch.halted_due = now;
        self.watch.halted.clear();
        let elapsed = self.elapsed();
        // The page is what holds; a full journal takes nothing from it.
        let _ = self.ports.journal.append(now, elapsed, &halt);
    }

    /// Cancels what is open of everybody whom risk's own page halts, a batch a cycle; again every second until it is
    /// gone. REDUCE_ONLY cancels nothing. Returns how many cancels it sent.
    pub(super) fn cancel_halted(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        if now >= self.watch.halted_due {
            self.find_halted(now);
            moment.forget();
        }
        let mut sent = 0;
        while sent < POLL_BATCH && !self.watch.halted.is_empty() && self.can_cancel() {
            let Some((target, instrument)) = self.watch.halted.pop() else { break };
            moment.forget();
            if self.state.orders.instrument_of(target).is_none() {
                continue;
            }
            if !self.cancel_own(target, instrument, now) {
                // The ring lies: the rest with the next search, not with the next cycle.
                self.watch.halted.clear();
                break;
            }
            sent += 1;
        }
        sent
    }

    /// Lists what is to be cancelled, and when it is to be looked for again: never, while the page halts nobody.
    #[cold]
    fn find_halted(&mut self, now: Nanos) {
        let page = &self.ports.page;
        let all = page.global() == HaltState::Halted;
        let halted = |source: SourceId| all || page.source(source) == HaltState::Halted;
        self.watch.halted.clear();
        self.watch.halted_due = Nanos::NEVER;
        let mut sources = (0..).take(self.state.sources.len()).map(SourceId);
        if sources.any(halted) {
            self.watch.halted_due = now.saturating_add(SWEEP);
            self.state.orders.open_of_into(halted, &mut self.watch.halted);
        }
    }
}

/// A cause that says all there is to say.
pub(super) const fn plain(cause: RejectCode) -> (RejectCode, &'static str) {
    (cause, cause.as_str())
}
