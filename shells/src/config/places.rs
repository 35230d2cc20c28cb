//! Where an instance keeps its shared memory and its data.

use std::path::{Path, PathBuf};

use engine::error::SetupError;

use crate::config::environment::Environment;
use crate::config::layers::Layers;

/// The directories of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Name of the instance (`TRADING_INSTANCE`): separates directories and locks.
    pub instance: String,
    /// Shared memory (`TRADING_IPC_DIR`, by default `/dev/shm/trading-UID-INSTANCE`).
    pub ipc: PathBuf,
    /// Journals and recordings (`TRADING_DATA_DIR`, by default the XDG data directory), with the instance's name.
    pub data: PathBuf,
}

impl Places {
    /// The places that the settings name.
    ///
    /// # Errors
    /// When the instance's name could not be a directory name, or no data directory is known.
    pub fn of(layers: &Layers, environment: &Environment) -> Result<Self, SetupError> {
        let instance: String = layers.value("TRADING_INSTANCE")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !instance.chars().all(plain) {
            return Err(SetupError::Invalid(format!(
                "TRADING_INSTANCE={instance}: letters, digits, - and _ only"
            )));
        }
        let ipc = layers
            .text("TRADING_IPC_DIR")
            .map_or_else(|| shared_memory().join(format!("trading-{}-{instance}", user())), PathBuf::from);
        let data = layers
            .text("TRADING_DATA_DIR")
            .map(PathBuf::from)
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
