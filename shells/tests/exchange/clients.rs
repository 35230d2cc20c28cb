//! What common clients ask beside orders and prices: records, order lists as they used to be, what is not offered, and
//! the wallet.

use serde_json::{Value, json};

use crate::support::Exchange;

fn code(answer: &(u16, String, Value)) -> (u16, i64) {
    (answer.0, answer.2["code"].as_i64().unwrap_or(0))
}

#[test]
fn an_orders_amendments_are_remembered_with_their_executions() {
    let exchange = Exchange::start(&[]);
    let price = format!("{:.2}", exchange.top("BTCUSDT").0 * 0.9);
    let order = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.03&price={price}&newClientOrderId=first"
    );
    let id = exchange.signed("POST", "/api/v3/order", &order).2["orderId"].clone();
    let mut executions = Vec::new();
    for (quantity, name) in [("0.02", "second"), ("0.01", "third")] {
        let amended = exchange.signed(
            "PUT",
            "/api/v3/order/amend/keepPriority",
            &format!("symbol=BTCUSDT&orderId={id}&newQty={quantity}&newClientOrderId={name}"),
        );
        assert_eq!(amended.0, 200, "{}", amended.2);
        executions.push(amended.2["executionId"].clone());
    }
    let told = exchange.signed("GET", "/api/v3/order/amendments", &format!("symbol=BTCUSDT&orderId={id}")).2;
    let shape = |one: &Value| {
        ["origClientOrderId", "newClientOrderId", "origQty", "newQty"]
            .map(|key| one[key].as_str().map(str::to_owned))
    };
    let expected =
        [["first", "second", "0.03000000", "0.02000000"], ["second", "third", "0.02000000", "0.01000000"]];
    let expected = expected.map(|one| one.map(|text| Some(text.to_owned())));
    assert_eq!(
        told.as_array().map(|list| list.iter().map(shape).collect::<Vec<_>>()),
        Some(expected.to_vec())
    );
    assert_eq!([&told[0]["executionId"], &told[1]["executionId"]], [&executions[0], &executions[1]]);
    assert_ne!(executions[0], executions[1]);
    let later = format!("symbol=BTCUSDT&orderId={id}&fromExecutionId={}", executions[1]);
    let later = exchange.signed("GET", "/api/v3/order/amendments", &later).2;
    assert_eq!(later.as_array().map(Vec::len), Some(1));
    assert_eq!(code(&exchange.signed("GET", "/api/v3/order/amendments", "symbol=BTCUSDT")), (400, -1102));
}

#[test]
fn prevented_matches_are_remembered_with_both_orders() {
    let exchange = Exchange::start(&["--speed", "step"]);
    exchange.operator("POST", "/admin/step?by=5s");
    let (bid, ask) = exchange.top("BTCUSDT");
    // Between the best bid and ask nobody else stands; where there is no room, our order is the first at the bid.
    let price = format!("{:.2}", (bid + 0.01).min(ask - 0.01));
    let order = |side: &str, quantity: &str, mode: &str| {
        let params = format!(
            "symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&quantity={quantity}&price={price}&selfTradePreventionMode={mode}"
        );
        let placed = exchange.signed("POST", "/api/v3/order", &params);
        assert_eq!(placed.0, 200, "{}", placed.2);
        placed.2
    };
    let maker = order("BUY", "0.02", "NONE");
    let taker = order("SELL", "0.01", "EXPIRE_TAKER");
    assert_eq!(taker["status"], "EXPIRED_IN_MATCH", "{taker}");
    let by_id = format!("symbol=BTCUSDT&preventedMatchId={}", taker["preventedMatchId"]);
    let told = exchange.signed("GET", "/api/v3/myPreventedMatches", &by_id).2;
    let one = &told[0];
    assert_eq!(
        (&one["makerOrderId"], &one["takerOrderId"]),
        (&maker["orderId"], &taker["orderId"]),
        "{told}"
    );
    assert_eq!((&one["selfTradePreventionMode"], &one["price"]), (&json!("EXPIRE_TAKER"), &maker["price"]));
    assert_eq!(
        (&one["takerPreventedQuantity"], &one["makerPreventedQuantity"]),
        (&json!("0.01000000"), &Value::Null)
    );
    let by_order = format!("symbol=BTCUSDT&orderId={}", maker["orderId"]);
    assert_eq!(exchange.signed("GET", "/api/v3/myPreventedMatches", &by_order).2, told);
    assert_eq!(code(&exchange.signed("GET", "/api/v3/myPreventedMatches", "symbol=BTCUSDT")), (400, -1102));
}

