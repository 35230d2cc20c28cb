//! A peer's file that may come late, be replaced, or vanish.
//!
//! Whoever looks does so between its duty cycles' work: at most one `stat` every [`LOOK_EVERY`], and a mapping only
//! when another file stands there than before.

use std::path::{Path, PathBuf};

use crate::domain::Nanos;
use crate::error::SetupError;
use crate::shm::mapping::{Identity, standing};

/// Shortest time between two looks.
pub const LOOK_EVERY: Nanos = Nanos::from_millis(100);

/// A file that was refused is looked into again every this many looks: what made it so may pass.
const REFUSED_LOOKS: u32 = 10;

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing was ever seen there.
    Absent,
    /// What is attached stands there.
    Here,
    /// What was attached does not stand there any more, and nothing that can be read has come in its place.
    Lost,
    /// A file came that cannot be read, and none could be before it.
    Refused,
}

/// Makes a `T` from the file of a name.
type Attach<T> = Box<dyn FnMut(&Path) -> Result<T, SetupError> + Send>;

/// A `T` made from a peer's file, when there is one.
pub struct Late<T> {
    path: PathBuf,
    attach: Attach<T>,
    value: Option<T>,
    presence: Presence,
    /// What `value`, or the last refusal, was made from.
    seen: Option<Identity>,
    refused_looks: u32,
    due: Nanos,
    attached: u64,
    failure: Option<String>,
    /// A file whose content was found to be impossible: never attached again.
    quarantined: Option<Identity>,
}

impl<T> Late<T> {
    /// Waits for the file at `path`, from which `attach` makes a `T`. Nothing is touched before the first
    /// [`refresh`](Self::refresh).
    pub fn new(
        path: impl Into<PathBuf>,
        attach: impl FnMut(&Path) -> Result<T, SetupError> + Send + 'static,
    ) -> Self {
        Self {
            path: path.into(),
            attach: Box::new(attach),
            value: None,
            presence: Presence::Absent,
            seen: None,
            refused_looks: 0,
            due: Nanos(i64::MIN),
            attached: 0,
            failure: None,
            quarantined: None,
        }
    }

    /// What is there already and will not be looked for: within one process.
    #[must_use]
    pub fn fixed(value: T) -> Self {
        let never = |path: &Path| Err(SetupError::file(path, "is not looked for"));
        let mut late = Self::new(PathBuf::new(), never);
        late.value = Some(value);
        late.presence = Presence::Here;
        late.due = Nanos::NEVER;
        late.attached = 1;
        late
    }

    /// Looks no more: what is attached stays.
    pub const fn settle(&mut self) {
        self.due = Nanos::NEVER;
    }

