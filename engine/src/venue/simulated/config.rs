//! How the simulated venue matches, charges and delays.

use crate::domain::{Nanos, Side};

/// A fee in millionths of the notional: 1,000 is 0.1 %. A negative rate is a rebate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeRate(pub i32);

/// How much of an unexplained decrease of a level was ahead of us. A book by price does not tell; a model guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueModel {
    /// All of it was behind us, as far as the level's new quantity allows. Never too early.
    RiskAverse,
    /// The part `front^power / (front^power + back^power)` of it was ahead, where `front` and `back` are the
    /// quantities ahead of and behind us: the longer the queue on one side of us, the more of the cancels it had.
    Probabilistic {
        /// The exponent. 0 is an even split, 1 in proportion, larger ones favour the longer side.
        power: u32,
    },
}

/// Everything that can be chosen about the simulated venue's matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulationConfig {
    /// Queue position of resting orders.
    pub queue: QueueModel,
    /// Fee of a fill that added liquidity.
    pub maker_fee: FeeRate,
    /// Fee of a fill that took liquidity.
    pub taker_fee: FeeRate,
    /// From when a request leaves us to when it reaches the exchange. A negative span counts as zero.
    pub order_latency: Nanos,
    /// From when an event leaves the exchange to when it reaches us. A negative span counts as zero.
    pub answer_latency: Nanos,
    /// Whether a trade fills a resting order only as far as its quantity reaches. If not, a trade that reaches the
    /// order at all fills it whole. Orders that take always fill by what the book holds.
    pub partial_fills: bool,
}

/// The exchange's numbering of the codes it refuses with (binance.md §9).
pub mod code {
    /// A filter refuses the order, its self-trade prevention is not allowed, or its value is beyond what the venue can account for.
    pub const FILTER: i32 = -1013;
    /// A parameter is missing, malformed or names nothing.
    pub const MALFORMED: i32 = -1102;
    /// No such symbol.
    pub const SYMBOL: i32 = -1121;
    /// The order is refused: it would match as maker only, its id is open, or the market is closed. The market counts
    /// as closed where the instrument cannot be traded or the exchange has no book of it.
    pub const NEW_ORDER: i32 = -2010;
    /// The cancel is refused: no such open order.
    pub const CANCEL: i32 = -2011;
    /// There is no such open order to amend.
    pub const NO_SUCH_ORDER: i32 = -2013;
    /// The amendment is refused: it would not lower the quantity, or to what is filled.
    pub const AMEND: i32 = -2038;
}

/// Whether `a` is a better price than `b` for an order on `side`: higher for a buy, lower for a sell.
pub(super) const fn better(side: Side, a: i64, b: i64) -> bool {
    match side {
        Side::Buy => a > b,
        Side::Sell => a < b,
    }
}
