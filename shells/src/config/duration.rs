//! Durations as people write them.

use std::str::FromStr;

use engine::domain::Nanos;

/// A span of time: a whole number and a unit of `ns`, `us`, `ms`, `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Nanos);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let nanos = match unit {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return Err(format!("{text:?} is no duration: a whole number and ns, us, ms, s, m, h or d")),
        };
        number
            .parse::<i64>()
            .ok()
            .and_then(|count| count.checked_mul(nanos))
            .map(|nanos| Self(Nanos(nanos)))
            .ok_or_else(|| format!("{text:?} is no duration that fits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_with_units_only() {
        assert_eq!("90s".parse(), Ok(Span(Nanos::from_secs(90))));
        assert_eq!("2h".parse(), Ok(Span(Nanos::from_secs(7_200))));
        for bad in ["", "5", "s", "-1s", "1.5s", "1 s", "99999999999d", "1w"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
