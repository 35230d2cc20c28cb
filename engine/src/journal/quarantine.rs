//! Moving a torn tail aside: its bytes are kept for people, and the space is empty again for the journal.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::error::SetupError;
use crate::journal::directory::sync_names;
use crate::journal::reader::Torn;

/// Copies the torn tail in `segment` (the whole file's bytes) to a new file beside it, then zeroes it in `file`.
///
/// Killed in between, it is done again at the next start: the tail is torn until all of it is zero.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn set_aside(
    dir: &Path,
    torn: &Torn,
    segment: &[u8],
    file: &File,
    sync: bool,
) -> Result<(), SetupError> {
    let tail = &segment[torn.offset..torn.offset + torn.bytes];
    let (path, mut copy) = create(dir, torn)?;
    let io = |action| move |source| SetupError::io(&torn.path, action, source);
    copy.write_all(tail).map_err(|source| SetupError::io(&path, "write", source))?;
    if sync {
        copy.sync_all().map_err(|source| SetupError::io(&path, "sync", source))?;
        sync_names(dir)?;
    }
    file.write_all_at(&vec![0; tail.len()], torn.offset as u64).map_err(io("zero the torn tail"))?;
    if sync {
        file.sync_data().map_err(io("sync"))?;
    }
    Ok(())
}

/// A new file `SEGMENT.torn-N`.
fn create(dir: &Path, torn: &Torn) -> Result<(PathBuf, File), SetupError> {
    let name = torn.path.file_stem().unwrap_or_default().to_string_lossy();
    for attempt in 1_u32.. {
        let path = dir.join(format!("{name}.torn-{attempt}"));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(SetupError::io(path, "create", source)),
        }
    }
    Err(SetupError::file(dir, "too many torn tails: no name is left"))
}
