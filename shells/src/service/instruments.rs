//! The instrument table of the running engine, from shared memory.

use std::collections::BTreeMap;

use engine::counters::CellReader;
use engine::domain::{
    Decimal, Filters, Instrument, InstrumentIndex, Instruments, Price, Quantity, QuantityFilter, Symbol,
    decimal,
};
use engine::error::SetupError;
use engine::journal::{InstrumentFacts, ListedInstrument};
use engine::ledger::Terms;

use crate::api::{ApiError, code, service};

/// The table of one engine epoch.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<InstrumentFacts>,
    by_symbol: BTreeMap<Box<str>, InstrumentIndex>,
}

impl Table {
    /// Copies the cells.
    ///
    /// # Errors
    /// When a row is not written yet, or is not valid.
    pub fn read(cells: &CellReader<ListedInstrument>) -> Result<Self, SetupError> {
        let mut table = Self::default();
        for (index, at) in (0..).zip(0..cells.count()) {
            let facts = cells.read(at).and_then(|row| row.facts()).filter(|facts| facts.index == index);
            let facts = facts.ok_or_else(|| {
                SetupError::Invalid(format!("instrument {index}: its row is missing or damaged"))
            })?;
            table.by_symbol.entry(facts.symbol.clone()).or_insert(index);
            table.rows.push(facts);
        }
        Ok(table)
    }

    /// The instrument at `index`.
    #[must_use]
    pub fn get(&self, index: InstrumentIndex) -> Option<&InstrumentFacts> {
        self.rows.get(index as usize)
    }

    /// The instrument called `symbol`.
    ///
    /// # Errors
    /// `UNKNOWN_SYMBOL`.
    pub fn find(&self, symbol: &str) -> Result<&InstrumentFacts, ApiError> {
        let index = self.by_symbol.get(symbol);
        index.and_then(|&index| self.get(index)).ok_or_else(|| {
            ApiError::new(code::UNKNOWN_SYMBOL, format!("{symbol:?}: the engine knows no such symbol"))
        })
    }

