//! What money means for an instrument: its kind, multiplier and scales.

use crate::domain::{Instrument, InstrumentKind, Price, Scale};
use crate::message::report::FEE_SCALE;

/// Decimals of money for inverse contracts, in the base asset. A fill's value is a quotient and must be cut
/// somewhere: `10^-12` is four decimals below the `10^-8` in which the venue settles.
pub const INVERSE_SCALE: u8 = 12;

/// The part of an [`Instrument`] from which value follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How value follows from price and quantity.
    pub kind: InstrumentKind,
    /// Value of one contract in units of base (linear) or quote (inverse); 1 for spot.
    pub multiplier: i64,
    /// Decimals of a price.
    pub price_scale: Scale,
    /// Decimals of a quantity.
    pub quantity_scale: Scale,
}

/// `10^digits`; `None` above the range of an `i128`.
pub(crate) fn pow10(digits: u32) -> Option<i128> {
    10_i128.checked_pow(digits)
}

impl Terms {
    /// The terms of an instrument.
    #[must_use]
    pub fn of(instrument: &Instrument) -> Self {
        Self {
            kind: instrument.kind,
            multiplier: instrument.multiplier,
            price_scale: instrument.price_scale,
            quantity_scale: instrument.quantity_scale,
        }
    }

    /// Decimals of money. Chosen so that values of fills and fees are exact in it:
    ///
    /// - spot: price decimals + max(quantity decimals, 8): a base fee has 8 decimals and is valued at a price;
    /// - linear: max(price decimals + quantity decimals, 8), in quote;
    /// - inverse: [`INVERSE_SCALE`], in base.
    #[must_use]
    pub fn scale(&self) -> u8 {
        let (price, quantity) = (self.price_scale.digits(), self.quantity_scale.digits());
        match self.kind {
            InstrumentKind::Spot => price + quantity.max(FEE_SCALE),
            InstrumentKind::Linear => (price + quantity).max(FEE_SCALE),
            InstrumentKind::Inverse => INVERSE_SCALE,
        }
    }

    /// Value of `quantity` (not negative) at `price` in money. Spot and linear: exact. Inverse:
    /// contracts × multiplier / price, truncated, so that buying and selling the same at one price is worth nothing.
    ///
    /// `None` when the price is not above zero, the multiplier is not, or the value leaves the range of an `i128`.
    #[must_use]
    pub fn value(&self, quantity: u64, price: Price) -> Option<i128> {
        if !price.is_some() || self.multiplier <= 0 {
            return None;
        }
        let contracts = i128::from(quantity).checked_mul(i128::from(self.multiplier))?;
        let (price_digits, quantity_digits) = (self.price_scale.digits(), self.quantity_scale.digits());
        if self.kind == InstrumentKind::Inverse {
            // contracts × 10^-quantity_scale / (price × 10^-price_scale), at 10^-INVERSE_SCALE.
            let dividend = contracts.checked_mul(pow10(u32::from(INVERSE_SCALE + price_digits))?)?;
            let divisor = i128::from(price.0).checked_mul(pow10(u32::from(quantity_digits))?)?;
            return Some(dividend / divisor);
        }
        let finer = pow10(u32::from(self.scale() - price_digits - quantity_digits))?;
        contracts.checked_mul(i128::from(price.0))?.checked_mul(finer)
    }

    /// What a signed position is worth at `mark`, in money: what closing it there would add to the cash.
    ///
    /// A long inverse position owes base: its worth is negative and shrinks towards zero as the price rises.
    /// `None` as for [`value`](Self::value), except that a flat position is worth 0 without a mark.
    #[must_use]
    pub fn worth(&self, position: i64, mark: Price) -> Option<i128> {
        if position == 0 {
            return Some(0);
        }
        let value = self.value(position.unsigned_abs(), mark)?;
        Some(if (position > 0) == (self.kind == InstrumentKind::Inverse) { -value } else { value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(kind: InstrumentKind, multiplier: i64, price: u8, quantity: u8) -> Terms {
        let scale = |digits| Scale::new(digits).expect("a valid scale");
        Terms { kind, multiplier, price_scale: scale(price), quantity_scale: scale(quantity) }
    }

    #[test]
    fn values_follow_the_kind() {
        // 0.5 at 61837.63: 30918.815.
        let spot = terms(InstrumentKind::Spot, 1, 2, 5);
        assert_eq!((spot.scale(), spot.value(50_000, Price(6_183_763))), (10, Some(309_188_150_000_000)));
        // 3 contracts of 1000 at 0.25: 750.
        let linear = terms(InstrumentKind::Linear, 1_000, 2, 0);
        assert_eq!((linear.scale(), linear.value(3, Price(25))), (8, Some(75_000_000_000)));
        // 7 contracts of 100 at 30000.0: 0.023333333333|33 of base.
        let inverse = terms(InstrumentKind::Inverse, 100, 1, 0);
        assert_eq!((inverse.scale(), inverse.value(7, Price(300_000))), (12, Some(23_333_333_333)));
    }

    #[test]
    fn worth_has_the_sign_of_what_is_owed() {
        let linear = terms(InstrumentKind::Linear, 1, 2, 6);
        assert_eq!(linear.worth(-2, Price(3)), Some(-6));
        let inverse = terms(InstrumentKind::Inverse, 10, 0, 0);
        assert_eq!(inverse.worth(1, Price(10)), Some(-1_000_000_000_000));
        assert_eq!(inverse.worth(-1, Price(10)), Some(1_000_000_000_000));
        assert_eq!(inverse.worth(0, Price::NONE), Some(0));
    }

    #[test]
    fn what_has_no_value_or_does_not_fit_is_none() {
        for kind in [InstrumentKind::Spot, InstrumentKind::Linear, InstrumentKind::Inverse] {
            for (multiplier, price) in [(1, 0), (1, -1), (0, 1), (-1, 1), (1, i64::MIN)] {
                assert_eq!(terms(kind, multiplier, 2, 3).value(1, Price(price)), None, "{kind} {multiplier}");
            }
        }
        assert_eq!(terms(InstrumentKind::Linear, i64::MAX, 0, 0).value(u64::MAX, Price(i64::MAX)), None);
        assert_eq!(terms(InstrumentKind::Inverse, 100, 18, 0).value(u64::MAX, Price(1)), None);
        assert_eq!(terms(InstrumentKind::Spot, 1, 18, 0).value(u64::MAX, Price(i64::MAX)), None);
        assert_eq!(terms(InstrumentKind::Linear, 1, 18, 18).worth(i64::MIN, Price(1)), Some(-(1 << 63)));
    }
}
