//! Fields as the venue writes them: a key of one letter, a plain value, and no white space.
//!
//! Where strings open and close is found for many bytes at once, so that no field has to wait until the end of the one
//! before it is found.

use super::marks::{self, Marking};
use super::plain;

/// Bytes before a value: its key and a colon.
const KEY: usize = 4;

/// A walk over the fields of one object.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Compact<'f, M> {
    by: M,
    frame: &'f [u8],
    /// From the next key on.
    rest: &'f [u8],
    /// Where in `rest` a quote is, or what no plain string holds, a bit a byte; zeros where that is not known yet.
    marks: u64,
}

/// A field that is next.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Field<'f> {
    /// Its key.
    pub(in crate::venue::binance) letter: u8,
    /// Whether its value is a string; else it is an integer that is not negative, `true` or `false`.
    pub(in crate::venue::binance) quoted: bool,
    /// Whether its object ends with it.
    pub(in crate::venue::binance) last: bool,
    /// Where the last byte of its value is, from its key on.
    closing: usize,
    /// What stands behind it and its comma or bracket.
    behind: &'f [u8],
}

impl<'f, M: Marking> Compact<'f, M> {
    /// From the key at `at` of `frame`.
    #[inline(always)]
    pub(in crate::venue::binance) fn new(by: M, frame: &'f [u8], at: usize) -> Self {
        Self { by, frame, rest: frame.get(at..).unwrap_or_default(), marks: 0 }
    }

    /// Where the next key is, or what is behind the object.
    #[inline(always)]
    pub(in crate::venue::binance) fn at(&self) -> usize {
        self.frame.len() - self.rest.len()
    }

    /// Where the value of the next field is.
    #[inline(always)]
    pub(in crate::venue::binance) fn value_at(&self) -> usize {
        self.at() + KEY
    }

    /// The text of `field`, which is next and a string.
    #[inline(always)]
    pub(in crate::venue::binance) fn text(&self, field: &Field<'f>) -> &'f [u8] {
        self.rest.get(KEY + 1..field.closing).unwrap_or_default()
    }

    /// Passes `field`, which is next.
    #[inline(always)]
    pub(in crate::venue::binance) fn pass(&mut self, field: &Field<'f>) {
        // In two steps: all of them may be passed.
        self.marks = self.marks >> field.closing >> 2;
        self.rest = field.behind;
    }

    /// The next field. `None` where it is any other, or damaged.
    #[inline(always)]
    pub(in crate::venue::binance) fn next(&mut self) -> Option<Field<'f>> {
        // Marks behind the start of its value make known all before them.
        if self.marks >> (KEY + 1) == 0 {
            self.marks = marks::ahead(self.by, self.frame, self.rest)?;
        }
        // No field that is followed by anything is much shorter.
        let head = u64::from_le_bytes(*self.rest.first_chunk()?);
        let [letter, first] = [head >> 8, head >> (8 * KEY)].map(|byte| byte as u8);
        // `"x":`
        if head & 0xffff_00ff != 0x3a22_0022 || self.marks & 2 != 0 {
            return None;
        }
        if first != b'"' {
            let length = self.scalar((head >> (8 * KEY)) as u32)?;
            let (delimiter, behind) = self.rest.get(KEY + length..)?.split_first()?;
            return field(letter, false, KEY + length - 1, *delimiter, behind);
        }
        let inside = self.marks >> (KEY + 1);
        if inside == 0 {
            return None;
        }
        let closing = KEY + 1 + inside.trailing_zeros() as usize;
        match self.rest.split_at_checked(closing + 2)? {
            ([.., b'"', delimiter], behind) => field(letter, true, closing, *delimiter, behind),
            _ => None,
        }
    }

    /// How long the value is that starts with `word` and is no string.
    #[inline(always)]
    fn scalar(&self, word: u32) -> Option<usize> {
        const TRUE: u32 = u32::from_le_bytes(*b"true");
        const FALSE: u32 = u32::from_le_bytes(*b"fals");
        let value = self.rest.get(KEY..)?;
        let first = word as u8;
        if !first.is_ascii_digit() {
            return match word {
                TRUE => Some(4),
                FALSE if value.get(4) == Some(&b'e') => Some(5),
                _ => None,
            };
        }
        let digits = plain::digits(self.frame, value)?;
        // Up to the comma before the next key, if there is one: known sooner than how many digits there are.
        let behind = self.marks >> (KEY + 1);
        let length = if behind == 0 { digits } else { behind.trailing_zeros() as usize };
        (length <= digits && (length == 1 || first != b'0')).then_some(length)
    }
}

/// That field, if `delimiter` may follow it.
#[inline(always)]
fn field(letter: u8, quoted: bool, closing: usize, delimiter: u8, behind: &[u8]) -> Option<Field<'_>> {
    matches!(delimiter, b',' | b'}').then_some(Field {
        letter,
        quoted,
        last: delimiter == b'}',
        closing,
        behind,
    })
}
