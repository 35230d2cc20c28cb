//! Binance's text to events.

use crate::domain::decimal::Scale;
use crate::domain::{
    Instrument, InstrumentIndex, Instruments, Liquidity, Market, Nanos, OrderId, Price, Quantity,
};
use crate::message::report::{FEE_SCALE, FeeAsset};
use crate::venue::binance::DecodeError;
use crate::venue::binance::json::{Cursor, Fields};
use crate::venue::binance::number::malformed;
use crate::venue::binance::request_id::{self, Asked};
use crate::venue::{VenueEvent, VenueEventKind};

use super::{CANCEL_REJECTED, NEW_ORDER_REJECTED, NO_SUCH_ORDER, TIMEOUT, UNNAMED, state_named};

/// Scale of a fee.
const FEE: Scale = Scale::new(FEE_SCALE).expect("eight is below the finest scale");

/// Codes of answers that leave the outcome open (binance.md §1, §9): unknown error, disconnected, unexpected
/// response, time-out.
const OPEN_OUTCOMES: [i32; 4] = [-1000, -1001, -1006, TIMEOUT];

/// Keys of the outermost object.
const OUTER: [&str; 8] = ["e", "event", "stream", "data", "id", "status", "error", "result"];

/// Keys of an `executionReport` that are used.
const REPORT: [&str; 15] = ["s", "c", "C", "x", "i", "l", "z", "L", "n", "N", "t", "m", "e", "X", "q"];

/// What reading one message needs.
struct Reader<'a> {
    market: Market,
    instruments: &'a Instruments,
    received: Nanos,
}

/// Reads a user event, bare or wrapped by the WebSocket API or a combined stream, or the answer to a request of ours.
/// `None` for what tells nothing new of an order of ours: other events and orders, and the answers to requests of
/// one order to place, amend or cancel it, because the report that comes with each says the same and says it once.
///
/// An execution of an unknown kind is [`VenueEventKind::Unknown`]: something happened to the order, so ask.
///
/// # Errors
/// When it is not JSON, or a field of an event about our order is missing or not readable.
pub fn decode(
    bytes: &[u8],
    market: Market,
    instruments: &Instruments,
    received: Nanos,
) -> Result<Option<VenueEvent>, DecodeError> {
    let mut cursor = Cursor::new(bytes, 0);
    let outer = cursor.fields(&OUTER)?;
    cursor.finish()?;
    let reader = Reader { market, instruments, received };
    if outer.get(0).is_some() {
        return reader.report(Cursor::new(bytes, 0));
    }
    if let Some(event) = outer.get(1) {
        return reader.report(event);
    }
    if let (Some(_), Some(event)) = (outer.get(2), outer.get(3)) {
        return reader.report(event);
    }
    reader.answer(&outer)
}

/// Keys of a trade in the answer to `myTrades` that are used.
const TRADE: [&str; 8] =
    ["symbol", "id", "orderId", "price", "qty", "commission", "commissionAsset", "isMaker"];

/// Reads the answer to a question for the trades of an order of ours: each trade is an event, in the venue's order.
/// `false` when it is no such answer; an answer that is an error tells one [`VenueEventKind::Unknown`].
///
/// # Errors
/// When it is not JSON, or a field of a trade is missing or not readable. Events before it were told.
pub fn decode_trades(
    bytes: &[u8],
    market: Market,
    instruments: &Instruments,
    received: Nanos,
    on_event: &mut dyn FnMut(&VenueEvent),
) -> Result<bool, DecodeError> {
    let mut cursor = Cursor::new(bytes, 0);
    let outer = cursor.fields(&["id", "error", "result"])?;
    cursor.finish()?;
    let named = outer.get(0).is_some_and(|id| id.peek() == Some(b'"'));
    let asked = if named { request_id::read(outer.text(0)?) } else { None };
    let Some((Asked::Trades, id)) = asked else { return Ok(false) };
    let reader = Reader { market, instruments, received };
    if outer.get(1).is_some() {
        on_event(&reader.event(VenueEventKind::Unknown, id, 0, Quantity::ZERO, UNNAMED));
        return Ok(true);
    }
    outer.need(2)?.array(|element| {
        on_event(&reader.own_trade(element, id)?);
        Ok(())
    })?;
    Ok(true)
}

/// Reads one trade of a `myTrades` list at the cursor, of the order `id`, or of `OrderId::NONE`: the list names only
/// the venue's own id of it.
///
/// # Errors
/// When a field of it is missing or not readable.
pub(in crate::venue::binance) fn decode_trade(
    element: &mut Cursor<'_>,
    market: Market,
    instruments: &Instruments,
    received: Nanos,
    id: OrderId,
) -> Result<VenueEvent, DecodeError> {
    Reader { market, instruments, received }.own_trade(element, id)
}

