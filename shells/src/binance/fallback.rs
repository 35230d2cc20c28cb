//! Requests about orders over REST, for as long as the WebSocket API has no session.
//!
//! A request comes as its WebSocket message and leaves as the REST call of the same parameters; an answer comes back in
//! the WebSocket's envelope (`envelope`).
//!
//! What acts goes one by one on a connection of its own, so that no cancel overtakes its order while that waits; questions go
//! on another, so that they need not wait for an answer that does not come. What acts does not wait long for its turn: what
//! makes or changes an order begins to leave within a quarter of a second and while it is valid, a cancel within two seconds,
//! or else they do not leave and that is said when their turn comes; and where some wait no more orders are taken. Questions
//! that wait are bound by their own timestamp and `recvWindow`.

use std::collections::VecDeque;

use engine::domain::Nanos;
use engine::venue::binance::canonical;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tracing::warn;

use crate::binance::Signer;
use crate::binance::clock::server_time;
use crate::binance::envelope::{self, Shape};
use crate::binance::limits::order_window;
use crate::transport::{HttpClient, HttpEvent, HttpResponse, Reactor, SendError, TlsTrust, Url};

/// An answer to a question that has not come by then does not.
const ANSWER_MAX: Nanos = Nanos::from_secs(5);

/// The same of what acts: the outcome is not known then, route asks, and what waits behind it goes on.
const OUTCOME_MAX: Nanos = Nanos::from_secs(3);

/// How long what makes or changes an order may wait for its turn, and behind how many others: what was found to be in order
/// when it was taken is not looked at again.
const LEAVE_MAX: Nanos = Nanos::from_millis(250);
/// See `LEAVE_MAX`.
const BEFORE_MAX: usize = 8;

/// The same of a cancel: after as long route asks about the order, and whoever wants it gone cancels again. Without a bound
/// many cancels would wait until none is within `recvWindow` when its turn comes.
const CANCEL_LEAVE_MAX: Nanos = Nanos::from_secs(2);

/// Questions that may wait; more do not leave, and are asked again.
const QUESTIONS_MAX: usize = 32;

/// How every request of ours begins.
const HEAD: &str = "{\"id\":\"";

/// What stands between its id and its method.
const METHOD: &str = "\",\"method\":\"";

const CLOCK: &str = "/api/v3/time";

/// The id of the envelope that its refusal comes in.
pub const CLOCK_ID: &str = "clock";

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// It makes or changes an order.
    Orders,
    /// It cancels.
    Cancels,
    /// It asks.
    Asks,
}

/// A request of the WebSocket API as a call of REST.
struct Call {
    method: &'static str,
    verb: &'static str,
    path: &'static str,
    does: Does,
    shape: Shape,
}

const fn call(
    method: &'static str,
    (verb, path): (&'static str, &'static str),
    does: Does,
    shape: Shape,
) -> Call {
    Call { method, verb, path, does, shape }
}

const CALLS: [Call; 9] = [
    call("order.place", ("POST", "/api/v3/order"), Does::Orders, Shape::Order),
    call("order.cancelReplace", ("POST", "/api/v3/order/cancelReplace"), Does::Orders, Shape::Replacement),
    call(
        "order.amend.keepPriority",
        ("PUT", "/api/v3/order/amend/keepPriority"),
        Does::Orders,
        Shape::Amended,
    ),
    call("orderList.place.oco", ("POST", "/api/v3/orderList/oco"), Does::Orders, Shape::Pair),
    call("order.cancel", ("DELETE", "/api/v3/order"), Does::Cancels, Shape::Order),
    call("openOrders.cancelAll", ("DELETE", "/api/v3/openOrders"), Does::Cancels, Shape::List),
    call("order.status", ("GET", "/api/v3/order"), Does::Asks, Shape::Order),
    call("openOrders.status", ("GET", "/api/v3/openOrders"), Does::Asks, Shape::List),
    call("myTrades", ("GET", "/api/v3/myTrades"), Does::Asks, Shape::List),
];

/// A request under way: what its answer will be, of what id.
#[derive(Debug)]
enum Asked {
    Request(Shape, String),
    /// The venue's time.
    Clock,
}

