//! Numbers sixteen bytes at a time, where the processor has AVX2.
//!
//! A number of known layout is one comparison and one shuffle. XORed with a pattern, its digits become their values and
//! whatever is fixed becomes zero; one comparison with the most that each byte may be judges them all. The shuffle moves
//! the digits together, without the point and without decimals finer than the scale, which the pattern holds to zero.
//! Then neighbours are joined, of two numbers at once: ten times the left and the right one, and so on.
//!
//! Everything is inlined into functions that are compiled for such processors; only there it is fast.

use std::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_madd_epi16, _mm_maddubs_epi16,
    _mm_movemask_epi8, _mm_or_si128, _mm_packus_epi32, _mm_set_epi64x, _mm_set1_epi8, _mm_set1_epi16,
    _mm_set1_epi32, _mm_setzero_si128, _mm_shuffle_epi8, _mm_subs_epu8, _mm_testz_si128, _mm_xor_si128,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_packus_epi32, _mm256_set_m128i, _mm256_set1_epi16, _mm256_set1_epi32,
};

use super::layout::{LANES, Layouts, WHOLE_MAX};
use super::{Closing, POW10, Reading, Shape, Words};

/// Proof that the processor has what the functions here are made of.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Avx2(());

impl Avx2 {
    /// The proof, where there is one.
    #[inline(always)]
    pub(in crate::venue::binance) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        found.then_some(Self(()))
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn load(self, bytes: &[u8; LANES]) -> __m128i {
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

    /// The number in `bytes` with `whole` digits before its point.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn look(self, layouts: &Layouts, bytes: __m128i, whole: usize) -> Looked {
        // The masks tell the compiler what is known.
        let layout = &layouts.by_whole[whole & WHOLE_MAX];
        let [pattern, most] = [self.load(&layout.pattern), self.load(&layout.most)];
        let places = self.load(&layout.places);
        let length = (whole & WHOLE_MAX) + (layouts.behind & (LANES - 1));
        // SAFETY: there is an `Avx2`.
        unsafe {
            let values = _mm_xor_si128(bytes, pattern);
            Looked { digits: _mm_shuffle_epi8(values, places), wrong: _mm_subs_epu8(values, most), length }
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

    /// The sixteen digits of each of two numbers as integers.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn joined(self, one: __m128i, two: __m128i) -> [u64; 2] {
        // SAFETY: there is an `Avx2`.
        let eights = unsafe {
            let pairs = _mm256_maddubs_epi16(_mm256_set_m128i(two, one), _mm256_set1_epi16(1 << 8 | 10));
            let quadruples = _mm256_madd_epi16(pairs, _mm256_set1_epi32(1 << 16 | 100));
            let packed = _mm256_packus_epi32(quadruples, quadruples);
            let eights = _mm256_madd_epi16(packed, _mm256_set1_epi32(1 << 16 | 10_000));
            let [low, high] = [_mm256_castsi256_si128(eights), _mm256_extracti128_si256::<1>(eights)];
            [_mm_cvtsi128_si64(low), _mm_cvtsi128_si64(high)]
        };
        [whole(eights[0]), whole(eights[1])]
    }
}

/// The integer of sixteen digits, of which the first eight are the low half of a word.
#[inline(always)]
const fn whole(eights: i64) -> u64 {
    let eights = eights.cast_unsigned();
    (eights & u32::MAX as u64) * POW10[8] + (eights >> 32)
}

/// A number that was looked at.
#[derive(Clone, Copy)]
pub(super) struct Looked {
    /// Its digits, in place.
    pub(super) digits: __m128i,
    /// What was wrong with it: zero for nothing.
    pub(super) wrong: __m128i,
    length: usize,
}

impl Reading for Avx2 {
    #[inline(always)]
    #[allow(unsafe_code)]
    fn pair(
        self,
        text: &(impl Words + ?Sized),
        at: usize,
        [first, second]: [&Shape; 2],
        [between, closing]: [Closing; 2],
    ) -> Option<([i64; 2], usize)> {
        let [first, second] = [first.expectation()?, second.expectation()?];
        if first.whole == 0 {
            return None;
        }
        let one = self.look(first.layouts, self.bytes(text, at)?, first.whole);
        let end = at + one.length;
        let start = end + between.length();
        let bytes = self.bytes(text, start)?;
        let whole = self.find(bytes, second.layouts.stop);
        let two = self.look(second.layouts, bytes, whole);
        let behind = start + two.length;
        let closed = between.starts(text.word(end)?) & closing.starts(text.word(behind)?);
        // SAFETY: there is an `Avx2`.
        let sound = unsafe {
            let wrong = _mm_or_si128(one.wrong, two.wrong);
            _mm_testz_si128(wrong, wrong) == 1
        };
        if !(sound & closed & (1..=WHOLE_MAX).contains(&whole)) {
            return None;
        }
        let [one, two] = self.joined(one.digits, two.digits);
        // Below 10^15: at most seven digits before the point, and a scale of at most eight.
        let values = [one * first.factor, two * second.factor].map(u64::cast_signed);
        Some((values, behind + closing.length()))
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn apart(self, bytes: &[u8], places: [usize; 2], shapes: [&Shape; 2]) -> Option<[i64; 2]> {
        let [first, second] = [shapes[0].expectation()?, shapes[1].expectation()?];
        // Near the end it is for the caller: to call a function about it here would cost every other pair.
        let texts = [self.load(bytes.sixteen(places[0])?), self.load(bytes.sixteen(places[1])?)];
        let wholes = [self.find(texts[0], first.layouts.stop), self.find(texts[1], second.layouts.stop)];
        let one = self.look(first.layouts, texts[0], wholes[0]);
        let two = self.look(second.layouts, texts[1], wholes[1]);
        let closed = |at: usize, looked: &Looked| bytes.get(at + looked.length) == Some(&b'"');
        // SAFETY: there is an `Avx2`.
        let sound = unsafe {
            let wrong = _mm_or_si128(one.wrong, two.wrong);
            _mm_testz_si128(wrong, wrong) == 1
        };
        let known = wholes.iter().all(|whole| (1..=WHOLE_MAX).contains(whole));
        if !(sound & known & closed(places[0], &one) & closed(places[1], &two)) {
            return None;
        }
        let [one, two] = self.joined(one.digits, two.digits);
        // As in `pair`.
        Some([one * first.factor, two * second.factor].map(u64::cast_signed))
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
