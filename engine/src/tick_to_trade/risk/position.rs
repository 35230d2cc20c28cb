//! Controls on the position that could come of an order: reduce-only (C01), C11 position, C12 gross exposure.

use crate::domain::{InstrumentIndex, Side};
use crate::error::RejectCode;
use crate::tick_to_trade::risk::limits::InstrumentLimits;
use crate::tick_to_trade::risk::request::NewOrder;
use crate::tick_to_trade::risk::valuation::NoValue;

/// A position and everything of ours that could still trade into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Exposure {
    /// Signed position.
    pub(super) position: i64,
    /// B: all that is left of buy orders not proven terminal; UNKNOWN ones in full.
    pub(super) buys: i128,
    /// S: the same for sells.
    pub(super) sells: i128,
}

impl Exposure {
    /// The same with `order` open too. Sums stay far inside an `i128`: each term is an `i64`.
    #[inline]
    pub(super) fn with(self, order: &NewOrder) -> Self {
        let more = i128::from(order.quantity.0);
        let (buys, sells) = if order.side == Side::Buy { (more, 0) } else { (0, more) };
        Self { position: self.position, buys: self.buys + buys, sells: self.sells + sells }
    }

    /// The same without `left` of an order on `side`.
    pub(super) fn without(mut self, side: Side, left: i128) -> Self {
        match side {
            Side::Buy => self.buys -= left,
            Side::Sell => self.sells -= left,
        }
        self
    }

    #[inline]
    fn highest(&self) -> i128 {
        i128::from(self.position) + self.buys
    }

    #[inline]
    fn lowest(&self) -> i128 {
        i128::from(self.position) - self.sells
    }

    /// max(|pos + B|, |pos − S|): the largest position that could come of it. Neither B nor S is below zero, so the highest
    /// is no lower than the lowest, and whichever is further from zero has the sign that it is taken with here.
    #[inline]
    pub(super) fn worst(&self) -> i128 {
        self.highest().max(-self.lowest())
    }

    /// Whether nothing is held and nothing could be.
    #[inline]
    pub(super) fn is_flat(&self) -> bool {
        self.position == 0 && self.buys == 0 && self.sells == 0
    }

    /// Whether an order on `side` that is already counted in can only shrink the position: with all open orders of
    /// its side filled, the position must not have changed sign. A flat book has nothing to shrink.
    #[inline]
    pub(super) fn only_shrinks(&self, side: Side) -> bool {
        match side {
            Side::Buy => self.position < 0 && self.highest() <= 0,
            Side::Sell => self.position > 0 && self.lowest() >= 0,
        }
    }
}

/// C11: max(|pos + B + q_buy|, |pos − S − q_sell|) ≤ max_position, and its value at the reference ≤ max_position_value.
/// `after` counts the order in. An order that only shrinks the position passes: refusing it would keep the very
/// exposure that the limit forbids.
#[inline(always)]
pub(super) fn max_position(
    after: &Exposure,
    reduces: bool,
    value: Result<i128, NoValue>,
    limits: &InstrumentLimits,
) -> Result<(), RejectCode> {
    if reduces {
        return Ok(());
    }
    let value = value.map_err(|error| error.code(RejectCode::MaxPosition))?;
    let within = after.worst() <= i128::from(limits.max_position.0) && value <= limits.max_position_value;
    if within { Ok(()) } else { Err(RejectCode::MaxPosition) }
}