/// What came of one look.
#[derive(Debug, Default)]
pub struct Heard {
    /// Messages of the WebSocket API.
    pub messages: Vec<Vec<u8>>,
    /// Weight used this minute, by the venue's count.
    pub weight: Option<u64>,
    /// New orders in a window of this length, by the venue's count.
    pub orders: Vec<(Nanos, u64)>,
    /// The venue's time, and when the question left.
    pub clock: Option<(Nanos, Nanos)>,
    /// Why a question has no answer.
    pub failed: Option<String>,
}

/// One connection, and what the requests on it ask for, oldest first.
#[derive(Debug)]
struct Line {
    client: HttpClient,
    asked: VecDeque<Asked>,
    asks: bool,
}

/// The way over REST.
#[derive(Debug)]
pub struct Fallback {
    acts: Line,
    questions: Line,
}

impl Fallback {
    /// To the service at `rest`.
    #[must_use]
    pub fn new(rest: &Url, trust: &TlsTrust) -> Self {
        let line = |limit, asks| Line {
            client: HttpClient::new(rest.clone(), trust.clone(), limit),
            asked: VecDeque::new(),
            asks,
        };
        Self { acts: line(OUTCOME_MAX, false), questions: line(ANSWER_MAX, true) }
    }

    /// Sends `request`, a WebSocket message without key and signature; what makes or changes orders only if it `may_order`,
    /// and only while it is `valid_until`.
    ///
    /// # Errors
    /// When it may not, there is no such call, or too many wait: nothing leaves.
    pub fn send(
        &mut self,
        (may_order, valid_until): (bool, Nanos),
        request: &[u8],
        signer: &Signer,
        now: Nanos,
    ) -> Result<(), SendError> {
        let (call, id) = read(request).ok_or(SendError::NotSent)?;
        let (line, leave_by) = match call.does {
            Does::Orders if !may_order || self.acts.asked.len() >= BEFORE_MAX => {
                return Err(SendError::NotSent);
            }
            Does::Orders => (&mut self.acts, now.saturating_add(LEAVE_MAX).min(valid_until)),
            Does::Cancels => (&mut self.acts, now.saturating_add(CANCEL_LEAVE_MAX)),
            Does::Asks if self.questions.asked.len() >= QUESTIONS_MAX => return Err(SendError::NotSent),
            Does::Asks => (&mut self.questions, Nanos::NEVER),
        };
        let params = canonical::payload(request, signer.api_key()).map_err(|_| SendError::NotSent)?;
        let params = params.split('&').filter_map(|pair| pair.split_once('='));
        let query: Vec<String> = params
            .filter(|(name, _)| *name != "apiKey")
            // No event follows: the answer has to say what became of the order.
            .map(|(name, value)| (name, if name == "newOrderRespType" { "RESULT" } else { value }))
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let target = format!("{}?{}", call.path, signer.sign_query(&query.join("&")));
        let key = [("X-MBX-APIKEY", signer.api_key())];
        line.client.request_by(leave_by, (call.verb, &target), &key, 0, now)?;
        line.asked.push_back(Asked::Request(call.shape, id.to_owned()));
        Ok(())
    }

    /// Asks for the venue's time on both connections, so that the one of what acts is open when its time counts.
    ///
    /// # Errors
    /// When too many wait: nothing leaves.
    pub fn ask_clock(&mut self, now: Nanos) -> Result<(), SendError> {
        for line in [&mut self.questions, &mut self.acts] {
            line.client.request("GET", CLOCK, &[], 0, now)?;
            line.asked.push_back(Asked::Clock);
        }
        Ok(())
    }

    /// Forgets the questions that are under way: what their answers would say is asked for anew elsewhere.
    pub fn forget_questions(&mut self, reactor: &mut Reactor) {
        self.questions.client.abandon(reactor);
        self.questions.asked.clear();
    }

    /// Takes back what acts and has not begun to leave, and forgets the questions that have not: for each of the former
    /// the message that it has not left.
    pub fn withdraw(&mut self) -> Vec<Vec<u8>> {
        for line in [&mut self.acts, &mut self.questions] {
            line.client.forget_unsent();
        }
        self.questions.asked.truncate(self.questions.client.pending());
        let unsent = self.acts.asked.split_off(self.acts.client.pending());
        let ids = unsent.into_iter().filter_map(|asked| match asked {
            Asked::Request(_, id) => Some(id),
            Asked::Clock => None,
        });
        ids.map(|id| envelope::not_sent(&id)).collect()
    }

