//! Where an instance keeps its shared memory and its data.

use std::path::{Path, PathBuf};

use engine::error::SetupError;

use crate::config::Environment;

/// The directories of one instance.
#[derive(Clone, Debug)]
pub struct Places {
    /// Name of the instance (`TRADING_INSTANCE`): separates directories and locks.
    pub instance: String,
    /// Shared memory (`TRADING_IPC_DIR`, by default `/dev/shm/trading-UID-INSTANCE`).
    pub ipc: PathBuf,
    /// Journals and recordings (`TRADING_DATA_DIR`, by default the XDG data directory), with the instance's name.
    pub data: PathBuf,
}

impl Places {
    /// Resolves flags and environment.
    ///
    /// # Errors
    /// When the instance's name could not be a directory name, or no data directory is known.
    pub fn resolve(
        instance: Option<String>,
        ipc: Option<PathBuf>,
        data: Option<PathBuf>,
        environment: &Environment,
    ) -> Result<Self, SetupError> {
        let instance = environment.resolve(instance, "TRADING_INSTANCE", "default".to_owned())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if instance.is_empty() || !instance.chars().all(plain) {
            return Err(SetupError::Invalid(format!(
                "TRADING_INSTANCE={instance}: letters, digits, - and _ only"
            )));
        }
        let ipc = ipc
            .or_else(|| environment.get("TRADING_IPC_DIR").map(PathBuf::from))
            .unwrap_or_else(|| shared_memory().join(format!("trading-{}-{instance}", user())));
        let data = data
            .or_else(|| environment.get("TRADING_DATA_DIR").map(PathBuf::from))
            .or_else(|| environment.get("XDG_DATA_HOME").map(|home| Path::new(home).join("trading")))
            .or_else(|| environment.get("HOME").map(|home| Path::new(home).join(".local/share/trading")))
            .ok_or_else(|| {
                SetupError::Invalid("no data directory is known: set TRADING_DATA_DIR or HOME".to_owned())
            })?
            .join(&instance);
        Ok(Self { instance, ipc, data })
    }
}

/// The machine's shared-memory file system, else its place for temporary files.
#[must_use]
pub fn shared_memory() -> PathBuf {
    let tmpfs = PathBuf::from("/dev/shm");
    if tmpfs.is_dir() { tmpfs } else { std::env::temp_dir() }
}

fn user() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_directories_of_its_own() {
        let environment: Environment =
            [("HOME", "/nowhere"), ("TRADING_INSTANCE", "a1")].into_iter().collect();
        let places = Places::resolve(None, None, None, &environment).expect("resolvable");
        assert!(places.ipc.to_string_lossy().ends_with("-a1"));
        assert_eq!(places.data, Path::new("/nowhere/.local/share/trading/a1"));
        assert!(Places::resolve(Some("../x".to_owned()), None, None, &environment).is_err());
        assert!(Places::resolve(None, None, None, &Environment::default()).is_err());
    }
}
