//! A reading of the stopwatch that one message's end and the next one's beginning share.

use crate::clock::Stopwatch;
use crate::domain::Nanos;
use crate::hint::unlikely;

/// What the stopwatch said when a message was done, as long as nothing lengthy has happened since: whoever takes the next
/// message in the same duty cycle begins there and reads nothing.
///
/// It is good for one cycle of all agents that are driven one after the other. A driver begins each with
/// [`UNKNOWN`](Self::UNKNOWN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(Nanos);

impl Moment {
    /// Nobody has read the stopwatch, or too much has happened since: whoever needs it reads.
    pub const UNKNOWN: Self = Self(Nanos(-1));

    /// What the stopwatch has just said.
    #[inline]
    #[must_use]
    pub const fn at(elapsed: Nanos) -> Self {
        Self(elapsed)
    }

    /// Something happened that the next message did not wait for: it begins later.
    #[inline]
    pub const fn forget(&mut self) {
        *self = Self::UNKNOWN;
    }

    /// Gives it away; nobody else will begin there.
    #[inline]
    #[must_use]
    pub const fn take(&mut self) -> Self {
        std::mem::replace(self, Self::UNKNOWN)
    }

    /// What the stopwatch said, or else says now.
    #[inline]
    #[must_use]
    pub fn or_read(self, stopwatch: &Stopwatch) -> Nanos {
        // No reading is negative, and a sign is the cheapest to look at.
        if unlikely(self.0.0 < 0) { stopwatch.elapsed() } else { self.0 }
    }
}

impl Default for Moment {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_used_until_it_is_given_away_or_forgotten() {
        let stopwatch = Stopwatch::calibrate();
        let past = Nanos(7);
        let mut moment = Moment::at(past);
        assert_eq!((moment.or_read(&stopwatch), moment.take().or_read(&stopwatch)), (past, past));
        assert!(moment.or_read(&stopwatch) > past, "it was given away");
        moment = Moment::at(past);
        moment.forget();
        assert_eq!(moment, Moment::default());
    }
}
