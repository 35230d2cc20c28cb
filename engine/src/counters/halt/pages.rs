//! The pages of all owners, of which some come and go: the strictest wins.

use std::path::Path;

use crate::counters::halt::{HaltReader, HaltState, INSTRUMENTS_AT, places};
use crate::domain::{InstrumentIndex, Nanos, SourceId};
use crate::hint::likely;
use crate::room::Line;
use crate::shm::late::{Late, Presence};

/// A page that may come late.
struct Watched {
    page: Late<HaltReader>,
    /// What may be traded while no page was ever there.
    absent: HaltState,
}

impl Watched {
    /// What holds because no page is there; `None` if one is, which says it.
    fn missing(&self) -> Option<HaltState> {
        match (self.page.presence(), self.page.get()) {
            (Presence::Here, Some(_)) => None,
            (Presence::Absent, _) => Some(self.absent),
            // A page was there and says nothing any more: nobody knows what its owner wants.
            _ => Some(HaltState::Halted),
        }
    }

    fn state_at(&self, places: [usize; 3]) -> HaltState {
        let told = || self.page.get().map_or(HaltState::Halted, |page| page.state_at(places));
        self.missing().unwrap_or_else(told)
    }
}

/// The pages of all owners.
pub struct HaltPages {
    pages: Vec<HaltReader>,
    watched: Vec<Watched>,
    /// Which of the watched pages are there, as of the last look: only that changes it.
    here: Vec<usize>,
    /// The strictest of what holds because the others are not.
    missing: HaltState,
    /// When the watched pages are looked for again.
    due: Nanos,
    /// Readings in which a watched page held something back.
    held: u64,
}

impl Default for HaltPages {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl HaltPages {
    /// The pages to obey.
    #[must_use]
    pub const fn new(pages: Vec<HaltReader>) -> Self {
        let missing = HaltState::Active;
        Self { pages, watched: Vec::new(), here: Vec::new(), missing, due: Nanos(i64::MIN), held: 0 }
    }

    /// Obeys the page at `path` as well: from when it appears, and again when it is replaced. Until then `absent` holds;
    /// when it vanishes or cannot be read, nothing may be traded. It is looked for with every
    /// [`refresh`](Self::refresh), the first of them here.
    pub fn watch(&mut self, path: &Path, absent: HaltState, now: Nanos) {
        let mut page = Late::new(path, HaltReader::attach);
        page.look(now);
        self.watched.push(Watched { page, absent });
        self.here.reserve(self.watched.len());
        self.sort_out();
    }

    /// Tells the watched pages that are there from what holds because others are not.
    fn sort_out(&mut self) {
        self.here.clear();
        self.missing = HaltState::Active;
        for (at, watched) in self.watched.iter().enumerate() {
            match watched.missing() {
                None => self.here.push(at),
                Some(state) => self.missing = self.missing.max(state),
            }
        }
    }

    /// Looks for the watched pages, if that is due, and says whether it was; to be called in every duty cycle.
    #[inline]
    pub fn refresh(&mut self, now: Nanos) -> bool {
        let due = now >= self.due;
        if due {
            self.look(now);
        }
        due
    }

    /// When [`refresh`](Self::refresh) looks again.
    #[must_use]
    pub const fn due(&self) -> Nanos {
        self.due
    }

    #[cold]
    fn look(&mut self, now: Nanos) {
        for watched in &mut self.watched {
            watched.page.refresh(now);
        }
        self.due = self.watched.iter().map(|watched| watched.page.due()).min().unwrap_or(Nanos::NEVER);
        self.sort_out();
    }

    /// What all pages together let `source` trade of `instrument`: the strictest wins. Halted if there is no page.
    #[inline(always)]
    #[must_use]
    pub fn state(&mut self, source: SourceId, instrument: InstrumentIndex) -> HaltState {
        match places(source, instrument) {
            Some(places) => self.state_at(places),
            None => HaltState::Halted,
        }
    }

    /// Where the pages that cannot be replaced have the words of each instrument.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.pages
            .iter()
            .filter_map(|page| page.file.body().get(INSTRUMENTS_AT..))
            .flat_map(Line::first_of::<_, 1>)
    }

    /// What all pages together let anybody trade at all. Halted if there is no page.
    #[inline]
    #[must_use]
    pub fn global(&mut self) -> HaltState {
        self.state_at([0; 3])
    }

