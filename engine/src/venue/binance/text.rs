//! Numbers and names to text, without a format string: what is sent is written digit by digit into one buffer.

use crate::domain::OrderId;

/// Writes an integer.
pub(super) fn integer(out: &mut Vec<u8>, value: impl Into<i128>) {
    decimal(out, value, 0, 0);
}

/// Writes `value × 10^-scale` exactly: zeros at the end are left out, down to `at_least` decimals.
pub(super) fn decimal(out: &mut Vec<u8>, value: impl Into<i128>, scale: u8, at_least: u8) {
    let value = value.into();
    if value < 0 {
        out.push(b'-');
    }
    // Two pieces of at most 19 digits: dividing 128 bits is slow, and few numbers need it.
    let magnitude = value.unsigned_abs();
    let mut digits = [b'0'; 40];
    let mut first = digits.len();
    let mut rest = magnitude;
    while rest > u128::from(u64::MAX) {
        first -= 1;
        digits[first] = digit((rest % 10) as u64);
        rest /= 10;
    }
    let mut rest = rest as u64;
    while rest > 0 {
        first -= 1;
        digits[first] = digit(rest % 10);
        rest /= 10;
    }
    let point = digits.len() - usize::from(scale);
    let start = first.min(point - 1);
    let keep = point + usize::from(at_least.min(scale));
    let mut end = digits.len();
    while end > keep && digits[end - 1] == b'0' {
        end -= 1;
    }
    out.extend_from_slice(&digits[start..point]);
    if end > point || at_least > 0 {
        out.push(b'.');
        out.extend_from_slice(&digits[point..end]);
        out.resize(out.len() + usize::from(at_least).saturating_sub(end - point), b'0');
    }
}

const fn digit(value: u64) -> u8 {
    b'0' + value as u8
}

/// Writes an order id as `OrderId` shows itself, with another first letter.
pub(super) fn order_id(out: &mut Vec<u8>, letter: u8, id: OrderId) {
    out.push(letter);
    let parts = [u64::from(id.epoch), u64::from(id.source.0), u64::from(id.source_epoch), id.sequence];
    for part in parts {
        out.push(b'-');
        let digits = (16 - part.leading_zeros() / 4).max(1);
        out.extend((0..digits).rev().map(|place| b"0123456789abcdef"[(part >> (4 * place)) as usize & 15]));
    }
}

/// Writes a string in quotes.
pub(super) fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                b'0' + (byte >> 4),
                b"0123456789abcdef"[usize::from(byte & 15)],
            ]),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Decimal, Scale, SourceId};
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn decimals_are_padded_on_request() {
        assert_eq!(written(|out| decimal(out, 150_000_000, 8, 0)), "1.5");
        assert_eq!(written(|out| decimal(out, 150_000_000, 8, 8)), "1.50000000");
        assert_eq!(written(|out| decimal(out, -5, 3, 8)), "-0.00500000");
        assert_eq!(written(|out| decimal(out, 0, 8, 0)), "0");
        assert_eq!(written(|out| decimal(out, 7, 0, 8)), "7.00000000");
        assert_eq!(
            written(|out| decimal(out, i128::MIN, 36, 0)),
            "-170.141183460469231731687303715884105728"
        );
        assert_eq!(written(|out| quoted(out, "a\"\\\n币")), "\"a\\\"\\\\\\u000a币\"");
    }

    proptest! {
        #[test]
        fn agrees_with_the_domain(value: i128, small: i64, scale in 0_u8..=18) {
            let scale = Scale::new(scale).expect("a valid scale");
            for value in [value, i128::from(small)] {
                let shown = Decimal::new(value, scale).to_string();
                prop_assert_eq!(written(|out| decimal(out, value, scale.digits(), 0)), shown);
                prop_assert_eq!(written(|out| integer(out, value)), value.to_string());
            }
        }

        #[test]
        fn order_ids_are_written_as_they_show(epoch: u32, source: u16, source_epoch: u16, sequence: u64, cut in 0..64) {
            let id = OrderId { epoch, source: SourceId(source), source_epoch, sequence: sequence >> cut };
            prop_assert_eq!(written(|out| order_id(out, b't', id)), id.to_string());
        }
    }
}
