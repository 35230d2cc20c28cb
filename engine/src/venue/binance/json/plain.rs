//! Sixteen bytes at a time, with what every processor of this kind has: where a string or a run of digits ends.
//!
//! `None` where sixteen bytes are not enough to tell, or a few times as many; the caller then goes by words.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    _mm_setzero_si128, _mm_subs_epu8, _mm_xor_si128, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

#[cfg(target_arch = "x86_64")]
use crate::venue::binance::number::Avx2;
use crate::venue::binance::number::{ByWords, Reading};

/// Bytes whose marks are found at once.
pub(in crate::venue::binance) const BLOCK: usize = 64;

/// A way to find marks: quotes, and what no plain string holds.
pub(in crate::venue::binance) trait Marking: Reading {
    /// Where they are in `text`, a bit a byte. `None` where this is not known how to do.
    fn marks(self, text: &[u8; BLOCK]) -> Option<u64>;
}

impl Marking for ByWords {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn marks(self, text: &[u8; BLOCK]) -> Option<u64> {
        let (sixteens, _) = text.as_chunks::<16>();
        Some(sixteens.iter().rev().fold(0, |all, sixteen| all << 16 | u64::from(marks_of(sixteen))))
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    fn marks(self, _: &[u8; BLOCK]) -> Option<u64> {
        None
    }
}

#[cfg(target_arch = "x86_64")]
impl Marking for Avx2 {
    #[inline(always)]
    #[allow(unsafe_code)]
    fn marks(self, text: &[u8; BLOCK]) -> Option<u64> {
        let marks = |half: &[u8; BLOCK / 2]| {
            // SAFETY: there is an `Avx2`, thirty-two bytes can be read there, and the load asks for no alignment.
            let marks = unsafe {
                let text = _mm256_loadu_si256(half.as_ptr().cast());
                let quotes = _mm256_cmpeq_epi8(text, _mm256_set1_epi8(b'"'.cast_signed()));
                let slashes = _mm256_cmpeq_epi8(text, _mm256_set1_epi8(b'\\'.cast_signed()));
                // As in `marks_of`.
                let odd = _mm256_cmpgt_epi8(_mm256_set1_epi8(b' '.cast_signed()), text);
                _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quotes, slashes), odd))
            };
            u64::from(marks.cast_unsigned())
        };
        let (low, high) = text.split_first_chunk()?;
        Some(marks(low) | marks(high.first_chunk()?) << (BLOCK / 2))
    }
}

/// Bytes in which a long string is to close.
#[cfg(target_arch = "x86_64")]
const LONG: usize = 32;

/// Length of the string that the `rest` of a frame starts with, if it closes in time and holds nothing but plain ASCII.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn string(frame: &[u8], rest: &[u8]) -> Option<usize> {
    let (text, skip) = chunk::<16>(frame, rest)?;
    closed(rest, marks_of(text) >> skip)
}

/// The same of a string that is seldom as short: the name of a stream.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn long_string(rest: &[u8]) -> Option<usize> {
    let (first, second) = rest.first_chunk::<LONG>()?.split_first_chunk::<16>()?;
    closed(rest, marks_of(first) | marks_of(second.first_chunk()?) << 16)
}

/// The first mark, if a quote is there.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn closed(text: &[u8], marks: u32) -> Option<usize> {
    let length = marks.trailing_zeros() as usize;
    (marks != 0 && text.get(length) == Some(&b'"')).then_some(length)
}

/// Where in sixteen bytes a quote is, or what no plain string holds, a bit a byte.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code)]
fn marks_of(text: &[u8; 16]) -> u32 {
    // SAFETY: x86-64 has SSE2, sixteen bytes can be read there, and the load asks for no alignment.
    let marks = unsafe {
        let text = _mm_loadu_si128(text.as_ptr().cast());
        let quotes = _mm_cmpeq_epi8(text, _mm_set1_epi8(b'"'.cast_signed()));
        let slashes = _mm_cmpeq_epi8(text, _mm_set1_epi8(b'\\'.cast_signed()));
        // Compared as signed numbers, control characters and all that is not ASCII are less than a space.
        let odd = _mm_cmplt_epi8(text, _mm_set1_epi8(b' '.cast_signed()));
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, slashes), odd))
    };
    marks.cast_unsigned()
}

/// How many digits the `rest` of a frame starts with, if fewer than sixteen.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn digits(frame: &[u8], rest: &[u8]) -> Option<usize> {
    let (text, skip) = chunk::<16>(frame, rest)?;
    // SAFETY: x86-64 has SSE2, sixteen bytes can be read there, and the load asks for no alignment.
    let digits = unsafe {
        let text = _mm_loadu_si128(text.as_ptr().cast());
        let values = _mm_xor_si128(text, _mm_set1_epi8(b'0'.cast_signed()));
        let beyond = _mm_subs_epu8(values, _mm_set1_epi8(9));
        _mm_movemask_epi8(_mm_cmpeq_epi8(beyond, _mm_setzero_si128()))
    };
    // The end of the text is no digit.
    let count = ((digits ^ 0x1_ffff) >> skip).trailing_zeros();
    (count < 16).then_some(count as usize)
}

/// The marks of the first bytes of the `rest` of a frame.
#[inline(always)]
pub(super) fn marks(by: impl Marking, frame: &[u8], rest: &[u8]) -> Option<u64> {
    let (text, skip) = chunk::<BLOCK>(frame, rest)?;
    by.marks(text)?.checked_shr(skip as u32)
}

/// Bytes that hold the first of the `rest` of a frame, and how many of them are before: near the end, the last ones.
#[inline(always)]
fn chunk<'f, const N: usize>(frame: &'f [u8], rest: &'f [u8]) -> Option<(&'f [u8; N], usize)> {
    match rest.first_chunk::<N>() {
        Some(text) => Some((text, 0)),
        None => Some((frame.last_chunk::<N>()?, N - rest.len())),
    }
}

/// Not here.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn string(_: &[u8], _: &[u8]) -> Option<usize> {
    None
}

/// Not here.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn long_string(_: &[u8]) -> Option<usize> {
    None
}

/// Not here.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn digits(_: &[u8], _: &[u8]) -> Option<usize> {
    None
}
