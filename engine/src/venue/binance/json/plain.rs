//! Sixteen bytes at a time, with what every processor of this kind has: where a string or a run of digits ends.
//!
//! `None` where sixteen bytes are not enough to tell, or a few times as many; the caller then goes by words.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    _mm_setzero_si128, _mm_subs_epu8, _mm_xor_si128,
};

#[cfg(target_arch = "x86_64")]
use crate::venue::binance::number::window;

/// Bytes in which a long string is to close.
#[cfg(target_arch = "x86_64")]
const LONG: usize = 32;

/// Length of the string whose first character is at `at`, if it closes in time and holds nothing but plain ASCII.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn string(bytes: &[u8], at: usize) -> Option<usize> {
    let (text, skip) = sixteen(bytes, at)?;
    let (quotes, odd) = marks(text, skip);
    // Bits below the first quote.
    let inside = quotes.wrapping_sub(1) & !quotes;
    (quotes != 0 && odd & inside == 0).then_some(quotes.trailing_zeros() as usize)
}

/// The same of a string that is seldom as short: the name of a stream.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn long_string(bytes: &[u8], at: usize) -> Option<usize> {
    let text = window::<LONG>(bytes, at)?;
    let (mut quotes, mut odd) = (0, 0);
    for (chunk, shift) in text.as_chunks::<16>().0.iter().zip([0, 16]) {
        let (more_quotes, more_odd) = marks(chunk, 0);
        (quotes, odd) = (quotes | more_quotes << shift, odd | more_odd << shift);
    }
    let inside = quotes.wrapping_sub(1) & !quotes;
    (quotes != 0 && odd & inside == 0).then_some(quotes.trailing_zeros() as usize)
}

/// Where quotes are in sixteen bytes, and where what no plain string holds, a bit a byte, from `skip` on.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code)]
fn marks(text: &[u8; 16], skip: usize) -> (u32, u32) {
    // SAFETY: x86-64 has SSE2, sixteen bytes can be read there, and the load asks for no alignment.
    let (quotes, odd) = unsafe {
        let text = _mm_loadu_si128(text.as_ptr().cast());
        let quotes = _mm_cmpeq_epi8(text, _mm_set1_epi8(b'"'.cast_signed()));
        let slashes = _mm_cmpeq_epi8(text, _mm_set1_epi8(b'\\'.cast_signed()));
        // Compared as signed numbers, control characters and all that is not ASCII are less than a space.
        let odd = _mm_or_si128(slashes, _mm_cmplt_epi8(text, _mm_set1_epi8(b' '.cast_signed())));
        (_mm_movemask_epi8(quotes), _mm_movemask_epi8(odd))
    };
    (quotes.cast_unsigned() >> skip, odd.cast_unsigned() >> skip)
}

/// How many digits stand at `at`, if fewer than sixteen.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn digits(bytes: &[u8], at: usize) -> Option<usize> {
    let (text, skip) = sixteen(bytes, at)?;
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

/// Sixteen bytes that hold those from `at` on, and how many of them are before: near the end, the last sixteen.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn sixteen(bytes: &[u8], at: usize) -> Option<(&[u8; 16], usize)> {
    if let Some(text) = window::<16>(bytes, at) {
        return Some((text, 0));
    }
    let text = bytes.last_chunk::<16>()?;
    let skip = at.checked_sub(bytes.len() - 16).filter(|&skip| skip < 16)?;
    Some((text, skip))
}

/// Not here.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn string(_: &[u8], _: usize) -> Option<usize> {
    None
}

/// Not here.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn long_string(_: &[u8], _: usize) -> Option<usize> {
    None
}

/// Not here.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn digits(_: &[u8], _: usize) -> Option<usize> {
    None
}
