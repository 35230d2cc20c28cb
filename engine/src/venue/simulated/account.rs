//! What the venue's trades add up to, by instrument: the other side of every ledger kept elsewhere.

use crate::domain::{InstrumentIndex, Quantity, Side};

/// Sums over our trades in one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Quantity bought.
    pub bought: i128,
    /// Quantity sold.
    pub sold: i128,
    /// Fees in units of `10^-FEE_SCALE` of the instrument's fee asset; a rebate is negative.
    pub fees: i128,
    /// Number of trades.
    pub trades: u64,
}

impl Ledger {
    /// What is held: bought less sold.
    #[must_use]
    pub const fn position(&self) -> i128 {
        self.bought - self.sold
    }
}

/// The ledgers of all instruments. Written by the venue alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    ledgers: Vec<Ledger>,
}

impl Account {
    pub(super) fn new(instruments: usize) -> Self {
        Self { ledgers: vec![Ledger::default(); instruments] }
    }

    /// The sums of one instrument; empty for one that does not exist.
    #[must_use]
    pub fn ledger(&self, instrument: InstrumentIndex) -> Ledger {
        self.ledgers.get(instrument as usize).copied().unwrap_or_default()
    }

    /// Adds a trade.
    pub(super) fn add(&mut self, instrument: InstrumentIndex, side: Side, quantity: Quantity, fee: i64) {
        let Some(ledger) = self.ledgers.get_mut(instrument as usize) else { return };
        let sum = match side {
            Side::Buy => &mut ledger.bought,
            Side::Sell => &mut ledger.sold,
        };
        *sum += i128::from(quantity.0);
        ledger.fees += i128::from(fee);
        ledger.trades += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_instrument_and_side() {
        let mut account = Account::new(2);
        account.add(1, Side::Buy, Quantity(i64::MAX), 5);
        account.add(1, Side::Buy, Quantity(2), -7);
        account.add(1, Side::Sell, Quantity(1), 0);
        let ledger = account.ledger(1);
        assert_eq!((ledger.position(), ledger.fees, ledger.trades), (i128::from(i64::MAX) + 1, -2, 3));
        assert_eq!(account.ledger(0), Ledger::default());
        assert_eq!(account.ledger(9), Ledger::default());
    }
}
