//! Text that lies as text known beforehand: what is fixed is compared and numbers are taken from their places, a lane at
//! a time, where the processor has AVX2.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_and_si128, _mm_set1_epi8, _mm_shuffle_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_m128i, _mm256_set1_epi8, _mm256_sub_epi8,
    _mm256_subs_epu8, _mm256_testz_si256, _mm256_zextsi128_si256,
};

use super::avx2::Avx2;
use super::layout::{LANES, Layouts, WHOLE_MAX};

/// Bytes that are compared at once.
pub(in crate::venue::binance) const LANE: usize = 2 * LANES;

/// What the bytes of a lane may be.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(in crate::venue::binance) struct Lane {
    /// The least that each may be.
    least: [u8; LANE],
    /// How much more than that, at most.
    more: [u8; LANE],
}

impl Lane {
    /// A lane of which nothing is asked.
    pub(in crate::venue::binance) const FREE: Self = Self { least: [0; LANE], more: [u8::MAX; LANE] };

    /// Asks of the byte at `at` that it be in `range`.
    pub(in crate::venue::binance) const fn ask(&mut self, at: usize, range: Bounds) {
        (self.least[at], self.more[at]) = (range.least, range.most - range.least);
    }
}

/// From which byte to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::venue::binance) struct Bounds {
    /// The least.
    pub(in crate::venue::binance) least: u8,
    /// The most, which is no less.
    pub(in crate::venue::binance) most: u8,
}

/// What was asked of bytes and is not so; nothing, if all of it is.
#[derive(Clone, Copy)]
pub(in crate::venue::binance) struct Wrong(pub(super) __m256i);

/// The digits of a number as values, the last one last, zeros before the first.
#[derive(Clone, Copy)]
pub(in crate::venue::binance) struct Digits(pub(super) __m128i);

/// Which of sixteen bytes go where, so that they are [`Digits`].
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct Places([u8; LANES]);

impl Places {
    /// None of them: the number is 0.
    pub(in crate::venue::binance) const NONE: Self = Self([0x80; LANES]);

    /// Those in which `counts` says that a digit counts.
    pub(in crate::venue::binance) fn of(counts: impl Fn(usize) -> bool) -> Self {
        let mut places = Self::NONE;
        let mut place = LANES;
        for at in (0_u8..16).rev().filter(|&at| counts(usize::from(at))) {
            place -= 1;
            places.0[place] = at;
        }
        places
    }
}

/// Which of sixteen bytes go where, so that the one at `first` comes to the front: what is before it is gone, zeros come
/// behind.
#[inline(always)]
pub(in crate::venue::binance) fn onward(first: usize) -> &'static [u8; LANES] {
    static PLACES: [u8; 2 * LANES] = {
        let mut places = [0x80; 2 * LANES];
        let mut at = 0;
        while at < LANES {
            places[at] = at as u8;
            at += 1;
        }
        places
    };
    // The mask tells the compiler what is known.
    PLACES[first & (LANES - 1)..].first_chunk().expect("thirty-two less fifteen are more than sixteen")
}

impl Avx2 {
    /// What is wrong with these bytes.
    #[inline(always)]
    pub(in crate::venue::binance) fn judge(self, bytes: &[u8; LANE], lane: &Lane) -> Wrong {
        self.compare(self.wide(bytes), lane)
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn wide(self, bytes: &[u8; LANE]) -> __m256i {
        // SAFETY: thirty-two bytes can be read there, and the load asks for no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    /// The same of a lane's two halves, wherever they lie.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(in crate::venue::binance) fn judge_halves(self, halves: [&[u8; LANES]; 2], lane: &Lane) -> Wrong {
        let [low, high] = [self.load(halves[0]), self.load(halves[1])];
        // SAFETY: there is an `Avx2`.
        self.compare(unsafe { _mm256_set_m128i(high, low) }, lane)
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn compare(self, bytes: __m256i, lane: &Lane) -> Wrong {
        let [least, more] = [self.wide(&lane.least), self.wide(&lane.more)];
        // SAFETY: there is an `Avx2`.
        Wrong(unsafe { _mm256_subs_epu8(_mm256_sub_epi8(bytes, least), more) })
    }

    /// Whether none of these is wrong.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(in crate::venue::binance) fn is_right(self, wrong: Wrong) -> bool {
        // SAFETY: there is an `Avx2`.
        unsafe { _mm256_testz_si256(wrong.0, wrong.0) == 1 }
    }

    /// Both together.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(in crate::venue::binance) fn both(self, one: Wrong, two: Wrong) -> Wrong {
        // SAFETY: there is an `Avx2`.
        Wrong(unsafe { _mm256_or_si256(one.0, two.0) })
    }

    /// Which of these bytes are quotes or points, by which numbers and texts are told apart: a bit each, the first the lowest.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(in crate::venue::binance) fn marks(self, bytes: &[u8; LANE]) -> u32 {
        let bytes = self.wide(bytes);
        // SAFETY: there is an `Avx2`.
        let found = unsafe {
            let quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"'.cast_signed()));
            let points = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'.'.cast_signed()));
            _mm256_movemask_epi8(_mm256_or_si256(quotes, points))
        };
        found.cast_unsigned()
    }

    /// The digits at known places of bytes that were judged.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(in crate::venue::binance) fn digits_at(self, bytes: &[u8; LANES], places: &Places) -> Digits {
        let bytes = self.load(bytes);
        // SAFETY: there is an `Avx2`. A digit's value is the lower half of its byte.
        Digits(unsafe { _mm_and_si128(_mm_shuffle_epi8(bytes, self.load(&places.0)), _mm_set1_epi8(0x0f)) })
    }

    /// How many digits the decimal that starts these bytes has before its point; more than sixteen if it has none.
    #[inline(always)]
    pub(in crate::venue::binance) fn whole_digits(self, bytes: &[u8; LANES], layouts: &Layouts) -> usize {
        self.find(self.load(bytes), layouts.stop)
    }

    /// The decimal with `whole` digits before its point that starts these bytes, and what is wrong with it.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(in crate::venue::binance) fn decimal(
        self,
        bytes: &[u8; LANES],
        layouts: &Layouts,
        whole: usize,
    ) -> (Digits, Wrong) {
        self.told(self.load(bytes), layouts, whole)
    }

    /// The same of the decimal that ends these bytes.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(in crate::venue::binance) fn decimal_before(
        self,
        bytes: &[u8; LANES],
        layouts: &Layouts,
        whole: usize,
    ) -> (Digits, Wrong) {
        let moved = onward(LANES - whole.min(WHOLE_MAX) - layouts.behind);
        // SAFETY: there is an `Avx2`.
        let bytes = unsafe { _mm_shuffle_epi8(self.load(bytes), self.load(moved)) };
        self.told(bytes, layouts, whole)
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn told(self, bytes: __m128i, layouts: &Layouts, whole: usize) -> (Digits, Wrong) {
        let looked = self.look(&self.known(layouts, whole), bytes);
        // SAFETY: there is an `Avx2`.
        (Digits(looked.digits), Wrong(unsafe { _mm256_zextsi128_si256(looked.wrong) }))
    }

    /// Both numbers as integers.
    #[inline(always)]
    pub(in crate::venue::binance) fn integers(self, one: Digits, two: Digits) -> [u64; 2] {
        self.joined(one.0, two.0).map(i64::cast_unsigned)
    }
}
