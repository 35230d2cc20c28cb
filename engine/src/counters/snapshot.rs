//! A private copy of one histogram, for the reader's arithmetic. Integers only.

use crate::counters::hdr::{CELLS, bounds};

/// One histogram at one moment. Times are nanoseconds.
///
/// The copy is made while the writer goes on: `count` and `sum` may be ahead of the cells by the recordings made
/// meanwhile. Percentiles use the cells alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Recordings.
    pub count: u64,
    /// Their sum, exact; wraps at the end of 64 bits (585 years of nanoseconds).
    pub sum: u64,
    /// The smallest; 0 if there is none.
    pub min: u64,
    /// The largest, exact also where it exceeds the range of the cells.
    pub max: u64,
    /// Recordings beyond the range of the cells; they count in the last cell.
    pub saturated: u64,
    pub(super) counts: Vec<u64>,
}

impl Snapshot {
    /// The value that `numerator / denominator` of all recordings do not exceed, to the width of its cell (under 1 %).
    ///
    /// The median is (1, 2), p99.9 is (999, 1000). 0 when nothing was recorded or the denominator is 0; a fraction above
    /// 1 counts as 1.
    #[must_use]
    pub fn percentile(&self, numerator: u64, denominator: u64) -> u64 {
        let total: u128 = self.counts.iter().map(|&count| u128::from(count)).sum();
        if total == 0 || denominator == 0 {
            return 0;
        }
        let share = u128::from(numerator.min(denominator)) * total;
        let wanted = share.div_ceil(u128::from(denominator)).max(1);
        let mut passed = 0_u128;
        let found = self.counts.iter().position(|&count| {
            passed += u128::from(count);
            passed >= wanted
        });
        // `wanted` is at most `total`, so a cell is always found.
        let (low, high) = bounds(found.unwrap_or(CELLS - 1));
        if numerator == 0 { low } else { high }
    }

    /// Counts what `other` has recorded too: together they are as if one had recorded everything.
    pub fn add(&mut self, other: &Self) {
        self.min = match (self.count, other.count) {
            (_, 0) => self.min,
            (0, _) => other.min,
            _ => self.min.min(other.min),
        };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
        self.saturated += other.saturated;
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
    }

    /// The cells that hold anything, lowest first: highest value of the cell, and how many recordings fell into it.
    #[must_use]
    pub fn cells(&self) -> Vec<(u64, u64)> {
        let filled = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        filled.map(|(cell, &count)| (bounds(cell).1, count)).collect()
    }
}
