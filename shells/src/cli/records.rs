//! Every record of a journal: those on the disk, and those that are still in the ring.

use std::path::Path;

use engine::error::SetupError;
use engine::journal::{JournalReader, Record, Tail};
use engine::ring::broadcast::Polled;
use engine::shm::paths::IpcPaths;

/// Empty answers in a row after which a tail has nothing left: one may pass over a thousand records of the ring that it
/// had from the disk.
const EMPTY_ENOUGH: usize = 128;

/// Hands every record of the journal in `directory` to `take`, in order. The ring of the engine that runs, or ran last,
/// is read as well where it goes on from the journal.
///
/// # Errors
/// When there is no journal, or it is damaged.
pub fn every(
    ipc: &IpcPaths,
    name: &str,
    directory: &Path,
    take: &mut dyn FnMut(&Record),
) -> Result<(), SetupError> {
    let mut next = 1;
    let mut epoch = 0;
    for record in JournalReader::open(directory)? {
        let record = record?;
        (next, epoch) = (record.sequence + 1, record.epoch);
        take(&record);
    }
    // Without a ring, or with another build's, the disk holds all there is.
    let Ok(mut tail) = Tail::attach_from(&ipc.journal(name), Some(directory), next) else { return Ok(()) };
    let mut empty = 0;
    while empty < EMPTY_ENOUGH {
        match tail.poll() {
            // Another session's ring may stand there: its records belong to its own journal.
            Polled::Message(record) if record.epoch < epoch || (epoch != 0 && record.epoch > epoch) => break,
            Polled::Message(record) => {
                empty = 0;
                take(&record);
            }
            Polled::Empty => empty += 1,
            Polled::Lapped { .. } => break,
        }
    }
    Ok(())
}
