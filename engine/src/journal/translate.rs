//! Reading a journal across epochs: each has an instrument table of its own, and indices mean something only beside it.

use crate::domain::{InstrumentIndex, Instruments};
use crate::error::SetupError;
use crate::journal::payload::{EpochStart, InstrumentRow};
use crate::journal::record::Record;
use crate::message::Report;

/// Turns indices of a journal's past into those of the present table, by name.
pub struct Translator<'a> {
    instruments: &'a Instruments,
    /// The present epoch: its rows must be the present table.
    epoch: u32,
    rows: Vec<Option<InstrumentIndex>>,
    mismatch: Option<String>,
}

impl<'a> Translator<'a> {
    /// For engine epoch `epoch` with the table `instruments`.
    #[must_use]
    pub const fn new(instruments: &'a Instruments, epoch: u32) -> Self {
        Self { instruments, epoch, rows: Vec::new(), mismatch: None }
    }

    /// Takes up what `record` says of the table. To be called with every record, in order.
    pub fn follow(&mut self, record: &Record) {
        if record.read::<EpochStart>().is_some() {
            self.rows.clear();
        } else if let Some(row) = record.read::<InstrumentRow>() {
            let facts = row.facts();
            let found = facts.as_ref().and_then(|facts| self.instruments.find(facts.market, &facts.symbol));
            if record.epoch == self.epoch && found != Some(row.index) && self.mismatch.is_none() {
                let symbol = facts.map_or_else(|| "?".to_owned(), |facts| facts.symbol.to_string());
                self.mismatch = Some(format!(
                    "instrument {} of epoch {} is {symbol}, which is another one now; a new table needs a new epoch",
                    row.index, record.epoch
                ));
            }
            let at = row.index as usize;
            if at < crate::limits::INSTRUMENTS_MAX {
                self.rows.resize(self.rows.len().max(at + 1), None);
                self.rows[at] = found;
            }
        }
    }

    /// The present index of what was `index`; `None` when there is no such instrument any more.
    #[must_use]
    pub fn index(&self, index: InstrumentIndex) -> Option<InstrumentIndex> {
        self.rows.get(index as usize).copied().flatten()
    }

    /// The report in `record`, if it holds one, in terms of the present table: an instrument that is not in it any more
    /// becomes `InstrumentIndex::MAX`, which nobody knows.
    #[must_use]
    pub fn report(&self, record: &Record) -> Option<Report> {
        let report = record.read::<Report>()?;
        let instrument = self.index(report.instrument).unwrap_or(InstrumentIndex::MAX);
        Some(Report { instrument, ..report })
    }

    /// Whether the rows of the present epoch were those of the present table.
    ///
    /// # Errors
    /// The first that was not.
    pub fn check(self) -> Result<(), SetupError> {
        self.mismatch.map_or(Ok(()), |reason| Err(SetupError::Invalid(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Nanos;
    use crate::journal::fixture::instrument;

    fn table(symbols: &[&str]) -> Instruments {
        Instruments::new(symbols.iter().map(|symbol| instrument(symbol)).collect()).expect("valid")
    }

    fn epoch(translator: &mut Translator<'_>, epoch: u32, symbols: &[&str]) {
        let start = EpochStart::new("test", epoch - 1, 2, Nanos::ZERO, 0, 0);
        translator.follow(&Record::new(1, epoch, Nanos::ZERO, 0, &start));
        for (index, symbol) in (0..).zip(symbols) {
            let row = InstrumentRow::new(index, &instrument(symbol));
            translator.follow(&Record::new(2, epoch, Nanos::ZERO, 0, &row));
        }
    }

    #[test]
    fn indices_follow_their_names() {
        let now = table(&["AUSDT", "BUSDT"]);
        let mut translator = Translator::new(&now, 3);
        assert_eq!(translator.index(0), None, "before any table");
        epoch(&mut translator, 1, &["BUSDT", "GONE", "AUSDT"]);
        assert_eq!(
            (0..4).map(|old| translator.index(old)).collect::<Vec<_>>(),
            [Some(1), None, Some(0), None]
        );
        let fill = Report { instrument: 2, ..Report::default() };
        let read = |translator: &Translator<'_>, fill| {
            translator.report(&Record::new(9, 1, Nanos::ZERO, 0, &fill)).map(|report| report.instrument)
        };
        assert_eq!(read(&translator, fill), Some(0));
        assert_eq!(read(&translator, Report { instrument: 1, ..fill }), Some(InstrumentIndex::MAX));
        epoch(&mut translator, 3, &["AUSDT", "BUSDT"]);
        assert_eq!((translator.index(0), translator.index(2)), (Some(0), None));
        translator.check().expect("the same table");
    }

    #[test]
    fn another_table_in_the_same_epoch_is_refused() {
        let now = table(&["AUSDT", "BUSDT"]);
        let mut translator = Translator::new(&now, 3);
        epoch(&mut translator, 3, &["AUSDT", "CUSDT"]);
        let reason = translator.check().expect_err("another").to_string();
        assert!(reason.contains("instrument 1 of epoch 3 is CUSDT"), "{reason}");
    }
}
