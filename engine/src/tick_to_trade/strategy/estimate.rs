//! Estimates from irregular observations, weighted exponentially in time: variance, average and trade flow.
//!
//! A weight halves every half life, so a burst of ticks counts for the time it took, not for its number. Only `libm`
//! is used, so that the same tape gives the same bits on every machine.
#![allow(clippy::float_arithmetic)]

use crate::domain::{Nanos, Side};

/// A span in seconds.
#[must_use]
pub fn seconds(span: Nanos) -> f64 {
    span.0 as f64 * 1e-9
}

/// What is left of a weight after `elapsed`; 1 for time that did not pass.
pub(super) fn decay(elapsed: Nanos, half_life: Nanos) -> f64 {
    libm::exp2(-(elapsed.0.max(0) as f64) / half_life.0.max(1) as f64)
}

/// Variance of relative moves per second, in square basis points.
///
/// Weighted squares of moves over weighted time. Moves are taken at least `sample` apart, because the mid price
/// bounces between two ticks far more often than the price moves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variance {
    squares: f64,
    time: f64,
    observed: Nanos,
    last: Option<(Nanos, f64)>,
}

impl Variance {
    /// Takes the mid price `value` at `now`.
    pub fn observe(&mut self, value: f64, now: Nanos, sample: Nanos, half_life: Nanos) {
        let Some((then, before)) = self.last else {
            self.last = Some((now, value));
            return;
        };
        let elapsed = now - then;
        if elapsed < sample.max(Nanos(1)) {
            return;
        }
        let (kept, change) = (decay(elapsed, half_life), (value / before - 1.0) * 1e4);
        self.squares = kept * self.squares + change * change;
        self.time = kept * self.time + seconds(elapsed);
        self.observed = self.observed.saturating_add(elapsed);
        self.last = Some((now, value));
    }

    /// What comes next does not follow from what came before: the move across a gap is not taken.
    pub fn interrupt(&mut self) {
        self.last = None;
    }

    /// How long it has observed.
    #[must_use]
    pub const fn observed(&self) -> Nanos {
        self.observed
    }

    /// Square basis points per second; `None` before the first move.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        (self.time > 0.0).then(|| self.squares / self.time)
    }
}

/// Average of a value that holds until the next is observed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Average {
    average: f64,
    last: Option<(Nanos, f64)>,
}

impl Average {
    /// Takes `value`, which holds from `now` on; the one before held until now.
    pub fn observe(&mut self, value: f64, now: Nanos, half_life: Nanos) {
        self.average = match self.last {
            None => value,
            Some((then, held)) => held + (self.average - held) * decay(now - then, half_life),
        };
        self.last = Some((now, value));
    }

    /// The average up to the last observation; `None` before the first.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.last.map(|_| self.average)
    }
}

/// Volume of trades by the side that took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    bought: f64,
    sold: f64,
    at: Nanos,
}

impl Flow {
    /// Takes a trade.
    pub fn observe(&mut self, side: Side, quantity: f64, now: Nanos, half_life: Nanos) {
        let kept = decay(now - self.at, half_life);
        self.bought *= kept;
        self.sold *= kept;
        match side {
            Side::Buy => self.bought += quantity,
            Side::Sell => self.sold += quantity,
        }
        self.at = now;
    }

    /// From -1 (all sold) to 1 (all bought); 0 without trades.
    #[must_use]
    pub fn imbalance(&self) -> f64 {
        let total = self.bought + self.sold;
        if total > 0.0 { (self.bought - self.sold) / total } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = Nanos::from_secs(1);

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-9)
    }

    #[test]
    fn variance_is_weighted_squares_over_weighted_time() {
        let mut variance = Variance::default();
        assert_eq!(variance.per_second(), None);
        variance.observe(100.0, Nanos(0), SECOND, SECOND);
        assert_eq!(variance.per_second(), None, "one price is no move");
        variance.observe(100.01, SECOND, SECOND, SECOND);
        // One basis point in one second.
        assert!(close(variance.per_second().expect("a move"), 1.0));
        // A quiet second: the older square and second weigh one half: 0.5 over 0.5 + 1.
        variance.observe(100.01, Nanos::from_secs(2), SECOND, SECOND);
        assert!(close(variance.per_second().expect("a move"), 0.5 / 1.5));
        assert_eq!(variance.observed(), Nanos::from_secs(2));
    }

    #[test]
    fn bounces_within_a_sample_and_moves_across_a_gap_do_not_count() {
        let mut variance = Variance::default();
        for i in 0..1_000_i64 {
            let bounce = if i % 2 == 0 { 100.0 } else { 100.1 };
            variance.observe(bounce, Nanos::from_millis(i), Nanos::from_secs(10), SECOND);
        }
        assert_eq!(variance.per_second(), None);
        variance.interrupt();
        variance.observe(250.0, Nanos::from_secs(60), SECOND, SECOND);
        variance.observe(250.0, Nanos::from_secs(61), SECOND, SECOND);
        assert_eq!(variance.per_second(), Some(0.0));
    }

    #[test]
    fn the_average_moves_half_way_in_a_half_life_and_does_not_look_ahead() {
        let mut average = Average::default();
        average.observe(100.0, Nanos(0), SECOND);
        average.observe(200.0, SECOND, SECOND);
        assert_eq!(average.value(), Some(100.0), "200 has held for no time yet");
        average.observe(200.0, Nanos::from_secs(2), SECOND);
        assert!(close(average.value().expect("observed"), 150.0));
        // Many observations of the same value change nothing in no time.
        for _ in 0..100 {
            average.observe(200.0, Nanos::from_secs(2), SECOND);
        }
        assert!(close(average.value().expect("observed"), 150.0));
    }

    #[test]
    fn flow_forgets() {
        let mut flow = Flow::default();
        assert!(close(flow.imbalance(), 0.0));
        flow.observe(Side::Sell, 4.0, Nanos(0), SECOND);
        assert!(close(flow.imbalance(), -1.0));
        flow.observe(Side::Buy, 3.0, Nanos::from_secs(2), SECOND);
        assert!(close(flow.imbalance(), 0.5), "4 sold two half lives ago weigh 1: {}", flow.imbalance());
    }
}
