//! C22: no order may cross one of our own.

use crate::domain::{Price, Side};
use crate::error::RejectCode;
use crate::tick_to_trade::risk::request::NewOrder;

/// C22: a buy must stay below, and a sell above, the best price of our own orders on the other side that are live,
/// on their way or UNKNOWN. A market order crosses whatever is there, and is crossed by whatever comes.
#[inline]
pub(super) fn self_trade(order: &NewOrder, best_opposite: Option<Price>) -> Result<(), RejectCode> {
    let crosses = best_opposite.is_some_and(|own| match order.side {
        Side::Buy => order.worst_price() >= own,
        Side::Sell => order.worst_price() <= own,
    });
    if crosses { Err(RejectCode::SelfTrade) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Nanos, OrderId, OrderType, Quantity};

    fn order(side: Side, order_type: OrderType, price: i64) -> NewOrder {
        NewOrder {
            id: OrderId::NONE,
            instrument: 0,
            side,
            order_type,
            price: Price(price),
            trigger: Price::NONE,
            quantity: Quantity(1),
            valid_until: Nanos::NEVER,
        }
    }

    #[test]
    fn c22_stops_at_our_own_best_price() {
        let own = Some(Price(100));
        for (side, price, passes) in [
            (Side::Buy, 99, true),
            (Side::Buy, 100, false),
            (Side::Buy, i64::MAX, false),
            (Side::Sell, 101, true),
            (Side::Sell, 100, false),
            (Side::Sell, 1, false),
        ] {
            for order_type in [OrderType::Limit, OrderType::LimitMaker] {
                assert_eq!(
                    self_trade(&order(side, order_type, price), own).is_ok(),
                    passes,
                    "{side} {price}"
                );
                assert_eq!(self_trade(&order(side, order_type, price), None), Ok(()));
            }
        }
        for side in [Side::Buy, Side::Sell] {
            let market = order(side, OrderType::Market, 0);
            assert_eq!(self_trade(&market, own), Err(RejectCode::SelfTrade));
            assert_eq!(self_trade(&market, None), Ok(()));
            // Our market order is on its way: whatever comes against it might meet it.
            let on_its_way = Some(market.worst_price());
            let opposite = order(side.opposite(), OrderType::Limit, 1_000_000);
            assert_eq!(self_trade(&opposite, on_its_way), Err(RejectCode::SelfTrade));
        }
    }
}
