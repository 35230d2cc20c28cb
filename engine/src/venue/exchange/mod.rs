//! An exchange that several accounts share: price-time priority among themselves and against the market's flow,
//! balances with reservations, fees, order states; integers, and a function of the calls and their times alone.
//!
//! The market comes as decoded frames of a tape or a generator. It does not see the accounts; they see it, and each
//! other, as one book. Whoever hosts the exchange hands in each market event and request at its time, then drains
//! [`Exchange::take_events`]. binance.md §2, §6 and §8 say what it imitates.

pub mod reject;
pub mod request;
pub mod order;
pub mod event;
mod balances;
mod side;
mod plan;
mod filters;
mod orders;
mod core;
mod admit;
mod matching;
mod waiting;
mod flow;
mod cancel;
mod lists;
mod place_list;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod list_scenarios;
#[cfg(test)]
mod trigger_scenarios;
#[cfg(test)]
mod hidden_scenarios;
#[cfg(test)]
mod properties;

pub use self::core::{AccountSpec, AccountView, DepthChange, Exchange, Fill};
pub use balances::{AMOUNT_SCALE, Amount, AssetIndex, Balance};
pub use cancel::AmendOrder;
pub use event::{
    BalanceChange, Event, Execution, ExecutionKind, FillFacts, ListChange, ListStatus, PublicTrade,
};
pub use filters::{
    ALGO_ORDERS_MAX, AMENDS_MAX, ICEBERG_ORDERS_MAX, ICEBERG_PARTS_MAX, ORDER_LISTS_MAX, TRAILING_DELTA,
};
pub use lists::{Contingency, ListName, OrderList};
pub use order::{Expiry, Order, Status};
pub use reject::Reject;
pub use request::{CancelOrder, NewOrder, OrderName, Restriction};

/// Place of an account in the exchange's list.
pub type AccountIndex = u32;
