//! Cancels and questions about orders over REST, for as long as the WebSocket API has no session: nothing new may leave
//! then, but what is open must not have to stay.
//!
//! A request comes as its WebSocket message and leaves as the REST call of the same parameters; an answer comes back in
//! the WebSocket's envelope, so that it is read in one way.

use std::collections::VecDeque;
use std::io;

use engine::domain::Nanos;
use engine::venue::binance::canonical;
use engine::venue::binance::order_request::Asked;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::warn;

use crate::binance::Signer;
use crate::binance::limits::retry_after;
use crate::transport::{HttpClient, HttpEvent, HttpResponse, Reactor, SendError, TlsTrust, Url};

/// An answer that has not come by then does not: whoever asked asks again.
const ANSWER_MAX: Nanos = Nanos::from_secs(10);

/// Where an order is cancelled and asked for, and where all are cancelled.
const ORDER: &str = "/api/v3/order";
const OPEN_ORDERS: &str = "/api/v3/openOrders";

/// How every request of ours begins.
const HEAD: &[u8] = b"{\"id\":\"";

/// The way over REST.
#[derive(Debug)]
pub struct Fallback {
    reactor: Reactor,
    client: HttpClient,
    /// What the requests under way ask for, and their ids, oldest first.
    asked: VecDeque<(Asked, String)>,
}

impl Fallback {
    /// To the service at `rest`.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new(rest: Url, trust: TlsTrust) -> io::Result<Self> {
        let client = HttpClient::new(rest, trust, ANSWER_MAX);
        Ok(Self { reactor: Reactor::new()?, client, asked: VecDeque::new() })
    }

    /// Sends `request`, a WebSocket message without key and signature, if what is asked of an order has a call.
    ///
    /// # Errors
    /// When there is none, or too many wait: nothing leaves.
    pub fn send(
        &mut self,
        asked: Option<Asked>,
        request: &[u8],
        signer: &Signer,
        now: Nanos,
    ) -> Result<(), SendError> {
        let (asked, verb, path) = match asked {
            Some(asked @ Asked::Cancel) => (asked, "DELETE", ORDER),
            Some(asked @ Asked::Sweep) => (asked, "DELETE", OPEN_ORDERS),
            Some(asked @ Asked::Query) => (asked, "GET", ORDER),
            _ => return Err(SendError::NotSent),
        };
        let id = request.strip_prefix(HEAD).ok_or(SendError::NotSent)?;
        let id = id.split(|byte| *byte == b'"').next().unwrap_or_default();
        let id = std::str::from_utf8(id).map_err(|_| SendError::NotSent)?;
        let params = canonical::payload(request, signer.api_key()).map_err(|_| SendError::NotSent)?;
        let params = params.split('&').filter_map(|pair| pair.split_once('='));
        let query: Vec<String> = params
            .filter(|(name, _)| *name != "apiKey")
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let target = format!("{path}?{}", signer.sign_query(&query.join("&")));
        self.client.request(verb, &target, &[("X-MBX-APIKEY", signer.api_key())], 0, now)?;
        self.asked.push_back((asked, id.to_owned()));
        Ok(())
    }

    /// Takes one step; `venue` is the venue's time. `on_message` gets an answer in the envelope of the WebSocket API.
    /// Returns the weight used this minute, by the venue's count, where it told it.
    pub fn poll(&mut self, now: Nanos, venue: Nanos, on_message: &mut dyn FnMut(&[u8])) -> Option<u64> {
        if self.asked.is_empty() {
            return None;
        }
        self.reactor.turn();
        let mut weight = None;
        let Self { reactor, client, asked } = self;
        let event = client.poll(reactor, now, &mut |answer| {
            weight = answer.header("x-mbx-used-weight-1m").and_then(|text| text.trim().parse().ok());
            if let Some((asked, id)) = asked.pop_front() {
                on_message(&enveloped(asked, &id, answer, venue));
            }
        });
        if let HttpEvent::Failed { reason, .. } = event {
            // Whether it arrived or not: whoever asked asks what became of the order.
            let id = self.asked.pop_front().map(|(_, id)| id);
            warn!(reason, id, "a request over REST has no answer");
        }
        weight
    }
}

