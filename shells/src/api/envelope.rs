//! The envelope of ports 5556, 5557 and 5558.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::code;

/// Longest request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;

/// Longest `id` of a request, in bytes.
pub const ID_BYTES_MAX: usize = 128;

/// A request: an operation and its fields, on one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client; the reply carries it.
    pub id: String,
    /// What is asked for, such as `order.place`.
    pub op: String,
    /// The fields of the operation.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Request {
    /// A request of `op` with the fields of `fields`, which must serialise as an object.
    ///
    /// # Errors
    /// When it does not.
    pub fn new(
        id: impl Into<String>,
        op: impl Into<String>,
        fields: &impl Serialize,
    ) -> Result<Self, ApiError> {
        match serde_json::to_value(fields) {
            Ok(Value::Object(fields)) => Ok(Self { id: id.into(), op: op.into(), fields }),
            Ok(Value::Null) => Ok(Self { id: id.into(), op: op.into(), fields: Map::new() }),
            Ok(_) => Err(ApiError::new(code::BAD_REQUEST, "the fields are no object")),
            Err(error) => Err(ApiError::new(code::BAD_REQUEST, error.to_string())),
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// `TOO_LARGE` or `BAD_REQUEST`, with the request's id where it could be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, (String, ApiError)> {
        let bad = |id: &str, reason: String| (id.to_owned(), ApiError::new(code::BAD_REQUEST, reason));
        if bytes.len() > REQUEST_BYTES_MAX {
            let reason = format!("{} bytes are more than {REQUEST_BYTES_MAX}", bytes.len());
            return Err((String::new(), ApiError::new(code::TOO_LARGE, reason)));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| bad("", error.to_string()))?;
        let Value::Object(mut fields) = value else {
            return Err(bad("", "the request is no object".to_owned()));
        };
        let id = match fields.remove("id") {
            Some(Value::String(id)) if id.len() <= ID_BYTES_MAX => id,
            Some(Value::String(_)) => {
                return Err(bad("", format!("id: longer than {ID_BYTES_MAX} bytes")));
            }
            Some(_) => return Err(bad("", "id: no string".to_owned())),
            None => return Err(bad("", "id: missing".to_owned())),
        };
        match fields.remove("op") {
            Some(Value::String(op)) => Ok(Self { id, op, fields }),
            Some(_) => Err(bad(&id, "op: no string".to_owned())),
            None => Err(bad(&id, "op: missing".to_owned())),
        }
    }

    /// The fields as those of one operation.
    ///
    /// # Errors
    /// `BAD_REQUEST` that names the field.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_value(Value::Object(self.fields.clone()))
            .map_err(|error| ApiError::new(code::BAD_REQUEST, format!("{}: {error}", self.op)))
    }
}

/// The answer to a request: `result` if `ok`, else `error`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's; empty when it could not be read.
    pub id: String,
    /// Whether it was done.
    pub ok: bool,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

impl Reply {
    /// The reply to request `id`.
    #[must_use]
    pub fn new(id: String, outcome: Result<Value, ApiError>) -> Self {
        match outcome {
            Ok(result) => Self { id, ok: true, result: Some(result), error: None },
            Err(error) => Self { id, ok: false, result: None, error: Some(error) },
        }
    }

    /// The outcome, read as a `T`.
    ///
    /// # Errors
    /// The error that it carries; `INTERNAL` when it carries neither, or the result is no `T`.
    pub fn outcome<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        match (self.ok, self.result, self.error) {
            (true, Some(result), None) => serde_json::from_value(result)
                .map_err(|error| ApiError::new(code::INTERNAL, format!("the reply: {error}"))),
            (false, None, Some(error)) => Err(error),
            _ => Err(ApiError::new(code::INTERNAL, "the reply holds not exactly one of result and error")),
        }
    }
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// A code of `api::code` or of risk.
    pub code: String,
    /// One line for people.
    pub message: String,
}

impl ApiError {
    /// An error.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// What a subscriber is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Push {
    /// What it tells of: `report`, `risk` or `signal`.
    pub push: String,
    /// Rises by one per push on a connection: a hole is a loss.
    pub seq: u64,
    /// The message.
    pub data: Value,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::orders::CancelOrder;

    #[test]
    fn a_request_is_read_whole_or_refused_by_name() {
        let good = Request::parse(br#"{"id":"7","op":"order.cancel","order_id":"t-1-0-1-2"}"#);
        let good = good.expect("well formed");
        assert_eq!((good.id.as_str(), good.op.as_str()), ("7", "order.cancel"));
        assert_eq!(good.read::<CancelOrder>().expect("its field").order_id.as_deref(), Some("t-1-0-1-2"));
        let long = format!(r#"{{"id":"{}","op":"x"}}"#, "i".repeat(ID_BYTES_MAX + 1));
        for (bytes, reason) in [
            (&b"nonsense"[..], "expected"),
            (b"[]", "no object"),
            (b"{\"id\":1,\"op\":\"x\"}", "id: no string"),
            (b"{\"op\":\"x\"}", "id: missing"),
            (b"{\"id\":\"7\"}", "op: missing"),
            (b"{\"id\":\"7\",\"op\":3}", "op: no string"),
            (b"\xff\xfe", "expected value"),
            (long.as_bytes(), "longer"),
        ] {
            let (_, error) = Request::parse(bytes).expect_err(reason);
            assert!(error.code == code::BAD_REQUEST && error.message.contains(reason), "{error}");
        }
        let (_, error) = Request::parse(&vec![b' '; REQUEST_BYTES_MAX + 1]).expect_err("too long");
        assert_eq!(error.code, code::TOO_LARGE);
        let unknown = Request::parse(br#"{"id":"7","op":"order.cancel","order":"t"}"#).expect("an object");
        let error = unknown.read::<CancelOrder>().expect_err("an unknown field");
        assert!(error.message.contains("order.cancel: unknown field `order`"), "{error}");
    }

    #[test]
    fn a_reply_carries_one_of_two() {
        let done = Reply::new("1".to_owned(), Ok(Value::from(3)));
        assert_eq!(serde_json::to_string(&done).expect("json"), r#"{"id":"1","ok":true,"result":3}"#);
        assert_eq!(done.outcome::<u8>(), Ok(3));
        let failed = Reply::new("1".to_owned(), Err(ApiError::new("HALTED", "by the operator")));
        assert_eq!(failed.outcome::<u8>().expect_err("failed").code, "HALTED");
    }
}
