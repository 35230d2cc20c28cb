//! Heartbeats: an agent's duty cycle, seen from outside.
//!
//! The agent stores a count and its time every few milliseconds in which it has cycles; whoever watches looks whether the
//! count has moved since it looked last. No clock is compared with another's.

use std::path::Path;

use crate::domain::Nanos;
use crate::error::SetupError;
use crate::limits::CACHE_LINE;
use crate::primitive::Ordering;
use crate::shm::words::WORD;
use crate::shm::{Expected, Late, Readable, SegmentKind, SegmentSpec, Writable};

/// Layout of the body: cycles, the agent's time in the last of them, and whether it left on purpose.
const LAYOUT: u64 = 2;
const EXPECTED: Expected =
    Expected { kind: SegmentKind::Heartbeat, layout: LAYOUT, element_size: WORD as u32 };
const CYCLES: usize = 0;
const TIME: usize = 1;
const RESTS: usize = 2;

/// An agent's own end.
pub struct Heartbeat {
    file: Writable,
    cycles: u64,
}

impl Heartbeat {
    /// Makes the file, replacing an older one by rename.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, epoch: u32) -> Result<Self, SetupError> {
        let spec = SegmentSpec {
            kind: EXPECTED.kind,
            layout: EXPECTED.layout,
            element_size: EXPECTED.element_size,
            capacity: 3,
            epoch,
            body_bytes: CACHE_LINE,
            parent: 0,
        };
        Ok(Self { file: Writable::create(path, &spec)?, cycles: 0 })
    }

    /// A duty cycle at `now` has ended.
    pub fn beat(&mut self, now: Nanos) {
        self.beat_for(1, now);
    }

    /// So many duty cycles have ended since the last beat, the latest of them at `now`.
    pub fn beat_for(&mut self, cycles: u64, now: Nanos) {
        self.cycles += cycles;
        // Each word is all there is to see of it: nothing is ordered with them.
        self.file.body()[CYCLES].store(self.cycles, Ordering::Relaxed);
        self.file.body()[TIME].store(now.0.cast_unsigned(), Ordering::Relaxed);
    }

    /// There will be no more cycles, on purpose, and what the agent has open is to stay as it is.
    pub fn rest(&mut self) {
        self.file.body()[RESTS].store(1, Ordering::Relaxed);
    }
}

/// Somebody else's heartbeat.
pub struct HeartbeatReader {
    file: Readable,
}

impl HeartbeatReader {
    /// Attaches.
    ///
    /// # Errors
    /// When the file is missing or foreign.
    pub fn attach(path: &Path) -> Result<Self, SetupError> {
        Ok(Self { file: Readable::attach(path, &EXPECTED)? })
    }

    /// Duty cycles until its last beat.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.file.body()[CYCLES].load(Ordering::Relaxed)
    }

    /// The agent's time in the cycle of its last beat, on the timeline that all processes of an engine share.
    #[must_use]
    pub fn time(&self) -> Nanos {
        Nanos(self.file.body()[TIME].load(Ordering::Relaxed).cast_signed())
    }

    /// Whether its agent left on purpose, and wants what it has open to stay as it is.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.file.body()[RESTS].load(Ordering::Relaxed) != 0
    }

    /// Whether the file still stands under its name. A system call.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.file.is_current()
    }
}

/// A heartbeat older than this is a dead agent's, or a hung one's (C24).
pub const ALIVE_WITHIN: Nanos = Nanos::from_secs(1);

/// Watches an agent: alive while its count moves.
pub struct Pulse {
    file: Late<HeartbeatReader>,
    cycles: u64,
    moved: Nanos,
    /// Longest time without a look: a watcher that slept cannot tell who slept beside it.
    looked: Nanos,
}

impl Pulse {
    /// Watches the heartbeat at `path`, which may come late. Nobody is alive before the first cycle that is seen.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let never = Nanos(i64::MIN);
        Self { file: Late::new(path, HeartbeatReader::attach), cycles: 0, moved: never, looked: never }
    }

    /// Looks; to be called at least every 100 ms or so.
    pub fn look(&mut self, now: Nanos) {
        if self.file.refresh(now) {
            // Another life, or what a dead one left: alive once its count is seen to move.
            self.cycles = self.file.get().map_or(0, HeartbeatReader::cycles);
        }
        let cycles = self.file.get().map_or(0, HeartbeatReader::cycles);
        let slept = now.saturating_add(Nanos(-ALIVE_WITHIN.0)) > self.looked && self.is_seen();
        if cycles != self.cycles {
            self.cycles = cycles;
            self.moved = now;
        } else if slept {
            // It gets as long as ever from our own waking on.
            self.moved = self.moved.saturating_add(now - self.looked);
        }
        self.looked = now;
    }

    const fn is_seen(&self) -> bool {
        self.moved.0 != i64::MIN
    }

    /// How long ago it was seen to move; `NEVER` if it never was.
    #[must_use]
    pub fn age(&self) -> Nanos {
        if self.is_seen() { self.looked - self.moved } else { Nanos::NEVER }
    }

    /// Whether it left on purpose, and wants what it has open to stay as it is; as of the last look.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.file.get().is_some_and(HeartbeatReader::rests)
    }

    /// Whether it moved within [`ALIVE_WITHIN`].
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.age() <= ALIVE_WITHIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Nanos {
        Nanos::from_millis(millis)
    }

    #[test]
    fn it_is_alive_while_it_moves_and_again_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("heartbeat");
        let mut pulse = Pulse::new(&path);
        pulse.look(at(0));
        assert_eq!((pulse.is_alive(), pulse.age()), (false, Nanos::NEVER));
        let mut heart = Heartbeat::create(&path, 1).expect("made");
        pulse.look(at(100));
        assert!(!pulse.is_alive(), "there, but without a cycle");
        heart.beat(at(150));
        pulse.look(at(200));
        assert_eq!((pulse.is_alive(), pulse.age()), (true, Nanos::ZERO));
        for look in 3..=12 {
            pulse.look(at(100 * look));
        }
        assert_eq!((pulse.is_alive(), pulse.age()), (true, at(1_000)));
        pulse.look(at(1_300));
        assert!(!pulse.is_alive());
        heart.beat(at(1_350));
        pulse.look(at(1_400));
        assert!(pulse.is_alive(), "it clears by itself");
        let mut heart = Heartbeat::create(&path, 2).expect("made");
        heart.beat(at(2_000));
        for look in 15..=30 {
            pulse.look(at(100 * look));
        }
        heart.beat(at(3_000));
        pulse.look(at(3_100));
        assert!(pulse.is_alive());
        assert!(!pulse.rests());
        heart.rest();
        assert!(pulse.rests());
        let reader = HeartbeatReader::attach(&path).expect("attached");
        assert_eq!((reader.cycles(), reader.time(), reader.is_current()), (2, at(3_000), true));
    }

    #[test]
    fn a_watcher_that_slept_does_not_blame_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("heartbeat");
        let mut heart = Heartbeat::create(&path, 1).expect("made");
        heart.beat(at(0));
        let mut pulse = Pulse::new(&path);
        pulse.look(at(-10));
        assert!(!pulse.is_alive(), "it may be what a dead one left");
        heart.beat(at(-5));
        pulse.look(at(0));
        pulse.look(at(60_000));
        assert!(pulse.is_alive(), "a minute asleep: it may have slept as well");
        (1..=10).for_each(|look| pulse.look(at(60_000 + 100 * look)));
        assert!(pulse.is_alive());
        pulse.look(at(61_100));
        assert!(!pulse.is_alive(), "but a second awake without a beat is enough");
    }
}
