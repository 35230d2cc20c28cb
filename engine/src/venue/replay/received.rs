//! The receive time that every line begins with.

use crate::venue::binance::number::sixteen;

/// What follows the receive time of nearly every line of a tape: its source, a stream, between tabs.
const STREAM: [u8; 4] = *b"\tws\t";

/// Nanoseconds since 1970 have nineteen digits.
const DIGITS: usize = 19;

/// Where the payload of such a line begins.
pub(super) const STREAM_PAYLOAD: usize = DIGITS + STREAM.len();

/// The receive time of a line of a stream, if `text` begins as nearly all do.
#[inline]
pub(super) fn of_stream(text: &[u8]) -> Option<i64> {
    let head: &[u8; STREAM_PAYLOAD] = text.first_chunk()?;
    let first = sixteen(head)?;
    let [hundreds, tens, ones, source @ ..] = head.last_chunk::<7>()?;
    let [hundreds, tens, ones] = [hundreds, tens, ones].map(|digit| u64::from(digit.wrapping_sub(b'0')));
    let digits = (hundreds <= 9) & (tens <= 9) & (ones <= 9);
    let value = first * 1_000 + hundreds * 100 + tens * 10 + ones;
    (digits & (*source == STREAM)).then(|| i64::try_from(value).ok())?
}

/// The unsigned integer that `text` begins with and its number of digits; `None` if there is none or it does not
/// fit.
pub(super) fn leading_integer(text: &[u8]) -> Option<(i64, usize)> {
    let head = sixteen(text).and_then(|value| i64::try_from(value).ok());
    let (mut value, mut digits) = head.map_or((0, 0), |value| (value, 16));
    for &byte in text[digits..].iter().take_while(|byte| byte.is_ascii_digit()) {
        value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
        digits += 1;
    }
    (digits > 0).then_some((value, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_told_at_once_and_as_digit_by_digit() {
        for (text, received) in [
            ("1723161255030314667\tws\t{}", Some(1_723_161_255_030_314_667)),
            ("0000000000000000000\tws\t", Some(0)),
            ("9223372036854775807\tws\tx", Some(i64::MAX)),
            ("9223372036854775808\tws\tx", None),
            ("9999999999999999999\tws\tx", None),
            ("172316125503031466\tws\t{}", None),
            ("17231612550303146670\tws\t{}", None),
            ("1723161255030314:67\tws\t{}", None),
            ("172316125503031466/\tws\t{}", None),
            ("17231612550303146x7\tws\t{}", None),
            ("172316125503031x667\tws\t{}", None),
            ("1723161255030314667\tws {}", None),
            ("1723161255030314667 ws\t{}", None),
            ("1723161255030314667\tw", None),
            ("", None),
        ] {
            assert_eq!(of_stream(text.as_bytes()), received, "{text}");
            let (_, digits) = leading_integer(text.as_bytes()).unwrap_or_default();
            if received.is_some() {
                assert_eq!(leading_integer(text.as_bytes()), received.map(|value| (value, digits)), "{text}");
            }
        }
        assert_eq!(leading_integer(b"12\t"), Some((12, 2)));
        assert_eq!(leading_integer(b"x"), None);
    }
}