    /// Takes one step on each connection, whose sockets `reactor` watches; `venue` is the venue's time.
    pub fn poll(&mut self, reactor: &mut Reactor, now: Nanos, venue: Nanos) -> Heard {
        let mut heard = Heard::default();
        if self.acts.asked.is_empty() && self.questions.asked.is_empty() {
            return heard;
        }
        reactor.turn();
        for line in [&mut self.acts, &mut self.questions] {
            line.poll(reactor, now, venue, &mut heard);
        }
        heard
    }
}

impl Line {
    fn poll(&mut self, reactor: &mut Reactor, now: Nanos, venue: Nanos, heard: &mut Heard) {
        let Self { client, asked, asks } = self;
        let event = client.poll(reactor, now, &mut |answer| {
            heard.count(answer);
            let first = asked.pop_front();
            // The venue's own failure, or a wall before it.
            if *asks && (answer.status >= 500 || answer.status == 403) {
                heard.failed = Some(format!("HTTP {}", answer.status));
            }
            match first {
                Some(Asked::Request(shape, id)) => {
                    envelope::tell(shape, &id, answer, venue, &mut |message| heard.messages.push(message));
                }
                Some(Asked::Clock) => heard.told_time(answer, venue),
                None => {}
            }
        });
        let HttpEvent::Failed { maybe_sent, reason, .. } = event else { return };
        let Some(first) = self.asked.pop_front() else { return };
        match first {
            Asked::Request(_, id) if !self.asks => {
                warn!(reason, id, maybe_sent, "a request over REST has no answer");
                let outcome = if maybe_sent { envelope::open_outcome(&id) } else { envelope::not_sent(&id) };
                heard.messages.push(outcome);
            }
            // Whoever asked asks again.
            Asked::Request(..) | Asked::Clock => heard.failed = Some(reason),
        }
    }
}

impl Heard {
    /// Takes note of what the venue says that it has counted.
    fn count(&mut self, answer: &HttpResponse<'_>) {
        for (name, value) in answer.headers {
            let Ok(count) = value.trim().parse() else { continue };
            if name.eq_ignore_ascii_case("x-mbx-used-weight-1m") {
                self.weight = Some(count);
            } else if let Some(window) = order_window(name) {
                self.orders.push((window, count));
            }
        }
    }

    fn told_time(&mut self, answer: &HttpResponse<'_>, venue: Nanos) {
        let told = serde_json::from_slice::<Value>(answer.body).ok().and_then(|body| server_time(&body));
        match told.filter(|_| answer.status == 200) {
            Some(told) => self.clock = Some((told, answer.left)),
            None => {
                self.failed = Some(format!("{CLOCK}: HTTP {}", answer.status));
                // It may say for how long nothing may be asked.
                envelope::tell(Shape::List, CLOCK_ID, answer, venue, &mut |said| self.messages.push(said));
            }
        }
    }
}

