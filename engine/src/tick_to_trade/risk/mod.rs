//! Risk: every control on every intent, in one pass; the only maker of orders.
//!
//! Bottom-up: [`limits`] are what the shells pass. `window`, `request`, `market`, `valuation`, `size`, `position`,
//! `rate`, `latch` and `self_trade` hold the controls, each a small function with its formula (reliability.md §1.3).
//! `open_orders` counts what may still trade, `state` holds all that the controls read, `controls` is the pass and `pair` that of two orders.
//! `bounds` are the limits of an instrument side by side, by which `plain` lets nearly every order through the pass at once.
//! `flood` gathers equal rejects, and `agent` puts rings and journals around it all.

pub mod limits;
mod window;
mod instrument_set;
mod request;
mod market;
pub mod valuation;
mod size;
mod position;
mod rate;
mod latch;
mod self_trade;
mod bounds;
mod open_orders;
mod source;
mod state;
mod plain;
mod controls;
mod pair;
mod flood;
mod counts;
mod governance;
mod agent;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod oracle;

pub use agent::{Peers, RISK_STAGES, Recovered, Risk, RiskPorts, Verdict};
pub use controls::JOURNAL_RESERVE;
pub use counts::RiskCounts;
pub use governance::Governance;
pub use limits::{AccountLimits, InstrumentLimits, Limits, Rate, SourceLimits, UNLIMITED};
pub use valuation::ACCOUNT_SCALE;
