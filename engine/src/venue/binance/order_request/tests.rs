//! Both directions against each other and against what the venue documents.

use super::*;
use crate::domain::SourceId;
use crate::message::IntentKind;
use crate::venue::binance::decode::tests::{instrument, instruments};
use proptest::array::{uniform2, uniform3};
use proptest::prelude::*;
use std::sync::Arc;

fn table() -> Arc<Instruments> {
    instruments(vec![
        instrument("ETHUSDT", Market::UsdMargined, 2, 3),
        instrument("BTCUSDT", Market::Spot, 8, 8),
        instrument("这是测试币456", Market::Spot, 8, 5),
    ])
}

fn intent(sequence: u64) -> Intent {
    let id = OrderId { epoch: 7, source: SourceId(2), source_epoch: 1, sequence };
    Intent {
        id,
        price: Price(10_050_000_000),
        quantity: Quantity(100_000),
        instrument: 1,
        kind: IntentKind::New.code(),
        side: Side::Buy.code(),
        order_type: OrderType::Limit.code(),
        time_in_force: TimeInForce::GoodTillCancel.code(),
        ..Intent::default()
    }
}

const NOW: Nanos = Nanos::from_millis(1_795_361_214_259);

#[test]
fn requests_are_what_the_venue_documents() {
    let all = table();
    let btc = all.get(1).expect("it is listed");
    let mut out = Vec::new();
    encode_place(&intent(26), btc, NOW, &mut out).expect("a valid intent");
    let expected = concat!(
        r#"{"id":"t-7-2-1-1a","method":"order.place","params":{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","#,
        r#""timeInForce":"GTC","quantity":"0.001","price":"100.5","newClientOrderId":"t-7-2-1-1a","#,
        r#""newOrderRespType":"ACK","timestamp":1795361214259}}"#
    );
    assert_eq!(String::from_utf8_lossy(&out), expected);
    out.clear();
    let trigger = Price(10_150_000_000);
    let self_trade = SelfTrade::ExpireBoth.code();
    let stop = Intent { order_type: OrderType::StopLossLimit.code(), trigger, self_trade, ..intent(26) };
    encode_place(&stop, btc, NOW, &mut out).expect("a valid intent");
    assert!(String::from_utf8_lossy(&out).contains(
        r#""type":"STOP_LOSS_LIMIT","timeInForce":"GTC","quantity":"0.001","price":"100.5","stopPrice":"101.5","selfTradePreventionMode":"EXPIRE_BOTH","#
    ));
    out.clear();
    let at_any = Intent { order_type: OrderType::TakeProfit.code(), price: Price::NONE, ..stop };
    encode_place(&at_any, btc, NOW, &mut out).expect("a valid intent");
    assert!(String::from_utf8_lossy(&out).contains(
        r#""type":"TAKE_PROFIT","quantity":"0.001","stopPrice":"101.5","selfTradePreventionMode""#
    ));
    out.clear();
    let cancel = Intent { target: intent(26).id, ..intent(27) };
    encode_cancel(&cancel, btc, NOW, &mut out);
    let expected = concat!(
        r#"{"id":"c-7-2-1-1a","method":"order.cancel","params":{"symbol":"BTCUSDT","#,
        r#""origClientOrderId":"t-7-2-1-1a","newClientOrderId":"t-7-2-1-1b","timestamp":1795361214259}}"#
    );
    assert_eq!(String::from_utf8_lossy(&out), expected);
    let read = decode(&out, Market::Spot, &all).expect("our own").expect("a cancel");
    assert_eq!((read.asked, read.order, read.cancel), (Asked::Cancel, intent(26).id, intent(27).id));
    out.clear();
    encode_amend(&Intent { quantity: Quantity(40_000), ..cancel }, btc, NOW, &mut out);
    let expected = concat!(
        r#"{"id":"a-7-2-1-1a","method":"order.amend.keepPriority","params":{"symbol":"BTCUSDT","#,
        r#""origClientOrderId":"t-7-2-1-1a","newClientOrderId":"t-7-2-1-1a","newQty":"0.0004","#,
        r#""timestamp":1795361214259}}"#
    );
    assert_eq!(String::from_utf8_lossy(&out), expected);
    let read = decode(&out, Market::Spot, &all).expect("our own").expect("an amendment");
    assert_eq!((read.asked, read.order, read.quantity), (Asked::Amend, intent(26).id, Quantity(40_000)));
    out.clear();
    encode_trades(intent(26).id, (4_711, 9), btc, NOW, &mut out);
    let expected = concat!(
        r#"{"id":"m-7-2-1-1a","method":"myTrades","params":{"symbol":"BTCUSDT","orderId":4711,"#,
        r#""limit":1000,"fromId":9,"timestamp":1795361214259}}"#
    );
    assert_eq!(String::from_utf8_lossy(&out), expected);
    out.clear();
    encode_query(intent(26).id, btc, NOW, &mut out);
    let read = decode(&out, Market::Spot, &all).expect("our own").expect("a query");
    assert_eq!((read.asked, read.order, read.timestamp), (Asked::Query, intent(26).id, NOW));
}

