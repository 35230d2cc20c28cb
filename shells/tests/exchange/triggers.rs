//! Orders that set off others, by REST and by WebSocket, and stops that trail.

use serde_json::{Value, json};

use crate::lists::{event, query, with_room_for};
use crate::support::Exchange;
use crate::websocket::signed;

/// A buy of 0.01 below the market, as the order that others wait for.
fn working(bid: f64) -> Value {
    json!({"symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingTimeInForce": "GTC",
        "workingPrice": format!("{:.2}", bid * 0.9), "workingQuantity": "0.01", "workingClientOrderId": "in"})
}

/// And what then sells the same.
fn with(bid: f64, more: &Value) -> Value {
    let mut params = working(bid);
    params["pendingSide"] = json!("SELL");
    params["pendingQuantity"] = json!("0.01");
    let more = more.as_object().expect("an object").clone();
    params.as_object_mut().expect("an object").extend(more);
    params
}

fn pair(bid: f64, ask: f64) -> Value {
    with(
        bid,
        &json!({"pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": format!("{:.2}", ask * 1.05),
            "pendingAboveClientOrderId": "up", "pendingBelowType": "STOP_LOSS_LIMIT",
            "pendingBelowStopPrice": format!("{:.2}", bid * 0.85), "pendingBelowTimeInForce": "GTC",
            "pendingBelowPrice": format!("{:.2}", bid * 0.84), "pendingBelowClientOrderId": "down"}),
    )
}

fn fill(exchange: &Exchange, order: &Value, quantity: &str) {
    let target = format!("/admin/fill?order={order}&quantity={quantity}");
    assert_eq!(exchange.operator("POST", &target).0, 200);
}

fn status(exchange: &Exchange, order: &Value) -> Value {
    let order = exchange.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={order}")).2;
    order["status"].clone()
}

#[test]
fn what_waits_takes_of_the_count_of_orders_as_well() {
    let around = |exchange: &Exchange| {
        let (bid, ask) = exchange.top("BTCUSDT");
        pair(bid, ask)
    };
    for (left, code) in [(2, json!(-1015)), (3, Value::Null)] {
        let (_, _, answer) = with_room_for(left, "/api/v3/orderList/otoco", around);
        assert_eq!(answer["code"], code, "{left}: {answer}");
    }
}

#[test]
fn a_pair_waits_for_its_working_order_and_everyone_is_told() {
    let exchange = Exchange::start(&[]);
    let (bid, ask) = exchange.top("BTCUSDT");
    let mut socket = exchange.socket("/ws-api/v3");
    socket.ask(&signed(&exchange, "userDataStream.subscribe.signature", json!({})));
    let placed = socket.ask(&signed(&exchange, "orderList.place.otoco", pair(bid, ask)));
    let result = &placed["result"];
    assert_eq!(
        (&result["contingencyType"], &result["listStatusType"], &result["listOrderStatus"]),
        (&json!("OTO"), &json!("EXEC_STARTED"), &json!("EXECUTING")),
        "{placed}"
    );
    let list = result["orderListId"].clone();
    let [first, down, up] = [0, 1, 2].map(|at| result["orderReports"][at].clone());
    let facts = |report: &Value| {
        [&report["clientOrderId"], &report["status"], &report["type"], &report["side"]].map(Value::clone)
    };
    assert_eq!(facts(&first), ["in", "NEW", "LIMIT", "BUY"].map(Value::from));
    assert_eq!(facts(&down), ["down", "PENDING_NEW", "STOP_LOSS_LIMIT", "SELL"].map(Value::from));
    assert_eq!(facts(&up), ["up", "PENDING_NEW", "LIMIT_MAKER", "SELL"].map(Value::from));
    assert_eq!((&up["workingTime"], &up["orderListId"]), (&json!(-1), &list));
    let count = exchange.signed("GET", "/api/v3/rateLimit/order", "").2;
    assert_eq!(count[1]["count"], 3);

    for (leg, state) in [(&first, "NEW"), (&down, "PENDING_NEW"), (&up, "PENDING_NEW")] {
        let report = event(&mut socket, "executionReport");
        assert_eq!(
            [&report["i"], &report["x"], &report["X"]],
            [&leg["orderId"], &json!("NEW"), &json!(state)]
        );
        assert_eq!((&report["g"], &report["w"]), (&list, &json!(state == "NEW")), "{report}");
    }
    let told = event(&mut socket, "listStatus");
    assert_eq!(
        (&told["c"], &told["l"], &told["O"][2]["c"]),
        (&json!("OTO"), &json!("EXEC_STARTED"), &json!("up"))
    );
    let position = event(&mut socket, "outboundAccountPosition");
    assert_eq!(
        position["B"].as_array().map(Vec::len),
        Some(1),
        "nothing but the buy is reserved: {position}"
    );

    fill(&exchange, &first["orderId"], "0.004");
    assert_eq!(event(&mut socket, "executionReport")["X"], "PARTIALLY_FILLED");
    assert_eq!(status(&exchange, &up["orderId"]), "PENDING_NEW", "a part sets nothing off");
    fill(&exchange, &first["orderId"], "0.006");
    assert_eq!(event(&mut socket, "executionReport")["X"], "FILLED");
    for leg in [&down, &up] {
        let report = event(&mut socket, "executionReport");
        assert_eq!(
            [&report["i"], &report["x"], &report["X"]],
            [&leg["orderId"], &json!("NEW"), &json!("NEW")]
        );
    }
    fill(&exchange, &up["orderId"], "0.01");
    let ended = event(&mut socket, "executionReport");
    assert_eq!([&ended["i"], &ended["eR"]], [&down["orderId"], &json!("OCO_TRIGGER")]);
    assert_eq!(event(&mut socket, "executionReport")["X"], "FILLED");
    assert_eq!(event(&mut socket, "listStatus")["L"], "ALL_DONE");
    let asked = exchange.signed("GET", "/api/v3/orderList", &format!("orderListId={list}")).2;
    assert_eq!((&asked["contingencyType"], &asked["listOrderStatus"]), (&json!("OTO"), &json!("ALL_DONE")));
}

