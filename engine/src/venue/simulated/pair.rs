//! Pairs of orders of which one cancels the other (OCO): placed in one request, both or neither. One stops a loss and waits for
//! its price, so at most one of them is on the book; what trades or is set off ends the other first, and the cancel of one is
//! the cancel of both.

use super::config::code;
use super::matching::Matching;
use super::request::{Placement, Request};
use super::resting::OpenOrder;
use super::taker::Plan;
use crate::domain::{OrderId, OrderType, Price, Quantity, makes_pair};
use crate::message::OrderState;

/// What neither of a pair does when it is placed.
const NOTHING: Plan = Plan { filled: Quantity::ZERO, self_trade: false };

/// An order as it stands against another and the last price.
fn stands(request: &Request) -> Result<(OrderType, Price, Price), i32> {
    let order_type = OrderType::try_from(request.order_type).map_err(|_| code::MALFORMED)?;
    Ok((order_type, request.price, request.trigger))
}

impl Matching {
    /// Places both or neither. A refusal names the upper one and is of both, as an answer to one request is.
    pub(super) fn place_pair(&mut self, above: &Request, below: &Request) {
        match self.admit_pair(above, below) {
            Ok(orders) => {
                for (order, other) in [(&orders[0], orders[1].id), (&orders[1], orders[0].id)] {
                    // What the last admission has planned is none of this one's.
                    self.trades.clear();
                    self.execute(order, NOTHING, other);
                }
            }
            Err(code) => self.reject(above, code),
        }
    }

    fn admit_pair(&mut self, above: &Request, below: &Request) -> Result<[Placement; 2], i32> {
        let (upper, lower) = (stands(above)?, stands(below)?);
        let orders = [self.admit(above, 0)?.0, self.admit(below, 1)?.0];
        let alike = |order: &Placement| (order.instrument, order.side, order.quantity);
        let mode = above.self_trade == below.self_trade;
        if !mode || alike(&orders[0]) != alike(&orders[1]) || !makes_pair(orders[0].side, upper, lower) {
            return Err(code::MALFORMED);
        }
        let level =
            |(order_type, price, trigger): (OrderType, Price, Price)| order_type.level(price, trigger);
        let last = self.markets.get(above.instrument as usize).and_then(|market| market.last);
        let apart = last.is_none_or(|last| level(lower) < last && last < level(upper));
        if apart { Ok(orders) } else { Err(code::NEW_ORDER) }
    }

    /// An order that was taken off, cancelled: with it the other one of its pair.
    pub(super) fn end_cancelled(&mut self, order: &OpenOrder) {
        self.clearing.end(self.clock, order, OrderState::Canceled);
        if let Some(other) = self.take_other(order) {
            self.clearing.end(self.clock, &other, OrderState::Canceled);
        }
    }

    /// An order is set off: the other one of its pair ends first, and it stands alone from then on.
    pub(super) fn part(&mut self, order: OpenOrder) -> OpenOrder {
        if let Some(other) = self.take_other(&order) {
            self.clearing.end(self.clock, &other, OrderState::Expired);
        }
        OpenOrder { other: OrderId::NONE, ..order }
    }

    /// Takes the other one of the pair of `order` off, from the book or the room where it waits.
    fn take_other(&mut self, order: &OpenOrder) -> Option<OpenOrder> {
        let place = self.clearing.registry.find(order.other)?;
        let market = self.markets.get_mut(order.instrument as usize)?;
        market.order(place).filter(|other| other.is_other_of(order))?;
        market.remove(place)
    }
}

#[cfg(test)]
mod tests;
