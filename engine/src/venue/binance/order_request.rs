//! WebSocket API requests about orders: `order.place`, `order.cancel`, `order.amend.keepPriority`, `openOrders.cancelAll`,
//! `order.status` and `myTrades`, of a session that has logged on, so that they carry a timestamp and no signature (binance.md §7).

use crate::domain::decimal::Scale;
use crate::domain::{
    Instrument, InstrumentIndex, Instruments, Market, Nanos, OrderId, OrderType, Price, Quantity, SelfTrade,
    Side, TimeInForce,
};
use crate::message::Intent;
use crate::wire::UnknownCode;

use super::json::Cursor;
use super::number::{malformed, time};
use super::{DecodeError, request_id, text};

pub use super::request_id::Asked;

/// Trades that one answer holds at most (binance.md: `myTrades`, limit).
pub(super) const TRADES_MAX: usize = 1_000;

/// `params` keys are written by this, so that none forgets its quotes.
#[inline(always)]
fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

#[inline(always)]
fn head(out: &mut Vec<u8>, asked: Asked, order: OrderId, method: &str, instrument: &Instrument) {
    out.extend_from_slice(b"{\"id\":\"");
    request_id::write(out, asked, order);
    out.extend_from_slice(b"\",\"method\":\"");
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\",\"params\":{\"symbol\":");
    text::quoted(out, &instrument.symbol);
}

#[inline(always)]
fn id(out: &mut Vec<u8>, name: &str, id: OrderId) {
    key(out, name);
    out.push(b'"');
    text::order_id(out, b't', id);
    out.push(b'"');
}

#[inline(always)]
fn number(out: &mut Vec<u8>, name: &str, value: i64, scale: Scale) {
    key(out, name);
    out.push(b'"');
    text::decimal(out, value, scale.digits(), 0);
    out.push(b'"');
}

/// Writes the timestamp, in milliseconds, and the end.
#[inline(always)]
fn tail(out: &mut Vec<u8>, timestamp: Nanos) {
    key(out, "timestamp");
    text::integer(out, timestamp.0 / 1_000_000);
    out.extend_from_slice(b"}}");
}

/// Appends the `order.place` request of an intent for a new order. `timestamp` is the wall time at the venue.
///
/// # Errors
/// When the intent's side, type, time in force or self-trade prevention has an unknown code: nothing is appended then.
pub fn encode_place(
    order: &Intent,
    instrument: &Instrument,
    timestamp: Nanos,
    out: &mut Vec<u8>,
) -> Result<(), UnknownCode> {
    let side = Side::try_from(order.side)?;
    let order_type = OrderType::try_from(order.order_type)?;
    let self_trade = (order.self_trade != 0).then(|| SelfTrade::try_from(order.self_trade)).transpose()?;
    let timed = order_type.has_time_in_force();
    let time_in_force = timed.then(|| TimeInForce::try_from(order.time_in_force)).transpose()?;
    head(out, Asked::Place, order.id, "order.place", instrument);
    key(out, "side");
    text::quoted(out, side.as_str());
    key(out, "type");
    text::quoted(out, order_type.as_str());
    if let Some(time_in_force) = time_in_force {
        key(out, "timeInForce");
        text::quoted(out, time_in_force.as_str());
    }
    number(out, "quantity", order.quantity.0, instrument.quantity_scale);
    if !order_type.is_market() {
        number(out, "price", order.price.0, instrument.price_scale);
    }
    if order_type.is_conditional() {
        number(out, "stopPrice", order.trigger.0, instrument.price_scale);
    }
    if let Some(mode) = self_trade {
        key(out, "selfTradePreventionMode");
        text::quoted(out, mode.as_str());
    }
    id(out, "newClientOrderId", order.id);
    // What becomes of it is told by its user events; the answer need not say it again.
    key(out, "newOrderRespType");
    text::quoted(out, "ACK");
    tail(out, timestamp);
    Ok(())
}

/// Appends the `order.cancel` request of an intent to cancel its target.
pub fn encode_cancel(order: &Intent, instrument: &Instrument, timestamp: Nanos, out: &mut Vec<u8>) {
    head(out, Asked::Cancel, order.target, "order.cancel", instrument);
    id(out, "origClientOrderId", order.target);
    id(out, "newClientOrderId", order.id);
    tail(out, timestamp);
}

