//! Amounts of money as people write them.

use std::fmt;
use std::str::FromStr;

use engine::domain::{Decimal, DecimalError, Scale, decimal};

/// Decimals kept of an amount.
const DECIMALS: u8 = 8;

/// A non-negative amount of the account's currency, exact to eight decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i64);

impl Amount {
    /// A whole amount.
    #[must_use]
    pub const fn whole(units: i64) -> Self {
        Self(units * 100_000_000)
    }

    /// The amount in units of `10^-scale`, rounded down; `None` where it does not fit.
    #[must_use]
    pub fn at_scale(self, scale: u8) -> Option<i128> {
        let value = i128::from(self.0);
        if scale >= DECIMALS {
            value.checked_mul(10_i128.checked_pow(u32::from(scale - DECIMALS))?)
        } else {
            Some(value / 10_i128.pow(u32::from(DECIMALS - scale)))
        }
    }
}

impl FromStr for Amount {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let scale = Scale::new(DECIMALS).unwrap_or(Scale::ZERO);
        match decimal::parse(text.as_bytes(), scale)? {
            negative if negative < 0 => Err(DecimalError::Range),
            amount => Ok(Self(amount)),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal { value: i128::from(self.0), scale: DECIMALS }.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_exact_or_refused() {
        let amount: Amount = "1000.5".parse().expect("an amount");
        assert_eq!((amount.at_scale(16), amount.at_scale(0)), (Some(10_005_000_000_000_000_000), Some(1000)));
        assert_eq!(amount.to_string(), "1000.5");
        assert!("-1".parse::<Amount>().is_err() && "1e3".parse::<Amount>().is_err());
    }
}
