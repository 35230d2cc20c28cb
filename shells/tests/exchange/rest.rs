//! REST: parameters, signatures, orders, errors, limits.

use serde_json::Value;

use crate::support::Exchange;

fn code(answer: &(u16, String, Value)) -> (u16, i64) {
    (answer.0, answer.2["code"].as_i64().unwrap_or(0))
}

#[test]
fn public_requests_answer() {
    let exchange = Exchange::start(&[]);
    let get = |target: &str| exchange.http("GET", target, "", "");
    assert_eq!(get("/api/v3/ping").2.to_string(), "{}");
    let (status, head, time) = get("/api/v3/time");
    assert!(status == 200 && head.contains("x-mbx-used-weight-1m: "), "{head}");
    assert!(time["serverTime"].as_u64().is_some_and(|at| u128::from(at) <= exchange.now()));
    let info = get("/api/v3/exchangeInfo").2;
    assert_eq!(info["symbols"].as_array().map(Vec::len), Some(2));
    assert_eq!(info["symbols"][0]["filters"][0]["filterType"], "PRICE_FILTER");
    let one = get("/api/v3/exchangeInfo?symbols=%5B%22ETHUSDT%22%5D").2;
    assert_eq!(one["symbols"][0]["symbol"], "ETHUSDT");
    let depth = get("/api/v3/depth?symbol=BTCUSDT&limit=5").2;
    assert_eq!(
        (depth["bids"].as_array().map(Vec::len), depth["asks"].as_array().map(Vec::len)),
        (Some(5), Some(5))
    );
    for target in [
        "trades?symbol=BTCUSDT&limit=3",
        "aggTrades?symbol=BTCUSDT&limit=3",
        "klines?symbol=BTCUSDT&interval=1m&limit=3",
        "uiKlines?symbol=ETHUSDT&interval=1s&limit=3",
    ] {
        let (status, _, body) = get(&format!("/api/v3/{target}"));
        assert_eq!((status, body.as_array().map(Vec::len)), (200, Some(3)), "{target}: {body}");
    }
    assert!(get("/api/v3/avgPrice?symbol=BTCUSDT").2["price"].is_string());
    assert_eq!(code(&get("/api/v3/depth?symbol=NOPE")), (400, -1121));
    assert_eq!(code(&get("/api/v3/depth?symbol=btcusdt")), (400, -1100));
    assert_eq!(code(&get("/api/v3/depth")), (400, -1102));
    assert_eq!(code(&get("/api/v3/klines?symbol=BTCUSDT&interval=7m")), (400, -1120));
    assert_eq!(get("/api/v3/nothing").0, 404);
    assert_eq!(exchange.http("POST", "/api/v3/userDataStream", "", "").0, 410);
}

