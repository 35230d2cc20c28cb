//! Refusals as clients see them: an HTTP status, Binance's code and words, sometimes more (binance.md §9).

use std::borrow::Cow;

use engine::venue::exchange::Reject;

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status, also that of a WebSocket API answer.
    pub status: u16,
    /// The venue's code.
    pub code: i32,
    /// The venue's words.
    pub message: Cow<'static, str>,
    /// JSON that belongs to it (`data`), if any.
    pub data: Option<String>,
    /// Seconds to stay away, where it is about limits.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// A bad request.
    #[must_use]
    pub const fn new(code: i32, message: &'static str) -> Self {
        Self { status: 400, code, message: Cow::Borrowed(message), data: None, retry_after: None }
    }

    /// A bad request whose words are made for it.
    #[must_use]
    pub fn told(code: i32, message: String) -> Self {
        Self { message: Cow::Owned(message), ..Self::new(code, "") }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// A mandatory parameter is not there.
    #[must_use]
    pub fn missing(name: &str) -> Self {
        Self::told(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
    }

    /// A parameter cannot be read.
    #[must_use]
    pub fn illegal(name: &str) -> Self {
        Self::told(-1100, format!("Illegal characters found in parameter '{name}'."))
    }

    /// As the error object that REST sends.
    #[must_use]
    pub fn body(&self) -> String {
        let message = serde_json::Value::from(&*self.message);
        match &self.data {
            Some(data) => format!("{{\"code\":{},\"msg\":{message},\"data\":{data}}}", self.code),
            None => format!("{{\"code\":{},\"msg\":{message}}}", self.code),
        }
    }
}

impl From<Reject> for Failure {
    fn from(reject: Reject) -> Self {
        Self { message: reject.message, ..Self::new(reject.code, "") }
    }
}
