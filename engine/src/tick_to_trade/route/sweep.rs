//! One request that cancels whatever the account has open on an instrument, also what is not ours.
//!
//! The venue answers it as a whole, and every order's end is told by its own event. So each of our orders that was live
//! when it left is asked about, unless its end was told in the time that an answer may take: one that had not arrived by
//! then rests on.

use crate::domain::{InstrumentIndex, Nanos, OrderId};
use crate::error::RejectCode;
use crate::message::report::{OrderState, ReportKind};
use crate::message::{Intent, Order, Report};
use crate::tick_to_trade::route::Route;
use crate::venue::{OrderEntry, VenueEvent, VenueEventKind};

/// Requests whose answers route waits for; more are refused. Only people make them.
pub(super) const SWEEPS_MAX: usize = 64;

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    pub(super) id: OrderId,
    instrument: InstrumentIndex,
}

impl<E: OrderEntry> Route<E> {
    pub(super) fn sweep(&mut self, order: &Order, now: Nanos) {
        let intent = order.intent();
        if let Err(code) = self.may_sweep(intent, now) {
            return self.refuse(intent, code, now);
        }
        if self.entry.send(order, now).is_err() {
            return self.refuse(intent, RejectCode::Venue, now);
        }
        self.counters.cancels += 1;
        self.sweeps.push(Sweep { id: intent.id, instrument: intent.instrument });
        self.answers.start(intent.id, now);
        for id in self.live_on(intent.instrument) {
            if let Some(order) = self.orders.get_mut(id) {
                order.swept = true;
                self.answers.start(id, now);
            }
        }
    }

    fn may_sweep(&self, intent: &Intent, now: Nanos) -> Result<(), RejectCode> {
        if intent.valid_until < now {
            return Err(RejectCode::Expired);
        }
        if self.link.is_throttled(now) || self.sweeps.len() >= SWEEPS_MAX {
            return Err(RejectCode::MessageRate);
        }
        Ok(())
    }

    fn live_on(&self, instrument: InstrumentIndex) -> Vec<OrderId> {
        let live = self.orders.iter().filter(|order| !order.state.is_terminal());
        live.filter(|order| order.instrument == instrument).map(|order| order.id).collect()
    }

    /// Takes the answer to a request; `false` if the event is of none.
    pub(super) fn on_sweep_event(&mut self, event: &VenueEvent, now: Nanos) -> bool {
        let outcome = match event.kind {
            VenueEventKind::Swept => Ok(()),
            VenueEventKind::SweepRejected { .. } => Err(RejectCode::Venue),
            VenueEventKind::Unknown => Err(RejectCode::Unresolved),
            _ => return false,
        };
        let done = self.end_sweep(event.id, outcome, now);
        // An answer that comes after it was given up tells nothing that the orders do not.
        done || event.kind != VenueEventKind::Unknown
    }

    /// The answer to a request did not come in time; nothing is done if it did.
    pub(super) fn sweep_unanswered(&mut self, id: OrderId, now: Nanos) {
        self.end_sweep(id, Err(RejectCode::Unresolved), now);
    }

    fn end_sweep(&mut self, id: OrderId, outcome: Result<(), RejectCode>, now: Nanos) -> bool {
        let Some(at) = self.sweeps.iter().position(|sweep| sweep.id == id) else { return false };
        let Sweep { id, instrument } = self.sweeps.swap_remove(at);
        self.report_sweep(id, instrument, outcome, now);
        if outcome.is_err() {
            for id in self.live_on(instrument) {
                if self.orders.get(id).is_some_and(|order| order.swept) {
                    self.ask(id, now);
                }
            }
        }
        true
    }

    /// Reports what came of a request, or that it did not leave.
    pub(super) fn report_sweep(
        &mut self,
        id: OrderId,
        instrument: InstrumentIndex,
        outcome: Result<(), RejectCode>,
        now: Nanos,
    ) {
        let (kind, state, code) = match outcome {
            Ok(()) => (ReportKind::Swept, OrderState::Canceled, RejectCode::None),
            Err(code) => (ReportKind::SweepRejected, OrderState::Rejected, code),
        };
        let (kind, state, detail) = (kind.code(), state.code(), code.code());
        self.append(&Report { id, instrument, kind, state, detail, at: now, ..Report::default() }, now);
    }
}
