//! Numbers and names to text, without a format string: what is sent is written digit by digit into one buffer.
//!
//! It is copied in pieces of a length that is known beforehand, which are a few instructions each where any other length is
//! a call; what a piece has too much, the next one overwrites.

use std::mem::MaybeUninit;

use crate::domain::OrderId;

/// Where text goes.
pub(super) trait Sink {
    /// Writes the first `count` bytes of `bytes`, or all if there are fewer.
    fn put<const N: usize>(&mut self, bytes: &[u8; N], count: usize);

    /// Writes all of `bytes`.
    fn all(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: &[u8; N], count: usize) {
        let length = self.len() + count.min(N);
        self.extend_from_slice(bytes);
        self.truncate(length);
    }

    #[inline(always)]
    fn all(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Room behind a vector's last byte. Where what is left of it begins is in a register and not in memory, where every piece
/// would wait for the one before; and nobody asks for more of it.
pub(super) struct Page<'a> {
    left: &'a mut [MaybeUninit<u8>],
}

/// Appends to `out` what `write` writes, which is at most `room` bytes less the longest piece.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn page(out: &mut Vec<u8>, room: usize, write: impl FnOnce(&mut Page<'_>)) {
    out.reserve(room);
    let length = out.len();
    let mut page = Page { left: &mut out.spare_capacity_mut()[..room] };
    write(&mut page);
    let taken = room - page.left.len();
    // SAFETY: `taken` is at most `room`, which is reserved, and all bytes before it are written: all of the room is left at
    // first, and each of the two functions that move its beginning has written all bytes that it passes, or has panicked
    // before.
    unsafe { out.set_len(length + taken) };
}

impl Sink for Page<'_> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: &[u8; N], count: usize) {
        let left = std::mem::take(&mut self.left);
        left[..N].write_copy_of_slice(bytes);
        self.left = &mut left[count.min(N)..];
    }

    #[inline(always)]
    fn all(&mut self, bytes: &[u8]) {
        let left = std::mem::take(&mut self.left);
        left[..bytes.len()].write_copy_of_slice(bytes);
        self.left = &mut left[bytes.len()..];
    }
}

/// Writes an integer.
#[inline(always)]
pub(super) fn integer(out: &mut impl Sink, value: impl Into<i128>) {
    decimal(out, value, 0, 0);
}

/// Writes a time in milliseconds, as nearly all are, or what [`integer`] writes: of thirteen digits, nothing is looked for.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
pub(super) fn milliseconds(out: &mut impl Sink, value: i64) {
    match u64::try_from(value) {
        Ok(value @ 1_000_000_000_000..10_000_000_000_000) => {
            let [high, low] =
                [value / 100_000_000, value % 100_000_000].map(|half| eight(half as u32) | ZEROS);
            out.put(&(high >> 24).to_le_bytes(), 5);
            out.put(&low.to_le_bytes(), 8);
        }
        _ => integer(out, value),
    }
}

/// Eight digits that are zero.
const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// Digits of the longest number: 2^127 has 39.
const DIGITS: usize = 40;

/// The digits of hexadecimal numbers.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The first and the last bytes of few, as in a name, which may overlap: two copies of a length that is known are no call.
#[inline(always)]
fn ends<const N: usize>(bytes: &[u8]) -> Option<[&[u8; N]; 2]> {
    let short = bytes.len() <= 2 * N;
    short.then(|| Some([bytes.first_chunk()?, bytes.last_chunk()?])).flatten()
}

