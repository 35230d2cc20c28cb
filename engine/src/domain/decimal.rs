//! Exact conversion between decimal text and scaled integers. Nothing here rounds.

use std::fmt;

/// How many decimal digits follow the point in a scaled integer: the value is `integer × 10^-scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scale(u8);

/// Powers of ten that fit an `i64`.
const POW10: [i64; 19] = {
    let mut table = [1_i64; 19];
    let mut i = 1;
    while i < 19 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

impl Scale {
    /// The finest scale: `10^18` is the largest power of ten in an `i64`.
    pub const MAX: Self = Self(18);
    /// Whole units.
    pub const ZERO: Self = Self(0);

    /// A scale of `digits` decimals; `None` above 18.
    #[must_use]
    pub const fn new(digits: u8) -> Option<Self> {
        if digits <= Self::MAX.0 { Some(Self(digits)) } else { None }
    }

    /// Number of decimal digits.
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.0
    }

    /// `10^digits`.
    #[must_use]
    pub const fn unit(self) -> i64 {
        POW10[self.0 as usize]
    }
}

/// Why a decimal text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the form `-?digits(.digits)?`.
    #[error("not a plain decimal number")]
    Malformed,
    /// Digits other than zero beyond the scale: the value would have to be rounded.
    #[error("more decimals than the instrument's scale")]
    Precision,
    /// Outside the range of a 64-bit integer at this scale.
    #[error("out of range at the instrument's scale")]
    Range,
}

/// Reads `-?digits(.digits)?` exactly into an integer at `scale`.
///
/// # Errors
/// When the text has another form, has non-zero digits beyond `scale`, or does not fit an `i64`.
pub fn parse(text: &[u8], scale: Scale) -> Result<i64, DecimalError> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let point = digits.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &digits[..0]),
    };
    if whole.is_empty() || (point.is_some() && fraction.is_empty()) {
        return Err(DecimalError::Malformed);
    }
    let kept = fraction.len().min(usize::from(scale.0));
    let mut value = 0_i64;
    for &byte in whole.iter().chain(&fraction[..kept]) {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::Malformed);
        }
        let digit = i64::from(byte - b'0');
        value = value.checked_mul(10).and_then(|v| v.checked_add(digit)).ok_or(DecimalError::Range)?;
    }
    for &byte in &fraction[kept..] {
        match byte {
            b'0' => {}
            b'1'..=b'9' => return Err(DecimalError::Precision),
            _ => return Err(DecimalError::Malformed),
        }
    }
    let missing = usize::from(scale.0) - kept;
    let value = value.checked_mul(POW10[missing]).ok_or(DecimalError::Range)?;
    Ok(if negative { -value } else { value })
}

/// A scaled integer shown as a plain decimal without trailing zeros: `61837.63`, `0`, `-0.5`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// The integer.
    pub value: i128,
    /// Digits after the point in `value`.
    pub scale: u8,
}

impl Decimal {
    /// `value × 10^-scale`.
    #[must_use]
    pub fn new(value: impl Into<i128>, scale: Scale) -> Self {
        Self { value: value.into(), scale: scale.digits() }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut scale = usize::from(self.scale);
        let mut magnitude = self.value.unsigned_abs();
        while scale > 0 && magnitude.is_multiple_of(10) {
            magnitude /= 10;
            scale -= 1;
        }
        if self.value < 0 {
            f.write_str("-")?;
        }
        let unit = 10_u128.pow(u32::try_from(scale).unwrap_or(0));
        write!(f, "{}", magnitude / unit)?;
        if scale > 0 {
            write!(f, ".{:0width$}", magnitude % unit, width = scale)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scale(digits: u8) -> Scale {
        Scale::new(digits).expect("a valid scale")
    }

    #[test]
    fn reads_exactly_or_refuses() {
        assert_eq!(parse(b"61837.63000000", scale(2)), Ok(6_183_763));
        assert_eq!(parse(b"0.00000001", scale(8)), Ok(1));
        assert_eq!(parse(b"-1.5", scale(1)), Ok(-15));
        assert_eq!(parse(b"7", scale(3)), Ok(7_000));
        assert_eq!(parse(b"1.05", scale(1)), Err(DecimalError::Precision));
        assert_eq!(parse(b"92233720368547758.08", scale(2)), Err(DecimalError::Range));
        for bad in [&b""[..], b"-", b".5", b"5.", b"1e3", b"1.2.3", b" 1", b"1,0", b"+1", b"0x1", b"1.0a"] {
            assert_eq!(parse(bad, scale(2)), Err(DecimalError::Malformed), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn text_survives_the_round_trip(value in -i64::MAX..i64::MAX, digits in 0_u8..=18) {
            let text = Decimal::new(value, scale(digits)).to_string();
            prop_assert_eq!(parse(text.as_bytes(), scale(digits)), Ok(value));
        }
    }
}
