//! Port 5558: strategies and their signals.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `strategy.get`, `strategy.start`, `strategy.stop`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategyName {
    /// Its name, as `strategies` lists it.
    pub name: String,
}

/// `strategy.set`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetParameter {
    /// The strategy's name.
    pub name: String,
    /// The parameter.
    pub key: String,
    /// Its new value.
    pub value: String,
}

/// One of `strategies`, and the answer of `strategy.get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Strategy {
    /// Its name.
    pub name: String,
    /// Its source number: the second part of its order ids.
    pub source: u16,
    /// `STARTING`, `RUNNING` or `STOPPED`.
    pub activity: String,
    /// The symbols that it follows.
    pub symbols: Vec<String>,
    /// Intents that it has made.
    pub intents: u64,
    /// Its working orders.
    pub working_orders: u64,
    /// Its parameters; `strategy.get` alone fills them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
}

/// A parameter with its present value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parameter {
    /// Its name.
    pub key: String,
    /// Its present value.
    pub value: String,
    /// What it does and what it may be.
    pub doc: String,
}

/// A push of port 5558: a strategy wants something done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Signal {
    /// The strategy's name.
    pub strategy: String,
    /// `NEW`, `REPLACE` or `CANCEL`.
    pub kind: String,
    /// The intent's id: of the order for `NEW`, of the request for `CANCEL`.
    pub id: String,
    /// The order to cancel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The symbol.
    pub symbol: String,
    /// `BUY` or `SELL`; absent for a cancel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
    /// Its limit price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// Its quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// What risk said: `ACCEPTED` or a reject code.
    pub verdict: String,
    /// When the strategy decided.
    pub time_ns: i64,
}