    /// Every instrument, in index order.
    pub fn iter(&self) -> impl Iterator<Item = &InstrumentFacts> {
        self.rows.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A table for a ledger: names, kinds, assets and scales, without most filters.
    ///
    /// # Errors
    /// When a symbol is too long or stands twice on one market.
    pub fn instruments(&self) -> Result<Instruments, SetupError> {
        let instrument = |facts: &InstrumentFacts| -> Result<_, SetupError> {
            Ok(Instrument {
                symbol: Symbol::new(&facts.symbol)?,
                market: facts.market,
                kind: facts.kind,
                base: facts.base.clone(),
                quote: facts.quote.clone(),
                price_scale: facts.price_scale,
                quantity_scale: facts.quantity_scale,
                multiplier: facts.multiplier,
                filters: Filters {
                    tick: facts.tick,
                    lot: QuantityFilter { step: facts.lot, ..QuantityFilter::default() },
                    ..Filters::default()
                },
                untradable: (!facts.tradable).then(|| "not tradable".into()),
            })
        };
        Instruments::new(self.rows.iter().map(instrument).collect::<Result<_, _>>()?)
    }

    /// The rows of `instruments`.
    #[must_use]
    pub fn show(&self) -> Vec<service::Instrument> {
        self.rows.iter().map(show).collect()
    }
}

fn show(facts: &InstrumentFacts) -> service::Instrument {
    let notional_scale = facts.price_scale.digits() + facts.quantity_scale.digits();
    service::Instrument {
        symbol: facts.symbol.to_string(),
        market: facts.market.to_string(),
        kind: facts.kind.to_string(),
        base: facts.base.to_string(),
        quote: facts.quote.to_string(),
        tick_size: facts.tick.is_some().then(|| price(facts, facts.tick)),
        lot_size: (facts.lot.0 > 0).then(|| quantity(facts, facts.lot)),
        min_notional: facts
            .min_notional
            .map(|value| Decimal { value: value.into(), scale: notional_scale }.to_string()),
        multiplier: facts.multiplier,
        price_scale: facts.price_scale.digits(),
        quantity_scale: facts.quantity_scale.digits(),
        tradable: facts.tradable,
    }
}

/// A price as text.
#[must_use]
pub fn price(facts: &InstrumentFacts, price: Price) -> String {
    Decimal::new(price.0, facts.price_scale).to_string()
}

/// A quantity as text.
#[must_use]
pub fn quantity(facts: &InstrumentFacts, quantity: Quantity) -> String {
    Decimal::new(quantity.0, facts.quantity_scale).to_string()
}

/// Money of the instrument as text.
#[must_use]
pub fn money(terms: &Terms, value: i128) -> String {
    Decimal { value, scale: terms.scale() }.to_string()
}

/// Reads a price that is above zero.
///
/// # Errors
/// `BAD_REQUEST` that names `field`.
pub fn read_price(facts: &InstrumentFacts, field: &str, text: &str) -> Result<Price, ApiError> {
    read(field, text, facts.price_scale).map(Price)
}

/// Reads a quantity that is above zero.
///
/// # Errors
/// `BAD_REQUEST` that names `field`.
pub fn read_quantity(facts: &InstrumentFacts, field: &str, text: &str) -> Result<Quantity, ApiError> {
    read(field, text, facts.quantity_scale).map(Quantity)
}

fn read(field: &str, text: &str, scale: engine::domain::Scale) -> Result<i64, ApiError> {
    match decimal::parse(text.as_bytes(), scale) {
        Ok(value) if value > 0 => Ok(value),
        Ok(_) => Err(ApiError::new(code::BAD_REQUEST, format!("{field}: {text:?} is not above zero"))),
        Err(error) => Err(ApiError::new(code::BAD_REQUEST, format!("{field}: {text:?}: {error}"))),
    }
}

#[cfg(test)]
pub(crate) use tests::sample;

#[cfg(test)]
mod tests {
    use super::*;
    use engine::counters::CellWriter;
    use engine::domain::{InstrumentKind, Market, Scale};

    /// A table of two spot instruments, by way of a file.
    pub(crate) fn sample() -> Table {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cells");
        let mut writer = CellWriter::create(&path, 2, 1).expect("made");
        for (index, base) in (0..).zip(["BTC", "ETH"]) {
            let instrument = Instrument {
                symbol: Symbol::new(&format!("{base}USDT")).expect("it fits"),
                market: Market::Spot,
                kind: InstrumentKind::Spot,
                base: base.into(),
                quote: "USDT".into(),
                price_scale: Scale::new(2).expect("a scale"),
                quantity_scale: Scale::new(5).expect("a scale"),
                multiplier: 1,
                filters: Filters { tick: Price(1), ..Filters::default() },
                untradable: None,
            };
            writer.write(index as usize, &ListedInstrument::new(index, &instrument).expect("fits"));
        }
        Table::read(&CellReader::attach(&path).expect("attached")).expect("two rows")
    }

    #[test]
    fn symbols_lead_to_rows_and_numbers_are_exact() {
        let table = sample();
        let row = table.find("ETHUSDT").expect("known");
        assert_eq!((row.index, table.len()), (1, 2));
        assert_eq!(table.find("eth").expect_err("unknown").code, code::UNKNOWN_SYMBOL);
        assert_eq!(read_price(row, "price", "10.5"), Ok(Price(1_050)));
        assert_eq!(price(row, Price(1_050)), "10.5");
        for bad in ["0", "-1", "1.005", "1e3", ""] {
            let error = read_price(row, "price", bad).expect_err(bad);
            assert!(error.message.starts_with("price: "), "{error}");
        }
        let shown = &table.show()[0];
        assert_eq!(shown.tick_size.as_deref(), Some("0.01"));
        assert_eq!((shown.base.as_str(), shown.quote.as_str()), ("BTC", "USDT"));
        assert_eq!(table.instruments().expect("a table").len(), 2);
    }
}
