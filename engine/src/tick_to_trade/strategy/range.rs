//! The range that a price keeps to: its mean and deviation over time, from mid prices, and from bars where there are
//! no mids.
#![allow(clippy::float_arithmetic)]

use crate::domain::{Interval, Nanos, Price};
use crate::message::Tick;
use crate::message::tick::TickKind;
use crate::tick_to_trade::strategy::estimate::decay;

/// Mean and variance of a value that holds until the next is observed, weighted exponentially in time.
///
/// West's update of weighted sums: a span of `t` that ended just now weighs `1 - 2^(-t / half life)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    weight: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    /// Takes that `value` held for the last `span`.
    pub fn observe(&mut self, value: f64, span: Nanos, half_life: Nanos) {
        let kept = decay(span, half_life);
        let added = 1.0 - kept;
        if added <= 0.0 {
            return;
        }
        self.weight = self.weight * kept + added;
        let off = value - self.mean;
        self.mean += off * added / self.weight;
        self.squares = self.squares * kept + added * off * (value - self.mean);
    }

    /// The mean; `None` before the first span.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then_some(self.mean)
    }

    /// The standard deviation; `None` before the first span.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| libm::sqrt((self.squares / self.weight).max(0.0)))
    }
}

/// A closed bar: what a strategy needs of one to fill in for prices that it did not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When it opened.
    pub opened: Nanos,
    /// Its last price.
    pub close: Price,
}

/// Joins the two ticks of a bar.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bars {
    close: Option<Price>,
    shortest: Option<Interval>,
}

impl Bars {
    /// Takes a tick of the instrument; gives the bar that it closes, if it does. Bars of a longer interval than others that are
    /// followed tell the same prices again, and are passed over.
    pub fn observe(&mut self, tick: &Tick) -> Option<Closed> {
        if self.shortest.is_some() && tick.interval() > self.shortest {
            return None;
        }
        match TickKind::try_from(tick.kind) {
            Ok(TickKind::Bar) => {
                self.shortest = tick.interval();
                self.close = Some(Price(tick.values[3])).filter(|price| price.is_some());
                None
            }
            Ok(TickKind::BarVolume) => {
                let close = self.close.take()?;
                let opened = Nanos(tick.values[2].checked_mul(1_000_000)?);
                (tick.values[3] == 1).then_some(Closed { opened, close })
            }
            _ => None,
        }
    }
}

/// Follows a price. It has to have seen it for a while before it is warm; where bars tell of the time before its start
/// or of a gap, that time counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    spread: Spread,
    /// How long the price was known, all in all.
    seen: Nanos,
    /// The price that holds, and since when.
    last: Option<(Nanos, f64)>,
    /// Up to when the price is accounted for.
    covered: Option<Nanos>,
    /// When the last bar opened, and the least time between two.
    bar: Option<Nanos>,
    length: Option<Nanos>,
}

/// A gap of this share of the half life is bridged, a longer one is a new start.
const BRIDGED: i64 = 10;

impl Range {
    /// Takes the mid price `value` at `now`.
    pub fn observe(&mut self, value: f64, now: Nanos, half_life: Nanos) {
        let longest = Nanos(half_life.0 / BRIDGED).max(self.length.unwrap_or_default());
        if self.last.is_none() && self.covered.is_some_and(|covered| now - covered > longest) {
            *self = Self::default();
        }
        self.hold(now, half_life);
        self.last = Some((now, value));
        self.covered = Some(now);
    }

    /// Takes a closed bar that ended at `close` (in units of the quote asset), told at `now`. It counts for its own
    /// span where nothing else does.
    pub fn bar(&mut self, bar: Closed, close: f64, now: Nanos, half_life: Nanos) {
        let Some(before) = self.bar.replace(bar.opened) else { return };
        let step = bar.opened - before;
        if step <= Nanos::ZERO {
            // An older bar, or one of another length.
            self.bar = Some(before);
            return;
        }
        let length = self.length.map_or(step, |length| length.min(step));
        self.length = Some(length);
        let end = bar.opened.saturating_add(length).min(now);
        if self.last.is_some() || self.covered.is_some_and(|covered| end <= covered) {
            return;
        }
        let span = self.covered.map_or(length, |covered| (end - covered).min(length));
        self.spread.observe(close, span, half_life);
        self.seen = self.seen.saturating_add(span);
        self.covered = Some(end);
    }

    /// From `now` on the price is not known.
    pub fn lose(&mut self, now: Nanos, half_life: Nanos) {
        self.hold(now, half_life);
        self.last = None;
    }

    fn hold(&mut self, now: Nanos, half_life: Nanos) {
        if let Some((since, held)) = self.last
            && now > since
        {
            self.spread.observe(held, now - since, half_life);
            self.seen = self.seen.saturating_add(now - since);
            self.covered = Some(now);
        }
    }

    /// How long the price was known, without a gap too long to bridge.
    #[must_use]
    pub const fn seen(&self) -> Nanos {
        self.seen
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.spread.mean()
    }

