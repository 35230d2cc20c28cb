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

/// A strategy that the registry can make: what [`Entry::of`] needs of it.
pub trait Registered: Strategy + Sized + 'static {
    /// What can be set of it.
    type Parameters: Copy + Default + 'static;
    /// Its name, as users write it.
    const NAME: &'static str;
    /// What it does, in a line.
    const DOC: &'static str;

    /// The table of its parameters.
    fn table() -> &'static Table<Self::Parameters>;

    /// It, on `instrument`, which is at `index`.
    fn create(parameters: Self::Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self;
}

/// Every strategy that can be made by name.
pub static TABLE: &[Entry] = &[
    Entry::of::<market_making::MarketMaking>(),
    Entry::of::<momentum::Momentum>(),
    Entry::of::<mean_reversion::MeanReversion>(),
    Entry::of::<book_imbalance::BookImbalance>(),
    Entry::of::<twap::Twap>(),
];

impl Entry {
    /// The entry of the strategy `S`.
    #[must_use]
    pub const fn of<S: Registered>() -> Self {
        Self {
            name: S::NAME,
            doc: S::DOC,
            create: |index, instrument, settings| {
                let mut parameters = S::Parameters::default();
                let pairs = settings.iter().map(|(key, value)| (&**key, &**value));
                S::table().set_all(&mut parameters, pairs)?;
                Ok(Box::new(S::create(parameters, index, instrument)))
            },
            defaults: || S::table().show(&S::Parameters::default()),
        }
    }

    /// Makes it on `instrument`, which is at `index`; what `settings` leave out keeps its default.
    ///
    /// # Errors
    /// When it does not know a key, or a value does not do.
    pub fn create(
        &self,
        index: InstrumentIndex,
        instrument: &Instrument,
        settings: &Settings,
    ) -> Result<Box<dyn Strategy>, ParameterError> {
        (self.create)(index, instrument, settings)
    }

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
    entry.create(index, instrument, settings).map_err(|error| SetupError::Invalid(error.to_string()))
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
