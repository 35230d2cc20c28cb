//! What a killed session left in shared memory: its last records, which belong in its own journals.

use std::fs;
use std::path::Path;

use engine::error::SetupError;
use engine::journal::{JournalWriter, SegmentOptions};
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::journal_directory;

use crate::cli::output::say;
use crate::config::Places;
use crate::session;

/// Journals of a session.
const JOURNALS: [&str; 3] = ["risk", "route", "input"];

/// Moves the records that a killed session left in its rings into its journals. Rings that cannot be read, because
/// another build made them, are set aside in the session's directory, and a line says so.
///
/// # Errors
/// When the operating system refuses.
pub fn recover(ipc: &IpcPaths, places: &Places) -> Result<(), SetupError> {
    for name in JOURNALS {
        let (ring, cursor) = (ipc.journal(name), ipc.journal_cursor(name));
        if !ring.exists() {
            continue;
        }
        let Ok(session) = session::latest(places) else {
            // Its data directory is gone: there is nothing that these records belong to.
            remove(&ring)?;
            remove(&cursor)?;
            continue;
        };
        let journal = journal_directory(&session, name);
        if let Err(reason) = JournalWriter::open(&journal, &SegmentOptions::new(name), &ring, &cursor) {
            say!("session {}: its last {name} records are set aside: {reason}", session.display());
            set_aside(&ring, &journal.join("left-behind.ring"))?;
            remove(&cursor)?;
        }
    }
    Ok(())
}

/// Copies across file systems, then removes.
fn set_aside(from: &Path, to: &Path) -> Result<(), SetupError> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(|error| SetupError::io(parent, "making it", error))?;
    }
    fs::copy(from, to).map_err(|error| SetupError::io(to, "setting a ring aside", error))?;
    remove(from)
}

fn remove(path: &Path) -> Result<(), SetupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SetupError::io(path, "removing it", error))
        }
        _ => Ok(()),
    }
}
