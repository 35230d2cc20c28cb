//! How far the consumer of a lossless ring is behind, for onlookers: both files are only read.

use std::path::Path;

use crate::error::SetupError;
use crate::ring::cursor;
use crate::ring::message::Message;
use crate::ring::slot::{self, Found, Slots};
use crate::shm::{Readable, SegmentKind};

/// Watches a ring and its consumer's cursor.
pub struct Backlog<T> {
    ring: Slots<Readable, T>,
    cursor: Readable,
}

impl<T: Message> Backlog<T> {
    /// Attaches to both files.
    ///
    /// # Errors
    /// When one is missing or foreign, or the cursor is another ring's.
    pub fn attach(ring: &Path, cursor: &Path) -> Result<Self, SetupError> {
        let page = Readable::attach_any(ring, &slot::lossless::<T>())?;
        let found = *page.descriptor();
        let cursor = cursor::watch(cursor, &found)?;
        Ok(Self { ring: Slots::new(ring, page, &found)?, cursor })
    }

    /// Messages that wait to be taken. The consumer publishes its cursor in groups, so some of them it may have taken.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        // The cursor first: the head only moves on meanwhile.
        let taken = cursor::watched(&self.cursor);
        self.ring.head(taken).saturating_sub(taken).min(self.capacity())
    }

    /// The oldest of those, untorn; `None` when none waits, and of a ring that is not made to be watched.
    #[must_use]
    pub fn oldest(&self) -> Option<T> {
        if self.ring.page().descriptor().kind != SegmentKind::WatchedRing {
            return None;
        }
        match self.ring.read_checked(cursor::watched(&self.cursor)) {
            Found::Message(message) => Some(message),
            Found::NotYet | Found::Gone => None,
        }
    }

    /// Messages that the ring holds when full.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.ring.capacity()
    }

    /// Whether both files still stand under their names. System calls.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.ring.page().is_current() && self.cursor.is_current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::spsc::{Consumer, Producer};

    #[test]
    fn it_sees_what_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ring, cursor) = (folder.path().join("ring"), folder.path().join("cursor"));
        let mut producer = Producer::<[u64; 7]>::create_watched(&ring, &cursor, 64, 1).expect("made");
        assert!(Backlog::<[u64; 7]>::attach(&ring, &cursor).is_err(), "no consumer yet");
        let mut consumer = Consumer::<[u64; 7]>::attach(&ring, &cursor).expect("attached");
        let backlog = Backlog::<[u64; 7]>::attach(&ring, &cursor).expect("attached");
        assert_eq!((backlog.waiting(), backlog.oldest(), backlog.capacity()), (0, None, 64));
        for lap in 0..5_u64 {
            (0..40).for_each(|n| producer.try_push(&[lap * 40 + n; 7]).expect("room"));
            assert_eq!((backlog.waiting(), backlog.oldest()), (40, Some([lap * 40; 7])));
            while consumer.poll().is_some() {}
            assert_eq!((backlog.waiting(), backlog.oldest()), (0, None));
        }
        assert!(backlog.is_current());
    }
}
