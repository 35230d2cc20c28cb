//! Pairs of orders of which one cancels the other: two orders, each with a state and reports of its own, and one request.
//!
//! Both stand in the journal as SENT before it leaves, and a restart asks about either. What the answer says, it says of both;
//! later each is known by its own events. What one of them does ends the other at the venue: if that is not told in time,
//! route asks.

use crate::crash;
use crate::domain::{Nanos, OrderId, Quantity};
use crate::error::RejectCode;
use crate::message::report::{OrderState, ReportKind};
use crate::message::{Intent, Order, SealedOrder};
use crate::tick_to_trade::route::Route;
use crate::tick_to_trade::route::orders::describe;
use crate::tick_to_trade::route::state::{OrderRecord, Pairing};
use crate::venue::{OrderEntry, VenueEvent, VenueEventKind};

impl<E: OrderEntry> Route<E> {
    /// Takes up the first of a pair, and the other, which stands behind it unless risk died between the two.
    #[cold]
    pub(super) fn on_pair(&mut self, first: &SealedOrder, now: Nanos, taken: Nanos) {
        let pairs = |second: &SealedOrder| first.intent().pairs_with(second.intent());
        let second = self.ports.orders.get_mut().and_then(|ring| ring.poll_if(pairs));
        let Some(second) = second else { return self.on_order(first, now, taken) };
        match [self.approved(first, now), self.approved(&second, now)] {
            [Some(above), Some(below)] => self.place_pair([above, below], now, taken),
            // The one that was not approved is refused already.
            halves => halves.iter().flatten().for_each(|half| self.refuse_leg(half.intent(), now)),
        }
    }

    /// Refuses one of a pair that came without the other.
    pub(super) fn refuse_leg(&mut self, intent: &Intent, now: Nanos) {
        let late = intent.valid_until < now;
        self.refuse(intent, if late { RejectCode::Expired } else { RejectCode::BadRequest }, now);
    }

    fn place_pair(&mut self, pair: [&Order; 2], now: Nanos, taken: Nanos) {
        let mut records = [None, None];
        for ((record, order), pairing) in records.iter_mut().zip(pair).zip([Pairing::Above, Pairing::Below]) {
            let known = self.orders.get(order.intent().id).is_some();
            let placeable =
                if known { Err(RejectCode::DuplicateId) } else { self.placeable(order.intent(), now) };
            match placeable {
                Ok(side) => {
                    *record = Some(OrderRecord { pairing, ..OrderRecord::of(order.intent(), side, now) });
                }
                // Neither leaves, for the reason for which one does not.
                Err(code) => return pair.iter().for_each(|order| self.refuse(order.intent(), code, now)),
            }
        }
        for record in records.into_iter().flatten() {
            let sent = describe(&record, ReportKind::Sent, now);
            self.orders.insert(record);
            self.append_at(&sent, now, taken);
            crash::point("route.sent_journalled");
        }
        let outcome = self.entry.send_pair(pair[0], pair[1], now);
        self.handed_over();
        for order in pair {
            let id = order.intent().id;
            if outcome.is_ok() {
                self.await_answer(id, now);
            } else {
                self.counters.withheld += 1;
                let effect = self.orders.get_mut(id).map(OrderRecord::never_placed);
                self.settle(id, effect, OrderState::Sent, None, now);
            }
        }
        if outcome.is_ok() {
            self.counters.pairs += 1;
            self.left = pair[0].intent().stamp;
        }
    }

    /// What an event of `id`, one of a pair, means for the other.
    #[cold]
    pub(super) fn tell_other(&mut self, id: OrderId, event: &VenueEvent, now: Nanos) {
        let Some(this) = self.orders.get(id) else { return };
        let ends_other = this.state.is_terminal() || this.cumulative > Quantity::ZERO;
        let other = this.pairing.other_of(id);
        let Some(order) = self.orders.get_mut(other).filter(|order| !order.state.is_terminal()) else {
            return;
        };
        let unheard = matches!(order.state, OrderState::Sent | OrderState::Unknown);
        match event.kind {
            // The request was refused, or its outcome is not known: it is one for both.
            VenueEventKind::Rejected { .. } | VenueEventKind::Unknown if unheard => {
                let before = order.state;
                let effect = order.apply(&VenueEvent { id: other, venue_order_id: 0, ..*event });
                self.settle(other, Some(effect), before, None, now);
            }
            // It ends by an event of its own, unless it is what has ended the one. If that is lost, the question tells.
            _ if ends_other && !order.swept && order.cumulative == Quantity::ZERO => {
                order.swept = true;
                self.answers.start(other, now);
            }
            _ => {}
        }
    }
}
