//! The one place where a strategy's `f64` becomes an exact price or quantity: on the instrument's grid, or refused.
#![allow(clippy::float_arithmetic)]

use crate::domain::{Instrument, InstrumentKind, Price, Quantity, QuantityFilter};

/// Which way a price goes to the grid: a buyer rounds down, a seller up, so that nobody pays more than meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the grid price at or below.
    Down,
    /// To the grid price at or above.
    Up,
}

/// What the size of an order or position is stated in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeUnit {
    /// Units of the quote asset at the mid price.
    Notional,
    /// Units of the instrument: of base, or contracts.
    Quantity,
}

impl SizeUnit {
    /// The words of a parameter, in the order of the values.
    pub const WORDS: &[&str] = &["notional", "quantity"];

    /// The value of the word at `index`.
    #[must_use]
    pub const fn from_index(index: usize) -> Self {
        if index == 0 { Self::Notional } else { Self::Quantity }
    }

    /// The index of its word.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A float this close to an integer, relative to its size, is that integer: `(p / 10^s) × 10^s` may miss `p` by a
/// rounding or two, and a price read from the book must come back as itself.
const SNAP: f64 = 1.0 / (1_u64 << 50) as f64;

/// Prices and quantities of one instrument as a strategy calculates with them, and the way back to the grid.
#[derive(Clone, Debug)]
pub struct Grid {
    instrument: Instrument,
    tick: i64,
    price_unit: f64,
    quantity_unit: f64,
}

impl Grid {
    /// The grid of `instrument`.
    #[must_use]
    pub fn new(instrument: &Instrument) -> Self {
        Self {
            instrument: instrument.clone(),
            tick: instrument.filters.tick.0.max(1),
            price_unit: instrument.price_scale.unit() as f64,
            quantity_unit: instrument.quantity_scale.unit() as f64,
        }
    }

    /// The step between two prices.
    #[must_use]
    pub const fn tick(&self) -> i64 {
        self.tick
    }

    /// A price in units of the quote asset.
    #[must_use]
    pub fn price(&self, price: Price) -> f64 {
        price.0 as f64 / self.price_unit
    }

    /// Half of `twice`, in units of the quote asset: the mid price of [`Top::mid_times_two`].
    ///
    /// [`Top::mid_times_two`]: crate::message::tick::Top::mid_times_two
    #[must_use]
    pub fn mid(&self, twice: i64) -> f64 {
        twice as f64 / (2.0 * self.price_unit)
    }

    /// A quantity in units of base, or contracts.
    #[must_use]
    pub fn quantity(&self, quantity: Quantity) -> f64 {
        quantity.0 as f64 / self.quantity_unit
    }

    /// The grid price nearest to `value` (quote units) on the given side of it. `None` when it is not finite, not
    /// positive, or outside the venue's range.
    #[must_use]
    pub fn quantise_price(&self, value: f64, rounding: Rounding) -> Option<Price> {
        let scaled = snap(value * self.price_unit);
        let on_grid = match rounding {
            Rounding::Down => floor_to(to_integer(libm::floor(scaled))?, self.tick),
            Rounding::Up => ceil_to(to_integer(libm::ceil(scaled))?, self.tick)?,
        };
        self.in_range(Price(on_grid))
    }

    /// The highest grid price below `price`, which may be off the grid.
    #[must_use]
    pub fn below(&self, price: Price) -> Option<Price> {
        self.in_range(Price(floor_to(price.0.checked_sub(1)?, self.tick)))
    }

    /// The lowest grid price above `price`, which may be off the grid.
    #[must_use]
    pub fn above(&self, price: Price) -> Option<Price> {
        self.in_range(Price(ceil_to(price.0.checked_add(1)?, self.tick)?))
    }

    fn in_range(&self, price: Price) -> Option<Price> {
        let filters = &self.instrument.filters;
        let fits = price.is_some()
            && price >= filters.min_price
            && (filters.max_price == Price::NONE || price <= filters.max_price);
        fits.then_some(price)
    }

    /// `value` (units of base, or contracts) down to the lot grid. `None` when it is not finite, or less than the
    /// venue's smallest quantity; at most its largest.
    #[must_use]
    pub fn quantise_quantity(&self, value: f64) -> Option<Quantity> {
        self.fit(Quantity(to_integer(libm::floor(snap(value * self.quantity_unit)))?))
    }

