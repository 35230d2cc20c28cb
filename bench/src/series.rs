//! A row in the making: the same measurement again and again, in turn with the others of its suite.

use std::collections::BTreeMap;

use crate::histogram::Histogram;
use crate::rig::{Measured, Placement};

/// What was measured at one placement.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// The figure of each measurement: the median of its distribution, in nanoseconds.
    pub figures: Vec<f64>,
    /// The raw round trip around each, in nanoseconds; empty for work on one thread.
    pub raws: Vec<f64>,
    /// All times of all measurements.
    pub times: Histogram,
}

impl Samples {
    /// The middle figure.
    #[must_use]
    pub fn figure(&self) -> f64 {
        median(&self.figures)
    }

    /// The figure as a multiple of the raw round trip around it; the middle one of all measurements.
    #[must_use]
    pub fn over_raw(&self) -> f64 {
        median(&self.figures.iter().zip(&self.raws).map(|(figure, raw)| figure / raw).collect::<Vec<_>>())
    }

    /// This figure as a multiple of that of `other`. Between cores each is held against its own probes; on one thread
    /// the two are compared round by round, since both ran within the same moment.
    #[must_use]
    pub fn over(&self, other: &Self) -> f64 {
        if !self.raws.is_empty() && !other.raws.is_empty() {
            return self.over_raw() / other.over_raw();
        }
        median(&self.figures.iter().zip(&other.figures).map(|(own, theirs)| own / theirs).collect::<Vec<_>>())
    }
}

/// All measurements of one row, by placement.
#[derive(Clone, Debug, Default)]
pub struct Series {
    placements: BTreeMap<Placement, Samples>,
}

impl Series {
    /// Adds a measurement between two cores; one without agreeing probes is left out.
    pub fn add(&mut self, measured: Option<Measured<Histogram>>) {
        let Some(Measured { value, raw_ns, placement }) = measured else { return };
        let samples = self.placements.entry(placement).or_default();
        samples.figures.push(value.at(0.5));
        samples.raws.push(raw_ns);
        samples.times.merge(&value);
    }

    /// Adds a measurement on one thread.
    pub fn add_alone(&mut self, times: &Histogram) {
        let samples = self.placements.entry(Placement::Alone).or_default();
        samples.figures.push(times.at(0.5));
        samples.times.merge(times);
    }

    /// What was measured at `placement`.
    #[must_use]
    pub fn at(&self, placement: Placement) -> Option<&Samples> {
        self.placements.get(&placement)
    }

    /// What was measured on one thread.
    #[must_use]
    pub fn alone(&self) -> Option<&Samples> {
        self.at(Placement::Alone)
    }

    /// Every placement that was met.
    pub fn iter(&self) -> impl Iterator<Item = (Placement, &Samples)> {
        self.placements.iter().map(|(&placement, samples)| (placement, samples))
    }
}

/// The middle of `values`; not a number when there are none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::domain::Nanos;

    fn times(nanos: i64) -> Histogram {
        let mut times = Histogram::default();
        times.record(Nanos(nanos));
        times
    }

    #[test]
    fn near_and_far_stay_apart_and_ratios_use_their_own_probes() {
        let (mut ours, mut peer) = (Series::default(), Series::default());
        for (nanos, raw_ns, placement) in [(80, 100.0, Placement::Near), (400, 500.0, Placement::Far)] {
            ours.add(Some(Measured { value: times(nanos), raw_ns, placement }));
            peer.add(Some(Measured { value: times(nanos * 3), raw_ns: raw_ns * 1.5, placement }));
        }
        ours.add(None);
        let (near, far) = (ours.at(Placement::Near).expect("near"), ours.at(Placement::Far).expect("far"));
        assert!((near.over_raw() - 0.8).abs() < 0.01 && (far.over_raw() - 0.8).abs() < 0.01);
        assert!((near.over(peer.at(Placement::Near).expect("near")) - 0.5).abs() < 0.01);
        assert_eq!((near.figures.len(), ours.iter().count()), (1, 2));
    }

    #[test]
    fn one_thread_is_compared_round_by_round() {
        let (mut ours, mut peer) = (Series::default(), Series::default());
        // A slow phase of the machine slows both: the ratio stays.
        for slow in [1, 1, 7] {
            ours.add_alone(&times(100 * slow));
            peer.add_alone(&times(400 * slow));
        }
        let ratio = ours.alone().expect("ours").over(peer.alone().expect("peer"));
        assert!((ratio - 0.25).abs() < 0.01, "{ratio}");
        assert!(median(&[]).is_nan() && (median(&[3.0, 1.0]) - 2.0).abs() < 1e-9);
    }
}
