//! What the writers of a process's journals tell the agents that append to them, and whoever looks after the process.

use std::sync::{Arc, OnceLock};

use crate::error::SetupError;
use crate::primitive::{AtomicU32, Ordering};
use crate::wire::wire_enum;

wire_enum! {
    /// How the journals of a process are (C25).
    JournalState {
        /// What is appended is written.
        Sound = 0 => "sound",
        /// The disk has no room for a next segment: nothing new may be sent until it has.
        NoRoom = 1 => "no room",
        /// A write or a sync failed: nothing is written any more in this life of the process.
        Failed = 2 => "failed",
    }
}

/// One word for all journals of a process, for what may not be on the disk in one makes the others worth less. Written by
/// the thread of their writers alone; the agents read it with every order.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU32,
    failure: OnceLock<String>,
}

impl Health {
    /// How they are. What cannot be read is a failure.
    #[inline]
    #[must_use]
    pub fn state(&self) -> JournalState {
        let code = u8::try_from(self.0.state.load(Ordering::Relaxed)).ok();
        code.and_then(|code| JournalState::try_from(code).ok()).unwrap_or(JournalState::Failed)
    }

    /// Whether new orders may be sent.
    #[inline]
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.state() == JournalState::Sound
    }

    /// Whether the process may go on.
    ///
    /// # Errors
    /// When a journal has failed: which, and how.
    pub fn check(&self) -> Result<(), SetupError> {
        match self.0.failure.get() {
            None => Ok(()),
            Some(reason) => {
                Err(SetupError::Invalid(format!("a journal failed, and trading stopped: {reason}")))
            }
        }
    }

    /// For the writers: nothing is written any more. The first reason stays.
    pub(crate) fn fail(&self, error: &SetupError) {
        let _ = self.0.failure.set(error.to_string());
        self.set(JournalState::Failed);
    }

    /// For the writers: whether there is room, unless one has failed.
    pub(crate) fn has_room(&self, room: bool) {
        if self.state() != JournalState::Failed {
            self.set(if room { JournalState::Sound } else { JournalState::NoRoom });
        }
    }

    fn set(&self, state: JournalState) {
        self.0.state.store(u32::from(state.code()), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_stays_and_keeps_its_first_reason() {
        let health = Health::default();
        let seen = health.clone();
        assert!(seen.is_sound() && seen.check().is_ok());
        health.has_room(false);
        assert_eq!((seen.state(), seen.check().is_ok()), (JournalState::NoRoom, true));
        health.has_room(true);
        assert_eq!(seen.state(), JournalState::Sound);
        health.fail(&SetupError::Invalid("segment 7: write: no".to_owned()));
        health.fail(&SetupError::Invalid("an echo".to_owned()));
        health.has_room(true);
        assert_eq!(seen.state(), JournalState::Failed);
        let reason = seen.check().expect_err("failed").to_string();
        assert!(reason.ends_with("trading stopped: segment 7: write: no"), "{reason}");
    }
}
