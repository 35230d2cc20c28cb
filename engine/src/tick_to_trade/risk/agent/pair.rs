//! Pairs of orders on their way through risk: taken together, decided together, published one behind the other.

use crate::crash;
use crate::domain::{Nanos, SourceId};
use crate::error::RejectCode;
use crate::journal::Decision;
use crate::message::Intent;
use crate::ring::spsc::Consumer;
use crate::shm::Late;
use crate::tick_to_trade::risk::agent::{Risk, Verdict};
use crate::tick_to_trade::risk::request::NewOrder;

/// The other of the pair that `first`, just taken, opens: the intent behind it. The first of a pair stays in its ring until
/// something stands behind it, or it is too late for it: so none is in risk's hands alone.
#[cold]
pub(super) fn other_of(first: &Intent, ring: &mut Late<Consumer<Intent>>) -> Option<Intent> {
    ring.get_mut()?.poll_if(|second| first.pairs_with(second))
}

impl Risk {
    /// Gives a pair its one answer, which each of the two has.
    #[cold]
    pub(super) fn decide_pair(
        &mut self,
        pair: [&Intent; 2],
        source: SourceId,
        free: usize,
        now: Nanos,
        taken: i64,
    ) {
        // The first is counted where it was taken.
        self.counts.external += u64::from(source < SourceId::FIRST_STRATEGY);
        let gates = self.gates(pair[0], source, free);
        let verdict = self.state.check_pair(pair, source, now, &gates);
        let own = pair[0].id.epoch == self.state.epoch && pair[0].id.source == source;
        if own {
            self.state.on_identity(pair[1].id);
        }
        let verdict = verdict.and_then(|orders| self.approve_pair(pair, &orders, now, taken));
        if let Err(code) = verdict {
            for intent in pair {
                self.reject((intent, own), source, code, now);
            }
        }
        self.publish_latches(now);
    }

    /// Journals both approvals, counts the pair, and only then lets both go: whoever dies between has sent neither, for
    /// route sends them together.
    fn approve_pair(
        &mut self,
        pair: [&Intent; 2],
        orders: &[NewOrder; 2],
        now: Nanos,
        taken: i64,
    ) -> Verdict {
        self.flush(now);
        let mut approvals = [0; 2];
        for (approval, intent) in approvals.iter_mut().zip(pair) {
            let decision = Decision::new(*intent, RejectCode::None, 0);
            let appended = self.ports.journal.append(now, taken, &decision);
            *approval = appended.map_err(|_| RejectCode::Journal)?;
            crash::point("risk.approved");
        }
        self.state.on_pair(orders, now);
        self.counts.orders += 2;
        for (approval, intent) in approvals.into_iter().zip(pair) {
            self.publish(intent, approval, now);
            crash::point("risk.published");
        }
        Ok(())
    }
}
