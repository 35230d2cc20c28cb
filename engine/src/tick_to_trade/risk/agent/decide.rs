//! The one answer that an intent gets: approved, counted and let go, or refused.

use std::hint::cold_path;

use crate::counters::halt::HaltState;
use crate::crash;
use crate::domain::{Nanos, OrderId, SourceId};
use crate::error::RejectCode;
use crate::hint::{likely, unlikely};
use crate::journal::Decision;
use crate::message::{Intent, SealedOrder};
use crate::tick_to_trade::risk::agent::latches::plain;
use crate::tick_to_trade::risk::agent::{Risk, Verdict};
use crate::tick_to_trade::risk::controls::{Gates, JOURNAL_RESERVE};
use crate::tick_to_trade::risk::request::{Cancel, Request, Sweep};

impl Risk {
    /// Gives one intent, taken at `taken` on the monotonic clock with `free` records' room in the journal, its one answer.
    #[inline(never)]
    pub(super) fn decide(&mut self, intent: &Intent, source: SourceId, free: usize, now: Nanos, taken: i64) {
        let gates = self.gates(intent, source, free);
        let plain =
            if likely(gates.are_open()) { self.state.surely_passes(intent, source, now) } else { None };
        if let Some(order) = plain {
            let count = |risk: &mut Self| {
                risk.state.on_sure_approval(&order, source, now);
                risk.counts.orders += 1;
            };
            if unlikely(self.approve(intent, now, taken, count).is_err()) {
                self.state.on_identity(intent.id);
                self.reject((intent, true), source, RejectCode::Journal, now);
            }
        } else {
            cold_path();
            self.decide_in_full(intent, source, gates, now, taken);
        }
        self.publish_latches(now);
    }

    /// The same for what does not surely pass.
    #[inline(never)]
    fn decide_in_full(&mut self, intent: &Intent, source: SourceId, gates: Gates, now: Nanos, taken: i64) {
        let verdict = self.state.check_in_full(intent, source, now, &gates);
        let OrderId { epoch, source: claimed, .. } = intent.id;
        let own = epoch == self.state.epoch && claimed == source;
        if own {
            self.state.on_identity(intent.id);
        }
        let approved =
            verdict.and_then(|request| self.approve(intent, now, taken, |risk| risk.count(&request, now)));
        if let Err(code) = approved {
            self.reject((intent, own), source, code, now);
        }
    }

    /// Refuses an intent of `source`, whose identity is its `own` or not.
    #[inline(never)]
    pub(super) fn reject(
        &mut self,
        (intent, own): (&Intent, bool),
        source: SourceId,
        code: RejectCode,
        now: Nanos,
    ) {
        self.counts.rejected[usize::from(code.code())] += 1;
        self.state.on_reject(source, code, now);
        // An identity that is not its ring's is refused in nobody else's name: whoever reads the refusal takes it for
        // the named source's.
        let id = if own { intent.id } else { OrderId::nameless(self.state.epoch, source) };
        self.journal_reject(&Intent { id, ..*intent }, source, code, now);
    }

    /// Journals the approval, lets `count` count it, and only then lets the order go.
    #[inline(always)]
    fn approve(&mut self, intent: &Intent, now: Nanos, taken: i64, count: impl FnOnce(&mut Self)) -> Verdict {
        self.flush(now);
        let decision = Decision::new(*intent, RejectCode::None, 0);
        let appended = self.ports.journal.append(now, taken, &decision);
        let approval = appended.map_err(|_| RejectCode::Journal)?;
        crash::point("risk.approved");
        count(self);
        self.publish(intent, approval, now);
        crash::point("risk.published");
        Ok(())
    }

    /// Counts what was approved.
    fn count(&mut self, request: &Request, now: Nanos) {
        match request {
            // One of a pair does not pass alone.
            Request::New(order) | Request::Replace(order, _) | Request::Leg(order) => {
                self.state.on_approval(order, now);
                self.counts.orders += 1;
            }
            Request::Amend(amend) => {
                // What it frees stays counted until the venue says that it did.
                self.state.on_amend(amend.id.source, now);
                self.counts.amends += 1;
            }
            Request::Cancel(Cancel { id, .. }) | Request::Sweep(Sweep { id, .. }) => {
                self.state.on_cancel(id.source, now);
                self.counts.cancels += 1;
            }
        }
    }

    /// Lets an approved order go.
    #[inline(always)]
    pub(super) fn publish(&mut self, intent: &Intent, approval: u64, now: Nanos) {
        if unlikely(self.ports.orders.try_push(&SealedOrder::approve(intent, approval)).is_err()) {
            // The gate saw room and nobody else writes: the ring lies. What was approved stays counted.
            self.counts.orders_lost += 1;
            self.raise(None, HaltState::Halted, plain(RejectCode::RingFull), now);
        }
    }

    /// One record each; below the journal's reserve, equal rejects in a row are counted instead.
    fn journal_reject(&mut self, intent: &Intent, source: SourceId, code: RejectCode, now: Nanos) {
        if self.journal_room() <= JOURNAL_RESERVE && self.flood.absorbs(source, intent, code) {
            return;
        }
        self.flush(now);
        let elapsed = self.elapsed();
        let decision = Decision::new(*intent, code, 0);
        // `take_intents` saw room for both records, and an approval that failed wrote none.
        if self.ports.journal.append(now, elapsed, &decision).is_ok() {
            self.flood.begin(source, intent, code);
        }
    }

    /// Journals what a flood has gathered.
    #[inline]
    pub(super) fn flush(&mut self, now: Nanos) {
        if let Some(decision) = self.flood.pending() {
            cold_path();
            self.flush_pending(&decision, now);
        }
    }

    #[cold]
    fn flush_pending(&mut self, decision: &Decision, now: Nanos) {
        let elapsed = self.elapsed();
        if self.ports.journal.append(now, elapsed, decision).is_ok() {
            self.flood.clear();
        }
    }
}
