//! Halt pages: each owner says in a file of its own what may still be traded; the strictest of all pages wins.
//!
//! Halting needs nobody's cooperation: one store, read by risk on every intent and by route when it takes up each request
//! (reliability.md §1.3, C01), which leaves within that duty cycle. An owner can lower only its own page.

mod pages;

use std::path::Path;

use crate::domain::{InstrumentIndex, SourceId};
use crate::error::SetupError;
use crate::limits::{CACHE_LINE, INSTRUMENTS_MAX, SOURCES_MAX};
use crate::primitive::{AtomicU64, Ordering};
use crate::shm::words::WORD;
use crate::shm::{Expected, Readable, SegmentKind, SegmentSpec, Writable};
use crate::wire::wire_enum;

pub use crate::counters::halt::pages::HaltPages;

wire_enum! {
    /// What may be traded, from the mildest to the strictest.
    HaltState {
        /// Everything.
        Active = 1 => "ACTIVE",
        /// Only orders that shrink the position and do not turn it.
        ReduceOnly = 2 => "REDUCE_ONLY",
        /// No new orders; cancels pass.
        CancelOnly = 3 => "CANCEL_ONLY",
        /// Nothing but cancels. Anything unreadable reads as this.
        Halted = 4 => "HALTED",
    }
}

const SOURCES_AT: usize = CACHE_LINE / WORD;
const INSTRUMENTS_AT: usize = SOURCES_AT + SOURCES_MAX;
const WORDS: usize = INSTRUMENTS_AT + INSTRUMENTS_MAX;

/// Layout of the body: a line with the global word, a word for each source, a word for each instrument.
const LAYOUT: u64 = 1;
const EXPECTED: Expected = Expected { kind: SegmentKind::Halt, layout: LAYOUT, element_size: WORD as u32 };

/// A word that holds nothing back.
const ACTIVE: u64 = HaltState::Active.code() as u64;

const _: () = assert!(INSTRUMENTS_AT.is_multiple_of(CACHE_LINE / WORD));

/// An owner's page.
pub struct HaltPage {
    file: Writable,
}

impl HaltPage {
    /// Makes the page, everything active, replacing an older one by rename.
    ///
    /// An owner whose latches must outlive it takes [`reopen`](Self::reopen) first, or sets them again from its journal
    /// before it lets anybody trade.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, epoch: u32) -> Result<Self, SetupError> {
        let spec = SegmentSpec {
            kind: EXPECTED.kind,
            layout: EXPECTED.layout,
            element_size: EXPECTED.element_size,
            capacity: WORDS as u64,
            epoch,
            body_bytes: WORDS * WORD,
            parent: 0,
        };
        let fill = |body: &[AtomicU64]| body.iter().for_each(|word| word.store(ACTIVE, Ordering::Relaxed));
        Ok(Self { file: Writable::create_with(path, &spec, fill)? })
    }

    /// Goes on with the page that an earlier life of the owner left, its states kept and its readers still attached.
    ///
    /// # Errors
    /// When it is missing, foreign, too short, or not ours to write.
    pub fn reopen(path: &Path) -> Result<Self, SetupError> {
        let file = Writable::reopen(path, &EXPECTED)?;
        check_length(path, file.body())?;
        Ok(Self { file })
    }

    /// What this page lets be traded at all.
    #[must_use]
    pub fn global(&self) -> HaltState {
        read(self.file.body(), Some(0))
    }

    /// What this page itself lets `source` trade, whatever holds for all; halted where there is no such source.
    #[must_use]
    pub fn source(&self, source: SourceId) -> HaltState {
        read(self.file.body(), source_at(source))
    }

    /// Sets what may be traded at all.
    pub fn set_global(&mut self, state: HaltState) {
        self.set(0, state);
    }

    /// Sets what `source` may trade.
    ///
    /// # Panics
    /// When there is no such source: an error in the program, as with any array.
    pub fn set_source(&mut self, source: SourceId, state: HaltState) {
        self.set(source_at(source).expect("sources are below SOURCES_MAX"), state);
    }

    /// Sets what may be traded of `instrument`.
    ///
    /// # Panics
    /// When there is no such instrument: an error in the program, as with any array.
    pub fn set_instrument(&mut self, instrument: InstrumentIndex, state: HaltState) {
        self.set(instrument_at(instrument).expect("instruments are below INSTRUMENTS_MAX"), state);
    }

    /// Makes the state of everything at least `state`; gives what it is then.
    pub fn raise_global(&mut self, state: HaltState) -> HaltState {
        self.raise(Some(0), state)
    }

    /// Makes the state of `source` at least `state`, and gives it; one that does not exist is left.
    pub fn raise_source(&mut self, source: SourceId, state: HaltState) -> HaltState {
        self.raise(source_at(source), state)
    }

    /// Makes the state of `instrument` at least `state`, and gives it; one that does not exist is left.
    pub fn raise_instrument(&mut self, instrument: InstrumentIndex, state: HaltState) -> HaltState {
        self.raise(instrument_at(instrument), state)
    }

    fn raise(&mut self, at: Option<usize>, state: HaltState) -> HaltState {
        let raised = state.max(read(self.file.body(), at));
        if let Some(at) = at {
            self.set(at, raised);
        }
        raised
    }

    fn set(&mut self, at: usize, state: HaltState) {
        // The word is all there is to see: no other store needs to be ordered with it.
        self.file.body()[at].store(u64::from(state.code()), Ordering::Relaxed);
    }
}

