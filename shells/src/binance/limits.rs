//! The venue's rate limits, as one caller may use them (binance.md §3; reliability.md C16, F06).
//!
//! Ingest and route share an address's request weight by fixed shares, so that neither can starve the other and no
//! memory is shared for it. What the venue says it counted wins over what we counted. After a 429 nothing is asked
//! before its `Retry-After`; after a 418 nothing is asked before its end, and whoever trades halts.

use engine::domain::Nanos;

/// Share of a limit that this caller may use, in percent: together at most 70 (reliability.md C16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u8);

impl Share {
    /// Ingest's: snapshots.
    pub const INGEST: Self = Self(40);
    /// Route's: queries, cancels and orders.
    pub const ROUTE: Self = Self(30);
}

/// The limit of request weight where the venue's own is not known yet.
const WEIGHT_A_MINUTE: u64 = 6_000;

/// Windows are aligned to the clock.
const MINUTE: Nanos = Nanos::from_secs(60);

/// Whether something may be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may, and was counted.
    Granted,
    /// Not before this time.
    Wait(Nanos),
}

/// What one caller has used of an address's weight.
#[derive(Clone, Debug)]
pub struct WeightBudget {
    share: Share,
    limit: u64,
    window: i64,
    used: u64,
    /// By the venue's count, all callers together.
    told: u64,
    blocked_until: Nanos,
    banned: bool,
}

impl WeightBudget {
    /// Nothing used yet. `limit` is the venue's weight a minute; 0 takes Binance's documented one.
    #[must_use]
    pub const fn new(share: Share, limit: u64) -> Self {
        let limit = if limit == 0 { WEIGHT_A_MINUTE } else { limit };
        Self { share, limit, window: 0, used: 0, told: 0, blocked_until: Nanos(i64::MIN), banned: false }
    }

    /// Asks for `weight` at `now`, the venue's time.
    pub fn ask(&mut self, weight: u64, now: Nanos) -> Permit {
        if now < self.blocked_until {
            return Permit::Wait(self.blocked_until);
        }
        self.banned = false;
        self.roll(now);
        let own = self.limit * u64::from(self.share.0) / 100;
        if self.used + weight > own || self.told + weight > self.limit * 9 / 10 {
            return Permit::Wait(Nanos((self.window + 1) * MINUTE.0));
        }
        self.used += weight;
        self.told += weight;
        Permit::Granted
    }

    /// The venue counted `used` in this minute, all callers together (`X-MBX-USED-WEIGHT-1M`, `rateLimits`).
    pub fn told(&mut self, used: u64, now: Nanos) {
        self.roll(now);
        self.told = self.told.max(used);
    }

    /// The venue refused (429) or banned (418) until `until`.
    pub fn refused(&mut self, until: Nanos, banned: bool) {
        self.blocked_until = self.blocked_until.max(until);
        self.banned |= banned;
    }

    /// Whether the venue has banned this address, as far as is known at `now`.
    #[must_use]
    pub fn is_banned(&self, now: Nanos) -> bool {
        self.banned && now < self.blocked_until
    }

    /// Until when nothing may be asked, if that is in the future.
    #[must_use]
    pub fn blocked(&self, now: Nanos) -> Option<Nanos> {
        (now < self.blocked_until).then_some(self.blocked_until)
    }

    /// Used of the venue's limit, in thousandths.
    #[must_use]
    pub fn used_permille(&self) -> u64 {
        self.told * 1_000 / self.limit.max(1)
    }

    fn roll(&mut self, now: Nanos) {
        let window = now.0.div_euclid(MINUTE.0);
        if window != self.window {
            (self.window, self.used, self.told) = (window, 0, 0);
        }
    }
}

/// How long a refusal lasts: `Retry-After` seconds, or a minute where it says nothing.
#[must_use]
pub fn retry_after(header: Option<&str>, now: Nanos) -> Nanos {
    let seconds = header.and_then(|text| text.trim().parse::<i64>().ok()).filter(|seconds| *seconds >= 0);
    now.saturating_add(Nanos(seconds.unwrap_or(60).saturating_mul(1_000_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Nanos = Nanos(MINUTE.0 * 1_000);

    #[test]
    fn a_share_is_never_passed_and_a_new_minute_begins_anew() {
        let mut budget = WeightBudget::new(Share::INGEST, 1_000);
        for _ in 0..8 {
            assert_eq!(budget.ask(50, START), Permit::Granted);
        }
        let next = Nanos(START.0 + MINUTE.0);
        assert_eq!(budget.ask(1, START), Permit::Wait(next));
        assert_eq!(budget.ask(50, next), Permit::Granted);
        assert_eq!(budget.used_permille(), 50);
    }

    #[test]
    fn what_the_venue_counted_wins() {
        let mut budget = WeightBudget::new(Share::ROUTE, 1_000);
        budget.told(899, START);
        assert_eq!(budget.ask(1, START), Permit::Granted);
        assert!(matches!(budget.ask(1, START), Permit::Wait(_)));
    }

    #[test]
    fn f06_nothing_is_asked_before_the_end_of_a_refusal() {
        let mut budget = WeightBudget::new(Share::ROUTE, 0);
        let until = retry_after(Some("7"), START);
        budget.refused(until, false);
        assert_eq!(budget.ask(1, Nanos(until.0 - 1)), Permit::Wait(until));
        assert!(!budget.is_banned(START));
        assert_eq!(budget.ask(1, until), Permit::Granted);
        budget.refused(retry_after(None, until), true);
        assert!(budget.is_banned(until) && budget.blocked(until).is_some());
        assert_eq!(retry_after(Some("x"), START), Nanos(START.0 + MINUTE.0));
    }
}
