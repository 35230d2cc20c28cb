//! One engine to an instance: a lock that the kernel drops when its holder dies, however it dies.

use std::fs::File;

use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use rustix::fs::{FlockOperation, flock};

/// Held while an engine runs.
pub struct Guard {
    _file: File,
}

impl Guard {
    /// Takes the lock.
    ///
    /// # Errors
    /// When another engine holds it.
    pub fn lock(ipc: &IpcPaths) -> Result<Self, SetupError> {
        let path = ipc.guard();
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| SetupError::io(&path, "opening it", error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(SetupError::file(
                ipc.root(),
                "another engine runs on this instance; stop it, or choose another with --instance",
            )),
            Err(error) => Err(SetupError::io(path, "locking it", error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_engine_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path());
        let first = Guard::lock(&ipc).expect("free");
        assert!(Guard::lock(&ipc).err().expect("held").to_string().contains("another engine"));
        drop(first);
        assert!(Guard::lock(&ipc).is_ok());
    }
}