/// C12: Σ worst-case position × ref ≤ max_gross over every instrument with a position or open orders. `value_of`
/// gives an instrument's term. An order that only shrinks its position passes, as in C11; for any other one, a held
/// instrument without a value rejects.
#[inline(always)]
pub(super) fn max_gross(
    active: &[InstrumentIndex],
    ordered: InstrumentIndex,
    reduces: bool,
    value_of: impl Fn(InstrumentIndex) -> Result<i128, NoValue>,
    max_gross: i128,
) -> Result<(), RejectCode> {
    if reduces {
        return Ok(());
    }
    let mut gross = value_of(ordered).map_err(|_| RejectCode::MaxGross)?;
    for &instrument in active {
        if instrument != ordered {
            let value = value_of(instrument).map_err(|_| RejectCode::MaxGross)?;
            gross = gross.checked_add(value).ok_or(RejectCode::MaxGross)?;
        }
    }
    if gross <= max_gross { Ok(()) } else { Err(RejectCode::MaxGross) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Nanos, OrderId, OrderType, Price, Quantity};

    fn order(side: Side, quantity: i64) -> NewOrder {
        NewOrder {
            id: OrderId::NONE,
            instrument: 0,
            side,
            order_type: OrderType::Limit,
            price: Price(1),
            trigger: Price::NONE,
            quantity: Quantity(quantity),
            valid_until: Nanos::NEVER,
        }
    }

    fn limits(quantity: i64, value: i128) -> InstrumentLimits {
        InstrumentLimits { max_position: Quantity(quantity), max_position_value: value, ..Default::default() }
    }

    fn shrinks(exposure: Exposure, side: Side, quantity: i64) -> bool {
        exposure.with(&order(side, quantity)).only_shrinks(side)
    }

    #[test]
    fn reduce_only_shrinks_and_never_flips_or_opens() {
        let long = Exposure { position: 10, buys: 0, sells: 3 };
        assert!(shrinks(long, Side::Sell, 7), "exactly to zero");
        assert!(!shrinks(long, Side::Sell, 8), "with the open sells it would flip");
        assert!(!shrinks(long, Side::Buy, 1));
        let short = Exposure { position: -10, buys: 4, sells: 0 };
        assert!(
            shrinks(short, Side::Buy, 6) && !shrinks(short, Side::Buy, 7) && !shrinks(short, Side::Sell, 1)
        );
        // reliability.md §1.2: a flat book may not open, an oversized sell may not flip.
        let flat = Exposure::default();
        assert!(!shrinks(flat, Side::Buy, 1) && !shrinks(flat, Side::Sell, 1));
        assert!(!shrinks(Exposure { position: 1, ..flat }, Side::Sell, i64::MAX));
        assert!(!shrinks(
            Exposure { position: i64::MIN, buys: i128::from(i64::MAX), sells: 0 },
            Side::Buy,
            2
        ));
    }

    #[test]
    fn c11_counts_every_open_order() {
        let c11 = |exposure: Exposure, side, quantity, limits: &InstrumentLimits| {
            let after = exposure.with(&order(side, quantity));
            max_position(&after, after.only_shrinks(side), Ok(after.worst()), limits)
        };
        let exposure = Exposure { position: 4, buys: 3, sells: 20 };
        // 4 + 3 + q ≤ 20 and |4 − 20| = 16 ≤ 20.
        assert_eq!(c11(exposure, Side::Buy, 13, &limits(20, 20)), Ok(()));
        assert_eq!(c11(exposure, Side::Buy, 14, &limits(20, 20)), Err(RejectCode::MaxPosition));
        assert_eq!(c11(exposure, Side::Sell, 4, &limits(20, 20)), Ok(()));
        assert_eq!(c11(exposure, Side::Sell, 5, &limits(20, 20)), Err(RejectCode::MaxPosition));
        assert_eq!(c11(exposure, Side::Buy, 1, &limits(20, 15)), Err(RejectCode::MaxPosition), "its value");
        assert_eq!(c11(exposure, Side::Buy, 1, &limits(0, 99)), Err(RejectCode::MaxPosition), "not set");
        assert_eq!(c11(exposure, Side::Buy, 1, &limits(99, 0)), Err(RejectCode::MaxPosition), "not set");
        let extreme = Exposure { position: i64::MAX, buys: i128::from(i64::MAX), sells: 0 };
        let widest = limits(i64::MAX, i128::MAX);
        assert_eq!(c11(extreme, Side::Buy, i64::MAX, &widest), Err(RejectCode::MaxPosition));
        // Above the limit, what only shrinks still passes.
        let over = Exposure { position: 50, ..Exposure::default() };
        assert_eq!(c11(over, Side::Sell, 50, &limits(20, 20)), Ok(()));
        assert_eq!(c11(over, Side::Sell, 51, &limits(20, 20)), Err(RejectCode::MaxPosition), "it flips");
    }

    #[test]
    fn c11_rejects_what_has_no_value() {
        let after = Exposure { position: 1, ..Exposure::default() };
        for (error, code) in [
            (NoValue::Overflow, RejectCode::MaxPosition),
            (NoValue::Unconvertible, RejectCode::MaxPosition),
            (NoValue::Reference(RejectCode::StaleMarketData), RejectCode::StaleMarketData),
        ] {
            assert_eq!(max_position(&after, false, Err(error), &limits(9, 9)), Err(code));
            assert_eq!(max_position(&after, true, Err(error), &limits(9, 9)), Ok(()));
        }
    }

    #[test]
    fn c12_sums_every_held_instrument_once() {
        let values = [10, 200, 3_000];
        let value_of = |instrument: InstrumentIndex| Ok(values[instrument as usize]);
        let active = [0, 1];
        assert_eq!(max_gross(&active, 1, false, value_of, 210), Ok(()));
        assert_eq!(max_gross(&active, 1, false, value_of, 209), Err(RejectCode::MaxGross));
        assert_eq!(max_gross(&active, 2, false, value_of, 3_210), Ok(()));
        assert_eq!(max_gross(&active, 2, false, value_of, 3_209), Err(RejectCode::MaxGross));
        assert_eq!(max_gross(&active, 2, true, value_of, 0), Ok(()), "what only shrinks");
        let blind = |instrument| if instrument == 0 { Err(NoValue::Overflow) } else { Ok(0) };
        assert_eq!(max_gross(&active, 2, false, blind, i128::MAX), Err(RejectCode::MaxGross));
        assert_eq!(max_gross(&[1], 2, false, blind, i128::MAX), Ok(()));
        assert_eq!(
            max_gross(&active, 2, false, |_| Ok(i128::MAX), i128::MAX),
            Err(RejectCode::MaxGross),
            "overflow"
        );
    }
}