    /// How many deviations `value` is above the mean; `None` while there is no deviation.
    #[must_use]
    pub fn score(&self, value: f64) -> Option<f64> {
        let deviation = self.spread.deviation().filter(|deviation| *deviation > 0.0)?;
        Some((value - self.spread.mean()?) / deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tick::interval_flags;

    const SECOND: Nanos = Nanos::from_secs(1);
    const LIFE: Nanos = Nanos::from_secs(100);

    fn bar_at(second: i64) -> Closed {
        Closed { opened: Nanos::from_secs(second), close: Price(1) }
    }

    #[test]
    fn the_spread_equals_weighted_sums_over_all_spans() {
        let (mut spread, mut spans) = (Spread::default(), Vec::new());
        for n in 0..200_i64 {
            let (value, span) = (100.0 + ((n * 37) % 11) as f64, Nanos::from_millis(1 + (n * 53) % 900));
            spread.observe(value, span, LIFE);
            spans.push((value, span));
        }
        // Directly, from the newest back: a span weighs 2^-(its age at its end) - 2^-(its age at its start).
        let (mut age, mut sums) = (0.0, [0.0; 3]);
        for (value, span) in spans.iter().rev() {
            let older = age + span.0 as f64 / LIFE.0 as f64;
            let weight = libm::exp2(-age) - libm::exp2(-older);
            for (sum, term) in sums.iter_mut().zip([1.0, *value, value * value]) {
                *sum += weight * term;
            }
            age = older;
        }
        let mean = sums[1] / sums[0];
        let deviation = libm::sqrt(sums[2] / sums[0] - mean * mean);
        assert!((spread.mean().expect("observed") - mean).abs() < 1e-9);
        assert!((spread.deviation().expect("observed") - deviation).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_known_of_no_time() {
        let mut range = Range::default();
        assert_eq!((range.mean(), range.score(1.0), range.seen()), (None, None, Nanos::ZERO));
        range.observe(100.0, SECOND, LIFE);
        range.observe(101.0, SECOND, LIFE);
        assert_eq!((range.mean(), range.seen()), (None, Nanos::ZERO), "the first held for no time");
        range.observe(101.0, Nanos::from_secs(2), LIFE);
        assert_eq!((range.mean(), range.seen()), (Some(101.0), SECOND));
        assert_eq!(range.score(102.0), None, "no deviation yet");
    }

    #[test]
    fn a_short_gap_is_bridged_and_a_long_one_is_a_new_start() {
        for (gap, seen) in [(10, 20), (11, 0)] {
            let mut range = Range::default();
            range.observe(100.0, Nanos::ZERO, LIFE);
            range.lose(Nanos::from_secs(20), LIFE);
            range.observe(100.0, Nanos::from_secs(20 + gap), LIFE);
            assert_eq!(range.seen(), Nanos::from_secs(seen), "a gap of {gap} s");
        }
    }

    #[test]
    fn bars_count_for_the_time_before_the_start_and_for_gaps_and_for_nothing_else() {
        let mut range = Range::default();
        let now = Nanos::from_secs(1_000);
        for second in 900..1_000 {
            range.bar(bar_at(second), 100.0, now, LIFE);
        }
        assert_eq!(range.seen(), Nanos::from_secs(99), "the first only tells when it opened");
        range.observe(100.0, now, LIFE);
        range.observe(100.0, now + SECOND, LIFE);
        range.bar(bar_at(1_000), 500.0, now + SECOND, LIFE);
        assert_eq!((range.seen(), range.mean()), (Nanos::from_secs(100), Some(100.0)), "the mid was known");
        range.lose(now + SECOND, LIFE);
        for second in 1_001..1_050 {
            range.bar(bar_at(second), 100.0, Nanos::from_secs(second + 1), LIFE);
            range.bar(bar_at(960), 700.0, Nanos::from_secs(second + 1), LIFE);
        }
        range.observe(100.0, Nanos::from_secs(1_050), LIFE);
        assert_eq!((range.seen(), range.mean()), (Nanos::from_secs(149), Some(100.0)));
    }

    #[test]
    fn a_bar_is_two_ticks_and_closes_once() {
        let flags = interval_flags(Interval::Minute);
        let tick = |kind: TickKind, values| Tick { kind: kind.code(), values, flags, ..Tick::default() };
        let prices = tick(TickKind::Bar, [10, 12, 9, 11]);
        let rest = |closed| tick(TickKind::BarVolume, [5, 2, 1_700_000_000_000, closed]);
        let mut bars = Bars::default();
        assert_eq!(bars.observe(&rest(1)), None, "its prices were missed");
        assert_eq!(bars.observe(&prices), None);
        assert_eq!(bars.observe(&rest(0)), None, "still open");
        bars.observe(&prices);
        let closed = Closed { opened: Nanos::from_secs(1_700_000_000), close: Price(11) };
        assert_eq!((bars.observe(&rest(1)), bars.observe(&rest(1))), (Some(closed), None));
        let mut closes = |interval: Interval| {
            let flags = interval_flags(interval);
            [prices, rest(1)].iter().filter_map(|&tick| bars.observe(&Tick { flags, ..tick })).count()
        };
        let intervals =
            [Interval::Minute, Interval::Hour, Interval::Second, Interval::Minute, Interval::Second];
        assert_eq!(intervals.map(&mut closes), [1, 0, 1, 0, 1], "the shortest so far");
    }
}