impl Reader<'_> {
    /// One trade of `myTrades`.
    fn own_trade(&self, element: &mut Cursor<'_>, id: OrderId) -> Result<VenueEvent, DecodeError> {
        let trade = element.fields(&TRADE)?;
        let index = trade.parsed(0, |symbol| self.instruments.find(self.market, symbol))?;
        let instrument = self.instruments.get(index).ok_or_else(|| malformed(0))?;
        let kind = VenueEventKind::Trade {
            price: Price(positive(trade.decimal(3, instrument.price_scale)?)?),
            quantity: self.quantity(&trade, 4, index)?,
            trade_id: trade.need(1)?.unsigned()?,
            fee: trade.decimal(5, FEE)?,
            fee_asset: fee_asset(trade.text(6)?, instrument),
            liquidity: if trade.need(7)?.boolean()? { Liquidity::Maker } else { Liquidity::Taker },
        };
        Ok(self.event(kind, id, trade.need(2)?.unsigned()?, Quantity::ZERO, index))
    }

    fn report(&self, mut event: Cursor<'_>) -> Result<Option<VenueEvent>, DecodeError> {
        let report = event.fields(&REPORT)?;
        if report.text(12)? != "executionReport" {
            return Ok(None);
        }
        // On a cancel `c` is the request's id and `C` the order's; an amended order has kept its own; else `C` is empty.
        let original = if report.get(2).is_some() { report.text(2)? } else { "" };
        let id = if original.is_empty() { report.text(1)? } else { original };
        let Ok(id) = id.parse::<OrderId>() else { return Ok(None) };
        let instrument = report.parsed(0, |symbol| self.instruments.find(self.market, symbol))?;
        let kind = match report.text(3)? {
            "NEW" => VenueEventKind::Accepted,
            "TRADE" => self.trade(&report, instrument)?,
            "CANCELED" => VenueEventKind::Canceled,
            "EXPIRED" => VenueEventKind::Expired,
            "REJECTED" => VenueEventKind::Rejected { code: NEW_ORDER_REJECTED },
            "REPLACED" => VenueEventKind::Amended { quantity: self.quantity(&report, 14, instrument)? },
            // The order stays as it is, or an expiry follows.
            "TRADE_PREVENTION" => return Ok(None),
            _ => VenueEventKind::Unknown,
        };
        let cumulative = self.quantity(&report, 6, instrument)?;
        let venue_order_id = report.need(4)?.unsigned()?;
        Ok(Some(self.event(kind, id, venue_order_id, cumulative, instrument)))
    }

    fn trade<const N: usize>(
        &self,
        report: &Fields<'_, N>,
        index: InstrumentIndex,
    ) -> Result<VenueEventKind, DecodeError> {
        let instrument = self.instruments.get(index).ok_or_else(|| malformed(0))?;
        let fee = report.decimal(8, FEE)?;
        let asset = report.need(9)?;
        let fee_asset = if asset.is_null() {
            // No asset is named where nothing was taken.
            if fee != 0 {
                return Err(malformed(asset.at));
            }
            FeeAsset::Quote
        } else {
            fee_asset(report.text(9)?, instrument)
        };
        let maker = report.need(11)?.boolean()?;
        Ok(VenueEventKind::Trade {
            price: Price(positive(report.decimal(7, instrument.price_scale)?)?),
            quantity: self.quantity(report, 5, index)?,
            trade_id: report.need(10)?.unsigned()?,
            fee,
            fee_asset,
            liquidity: if maker { Liquidity::Maker } else { Liquidity::Taker },
        })
    }

    fn quantity<const N: usize>(
        &self,
        fields: &Fields<'_, N>,
        key: usize,
        instrument: InstrumentIndex,
    ) -> Result<Quantity, DecodeError> {
        let scale = self.instruments.get(instrument).ok_or_else(|| malformed(0))?.quantity_scale;
        positive(fields.decimal(key, scale)?).map(Quantity)
    }

    fn event(
        &self,
        kind: VenueEventKind,
        id: OrderId,
        venue_order_id: u64,
        cumulative: Quantity,
        instrument: InstrumentIndex,
    ) -> VenueEvent {
        VenueEvent { kind, id, venue_order_id, cumulative, instrument, received: self.received }
    }

    fn answer<const N: usize>(&self, outer: &Fields<'_, N>) -> Result<Option<VenueEvent>, DecodeError> {
        let named = outer.get(4).is_some_and(|id| id.peek() == Some(b'"'));
        let Some((asked, id)) = (if named { request_id::read(outer.text(4)?) } else { None }) else {
            return Ok(None);
        };
        let status = outer.need(5)?.unsigned()?;
        let Some(mut error) = outer.get(6) else {
            return match asked {
                Asked::Query => self.state(outer.need(7)?, id),
                Asked::Sweep => Ok(Some(self.event(VenueEventKind::Swept, id, 0, Quantity::ZERO, UNNAMED))),
                _ => Ok(None),
            };
        };
        let error = error.fields(&["code", "data"])?;
        let code = error.need(0)?.signed()?;
        let code = i32::try_from(code).map_err(|_| malformed(0))?;
        let kind = match (asked, code) {
            _ if status >= 500 || OPEN_OUTCOMES.contains(&code) => VenueEventKind::Unknown,
            (Asked::Query | Asked::Place, NO_SUCH_ORDER) => VenueEventKind::QueryNotFound,
            // The question went unanswered.
            (Asked::Query | Asked::Trades, _) => VenueEventKind::Unknown,
            (Asked::Cancel, _) | (Asked::Place, CANCEL_REJECTED) => VenueEventKind::CancelRejected { code },
            (Asked::Place | Asked::Oco, _) => VenueEventKind::Rejected { code },
            (Asked::Amend, _) => VenueEventKind::AmendRejected { code },
            (Asked::Replace, _) => match replacement(code, error.get(1))? {
                Some(kind) => kind,
                None => return Ok(None),
            },
            // There was nothing to cancel.
            (Asked::Sweep, CANCEL_REJECTED) => VenueEventKind::Swept,
            (Asked::Sweep, _) => VenueEventKind::SweepRejected { code },
        };
        let Some(mut data) = error.get(1).filter(|data| data.peek() == Some(b'{')) else {
            return Ok(Some(self.event(kind, id, 0, Quantity::ZERO, UNNAMED)));
        };
        let data = data.fields(&["symbol", "orderId", "executedQty"])?;
        if data.get(0).is_none() {
            return Ok(Some(self.event(kind, id, 0, Quantity::ZERO, UNNAMED)));
        }
        let instrument = data.parsed(0, |symbol| self.instruments.find(self.market, symbol))?;
        let cumulative = self.quantity(&data, 2, instrument)?;
        Ok(Some(self.event(kind, id, data.need(1)?.unsigned()?, cumulative, instrument)))
    }

    /// The result of a query.
    fn state(&self, mut result: Cursor<'_>, id: OrderId) -> Result<Option<VenueEvent>, DecodeError> {
        let result = result.fields(&["symbol", "orderId", "executedQty", "status", "origQty"])?;
        let instrument = result.parsed(0, |symbol| self.instruments.find(self.market, symbol))?;
        let state = state_named(result.text(3)?);
        let cumulative = self.quantity(&result, 2, instrument)?;
        // A tape of an earlier build has no quantity.
        let told = result.get(4).is_some();
        let quantity = if told { self.quantity(&result, 4, instrument)? } else { Quantity::ZERO };
        let kind = VenueEventKind::QueryState { state, quantity };
        Ok(Some(self.event(kind, id, result.need(1)?.unsigned()?, cumulative, instrument)))
    }
}

