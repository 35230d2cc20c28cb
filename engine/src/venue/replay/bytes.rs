//! How much of the files of a set of tapes has been read, for whoever waits for the end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::error::SetupError;
use crate::primitive::{AtomicU64, Ordering};
use crate::venue::replay::tape::TapeReader;

/// Bytes of the files, packed as they lie on the disk.
#[derive(Clone, Debug, Default)]
pub struct TapeBytes {
    /// Bytes read. Only a progress bar looks at them: no order is needed.
    read: Arc<AtomicU64>,
    total: u64,
}

impl TapeBytes {
    /// Bytes read so far; whoever unpacks is some blocks ahead of the lines.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of all files.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Opens a tape whose bytes count from now on.
    ///
    /// # Errors
    /// As [`TapeReader::open`].
    pub(super) fn open(&mut self, path: &Path) -> Result<TapeReader, SetupError> {
        let io = |error| SetupError::io(path, "open", error);
        let file = File::open(path).map_err(io)?;
        self.total += file.metadata().map_err(io)?.len();
        let counted = Counted { file, read: Arc::clone(&self.read) };
        TapeReader::from_read(Box::new(counted), path.to_path_buf())
    }
}

/// A file whose bytes are counted as they are read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
