//! Shared memory as files: made under a temporary name, mapped, renamed into place.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{FallocateFlags, fallocate};

use crate::error::SetupError;
use crate::shm::descriptor::DESCRIPTOR_BYTES;
use crate::shm::identity::BootId;
use crate::shm::own::{self, Mapping};
pub(super) use crate::shm::region::Region;

/// Owner writes, group reads, others nothing: the file system and the MMU hold "one writer".
pub(super) const MODE: u32 = 0o640;

/// Device, inode and length: tells two files of one name apart, and a whole one from what was cut short.
pub(super) type Identity = (u64, u64, u64);

/// A file that was found and mapped; nothing in it is checked yet.
pub(super) struct Opened {
    pub(super) region: Region,
    pub(super) length: u64,
    pub(super) identity: Identity,
}

/// What the mapping is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Loads: the MMU refuses any store, unless this process is the one that writes the file.
    Read,
    /// The owner's loads and stores.
    Write,
}

/// This boot of the machine.
pub(super) fn boot() -> Result<BootId, SetupError> {
    BootId::read()
}

/// Makes and maps a file of `length` zeros that must not exist yet.
pub(super) fn make(path: &Path, length: u64) -> Result<Region, SetupError> {
    let io = |action| move |source| SetupError::io(path, action, source);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
        .map_err(io("create"))?;
    file.set_permissions(Permissions::from_mode(MODE)).map_err(io("set permissions"))?;
    // Allocated now, so that a full tmpfs is an error here and not a SIGBUS at the first store.
    fallocate(&file, FallocateFlags::empty(), 0, length).map_err(|errno| io("allocate")(errno.into()))?;
    let found = file.metadata().map_err(io("stat"))?;
    let mapping = map(&file, length, Access::Write).map_err(io("map"))?;
    own::note((found.dev(), found.ino()), &mapping);
    Region::of_owner(mapping).map_err(|reason| SetupError::file(path, reason))
}

/// Maps the file at `path`, whatever it is.
pub(super) fn open(path: &Path, access: Access) -> Result<Opened, SetupError> {
    let io = |action| move |source| SetupError::io(path, action, source);
    let action = if access == Access::Write { "open for writing" } else { "open" };
    let file = OpenOptions::new().read(true).write(access == Access::Write).open(path).map_err(io(action))?;
    let found = file.metadata().map_err(io("stat"))?;
    let length = found.len();
    if length < DESCRIPTOR_BYTES as u64 {
        return Err(SetupError::file(path, format!("is too short: {length} bytes")));
    }
    let inode = (found.dev(), found.ino());
    let mapped = || map(&file, length, access).map_err(io("map"));
    let region = match access {
        Access::Read => Region::of_reader(own::find(inode).map_or_else(mapped, Ok)?),
        Access::Write => {
            let mapping = mapped()?;
            own::note(inode, &mapping);
            Region::of_owner(mapping)
        }
    };
    let region = region.map_err(|reason| SetupError::file(path, reason))?;
    Ok(Opened { region, length, identity: (found.dev(), found.ino(), length) })
}

/// Gives the file at `temporary` the name `path`; whatever stood there lives on for those who have it mapped.
pub(super) fn put_in_place(temporary: &Path, path: &Path) -> Result<(), SetupError> {
    fs::rename(temporary, path).map_err(|source| SetupError::io(path, "rename into place", source))
}

/// Removes a file that may not be there.
pub(super) fn remove_if_there(path: &Path) -> Result<(), SetupError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(SetupError::io(path, "remove a leftover", source))
        }
        _ => Ok(()),
    }
}

/// What stands under the name `path` now.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino(), found.len()))
}

fn map(file: &File, length: u64, access: Access) -> std::io::Result<Arc<Mapping>> {
    let length =
        usize::try_from(length).map_err(|_| std::io::Error::from(std::io::ErrorKind::FileTooLarge))?;
    let mut options = MmapOptions::new();
    let options = options.len(length).populate();
    let mapping = match access {
        Access::Read => options.map_raw_read_only(file),
        Access::Write => options.map_raw(file),
    }?;
    lock(&mapping);
    Ok(Arc::new(Mapping::new(mapping)))
}

/// Keeps the pages from being swapped out, where the limit on locked memory lets us; the mapping works without, and
/// `trading doctor` tells of the limit.
fn lock(mapping: &MmapRaw) {
    // SAFETY: the range is a whole mapping of ours; locking changes nothing in it, and its unmapping unlocks it.
    #[allow(unsafe_code)]
    let _ = unsafe { libc::mlock(mapping.as_ptr().cast(), mapping.len()) };
}
