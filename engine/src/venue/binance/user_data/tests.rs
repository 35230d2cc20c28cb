//! Both directions against each other, and the reading side against real messages.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::{
    Instruments, Liquidity, Market, Nanos, OrderId, OrderType, Price, Quantity, SelfTrade, Side, SourceId,
    TimeInForce,
};
use crate::message::report::FeeAsset;
use crate::venue::binance::DecodeError;
use crate::venue::binance::decode::recordings;
use crate::venue::binance::decode::tests::{instrument, instruments};
use crate::venue::{VenueEvent, VenueEventKind};

fn table() -> Arc<Instruments> {
    let mut bnb = instrument("BNBUSDT", Market::Spot, 8, 8);
    bnb.base = "BNB".into();
    instruments(vec![
        instrument("BTCUSDT", Market::Spot, 8, 8),
        bnb,
        instrument("这是测试币456", Market::Spot, 8, 5),
        instrument("BTCUSDT", Market::UsdMargined, 2, 3),
    ])
}

const RECEIVED: Nanos = Nanos(1_795_361_214_259_000_001);

fn facts() -> OrderFacts {
    OrderFacts {
        side: Side::Sell,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        price: Price(10_050_000_000),
        trigger: Price(9_950_000_000),
        self_trade: SelfTrade::ExpireMaker,
        quantity: Quantity(100_000_000),
        cumulative_quote: 5,
        cancel: OrderId { epoch: 9, source: SourceId(1), source_epoch: 1, sequence: 9 },
        execution_id: 77,
        created: Nanos::from_millis(1_795_361_214_000),
        time: Nanos::from_millis(1_795_361_214_258),
    }
}

fn ids() -> impl Strategy<Value = OrderId> {
    (1_u32.., any::<u16>(), any::<u16>(), any::<u64>()).prop_map(|(epoch, source, source_epoch, sequence)| {
        OrderId { epoch, source: SourceId(source), source_epoch, sequence }
    })
}

fn trades() -> impl Strategy<Value = VenueEventKind> {
    let fee_asset = prop::sample::select(FeeAsset::ALL);
    let liquidity = prop::sample::select(Liquidity::ALL);
    (0..i64::MAX, 0..i64::MAX, any::<u64>(), -i64::MAX..i64::MAX, fee_asset, liquidity).prop_map(
        |(price, quantity, trade_id, fee, fee_asset, liquidity)| VenueEventKind::Trade {
            price: Price(price),
            quantity: Quantity(quantity),
            trade_id,
            fee,
            fee_asset,
            liquidity,
        },
    )
}

