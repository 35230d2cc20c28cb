//! C29: limits under governance. Every limit has a key and a text form. Tightening holds at once; loosening goes no
//! further than the limits that the engine was started with; each change is journalled.

use std::sync::Arc;

use crate::domain::{Decimal, Instruments, Nanos, Quantity, Scale, decimal};
use crate::tick_to_trade::commands::CommandDesk;
use crate::tick_to_trade::risk::limits::{
    AccountLimits, InstrumentLimits, Limits, Rate, SourceLimits, UNLIMITED,
};
use crate::tick_to_trade::risk::valuation::ACCOUNT_SCALE;

/// Keys of the account's limits, in the order of their rows.
const ACCOUNT: [&str; 10] = [
    "max_gross",
    "max_open",
    "max_unknown",
    "day_loss_soft",
    "day_loss_hard",
    "orders",
    "cancels",
    "duplicates",
    "repeat_fills",
    "reject_storm",
];

/// Keys of an instrument's limits.
const INSTRUMENT: [&str; 9] = [
    "max_quantity",
    "max_notional",
    "max_position",
    "max_position_value",
    "collar_aggressive_bps",
    "collar_passive_bps",
    "stale_after_ms",
    "max_open",
    "max_unknown",
];

/// Text of [`UNLIMITED`].
const NO_LIMIT: &str = "none";

/// Keys of a source's limits.
const SOURCE: [&str; 3] = ["orders", "cancels", "max_position_value"];

/// Why a limit was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no such limit.
    Unknown,
    /// The value cannot be read.
    BadValue,
    /// It is looser than the ceiling.
    Ceiling,
}

/// What risk governs its limits with.
pub struct Governance {
    pub(super) desk: CommandDesk,
    pub(super) instruments: Arc<Instruments>,
    /// The limits at the start: none may become looser.
    pub(super) ceiling: Limits,
}

impl Governance {
    /// Takes commands at `desk`, over the instruments that risk was made with; `ceiling` is what it was started with.
    #[must_use]
    pub const fn new(desk: CommandDesk, instruments: Arc<Instruments>, ceiling: Limits) -> Self {
        Self { desk, instruments, ceiling }
    }
}

/// Where a row lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Account(usize),
    Instrument(usize, usize),
    Source(usize, usize),
}

