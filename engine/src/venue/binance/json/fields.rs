//! Objects of which a few keys are wanted.

use crate::domain::decimal::{self, Scale};
use crate::venue::binance::number::{fault, malformed};
use crate::venue::binance::{DecodeError, DecodeReason};

use super::Cursor;

/// Where the values of some keys of an object start, by the place of the key in the list that was asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Fields<'a, const N: usize> {
    pub(super) bytes: &'a [u8],
    /// 0 is absent: no value of an object starts there.
    pub(super) at: [usize; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    /// At the value of a key, if it is there.
    pub(in crate::venue::binance) fn get(&self, key: usize) -> Option<Cursor<'a>> {
        (self.at[key] != 0).then(|| Cursor::new(self.bytes, self.at[key]))
    }

    /// At the value of a key.
    ///
    /// # Errors
    /// When it is missing.
    pub(in crate::venue::binance) fn need(&self, key: usize) -> Result<Cursor<'a>, DecodeError> {
        self.get(key).ok_or_else(|| fault(DecodeReason::Missing, self.bytes.len()))
    }

    /// The string at a key, with nothing to unescape: ours and the venue's names have nothing.
    ///
    /// # Errors
    /// When it is missing or no such string.
    pub(in crate::venue::binance) fn text(&self, key: usize) -> Result<&'a str, DecodeError> {
        let at = self.at[key];
        let text = self.need(key)?.string()?;
        if text.escaped {
            return Err(malformed(at));
        }
        std::str::from_utf8(text.raw).map_err(|_| malformed(at))
    }

    /// What `read` makes of the string at a key.
    ///
    /// # Errors
    /// When it is missing, or `read` makes nothing of it.
    pub(in crate::venue::binance) fn parsed<T>(
        &self,
        key: usize,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, DecodeError> {
        self.text(key).and_then(|text| read(text).ok_or_else(|| malformed(self.at[key])))
    }

    /// The decimal in the string at a key.
    ///
    /// # Errors
    /// When it is missing, or no decimal that is exact at `scale`.
    pub(in crate::venue::binance) fn decimal(&self, key: usize, scale: Scale) -> Result<i64, DecodeError> {
        let text = self.text(key)?;
        decimal::parse(text.as_bytes(), scale).map_err(|error| fault(error.into(), self.at[key]))
    }
}
