//! The request against what the venue documents.

use super::*;
use crate::domain::{Market, OrderId, OrderType, Price, Quantity, SelfTrade, Side, SourceId, TimeInForce};
use crate::message::IntentKind;
use crate::venue::binance::decode::tests::{instrument, instruments};

#[test]
fn both_orders_are_in_one_request_as_the_venue_documents_it() {
    let table = instruments(vec![instrument("BTCUSDT", Market::Spot, 8, 8)]);
    let btc = table.get(0).expect("it is listed");
    let above = Intent {
        id: OrderId { epoch: 7, source: SourceId(2), source_epoch: 1, sequence: 26 },
        price: Price(11_050_000_000),
        quantity: Quantity(100_000),
        kind: IntentKind::OcoAbove.code(),
        side: Side::Sell.code(),
        order_type: OrderType::LimitMaker.code(),
        time_in_force: TimeInForce::GoodTillCancel.code(),
        self_trade: SelfTrade::ExpireBoth.code(),
        ..Intent::default()
    };
    let below = Intent {
        id: above.id.next(),
        kind: IntentKind::OcoBelow.code(),
        order_type: OrderType::StopLossLimit.code(),
        trigger: Price(9_050_000_000),
        price: Price(9_000_000_000),
        ..above
    };
    let now = Nanos::from_millis(1_795_361_214_259);
    let mut out = Vec::new();
    encode_oco(&above, &below, btc, now, &mut out).expect("a valid pair");
    let expected = concat!(
        r#"{"id":"o-7-2-1-1a","method":"orderList.place.oco","params":{"symbol":"BTCUSDT","side":"SELL","#,
        r#""quantity":"0.001","aboveType":"LIMIT_MAKER","aboveClientOrderId":"t-7-2-1-1a","abovePrice":"110.5","#,
        r#""belowType":"STOP_LOSS_LIMIT","belowClientOrderId":"t-7-2-1-1b","belowPrice":"90","#,
        r#""belowStopPrice":"90.5","belowTimeInForce":"GTC","selfTradePreventionMode":"EXPIRE_BOTH","#,
        r#""newOrderRespType":"ACK","timestamp":1795361214259}}"#
    );
    assert_eq!(String::from_utf8_lossy(&out), expected);
    out.clear();
    let at_any = Intent { order_type: OrderType::StopLoss.code(), price: Price::NONE, ..below };
    encode_oco(&above, &at_any, btc, now, &mut out).expect("a valid pair");
    let text = String::from_utf8_lossy(&out);
    assert!(
        text.contains(r#""belowClientOrderId":"t-7-2-1-1b","belowStopPrice":"90.5","selfTrade"#),
        "{text}"
    );
    out.clear();
    assert!(encode_oco(&above, &Intent { order_type: 0, ..below }, btc, now, &mut out).is_err());
    assert!(out.is_empty());
}
