//! What a new order would do to the other side on arrival, planned before anything changes.

use super::AccountIndex;
use super::balances::{Amount, affordable, quote_amount};
use super::side::{BookSide, Offer};
use crate::domain::{Instrument, Price, SelfTrade};

/// One step of a taker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Trades with the market.
    Market { price: Price, quantity: i64 },
    /// Trades with an order.
    Order { id: u64, price: Price, quantity: i64 },
    /// Is kept from trading with an order of its own account.
    Prevent { id: u64, price: Price, quantity: i64, shrinks: bool, maker_ends: bool, taker_ends: bool },
}

/// What limits a taker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker {
    pub(super) account: AccountIndex,
    /// `None` for a market order.
    pub(super) limit: Option<Price>,
    /// Most base; `i64::MAX` for an order by value.
    pub(super) quantity: i64,
    /// Most quote, for an order by value; with the grid of quantities.
    pub(super) value: Option<(Amount, i64)>,
    pub(super) stp: SelfTrade,
}

/// The outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What trades.
    pub(super) filled: i64,
    /// Its value in quote; `None` where it does not fit.
    pub(super) value: Option<Amount>,
    /// What self-trade prevention takes from the order.
    pub(super) prevented: i64,
}

impl Plan {
    fn trade(&mut self, instrument: &Instrument, price: Price, quantity: i64, step: Step) {
        self.filled += quantity;
        let value = quote_amount(instrument, price, crate::domain::Quantity(quantity));
        self.value = self.value.zip(value).and_then(|(sum, value)| sum.checked_add(value));
        self.steps.push(step);
    }

    /// Adds what an order of the taker's own account at `price` means. Whether to go on.
    fn prevent(&mut self, taker: &Taker, id: u64, price: Price, quantity: i64, left: i64) -> bool {
        let matched = quantity.min(left);
        let (shrinks, maker_ends, taker_ends) = match taker.stp {
            SelfTrade::None | SelfTrade::ExpireMaker => (false, true, false),
            SelfTrade::ExpireTaker => (false, false, true),
            SelfTrade::ExpireBoth => (false, true, true),
            SelfTrade::Decrement | SelfTrade::Transfer => (true, quantity <= left, left <= quantity),
        };
        if shrinks {
            self.prevented += matched;
        }
        self.steps.push(Step::Prevent { id, price, quantity: matched, shrinks, maker_ends, taker_ends });
        !taker_ends
    }
}

/// Walks `side`, which is the other side, best first.
pub(super) fn plan(instrument: &Instrument, side: &BookSide, taker: &Taker) -> Plan {
    let mut plan = Plan { value: Some(0), ..Plan::default() };
    side.walk(|offer| {
        let price = offer.price();
        if taker.limit.is_some_and(|limit| !side.reaches(price, limit)) {
            return false;
        }
        let mut left = taker.quantity - plan.filled - plan.prevented;
        if let Some((value, step)) = taker.value {
            let spent = plan.value.unwrap_or(value);
            left = left.min(affordable(instrument, price, value - spent, step));
        }
        if left <= 0 {
            return false;
        }
        match offer {
            Offer::Market { quantity, .. } => {
                let quantity = quantity.min(left);
                plan.trade(instrument, price, quantity, Step::Market { price, quantity });
                true
            }
            // All of an iceberg is prevented at its first part.
            Offer::Order { id, account, whole, first, .. }
                if account == taker.account && taker.stp != SelfTrade::None =>
            {
                !first || plan.prevent(taker, id, price, whole, left)
            }
            Offer::Order { id, quantity, .. } => {
                let quantity = quantity.min(left);
                plan.trade(instrument, price, quantity, Step::Order { id, price, quantity });
                true
            }
        }
    });
    plan
}
