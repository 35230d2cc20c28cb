//! What a killed session left in shared memory: its last records, which belong in its own journals.

use std::fs;
use std::path::Path;

use engine::error::SetupError;
use engine::journal::{JournalWriter, SegmentOptions, Tail};
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::journal_directory;

use crate::cli::output::say;
use crate::config::Places;
use crate::session::{self, Session};

/// Journals of a session.
const JOURNALS: [&str; 3] = ["risk", "route", "input"];

/// Moves the records that a killed session left in its rings into its journals. Rings that cannot be read, because
/// another build made them, are set aside in the session's directory, and a line says so.
///
/// # Errors
/// When the operating system refuses.
pub fn recover(ipc: &IpcPaths, places: &Places) -> Result<(), SetupError> {
    for name in JOURNALS {
        // Where risk's journal lies apart, only its own process may write it, and does so when it starts.
        if name == "risk" && places.apart(name).is_some() {
            continue;
        }
        let journal = session::latest(places).ok().map(|session| journal_directory(&session, name));
        recover_one(ipc, name, journal.as_deref())?;
    }
    Ok(())
}

/// Moves what another epoch than `epoch` left in risk's ring into its own journal, where that lies apart.
///
/// # Errors
/// When the operating system refuses.
pub fn recover_risk_apart(ipc: &IpcPaths, places: &Places, epoch: u32) -> Result<(), SetupError> {
    if places.apart("risk").is_none() {
        return Ok(());
    }
    let left = match Tail::attach(&ipc.journal("risk"), None) {
        Ok(tail) if tail.epoch() == epoch => return Ok(()),
        Ok(tail) => tail.epoch(),
        // Of another build, if it is there at all.
        Err(_) => epoch,
    };
    recover_one(ipc, "risk", Some(&Session::risk_journal(places, left)))
}

/// Moves what is left in the ring of `name` into `journal`; where there is none, there is nothing that the records belong
/// to.
fn recover_one(ipc: &IpcPaths, name: &str, journal: Option<&Path>) -> Result<(), SetupError> {
    let (ring, cursor) = (ipc.journal(name), ipc.journal_cursor(name));
    if !ring.exists() {
        return Ok(());
    }
    let Some(journal) = journal else {
        remove(&ring)?;
        return remove(&cursor);
    };
    if let Err(reason) = JournalWriter::open(journal, &SegmentOptions::new(name), &ring, &cursor) {
        say!("{}: its last records are set aside: {reason}", journal.display());
        set_aside(&ring, &journal.join("left-behind.ring"))?;
        remove(&cursor)?;
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