/// Every kind of event as the venue can say it.
fn kinds() -> impl Strategy<Value = VenueEventKind> {
    // Codes that leave the outcome open are no rejections; -2011 and -2013 speak of cancels and queries.
    let codes = (-3_000..-1_008_i32).prop_filter("speaks of others", |code| ![-2011, -2013].contains(code));
    prop_oneof![
        Just(VenueEventKind::Accepted),
        trades(),
        Just(VenueEventKind::Canceled),
        Just(VenueEventKind::Expired),
        codes.clone().prop_map(|code| VenueEventKind::Rejected { code }),
        Just(VenueEventKind::Rejected { code: -2010 }),
        Just(VenueEventKind::Rejected { code: -2011 }),
        codes.prop_map(|code| VenueEventKind::CancelRejected { code }),
        Just(VenueEventKind::CancelRejected { code: -2011 }),
        Just(VenueEventKind::Unknown),
        Just(VenueEventKind::QueryNotFound),
        prop::sample::select(OrderState::ALL)
            .prop_filter("is no state of the venue's", |state| *state != OrderState::NeverPlaced)
            .prop_flat_map(|state| (Just(state), 0..i64::MAX))
            .prop_map(|(state, quantity)| VenueEventKind::QueryState { state, quantity: Quantity(quantity) }),
        (1..i64::MAX).prop_map(|quantity| VenueEventKind::Amended { quantity: Quantity(quantity) }),
        Just(VenueEventKind::AmendRejected { code: -2038 }),
        Just(VenueEventKind::SweepRejected { code: -1121 }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        kind in kinds(), id in ids(), venue_order_id: u64, cumulative in 0..i64::MAX, index in 0_u32..4, asked: bool,
    ) {
        let all = table();
        let instrument = all.get(index).expect("it is listed");
        // Where BNB is traded, a fee in it is one in the base asset.
        let in_bnb = matches!(kind, VenueEventKind::Trade { fee_asset: FeeAsset::Bnb, .. });
        prop_assume!(!(in_bnb && *instrument.base == *"BNB"));
        let cumulative = Quantity(cumulative);
        let event = VenueEvent { kind, id, venue_order_id, cumulative, instrument: index, received: RECEIVED };
        let order = OrderFacts { cancel: if asked { facts().cancel } else { OrderId::NONE }, ..facts() };
        let (mut report, mut answer) = (Vec::new(), Vec::new());
        let written = [
            encode_report(&event, &order, instrument, &mut report),
            encode_answer(&event, instrument, &mut answer),
        ];
        prop_assert_eq!(written, [!report.is_empty(), !answer.is_empty()]);
        prop_assert!(written[0] || written[1], "{:?} cannot be said", kind);
        let read = |text: &str| decode(text.as_bytes(), instrument.market, &all, RECEIVED);
        for (text, is_report) in [(report, true), (answer, false)] {
            let text = String::from_utf8(text).expect("text");
            if text.is_empty() {
                continue;
            }
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            prop_assert_eq!(read(&text), Ok(Some(event)), "{}", text);
            if is_report {
                let wrapped = format!(r#"{{"subscriptionId":0,"event":{text}}}"#);
                prop_assert_eq!(read(&wrapped), Ok(Some(event)), "{}", wrapped);
                let wrapped = format!(r#"{{"stream":"key","data":{text}}}"#);
                prop_assert_eq!(read(&wrapped), Ok(Some(event)), "{}", wrapped);
            }
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let all = table();
    let btc = all.get(0).expect("it is listed");
    let id = facts().cancel;
    for kind in [
        VenueEventKind::Accepted,
        VenueEventKind::Canceled,
        VenueEventKind::Unknown,
        VenueEventKind::QueryState { state: OrderState::Open, quantity: Quantity(7) },
        VenueEventKind::Amended { quantity: Quantity(7) },
    ] {
        let event = VenueEvent {
            kind,
            id,
            venue_order_id: 5,
            cumulative: Quantity(3),
            instrument: 0,
            received: RECEIVED,
        };
        let mut text = Vec::new();
        assert!(encode_report(&event, &facts(), btc, &mut text) || encode_answer(&event, btc, &mut text));
        for cut in 0..text.len() {
            assert!(decode(&text[..cut], Market::Spot, &all, RECEIVED).is_err(), "cut at {cut}");
        }
    }
}

/// What a real message says, were its ids ours.
fn adopted(payload: &str, client: &str) -> String {
    let id = "t-1-2-3-4";
    payload
        .replace(&format!("\"C\":\"{client}\""), &format!("\"C\":\"{id}\""))
        .replace(&format!("\"c\":\"{client}\""), &format!("\"c\":\"{id}\""))
}

const FILL: &str = r#"{"e":"executionReport","E":1760946670457,"s":"BNBUSDT","c":"mine","S":"BUY","o":"LIMIT","f":"GTC","q":"0.00700000","p":"1125.22000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"TRADE","X":"FILLED","r":"NONE","i":9639329831,"l":"0.00700000","z":"0.00700000","L":"1125.22000000","n":"0.00000525","N":"BNB","T":1760946670456,"t":1251701408,"I":20702626656,"w":false,"m":true,"M":true,"O":1760946669042,"Z":"7.87654000","Y":"7.87654000","Q":"0.00000000","W":1760946669042,"V":"EXPIRE_MAKER"}"#;

#[test]
fn a_fill_is_read_field_by_field() {
    let all = table();
    let read = |text: &str| decode(text.as_bytes(), Market::Spot, &all, RECEIVED);
    assert_eq!(read(FILL), Ok(None), "another client's order");
    let ours = adopted(FILL, "mine");
    let expected = VenueEvent {
        kind: VenueEventKind::Trade {
            price: Price(112_522_000_000),
            quantity: Quantity(700_000),
            trade_id: 1_251_701_408,
            fee: 525,
            fee_asset: FeeAsset::Base,
            liquidity: Liquidity::Maker,
        },
        id: "t-1-2-3-4".parse().expect("an id"),
        venue_order_id: 9_639_329_831,
        cumulative: Quantity(700_000),
        instrument: 1,
        received: RECEIVED,
    };
    assert_eq!(read(&ours), Ok(Some(expected)));
    let kind = |text: &str| read(text).map(|event| event.map(|event| event.kind));
    let elsewhere = kind(&ours.replace("BNBUSDT", "BTCUSDT"));
    assert!(
        matches!(elsewhere, Ok(Some(VenueEventKind::Trade { fee_asset: FeeAsset::Bnb, .. }))),
        "{elsewhere:?}"
    );
    assert_eq!(kind(&ours.replace("\"x\":\"TRADE\"", "\"x\":\"NOVEL\"")), Ok(Some(VenueEventKind::Unknown)));
    let amended = kind(&ours.replace("\"x\":\"TRADE\"", "\"x\":\"REPLACED\""));
    assert!(matches!(amended, Ok(Some(VenueEventKind::Amended { .. }))), "{amended:?}");
    assert_eq!(kind(&ours.replace("\"x\":\"TRADE\"", "\"x\":\"TRADE_PREVENTION\"")), Ok(None));
    for (from, to) in [
        ("BNBUSDT", "XRPUSDT"),
        ("\"l\":\"0.00700000\"", "\"l\":\"-0.00700000\""),
        ("\"N\":\"BNB\"", "\"N\":null"),
        ("\"t\":1251701408", "\"t\":-1"),
        ("\"z\":", "\"Zz\":"),
        ("\"i\":9639329831", "\"i\":\"9639329831\""),
        ("0.00000525", "0.000005251"),
        ("\"m\":true", "\"m\":1"),
        ("\"x\":\"TRADE\"", "\"x\":\"TRADE\",\"x\":\"NEW\""),
    ] {
        assert!(read(&ours.replace(from, to)).is_err(), "{from} to {to}");
    }
}

/// What an answer means, and of which instrument.
fn read(text: &str) -> Result<Option<(VenueEventKind, InstrumentIndex)>, DecodeError> {
    let event = decode(text.as_bytes(), Market::Spot, &table(), RECEIVED);
    event.map(|event| event.map(|event| (event.kind, event.instrument)))
}

/// A refusal of a request.
fn error(id: &str, status: u16, code: i32) -> String {
    format!(
        r#"{{"id":"{id}","status":{status},"error":{{"code":{code},"msg":"x","data":{{"serverTime":1,"retryAfter":2}}}},"rateLimits":[]}}"#
    )
}

#[test]
fn answers_say_what_they_can() {
    for (id, status, code, kind) in [
        ("t-1-1-1-1", 400, -2010, VenueEventKind::Rejected { code: -2010 }),
        ("t-1-1-1-1", 429, -1015, VenueEventKind::Rejected { code: -1015 }),
        ("t-1-1-1-1", 400, -2011, VenueEventKind::CancelRejected { code: -2011 }),
        ("t-1-1-1-1", 400, -2013, VenueEventKind::QueryNotFound),
        ("t-1-1-1-1", 400, -1006, VenueEventKind::Unknown),
        ("t-1-1-1-1", 503, -1008, VenueEventKind::Unknown),
        ("c-1-1-1-1", 429, -1003, VenueEventKind::CancelRejected { code: -1003 }),
        ("c-1-1-1-1", 504, -1007, VenueEventKind::Unknown),
        ("q-1-1-1-1", 400, -2013, VenueEventKind::QueryNotFound),
        ("q-1-1-1-1", 429, -1003, VenueEventKind::Unknown),
        ("s-1-1-1-1", 400, -2011, VenueEventKind::Swept),
        ("s-1-1-1-1", 400, -1121, VenueEventKind::SweepRejected { code: -1121 }),
        ("s-1-1-1-1", 504, -1007, VenueEventKind::Unknown),
    ] {
        assert_eq!(read(&error(id, status, code)), Ok(Some((kind, UNNAMED))), "{id} {status} {code}");
    }
    let swept =
        r#"{"id":"s-1-1-1-1","status":200,"result":[{"symbol":"BTCUSDT","orderId":7,"status":"CANCELED"}]}"#;
    assert_eq!(read(swept), Ok(Some((VenueEventKind::Swept, UNNAMED))));
    for silent in [
        &*error("someone", 400, -2010),
        r#"{"id":null,"status":401,"error":{"code":-2015,"msg":"x"}}"#,
        r#"{"id":"t-1-1-1-1","status":200,"result":{"symbol":"BTCUSDT","orderId":7,"clientOrderId":"t-1-1-1-1"}}"#,
        r#"{"id":"c-1-1-1-1","status":200,"result":{"symbol":"BTCUSDT","status":"CANCELED"}}"#,
        r#"{"result":null,"id":1}"#,
        r#"{"e":"balanceUpdate","E":1,"a":"USDT","d":"1","T":1}"#,
        r#"{"event":{"e":"serverShutdown","E":1777777777777}}"#,
    ] {
        assert_eq!(read(silent), Ok(None), "{silent}");
    }
    let novel = r#"{"id":"q-1-1-1-1","status":200,"result":{"symbol":"BTCUSDT","orderId":7,"executedQty":"0.5","status":"NOVEL"}}"#;
    let unknown = VenueEventKind::QueryState { state: OrderState::Unknown, quantity: Quantity::ZERO };
    assert_eq!(read(novel), Ok(Some((unknown, 0))));
}

#[test]
fn a_refused_replacement_says_what_became_of_the_new_order() {
    let halves = |status: u16, code: i32, cancel: &str, new: &str| {
        format!(
            r#"{{"id":"r-1-1-1-1","status":{status},"error":{{"code":{code},"msg":"x","data":{{{cancel},{new}}}}}}}"#
        )
    };
    let (canceled, kept) = (
        r#""cancelResult":"SUCCESS","cancelResponse":{"symbol":"BTCUSDT","orderId":7}"#,
        r#""cancelResult":"FAILURE","cancelResponse":{"code":-2011,"msg":"x"}"#,
    );
    let unsaid = r#""cancelResult":"FAILURE","cancelResponse":{"code":-1006,"msg":"x"}"#;
    let nothing = r#""newOrderResult":"NOT_ATTEMPTED","newOrderResponse":null"#;
    let refused =
        |code: i32| format!(r#""newOrderResult":"FAILURE","newOrderResponse":{{"code":{code},"msg":"x"}}"#);
    for (text, kind) in [
        (halves(400, -2022, kept, nothing), VenueEventKind::Rejected { code: -2011 }),
        (halves(400, -2022, unsaid, nothing), VenueEventKind::Rejected { code: -1006 }),
        (halves(409, -2021, canceled, &refused(-2010)), VenueEventKind::Rejected { code: -2010 }),
        (halves(409, -2021, canceled, &refused(-1007)), VenueEventKind::Unknown),
        (halves(409, -2021, canceled, r#""newOrderResult":"NOVEL""#), VenueEventKind::Unknown),
        (halves(504, -1007, kept, nothing), VenueEventKind::Unknown),
        (error("r-1-1-1-1", 400, -1013), VenueEventKind::Rejected { code: -1013 }),
        (error("r-1-1-1-1", 429, -1015), VenueEventKind::Rejected { code: -1015 }),
        (error("r-1-1-1-1", 400, -1006), VenueEventKind::Unknown),
    ] {
        assert_eq!(read(&text), Ok(Some((kind, UNNAMED))), "{text}");
    }
    assert!(read(&halves(409, -2021, canceled, r#""newOrderResult":"FAILURE""#)).is_err(), "no code");
    let placed = halves(409, -2021, kept, r#""newOrderResult":"SUCCESS","newOrderResponse":{}"#);
    assert_eq!(read(&placed), Ok(None), "its report tells");
    let done =
        r#"{"id":"r-1-1-1-1","status":200,"result":{"cancelResult":"SUCCESS","newOrderResult":"SUCCESS"}}"#;
    assert_eq!(read(done), Ok(None));
}

#[test]
fn real_messages_are_read() {
    let Some(folder) = recordings() else { return };
    let samples = std::fs::read_to_string(folder.join("samples/user_data_real.jsonl")).expect("the samples");
    let mut seen = 0;
    for line in samples.lines() {
        let sample: Value = serde_json::from_str(line).expect("a sample is JSON");
        let payload = sample["payload"].as_str().expect("a payload");
        let parsed: Value = serde_json::from_str(payload).expect("a payload is JSON");
        let event = [&parsed["event"], &parsed["data"], &parsed]
            .into_iter()
            .find(|v| v.is_object())
            .expect("an event");
        if event["e"] != "executionReport" {
            let found = decode(payload.as_bytes(), Market::Spot, &table(), RECEIVED);
            assert_eq!(found, Ok(None), "{payload}");
            continue;
        }
        seen += 1;
        let symbol = event["s"].as_str().expect("a symbol");
        let all = instruments(vec![instrument(symbol, Market::Spot, 8, 8)]);
        let original = event["C"].as_str().filter(|id| !id.is_empty());
        let client = original.or_else(|| event["c"].as_str()).expect("a client id");
        let found = decode(adopted(payload, client).as_bytes(), Market::Spot, &all, RECEIVED);
        let found = found.unwrap_or_else(|error| panic!("{error}: {payload}")).expect("it is ours now");
        let expected = match event["x"].as_str() {
            Some("NEW") => found.kind == VenueEventKind::Accepted,
            Some("TRADE") => {
                matches!(found.kind, VenueEventKind::Trade { trade_id, .. } if event["t"] == trade_id)
            }
            Some("CANCELED") => found.kind == VenueEventKind::Canceled,
            _ => false,
        };
        assert!(expected && event["i"] == found.venue_order_id, "{found:?}: {payload}");
    }
    assert!(seen >= 10, "only {seen} reports");
}

#[test]
fn trades_of_an_order_are_read_one_by_one_and_only_as_the_answer_to_our_question() {
    let all = table();
    let read = |text: &str| {
        let mut told = Vec::new();
        let answer =
            decode_trades(text.as_bytes(), Market::Spot, &all, RECEIVED, &mut |event| told.push(*event));
        (answer, told)
    };
    let trade = |id: u64, asset: &str| {
        format!(
            r#"{{"symbol":"BNBUSDT","id":{id},"orderId":28,"orderListId":-1,"price":"600.1","qty":"0.007","#
        ) + &format!(
            r#""quoteQty":"4.2007","commission":"0.00000525","commissionAsset":"{asset}","time":1,"isBuyer":true,"isMaker":true}}"#
        )
    };
    let answer = format!(
        r#"{{"id":"m-7-2-1-1a","status":200,"result":[{}, {}],"rateLimits":[]}}"#,
        trade(5, "BNB"),
        trade(6, "XYZ")
    );
    let (found, told) = read(&answer);
    assert_eq!(found, Ok(true));
    let ids: Vec<u64> = told
        .iter()
        .map(|event| match event.kind {
            VenueEventKind::Trade { price, quantity, trade_id, fee, liquidity, .. } => {
                assert_eq!((price, quantity), (Price(60_010_000_000), Quantity(700_000)));
                assert_eq!((fee, liquidity, event.venue_order_id), (525, Liquidity::Maker, 28));
                trade_id
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, [5, 6]);
    assert!(matches!(told[0].kind, VenueEventKind::Trade { fee_asset: FeeAsset::Base, .. }));
    assert!(matches!(told[1].kind, VenueEventKind::Trade { fee_asset: FeeAsset::Other, .. }));

    assert_eq!(read(r#"{"id":"m-7-2-1-1a","status":200,"result":[]}"#), (Ok(true), vec![]));
    let (found, told) = read(r#"{"id":"m-7-2-1-1a","status":429,"error":{"code":-1003,"msg":"Too many."}}"#);
    assert_eq!((found, told[0].kind), (Ok(true), VenueEventKind::Unknown));
    for other in [r#"{"id":"q-7-2-1-1a","status":200,"result":{}}"#, r#"{"e":"executionReport"}"#] {
        assert_eq!(read(other), (Ok(false), vec![]));
    }
    for cut in 0..answer.len() {
        assert!(read(&answer[..cut]).0.is_err(), "cut at {cut}");
    }
    for (from, to) in [("\"qty\":\"0.007\"", "\"qty\":7"), ("BNBUSDT", "NONE"), ("\"id\":5", "\"id\":\"5\"")]
    {
        assert!(read(&answer.replacen(from, to, 1)).0.is_err(), "{to}");
    }
}
