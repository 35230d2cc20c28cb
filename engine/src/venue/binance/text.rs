//! Numbers and names to text, without a format string: what is sent is written digit by digit into one buffer.

use crate::domain::OrderId;

/// Writes an integer.
pub(super) fn integer(out: &mut Vec<u8>, value: impl Into<i128>) {
    decimal(out, value, 0, 0);
}

/// Digits of the longest number: 2^127 has 39.
const DIGITS: usize = 40;

/// Digits that [`sixteen`] writes.
const SIXTEEN: usize = 16;

/// Writes the first `count` bytes of `bytes`. All are copied and the rest given back: a copy of a length that is known
/// beforehand is a few instructions, one of any other length is a call.
#[inline(always)]
fn push_some<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N], count: usize) {
    let length = out.len() + count;
    out.extend_from_slice(bytes);
    out.truncate(length);
}

/// Writes bytes of which there are few, as in a name: two copies of eight, which may overlap, are no call.
#[inline(always)]
fn push_few(out: &mut Vec<u8>, bytes: &[u8]) {
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) if bytes.len() <= 16 => {
            let mut all = [0; 16];
            all[..8].copy_from_slice(first);
            all[bytes.len() - 8..bytes.len()].copy_from_slice(last);
            push_some(out, &all, bytes.len());
        }
        _ => out.extend_from_slice(bytes),
    }
}

/// The eight digits of a number below 10^8, zeros in front included, one a byte and the first in the lowest.
///
/// All numbers of a step are split at once, each in a lane of the word: first into four digits each, then into two, then
/// into one. The quotients by 100 and by 10 are products with 2^20/100 and 2^10/10, rounded up, which are exact as far as
/// a lane goes.
#[inline(always)]
const fn eight(number: u32) -> u64 {
    let high = (number / 10_000) as u64;
    let fours = high | (number as u64 - high * 10_000) << 32;
    let quotients = (fours * 10_486) >> 20 & 0x0000_007f_0000_007f;
    let twos = quotients | (fours - quotients * 100) << 16;
    let quotients = (twos * 103) >> 10 & 0x000f_000f_000f_000f;
    quotients | (twos - quotients * 10) << 8
}

/// The sixteen digits of a number below 10^16, as [`eight`] has them.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
const fn sixteen(number: u64) -> u128 {
    let high = eight((number / 100_000_000) as u32) as u128;
    high | (eight((number % 100_000_000) as u32) as u128) << 64
}

/// Writes `value × 10^-scale` exactly: zeros at the end are left out, down to `at_least` decimals.
#[inline]
pub(super) fn decimal(out: &mut Vec<u8>, value: impl Into<i128>, scale: u8, at_least: u8) {
    let value = value.into();
    if value < 0 {
        out.push(b'-');
    }
    match u64::try_from(value.unsigned_abs()) {
        Ok(magnitude) if magnitude < 10_u64.pow(SIXTEEN as u32) && usize::from(scale) < SIXTEEN => {
            let digits = sixteen(magnitude);
            let mut text = [b'0'; 2 * SIXTEEN];
            text[..SIXTEEN].copy_from_slice(&(digits | u128::from_ne_bytes([b'0'; SIXTEEN])).to_le_bytes());
            let zeros = [digits.trailing_zeros() / 8, digits.leading_zeros() / 8].map(|zeros| zeros as usize);
            let (first, end) = (zeros[0], SIXTEEN - zeros[1]);
            put(out, [first, SIXTEEN - usize::from(scale), end], at_least, |out, from, to| {
                if let Some(chunk) = text.get(from..).and_then(<[u8]>::first_chunk::<SIXTEEN>) {
                    push_some(out, chunk, to - from);
                }
            });
        }
        _ => long(out, value.unsigned_abs(), scale, at_least),
    }
}

