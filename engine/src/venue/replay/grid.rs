//! The decimal grid that recorded numbers lie on: its step, its range, and a scale that holds them.

use crate::domain::decimal::{self, DecimalError, Scale};

/// Decimals that Binance writes at most.
const DECIMALS: Scale = match Scale::new(8) {
    Some(scale) => scale,
    None => Scale::MAX,
};

/// How much larger than anything seen a number may become.
const HEADROOM: i64 = 1_000;

/// The grid of the numbers added so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    scale: Scale,
    step: i64,
    max: i64,
    count: u32,
}

impl Default for Grid {
    fn default() -> Self {
        Self { scale: DECIMALS, step: 0, max: 0, count: 0 }
    }
}

impl Grid {
    /// Adds a number as the venue wrote it. Zero (a deleted level) tells nothing.
    ///
    /// # Errors
    /// When it is no decimal, is negative, or no scale holds it exactly together with the others.
    pub(super) fn add(&mut self, text: &[u8]) -> Result<(), DecimalError> {
        loop {
            match decimal::parse(text, self.scale) {
                Ok(value) if value < 0 => return Err(DecimalError::Range),
                Ok(value) => {
                    self.step = greatest_common_divisor(self.step, value);
                    self.max = self.max.max(value);
                    self.count += u32::from(value > 0);
                    return Ok(());
                }
                Err(DecimalError::Range) if self.coarsen() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How many numbers other than zero were added.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// Scale and step: the finest of at most eight decimals at which the largest number times a thousand fits an
    /// `i64`, or the coarsest that still holds every number exactly. A step of zero: no number was added.
    pub(super) fn settle(mut self) -> (Scale, i64) {
        while self.max > i64::MAX / HEADROOM && self.coarsen() {}
        (self.scale, self.step)
    }

    /// Drops one decimal, if every number so far is exact without it.
    fn coarsen(&mut self) -> bool {
        let coarser = self.scale.digits().checked_sub(1).and_then(Scale::new);
        match coarser {
            Some(scale) if self.step % 10 == 0 => {
                self.scale = scale;
                self.step /= 10;
                self.max /= 10;
                true
            }
            _ => false,
        }
    }
}

/// The largest number that divides both; zero divides nothing and is divided by all.
const fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(numbers: &[&str]) -> Result<(u8, i64), DecimalError> {
        let mut grid = Grid::default();
        for number in numbers {
            grid.add(number.as_bytes())?;
        }
        let (scale, step) = grid.settle();
        Ok((scale.digits(), step))
    }

    #[test]
    fn the_step_is_the_common_divisor_at_the_finest_scale_that_fits() {
        assert_eq!(grid(&["61837.63", "61837.64000000"]), Ok((8, 1_000_000)));
        assert_eq!(grid(&["0.5", "0", "2.0"]), Ok((8, 50_000_000)));
        assert_eq!(grid(&[]), Ok((8, 0)));
        // 4 × 10^12 and its thousandfold fit at three decimals, not at eight.
        assert_eq!(grid(&["4000000000001.0", "3000000000000"]), Ok((3, 1_000)));
        assert_eq!(grid(&["1", "4000000000000000000"]), Ok((0, 1)), "no headroom left, but exact");
        assert_eq!(grid(&["0.1", "4000000000000000000"]), Err(DecimalError::Range));
        assert_eq!(grid(&["0.000000001"]), Err(DecimalError::Precision));
        assert_eq!(grid(&["-1"]), Err(DecimalError::Range));
        assert_eq!(grid(&["x"]), Err(DecimalError::Malformed));
    }

    proptest! {
        #[test]
        fn every_number_lies_on_the_grid(values in proptest::collection::vec(1_i64..i64::MAX / 10, 1..20), digits in 0_u8..=8) {
            let from = Scale::new(digits).expect("a scale");
            let texts: Vec<String> = values.iter().map(|&value| decimal::Decimal::new(value, from).to_string()).collect();
            let mut grid = Grid::default();
            if texts.iter().all(|text| grid.add(text.as_bytes()).is_ok()) {
                let (scale, step) = grid.settle();
                for text in &texts {
                    prop_assert_eq!(decimal::parse(text.as_bytes(), scale).map(|value| value % step), Ok(0));
                }
            }
        }
    }
}