/// What a refused replacement means for the new order; what it does for the other, that order's own events and questions
/// tell. Without a word on each half nothing was tried.
fn replacement(code: i32, data: Option<Cursor<'_>>) -> Result<Option<VenueEventKind>, DecodeError> {
    let Some(mut data) = data.filter(|data| data.peek() == Some(b'{')) else {
        return Ok(Some(VenueEventKind::Rejected { code }));
    };
    let data = data.fields(&["newOrderResult", "newOrderResponse", "cancelResponse"])?;
    if data.get(0).is_none() {
        return Ok(Some(VenueEventKind::Rejected { code }));
    }
    let half = match data.text(0)? {
        "SUCCESS" => return Ok(None),
        "FAILURE" => 1,
        "NOT_ATTEMPTED" => 2,
        _ => return Ok(Some(VenueEventKind::Unknown)),
    };
    let code = data.need(half)?.fields(&["code"])?.need(0)?.signed()?;
    let code = i32::try_from(code).map_err(|_| malformed(0))?;
    // A new order that was not attempted is none, whatever is not known of the cancel.
    let open = half == 1 && OPEN_OUTCOMES.contains(&code);
    Ok(Some(if open { VenueEventKind::Unknown } else { VenueEventKind::Rejected { code } }))
}

fn fee_asset(name: &str, instrument: &Instrument) -> FeeAsset {
    match name {
        name if name == &*instrument.quote => FeeAsset::Quote,
        name if name == &*instrument.base => FeeAsset::Base,
        "BNB" => FeeAsset::Bnb,
        _ => FeeAsset::Other,
    }
}

/// Prices and quantities are never negative.
fn positive(value: i64) -> Result<i64, DecodeError> {
    if value < 0 { Err(malformed(0)) } else { Ok(value) }
}
