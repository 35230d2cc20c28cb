//! Decimals of one instrument, read by the shape that they have had so far.

use crate::domain::decimal::{self, DecimalError, Scale};
use crate::venue::binance::{DecodeError, DecodeReason};

#[cfg(target_arch = "x86_64")]
use super::layout::Layouts;
use super::{
    POW10, TOPS, ZEROS, digits_at_most, eight, fault, leading_digits, load, malformed, others, window,
};

/// Text that is read by words.
pub(in crate::venue::binance) trait Words {
    /// The eight bytes from `at`.
    fn word(&self, at: usize) -> Option<u64>;
    /// The byte at `at`.
    fn byte(&self, at: usize) -> Option<u8>;
    /// The sixteen bytes from `at`, if there are as many.
    fn sixteen(&self, at: usize) -> Option<&[u8; 16]>;
}

/// A window: where `at` is known to be inside, nothing is checked.
impl<const N: usize> Words for [u8; N] {
    #[inline(always)]
    fn word(&self, at: usize) -> Option<u64> {
        self.get(at..)?.first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk))
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.get(at).copied()
    }

    #[inline(always)]
    fn sixteen(&self, at: usize) -> Option<&[u8; 16]> {
        self.get(at..)?.first_chunk::<16>()
    }
}

/// The last bytes of a frame: behind its end are zeros, and nothing is called to say so.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Ending<'f>(pub(in crate::venue::binance) &'f [u8; 64]);

impl Words for Ending<'_> {
    #[inline(always)]
    fn word(&self, at: usize) -> Option<u64> {
        let place = at.min(self.0.len() - 8);
        let missing = at - place;
        let word = u64::from_le_bytes(*self.0.get(place..)?.first_chunk::<8>()?);
        Some(if missing < 8 { word >> (8 * missing) } else { 0 })
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    #[inline(always)]
    fn sixteen(&self, at: usize) -> Option<&[u8; 16]> {
        self.0.get(at..)?.first_chunk::<16>()
    }
}

/// A whole frame: behind its end are zeros.
impl Words for [u8] {
    #[inline(always)]
    fn word(&self, at: usize) -> Option<u64> {
        Some(load(self, at))
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.get(at).copied()
    }

    #[inline(always)]
    fn sixteen(&self, at: usize) -> Option<&[u8; 16]> {
        window::<16>(self, at)
    }
}

/// What must follow a number, its closing quote first: up to eight bytes, compared at once.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Closing {
    word: u64,
    mask: u64,
    length: usize,
}

impl Closing {
    /// These bytes, at most eight.
    pub(in crate::venue::binance) const fn new(text: &[u8]) -> Self {
        let mut closing = Self { word: 0, mask: 0, length: text.len() };
        let mut at = 0;
        while at < text.len() {
            closing.word |= (text[at] as u64) << (8 * at);
            closing.mask |= 0xff << (8 * at);
            at += 1;
        }
        closing
    }

    /// How many they are.
    #[inline(always)]
    pub(in crate::venue::binance) const fn length(&self) -> usize {
        self.length
    }

    /// They, and zeros behind them.
    #[cfg(target_arch = "x86_64")]
    pub(in crate::venue::binance) const fn bytes(&self) -> [u8; 8] {
        self.word.to_le_bytes()
    }

    /// Whether a word starts with them.
    #[inline(always)]
    pub(in crate::venue::binance) const fn starts(&self, word: u64) -> bool {
        self.differs(word) == 0
    }

    /// What a word that should start with them has otherwise.
    #[inline(always)]
    pub(in crate::venue::binance) const fn differs(&self, word: u64) -> u64 {
        (word ^ self.word) & self.mask
    }

    /// Those behind the first.
    #[inline(always)]
    pub(in crate::venue::binance) const fn rest(&self) -> Self {
        Self { word: self.word >> 8, mask: self.mask >> 8, length: self.length - 1 }
    }
}