#[test]
fn requests_for_two_orders_or_all_are_what_the_venue_documents() {
    let all = table();
    let btc = all.get(1).expect("it is listed");
    let mut out = Vec::new();
    let replace = Intent { target: intent(25).id, ..intent(26) };
    encode_replace(&replace, btc, NOW, &mut out).expect("a valid intent");
    let expected = concat!(
        r#"{"id":"r-7-2-1-1a","method":"order.cancelReplace","params":{"symbol":"BTCUSDT","#,
        r#""cancelReplaceMode":"STOP_ON_FAILURE","cancelOrigClientOrderId":"t-7-2-1-19","#,
        r#""cancelRestrictions":"ONLY_NEW","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.001","#,
        r#""price":"100.5","newClientOrderId":"t-7-2-1-1a","newOrderRespType":"ACK","timestamp":1795361214259}}"#
    );
    assert_eq!(String::from_utf8_lossy(&out), expected);
    let read = decode(&out, Market::Spot, &all).expect("our own").expect("a replacement");
    assert_eq!((read.asked, read.order, read.replaces), (Asked::Replace, intent(26).id, intent(25).id));
    assert_eq!((read.side, read.price), (Some(Side::Buy), Price(10_050_000_000)));
    out.clear();
    encode_sweep(&intent(27), btc, NOW, &mut out);
    let expected = concat!(
        r#"{"id":"s-7-2-1-1b","method":"openOrders.cancelAll","params":{"symbol":"BTCUSDT","#,
        r#""timestamp":1795361214259}}"#
    );
    assert_eq!(String::from_utf8_lossy(&out), expected);
    let read = decode(&out, Market::Spot, &all).expect("our own").expect("a cancel of all");
    assert_eq!((read.asked, read.order, read.instrument), (Asked::Sweep, intent(27).id, 1));
}

#[test]
fn unknown_codes_leave_nothing_behind() {
    let all = table();
    let btc = all.get(1).expect("it is listed");
    let mut out = b"kept".to_vec();
    for broken in [
        Intent { side: 0, ..intent(1) },
        Intent { side: 3, ..intent(1) },
        Intent { order_type: 0, ..intent(1) },
        Intent { order_type: 8, ..intent(1) },
        Intent { time_in_force: 0, ..intent(1) },
        Intent { time_in_force: 4, ..intent(1) },
        Intent { order_type: 9, ..intent(1) },
        Intent { time_in_force: 77, ..intent(1) },
        Intent { self_trade: 7, ..intent(1) },
    ] {
        assert!(encode_place(&broken, btc, NOW, &mut out).is_err());
        assert!(encode_replace(&broken, btc, NOW, &mut out).is_err());
    }
    assert_eq!(out, b"kept");
    let market = Intent { order_type: OrderType::Market.code(), time_in_force: 0, ..intent(1) };
    for time_in_force in [0, 3, 4, u8::MAX] {
        encode_place(&Intent { time_in_force, ..market }, btc, NOW, &mut out)
            .expect("a market order has no lifetime");
    }
    assert!(!String::from_utf8_lossy(&out).contains("timeInForce"));
}

#[test]
fn damaged_requests_are_refused() {
    let all = table();
    let mut out = Vec::new();
    encode_place(&intent(26), all.get(1).expect("it is listed"), NOW, &mut out).expect("a valid intent");
    for cut in 0..out.len() {
        assert!(decode(&out[..cut], Market::Spot, &all).is_err(), "cut at {cut}");
    }
    let text = String::from_utf8(out).expect("text");
    for (from, to) in [
        ("BTCUSDT", "XRPUSDT"),
        ("BUY", "BYE"),
        ("GTC", "GTX"),
        ("\"100.5\"", "100.5"),
        ("1a\",\"method", "1b\",\"method"),
        ("\"id\"", "\"di\""),
        ("1795361214259", "17953612142"),
        ("0.001", "0.000000001"),
        ("\"side\"", "\"type\""),
    ] {
        assert!(decode(text.replacen(from, to, 1).as_bytes(), Market::Spot, &all).is_err(), "{from} to {to}");
    }
    let other = br#"{"id":1,"method":"session.status"}"#;
    assert_eq!(decode(other, Market::Spot, &all), Ok(None));
    assert!(decode(text.as_bytes(), Market::UsdMargined, &all).is_err());
}

