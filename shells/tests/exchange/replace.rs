//! One order in the place of another: what the venue judges before it cancels, and what after.

use serde_json::Value;

use crate::support::Exchange;

const PATH: &str = "/api/v3/order/cancelReplace";

/// How many orders the day has counted.
fn counted(exchange: &Exchange) -> u64 {
    exchange.signed("GET", "/api/v3/rateLimit/order", "").2[1]["count"].as_u64().expect("a count")
}

/// Places a buy far below the market under this name.
fn rest(exchange: &Exchange, name: &str, price: f64) {
    let order = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price:.2}&newClientOrderId={name}"
    );
    assert_eq!(exchange.signed("POST", "/api/v3/order", &order).0, 200);
}

fn state(exchange: &Exchange, name: &str) -> Value {
    let query = format!("symbol=BTCUSDT&origClientOrderId={name}");
    exchange.signed("GET", "/api/v3/order", &query).2["status"].clone()
}

#[test]
fn a_new_order_that_fails_a_filter_leaves_the_old_one_alone() {
    let exchange = Exchange::start(&[]);
    let (bid, _) = exchange.top("BTCUSDT");
    rest(&exchange, "old", bid * 0.9);
    // As many conditional orders as an account may have.
    for _ in 0..5 {
        let stop = format!(
            "symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.01&price={price:.2}&stopPrice={price:.2}",
            price = bid * 0.9
        );
        assert_eq!(exchange.signed("POST", "/api/v3/order", &stop).0, 200);
    }
    let before = counted(&exchange);
    let limit = "side=BUY&type=LIMIT&timeInForce=GTC";
    for (order, filter) in [
        (format!("{limit}&quantity=0.0000001&price={:.2}", bid * 0.9), "LOT_SIZE"),
        (format!("{limit}&quantity=0.00001&price={:.2}", bid * 0.9), "NOTIONAL"),
        (format!("{limit}&quantity=0.01&price={:.3}1", bid * 0.9), "PRICE_FILTER"),
        (format!("{limit}&quantity=0.01&price={:.2}", bid * 0.4), "PERCENT_PRICE_BY_SIDE"),
        (
            format!(
                "side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.01&price={price:.2}&stopPrice={price:.2}",
                price = bid * 0.9
            ),
            "MAX_NUM_ALGO_ORDERS",
        ),
    ] {
        for mode in ["STOP_ON_FAILURE", "ALLOW_FAILURE"] {
            let request =
                format!("symbol=BTCUSDT&cancelReplaceMode={mode}&cancelOrigClientOrderId=old&{order}");
            let (status, _, body) = exchange.signed("POST", PATH, &request);
            assert_eq!((status, &body["code"]), (400, &Value::from(-1013)), "{filter}, {mode}: {body}");
            assert_eq!(body["msg"], format!("Filter failure: {filter}"), "{mode}");
            assert_eq!(body["data"], Value::Null, "no half was tried: {body}");
            assert_eq!(state(&exchange, "old"), "NEW", "{filter}, {mode}");
        }
    }
    assert_eq!(counted(&exchange), before, "none was on its way");
}

#[test]
fn what_the_book_refuses_comes_after_the_cancel_and_what_is_not_attempted_counts() {
    let exchange = Exchange::start(&[]);
    let (bid, ask) = exchange.top("BTCUSDT");
    rest(&exchange, "old", bid * 0.9);
    let crossing = format!("side=BUY&type=LIMIT_MAKER&quantity=0.01&price={:.2}", ask * 1.01);
    let replace = |mode: &str, order: &str| {
        let request = format!("symbol=BTCUSDT&cancelReplaceMode={mode}&cancelOrigClientOrderId=old&{order}");
        exchange.signed("POST", PATH, &request)
    };
    let halves = |body: &Value| {
        let half = |name: &str| body["data"][name].as_str().unwrap_or("").to_owned();
        (half("cancelResult"), half("newOrderResult"))
    };
    let (status, _, body) = replace("STOP_ON_FAILURE", &crossing);
    assert_eq!((status, &body["code"]), (409, &Value::from(-2021)), "{body}");
    assert_eq!(halves(&body), ("SUCCESS".into(), "FAILURE".into()));
    assert_eq!(body["data"]["newOrderResponse"]["code"], -2010);
    assert_eq!(state(&exchange, "old"), "CANCELED");

    let before = counted(&exchange);
    let (status, _, body) = replace("STOP_ON_FAILURE", &crossing);
    assert_eq!((status, &body["code"]), (400, &Value::from(-2022)), "{body}");
    assert_eq!(halves(&body), ("FAILURE".into(), "NOT_ATTEMPTED".into()));
    assert_eq!(counted(&exchange), before + 1, "not attempted, and counted");
    let (status, _, body) = replace("ALLOW_FAILURE", &crossing);
    assert_eq!((status, &body["code"]), (400, &Value::from(-2022)), "{body}");
    assert_eq!(halves(&body), ("FAILURE".into(), "FAILURE".into()));
    assert_eq!(counted(&exchange), before + 1, "refused, and not counted");
}
