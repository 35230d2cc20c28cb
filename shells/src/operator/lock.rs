//! One operator at a time: a lock that the kernel drops when its holder dies.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use engine::error::SetupError;
use rustix::fs::{FlockOperation, flock};

/// How often a held lock is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// Tries before a lock counts as held for good: two seconds.
const TRIES: u32 = 200;

/// Held while a command of the operator's changes something.
pub struct OperatorLock {
    _file: File,
}

impl OperatorLock {
    /// Takes the lock of the instance whose data lies in `data`, waiting for another command to end.
    ///
    /// # Errors
    /// When the file cannot be made, or another command still holds it after two seconds.
    pub fn take(data: &Path) -> Result<Self, SetupError> {
        std::fs::create_dir_all(data).map_err(|error| SetupError::io(data, "making it", error))?;
        let path = data.join("operator.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| SetupError::io(&path, "opening it", error))?;
        for _ in 0..TRIES {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(RETRY),
                Err(error) => return Err(SetupError::io(path, "locking it", error.into())),
            }
        }
        Err(SetupError::file(path, "another operator's command holds it and does not end"))
    }
}
