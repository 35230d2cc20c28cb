//! Answers of REST as messages of the WebSocket API, so that they are read in one way.
//!
//! Where REST is asked nobody tells of an order later, so an answer that says how an order stands becomes the answer to a
//! question about it: of an order just placed, of either of a pair, of an order just amended, and of both of a replacement.

use engine::domain::Nanos;
use engine::venue::binance::order_request::Asked;
use serde_json::Value;

use crate::binance::limits::retry_after;
use crate::transport::HttpResponse;

/// What stands in an answer that is no refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An order.
    Order,
    /// A list.
    List,
    /// `amendedOrder`.
    Amended,
    /// `cancelResponse` and `newOrderResponse`.
    Replacement,
    /// `orderReports`.
    Pair,
}

/// The code of a refusal that is not the venue's: the request has not left.
const NOT_SENT: i32 = 0;
/// The venue's own code of an outcome that is not known.
const OPEN_OUTCOME: i32 = -1006;

/// Tells the answer to the request of this `id` in messages of the WebSocket API. A refusal until a time has that time beside
/// it. What cannot be read leaves the outcome open.
pub fn tell(
    shape: Shape,
    id: &str,
    answer: &HttpResponse<'_>,
    venue: Nanos,
    on_message: &mut dyn FnMut(Vec<u8>),
) {
    let body = std::str::from_utf8(answer.body).ok();
    if answer.status != 200 {
        return on_message(refusal(id, answer, body, venue));
    }
    let read = body.and_then(|body| match shape {
        Shape::List => Some(vec![success(id, body)]),
        // A cancel of one of a pair ends both, and may be answered so.
        Shape::Order if body.contains("\"orderReports\"") => {
            states(Shape::Pair, id, &serde_json::from_str(body).ok()?)
        }
        Shape::Order => Some(vec![success(&question(id)?, body)]),
        _ => states(shape, id, &serde_json::from_str(body).ok()?),
    });
    match read {
        Some(messages) => messages.into_iter().for_each(on_message),
        None => on_message(open_outcome(id)),
    }
}

/// The answer to a request that has not left.
pub fn not_sent(id: &str) -> Vec<u8> {
    failure(id, 400, &format!("\"code\":{NOT_SENT},\"msg\":\"it has not left\""))
}

/// The answer to a request of which nobody knows what became.
pub fn open_outcome(id: &str) -> Vec<u8> {
    failure(id, 500, &format!("\"code\":{OPEN_OUTCOME},\"msg\":\"\""))
}

fn success(id: &str, result: &str) -> Vec<u8> {
    format!("{{\"id\":\"{id}\",\"status\":200,\"result\":{result}}}").into_bytes()
}

fn failure(id: &str, status: u16, members: &str) -> Vec<u8> {
    format!("{{\"id\":\"{id}\",\"status\":{status},\"error\":{{{members}}}}}").into_bytes()
}

fn refusal(id: &str, answer: &HttpResponse<'_>, body: Option<&str>, venue: Nanos) -> Vec<u8> {
    let is_venues = |body: &&str| serde_json::from_str::<Value>(body).is_ok_and(|body| body["code"].is_i64());
    let members = body.map(str::trim).filter(is_venues);
    let members = members.and_then(|body| body.strip_prefix('{')?.strip_suffix('}'));
    // A gateway's failure is no JSON, or one of its own.
    let members = members.unwrap_or("\"code\":-1000,\"msg\":\"\"");
    if !matches!(answer.status, 418 | 429) || members.contains("\"retryAfter\"") {
        return failure(id, answer.status, members);
    }
    let until = retry_after(answer.header("retry-after"), venue).0 / 1_000_000;
    failure(id, answer.status, &format!("{members},\"data\":{{\"retryAfter\":{until}}}"))
}

/// The id of a question about the order that `id` or the order's own name is of.
fn question(id: &str) -> Option<String> {
    let rest = id.get(1..)?;
    Some(format!("{}{rest}", char::from(Asked::Query.letter())))
}

