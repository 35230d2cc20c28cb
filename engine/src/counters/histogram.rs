//! Named latency histograms. Every recording counts: nothing is sampled.

use std::path::Path;

use crate::counters::hdr::{CELLS, VALUE_MAX, cell_of};
use crate::counters::names::{self, NAME_WORDS};
use crate::counters::snapshot::Snapshot;
use crate::domain::Nanos;
use crate::error::SetupError;
use crate::hint::unlikely;
use crate::primitive::{AtomicU64, Ordering};
use crate::shm::words::WORD;
use crate::shm::{Expected, Readable, SegmentKind, SegmentSpec, Writable};

/// Words of a histogram: one line of totals, then the cells.
const WORDS: usize = TOTALS + CELLS;
const TOTALS: usize = 8;
const COUNT: usize = 0;
const SUM: usize = 1;
const MIN: usize = 2;
const MAX: usize = 3;
const SATURATED: usize = 4;

/// Layout of the body: the names, then the totals and cells of each histogram.
const LAYOUT: u64 = 1;
const EXPECTED: Expected =
    Expected { kind: SegmentKind::Histograms, layout: LAYOUT, element_size: (WORDS * WORD) as u32 };

/// Histogram `index` of `count`, if there is one.
#[inline]
fn histogram(body: &[AtomicU64], count: usize, index: usize) -> Option<&[AtomicU64; WORDS]> {
    if index < count { body.get(count * NAME_WORDS + index * WORDS..)?.first_chunk() } else { None }
}

/// Takes in a value below or above all that was recorded.
#[cold]
fn widen(words: &[AtomicU64; WORDS], nanos: u64) {
    let get = |at: usize| words[at].load(Ordering::Relaxed);
    if get(COUNT) == 0 || nanos < get(MIN) {
        words[MIN].store(nanos, Ordering::Relaxed);
    }
    if nanos > get(MAX) {
        words[MAX].store(nanos, Ordering::Relaxed);
    }
}

#[cold]
fn missing(index: usize) -> ! {
    panic!("there is no histogram {index}");
}

