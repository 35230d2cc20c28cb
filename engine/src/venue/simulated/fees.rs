//! Fees: the notional of a trade × a rate, in integers, rounded in the venue's favour.
//!
//! A charge is rounded up (away from zero), a rebate down (towards zero), to units of `10^-FEE_SCALE`. Spot and
//! linear trades pay in quote: `price × quantity × multiplier × rate`. Inverse contracts pay in base:
//! `quantity × multiplier / price × rate`. (A real spot account pays in the asset it receives unless it holds BNB,
//! binance.md §8; the simulated one always pays in quote, so that a position is what was traded.)

use super::config::FeeRate;
use crate::domain::{Instrument, InstrumentKind, Price, Quantity};
use crate::message::report::{FEE_SCALE, FeeAsset};

/// Decimals of a rate: it counts millionths.
const RATE_SCALE: u8 = 6;

/// Units of a fee in one unit of notional × rate.
const FEE_PER_RATED: i128 = 10_i128.pow(FEE_SCALE as u32 - RATE_SCALE as u32);

/// Value of a trade in quote at the instrument's notional scale, or `None` where it does not fit.
pub(super) fn notional(instrument: &Instrument, price: Price, quantity: Quantity) -> Option<i128> {
    // Two 64-bit factors always fit: with the contracts' own product inside 64 bits nothing below can overflow.
    let contracts = i128::from(quantity.0) * i128::from(instrument.multiplier);
    i64::try_from(contracts).ok()?;
    Some(instrument.notional(price, quantity))
}

/// The fee of a trade in units of `10^-FEE_SCALE`, negative for a rebate, or `None` where it does not fit.
pub(super) fn fee(instrument: &Instrument, price: Price, quantity: Quantity, rate: FeeRate) -> Option<i64> {
    let value = notional(instrument, price, quantity)?.checked_abs()?;
    let rated = value.checked_mul(i128::from(rate.0))?.checked_mul(FEE_PER_RATED)?;
    let scale = 10_i128.checked_pow(u32::from(instrument.notional_scale()))?;
    let (dividend, divisor) = match instrument.kind {
        InstrumentKind::Spot | InstrumentKind::Linear => (rated, scale),
        InstrumentKind::Inverse => (
            rated.checked_mul(i128::from(instrument.price_scale.unit()))?,
            scale.checked_mul(i128::from(price.0))?,
        ),
    };
    if divisor <= 0 {
        return None;
    }
    // Division truncates towards zero: right for a rebate, one short for a charge with a remainder.
    let short = dividend > 0 && dividend % divisor != 0;
    i64::try_from(dividend / divisor + i128::from(short)).ok()
}

/// What fees of `instrument` are taken in.
pub(super) const fn asset(instrument: &Instrument) -> FeeAsset {
    match instrument.kind {
        InstrumentKind::Spot | InstrumentKind::Linear => FeeAsset::Quote,
        InstrumentKind::Inverse => FeeAsset::Base,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::instrument;
    use super::*;
    use crate::domain::Scale;
    use proptest::prelude::*;

    fn scaled(kind: InstrumentKind, price: u8, quantity: u8, multiplier: i64) -> Instrument {
        let scale = |digits| Scale::new(digits).expect("a valid scale");
        Instrument {
            kind,
            price_scale: scale(price),
            quantity_scale: scale(quantity),
            multiplier,
            ..instrument()
        }
    }

    #[test]
    fn a_charge_rounds_up_and_a_rebate_down() {
        // 61837.63 × 0.00123 = 76.0602849 quote; × 0.075 % = 0.057045213675.
        let spot = scaled(InstrumentKind::Spot, 2, 5, 1);
        let (price, quantity) = (Price(6_183_763), Quantity(123));
        assert_eq!(fee(&spot, price, quantity, FeeRate(750)), Some(5_704_522));
        assert_eq!(fee(&spot, price, quantity, FeeRate(-750)), Some(-5_704_521));
        assert_eq!(fee(&spot, price, quantity, FeeRate(0)), Some(0));
        // 100 × 1 × 0.1 % = 0.1 exactly: nothing to round.
        let whole = scaled(InstrumentKind::Spot, 0, 0, 1);
        assert_eq!(fee(&whole, Price(100), Quantity(1), FeeRate(1_000)), Some(10_000_000));
        assert_eq!(asset(&spot), FeeAsset::Quote);
    }

    #[test]
    fn contracts_pay_by_their_kind() {
        // Linear, 10 base a contract: 2000.5 × 3 × 10 × 0.04 % = 24.006 quote.
        let linear = scaled(InstrumentKind::Linear, 1, 0, 10);
        assert_eq!(fee(&linear, Price(20_005), Quantity(3), FeeRate(400)), Some(2_400_600_000));
        // Inverse, 100 USD a contract: 7 × 100 / 61837.6 × 0.05 % = 0.00000565998… base.
        let inverse = scaled(InstrumentKind::Inverse, 1, 0, 100);
        assert_eq!(fee(&inverse, Price(618_376), Quantity(7), FeeRate(500)), Some(566));
        assert_eq!(fee(&inverse, Price(618_376), Quantity(7), FeeRate(-500)), Some(-565));
        assert_eq!(asset(&inverse), FeeAsset::Base);
    }

    #[test]
    fn what_does_not_fit_is_none() {
        let spot = scaled(InstrumentKind::Spot, 0, 0, 1);
        assert_eq!(fee(&spot, Price(i64::MAX), Quantity(i64::MAX), FeeRate(1_000)), None);
        assert_eq!(fee(&spot, Price(i64::MAX), Quantity(1_000), FeeRate(1_000)), None);
        let linear = scaled(InstrumentKind::Linear, 0, 0, i64::MAX);
        assert_eq!(notional(&linear, Price(i64::MAX), Quantity(2)), None);
        let inverse = scaled(InstrumentKind::Inverse, 0, 0, 1);
        assert_eq!(fee(&inverse, Price(0), Quantity(1), FeeRate(1)), None);
    }

    proptest! {
        #[test]
        fn a_part_never_costs_more_than_the_whole(
            price in 1..i64::MAX / 1_000, whole in 1..1_000_000_000_i64, part in 0..1_000_000_000_i64, rate in 0..10_000_i32,
        ) {
            let spot = scaled(InstrumentKind::Spot, 8, 8, 1);
            let inverse = scaled(InstrumentKind::Inverse, 1, 0, 100);
            let part = Quantity(part.min(whole));
            for instrument in [&spot, &inverse] {
                let all = fee(instrument, Price(price), Quantity(whole), FeeRate(rate));
                let some = fee(instrument, Price(price), part, FeeRate(rate));
                prop_assert!(all.is_none() || some.is_some_and(|fee| Some(fee) <= all));
            }
        }
    }
}
