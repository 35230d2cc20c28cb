//! A new order in the place of another, in one request: the venue cancels the one and places the other, or neither.
//!
//! Each of the two has a state of its own and ends by its own events. The answer speaks of the new one; whenever it is
//! not plain success the other is asked about. Before it leaves both stand in the journal: the new one as SENT, the other
//! as it rests, and a restart asks about either.

use crate::domain::{Nanos, OrderId, Quantity};
use crate::error::RejectCode;
use crate::message::report::{OrderState, ReportKind};
use crate::message::{Intent, Order};
use crate::tick_to_trade::route::Route;
use crate::tick_to_trade::route::state::Pairing;
use crate::venue::{OrderEntry, VenueEvent, VenueEventKind};

impl<E: OrderEntry> Route<E> {
    pub(super) fn replace(&mut self, order: &Order, now: Nanos, taken: Nanos) {
        let intent = order.intent();
        let placeable = self.placeable(intent, now);
        let side = match placeable.and_then(|side| self.replaceable(intent).map(|()| side)) {
            Ok(side) => side,
            Err(code) => return self.refuse(intent, code, now),
        };
        if !self.depart(order, side, intent.target, now, taken) {
            return;
        }
        self.counters.replaces += 1;
        if let Some(target) = self.orders.get_mut(intent.target) {
            target.cancel_sent(self.link.rounds.is_none());
            target.half_cancel = true;
            self.report(intent.target, ReportKind::CancelSent, RejectCode::None, now);
            self.answers.start(intent.target, now);
        }
    }

    /// Whether the other rests untouched: of any else the outcome could not be told from the new order's own, or what it had
    /// filled would come on top.
    fn replaceable(&self, intent: &Intent) -> Result<(), RejectCode> {
        let target = self.orders.get(intent.target).filter(|order| !order.state.is_terminal());
        let target = target.ok_or(RejectCode::UnknownOrder)?;
        if target.instrument != intent.instrument {
            return Err(RejectCode::BadRequest);
        }
        // With one of a pair the venue would cancel the other.
        if target.cumulative > Quantity::ZERO || target.pairing != Pairing::Alone {
            return Err(RejectCode::NoReplace);
        }
        if target.is_amending() || target.state != OrderState::Open {
            return Err(RejectCode::Unresolved);
        }
        Ok(())
    }

    /// A new order that was refused, or whose outcome is not known, leaves open what became of the one in whose place it
    /// was to be: one question.
    pub(super) fn after_refused_replace(&mut self, replaces: OrderId, event: &VenueEvent, now: Nanos) {
        let unclear = matches!(event.kind, VenueEventKind::Rejected { .. } | VenueEventKind::Unknown);
        if unclear && replaces != OrderId::NONE {
            self.ask(replaces, now);
        }
    }
}
