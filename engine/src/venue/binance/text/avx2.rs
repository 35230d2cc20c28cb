//! The values of a new order as text, many digits at a time, where the processor has AVX2.
//!
//! Quantity and price are split side by side, in the steps of [`eight`](super::eight), in which every lane of a vector takes
//! part. Where the digits that count begin and end is asked of all at once too, and one shuffle moves them to the front.
//!
//! Everything is inlined into functions that are compiled for such processors; only there it is fast.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_bsrli_si128, _mm_cvtepu32_epi64, _mm_cvtsi64_si128, _mm_or_si128, _mm_set_epi64x,
    _mm_setr_epi8, _mm_shuffle_epi8, _mm_storeu_si128, _mm_unpacklo_epi64, _mm256_castsi128_si256,
    _mm256_castsi256_si128, _mm256_cmpgt_epi8, _mm256_cvtepu32_epi64, _mm256_extracti128_si256,
    _mm256_movemask_epi8, _mm256_mul_epu32, _mm256_mulhi_epu16, _mm256_mullo_epi16, _mm256_or_si256,
    _mm256_set_m128i, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_slli_epi32, _mm256_slli_epi64, _mm256_srli_epi16,
    _mm256_srli_epi64, _mm256_sub_epi16, _mm256_sub_epi64, _pdep_u64,
};

use super::{EIGHT_DIGITS, HEX, Sink, UNITS};
use crate::domain::decimal::Scale;
use crate::domain::{Nanos, OrderId};
use crate::venue::binance::number::{Avx2, LANES, onward};

/// The first time in milliseconds of thirteen digits; the last that there is has as many.
const THIRTEEN_DIGITS: Nanos = Nanos(1_000_000_000_000 * 1_000_000);

/// The bits of an id's first word that are zero where its source and that one's epoch have one digit.
const ONE_DIGIT_PARTS: u64 = 0xfff0_fff0 << 32;

/// By scale, the first value that does not fit seven digits before the point and eight behind it, and how many units of the
/// eighth decimal one of the last decimal is.
const FITTING: &[(u64, u64); 32] = &{
    let mut fitting = [(0, 0); 32];
    let mut scale = 0;
    while scale < UNITS.len() {
        fitting[scale] = (EIGHT_DIGITS * (EIGHT_DIGITS / 10) / UNITS[scale], UNITS[scale]);
        scale += 1;
    }
    fitting
};

/// Places that begin with any of the first eight and go down to the first.
const DOWNWARDS: &[u8; LANES] = &[7, 6, 5, 4, 3, 2, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80];

/// Where a dash, a letter's place and the digits of source and its epoch lie before they are put in order.
const DASH: u8 = 12;
const LETTER: u8 = 13;
const SOURCE: u8 = 8;
const SOURCE_EPOCH: u8 = 10;

/// By the digits of an epoch less one, the places of what stands before an id's sequence.
const FRONTS: &[[u8; LANES]; 8] = &{
    let mut fronts = [[0x80; LANES]; 8];
    let mut digits = 1;
    while digits <= fronts.len() {
        let front = &mut fronts[digits - 1];
        (front[0], front[1]) = (LETTER, DASH);
        let mut digit = 0;
        while digit < digits {
            front[2 + digit] = (digits - 1 - digit) as u8;
            digit += 1;
        }
        let behind = [DASH, SOURCE, DASH, SOURCE_EPOCH, DASH];
        let mut at = 0;
        while at < behind.len() {
            front[2 + digits + at] = behind[at];
            at += 1;
        }
        digits += 1;
    }
    fronts
};

/// How many digits a number has in hexadecimal less one.
#[inline(always)]
const fn beyond_first(number: u64) -> usize {
    ((number as u32 | 1).ilog2() / 4) as usize
}

/// Two numbers below 10^8 in one word, the first eight digits of `number` in its low half.
#[inline(always)]
const fn two_eights(number: u64) -> i64 {
    ((number << 32).wrapping_sub((number / EIGHT_DIGITS).wrapping_mul((EIGHT_DIGITS << 32) - 1)))
        .cast_signed()
}

