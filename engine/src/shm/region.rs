//! A run of words that several processes see: the only place that turns a mapping into references.

use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use crate::primitive::AtomicU64;
use crate::shm::descriptor::{DESCRIPTOR_BYTES, DESCRIPTOR_WORDS};
use crate::shm::own::Mapping;
use crate::shm::words::WORD;

/// A mapped file as words. Lives as long as the mapping.
pub(super) struct Region {
    first: NonNull<AtomicU64>,
    body_words: usize,
    mapping: Arc<Mapping>,
}

// SAFETY: the words are atomics, and the mapping may be used and unmapped from any thread.
#[allow(unsafe_code)]
unsafe impl Send for Region {}
// SAFETY: all access through `&Region` is by atomic words.
#[allow(unsafe_code)]
unsafe impl Sync for Region {}

impl Region {
    /// Takes over the owner's mapping.
    ///
    /// # Errors
    /// When it is too short for a descriptor page.
    pub(super) fn of_owner(mapping: Arc<Mapping>) -> Result<Self, String> {
        let short = || "is mapped to less than a page".to_owned();
        let body_bytes = mapping.memory().len().checked_sub(DESCRIPTOR_BYTES).ok_or_else(short)?;
        let first = NonNull::new(mapping.memory().as_mut_ptr().cast::<AtomicU64>()).ok_or_else(short)?;
        Ok(Self { first, body_words: body_bytes / WORD, mapping })
    }

    /// Takes over a reader's mapping, which outlives the file's being cut short.
    ///
    /// # Errors
    /// When it is too short, or cannot be guarded.
    pub(super) fn of_reader(mapping: Arc<Mapping>) -> Result<Self, String> {
        mapping.guard()?;
        Self::of_owner(mapping)
    }

    /// `false` once a reader has found the file cut short: then all its words are 0.
    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        !self.mapping.is_lost()
    }

    /// The descriptor page.
    pub(super) fn page(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, at least one page long (`of_owner` has seen that), and lives as long as
        // `self`; atomic words may be changed by others at any time. Other processes' mappings are read-only: code that
        // holds a `Readable` only loads, relaxed.
        #[allow(unsafe_code)]
        unsafe {
            slice::from_raw_parts(self.first.as_ptr(), DESCRIPTOR_WORDS)
        }
    }

    /// The words after the descriptor page.
    #[inline]
    pub(super) fn body(&self) -> &[AtomicU64] {
        // SAFETY: as in `page`; the mapping holds `body_words` whole words after the page, as `of_owner` counted.
        #[allow(unsafe_code)]
        unsafe {
            slice::from_raw_parts(self.first.as_ptr().add(DESCRIPTOR_WORDS), self.body_words)
        }
    }
}
