//! The insides of strings: escapes.

use crate::venue::binance::DecodeError;
use crate::venue::binance::number::malformed;

/// Longest text that [`Text::resolve`] unescapes: the longest symbol or client order id.
pub(in crate::venue::binance) const TEXT_BYTES_MAX: usize = 40;

/// The inside of a string, as it stands in the frame.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Text<'a> {
    /// Its bytes: valid UTF-8, escapes not resolved.
    pub(in crate::venue::binance) raw: &'a [u8],
    pub(in crate::venue::binance) escaped: bool,
}

impl<'a> Text<'a> {
    /// The text itself. `None` where it has escapes that are no text or that do not fit `buffer`.
    pub(in crate::venue::binance) fn resolve<'b>(
        &self,
        buffer: &'b mut [u8; TEXT_BYTES_MAX],
    ) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        if self.escaped { unescape(self.raw, buffer) } else { Some(self.raw) }
    }
}

/// How long the escape at `at` is. By value, because a cursor that is lent out lives in memory, and everything waits
/// for it there.
#[cold]
#[inline(never)]
pub(super) fn escape(bytes: &[u8], at: usize) -> Result<usize, DecodeError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') if hex4(bytes, at + 2).is_some() => Ok(6),
        _ => Err(malformed(at)),
    }
}

/// Four hexadecimal digits.
fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, &byte| Some(value << 4 | char::from(byte).to_digit(16)?))
}

/// Resolves the escapes of a string that `Cursor::string` has passed.
#[cold]
fn unescape<'b>(raw: &[u8], buffer: &'b mut [u8; TEXT_BYTES_MAX]) -> Option<&'b [u8]> {
    let mut length = 0;
    let mut at = 0;
    while at < raw.len() {
        let (letter, used) = if raw[at] == b'\\' { escaped_char(raw, at)? } else { (None, 1) };
        let mut utf8 = [0; 4];
        let bytes = match letter {
            Some(letter) => letter.encode_utf8(&mut utf8).as_bytes(),
            None => &raw[at..=at],
        };
        buffer.get_mut(length..length + bytes.len())?.copy_from_slice(bytes);
        length += bytes.len();
        at += used;
    }
    Some(&buffer[..length])
}

/// The character of the escape at `at` and how many bytes it takes.
fn escaped_char(raw: &[u8], at: usize) -> Option<(Option<char>, usize)> {
    let plain = |letter: u8| Some((Some(char::from(letter)), 2));
    match *raw.get(at + 1)? {
        b'b' => plain(0x08),
        b'f' => plain(0x0c),
        b'n' => plain(b'\n'),
        b'r' => plain(b'\r'),
        b't' => plain(b'\t'),
        b'u' => {
            let high = hex4(raw, at + 2)?;
            if !(0xd800..0xdc00).contains(&high) {
                return Some((Some(char::from_u32(high)?), 6));
            }
            let low = hex4(raw, at + 8)
                .filter(|low| raw[at + 6..at + 8] == *b"\\u" && (0xdc00..0xe000).contains(low))?;
            Some((Some(char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?), 12))
        }
        other => plain(other),
    }
}