/// The answer as a message of the WebSocket API. The cancel of an order that was done tells the order's state, as a question's answer
/// does: no event of the account will. A refusal until a time has that time beside it.
fn enveloped(asked: Asked, id: &str, answer: &HttpResponse<'_>, venue: Nanos) -> Vec<u8> {
    let (body, status) = (std::str::from_utf8(answer.body).ok(), answer.status);
    if let (Asked::Sweep, 200, Some(list)) = (asked, status, body) {
        return format!("{{\"id\":\"{id}\",\"status\":200,\"result\":{list}}}").into_bytes();
    }
    let body = body.and_then(|body| body.strip_suffix('}'));
    if let (200, Some(body)) = (status, body) {
        let (own, of) = (char::from(asked.letter()), char::from(Asked::Query.letter()));
        let order = id.strip_prefix(own).unwrap_or(id);
        return format!("{{\"id\":\"{of}{order}\",\"status\":200,\"result\":{body}}}}}").into_bytes();
    }
    // A gateway's failure is no JSON.
    let body = body.unwrap_or("{\"code\":-1000,\"msg\":\"\"");
    let until = (matches!(status, 418 | 429) && !body.contains("\"retryAfter\"")).then(|| {
        let until = retry_after(answer.header("retry-after"), venue);
        format!(",\"data\":{{\"retryAfter\":{}}}", until.0 / 1_000_000)
    });
    let until = until.unwrap_or_default();
    format!("{{\"id\":\"{id}\",\"status\":{status},\"error\":{body}{until}}}}}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Credentials, Secret};

    #[test]
    fn nothing_new_leaves_this_way() {
        let credentials =
            Credentials { key: Secret::new("key".into()), secret: Secret::new("secret".into()) };
        let signer = Signer::new(&credentials).expect("an HMAC key");
        let rest = "http://127.0.0.1:9".parse().expect("a place");
        let mut fallback = Fallback::new(rest, TlsTrust::public()).expect("a descriptor");
        let mut leaves = |asked: Asked| {
            let request = br#"{"id":"x-1-2-1-1","method":"any","params":{"symbol":"BTCUSDT","timestamp":1}}"#;
            fallback.send(Some(asked), request, &signer, Nanos::from_secs(1)).is_ok()
        };
        // A pair is two new orders.
        for asked in [Asked::Place, Asked::Replace, Asked::Oco, Asked::Amend, Asked::Trades] {
            assert!(!leaves(asked), "{asked:?}");
        }
        for asked in [Asked::Cancel, Asked::Sweep, Asked::Query] {
            assert!(leaves(asked), "{asked:?}");
        }
    }

    #[test]
    fn an_answer_stands_in_the_envelope_of_the_other_protocol() {
        let venue = Nanos::from_secs(100);
        let shown = |id: &str, status, body: &[u8]| {
            let asked = match id.as_bytes()[0] {
                b'c' => Asked::Cancel,
                b's' => Asked::Sweep,
                _ => Asked::Query,
            };
            let headers = [("Retry-After".to_owned(), "7".to_owned())];
            let answer = HttpResponse { tag: 0, status, headers: &headers, body };
            String::from_utf8(enveloped(asked, id, &answer, venue)).expect("text")
        };
        assert_eq!(shown("c-1-2-1-c", 200, b"{}"), r#"{"id":"q-1-2-1-c","status":200,"result":{}}"#);
        assert_eq!(
            shown("s-1-2-1-1", 200, br#"[{"status":"CANCELED"}]"#),
            r#"{"id":"s-1-2-1-1","status":200,"result":[{"status":"CANCELED"}]}"#
        );
        assert_eq!(shown("q-1-2-1-1", 200, b"{}"), r#"{"id":"q-1-2-1-1","status":200,"result":{}}"#);
        assert_eq!(
            shown("c-1-2-1-1", 400, br#"{"code":-2011,"msg":"Unknown order sent."}"#),
            r#"{"id":"c-1-2-1-1","status":400,"error":{"code":-2011,"msg":"Unknown order sent."}}"#
        );
        assert!(
            shown("c-1-2-1-1", 502, b"<html>").ends_with(r#""status":502,"error":{"code":-1000,"msg":""}}"#)
        );
        assert_eq!(
            shown("q-1-2-1-1", 429, br#"{"code":-1003,"msg":"Too much."}"#),
            r#"{"id":"q-1-2-1-1","status":429,"error":{"code":-1003,"msg":"Too much.","data":{"retryAfter":107000}}}"#
        );
    }
}
