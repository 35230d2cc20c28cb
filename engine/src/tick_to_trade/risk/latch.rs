//! Latches: C18 repeated execution, C19 the day's loss. What they raise stays until an operator clears it.

use crate::counters::halt::HaltState;
use crate::domain::Nanos;
use crate::error::RejectCode;

/// Nanoseconds of a day of the timeline. Days start at 00:00 UTC.
const DAY: i64 = 86_400_000_000_000;

/// What C19 last found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayState {
    /// The day's result cannot be computed: a held instrument has no price.
    Unknown,
    /// Above both limits.
    Fine,
    /// At or below the soft limit.
    Soft,
    /// At or below the hard limit.
    Hard,
}

/// C19: the result since 00:00 UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    number: Option<i64>,
    /// When it began and how long it lasts, for the question of every cycle: no time, where there is no day.
    began: i64,
    lasts: u64,
    /// Result of all time at 00:00, in the account's currency.
    baseline: Option<i128>,
    pub(super) state: DayState,
    /// Result since 00:00, when it was last computed.
    pub(super) result: Option<i128>,
}

impl Day {
    /// Before the first check: nothing traded yet, so nothing was won or lost before.
    pub(super) const fn new() -> Self {
        let (state, result) = (DayState::Fine, Some(0));
        Self { number: None, began: 0, lasts: 0, baseline: Some(0), state, result }
    }

    /// Whether `now` is in another day than the last check.
    #[inline]
    pub(super) fn is_over(&self, now: Nanos) -> bool {
        now.0.wrapping_sub(self.began).cast_unsigned() >= self.lasts
    }

    /// When it is over: long ago, where there is no day.
    pub(super) fn end(&self) -> Nanos {
        self.ends().unwrap_or(Nanos(i64::MIN))
    }

    fn ends(&self) -> Option<Nanos> {
        self.began.checked_add_unsigned(self.lasts).filter(|_| self.lasts > 0).map(Nanos)
    }

    /// When the next one begins; never, where there is no day.
    pub(super) fn next(&self) -> Nanos {
        self.ends().unwrap_or(Nanos::NEVER)
    }

    const fn set_number(&mut self, number: i64) {
        self.number = Some(number);
        (self.began, self.lasts) = match number.checked_mul(DAY) {
            Some(began) => (began, DAY.cast_unsigned()),
            None => (0, 0),
        };
    }

    /// The baseline of the current day, to be kept across a restart.
    pub(super) const fn baseline(&self) -> Option<(i64, Option<i128>)> {
        match self.number {
            Some(number) => Some((number, self.baseline)),
            None => None,
        }
    }

    /// Restores what [`baseline`](Self::baseline) gave.
    pub(super) const fn restore(&mut self, number: i64, baseline: Option<i128>) {
        self.set_number(number);
        self.baseline = baseline;
    }

    /// Starts the day of `now`, with `total` as the result of all time at its start; `None` when that is not known:
    /// then the day counts from the first moment at which it is.
    pub(super) fn start(&mut self, now: Nanos, total: Option<i128>) {
        // The very first day starts with what was won and lost before the engine looked: nothing, or what was restored.
        if self.number.is_some() {
            self.baseline = total;
        }
        self.set_number(now.0.div_euclid(DAY));
    }

    /// C19: result since 00:00 UTC ≤ −limit. `total` is the result of all time now; `None` when it is not known.
    /// Returns what must be raised. Limits that are not set raise nothing here: [`day_loss`] rejects by them.
    pub(super) fn check(&mut self, total: Option<i128>, soft: i128, hard: i128) -> HaltState {
        if self.baseline.is_none() {
            self.baseline = total;
        }
        let result = total.zip(self.baseline).and_then(|(total, baseline)| total.checked_sub(baseline));
        self.result = result;
        let at_or_below = |result: i128, limit: i128| limit > 0 && result <= -limit;
        self.state = match result {
            None => DayState::Unknown,
            Some(result) if at_or_below(result, hard) => DayState::Hard,
            Some(result) if at_or_below(result, soft) => DayState::Soft,
            Some(_) => DayState::Fine,
        };
        match self.state {
            DayState::Unknown | DayState::Fine => HaltState::Active,
            DayState::Soft => HaltState::ReduceOnly,
            DayState::Hard => HaltState::Halted,
        }
    }
}

/// C19 for one order: below the soft limit, or when the result is not known, only what shrinks a position passes; below
/// the hard limit, or when a limit is not set, nothing.
pub(super) fn day_loss(state: DayState, limits_set: bool, reduces: bool) -> Result<(), RejectCode> {
    let passes = limits_set
        && match state {
            DayState::Fine => true,
            DayState::Soft | DayState::Unknown => reduces,
            DayState::Hard => false,
        };
    if passes { Ok(()) } else { Err(RejectCode::DayLoss) }
}

