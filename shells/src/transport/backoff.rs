//! When to try again: a wait that doubles, with jitter, so that many clients do not come back at once.

use engine::domain::Nanos;

/// Waits between attempts. Each is drawn between half and all of a limit that doubles to its maximum.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Nanos,
    longest: Nanos,
    limit: Nanos,
    state: u64,
}

impl Backoff {
    /// Starts at `first` and doubles up to `longest`. `seed` makes the jitter: any number that differs between clients.
    #[must_use]
    pub const fn new(first: Nanos, longest: Nanos, seed: u64) -> Self {
        Self { first, longest, limit: first, state: seed }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Nanos {
        // SplitMix64 (Steele, Lea and Flood 2014): enough to spread waits.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let half = self.limit.0 / 2;
        let drawn = i64::try_from((mixed >> 1) % (half.unsigned_abs() + 1)).unwrap_or(half);
        self.limit = Nanos(self.limit.0.saturating_mul(2).min(self.longest.0));
        Nanos(half + drawn)
    }

    /// After a success: the next wait is short again.
    pub const fn reset(&mut self) {
        self.limit = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_limits_and_differ() {
        let make = |seed| Backoff::new(Nanos::from_millis(100), Nanos::from_secs(10), seed);
        let mut backoff = make(1);
        let mut limit = 100;
        for _ in 0..12 {
            let wait = backoff.next_wait();
            assert!(wait >= Nanos::from_millis(limit / 2) && wait <= Nanos::from_millis(limit), "{wait:?}");
            limit = (limit * 2).min(10_000);
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Nanos::from_millis(100));
        assert_ne!(make(2).next_wait(), make(3).next_wait());
    }
}
