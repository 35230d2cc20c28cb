//! The limits that risk holds. Nothing here has a default that allows anything: a limit that nobody set is zero, and
//! a zero limit rejects. The shells pass every value.
//!
//! Money is in the account's currency at [`ACCOUNT_SCALE`](super::valuation::ACCOUNT_SCALE) decimals.

use crate::domain::{Instruments, Nanos, Quantity};
use crate::error::SetupError;
use crate::limits::SOURCES_MAX;

/// Most events that a sliding window (C18, C21) counts to.
pub const WINDOW_COUNT_MAX: u32 = 4_096;

/// Most time stamps of all windows of C18 together: instruments × sources × count.
pub const WINDOW_STAMPS_MAX: usize = 1 << 26;

/// Most orders of one source that C04 remembers.
pub const DUPLICATES_MAX: usize = 1 << 16;

/// Most open orders of an account that risk keeps.
pub const OPEN_ORDERS_MAX: u32 = 1 << 20;

/// A number of events in a span of time. Zero in either part is "not set": it rejects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Nanos,
}

impl Rate {
    /// `count` events in `per`.
    #[must_use]
    pub const fn new(count: u32, per: Nanos) -> Self {
        Self { count, per }
    }

    /// Whether both parts are set.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.count > 0 && self.per.0 > 0
    }
}

/// Limits of one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstrumentLimits {
    /// C06: largest quantity of an order.
    pub max_quantity: Quantity,
    /// C07: largest value of an order.
    pub max_notional: i128,
    /// C11: largest worst-case position, as a quantity.
    pub max_position: Quantity,
    /// C11: largest worst-case position, as a value at the reference price.
    pub max_position_value: i128,
    /// C08: how far beyond the reference an order may pay (a buy above, a sell below), in 1/10000 of it.
    pub collar_aggressive_bps: u32,
    /// C08: how far on the passive side of the reference an order may rest, in 1/10000 of it.
    pub collar_passive_bps: u32,
    /// C10: largest age of the book.
    pub stale_after: Nanos,
    /// C15: most open orders on the instrument.
    pub max_open: u32,
    /// C23: unresolved orders on the instrument from which on nothing new is sent.
    pub max_unknown: u32,
}

/// No limit, where a limit is an amount of money.
pub const UNLIMITED: i128 = i128::MAX;

/// Limits of one source of intents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceLimits {
    /// C16: new orders.
    pub orders: Rate,
    /// C16: cancels, in a bucket of their own.
    pub cancels: Rate,
    /// C11, for the source alone: largest worst-case position of its own on an instrument, as a value at the
    /// reference price. [`UNLIMITED`] for those who close what others opened.
    pub max_position_value: i128,
    /// Whether it may cancel the orders of other sources, as the operator may.
    pub cancels_for_others: bool,
    /// Whether its orders stay open when its process dies: `on_loss = keep`. Else risk cancels them.
    pub keep_on_loss: bool,
}

/// Limits of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountLimits {
    /// The asset in which money is counted, such as USDT.
    pub currency: Box<str>,
    /// Assets that count as the currency, one to one. An asset that is neither, and has no market against one of
    /// them, cannot be valued: orders that need its value are rejected.
    pub at_par: Vec<Box<str>>,
    /// C12: largest sum of worst-case position values.
    pub max_gross: i128,
    /// C15: most open orders.
    pub max_open: u32,
    /// C16: new orders of all sources.
    pub orders: Rate,
    /// C16: cancels of all sources.
    pub cancels: Rate,
    /// C19: loss since 00:00 UTC at which only reducing orders pass.
    pub day_loss_soft: i128,
    /// C19: loss since 00:00 UTC at which trading halts.
    pub day_loss_hard: i128,
    /// C04: an order is rejected when it would be the `count`-th of equal content in the span.
    pub duplicates: Rate,
    /// C18: fills of one source on one instrument in the span at which the source is halted.
    pub repeat_fills: Rate,
    /// C21: rejects of one source in the span at which the source is halted.
    pub reject_storm: Rate,
    /// C23: unresolved orders of the account from which on nothing new is sent.
    pub max_unknown: u32,
}

