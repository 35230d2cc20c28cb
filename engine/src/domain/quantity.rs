//! Prices, quantities and notionals: integers that mean something only beside an instrument.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A price in units of `10^-price_scale` of the instrument's quote asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub struct Price(pub i64);

/// A quantity in units of `10^-quantity_scale` of the base asset, or of contracts where the instrument is one.
/// Never negative on an order or a level; signed for a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub struct Quantity(pub i64);

impl Price {
    /// No price: an empty side of a book, or the price of a market order.
    pub const NONE: Self = Self(0);
    /// Whether there is a price.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 > 0
    }
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);
}