#[test]
fn a_pair_is_placed_as_it_used_to_be() {
    let exchange = Exchange::start(&[]);
    let (bid, ask) = exchange.top("BTCUSDT");
    let [low, high] = [bid * 0.95, ask * 1.05].map(|price| format!("{price:.2}"));
    let sell = format!(
        "symbol=BTCUSDT&side=SELL&quantity=0.01&price={high}&stopPrice={low}&stopLimitPrice={low}&stopLimitTimeInForce=GTC&limitClientOrderId=far&stopClientOrderId=near"
    );
    let placed = exchange.signed("POST", "/api/v3/order/oco", &sell);
    let legs = |body: &Value| [0, 1].map(|at| body["orderReports"][at]["type"].clone());
    assert_eq!(
        (placed.0, legs(&placed.2)),
        (200, [json!("STOP_LOSS_LIMIT"), json!("LIMIT_MAKER")]),
        "{}",
        placed.2
    );
    assert_eq!(placed.2["orderReports"][1]["clientOrderId"], "far");
    let buy = format!("symbol=BTCUSDT&side=BUY&quantity=0.01&price={low}&stopPrice={high}");
    let placed = exchange.signed("POST", "/api/v3/order/oco", &buy);
    assert_eq!(
        (placed.0, legs(&placed.2)),
        (200, [json!("LIMIT_MAKER"), json!("STOP_LOSS")]),
        "{}",
        placed.2
    );
    let untimed = sell.replace("&stopLimitTimeInForce=GTC", "");
    assert_eq!(code(&exchange.signed("POST", "/api/v3/order/oco", &untimed)), (400, -1102));
}

#[test]
fn what_is_not_offered_is_refused_and_what_never_was_is_empty() {
    let exchange = Exchange::start(&[]);
    for (path, word) in [
        ("orderList/opo", "OPO"),
        ("orderList/opoco", "OPO"),
        ("sor/order", "SOR"),
        ("sor/order/test", "SOR"),
    ] {
        let answer = exchange.signed("POST", &format!("/api/v3/{path}"), "symbol=BTCUSDT");
        assert_eq!(code(&answer), (400, -1013), "{path}: {}", answer.2);
        assert!(answer.2["msg"].as_str().is_some_and(|said| said.starts_with(word)), "{path}: {}", answer.2);
    }
    let get = |target: &str| exchange.http("GET", &format!("/api/v3/{target}"), "", "");
    assert_eq!(code(&get("referencePrice?symbol=BTCUSDT")), (400, -2043));
    assert_eq!(
        get("executionRules?symbol=BTCUSDT").2,
        json!({"symbolRules": [{"symbol": "BTCUSDT", "rules": []}]})
    );
    assert_eq!(get("historicalBlockTrades?symbol=BTCUSDT").2, json!([]));
    assert_eq!(exchange.signed("GET", "/api/v3/myAllocations", "symbol=BTCUSDT").2, json!([]));
    let mut socket = exchange.socket("/ws-api/v3");
    let answer = socket.ask(&json!({"id": 1, "method": "order.nonsense"}));
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(400), &json!(-1020)));
    let (status, head, page) = get("nothing");
    assert!(
        status == 404 && head.contains("text/html") && page.as_str().is_some_and(|page| page.contains("404"))
    );
}

#[test]
fn a_wallet_tells_assets_and_fees() {
    let exchange = Exchange::start(&["--taker-fee", "750"]);
    let status = exchange.http("GET", "/sapi/v1/system/status", "", "").2;
    assert_eq!(status, json!({"status": 0, "msg": "normal"}));
    let coins = exchange.signed("GET", "/sapi/v1/capital/config/getall", "").2;
    let usdt = coins.as_array().into_iter().flatten().find(|one| one["coin"] == "USDT");
    assert_eq!(usdt.map(|one| &one["free"]), Some(&json!("1000000.00000000")), "{coins}");
    let fees = exchange.signed("GET", "/sapi/v1/asset/tradeFee", "symbol=ETHUSDT").2;
    let expected =
        json!([{"symbol": "ETHUSDT", "makerCommission": "0.00100000", "takerCommission": "0.00075000"}]);
    assert_eq!(fees, expected);
    assert_eq!(exchange.signed("GET", "/sapi/v1/asset/tradeFee", "").2.as_array().map(Vec::len), Some(2));
    assert_eq!(exchange.signed("GET", "/sapi/v1/margin/isolated/allPairs", "").2, json!([]));
    assert_eq!(exchange.http("GET", "/sapi/v1/capital/config/getall", "", "").0, 401);
    assert_eq!(exchange.http("GET", "/sapi/v1/nothing", "", "").0, 404);
    // A request without a name on WebSockets is none there.
    let answer = exchange.socket("/ws-api/v3").ask(&json!({"id": 1, "method": ""}));
    assert_eq!(answer["error"]["code"], -1020, "{answer}");
}
