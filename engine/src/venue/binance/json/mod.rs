//! A JSON cursor over one frame: one pass, no allocation, no recursion.
//!
//! It holds the whole grammar (RFC 8259), because a frame that is not JSON was cut or damaged on its way, and then
//! nothing in it can be believed.

mod plain;
mod marks;
mod compact;
mod string;
mod fields;

#[cfg(test)]
mod tests;

use super::DecodeError;
use super::number::{leading_digits, load, malformed, unsigned, window};

pub(super) use compact::Compact;
pub(super) use fields::Fields;
pub(super) use marks::Marking;
pub(super) use string::{TEXT_BYTES_MAX, Text};

use string::escape;

/// Containers within containers that are followed; deeper is refused.
const DEPTH_MAX: u32 = 32;

/// One in every byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The top bit of every byte.
const TOPS: u64 = 0x8080_8080_8080_8080;

/// A place in a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    /// The frame.
    pub(super) bytes: &'a [u8],
    /// The next byte to read.
    pub(super) at: usize,
    depth: u32,
}

impl<'a> Cursor<'a> {
    /// At `at` of `bytes`.
    #[inline(always)]
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, depth: 0 }
    }

    /// What has not been read yet.
    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next byte.
    #[inline(always)]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes white space.
    #[inline(always)]
    pub(super) fn space(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.at = self.behind_space();
        }
    }

    /// Where white space ends.
    #[inline(never)]
    fn behind_space(mut self) -> usize {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.at
    }

    /// Passes white space and then `byte`.
    #[inline(always)]
    pub(super) fn eat(&mut self, byte: u8) -> Result<(), DecodeError> {
        self.space();
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(malformed(self.at))
        }
    }

    /// Passes exactly `literal`, or stays and says `None`.
    #[inline(always)]
    pub(super) fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Option<()> {
        let found = window::<N>(self.bytes, self.at)?;
        if found != literal {
            return None;
        }
        self.at += N;
        Some(())
    }

    /// Nothing but white space may be left.
    pub(super) fn finish(&mut self) -> Result<(), DecodeError> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(malformed(self.at)) }
    }

    /// Reads a string, at its opening quote.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<Text<'a>, DecodeError> {
        if self.peek() != Some(b'"') {
            return Err(malformed(self.at));
        }
        self.at += 1;
        self.string_rest()
    }

    /// Reads a string from behind its opening quote.
    #[inline(always)]
    pub(super) fn string_rest(&mut self) -> Result<Text<'a>, DecodeError> {
        self.string_of(plain::string(self.bytes, self.rest()))
    }

    /// The same of a string that is seldom as short as most.
    #[inline(always)]
    pub(super) fn long_string_rest(&mut self) -> Result<Text<'a>, DecodeError> {
        self.string_of(plain::long_string(self.rest()))
    }

    /// The string of that length from here, or any.
    #[inline(always)]
    fn string_of(&mut self, length: Option<usize>) -> Result<Text<'a>, DecodeError> {
        let (text, at) = match length {
            Some(length) => {
                let end = self.at + length;
                (Text { raw: &self.bytes[self.at..end], escaped: false }, end + 1)
            }
            None => self.any_string_rest()?,
        };
        self.at = at;
        Ok(text)
    }

    /// The same of any string, eight bytes at a time, and where it ends. By value: a cursor that is lent out lives in
    /// memory, and everything waits for it there.
    #[inline(never)]
    fn any_string_rest(mut self) -> Result<(Text<'a>, usize), DecodeError> {
        let start = self.at;
        let mut wide = 0;
        let mut escaped = false;
        loop {
            let word = load(self.bytes, self.at);
            let quote = word ^ (ONES * u64::from(b'"'));
            let slash = word ^ (ONES * u64::from(b'\\'));
            // The lowest set bit is exact: a borrow starts only at a byte that is itself a hit.
            let hits = (quote.wrapping_sub(ONES) & !quote
                | slash.wrapping_sub(ONES) & !slash
                | word.wrapping_sub(ONES * 0x20) & !word)
                & TOPS;
            if hits == 0 {
                wide |= word & TOPS;
                self.at += 8;
                continue;
            }
            wide |= word & TOPS & (hits ^ hits.wrapping_sub(1));
            self.at += (hits.trailing_zeros() >> 3) as usize;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += escape(self.bytes, self.at)?;
                }
                _ => return Err(malformed(self.at.min(self.bytes.len()))),
            }
        }
        let raw = &self.bytes[start..self.at];
        if wide != 0 && std::str::from_utf8(raw).is_err() {
            return Err(malformed(start));
        }
        Ok((Text { raw, escaped }, self.at + 1))
    }

    /// Reads an unsigned integer.
    #[inline(always)]
    pub(super) fn unsigned(&mut self) -> Result<u64, DecodeError> {
        self.integer(unsigned(self.bytes, self.at))
    }

    /// Reads the integer that was found here: its value, and where it ends.
    #[inline(always)]
    pub(super) fn integer(&mut self, found: Option<(u64, usize)>) -> Result<u64, DecodeError> {
        let (value, end) = found.ok_or_else(|| malformed(self.at))?;
        if let Some(b'.' | b'e' | b'E') = self.bytes.get(end) {
            return Err(malformed(end));
        }
        self.at = end;
        Ok(value)
    }

    /// Reads an integer that may be negative.
    pub(super) fn signed(&mut self) -> Result<i64, DecodeError> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let magnitude = i64::try_from(self.unsigned()?).map_err(|_| malformed(start))?;
        Ok(if negative { -magnitude } else { magnitude })
    }

    /// Whether `null` stands here.
    pub(super) fn is_null(&self) -> bool {
        self.bytes[self.at..].starts_with(b"null")
    }

    /// Reads `true` or `false`.
    #[inline(always)]
    pub(super) fn boolean(&mut self) -> Result<bool, DecodeError> {
        if self.literal(b"true").is_some() {
            Ok(true)
        } else if self.literal(b"false").is_some() {
            Ok(false)
        } else {
            Err(malformed(self.at))
        }
    }

    /// Reads an object: `on_field` is told each key and must read its value.
    ///
    /// A key with escapes is resolved first; one too long for that is given as it stands: no key of ours is.
    #[inline(always)]
    pub(super) fn object(
        &mut self,
        mut on_field: impl FnMut(&mut Self, &[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut buffer = [0; TEXT_BYTES_MAX];
        let mut more = self.opened()?;
        while more {
            let key = self.next_key(&mut buffer)?;
            on_field(self, key)?;
            more = self.another()?;
        }
        Ok(())
    }

    /// Passes the start of an object. Whether it has a field.
    #[inline(always)]
    pub(super) fn opened(&mut self) -> Result<bool, DecodeError> {
        self.eat(b'{')?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(false);
        }
        self.depth += 1;
        Ok(true)
    }

    /// Passes what stands behind a value of an object. Whether another field follows.
    #[inline(always)]
    pub(super) fn another(&mut self) -> Result<bool, DecodeError> {
        self.space();
        let more = match self.peek() {
            Some(b',') => true,
            Some(b'}') => {
                self.depth -= 1;
                false
            }
            _ => return Err(malformed(self.at)),
        };
        self.at += 1;
        Ok(more)
    }

    /// Passes a key, its colon and white space.
    #[inline(always)]
    pub(super) fn next_key<'b>(
        &mut self,
        buffer: &'b mut [u8; TEXT_BYTES_MAX],
    ) -> Result<&'b [u8], DecodeError>
    where
        'a: 'b,
    {
        if let Some(key) = self.short_key() {
            return Ok(key);
        }
        let (key, at) = self.any_key(buffer)?;
        self.at = at;
        Ok(key)
    }

    /// Reads an object and notes where the values of `keys` start.
    ///
    /// # Errors
    /// When it is no object, or one of the keys is there twice.
    pub(super) fn fields<const N: usize>(&mut self, keys: &[&str; N]) -> Result<Fields<'a, N>, DecodeError> {
        let mut fields = Fields { bytes: self.bytes, at: [0; N] };
        self.object(|cursor, key| {
            if let Some(place) = keys.iter().position(|known| known.as_bytes() == key) {
                if fields.at[place] != 0 {
                    return Err(malformed(cursor.at));
                }
                fields.at[place] = cursor.at;
            }
            cursor.skip()
        })?;
        Ok(fields)
    }

    /// Reads an array: `on_element` must read each element.
    pub(super) fn array(
        &mut self,
        mut on_element: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.eat(b'[')?;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            on_element(self)?;
            self.space();
            let next = self.peek();
            self.at += 1;
            match next {
                Some(b',') => {}
                Some(b']') => return Ok(()),
                _ => return Err(malformed(self.at - 1)),
            }
        }
    }

    /// Passes one value of any kind; the plain ones, as nearly all are, without a call.
    #[inline(always)]
    pub(super) fn pass(&mut self) -> Result<(), DecodeError> {
        if let Some(b'{' | b'[') = self.peek() { self.skip() } else { self.scalar() }
    }

    /// Passes one value of any kind.
    #[inline(always)]
    pub(super) fn skip(&mut self) -> Result<(), DecodeError> {
        self.at = self.behind_value()?;
        Ok(())
    }

    /// Where the value ends that starts here, of any kind.
    #[inline(never)]
    fn behind_value(mut self) -> Result<usize, DecodeError> {
        // One bit a container, set for an object; the lowest is the innermost.
        let mut objects = 0_u64;
        let mut open = 0;
        loop {
            self.space();
            let begun = match self.peek() {
                Some(byte @ (b'{' | b'[')) => {
                    if self.depth + open >= DEPTH_MAX {
                        return Err(malformed(self.at));
                    }
                    self.at += 1;
                    open += 1;
                    objects = objects << 1 | u64::from(byte == b'{');
                    self.space();
                    self.peek() != Some(byte + 2) // '{' + 2 is '}', '[' + 2 is ']'
                }
                _ => {
                    self.scalar()?;
                    false
                }
            };
            if begun {
                if objects & 1 == 1 {
                    self.key()?;
                }
                continue;
            }
            while open > 0 {
                self.space();
                let object = objects & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(byte) if byte == if object { b'}' } else { b']' } => {
                        self.at += 1;
                        open -= 1;
                        objects >>= 1;
                    }
                    _ => return Err(malformed(self.at)),
                }
            }
            if open == 0 {
                return Ok(self.at);
            }
        }
    }

    /// Passes a key of one plain letter, as nearly all are, its colon and white space.
    #[inline(always)]
    fn short_key(&mut self) -> Option<&'a [u8]> {
        let found = window::<4>(self.bytes, self.at)?;
        let &[b'"', letter, b'"', b':'] = found else { return None };
        if !letter.is_ascii_alphabetic() {
            return None;
        }
        self.at += 4;
        self.space();
        Some(&found[1..2])
    }

    /// A key of any kind, and where its value starts.
    #[inline(never)]
    fn any_key<'b>(mut self, buffer: &'b mut [u8; TEXT_BYTES_MAX]) -> Result<(&'b [u8], usize), DecodeError>
    where
        'a: 'b,
    {
        self.space();
        let key = self.string()?;
        self.eat(b':')?;
        self.space();
        let name = if key.escaped { key.resolve(buffer).unwrap_or(key.raw) } else { key.raw };
        Ok((name, self.at))
    }

    /// Passes a key and its colon.
    fn key(&mut self) -> Result<(), DecodeError> {
        self.space();
        self.string()?;
        self.eat(b':')
    }

    /// Passes a string, number, `true`, `false` or `null`.
    #[inline(always)]
    fn scalar(&mut self) -> Result<(), DecodeError> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b't') => self.literal(b"true").ok_or_else(|| malformed(self.at)),
            Some(b'f') => self.literal(b"false").ok_or_else(|| malformed(self.at)),
            Some(b'n') => self.literal(b"null").ok_or_else(|| malformed(self.at)),
            _ => self.number(),
        }
    }

    /// Passes a number of any form.
    #[inline(always)]
    fn number(&mut self) -> Result<(), DecodeError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && zero {
            return Err(malformed(self.at));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes digits, at least one.
    #[inline(always)]
    fn digits(&mut self) -> Result<usize, DecodeError> {
        let count = plain::digits(self.bytes, self.rest()).unwrap_or_else(|| self.any_digits());
        if count == 0 {
            return Err(malformed(self.at));
        }
        self.at += count;
        Ok(count)
    }

    /// How many digits stand here, eight at a time.
    #[inline(never)]
    fn any_digits(self) -> usize {
        let mut count = 0;
        loop {
            let more = leading_digits(load(self.bytes, self.at + count));
            count += more;
            if more < 8 {
                return count;
            }
        }
    }
}
