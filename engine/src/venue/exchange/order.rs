//! An order as the exchange keeps it (binance.md §6 and §8).

use super::AccountIndex;
use super::balances::Amount;
use super::request::NewOrder;
use crate::domain::{InstrumentIndex, Nanos, OrderType, Price, Quantity, SelfTrade, Side, TimeInForce};
use crate::wire::wire_enum;

wire_enum! {
    /// Where an order is in its life.
    Status {
        /// Accepted.
        New = 1 => "NEW",
        /// A leg of a list that waits for another.
        PendingNew = 2 => "PENDING_NEW",
        /// Filled in part.
        PartiallyFilled = 3 => "PARTIALLY_FILLED",
        /// Filled.
        Filled = 4 => "FILLED",
        /// Cancelled by its owner.
        Canceled = 5 => "CANCELED",
        /// Refused after it had an id.
        Rejected = 6 => "REJECTED",
        /// Ended by the rules of its type.
        Expired = 7 => "EXPIRED",
        /// Ended by self-trade prevention.
        ExpiredInMatch = 8 => "EXPIRED_IN_MATCH",
    }
}

impl Status {
    /// Whether the order can still trade.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PendingNew | Self::PartiallyFilled)
    }
}

wire_enum! {
    /// Why an order expired (`expiryReason`, `eR`).
    Expiry {
        /// The other leg of its list has traded or was triggered.
        OcoTrigger = 1 => "OCO_TRIGGER",
        /// The working leg of its list ended without a full fill.
        OtoPhaseOneExpired = 2 => "OTO_PHASE_ONE_EXPIRED",
        /// What an immediate order could not take.
        UnfilledIoc = 3 => "UNFILLED_IOC_QUANTITY_EXPIRED",
        /// It could not be filled at once and whole.
        UnfilledFok = 4 => "UNFILLED_FOK_ORDER_EXPIRED",
        /// A market order found nothing more to take.
        InsufficientLiquidity = 5 => "INSUFFICIENT_LIQUIDITY",
        /// It was refused when its turn came.
        Rejected = 6 => "REJECTED",
    }
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The exchange's id of it, from 1.
    pub id: u64,
    /// Its owner.
    pub account: AccountIndex,
    /// Its instrument.
    pub instrument: InstrumentIndex,
    /// Its owner's id of it.
    pub client_id: Box<str>,
    /// Its side.
    pub side: Side,
    /// Its type.
    pub kind: OrderType,
    /// Its lifetime.
    pub time_in_force: TimeInForce,
    /// Its limit price; 0 for none.
    pub price: Price,
    /// Its stop price; 0 for none.
    pub stop_price: Price,
    /// Its quantity. For an order by value: what that value came to.
    pub quantity: Quantity,
    /// What a market order by value may spend or shall earn; 0 for an order by quantity.
    pub quote_quantity: Amount,
    /// Filled so far.
    pub filled: Quantity,
    /// Value of what is filled, in quote.
    pub quote_filled: Amount,
    /// Kept from trading with its own account, so far.
    pub prevented: Quantity,
    /// The last match that was prevented; 0 for none.
    pub prevented_match: u64,
    /// Where it is in its life.
    pub status: Status,
    /// How much of it the book shows at a time; 0 for all.
    pub iceberg: Quantity,
    /// How far the price has to turn to set it off, in ten-thousandths of its best price; 0 for an order that does not
    /// trail.
    pub trailing_delta: u32,
    /// The best price since it trails; `None` for one that does not, or not yet.
    pub trail: Option<Price>,
    /// Since when it trails.
    pub trailing_since: Option<Nanos>,
    /// What it does about trades with its own account.
    pub stp: SelfTrade,
    /// Why it expired, if it did.
    pub expiry: Option<Expiry>,
    /// Its list; 0 for none.
    pub list: u64,
    /// `strategyId`.
    pub strategy_id: Option<i64>,
    /// `strategyType`.
    pub strategy_type: Option<i64>,
    /// When it was accepted.
    pub created: Nanos,
    /// When it last changed.
    pub updated: Nanos,
    /// When it came on the book; `None` before that.
    pub working: Option<Nanos>,
    /// How often its quantity was amended.
    pub amends: u32,
    /// The price that its reservation was made at.
    pub(super) reserved_at: Price,
    /// Reserved for it of what it pays with.
    pub(super) locked: Amount,
}

impl Order {
    /// What may still trade.
    #[must_use]
    pub const fn leaves(&self) -> Quantity {
        Quantity(self.quantity.0 - self.filled.0 - self.prevented.0)
    }

    /// Asked for again, with what is left of it.
    pub(super) fn again(&self) -> NewOrder {
        NewOrder {
            instrument: self.instrument,
            client_id: self.client_id.clone(),
            side: self.side,
            kind: self.kind,
            time_in_force: self.time_in_force,
            price: self.price,
            stop_price: self.stop_price,
            quantity: self.leaves(),
            quote_quantity: 0,
            iceberg: self.iceberg,
            trailing_delta: self.trailing_delta,
            stp: self.stp,
            strategy_id: self.strategy_id,
            strategy_type: self.strategy_type,
        }
    }

    /// What is reserved for it, in the asset it pays with.
    #[must_use]
    pub const fn locked(&self) -> Amount {
        self.locked
    }
}
