//! Marks of sixty-four bytes: where in them a quote is, or what no plain string holds.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_set1_epi8,
};

#[cfg(target_arch = "x86_64")]
use crate::venue::binance::number::Avx2;
use crate::venue::binance::number::ByWords;

use super::plain;

/// Bytes whose marks are found at once.
pub(in crate::venue::binance) const BLOCK: usize = 64;

/// A way to find marks.
pub(in crate::venue::binance) trait Marking: Copy {
    /// Those of `text`, a bit a byte. `None` where this processor has nothing to find them with.
    fn marks(self, text: &[u8; BLOCK]) -> Option<u64>;
}

impl Marking for ByWords {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn marks(self, text: &[u8; BLOCK]) -> Option<u64> {
        let (sixteens, _) = text.as_chunks::<16>();
        Some(sixteens.iter().rev().fold(0, |all, sixteen| all << 16 | u64::from(plain::marks(sixteen))))
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
    fn marks(self, text: &[u8; BLOCK]) -> Option<u64> {
        let (halves, _) = text.as_chunks::<32>();
        Some(halves.iter().rev().fold(0, |all, half| all << 32 | u64::from(thirty_two(self, half))))
    }
}

/// Those of thirty-two bytes.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code)]
fn thirty_two(_: Avx2, text: &[u8; 32]) -> u32 {
    // SAFETY: there is an `Avx2`, thirty-two bytes can be read there, and the load asks for no alignment.
    let marks = unsafe {
        let text = _mm256_loadu_si256(text.as_ptr().cast());
        let quotes = _mm256_cmpeq_epi8(text, _mm256_set1_epi8(b'"'.cast_signed()));
        let slashes = _mm256_cmpeq_epi8(text, _mm256_set1_epi8(b'\\'.cast_signed()));
        // As in `plain`.
        let odd = _mm256_cmpgt_epi8(_mm256_set1_epi8(b' '.cast_signed()), text);
        _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quotes, slashes), odd))
    };
    marks.cast_unsigned()
}

/// The marks of the first bytes of the `rest` of a frame.
#[inline(always)]
pub(super) fn ahead(by: impl Marking, frame: &[u8], rest: &[u8]) -> Option<u64> {
    let (text, skip) = plain::chunk::<BLOCK>(frame, rest)?;
    by.marks(text)?.checked_shr(skip as u32)
}
