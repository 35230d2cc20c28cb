//! Where an instance keeps its shared memory and its data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

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
    /// Owners whose data lies elsewhere (`TRADING_DATA_DIRS`).
    pub apart: DataDirs,
}

/// No owner: where risk kept its data in another deployment of the same instance. What port 5557 halted there holds here.
pub const RISK_BEFORE: &str = "risk_before";

/// Owners that can keep their data where no other can write it.
const OWNERS: [&str; 5] = ["risk", "operator", "gateway", "ingest", RISK_BEFORE];

/// Data directories of owners, such as `risk=/risk`: where services run as different users, none writes another's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataDirs(BTreeMap<String, PathBuf>);

impl FromStr for DataDirs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut directories = BTreeMap::new();
        for part in text.split(',') {
            let (owner, directory) =
                part.split_once('=').ok_or_else(|| format!("{part:?}: expected OWNER=DIR"))?;
            if !OWNERS.contains(&owner) {
                return Err(format!("{owner:?} has no data of its own: {}", OWNERS.join(", ")));
            }
            if !Path::new(directory).is_absolute() {
                return Err(format!("{owner}={directory}: expected an absolute directory"));
            }
            if directories.insert(owner.to_owned(), PathBuf::from(directory)).is_some() {
                return Err(format!("{owner} is placed twice"));
            }
        }
        Ok(Self(directories))
    }
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
        let apart = layers.optional("TRADING_DATA_DIRS")?.unwrap_or_default();
        Ok(Self { instance, ipc, data, apart })
    }

    /// Where `owner` keeps its data.
    #[must_use]
    pub fn owned_by(&self, owner: &str) -> PathBuf {
        self.apart(owner).unwrap_or_else(|| self.data.clone())
    }

    /// Where `owner` keeps its data, if that is a place of its own.
    #[must_use]
    pub fn apart(&self, owner: &str) -> Option<PathBuf> {
        self.apart.0.get(owner).map(|directory| directory.join(&self.instance))
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
    fn directories_name_owners_that_exist_once() {
        let apart: DataDirs = "risk=/risk,operator=/operator".parse().expect("two directories");
        let places = Places { instance: "t".into(), ipc: "/ipc".into(), data: "/data/t".into(), apart };
        assert_eq!(places.owned_by("risk"), Path::new("/risk/t"));
        assert_eq!(places.owned_by("gateway"), Path::new("/data/t"));
        for bad in ["", "risk", "risk=", "risk=here", "route=/route", "risk=/a,risk=/b"] {
            assert!(bad.parse::<DataDirs>().is_err(), "{bad}");
        }
    }
}
