//! Mapped files: `Writable` for the one owner, `Readable` for everybody else.

use std::path::{Path, PathBuf};

use crate::error::SetupError;
use crate::primitive::AtomicU64;
use crate::shm::descriptor::{self, DESCRIPTOR_BYTES, Descriptor, SegmentKind};
use crate::shm::identity::{BUILD_HASH, BootId, instance};
#[cfg(not(any(loom, miri, tsan)))]
use crate::shm::posix as memory;
#[cfg(any(loom, miri, tsan))]
use crate::shm::process_local as memory;
use crate::shm::words::WORD;
pub(super) use memory::Identity;
use memory::{Access, Opened, Region};

/// The body's length is a multiple of this: whole pages, where there are pages.
const BODY_GRAIN: usize = if cfg!(loom) { WORD } else { 4096 };

/// What a new file shall be.
#[derive(Clone, Copy, Debug)]
pub struct SegmentSpec {
    /// What the body holds.
    pub kind: SegmentKind,
    /// Hash of the element's layout.
    pub layout: u64,
    /// Bytes of an element.
    pub element_size: u32,
    /// Number of elements.
    pub capacity: u64,
    /// Epoch of the writer.
    pub epoch: u32,
    /// Bytes of the body; rounded up to whole pages.
    pub body_bytes: usize,
    /// `instance` of the file that this one belongs to; 0 if none.
    pub parent: u64,
}

/// What a reader insists on. Capacity and epoch it takes from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What the body must hold.
    pub kind: SegmentKind,
    /// Hash of the element's layout.
    pub layout: u64,
    /// Bytes of an element.
    pub element_size: u32,
}

impl Expected {
    fn check(&self, found: &Descriptor) -> Result<(), String> {
        if found.kind != self.kind {
            return Err(format!("holds a {}, not a {}", found.kind, self.kind));
        }
        if found.element_size != self.element_size {
            return Err(format!("has elements of {} bytes, not {}", found.element_size, self.element_size));
        }
        if found.layout != self.layout {
            return Err(format!("has element layout {:016x}, not {:016x}", found.layout, self.layout));
        }
        Ok(())
    }
}

/// The owner's mapping of a file that it alone writes.
pub struct Writable {
    region: Region,
    descriptor: Descriptor,
}

impl Writable {
    /// Makes the file: under a temporary name, allocated in full and prefaulted, then renamed over `path`.
    ///
    /// A file that stands at `path` keeps living for those who have it mapped; it is never truncated.
    ///
    /// # Errors
    /// When the operating system refuses, a full file system included.
    pub fn create(path: &Path, spec: &SegmentSpec) -> Result<Self, SetupError> {
        Self::create_with(path, spec, |_| {})
    }

    /// Makes the file as [`create`](Self::create) does, its body filled by `fill` before anybody can see it.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(
        path: &Path,
        spec: &SegmentSpec,
        fill: impl FnOnce(&[AtomicU64]),
    ) -> Result<Self, SetupError> {
        let boot = memory::boot()?;
        let temporary = temporary_name(path)?;
        memory::remove_if_there(&temporary)?;
        let made = Self::make(&temporary, spec, boot, fill).and_then(|writable| {
            memory::put_in_place(&temporary, path)?;
            Ok(writable)
        });
        if made.is_err() {
            // The first error is the one to report; a leftover is replaced by the next attempt.
            let _ = memory::remove_if_there(&temporary);
        }
        made
    }

    fn make(
        path: &Path,
        spec: &SegmentSpec,
        boot: BootId,
        fill: impl FnOnce(&[AtomicU64]),
    ) -> Result<Self, SetupError> {
        let body_bytes = spec.body_bytes.checked_next_multiple_of(BODY_GRAIN);
        let length = body_bytes.and_then(|bytes| bytes.checked_add(DESCRIPTOR_BYTES));
        let (Some(body_bytes), Some(length)) = (body_bytes, length.map(|length| length as u64)) else {
            return Err(SetupError::file(path, format!("cannot hold {} bytes", spec.body_bytes)));
        };
        let region = memory::make(path, length)?;
        let descriptor = Descriptor {
            kind: spec.kind,
            layout: spec.layout,
            build: BUILD_HASH,
            boot,
            epoch: spec.epoch,
            element_size: spec.element_size,
            capacity: spec.capacity,
            body_bytes: body_bytes as u64,
            instance: instance(),
            parent: spec.parent,
            owner: rustix::process::geteuid().as_raw(),
        };
        fill(region.body());
        descriptor.write(region.page());
        Ok(Self { region, descriptor })
    }

    /// Maps the file that an earlier life of the owner left, to go on writing it.
    ///
    /// # Errors
    /// When it is missing, not ours to write, or not what is expected.
    pub fn reopen(path: &Path, expected: &Expected) -> Result<Self, SetupError> {
        let (opened, descriptor) = open_checked(path, std::slice::from_ref(expected), Access::Write)?;
        Ok(Self { region: opened.region, descriptor })
    }

    /// Maps the file that a dead life of the owner left and takes it over: its [`life`](Self::life) is one higher. The
    /// caller holds the owner's lock, so that no other life can be writing.
    ///
    /// # Errors
    /// As [`reopen`](Self::reopen).
    pub fn take_over(path: &Path, expected: &Expected) -> Result<Self, SetupError> {
        let taken = Self::reopen(path, expected)?;
        descriptor::begin_life(taken.region.page());
        Ok(taken)
    }

    /// How many times the file was taken over.
    #[must_use]
    pub fn life(&self) -> u64 {
        descriptor::life(self.region.page())
    }

    /// What the file is.
    #[must_use]
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The words after the descriptor page; all zero in a new file.
    #[inline]
    #[must_use]
    pub fn body(&self) -> &[AtomicU64] {
        self.region.body()
    }
}