fn source_at(source: SourceId) -> Option<usize> {
    let index = usize::from(source.0);
    (index < SOURCES_MAX).then(|| SOURCES_AT + index)
}

fn instrument_at(instrument: InstrumentIndex) -> Option<usize> {
    let index = instrument as usize;
    (index < INSTRUMENTS_MAX).then(|| INSTRUMENTS_AT + index)
}

fn check_length(path: &Path, body: &[AtomicU64]) -> Result<(), SetupError> {
    if body.len() >= WORDS { Ok(()) } else { Err(SetupError::file(path, "is too short for a halt page")) }
}

/// Somebody else's page.
pub struct HaltReader {
    file: Readable,
}

impl HaltReader {
    /// Attaches.
    ///
    /// # Errors
    /// When the page is missing or foreign. Without a page nothing may be traded.
    pub fn attach(path: &Path) -> Result<Self, SetupError> {
        let file = Readable::attach(path, &EXPECTED)?;
        check_length(path, file.body())?;
        Ok(Self { file })
    }

    /// What this page lets `source` trade of `instrument`: the strictest of its three words. Halted if either is out of
    /// range.
    #[inline]
    #[must_use]
    pub fn state(&self, source: SourceId, instrument: InstrumentIndex) -> HaltState {
        places(source, instrument).map_or(HaltState::Halted, |places| self.state_at(places))
    }

    /// The strictest of the words at `places`.
    #[inline(always)]
    fn state_at(&self, places: [usize; 3]) -> HaltState {
        match self.words_at(places) {
            // Nearly always: nothing to read codes for.
            Some(words) if held(words) == 0 => HaltState::Active,
            Some(words) => strictest_of(words),
            None => HaltState::Halted,
        }
    }

    /// Zero where none of the words at `places` holds anything back.
    #[inline(always)]
    fn held(&self, places: [usize; 3]) -> u64 {
        self.words_at(places).map_or(u64::MAX, held)
    }

    #[inline(always)]
    fn words_at(&self, places: [usize; 3]) -> Option<[u64; 3]> {
        let words = self.file.body().first_chunk::<WORDS>()?;
        Some(places.map(|at| words[at].load(Ordering::Relaxed)))
    }

    /// What this page lets anybody trade at all.
    #[inline]
    #[must_use]
    pub fn global(&self) -> HaltState {
        read(self.file.body(), Some(0))
    }

    /// What this page says of `source` alone. Halted if it is out of range.
    #[must_use]
    pub fn source(&self, source: SourceId) -> HaltState {
        read(self.file.body(), source_at(source))
    }

