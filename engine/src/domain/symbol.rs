//! A symbol: the venue's name for an instrument.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use crate::error::SetupError;
use crate::limits::SYMBOL_BYTES_MAX;

/// The venue's name for an instrument. Its bytes lie where it lies: whoever has the instrument at hand has its name too, and
/// copies it in one piece of a known length.
///
/// It compares and hashes as its text does, so that a map which it is the key of is searched by `&str`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    // In this order, in which they are compared: of two that differ in nothing but zeros, the shorter one is first, as it is
    // among texts.
    bytes: [u8; SYMBOL_BYTES_MAX],
    length: u8,
    is_plain: bool,
}

const _: () = assert!(SYMBOL_BYTES_MAX <= u8::MAX as usize);

impl Symbol {
    /// The symbol with this text.
    ///
    /// # Errors
    /// When it is longer than [`SYMBOL_BYTES_MAX`] bytes: a name cut short would be another instrument's.
    pub fn new(text: &str) -> Result<Self, SetupError> {
        let mut bytes = [0; SYMBOL_BYTES_MAX];
        let (Some(kept), Ok(length)) = (bytes.get_mut(..text.len()), text.len().try_into()) else {
            let reason = format!("symbol {text}: longer than {SYMBOL_BYTES_MAX} bytes");
            return Err(SetupError::Invalid(reason));
        };
        kept.copy_from_slice(text.as_bytes());
        let is_plain = text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        Ok(Self { bytes, length, is_plain })
    }

    /// Its bytes, and zeros behind them: to be copied whole, of which [`length`](Self::length) count.
    #[inline(always)]
    #[must_use]
    pub const fn padded(&self) -> &[u8; SYMBOL_BYTES_MAX] {
        &self.bytes
    }

    /// Bytes of its text.
    #[inline(always)]
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether it can stand between quotes as it is, as nearly every one can: it has no quote, backslash or control character.
    /// Found out once, and not with every order.
    #[inline(always)]
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.is_plain
    }
}

impl Deref for Symbol {
    type Target = str;

    #[inline]
    #[allow(unsafe_code)]
    fn deref(&self) -> &str {
        let text = &self.bytes[..usize::from(self.length)];
        // SAFETY: nothing but `new` makes or changes one, and there these are all bytes of a text.
        unsafe { str::from_utf8_unchecked(text) }
    }
}

impl Borrow<str> for Symbol {
    fn borrow(&self) -> &str {
        self
    }
}

impl AsRef<str> for Symbol {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::hash::BuildHasher;

    fn symbol(text: &str) -> Symbol {
        Symbol::new(text).expect("it fits")
    }

    #[test]
    fn what_fits_is_kept_whole_and_what_does_not_is_refused() {
        for text in ["", "B", "BTCUSDT", "这是测试币456", &"é".repeat(20), &"X".repeat(SYMBOL_BYTES_MAX)]
        {
            let kept = symbol(text);
            assert_eq!((&*kept, usize::from(kept.length())), (text, text.len()));
            let (front, behind) = kept.padded().split_at(text.len());
            assert_eq!(front, text.as_bytes());
            assert!(behind.iter().all(|&byte| byte == 0));
            assert_eq!(
                (format!("{kept:>9}"), format!("{kept:?}")),
                (format!("{text:>9}"), format!("{text:?}"))
            );
        }
        let long = "X".repeat(SYMBOL_BYTES_MAX + 1);
        let error = Symbol::new(&long).expect_err("too long").to_string();
        assert_eq!(error, format!("symbol {long}: longer than 40 bytes"));
        // It ends within a character, of which no half is kept.
        assert!(Symbol::new(&format!("X{}", "é".repeat(20))).is_err());
        assert!(Symbol::new(&"X".repeat(256)).is_err());
    }

    #[test]
    fn those_that_cannot_stand_between_quotes_are_known() {
        for text in ["", "BTCUSD_PERP", "币", "\u{7f}", "'"] {
            assert!(symbol(text).is_plain(), "{text:?}");
        }
        for text in ["\"", "A\\", "A\nB", "\0", "\u{1f}币"] {
            assert!(!symbol(text).is_plain(), "{text:?}");
        }
    }

    #[test]
    fn maps_are_searched_by_text() {
        let names = ["BTCUSDT", "ETHUSDT", "币"];
        let map: BTreeMap<Symbol, usize> = names.iter().map(|name| symbol(name)).zip(0..).collect();
        for (name, at) in names.iter().zip(0..) {
            assert_eq!(map.get(*name), Some(&at));
        }
        assert_eq!((map.get("BTC"), map.get("BTCUSDT\0")), (None, None));
    }

    proptest! {
        #[test]
        fn two_compare_and_hash_as_their_texts_do(a in "[\0AB币]{0,4}", b in "[\0AB币]{0,4}") {
            let (one, other) = (symbol(&a), symbol(&b));
            prop_assert_eq!(one == other, a == b);
            prop_assert_eq!(one.cmp(&other), a.cmp(&b));
            let hashes = std::hash::RandomState::new();
            prop_assert_eq!(hashes.hash_one(one), hashes.hash_one(a.as_str()));
        }
    }
}