/// The call that a request is, and the request's id.
fn read(request: &[u8]) -> Option<(&'static Call, &str)> {
    let (id, rest) = std::str::from_utf8(request).ok()?.strip_prefix(HEAD)?.split_once(METHOD)?;
    let (method, _) = rest.split_once('"')?;
    CALLS.iter().find(|call| call.method == method).map(|call| (call, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Credentials, Secret};

    fn signer() -> Signer {
        let credentials =
            Credentials { key: Secret::new("key".into()), secret: Secret::new("secret".into()) };
        Signer::new(&credentials).expect("an HMAC key")
    }

    fn request(method: &str) -> Vec<u8> {
        format!(
            r#"{{"id":"x-1-2-1-1","method":"{method}","params":{{"symbol":"BTCUSDT","newOrderRespType":"ACK","timestamp":1}}}}"#
        )
        .into_bytes()
    }

    /// A way to where nobody is.
    fn nowhere() -> Fallback {
        Fallback::new(&"http://127.0.0.1:9".parse().expect("a place"), &TlsTrust::public())
    }

    /// A way to where somebody takes every request and answers none: what leaves is not said to have not left.
    fn silent() -> (std::net::TcpListener, Fallback) {
        let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", server.local_addr().expect("bound"));
        (server, Fallback::new(&url.parse().expect("a place"), &TlsTrust::public()))
    }

    #[test]
    fn nothing_that_orders_leaves_unless_it_may() {
        let (signer, mut fallback) = (signer(), nowhere());
        let mut leaves = |may_order, method: &str| {
            fallback.send((may_order, Nanos::NEVER), &request(method), &signer, Nanos::from_secs(1)).is_ok()
        };
        for method in
            ["order.place", "order.cancelReplace", "order.amend.keepPriority", "orderList.place.oco"]
        {
            assert_eq!([leaves(false, method), leaves(true, method)], [false, true], "{method}");
        }
        for method in
            ["order.cancel", "openOrders.cancelAll", "order.status", "openOrders.status", "myTrades"]
        {
            assert!(leaves(false, method), "{method}");
        }
        assert!(!leaves(true, "order.test"));
    }

    #[test]
    fn a_long_queue_of_questions_takes_no_more_and_what_acts_does_not_wait_for_it() {
        let (signer, mut fallback) = (signer(), nowhere());
        let mut send = |method: &str| {
            fallback.send((true, Nanos::NEVER), &request(method), &signer, Nanos::from_secs(1)).is_ok()
        };
        for _ in 0..QUESTIONS_MAX {
            assert!(send("order.status"));
        }
        assert!(!send("order.status") && send("order.place") && send("order.cancel"));
        assert_eq!((fallback.acts.client.pending(), fallback.questions.client.pending()), (2, QUESTIONS_MAX));
    }

    #[test]
    fn behind_many_others_no_order_is_taken_and_a_cancel_is() {
        let (signer, mut fallback) = (signer(), nowhere());
        let mut send = |method: &str| {
            fallback.send((true, Nanos::NEVER), &request(method), &signer, Nanos::from_secs(1)).is_ok()
        };
        for _ in 0..BEFORE_MAX {
            assert!(send("order.place"));
        }
        assert!(!send("order.place") && !send("order.amend.keepPriority") && send("order.cancel"));
    }

    #[test]
    fn what_is_new_is_refused_when_its_turn_does_not_come_in_time() {
        let (signer, (_server, mut fallback)) = (signer(), silent());
        let mut reactor = Reactor::new().expect("a reactor");
        let start = Nanos::from_secs(1);
        for method in ["order.place", "order.cancel"] {
            fallback.send((true, Nanos::NEVER), &request(method), &signer, start).expect("taken");
        }
        let late = Nanos(start.0 + LEAVE_MAX.0 + 1);
        let heard = fallback.poll(&mut reactor, late, late);
        assert_eq!(heard.messages, [envelope::not_sent("x-1-2-1-1")]);
        assert_eq!((fallback.acts.asked.len(), heard.failed), (1, None), "a cancel waits on");
        let late = Nanos(start.0 + CANCEL_LEAVE_MAX.0 + 1);
        let heard = fallback.poll(&mut reactor, late, late);
        assert_eq!(heard.messages, [envelope::not_sent("x-1-2-1-1")]);
        assert_eq!((fallback.acts.asked.len(), fallback.acts.client.pending()), (0, 0));
    }

    #[test]
    fn an_order_does_not_leave_after_its_time() {
        let (signer, (_server, mut fallback)) = (signer(), silent());
        let mut reactor = Reactor::new().expect("a reactor");
        let (start, valid_until) = (Nanos::from_secs(1), Nanos::from_millis(1_050));
        fallback.send((true, valid_until), &request("order.place"), &signer, start).expect("taken");
        let late = Nanos(valid_until.0 + 1);
        assert_eq!(fallback.poll(&mut reactor, late, late).messages, [envelope::not_sent("x-1-2-1-1")]);
    }

    #[test]
    fn what_has_not_left_can_be_taken_back() {
        let (signer, mut fallback) = (signer(), nowhere());
        for method in ["order.place", "order.cancel", "order.status"] {
            fallback
                .send((true, Nanos::NEVER), &request(method), &signer, Nanos::from_secs(1))
                .expect("taken");
        }
        assert_eq!(fallback.withdraw(), vec![envelope::not_sent("x-1-2-1-1"); 2]);
        let Fallback { acts, questions } = &fallback;
        assert_eq!((acts.asked.len(), acts.client.pending()), (0, 0));
        assert_eq!((questions.asked.len(), questions.client.pending()), (0, 0));
    }
}