    /// `quantity` down to the lot grid and the venue's largest; `None` below its smallest.
    #[must_use]
    pub fn fit(&self, quantity: Quantity) -> Option<Quantity> {
        let QuantityFilter { min, max, step } = self.instrument.filters.lot;
        let most = if max == Quantity::ZERO { i64::MAX } else { max.0 };
        let fitted = floor_to(quantity.0.min(most), step.0.max(1));
        (fitted > 0 && fitted >= min.0).then_some(Quantity(fitted))
    }

    /// The quantity of an order of `size` when the mid price is `mid`. `None` when that is less than the venue takes.
    #[must_use]
    pub fn order_quantity(&self, size: f64, unit: SizeUnit, mid: f64) -> Option<Quantity> {
        let quantity = self.quantise_quantity(size / self.size_of_one(unit, mid))?;
        let value =
            self.quantise_price(mid, Rounding::Down).map(|at| self.instrument.notional(at, quantity))?;
        self.least_notional().is_none_or(|least| value >= least).then_some(quantity)
    }

    /// The notional filter is in quote × quantity units, which for inverse contracts are no notional: off there.
    fn least_notional(&self) -> Option<i128> {
        match self.instrument.kind {
            InstrumentKind::Inverse => None,
            InstrumentKind::Spot | InstrumentKind::Linear => self.instrument.filters.notional.min,
        }
    }

    /// `size` as a quantity when the mid price is `mid`, however many orders that takes. `None` when it is no
    /// quantity that fits.
    #[must_use]
    pub fn whole_quantity(&self, size: f64, unit: SizeUnit, mid: f64) -> Option<Quantity> {
        let units = to_integer(libm::floor(snap(size / self.size_of_one(unit, mid) * self.quantity_unit)))?;
        (units > 0).then_some(Quantity(units))
    }

    /// The least quantity of an order that the venue takes when the mid price is `mid`.
    #[must_use]
    pub fn least_quantity(&self, mid: f64) -> Option<Quantity> {
        let QuantityFilter { min, step, .. } = self.instrument.filters.lot;
        let mut least = i128::from(min.0.max(1));
        if let Some(notional) = self.least_notional() {
            let of_one = self.instrument.notional(self.quantise_price(mid, Rounding::Down)?, Quantity(1));
            least = least.max((notional + of_one - 1) / of_one.max(1));
        }
        ceil_to(i64::try_from(least).ok()?, step.0.max(1)).map(Quantity)
    }

    /// The size of `quantity`, signed as it is, when the mid price is `mid`.
    #[must_use]
    pub fn size(&self, quantity: Quantity, unit: SizeUnit, mid: f64) -> f64 {
        self.quantity(quantity) * self.size_of_one(unit, mid)
    }

