//! What nearly every order is held to, as words side by side: made of filters, terms and limits whenever those change.

use crate::domain::{Filters, Nanos};
use crate::tick_to_trade::risk::limits::InstrumentLimits;
use crate::tick_to_trade::risk::market::Collars;
use crate::tick_to_trade::risk::valuation::{NO_WORD, Plain};

/// Words from one to another, told in one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    low: u64,
    width: u64,
}

impl Range {
    /// Those of the words that lie in it and are values; `None` if none does.
    fn of(low: i128, high: i128) -> Option<Self> {
        let low = u64::try_from(low.max(0)).ok()?;
        let high = word(high)?;
        Some(Self { low, width: high.checked_sub(low)? })
    }

    /// Whether it holds `value`: what lies below wraps, far above.
    #[inline(always)]
    pub(super) const fn holds(&self, value: u64) -> bool {
        value.wrapping_sub(self.low) <= self.width
    }
}

/// A limit as a word, below [`NO_WORD`]; `None` if it is below zero.
fn word(limit: i128) -> Option<u64> {
    u64::try_from(limit.min((NO_WORD - 1).into())).ok()
}

/// What a limit order on one instrument may be at most and at least, where its money is told by words alone. Never wider than
/// the limits and filters it is made of; where it is narrower, those decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// C05: PRICE_FILTER, but for its grid.
    pub(super) price: Range,
    /// C05, C06: LOT_SIZE but for its grid, and the largest quantity.
    pub(super) quantity: Range,
    /// C05, C07: NOTIONAL and the largest value, in quote.
    pub(super) value: Range,
    pub(super) plain: Plain,
    /// C11: the largest worst-case position.
    pub(super) position: u64,
    /// C11: its largest value, in quote.
    pub(super) position_value: u64,
    /// C10.
    pub(super) stale_after: Nanos,
    /// C08.
    pub(super) collars: Collars,
    /// C15: the venue's limit and ours.
    pub(super) max_open: u32,
    /// C23.
    pub(super) max_unknown: u32,
}

impl Bounds {
    /// The bounds of an instrument that may be traded; `None` where its money is not plain, or nothing can lie within.
    pub(super) fn of(filters: &Filters, plain: Option<Plain>, limits: &InstrumentLimits) -> Option<Self> {
        let plain = plain?;
        let lot = filters.lot_of(false);
        let (min, max) = filters.notional.bounds(false);
        // A part that is zero or less is off.
        let most = |limit: i64| if limit > 0 { limit } else { i64::MAX };
        Some(Self {
            price: Range::of(filters.min_price.0.max(1).into(), most(filters.max_price.0).into())?,
            quantity: Range::of(lot.min.0.max(1).into(), most(lot.max.0).min(limits.max_quantity.0).into())?,
            value: Range::of(
                min.unwrap_or(0),
                max.unwrap_or(i128::MAX).min(plain.to_quote(limits.max_notional)),
            )?,
            plain,
            position: u64::try_from(limits.max_position.0).ok()?,
            position_value: word(plain.to_quote(limits.max_position_value))?,
            stale_after: limits.stale_after,
            collars: limits.collars(),
            max_open: limits.max_open.min(filters.max_open_orders.unwrap_or(u32::MAX)),
            max_unknown: limits.max_unknown,
        })
    }
}
