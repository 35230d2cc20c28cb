//! Order lists: one cancels the other, by REST and by WebSocket.

use serde_json::{Value, json};

use crate::support::{Exchange, Socket};
use crate::websocket::signed;

/// The parameters of a sell of 0.01 around the market, but for ids.
fn around(exchange: &Exchange) -> Value {
    let (bid, ask) = exchange.top("BTCUSDT");
    json!({"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01",
        "aboveType": "LIMIT_MAKER", "abovePrice": format!("{:.2}", ask * 1.05),
        "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": format!("{:.2}", bid * 0.95),
        "belowPrice": format!("{:.2}", bid * 0.94), "belowTimeInForce": "GTC"})
}

pub fn query(params: &Value) -> String {
    let pairs = params.as_object().expect("an object").iter();
    pairs
        .map(|(name, value)| format!("{name}={}", value.as_str().expect("text")))
        .collect::<Vec<_>>()
        .join("&")
}

/// Places a list over REST; its id.
fn place(exchange: &Exchange, name: &str) -> String {
    let mut params = around(exchange);
    params["listClientOrderId"] = json!(name);
    let (status, _, body) = exchange.signed("POST", "/api/v3/orderList/oco", &query(&params));
    assert_eq!(status, 200, "{body}");
    body["orderListId"].to_string()
}

/// The next user event of a kind.
pub fn event(socket: &mut Socket, kind: &str) -> Value {
    socket.until(|message| message["event"]["e"] == kind)["event"].clone()
}

#[test]
fn a_list_is_placed_told_filled_and_done() {
    let exchange = Exchange::start(&[]);
    let mut socket = exchange.socket("/ws-api/v3");
    socket.ask(&signed(&exchange, "userDataStream.subscribe.signature", json!({})));
    let mut params = around(&exchange);
    for (name, id) in [("list", "pair"), ("above", "up"), ("below", "down")] {
        params[format!("{name}ClientOrderId")] = json!(id);
    }
    let placed = socket.ask(&signed(&exchange, "orderList.place.oco", params.clone()));
    let result = &placed["result"];
    assert_eq!(
        (&result["contingencyType"], &result["listStatusType"], &result["listOrderStatus"]),
        (&json!("OCO"), &json!("EXEC_STARTED"), &json!("EXECUTING")),
        "{placed}"
    );
    let list = result["orderListId"].clone();
    let [down, up] = [0, 1].map(|leg| result["orderReports"][leg].clone());
    assert_eq!((&down["clientOrderId"], &down["type"]), (&json!("down"), &json!("STOP_LOSS_LIMIT")));
    assert_eq!((&up["clientOrderId"], &up["type"]), (&json!("up"), &json!("LIMIT_MAKER")));
    assert_eq!((&down["orderListId"], &up["orderListId"]), (&list, &list));
    assert_eq!(result["orders"][1]["orderId"], up["orderId"]);

    for leg in [&down, &up] {
        let report = event(&mut socket, "executionReport");
        assert_eq!((&report["i"], &report["x"], &report["g"]), (&leg["orderId"], &json!("NEW"), &list));
    }
    let told = event(&mut socket, "listStatus");
    assert_eq!(
        (&told["g"], &told["c"], &told["l"], &told["L"], &told["C"]),
        (&list, &json!("OCO"), &json!("EXEC_STARTED"), &json!("EXECUTING"), &json!("pair"))
    );
    assert_eq!(
        told["O"],
        json!([{"s": "BTCUSDT", "i": down["orderId"], "c": "down"}, {"s": "BTCUSDT", "i": up["orderId"], "c": "up"}])
    );
    let position = event(&mut socket, "outboundAccountPosition");
    assert_eq!(position["B"][0]["l"], "0.01000000", "reserved once: {position}");

    // The market takes a part of one: the other ends, before it is told of the trade.
    let fill = |quantity: &str| {
        let target = format!("/admin/fill?order={}&quantity={quantity}", up["orderId"]);
        assert_eq!(exchange.operator("POST", &target).0, 200);
    };
    fill("0.004");
    let ended = event(&mut socket, "executionReport");
    assert_eq!(
        (&ended["i"], &ended["x"], &ended["eR"]),
        (&down["orderId"], &json!("EXPIRED"), &json!("OCO_TRIGGER"))
    );
    assert_eq!(event(&mut socket, "executionReport")["X"], "PARTIALLY_FILLED");
    let ask = json!({"orderListId": list});
    let status = socket.ask(&signed(&exchange, "orderList.status", ask.clone()));
    assert_eq!(status["result"]["listOrderStatus"], "EXECUTING");
    fill("0.006");
    let told = event(&mut socket, "listStatus");
    assert_eq!((&told["l"], &told["L"]), (&json!("ALL_DONE"), &json!("ALL_DONE")));
    let status = socket.ask(&signed(&exchange, "orderList.status", ask));
    assert_eq!(status["result"]["listOrderStatus"], "ALL_DONE");
    assert_eq!(socket.ask(&signed(&exchange, "openOrderLists.status", json!({})))["result"], json!([]));
}

