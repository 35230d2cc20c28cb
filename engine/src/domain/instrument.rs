//! Instruments: what trades, at which scales, under which of the venue's filters.

use std::collections::BTreeMap;
use std::mem::offset_of;

use crate::domain::decimal::{Decimal, DecimalError, Scale, parse};
use crate::domain::filters::Filters;
use crate::domain::quantity::{Price, Quantity};
use crate::domain::symbol::Symbol;
use crate::error::SetupError;
use crate::limits::{CACHE_LINE, INSTRUMENTS_MAX};
use crate::room::Line;
use crate::wire::wire_enum;

/// Dense index of an instrument in its table; meaningful only within one engine epoch.
pub type InstrumentIndex = u32;

wire_enum! {
    /// Which of the venue's markets, each with its own protocol variant.
    Market { /// Spot: `/api/v3`.
        Spot = 1 => "spot", /// USD-margined futures: `/fapi`.
        UsdMargined = 2 => "usdm", /// Coin-margined futures: `/dapi`.
        CoinMargined = 3 => "coinm" }
}

wire_enum! {
    /// How value follows from price and quantity.
    InstrumentKind {
        /// Quantity of base, paid in quote: value = price × quantity.
        Spot = 1 => "spot",
        /// A contract on base, settled in quote: value = price × quantity × multiplier.
        Linear = 2 => "linear",
        /// A contract of a fixed quote value, settled in base: value = quantity × multiplier / price.
        Inverse = 3 => "inverse",
    }
}

impl InstrumentKind {
    /// Which of its two assets an instrument's values are in.
    #[must_use]
    pub const fn money<'a>(self, base: &'a str, quote: &'a str) -> &'a str {
        match self {
            Self::Spot | Self::Linear => quote,
            Self::Inverse => base,
        }
    }
}

/// One instrument of the venue. All that the text of an order is made of lies in the first line of the cache, down to the
/// instrument's kind: with many instruments it has to come from afar.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Instrument {
    /// The venue's name for it.
    pub symbol: Symbol,
    /// Decimals of a `Price`.
    pub price_scale: Scale,
    /// Decimals of a `Quantity`.
    pub quantity_scale: Scale,
    /// The market it trades on.
    pub market: Market,
    /// How its value follows from price and quantity.
    pub kind: InstrumentKind,
    /// What is bought and sold.
    pub base: Box<str>,
    /// What it is priced in.
    pub quote: Box<str>,
    /// Value of one contract in units of base (linear) or quote (inverse); 1 for spot.
    pub multiplier: i64,
    /// The venue's rules for our orders.
    pub filters: Filters,
    /// Why it cannot be traded: its status, or a value in its definition that this build does not know. Its market
    /// data is followed all the same.
    pub untradable: Option<Box<str>>,
}

const _: () = assert!(offset_of!(Instrument, kind) + size_of::<InstrumentKind>() <= CACHE_LINE);

impl Instrument {
    /// Reads a price exactly.
    ///
    /// # Errors
    /// When the text is no plain decimal or does not fit the scale.
    pub fn price(&self, text: &str) -> Result<Price, DecimalError> {
        parse(text.as_bytes(), self.price_scale).map(Price)
    }

    /// Reads a quantity exactly.
    ///
    /// # Errors
    /// When the text is no plain decimal or does not fit the scale.
    pub fn quantity(&self, text: &str) -> Result<Quantity, DecimalError> {
        parse(text.as_bytes(), self.quantity_scale).map(Quantity)
    }

    /// A price as text.
    #[must_use]
    pub fn show_price(&self, price: Price) -> Decimal {
        Decimal::new(price.0, self.price_scale)
    }

    /// A quantity as text.
    #[must_use]
    pub fn show_quantity(&self, quantity: Quantity) -> Decimal {
        Decimal::new(quantity.0, self.quantity_scale)
    }

    /// Decimals of [`notional`](Self::notional): quote units for spot and linear; for inverse contracts the value in
    /// quote is quantity × multiplier, at the quantity's scale.
    #[must_use]
    pub fn notional_scale(&self) -> u8 {
        match self.kind {
            InstrumentKind::Spot | InstrumentKind::Linear => {
                self.price_scale.digits() + self.quantity_scale.digits()
            }
            InstrumentKind::Inverse => self.quantity_scale.digits(),
        }
    }

    /// Value of `quantity` at `price` in the quote asset, exactly, at [`notional_scale`](Self::notional_scale).
    #[must_use]
    pub fn notional(&self, price: Price, quantity: Quantity) -> i128 {
        let contracts = i128::from(quantity.0) * i128::from(self.multiplier);
        match self.kind {
            InstrumentKind::Spot | InstrumentKind::Linear => contracts * i128::from(price.0),
            InstrumentKind::Inverse => contracts,
        }
    }
}

/// Place of a market's map.
const fn slot(market: Market) -> usize {
    market as usize - 1
}

/// The instruments of an engine: fixed for an epoch, found by index on the hot path and by symbol at the edges.
#[derive(Debug, Default)]
pub struct Instruments {
    table: Vec<Instrument>,
    /// One map a market, by [`slot`], so that a look-up borrows its symbol.
    by_symbol: [BTreeMap<Symbol, InstrumentIndex>; Market::ALL.len()],
}

impl Instruments {
    /// Takes a table over, in the order given.
    ///
    /// # Errors
    /// When there are too many, or a symbol appears twice on one market.
    pub fn new(table: Vec<Instrument>) -> Result<Self, SetupError> {
        if table.len() > INSTRUMENTS_MAX {
            return Err(SetupError::Invalid(format!(
                "{} instruments: at most {INSTRUMENTS_MAX} fit one engine",
                table.len()
            )));
        }
        let mut by_symbol = <[BTreeMap<_, _>; Market::ALL.len()]>::default();
        for (index, instrument) in (0..).zip(&table) {
            let symbol = instrument.symbol;
            if by_symbol[slot(instrument.market)].insert(symbol, index).is_some() {
                return Err(SetupError::Invalid(format!("symbol {symbol}: listed twice")));
            }
        }
        Ok(Self { table, by_symbol })
    }

    /// Where each has all that the text of its orders is made of: one line.
    #[must_use]
    pub fn line(&self) -> [Line; 1] {
        Line::first_of(&self.table)
    }

    /// The instrument at `index`.
    #[must_use]
    pub fn get(&self, index: InstrumentIndex) -> Option<&Instrument> {
        self.table.get(index as usize)
    }

    /// Index of `symbol` on `market`.
    #[must_use]
    pub fn find(&self, market: Market, symbol: &str) -> Option<InstrumentIndex> {
        self.by_symbol[slot(market)].get(symbol).copied()
    }

    /// Index of `symbol` on whichever market lists it first.
    #[must_use]
    pub fn find_any(&self, symbol: &str) -> Option<InstrumentIndex> {
        Market::ALL.iter().find_map(|&market| self.find(market, symbol))
    }

    /// All instruments with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (InstrumentIndex, &Instrument)> {
        (0..).zip(&self.table)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}