#[inline(always)]
#[allow(unsafe_code)]
fn stored(vector: __m128i) -> [u8; LANES] {
    let mut bytes = [0; LANES];
    // SAFETY: sixteen bytes can be written there, and the store asks for no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), vector) };
    bytes
}

/// The eight digits of each of four numbers below 10^8, zeros in front included, one a byte and the first in the lowest. See
/// [`eight`](super::eight).
#[inline(always)]
#[allow(unsafe_code)]
fn digits(_: Avx2, numbers: __m256i) -> __m256i {
    // SAFETY: there is an `Avx2`.
    unsafe {
        let product = _mm256_mul_epu32(numbers, _mm256_set1_epi64x(0xd1b7_1759));
        let quotients = _mm256_srli_epi64::<45>(product);
        let whole = _mm256_mul_epu32(quotients, _mm256_set1_epi64x(10_000));
        let fours = _mm256_or_si256(quotients, _mm256_slli_epi64::<32>(_mm256_sub_epi64(numbers, whole)));
        // 5,243 is 2^19/100 and 6,554 is 2^16/10, rounded up.
        let quotients = _mm256_srli_epi16::<3>(_mm256_mulhi_epu16(fours, _mm256_set1_epi32(5_243)));
        let whole = _mm256_mullo_epi16(quotients, _mm256_set1_epi32(100));
        let twos = _mm256_or_si256(quotients, _mm256_slli_epi32::<16>(_mm256_sub_epi16(fours, whole)));
        let quotients = _mm256_mulhi_epu16(twos, _mm256_set1_epi16(6_554));
        let whole = _mm256_mullo_epi16(quotients, _mm256_set1_epi16((10 << 8) - 1));
        _mm256_sub_epi16(_mm256_slli_epi16::<8>(twos), whole)
    }
}

/// A text of few bytes, of which as many count as `length` says.
#[derive(Clone, Copy)]
struct Short {
    bytes: [u8; LANES],
    length: usize,
}

/// The texts of a new order.
#[derive(Clone, Copy)]
pub(in crate::venue::binance) struct Ready {
    front: Short,
    sequence: Short,
    amounts: [Short; 2],
    end: [u8; LANES],
}

impl Ready {
    /// Of an order of this id at that time, and of two values with as many digits behind the point. `None` where one of them is
    /// longer or less plain than nearly all.
    #[inline(always)]
    pub(in crate::venue::binance) fn new(
        avx2: Avx2,
        id: OrderId,
        amounts: [(i64, Scale); 2],
        timestamp: Nanos,
    ) -> Option<Self> {
        let [owner, sequence]: [u64; 2] = zerocopy::transmute!(id);
        let [first, second] = amounts.map(|(value, scale)| {
            let (end, unit) = FITTING[usize::from(scale.digits()) % FITTING.len()];
            (value.cast_unsigned(), end, unit)
        });
        let is_long = (owner & ONE_DIGIT_PARTS) != 0
            || sequence > u32::MAX.into()
            || first.0 >= first.1
            || second.0 >= second.1
            || timestamp < THIRTEEN_DIGITS;
        if is_long {
            return None;
        }
        let [front, sequence] = self::id(avx2, owner, sequence);
        let amounts = self::amounts(avx2, [first.0 * first.2, second.0 * second.2]);
        Some(Self { front, sequence, amounts, end: self::end(avx2, timestamp) })
    }

    /// Writes the order's id.
    #[inline(always)]
    pub(in crate::venue::binance) fn id(&self, out: &mut impl Sink) {
        out.put(&self.front.bytes, self.front.length);
        out.put(self.sequence.bytes.first_chunk::<8>().expect("of sixteen"), self.sequence.length);
    }

    /// Writes the value at `place`.
    #[inline(always)]
    pub(in crate::venue::binance) fn amount(&self, place: usize, out: &mut impl Sink) {
        let Short { bytes, length } = &self.amounts[place];
        out.put(bytes, *length);
    }

    /// Writes the time, and the end of a request.
    #[inline(always)]
    pub(in crate::venue::binance) fn end(&self, out: &mut impl Sink) {
        out.put(&self.end, 15);
    }
}

