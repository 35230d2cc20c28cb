//! What is asked for beside new orders, and changes to orders that have left: cancels and amendments.

use crate::domain::{Nanos, OrderId, Quantity};
use crate::error::RejectCode;
use crate::message::report::{OrderState, ReportKind};
use crate::message::{Intent, IntentKind, Order};
use crate::tick_to_trade::route::state::{Effect, OrderRecord, Pairing};
use crate::tick_to_trade::route::{Route, RouteTiming};
use crate::venue::{OrderEntry, VenueEvent, VenueEventKind};

impl<E: OrderEntry> Route<E> {
    /// Takes up what is not just a new order; out of line, so that those have the registers to themselves.
    #[inline(never)]
    pub(super) fn on_other(&mut self, kind: Option<IntentKind>, order: &Order, now: Nanos, taken: Nanos) {
        match kind {
            Some(IntentKind::Cancel) => self.cancel(order, now),
            Some(IntentKind::Amend) => self.amend(order, now),
            Some(IntentKind::Sweep) => self.sweep(order, now),
            Some(IntentKind::Replace) => self.replace(order, now, taken),
            Some(IntentKind::OcoAbove | IntentKind::OcoBelow) => self.refuse_leg(order.intent(), now),
            Some(IntentKind::New) | None => self.refuse(order.intent(), RejectCode::BadRequest, now),
        }
    }

    pub(super) fn cancel(&mut self, order: &Order, now: Nanos) {
        let target = order.intent().target;
        // A cancel that is half of a replacement may never be tried: another one leaves. If it comes first, the
        // replacement is not attempted.
        let cancellable = |order: &OrderRecord| {
            !order.state.is_terminal() && (order.state != OrderState::PendingCancel || order.half_cancel)
        };
        if !self.orders.get(target).is_some_and(cancellable) {
            return self.refuse(order.intent(), RejectCode::UnknownOrder, now);
        }
        if self.link.is_throttled(now) {
            return self.refuse(order.intent(), RejectCode::MessageRate, now);
        }
        if self.entry.send(order, now).is_err() {
            return self.refuse(order.intent(), RejectCode::Venue, now);
        }
        self.counters.cancels += 1;
        self.left = order.intent().stamp;
        if let Some(record) = self.orders.get_mut(target) {
            // An unknown order stays unknown: its cancel may be refused for an order that is only late.
            if record.state != OrderState::Unknown {
                record.cancel_sent(self.link.rounds.is_none());
                record.half_cancel = false;
            }
            self.report(target, ReportKind::CancelSent, RejectCode::None, now);
            self.answers.start(target, now);
        }
    }

    /// Lowers the quantity of an order that rests: of any other its outcome could not be told from the order's own.
    pub(super) fn amend(&mut self, order: &Order, now: Nanos) {
        let intent = order.intent();
        if let Err(code) = self.amendable(intent, now) {
            return self.refuse(intent, code, now);
        }
        if self.entry.send(order, now).is_err() {
            return self.refuse(intent, RejectCode::Venue, now);
        }
        self.counters.amends += 1;
        self.left = intent.stamp;
        if let Some(record) = self.orders.get_mut(intent.target) {
            record.amend_sent(intent.quantity, now);
            self.report(intent.target, ReportKind::AmendSent, RejectCode::None, now);
            self.answers.start(intent.target, now);
        }
    }

    fn amendable(&mut self, intent: &Intent, now: Nanos) -> Result<(), RejectCode> {
        if intent.valid_until < now {
            return Err(RejectCode::Expired);
        }
        self.permits_new(now)?;
        self.not_halted(intent)?;
        let record = self.orders.get(intent.target).filter(|order| !order.state.is_terminal());
        let record = record.ok_or(RejectCode::UnknownOrder)?;
        if record.is_amending() || !matches!(record.state, OrderState::Open | OrderState::Partial) {
            return Err(RejectCode::Unresolved);
        }
        let lowers = intent.quantity < record.quantity && intent.quantity > record.cumulative;
        // The venue would change the other of a pair as well, and tells of one.
        if lowers && record.pairing == Pairing::Alone { Ok(()) } else { Err(RejectCode::KeepPriority) }
    }

    /// A refused amendment may mean that the order has ended and nobody told: one question.
    pub(super) fn after_refused_amend(&mut self, id: OrderId, event: &VenueEvent, now: Nanos) {
        if matches!(event.kind, VenueEventKind::AmendRejected { .. }) {
            self.ask(id, now);
        }
    }
}

/// An amendment that a query does not show proves refused once nothing that was sent can still arrive.
pub(super) fn unseen_amend(
    order: &mut OrderRecord,
    event: &VenueEvent,
    now: Nanos,
    timing: &RouteTiming,
) -> Option<Effect> {
    let (VenueEventKind::QueryState { quantity, .. } | VenueEventKind::OpenOrder { quantity, .. }) =
        event.kind
    else {
        return None;
    };
    let late = now >= order.amend_sent.saturating_add(timing.conclusive);
    let unseen = order.is_amending() && quantity > Quantity::ZERO && quantity == order.quantity;
    (late && unseen).then(|| order.amend_rejected())
}
