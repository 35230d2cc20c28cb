//! Numbers out of text, eight digits at a time, or sixteen where the processor can.
//!
//! Eight bytes are loaded as one little-endian word, so the first digit is the lowest byte; adding and comparing
//! such words works on all eight at once. Everything unusual goes to `domain::decimal`, which is the authority.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(not(target_arch = "x86_64"))]
mod avx2 {
    /// Nothing has it here.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::venue::binance) enum Avx2 {}

    impl Avx2 {
        pub(in crate::venue::binance) fn detect() -> Option<Self> {
            None
        }
    }
}
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod layout;
#[cfg(target_arch = "x86_64")]
mod couple;
mod reading;
mod shape;

use crate::domain::{InstrumentIndex, Nanos};

use super::{DecodeError, DecodeReason};

pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use couple::{COUPLE, Closings, Couple};
#[cfg(target_arch = "x86_64")]
pub(super) use lanes::{Bounds, Digits, LANE, Lane, Places, Wrong, onward};
#[cfg(target_arch = "x86_64")]
pub(super) use layout::{LANES, Layouts, WHOLE_MAX};
pub(super) use reading::{ByWords, Reading};
pub(super) use shape::{Closing, Ending, Shape, Words};

/// A bit that every digit has, and no point, quote, comma or sign.
const DIGIT_BITS: u64 = 0x1010_1010_1010_1010;
/// `'0'` in every byte.
const ZEROS: u64 = 0x3030_3030_3030_3030;
/// The top bit of every byte.
const TOPS: u64 = 0x8080_8080_8080_8080;
/// Powers of ten that eight digits may be scaled by.
const POW10: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// A fault of the text at byte `at`; the instrument is filled in by whoever knows it.
pub(super) const fn fault(reason: DecodeReason, at: usize) -> DecodeError {
    DecodeError { reason, at, instrument: None::<InstrumentIndex> }
}

/// Not JSON, truncated, or of the wrong shape at byte `at`.
pub(super) const fn malformed(at: usize) -> DecodeError {
    fault(DecodeReason::Malformed, at)
}

/// The `N` bytes from `at`. Asked in this order, the compiler keeps one comparison of the two that a slice needs.
#[inline(always)]
pub(super) fn window<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    let last = bytes.len().checked_sub(N)?;
    if at > last { None } else { bytes.get(at..at + N)?.first_chunk::<N>() }
}

/// The eight bytes from `at`, zeros where the text has ended.
#[inline(always)]
pub(super) fn load(bytes: &[u8], at: usize) -> u64 {
    match window::<8>(bytes, at) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => load_tail(bytes, at),
    }
}

/// Near the end: the last eight bytes, moved down.
#[inline(never)]
fn load_tail(bytes: &[u8], at: usize) -> u64 {
    let missing = at.saturating_add(8) - bytes.len();
    match bytes.last_chunk::<8>() {
        Some(chunk) if missing < 8 => u64::from_le_bytes(*chunk) >> (8 * missing),
        Some(_) => 0,
        None => {
            let mut chunk = [0; 8];
            let rest = bytes.get(at..).unwrap_or_default();
            chunk[..rest.len()].copy_from_slice(rest);
            u64::from_le_bytes(chunk)
        }
    }
}

/// How many bytes of a word come before the first that cannot be a digit.
#[inline(always)]
const fn digits_at_most(word: u64) -> usize {
    (!word & DIGIT_BITS).trailing_zeros() as usize >> 3
}

/// How many digits a word starts with.
#[inline(always)]
pub(super) const fn leading_digits(word: u64) -> usize {
    count(word ^ ZEROS)
}

/// The same of a word already XORed with `ZEROS`.
#[inline(always)]
const fn count(word: u64) -> usize {
    (others(word).trailing_zeros() >> 3) as usize
}

/// The top bit of each byte of a word (already XORed with `ZEROS`) that is no digit, up to the first such byte;
/// behind it a top bit may be wrong.
///
/// A byte above 9 sets its top bit in the sum or has it already. A carry out of it reaches only later bytes.
#[inline(always)]
const fn others(word: u64) -> u64 {
    (word.wrapping_add(0x7676_7676_7676_7676) | word) & TOPS
}

/// Value of the first `count` (1 to 8) digits of a word (already XORed with `ZEROS`).
///
/// Shifted up, the digits stand behind zeros; then neighbours are joined to pairs, quadruples and the whole: each
/// product holds ten (a hundred, ten thousand) times the left one beside the right one.
#[inline(always)]
const fn value(word: u64, count: usize) -> u64 {
    eight(word << (64 - 8 * count))
}