/// Counts a value that has no cell of its own, and gives the one that it counts as.
#[cold]
fn saturate(words: &[AtomicU64; WORDS]) -> u64 {
    words[SATURATED].store(words[SATURATED].load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    VALUE_MAX
}

/// Durations that may wait to be recorded: those of a frame and the few orders that come of it.
const WAITING: usize = 16;

/// The writer's histograms. One agent writes them; they start empty with each creation.
///
/// A duration that was noted is recorded when its agent has nothing else to do, or too many wait: the lines of a histogram are
/// touched behind what was timed, and not before it is over.
pub struct Histograms {
    file: Writable,
    /// Where the first one starts.
    first: usize,
    /// What was noted, which histogram it belongs to before how long it took.
    waiting: [(usize, Nanos); WAITING],
    count: usize,
}

impl Histograms {
    /// Makes the file. The order of `names` is the index of each histogram.
    ///
    /// # Errors
    /// When a name is empty, too long or stands twice, or the file cannot be made.
    pub fn create(path: &Path, names: &[&str], epoch: u32) -> Result<Self, SetupError> {
        names::check(path, names)?;
        let spec = SegmentSpec {
            kind: EXPECTED.kind,
            layout: EXPECTED.layout,
            element_size: EXPECTED.element_size,
            capacity: names.len() as u64,
            epoch,
            body_bytes: names.len() * (NAME_WORDS + WORDS) * WORD,
            parent: 0,
        };
        let file = Writable::create_with(path, &spec, |body| names::write(body, names))?;
        Ok(Self { file, first: names.len() * NAME_WORDS, waiting: [(0, Nanos::ZERO); WAITING], count: 0 })
    }

    /// Notes a duration, whatever its sign, to be recorded by [`settle`](Self::settle).
    ///
    /// # Panics
    /// As [`record`](Self::record) does, but not before that.
    #[inline(always)]
    pub fn note(&mut self, index: usize, duration: Nanos) {
        if unlikely(self.count == WAITING) {
            self.settle();
        }
        self.waiting[self.count] = (index, duration);
        self.count += 1;
    }

    /// Records what was noted.
    #[inline(always)]
    pub fn settle(&mut self) {
        if self.count > 0 {
            self.record_waiting();
        }
    }

    #[inline(never)]
    fn record_waiting(&mut self) {
        for at in 0..std::mem::take(&mut self.count) {
            let (index, duration) = self.waiting[at];
            self.record(index, duration.0.unsigned_abs());
        }
    }

    /// Records one duration. Beyond [`VALUE_MAX`] it counts in the last cell and as saturated.
    ///
    /// # Panics
    /// When there is no histogram `index`: an error in the program, as with any array.
    #[inline(always)]
    pub fn record(&mut self, index: usize, nanos: u64) {
        // What a file has behind its last histogram is shorter than one: nothing need be compared with their number.
        let words = self.file.body().get(self.first + index * WORDS..).and_then(<[_]>::first_chunk);
        let Some(words) = words else { missing(index) };
        // No read-modify-write: nobody else stores here.
        let get = |at: usize| words[at].load(Ordering::Relaxed);
        let set = |at: usize, value: u64| words[at].store(value, Ordering::Relaxed);
        let cell = TOTALS + cell_of(if nanos > VALUE_MAX { saturate(words) } else { nanos });
        set(cell, get(cell) + 1);
        // One comparison. In an empty histogram both ends are 0.
        let (min, max) = (get(MIN), get(MAX));
        if nanos.wrapping_sub(min) > max.wrapping_sub(min) {
            widen(words, nanos);
        }
        set(SUM, get(SUM).wrapping_add(nanos));
        set(COUNT, get(COUNT) + 1);
    }
}

/// Somebody else's histograms.
pub struct HistogramReader {
    file: Readable,
    names: Vec<String>,
}

impl HistogramReader {
    /// Attaches, and reads the names from the file.
    ///
    /// # Errors
    /// When the file is missing or foreign.
    pub fn attach(path: &Path) -> Result<Self, SetupError> {
        let file = Readable::attach(path, &EXPECTED)?;
        let names = names::read(path, file.body(), file.descriptor().capacity, WORDS)?;
        Ok(Self { file, names })
    }

    /// Every name, in index order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// A copy of the histogram of that name, for as many questions as one likes.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Snapshot> {
        let index = self.names.iter().position(|found| found == name)?;
        let words = histogram(self.file.body(), self.names.len(), index)?;
        let get = |at: usize| words[at].load(Ordering::Relaxed);
        Some(Snapshot {
            count: get(COUNT),
            sum: get(SUM),
            min: get(MIN),
            max: get(MAX),
            saturated: get(SATURATED),
            counts: words[TOTALS..].iter().map(|cell| cell.load(Ordering::Relaxed)).collect(),
        })
    }

    /// [`Snapshot::percentile`] of the histogram of that name.
    #[must_use]
    pub fn percentile(&self, name: &str, numerator: u64, denominator: u64) -> Option<u64> {
        self.get(name).map(|snapshot| snapshot.percentile(numerator, denominator))
    }

    /// Epoch of the writer.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.file.descriptor().epoch
    }

    /// Whether the file still stands under its name; `false` means: attach again. A system call.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.file.is_current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    fn recorded(values: &[u64]) -> Snapshot {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("histograms");
        let mut histograms = Histograms::create(&path, &["other", "latency"], 1).expect("made");
        for &value in values {
            histograms.record(1, value);
        }
        let reader = HistogramReader::attach(&path).expect("attached");
        assert_eq!(reader.names().collect::<Vec<_>>(), ["other", "latency"]);
        assert_eq!(reader.get("other").expect("its neighbour").cells(), []);
        assert_eq!(reader.percentile("none", 1, 2), None);
        reader.get("latency").expect("recorded")
    }

    fn reference(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, VALUE_MAX, 2).expect("valid bounds");
        for &value in values {
            histogram.saturating_record(value);
        }
        histogram
    }

    /// Values of every magnitude, zero and the saturated ones included.
    fn values() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(
            (any::<u64>(), 22_u32..=64).prop_map(|(v, shift)| v.checked_shr(shift).unwrap_or(0)),
            1..400,
        )
    }

    #[test]
    fn what_was_noted_is_recorded_at_the_latest_when_too_much_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("histograms");
        let mut histograms = Histograms::create(&path, &["other", "latency"], 1).expect("made");
        let reader = HistogramReader::attach(&path).expect("attached");
        let counts = || ["other", "latency"].map(|name| reader.get(name).expect("there").count);
        for turn in 0..WAITING {
            histograms.note(turn % 2, Nanos::from_micros(1));
        }
        assert_eq!(counts(), [0, 0]);
        histograms.note(1, Nanos(-99_000));
        assert_eq!(counts(), [WAITING as u64 / 2; 2]);
        histograms.settle();
        histograms.settle();
        assert_eq!(counts(), [WAITING as u64 / 2, WAITING as u64 / 2 + 1]);
        assert_eq!(reader.get("latency").expect("there").max, 99_000);
    }

    proptest! {
        #[test]
        fn equals_the_hdrhistogram_crate(values in values()) {
            let (ours, theirs) = (recorded(&values), reference(&values));
            // 1,024 parts, so that the crate's floating-point quantile is exact too.
            for part in 0..=1_024_u32 {
                let quantile = f64::from(part) / 1_024.0;
                prop_assert_eq!(ours.percentile(u64::from(part), 1_024), theirs.value_at_quantile(quantile), "{}", part);
            }
            let cells: Vec<_> = theirs.iter_recorded()
                .map(|cell| (theirs.highest_equivalent(cell.value_iterated_to()), cell.count_at_value()))
                .collect();
            prop_assert_eq!(ours.cells(), cells);
        }

        #[test]
        fn two_snapshots_together_are_as_one(first in values(), second in values()) {
            let (mut sum, mut from_nothing) = (recorded(&first), recorded(&[]));
            sum.add(&recorded(&second));
            prop_assert_eq!(&sum, &recorded(&[first, second].concat()));
            from_nothing.add(&sum);
            prop_assert_eq!(&from_nothing, &sum);
            sum.add(&recorded(&[]));
            prop_assert_eq!(from_nothing, sum);
        }

        #[test]
        fn totals_are_exact(values in values()) {
            let ours = recorded(&values);
            prop_assert_eq!(ours.count, values.len() as u64);
            prop_assert_eq!(ours.sum, values.iter().fold(0, |sum: u64, &value| sum.wrapping_add(value)));
            prop_assert_eq!(Some(ours.min), values.iter().min().copied());
            prop_assert_eq!(Some(ours.max), values.iter().max().copied());
            prop_assert_eq!(ours.saturated, values.iter().filter(|&&value| value > VALUE_MAX).count() as u64);
        }
    }

    #[test]
    fn every_cell_is_the_crates() {
        let theirs = reference(&[]);
        for cell in 0..CELLS {
            let (low, high) = crate::counters::hdr::bounds(cell);
            assert_eq!((theirs.lowest_equivalent(high), theirs.highest_equivalent(low)), (low, high));
        }
        assert_eq!(theirs.distinct_values(), CELLS);
    }

    #[test]
    fn an_empty_histogram_answers_zero() {
        let empty = recorded(&[]);
        assert_eq!((empty.percentile(1, 2), empty.min, empty.max, empty.count), (0, 0, 0, 0));
        let one = recorded(&[7]);
        assert_eq!((one.percentile(1, 0), one.percentile(5, 2), one.percentile(0, 1)), (0, 7, 7));
    }

    #[test]
    #[should_panic(expected = "there is no histogram 2")]
    fn a_wrong_index_is_an_error_in_the_program() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("histograms");
        Histograms::create(&path, &["a", "b"], 1).expect("made").record(2, 1);
    }
}
