//! Intervals of bars: their names, and where their bars begin.

use engine::domain::{self, Nanos};

use super::json::millis;

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;
/// Milliseconds of a day.
pub const DAY: i64 = 86_400_000;

/// Milliseconds that the bars of some streams are ahead of UTC.
pub const STREAMED_ZONE: i64 = 8 * 3_600_000;

/// An interval of bars, with the time zone in which its bars begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZonedInterval {
    span: domain::Interval,
    /// Milliseconds ahead of UTC.
    zone: i64,
}

impl ZonedInterval {
    /// The interval of this name.
    #[must_use]
    pub fn named(name: &str, zone: i64) -> Option<Self> {
        domain::Interval::named(name).map(|span| Self { span, zone })
    }

    /// All that streams tell.
    pub fn streamed() -> impl Iterator<Item = Self> {
        let zones = [0, STREAMED_ZONE].into_iter();
        zones.flat_map(|zone| domain::Interval::ALL.iter().map(move |&span| Self { span, zone }))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.span.as_str()
    }

    /// Whether its bars are of a second.
    #[must_use]
    pub const fn is_second(self) -> bool {
        matches!(self.span, domain::Interval::Second)
    }

    /// When the bar that holds `at` opened and closes, in milliseconds of UTC.
    #[must_use]
    pub fn bar_of(self, at: i64) -> (i64, i64) {
        let (opens, closes) = local_bar(self.span, at + self.zone);
        (opens - self.zone, closes - self.zone)
    }
}

/// When the bar of `span` that holds `at` opened and closes, by the clock that `at` is of.
fn local_bar(span: domain::Interval, at: i64) -> (i64, i64) {
    match span.length() {
        None => {
            let (mut year, mut month, mut first) = (1970, 1, 0);
            loop {
                let next = first + days_of(year, month) * DAY;
                if next > at || at < 0 {
                    return (first, next);
                }
                first = next;
                (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            }
        }
        // The first Monday was the fifth day.
        Some(length) => {
            let length = millis(length);
            let phase = if span == domain::Interval::Week { 4 * DAY } else { 0 };
            let open = (at - phase).div_euclid(length) * length + phase;
            (open, open + length)
        }
    }
}

/// Days of a month of the Gregorian calendar.
const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The last moment before `at`, in milliseconds.
#[must_use]
pub const fn just_before(at: i64) -> Nanos {
    Nanos(Nanos::from_millis(at).0 - 1)
}

/// Milliseconds ahead of UTC that a time zone is: hours, or hours and minutes, from -12:00 to +14:00.
#[must_use]
pub fn zone(text: &str) -> Option<i64> {
    let (sign, text) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let (hours, minutes) = text.split_once(':').unwrap_or((text, "00"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=2).contains(&hours.len()) || minutes.len() != 2 || !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let ahead = sign * (hours * 60 + minutes);
    (minutes < 60 && (-12 * 60..=14 * 60).contains(&ahead)).then_some(ahead * MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_of_every_interval_are_aligned() {
        let bar_of = |name, at| ZonedInterval::named(name, 0).expect("an interval").bar_of(at);
        assert_eq!(bar_of("1m", 61_234), (60_000, 120_000));
        // 1970-01-05 was a Monday.
        assert_eq!(bar_of("1w", 5 * DAY), (4 * DAY, 11 * DAY));
        assert_eq!(bar_of("1M", 31 * DAY + 5), (31 * DAY, 59 * DAY));
        // 2024-02-29 is of the month that began at 1706745600.
        assert_eq!(bar_of("1M", 1_709_164_800_000), (1_706_745_600_000, 1_709_251_200_000));
        // A day in Singapore begins eight hours before.
        let ahead = ZonedInterval::named("1d", STREAMED_ZONE).expect("an interval");
        assert_eq!(ahead.bar_of(3 * DAY), (3 * DAY - STREAMED_ZONE, 4 * DAY - STREAMED_ZONE));
    }

    #[test]
    fn time_zones_are_read_as_documented() {
        for (text, minutes) in
            [("0", 0), ("8", 480), ("-1:00", -60), ("05:45", 345), ("+08:00", 480), ("14:00", 840)]
        {
            assert_eq!(zone(text), Some(minutes * MINUTE), "{text}");
        }
        for bad in ["", "14:01", "-12:01", "1:60", "1:0", "100", "x", "+-1", "é:00", "1:é"] {
            assert_eq!(zone(bad), None, "{bad}");
        }
    }
}
