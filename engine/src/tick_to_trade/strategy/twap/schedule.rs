//! How much should have traded by when: equal parts at equal distances, in integers.

use crate::domain::{Nanos, Quantity};

/// A quantity spread evenly over a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When it begins.
    pub start: Nanos,
    /// How long it takes.
    pub duration: Nanos,
    /// In how many parts, above zero.
    pub slices: i64,
    /// What is to be traded in all.
    pub total: Quantity,
}

impl Schedule {
    /// The slice that runs at `now`, from 0; `slices` when all have begun and ended.
    #[must_use]
    pub fn slice(&self, now: Nanos) -> i64 {
        let elapsed = i128::from((now - self.start).0.max(0));
        let number = elapsed * i128::from(self.slices) / i128::from(self.duration.0.max(1));
        i64::try_from(number).unwrap_or(i64::MAX).min(self.slices)
    }

    /// When the slice `number` begins. After the last one, slices of the same length follow for what is late.
    #[must_use]
    pub fn begin(&self, number: i64) -> Nanos {
        // Rounded up, so that `slice` of it is `number`.
        let (parts, offset) = (i128::from(self.slices), i128::from(self.duration.0) * i128::from(number));
        let offset = offset.div_euclid(parts) + i128::from(offset.rem_euclid(parts) > 0);
        i64::try_from(offset).map_or(Nanos::NEVER, |offset| self.start.saturating_add(Nanos(offset)))
    }

    /// What the first `count` slices come to, together.
    #[must_use]
    pub fn until(&self, count: i64) -> Quantity {
        let count = count.clamp(0, self.slices);
        let part = i128::from(self.total.0) * i128::from(count) / i128::from(self.slices);
        Quantity(i64::try_from(part).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_in_three_parts() {
        let schedule = Schedule { start: Nanos(1_000), duration: Nanos(100), slices: 3, total: Quantity(10) };
        assert_eq!([0, 1, 2, 3, 4].map(|n| schedule.until(n).0), [0, 3, 6, 10, 10]);
        assert_eq!([0, 1, 2, 3, 4].map(|n| schedule.begin(n).0), [1_000, 1_034, 1_067, 1_100, 1_134]);
        assert_eq!([0, 1_033, 1_034, 1_099, 1_100].map(|t| schedule.slice(Nanos(t))), [0, 0, 1, 2, 3]);
    }

    proptest! {
        #[test]
        fn a_slice_begins_when_it_says(
            (slices, number) in (1_i64..10_000).prop_flat_map(|slices| (Just(slices), 0..slices)),
            duration in 1_000_000_000_i64..86_400_000_000_000,
            total in 1_i64..i64::MAX,
        ) {
            let schedule = Schedule {
                start: Nanos::from_secs(1_700_000_000),
                duration: Nanos(duration),
                slices,
                total: Quantity(total),
            };
            let begin = schedule.begin(number);
            prop_assert_eq!(schedule.slice(begin), number);
            prop_assert_eq!(schedule.slice(begin - Nanos(1)), (number - 1).max(0));
            prop_assert!(schedule.until(number) <= schedule.until(number + 1));
            prop_assert_eq!(schedule.until(slices), Quantity(total));
        }
    }
}