/// How a decimal of one instrument is read: its scale, and how many decimals the venue lately wrote.
///
/// The venue writes a fixed number of decimals per instrument. Guessing it right lets the processor run ahead to the
/// next number; guessing it wrong costs time, never exactness.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Shape {
    scale: Scale,
    /// Digits before the point of the last number, 1 to 7; 0 where that is not known.
    whole: usize,
    /// Decimals expected on the wire; more than eight: nothing is expected, every number is read the slow way.
    digits: usize,
    /// Bytes of a word that are such decimals.
    mask: u64,
    /// Those of them that are finer than the scale: zeros, or the number is not exact here.
    finer: u64,
    /// Half of the bits above the decimals that count.
    spare: u32,
    /// `10^scale`.
    unit: u64,
    /// `10^(scale - digits)`, or 1.
    factor: u64,
    /// How its bytes lie, as far as it is known.
    #[cfg(target_arch = "x86_64")]
    layouts: &'static Layouts,
    /// The same, with the zeros behind its digits that it has at the scale.
    #[cfg(target_arch = "x86_64")]
    scaled: &'static Layouts,
}

/// What sixteen bytes of a number are read by.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Expected {
    /// How they lie.
    pub(in crate::venue::binance) layouts: &'static Layouts,
    /// What the digits are multiplied by.
    pub(in crate::venue::binance) factor: u64,
}

/// Bytes that hold any number of the fast way and what closes it.
const WINDOW: usize = 32;

impl Shape {
    /// Finest scale of the fast way: seven digits before and eight behind the point fit 64 bits without a check.
    const FINEST: usize = 8;

    /// Numbers at `scale`, expected with eight decimals as spot writes them.
    pub(in crate::venue::binance) fn new(scale: Scale) -> Self {
        let mut shape = Self {
            scale,
            whole: 0,
            digits: 0,
            mask: 0,
            finer: 0,
            spare: 0,
            unit: 0,
            factor: 1,
            #[cfg(target_arch = "x86_64")]
            layouts: Layouts::NONE,
            #[cfg(target_arch = "x86_64")]
            scaled: Layouts::NONE,
        };
        shape.expect(Self::FINEST);
        shape
    }

    /// Expects `digits` decimals from now on.
    fn expect(&mut self, digits: usize) {
        let scale = usize::from(self.scale.digits());
        if digits > Self::FINEST || scale > Self::FINEST {
            self.digits = usize::MAX;
            return;
        }
        let bytes = |count: usize| u64::MAX.checked_shr(64 - 8 * count as u32).unwrap_or(0);
        let counting = digits.min(scale);
        self.digits = digits;
        self.mask = TOPS & bytes(digits);
        self.finer = bytes(digits) & !bytes(counting);
        self.spare = 32 - 4 * counting as u32;
        self.unit = POW10[scale];
        self.factor = POW10[scale - counting];
        #[cfg(target_arch = "x86_64")]
        {
            self.layouts = Layouts::of(digits, counting);
            self.scaled = Layouts::of(digits, scale);
        }
    }

    /// Reads the decimal of the expected shape at `at` of `text`: its value and where it ends, which the caller
    /// checks.
    #[inline(always)]
    pub(in crate::venue::binance) fn expected(
        &self,
        text: &(impl Words + ?Sized),
        at: usize,
    ) -> Option<(i64, usize)> {
        let word = text.word(at)?;
        // That these are digits is checked beside, not before, the steps that wait for their number.
        let count = digits_at_most(word);
        if !(1..8).contains(&count) {
            return None;
        }
        self.joined(text, (word ^ ZEROS) << (64 - 8 * count), at + count)
    }

    /// The same of a number that is expected to have as many digits before the point as the last one: then nothing
    /// waits for where the point is. Prices have; quantities have not.
    #[inline(always)]
    pub(in crate::venue::binance) fn expected_again(
        &self,
        text: &(impl Words + ?Sized),
        at: usize,
    ) -> Option<(i64, usize)> {
        // The mask tells the compiler what is known: at most seven.
        let count = self.whole & 7;
        if count == 0 {
            return None;
        }
        let whole = (text.word(at)? ^ ZEROS) << (64 - 8 * count);
        self.joined(text, whole, at + count)
    }

    /// Notes how many digits stand before the point of the number at `at`; whether that is news and can be expected.
    #[inline(always)]
    pub(in crate::venue::binance) fn learn(&mut self, text: &(impl Words + ?Sized), at: usize) -> bool {
        let found = text.word(at).map_or(0, leading_digits) & 7;
        let news = found != self.whole && found != 0;
        self.whole = found;
        news
    }

