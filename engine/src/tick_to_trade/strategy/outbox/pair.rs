//! Pairs of orders of which one cancels the other (OCO): two intents, one behind the other.

use super::{Outbox, Terms, waiting};
use crate::domain::{InstrumentIndex, OrderId, OrderType, Price, Quantity, Side, TimeInForce, makes_pair};
use crate::error::RejectCode;
use crate::message::{Intent, IntentKind};

/// The one of a pair that waits for a better price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Rests on the book at this price.
    Maker(Price),
    /// Waits until the last price has moved in favour of its side to the first price; then one at any price, or at the second
    /// or better.
    TakeProfit(Price, Option<Price>),
}

/// The ids of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Of the order that waits for a better price.
    pub better: OrderId,
    /// Of the one that stops a loss.
    pub stop: OrderId,
}

impl Outbox {
    /// Two orders of `side`, each of `quantity`, of which one cancels the other: one waits for a better price, the other, as
    /// [`stop_loss`](Self::stop_loss), for a loss. The venue takes both or neither in one request; each has its own reports,
    /// and what one does ends the other, which is reported as `EXPIRED` or `CANCELED`. Neither is replaced.
    ///
    /// # Errors
    /// As [`limit`](Self::limit), and `BAD_REQUEST` where the better price is not on the better side of the stop's trigger:
    /// nothing was sent.
    pub fn oco(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        quantity: Quantity,
        (better, stop): (Better, (Price, Option<Price>)),
    ) -> Result<Pair, RejectCode> {
        let better = match better {
            Better::Maker(price) if !price.is_some() => return Err(RejectCode::FilterPrice),
            Better::Maker(price) => {
                ((price, Price::NONE), (OrderType::LimitMaker, TimeInForce::GoodTillCancel))
            }
            Better::TakeProfit(trigger, limit) => {
                waiting((trigger, limit), [OrderType::TakeProfit, OrderType::TakeProfitLimit])?
            }
        };
        let stop = waiting(stop, [OrderType::StopLoss, OrderType::StopLossLimit])?;
        let (above, below) = if side == Side::Buy { (stop, better) } else { (better, stop) };
        let stands = |((price, trigger), (kind, _)): Terms| (kind, price, trigger);
        if !makes_pair(side, stands(above), stands(below)) {
            return Err(RejectCode::BadRequest);
        }
        self.has_room(2)?;
        let upper = self.new_intent(instrument, side, above.0, quantity, above.1)?;
        let lower = self.new_intent(instrument, side, below.0, quantity, below.1)?;
        let target = self.next_id().next();
        let upper = self.send(Intent { kind: IntentKind::OcoAbove.code(), target, ..upper })?;
        let lower = self.send(Intent { kind: IntentKind::OcoBelow.code(), target: upper, ..lower })?;
        let (stop, better) = if side == Side::Buy { (upper, lower) } else { (lower, upper) };
        Ok(Pair { better, stop })
    }
}

#[cfg(test)]
mod tests;
