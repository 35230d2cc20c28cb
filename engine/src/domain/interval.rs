//! The spans of bars, by the venue's names.

use crate::domain::Nanos;
use crate::wire::wire_enum;

wire_enum! {
    /// The span of a bar.
    Interval {
        /// A second.
        Second = 1 => "1s",
        /// A minute.
        Minute = 2 => "1m",
        /// Three minutes.
        Minutes3 = 3 => "3m",
        /// Five minutes.
        Minutes5 = 4 => "5m",
        /// A quarter of an hour.
        Minutes15 = 5 => "15m",
        /// Half an hour.
        Minutes30 = 6 => "30m",
        /// An hour.
        Hour = 7 => "1h",
        /// Two hours.
        Hours2 = 8 => "2h",
        /// Four hours.
        Hours4 = 9 => "4h",
        /// Six hours.
        Hours6 = 10 => "6h",
        /// Eight hours.
        Hours8 = 11 => "8h",
        /// Half a day.
        Hours12 = 12 => "12h",
        /// A day.
        Day = 13 => "1d",
        /// Three days.
        Days3 = 14 => "3d",
        /// A week, from Monday on.
        Week = 15 => "1w",
        /// A month.
        Month = 16 => "1M",
    }
}

/// Seconds of every interval but the last, whose length differs from month to month.
const SECONDS: [i64; 15] =
    [1, 60, 180, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 43_200, 86_400, 259_200, 604_800];

const _: () = assert!(SECONDS.len() + 1 == Interval::ALL.len());

impl Interval {
    /// How long it is; `None` of a month.
    #[must_use]
    pub fn length(self) -> Option<Nanos> {
        SECONDS.get(usize::from(self.code()) - 1).map(|&seconds| Nanos::from_secs(seconds))
    }

    /// The interval of this length, if there is one.
    #[must_use]
    pub fn of(length: Nanos) -> Option<Self> {
        const DAY: i64 = 86_400_000_000_000;
        if length.0 % DAY == 0 && (28..=31).contains(&(length.0 / DAY)) {
            return Some(Self::Month);
        }
        Self::ALL.iter().copied().find(|interval| interval.length() == Some(length))
    }

    /// The interval of this name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|interval| interval.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interval_is_found_by_its_name_and_its_length() {
        for &interval in Interval::ALL {
            assert_eq!(Interval::named(interval.as_str()), Some(interval));
            let month = Nanos::from_secs(30 * 86_400);
            assert_eq!(Interval::of(interval.length().unwrap_or(month)), Some(interval));
        }
        assert!(
            Interval::ALL.windows(2).all(|pair| pair[0].length() < pair[1].length().or(Some(Nanos::NEVER)))
        );
        for days in [28, 29, 31] {
            assert_eq!(Interval::of(Nanos::from_secs(days * 86_400)), Some(Interval::Month));
        }
        for other in [0, 2, 59, 27 * 86_400, 32 * 86_400, -60] {
            assert_eq!(Interval::of(Nanos::from_secs(other)), None, "{other}");
        }
        assert_eq!((Interval::named("2m"), Interval::named("1H")), (None, None));
    }
}
