//! Events to Binance's own text: what the simulated exchange sends and a recorded session holds.

use crate::domain::{
    Instrument, Liquidity, Nanos, OrderId, OrderType, Price, Quantity, SelfTrade, Side, TimeInForce,
};
use crate::message::report::{FEE_SCALE, FeeAsset, OrderState};
use crate::venue::binance::request_id::{self, Asked};
use crate::venue::binance::text;
use crate::venue::{VenueEvent, VenueEventKind};

use super::{CANCEL_REJECTED, NEW_ORDER_REJECTED, NO_SUCH_ORDER, PENDING_NEW, STATUSES, TIMEOUT};

/// Decimals that Binance writes at least.
const DECIMALS: u8 = 8;

/// What a report tells of an order beside the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderFacts {
    /// Its side.
    pub side: Side,
    /// Its type.
    pub order_type: OrderType,
    /// Its lifetime.
    pub time_in_force: TimeInForce,
    /// Its limit price; 0 for an order without one.
    pub price: Price,
    /// Its trigger price; 0 for one that waits for none.
    pub trigger: Price,
    /// Its self-trade prevention.
    pub self_trade: SelfTrade,
    /// Its quantity.
    pub quantity: Quantity,
    /// Value of all its fills, at the instrument's notional scale.
    pub cumulative_quote: i128,
    /// The cancel request's own id, on a cancel that was asked for; else `OrderId::NONE`.
    pub cancel: OrderId,
    /// The venue's id of this execution.
    pub execution_id: u64,
    /// When the order was created, in whole milliseconds.
    pub created: Nanos,
    /// When this happened, in whole milliseconds.
    pub time: Nanos,
}

/// One event as text in the making.
struct Report<'a> {
    out: &'a mut Vec<u8>,
    instrument: &'a Instrument,
}

impl Report<'_> {
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn key(&mut self, key: &str) {
        self.raw(",\"");
        self.raw(key);
        self.raw("\":");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        text::quoted(self.out, value);
    }

    fn integer(&mut self, key: &str, value: impl Into<i128>) {
        self.key(key);
        text::integer(self.out, value);
    }

    fn time(&mut self, key: &str, at: Nanos) {
        self.integer(key, at.0 / 1_000_000);
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.raw(if value { "true" } else { "false" });
    }

    fn decimal(&mut self, key: &str, value: impl Into<i128>, scale: u8) {
        self.key(key);
        self.raw("\"");
        text::decimal(self.out, value, scale, DECIMALS);
        self.raw("\"");
    }

    fn price(&mut self, key: &str, price: Price) {
        self.decimal(key, price.0, self.instrument.price_scale.digits());
    }

    fn quantity(&mut self, key: &str, quantity: Quantity) {
        self.decimal(key, quantity.0, self.instrument.quantity_scale.digits());
    }

    fn id(&mut self, key: &str, id: OrderId) {
        self.key(key);
        self.raw("\"");
        if id != OrderId::NONE {
            text::IdText::of(id).write(self.out, b't');
        }
        self.raw("\"");
    }
}

/// The fill of a trade; nothing for other events.
struct Fill {
    price: Price,
    quantity: Quantity,
    fee: i64,
    fee_asset: Option<FeeAsset>,
    trade_id: i128,
    maker: bool,
}

/// What happened (`x`), the state after it (`X`) and why an order was rejected (`r`).
fn words(event: &VenueEvent, order: &OrderFacts) -> Option<[&'static str; 3]> {
    Some(match event.kind {
        VenueEventKind::Accepted => ["NEW", "NEW", "NONE"],
        VenueEventKind::Trade { .. } if event.cumulative >= order.quantity => ["TRADE", "FILLED", "NONE"],
        VenueEventKind::Trade { .. } => ["TRADE", "PARTIALLY_FILLED", "NONE"],
        VenueEventKind::Canceled => ["CANCELED", "CANCELED", "NONE"],
        VenueEventKind::Amended { .. } if event.cumulative > Quantity::ZERO => {
            ["REPLACED", "PARTIALLY_FILLED", "NONE"]
        }
        VenueEventKind::Amended { .. } => ["REPLACED", "NEW", "NONE"],
        VenueEventKind::Expired => ["EXPIRED", "EXPIRED", "NONE"],
        VenueEventKind::Rejected { code: NEW_ORDER_REJECTED } => ["REJECTED", "REJECTED", "UNKNOWN_ERROR"],
        _ => return None,
    })
}