#[test]
fn a_list_ends_whole_however_it_is_cancelled() {
    let exchange = Exchange::start(&[]);
    let lists = |path: &str| exchange.signed("GET", path, "").2.as_array().expect("a list").len();
    let first = place(&exchange, "first");
    let (status, _, twice) = exchange.signed("POST", "/api/v3/orderList/oco", &{
        let mut params = around(&exchange);
        params["listClientOrderId"] = json!("first");
        query(&params)
    });
    assert_eq!((status, &twice["code"]), (400, &json!(-2010)), "{twice}");
    let asked = exchange.signed("GET", "/api/v3/orderList", "origClientOrderId=first").2;
    assert_eq!(asked["orderListId"].to_string(), first);
    let cancel = format!("symbol=BTCUSDT&orderListId={first}&newClientOrderId=away");
    let (status, _, gone) = exchange.signed("DELETE", "/api/v3/orderList", &cancel);
    assert_eq!((status, &gone["listOrderStatus"]), (200, &json!("ALL_DONE")), "{gone}");
    for leg in [0, 1] {
        let report = &gone["orderReports"][leg];
        assert_eq!((&report["status"], &report["clientOrderId"]), (&json!("CANCELED"), &json!("away")));
    }
    assert_eq!(exchange.signed("DELETE", "/api/v3/orderList", &cancel).2["code"], -2011);

    let second = place(&exchange, "second");
    let orders = exchange.signed("GET", "/api/v3/orderList", &format!("orderListId={second}")).2;
    let leg = format!("symbol=BTCUSDT&orderId={}", orders["orders"][1]["orderId"]);
    assert_eq!(exchange.signed("DELETE", "/api/v3/order", &leg).2["status"], "CANCELED");
    assert_eq!((lists("/api/v3/openOrders"), lists("/api/v3/openOrderList")), (0, 0));

    place(&exchange, "third");
    assert_eq!((lists("/api/v3/openOrders"), lists("/api/v3/openOrderList")), (2, 1));
    let all = exchange.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").2;
    assert_eq!(all.as_array().map(Vec::len), Some(1), "the list, not its orders: {all}");
    assert_eq!(all[0]["orderReports"].as_array().map(Vec::len), Some(2));
    assert_eq!((lists("/api/v3/openOrders"), lists("/api/v3/allOrderList")), (0, 3));
    assert_eq!(exchange.signed("GET", "/api/v3/allOrderList", "fromId=3").2[0]["listClientOrderId"], "third");
    assert_eq!(exchange.signed("GET", "/api/v3/orderList", "orderListId=9").2["code"], -2013);
    assert_eq!(exchange.signed("GET", "/api/v3/orderList", "").2["code"], -1102);
}

/// Uses a new exchange's count of orders in ten seconds up but for `left`, then asks for the list around its market; the answer.
pub fn with_room_for(left: u64, path: &str, list: impl Fn(&Exchange) -> Value) -> (Exchange, u16, Value) {
    let exchange = Exchange::start(&[]);
    let count = |head: &str| -> u64 {
        let told = head.lines().find_map(|line| line.strip_prefix("x-mbx-order-count-10s: "));
        told.and_then(|told| told.trim().parse().ok()).expect("a count")
    };
    let (bid, _) = exchange.top("BTCUSDT");
    let order =
        format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price={:.2}", bid * 0.9);
    let mut used = 0;
    // Windows of ten seconds may turn between.
    for _ in 0..200 {
        if used == 50 - left {
            let (status, _, answer) = exchange.signed("POST", path, &query(&list(&exchange)));
            let now = exchange.signed("GET", "/api/v3/rateLimit/order", "").2[0]["count"].as_u64();
            if status != 200 || now > Some(used) {
                return (exchange, status, answer);
            }
        }
        let (status, head, answer) = exchange.signed("POST", "/api/v3/order", &order);
        assert_eq!(status, 200, "{answer}");
        used = count(&head);
        let (status, _, answer) = exchange.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT");
        assert_eq!(status, 200, "{answer}");
    }
    panic!("no window of ten seconds was long enough");
}

#[test]
fn a_pair_takes_two_of_the_count_of_orders() {
    let (exchange, status, answer) = with_room_for(1, "/api/v3/orderList/oco", around);
    assert_eq!((status, &answer["code"]), (429, &json!(-1015)), "{answer}");
    assert_eq!(exchange.signed("GET", "/api/v3/openOrders", "").2, json!([]), "neither was placed");
    let (_, status, answer) = with_room_for(2, "/api/v3/orderList/oco", around);
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn a_list_that_does_not_fit_is_refused_by_name() {
    let exchange = Exchange::start(&[]);
    let good = around(&exchange);
    for (name, value, code, words) in [
        ("aboveType", "LIMIT", -1102, "'aboveTimeInForce'"),
        ("aboveType", "STOP_LOSS", -1106, "'abovePrice'"),
        ("belowType", "TAKE_PROFIT_LIMIT", -1199, "must be above"),
        ("belowTimeInForce", "", -1105, "'belowTimeInForce'"),
        ("belowStopPrice", "", -1105, "'belowStopPrice'"),
        ("belowType", "SOON", -1116, "orderType"),
        ("quantity", "0", -1102, "'quantity'"),
        ("side", "BUY", -1196, "must be above"),
    ] {
        let mut params = good.clone();
        params[name] = json!(value);
        let (status, _, body) = exchange.signed("POST", "/api/v3/orderList/oco", &query(&params));
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{name}={value}: {body}");
        assert!(body["msg"].as_str().is_some_and(|text| text.contains(words)), "{body}");
    }
    let mut params = good;
    params["belowStopPrice"] = params["abovePrice"].clone();
    let (_, _, body) = exchange.signed("POST", "/api/v3/orderList/oco", &query(&params));
    assert_eq!(body["msg"], "The relationship of the prices for the orders is not correct.");
    assert_eq!(exchange.signed("GET", "/api/v3/openOrders", "").2, json!([]));
    let info = exchange.http("GET", "/api/v3/exchangeInfo?symbol=BTCUSDT", "", "").2;
    assert_eq!(info["symbols"][0]["ocoAllowed"], true);
    let filters = info["symbols"][0]["filters"].to_string();
    assert!(filters.contains(r#""filterType":"MAX_NUM_ORDER_LISTS","maxNumOrderLists":20"#), "{filters}");
}
