//! Questions over REST before anything trades: asked until they are answered, or patience is over.

use std::time::Duration;

use engine::clock::Clock;
use engine::domain::Nanos;
use engine::error::SetupError;
use serde_json::Value;
use tracing::warn;

use crate::binance::clock::server_time;
use crate::binance::limits::retry_after;
use crate::transport::{Backoff, HttpClient, HttpEvent, Reactor, TlsTrust, Url};

/// Where the venue tells its time.
pub(super) const TIME: &str = "/api/v3/time";

/// How long the venue may refuse to answer.
const PATIENCE: Nanos = Nanos::from_secs(60);

/// How long one answer may take.
const ANSWER_MAX: Nanos = Nanos::from_secs(10);

/// How long one look at the socket waits.
const TURN: Duration = Duration::from_millis(5);

/// Why there is no answer.
enum Refusal {
    /// Another answer would be the same.
    Final(String),
    /// Try again, not before this time.
    Again(String, Nanos),
}

/// Who asks one venue.
pub(super) struct Desk<'a, C> {
    rest: &'a Url,
    trust: &'a TlsTrust,
    clock: &'a mut C,
}

impl<'a, C: Clock> Desk<'a, C> {
    /// Asks the service at `rest`.
    pub(super) const fn new(rest: &'a Url, trust: &'a TlsTrust, clock: &'a mut C) -> Self {
        Self { rest, trust, clock }
    }

    /// Where `path` is.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.rest)
    }

    /// The answer to a GET of `path`, which errors and logs call `what`: a path may be signed.
    ///
    /// # Errors
    /// When the venue refuses, or does not answer within a minute: with its words.
    pub(super) fn ask(
        &mut self,
        what: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Vec<u8>, SetupError> {
        let url = self.url(what);
        let end = self.clock.now().saturating_add(PATIENCE);
        let (first, longest) = (Nanos::from_millis(200), Nanos::from_secs(5));
        let mut backoff = Backoff::new(first, longest, u64::from(std::process::id()));
        loop {
            match self.ask_once(path, headers) {
                Ok(body) => return Ok(body),
                Err(Refusal::Final(reason)) => return Err(SetupError::Invalid(format!("{url}: {reason}"))),
                Err(Refusal::Again(reason, earliest)) => {
                    let now = self.clock.now();
                    let next = now.saturating_add(backoff.next_wait()).max(earliest);
                    if next >= end {
                        let reason = format!("{url}: no answer for a minute: {reason}");
                        return Err(SetupError::Invalid(reason));
                    }
                    warn!(url, reason, "the venue does not answer yet");
                    std::thread::sleep(Duration::from_nanos(u64::try_from((next - now).0).unwrap_or(0)));
                }
            }
        }
    }

    /// The venue's time, asked for once.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) fn ask_time(&mut self) -> Result<Nanos, String> {
        let url = self.url(TIME);
        let (Refusal::Final(reason) | Refusal::Again(reason, _)) = match self.ask_once(TIME, &[]) {
            Ok(body) => {
                let told = serde_json::from_slice(&body).unwrap_or_default();
                return server_time(&told).ok_or_else(|| format!("{url}: the answer tells no time"));
            }
            Err(refusal) => refusal,
        };
        Err(format!("{url}: {reason}"))
    }

    fn ask_once(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Vec<u8>, Refusal> {
        let again = |reason: String| Refusal::Again(reason, Nanos::ZERO);
        let mut reactor = Reactor::new().map_err(|error| again(error.to_string()))?;
        let mut client = HttpClient::new(self.rest.clone(), self.trust.clone(), ANSWER_MAX);
        let sent = client.request("GET", path, headers, 0, self.clock.now());
        sent.map_err(|_| again("the request was not taken".to_owned()))?;
        // The client itself gives up after its limit.
        loop {
            reactor.wait(TURN);
            let now = self.clock.now();
            let mut answer = None;
            let event = client.poll(&mut reactor, now, &mut |told| {
                answer = Some(judge(told.status, told.header("retry-after"), told.body, now));
            });
            match (event, answer) {
                (_, Some(answer)) => return answer,
                (HttpEvent::Failed { reason, .. }, None) => return Err(again(reason)),
                (HttpEvent::Idle | HttpEvent::Answered, None) => {}
            }
        }
    }
}

/// What an answer with this status means.
fn judge(status: u16, retry: Option<&str>, body: &[u8], now: Nanos) -> Result<Vec<u8>, Refusal> {
    let told: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let words = || {
        let said = told["msg"].as_str().map(|text| format!(": {text} ({})", told["code"]));
        format!("HTTP {status}{}", said.unwrap_or_default())
    };
    match status {
        200 => Ok(body.to_vec()),
        418 | 429 => Err(Refusal::Again(words(), retry_after(retry, now))),
        400..=499 => Err(Refusal::Final(words())),
        _ => Err(Refusal::Again(words(), Nanos::ZERO)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_final_or_waited_for_as_the_venue_says() {
        let now = Nanos::from_secs(100);
        let body = br#"{"code":-1121,"msg":"Invalid symbol."}"#;
        assert!(matches!(judge(400, None, body, now),
            Err(Refusal::Final(text)) if text == "HTTP 400: Invalid symbol. (-1121)"));
        assert!(matches!(judge(429, Some("7"), b"", now),
            Err(Refusal::Again(_, at)) if at == Nanos::from_secs(107)));
        assert!(matches!(judge(503, None, b"", now), Err(Refusal::Again(..))));
    }
}