proptest! {
    #[test]
    fn requests_read_back(
        index in 0_u32..3, side in 1_u8..=2, order_type in 1_u8..=7, lifetime in 1_u8..=3,
        price in 1..i64::MAX, trigger in 1..i64::MAX, self_trade in 0_u8..=6, quantity in 1..i64::MAX, sequence: u64, millis in 1_500_000_000_000_i64..4_000_000_000_000,
    ) {
        let all = table();
        let instrument = all.get(index).expect("it is listed");
        let order = Intent {
            side, order_type, time_in_force: lifetime, self_trade, instrument: index,
            price: Price(price), trigger: Price(trigger), quantity: Quantity(quantity), ..intent(sequence)
        };
        let mut out = Vec::new();
        encode_place(&order, instrument, Nanos::from_millis(millis), &mut out).expect("valid codes");
        let read = decode(&out, instrument.market, &all).expect("our own").expect("a new order");
        let order_type = OrderType::try_from(order_type).expect("a valid code");
        prop_assert_eq!(read, Request {
            asked: Asked::Place,
            order: order.id,
            cancel: OrderId::NONE,
            replaces: OrderId::NONE,
            instrument: index,
            side: Side::try_from(side).ok(),
            order_type: Some(order_type),
            time_in_force: TimeInForce::try_from(lifetime).ok().filter(|_| matches!(order_type.code(), 1 | 5 | 7)),
            price: if matches!(order_type.code(), 2 | 4 | 6) { Price::NONE } else { order.price },
            trigger: if order_type.code() >= 4 { order.trigger } else { Price::NONE },
            self_trade: SelfTrade::try_from(self_trade).ok(),
            quantity: order.quantity,
            timestamp: Nanos::from_millis(millis),
        });
    }
}

#[test]
fn the_longest_requests_find_room_in_what_is_set_aside() {
    // Each byte of it is written as six.
    let symbol = "\u{1}".repeat(SYMBOL_BYTES_MAX);
    let widest = instrument(&symbol, Market::Spot, Scale::MAX.digits(), Scale::MAX.digits());
    let id =
        OrderId { epoch: u32::MAX, source: SourceId(u16::MAX), source_epoch: u16::MAX, sequence: u64::MAX };
    let least = Intent {
        id,
        target: id,
        price: Price(i64::MIN),
        trigger: Price(i64::MIN),
        quantity: Quantity(i64::MIN),
        side: Side::Sell.code(),
        order_type: OrderType::TakeProfitLimit.code(),
        self_trade: SelfTrade::ExpireBoth.code(),
        ..intent(0)
    };
    let mut out = Vec::with_capacity(REQUEST_ROOM);
    type Ask = fn(&Intent, &Instrument, Nanos, &mut Vec<u8>) -> Result<(), UnknownCode>;
    let asks: [Ask; 3] = [encode_place, encode_replace, |order, instrument, now, out| {
        encode_oco(order, order, instrument, now, out)
    }];
    for ask in asks {
        out.clear();
        ask(&least, &widest, Nanos(i64::MIN), &mut out).expect("known codes");
        assert!(out.len() > 600, "{}", String::from_utf8_lossy(&out));
        assert_eq!(out.capacity(), REQUEST_ROOM, "it did not grow");
    }
}

