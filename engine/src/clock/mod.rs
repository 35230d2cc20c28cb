//! Clocks are passed in: an agent is told `now`, and never asks the machine.

pub mod tsc;
pub mod moment;

use crate::domain::Nanos;

pub use moment::Moment;
pub use tsc::Stopwatch;

/// A source of `now` for a thread's agents.
pub trait Clock: Send {
    /// The present on the engine's timeline; never earlier than the last answer.
    fn now(&mut self) -> Nanos;
}

/// Virtual time, moved by the driver of a replay or a simulation.
#[derive(Clone, Copy, Debug, Default)]
pub struct VirtualClock {
    now: Nanos,
}

impl VirtualClock {
    /// Starts at `now`.
    #[must_use]
    pub const fn new(now: Nanos) -> Self {
        Self { now }
    }

    /// Moves to `now`; time that would run backwards stands still instead.
    pub fn advance_to(&mut self, now: Nanos) {
        self.now = self.now.max(now);
    }
}

impl Clock for VirtualClock {
    fn now(&mut self) -> Nanos {
        self.now
    }
}
