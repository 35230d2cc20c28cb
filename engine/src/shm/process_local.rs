//! Shared memory within one process, for those who check programs: loom's atomics cannot lie in a file, Miri maps none,
//! and `ThreadSanitizer` does not know that two mappings are the same words.
//!
//! Everything above (descriptors, rings, cells) is the same code. A name orders nothing here: whoever finds a file
//! by its name sees of its words only what the sync points promise, which is less than a kernel gives.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::error::SetupError;
use crate::primitive::AtomicU64;
use crate::shm::descriptor::DESCRIPTOR_WORDS;
use crate::shm::identity::BootId;
use crate::shm::words::WORD;

/// Words shared by all that opened them.
#[derive(Clone)]
pub(super) struct Region(Arc<[AtomicU64]>);

impl Region {
    fn new(length: u64) -> Self {
        Self((0..length / WORD as u64).map(|_| AtomicU64::new(0)).collect())
    }

    /// The descriptor page.
    pub(super) fn page(&self) -> &[AtomicU64] {
        &self.0[..DESCRIPTOR_WORDS]
    }

    /// Nobody cuts words short.
    #[expect(clippy::unused_self)]
    pub(super) const fn is_whole(&self) -> bool {
        true
    }

    /// The words after the descriptor page.
    #[inline]
    pub(super) fn body(&self) -> &[AtomicU64] {
        &self.0[DESCRIPTOR_WORDS..]
    }
}

/// Address of the words: tells two files of one name apart.
pub(super) type Identity = usize;

/// A file that was found; nothing in it is checked yet.
pub(super) struct Opened {
    pub(super) region: Region,
    pub(super) length: u64,
    pub(super) identity: Identity,
}

/// What the words are for. Nothing holds a reader to it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Loads.
    Read,
    /// The owner's loads and stores.
    Write,
}

/// The file system.
static FILES: RwLock<BTreeMap<PathBuf, Region>> = RwLock::new(BTreeMap::new());

fn with_files<T>(change: impl FnOnce(&mut BTreeMap<PathBuf, Region>) -> T) -> T {
    change(&mut FILES.write().unwrap_or_else(PoisonError::into_inner))
}

/// Lays words ready for the next file made at `path`, and lets everybody find them from now on, while they are still
/// empty or half written.
///
/// Loom insists that a thread may only use an atomic whose making it can see. A model in which one thread makes a file
/// and another finds it lays the words ready before either starts, as the kernel does with pages of zeros.
pub fn lay_ready(path: &Path, body_bytes: usize) {
    let region = Region::new((DESCRIPTOR_WORDS * WORD + body_bytes) as u64);
    with_files(|files| files.insert(laid_ready(path), region));
}

fn laid_ready(path: &Path) -> PathBuf {
    // The same for a file and the temporary name under which it is made.
    path.with_extension("laid-ready")
}

/// Removes every file under `folder`: what an earlier run of a model left.
pub fn clear(folder: &Path) {
    #[cfg(loom)]
    waiting::make();
    with_files(|files| files.retain(|path, _| !path.starts_with(folder)));
}

#[cfg(loom)]
mod waiting {
    //! The kernel's futex as loom knows waiting: a lock under which the words are compared, and a condition. Time does not
    //! pass in a model: who is not woken waits for ever, and loom says so.

    use std::cell::RefCell;
    use std::sync::Arc;

    use loom::sync::{Condvar, Mutex};

    type Bed = Arc<(Mutex<()>, Condvar)>;

    thread_local! {
        // Loom runs all threads of a model on one thread of the machine.
        static BED: RefCell<Option<Bed>> = const { RefCell::new(None) };
    }

    pub(super) fn make() {
        BED.set(Some(Arc::new((Mutex::new(()), Condvar::new()))));
    }

    pub(super) fn bed() -> Bed {
        BED.with_borrow(Clone::clone).expect("every model begins with `clear`")
    }
}

/// Waits until a word's low half is not what it is said to be, or somebody [wakes](wake).
pub(super) fn wait_any<'a>(words: impl Iterator<Item = (&'a AtomicU64, u32)>, _longest: Duration) {
    #[cfg(loom)]
    {
        use crate::primitive::Ordering;
        let bed = waiting::bed();
        let guard = bed.0.lock().expect("no panic");
        if words.into_iter().all(|(word, value)| word.load(Ordering::Relaxed) as u32 == value) {
            drop(bed.1.wait(guard).expect("no panic"));
        }
    }
    #[cfg(not(loom))]
    {
        let _ = words.count();
        std::thread::yield_now();
    }
}

/// Wakes everybody who waits.
pub(super) fn wake(_word: &AtomicU64) {
    #[cfg(loom)]
    {
        let bed = waiting::bed();
        drop(bed.0.lock().expect("no panic"));
        bed.1.notify_all();
    }
}

/// There is one boot for all.
pub(super) fn boot() -> Result<BootId, SetupError> {
    Ok(BootId([1, 1]))
}

/// Makes a file of `length` zeros.
pub(super) fn make(path: &Path, length: u64) -> Result<Region, SetupError> {
    let ready = with_files(|files| files.get(&laid_ready(path)).cloned());
    let region = ready.unwrap_or_else(|| Region::new(length));
    let old = with_files(|files| files.insert(path.to_owned(), region.clone()));
    drop(old);
    Ok(region)
}

/// Finds the file at `path`.
pub(super) fn open(path: &Path, _access: Access) -> Result<Opened, SetupError> {
    let found = with_files(|files| files.get(path).or_else(|| files.get(&laid_ready(path))).cloned());
    let region = found.ok_or_else(|| SetupError::io(path, "open", ErrorKind::NotFound.into()))?;
    let length = (region.0.len() * WORD) as u64;
    let identity = region.0.as_ptr().addr();
    Ok(Opened { region, length, identity })
}

/// Gives the file at `temporary` the name `path`.
pub(super) fn put_in_place(temporary: &Path, path: &Path) -> Result<(), SetupError> {
    let replaced = with_files(|files| {
        let region = files.remove(temporary)?;
        Some(files.insert(path.to_owned(), region))
    });
    replaced.map(drop).ok_or_else(|| SetupError::io(path, "rename into place", ErrorKind::NotFound.into()))
}

/// Removes a file that may not be there.
pub(super) fn remove_if_there(path: &Path) -> Result<(), SetupError> {
    drop(with_files(|files| files.remove(path)));
    Ok(())
}

/// What stands under the name `path` now.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    with_files(|files| files.get(path).map(|region| region.0.as_ptr().addr()))
}
