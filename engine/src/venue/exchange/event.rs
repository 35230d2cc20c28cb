//! What the exchange tells: reports and balances to their account, trades and the state of the book to everyone.

use super::AccountIndex;
use super::balances::{Amount, AssetIndex, Balance};
use super::lists::OrderList;
use super::order::Order;
use crate::domain::{InstrumentIndex, Nanos, Price, Quantity, Side};
use crate::wire::wire_enum;

wire_enum! {
    /// What happened to an order (`x`).
    ExecutionKind {
        /// It was accepted.
        New = 1 => "NEW",
        /// Its owner cancelled it.
        Canceled = 2 => "CANCELED",
        /// Its owner amended it.
        Replaced = 3 => "REPLACED",
        /// It was refused after it had an id.
        Rejected = 4 => "REJECTED",
        /// It traded.
        Trade = 5 => "TRADE",
        /// It ended by the rules of its type.
        Expired = 6 => "EXPIRED",
        /// It was kept from trading with its own account.
        TradePrevention = 7 => "TRADE_PREVENTION",
    }
}

/// One fill of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillFacts {
    /// The trade's id, unique on its instrument.
    pub trade_id: u64,
    /// Its price.
    pub price: Price,
    /// Its quantity.
    pub quantity: Quantity,
    /// Its value in quote.
    pub value: Amount,
    /// What it cost.
    pub fee: Amount,
    /// In what.
    pub fee_asset: AssetIndex,
    /// Whether the order made.
    pub maker: bool,
}

/// One step in the life of an order, with the order as it was right after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// What happened.
    pub kind: ExecutionKind,
    /// The order after it.
    pub order: Order,
    /// The fill, for a trade.
    pub fill: Option<FillFacts>,
    /// The cancel request's own id, or the amended order's former one; `None` for other steps.
    pub request_id: Option<Box<str>>,
    /// Quantity of the prevented match, for a prevention.
    pub prevented: Quantity,
    /// The order's quantity before, for an amendment.
    pub former: Quantity,
    /// Unique, rising.
    pub id: u64,
    /// When.
    pub time: Nanos,
}

/// An account's balances changed. Values are those after the request that changed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceChange {
    /// Whose.
    pub account: AccountIndex,
    /// What it holds now of everything that may have changed.
    pub balances: Vec<(AssetIndex, Balance)>,
    /// When.
    pub time: Nanos,
}

/// A trade as everyone sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicTrade {
    /// Where.
    pub instrument: InstrumentIndex,
    /// Its id, unique and rising on its instrument.
    pub id: u64,
    /// Its price.
    pub price: Price,
    /// Its quantity.
    pub quantity: Quantity,
    /// Who took.
    pub aggressor: Side,
    /// When.
    pub time: Nanos,
}

wire_enum! {
    /// What a list of orders is told for (`listStatusType`).
    ListStatus {
        /// It was placed.
        Started = 1 => "EXEC_STARTED",
        /// An order of it goes by another client id.
        Updated = 2 => "UPDATED",
        /// None of its orders is open any more.
        Done = 3 => "ALL_DONE",
    }
}

/// A list of orders changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListChange {
    /// The list after it.
    pub list: OrderList,
    /// What is told.
    pub status: ListStatus,
    /// When.
    pub time: Nanos,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// To an order.
    Execution(Box<Execution>),
    /// To an account's balances.
    Balances(BalanceChange),
    /// To a list of orders.
    List(Box<ListChange>),
    /// A trade.
    Trade(PublicTrade),
    /// The best bid or ask of an instrument changed.
    Top(InstrumentIndex),
}