/// Appends the `executionReport` of an event: accepted, trade, amended, cancelled, expired, or rejected with -2010, the
/// code that a report stands for. Says whether there is one: of other events the venue tells in an answer.
pub fn encode_report(
    event: &VenueEvent,
    order: &OrderFacts,
    instrument: &Instrument,
    out: &mut Vec<u8>,
) -> bool {
    let Some([execution, status, reason]) = words(event, order) else { return false };
    let fill = match event.kind {
        VenueEventKind::Trade { price, quantity, trade_id, fee, fee_asset, liquidity } => Fill {
            price,
            quantity,
            fee,
            fee_asset: Some(fee_asset),
            trade_id: trade_id.into(),
            maker: liquidity == Liquidity::Maker,
        },
        _ => Fill {
            price: Price::NONE,
            quantity: Quantity::ZERO,
            fee: 0,
            fee_asset: None,
            trade_id: -1,
            maker: false,
        },
    };
    // A cancel that was asked for has the request's id in `c` and the order's in `C`.
    let asked = event.kind == VenueEventKind::Canceled && order.cancel != OrderId::NONE;
    // An amended order keeps its id: it is in both.
    let amended = matches!(event.kind, VenueEventKind::Amended { .. });
    let mut report = Report { out, instrument };
    report.raw("{\"e\":\"executionReport\"");
    report.time("E", order.time);
    report.text("s", &instrument.symbol);
    report.id("c", if asked { order.cancel } else { event.id });
    report.text("S", order.side.as_str());
    report.text("o", order.order_type.as_str());
    report.text("f", order.time_in_force.as_str());
    let quantity =
        if let VenueEventKind::Amended { quantity } = event.kind { quantity } else { order.quantity };
    report.quantity("q", quantity);
    report.price("p", order.price);
    report.price("P", order.trigger);
    report.quantity("F", Quantity::ZERO);
    report.integer("g", -1);
    report.id("C", if asked || amended { event.id } else { OrderId::NONE });
    report.text("x", execution);
    report.text("X", status);
    report.text("r", reason);
    report.integer("i", event.venue_order_id);
    report.quantity("l", fill.quantity);
    report.quantity("z", event.cumulative);
    report.price("L", fill.price);
    fee(&mut report, &fill);
    report.time("T", order.time);
    report.integer("t", fill.trade_id);
    report.integer("I", order.execution_id);
    report.flag("w", execution == "NEW" || status == "PARTIALLY_FILLED");
    report.flag("m", fill.maker);
    report.flag("M", false);
    report.time("O", order.created);
    report.decimal("Z", order.cumulative_quote, instrument.notional_scale());
    report.decimal("Y", instrument.notional(fill.price, fill.quantity), instrument.notional_scale());
    report.price("Q", Price::NONE);
    report.time("W", order.created);
    report.text("V", order.self_trade.as_str());
    report.raw("}");
    true
}

fn fee(report: &mut Report<'_>, fill: &Fill) {
    let Some(asset) = fill.fee_asset else {
        return report.raw(",\"n\":\"0\",\"N\":null");
    };
    report.decimal("n", fill.fee, FEE_SCALE);
    let instrument = report.instrument;
    let asset = match asset {
        FeeAsset::Quote => &instrument.quote,
        FeeAsset::Base => &instrument.base,
        FeeAsset::Other => "OTHER",
        FeeAsset::Bnb => "BNB",
    };
    report.text("N", asset);
}

