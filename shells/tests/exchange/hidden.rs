//! Icebergs: what of them the book shows.

use serde_json::{Value, json};

use crate::support::Exchange;

/// What the book shows to sell at a price.
fn shown(exchange: &Exchange, price: &str) -> Option<Value> {
    let book = exchange.http("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000", "", "").2;
    let level = book["asks"].as_array().into_iter().flatten().find(|level| level[0] == price);
    level.map(|level| level[1].clone())
}

#[test]
fn the_book_shows_a_part_at_a_time_and_the_account_all_of_it() {
    let exchange = Exchange::start(&[]);
    let (_, ask) = exchange.top("BTCUSDT");
    // A price at which nobody else stands.
    let price = format!("{:.2}000000", ask * 1.3);
    assert_eq!(shown(&exchange, &price), None);
    let order = format!("symbol=BTCUSDT&side=SELL&quantity=0.01&price={price}&icebergQty=0.004");
    let limit = format!("{order}&type=LIMIT&timeInForce=GTC");
    let (status, _, placed) = exchange.signed("POST", "/api/v3/order", &limit);
    assert_eq!((status, &placed["icebergQty"]), (200, &json!("0.00400000")), "{placed}");
    assert_eq!(shown(&exchange, &price), Some(json!("0.00400000")));
    let queried = exchange.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").2;
    assert_eq!(
        (&queried[0]["icebergQty"], &queried[0]["origQty"]),
        (&json!("0.00400000"), &json!("0.01000000"))
    );
    for (quantity, left) in [
        ("0.003", Some("0.00100000")),
        ("0.001", Some("0.00400000")),
        ("0.004", Some("0.00200000")),
        ("0.002", None),
    ] {
        let target = format!("/admin/fill?order={}&quantity={quantity}", placed["orderId"]);
        assert_eq!(exchange.operator("POST", &target).0, 200);
        assert_eq!(shown(&exchange, &price), left.map(Value::from), "after {quantity}");
    }
    let maker = exchange.signed("POST", "/api/v3/order", &format!("{order}&type=LIMIT_MAKER"));
    assert_eq!(maker.0, 200, "{}", maker.2);
    for (more, code, words) in [
        ("type=LIMIT&timeInForce=IOC", -1014, "combination"),
        ("type=LIMIT&timeInForce=GTC&icebergQty=0.02", -2010, "IcebergQty"),
        ("type=LIMIT&timeInForce=GTC&icebergQty=0.00001", -1013, "ICEBERG_PARTS"),
        ("type=LIMIT&timeInForce=GTC&icebergQty=0.000001", -1013, "LOT_SIZE"),
        ("type=MARKET", -1106, "'icebergQty'"),
    ] {
        let base =
            if more.contains("icebergQty") { order.replace("&icebergQty=0.004", "") } else { order.clone() };
        let (status, _, body) = exchange.signed("POST", "/api/v3/order", &format!("{base}&{more}"));
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{more}: {body}");
        assert!(body["msg"].as_str().is_some_and(|text| text.contains(words)), "{body}");
    }
    let info = exchange.http("GET", "/api/v3/exchangeInfo?symbol=BTCUSDT", "", "").2;
    assert_eq!(info["symbols"][0]["icebergAllowed"], true);
    let filters = info["symbols"][0]["filters"].to_string();
    for filter in [r#""ICEBERG_PARTS","limit":100"#, r#""MAX_NUM_ICEBERG_ORDERS","maxNumIcebergOrders":5"#] {
        assert!(filters.contains(filter), "{filters}");
    }
}
