//! Questions about the account that have lists for answers: open orders and trades (binance.md §7), of a session that
//! has logged on. Bytes in, bytes out.

use std::str;

use crate::domain::{
    Instrument, InstrumentIndex, Instruments, Market, Nanos, OrderId, Price, Quantity, Side,
};
use crate::message::report::OrderState;
use crate::venue::{Question, VenueEvent, VenueEventKind};

use super::json::Cursor;
use super::number::malformed;
use super::order_request::{self, TRADES_MAX};
use super::request_id::{self, Asked};
use super::{DecodeError, text, user_data};

/// Id of the question for open orders, and the letter before the instrument of one for its trades.
const OPEN_ORDERS: &str = "o";
const TRADES_FROM: char = 's';

/// Appends the request for a question. `timestamp` is the wall time at the venue; `symbol` looks an instrument up.
/// Says whether there is such an instrument: nothing is appended else.
pub fn encode(question: &Question, instruments: &Instruments, timestamp: Nanos, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let known = match *question {
        Question::OpenOrders => {
            out.extend_from_slice(b"{\"id\":\"o\",\"method\":\"openOrders.status\",\"params\":{");
            true
        }
        Question::TradesOf { instrument, id, venue_order_id, trade_id } => {
            let Some(instrument) = instruments.get(instrument) else { return false };
            order_request::encode_trades(id, (venue_order_id, trade_id), instrument, timestamp, out);
            return true;
        }
        Question::TradesFrom { instrument, trade_id } => {
            out.extend_from_slice(b"{\"id\":\"s");
            text::integer(out, instrument);
            trades_from(out, instruments.get(instrument), trade_id)
        }
    };
    if !known {
        out.truncate(start);
        return false;
    }
    out.extend_from_slice(b"\"timestamp\":");
    text::milliseconds(out, timestamp.0 / 1_000_000);
    out.extend_from_slice(b"}}");
    true
}

fn trades_from(out: &mut Vec<u8>, instrument: Option<&Instrument>, trade_id: u64) -> bool {
    let Some(instrument) = instrument else { return false };
    out.extend_from_slice(b"\",\"method\":\"myTrades\",\"params\":{\"symbol\":");
    text::quoted(out, &instrument.symbol);
    order_request::trades_page(out, trade_id);
    out.push(b',');
    true
}

/// What an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// All of it: the events ended with `OpenOrdersTold` or `TradesTold`.
    All,
    /// As much as one answer holds: ask this for the rest.
    More(Question),
    /// The venue did not answer the question, with this status and code.
    Refused {
        /// HTTP status.
        status: u64,
        /// The venue's code.
        code: i64,
    },
}

fn asked(id: &str) -> Option<Question> {
    if id == OPEN_ORDERS {
        return Some(Question::OpenOrders);
    }
    if let Some(rest) = id.strip_prefix(TRADES_FROM) {
        return Some(Question::TradesFrom { instrument: rest.parse().ok()?, trade_id: 0 });
    }
    match request_id::read(id)? {
        (Asked::Trades, id) => {
            Some(Question::TradesOf { instrument: user_data::UNNAMED, id, venue_order_id: 0, trade_id: 0 })
        }
        _ => None,
    }
}

/// Reads the answer to a question; `None` for every other message.
///
/// # Errors
/// When it is not JSON, or an entry of the list is not readable: what was told before it stands, its end is not told.
pub fn decode(
    bytes: &[u8],
    market: Market,
    instruments: &Instruments,
    received: Nanos,
    on_event: &mut dyn FnMut(&VenueEvent),
) -> Result<Option<Told>, DecodeError> {
    let mut cursor = Cursor::new(bytes, 0);
    let outer = cursor.fields(&["id", "status", "error", "result"])?;
    cursor.finish()?;
    if outer.get(0).is_none_or(|id| id.peek() != Some(b'"')) {
        return Ok(None);
    }
    let Some(question) = asked(outer.text(0)?) else { return Ok(None) };
    let status = outer.need(1)?.unsigned()?;
    if let Some(mut error) = outer.get(2) {
        let code = error.fields(&["code"])?.need(0)?.signed()?;
        return Ok(Some(Told::Refused { status, code }));
    }
    let reader = Reader { market, instruments, received };
    let (mut count, mut last, mut of) = (0, 0, (user_data::UNNAMED, 0));
    outer.need(3)?.array(|cursor| {
        count += 1;
        let event = match question {
            Question::OpenOrders => reader.order(cursor)?,
            Question::TradesOf { id, .. } => reader.trade(cursor, id)?,
            Question::TradesFrom { .. } => reader.trade(cursor, OrderId::NONE)?,
        };
        if let VenueEventKind::Trade { trade_id, .. } = event.kind {
            last = last.max(trade_id);
            of = (event.instrument, event.venue_order_id);
        }
        on_event(&event);
        Ok(())
    })?;
    let (kind, id, instrument) = match question {
        Question::OpenOrders => (VenueEventKind::OpenOrdersTold, OrderId::NONE, user_data::UNNAMED),
        Question::TradesFrom { instrument, .. } if count >= TRADES_MAX => {
            return Ok(Some(Told::More(Question::TradesFrom { instrument, trade_id: last + 1 })));
        }
        Question::TradesOf { id, .. } if count >= TRADES_MAX => {
            let (instrument, venue_order_id) = of;
            let rest = Question::TradesOf { instrument, id, venue_order_id, trade_id: last + 1 };
            return Ok(Some(Told::More(rest)));
        }
        Question::TradesFrom { instrument, .. } => (VenueEventKind::TradesTold, OrderId::NONE, instrument),
        Question::TradesOf { id, instrument, .. } => (VenueEventKind::TradesTold, id, instrument),
    };
    on_event(&reader.event(kind, id, 0, Quantity::ZERO, instrument));
    Ok(Some(Told::All))
}

