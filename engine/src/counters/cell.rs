//! Seqlock cells: the latest value of each of a fixed number of things, such as the top levels of every book.

use std::marker::PhantomData;
use std::path::Path;

use crate::error::SetupError;
use crate::limits::INSTRUMENTS_MAX;
use crate::primitive::AtomicU64;
use crate::ring::Message;
use crate::ring::message::{element_size, layout_hash};
use crate::shm::stamped::{self, BUSY, stride};
use crate::shm::words::WORD;
use crate::shm::{Expected, Readable, SegmentKind, SegmentSpec, Writable};

/// How often a reader tries to copy a cell that changes under it. One retry shows a model all that more would.
const READ_ATTEMPTS: u32 = if cfg!(loom) { 2 } else { 16 };

fn expected<T: Message>() -> Expected {
    Expected { kind: SegmentKind::Cells, layout: layout_hash::<T>(), element_size: element_size::<T>() }
}

#[inline]
fn cell<T>(body: &[AtomicU64], index: usize) -> &[AtomicU64] {
    &body[index * stride::<T>()..][..stride::<T>()]
}

/// The writer's cells.
pub struct CellWriter<T> {
    file: Writable,
    count: usize,
    _value: PhantomData<fn(T)>,
}

impl<T: Message> CellWriter<T> {
    /// Makes the file with `count` cells, none of them written.
    ///
    /// # Errors
    /// When `count` is 0 or above `INSTRUMENTS_MAX`, or the file cannot be made.
    pub fn create(path: &Path, count: usize, epoch: u32) -> Result<Self, SetupError> {
        if !(1..=INSTRUMENTS_MAX).contains(&count) {
            return Err(SetupError::file(path, format!("{count} cells are not 1 to {INSTRUMENTS_MAX}")));
        }
        let expected = expected::<T>();
        let spec = SegmentSpec {
            kind: expected.kind,
            layout: expected.layout,
            element_size: expected.element_size,
            capacity: count as u64,
            epoch,
            body_bytes: count * stride::<T>() * WORD,
            parent: 0,
        };
        Ok(Self { file: Writable::create(path, &spec)?, count, _value: PhantomData })
    }

    /// Replaces the value of cell `index`.
    ///
    /// # Panics
    /// When there is no such cell: an error in the program, as with any array.
    #[inline]
    pub fn write(&mut self, index: usize, value: &T) {
        assert!(index < self.count, "there is no cell {index}");
        let cell = cell::<T>(self.file.body(), index);
        // Our own page: the stamp is the one we wrote last.
        let next = (stamped::stamp(cell) & !BUSY) + 1;
        stamped::write(cell, next, value);
    }
}

/// Somebody else's cells.
pub struct CellReader<T> {
    file: Readable,
    count: usize,
    _value: PhantomData<fn() -> T>,
}

impl<T: Message> CellReader<T> {
    /// Attaches.
    ///
    /// # Errors
    /// When the file is missing or foreign.
    pub fn attach(path: &Path) -> Result<Self, SetupError> {
        let file = Readable::attach(path, &expected::<T>())?;
        let count = usize::try_from(file.descriptor().capacity).ok();
        let count = count.filter(|&count| (1..=INSTRUMENTS_MAX).contains(&count));
        match count.filter(|&count| count * stride::<T>() <= file.body().len()) {
            Some(count) => Ok(Self { file, count, _value: PhantomData }),
            None => Err(SetupError::file(path, "holds another number of cells than it says")),
        }
    }

    /// A copy of cell `index`, untorn; `None` when it was never written, does not exist, or kept changing for
    /// 16 attempts. A caller that finds `None` trusts nothing.
    #[inline]
    #[must_use]
    pub fn read(&self, index: usize) -> Option<T> {
        if index >= self.count {
            return None;
        }
        let cell = cell::<T>(self.file.body(), index);
        for _ in 0..READ_ATTEMPTS {
            let stamp = stamped::stamp(cell);
            if stamp == 0 {
                return None;
            }
            if stamp & BUSY == 0 {
                let value = stamped::copy(cell);
                if stamped::is_unchanged(cell, stamp) {
                    return Some(value);
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Number of cells.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
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
    use crate::primitive::Ordering;
    use crate::ring::patience::Patience;
    use std::thread;

    type Value = [u64; 20];

    fn cells(count: usize) -> (tempfile::TempDir, CellWriter<Value>, CellReader<Value>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cells");
        let writer = CellWriter::create(&path, count, 1).expect("made");
        let reader = CellReader::attach(&path).expect("attached");
        (folder, writer, reader)
    }

    #[test]
    fn cells_are_apart_and_empty_at_first() {
        let (_folder, mut writer, reader) = cells(3);
        assert_eq!((reader.count(), reader.read(1), reader.read(3)), (3, None, None));
        writer.write(0, &[10; 20]);
        writer.write(2, &[12; 20]);
        writer.write(2, &[13; 20]);
        assert_eq!((reader.read(0), reader.read(1), reader.read(2)), (Some([10; 20]), None, Some([13; 20])));
    }

    #[test]
    fn a_writer_that_died_in_the_middle_is_not_believed_and_its_successor_is() {
        let (_folder, mut writer, reader) = cells(1);
        writer.write(0, &[1; 20]);
        writer.file.body()[0].store(BUSY | 2, Ordering::Relaxed);
        assert_eq!(reader.read(0), None);
        writer.write(0, &[2; 20]);
        assert_eq!(reader.read(0), Some([2; 20]));
    }

    #[test]
    fn another_type_is_refused() {
        let (folder, _writer, _reader) = cells(1);
        let path = folder.path().join("cells");
        assert!(CellReader::<[u64; 19]>::attach(&path).is_err());
        assert!(CellReader::<[i64; 20]>::attach(&path).is_err());
        assert!(CellWriter::<Value>::create(&path, 0, 1).is_err());
        assert!(CellWriter::<Value>::create(&path, INSTRUMENTS_MAX + 1, 1).is_err());
    }

    #[test]
    fn no_copy_is_torn_while_the_writer_writes() {
        /// Long, so that the two threads meet in the middle of it often.
        type Long = [u64; 500];
        const WRITES: u64 = 200_000;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cells");
        let mut writer = CellWriter::<Long>::create(&path, 1, 1).expect("made");
        let reader = CellReader::<Long>::attach(&path).expect("attached");
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut last, mut patience) = (0, Patience::default());
                while last < WRITES {
                    let Some(value) = reader.read(0) else {
                        patience.wait();
                        continue;
                    };
                    assert!(
                        value.iter().zip(0..).all(|(&word, at)| word == value[0] + at),
                        "torn: {value:?}"
                    );
                    assert!(value[0] >= last, "ran backwards");
                    (last, patience) = (value[0], Patience::default());
                }
            });
            for n in 1..=WRITES {
                writer.write(0, &std::array::from_fn(|at| n + at as u64));
            }
        });
    }
}