    /// What is attached: the last that could be, even when its name is gone.
    #[inline]
    #[must_use]
    pub const fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// What to call the file where people read it: its name without the directories.
    #[must_use]
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        self.path.file_name().map_or("a ring of this process".into(), |name| name.to_string_lossy())
    }

    /// What is attached, to read on.
    #[inline]
    pub const fn get_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut()
    }

    /// What stands under the name, as last seen.
    #[inline]
    #[must_use]
    pub const fn presence(&self) -> Presence {
        self.presence
    }

    /// Lets go of what is attached, for good: its content is impossible. Only another file will be attached.
    pub fn quarantine(&mut self, reason: impl Into<String>) {
        self.value = None;
        self.presence = Presence::Lost;
        self.quarantined = self.seen;
        self.failure = Some(reason.into());
    }

    /// How many files were attached so far.
    #[must_use]
    pub const fn attached(&self) -> u64 {
        self.attached
    }

    /// Why the present file was refused.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The file's name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When the next look is due.
    #[inline]
    #[must_use]
    pub const fn due(&self) -> Nanos {
        self.due
    }

    /// Looks whether another file stands there, if a look is due; true if one was attached.
    #[inline]
    pub fn refresh(&mut self, now: Nanos) -> bool {
        now >= self.due && self.due != Nanos::NEVER && self.look(now)
    }

    /// Looks at once, whenever the last look was.
    #[cold]
    pub fn look(&mut self, now: Nanos) -> bool {
        self.due = now.saturating_add(LOOK_EVERY);
        let Some(found) = standing(&self.path) else {
            if self.value.is_some() {
                self.presence = Presence::Lost;
            }
            // A file that comes later may have the inode of the one that went.
            self.seen = None;
            return false;
        };
        let again = self.seen == Some(found);
        if again && (self.presence == Presence::Here || self.quarantined == Some(found)) {
            return false;
        }
        if again && self.refused_looks < REFUSED_LOOKS {
            self.refused_looks += 1;
            return false;
        }
        self.seen = Some(found);
        self.refused_looks = 0;
        match (self.attach)(&self.path) {
            Ok(value) => {
                self.value = Some(value);
                self.presence = Presence::Here;
                self.attached += 1;
                self.failure = None;
                true
            }
            Err(error) => {
                self.failure = Some(error.to_string());
                self.presence = if self.value.is_some() { Presence::Lost } else { Presence::Refused };
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::Ordering;
    use crate::shm::descriptor::DESCRIPTOR_BYTES;
    use crate::shm::{Expected, Readable, SegmentKind, SegmentSpec, Writable};
    use std::fs;

    const SPEC: SegmentSpec = SegmentSpec {
        kind: SegmentKind::Cells,
        layout: 7,
        element_size: 8,
        capacity: 1,
        epoch: 1,
        body_bytes: 64,
        parent: 0,
    };

    fn make(path: &Path, word: u64) -> Writable {
        Writable::create_with(path, &SPEC, |body| body[0].store(word, Ordering::Relaxed)).expect("made")
    }

    fn late(path: &Path) -> Late<Readable> {
        let expected = Expected { kind: SPEC.kind, layout: SPEC.layout, element_size: SPEC.element_size };
        Late::new(path, move |path| Readable::attach(path, &expected))
    }

    fn word(late: &Late<Readable>) -> Option<u64> {
        late.get().map(|file| file.body()[0].load(Ordering::Relaxed))
    }

    /// The n-th moment at which a look is due.
    fn look(n: i64) -> Nanos {
        Nanos(LOOK_EVERY.0 * n)
    }

    #[test]
    fn it_comes_late_is_replaced_vanishes_and_comes_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let mut late = late(&path);
        assert!(!late.refresh(look(0)));
        assert_eq!((late.presence(), word(&late)), (Presence::Absent, None));
        let _first = make(&path, 1);
        assert!(!late.refresh(look(0)), "not due yet");
        assert!(late.refresh(look(1)));
        assert_eq!((late.presence(), word(&late)), (Presence::Here, Some(1)));
        assert!(!late.refresh(look(2)));
        let _second = make(&path, 2);
        assert_eq!(word(&late), Some(1), "until the next look");
        assert!(late.refresh(look(3)));
        assert_eq!((word(&late), late.attached()), (Some(2), 2));
        fs::remove_file(&path).expect("removed");
        assert!(!late.refresh(look(4)));
        assert_eq!((late.presence(), word(&late)), (Presence::Lost, Some(2)));
        let _third = make(&path, 3);
        assert!(late.refresh(look(5)));
        assert_eq!((late.presence(), word(&late)), (Presence::Here, Some(3)));
    }

    #[test]
    fn what_is_cut_short_is_lost_with_the_next_look() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let _file = make(&path, 1);
        let mut late = late(&path);
        assert!(late.refresh(look(0)));
        let file = fs::OpenOptions::new().write(true).open(&path).expect("there");
        file.set_len(100).expect("cut");
        assert!(!late.refresh(look(1)));
        assert_eq!(late.presence(), Presence::Lost);
        assert!(late.failure().expect("a reason").contains("is too short"));
        assert_eq!(word(&late), Some(0), "zeros, and no fault");
    }

    #[test]
    fn what_cannot_be_read_is_named_and_looked_into_now_and_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(&path, b"foreign").expect("written");
        let mut late = late(&path);
        assert!(!late.refresh(look(0)));
        assert_eq!(late.presence(), Presence::Refused);
        assert!(late.failure().expect("a reason").contains("is too short"));
        let _file = make(&path, 1);
        assert!(late.refresh(look(1)), "another file: at once");
        fs::write(folder.path().join("other"), vec![7; DESCRIPTOR_BYTES + 4_096]).expect("written");
        fs::rename(folder.path().join("other"), &path).expect("renamed");
        assert!(!late.refresh(look(2)));
        assert_eq!((late.presence(), word(&late)), (Presence::Lost, Some(1)));
        // Made whole in place, of the same length: found within eleven looks.
        let good = folder.path().join("good");
        let _good = make(&good, 4);
        fs::copy(&good, &path).expect("copied");
        let looks = (3..20).take_while(|n| !late.refresh(look(*n))).count();
        assert_eq!((looks, word(&late)), (10, Some(4)));
    }
}