/// All limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The account's.
    pub account: AccountLimits,
    /// Each instrument's, by index.
    pub instruments: Vec<InstrumentLimits>,
    /// Each source's, by id.
    pub sources: Vec<SourceLimits>,
}

fn invalid<T>(reason: String) -> Result<T, SetupError> {
    Err(SetupError::Invalid(reason))
}

fn not_negative(owner: &str, key: &str, value: i128) -> Result<(), SetupError> {
    if value < 0 { invalid(format!("limits of {owner}: {key} is {value}: below zero")) } else { Ok(()) }
}

fn sound_rate(owner: &str, key: &str, rate: Rate) -> Result<(), SetupError> {
    if rate.per.0 < 0 || (rate.count > 0) != (rate.per.0 > 0) {
        return invalid(format!(
            "limits of {owner}: {key} is {} in {} ns: both must be above zero, or both zero",
            rate.count, rate.per.0
        ));
    }
    Ok(())
}

impl Limits {
    /// Whether the limits fit the instruments and do not contradict themselves. Zeros are valid: they reject.
    ///
    /// # Errors
    /// The first contradiction, with its owner and key.
    pub fn validate(&self, instruments: &Instruments) -> Result<(), SetupError> {
        if self.instruments.len() != instruments.len() {
            return invalid(format!(
                "limits of {} instruments for a table of {}",
                self.instruments.len(),
                instruments.len()
            ));
        }
        for ((_, instrument), limits) in instruments.iter().zip(&self.instruments) {
            limits.validate(&instrument.symbol)?;
        }
        if self.sources.len() > SOURCES_MAX {
            return invalid(format!("limits of {} sources: at most {SOURCES_MAX}", self.sources.len()));
        }
        self.account.validate()?;
        for (source, limits) in self.sources.iter().enumerate() {
            let owner = format!("source {source}");
            sound_rate(&owner, "orders", limits.orders)?;
            sound_rate(&owner, "cancels", limits.cancels)?;
            not_negative(&owner, "max_position_value", limits.max_position_value)?;
            if self.remembered(limits).is_none() {
                return invalid(format!(
                    "limits of {owner}: {} orders in {} ns are more than {DUPLICATES_MAX} in the {} ns of duplicates",
                    limits.orders.count, limits.orders.per.0, self.account.duplicates.per.0
                ));
            }
        }
        let stamps = (self.account.repeat_fills.count as usize)
            .saturating_mul(self.instruments.len())
            .saturating_mul(self.sources.len());
        if stamps > WINDOW_STAMPS_MAX {
            return invalid(format!(
                "limits of account: repeat_fills needs {stamps} time stamps: at most {WINDOW_STAMPS_MAX}"
            ));
        }
        Ok(())
    }

    /// How many of a source's approved orders can fall into the span of C04: a full bucket and what it refills
    /// meanwhile. `None` when more than risk remembers.
    pub(super) fn remembered(&self, source: &SourceLimits) -> Option<usize> {
        if !source.orders.is_set() {
            return Some(0);
        }
        let count = i128::from(source.orders.count);
        let refilled =
            count * i128::from(self.account.duplicates.per.0.max(0)) / i128::from(source.orders.per.0);
        usize::try_from(count + refilled + 1).ok().filter(|&orders| orders <= DUPLICATES_MAX)
    }
}

impl InstrumentLimits {
    fn validate(&self, owner: &str) -> Result<(), SetupError> {
        not_negative(owner, "max_quantity", self.max_quantity.0.into())?;
        not_negative(owner, "max_notional", self.max_notional)?;
        not_negative(owner, "max_position", self.max_position.0.into())?;
        not_negative(owner, "max_position_value", self.max_position_value)?;
        not_negative(owner, "stale_after", self.stale_after.0.into())?;
        if self.collar_aggressive_bps > self.collar_passive_bps {
            return invalid(format!(
                "limits of {owner}: collar_aggressive_bps {} is wider than collar_passive_bps {}",
                self.collar_aggressive_bps, self.collar_passive_bps
            ));
        }
        Ok(())
    }
}