/// The request by the types' own ways to show themselves.
fn shown(order: &Intent, instrument: &Instrument, timestamp: Nanos) -> String {
    let order_type = OrderType::try_from(order.order_type).expect("a valid code");
    let side = Side::try_from(order.side).expect("a valid code");
    let lifetime = TimeInForce::try_from(order.time_in_force).ok().filter(|_| order_type.has_time_in_force());
    let given = |is_given: bool, name: &str, value: String| {
        if is_given { format!(",\"{name}\":\"{value}\"") } else { String::new() }
    };
    let prices = [order.price, order.trigger].map(|price| instrument.show_price(price).to_string());
    let [price, trigger] = prices;
    let mode = SelfTrade::try_from(order.self_trade).map(SelfTrade::as_str);
    [
        format!("{{\"id\":\"{}\",\"method\":\"order.place\",\"params\":{{", order.id),
        format!("\"symbol\":\"{}\",\"side\":\"{side}\",\"type\":\"{order_type}\"", instrument.symbol),
        given(lifetime.is_some(), "timeInForce", lifetime.map(|it| it.to_string()).unwrap_or_default()),
        given(true, "quantity", instrument.show_quantity(order.quantity).to_string()),
        given(!order_type.is_market(), "price", price),
        given(order_type.is_conditional(), "stopPrice", trigger),
        given(mode.is_ok(), "selfTradePreventionMode", mode.unwrap_or_default().to_owned()),
        given(true, "newClientOrderId", order.id.to_string()),
        format!(",\"newOrderRespType\":\"ACK\",\"timestamp\":{}}}}}", timestamp.0 / 1_000_000),
    ]
    .concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn new_orders_are_shown_alike_in_every_way_and_at_any_length(
        (epoch, source, source_epoch, sequence) in any::<(u32, u16, u16, u64)>(), cuts in (0_u32..40, 0_u32..18, 0_u32..18, 0_u32..70),
        values in any::<[i64; 3]>(), lengths in uniform3(0_u32..64), zeros in uniform2(0_u32..9), scales in uniform2(0_u8..=18),
        codes in (1_u8..=2, 1_u8..=7, 1_u8..=3, 0_u8..=6), is_plain in any::<bool>(), timestamp in any::<i64>(),
    ) {
        // Every other order is one that says no more than nearly all do, in numbers as short as theirs.
        let (part, scale, decade) = if is_plain { (16, 9, 1_000_000_000_000_000_000) } else { (u16::MAX, 19, i64::MIN) };
        let id = OrderId {
            epoch: epoch.checked_shr(cuts.0).unwrap_or_default(),
            source: SourceId(source.checked_shr(cuts.1).unwrap_or_default() % part),
            source_epoch: source_epoch.checked_shr(cuts.2).unwrap_or_default() % part,
            sequence: sequence.checked_shr(cuts.3).unwrap_or_default(),
        };
        // Numbers of every length, most of them with zeros at the end, as those of a coarse step are.
        let cut = |at: usize| values[at].wrapping_shr(lengths[at]);
        let cut = |at: usize| if is_plain { cut(at) & i64::MAX >> lengths[at] } else { cut(at) };
        let [quantity, price] = [0, 1].map(|at| cut(at) / 10_i64.pow(zeros[at]) * 10_i64.pow(zeros[at]));
        let (side, order_type, time_in_force, self_trade) = codes;
        let (order_type, self_trade) = if is_plain { (1 + order_type % 3, 0) } else { (order_type, self_trade) };
        let order = Intent {
            id, side, order_type, time_in_force, self_trade,
            price: Price(price), trigger: Price(cut(2)), quantity: Quantity(quantity), ..intent(1)
        };
        let timestamp = Nanos(timestamp.max(decade));
        let scales = scales.map(|digits| digits % scale);
        let listed = instrument("BTCUSDT", Market::Spot, scales[0], scales[1]);
        let expected = shown(&order, &listed, timestamp);
        for encode in [encode_place, new_order::place_any] {
            let mut out = b"kept".to_vec();
            encode(&order, &listed, timestamp, &mut out).expect("valid codes");
            prop_assert_eq!(String::from_utf8_lossy(&out), format!("kept{expected}"));
        }
    }
}

#[test]
fn symbols_of_every_length_are_shown_whole() {
    let names =
        (1..=SYMBOL_BYTES_MAX).map(|length| "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abc"[..length].to_owned());
    // Two that end in the last byte that there is, and in the last but one.
    for name in names.chain(["é".repeat(20), "币".repeat(13)]) {
        let listed = instrument(&name, Market::Spot, 2, 5);
        for encode in [encode_place, new_order::place_any] {
            let mut out = b"kept".to_vec();
            encode(&intent(26), &listed, NOW, &mut out).expect("valid codes");
            assert_eq!(String::from_utf8_lossy(&out), format!("kept{}", shown(&intent(26), &listed, NOW)));
        }
    }
}

#[test]
fn amounts_at_the_ends_of_what_is_short_are_shown_whole() {
    for scale in 0..=18 {
        let listed = instrument("BTCUSDT", Market::Spot, scale, scale);
        let powers = (0..19).map(|digits| 10_i64.pow(digits));
        for value in powers.flat_map(|power| [power - 1, power, power + 1, power / 2 * 3, -power]) {
            for millis in [999_999_999_999, 1_000_000_000_000, NOW.0 / 1_000_000] {
                let order = Intent {
                    price: Price(value),
                    quantity: Quantity(value),
                    ..intent(u64::from(u32::MAX) + 1)
                };
                for sequence in [0, 15, 16, u64::from(u32::MAX), u64::from(u32::MAX) + 1] {
                    let order = Intent { id: OrderId { sequence, ..order.id }, ..order };
                    let mut out = Vec::new();
                    encode_place(&order, &listed, Nanos::from_millis(millis), &mut out).expect("valid codes");
                    let expected = shown(&order, &listed, Nanos::from_millis(millis));
                    assert_eq!(String::from_utf8_lossy(&out), expected);
                }
            }
        }
    }
}