#[test]
fn a_list_that_fills_on_arrival_still_shows_what_waited_and_a_cancel_ends_it_whole() {
    let exchange = Exchange::start(&[]);
    let (bid, ask) = exchange.top("BTCUSDT");
    let oto = |working: f64, name: &str| {
        let mut params = with(
            bid,
            &json!({"pendingType": "LIMIT", "pendingTimeInForce": "GTC", "pendingPrice": format!("{:.2}", ask * 1.05),
                "newOrderRespType": "FULL"}),
        );
        params["workingPrice"] = json!(format!("{working:.2}"));
        params["workingClientOrderId"] = json!(name);
        exchange.signed("POST", "/api/v3/orderList/oto", &query(&params))
    };
    let (code, _, taken) = oto(ask * 1.01, "taker");
    assert_eq!(code, 200, "{taken}");
    let [first, second] = [0, 1].map(|at| taken["orderReports"][at].clone());
    assert_eq!((&first["status"], &second["status"]), (&json!("FILLED"), &json!("PENDING_NEW")), "{taken}");
    assert!(first["fills"].as_array().is_some_and(|fills| !fills.is_empty()) && second["fills"] == json!([]));
    assert_eq!(status(&exchange, &second["orderId"]), "NEW", "and has come on the book since");

    for (at, name) in [(0, "one"), (1, "two")] {
        let (code, _, resting) = oto(bid * 0.9, name);
        assert_eq!(code, 200, "{resting}");
        let ids = [0, 1].map(|at| resting["orderReports"][at]["orderId"].clone());
        let cancel = format!("symbol=BTCUSDT&orderId={}", ids[at]);
        assert_eq!(exchange.signed("DELETE", "/api/v3/order", &cancel).2["status"], "CANCELED");
        assert_eq!(ids.map(|id| status(&exchange, &id)), ["CANCELED", "CANCELED"]);
    }
    let open = exchange.signed("GET", "/api/v3/openOrderList", "").2;
    assert_eq!(open.as_array().map(Vec::len), Some(1), "the first: {open}");
}