/// Appends the `order.amend.keepPriority` request of an intent to lower its target's quantity. The order keeps its
/// client id, which the venue lets it: so every later event of it names the order that we know.
pub fn encode_amend(order: &Intent, instrument: &Instrument, timestamp: Nanos, out: &mut Vec<u8>) {
    head(out, Asked::Amend, order.target, "order.amend.keepPriority", instrument);
    id(out, "origClientOrderId", order.target);
    id(out, "newClientOrderId", order.target);
    number(out, "newQty", order.quantity.0, instrument.quantity_scale);
    tail(out, timestamp);
}

/// Appends the `openOrders.cancelAll` request of an intent to cancel whatever is open on its instrument.
pub fn encode_sweep(order: &Intent, instrument: &Instrument, timestamp: Nanos, out: &mut Vec<u8>) {
    head(out, Asked::Sweep, order.id, "openOrders.cancelAll", instrument);
    tail(out, timestamp);
}

/// Appends the `order.status` request for `order`.
pub fn encode_query(order: OrderId, instrument: &Instrument, timestamp: Nanos, out: &mut Vec<u8>) {
    head(out, Asked::Query, order, "order.status", instrument);
    id(out, "origClientOrderId", order);
    tail(out, timestamp);
}

/// Appends the `myTrades` request for the trades of `order`, which the venue calls `venue_order_id`, from `trade_id` on:
/// without a first trade the venue would tell the latest, and leave out what does not fit.
pub fn encode_trades(
    order: OrderId,
    (venue_order_id, trade_id): (u64, u64),
    instrument: &Instrument,
    timestamp: Nanos,
    out: &mut Vec<u8>,
) {
    head(out, Asked::Trades, order, "myTrades", instrument);
    key(out, "orderId");
    text::integer(out, i64::try_from(venue_order_id).unwrap_or(i64::MAX));
    trades_page(out, trade_id);
    tail(out, timestamp);
}

/// Appends how many trades of a list are wanted, and from which on.
pub(super) fn trades_page(out: &mut Vec<u8>, trade_id: u64) {
    key(out, "limit");
    text::integer(out, TRADES_MAX as u64);
    key(out, "fromId");
    text::integer(out, trade_id);
}

/// What a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub asked: Asked,
    /// The order that it is about; the request itself, where it names none.
    pub order: OrderId,
    /// Identity of a cancel itself; `OrderId::NONE` otherwise.
    pub cancel: OrderId,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Side, of a new order.
    pub side: Option<Side>,
    /// Type, of a new order.
    pub order_type: Option<OrderType>,
    /// Lifetime, of a new order whose type has one.
    pub time_in_force: Option<TimeInForce>,
    /// Limit price; 0 where there is none.
    pub price: Price,
    /// Trigger price; 0 where there is none.
    pub trigger: Price,
    /// Self-trade prevention, of a new order that says.
    pub self_trade: Option<SelfTrade>,
    /// Quantity, of a new order or as amended; 0 where there is none.
    pub quantity: Quantity,
    /// When it was stamped, in whole milliseconds.
    pub timestamp: Nanos,
}

const METHODS: [(&str, Asked); 5] = [
    ("order.place", Asked::Place),
    ("order.cancel", Asked::Cancel),
    ("order.amend.keepPriority", Asked::Amend),
    ("order.status", Asked::Query),
    ("openOrders.cancelAll", Asked::Sweep),
];

const PARAMS: [&str; 12] = [
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "price",
    "newClientOrderId",
    "origClientOrderId",
    "timestamp",
    "newQty",
    "stopPrice",
    "selfTradePreventionMode",
];

