//! Errors as RFC 9457 problems, with the same codes as the ZeroMQ ports.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{ApiError, code};

/// No token, or none that is valid.
pub const UNAUTHORIZED: &str = "UNAUTHORIZED";
/// The token's role does not reach so far, or the request comes from where it may not.
pub const FORBIDDEN: &str = "FORBIDDEN";
/// There is no such path.
pub const NOT_FOUND: &str = "NOT_FOUND";
/// The path has no such method.
pub const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
/// The body is not said to be JSON.
pub const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: what it is stands in `status` and `code`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in one line.
    pub detail: String,
    /// A code of the ports, of risk, or one of the gateway's own.
    pub code: String,
}

/// An error on its way out.
#[derive(Debug)]
pub struct Failure {
    /// The status.
    pub status: StatusCode,
    /// Code and reason.
    pub error: ApiError,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// An error with the status that its code has.
    pub fn new(code: &str, reason: impl Into<String>) -> Self {
        Self::from(ApiError::new(code, reason))
    }
}

/// The status of a code. What is none of ours is a refusal of risk or of the venue.
fn status(code: &str) -> StatusCode {
    match code {
        code::BAD_REQUEST => StatusCode::BAD_REQUEST,
        UNAUTHORIZED => StatusCode::UNAUTHORIZED,
        FORBIDDEN => StatusCode::FORBIDDEN,
        NOT_FOUND
        | code::UNKNOWN_SYMBOL
        | code::UNKNOWN_ORDER
        | code::UNKNOWN_STRATEGY
        | code::UNKNOWN_LIMIT => StatusCode::NOT_FOUND,
        METHOD_NOT_ALLOWED => StatusCode::METHOD_NOT_ALLOWED,
        code::TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        code::RATE_LIMIT => StatusCode::TOO_MANY_REQUESTS,
        code::UNKNOWN_OP => StatusCode::NOT_IMPLEMENTED,
        code::NOT_READY => StatusCode::SERVICE_UNAVAILABLE,
        code::TIMEOUT => StatusCode::GATEWAY_TIMEOUT,
        code::INTERNAL => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let status = status(&error.code);
        let again = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        Self { status, error, retry_after: again.then_some(1) }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { status, error, retry_after } = self;
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: error.message,
            code: error.code,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
