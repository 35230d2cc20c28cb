//! Numbers and names to text, without a format string: what is sent is written digit by digit into one buffer.
//!
//! It is copied in pieces of a length that is known beforehand, which are a few instructions each where any other length is
//! a call; what a piece has too much, the next one overwrites.

#[cfg(target_arch = "x86_64")]
mod avx2;

use std::mem::MaybeUninit;

use crate::domain::{Nanos, OrderId, Symbol};
use crate::limits::SYMBOL_BYTES_MAX;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Ready;

/// Where text goes.
pub(super) trait Sink {
    /// Writes the first `count` bytes of `bytes`, or all if there are fewer.
    fn put<const N: usize>(&mut self, bytes: &[u8; N], count: usize);

    /// Writes all of `bytes`.
    fn all(&mut self, bytes: &[u8]);

    /// Writes what `write` gives: at most `MOST` bytes. For what is seldom written, by functions that are not inlined.
    fn seldom<const MOST: usize>(&mut self, write: impl FnOnce(&mut dyn FnMut(&[u8])));
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

    #[inline(always)]
    fn seldom<const MOST: usize>(&mut self, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        write(&mut |bytes| self.extend_from_slice(bytes));
    }
}

/// Room behind a vector's last byte, of a length that is known beforehand, as is the most that each piece takes of it: so the
/// compiler sees that there is room for every piece, and the program need not look. Where the next one goes is in a register
/// and not in memory, where every piece would wait for the one before.
pub(super) struct Page<'a, const ROOM: usize> {
    room: &'a mut [MaybeUninit<u8>; ROOM],
    taken: usize,
}

/// Appends to `out` what `write` writes, which is at most `ROOM` bytes less the longest piece.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn page<const ROOM: usize>(out: &mut Vec<u8>, write: impl FnOnce(&mut Page<'_, ROOM>)) {
    out.reserve(ROOM);
    let length = out.len();
    let room = out.spare_capacity_mut().first_chunk_mut().expect("it is reserved");
    let mut page = Page { room, taken: 0 };
    write(&mut page);
    let taken = page.taken;
    // SAFETY: `taken` is at most `ROOM`, which is reserved, and all bytes before it are written: none is taken at first, and
    // the functions that take more have written all of that, or have panicked before.
    unsafe { out.set_len(length + taken) };
}

impl<const ROOM: usize> Sink for Page<'_, ROOM> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: &[u8; N], count: usize) {
        self.room[self.taken..][..N].write_copy_of_slice(bytes);
        self.taken += count.min(N);
    }

    #[inline(always)]
    fn all(&mut self, bytes: &[u8]) {
        self.room[self.taken..][..bytes.len()].write_copy_of_slice(bytes);
        self.taken += bytes.len();
    }

    #[inline(always)]
    fn seldom<const MOST: usize>(&mut self, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        // Counted apart: a count that others are handed stays in memory for good.
        let (left, mut written) = (&mut self.room[self.taken..], 0);
        write(&mut |bytes| {
            left[written..][..bytes.len()].write_copy_of_slice(bytes);
            written += bytes.len();
        });
        assert!(written <= MOST, "{written} bytes are more than {MOST}");
        self.taken += written;
    }
}

/// Writes an integer.
#[inline(always)]
pub(super) fn integer(out: &mut impl Sink, value: impl Into<i128>) {
    decimal(out, value, 0, 0);
}

/// Writes a time in milliseconds, as nearly all are, or what [`integer`] writes: of thirteen digits, nothing is looked for.
#[inline(always)]
pub(super) fn milliseconds(out: &mut impl Sink, value: i64) {
    if (1_000_000_000_000..10_000_000_000_000).contains(&value) {
        let [high, low] = halves(value.unsigned_abs());
        out.put(&(high >> 24).to_le_bytes(), 5);
        out.put(&low.to_le_bytes(), 8);
    } else {
        integer(out, value);
    }
}

