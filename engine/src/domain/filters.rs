//! The venue's rules for orders (binance.md §2): what risk holds our orders to before they leave, and the simulated
//! venue when they arrive.

use crate::domain::grid::Grid;
use crate::domain::quantity::{Price, Quantity};

/// Bounds and grid of a quantity; a part that is zero is off (binance.md §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuantityFilter {
    /// Smallest quantity of an order.
    pub min: Quantity,
    /// Largest quantity of an order.
    pub max: Quantity,
    /// Grid of quantities.
    pub step: Quantity,
}

/// Bounds of an order's value in the quote asset, at `Instrument::notional_scale`; `None` is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotionalFilter {
    /// Smallest notional of an order.
    pub min: Option<i128>,
    /// Largest notional of an order.
    pub max: Option<i128>,
    /// Whether `min` holds for market orders too.
    pub min_applies_to_market: bool,
    /// Whether `max` holds for market orders too.
    pub max_applies_to_market: bool,
}

/// The venue's rules for orders of one instrument. They bind only the orders that *we* send: books hold levels off
/// the grid exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Grid of prices; zero is off.
    pub tick: Price,
    /// Lowest price; zero is off.
    pub min_price: Price,
    /// Highest price; zero is off.
    pub max_price: Price,
    /// Quantities of orders that carry a price, and of market orders where `market_lot` is off.
    pub lot: QuantityFilter,
    /// Quantities of market orders.
    pub market_lot: QuantityFilter,
    /// Notionals.
    pub notional: NotionalFilter,
    /// Most open orders on the symbol; `None` where the venue states none.
    pub max_open_orders: Option<u32>,
    /// Whether an order may be cancelled and another placed in one request.
    pub cancel_replace: bool,
    /// Whether a pair of orders may be placed of which one cancels the other.
    pub oco: bool,
}

impl QuantityFilter {
    /// LOT_SIZE: min ≤ quantity ≤ max and quantity % step = 0; each part is off when 0.
    #[must_use]
    pub const fn passes(&self, quantity: Quantity) -> bool {
        let on_grid = self.step.0 <= 1 || quantity.0 % self.step.0 == 0;
        on_grid && self.bounds(quantity)
    }

    /// The bounds of LOT_SIZE alone.
    #[inline]
    #[must_use]
    pub const fn bounds(&self, quantity: Quantity) -> bool {
        let below = self.max.0 <= 0 || quantity.0 <= self.max.0;
        below && quantity.0 >= self.min.0
    }
}

impl NotionalFilter {
    /// The bounds that hold for market orders, or for those with a price.
    #[must_use]
    pub fn bounds(&self, market: bool) -> (Option<i128>, Option<i128>) {
        let min = self.min.filter(|_| !market || self.min_applies_to_market);
        let max = self.max.filter(|_| !market || self.max_applies_to_market);
        (min, max)
    }
}

impl Filters {
    /// PRICE_FILTER: min ≤ price ≤ max and price % tick = 0; each part is off when 0.
    #[must_use]
    pub const fn price_passes(&self, price: Price) -> bool {
        let on_grid = self.tick.0 <= 1 || price.0 % self.tick.0 == 0;
        on_grid && self.price_bounds(price)
    }

    /// The bounds of PRICE_FILTER alone.
    #[inline]
    #[must_use]
    pub const fn price_bounds(&self, price: Price) -> bool {
        let below = self.max_price.0 <= 0 || price.0 <= self.max_price.0;
        below && price.0 >= self.min_price.0
    }

    /// The quantities of market orders, or of those with a price. Each part of MARKET_LOT_SIZE that is off leaves
    /// LOT_SIZE in force: live values are zero.
    #[inline]
    #[must_use]
    pub const fn lot_of(&self, market: bool) -> QuantityFilter {
        const fn part(own: Quantity, other: Quantity) -> Quantity {
            if own.0 > 0 { own } else { other }
        }
        if !market {
            return self.lot;
        }
        QuantityFilter {
            min: part(self.market_lot.min, self.lot.min),
            max: part(self.market_lot.max, self.lot.max),
            step: part(self.market_lot.step, self.lot.step),
        }
    }
}

/// The grids of [`Filters`], for whoever asks often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Grids {
    tick: Grid,
    lots: [Grid; 2],
}

impl Grids {
    /// The grids of `filters`.
    #[must_use]
    pub const fn of(filters: &Filters) -> Self {
        let [lot, market] = [filters.lot_of(false), filters.lot_of(true)];
        Self { tick: Grid::of(filters.tick.0), lots: [Grid::of(lot.step.0), Grid::of(market.step.0)] }
    }

    /// As [`Filters::price_passes`].
    #[inline]
    #[must_use]
    pub const fn price_passes(&self, filters: &Filters, price: Price) -> bool {
        self.price_on_grid(price.0.unsigned_abs()) && filters.price_bounds(price)
    }

    /// The grid of PRICE_FILTER alone, for a price of that size.
    #[inline]
    #[must_use]
    pub const fn price_on_grid(&self, price: u64) -> bool {
        self.tick.divides(price)
    }

    /// As [`QuantityFilter::passes`] of [`Filters::lot_of`].
    #[inline]
    #[must_use]
    pub const fn lot_passes(&self, filters: &Filters, market: bool, quantity: Quantity) -> bool {
        self.lot_on_grid(market, quantity.0.unsigned_abs()) && filters.lot_of(market).bounds(quantity)
    }

    /// The grid of LOT_SIZE alone, or of MARKET_LOT_SIZE, for a quantity of that size.
    #[inline]
    #[must_use]
    pub const fn lot_on_grid(&self, market: bool, quantity: u64) -> bool {
        self.lots[market as usize].divides(quantity)
    }
}
