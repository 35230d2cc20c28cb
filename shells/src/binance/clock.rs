//! The venue's clock against ours (binance.md §1).

use engine::domain::Nanos;
use serde_json::Value;

/// Whole milliseconds are told: the rest is not.
const STEP: Nanos = Nanos::from_millis(1);

/// The time in the answer to `time` or `/api/v3/time`: milliseconds, or microseconds where the venue is asked for them.
#[must_use]
pub fn server_time(answer: &Value) -> Option<Nanos> {
    let told = answer["serverTime"].as_i64()?;
    let unit = if told > 100_000_000_000_000 { 1_000 } else { 1_000_000 };
    told.checked_mul(unit).map(Nanos)
}

/// The venue's clock less ours, of a time that was `asked` for and had come by `now`: as if it had been read half-way.
/// And how much less or more that may be.
#[must_use]
pub fn offset(told: Nanos, asked: Nanos, now: Nanos) -> (Nanos, Nanos) {
    let half = Nanos((now.0 - asked.0).max(0) / 2);
    (Nanos(told.0.saturating_add(half.0).saturating_sub(now.0)), half.saturating_add(STEP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_time_is_read_half_way() {
        let time = |told: i64| server_time(&json!({ "serverTime": told }));
        assert_eq!(time(1_795_361_214_259), Some(Nanos::from_millis(1_795_361_214_259)));
        assert_eq!(time(1_795_361_214_259_001), Some(Nanos::from_micros(1_795_361_214_259_001)));
        assert_eq!((server_time(&json!({})), time(100_000_000_000_000)), (None, None));
        let at = Nanos::from_millis;
        assert_eq!(offset(at(1_000), at(400), at(500)), (at(550), at(51)));
        assert_eq!(offset(at(400), at(400), at(500)), (at(-50), at(51)), "it lags");
        assert_eq!(offset(at(400), at(500), at(400)), (at(0), at(1)), "our clock was set back meanwhile");
    }
}