/// Each order that an answer tells of, as the answer to a question about it.
fn states(shape: Shape, id: &str, answer: &Value) -> Option<Vec<Vec<u8>>> {
    let state = |id: &str, order: &Value| Some(success(&question(id)?, &order.to_string()));
    match shape {
        Shape::Amended => {
            let mut order = answer.get("amendedOrder")?.clone();
            order["origQty"] = order.get("qty")?.clone();
            Some(vec![state(id, &order)?])
        }
        Shape::Replacement => {
            let gone = answer.get("cancelResponse")?;
            let replaced = state(gone["origClientOrderId"].as_str()?, gone)?;
            Some(vec![replaced, state(id, answer.get("newOrderResponse")?)?])
        }
        _ => {
            let reports = answer.get("orderReports")?.as_array()?.iter();
            // Of one that is cancelled the client's id is the cancel's.
            let name = |order: &Value| {
                let cancelled = order["origClientOrderId"].as_str().filter(|name| !name.is_empty());
                cancelled.or_else(|| order["clientOrderId"].as_str()).map(str::to_owned)
            };
            reports.map(|order| state(&name(order)?, order)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(shape: Shape, id: &str, status: u16, body: &[u8]) -> Vec<String> {
        let headers = [("Retry-After".to_owned(), "7".to_owned())];
        let answer = HttpResponse { tag: 0, status, headers: &headers, body, left: Nanos::ZERO };
        let mut all = Vec::new();
        tell(shape, id, &answer, Nanos::from_secs(100), &mut |message| {
            all.push(String::from_utf8(message).expect("text"));
        });
        all
    }

    #[test]
    fn an_answer_stands_in_the_envelope_of_the_other_protocol() {
        for (shape, id, status, body, expected) in [
            (Shape::Order, "c-1-2-1-c", 200, "{}", r#"{"id":"q-1-2-1-c","status":200,"result":{}}"#),
            (Shape::Order, "t-1-2-1-c", 200, "{}", r#"{"id":"q-1-2-1-c","status":200,"result":{}}"#),
            (Shape::Order, "q-1-2-1-1", 200, "{}", r#"{"id":"q-1-2-1-1","status":200,"result":{}}"#),
            (
                Shape::List,
                "s-1-2-1-1",
                200,
                r#"[{"status":"CANCELED"}]"#,
                r#"{"id":"s-1-2-1-1","status":200,"result":[{"status":"CANCELED"}]}"#,
            ),
            (Shape::List, "o", 200, "[]", r#"{"id":"o","status":200,"result":[]}"#),
            (
                Shape::Amended,
                "a-1-2-1-1",
                200,
                r#"{"transactTime":1,"amendedOrder":{"orderId":7,"qty":"0.5"}}"#,
                r#"{"id":"q-1-2-1-1","status":200,"result":{"orderId":7,"origQty":"0.5","qty":"0.5"}}"#,
            ),
            (
                Shape::Order,
                "c-1-2-1-1",
                400,
                r#"{"code":-2011,"msg":"Unknown order sent."}"#,
                r#"{"id":"c-1-2-1-1","status":400,"error":{"code":-2011,"msg":"Unknown order sent."}}"#,
            ),
            (
                Shape::Replacement,
                "r-1-2-1-1",
                409,
                r#"{"code":-2021,"msg":"x","data":{"newOrderResult":"FAILURE"}}"#,
                r#"{"id":"r-1-2-1-1","status":409,"error":{"code":-2021,"msg":"x","data":{"newOrderResult":"FAILURE"}}}"#,
            ),
            (
                Shape::Order,
                "c-1-2-1-1",
                502,
                "<html>",
                r#"{"id":"c-1-2-1-1","status":502,"error":{"code":-1000,"msg":""}}"#,
            ),
            (
                Shape::Order,
                "q-1-2-1-1",
                429,
                r#"{"code":-1003,"msg":"Too much."}"#,
                r#"{"id":"q-1-2-1-1","status":429,"error":{"code":-1003,"msg":"Too much.","data":{"retryAfter":107000}}}"#,
            ),
            (
                Shape::Order,
                "q-1-2-1-1",
                429,
                r#"{"message":"Too Many Requests"}"#,
                r#"{"id":"q-1-2-1-1","status":429,"error":{"code":-1000,"msg":"","data":{"retryAfter":107000}}}"#,
            ),
            (
                Shape::Pair,
                "o-1-2-1-1",
                200,
                "{}",
                r#"{"id":"o-1-2-1-1","status":500,"error":{"code":-1006,"msg":""}}"#,
            ),
        ] {
            assert_eq!(told(shape, id, status, body.as_bytes()), [expected], "{shape:?} {status} {body}");
        }
        assert_eq!(
            not_sent("t-1"),
            br#"{"id":"t-1","status":400,"error":{"code":0,"msg":"it has not left"}}"#
        );
    }

    #[test]
    fn a_cancel_of_one_of_a_pair_may_tell_of_both() {
        let ended = br#"{"listStatusType":"ALL_DONE","orderReports":[
            {"origClientOrderId":"t-1-2-1-4","clientOrderId":"c","status":"CANCELED"},
            {"origClientOrderId":"t-1-2-1-5","clientOrderId":"c","status":"CANCELED"}]}"#;
        let each = [4, 5].map(|order| {
            format!(
                r#"{{"id":"q-1-2-1-{order}","status":200,"result":{{"clientOrderId":"c","origClientOrderId":"t-1-2-1-{order}","status":"CANCELED"}}}}"#
            )
        });
        assert_eq!(told(Shape::Order, "c-1-2-1-4", 200, ended), each);
    }

    #[test]
    fn one_answer_tells_of_both_orders_of_a_request() {
        let replaced = br#"{"cancelResult":"SUCCESS","newOrderResult":"SUCCESS",
            "cancelResponse":{"origClientOrderId":"t-1-2-1-4","clientOrderId":"x","status":"CANCELED"},
            "newOrderResponse":{"clientOrderId":"t-1-2-1-5","status":"NEW"}}"#;
        assert_eq!(
            told(Shape::Replacement, "r-1-2-1-5", 200, replaced),
            [
                r#"{"id":"q-1-2-1-4","status":200,"result":{"clientOrderId":"x","origClientOrderId":"t-1-2-1-4","status":"CANCELED"}}"#,
                r#"{"id":"q-1-2-1-5","status":200,"result":{"clientOrderId":"t-1-2-1-5","status":"NEW"}}"#,
            ]
        );
        let pair = br#"{"orderReports":[{"clientOrderId":"t-1-2-1-7"},{"clientOrderId":"t-1-2-1-6"}]}"#;
        assert_eq!(
            told(Shape::Pair, "o-1-2-1-6", 200, pair),
            [
                r#"{"id":"q-1-2-1-7","status":200,"result":{"clientOrderId":"t-1-2-1-7"}}"#,
                r#"{"id":"q-1-2-1-6","status":200,"result":{"clientOrderId":"t-1-2-1-6"}}"#,
            ]
        );
    }
}
