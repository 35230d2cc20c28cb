//! Reconciliation with the venue: after every new connection nothing new leaves until the venue has said how each live
//! order stands and every trade that it counted is known (reliability.md §2 F02, F08, F17; R11).

use crate::domain::{Nanos, OrderId};
use crate::limits::POLL_BATCH;
use crate::tick_to_trade::route::Route;
use crate::venue::{OrderEntry, VenueEvent, VenueEventKind};

/// Live orders that there is room for from the start; more make the list grow.
const EXPECTED: usize = 1_024;

/// What stands between a new connection and new orders.
#[derive(Debug)]
pub(super) struct Reconciliation {
    /// The connection that is, or is being, reconciled.
    session: u64,
    /// Whether there is a connection.
    up: bool,
    /// Orders that the venue has not spoken of on this connection, or whose trades are not all known.
    pending: Vec<OrderId>,
    /// How many of `pending`, from its end, were asked for since the last round began.
    asked: usize,
    /// When the next round of questions begins.
    due: Nanos,
}

impl Reconciliation {
    /// Nothing to reconcile with a venue that was never left.
    pub(super) fn new() -> Self {
        Self { session: 0, up: true, pending: Vec::with_capacity(EXPECTED), asked: 0, due: Nanos::NEVER }
    }

    /// Whether new orders may leave.
    pub(super) const fn is_done(&self) -> bool {
        self.up && self.pending.is_empty()
    }

    /// When there is something to ask.
    pub(super) const fn next_deadline(&self) -> Nanos {
        self.due
    }

    /// The order is known as it stands at the venue, or is somebody else's task from here.
    fn settled(&mut self, id: OrderId) {
        if let Some(place) = self.pending.iter().position(|&other| other == id) {
            // An order that waits behind those asked takes its place; asking twice does no harm.
            self.pending.swap_remove(place);
            self.asked = self.asked.min(self.pending.len());
        }
        if self.pending.is_empty() {
            self.due = Nanos::NEVER;
        }
    }
}

impl<E: OrderEntry> Route<E> {
    /// Notices a lost or new connection and goes on asking; returns how much it did.
    pub(super) fn reconcile(&mut self, now: Nanos) -> usize {
        let link = &mut self.reconciliation;
        let session = self.entry.session();
        match session {
            None => {
                let lost = std::mem::take(&mut link.up);
                self.counters.disconnects += u64::from(lost);
                return usize::from(lost);
            }
            Some(number) if number != link.session => {
                (link.session, link.up, link.asked) = (number, true, 0);
                link.pending.clear();
                let live = self.orders.iter().filter(|order| !order.state.is_terminal());
                link.pending.extend(live.map(|order| order.id));
                link.due = if link.pending.is_empty() { Nanos::NEVER } else { now };
                self.counters.reconciliations += 1;
            }
            Some(_) => link.up = true,
        }
        if now < self.reconciliation.due { 0 } else { self.ask_pending(now) }
    }

    /// Asks for a batch of the orders that are pending; after the last of them the next round waits.
    fn ask_pending(&mut self, now: Nanos) -> usize {
        let mut asked = 0;
        while asked < POLL_BATCH {
            let link = &mut self.reconciliation;
            if link.asked >= link.pending.len() {
                (link.asked, link.due) = (0, now.saturating_add(self.timing.query));
                break;
            }
            let id = link.pending[link.pending.len() - 1 - link.asked];
            link.asked += 1;
            asked += 1;
            let Some(order) = self.orders.get(id).filter(|order| !order.state.is_terminal()) else {
                self.reconciliation.settled(id);
                continue;
            };
            if self.entry.query(order.instrument, id, now).is_ok() {
                self.counters.queries += 1;
            }
        }
        asked.max(1)
    }

    /// Takes the answer to a query as far as it concerns trades and reconciliation. `true` when the answer must wait: the
    /// venue counted trades that we do not know, and they were asked for. Their order's end comes with the next answer.
    pub(super) fn waits_for_trades(&mut self, event: &VenueEvent, now: Nanos) -> bool {
        let known = self.orders.get(event.id).map(|order| order.cumulative);
        match event.kind {
            VenueEventKind::QueryState(_) if known.is_some_and(|known| event.cumulative > known) => {
                let instrument = self.orders.get(event.id).map_or(event.instrument, |order| order.instrument);
                let asked = self.entry.query_trades(instrument, event.id, event.venue_order_id, now);
                self.counters.trade_queries += u64::from(asked.is_ok());
                // A venue in the same memory has told every trade before; any other is asked again on the next round.
                asked.is_ok() || self.entry.session() != Some(0)
            }
            VenueEventKind::QueryState(_) | VenueEventKind::QueryNotFound => {
                self.reconciliation.settled(event.id);
                false
            }
            _ => false,
        }
    }
}
