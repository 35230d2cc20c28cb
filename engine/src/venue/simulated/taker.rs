//! What a new order would take from the book on arrival, planned before anything changes.

use super::config::better;
use super::depth::Depth;
use super::request::{Placement, Style};
use crate::book::Level;
use crate::domain::{Price, Quantity};

/// Whether an order may trade at `price`.
fn reaches(order: &Placement, price: Price) -> bool {
    order.style == Style::Market || !better(order.side, price.0, order.price.0)
}

/// The outcome of a plan; its trades stand in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Sum of the trades.
    pub(super) filled: Quantity,
    /// Whether the remainder would trade with a resting order of our own. The venue expires it (self-trade prevention
    /// EXPIRE_TAKER, binance.md §8).
    pub(super) self_trade: bool,
}

/// Walks the other side of the book, best level first, each at its own price, into `trades`. `own` is the best price
/// of our own orders there: the walk ends before it, as if our order were the first at its price.
pub(super) fn plan(depth: &Depth, own: Option<Price>, order: &Placement, trades: &mut Vec<Level>) -> Plan {
    let other = order.side.opposite();
    let before_own = |price: Price| own.is_none_or(|own| better(other, price.0, own.0));
    let mut left = order.quantity.0;
    trades.clear();
    for level in depth.open(other) {
        if left == 0 || !reaches(order, level.price) || !before_own(level.price) {
            break;
        }
        let quantity = Quantity(level.quantity.0.min(left));
        left -= quantity.0;
        trades.push(Level { quantity, ..level });
    }
    let self_trade = left > 0 && own.is_some_and(|own| reaches(order, own));
    Plan { filled: Quantity(order.quantity.0 - left), self_trade }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{instrument, levels, order_id};
    use super::*;
    use crate::domain::Side;

    fn run(
        side: Side,
        style: Style,
        price: i64,
        quantity: i64,
        own: Option<i64>,
    ) -> (Vec<(i64, i64)>, i64, bool) {
        let mut depth = Depth::new(&instrument());
        depth.on_snapshot(1, &levels(&[(99, 5), (98, 7)]), &levels(&[(101, 4), (102, 6)]));
        let (price, quantity) = (Price(price), Quantity(quantity));
        let id = order_id(1);
        let order = Placement { id, instrument: 0, side, style, price, quantity, condition: None };
        let mut trades = Vec::new();
        let plan = plan(&depth, own.map(Price), &order, &mut trades);
        let trades = trades.iter().map(|level| (level.price.0, level.quantity.0)).collect();
        (trades, plan.filled.0, plan.self_trade)
    }

    #[test]
    fn walks_level_by_level_to_its_limit() {
        assert_eq!(run(Side::Buy, Style::Rest, 102, 7, None), (vec![(101, 4), (102, 3)], 7, false));
        assert_eq!(run(Side::Buy, Style::Rest, 101, 7, None), (vec![(101, 4)], 4, false));
        assert_eq!(run(Side::Buy, Style::Rest, 100, 7, None), (vec![], 0, false));
        assert_eq!(run(Side::Sell, Style::Rest, 98, 6, None), (vec![(99, 5), (98, 1)], 6, false));
        assert_eq!(run(Side::Sell, Style::Market, 0, 20, None), (vec![(99, 5), (98, 7)], 12, false));
    }

    #[test]
    fn ends_before_an_order_of_our_own() {
        assert_eq!(run(Side::Buy, Style::Rest, 102, 7, Some(102)), (vec![(101, 4)], 4, true));
        assert_eq!(run(Side::Buy, Style::Rest, 102, 4, Some(102)), (vec![(101, 4)], 4, false), "not needed");
        assert_eq!(run(Side::Buy, Style::Rest, 101, 7, Some(102)), (vec![(101, 4)], 4, false), "not reached");
        assert_eq!(run(Side::Sell, Style::Market, 0, 1, Some(100)), (vec![], 0, true));
    }
}