#[test]
fn an_order_lives_and_dies() {
    let exchange = Exchange::start(&[]);
    let (bid, _) = exchange.top("BTCUSDT");
    let price = format!("{:.2}", bid * 0.9);
    let order = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price}&newClientOrderId=mine"
    );
    let (status, head, placed) = exchange.signed("POST", "/api/v3/order", &order);
    assert_eq!((status, placed["status"].as_str()), (200, Some("NEW")), "{placed}");
    assert!(head.contains("x-mbx-order-count-10s: 1"), "{head}");
    assert_eq!(code(&exchange.signed("POST", "/api/v3/order", &order)), (400, -2010));
    let open = exchange.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").2;
    assert_eq!(open.as_array().map(Vec::len), Some(1));
    let account = exchange.signed("GET", "/api/v3/account", "omitZeroBalances=true").2;
    let usdt =
        account["balances"].as_array().into_iter().flatten().find(|balance| balance["asset"] == "USDT");
    assert_ne!(usdt.map(|balance| &balance["locked"]), Some(&Value::from("0.00000000")));
    let queried = exchange.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=mine").2;
    assert_eq!(queried["orderId"], placed["orderId"]);
    let replaced = exchange.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        &format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.02&price={price}&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=mine"),
    );
    assert_eq!((replaced.0, &replaced.2["newOrderResult"]), (200, &Value::from("SUCCESS")), "{}", replaced.2);
    let id = replaced.2["newOrderResponse"]["orderId"].as_u64().expect("an id");
    let again = exchange.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        &format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.02&price={price}&cancelReplaceMode=ALLOW_FAILURE&cancelOrigClientOrderId=mine"),
    );
    assert_eq!(code(&again), (409, -2021), "{}", again.2);
    let both = exchange.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        &format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.02&price={price}&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=mine"),
    );
    assert_eq!(
        (code(&both), &both.2["data"]["newOrderResult"]),
        ((400, -2022), &Value::from("NOT_ATTEMPTED"))
    );
    let amended = exchange.signed(
        "PUT",
        "/api/v3/order/amend/keepPriority",
        &format!("symbol=BTCUSDT&orderId={id}&newQty=0.015"),
    );
    // Its keys are its own: official clients read them.
    let order = &amended.2["amendedOrder"];
    assert_eq!(
        (&order["qty"], &order["executedQty"]),
        (&"0.01500000".into(), &"0.00000000".into()),
        "{order}"
    );
    assert_ne!(order["clientOrderId"], order["origClientOrderId"]);
    let cancelled = exchange.signed("DELETE", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={id}"));
    assert_eq!(cancelled.2["status"], "CANCELED");
    assert_eq!(
        code(&exchange.signed("DELETE", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={id}"))),
        (400, -2011)
    );
    assert_eq!(code(&exchange.signed("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=99999")), (400, -2013));
    let all = exchange.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT");
    assert_eq!(all.2.as_array().map(Vec::len), Some(1), "{}", all.2);
}

#[test]
fn a_market_order_fills_and_the_books_add_up() {
    let exchange = Exchange::start(&[]);
    let placed =
        exchange.signed("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5").2;
    assert_eq!(placed["status"], "FILLED", "{placed}");
    assert!(
        placed["fills"]
            .as_array()
            .is_some_and(|fills| !fills.is_empty() && fills[0]["commissionAsset"] == "BTC")
    );
    let by_value =
        exchange.signed("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=1000").2;
    assert_eq!(by_value["status"], "FILLED", "{by_value}");
    let id = placed["orderId"].as_u64().expect("an id");
    let trades = exchange.signed("GET", "/api/v3/myTrades", &format!("symbol=BTCUSDT&orderId={id}")).2;
    assert_eq!(trades.as_array().map(Vec::len), placed["fills"].as_array().map(Vec::len));
    let (status, _, ledger) = exchange.operator("GET", "/admin/ledger");
    assert_eq!(status, 200);
    // Deposits of BTC: what the account holds, what the market gained and what was taken as fees are 100.
    let number = |value: &Value| {
        value.as_str().and_then(|text| text.replace('.', "").parse::<i128>().ok()).expect("a number")
    };
    let balances = ledger["accounts"][0]["balances"].as_array().expect("balances");
    let btc = balances.iter().find(|balance| balance["asset"] == "BTC").expect("BTC");
    let sum = number(&btc["free"])
        + number(&btc["locked"])
        + number(&ledger["market"]["BTC"])
        + number(&ledger["fees"]["BTC"]);
    assert_eq!(sum, 10_000_000_000);
}

#[test]
fn who_asks_is_checked() {
    let exchange = Exchange::start(&[]);
    let now = exchange.now();
    let key = exchange.key_header();
    let account = |query: &str, headers: &str| {
        code(&exchange.http("GET", &format!("/api/v3/account?{query}"), headers, ""))
    };
    let stamp = format!("timestamp={now}");
    let signed = format!("{stamp}&signature={}", exchange.sign(&stamp));
    assert_eq!(account(&signed, &key), (200, 0));
    assert_eq!(account(&signed, ""), (401, -2014));
    assert_eq!(account(&signed, "X-MBX-APIKEY: nobody\r\n"), (401, -2015));
    assert_eq!(account(&format!("{stamp}&signature=00"), &key), (400, -1022));
    assert_eq!(account(&stamp, &key), (400, -1102));
    let late = format!("timestamp={}", now - 60_000);
    assert_eq!(account(&format!("{late}&signature={}", exchange.sign(&late)), &key), (400, -1021));
    let early = format!("timestamp={}", now + 60_000);
    assert_eq!(account(&format!("{early}&signature={}", exchange.sign(&early)), &key), (400, -1021));
    // A form body, out of order, percent-encoded, with the signature over the query and then the body.
    let (query, body) = (
        "symbol=BTCUSDT&type=MARKET",
        format!("quantity=0.01&newClientOrderId=a%2Db&timestamp={now}&side=SELL"),
    );
    let signature = exchange.sign(&format!("{query}{body}"));
    let answer = exchange.http(
        "POST",
        &format!("/api/v3/order?{query}"),
        &key,
        &format!("{body}&signature={signature}"),
    );
    assert_eq!((answer.0, &answer.2["clientOrderId"]), (200, &Value::from("a-b")), "{}", answer.2);
    // Ed25519 on REST.
    let key = format!("X-MBX-APIKEY: {}\r\n", exchange.keys["ed25519"]["api_key"].as_str().expect("a key"));
    let signature = exchange.sign_ed25519(&stamp).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    assert_eq!(account(&format!("{stamp}&signature={signature}"), &key), (200, 0));
}

#[test]
fn orders_are_refused_by_name() {
    let exchange = Exchange::start(&[]);
    let place =
        |params: &str| code(&exchange.signed("POST", "/api/v3/order", &format!("symbol=BTCUSDT&{params}")));
    let limit = "side=BUY&type=LIMIT&timeInForce=GTC";
    assert_eq!(place("side=UP&type=LIMIT"), (400, -1117));
    assert_eq!(place("side=BUY&type=SOON"), (400, -1116));
    assert_eq!(place("side=BUY&type=LIMIT&timeInForce=X&quantity=1&price=1"), (400, -1115));
    assert_eq!(place(&format!("{limit}&quantity=1")), (400, -1102));
    assert_eq!(place("side=BUY&type=MARKET"), (400, -1102));
    assert_eq!(place("side=BUY&type=MARKET&quantity=1&price=5"), (400, -1106));
    assert_eq!(place(&format!("{limit}&quantity=1&price=0.123456789")), (400, -1111));
    assert_eq!(place(&format!("{limit}&quantity=1&price=60000.001")), (400, -1013));
    assert_eq!(place(&format!("{limit}&quantity=0.000001&price=60000")), (400, -1013));
    assert_eq!(place(&format!("{limit}&quantity=1&price=1e3")), (400, -1100));
    assert_eq!(place(&format!("{limit}&quantity=0.01&price=60000&newClientOrderId=a%20b")), (400, -1100));
    let (_, ask) = exchange.top("BTCUSDT");
    assert_eq!(
        place(&format!("side=BUY&type=LIMIT_MAKER&quantity=0.01&price={:.2}", ask * 1.05)),
        (400, -2010)
    );
    assert_eq!(place(&format!("{limit}&quantity=100&price={:.2}", ask * 0.9)), (400, -2010));
    let (_, _, failure) = exchange.signed(
        "POST",
        "/api/v3/order",
        &format!("symbol=BTCUSDT&{limit}&quantity=0.01&price={:.2}", ask * 3.0),
    );
    assert_eq!(failure["msg"], "Filter failure: PERCENT_PRICE_BY_SIDE");
}

#[test]
fn limits_run_out() {
    let exchange = Exchange::start(&[]);
    let (bid, _) = exchange.top("BTCUSDT");
    let order =
        format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price={:.2}", bid * 0.9);
    // Windows of ten seconds may turn between: the limit of 50 is met within twice as many.
    let refused =
        (0..110).map(|_| exchange.signed("POST", "/api/v3/order", &order)).find(|answer| answer.0 != 200);
    let refused = refused.expect("a limit");
    assert_eq!(code(&refused), (429, -1015));
    assert!(refused.1.contains("retry-after: "), "{}", refused.1);
    let mut last = (0, 0);
    for _ in 0..130 {
        last = code(&exchange.http("GET", "/api/v3/ticker/24hr", "", ""));
        if last.0 == 418 {
            break;
        }
    }
    assert_eq!(last, (418, -1003));
}
