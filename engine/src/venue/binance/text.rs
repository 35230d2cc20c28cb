//! Numbers and names to text, without a format string: what is sent is written digit by digit into one buffer.

use crate::domain::OrderId;

/// Writes an integer.
pub(super) fn integer(out: &mut Vec<u8>, value: impl Into<i128>) {
    decimal(out, value, 0, 0);
}

/// Digits of the longest number: 2^127 has 39.
const DIGITS: usize = 40;

/// The two digits of every number below a hundred.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [digit(number as u64 / 10), digit(number as u64 % 10)];
        number += 1;
    }
    pairs
};

/// Writes the first `count` bytes of `bytes`. All are copied and the rest given back: a copy of a length that is known
/// beforehand is a few instructions, one of any other length is a call.
#[inline(always)]
fn push_some<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N], count: usize) {
    let length = out.len() + count;
    out.extend_from_slice(bytes);
    out.truncate(length);
}

/// Writes the digits of `rest` into `digits`, ending before `first`; says where they begin. Zero has none.
#[inline(always)]
fn put_digits(digits: &mut [u8; 2 * DIGITS], mut first: usize, mut rest: u64) -> usize {
    while rest >= 10 {
        first -= 2;
        digits[first..first + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    if rest > 0 {
        first -= 1;
        digits[first] = digit(rest);
    }
    first
}

/// Writes `value × 10^-scale` exactly: zeros at the end are left out, down to `at_least` decimals.
#[inline]
pub(super) fn decimal(out: &mut Vec<u8>, value: impl Into<i128>, scale: u8, at_least: u8) {
    let value = value.into();
    if value < 0 {
        out.push(b'-');
    }
    let magnitude = value.unsigned_abs();
    // The second half is what copies of a fixed length take along.
    let mut digits = [b'0'; 2 * DIGITS];
    let first = match u64::try_from(magnitude) {
        Ok(magnitude) => put_digits(&mut digits, DIGITS, magnitude),
        Err(_) => put_long(&mut digits, magnitude),
    };
    let point = DIGITS - usize::from(scale);
    let start = first.min(point - 1);
    let keep = point + usize::from(at_least.min(scale));
    let mut end = DIGITS;
    while end > keep && digits[end - 1] == b'0' {
        end -= 1;
    }
    push_from(out, &digits, start, point);
    if end > point || at_least > 0 {
        out.push(b'.');
        push_from(out, &digits, point, end);
        out.resize(out.len() + usize::from(at_least).saturating_sub(end - point), b'0');
    }
}

/// Writes the digits from `start` to `end`.
#[inline(always)]
fn push_from(out: &mut Vec<u8>, digits: &[u8; 2 * DIGITS], start: usize, end: usize) {
    match digits.get(start..).and_then(<[u8]>::first_chunk::<16>) {
        Some(chunk) if end - start <= 16 => push_some(out, chunk, end - start),
        _ => out.extend_from_slice(&digits[start..end]),
    }
}

/// More than 64 bits: dividing 128 bits is slow, and few numbers need it.
#[cold]
fn put_long(digits: &mut [u8; 2 * DIGITS], mut rest: u128) -> usize {
    let mut first = DIGITS;
    while rest > u128::from(u64::MAX) {
        first -= 1;
        digits[first] = digit((rest % 10) as u64);
        rest /= 10;
    }
    put_digits(digits, first, rest as u64)
}

const fn digit(value: u64) -> u8 {
    b'0' + value as u8
}

/// Writes an order id as `OrderId` shows itself, with another first letter.
#[inline]
pub(super) fn order_id(out: &mut Vec<u8>, letter: u8, id: OrderId) {
    out.push(letter);
    let parts = [u64::from(id.epoch), u64::from(id.source.0), u64::from(id.source_epoch), id.sequence];
    for part in parts {
        out.push(b'-');
        let places = (16 - part.leading_zeros() / 4).max(1);
        // The first digit that counts comes first.
        let text = hexadecimal(part << (64 - 4 * places));
        push_some(out, &text, places as usize);
    }
}

/// The sixteen hexadecimal digits of a word.
#[inline(always)]
fn hexadecimal(word: u64) -> [u8; 16] {
    // Spread to one digit a byte, then 9 or less is '0' and up, the rest 'a' and up: all bytes at once.
    let spread = |half: u32| {
        let half = u64::from(half);
        let half = (half | half << 16) & 0x0000_ffff_0000_ffff;
        let half = (half | half << 8) & 0x00ff_00ff_00ff_00ff;
        (half | half << 4) & 0x0f0f_0f0f_0f0f_0f0f
    };
    let text = |digits: u64| {
        let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        (digits + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
    };
    let (high, low) = (text(spread((word >> 32) as u32)), text(spread(word as u32)));
    std::array::from_fn(|at| if at < 8 { high[at] } else { low[at - 8] })
}

/// Writes a string in quotes.
pub(super) fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
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
