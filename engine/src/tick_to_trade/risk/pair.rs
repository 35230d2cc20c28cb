//! A pair of orders of which one cancels the other: both pass or neither. Every control holds for each of them as for an
//! order alone; the venue lets only one of them trade, so neither is added to the other's exposure.

use crate::counters::halt::HaltState;
use crate::domain::{Nanos, SourceId, makes_pair};
use crate::error::RejectCode;
use crate::message::Intent;
use crate::tick_to_trade::risk::controls::Gates;
use crate::tick_to_trade::risk::rate::{max_open, slot};
use crate::tick_to_trade::risk::request::{NewOrder, Request, read};
use crate::tick_to_trade::risk::state::State;

/// C02: two orders of one instrument, side and quantity that stand as a pair does.
fn fits([above, below]: &[NewOrder; 2]) -> bool {
    let stands = |order: &NewOrder| (order.order_type, order.price, order.trigger);
    let alike = |order: &NewOrder| (order.instrument, order.side, order.quantity);
    alike(above) == alike(below) && makes_pair(above.side, stands(above), stands(below))
}

impl State {
    /// Decides a pair that came through the ring of `source`, and changes nothing.
    ///
    /// # Errors
    /// The code of the first control that fails for the upper one, the lower one, or for there being two.
    pub(super) fn check_pair(
        &self,
        pair: [&Intent; 2],
        source: SourceId,
        now: Nanos,
        gates: &Gates,
    ) -> Result<[NewOrder; 2], RejectCode> {
        if slot(source) >= self.sources.len() {
            return Err(RejectCode::BadRequest);
        }
        // C01.
        if gates.halt > HaltState::ReduceOnly {
            return Err(RejectCode::Halted);
        }
        // C02.
        let leg = |intent| match read(intent, self.origin(source))? {
            Request::Leg(order) => Ok(order),
            _ => Err(RejectCode::BadRequest),
        };
        let orders = [leg(pair[0])?, leg(pair[1])?];
        if !fits(&orders) || pair[0].self_trade != pair[1].self_trade {
            return Err(RejectCode::BadRequest);
        }
        if !self.filters[orders[0].instrument as usize].oco {
            return Err(RejectCode::NoOco);
        }
        // Room for the other one as well.
        let journal_free = gates.journal_free.saturating_sub(1);
        let gates = Gates { journal_free, ring_free: gates.ring_free.saturating_sub(1), ..*gates };
        for order in &orders {
            self.check_new(order, None, now, &gates)?;
        }
        self.check_two(&orders[0], now)?;
        Ok(orders)
    }

    /// C15, C16: that there is room for two such orders.
    fn check_two(&self, order: &NewOrder, now: Nanos) -> Result<(), RejectCode> {
        let (index, account) = (order.instrument as usize, &self.limits.account);
        let open = (self.orders.tally(order.instrument).open + 1, self.limits.instruments[index].max_open);
        let account_open = (self.orders.total().open + 1, account.max_open);
        max_open(open, self.filters[index].max_open_orders, account_open)?;
        if !self.orders.has_room_for_two() {
            return Err(RejectCode::MaxOpen);
        }
        let own = &self.sources[slot(order.id.source)].rates.orders;
        if own.has_two(now) && self.account_orders.has_two(now) {
            Ok(())
        } else {
            Err(RejectCode::MessageRate)
        }
    }
}

#[cfg(test)]
mod tests;
