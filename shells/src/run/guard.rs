//! One engine to an instance, by locks that the kernel drops when their holder dies.

use engine::error::SetupError;
use engine::shm::OwnerLock;
use engine::shm::paths::IpcPaths;

/// Whose directories an engine with everything in one process writes.
const OWNERS: [&str; 6] = ["ingest", "strategy", "risk", "route", "input", "venue"];

/// Held while an engine runs.
pub struct Guard {
    _engine: OwnerLock,
    _owners: Vec<OwnerLock>,
}

impl Guard {
    /// Takes the locks.
    ///
    /// # Errors
    /// When another engine holds one, or a process that hosts one of its agents does.
    pub fn lock(ipc: &IpcPaths) -> Result<Self, SetupError> {
        let busy = "another engine runs on this instance; stop it, or choose another with --instance";
        let engine = OwnerLock::take_file(&ipc.guard(), busy)?;
        let owners = OWNERS.iter().map(|owner| OwnerLock::take(ipc, owner)).collect::<Result<_, _>>()?;
        Ok(Self { _engine: engine, _owners: owners })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_engine_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path());
        ipc.create().expect("made");
        let first = Guard::lock(&ipc).expect("free");
        assert!(Guard::lock(&ipc).err().expect("held").to_string().contains("another engine"));
        drop(first);
        let risk = OwnerLock::take(&ipc, "risk").expect("free");
        assert!(Guard::lock(&ipc).err().expect("held").to_string().contains("another process is risk"));
        drop(risk);
        assert!(Guard::lock(&ipc).is_ok());
    }
}