/// One limit, by kind.
enum Field<'a> {
    Money(&'a mut i128),
    Size(&'a mut Quantity, Scale),
    Count(&'a mut u32),
    Millis(&'a mut Nanos),
    Rate(&'a mut Rate),
}

impl Place {
    /// Of row number `row`.
    pub(super) fn of_row(limits: &Limits, row: usize) -> Option<Self> {
        let row = match row.checked_sub(ACCOUNT.len()) {
            None => return Some(Self::Account(row)),
            Some(row) => row,
        };
        match row.checked_sub(limits.instruments.len() * INSTRUMENT.len()) {
            None => Some(Self::Instrument(row / INSTRUMENT.len(), row % INSTRUMENT.len())),
            Some(row) => {
                let (source, key) = (row / SOURCE.len(), row % SOURCE.len());
                (source < limits.sources.len()).then_some(Self::Source(source, key))
            }
        }
    }

    /// Of the limit that users call `key`: `account.KEY`, `SYMBOL.KEY` or `source.N.KEY`.
    pub(super) fn of_key(limits: &Limits, instruments: &Instruments, key: &str) -> Option<Self> {
        let (owner, key) = key.rsplit_once('.')?;
        let among = |keys: &[&str]| keys.iter().position(|known| *known == key);
        if owner == "account" {
            return among(&ACCOUNT).map(Self::Account);
        }
        if let Some(number) = owner.strip_prefix("source.") {
            let source = number.parse().ok().filter(|source| *source < limits.sources.len())?;
            return Some(Self::Source(source, among(&SOURCE)?));
        }
        let instrument = instruments.find_any(owner)? as usize;
        Some(Self::Instrument(instrument, among(&INSTRUMENT)?))
    }

    /// What users call it.
    pub(super) fn key(self, instruments: &Instruments) -> String {
        match self {
            Self::Account(key) => format!("account.{}", ACCOUNT[key]),
            Self::Instrument(instrument, key) => {
                let symbol = u32::try_from(instrument).ok().and_then(|index| instruments.get(index));
                format!("{}.{}", symbol.map_or("?", |known| &known.symbol), INSTRUMENT[key])
            }
            Self::Source(source, key) => format!("source.{source}.{}", SOURCE[key]),
        }
    }

    /// The limit as text.
    pub(super) fn show(self, limits: &Limits, instruments: &Instruments) -> Option<String> {
        // Copies of the one owner's limits: showing needs no second way to a field.
        match self {
            Self::Account(key) => Some(account(&mut limits.account.clone(), key).show()),
            Self::Instrument(index, key) => {
                let scale = instruments.get(u32::try_from(index).ok()?)?.quantity_scale;
                Some(instrument(&mut limits.instruments.get(index)?.clone(), key, scale).show())
            }
            Self::Source(index, key) => Some(source(&mut limits.sources.get(index)?.clone(), key).show()),
        }
    }

    fn field<'a>(self, limits: &'a mut Limits, instruments: &Instruments) -> Option<Field<'a>> {
        match self {
            Self::Account(key) => Some(account(&mut limits.account, key)),
            Self::Instrument(index, key) => {
                let scale = instruments.get(u32::try_from(index).ok()?)?.quantity_scale;
                limits.instruments.get_mut(index).map(|own| instrument(own, key, scale))
            }
            Self::Source(index, key) => limits.sources.get_mut(index).map(|own| source(own, key)),
        }
    }

    /// `limits` with this one set to `text`, no looser than `ceiling`.
    pub(super) fn set(
        self,
        limits: &Limits,
        ceiling: &Limits,
        instruments: &Instruments,
        text: &str,
    ) -> Result<Limits, Refused> {
        let (mut next, mut highest) = (limits.clone(), ceiling.clone());
        let mut field = self.field(&mut next, instruments).ok_or(Refused::Unknown)?;
        field.read(text).ok_or(Refused::BadValue)?;
        let ceiling = self.field(&mut highest, instruments).ok_or(Refused::Unknown)?;
        if field.is_looser_than(&ceiling) {
            return Err(Refused::Ceiling);
        }
        Ok(next)
    }
}

fn account(own: &mut AccountLimits, key: usize) -> Field<'_> {
    match key {
        0 => Field::Money(&mut own.max_gross),
        1 => Field::Count(&mut own.max_open),
        2 => Field::Count(&mut own.max_unknown),
        3 => Field::Money(&mut own.day_loss_soft),
        4 => Field::Money(&mut own.day_loss_hard),
        5 => Field::Rate(&mut own.orders),
        6 => Field::Rate(&mut own.cancels),
        7 => Field::Rate(&mut own.duplicates),
        8 => Field::Rate(&mut own.repeat_fills),
        _ => Field::Rate(&mut own.reject_storm),
    }
}

fn instrument(own: &mut InstrumentLimits, key: usize, scale: Scale) -> Field<'_> {
    match key {
        0 => Field::Size(&mut own.max_quantity, scale),
        1 => Field::Money(&mut own.max_notional),
        2 => Field::Size(&mut own.max_position, scale),
        3 => Field::Money(&mut own.max_position_value),
        4 => Field::Count(&mut own.collar_aggressive_bps),
        5 => Field::Count(&mut own.collar_passive_bps),
        6 => Field::Millis(&mut own.stale_after),
        7 => Field::Count(&mut own.max_open),
        _ => Field::Count(&mut own.max_unknown),
    }
}

fn source(own: &mut SourceLimits, key: usize) -> Field<'_> {
    match key {
        0 => Field::Rate(&mut own.orders),
        1 => Field::Rate(&mut own.cancels),
        _ => Field::Money(&mut own.max_position_value),
    }
}

