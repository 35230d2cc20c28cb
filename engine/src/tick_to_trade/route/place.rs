//! New orders on their way out.

use std::hint::cold_path;

use crate::counters::halt::HaltState;
use crate::crash;
use crate::domain::{Nanos, OrderId, Side};
use crate::error::RejectCode;
use crate::hint::unlikely;
use crate::message::report::{OrderState, ReportKind};
use crate::message::{Intent, Order};
use crate::tick_to_trade::route::Route;
use crate::tick_to_trade::route::orders::describe;
use crate::tick_to_trade::route::state::OrderRecord;
use crate::venue::OrderEntry;

impl<E: OrderEntry> Route<E> {
    #[inline(always)]
    pub(super) fn place(&mut self, order: &Order, now: Nanos, taken: Nanos) {
        match self.placeable(order.intent(), now) {
            Ok(side) => {
                self.depart(order, side, OrderId::NONE, now, taken);
            }
            Err(code) => {
                cold_path();
                self.refuse(order.intent(), code, now);
            }
        }
    }

    /// The side of a new order that may leave now.
    #[inline(always)]
    pub(super) fn placeable(&mut self, intent: &Intent, now: Nanos) -> Result<Side, RejectCode> {
        if intent.valid_until < now {
            return Err(RejectCode::Expired);
        }
        self.permits_new(now)?;
        self.not_halted(intent)?;
        Side::try_from(intent.side).map_err(|_| RejectCode::BadRequest)
    }

    /// Journals that a new order is sent, in the place of `replaces` if that is one, and sends it; whether it left.
    #[inline(always)]
    pub(super) fn depart(
        &mut self,
        order: &Order,
        side: Side,
        replaces: OrderId,
        now: Nanos,
        taken: Nanos,
    ) -> bool {
        let intent = order.intent();
        let record = OrderRecord { replaces, ..OrderRecord::of(intent, side, now) };
        let sent = describe(&record, ReportKind::Sent, now);
        if unlikely(!self.orders.insert(record)) {
            self.refuse(intent, RejectCode::DuplicateId, now);
            return false;
        }
        if crash::planted() {
            // The bug that the harness of the crash points must catch.
            let _ = self.entry.send(order, now);
            self.entry.flush();
            crash::point("route.left");
        }
        self.append_at(&sent, now, taken);
        crash::point("route.sent_journalled");
        if unlikely(self.entry.send(order, now).is_err()) {
            self.counters.withheld += 1;
            let effect = self.orders.get_mut(intent.id).map(OrderRecord::never_placed);
            self.settle(intent.id, effect, OrderState::Sent, None, now);
            return false;
        }
        self.handed_over();
        self.await_answer(intent.id, now);
        self.left = intent.stamp;
        true
    }

    /// Counts an order that left, and gives the venue its time to answer.
    #[inline]
    pub(super) fn await_answer(&mut self, id: OrderId, now: Nanos) {
        self.counters.sent += 1;
        self.answers.start(id, now);
    }

    /// Waits no longer for `ended`, nor for what else is settled; here and not with the next order, which is in a hurry.
    pub(super) fn shed_answers(&mut self, ended: OrderId) {
        let Self { answers, orders, sweeps, .. } = self;
        answers.shed(ended, |id| match orders.get(id) {
            Some(order) => order.state.is_terminal(),
            None => !sweeps.iter().any(|sweep| sweep.id == id),
        });
    }

    /// Risk judged what a reduce-only order does; route stops what may not leave at all.
    #[inline(always)]
    pub(super) fn not_halted(&mut self, intent: &Intent) -> Result<(), RejectCode> {
        let halt = self.ports.halts.state(intent.id.source, intent.instrument);
        let stopped = matches!(halt, HaltState::CancelOnly | HaltState::Halted);
        if stopped { Err(RejectCode::Halted) } else { Ok(()) }
    }
}