impl AccountLimits {
    fn validate(&self) -> Result<(), SetupError> {
        const OWNER: &str = "account";
        if self.currency.is_empty() {
            return invalid("limits of account: currency is empty".into());
        }
        not_negative(OWNER, "max_gross", self.max_gross)?;
        not_negative(OWNER, "day_loss_soft", self.day_loss_soft)?;
        not_negative(OWNER, "day_loss_hard", self.day_loss_hard)?;
        if self.day_loss_soft > self.day_loss_hard {
            return invalid(format!(
                "limits of account: day_loss_soft {} is above day_loss_hard {}",
                self.day_loss_soft, self.day_loss_hard
            ));
        }
        if self.max_open > OPEN_ORDERS_MAX {
            return invalid(format!(
                "limits of account: max_open {}: at most {OPEN_ORDERS_MAX}",
                self.max_open
            ));
        }
        for (key, rate) in [
            ("orders", self.orders),
            ("cancels", self.cancels),
            ("duplicates", self.duplicates),
            ("repeat_fills", self.repeat_fills),
            ("reject_storm", self.reject_storm),
        ] {
            sound_rate(OWNER, key, rate)?;
        }
        for (key, rate) in [("repeat_fills", self.repeat_fills), ("reject_storm", self.reject_storm)] {
            if rate.count > WINDOW_COUNT_MAX {
                return invalid(format!(
                    "limits of account: {key} counts to {}: at most {WINDOW_COUNT_MAX}",
                    rate.count
                ));
            }
        }
        Ok(())
    }

    /// Whether money in `asset` counts as the currency.
    pub(super) fn is_par(&self, asset: &str) -> bool {
        *self.currency == *asset || self.at_par.iter().any(|par| **par == *asset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick_to_trade::risk::fixture::{instruments, limits};

    #[test]
    fn contradictions_are_refused_by_name() {
        assert!(limits().validate(&instruments()).is_ok());
        type Spoil = fn(&mut Limits);
        let cases: [(&str, Spoil); 14] = [
            ("limits of BTCUSDT: max_quantity is -1", |l| l.instruments[0].max_quantity = Quantity(-1)),
            ("ETHBTC: max_notional is -1", |l| l.instruments[3].max_notional = -1),
            ("max_position is", |l| l.instruments[0].max_position = Quantity(i64::MIN)),
            ("max_position_value", |l| l.instruments[0].max_position_value = i128::MIN),
            ("stale_after", |l| l.instruments[0].stale_after = Nanos(-1)),
            ("collar_aggressive_bps 5000 is wider", |l| l.instruments[0].collar_aggressive_bps = 5_000),
            ("limits of 3 instruments for a table of 4", |l| l.instruments.truncate(3)),
            ("currency is empty", |l| l.account.currency = "".into()),
            ("max_gross", |l| l.account.max_gross = -1),
            ("is above day_loss_hard", |l| l.account.day_loss_soft = l.account.day_loss_hard + 1),
            ("source 1: orders is 5 in 0 ns", |l| l.sources[1].orders = Rate::new(5, Nanos::ZERO)),
            ("repeat_fills counts to", |l| l.account.repeat_fills.count = WINDOW_COUNT_MAX + 1),
            ("more than 65536", |l| l.sources[0].orders.per = Nanos(1)),
            ("65 sources", |l| l.sources = vec![SourceLimits::default(); SOURCES_MAX + 1]),
        ];
        for (text, spoil) in cases {
            let mut limits = limits();
            spoil(&mut limits);
            let error = limits.validate(&instruments()).expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
