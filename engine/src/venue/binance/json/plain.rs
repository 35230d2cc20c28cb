//! Sixteen bytes at a time, with what every processor of this kind has: where a string or a run of digits ends.
//!
//! `None` where sixteen bytes are not enough to tell, or a few times as many; the caller then goes by words.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    _mm_setzero_si128, _mm_subs_epu8, _mm_xor_si128,
};

/// Bytes in which a long string is to close.
#[cfg(target_arch = "x86_64")]
const LONG: usize = 32;

/// Length of the string that the `rest` of a frame starts with, if it closes in time and holds nothing but plain ASCII.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn string(frame: &[u8], rest: &[u8]) -> Option<usize> {
    let (text, skip) = chunk::<16>(frame, rest)?;
    closed(rest, marks(text) >> skip)
}

/// The same of a string that is seldom as short: the name of a stream.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn long_string(rest: &[u8]) -> Option<usize> {
    let (first, second) = rest.first_chunk::<LONG>()?.split_first_chunk::<16>()?;
    closed(rest, marks(first) | marks(second.first_chunk()?) << 16)
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
pub(super) fn marks(text: &[u8; 16]) -> u32 {
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

/// Bytes that hold the first of the `rest` of a frame, and how many of them are before: near the end, the last ones.
#[inline(always)]
pub(super) fn chunk<'f, const N: usize>(frame: &'f [u8], rest: &'f [u8]) -> Option<(&'f [u8; N], usize)> {
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
