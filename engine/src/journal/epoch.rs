//! Reserving engine epochs: a number that no earlier life had, because order ids are unique by it (R4).

use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::mem::offset_of;
use std::path::{Path, PathBuf};

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::error::SetupError;
use crate::journal::directory::{lock, sync_names};
use crate::journal::reader::last_epoch;

/// Name of the counter's file.
const FILE: &str = "epoch";

/// `TREPOCH1`.
const MAGIC: u64 = u64::from_le_bytes(*b"TREPOCH1");

/// The counter on disk.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Counter {
    magic: u64,
    epoch: u32,
    check: u32,
}

impl Counter {
    fn new(epoch: u32) -> Self {
        let counter = Self { magic: MAGIC, epoch, check: 0 };
        Self { check: counter.sum(), ..counter }
    }

    fn sum(&self) -> u32 {
        crc32c::crc32c(&self.as_bytes()[..offset_of!(Self, check)])
    }
}

/// Reserves the next epoch of the data directory `dir`: above the counter kept there and above every epoch in the
/// journals in `dir` and its folders, so that a lost or restored counter repeats none; and no lower than `least`, for a
/// directory that was lost as a whole. Durable on return.
///
/// # Errors
/// When the counter or a journal is damaged, another process is reserving, epochs are used up, or the operating
/// system refuses.
pub fn reserve(dir: &Path, least: u32) -> Result<u32, SetupError> {
    fs::create_dir_all(dir).map_err(|source| SetupError::io(dir, "create", source))?;
    let _lock = lock(&dir.join("epoch.lock"))?;
    let path = dir.join(FILE);
    let mut highest = read(&path)?;
    for journal in folders(dir)? {
        highest = highest.max(last_epoch(&journal)?);
    }
    let next = highest.checked_add(1).ok_or_else(|| SetupError::file(&path, "no epoch is left"))?;
    let epoch = next.max(least);
    write(dir, &path, epoch)?;
    Ok(epoch)
}

/// The counter; 0 where there is none yet.
fn read(path: &Path) -> Result<u32, SetupError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(source) => return Err(SetupError::io(path, "read", source)),
    };
    match Counter::read_from_bytes(&bytes) {
        Ok(counter) if counter.magic == MAGIC && counter.check == counter.sum() => Ok(counter.epoch),
        _ => Err(SetupError::file(path, "is no epoch counter, or a damaged one")),
    }
}

/// Replaces the counter: a crash leaves the old one or the new one.
fn write(dir: &Path, path: &Path, epoch: u32) -> Result<(), SetupError> {
    let fresh = dir.join("epoch.new");
    let made = File::create(&fresh).and_then(|mut file| {
        file.write_all(Counter::new(epoch).as_bytes())?;
        file.sync_data()
    });
    made.map_err(|source| SetupError::io(&fresh, "write", source))?;
    fs::rename(&fresh, path).map_err(|source| SetupError::io(path, "replace", source))?;
    sync_names(dir)
}

/// `dir` and the folders in it.
fn folders(dir: &Path) -> Result<Vec<PathBuf>, SetupError> {
    let io = |source| SetupError::io(dir, "list", source);
    let mut folders = vec![dir.to_owned()];
    for entry in fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::{options, records};
    use crate::journal::writer::SegmentWriter;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn counts_up_and_never_repeats() {
        let folder = folder();
        for epoch in 1..=5 {
            assert_eq!(reserve(folder.path(), 0).expect("reserved"), epoch);
        }
        // What a crash before the rename leaves.
        fs::write(folder.path().join("epoch.new"), "half").expect("written");
        assert_eq!(reserve(folder.path(), 0).expect("reserved"), 6);
    }

    #[test]
    fn none_is_lower_than_the_least_and_none_repeats() {
        let folder = folder();
        let reserved = |least| reserve(folder.path(), least).expect("reserved");
        assert_eq!([500, 500, 0, 400, 600].map(reserved), [500, 501, 502, 503, 600]);
    }

    #[test]
    fn a_damaged_counter_is_refused() {
        let folder = folder();
        reserve(folder.path(), 0).expect("reserved");
        let path = folder.path().join(FILE);
        let good = fs::read(&path).expect("read");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            fs::write(&path, &bad).expect("written");
            assert!(reserve(folder.path(), 0).is_err(), "byte {at}");
            fs::write(&path, &good[..at]).expect("written");
            assert!(reserve(folder.path(), 0).is_err(), "{at} bytes");
        }
        fs::write(&path, &good).expect("written");
        assert_eq!(reserve(folder.path(), 0).expect("reserved"), 2);
    }

    #[test]
    fn a_lost_or_restored_counter_goes_on_above_the_journals() {
        let folder = folder();
        for (name, epoch) in [("risk", 41), ("route", 17)] {
            let mut writer =
                SegmentWriter::open(&folder.path().join(name), &options(), |_| ()).expect("opened");
            writer.append(&records(1, 20, 3)).expect("written");
            writer.append(&records(21, 22, epoch)).expect("written");
        }
        assert_eq!(reserve(folder.path(), 0).expect("reserved"), 42);
        fs::write(folder.path().join(FILE), Counter::new(5).as_bytes()).expect("written");
        assert_eq!(reserve(folder.path(), 0).expect("reserved"), 42);
        fs::write(folder.path().join("route").join("00000003.journal"), "x").expect("written");
        assert!(reserve(folder.path(), 0).is_err(), "a damaged journal may hide an epoch");
    }

    #[test]
    fn the_last_epoch_is_the_last() {
        let folder = folder();
        fs::write(folder.path().join(FILE), Counter::new(u32::MAX).as_bytes()).expect("written");
        assert!(reserve(folder.path(), 0).is_err());
    }
}