/// Writes bytes of which there are few.
#[inline(always)]
fn few(out: &mut impl Sink, bytes: &[u8]) {
    if let Some([first, last]) = ends::<4>(bytes) {
        out.put(first, bytes.len() - 4);
        out.put(last, 4);
    } else if let Some([first, last]) = ends::<8>(bytes) {
        out.put(first, bytes.len() - 8);
        out.put(last, 8);
    } else {
        out.all(bytes);
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

/// Writes a number whose digits fit a word; they stay in registers, for what has just been written byte by byte would be
/// waited for when it is read whole.
macro_rules! write_digits {
    ($out:ident, $word:ty, $digits:expr, $scale:ident, $at_least:ident) => {{
        const PLACES: u32 = size_of::<$word>() as u32;
        let digits: $word = $digits;
        let text = digits | <$word>::from_ne_bytes([b'0'; PLACES as usize]);
        // Bits of the places: where the first digit stands that counts, where the point, and what is behind it without the
        // zeros at the end.
        let point = (PLACES - u32::from($scale)) * 8;
        let first = (digits.trailing_zeros() & !7).min(point - 8);
        $out.put(&(text >> first).to_le_bytes(), (point - first) as usize / 8);
        let shown = (PLACES * 8 - (digits.leading_zeros() & !7)).saturating_sub(point) as usize / 8;
        if shown > 0 || $at_least > 0 {
            // With the point no more than there are places, for there is one before it; none of it is left without a scale.
            let fraction = text.checked_shr(point).unwrap_or(0);
            $out.put(&(fraction << 8 | <$word>::from(b'.')).to_le_bytes(), 1 + shown);
            pad($out, usize::from($at_least).saturating_sub(shown));
        }
    }};
}

/// Writes `value × 10^-scale` exactly: zeros at the end are left out, down to `at_least` decimals.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
pub(super) fn decimal(out: &mut impl Sink, value: impl Into<i128>, scale: u8, at_least: u8) {
    let value = value.into();
    if value < 0 {
        out.put(b"-", 1);
    }
    match u64::try_from(value.unsigned_abs()) {
        Ok(magnitude) if magnitude < 10_u64.pow(8) && scale < 8 => {
            write_digits!(out, u64, eight(magnitude as u32), scale, at_least);
        }
        Ok(magnitude) if magnitude < 10_u64.pow(16) && scale < 16 => {
            write_digits!(out, u128, sixteen(magnitude), scale, at_least);
        }
        _ => long(out, value.unsigned_abs(), scale, at_least),
    }
}

/// Writes zeros.
#[inline(always)]
fn pad(out: &mut impl Sink, count: usize) {
    for written in (0..count).step_by(16) {
        out.put(&[b'0'; 16], count - written);
    }
}

/// More digits than a word splits into at once: few numbers need it.
#[cold]
fn long(out: &mut impl Sink, magnitude: u128, scale: u8, at_least: u8) {
    let mut digits = [b'0'; DIGITS];
    let (mut first, mut rest) = (DIGITS, magnitude);
    while rest > 0 {
        first -= 1;
        digits[first] = digit((rest % 10) as u64);
        rest /= 10;
    }
    let (point, end) = (DIGITS - usize::from(scale), digits.iter().rposition(|&digit| digit != b'0'));
    out.all(&digits[first.min(point - 1)..point]);
    let end = end.map_or(0, |last| last + 1).max(point);
    if end > point || at_least > 0 {
        out.all(b".");
        out.all(&digits[point..end]);
        pad(out, usize::from(at_least).saturating_sub(end - point));
    }
}

const fn digit(value: u64) -> u8 {
    b'0' + value as u8
}

/// The text of an order id, as `OrderId` shows itself but for its first letter. Requests name the same one twice or more: it
/// is put together once.
#[derive(Clone, Copy)]
pub(super) struct IdText {
    id: OrderId,
    /// What stands between the letter and the sequence, in place of a letter a zero, if each part has one digit.
    parts: Option<u64>,
    sequence: Hexadecimal,
}

impl IdText {
    /// Of `id`.
    #[inline(always)]
    pub(super) fn of(id: OrderId) -> Self {
        let parts = Self::parts_of(id).map(|part| HEX.get(part as usize));
        let parts = if let [Some(epoch), Some(source), Some(source_epoch)] = parts {
            Some(u64::from_le_bytes([0, b'-', *epoch, b'-', *source, b'-', *source_epoch, b'-']))
        } else {
            None
        };
        Self { id, parts, sequence: Hexadecimal::of(id.sequence) }
    }

    fn parts_of(id: OrderId) -> [u32; 3] {
        [id.epoch, u32::from(id.source.0), u32::from(id.source_epoch)]
    }

    /// Writes it with `letter` in front.
    #[inline(always)]
    pub(super) fn write(&self, out: &mut impl Sink, letter: u8) {
        if let Some(parts) = self.parts {
            out.put(&(parts | u64::from(letter)).to_le_bytes(), 8);
        } else {
            out.put(&[letter, b'-'], 2);
            for part in Self::parts_of(self.id) {
                Hexadecimal::of(part.into()).write(out);
                out.put(b"-", 1);
            }
        }
        self.sequence.write(out);
    }
}

/// The digits of a number in hexadecimal, without zeros in front.
#[derive(Clone, Copy)]
struct Hexadecimal {
    digits: u128,
    places: u32,
}

impl Hexadecimal {
    /// Of `number`.
    #[inline(always)]
    fn of(number: u64) -> Self {
        let places = (16 - number.leading_zeros() / 4).max(1);
        // The first digit that counts comes first. Few numbers have more digits than half a word.
        let digits = match u32::try_from(number) {
            Ok(number) => Self::text(number << (32 - 4 * places)).into(),
            Err(_) => {
                let word = number << (64 - 4 * places);
                u128::from(Self::text((word >> 32) as u32)) | u128::from(Self::text(word as u32)) << 64
            }
        };
        Self { digits, places }
    }

    /// Eight digits: spread to one a byte, then 9 or less is '0' and up, the rest 'a' and up: all bytes at once.
    #[inline(always)]
    const fn text(number: u32) -> u64 {
        let spread = number as u64;
        let spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
        let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
        let digits = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        (digits + ZEROS + letters * (b'a' - b'0' - 10) as u64).swap_bytes()
    }

    #[inline(always)]
    fn write(self, out: &mut impl Sink) {
        out.put(&self.digits.to_le_bytes(), self.places as usize);
    }
}

/// Writes a name that has nothing to escape.
#[inline(always)]
pub(super) fn plain(out: &mut impl Sink, name: &'static str) {
    few(out, name.as_bytes());
}

/// Most bytes that `text` takes in quotes.
pub(super) const fn quoted_max(text: &str) -> usize {
    quoted_length_max(text.len())
}

/// Most bytes of a text of `length` bytes in quotes.
pub(super) const fn quoted_length_max(length: usize) -> usize {
    length * ESCAPED + 2
}

/// Bytes of a character that cannot stand as it is.
const ESCAPED: usize = 6;

/// Whether a byte of `word` cannot stand in a string as it is: below a space, a quote or a backslash.
#[inline(always)]
const fn has_special(word: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let (quote, backslash) = (word ^ (ONES * b'"' as u64), word ^ (ONES * b'\\' as u64));
    // The lowest byte that is below what is taken from it turns its high bit on; those below it do not.
    let spaces = word.wrapping_sub(ONES * b' ' as u64) & !word;
    let quotes = quote.wrapping_sub(ONES) & !quote;
    let backslashes = backslash.wrapping_sub(ONES) & !backslash;
    (spaces | quotes | backslashes) & (ONES << 7) != 0
}

/// Writes a string in quotes.
#[inline(always)]
pub(super) fn quoted(out: &mut impl Sink, text: &str) {
    let bytes = text.as_bytes();
    let special = if let Some(ends) = ends::<4>(bytes) {
        let [first, last] = ends.map(|four| u64::from(u32::from_le_bytes(*four)));
        has_special(first | last << 32)
    } else if let Some(ends) = ends::<8>(bytes) {
        ends.iter().any(|eight| has_special(u64::from_le_bytes(**eight)))
    } else {
        bytes.iter().any(|&byte| byte < b' ' || byte == b'"' || byte == b'\\')
    };
    out.put(b"\"", 1);
    if special {
        escaped(out, text);
    } else {
        few(out, bytes);
    }
    out.put(b"\"", 1);
}

/// Writes a string that cannot stand as it is.
#[cold]
fn escaped(out: &mut impl Sink, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.put(&[b'\\', byte], 2),
            0..=0x1f => out.all(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), HEX[usize::from(byte & 15)]]),
            _ => out.put(&[byte], 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Decimal, Scale, SourceId};
    use proptest::prelude::*;

    fn in_vector(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    /// What is written, the same on a page and behind it.
    macro_rules! written {
        ($write:expr) => {{
            let (text, mut behind) = (in_vector($write), b"kept".to_vec());
            page(&mut behind, 512, $write);
            assert_eq!(behind, [b"kept", text.as_slice()].concat());
            String::from_utf8(text).expect("text")
        }};
    }

    #[test]
    fn decimals_are_padded_on_request() {
        assert_eq!(written!(|out| decimal(out, 150_000_000, 8, 0)), "1.5");
        assert_eq!(written!(|out| decimal(out, 150_000_000, 8, 8)), "1.50000000");
        assert_eq!(written!(|out| decimal(out, -5, 3, 8)), "-0.00500000");
        assert_eq!(written!(|out| decimal(out, 0, 8, 0)), "0");
        assert_eq!(written!(|out| decimal(out, 7, 0, 8)), "7.00000000");
        for time in
            [0, -1, 999_999_999_999, 1_000_000_000_000, 1_723_161_600_007, 9_999_999_999_999, i64::MAX]
        {
            assert_eq!(written!(|out| milliseconds(out, time)), time.to_string());
        }
        assert_eq!(
            written!(|out| decimal(out, i128::MIN, 36, 0)),
            "-170.141183460469231731687303715884105728"
        );
        assert_eq!(written!(|out| quoted(out, "a\"\\\n币")), "\"a\\\"\\\\\\u000a币\"");
    }

    #[test]
    fn names_of_every_length_are_copied_whole() {
        for length in 0..40 {
            let name = &"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[..length];
            assert_eq!(written!(|out| quoted(out, name)), format!("\"{name}\""));
        }
    }

    #[test]
    fn what_cannot_stand_in_a_string_is_found_wherever_it_is() {
        for length in 1..24 {
            for at in 0..length {
                for special in ['"', '\\', '\0', '\u{1f}', ' ', '!', '#', '[', ']', '\u{7f}', 'é'] {
                    let text: String = (0..length).map(|n| if n == at { special } else { 'a' }).collect();
                    let shown = written!(|out| quoted(out, &text));
                    assert_eq!(serde_json::from_str::<String>(&shown).ok(), Some(text), "{shown}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn no_more_is_written_than_there_is_room_for() {
        page(&mut Vec::new(), 16, |out| (0..3).for_each(|_| out.put(b"12345678", 7)));
    }

    proptest! {
        #[test]
        fn agrees_with_the_domain(value: i128, cut in 0_u32..128, scale in 0_u8..=18) {
            let scale = Scale::new(scale).expect("a valid scale");
            // Numbers of every length: those of up to sixteen digits are written in a way of their own.
            for value in [value, value >> cut, (value >> cut) / 1_000_i128 * 1_000] {
                let shown = Decimal::new(value, scale).to_string();
                prop_assert_eq!(written!(|out| decimal(out, value, scale.digits(), 0)), shown);
                prop_assert_eq!(written!(|out| integer(out, value)), value.to_string());
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
            prop_assert_eq!(written!(|out| IdText::of(id).write(out, b't')), id.to_string());
        }
    }
}
