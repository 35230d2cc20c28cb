//! Numbers sixteen bytes at a time, where the processor has AVX2.
//!
//! A number of known layout is one comparison and one shuffle. XORed with a pattern, its digits become their values and
//! whatever is fixed becomes zero; one comparison with the most that each byte may be judges them all. The shuffle moves
//! the digits together, without the point and without decimals finer than the scale, which the pattern holds to zero.
//! Then neighbours are joined, of two numbers at once: ten times the left and the right one, and so on.
//!
//! Everything is inlined into functions that are compiled for such processors; only there it is fast.

use std::arch::x86_64::{
    __m128i, _mm_add_epi64, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_madd_epi16,
    _mm_maddubs_epi16, _mm_movemask_epi8, _mm_mul_epu32, _mm_or_si128, _mm_packus_epi32, _mm_set_epi64x,
    _mm_set1_epi8, _mm_set1_epi16, _mm_set1_epi32, _mm_set1_epi64x, _mm_setzero_si128, _mm_shuffle_epi8,
    _mm_srli_epi64, _mm_storeu_si128, _mm_subs_epu8, _mm_testz_si128, _mm_xor_si128,
};

use std::sync::OnceLock;

use super::layout::{LANES, Layouts, WHOLE_MAX};
use super::{Closing, POW10, Reading, Shape, Words, digits_at_most};

/// Proof that the processor has what the functions here are made of.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Avx2(());

impl Avx2 {
    /// The proof, where there is one.
    #[inline(always)]
    pub(in crate::venue::binance) fn detect() -> Option<Self> {
        static FOUND: OnceLock<bool> = OnceLock::new();
        // Once and for all: whoever asks with every order asks one word, and not one for each of the four.
        let found = FOUND.get_or_init(|| {
            is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
        });
        found.then_some(Self(()))
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    pub(in crate::venue::binance) fn load(self, bytes: &[u8; LANES]) -> __m128i {
        // SAFETY: sixteen bytes can be read there, and the load asks for no alignment.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    /// The sixteen bytes from `at` of `text`, zeros where it has ended.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn bytes(self, text: &(impl Words + ?Sized), at: usize) -> Option<__m128i> {
        Some(match text.sixteen(at) {
            Some(bytes) => self.load(bytes),
            None => {
                let [low, high] = [text.word(at)?, text.word(at + 8)?].map(u64::cast_signed);
                // SAFETY: there is an `Avx2`.
                unsafe { _mm_set_epi64x(high, low) }
            }
        })
    }

    /// A number with `whole` digits before its point.
    #[inline(always)]
    pub(super) fn known(self, layouts: &Layouts, whole: usize) -> Known {
        // The masks tell the compiler what is known.
        let whole = whole & WHOLE_MAX;
        let layout = &layouts.by_whole[whole];
        let [pattern, most] = [self.load(&layout.pattern), self.load(&layout.most)];
        Known { pattern, most, places: self.load(&layout.places), length: whole + layouts.behind() }
    }

    /// The number in `bytes`.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn look(self, known: &Known, bytes: __m128i) -> Looked {
        // SAFETY: there is an `Avx2`.
        unsafe {
            let values = _mm_xor_si128(bytes, known.pattern);
            let digits = _mm_shuffle_epi8(values, known.places);
            Looked { digits, wrong: _mm_subs_epu8(values, known.most) }
        }
    }

    /// Whether nothing is wrong with either.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn all_right(self, one: Looked, two: Looked) -> bool {
        // SAFETY: there is an `Avx2`.
        unsafe {
            let wrong = _mm_or_si128(one.wrong, two.wrong);
            _mm_testz_si128(wrong, wrong) == 1
        }
    }

    /// Where the first `byte` stands in `bytes`; beyond them if nowhere.
    #[inline(always)]
    #[allow(unsafe_code, clippy::cast_possible_wrap)]
    pub(super) fn find(self, bytes: __m128i, byte: u8) -> usize {
        // SAFETY: there is an `Avx2`.
        let found = unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8))) };
        found.trailing_zeros() as usize
    }

    /// The bytes at `at` as values of digits, and how many of them are such before the first that is none.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn digits(self, bytes: &[u8], at: usize) -> Option<(__m128i, usize)> {
        let text = self.bytes(bytes, at)?;
        // SAFETY: there is an `Avx2`.
        let (values, digits) = unsafe {
            let values = _mm_xor_si128(text, _mm_set1_epi8(b'0'.cast_signed()));
            let beyond = _mm_subs_epu8(values, _mm_set1_epi8(9));
            (values, _mm_movemask_epi8(_mm_cmpeq_epi8(beyond, _mm_setzero_si128())))
        };
        Some((values, (!digits).trailing_zeros() as usize))
    }

    /// The integer of the first `length` digits.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn integer(self, values: __m128i, length: usize) -> u64 {
        // SAFETY: there is an `Avx2`.
        let eights = unsafe {
            let digits = _mm_shuffle_epi8(values, self.load(to_end(length)));
            let pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(1 << 8 | 10));
            let quadruples = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
            let packed = _mm_packus_epi32(quadruples, quadruples);
            _mm_cvtsi128_si64(_mm_madd_epi16(packed, _mm_set1_epi32(1 << 16 | 10_000)))
        };
        whole(eights)
    }

    /// The sixteen digits of each of two numbers as integers, which lie side by side all the way.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn joined(self, one: __m128i, two: __m128i) -> [i64; 2] {
        let mut values = [0; 2];
        // SAFETY: there is an `Avx2`, and the sixteen bytes of `values` are stored without alignment.
        unsafe {
            let (tens, hundreds) = (_mm_set1_epi16(1 << 8 | 10), _mm_set1_epi32(1 << 16 | 100));
            let quadruples = |digits| _mm_madd_epi16(_mm_maddubs_epi16(digits, tens), hundreds);
            let packed = _mm_packus_epi32(quadruples(one), quadruples(two));
            let eights = _mm_madd_epi16(packed, _mm_set1_epi32(1 << 16 | 10_000));
            // The first eight digits of each are the low half of a word.
            let first = _mm_mul_epu32(eights, _mm_set1_epi64x(POW10[8].cast_signed()));
            let whole = _mm_add_epi64(first, _mm_srli_epi64::<32>(eights));
            _mm_storeu_si128(values.as_mut_ptr().cast(), whole);
        }
        values
    }
}

