//! A source's position in one instrument, from its fills.

use crate::domain::{InstrumentIndex, Price, Quantity, Side};

/// A source's position in one instrument: the sum of its fills. Fees taken in the base asset are not subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Signed quantity.
    pub quantity: Quantity,
    /// Sum of price × quantity of what opened it; not negative.
    cost: i128,
}

impl Position {
    /// No position.
    #[must_use]
    pub fn flat(instrument: InstrumentIndex) -> Self {
        Self::new(instrument, Quantity::ZERO, Price::NONE)
    }

    /// A position of `quantity` opened at `entry`; `Price::NONE` where that is not known.
    #[must_use]
    pub fn new(instrument: InstrumentIndex, quantity: Quantity, entry: Price) -> Self {
        let cost = i128::from(quantity.0.unsigned_abs()) * i128::from(entry.0);
        Self { instrument, quantity, cost }
    }

    /// Average price of what opened it, rounded down; `None` when flat. The average is arithmetic, also for inverse
    /// contracts: a reference for stops, not an account of profit.
    #[must_use]
    pub fn entry(&self) -> Option<Price> {
        let quantity = i128::from(self.quantity.0.unsigned_abs());
        let average = self.cost.checked_div(quantity)?;
        i64::try_from(average).ok().map(Price).filter(|price| price.is_some())
    }

    /// Applies a fill.
    pub(super) fn apply(&mut self, side: Side, price: Price, quantity: Quantity) {
        let held = i128::from(self.quantity.0.unsigned_abs());
        let traded = i128::from(quantity.0);
        let opening = self.quantity.0.signum() * side.sign() >= 0;
        self.quantity.0 = self.quantity.0.saturating_add(side.sign().saturating_mul(quantity.0));
        self.cost = if opening {
            self.cost.saturating_add(traded * i128::from(price.0))
        } else if traded < held {
            self.cost - self.cost / held * traded - self.cost % held * traded / held
        } else {
            (traded - held) * i128::from(price.0)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_price_is_the_average_of_what_opened_the_position() {
        let mut position = Position::default();
        assert_eq!(position.entry(), None);
        position.apply(Side::Buy, Price(100), Quantity(10));
        position.apply(Side::Buy, Price(200), Quantity(30));
        assert_eq!(position.entry(), Some(Price(175)));
        position.apply(Side::Sell, Price(999), Quantity(20));
        assert_eq!((position.quantity, position.entry()), (Quantity(20), Some(Price(175))));
        position.apply(Side::Sell, Price(300), Quantity(25));
        assert_eq!((position.quantity, position.entry()), (Quantity(-5), Some(Price(300))));
        position.apply(Side::Buy, Price(50), Quantity(5));
        assert_eq!((position.quantity, position.entry()), (Quantity(0), None));
        position.apply(Side::Sell, Price(i64::MAX), Quantity(i64::MAX));
        position.apply(Side::Buy, Price(1), Quantity(1 << 40));
        assert!(position.entry().is_some(), "the ends of the range do not overflow");
    }
}
