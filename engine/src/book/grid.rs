//! A grid of prices, and the slot of a price on it without a division.

use crate::book::Level;
use crate::domain::Price;

/// Coarsest tick that is indexed: windows of any size then fit the range of a price. A coarser one is no tick of
/// a real market; the grid falls back to 1, and the book stays exact.
const TICK_MAX: i64 = 1 << 40;

/// How many levels of a snapshot are looked at to judge a tick.
const SAMPLE: usize = 256;

/// Multiples of a tick.
///
/// An exact quotient is a multiplication by the inverse of the tick's odd part modulo 2^64 and a rotation by its
/// power of two. A distance that is no multiple of the tick comes out above `u64::MAX / tick`, so a single
/// comparison with the window's length refuses it together with whatever is too far or negative (Granlund and
/// Montgomery, "Division by Invariant Integers using Multiplication", 1994, §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    tick: i64,
    inverse: u64,
    shift: u32,
}

impl Grid {
    /// The grid of `tick`; one that is not positive or too coarse gives the grid of 1.
    #[must_use]
    pub const fn new(tick: i64) -> Self {
        let tick = if tick > 0 && tick <= TICK_MAX { tick } else { 1 };
        let shift = tick.trailing_zeros();
        let odd = tick.cast_unsigned() >> shift;
        // Newton's iteration: an odd number is its own inverse modulo 8, and each round doubles the correct bits.
        let mut inverse = odd;
        let mut bits = 3;
        while bits < u64::BITS {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
            bits *= 2;
        }
        Self { tick, inverse, shift }
    }

    /// The grid for a book that starts with `levels`: that of `hint` if at least half of them are on it, else that
    /// of their greatest common divisor.
    #[must_use]
    pub fn choose(hint: Price, levels: &[Level]) -> Self {
        let sample = &levels[..levels.len().min(SAMPLE)];
        let on_hint = |level: &&Level| hint.is_some() && level.price.0 % hint.0 == 0;
        if hint.is_some() && sample.iter().filter(on_hint).count() * 2 >= sample.len() {
            return Self::new(hint.0);
        }
        let divisor = sample.iter().fold(0, |divisor, level| gcd(divisor, level.price.0.unsigned_abs()));
        Self::new(i64::try_from(divisor).unwrap_or(0))
    }

    /// The tick.
    #[must_use]
    pub const fn tick(&self) -> i64 {
        self.tick
    }

    /// The number of ticks in `distance`, modulo 2^64; above `u64::MAX / tick` if it is no multiple of the tick. A
    /// small negative distance comes out near `u64::MAX / tick` or above.
    #[inline]
    #[must_use]
    pub fn slot(&self, distance: i64) -> usize {
        let quotient = distance.cast_unsigned().wrapping_mul(self.inverse).rotate_right(self.shift);
        usize::try_from(quotient).unwrap_or(usize::MAX)
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Quantity;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn slot_is_the_exact_quotient(tick in 1..=TICK_MAX, small in 1_i64..2_000, count in 0_i64..100_000, off in 1_i64..TICK_MAX) {
            for tick in [tick, small] {
                let grid = Grid::new(tick);
                prop_assert_eq!(grid.tick(), tick);
                prop_assert_eq!(grid.slot(count * tick) as i64, count);
                let highest = usize::MAX / tick as usize;
                if off % tick != 0 {
                    prop_assert!(grid.slot(count * tick + off % tick) > highest);
                }
                prop_assert!(grid.slot(-(count + 1) * tick) >= highest - count as usize - 1);
            }
        }
    }

    #[test]
    fn a_tick_that_is_none_becomes_one() {
        for tick in [0, -5, i64::MIN, i64::MAX, TICK_MAX + 1] {
            assert_eq!(Grid::new(tick), Grid::new(1));
        }
    }

    #[test]
    fn the_hint_is_checked_against_the_levels() {
        let levels = |prices: &[i64]| -> Vec<Level> {
            prices.iter().map(|&price| Level { price: Price(price), quantity: Quantity(1) }).collect()
        };
        assert_eq!(Grid::choose(Price(10), &levels(&[100, 110, 123])).tick(), 10);
        assert_eq!(Grid::choose(Price(10), &levels(&[105, 115, 120])).tick(), 5);
        assert_eq!(Grid::choose(Price::NONE, &levels(&[600, 900])).tick(), 300);
        assert_eq!(Grid::choose(Price::NONE, &[]).tick(), 1);
    }
}