/// The integer of sixteen digits, of which the first eight are the low half of a word.
#[inline(always)]
const fn whole(eights: i64) -> u64 {
    let eights = eights.cast_unsigned();
    (eights & u32::MAX as u64) * POW10[8] + (eights >> 32)
}

/// A number of which it is known how it lies.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pattern: __m128i,
    most: __m128i,
    places: __m128i,
    length: usize,
}

impl Known {
    /// Its bytes.
    #[inline(always)]
    const fn length(&self) -> usize {
        // The mask tells the compiler what is known.
        self.length & (2 * LANES - 1)
    }
}

/// Pairs of which the first number lies as before.
#[derive(Clone, Copy)]
pub(in crate::venue::binance) struct Pairs {
    first: Known,
    second: &'static Layouts,
    /// Bytes of the second behind its digits before the point.
    behind: usize,
}

/// A number that was looked at.
#[derive(Clone, Copy)]
pub(super) struct Looked {
    /// Its digits, in place.
    pub(super) digits: __m128i,
    /// What was wrong with it: zero for nothing.
    pub(super) wrong: __m128i,
}

impl Reading for Avx2 {
    type Pairs<'s> = Pairs;

    #[inline(always)]
    fn pairs(self, [first, second]: [&Shape; 2]) -> Option<Pairs> {
        let whole = first.whole();
        let (first, second) = (first.scaled()?, second.scaled()?);
        (whole != 0).then(|| Pairs { first: self.known(first, whole), second, behind: second.behind() })
    }

    #[inline(always)]
    fn next(
        self,
        Pairs { first, second, behind }: &Pairs,
        text: &(impl Words + ?Sized),
        at: usize,
        between: Closing,
    ) -> Option<([i64; 2], usize)> {
        let end = at + first.length();
        let start = end + between.length();
        // Everything behind this pair waits for where it ends: a word tells sooner than a vector.
        let whole = digits_at_most(text.word(start)?);
        let one = self.look(first, self.bytes(text, at)?);
        let two = self.look(&self.known(second, whole), self.bytes(text, start)?);
        let sound = self.all_right(one, two) && between.starts(text.word(end)?);
        if whole.wrapping_sub(1) >= WHOLE_MAX || !sound {
            return None;
        }
        Some((self.joined(one.digits, two.digits), whole + (start + behind)))
    }

    #[inline(always)]
    fn apart(self, bytes: &[u8], places: [usize; 2], shapes: [&Shape; 2]) -> Option<[i64; 2]> {
        let [first, second] = [shapes[0].scaled()?, shapes[1].scaled()?];
        // Near the end it is for the caller: to call a function about it here would cost every other pair.
        let texts = [self.load(bytes.sixteen(places[0])?), self.load(bytes.sixteen(places[1])?)];
        let wholes = [self.find(texts[0], first.stop), self.find(texts[1], second.stop)];
        let [one, two] = [self.known(first, wholes[0]), self.known(second, wholes[1])];
        let closed = |at: usize, known: &Known| bytes.get(at + known.length()) == Some(&b'"');
        let closed = closed(places[0], &one) & closed(places[1], &two);
        let (one, two) = (self.look(&one, texts[0]), self.look(&two, texts[1]));
        if !(closed & wholes.iter().all(|whole| (1..=WHOLE_MAX).contains(whole)) & self.all_right(one, two)) {
            return None;
        }
        Some(self.joined(one.digits, two.digits))
    }

    #[inline(always)]
    fn unsigned(self, bytes: &[u8], at: usize) -> Option<(u64, usize)> {
        let (values, length) = self.digits(bytes, at)?;
        if length == 0 || length >= LANES || (length > 1 && bytes.get(at) == Some(&b'0')) {
            return super::unsigned(bytes, at);
        }
        Some((self.integer(values, length), at + length))
    }

    #[inline(always)]
    fn milliseconds(self, bytes: &[u8], at: usize) -> Option<(u64, usize)> {
        let (values, length) = self.digits(bytes, at)?;
        if length != MILLISECONDS || bytes.get(at) == Some(&b'0') {
            return self.unsigned(bytes, at);
        }
        Some((self.integer(values, MILLISECONDS), at + MILLISECONDS))
    }
}

/// Digits of a time in milliseconds from 2001 to 2286.
const MILLISECONDS: usize = 13;

/// The places that move the first `length` bytes to the end, zeros before them.
#[inline(always)]
fn to_end(length: usize) -> &'static [u8; LANES] {
    static PLACES: [u8; 2 * LANES] = {
        let mut places = [0x80; 2 * LANES];
        let mut at = 0;
        while at < LANES {
            places[LANES + at] = at as u8;
            at += 1;
        }
        places
    };
    PLACES[length & (LANES - 1)..].first_chunk().expect("thirty-two less fifteen are more than sixteen")
}