/// A reader's mapping: the MMU refuses any store, unless it is this process that writes the file.
pub struct Readable {
    region: Region,
    descriptor: Descriptor,
    path: PathBuf,
    identity: Identity,
}

impl Readable {
    /// Maps the file at `path`, if it is what is expected, of this build and of this boot.
    ///
    /// # Errors
    /// When it is missing, too short, half-initialised, damaged, foreign in kind, layout or element size, left by an
    /// earlier boot, or made by another build. The text names the file and says which.
    pub fn attach(path: &Path, expected: &Expected) -> Result<Self, SetupError> {
        Self::attach_any(path, std::slice::from_ref(expected))
    }

    /// Maps the file at `path` as [`attach`](Self::attach) does, if it is one of what is expected.
    ///
    /// # Errors
    /// As [`attach`](Self::attach); a file that is none of them is held against the first.
    pub(crate) fn attach_any(path: &Path, expected: &[Expected]) -> Result<Self, SetupError> {
        let (Opened { region, identity, .. }, descriptor) = open_checked(path, expected, Access::Read)?;
        Ok(Self { region, descriptor, path: path.to_owned(), identity })
    }

    /// What the file is.
    #[must_use]
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The words after the descriptor page. Only relaxed loads (with fences) are allowed on them.
    #[inline]
    #[must_use]
    pub fn body(&self) -> &[AtomicU64] {
        self.region.body()
    }

    /// How many times a later life of the owner has taken the file over. The owner's word: not to be relied on.
    #[must_use]
    pub fn life(&self) -> u64 {
        descriptor::life(self.region.page())
    }

    /// `false` once the file was found cut short while it was read: all words are 0 now, and nothing that was read is
    /// to be believed.
    #[inline]
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.region.is_whole()
    }

    /// Whether the file that is mapped still stands under its name, and is whole. `false` means: attach again.
    ///
    /// A system call: not for the hot path.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_whole() && memory::identity(&self.path) == Some(self.identity)
    }
}

/// What stands under the name `path` now, to tell two files of one name apart; `None` if nothing does. A system call.
pub(super) fn standing(path: &Path) -> Option<Identity> {
    memory::identity(path)
}

fn open_checked(
    path: &Path,
    expected: &[Expected],
    access: Access,
) -> Result<(Opened, Descriptor), SetupError> {
    let opened = memory::open(path, access)?;
    let refuse = |reason: String| SetupError::file(path, reason);
    let descriptor = Descriptor::read(opened.region.page()).map_err(refuse)?;
    descriptor.check_identity(memory::boot()?).map_err(refuse)?;
    if !expected.iter().any(|expected| expected.check(&descriptor).is_ok()) {
        expected.first().map_or(Ok(()), |first| first.check(&descriptor)).map_err(refuse)?;
    }
    let (length, wanted) = (opened.length, descriptor.body_bytes.saturating_add(DESCRIPTOR_BYTES as u64));
    if length != wanted {
        return Err(refuse(format!("is {length} bytes long, its descriptor says {wanted}")));
    }
    Ok((opened, descriptor))
}

