//! The built-in strategies by name. A new one is one line in [`TABLE`].

use std::collections::BTreeMap;

use crate::domain::{Instrument, InstrumentIndex};
use crate::error::SetupError;
use crate::tick_to_trade::strategy::parameter::{ParameterError, ParameterValue, Table};
use crate::tick_to_trade::strategy::{
    Strategy, book_imbalance, market_making, mean_reversion, momentum, twap,
};

/// Parameters as users write them, by key.
pub type Settings = BTreeMap<String, String>;

type Created = Result<Box<dyn Strategy>, ParameterError>;

/// A strategy that can be made by name.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
    create: fn(InstrumentIndex, &Instrument, &Settings) -> Created,
    defaults: fn() -> Vec<ParameterValue>,
}

/// Every strategy that can be made by name.
pub static TABLE: &[Entry] = &[
    Entry {
        name: market_making::NAME,
        doc: "quotes both sides around a price that leans against the inventory (Avellaneda-Stoikov)",
        create: |index, instrument, settings| {
            let parameters = read(&market_making::PARAMETERS, settings)?;
            Ok(Box::new(market_making::MarketMaking::new(parameters, index, instrument)))
        },
        defaults: || defaults(&market_making::PARAMETERS),
    },
    Entry {
        name: momentum::NAME,
        doc: "goes with a move of the mid price that trades confirm",
        create: |index, instrument, settings| {
            let parameters = read(&momentum::PARAMETERS, settings)?;
            Ok(Box::new(momentum::Momentum::new(parameters, index, instrument)))
        },
        defaults: || defaults(&momentum::PARAMETERS),
    },
    Entry {
        name: mean_reversion::NAME,
        doc: "takes against a price that has left its usual range, and leaves when it is back",
        create: |index, instrument, settings| {
            let parameters = read(&mean_reversion::PARAMETERS, settings)?;
            Ok(Box::new(mean_reversion::MeanReversion::new(parameters, index, instrument)))
        },
        defaults: || defaults(&mean_reversion::PARAMETERS),
    },
    Entry {
        name: book_imbalance::NAME,
        doc: "takes with the heavier side of the best prices",
        create: |index, instrument, settings| {
            let parameters = read(&book_imbalance::PARAMETERS, settings)?;
            Ok(Box::new(book_imbalance::BookImbalance::new(parameters, index, instrument)))
        },
        defaults: || defaults(&book_imbalance::PARAMETERS),
    },
    Entry {
        name: twap::NAME,
        doc: "buys or sells a size in equal slices over a time (execution)",
        create: |index, instrument, settings| {
            let parameters = read(&twap::PARAMETERS, settings)?;
            Ok(Box::new(twap::Twap::new(parameters, index, instrument)))
        },
        defaults: || defaults(&twap::PARAMETERS),
    },
];

impl Entry {
    /// Its parameters with their defaults.
    #[must_use]
    pub fn parameters(&self) -> Vec<ParameterValue> {
        (self.defaults)()
    }
}

/// Makes the strategy called `name` on `instrument`, which is at `index`; what `settings` leave out keeps its default.
///
/// # Errors
/// When there is no such strategy, it does not know a key, or a value does not do.
pub fn create(
    name: &str,
    index: InstrumentIndex,
    instrument: &Instrument,
    settings: &Settings,
) -> Result<Box<dyn Strategy>, SetupError> {
    let entry = TABLE.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known: Vec<_> = TABLE.iter().map(|entry| entry.name).collect();
        SetupError::Invalid(format!("no strategy {name:?}; there are {}", known.join(", ")))
    })?;
    (entry.create)(index, instrument, settings).map_err(|error| SetupError::Invalid(error.to_string()))
}

fn read<P: Copy + Default>(table: &Table<P>, settings: &Settings) -> Result<P, ParameterError> {
    let mut parameters = P::default();
    table.set_all(&mut parameters, settings.iter().map(|(key, value)| (&**key, &**value)))?;
    Ok(parameters)
}

fn defaults<P: Copy + Default>(table: &Table<P>) -> Vec<ParameterValue> {
    table.show(&P::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick_to_trade::strategy::testing::instrument;

    fn refusal(name: &str, key: &str, value: &str) -> String {
        let settings = Settings::from([(key.to_owned(), value.to_owned())]);
        create(name, 0, &instrument(), &settings).err().expect("refused").to_string()
    }

    #[test]
    fn every_strategy_can_be_made_and_takes_its_own_defaults() {
        for entry in TABLE {
            let made = create(entry.name, 0, &instrument(), &Settings::new()).expect("defaults do");
            assert_eq!((made.name(), made.parameters()), (entry.name, entry.parameters()));
            let shown = entry.parameters().into_iter().map(|row| (row.key.to_owned(), row.value)).collect();
            let again = create(entry.name, 0, &instrument(), &shown).expect("what is shown can be read");
            assert_eq!(again.parameters(), entry.parameters());
            assert!(entry.parameters().iter().all(|row| !row.doc.is_empty() && !row.range.is_empty()));
        }
    }

    #[test]
    fn refusals_name_what_was_wrong_and_what_there_is() {
        assert_eq!(
            refusal("hodl", "x", "1"),
            r#"no strategy "hodl"; there are market_making, momentum, mean_reversion, book_imbalance, twap"#
        );
        assert_eq!(
            refusal("market_making", "gamma", "-1"),
            r#"market_making: gamma = "-1": out of range; it takes 0.000001 to 100"#
        );
        assert!(
            refusal("momentum", "gamma", "1")
                .starts_with(r#"momentum: no parameter "gamma"; it has fast, slow"#)
        );
        assert_eq!(
            refusal("momentum", "fast", "2h"),
            r#"momentum: fast = "2h": out of range; it takes 1ms to 1h"#
        );
        assert_eq!(refusal("momentum", "fast", "60s"), "momentum: slow is not longer than fast");
        assert_eq!(
            refusal("market_making", "order_size", "1e9"),
            "market_making: max_position is less than order_size"
        );
    }
}