/// What stands before the sequence of an id, and that.
#[inline(always)]
#[allow(unsafe_code)]
fn id(avx2: Avx2, owner: u64, sequence: u64) -> [Short; 2] {
    const NIBBLES: u64 = u64::from_ne_bytes([15; 8]);
    let epoch = owner & u64::from(u32::MAX);
    let (epoch_beyond, beyond) = (beyond_first(epoch), beyond_first(sequence));
    // SAFETY: there is an `Avx2`.
    let (front, sequence) = unsafe {
        let nibbles = |number| _mm_cvtsi64_si128(_pdep_u64(number, NIBBLES).cast_signed());
        let hexadecimal = |nibbles| _mm_shuffle_epi8(avx2.load(HEX), nibbles);
        // What has its high bit set comes out as zero.
        let source = _mm_cvtsi64_si128((owner >> 32 | 0x8080_0000_0000).cast_signed());
        let digits = hexadecimal(_mm_unpacklo_epi64(nibbles(epoch), source));
        let marks = _mm_set_epi64x(0x742d_0000_0000, 0);
        let front = _mm_shuffle_epi8(_mm_or_si128(digits, marks), avx2.load(&FRONTS[epoch_beyond]));
        let places =
            *DOWNWARDS[7 - beyond..].first_chunk().expect("of sixteen eight are behind any of eight");
        let places = _mm_cvtsi64_si128(i64::from_le_bytes(places));
        (front, _mm_shuffle_epi8(hexadecimal(nibbles(sequence)), places))
    };
    [
        Short { bytes: stored(front), length: 8 + epoch_beyond },
        Short { bytes: stored(sequence), length: 1 + beyond },
    ]
}

/// Two numbers of units of the eighth decimal, with seven digits before the point.
#[inline(always)]
#[allow(unsafe_code)]
fn amounts(avx2: Avx2, units: [u64; 2]) -> [Short; 2] {
    let [one, two] = units.map(two_eights);
    // SAFETY: there is an `Avx2`.
    let (texts, counting) = unsafe {
        let digits = digits(avx2, _mm256_cvtepu32_epi64(_mm_set_epi64x(two, one)));
        // The first digit of the sixteen makes room for the point.
        let places = _mm_setr_epi8(1, 2, 3, 4, 5, 6, 7, -1, 8, 9, 10, 11, 12, 13, 14, 15);
        let spaced = _mm256_shuffle_epi8(digits, _mm256_set_m128i(places, places));
        let counting = _mm256_movemask_epi8(_mm256_cmpgt_epi8(spaced, _mm256_setzero_si256()));
        let zeros = _mm_setr_epi8(48, 48, 48, 48, 48, 48, 48, 46, 48, 48, 48, 48, 48, 48, 48, 48);
        (_mm256_or_si256(spaced, _mm256_set_m128i(zeros, zeros)), counting.cast_unsigned())
    };
    // SAFETY: there is an `Avx2`.
    let [low, high] = unsafe { [_mm256_castsi256_si128(texts), _mm256_extracti128_si256::<1>(texts)] };
    let shown = |text, counting: u32| {
        // The digit before the point is always shown.
        let counting = counting as u16 | 1 << 6;
        let (first, last) = (counting.trailing_zeros() as usize, counting.ilog2() as usize);
        // SAFETY: there is an `Avx2`.
        let text = unsafe { _mm_shuffle_epi8(text, avx2.load(onward(first))) };
        Short { bytes: stored(text), length: 1 + (last - first) % LANES }
    };
    [shown(low, counting), shown(high, counting >> 16)]
}

/// A time of thirteen digits in milliseconds, and the end of a request.
#[inline(always)]
#[allow(unsafe_code)]
fn end(avx2: Avx2, timestamp: Nanos) -> [u8; LANES] {
    let time = two_eights(timestamp.0.unsigned_abs() / 1_000_000);
    // SAFETY: there is an `Avx2`.
    stored(unsafe {
        let digits = digits(avx2, _mm256_castsi128_si256(_mm_cvtepu32_epi64(_mm_cvtsi64_si128(time))));
        let thirteen = _mm_bsrli_si128::<3>(_mm256_castsi256_si128(digits));
        let zeros = _mm_setr_epi8(48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 125, 125, 0);
        _mm_or_si128(thirteen, zeros)
    })
}
