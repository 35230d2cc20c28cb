//! One-second bars over the generated trades.

use crate::domain::{Price, Quantity, Side};
use crate::venue::generated::flow::Trade;

/// A bar, in ticks and lots; `value` in ticks × lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SecondBar {
    pub(super) open: Price,
    pub(super) high: Price,
    pub(super) low: Price,
    pub(super) close: Price,
    pub(super) volume: Quantity,
    pub(super) value: i128,
    /// The part of `volume` and `value` that buyers took.
    pub(super) bought: Quantity,
    pub(super) bought_value: i128,
    pub(super) trades: u32,
    /// Ids; -1 where there was no trade.
    pub(super) first_trade: i128,
    pub(super) last_trade: i128,
}

impl SecondBar {
    /// A bar without trades stands at the close of the one before.
    pub(super) const fn empty(close: Price) -> Self {
        Self {
            open: close,
            high: close,
            low: close,
            close,
            volume: Quantity::ZERO,
            value: 0,
            bought: Quantity::ZERO,
            bought_value: 0,
            trades: 0,
            first_trade: -1,
            last_trade: -1,
        }
    }

    pub(super) fn add(&mut self, trade: &Trade) {
        if self.trades == 0 {
            *self = Self::empty(trade.price);
            self.first_trade = i128::from(trade.id);
        }
        let value = i128::from(trade.price.0) * i128::from(trade.quantity.0);
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        self.volume.0 += trade.quantity.0;
        self.value += value;
        if trade.aggressor == Side::Buy {
            self.bought.0 += trade.quantity.0;
            self.bought_value += value;
        }
        self.trades += 1;
        self.last_trade = i128::from(trade.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_sums_its_trades() {
        let mut bar = SecondBar::empty(Price(7));
        for (id, price, quantity, aggressor) in
            [(4, 10, 2, Side::Buy), (5, 8, 3, Side::Sell), (6, 9, 1, Side::Buy)]
        {
            bar.add(&Trade { id, price: Price(price), quantity: Quantity(quantity), aggressor });
        }
        assert_eq!((bar.open, bar.high, bar.low, bar.close), (Price(10), Price(10), Price(8), Price(9)));
        assert_eq!((bar.volume, bar.value, bar.trades), (Quantity(6), 20 + 24 + 9, 3));
        assert_eq!((bar.bought, bar.bought_value), (Quantity(3), 29));
        assert_eq!((bar.first_trade, bar.last_trade), (4, 6));
    }
}
