//! Parameters of a request, from a query, a form or JSON, and how they are read.

use std::borrow::Cow;

use engine::domain::{Decimal, DecimalError, Scale};
use percent_encoding::percent_decode_str;

use super::failure::Failure;
use super::interval;
use super::json::members;

/// The parameter of an address or a request that says whether answers tell what was used of the limits.
pub const RETURN_LIMITS: &str = "returnRateLimits";

/// Parameters by name, with their values decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(Box<str>, Box<str>)>);

fn decoded(text: &str) -> Result<Cow<'_, str>, Failure> {
    let text = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    let bytes: Vec<u8> = percent_decode_str(&text).collect();
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| Failure::new(-1100, "Illegal characters found in a parameter."))
}

impl Params {
    /// From a query and a form body. The query wins where both have a name (binance.md §5).
    ///
    /// # Errors
    /// When a value is no percent-encoded UTF-8, or a name comes twice in one of them.
    pub fn of_form(query: &str, body: &str) -> Result<Self, Failure> {
        let mut params = Self::default();
        for (part, in_query) in [(query, true), (body, false)] {
            let from = params.0.len();
            for pair in part.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let (name, value) = (decoded(name)?, decoded(value)?);
                if params.0[from..].iter().any(|(known, _)| **known == *name) {
                    return Err(Failure::told(-1101, format!("Duplicate values for parameter '{name}'.")));
                }
                if in_query || params.get(&name).is_none() {
                    params.0.push((name.into(), value.into()));
                }
            }
        }
        Ok(params)
    }

    /// From the `params` object of a WebSocket request. Numbers keep their text; lists keep their JSON.
    ///
    /// # Errors
    /// When it is no object.
    pub fn of_json(json: &str) -> Result<Self, Failure> {
        let members = members(json)
            .map_err(|_| Failure::new(-1135, "Invalid JSON Request: 'params' is not an object."))?;
        let mut params = Self::default();
        for (name, value) in members {
            let value = match value.as_bytes().first() {
                Some(b'"') => serde_json::from_str::<String>(value)
                    .map_err(|_| Failure::new(-1135, "Invalid JSON Request"))?
                    .into(),
                Some(b'n') => continue,
                _ => value.into(),
            };
            params.0.push((name.into(), value));
        }
        Ok(params)
    }

    /// A value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// When it is not (-1102) or is empty (-1105).
    pub fn need(&self, name: &str) -> Result<&str, Failure> {
        match self.get(name) {
            None => Err(Failure::missing(name)),
            Some("") => Err(Failure::told(-1105, format!("Parameter '{name}' was empty."))),
            Some(value) => Ok(value),
        }
    }

    /// A value that may be absent, but not empty.
    ///
    /// # Errors
    /// When it is empty.
    pub fn maybe(&self, name: &str) -> Result<Option<&str>, Failure> {
        if self.get(name).is_some() { self.need(name).map(Some) } else { Ok(None) }
    }

    /// A whole number.
    ///
    /// # Errors
    /// When it is there and none.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.maybe(name)?.map(|text| text.parse().map_err(|_| Failure::illegal(name))).transpose()
    }

    /// A whole number that must be there.
    ///
    /// # Errors
    /// When it is not there or none.
    pub fn need_integer(&self, name: &str) -> Result<i64, Failure> {
        self.integer(name)?.ok_or_else(|| Failure::missing(name))
    }

    /// A time in milliseconds, which may be sent in microseconds.
    ///
    /// # Errors
    /// When it is there and no whole number.
    pub fn time(&self, name: &str) -> Result<Option<i64>, Failure> {
        Ok(self.integer(name)?.map(|stamp| if is_micros(stamp) { stamp.div_euclid(1_000) } else { stamp }))
    }

    /// A time zone, as milliseconds ahead of UTC; UTC without one.
    ///
    /// # Errors
    /// When it is there and none.
    pub fn zone(&self) -> Result<i64, Failure> {
        let Some(text) = self.maybe("timeZone")? else { return Ok(0) };
        // Who does not encode a plus sends a space.
        interval::zone(text.trim_start()).ok_or_else(|| Failure::illegal("timeZone"))
    }

    /// A positive decimal, at `scale`; more digits than `scale` holds are refused.
    ///
    /// # Errors
    /// When it is there and not one.
    pub fn decimal(&self, name: &str, scale: Scale) -> Result<Option<i64>, Failure> {
        let Some(text) = self.maybe(name)? else { return Ok(None) };
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !plain {
            return Err(Failure::illegal(name));
        }
        match engine::domain::decimal::parse(text.as_bytes(), scale) {
            Ok(value) if value > 0 => Ok(Some(value)),
            Ok(_) => Err(Failure::told(
                -1102,
                format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."),
            )),
            Err(DecimalError::Precision) => {
                Err(Failure::told(-1111, format!("Parameter '{name}' has too much precision.")))
            }
            Err(DecimalError::Range) => {
                Err(Failure::told(-1100, format!("Parameter '{name}' is out of range.")))
            }
            Err(DecimalError::Malformed) => Err(Failure::illegal(name)),
        }
    }

    /// A flag.
    ///
    /// # Errors
    /// When it is there and neither `true` nor `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.maybe(name)? {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(Failure::illegal(name)),
        }
    }

    /// What a WebSocket signature covers: all but the signature, sorted by name (binance.md §5).
    #[must_use]
    pub fn signed_text(&self) -> String {
        let mut pairs: Vec<_> = self.0.iter().filter(|(name, _)| **name != *"signature").collect();
        pairs.sort();
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Adds or replaces one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| **known != *name);
        self.0.push((name.into(), value.into()));
    }
}

