//! Port 5556: orders and execution reports.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `order.place`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// The client's own name for it, echoed; at most 64 bytes. It may be used to cancel on the same connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The symbol.
    pub symbol: String,
    /// `BUY` or `SELL`.
    pub side: String,
    /// `LIMIT`, `MARKET`, `LIMIT_MAKER`, `STOP_LOSS`, `STOP_LOSS_LIMIT`, `TAKE_PROFIT` or `TAKE_PROFIT_LIMIT`.
    #[serde(rename = "type", default = "limit")]
    pub order_type: String,
    /// `GTC`, `IOC` or `FOK`; by default `GTC`, or `IOC` for a type without a limit price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_in_force: Option<String>,
    /// Quantity of the base asset.
    pub quantity: String,
    /// Limit price; absent for `MARKET`, `STOP_LOSS` and `TAKE_PROFIT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// The last price that sets the order off; for the stop and take-profit types alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<String>,
    /// What the venue does where it would trade with another order of the account: `NONE`, `EXPIRE_TAKER`, `EXPIRE_MAKER`,
    /// `EXPIRE_BOTH`, `DECREMENT` or `TRANSFER`; by default what the venue does without a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_trade_prevention: Option<String>,
    /// How long it may still be sent after this request; by default 1000, at most an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for_ms: Option<u64>,
}

fn limit() -> String {
    "LIMIT".to_owned()
}

/// `order.cancel`: by our id, or by the id that the client gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelOrder {
    /// Our id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The client's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// `order.get`: as [`CancelOrder`].
pub type GetOrder = CancelOrder;

/// `order.amend`: a smaller quantity, and nothing else: the order keeps its id and its place. `order.replace`: another
/// quantity, price or stop price, by cancelling and placing anew: in one request, where the venue takes that and nothing of
/// the order is filled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendOrder {
    /// Our id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The client's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The new quantity, what is filled included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// The new price, of a replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// The new stop price, of a replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<String>,
}

/// `orders.open`: all, or those of one symbol or strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderFilter {
    /// Of this symbol alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Of this source alone: a strategy's name, `client` or `operator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
}

/// `order.cancel_all`: all of ours, or those of one symbol or strategy; or whatever the account has open on a symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelAll {
    /// Of this symbol alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Of this source alone: a strategy's name, `client` or `operator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Also what others have placed on the account: one request to the venue for all on the symbol. Needs a symbol, and no
    /// strategy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
}

impl CancelAll {
    /// Which of our orders it means.
    #[must_use]
    pub fn filter(&self) -> OrderFilter {
        OrderFilter { symbol: self.symbol.clone(), strategy: self.strategy.clone() }
    }
}

impl From<OrderFilter> for CancelAll {
    fn from(OrderFilter { symbol, strategy }: OrderFilter) -> Self {
        Self { symbol, strategy, foreign: false }
    }
}

/// `flatten`: cancel everything and close positions with market orders, through risk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Flatten {
    /// This symbol alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
}

/// `fills`: the newest, newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FillsQuery {
    /// Of this symbol alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// At most so many; by default 100, at most 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// An order as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Our id, which is also the venue's client order id.
    pub order_id: String,
    /// The client's own name for it, where one placed it on this port since the service started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The venue's id, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue_order_id: Option<u64>,
    /// The symbol.
    pub symbol: String,
    /// Whose it is: a strategy's name, `client`, `operator`, or `source-N`.
    pub strategy: String,
    /// `BUY` or `SELL`.
    pub side: String,
    /// The type, as in `order.place`.
    #[serde(rename = "type")]
    pub order_type: String,
    /// `GTC`, `IOC` or `FOK`.
    pub time_in_force: String,
    /// Limit price; absent for a type without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// The last price that sets it off; absent for a type that waits for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<String>,
    /// Its self-trade prevention, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_trade_prevention: Option<String>,
    /// Its quantity.
    pub quantity: String,
    /// Filled so far.
    pub filled: String,
    /// Average price of the fills, truncated at the instrument's scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_price: Option<String>,
    /// `APPROVED` until it leaves, then as route reports it: `SENT`, `OPEN`, `PARTIAL`, `PENDING_CANCEL`, `UNKNOWN`,
    /// `FILLED`, `CANCELED`, `EXPIRED`, `REJECTED`, `NEVER_PLACED`.
    pub state: String,
    /// Why risk, route or the venue refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reject_code: Option<String>,
    /// When its source decided.
    pub created_ns: i64,
    /// When it was last heard of.
    pub updated_ns: i64,
}

/// A fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fill {
    /// The order.
    pub order_id: String,
    /// The symbol.
    pub symbol: String,
    /// Whose it is.
    pub strategy: String,
    /// `BUY` or `SELL`.
    pub side: String,
    /// Its price.
    pub price: String,
    /// Its quantity.
    pub quantity: String,
    /// The fee; a rebate is negative.
    pub fee: String,
    /// The asset that the fee was taken in, such as `USDT`; `other` where the venue took one that is neither of the
    /// instrument's nor BNB.
    pub fee_asset: String,
    /// `MAKER` or `TAKER`.
    pub liquidity: String,
    /// The venue's id of the trade.
    pub trade_id: u64,
    /// When route learned of it.
    pub time_ns: i64,
}

/// A push of port 5556: one event in the life of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// What happened: `SENT`, `ACCEPTED`, `FILL`, `CANCELED`, `EXPIRED`, `REJECTED`, `CANCEL_SENT`,
    /// `CANCEL_REJECTED`, `UNKNOWN`, `NEVER_PLACED`; from risk `RISK_REJECTED`.
    pub kind: String,
    /// The fill, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Fill>,
    /// The order after it.
    pub order: Order,
    /// When route, or risk, learned of it.
    pub time_ns: i64,
}

/// What `order.place` and `order.replace` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Placed {
    /// Our id: known before the venue knows the order.
    pub order_id: String,
    /// The client's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// `order.oco`: two orders of one side and quantity of which one cancels the other. Each needs a price or a stop price, and may
/// have both. Of a sell the upper one waits for a better price and the lower one stops a loss, of a buy the other way round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOco {
    /// The symbol.
    pub symbol: String,
    /// `BUY` or `SELL`.
    pub side: String,
    /// Quantity of the base asset, of each.
    pub quantity: String,
    /// The upper one's type; by default what its prices and place mean: `LIMIT_MAKER`, `TAKE_PROFIT` or `TAKE_PROFIT_LIMIT`
    /// of a sell, `STOP_LOSS` or `STOP_LOSS_LIMIT` of a buy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_type: Option<String>,
    /// Its limit price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_price: Option<String>,
    /// The last price that sets it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_stop_price: Option<String>,
    /// Its lifetime; by default as in `order.place`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_time_in_force: Option<String>,
    /// The lower one's type; by default what its prices and place mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_type: Option<String>,
    /// Its limit price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_price: Option<String>,
    /// The last price that sets it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_stop_price: Option<String>,
    /// Its lifetime; by default as in `order.place`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_time_in_force: Option<String>,
    /// As in `order.place`, of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_trade_prevention: Option<String>,
    /// As in `order.place`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for_ms: Option<u64>,
}

/// What `order.oco` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlacedPair {
    /// Our id of the upper order.
    pub above_order_id: String,
    /// Our id of the lower one.
    pub below_order_id: String,
}

/// What `order.cancel_all` and `flatten` answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Swept {
    /// Orders of ours for which a cancel was sent.
    pub canceled: Vec<String>,
    /// Closing orders that were sent.
    pub placed: Vec<String>,
    /// Orders that were to be cancelled and of which the venue had not confirmed the end, where that was waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
}
