//! Named counters and gauges.

use std::path::Path;

use crate::counters::names::{self, NAME_WORDS};
use crate::error::SetupError;
use crate::primitive::{AtomicU64, Ordering};
use crate::shm::words::WORD;
use crate::shm::{Expected, Readable, SegmentKind, SegmentSpec, Writable};

/// Layout of the body: the names, then one word for each.
const LAYOUT: u64 = 1;
const EXPECTED: Expected =
    Expected { kind: SegmentKind::Counters, layout: LAYOUT, element_size: WORD as u32 };

/// The values, behind the names.
#[inline]
fn values(body: &[AtomicU64], count: usize) -> &[AtomicU64] {
    &body[count * NAME_WORDS..count * (NAME_WORDS + 1)]
}

/// The writer's counters. One agent writes them; they start at 0 with each creation.
pub struct Counters {
    file: Writable,
    count: usize,
}

impl Counters {
    /// Makes the file. The order of `names` is the index of each counter.
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
            body_bytes: names.len() * (NAME_WORDS + 1) * WORD,
            parent: 0,
        };
        let file = Writable::create_with(path, &spec, |body| names::write(body, names))?;
        Ok(Self { file, count: names.len() })
    }

    /// Adds `n`; wraps at the end of 64 bits.
    ///
    /// # Panics
    /// When there is no counter `index`: an error in the program, as with any array.
    #[inline]
    pub fn add(&mut self, index: usize, n: u64) {
        let cell = self.cell(index);
        // No read-modify-write: nobody else stores here.
        cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Sets a gauge.
    ///
    /// # Panics
    /// When there is no counter `index`.
    #[inline]
    pub fn set(&mut self, index: usize, value: u64) {
        self.cell(index).store(value, Ordering::Relaxed);
    }

    /// The value.
    ///
    /// # Panics
    /// When there is no counter `index`.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> u64 {
        self.cell(index).load(Ordering::Relaxed)
    }

    #[inline]
    fn cell(&self, index: usize) -> &AtomicU64 {
        &values(self.file.body(), self.count)[index]
    }
}

/// Somebody else's counters.
pub struct CounterReader {
    file: Readable,
    names: Vec<String>,
}

impl CounterReader {
    /// Attaches, and reads the names from the file.
    ///
    /// # Errors
    /// When the file is missing or foreign.
    pub fn attach(path: &Path) -> Result<Self, SetupError> {
        let file = Readable::attach(path, &EXPECTED)?;
        let names = names::read(path, file.body(), file.descriptor().capacity, 1)?;
        Ok(Self { file, names })
    }

    /// Every counter, in index order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        let values = values(self.file.body(), self.names.len());
        self.names.iter().zip(values).map(|(name, cell)| (name.as_str(), cell.load(Ordering::Relaxed)))
    }

    /// The counter of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        self.iter().find(|&(found, _)| found == name).map(|(_, value)| value)
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

    #[test]
    fn values_are_seen_by_name_also_after_the_writer() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("counters");
        let mut counters = Counters::create(&path, &["a", "b", "c"], 3).expect("made");
        let reader = CounterReader::attach(&path).expect("attached");
        counters.add(0, 5);
        counters.add(0, 6);
        counters.set(2, u64::MAX);
        counters.add(2, 2);
        assert_eq!((counters.get(0), counters.get(1), counters.get(2)), (11, 0, 1));
        drop(counters);
        let late = CounterReader::attach(&path).expect("the writer is gone, the file is not");
        for reader in [reader, late] {
            assert_eq!(reader.iter().collect::<Vec<_>>(), [("a", 11), ("b", 0), ("c", 1)]);
            assert_eq!((reader.get("c"), reader.get("d"), reader.epoch()), (Some(1), None, 3));
        }
    }

    #[test]
    fn a_new_file_starts_at_zero_and_the_old_reader_knows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("counters");
        let mut first = Counters::create(&path, &["a"], 1).expect("made");
        first.add(0, 9);
        let reader = CounterReader::attach(&path).expect("attached");
        assert!(reader.is_current());
        let second = Counters::create(&path, &["a"], 2).expect("made again");
        assert_eq!((second.get(0), reader.get("a"), reader.is_current()), (0, Some(9), false));
    }

    #[test]
    fn no_names_are_no_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("counters");
        let _counters = Counters::create(&path, &[], 1).expect("made");
        assert_eq!(CounterReader::attach(&path).expect("attached").iter().count(), 0);
    }
}