/// Reads a request back, as recorded sessions hold it; `None` for requests of another kind.
///
/// # Errors
/// When it is not JSON, or not one that [`encode_place`], [`encode_cancel`], [`encode_amend`], [`encode_sweep`] or
/// [`encode_query`] could have written.
pub fn decode(
    bytes: &[u8],
    market: Market,
    instruments: &Instruments,
) -> Result<Option<Request>, DecodeError> {
    let mut cursor = Cursor::new(bytes, 0);
    let request = cursor.fields(&["id", "method", "params"])?;
    cursor.finish()?;
    let method = request.text(1)?;
    let Some(&(_, asked)) = METHODS.iter().find(|(name, _)| *name == method) else { return Ok(None) };
    let params = request.need(2)?.fields(&PARAMS)?;
    let index = params.parsed(0, |symbol| instruments.find(market, symbol))?;
    let (_, own) = request.parsed(0, |id| request_id::read(id).filter(|told| told.0 == asked))?;
    let order = match asked {
        Asked::Place => params.parsed(6, |id| id.parse().ok())?,
        Asked::Sweep => own,
        _ => params.parsed(7, |id| id.parse().ok())?,
    };
    if own != order {
        return Err(malformed(0));
    }
    let mut found = Request {
        asked,
        order,
        cancel: OrderId::NONE,
        instrument: index,
        side: None,
        order_type: None,
        time_in_force: None,
        price: Price::NONE,
        trigger: Price::NONE,
        self_trade: None,
        quantity: Quantity::ZERO,
        timestamp: time(params.need(8)?.unsigned()?).ok_or_else(|| malformed(0))?.0,
    };
    if asked == Asked::Cancel {
        found.cancel = params.parsed(6, |id| id.parse().ok())?;
    }
    if asked == Asked::Amend {
        let instrument = instruments.get(index).ok_or_else(|| malformed(0))?;
        found.quantity = Quantity(params.decimal(9, instrument.quantity_scale)?);
    }
    if asked == Asked::Place {
        let instrument = instruments.get(index).ok_or_else(|| malformed(0))?;
        let order_type = params.parsed(2, |text| named(OrderType::ALL, OrderType::as_str, text))?;
        found.side = Some(params.parsed(1, |text| named(Side::ALL, Side::as_str, text))?);
        found.order_type = Some(order_type);
        found.quantity = Quantity(params.decimal(4, instrument.quantity_scale)?);
        if !order_type.is_market() {
            found.price = Price(params.decimal(5, instrument.price_scale)?);
        }
        if order_type.is_conditional() {
            found.trigger = Price(params.decimal(10, instrument.price_scale)?);
        }
        if params.get(11).is_some() {
            let read = |text: &str| named(SelfTrade::ALL, SelfTrade::as_str, text);
            found.self_trade = Some(params.parsed(11, read)?);
        }
        if order_type.has_time_in_force() {
            let read = |text: &str| named(TimeInForce::ALL, TimeInForce::as_str, text);
            found.time_in_force = Some(params.parsed(3, read)?);
        }
    }
    Ok(Some(found))
}

/// The value whose text is `text`.
fn named<T: Copy>(all: &[T], show: fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|&value| show(value) == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceId;
    use crate::message::IntentKind;
    use crate::venue::binance::decode::tests::{instrument, instruments};
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
        encode_sweep(&cancel, btc, NOW, &mut out);
        let expected = concat!(
            r#"{"id":"s-7-2-1-1b","method":"openOrders.cancelAll","params":{"symbol":"BTCUSDT","#,
            r#""timestamp":1795361214259}}"#
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
        let read = decode(&out, Market::Spot, &all).expect("our own").expect("a cancel of all");
        assert_eq!((read.asked, read.order, read.instrument), (Asked::Sweep, intent(27).id, 1));
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
    fn unknown_codes_leave_nothing_behind() {
        let all = table();
        let btc = all.get(1).expect("it is listed");
        let mut out = b"kept".to_vec();
        for broken in [
            Intent { side: 0, ..intent(1) },
            Intent { order_type: 9, ..intent(1) },
            Intent { time_in_force: 77, ..intent(1) },
            Intent { self_trade: 7, ..intent(1) },
        ] {
            assert!(encode_place(&broken, btc, NOW, &mut out).is_err());
        }
        assert_eq!(out, b"kept");
        let market = Intent { order_type: OrderType::Market.code(), time_in_force: 0, ..intent(1) };
        encode_place(&market, btc, NOW, &mut out).expect("a market order has no lifetime");
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
            assert!(
                decode(text.replacen(from, to, 1).as_bytes(), Market::Spot, &all).is_err(),
                "{from} to {to}"
            );
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
}
