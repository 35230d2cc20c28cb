//! Who waits for risk's verdict on a pair of orders of which one cancels the other.

use std::collections::BTreeMap;

use engine::domain::{Nanos, OrderId};
use engine::error::RejectCode;

use crate::api::orders::PlacedPair;
use crate::client::intents::{Intents, NewOrder};
use crate::client::session::refused;
use crate::zmq::desk::{Desk, Ticket, result};
use crate::zmq::order_entry::{PATIENCE, lost};

/// Pairs on their way, by the id of the upper order.
#[derive(Default)]
pub(super) struct Pairs(BTreeMap<OrderId, (Ticket, Nanos)>);

impl Pairs {
    /// Sends both orders; the reply follows risk's verdict.
    pub(super) fn place(
        &mut self,
        intents: &mut Intents,
        orders: &[NewOrder; 2],
        (ticket, now): (Ticket, Nanos),
        desk: &mut Desk,
    ) {
        match intents.place_pair(orders, now) {
            Ok([above, _]) => {
                self.0.insert(above, (ticket, now.saturating_add(PATIENCE)));
            }
            Err(code) => desk.reply(ticket, Err(refused(code))),
        }
    }

    /// Takes risk's verdict on an order. Both of a pair have the same, unless risk dies between the two: then one that is
    /// refused is enough, for neither leaves without the other.
    pub(super) fn on_verdict(&mut self, id: OrderId, verdict: RejectCode, desk: &mut Desk) {
        if self.0.is_empty() {
            return;
        }
        let above = if self.0.contains_key(&id) { id } else { id.previous() };
        if id == above && verdict == RejectCode::None {
            return;
        }
        let Some((ticket, _)) = self.0.remove(&above) else { return };
        let placed =
            PlacedPair { above_order_id: above.to_string(), below_order_id: above.next().to_string() };
        desk.reply(ticket, if verdict == RejectCode::None { result(&placed) } else { Err(refused(verdict)) });
    }

    /// Gives up what has waited too long; how many.
    pub(super) fn tend(&mut self, now: Nanos, desk: &mut Desk) -> usize {
        let mut done = 0;
        for (above, (ticket, _)) in self.0.extract_if(.., |_, (_, end)| *end <= now) {
            desk.reply(ticket, Err(lost(above)));
            done += 1;
        }
        done
    }
}
