//! The mappings by which this process writes: whoever reads such a file in the same process reads by them.
//!
//! Another process's files are mapped read-only. Those of one's own are writable in any case, and two mappings of one file
//! are slow: a first-level cache that finds its lines by virtual address takes what was written at one for absent at the
//! other, and a core that may write a page can have a line for itself when it reads it.

use std::process;
use std::sync::{Arc, OnceLock, PoisonError, Weak};

use memmap2::MmapRaw;

use crate::shm::sigbus::Guard;

/// A mapped file.
pub(super) struct Mapping {
    /// Of a mapping that is read. Before the memory, so that it is dropped first.
    guard: OnceLock<Result<Guard, String>>,
    memory: MmapRaw,
}

impl Mapping {
    /// Takes over what was mapped.
    pub(super) const fn new(memory: MmapRaw) -> Self {
        Self { guard: OnceLock::new(), memory }
    }

    /// The mapping's memory.
    pub(super) const fn memory(&self) -> &MmapRaw {
        &self.memory
    }

    /// Lets its readers outlive the file's being cut short.
    ///
    /// # Errors
    /// When it cannot be guarded.
    pub(super) fn guard(&self) -> Result<(), String> {
        // One for all its readers: the handler finds one.
        let guard = || Guard::protect(self.memory.as_mut_ptr().addr(), self.memory.len());
        self.guard.get_or_init(guard).as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Whether a reader has found the file cut short: then all its words are 0.
    #[inline]
    pub(super) fn is_lost(&self) -> bool {
        self.guard.get().is_some_and(|guard| guard.as_ref().is_ok_and(Guard::is_lost))
    }
}

/// Device and inode: no other file has them as long as this one is mapped, which it is no more once it was found cut short.
type File = (u64, u64);

/// One of this process's own, and which process that is: a fork's child owns nothing.
struct Own {
    file: File,
    process: u32,
    mapping: Weak<Mapping>,
}

/// Locked when a file is mapped, which is some system calls; never while it is used.
#[allow(clippy::disallowed_types)]
static OWN: std::sync::Mutex<Vec<Own>> = std::sync::Mutex::new(Vec::new());

/// Notes that this process writes `file` by `mapping`.
pub(super) fn note(file: File, mapping: &Arc<Mapping>) {
    let mut all = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|own| own.mapping.strong_count() > 0);
    all.push(Own { file, process: process::id(), mapping: Arc::downgrade(mapping) });
}

/// The mapping by which this process writes `file`, if it does.
pub(super) fn find(file: File) -> Option<Arc<Mapping>> {
    let all = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let of_file = all.iter().filter(|own| (own.file, own.process) == (file, process::id()));
    of_file.filter_map(|own| own.mapping.upgrade()).find(|mapping| !mapping.is_lost())
}
