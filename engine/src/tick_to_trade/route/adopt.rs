//! Orders that the venue has open and this session's journal does not tell of: those of an earlier epoch, whose engine
//! was killed, or ended and kept them (reliability.md R3). They count in every limit from here on, report like any other
//! order, and can be cancelled by their id.
//!
//! An id of this epoch, or of a later one, cannot be an earlier life's: somebody else trades on the account with this
//! system, or a journal was lost. That order counts too, and an operator has to look into it.

use crate::domain::{Nanos, OrderId};
use crate::error::RejectCode;
use crate::message::report::{OrderState, ReportKind};
use crate::tick_to_trade::route::Route;
use crate::tick_to_trade::route::orders::describe;
use crate::tick_to_trade::route::state::OrderRecord;
use crate::venue::{OrderEntry, VenueEvent, VenueEventKind};

impl<E: OrderEntry> Route<E> {
    /// Takes up the order of an event about none that is known; `false` if there is nothing to take up.
    #[cold]
    pub(super) fn adopt(&mut self, event: &VenueEvent, now: Nanos) -> bool {
        let Some(order) = adopted(event, now) else { return false };
        let id = order.id;
        let sent = describe(&order, ReportKind::Sent, now);
        if !self.orders.insert(order) {
            return false;
        }
        self.counters.adopted += 1;
        if id.epoch >= self.ports.journal.epoch() {
            self.suspect(id, now);
        }
        self.append(&sent, now);
        let Some(order) = self.orders.get_mut(id) else { return false };
        let (effect, missing) = (order.apply(event), order.missing);
        self.settle(id, Some(effect), OrderState::Sent, Some(event), now);
        // A state that this build does not know is asked about when this runs out.
        self.answers.start(id, now);
        if missing {
            // The trades that it had must be told from those to come.
            self.ask(id, now);
        }
        true
    }

    fn suspect(&mut self, id: OrderId, now: Nanos) {
        self.latch(RejectCode::Unapproved, &format!("{id} is at the venue and in no journal"), now);
    }
}

/// The order that an event tells of, as it was before we knew of it.
fn adopted(event: &VenueEvent, now: Nanos) -> Option<OrderRecord> {
    let VenueEventKind::OpenOrder { state, side, price, quantity } = event.kind else { return None };
    if event.id == OrderId::NONE || state.is_terminal() || quantity <= event.cumulative {
        return None;
    }
    let order = OrderRecord::new(event.id, event.instrument, side, price, quantity, now);
    Some(order.filled_before(event.cumulative, event.venue_order_id))
}
