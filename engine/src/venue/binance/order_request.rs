//! WebSocket API requests about orders: `order.place`, `order.cancel`, `order.cancelReplace`, `order.amend.keepPriority`,
//! `orderList.place.oco`, `openOrders.cancelAll`, `order.status` and `myTrades`, of a session that has logged on, so that they carry a timestamp and no signature (binance.md §7).

use crate::domain::decimal::Scale;
use crate::domain::{
    Instrument, InstrumentIndex, Instruments, Market, Nanos, OrderId, OrderType, Price, Quantity, SelfTrade,
    Side, TimeInForce,
};
use crate::limits::SYMBOL_BYTES_MAX;
use crate::message::Intent;
use crate::wire::UnknownCode;

use super::json::{Cursor, Fields};
use super::number::{malformed, time};
use super::text::{IdText, Page, Sink};
use super::{DecodeError, request_id, text};

pub use super::request_id::Asked;

/// Trades that one answer holds at most (binance.md: `myTrades`, limit).
pub(super) const TRADES_MAX: usize = 1_000;

/// Room that every request finds enough, with the longest piece that it is written in: those of a pair, in numbers of any
/// length, are below 800 bytes but for the symbol. A buffer with so much never grows.
pub const REQUEST_ROOM: usize = 896 + text::quoted_length_max(SYMBOL_BYTES_MAX);

