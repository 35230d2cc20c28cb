//! Time on the engine's one timeline.

use std::ops::{Add, Sub};

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Nanoseconds since the Unix epoch on the engine's timeline, or a span of nanoseconds.
///
/// Live, the timeline is the wall clock at start plus elapsed monotonic time, so it never steps; in a replay it
/// is the recording's receive time. It is handed to every agent: nobody reads a clock of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    /// The origin, and the empty span.
    pub const ZERO: Self = Self(0);
    /// Later than anything: the deadline of an agent that waits for nothing.
    pub const NEVER: Self = Self(i64::MAX);

    /// A span of whole microseconds.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros * 1_000)
    }

    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1_000_000)
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// Sum that stops at the ends of the range, so that `NEVER` stays never.
    #[must_use]
    pub const fn saturating_add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, span: Self) -> Self {
        Self(self.0 + span.0)
    }
}

impl Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
