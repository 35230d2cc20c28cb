//! `orderList.place.oco`: two orders in one request of which one cancels the other.

use crate::domain::{Instrument, Nanos, OrderType, SelfTrade, Side, TimeInForce};
use crate::message::Intent;
use crate::wire::UnknownCode;

use super::{ACK_TIMESTAMP, Asked, head, id, lifetime, name, number, request, self_trade, tail};
use crate::venue::binance::text::{IdText, Sink};

/// What stands before a leg's parameters: type, client id, price, stop price, time in force.
const ABOVE: [&str; 5] = [
    next!("aboveType"),
    next!("aboveClientOrderId"),
    next!("abovePrice"),
    next!("aboveStopPrice"),
    next!("aboveTimeInForce"),
];
const BELOW: [&str; 5] = [
    next!("belowType"),
    next!("belowClientOrderId"),
    next!("belowPrice"),
    next!("belowStopPrice"),
    next!("belowTimeInForce"),
];

/// What of one of the two is a name at the venue.
struct Names {
    side: Side,
    order_type: OrderType,
    time_in_force: Option<TimeInForce>,
    self_trade: Option<SelfTrade>,
}

impl Names {
    fn read(order: &Intent) -> Result<Self, UnknownCode> {
        let order_type = OrderType::try_from(order.order_type)?;
        Ok(Self {
            side: Side::try_from(order.side)?,
            order_type,
            time_in_force: lifetime(order, order_type)?,
            self_trade: self_trade(order)?,
        })
    }
}

fn leg(out: &mut impl Sink, keys: [&str; 5], order: &Intent, names: &Names, instrument: &Instrument) {
    let [kind, client_id, price, trigger, time_in_force] = keys;
    name(out, kind, names.order_type.as_str());
    id(out, client_id, &IdText::of(order.id));
    if !names.order_type.is_market() {
        number(out, price, order.price.0, instrument.price_scale);
    }
    if names.order_type.is_conditional() {
        number(out, trigger, order.trigger.0, instrument.price_scale);
    }
    if let Some(lifetime) = names.time_in_force {
        name(out, time_in_force, lifetime.as_str());
    }
}

/// Appends the `orderList.place.oco` request of the two intents of a pair. Side, quantity and self-trade prevention are
/// those of `above`, and `below` has the same.
///
/// # Errors
/// When a side, type, time in force or self-trade prevention has an unknown code: nothing is appended then.
pub fn encode_oco(
    above: &Intent,
    below: &Intent,
    instrument: &Instrument,
    timestamp: Nanos,
    out: &mut Vec<u8>,
) -> Result<(), UnknownCode> {
    let (upper, lower) = (Names::read(above)?, Names::read(below)?);
    request(out, |out| {
        head(out, Asked::Oco, &IdText::of(above.id), method!("orderList.place.oco"), instrument);
        name(out, next!("side"), upper.side.as_str());
        number(out, next!("quantity"), above.quantity.0, instrument.quantity_scale);
        leg(out, ABOVE, above, &upper, instrument);
        leg(out, BELOW, below, &lower, instrument);
        if let Some(mode) = upper.self_trade {
            name(out, next!("selfTradePreventionMode"), mode.as_str());
        }
        tail(out, ACK_TIMESTAMP, timestamp);
    });
    Ok(())
}

#[cfg(test)]
mod tests;
