//! What requests carry, read strictly: unknown fields, deep nesting, long bodies and other media types are refused.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::api::code;
use crate::gateway::problem::{Failure, UNSUPPORTED_MEDIA_TYPE};

/// Longest body, in bytes.
pub const BODY_BYTES_MAX: usize = crate::api::envelope::REQUEST_BYTES_MAX;

/// Deepest nesting of JSON.
pub const DEPTH_MAX: usize = 32;

/// A body of JSON.
pub struct Strict<T>(pub T);

/// A body of JSON, or none at all.
pub struct Perhaps<T>(pub T);

/// Path parameters.
pub struct InPath<T>(pub T);

/// Query parameters.
pub struct InQuery<T>(pub T);

/// Reads an object of JSON that nests at most [`DEPTH_MAX`] deep.
///
/// # Errors
/// `BAD_REQUEST`, with where and why.
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    if depth(body) > DEPTH_MAX {
        return Err(Failure::new(code::BAD_REQUEST, format!("body: nests deeper than {DEPTH_MAX}")));
    }
    // Derived readers take a list for an object, its items in the fields' order: `[null]` would halt everything.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Failure::new(code::BAD_REQUEST, "body: no object"));
    }
    serde_json::from_slice(body).map_err(|error| Failure::new(code::BAD_REQUEST, format!("body: {error}")))
}

/// How deep a text nests: brackets outside of strings.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (true, _) => {}
            (false, b'"') => in_string = true,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, _) => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

async fn body(request: Request) -> Result<Bytes, Failure> {
    let json = request.headers().get(CONTENT_TYPE).map(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    });
    let bytes = Bytes::from_request(request, &()).await.map_err(|rejection: BytesRejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            let reason = format!("the body is longer than {BODY_BYTES_MAX} bytes");
            return Failure::new(code::TOO_LARGE, reason);
        }
        Failure::new(code::BAD_REQUEST, format!("body: {rejection}"))
    })?;
    if !bytes.is_empty() && json != Some(true) {
        return Err(Failure::new(UNSUPPORTED_MEDIA_TYPE, "the body is to be application/json"));
    }
    Ok(bytes)
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Strict<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        read_json(&body(request).await?).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Perhaps<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let body = body(request).await?;
        if body.is_empty() { Ok(Self(T::default())) } else { read_json(&body).map(Self) }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let found: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        found
            .map(|Path(value)| Self(value))
            .map_err(|rejection| Failure::new(code::BAD_REQUEST, format!("path: {}", rejection.body_text())))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let found: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        found
            .map(|Query(value)| Self(value))
            .map_err(|rejection| Failure::new(code::BAD_REQUEST, format!("query: {}", rejection.body_text())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        assert_eq!(depth(br#"{"a":["[[[[",{"b\"[":1}],"c":[]}"#), 3);
        let nested = |depth: usize| {
            let (open, shut) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
            format!("{{\"a\":{open}{shut}}}").into_bytes()
        };
        assert!(read_json::<Value>(&nested(DEPTH_MAX)).is_ok());
        for list in ["[null,null]", " [\"news\"]", "null", ""] {
            assert!(read_json::<crate::api::risk::HaltRequest>(list.as_bytes()).is_err(), "{list}");
        }
        let refused = read_json::<Value>(&nested(DEPTH_MAX + 1)).expect_err("too deep");
        assert!(refused.error.message.contains("nests deeper than 32"));
    }
}