    /// Readings so far in which a watched page let less than everything be traded.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.held
    }

    #[inline(always)]
    fn state_at(&mut self, places: [usize; 3]) -> HaltState {
        let [_, source, instrument] = places;
        let mut any = 0;
        for page in &self.pages {
            any |= page.held(places);
        }
        for &at in &self.here {
            any |= self.watched[at].page.get().map_or(u64::MAX, |page| page.held(places));
        }
        let no_page = self.pages.is_empty() && self.watched.is_empty();
        let calm = any == 0 && self.missing == HaltState::Active && !no_page;
        if likely(calm) { HaltState::Active } else { self.strictest_at(source, instrument) }
    }

    #[cold]
    #[inline(never)]
    fn strictest_at(&mut self, source: usize, instrument: usize) -> HaltState {
        let places = [0, source, instrument];
        if self.pages.is_empty() && self.watched.is_empty() {
            return HaltState::Halted;
        }
        let states = self.watched.iter().map(|watched| watched.state_at(places));
        let watched = states.fold(HaltState::Active, HaltState::max);
        self.held += u64::from(watched > HaltState::Active);
        self.pages.iter().map(|page| page.state_at(places)).fold(watched, HaltState::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::halt::HaltPage;
    use crate::counters::halt::tests::{ANY, page};

    #[test]
    fn the_strictest_page_wins_and_no_page_halts() {
        let (_a, mut first, one) = page();
        let (_b, mut second, two) = page();
        let mut pages = HaltPages::new(vec![one, two]);
        assert_eq!(pages.state(ANY.0, ANY.1), HaltState::Active);
        first.set_global(HaltState::ReduceOnly);
        second.set_instrument(ANY.1, HaltState::CancelOnly);
        assert_eq!(pages.state(ANY.0, ANY.1), HaltState::CancelOnly);
        assert_eq!((pages.global(), pages.held()), (HaltState::ReduceOnly, 0), "neither comes and goes");
        assert_eq!(HaltPages::default().state(ANY.0, ANY.1), HaltState::Halted);
        assert_eq!(HaltPages::default().global(), HaltState::Halted);
    }

    #[test]
    fn a_page_that_comes_late_is_obeyed_and_one_that_vanishes_halts() {
        let (folder, _own, reader) = page();
        let path = folder.path().join("operator");
        let look = |n: i64| Nanos::from_millis(100 * n);
        let mut pages = HaltPages::new(vec![reader]);
        pages.watch(&path, HaltState::Active, look(0));
        assert_eq!((pages.state(ANY.0, ANY.1), pages.held()), (HaltState::Active, 0));
        let mut operator = HaltPage::create(&path, 1).expect("made");
        operator.set_instrument(ANY.1, HaltState::CancelOnly);
        pages.refresh(look(1));
        assert_eq!((pages.state(ANY.0, ANY.1), pages.held()), (HaltState::CancelOnly, 1));
        operator.set_instrument(ANY.1, HaltState::Active);
        assert_eq!(pages.state(ANY.0, ANY.1), HaltState::Active, "read at once, not with the next look");
        std::fs::remove_file(&path).expect("removed");
        pages.refresh(look(2));
        assert_eq!((pages.state(ANY.0, ANY.1), pages.global()), (HaltState::Halted, HaltState::Halted));
        let _again = HaltPage::create(&path, 1).expect("made");
        pages.refresh(look(3));
        assert_eq!((pages.global(), pages.held()), (HaltState::Active, 3));
        std::fs::write(folder.path().join("other"), b"no page").expect("written");
        std::fs::rename(folder.path().join("other"), &path).expect("renamed");
        pages.refresh(look(4));
        assert_eq!(pages.global(), HaltState::Halted);
    }

    #[test]
    fn a_page_that_must_be_there_halts_until_it_is() {
        let (folder, _own, reader) = page();
        let path = folder.path().join("risk");
        let mut pages = HaltPages::new(vec![reader]);
        pages.watch(&path, HaltState::Halted, Nanos::ZERO);
        assert_eq!(pages.state(ANY.0, ANY.1), HaltState::Halted);
        let _page = HaltPage::create(&path, 1).expect("made");
        pages.refresh(Nanos::from_millis(100));
        assert_eq!(pages.state(ANY.0, ANY.1), HaltState::Active);
    }
}
