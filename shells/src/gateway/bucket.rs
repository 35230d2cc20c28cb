//! A token bucket: so many at once, so many a second.

use tokio::time::Instant;

/// A bucket. Credit is kept in billionths, so that short gaps count.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_second: u64,
    burst: u64,
    credit: u64,
    seen: Option<Instant>,
}

const ONE: u64 = 1_000_000_000;

impl Bucket {
    /// A full bucket of `burst`, which refills by `per_second`.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let burst = u64::from(burst) * ONE;
        Self { per_second: u64::from(per_second), burst, credit: burst, seen: None }
    }

    /// Takes one; `false` when there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        match self.credit.checked_sub(ONE) {
            Some(left) => {
                self.credit = left;
                true
            }
            None => false,
        }
    }

    /// Whether there is one, without taking it.
    pub fn has(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.credit >= ONE
    }

    fn refill(&mut self, now: Instant) {
        let passed = self.seen.map_or(0, |seen| now.saturating_duration_since(seen).as_nanos());
        self.seen = Some(now);
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        self.credit = self.credit.saturating_add(passed.saturating_mul(self.per_second)).min(self.burst);
    }

    /// Whole seconds after which one is there, at least 1: for `Retry-After`.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        let missing = ONE.saturating_sub(self.credit);
        let rate = if self.per_second == 0 { 1 } else { self.per_second };
        let seconds = missing.div_ceil(rate).div_ceil(ONE);
        if seconds == 0 { 1 } else { seconds }
    }

    /// When it was last used.
    #[must_use]
    pub const fn seen(&self) -> Option<Instant> {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_grants_a_burst_then_a_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 3);
        assert!((0..3).all(|_| bucket.take(start)) && !bucket.take(start));
        assert_eq!(bucket.seconds(), 1);
        let later = start + Duration::from_millis(100);
        assert!(bucket.has(later) && bucket.take(later) && !bucket.take(later));
        let far = start + Duration::from_secs(1_000_000);
        assert_eq!((0..10).filter(|_| bucket.take(far)).count(), 3);
    }
}