/// What a REST signature covers: the query and then the body, as they were sent, without the signature itself
/// (binance.md §5).
#[must_use]
pub fn signed_text(query: &str, body: &str) -> String {
    let without = |part: &str| {
        let kept: Vec<&str> = part.split('&').filter(|pair| !pair.starts_with("signature=")).collect();
        kept.join("&")
    };
    without(query) + &without(body)
}

/// A value of a query as it was sent.
#[must_use]
pub fn raw_value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Whether a timestamp is in microseconds: milliseconds have thirteen digits now, microseconds sixteen.
#[must_use]
pub const fn is_micros(stamp: i64) -> bool {
    stamp > 100_000_000_000_000
}

/// A list of names: `["A","B"]`.
///
/// # Errors
/// When it is no such list.
pub fn names(name: &str, text: &str) -> Result<Vec<String>, Failure> {
    serde_json::from_str(text).map_err(|_| Failure::illegal(name))
}

/// A decimal without zeros at its end.
#[must_use]
pub fn plain(value: i64, scale: Scale) -> String {
    Decimal::new(value, scale).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_and_the_query_wins() {
        let params =
            Params::of_form("symbol=%E8%BF%99USDT&side=BUY", "side=SELL&price=1.5&x=a+b").expect("read");
        assert_eq!(params.get("symbol"), Some("这USDT"));
        assert_eq!(
            (params.get("side"), params.get("price"), params.get("x")),
            (Some("BUY"), Some("1.5"), Some("a b"))
        );
        assert_eq!(Params::of_form("a=1&a=2", "").expect_err("twice").code, -1101);
        assert_eq!(params.need("quantity").expect_err("absent").code, -1102);
        assert_eq!(Params::of_form("a=", "").expect("read").need("a").expect_err("empty").code, -1105);
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        let scale = Scale::new(2).expect("a scale");
        let read = |text: &str| Params::of_form(&format!("p={text}"), "").expect("read").decimal("p", scale);
        assert_eq!(read("1.50"), Ok(Some(150)));
        assert_eq!(read("1.505").expect_err("too fine").code, -1111);
        for bad in ["-1", "1e5", "a", ".", "%20"] {
            assert_eq!(read(bad).expect_err(bad).code, -1100, "{bad}");
        }
        assert_eq!(read("0").expect_err("zero").code, -1102);
    }

    #[test]
    fn a_signature_covers_what_was_sent() {
        assert_eq!(signed_text("a=%201&signature=x&b=2", ""), "a=%201&b=2");
        assert_eq!(signed_text("a=1", "b=2&signature=x"), "a=1b=2");
        let params = Params::of_json(r#"{"signature":"s","b":0.0100,"a":"x y","n":null}"#).expect("read");
        assert_eq!(params.signed_text(), "a=x y&b=0.0100");
    }
}
