//! Mantissas to integers at the instrument's scale, exactly or not at all.

use crate::domain::{DecimalError, Instrument, Scale};
use crate::venue::binance::DecodeError;

use super::inexact;

/// How the mantissas of one message are brought to the scales of its instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exponents<'a> {
    instrument: &'a Instrument,
    price: i8,
    quantity: i8,
}

impl<'a> Exponents<'a> {
    pub(super) const fn new(instrument: &'a Instrument, price: i8, quantity: i8) -> Self {
        Self { instrument, price, quantity }
    }

    /// The price of `mantissa`, which stands at `at`.
    pub(super) fn price(&self, mantissa: i64, at: usize) -> Result<i64, DecodeError> {
        scaled(mantissa, self.price, self.instrument.price_scale).map_err(|error| inexact(error, at))
    }

    /// The quantity of `mantissa`, which stands at `at`.
    pub(super) fn quantity(&self, mantissa: i64, at: usize) -> Result<i64, DecodeError> {
        scaled(mantissa, self.quantity, self.instrument.quantity_scale).map_err(|error| inexact(error, at))
    }
}

/// `mantissa × 10^exponent` as an integer at `scale`.
fn scaled(mantissa: i64, exponent: i8, scale: Scale) -> Result<i64, DecimalError> {
    if mantissa < 0 {
        return Err(DecimalError::Range);
    }
    if mantissa == 0 {
        return Ok(0);
    }
    let shift = i32::from(exponent) + i32::from(scale.digits());
    let power = u8::try_from(shift.unsigned_abs()).ok().and_then(Scale::new).map(Scale::unit);
    match (shift >= 0, power) {
        (true, Some(power)) => mantissa.checked_mul(power).ok_or(DecimalError::Range),
        (true, None) => Err(DecimalError::Range),
        (false, Some(power)) if mantissa % power == 0 => Ok(mantissa / power),
        // Digits beyond the scale; a mantissa has 19 at most.
        (false, _) => Err(DecimalError::Precision),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::decimal;

    #[test]
    fn scales_exactly_or_refuses() {
        let scale = |digits| Scale::new(digits).expect("valid");
        assert_eq!(scaled(123, -2, scale(2)), Ok(123));
        assert_eq!(scaled(123, -2, scale(4)), Ok(12_300));
        assert_eq!(scaled(12_300, -4, scale(2)), Ok(123));
        assert_eq!(scaled(12_301, -4, scale(2)), Err(DecimalError::Precision));
        assert_eq!(scaled(5, 3, scale(0)), Ok(5_000));
        assert_eq!(scaled(5, 127, scale(8)), Err(DecimalError::Range));
        assert_eq!(scaled(5, -128, scale(8)), Err(DecimalError::Precision));
        assert_eq!((scaled(0, 127, scale(18)), scaled(0, -128, scale(0))), (Ok(0), Ok(0)));
        assert_eq!(scaled(-1, 0, scale(0)), Err(DecimalError::Range));
        assert_eq!(scaled(i64::MAX, 1, scale(0)), Err(DecimalError::Range));
    }

    proptest! {
        /// The text of the same number reads to the same, whatever the exponent.
        #[test]
        fn agrees_with_decimal_text(mantissa in 0..i64::MAX, exponent in -18_i8..=0, digits in 0_u8..=18) {
            let scale = Scale::new(digits).expect("valid");
            let places = usize::from(exponent.unsigned_abs());
            let padded = format!("{mantissa:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            let text = if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") };
            match (scaled(mantissa, exponent, scale), decimal::parse(text.as_bytes(), scale)) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
                (Err(_), Err(_)) => {}
                (ours, theirs) => prop_assert!(false, "{} {:?} {:?}", text, ours, theirs),
            }
        }
    }
}