    /// What sixteen bytes of its next number are read by; `None` where nothing is expected.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(in crate::venue::binance) fn expectation(&self) -> Option<Expected> {
        let Self { layouts, factor, .. } = *self;
        (self.digits <= Self::FINEST).then_some(Expected { layouts, factor })
    }

    /// How its next number lies at the scale; `None` where nothing is expected.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn scaled(&self) -> Option<&'static Layouts> {
        (self.digits <= Self::FINEST).then_some(self.scaled)
    }

    /// Digits before the point of the last number, 1 to 7; 0 where that is not known.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(in crate::venue::binance) const fn whole(&self) -> usize {
        self.whole
    }

    /// The number whose digits before the point are the last ones of `whole`, and whose point is at `point`.
    #[inline(always)]
    fn joined(&self, text: &(impl Words + ?Sized), whole: u64, point: usize) -> Option<(i64, usize)> {
        if others(whole) != 0 {
            return None;
        }
        // Below 10^15: at most seven digits before the point and a scale of at most eight.
        let units = eight(whole) * self.unit;
        if self.digits == 0 {
            return Some((units as i64, point));
        }
        let fraction = text.word(point + 1)? ^ ZEROS;
        let odd = others(fraction) & self.mask | fraction & self.finer;
        if text.byte(point)? != b'.' || odd != 0 || self.digits > Self::FINEST {
            return None;
        }
        // In two steps: none of the decimals may count, and a shift by a whole word is none.
        let part = eight((fraction << self.spare) << self.spare);
        Some(((units + part * self.factor) as i64, point + 1 + self.digits))
    }

    /// Reads the decimal of the expected shape at `at`, from behind its opening quote to behind its closing one.
    #[inline(always)]
    pub(super) fn quoted(&self, text: &(impl Words + ?Sized), at: usize) -> Option<(i64, usize)> {
        let (value, end) = self.expected(text, at)?;
        (text.byte(end)? == b'"').then_some((value, end + 1))
    }

    /// Reads a decimal that is not negative, from behind its opening quote to behind its closing one.
    ///
    /// # Errors
    /// `Malformed` where the string does not end, else what `domain::decimal::parse` says; a sign is `Range`, also of a zero.
    pub(in crate::venue::binance) fn read(
        &mut self,
        bytes: &[u8],
        at: usize,
    ) -> Result<(i64, usize), DecodeError> {
        let found = match window::<WINDOW>(bytes, at) {
            Some(window) => self.quoted(window, 0).map(|(value, length)| (value, at + length)),
            None => self.quoted(bytes, at),
        };
        match found {
            Some(found) => Ok(found),
            None => self.read_any(bytes, at),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_any(&mut self, bytes: &[u8], at: usize) -> Result<(i64, usize), DecodeError> {
        let rest = bytes.get(at..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|&byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
            .filter(|&end| rest[end] == b'"')
            .ok_or_else(|| malformed(at + rest.len()))?;
        let text = &rest[..end];
        let value = decimal::parse(text, self.scale)
            .and_then(|value| if text.starts_with(b"-") { Err(DecimalError::Range) } else { Ok(value) })
            .map_err(|error| fault(DecodeReason::Decimal(error), at))?;
        self.learn(bytes, at);
        self.expect(text.iter().position(|&byte| byte == b'.').map_or(0, |point| text.len() - point - 1));
        Ok((value, at + end + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What `domain::decimal` says of the text before the quote.
    fn reference(text: &str, scale: Scale) -> Result<i64, DecimalError> {
        match decimal::parse(text.as_bytes(), scale) {
            Ok(_) if text.starts_with('-') => Err(DecimalError::Range),
            other => other,
        }
    }

    proptest! {
        #[test]
        fn decimals_agree_with_the_domain(
            texts in prop::collection::vec("-?[0-9]{1,10}(\\.[0-9]{0,6}0{0,5})?|-0|[0-9.a-]{0,12}", 1..8),
            scale in 0_u8..=10,
        ) {
            let scale = Scale::new(scale).expect("a valid scale");
            let mut shape = Shape::new(scale);
            for text in texts {
                let quoted = format!("{text}\"]");
                let found = shape.read(quoted.as_bytes(), 0);
                match reference(&text, scale) {
                    Ok(value) => prop_assert_eq!(found, Ok((value, text.len() + 1))),
                    Err(error) => prop_assert_eq!(found, Err(fault(DecodeReason::Decimal(error), 0))),
                }
                let open = &quoted.as_bytes()[..text.len()];
                prop_assert!(shape.read(open, 0).is_err(), "a string without an end");
            }
        }
    }
}