/// Value of eight digits.
#[inline(always)]
const fn eight(word: u64) -> u64 {
    let pairs = (word.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let quadruples = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    quadruples.wrapping_mul(10_000 << 32 | 1) >> 32
}

/// Value of the first sixteen digits of `bytes`, if there are so many.
#[inline]
pub(in crate::venue) fn sixteen(bytes: &[u8]) -> Option<u64> {
    let [first, second] = [0, 8].map(|at| load(bytes, at) ^ ZEROS);
    (others(first) | others(second) == 0).then(|| eight(first) * POW10[8] + eight(second))
}

/// Reads an unsigned integer at `at`: its value and where it ends. `None` when there is none, when it has a leading
/// zero, or when it does not fit. The caller checks what follows: a point or an exponent is not eaten.
#[inline(always)]
pub(super) fn unsigned(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = load(bytes, at) ^ ZEROS;
    let digits = count(first);
    if digits < 8 {
        let leading_zero = first & 0xff == 0 && digits > 1;
        return if digits == 0 || leading_zero { None } else { Some((value(first, digits), at + digits)) };
    }
    let second = load(bytes, at + 8) ^ ZEROS;
    let more = count(second);
    if more == 8 || first & 0xff == 0 {
        return unsigned_long(bytes, at);
    }
    let high = value(first, 8);
    if more == 0 {
        Some((high, at + 8))
    } else {
        Some((high * POW10[more] + value(second, more), at + 8 + more))
    }
}

#[cold]
#[inline(never)]
fn unsigned_long(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    let mut end = at;
    while let Some(digit) = bytes.get(end).filter(|byte| byte.is_ascii_digit()) {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        end += 1;
    }
    (bytes.get(at) != Some(&b'0')).then_some((value, end))
}

/// Reads a time in milliseconds, as nearly all are, or what [`unsigned`] reads. Thirteen digits are tried first: a length
/// known beforehand keeps the processor from waiting for it.
#[inline(always)]
pub(super) fn milliseconds(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = load(bytes, at) ^ ZEROS;
    let second = load(bytes, at + 8) ^ ZEROS;
    if others(first) == 0 && first & 0xff != 0 && count(second) == 5 {
        return Some((value(first, 8) * POW10[5] + value(second, 5), at + 13));
    }
    unsigned(bytes, at)
}

/// A Unix time in milliseconds (13 digits) or microseconds (16 digits), as `timeUnit` in the URL chose
/// (binance.md §1). Also the length of its unit.
#[inline(always)]
pub(super) fn time(value: u64) -> Option<(Nanos, Nanos)> {
    let unit = match value {
        1_000_000_000_000..10_000_000_000_000 => 1_000_000,
        1_000_000_000_000_000..10_000_000_000_000_000 => 1_000,
        _ => return None,
    };
    i64::try_from(value).ok()?.checked_mul(unit).map(|nanos| (Nanos(nanos), Nanos(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_are_exact_or_refused() {
        for (text, expected) in [
            ("0,", Some((0, 1))),
            ("7", Some((7, 1))),
            ("12345678]", Some((12_345_678, 8))),
            ("123456789}", Some((123_456_789, 9))),
            ("1007198631260,", Some((1_007_198_631_260, 13))),
            ("18446744073709551615,", Some((u64::MAX, 20))),
            ("18446744073709551616,", None),
            ("01,", None),
            ("0123456789,", None),
            ("00000000000000001,", None),
            ("-1,", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(unsigned(text.as_bytes(), 0), expected, "{text}");
        }
    }

    #[test]
    fn times_are_milliseconds_or_microseconds() {
        let unit = |nanos| Nanos(nanos);
        assert_eq!(time(1_723_161_255_208), Some((Nanos(1_723_161_255_208_000_000), unit(1_000_000))));
        assert_eq!(time(1_723_161_255_208_001), Some((Nanos(1_723_161_255_208_001_000), unit(1_000))));
        for odd in [0, 1_723_161_255, 9_999_999_999_999, 1_723_161_255_208_000_000, u64::MAX] {
            assert_eq!(time(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn integers_agree_with_the_standard_library(value: u64, shift in 0_u32..64, tail in "[,}\\] ]{0,9}") {
            let text = format!("{}{tail}", value >> shift);
            let digits = text.len() - tail.len();
            prop_assert_eq!(unsigned(text.as_bytes(), 0), Some((value >> shift, digits)));
        }

        #[test]
        fn sixteen_digits_agree_with_the_standard_library(text in "[0-9]{16}", tail in "[0-9x]{0,9}", cut in 0_usize..16, odd in "[^0-9]") {
            let whole = format!("{text}{tail}");
            prop_assert_eq!(sixteen(whole.as_bytes()), text.parse().ok());
            let broken = format!("{}{odd}{}", &text[..cut], &text[cut..]);
            prop_assert_eq!(sixteen(broken.as_bytes()), None);
            prop_assert_eq!(sixteen(&text.as_bytes()[..cut]), None);
        }
    }
}