    /// Whether the page still stands under its name; `false` means: attach again. A system call.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.file.is_current()
    }
}

/// The words of a page that say what `source` may trade of `instrument`; `None` if either is out of range.
#[inline(always)]
fn places(source: SourceId, instrument: InstrumentIndex) -> Option<[usize; 3]> {
    Some([0, source_at(source)?, instrument_at(instrument)?])
}

#[inline]
fn read(body: &[AtomicU64], at: Option<usize>) -> HaltState {
    let word = at.and_then(|at| body.get(at));
    word.map_or(HaltState::Halted, |word| state_of(word.load(Ordering::Relaxed)))
}

fn state_of(word: u64) -> HaltState {
    let code = u8::try_from(word).ok();
    code.and_then(|code| HaltState::try_from(code).ok()).unwrap_or(HaltState::Halted)
}

/// Zero where none of the words holds anything back.
#[inline(always)]
fn held([global, source, instrument]: [u64; 3]) -> u64 {
    (global ^ ACTIVE) | (source ^ ACTIVE) | (instrument ^ ACTIVE)
}

#[cold]
fn strictest_of(words: [u64; 3]) -> HaltState {
    let [global, source, instrument] = words.map(state_of);
    global.max(source).max(instrument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    pub(super) const ANY: (SourceId, InstrumentIndex) = (SourceId(3), 77);

    pub(super) fn page() -> (TempDir, HaltPage, HaltReader) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("halt");
        let page = HaltPage::create(&path, 1).expect("made");
        let reader = HaltReader::attach(&path).expect("attached");
        (folder, page, reader)
    }

    #[test]
    fn the_strictest_word_wins() {
        let (_folder, mut page, reader) = page();
        for &global in HaltState::ALL {
            for &source in HaltState::ALL {
                for &instrument in HaltState::ALL {
                    page.set_global(global);
                    page.set_source(ANY.0, source);
                    page.set_instrument(ANY.1, instrument);
                    assert_eq!(reader.state(ANY.0, ANY.1), global.max(source).max(instrument));
                    assert_eq!(reader.state(SourceId(4), 78), global);
                    assert_eq!(reader.global(), global);
                }
            }
        }
    }

    #[test]
    fn words_of_the_last_source_and_the_first_instrument_are_apart() {
        let (_folder, mut page, reader) = page();
        let last = SourceId(u16::try_from(SOURCES_MAX - 1).expect("small"));
        page.set_source(last, HaltState::CancelOnly);
        assert_eq!(reader.state(SourceId(0), 0), HaltState::Active);
        assert_eq!(reader.state(last, 0), HaltState::CancelOnly);
    }

    #[test]
    fn anything_unreadable_is_halted() {
        let (_folder, page, reader) = page();
        assert_eq!(reader.state(ANY.0, ANY.1), HaltState::Active);
        for bad in [0, 5, 255, 256 + 1, u64::MAX] {
            page.file.body()[0].store(bad, Ordering::Relaxed);
            assert_eq!(reader.state(ANY.0, ANY.1), HaltState::Halted, "{bad}");
        }
        page.file.body()[0].store(1, Ordering::Relaxed);
        let beyond = (SourceId(SOURCES_MAX as u16), INSTRUMENTS_MAX as InstrumentIndex);
        assert_eq!(reader.state(beyond.0, ANY.1), HaltState::Halted);
        assert_eq!(reader.state(ANY.0, beyond.1), HaltState::Halted);
    }

    #[test]
    fn a_halt_outlives_its_owner() {
        let (folder, mut page, reader) = page();
        page.set_source(ANY.0, HaltState::Halted);
        drop(page);
        let mut page = HaltPage::reopen(&folder.path().join("halt")).expect("still there");
        assert_eq!(reader.state(ANY.0, ANY.1), HaltState::Halted);
        page.set_source(ANY.0, HaltState::Active);
        assert_eq!(reader.state(ANY.0, ANY.1), HaltState::Active);
        assert!(reader.is_current());
    }
}
