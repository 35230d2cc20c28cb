//! What accounts ask for, with every text read.

use super::balances::Amount;
use crate::domain::{InstrumentIndex, OrderType, Price, Quantity, SelfTrade, Side, TimeInForce};

/// A new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its instrument.
    pub instrument: InstrumentIndex,
    /// Its owner's id of it.
    pub client_id: Box<str>,
    /// Its side.
    pub side: Side,
    /// Its type.
    pub kind: OrderType,
    /// Its lifetime; `GTC` where the type has none.
    pub time_in_force: TimeInForce,
    /// Its limit price; 0 for none.
    pub price: Price,
    /// Its stop price; 0 for none.
    pub stop_price: Price,
    /// Its quantity; 0 for an order by value.
    pub quantity: Quantity,
    /// Its value in quote; 0 for an order by quantity.
    pub quote_quantity: Amount,
    /// How much of it the book shows at a time; 0 for all.
    pub iceberg: Quantity,
    /// How far the price has to turn to set it off, in ten-thousandths of its best price; 0 for an order that does not
    /// trail.
    pub trailing_delta: u32,
    /// What it does about trades with its own account.
    pub stp: SelfTrade,
    /// `strategyId`.
    pub strategy_id: Option<i64>,
    /// `strategyType`.
    pub strategy_type: Option<i64>,
}

/// Which open orders a cancel may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restriction {
    /// Any.
    #[default]
    Any,
    /// Only one that has not traded.
    OnlyNew,
    /// Only one that has traded in part.
    OnlyPartiallyFilled,
}

/// Which order is meant: by the exchange's id, the owner's, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderName<'a> {
    /// `orderId`.
    pub id: Option<u64>,
    /// `origClientOrderId`.
    pub client_id: Option<&'a str>,
}

/// A cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelOrder<'a> {
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Which order.
    pub name: OrderName<'a>,
    /// The cancel's own id.
    pub cancel_id: Box<str>,
    /// Which states it may end.
    pub restriction: Restriction,
}