/// Appends the answer to a request that an event stands for: an error for a rejection, a rejected cancel, an unknown
/// outcome or an unknown order; the order's state for a query. Says whether there is one.
///
/// The venue's errors name only the request. These add the symbol and what is known of the order in `data`, where the
/// venue's own keep such facts, so that a recorded session of the simulated exchange replays exactly.
pub fn encode_answer(event: &VenueEvent, instrument: &Instrument, out: &mut Vec<u8>) -> bool {
    let (asked, code, message) = match event.kind {
        // Only of a replacement: the order that it names is gone. Of a new order it would speak of a cancel.
        VenueEventKind::Rejected { code: CANCEL_REJECTED } => {
            (Asked::Replace, CANCEL_REJECTED, "Order cancel-replace failed.")
        }
        VenueEventKind::Rejected { code } => (Asked::Place, code, "New order rejected."),
        VenueEventKind::CancelRejected { code: CANCEL_REJECTED } => {
            (Asked::Cancel, CANCEL_REJECTED, "Unknown order sent.")
        }
        VenueEventKind::CancelRejected { code } => (Asked::Cancel, code, "Cancel rejected."),
        VenueEventKind::AmendRejected { code } => (Asked::Amend, code, "Order amend rejected."),
        VenueEventKind::Swept => {
            out.extend_from_slice(b"{\"id\":\"");
            request_id::write(out, Asked::Sweep, event.id);
            out.extend_from_slice(b"\",\"status\":200,\"result\":[]}");
            return true;
        }
        VenueEventKind::SweepRejected { code } => (Asked::Sweep, code, "Cancel of open orders rejected."),
        VenueEventKind::Unknown => {
            (Asked::Place, TIMEOUT, "Timeout waiting for response from backend server.")
        }
        VenueEventKind::QueryNotFound | VenueEventKind::QueryState { state: OrderState::NeverPlaced, .. } => {
            (Asked::Query, NO_SUCH_ORDER, "Order does not exist.")
        }
        VenueEventKind::QueryState { state, quantity } => {
            return state_answer(event, (state, quantity), instrument, out);
        }
        _ => return false,
    };
    out.extend_from_slice(b"{\"id\":\"");
    request_id::write(out, asked, event.id);
    let mut answer = Report { out, instrument };
    answer.raw("\"");
    answer.integer("status", if code == TIMEOUT { 504 } else { 400 });
    answer.raw(",\"error\":{\"code\":");
    text::integer(answer.out, code);
    answer.text("msg", message);
    answer.raw(",\"data\":{\"symbol\":");
    text::quoted(answer.out, &instrument.symbol);
    answer.integer("orderId", event.venue_order_id);
    answer.quantity("executedQty", event.cumulative);
    answer.raw("}}}");
    true
}

fn state_answer(
    event: &VenueEvent,
    (state, quantity): (OrderState, Quantity),
    instrument: &Instrument,
    out: &mut Vec<u8>,
) -> bool {
    let status = STATUSES.iter().find(|(_, known)| *known == state).map(|(text, _)| *text);
    let status = match state {
        OrderState::Sent => PENDING_NEW,
        OrderState::Unknown => "UNKNOWN",
        _ => status.unwrap_or_default(),
    };
    out.extend_from_slice(b"{\"id\":\"");
    request_id::write(out, Asked::Query, event.id);
    let mut answer = Report { out, instrument };
    answer.raw("\",\"status\":200,\"result\":{\"symbol\":");
    text::quoted(answer.out, &instrument.symbol);
    answer.integer("orderId", event.venue_order_id);
    answer.integer("orderListId", -1);
    answer.id("clientOrderId", event.id);
    if quantity != Quantity::ZERO {
        answer.quantity("origQty", quantity);
    }
    answer.quantity("executedQty", event.cumulative);
    answer.text("status", status);
    answer.raw("}}");
    true
}