/// Writes a time in milliseconds, and the end of a request.
#[inline(always)]
pub(super) fn end(out: &mut impl Sink, timestamp: Nanos) {
    milliseconds(out, timestamp.0 / 1_000_000);
    out.put(b"}}", 2);
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

/// The eight digits of a number below 10^8, zeros in front included, one a byte and the first in the lowest.
///
/// All numbers of a step are split at once, each in a lane of the word: first into four digits each, then into two, then
/// into one. The quotients by 100 and by 10 are products with 2^20/100 and 2^10/10, rounded up, which are exact as far as
/// a lane goes. A lane is split by one product: `quotient + (number - quotient * n) * lane` is taken together.
#[inline(always)]
const fn eight(number: u64) -> u64 {
    let fours = (number << 32) - ((number * 0xd1b7_1759) >> 45) * ((10_000 << 32) - 1);
    let quotients = (fours * 10_486) >> 20 & 0x0000_007f_0000_007f;
    let twos = (fours << 16) - quotients * ((100 << 16) - 1);
    let quotients = (twos * 103) >> 10 & 0x000f_000f_000f_000f;
    (twos << 8) - quotients * ((10 << 8) - 1)
}

/// The text of a number below 10^16, zeros in front included, in two words of eight digits each.
#[inline(always)]
const fn halves(number: u64) -> [u64; 2] {
    [eight(number / EIGHT_DIGITS) | ZEROS, eight(number % EIGHT_DIGITS) | ZEROS]
}

/// The first number of more than eight digits.
const EIGHT_DIGITS: u64 = 10_u64.pow(8);

/// By scale, how many units of the eighth decimal one of the last decimal is.
const UNITS: [u64; 9] = {
    let mut units = [EIGHT_DIGITS; 9];
    let mut scale = 1;
    while scale < units.len() {
        units[scale] = units[scale - 1] / 10;
        scale += 1;
    }
    units
};

/// Writes `value × 10^-scale` exactly: zeros at the end are left out, down to `at_least` decimals.
///
/// Nearly every number has at most eight digits before the point and eight behind it. Of these nothing but the length of what
/// is written depends on what number it is, and the digits stay in registers: what has just been written byte by byte would
/// be waited for when it is read whole.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
pub(super) fn decimal(out: &mut impl Sink, value: impl Into<i128>, scale: u8, at_least: u8) {
    let value = value.into();
    if value < 0 {
        out.put(b"-", 1);
    }
    let unit = UNITS.get(usize::from(scale)).filter(|_| at_least <= 8);
    let units =
        u64::try_from(value.unsigned_abs()).ok().zip(unit).and_then(|(value, unit)| value.checked_mul(*unit));
    if let Some(units) = units.filter(|&units| units < EIGHT_DIGITS.pow(2)) {
        let [whole, fraction] = halves(units);
        // Of the whole, zeros in front are left out, but its last digit never is.
        let left_out = ((whole ^ ZEROS).trailing_zeros() / 8).min(7);
        out.put(&(whole >> (8 * left_out)).to_le_bytes(), 8 - left_out as usize);
        let shown = 8 - (fraction ^ ZEROS).leading_zeros() as usize / 8;
        let shown = shown.max(at_least.into());
        let fraction = u128::from(fraction) << 8 | u128::from(b'.');
        out.put(
            fraction.to_le_bytes().first_chunk::<9>().expect("of sixteen"),
            shown + usize::from(shown > 0),
        );
    } else {
        out.seldom::<{ 2 * DIGITS }>(|out| long(out, value.unsigned_abs(), scale, at_least));
    }
}

/// More digits than that.
#[cold]
fn long(out: &mut dyn FnMut(&[u8]), magnitude: u128, scale: u8, at_least: u8) {
    let mut digits = [b'0'; DIGITS];
    let mut rest = magnitude;
    for part in digits.as_chunks_mut().0.iter_mut().rev() {
        let (above, number) = match u64::try_from(rest) {
            Ok(rest) => ((rest / EIGHT_DIGITS).into(), rest % EIGHT_DIGITS),
            Err(_) => (rest / u128::from(EIGHT_DIGITS), (rest % u128::from(EIGHT_DIGITS)) as u64),
        };
        *part = (eight(number) | ZEROS).to_le_bytes();
        rest = above;
    }
    let is_counted = |&digit: &u8| digit != b'0';
    let point = DIGITS - usize::from(scale);
    let first = digits.iter().position(is_counted).unwrap_or(DIGITS).min(point - 1);
    let end = digits.iter().rposition(is_counted).map_or(0, |last| last + 1).max(point);
    out(&digits[first..point]);
    if end > point || at_least > 0 {
        out(b".");
        out(&digits[point..end]);
        (end - point..at_least.into()).for_each(|_| out(b"0"));
    }
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
        const ALL_ZERO: u64 = u64::from_le_bytes([0, b'-', b'0', b'-', b'0', b'-', b'0', b'-']);
        let [epoch, source, source_epoch] = Self::parts_of(id).map(u64::from);
        let parts = ((epoch | source | source_epoch) < 16)
            .then(|| ALL_ZERO + letters(epoch << 16 | source << 32 | source_epoch << 48));
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
            out.seldom::<{ 2 + 9 + 5 + 5 }>(|out| self.write_parts(out, letter));
        }
        self.sequence.write(out);
    }

    /// Writes what stands before the sequence where a part has more than one digit.
    #[cold]
    fn write_parts(&self, out: &mut dyn FnMut(&[u8]), letter: u8) {
        out(&[letter, b'-']);
        for part in Self::parts_of(self.id) {
            let Hexadecimal { digits, places } = Hexadecimal::of(part.into());
            out(&digits.to_le_bytes()[..places as usize]);
            out(b"-");
        }
    }
}

