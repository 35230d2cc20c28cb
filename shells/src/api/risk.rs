//! Port 5557: limits, positions, halts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::orders::PlaceOrder;

/// `positions` and `pnl`: all, or of one symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SymbolFilter {
    /// Of this symbol alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
}

/// A position: of one strategy, or of all of them together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Position {
    /// The symbol.
    pub symbol: String,
    /// Whose: a strategy's name, or absent for the whole account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Signed quantity.
    pub quantity: String,
    /// The asset that `value` is in: the instrument's quote, or for inverse contracts its base.
    pub asset: String,
    /// What it is worth at the mark; absent without a mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Average cost per unit, truncated; absent when flat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_price: Option<String>,
    /// The price at which it is valued: the middle of the book, else the last trade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

/// Profit and loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pnl {
    /// The symbol.
    pub symbol: String,
    /// Whose: a strategy's name, or absent for the whole account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// The asset that these figures are in: the instrument's quote, or for inverse contracts its base.
    pub asset: String,
    /// Of what was closed, before fees.
    pub realised: String,
    /// Of what is open, at the mark, before fees.
    pub unrealised: String,
    /// Fees that `asset` can express.
    pub fees: String,
    /// realised + unrealised − fees.
    pub total: String,
    /// Fees in assets that it cannot, such as `BNB`, by asset: they are in none of the figures above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_fees: BTreeMap<String, String>,
}

/// `risk.state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RiskState {
    /// The strictest of all halt pages: `ACTIVE`, `REDUCE_ONLY`, `CANCEL_ONLY` or `HALTED`.
    pub state: String,
    /// What each page says globally, by owner; `ABSENT` where there is none yet.
    pub pages: BTreeMap<String, String>,
    /// Symbols that are not fully active, with their state.
    pub symbols: BTreeMap<String, String>,
    /// Strategies, and people (`client`, `operator`), that are not fully active, with their state.
    pub strategies: BTreeMap<String, String>,
    /// The newest halt that risk or route raised or lowered, with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_halt: Option<HaltEvent>,
    /// Open orders.
    pub open_orders: u64,
    /// Orders of which it is not known whether they live.
    pub unknown_orders: u64,
    /// Intents approved.
    pub approved: u64,
    /// Intents refused, by code.
    pub rejected: BTreeMap<String, u64>,
}

/// A halt raised, lowered or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HaltEvent {
    /// `GLOBAL`, `SOURCE` or `INSTRUMENT`.
    pub scope: String,
    /// The symbol or strategy, where the scope is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The state from then on.
    pub state: String,
    /// The code of the control that did it; absent for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// When.
    pub time_ns: i64,
}

/// The push `halt`: what may be traded from now on, whoever's page says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// `GLOBAL`, `SOURCE` or `INSTRUMENT`.
    pub scope: String,
    /// The symbol or strategy, where the scope is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The strictest that any page says.
    pub state: String,
    /// When it was seen.
    pub time_ns: i64,
}

/// `halt`, `reduce_only` and `resume`: everything, or one symbol or strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HaltRequest {
    /// This symbol alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// This strategy alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `limits.get`: every limit by key, with its ceiling. Keys of an instrument are `SYMBOL.key`, of the account
/// `account.key`, of a source `source.N.key`, N as in `strategies`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// By key.
    pub limits: BTreeMap<String, Limit>,
}

/// One limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limit {
    /// What holds now.
    pub value: String,
    /// The loosest that it may be set to while the engine runs (C29).
    pub ceiling: String,
}

/// `limits.set`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLimit {
    /// A key of `limits.get`.
    pub key: String,
    /// The new value.
    pub value: String,
}

/// `check`: what risk would say to an order, without placing it.
pub type CheckOrder = PlaceOrder;

/// What `check` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// `ACCEPTED`, or the code of the first control that fails.
    pub verdict: String,
}
