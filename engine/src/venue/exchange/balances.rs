//! Balances in units of `10^-8` of their asset, as Binance shows them. What one loses another gains: the accounts,
//! the market they trade with and the exchange that takes fees always add up to what was deposited.

use crate::domain::{Instrument, Price, Quantity};

/// Decimals of an [`Amount`].
pub const AMOUNT_SCALE: u8 = 8;

/// Units of `10^-8` of an asset.
pub type Amount = i128;

/// Place of an asset in the exchange's list.
pub type AssetIndex = u32;

/// What an account holds of an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// May be spent.
    pub free: Amount,
    /// Reserved for open orders.
    pub locked: Amount,
}

impl Balance {
    /// All of it.
    #[must_use]
    pub const fn total(&self) -> Amount {
        self.free + self.locked
    }
}

const fn pow10(digits: u32) -> i128 {
    10_i128.pow(digits)
}

/// `value × 10^-scale` in amounts, rounded down; `None` where it does not fit.
fn amount(value: i128, scale: u8) -> Option<Amount> {
    let to = u32::from(AMOUNT_SCALE);
    let from = u32::from(scale);
    if from <= to { value.checked_mul(pow10(to - from)) } else { Some(value.div_euclid(pow10(from - to))) }
}

/// A quantity as an amount of base, rounded down.
#[must_use]
pub fn base_amount(instrument: &Instrument, quantity: Quantity) -> Amount {
    amount(i128::from(quantity.0), instrument.quantity_scale.digits()).unwrap_or(Amount::MAX)
}

/// The value of `quantity` at `price` in quote, rounded down; `None` where it does not fit.
#[must_use]
pub fn quote_amount(instrument: &Instrument, price: Price, quantity: Quantity) -> Option<Amount> {
    amount(i128::from(price.0) * i128::from(quantity.0), instrument.notional_scale())
}

/// The same, rounded up: what has to be reserved so that fills at `price`, in any parts, can be paid.
#[must_use]
pub fn quote_reserve(instrument: &Instrument, price: Price, quantity: Quantity) -> Option<Amount> {
    let scale = instrument.notional_scale();
    let value = i128::from(price.0) * i128::from(quantity.0);
    Some(-amount(-value, scale)?)
}

/// How much base `value` of quote buys at `price`, on the grid of `step`, rounded down.
#[must_use]
pub fn affordable(instrument: &Instrument, price: Price, value: Amount, step: i64) -> i64 {
    let scale = u32::from(instrument.notional_scale());
    let to = u32::from(AMOUNT_SCALE);
    let value = if scale >= to { value.saturating_mul(pow10(scale - to)) } else { value / pow10(to - scale) };
    let quantity = value.checked_div(i128::from(price.0)).unwrap_or(0).clamp(0, i128::from(i64::MAX));
    let step = i128::from(step.max(1));
    i64::try_from(quantity / step * step).unwrap_or(i64::MAX)
}

/// A fee of `rate` millionths of what is received, rounded down.
#[must_use]
pub const fn fee(received: Amount, rate: i32) -> Amount {
    received * rate as i128 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Scale;
    use crate::venue::exchange::fixture::instrument;

    fn scaled(price: u8, quantity: u8) -> Instrument {
        let scale = |digits| Scale::new(digits).expect("a scale");
        Instrument { price_scale: scale(price), quantity_scale: scale(quantity), ..instrument("ABCUSDT") }
    }

    #[test]
    fn values_are_exact_where_they_can_be_and_never_made_of_nothing() {
        let usual = scaled(2, 5);
        assert_eq!(quote_amount(&usual, Price(6_000_000), Quantity(1)), Some(60_000_000));
        assert_eq!(quote_reserve(&usual, Price(6_000_000), Quantity(1)), Some(60_000_000));
        let fine = scaled(8, 8);
        assert_eq!(quote_amount(&fine, Price(3), Quantity(50_000_001)), Some(1));
        assert_eq!(quote_reserve(&fine, Price(3), Quantity(50_000_001)), Some(2));
        assert_eq!(base_amount(&usual, Quantity(7)), 7_000);
        assert_eq!(affordable(&usual, Price(6_000_000), 100_000_000, 1), 1, "1 buys 0.0000166");
        assert_eq!(affordable(&usual, Price(6_000_000), 1_000_000_000, 10), 10);
        assert_eq!(fee(525_000, 1_000), 525);
        assert_eq!(fee(999, 1_000), 0);
    }
}