/// Writes the digits before and behind the point, of which the first that counts is at `first` and the last before
/// `end`; `write` writes those between two places.
#[inline(always)]
fn put(
    out: &mut Vec<u8>,
    [first, point, end]: [usize; 3],
    at_least: u8,
    write: impl Fn(&mut Vec<u8>, usize, usize),
) {
    write(out, first.min(point - 1), point);
    let shown = end.saturating_sub(point);
    if shown > 0 || at_least > 0 {
        out.push(b'.');
        write(out, point, point + shown);
        out.resize(out.len() + usize::from(at_least).saturating_sub(shown), b'0');
    }
}

/// More digits than a word splits into at once: few numbers need it.
#[cold]
fn long(out: &mut Vec<u8>, magnitude: u128, scale: u8, at_least: u8) {
    let mut digits = [b'0'; DIGITS];
    let (mut first, mut rest) = (DIGITS, magnitude);
    while rest > 0 {
        first -= 1;
        digits[first] = digit((rest % 10) as u64);
        rest /= 10;
    }
    let end = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
    put(out, [first, DIGITS - usize::from(scale), end], at_least, |out, from, to| {
        out.extend_from_slice(&digits[from..to]);
    });
}

const fn digit(value: u64) -> u8 {
    b'0' + value as u8
}

/// Writes an order id as `OrderId` shows itself, with another first letter.
#[inline]
pub(super) fn order_id(out: &mut Vec<u8>, letter: u8, id: OrderId) {
    let parts = [id.epoch, u32::from(id.source.0), u32::from(id.source_epoch)];
    if parts.iter().all(|&part| part < 16) {
        let [epoch, source, source_epoch] = parts.map(|part| hexadecimal(u64::from(part) << 60)[0]);
        out.extend_from_slice(&[letter, b'-', epoch, b'-', source, b'-', source_epoch]);
    } else {
        out.push(letter);
        parts.iter().for_each(|&part| hexadecimal_part(out, part.into()));
    }
    hexadecimal_part(out, id.sequence);
}

/// Writes a part of an id and the dash before it.
#[inline(always)]
fn hexadecimal_part(out: &mut Vec<u8>, part: u64) {
    out.push(b'-');
    let places = (16 - part.leading_zeros() / 4).max(1);
    // The first digit that counts comes first.
    push_some(out, &hexadecimal(part << (64 - 4 * places)), places as usize);
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

/// Writes a name that has nothing to escape.
#[inline(always)]
pub(super) fn plain(out: &mut Vec<u8>, name: &'static str) {
    push_few(out, name.as_bytes());
}

/// Writes a string in quotes.
#[inline]
pub(super) fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        push_few(out, text.as_bytes());
        out.push(b'"');
    } else {
        escaped(out, text);
    }
}

/// Writes the rest of a string that cannot stand as it is.
#[cold]
fn escaped(out: &mut Vec<u8>, text: &str) {
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

    #[test]
    fn names_of_every_length_are_copied_whole() {
        for length in 0..40 {
            let name = &"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[..length];
            assert_eq!(written(|out| quoted(out, name)), format!("\"{name}\""));
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_domain(value: i128, cut in 0_u32..128, scale in 0_u8..=18) {
            let scale = Scale::new(scale).expect("a valid scale");
            // Numbers of every length: those of up to sixteen digits are written in a way of their own.
            for value in [value, value >> cut, (value >> cut) / 1_000_i128 * 1_000] {
                let shown = Decimal::new(value, scale).to_string();
                prop_assert_eq!(written(|out| decimal(out, value, scale.digits(), 0)), shown);
                prop_assert_eq!(written(|out| integer(out, value)), value.to_string());
            }
        }

        #[test]
        fn order_ids_are_written_as_they_show(parts: (u32, u16, u16), sequence: u64, cut in 0..64, short: bool) {
            // Nearly all ids have parts of one digit.
            let most = if short { 16 } else { u32::MAX };
            let (epoch, source, source_epoch) = parts;
            let [source, source_epoch] = [source, source_epoch].map(|part| part % most.min(u32::from(u16::MAX)) as u16);
            let (epoch, source, sequence) = (epoch % most, SourceId(source), sequence >> cut);
            let id = OrderId { epoch, source, source_epoch, sequence };
            prop_assert_eq!(written(|out| order_id(out, b't', id)), id.to_string());
        }
    }
}
