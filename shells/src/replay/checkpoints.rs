//! Checkpoints of books while a tape replays, in the format of the independent oracle's.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use engine::book::{Book, write_checkpoint};
use engine::domain::{InstrumentIndex, Instruments};
use engine::error::SetupError;
use engine::tick_to_trade::ingest::{BookObserver, Ingest};
use engine::venue::MarketData;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

/// A line, and the update id of the book that it shows.
type Line = (InstrumentIndex, u64, Vec<u8>);

/// Writes the checkpoints at the end of a replay: nothing is left half-written when the replay fails.
pub struct Checkpoints {
    path: PathBuf,
    instruments: Arc<Instruments>,
    lines: Receiver<Line>,
}

/// Sees every change of a book and keeps a line of every `every`-th.
pub struct CheckpointObserver {
    every: u64,
    instruments: Arc<Instruments>,
    lines: Sender<Line>,
}

impl Checkpoints {
    /// Checkpoints to `path`, packed if it ends in `.gz`: one at each snapshot, then every `every` diffs, then the
    /// last.
    ///
    /// # Errors
    /// When the file could not be made.
    pub fn create(
        path: &Path,
        every: u64,
        instruments: Arc<Instruments>,
    ) -> Result<(Self, CheckpointObserver), SetupError> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if parent.is_some_and(|parent| !parent.is_dir()) {
            return Err(SetupError::file(path, "its directory does not exist"));
        }
        let (sender, lines) = channel();
        let observer = CheckpointObserver { every, instruments: Arc::clone(&instruments), lines: sender };
        Ok((Self { path: path.to_owned(), instruments, lines }, observer))
    }

    /// Adds the last checkpoint of every book, by symbol, and writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish<M: MarketData>(self, ingest: &Ingest<M>) -> Result<(), SetupError> {
        let io = |error| SetupError::io(&self.path, "writing it", error);
        let mut last = BTreeMap::new();
        let mut text = Vec::new();
        for (instrument, id, line) in self.lines.try_iter() {
            last.insert(instrument, id);
            text.extend_from_slice(&line);
        }
        let mut ends: Vec<_> = self.instruments.iter().collect();
        ends.sort_by_key(|(_, instrument)| instrument.symbol);
        for (index, instrument) in ends {
            let Some(book) = ingest.book(index) else { continue };
            if last.get(&index).is_some_and(|&id| id != book.update_id()) {
                write_checkpoint(&mut text, instrument, book).map_err(io)?;
            }
        }
        // Written beside its place and then renamed: half a file is never seen.
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut file = NamedTempFile::new_in(parent.unwrap_or(Path::new("."))).map_err(io)?;
        if self.path.extension().is_some_and(|ending| ending == "gz") {
            let mut packed = GzEncoder::new(&mut file, Compression::default());
            packed.write_all(&text).and_then(|()| packed.finish()).map_err(io)?;
        } else {
            file.write_all(&text).map_err(io)?;
        }
        file.persist(&self.path).map_err(|error| io(error.error))?;
        Ok(())
    }
}

impl BookObserver for CheckpointObserver {
    fn on_book(&mut self, instrument: InstrumentIndex, book: &Book) {
        if !book.applied().is_multiple_of(self.every) {
            return;
        }
        let Some(facts) = self.instruments.get(instrument) else { return };
        let mut line = Vec::new();
        // Writing to memory does not fail, and the receiver lives as long as the replay.
        if write_checkpoint(&mut line, facts, book).is_ok() {
            let _ = self.lines.send((instrument, book.update_id(), line));
        }
    }
}
