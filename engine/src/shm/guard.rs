//! One process to an owner: a lock that the kernel drops when its holder dies, however it dies. Process ids mean nothing
//! across containers; a lock does.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::SetupError;
use crate::shm::paths::IpcPaths;

/// Held while a process writes an owner's directory.
#[derive(Debug)]
pub struct OwnerLock {
    _file: File,
}

impl OwnerLock {
    /// Becomes `owner`: nobody else may write its directory from now on.
    ///
    /// # Errors
    /// When another process is, in one line that names it, or the lock file cannot be made.
    pub fn take(ipc: &IpcPaths, owner: &str) -> Result<Self, SetupError> {
        let busy =
            format!("another process is {owner} on this instance; stop it, or choose another --instance");
        Self::take_file(&ipc.lock(owner), &busy)
    }

    /// Locks the file at `path`, made if need be; `busy` is what to say when somebody holds it.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_file(path: &Path, busy: &str) -> Result<Self, SetupError> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(|error| SetupError::io(path, "open the lock", error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(Errno::WOULDBLOCK) => Err(SetupError::file(path, busy)),
            Err(error) => Err(SetupError::io(path, "lock", error.into())),
        }
    }

    /// Whether some process is `owner` now. Needs no more than to read the directory.
    #[must_use]
    pub fn is_held(ipc: &IpcPaths, owner: &str) -> bool {
        let Ok(file) = File::open(ipc.lock(owner)) else { return false };
        // Shared, so that two who ask do not take each other for the owner; dropped with the file.
        flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path());
        ipc.create().expect("made");
        assert!(!OwnerLock::is_held(&ipc, "risk"));
        let first = OwnerLock::take(&ipc, "risk").expect("free");
        let refusal = OwnerLock::take(&ipc, "risk").expect_err("held").to_string();
        assert!(refusal.contains("another process is risk on this instance") && !refusal.contains('\n'));
        assert!(OwnerLock::is_held(&ipc, "risk") && !OwnerLock::is_held(&ipc, "route"));
        assert!(OwnerLock::take(&ipc, "route").is_ok(), "owners are apart");
        drop(first);
        assert!(!OwnerLock::is_held(&ipc, "risk"));
        assert!(OwnerLock::take(&ipc, "risk").is_ok());
    }
}