/// Appends a request.
#[inline(always)]
fn request(out: &mut Vec<u8>, write: impl FnOnce(&mut Page<'_, REQUEST_ROOM>)) {
    text::page(out, write);
}

// What stands between two values of a request is one piece of a known length, and most values are texts: so a piece closes
// the text before it and opens the one behind it.

/// What stands before the id of a request.
const HEAD: &str = "{\"id\":\"";

/// What stands between the id of a request for `$method` and its symbol.
macro_rules! method {
    ($method:literal) => {
        concat!("\",\"method\":\"", $method, "\",\"params\":{\"symbol\":\"")
    };
}

/// What stands between a parameter and the next one, which is called `$name`, where both are texts.
macro_rules! next {
    ($name:literal) => {
        concat!("\",\"", $name, "\":\"")
    };
}

/// What stands between a parameter that is a text and the timestamp.
const TIMESTAMP: &str = "\",\"timestamp\":";

/// The same of a request for new orders: what becomes of them is told by their user events, the answer need not say it again.
const ACK_TIMESTAMP: &str = "\",\"newOrderRespType\":\"ACK\",\"timestamp\":";

#[inline(always)]
fn piece(out: &mut impl Sink, piece: &str) {
    out.all(piece.as_bytes());
}

/// Writes a request up to its symbol, whose text stays open. `method` is what [`method!`] makes.
#[inline(always)]
fn head(out: &mut impl Sink, asked: Asked, order: &IdText, method: &str, instrument: &Instrument) {
    piece(out, HEAD);
    order.write(out, asked.letter());
    head_behind(out, method, instrument);
}

/// Writes what of that stands behind the id.
#[inline(always)]
fn head_behind(out: &mut impl Sink, method: &str, instrument: &Instrument) {
    piece(out, method);
    text::symbol(out, &instrument.symbol);
}

/// Writes a parameter that is the id of an order. `before` is what [`next!`] makes.
#[inline(always)]
fn id(out: &mut impl Sink, before: &str, id: &IdText) {
    piece(out, before);
    id.write(out, b't');
}

/// Writes a parameter that is a name. `before` is what [`next!`] makes.
#[inline(always)]
fn name(out: &mut impl Sink, before: &str, name: &str) {
    piece(out, before);
    text::inside(out, name);
}

/// Writes a parameter that is a number. `before` is what [`next!`] makes.
#[inline(always)]
fn number(out: &mut impl Sink, before: &str, value: i64, scale: Scale) {
    piece(out, before);
    text::decimal(out, value, scale.digits(), 0);
}

/// Writes the timestamp, in milliseconds, and the end. `before` is what stands between it and the last parameter.
#[inline(always)]
fn tail(out: &mut impl Sink, before: &str, timestamp: Nanos) {
    piece(out, before);
    text::end(out, timestamp);
}

/// The lifetime of an order whose type has one.
#[inline(always)]
fn lifetime(order: &Intent, order_type: OrderType) -> Result<Option<TimeInForce>, UnknownCode> {
    order_type.has_time_in_force().then(|| TimeInForce::try_from(order.time_in_force)).transpose()
}

/// The self-trade prevention of an order that says.
#[inline(always)]
fn self_trade(order: &Intent) -> Result<Option<SelfTrade>, UnknownCode> {
    (order.self_trade != 0).then(|| SelfTrade::try_from(order.self_trade)).transpose()
}

/// Appends the `order.cancel` request of an intent to cancel its target.
pub fn encode_cancel(order: &Intent, instrument: &Instrument, timestamp: Nanos, out: &mut Vec<u8>) {
    request(out, |out| {
        let target = IdText::of(order.target);
        head(out, Asked::Cancel, &target, method!("order.cancel"), instrument);
        id(out, next!("origClientOrderId"), &target);
        id(out, next!("newClientOrderId"), &IdText::of(order.id));
        tail(out, TIMESTAMP, timestamp);
    });
}

/// Appends the `order.amend.keepPriority` request of an intent to lower its target's quantity. The order keeps its
/// client id, which the venue lets it: so every later event of it names the order that we know.
pub fn encode_amend(order: &Intent, instrument: &Instrument, timestamp: Nanos, out: &mut Vec<u8>) {
    request(out, |out| {
        let target = IdText::of(order.target);
        head(out, Asked::Amend, &target, method!("order.amend.keepPriority"), instrument);
        id(out, next!("origClientOrderId"), &target);
        id(out, next!("newClientOrderId"), &target);
        number(out, next!("newQty"), order.quantity.0, instrument.quantity_scale);
        tail(out, TIMESTAMP, timestamp);
    });
}

/// Appends the `openOrders.cancelAll` request of an intent to cancel whatever is open on its instrument.
pub fn encode_sweep(order: &Intent, instrument: &Instrument, timestamp: Nanos, out: &mut Vec<u8>) {
    request(out, |out| {
        head(out, Asked::Sweep, &IdText::of(order.id), method!("openOrders.cancelAll"), instrument);
        tail(out, TIMESTAMP, timestamp);
    });
}

/// Appends the `order.status` request for `order`.
pub fn encode_query(order: OrderId, instrument: &Instrument, timestamp: Nanos, out: &mut Vec<u8>) {
    request(out, |out| {
        let order = IdText::of(order);
        head(out, Asked::Query, &order, method!("order.status"), instrument);
        id(out, next!("origClientOrderId"), &order);
        tail(out, TIMESTAMP, timestamp);
    });
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
    request(out, |out| {
        head(out, Asked::Trades, &IdText::of(order), method!("myTrades"), instrument);
        piece(out, "\",\"orderId\":");
        text::integer(out, i64::try_from(venue_order_id).unwrap_or(i64::MAX));
        trades_page(out, trade_id);
        tail(out, ",\"timestamp\":", timestamp);
    });
}

/// Appends how many trades of a list are wanted, and from which on.
pub(super) fn trades_page(out: &mut impl Sink, trade_id: u64) {
    piece(out, ",\"limit\":");
    text::integer(out, TRADES_MAX as u64);
    piece(out, ",\"fromId\":");
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
    /// The order that it takes the place of; `OrderId::NONE` where it takes none.
    pub replaces: OrderId,
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

const METHODS: [(&str, Asked); 6] = [
    ("order.place", Asked::Place),
    ("order.cancel", Asked::Cancel),
    ("order.amend.keepPriority", Asked::Amend),
    ("order.status", Asked::Query),
    ("openOrders.cancelAll", Asked::Sweep),
    ("order.cancelReplace", Asked::Replace),
];

const PARAMS: [&str; 13] = [
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
    "cancelOrigClientOrderId",
];

/// Reads a request back, as recorded sessions hold it; `None` for requests of another kind.
///
/// # Errors
/// When it is not JSON, or not one that [`encode_place`], [`encode_replace`], [`encode_cancel`], [`encode_amend`],
/// [`encode_sweep`] or [`encode_query`] could have written.
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
        Asked::Place | Asked::Replace => params.parsed(6, |id| id.parse().ok())?,
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
        replaces: OrderId::NONE,
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
    if asked == Asked::Replace {
        found.replaces = params.parsed(12, |id| id.parse().ok())?;
    }
    if matches!(asked, Asked::Place | Asked::Replace) {
        read_new_order(&params, instruments.get(index).ok_or_else(|| malformed(0))?, &mut found)?;
    }
    Ok(Some(found))
}

/// Reads the parameters of a new order.
fn read_new_order(
    params: &Fields<'_, { PARAMS.len() }>,
    instrument: &Instrument,
    found: &mut Request,
) -> Result<(), DecodeError> {
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
    Ok(())
}

/// The value whose text is `text`.
fn named<T: Copy>(all: &[T], show: fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|&value| show(value) == text)
}

mod new_order;
mod oco;

pub use new_order::{encode_place, encode_replace};
pub use oco::encode_oco;

#[cfg(test)]
mod tests;