#[test]
fn lists_that_do_not_fit_are_refused_by_name() {
    let exchange = Exchange::start(&[]);
    let (bid, ask) = exchange.top("BTCUSDT");
    let good = pair(bid, ask);
    for (name, value, code, words) in [
        ("workingType", "MARKET", -1106, "'workingTimeInForce'"),
        ("workingTimeInForce", "", -1105, "'workingTimeInForce'"),
        ("pendingAboveType", "LIMIT", -1102, "'pendingAboveTimeInForce'"),
        ("pendingSide", "UP", -1117, "side"),
        ("pendingQuantity", "", -1105, "'pendingQuantity'"),
        ("pendingQuantity", "0.000001", -1013, "LOT_SIZE"),
        ("pendingBelowStopPrice", "9999999.00", -2010, "relationship"),
        ("pendingAboveClientOrderId", "in", -2010, "Duplicate"),
    ] {
        let mut params = good.clone();
        params[name] = json!(value);
        let (status, _, body) = exchange.signed("POST", "/api/v3/orderList/otoco", &query(&params));
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{name}={value}: {body}");
        assert!(body["msg"].as_str().is_some_and(|text| text.contains(words)), "{body}");
    }
    let mut params = good;
    params["workingType"] = json!("STOP_LOSS_LIMIT");
    params["workingStopPrice"] = json!(format!("{:.2}", ask * 1.1));
    let refused = exchange.signed("POST", "/api/v3/orderList/otoco", &query(&params)).2;
    assert_eq!(refused["code"], -1116, "{refused}");
    assert_eq!(exchange.signed("GET", "/api/v3/openOrders", "").2, json!([]));
    let info = exchange.http("GET", "/api/v3/exchangeInfo?symbol=BTCUSDT", "", "").2;
    assert_eq!(info["symbols"][0]["otoAllowed"], true);
    assert_eq!(info["sors"], Value::Null);
}

#[test]
fn a_stop_that_trails_says_so_everywhere() {
    let exchange = Exchange::start(&[]);
    let mut socket = exchange.socket("/ws-api/v3");
    socket.ask(&signed(&exchange, "userDataStream.subscribe.signature", json!({})));
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&newOrderRespType=RESULT";
    let (status, _, placed) = exchange.signed("POST", "/api/v3/order", &format!("{stop}&trailingDelta=2000"));
    assert_eq!((status, &placed["trailingDelta"]), (200, &json!(2_000)), "{placed}");
    assert!(
        placed["trailingTime"].as_i64().is_some_and(|since| since > 0),
        "without a price at once: {placed}"
    );
    assert_eq!(placed["stopPrice"], Value::Null);
    let report = event(&mut socket, "executionReport");
    assert_eq!((&report["d"], &report["D"]), (&json!(2_000), &placed["trailingTime"]), "{report}");

    let (bid, ask) = exchange.top("BTCUSDT");
    let later = format!("{stop}&trailingDelta=100&stopPrice={:.2}", bid * 0.9);
    let placed = exchange.signed("POST", "/api/v3/order", &later).2;
    assert_eq!(placed["trailingTime"], -1, "not before its price: {placed}");
    assert_eq!(event(&mut socket, "executionReport")["D"], Value::Null);
    let pair = json!({"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "belowType": "STOP_LOSS",
        "belowTrailingDelta": "500", "aboveType": "LIMIT_MAKER", "abovePrice": format!("{:.2}", ask * 1.05)});
    let (status, _, list) = exchange.signed("POST", "/api/v3/orderList/oco", &query(&pair));
    assert_eq!((status, &list["orderReports"][0]["trailingDelta"]), (200, &json!(500)), "{list}");

    for (more, code, words) in [
        ("trailingDelta=9", -1013, "TRAILING_DELTA"),
        ("trailingDelta=2001", -1013, "TRAILING_DELTA"),
        ("trailingDelta=0", -1013, "TRAILING_DELTA"),
        ("recvWindow=5000", -1102, "'stopPrice' or 'trailingDelta'"),
        ("trailingDelta=10&pegPriceType=PRIMARY_PEG", -1013, "Pegged"),
    ] {
        let (status, _, body) = exchange.signed("POST", "/api/v3/order", &format!("{stop}&{more}"));
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{more}: {body}");
        assert!(body["msg"].as_str().is_some_and(|text| text.contains(words)), "{body}");
    }
    let limit = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={bid:.2}");
    let body = exchange.signed("POST", "/api/v3/order", &format!("{limit}&trailingDelta=100")).2;
    assert_eq!(body["code"], -1106, "{body}");
    let info = exchange.http("GET", "/api/v3/exchangeInfo?symbol=BTCUSDT", "", "").2;
    assert_eq!(info["symbols"][0]["allowTrailingStop"], true);
    let filters = info["symbols"][0]["filters"].to_string();
    assert!(filters.contains(r#""filterType":"TRAILING_DELTA""#), "{filters}");
}
