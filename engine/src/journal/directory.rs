//! The files of a journal: `NNNNNNNN.journal`, numbered from 1, the last ones possibly still empty.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::SetupError;
use crate::journal::segment::{HEADER_PAGE, Header, file_bytes, is_zero};

/// What the name of a segment ends in.
const SUFFIX: &str = ".journal";

/// Digits of a segment's number in its name.
const DIGITS: usize = 8;

/// The path of segment `number`.
pub(super) fn segment_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:0DIGITS$}{SUFFIX}"))
}

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Headers of the segments in use, in order, without a hole.
    pub used: Vec<Header>,
    /// Numbers of segments after them to which nothing was written.
    pub unused: Vec<u32>,
}

/// Lists a journal. Files with other suffixes are none of its business.
///
/// # Errors
/// When a file is foreign, damaged or missing between others. Nothing is guessed.
pub(super) fn list(dir: &Path) -> Result<Listing, SetupError> {
    let mut listing = Listing::default();
    for (number, expected) in numbers(dir)?.into_iter().zip(1..) {
        if number != expected {
            return Err(SetupError::file(segment_path(dir, expected), "segment is missing"));
        }
        match inspect(&segment_path(dir, number), number)? {
            None => listing.unused.push(number),
            Some(header) => {
                if let Some(&empty) = listing.unused.first() {
                    let reason = format!("is empty, yet segment {number} is not");
                    return Err(SetupError::file(segment_path(dir, empty), reason));
                }
                if listing.used.first().is_some_and(|first| first.name() != header.name()) {
                    return Err(SetupError::file(segment_path(dir, number), "belongs to another journal"));
                }
                listing.used.push(header);
            }
        }
    }
    Ok(listing)
}

/// The numbers of all segment files, in order.
fn numbers(dir: &Path) -> Result<Vec<u32>, SetupError> {
    let io = |source| SetupError::io(dir, "list", source);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(stem) = name.strip_suffix(SUFFIX) else { continue };
        let plain = stem.len() == DIGITS && stem.bytes().all(|byte| byte.is_ascii_digit());
        match stem.parse() {
            Ok(number) if plain && number > 0 => numbers.push(number),
            _ => return Err(SetupError::file(path, "is named like a segment but has no segment's number")),
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The header of a segment; `None` when nothing was ever written to it.
fn inspect(path: &Path, number: u32) -> Result<Option<Header>, SetupError> {
    let io = |source| SetupError::io(path, "read", source);
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut page = Vec::with_capacity(HEADER_PAGE);
    file.by_ref().take(HEADER_PAGE as u64).read_to_end(&mut page).map_err(io)?;
    match Header::parse(&page, number) {
        Ok(header) if length > file_bytes(header.capacity) as u64 => {
            Err(SetupError::file(path, "is longer than its header says"))
        }
        Ok(header) => Ok(Some(header)),
        Err(reason) => {
            // A header is synced before its first record is written, so a whole file of zeros is the only thing
            // that a crash leaves in place of a header.
            file.read_to_end(&mut page).map_err(io)?;
            if is_zero(&page) { Ok(None) } else { Err(SetupError::file(path, reason)) }
        }
    }
}

/// Makes the names in `dir` durable.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn sync_names(dir: &Path) -> Result<(), SetupError> {
    File::open(dir).and_then(|file| file.sync_all()).map_err(|source| SetupError::io(dir, "sync", source))
}

/// Takes the lock at `path` for as long as the file lives; the kernel drops it when the process dies.
///
/// # Errors
/// When another process has it, or the file cannot be made.
pub(super) fn lock(path: &Path) -> Result<File, SetupError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|source| SetupError::io(path, "open", source))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|errno| SetupError::io(path, "lock (has another process taken it?)", errno.into()))?;
    Ok(file)
}