    /// The size of one unit of the instrument.
    fn size_of_one(&self, unit: SizeUnit, mid: f64) -> f64 {
        let multiplier = self.instrument.multiplier as f64;
        match (unit, self.instrument.kind) {
            (SizeUnit::Quantity, _) => 1.0,
            (SizeUnit::Notional, InstrumentKind::Inverse) => multiplier,
            (SizeUnit::Notional, InstrumentKind::Spot | InstrumentKind::Linear) => mid * multiplier,
        }
    }
}

fn snap(value: f64) -> f64 {
    let nearest = libm::rint(value);
    if (value - nearest).abs() <= nearest.abs() * SNAP { nearest } else { value }
}

/// An integral float as an integer; `None` when it is not finite or does not fit.
fn to_integer(value: f64) -> Option<i64> {
    // 2^62 leaves room for the way to the next grid point; the comparison is false for NaN.
    (value.abs() < (1_i64 << 62) as f64).then_some(value as i64)
}

fn floor_to(value: i64, step: i64) -> i64 {
    value - value.rem_euclid(step)
}

fn ceil_to(value: i64, step: i64) -> Option<i64> {
    value.checked_add(step - 1).map(|value| floor_to(value, step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NotionalFilter;
    use crate::tick_to_trade::strategy::testing::{instrument, kind_of};
    use proptest::prelude::*;

    fn grid() -> Grid {
        Grid::new(&instrument())
    }

    #[test]
    fn prices_go_to_the_grid_on_their_side() {
        let grid = grid();
        // Scale 2, tick 0.05.
        for (value, down, up) in [
            (100.00, 10_000, 10_000),
            (100.01, 10_000, 10_005),
            (100.049_999, 10_000, 10_005),
            (100.05, 10_005, 10_005),
            (0.07, 5, 10),
        ] {
            assert_eq!(grid.quantise_price(value, Rounding::Down), Some(Price(down)), "{value}");
            assert_eq!(grid.quantise_price(value, Rounding::Up), Some(Price(up)), "{value}");
        }
        assert_eq!(grid.below(Price(10_005)), Some(Price(10_000)));
        assert_eq!(grid.below(Price(10_003)), Some(Price(10_000)), "a book may hold prices off the grid");
        assert_eq!(grid.above(Price(10_003)), Some(Price(10_005)));
        assert_eq!(grid.above(Price(10_005)), Some(Price(10_010)));
    }

    #[test]
    fn what_is_no_price_is_refused() {
        let mut limited = instrument();
        limited.filters.max_price = Price(20_000);
        limited.filters.min_price = Price(1_000);
        let grid = Grid::new(&limited);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 9.94, 200.04, 1e300] {
            assert_eq!(grid.quantise_price(value, Rounding::Up), None, "{value}");
        }
        assert_eq!(grid.quantise_price(200.04, Rounding::Down), Some(Price(20_000)));
        assert_eq!(grid.below(Price(1_000)), None);
        assert_eq!(grid.above(Price(i64::MAX)), None);
    }

    #[test]
    fn quantities_fit_the_lot_or_are_refused() {
        let grid = grid();
        // Scale 3, step 0.002, least 0.004, most 50.
        assert_eq!(grid.quantise_quantity(0.0079), Some(Quantity(6)));
        assert_eq!(grid.quantise_quantity(0.004), Some(Quantity(4)));
        assert_eq!(grid.quantise_quantity(0.0039), None);
        assert_eq!(grid.quantise_quantity(80.0), Some(Quantity(50_000)));
        for value in [f64::NAN, f64::INFINITY, -3.0] {
            assert_eq!(grid.quantise_quantity(value), None, "{value}");
        }
    }

    #[test]
    fn sizes_follow_the_kind_of_instrument() {
        let quantity = |kind, multiplier| {
            let grid = Grid::new(&kind_of(kind, multiplier));
            grid.order_quantity(250.0, SizeUnit::Notional, 100.0)
        };
        assert_eq!(quantity(InstrumentKind::Spot, 1), Some(Quantity(2_500)));
        assert_eq!(quantity(InstrumentKind::Linear, 10), Some(Quantity(250)), "ten units a contract");
        assert_eq!(quantity(InstrumentKind::Inverse, 100), Some(Quantity(2_500)), "100 quote a contract");
        let grid = Grid::new(&kind_of(InstrumentKind::Inverse, 100));
        assert!((grid.size(Quantity(-2_500), SizeUnit::Notional, 7.0) + 250.0).abs() < 1e-9);
        assert_eq!(grid.order_quantity(2.5, SizeUnit::Quantity, 100.0), Some(Quantity(2_500)));
    }

    #[test]
    fn an_order_below_the_least_notional_is_refused() {
        let mut small = instrument();
        small.filters.notional = NotionalFilter { min: Some(500_000), ..NotionalFilter::default() };
        let grid = Grid::new(&small);
        assert_eq!(grid.order_quantity(5.0, SizeUnit::Notional, 100.0), Some(Quantity(50)));
        assert_eq!(grid.order_quantity(4.9, SizeUnit::Notional, 100.0), None);
        assert_eq!(grid.least_quantity(100.0), Some(Quantity(50)));
        assert_eq!(grid.least_quantity(99.0), Some(Quantity(52)), "0.0506 up to the lot grid");
        assert_eq!(grid.least_quantity(5_000.0), Some(Quantity(4)), "the least lot");
        assert_eq!(grid.whole_quantity(8_000.0, SizeUnit::Notional, 100.0), Some(Quantity(80_000)));
        assert_eq!(grid.whole_quantity(1e-9, SizeUnit::Notional, 100.0), None);
    }

    proptest! {
        #[test]
        fn a_grid_price_comes_back_as_itself(ticks in 1_i64..1 << 48, digits in 0_u8..=8) {
            let mut scaled = instrument();
            scaled.price_scale = crate::domain::Scale::new(digits).expect("a valid scale");
            let grid = Grid::new(&scaled);
            let price = Price(ticks * grid.tick());
            prop_assert_eq!(grid.quantise_price(grid.price(price), Rounding::Down), Some(price));
            prop_assert_eq!(grid.quantise_price(grid.price(price), Rounding::Up), Some(price));
        }
    }
}
