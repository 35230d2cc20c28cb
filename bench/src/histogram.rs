//! Latency distributions.
//!
//! Every latency here runs from the *intended* time of sending, or is the duration of work that nobody else paces:
//! a stall is recorded with everything that waited behind it, so coordinated omission cannot happen and nothing has
//! to be corrected afterwards.

use engine::domain::Nanos;

/// Values are kept in picoseconds, so that means over a batch keep their fractions.
const PICOS: f64 = 1_000.0;

/// Percentiles that a report shows.
pub const SHOWN: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// A distribution of times with three significant digits.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        let counts = hdrhistogram::Histogram::new(3).expect("three digits are within the crate's range");
        Self { counts }
    }
}

impl Histogram {
    /// Adds one time. Below zero counts as zero: stamps of two cores may differ by a tick.
    #[inline]
    pub fn record(&mut self, time: Nanos) {
        self.record_many(time, 1);
    }

    /// Adds `count` times that are all `time`.
    #[inline]
    pub fn record_many(&mut self, time: Nanos, count: u64) {
        self.add(time.0.max(0).unsigned_abs().saturating_mul(1_000), count);
    }

    /// Adds the mean time of one of `count` operations that took `time` together.
    #[inline]
    pub fn record_mean(&mut self, time: Nanos, count: u64) {
        let picos = time.0.max(0).unsigned_abs().saturating_mul(1_000);
        self.add(picos / count.max(1), 1);
    }

    fn add(&mut self, picos: u64, count: u64) {
        // Grows as needed; what no histogram could hold (some hundred days) is held at its end.
        if self.counts.record_n(picos.max(1), count).is_err() {
            self.counts.saturating_record_n(picos, count);
        }
    }

    /// Makes room up to ten seconds now, so that recording does not allocate.
    #[must_use]
    pub fn prepared() -> Self {
        let high = 10_000_000_000_000;
        let mut counts =
            hdrhistogram::Histogram::new_with_bounds(1, high, 3).expect("bounds are within the crate's");
        counts.auto(true);
        Self { counts }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        let grown = self.counts.add(&other.counts).is_ok();
        assert!(grown, "a growing histogram takes any other");
    }

    /// How many times were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// Nanoseconds below or at which the part `quantile` of all lies.
    #[must_use]
    pub fn at(&self, quantile: f64) -> f64 {
        self.counts.value_at_quantile(quantile) as f64 / PICOS
    }

    /// The longest time, in nanoseconds.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.counts.max() as f64 / PICOS
    }

    /// The shortest time, in nanoseconds.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.counts.min() as f64 / PICOS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_tell_what_was_recorded() {
        let mut histogram = Histogram::default();
        for nanos in 1..=1_000 {
            histogram.record(Nanos(nanos));
        }
        assert_eq!(histogram.count(), 1_000);
        assert!((histogram.at(0.5) - 500.0).abs() < 2.0, "{}", histogram.at(0.5));
        assert!((histogram.at(0.999) - 999.0).abs() < 2.0);
        assert!((histogram.max() - 1_000.0).abs() < 1.0 && histogram.min() < 1.01);
    }

    #[test]
    fn means_keep_their_fractions_and_the_past_is_zero() {
        let mut histogram = Histogram::prepared();
        histogram.record_mean(Nanos(100), 64);
        assert!((histogram.max() - 1.5625).abs() < 0.01, "{}", histogram.max());
        histogram.record(Nanos(-5));
        assert!(histogram.min() < 0.01);
        let mut all = Histogram::default();
        all.merge(&histogram);
        all.record_many(Nanos(1_000), 8);
        assert_eq!(all.count(), 10);
        assert!((all.at(0.5) - 1_000.0).abs() < 1.0, "{}", all.at(0.5));
    }
}