impl Field<'_> {
    fn show(&self) -> String {
        match self {
            Self::Money(value) if **value == UNLIMITED => NO_LIMIT.to_owned(),
            Self::Money(value) => Decimal { value: **value, scale: ACCOUNT_SCALE }.to_string(),
            Self::Size(value, scale) => Decimal::new(value.0, *scale).to_string(),
            Self::Count(value) => value.to_string(),
            Self::Millis(value) => (value.0 / 1_000_000).to_string(),
            Self::Rate(rate) => format!("{}/{}ms", rate.count, rate.per.0 / 1_000_000),
        }
    }

    fn read(&mut self, text: &str) -> Option<()> {
        let millis = |text: &str| {
            let millis: u32 = text.parse().ok()?;
            Some(Nanos::from_millis(i64::from(millis)))
        };
        match self {
            Self::Money(value) if text == NO_LIMIT => **value = UNLIMITED,
            Self::Money(value) => {
                let scale = Scale::new(ACCOUNT_SCALE)?;
                **value = decimal::parse(text.as_bytes(), scale).ok().filter(|&value| value >= 0)?.into();
            }
            Self::Size(value, scale) => {
                value.0 = decimal::parse(text.as_bytes(), *scale).ok().filter(|&value| value >= 0)?;
            }
            Self::Count(value) => **value = text.parse().ok()?,
            Self::Millis(value) => **value = millis(text)?,
            Self::Rate(rate) => {
                let (count, per) = text.strip_suffix("ms")?.split_once('/')?;
                **rate = Rate::new(count.parse().ok()?, millis(per)?);
            }
        }
        Some(())
    }

    /// Whether it lets more through. A rate does with more at once, or with more in the long run.
    fn is_looser_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Money(a), Self::Money(b)) => a > b,
            (Self::Size(a, _), Self::Size(b, _)) => a > b,
            (Self::Count(a), Self::Count(b)) => a > b,
            (Self::Millis(a), Self::Millis(b)) => a > b,
            (Self::Rate(a), Self::Rate(b)) => {
                let product = |count: u32, per: Nanos| i128::from(count) * i128::from(per.0);
                a.count > b.count || product(a.count, b.per) > product(b.count, a.per)
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick_to_trade::risk::fixture::{instruments, limits};

    #[test]
    fn every_row_has_a_key_that_leads_back_to_it_and_a_text_that_reads_back() {
        let (limits, instruments) = (limits(), instruments());
        let mut rows = 0;
        while let Some(place) = Place::of_row(&limits, rows) {
            let key = place.key(&instruments);
            assert_eq!(Place::of_key(&limits, &instruments, &key), Some(place), "{key}");
            let text = place.show(&limits, &instruments).expect("a text");
            if let Ok(same) = place.set(&limits, &limits, &instruments, &text) {
                assert_eq!(same, limits, "{key} = {text}");
            }
            rows += 1;
        }
        assert_eq!(
            rows,
            ACCOUNT.len() + instruments.len() * INSTRUMENT.len() + limits.sources.len() * SOURCE.len()
        );
        for key in ["", "account", "account.nothing", "NOSUCH.max_open", "source.9.orders", "source.x.orders"]
        {
            assert_eq!(Place::of_key(&limits, &instruments, key), None, "{key}");
        }
    }

    #[test]
    fn tightening_holds_and_loosening_ends_at_the_ceiling() {
        let (start, instruments) = (limits(), instruments());
        let place = Place::of_key(&start, &instruments, "account.max_open").expect("known");
        let set = |limits: &Limits, text: &str| place.set(limits, &start, &instruments, text);
        let tight = set(&start, "1").expect("tighter");
        assert_eq!(tight.account.max_open, 1);
        assert_eq!(set(&tight, &start.account.max_open.to_string()), Ok(start.clone()));
        assert_eq!(set(&tight, &(start.account.max_open + 1).to_string()), Err(Refused::Ceiling));
        for bad in ["", "-1", "x", "1.5", "99999999999"] {
            assert_eq!(set(&start, bad), Err(Refused::BadValue), "{bad}");
        }
        let place = Place::of_key(&start, &instruments, "source.0.max_position_value").expect("known");
        assert_eq!(place.show(&start, &instruments).as_deref(), Some("none"));
        let held = place.set(&start, &start, &instruments, "1000").expect("tighter");
        assert_eq!(place.set(&held, &start, &instruments, "none"), Ok(start.clone()));
        assert_eq!(place.set(&held, &held, &instruments, "none"), Err(Refused::Ceiling));
        let place = Place::of_key(&start, &instruments, "source.0.orders").expect("known");
        let Rate { count, per } = start.sources[0].orders;
        let millis = per.0 / 1_000_000;
        for (text, looser) in [
            (format!("{count}/{}ms", millis * 2), false),
            (format!("{}/{millis}ms", count - 1), false),
            (format!("{}/{}ms", count + 1, millis * 100), true),
            (format!("{count}/{}ms", millis / 2), true),
        ] {
            let outcome = place.set(&start, &start, &instruments, &text);
            assert_eq!(outcome.err(), looser.then_some(Refused::Ceiling), "{text}");
        }
    }
}
