//! One account: position, cash, average cost, fees and volumes of a stream of fills.

use crate::domain::{InstrumentKind, Price, Quantity, Side};
use crate::ledger::terms::{Terms, pow10};
use crate::ledger::{Fill, LedgerError};
use crate::message::report::{FEE_SCALE, FeeAsset};

/// Fees paid, by asset, in units of `10^-8`; a rebate is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// In the instrument's quote asset.
    pub quote: i128,
    /// In the instrument's base asset.
    pub base: i128,
    /// In BNB: never valued here. The day's loss counts the venue's highest rate for it (C19).
    pub bnb: i128,
    /// In yet another asset, likewise.
    pub other: i128,
}

impl Fees {
    /// The sum for `asset`.
    #[must_use]
    pub const fn get(&self, asset: FeeAsset) -> i128 {
        match asset {
            FeeAsset::Quote => self.quote,
            FeeAsset::Base => self.base,
            FeeAsset::Other => self.other,
            FeeAsset::Bnb => self.bnb,
        }
    }

    fn with(mut self, asset: FeeAsset, fee: i64) -> Result<Self, LedgerError> {
        let sum = match asset {
            FeeAsset::Quote => &mut self.quote,
            FeeAsset::Base => &mut self.base,
            FeeAsset::Other => &mut self.other,
            FeeAsset::Bnb => &mut self.bnb,
        };
        *sum = sum.checked_add(i128::from(fee)).ok_or(LedgerError::Overflow)?;
        Ok(self)
    }

    /// The fees that the instrument's money can express, in money:
    ///
    /// - spot: quote fees, and base fees at `mark`;
    /// - linear: quote fees;
    /// - inverse: base fees.
    ///
    /// The rest stays in [`Fees`], unvalued.
    fn valued(&self, terms: &Terms, mark: Price) -> Result<i128, LedgerError> {
        let at = |fee: i128, scale: u8| {
            pow10(u32::from(scale - FEE_SCALE))
                .and_then(|unit| fee.checked_mul(unit))
                .ok_or(LedgerError::Overflow)
        };
        match terms.kind {
            InstrumentKind::Linear => at(self.quote, terms.scale()),
            InstrumentKind::Inverse => at(self.base, terms.scale()),
            InstrumentKind::Spot if self.base == 0 => at(self.quote, terms.scale()),
            InstrumentKind::Spot => {
                if !mark.is_some() {
                    return Err(LedgerError::NoMark);
                }
                let base = self.base.checked_mul(i128::from(mark.0)).ok_or(LedgerError::Overflow)?;
                // base × mark already has the price's decimals.
                let base = at(base, terms.scale() - terms.price_scale.digits())?;
                at(self.quote, terms.scale())?.checked_add(base).ok_or(LedgerError::Overflow)
            }
        }
    }
}

/// PnL in money at [`Terms::scale`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pnl {
    /// Of what was closed, before fees.
    pub realised: i128,
    /// Of what is open, at the mark, before fees.
    pub unrealised: i128,
    /// Fees that the instrument's money can express; positive is paid.
    pub fees: i128,
    /// realised + unrealised − fees.
    pub total: i128,
}

/// Position and money of one stream of fills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Signed position: the sum of the fills.
    pub position: Quantity,
    /// Money received less money paid for fills, fees apart.
    pub cash: i128,
    /// What the open position cost: its worth at its own average price. Signed like the worth.
    pub cost: i128,
    /// Fees paid.
    pub fees: Fees,
    /// Sum of the quantities bought.
    pub bought: i128,
    /// Sum of the quantities sold.
    pub sold: i128,
}

/// `cost × part / whole` truncated towards zero, without a product that could overflow. `0 < part <= whole`.
fn share(cost: i128, part: u64, whole: u64) -> i128 {
    let (part, whole) = (i128::from(part), i128::from(whole));
    // |cost / whole × part| <= |cost|, and the remainder is below 2^64 as is `part`.
    let remainder = (cost % whole).unsigned_abs() * part.unsigned_abs() / whole.unsigned_abs();
    let remainder = i128::try_from(remainder).expect("a share of a remainder below 2^64 is below 2^64");
    cost / whole * part + if cost < 0 { -remainder } else { remainder }
}

impl Account {
    /// The account after `fill`.
    ///
    /// # Errors
    /// `Overflow` when a sum leaves its range.
    pub(super) fn with_fill(&self, terms: &Terms, fill: &Fill) -> Result<Self, LedgerError> {
        self.try_fill(terms, fill)
            .ok_or(LedgerError::Overflow)
            .and_then(|account| Ok(Self { fees: account.fees.with(fill.fee_asset, fill.fee)?, ..account }))
    }

    fn try_fill(&self, terms: &Terms, fill: &Fill) -> Option<Self> {
        let mut next = *self;
        let quantity = fill.quantity.0;
        let delta = quantity.checked_mul(fill.side.sign())?;
        next.position.0 = self.position.0.checked_add(delta)?;
        let volume = match fill.side {
            Side::Buy => &mut next.bought,
            Side::Sell => &mut next.sold,
        };
        *volume = volume.checked_add(i128::from(quantity))?;
        let paid = terms.worth(delta, fill.price)?;
        next.cash = self.cash.checked_sub(paid)?;

        let (held, closes) = (self.position.0.unsigned_abs(), (self.position.0 > 0) != (delta > 0));
        next.cost = if self.position.0 == 0 || !closes {
            self.cost.checked_add(paid)?
        } else if quantity.unsigned_abs() <= held {
            self.cost.checked_sub(share(self.cost, quantity.unsigned_abs(), held))?
        } else {
            // It flips: the old position is closed whole, and what is left of the fill is the new one's cost.
            terms.worth(next.position.0, fill.price)?
        };
        Some(next)
    }

    /// PnL at `mark`; [`Price::NONE`] will do for a flat account without base fees on spot.
    ///
    /// # Errors
    /// When a needed mark is missing or a sum overflows.
    pub fn pnl(&self, terms: &Terms, mark: Price) -> Result<Pnl, LedgerError> {
        if self.position.0 != 0 && !mark.is_some() {
            return Err(LedgerError::NoMark);
        }
        let fees = self.fees.valued(terms, mark)?;
        let sums = || {
            let realised = self.cash.checked_add(self.cost)?;
            let unrealised = terms.worth(self.position.0, mark)?.checked_sub(self.cost)?;
            let total = realised.checked_add(unrealised)?.checked_sub(fees)?;
            Some(Pnl { realised, unrealised, fees, total })
        };
        sums().ok_or(LedgerError::Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_are_the_wide_quotient(cost in -(1_i128 << 62)..1 << 62, whole in 1..u64::MAX, cut in any::<u64>()) {
            let part = cut % whole + 1;
            prop_assert_eq!(share(cost, part, whole), cost * i128::from(part) / i128::from(whole));
            prop_assert_eq!(share(cost, whole, whole), cost);
        }
    }

    #[test]
    fn shares_do_not_overflow() {
        assert_eq!(share(i128::MAX, u64::MAX, u64::MAX), i128::MAX);
        assert_eq!(share(i128::MIN + 1, 1, 1), i128::MIN + 1);
        assert_eq!(
            share(i128::MAX, u64::MAX - 1, u64::MAX),
            i128::MAX - i128::MAX / i128::from(u64::MAX) - 1
        );
    }
}
