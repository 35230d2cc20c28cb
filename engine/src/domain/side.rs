//! Sides, order types and lifetimes, with the codes they have in shared memory.

use serde::{Deserialize, Serialize};

use crate::domain::quantity::Price;
use crate::wire::wire_enum;

wire_enum! {
    /// Which side of the book an order is on.
    Side { /// Bids.
        Buy = 1 => "BUY", /// Asks.
        Sell = 2 => "SELL" }
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// `1` for a buy, `-1` for a sell: the sign of its effect on a position.
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }
}

wire_enum! {
    /// How an order is priced (binance.md §6).
    OrderType {
        /// At a limit or better.
        Limit = 1 => "LIMIT",
        /// At any price.
        Market = 2 => "MARKET",
        /// At a limit, as maker only: rejected where it would take.
        LimitMaker = 3 => "LIMIT_MAKER",
        /// A market order once the last price has moved against its side to the trigger: up for a buy.
        StopLoss = 4 => "STOP_LOSS",
        /// A limit order once the last price has moved against its side to the trigger.
        StopLossLimit = 5 => "STOP_LOSS_LIMIT",
        /// A market order once the last price has moved in favour of its side to the trigger: down for a buy.
        TakeProfit = 6 => "TAKE_PROFIT",
        /// A limit order once the last price has moved in favour of its side to the trigger.
        TakeProfitLimit = 7 => "TAKE_PROFIT_LIMIT",
    }
}

impl OrderType {
    /// Whether it waits for a trigger price.
    #[must_use]
    pub const fn is_conditional(self) -> bool {
        matches!(self, Self::StopLoss | Self::StopLossLimit | Self::TakeProfit | Self::TakeProfitLimit)
    }

    /// Whether it has no limit price.
    #[must_use]
    pub const fn is_market(self) -> bool {
        matches!(self, Self::Market | Self::StopLoss | Self::TakeProfit)
    }

    /// Whether it has a lifetime of its own to choose: one without a limit never rests, a maker always does.
    #[must_use]
    pub const fn has_time_in_force(self) -> bool {
        matches!(self, Self::Limit | Self::StopLossLimit | Self::TakeProfitLimit)
    }

    /// Whether a last price at or above the trigger sets it off; else one at or below does.
    #[must_use]
    pub const fn triggers_above(self, side: Side) -> bool {
        matches!(side, Side::Buy) == self.stops_loss()
    }

    /// Whether it waits for a move against its side. Of a pair of which one cancels the other it is one, the upper one of a buy.
    #[must_use]
    pub const fn stops_loss(self) -> bool {
        matches!(self, Self::StopLoss | Self::StopLossLimit)
    }

    /// Whether it waits for a better price, and may be the other one of such a pair.
    #[must_use]
    pub const fn waits_for_better(self) -> bool {
        matches!(self, Self::LimitMaker | Self::TakeProfit | Self::TakeProfitLimit)
    }

    /// Where it stands against the last price: its trigger, if it waits for one, or its limit.
    #[must_use]
    pub const fn level(self, price: Price, trigger: Price) -> Price {
        if self.is_conditional() { trigger } else { price }
    }

    /// Whether `last`, the last price traded, sets an order of `side` off that has this trigger.
    #[must_use]
    pub fn is_triggered(self, side: Side, trigger: Price, last: Price) -> bool {
        if self.triggers_above(side) { last >= trigger } else { last <= trigger }
    }
}

/// Whether two orders of `side`, each by its type, limit and trigger, stand as a pair does of which one cancels the other
/// (OCO): the one above is above, the one that loses by waiting is a stop order, the other waits for a better price.
#[must_use]
pub fn makes_pair(side: Side, above: (OrderType, Price, Price), below: (OrderType, Price, Price)) -> bool {
    let level = |(kind, price, trigger): (OrderType, Price, Price)| kind.level(price, trigger);
    let (stop, better) = if side == Side::Buy { (above, below) } else { (below, above) };
    level(above) > level(below) && stop.0.stops_loss() && better.0.waits_for_better()
}

wire_enum! {
    /// How long an order lives.
    TimeInForce { /// Until cancelled.
        GoodTillCancel = 1 => "GTC", /// What does not trade at once expires.
        ImmediateOrCancel = 2 => "IOC", /// All at once or nothing.
        FillOrKill = 3 => "FOK" }
}

wire_enum! {
    /// What the venue does where an account would trade with itself (self-trade prevention, binance.md §8). The taker's
    /// mode decides.
    SelfTrade {
        /// It trades.
        None = 1 => "NONE",
        /// The taker expires.
        ExpireTaker = 2 => "EXPIRE_TAKER",
        /// The maker expires.
        ExpireMaker = 3 => "EXPIRE_MAKER",
        /// Both expire.
        ExpireBoth = 4 => "EXPIRE_BOTH",
        /// Both shrink by the match; the smaller expires.
        Decrement = 5 => "DECREMENT",
        /// Between the accounts of one group a transfer; within one account as `DECREMENT`.
        Transfer = 6 => "TRANSFER",
    }
}

wire_enum! {
    /// Whether a fill added or took liquidity.
    Liquidity { /// Our order rested.
        Maker = 1 => "MAKER", /// Our order crossed.
        Taker = 2 => "TAKER" }
}

/// A pair of values, one a side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BySide<T> {
    /// The buy side's.
    pub buy: T,
    /// The sell side's.
    pub sell: T,
}

impl<T> BySide<T> {
    /// The value of `side`.
    pub const fn get(&self, side: Side) -> &T {
        match side {
            Side::Buy => &self.buy,
            Side::Sell => &self.sell,
        }
    }

    /// The value of `side`, to change.
    pub const fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Buy => &mut self.buy,
            Side::Sell => &mut self.sell,
        }
    }
}
