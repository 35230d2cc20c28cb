//! JSON that is written and split by hand: numbers go out with eight decimals, and come in as they were sent, because
//! signatures cover their text.

use std::fmt::Write;

use engine::domain::{Instrument, Nanos, Price, Quantity};
use engine::venue::exchange::{AMOUNT_SCALE, Amount};
use serde::de::IgnoredAny;

/// Decimals that Binance writes.
const DECIMALS: usize = 8;

/// Writes `"value × 10^-scale"` with eight decimals, or with more where the scale has more.
pub fn decimal(out: &mut String, value: i128, scale: u8) {
    let scale = usize::from(scale);
    let unit = 10_u128.pow(u32::try_from(scale).unwrap_or(0));
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (magnitude / unit, magnitude % unit);
    // Writing to a string does not fail.
    let _ = if scale == 0 {
        write!(out, "\"{sign}{whole}.00000000\"")
    } else {
        write!(out, "\"{sign}{whole}.{part:0scale$}{:0<zeros$}\"", "", zeros = DECIMALS.saturating_sub(scale))
    };
}

/// An amount of an asset.
#[derive(Clone, Copy)]
pub struct Shown(i128, u8);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::with_capacity(24);
        decimal(&mut text, self.0, self.1);
        f.write_str(&text)
    }
}

/// An amount, quoted.
#[must_use]
pub const fn amount(value: Amount) -> Shown {
    Shown(value, AMOUNT_SCALE)
}

/// A price, quoted.
#[must_use]
pub fn price(instrument: &Instrument, value: Price) -> Shown {
    Shown(i128::from(value.0), instrument.price_scale.digits())
}

/// A quantity, quoted.
#[must_use]
pub fn quantity(instrument: &Instrument, value: Quantity) -> Shown {
    Shown(i128::from(value.0), instrument.quantity_scale.digits())
}

/// A time in whole milliseconds.
#[must_use]
pub const fn millis(at: Nanos) -> i64 {
    at.0.div_euclid(1_000_000)
}

/// A string as JSON.
#[must_use]
pub fn text(value: &str) -> serde_json::Value {
    serde_json::Value::from(value)
}

/// The members of a JSON object: names read, values as they stand.
///
/// # Errors
/// When the text is no object.
pub fn members(json: &str) -> Result<Vec<(String, &str)>, NotAnObject> {
    let mut rest = json.trim_start().strip_prefix('{').ok_or(NotAnObject)?.trim_start();
    let mut found = Vec::new();
    if let Some(after) = rest.strip_prefix('}') {
        return if after.trim().is_empty() { Ok(found) } else { Err(NotAnObject) };
    }
    loop {
        let mut names = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        let name = names.next().and_then(Result::ok).ok_or(NotAnObject)?;
        rest = rest[names.byte_offset()..].trim_start().strip_prefix(':').ok_or(NotAnObject)?.trim_start();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next().and_then(Result::ok).ok_or(NotAnObject)?;
        let (value, after) = rest.split_at(values.byte_offset());
        found.push((name, value.trim_end()));
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
        } else {
            let after = rest.strip_prefix('}').ok_or(NotAnObject)?;
            return if after.trim().is_empty() { Ok(found) } else { Err(NotAnObject) };
        }
    }
}

/// The text is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnObject;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: i128, scale: u8) -> String {
        Shown(value, scale).to_string()
    }

    #[test]
    fn numbers_have_eight_decimals() {
        assert_eq!(shown(6_000_012, 2), "\"60000.12000000\"");
        assert_eq!(shown(7, 0), "\"7.00000000\"");
        assert_eq!(shown(-5, 8), "\"-0.00000005\"");
        assert_eq!(shown(123, 9), "\"0.000000123\"");
    }

    #[test]
    fn objects_are_split_as_they_stand() {
        let found = members(r#" { "id" : 7, "params":{"a":0.0010,"b":[1,"}"]} , "m\u0065":"x" } "#)
            .expect("an object");
        let expected = [("id", "7"), ("params", r#"{"a":0.0010,"b":[1,"}"]}"#), ("me", "\"x\"")]
            .map(|(n, v)| (n.to_owned(), v));
        assert_eq!(found, expected);
        assert_eq!(members("{}"), Ok(vec![]));
        for bad in ["", "[]", "{", "{}x", r#"{"a"}"#, r#"{"a":}"#, r#"{"a":1,}"#, r#"{"a":1"#, r#"{a:1}"#] {
            assert_eq!(members(bad), Err(NotAnObject), "{bad}");
        }
    }
}