/// Hexadecimal digits, one a byte, with what a letter is above a zero added to those that are letters: all bytes at once.
#[inline(always)]
const fn letters(digits: u64) -> u64 {
    let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    digits + letters * (b'a' - b'0' - 10) as u64
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

    /// Eight digits, spread to one a byte.
    #[inline(always)]
    const fn text(number: u32) -> u64 {
        let spread = number as u64;
        let spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
        let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
        let digits = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        (letters(digits) + ZEROS).swap_bytes()
    }

    #[inline(always)]
    fn write(self, out: &mut impl Sink) {
        out.put(&self.digits.to_le_bytes(), self.places as usize);
    }
}

/// Most bytes of a text of `length` bytes in quotes.
pub(super) const fn quoted_length_max(length: usize) -> usize {
    length * ESCAPED + 2
}

/// Bytes of a character that cannot stand as it is.
const ESCAPED: usize = 6;

/// A byte in every place of a word.
const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// Whether all bytes of `word` are from `0` to `[`, as in nearly every name, where nothing is special.
#[inline(always)]
const fn is_plain(word: u64) -> bool {
    // The lowest byte that is none of these turns its high bit on; those below it do not.
    let [high, low] = [word.wrapping_add(ONES * (0x7f - b'[') as u64), word.wrapping_sub(ONES * b'0' as u64)];
    (word | high | low) & (ONES << 7) == 0
}

/// Whether a byte of `word` cannot stand in a string as it is: below a space, a quote or a backslash.
#[inline(always)]
const fn has_special(word: u64) -> bool {
    if is_plain(word) {
        return false;
    }
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
    out.put(b"\"", 1);
    inside(out, text);
    out.put(b"\"", 1);
}

/// Writes a string whose quotes others write.
#[inline(always)]
pub(super) fn inside(out: &mut impl Sink, text: &str) {
    let bytes = text.as_bytes();
    if let Some([first, last]) = ends::<4>(bytes)
        && !has_special(u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32)
    {
        out.put(first, bytes.len() - 4);
        out.put(last, 4);
    } else if let Some([first, last]) = ends::<8>(bytes)
        && !(has_special(u64::from_le_bytes(*first)) | has_special(u64::from_le_bytes(*last)))
    {
        out.put(first, bytes.len() - 8);
        out.put(last, 8);
    } else {
        out.seldom::<INSIDE>(|out| escaped(out, text));
    }
}

/// Writes a symbol whose quotes others write.
#[inline(always)]
pub(super) fn symbol(out: &mut impl Sink, symbol: &Symbol) {
    if symbol.is_plain() {
        out.put(symbol.padded(), symbol.length().into());
    } else {
        out.seldom::<INSIDE>(|out| escaped(out, symbol));
    }
}

/// Most bytes of a string between its quotes on a page: those of a symbol.
const INSIDE: usize = SYMBOL_BYTES_MAX * ESCAPED;

/// Writes a string of any length, or that cannot stand as it is.
#[cold]
fn escaped(out: &mut dyn FnMut(&[u8]), text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out(&[b'\\', byte]),
            0..=0x1f => out(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), HEX[usize::from(byte & 15)]]),
            _ => out(&[byte]),
        }
    }
}

#[cfg(test)]
mod tests;