/// C18 and C21 for one order: their latch on its source, or a limit that is not set, rejects with `code`.
pub(super) fn source_latch(latched: bool, limit_set: bool, code: RejectCode) -> Result<(), RejectCode> {
    if latched || !limit_set { Err(code) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOFT: i128 = 100;
    const HARD: i128 = 200;

    #[test]
    fn c19_latches_at_its_limits() {
        let mut day = Day::new();
        day.start(Nanos(0), None);
        for (total, state, raised) in [
            (-99, DayState::Fine, HaltState::Active),
            (-100, DayState::Soft, HaltState::ReduceOnly),
            (-199, DayState::Soft, HaltState::ReduceOnly),
            (-200, DayState::Hard, HaltState::Halted),
            (i128::MIN, DayState::Hard, HaltState::Halted),
        ] {
            assert_eq!(day.check(Some(total), SOFT, HARD), raised, "{total}");
            assert_eq!(day.state, state, "{total}");
        }
        assert_eq!(day.check(None, SOFT, HARD), HaltState::Active);
        assert_eq!((day.state, day.result), (DayState::Unknown, None));
    }

    #[test]
    fn a_day_is_over_from_its_end_on() {
        let mut days = vec![Day::new()];
        for now in [0, DAY - 1, DAY, -1, -DAY, i64::MAX, i64::MIN] {
            let mut day = Day::new();
            day.start(Nanos(now), None);
            days.push(day);
        }
        for number in [i64::MAX, i64::MIN, 3] {
            let mut day = Day::new();
            day.restore(number, None);
            days.push(day);
        }
        for day in days {
            let began = day.began;
            for now in [began, began.saturating_add(DAY - 1), began.saturating_add(DAY), i64::MAX] {
                let (over, past) = (day.is_over(Nanos(now)), Nanos(now) >= day.end());
                // One that has no end in time is asked about with every cycle.
                assert!(past == over || day.end() == Nanos(i64::MIN), "{now} of {day:?}");
            }
        }
    }

    #[test]
    fn c19_counts_from_midnight() {
        let mut day = Day::new();
        day.start(Nanos(DAY - 1), None);
        day.check(Some(-90), SOFT, HARD);
        assert!(!day.is_over(Nanos(DAY - 1)) && day.is_over(Nanos(DAY)));
        day.start(Nanos(DAY), Some(-90));
        day.check(Some(-180), SOFT, HARD);
        assert_eq!((day.state, day.result), (DayState::Fine, Some(-90)));
        assert_eq!(day.baseline(), Some((1, Some(-90))));
        // A day whose start had no price counts from the first one.
        day.start(Nanos(2 * DAY), None);
        day.check(None, SOFT, HARD);
        assert_eq!(day.state, DayState::Unknown);
        day.check(Some(-500), SOFT, HARD);
        day.check(Some(-600), SOFT, HARD);
        assert_eq!((day.state, day.result), (DayState::Soft, Some(-100)));
        // Before the epoch, days still start at midnight.
        day.restore(-1, None);
        assert!(!day.is_over(Nanos(-1)) && day.is_over(Nanos(0)) && day.is_over(Nanos(-DAY - 1)));
        // One that no time is in is over at any.
        day.restore(i64::MAX, None);
        assert!([i64::MIN, -1, 0, i64::MAX].iter().all(|&now| day.is_over(Nanos(now))));
    }

    #[test]
    fn c19_overflow_is_unknown() {
        let mut day = Day::new();
        day.restore(0, Some(i128::MAX));
        day.check(Some(-2), SOFT, HARD);
        assert_eq!(day.state, DayState::Unknown);
    }

    #[test]
    fn c19_lets_only_reducing_orders_through_and_nothing_when_unset() {
        let rejected = Err(RejectCode::DayLoss);
        assert_eq!(day_loss(DayState::Fine, true, false), Ok(()));
        for state in [DayState::Soft, DayState::Unknown] {
            assert_eq!(day_loss(state, true, true), Ok(()));
            assert_eq!(day_loss(state, true, false), rejected);
        }
        assert_eq!(day_loss(DayState::Hard, true, true), rejected);
        assert_eq!(day_loss(DayState::Fine, false, true), rejected);
    }

    #[test]
    fn c18_and_c21_reject_while_latched_or_unset() {
        let code = RejectCode::RepeatExecution;
        assert_eq!(source_latch(false, true, code), Ok(()));
        assert_eq!(source_latch(true, true, code), Err(code));
        assert_eq!(source_latch(false, false, code), Err(code));
    }
}