struct Reader<'a> {
    market: Market,
    instruments: &'a Instruments,
    received: Nanos,
}

impl Reader<'_> {
    /// An open order; of no id where it is not ours, or of an instrument that we do not know.
    fn order(&self, cursor: &mut Cursor<'_>) -> Result<VenueEvent, DecodeError> {
        let fields = cursor.fields(&[
            "symbol",
            "orderId",
            "clientOrderId",
            "executedQty",
            "status",
            "origQty",
            "price",
            "side",
        ])?;
        let venue_order_id = fields.need(1)?.unsigned()?;
        let known = self.instruments.find(self.market, fields.text(0)?);
        // Others' client ids may be any text, with escapes.
        let id = fields.text(2).ok().and_then(|id| id.parse().ok());
        let (Some(instrument), Some(id)) = (known, id) else {
            let kind = VenueEventKind::QueryState { state: OrderState::Open, quantity: Quantity::ZERO };
            return Ok(self.event(kind, OrderId::NONE, venue_order_id, Quantity::ZERO, user_data::UNNAMED));
        };
        let scales = self.instruments.get(instrument).ok_or_else(|| malformed(0))?;
        let cumulative = Quantity(fields.decimal(3, scales.quantity_scale)?);
        let kind = VenueEventKind::OpenOrder {
            state: user_data::state_named(fields.text(4)?),
            side: fields.parsed(7, |text| Side::ALL.iter().copied().find(|side| side.as_str() == text))?,
            price: Price(fields.decimal(6, scales.price_scale)?),
            quantity: Quantity(fields.decimal(5, scales.quantity_scale)?),
        };
        Ok(self.event(kind, id, venue_order_id, cumulative, instrument))
    }

    fn trade(&self, cursor: &mut Cursor<'_>, id: OrderId) -> Result<VenueEvent, DecodeError> {
        user_data::decode_trade(cursor, self.market, self.instruments, self.received, id)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Liquidity, SourceId};
    use crate::message::report::FeeAsset;
    use crate::venue::binance::decode::tests::{instrument, instruments};

    fn told(text: &str) -> (Vec<VenueEvent>, Result<Option<Told>, DecodeError>) {
        let table = instruments(vec![
            instrument("ETHUSDT", Market::Spot, 2, 4),
            instrument("BTCUSDT", Market::Spot, 2, 5),
        ]);
        let mut events = Vec::new();
        let outcome =
            decode(text.as_bytes(), Market::Spot, &table, Nanos(5), &mut |event| events.push(*event));
        (events, outcome)
    }

    fn id() -> OrderId {
        OrderId { epoch: 1, source: SourceId(2), source_epoch: 3, sequence: 0x4f }
    }

    #[test]
    fn questions_come_back_with_their_answers() {
        let table = instruments(vec![
            instrument("ETHUSDT", Market::Spot, 2, 4),
            instrument("BTCUSDT", Market::Spot, 2, 5),
        ]);
        let of = Question::TradesOf { instrument: 1, id: id(), venue_order_id: 77, trade_id: 5 };
        let from = Question::TradesFrom { instrument: 1, trade_id: 9 };
        let expected = [
            (Question::OpenOrders, r#"{"id":"o","method":"openOrders.status","params":{"timestamp":7}}"#),
            (
                of,
                r#"{"id":"m-1-2-3-4f","method":"myTrades","params":{"symbol":"BTCUSDT","orderId":77,"limit":1000,"fromId":5,"timestamp":7}}"#,
            ),
            (
                from,
                r#"{"id":"s1","method":"myTrades","params":{"symbol":"BTCUSDT","limit":1000,"fromId":9,"timestamp":7}}"#,
            ),
        ];
        for (question, text) in expected {
            let mut out = Vec::new();
            assert!(encode(&question, &table, Nanos::from_millis(7), &mut out));
            assert_eq!(String::from_utf8_lossy(&out), text);
            let id = text[7..].split('"').next().expect("an id");
            let same = match asked(id).expect("ours") {
                Question::TradesOf { id, .. } => {
                    Question::TradesOf { instrument: 1, id, venue_order_id: 77, trade_id: 5 }
                }
                Question::TradesFrom { instrument, .. } => Question::TradesFrom { instrument, trade_id: 9 },
                Question::OpenOrders => Question::OpenOrders,
            };
            assert_eq!(same, question);
        }
        let unknown = Question::TradesFrom { instrument: 7, trade_id: 1 };
        let mut out = b"x".to_vec();
        assert!(!encode(&unknown, &table, Nanos::ZERO, &mut out));
        assert_eq!(out, b"x");
    }

    #[test]
    fn lists_become_events_and_an_end() {
        let (events, outcome) = told(
            r#"{"id":"o","status":200,"result":[
            {"symbol":"BTCUSDT","orderId":7,"clientOrderId":"t-1-2-3-4f","price":"100.5","origQty":"0.75","executedQty":"0.5","status":"PARTIALLY_FILLED","side":"SELL"},
            {"symbol":"BTCUSDT","orderId":8,"clientOrderId":"web_1","executedQty":"0.0","status":"NEW"}]}"#,
        );
        assert_eq!(outcome, Ok(Some(Told::All)));
        let kinds: Vec<_> = events.iter().map(|e| (e.kind, e.id, e.venue_order_id, e.cumulative)).collect();
        let ours = VenueEventKind::OpenOrder {
            state: OrderState::Partial,
            side: Side::Sell,
            price: Price(10_050),
            quantity: Quantity(75_000),
        };
        let theirs = VenueEventKind::QueryState { state: OrderState::Open, quantity: Quantity::ZERO };
        assert_eq!(
            kinds,
            [
                (ours, id(), 7, Quantity(50_000)),
                (theirs, OrderId::NONE, 8, Quantity(0)),
                (VenueEventKind::OpenOrdersTold, OrderId::NONE, 0, Quantity(0)),
            ]
        );
        let one = r#"{"symbol":"BTCUSDT","id":5,"orderId":7,"price":"100.5","qty":"0.1","commission":"0.01","commissionAsset":"USDT","isMaker":true}"#;
        for (name, order) in [("m-1-2-3-4f", id()), ("s1", OrderId::NONE)] {
            let (events, outcome) = told(&format!(r#"{{"id":"{name}","status":200,"result":[{one}]}}"#));
            assert_eq!(outcome, Ok(Some(Told::All)));
            let trade = VenueEventKind::Trade {
                price: Price(10_050),
                quantity: Quantity(10_000),
                trade_id: 5,
                fee: 1_000_000,
                fee_asset: FeeAsset::Quote,
                liquidity: Liquidity::Maker,
            };
            let kinds: Vec<_> = events.iter().map(|e| (e.kind, e.id)).collect();
            assert_eq!(kinds, [(trade, order), (VenueEventKind::TradesTold, order)]);
        }
        let many = vec![one; TRADES_MAX].join(",");
        let of = Question::TradesOf { instrument: 1, id: id(), venue_order_id: 7, trade_id: 6 };
        let from = Question::TradesFrom { instrument: 1, trade_id: 6 };
        for (name, rest) in [("s1", from), ("m-1-2-3-4f", of)] {
            let (events, outcome) = told(&format!(r#"{{"id":"{name}","status":200,"result":[{many}]}}"#));
            assert_eq!(outcome, Ok(Some(Told::More(rest))));
            assert_eq!(events.len(), TRADES_MAX, "their end is not told before the rest");
        }
    }

    #[test]
    fn what_is_no_list_of_ours_is_left_or_refused() {
        for other in
            [r#"{"e":"executionReport"}"#, r#"{"id":"t-1-1-1-1","status":200}"#, r#"{"id":1,"status":200}"#]
        {
            assert_eq!(told(other), (vec![], Ok(None)), "{other}");
        }
        let refused = r#"{"id":"o","status":429,"error":{"code":-1003,"msg":"x"}}"#;
        assert_eq!(told(refused).1, Ok(Some(Told::Refused { status: 429, code: -1003 })));
        for bad in [
            r#"{"id":"o","status":200,"result":[{"symbol":"BTCUSDT"}]}"#,
            r#"{"id":"o","status":200,"result":[,]}"#,
            r#"{"id":"o","status":200}"#,
            r#"{"id":"s9","status":200,"result":[{"id":1}]}"#,
        ] {
            assert!(told(bad).1.is_err(), "{bad}");
        }
    }
}