fn temporary_name(path: &Path) -> Result<PathBuf, SetupError> {
    let mut name = path.file_name().ok_or_else(|| SetupError::file(path, "names no file"))?.to_owned();
    name.push(".new");
    Ok(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::Ordering;
    use crate::shm::posix::MODE;
    use std::fs::{self, File, OpenOptions};
    use std::os::unix::fs::{FileExt, PermissionsExt};
    use tempfile::TempDir;

    const SPEC: SegmentSpec = SegmentSpec {
        kind: SegmentKind::Cells,
        layout: 7,
        element_size: 24,
        capacity: 3,
        epoch: 9,
        body_bytes: 72,
        parent: 5,
    };
    const EXPECTED: Expected =
        Expected { kind: SPEC.kind, layout: SPEC.layout, element_size: SPEC.element_size };

    fn made() -> (TempDir, PathBuf, Writable) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("segment");
        let writable = Writable::create(&path, &SPEC).expect("made");
        (folder, path, writable)
    }

    /// The one line that `attach` answers with.
    fn refusal(path: &Path) -> String {
        let error = Readable::attach(path, &EXPECTED).err().expect("refused").to_string();
        assert!(error.starts_with(&path.display().to_string()) && !error.contains('\n'), "{error}");
        let owners =
            Writable::reopen(path, &EXPECTED).err().expect("the owner is refused as well").to_string();
        assert_eq!(error.replace("open:", "open for writing:"), owners);
        error
    }

    #[test]
    fn a_reader_sees_what_the_writer_stores_and_who_it_is() {
        let (_folder, path, writable) = made();
        let readable = Readable::attach(&path, &EXPECTED).expect("attached");
        assert_eq!(readable.descriptor(), writable.descriptor());
        let found = readable.descriptor();
        assert_eq!((found.epoch, found.capacity, found.parent), (9, 3, 5));
        assert_eq!((found.build, found.body_bytes), (BUILD_HASH, DESCRIPTOR_BYTES as u64));
        assert_eq!((readable.body().len(), writable.body().len()), (512, 512));
        assert!(readable.body().iter().all(|word| word.load(Ordering::Relaxed) == 0));
        writable.body()[511].store(77, Ordering::Relaxed);
        assert_eq!(readable.body()[511].load(Ordering::Relaxed), 77);
    }

    #[test]
    fn only_the_owner_can_write_and_the_file_says_so() {
        let (_folder, path, writable) = made();
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, MODE);
        let rights = || {
            let maps = fs::read_to_string("/proc/self/maps").expect("a Linux kernel");
            let of_file = maps.lines().filter(|line| line.ends_with(&path.display().to_string()));
            of_file.filter_map(|line| line.split(' ').nth(1).map(str::to_owned)).collect::<Vec<_>>()
        };
        let own = Readable::attach(&path, &EXPECTED).expect("attached");
        assert_eq!(rights(), ["rw-s"], "who writes it reads it by the same mapping");
        drop((own, writable));
        let _readable = Readable::attach(&path, &EXPECTED).expect("attached");
        assert_eq!(rights(), ["r--s"], "nobody else can write it");
    }

    #[test]
    fn all_readers_in_the_owners_process_outlive_the_files_being_cut_short() {
        let (_folder, path, writable) = made();
        writable.body()[0].store(7, Ordering::Relaxed);
        let readers = [(); 2].map(|()| Readable::attach(&path, &EXPECTED).expect("attached"));
        assert!(
            readers.iter().all(|reader| reader.is_whole() && reader.body()[0].load(Ordering::Relaxed) == 7)
        );
        let content = fs::read(&path).expect("there");
        OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(0)).expect("cut");
        assert_eq!(readers[0].body()[0].load(Ordering::Relaxed), 0);
        assert!(readers.iter().all(|reader| !reader.is_whole() && !reader.is_current()));
        // What has its inode next is another file.
        fs::write(&path, content).expect("written");
        let next = Readable::attach(&path, &EXPECTED).expect("attached");
        assert_eq!((next.is_whole(), next.body()[0].load(Ordering::Relaxed)), (true, 7));
        drop(writable);
    }

    #[test]
    fn what_is_missing_or_short_is_refused() {
        let (folder, path, _writable) = made();
        assert!(refusal(&folder.path().join("none")).contains("No such file"));
        for length in [0, 8, DESCRIPTOR_BYTES as u64 - 1] {
            let short = folder.path().join("short");
            File::create(&short).and_then(|file| file.set_len(length)).expect("a short file");
            assert!(refusal(&short).contains("is too short"), "{length}");
        }
        for length in [DESCRIPTOR_BYTES as u64, 2 * DESCRIPTOR_BYTES as u64 - 8, 3 * DESCRIPTOR_BYTES as u64]
        {
            let copy = folder.path().join("copy");
            fs::copy(&path, &copy).expect("copied");
            OpenOptions::new().write(true).open(&copy).and_then(|file| file.set_len(length)).expect("cut");
            assert!(refusal(&copy).contains("its descriptor says 8192"), "{length}");
        }
    }

    #[test]
    fn what_is_unfinished_or_not_ours_is_refused() {
        let (_folder, path, writable) = made();
        let file = OpenOptions::new().write(true).open(&path).expect("there");
        let ready = 128;
        file.write_all_at(&[0; 8], ready).expect("written");
        assert!(refusal(&path).contains("is half-initialised"));
        file.write_all_at(&[1; 8], ready).expect("written");
        assert!(refusal(&path).contains("has a damaged descriptor"));
        writable.descriptor.write(writable.region.page());
        assert!(Readable::attach(&path, &EXPECTED).is_ok());
        file.write_all_at(b"TRADSHM2", 0).expect("written");
        assert!(refusal(&path).contains("is no shared-memory file of this version"));
    }

    #[test]
    fn every_foreign_field_is_refused_by_name() {
        let (_folder, path, writable) = made();
        let good = *writable.descriptor();
        let refused = |changed: Descriptor| {
            changed.write(writable.region.page());
            refusal(&path)
        };
        assert!(
            refused(Descriptor { kind: SegmentKind::Cursor, ..good }).contains("holds a cursor, not a cells")
        );
        assert!(refused(Descriptor { layout: 8, ..good }).contains("has element layout 0000000000000008"));
        assert!(
            refused(Descriptor { element_size: 32, ..good }).contains("has elements of 32 bytes, not 24")
        );
        assert!(refused(Descriptor { boot: BootId([1, 2]), ..good }).contains("was left by an earlier boot"));
        assert!(refused(Descriptor { build: !BUILD_HASH, ..good }).contains("was made by build"));
        for body_bytes in [0, 4095, 8192, u64::MAX] {
            let error = refused(Descriptor { body_bytes, ..good });
            assert!(error.contains("is 8192 bytes long, its descriptor says"), "{error}");
        }
        good.write(writable.region.page());
        assert!(Readable::attach(&path, &EXPECTED).is_ok());
    }

    #[test]
    fn a_new_file_replaces_the_old_one_and_harms_no_reader() {
        let (folder, path, writable) = made();
        let old = Readable::attach(&path, &EXPECTED).expect("attached");
        writable.body()[0].store(1, Ordering::Relaxed);
        fs::write(path.with_file_name("segment.new"), b"left by a crash").expect("written");
        let successor = Writable::create(&path, &SegmentSpec { epoch: 10, ..SPEC }).expect("made");
        successor.body()[0].store(2, Ordering::Relaxed);
        assert!(successor.descriptor().instance > writable.descriptor().instance);
        assert_eq!((old.is_current(), old.body()[0].load(Ordering::Relaxed)), (false, 1));
        let new = Readable::attach(&path, &EXPECTED).expect("attached");
        assert_eq!((new.is_current(), new.body()[0].load(Ordering::Relaxed)), (true, 2));
        // A file that is none of ours is replaced as well.
        fs::write(&path, b"foreign").expect("written");
        Writable::create(&path, &SPEC).expect("made");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing is left behind");
    }

    #[test]
    fn the_owner_goes_on_where_it_left() {
        let (_folder, path, writable) = made();
        writable.body()[3].store(42, Ordering::Relaxed);
        drop(writable);
        let again = Writable::reopen(&path, &EXPECTED).expect("reopened");
        assert_eq!((again.body()[3].load(Ordering::Relaxed), again.descriptor().epoch), (42, 9));
    }

    #[test]
    fn a_later_life_is_told_from_the_first() {
        let (_folder, path, writable) = made();
        let reader = Readable::attach(&path, &EXPECTED).expect("attached");
        assert_eq!((writable.life(), reader.life()), (0, 0));
        drop(writable);
        for life in 1..3 {
            let taken = Writable::take_over(&path, &EXPECTED).expect("taken over");
            assert_eq!((taken.life(), reader.life(), reader.is_current()), (life, life, true));
        }
        let late = Readable::attach(&path, &EXPECTED).expect("attached");
        assert_eq!((late.life(), late.descriptor()), (2, reader.descriptor()));
    }

    #[test]
    fn a_file_system_without_room_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("segment");
        for body_bytes in [1 << 52, usize::MAX - 4096, usize::MAX] {
            assert!(Writable::create(&path, &SegmentSpec { body_bytes, ..SPEC }).is_err(), "{body_bytes}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
        assert!(Writable::create(&folder.path().join("none/segment"), &SPEC).is_err());
        assert!(Writable::create(Path::new("/"), &SPEC).is_err());
    }

    #[test]
    fn the_body_is_filled_before_anybody_can_see_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("segment");
        Writable::create_with(&path, &SPEC, |body| {
            assert!(!path.exists());
            body[0].store(5, Ordering::Relaxed);
        })
        .expect("made");
        let readable = Readable::attach(&path, &EXPECTED).expect("attached");
        assert_eq!(readable.body()[0].load(Ordering::Relaxed), 5);
    }
}
