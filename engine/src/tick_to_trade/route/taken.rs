//! Orders as they are taken up, one after the other, each with an approval of its own.

use zerocopy::FromZeros as _;

use crate::clock::Moment;
use crate::crash;
use crate::domain::Nanos;
use crate::error::RejectCode;
use crate::hint::unlikely;
use crate::limits::POLL_BATCH;
use crate::message::{IntentKind, Order, SealedOrder};
use crate::tick_to_trade::route::leaving::record_departure;
use crate::tick_to_trade::route::link::UNAPPROVED;
use crate::tick_to_trade::route::{RECORDS_PER_STEP, Route};
use crate::venue::OrderEntry;

impl<E: OrderEntry> Route<E> {
    /// Takes up what has come; how much that was.
    #[inline]
    pub(super) fn take_orders(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        let (mut taken, mut clock) = (0, moment.take());
        let (mut order, holds) = (SealedOrder::new_zeroed(), self.entry.holds());
        let waits = |next: &SealedOrder| next.intent().awaits_other(now);
        while taken < POLL_BATCH && self.ports.journal.free() >= RECORDS_PER_STEP {
            let Some(ring) = self.ports.orders.get_mut() else { break };
            if !ring.poll_unless_into(&mut order, waits) {
                break;
            }
            taken += 1;
            crash::point("route.taken");
            // One reading of the clock ends an order's time and begins the next one's.
            let started = clock.or_read(&self.stopwatch);
            self.moment = Moment::at(started);
            if unlikely(order.intent().opens_pair()) {
                self.on_pair(&order, now, started);
            } else {
                self.on_order(&order, now, started);
            }
            let done = self.stopwatch.elapsed();
            clock = Moment::at(done);
            *moment = clock;
            let stamp = std::mem::take(&mut self.left);
            if holds {
                self.leaving.add(started, stamp);
            } else {
                record_departure(&mut self.ports.histograms, (started, stamp), done);
            }
        }
        if taken == 0 {
            self.ports.histograms.settle();
            self.orders.prepare();
            self.ports.journal.prepare();
        }
        taken
    }

    #[inline(always)]
    pub(super) fn on_order(&mut self, sealed: &SealedOrder, now: Nanos, taken: Nanos) {
        let Some(order) = self.approved(sealed, now) else { return };
        match IntentKind::try_from(order.intent().kind) {
            Ok(IntentKind::New) => self.place(order, now, taken),
            kind => self.on_other(kind.ok(), order, now, taken),
        }
    }

    /// C27: each approval is used once, in order, and the content is what was approved.
    #[inline(always)]
    pub(super) fn approved<'a>(&mut self, sealed: &'a SealedOrder, now: Nanos) -> Option<&'a Order> {
        let order = sealed.unseal().filter(|order| order.approval() > self.last_approval);
        match order {
            Some(order) => self.last_approval = order.approval(),
            None => self.withhold_unapproved(sealed, now),
        }
        order
    }

    #[cold]
    fn withhold_unapproved(&mut self, sealed: &SealedOrder, now: Nanos) {
        self.counters.unapproved += 1;
        self.latch(RejectCode::Unapproved, UNAPPROVED, now);
        self.refuse(sealed.intent(), RejectCode::Unapproved, now);
    }
}
