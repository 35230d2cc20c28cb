//! Writes JSON as Binance does, into a buffer that is used again: nothing is allocated once it has grown.

use crate::domain::Scale;

/// Decimals of every price and quantity of spot.
const WIRE_DECIMALS: usize = 8;

/// Most digits of an `i128`.
const DIGITS_MAX: usize = 39;

/// A frame being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Json(Vec<u8>);

impl Json {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Writes text as it is: members, punctuation, and names that need no escapes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn integer(&mut self, value: impl Into<i128>) -> &mut Self {
        let value = value.into();
        if value < 0 {
            self.0.push(b'-');
        }
        self.digits(value.unsigned_abs(), 1);
        self
    }

    /// `"value"` in quotes with eight decimals; `scale` has at most as many.
    pub(super) fn decimal(&mut self, value: impl Into<i128>, scale: Scale) -> &mut Self {
        let value = value.into();
        let unit = u128::from(scale.unit().unsigned_abs());
        let decimals = usize::from(scale.digits());
        self.0.extend_from_slice(if value < 0 { b"\"-" } else { b"\"" });
        self.digits(value.unsigned_abs() / unit, 1);
        self.0.push(b'.');
        if decimals > 0 {
            self.digits(value.unsigned_abs() % unit, decimals);
        }
        for _ in decimals..WIRE_DECIMALS {
            self.0.push(b'0');
        }
        self.0.push(b'"');
        self
    }

    /// Digits of `value`, at least `width` of them.
    fn digits(&mut self, mut value: u128, width: usize) {
        let mut digits = [b'0'; DIGITS_MAX];
        let mut at = DIGITS_MAX;
        while value > 0 {
            at -= 1;
            // The remainder is below ten.
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        self.0.extend_from_slice(&digits[at.min(DIGITS_MAX - width)..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Decimal;
    use proptest::prelude::*;

    fn scale(digits: u8) -> Scale {
        Scale::new(digits).expect("a scale")
    }

    #[test]
    fn numbers_look_like_binances() {
        let mut json = Json::default();
        json.decimal(6_183_763, scale(2)).text(",").decimal(5, scale(3)).text(",").decimal(7, scale(0));
        json.text(",").integer(0).text(",").integer(-120).text(",").decimal(0, scale(8));
        assert_eq!(json.bytes(), br#""61837.63000000","0.00500000","7.00000000",0,-120,"0.00000000""#);
    }

    proptest! {
        #[test]
        fn decimals_are_exact(value in i64::MIN + 1..i64::MAX, digits in 0_u8..=8) {
            let mut json = Json::default();
            json.decimal(value, scale(digits));
            let text = String::from_utf8(json.into_bytes()).expect("ASCII");
            let text = text.trim_matches('"');
            prop_assert_eq!(text.rsplit('.').next().map(str::len), Some(WIRE_DECIMALS));
            let plain = text.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(plain, Decimal::new(value, scale(digits)).to_string());
        }
    }
}
