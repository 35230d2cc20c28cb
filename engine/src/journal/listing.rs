//! What ingest publishes of an instrument: its row, as journals have it, and the names of its assets, for which a record
//! has no room. Journals need none: what a fee was taken in is a code beside the instrument.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::{Instrument, InstrumentIndex};
use crate::error::SetupError;
use crate::journal::payload::{InstrumentFacts, InstrumentRow, clip, text};
use crate::limits::ASSET_BYTES_MAX;

/// One instrument of the table in shared memory. Any bit pattern is a valid value. Written by ingest alone, once an
/// epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ListedInstrument {
    /// What journals know of it.
    pub row: InstrumentRow,
    /// Bytes of `base`.
    pub base_length: u8,
    /// Bytes of `quote`.
    pub quote_length: u8,
    /// The asset that is bought and sold.
    pub base: [u8; ASSET_BYTES_MAX],
    /// The asset in which it is priced.
    pub quote: [u8; ASSET_BYTES_MAX],
}

const _: () = assert!(size_of::<ListedInstrument>() == size_of::<InstrumentRow>() + 80);

impl ListedInstrument {
    /// The row of `instrument` at `index`.
    ///
    /// # Errors
    /// When an asset's name does not fit: a name cut short would be another's.
    pub fn new(index: InstrumentIndex, instrument: &Instrument) -> Result<Self, SetupError> {
        let fit = |asset: &str| match asset.len() {
            0..=ASSET_BYTES_MAX => Ok(clip(asset)),
            _ => Err(SetupError::Invalid(format!(
                "symbol {}: asset {asset}: longer than {ASSET_BYTES_MAX} bytes",
                instrument.symbol
            ))),
        };
        let ((base, base_length), (quote, quote_length)) = (fit(&instrument.base)?, fit(&instrument.quote)?);
        Ok(Self { row: InstrumentRow::new(index, instrument), base_length, quote_length, base, quote })
    }

    /// What it says; `None` when a code, a scale or a name is not valid.
    #[must_use]
    pub fn facts(&self) -> Option<InstrumentFacts> {
        let base = text(&self.base, self.base_length)?.into();
        let quote = text(&self.quote, self.quote_length)?.into();
        Some(InstrumentFacts { base, quote, ..self.row.facts()? })
    }
}

impl InstrumentFacts {
    /// The asset that its values are in.
    #[must_use]
    pub fn money(&self) -> &str {
        self.kind.money(&self.base, &self.quote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstrumentKind;
    use crate::journal::fixture::instrument;
    use std::mem::offset_of;

    #[test]
    fn golden_layout() {
        let row = [
            offset_of!(ListedInstrument, row),
            offset_of!(ListedInstrument, base_length),
            offset_of!(ListedInstrument, quote_length),
            offset_of!(ListedInstrument, base),
            offset_of!(ListedInstrument, quote),
            size_of::<ListedInstrument>(),
        ];
        assert_eq!(row, [0, 88, 89, 90, 129, 168]);
    }

    #[test]
    fn assets_have_their_names_and_journals_rows_have_none() {
        let listed = ListedInstrument::new(3, &instrument("BTCUSDT")).expect("fits");
        let facts = listed.facts().expect("valid");
        assert_eq!((facts.index, &*facts.base, &*facts.quote), (3, "BASE", "QUOTE"));
        assert_eq!(facts.money(), "QUOTE");
        assert_eq!(InstrumentFacts { kind: InstrumentKind::Inverse, ..facts }.money(), "BASE");
        assert_eq!(listed.row.facts().expect("valid").base.len(), 0);
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused_and_a_damaged_one_is_not_shown() {
        let long = Instrument { quote: "Q".repeat(ASSET_BYTES_MAX + 1).into(), ..instrument("BTCUSDT") };
        let error = ListedInstrument::new(0, &long).expect_err("too long").to_string();
        assert!(error.contains("BTCUSDT") && error.contains("longer than 39 bytes"), "{error}");
        let longest = Instrument { quote: "Q".repeat(ASSET_BYTES_MAX).into(), ..long };
        let listed = ListedInstrument::new(0, &longest).expect("fits");
        assert_eq!(listed.facts().expect("valid").quote.len(), ASSET_BYTES_MAX);
        assert_eq!(ListedInstrument { quote_length: 40, ..listed }.facts(), None);
        assert_eq!(ListedInstrument { quote: [0xff; ASSET_BYTES_MAX], ..listed }.facts(), None);
    }
}
