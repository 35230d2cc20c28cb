//! Payloads of records: the start of an epoch, a row of its instrument table, a decision of risk, a halt.
//!
//! A report is the message itself; the input log has a file of its own.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::counters::HaltState;
use crate::domain::{
    Instrument, InstrumentIndex, InstrumentKind, Market, Nanos, Price, Quantity, Scale, SourceId,
};
use crate::error::RejectCode;
use crate::journal::record::{PAYLOAD_BYTES, Payload, RecordKind};
use crate::limits::SYMBOL_BYTES_MAX;
use crate::message::{Intent, Report};
use crate::wire::wire_enum;

/// Longest name of a journal, in bytes.
pub const JOURNAL_NAME_MAX: usize = 48;

/// Most bytes kept of the reason for a halt.
pub const HALT_REASON_MAX: usize = 72;

/// `text` in a fixed field with its length, cut at a character where it is too long.
pub(super) fn clip<const N: usize>(text: &str) -> ([u8; N], u8) {
    const { assert!(N <= u8::MAX as usize) };
    let kept = text.floor_char_boundary(N.min(text.len()));
    let mut bytes = [0; N];
    bytes[..kept].copy_from_slice(&text.as_bytes()[..kept]);
    (bytes, u8::try_from(kept).expect("kept <= N <= 255"))
}

/// The text of a fixed field; `None` when its length or its bytes are not valid.
pub(super) fn text(bytes: &[u8], length: u8) -> Option<&str> {
    std::str::from_utf8(bytes.get(..usize::from(length))?).ok()
}

impl Payload for Report {
    const KIND: RecordKind = RecordKind::Report;
}

/// An engine epoch starts: the first record of every epoch. The instrument table follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EpochStart {
    /// The wall clock at the start, in nanoseconds since the Unix epoch.
    pub wall: Nanos,
    /// Hash of the build.
    pub build: u64,
    /// Hash of the configuration.
    pub config: u64,
    /// The epoch before it in this journal; 0 for none.
    pub previous: u32,
    /// Rows of the instrument table that follow.
    pub instruments: u32,
    /// Spare, zero.
    pub reserved: [u8; 7],
    /// Bytes of `name`.
    pub name_length: u8,
    /// The journal's name, such as `risk`.
    pub name: [u8; JOURNAL_NAME_MAX],
}

impl Payload for EpochStart {
    const KIND: RecordKind = RecordKind::Epoch;
}

impl EpochStart {
    /// The start of an epoch of the journal called `name`, after epoch `previous`.
    #[must_use]
    pub fn new(name: &str, previous: u32, instruments: u32, wall: Nanos, build: u64, config: u64) -> Self {
        let (name, name_length) = clip(name);
        Self { wall, build, config, previous, instruments, reserved: [0; 7], name_length, name }
    }

    /// The journal's name; `None` when it is no text.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        text(&self.name, self.name_length)
    }
}

/// One row of an epoch's instrument table: indices of later records mean something only beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct InstrumentRow {
    /// Its index in this epoch.
    pub index: InstrumentIndex,
    /// Code of a `Market`.
    pub market: u8,
    /// Code of an `InstrumentKind`.
    pub kind: u8,
    /// Decimals of a price.
    pub price_scale: u8,
    /// Decimals of a quantity.
    pub quantity_scale: u8,
    /// Value of one contract; 1 for spot.
    pub multiplier: i64,
    /// Grid of prices; 0 is off.
    pub tick: Price,
    /// Grid of quantities; 0 is off.
    pub lot: Quantity,
    /// Smallest notional at the instrument's notional scale, held at the ends of the range; -1 is off. For people:
    /// risk reads the venue's own figure.
    pub min_notional: i64,
    /// 1 when it cannot be traded in this epoch.
    pub untradable: u8,
    /// Bytes of `symbol`.
    pub symbol_length: u8,
    /// 1 when the venue cancels an order and places another in one request.
    pub cancel_replace: u8,
    /// Spare, zero.
    pub reserved: [u8; 5],
    /// The venue's name for it.
    pub symbol: [u8; SYMBOL_BYTES_MAX],
}

impl Payload for InstrumentRow {
    const KIND: RecordKind = RecordKind::Instrument;
}

/// What an [`InstrumentRow`] says of an instrument, checked: enough to map an index to a name and to show prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstrumentFacts {
    /// Its index in the row's epoch.
    pub index: InstrumentIndex,
    /// The venue's name for it.
    pub symbol: Box<str>,
    /// The market it trades on.
    pub market: Market,
    /// How its value follows from price and quantity.
    pub kind: InstrumentKind,
    /// Decimals of a price.
    pub price_scale: Scale,
    /// Decimals of a quantity.
    pub quantity_scale: Scale,
    /// Value of one contract; 1 for spot.
    pub multiplier: i64,
    /// Grid of prices; zero is off.
    pub tick: Price,
    /// Grid of quantities; zero is off.
    pub lot: Quantity,
    /// Smallest notional, held at the ends of an `i64`; `None` is off.
    pub min_notional: Option<i64>,
    /// Whether it can be traded in this epoch.
    pub tradable: bool,
    /// Whether the venue cancels an order and places another in one request.
    pub cancel_replace: bool,
    /// What is bought and sold; empty in a journal's row, which does not say.
    pub base: Box<str>,
    /// What it is priced in; likewise.
    pub quote: Box<str>,
}

impl InstrumentRow {
    /// The row of `instrument` at `index`.
    #[must_use]
    pub fn new(index: InstrumentIndex, instrument: &Instrument) -> Self {
        let min_notional = instrument
            .filters
            .notional
            .min
            .map_or(-1, |notional| i64::try_from(notional.max(0)).unwrap_or(i64::MAX));
        Self {
            index,
            market: instrument.market.code(),
            kind: instrument.kind.code(),
            price_scale: instrument.price_scale.digits(),
            quantity_scale: instrument.quantity_scale.digits(),
            multiplier: instrument.multiplier,
            tick: instrument.filters.tick,
            lot: instrument.filters.lot.step,
            min_notional,
            untradable: u8::from(instrument.untradable.is_some()),
            symbol_length: instrument.symbol.length(),
            cancel_replace: u8::from(instrument.filters.cancel_replace),
            reserved: [0; 5],
            symbol: *instrument.symbol.padded(),
        }
    }

    /// What it says; `None` when a code, a scale or the symbol is not valid.
    #[must_use]
    pub fn facts(&self) -> Option<InstrumentFacts> {
        Some(InstrumentFacts {
            index: self.index,
            symbol: text(&self.symbol, self.symbol_length)?.into(),
            market: Market::try_from(self.market).ok()?,
            kind: InstrumentKind::try_from(self.kind).ok()?,
            price_scale: Scale::new(self.price_scale)?,
            quantity_scale: Scale::new(self.quantity_scale)?,
            multiplier: self.multiplier,
            tick: self.tick,
            lot: self.lot,
            min_notional: (self.min_notional >= 0).then_some(self.min_notional),
            tradable: self.untradable == 0,
            cancel_replace: self.cancel_replace == 1,
            base: "".into(),
            quote: "".into(),
        })
    }
}

/// Risk's answer to an intent. Written by risk alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Decision {
    /// The intent, with code and repeats in its spare bytes: a record has no others, and one more word would take it
    /// to a third cache line.
    written: Intent,
}

impl Payload for Decision {
    const KIND: RecordKind = RecordKind::Decision;
}

impl Decision {
    /// The answer `code` to `intent`, and to `repeats` more like it. Spare bits of an intent, for which it was refused,
    /// are not kept.
    #[must_use]
    pub const fn new(intent: Intent, code: RejectCode, repeats: u16) -> Self {
        // By the word, as rings are written: what is stored in pieces cannot be loaded as one for some twenty cycles.
        let mut words: [u64; PAYLOAD_BYTES / 8] = zerocopy::transmute!(intent);
        let last = &mut words[PAYLOAD_BYTES / 8 - 1];
        *last = *last << 24 >> 24 | (code.code() as u64) << 40 | (repeats as u64) << 48;
        Self { written: zerocopy::transmute!(words) }
    }

    /// The intent, as risk copied it.
    #[must_use]
    pub const fn intent(&self) -> Intent {
        Intent { reserved: [0; 3], ..self.written }
    }

    /// Code of a `RejectCode`; `None` accepts.
    #[must_use]
    pub const fn code(&self) -> u8 {
        self.written.reserved[0]
    }

    /// How many further intents of the same source and content were refused for the same reason since: a flood is
    /// one record.
    #[must_use]
    pub const fn repeats(&self) -> u16 {
        let [_, low, high] = self.written.reserved;
        u16::from_le_bytes([low, high])
    }

    /// The same of an intent whose instrument is at `index` of another table.
    #[must_use]
    pub const fn at_index(self, index: InstrumentIndex) -> Self {
        Self { written: Intent { instrument: index, ..self.written } }
    }
}

/// What a day of C19 counts from. Written by risk alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct DayStart {
    /// Days since 1970-01-01 UTC.
    pub number: i64,
    /// The result of all time at its start, in the account's currency: the bytes of an `i128`, low first.
    baseline: [u8; 16],
    /// 1 if the baseline is known.
    known: u8,
    /// Spare, zero.
    pub reserved: [u8; 63],
}

impl Payload for DayStart {
    const KIND: RecordKind = RecordKind::Day;
}

impl DayStart {
    /// Day `number` counts from `baseline`, where that is known.
    #[must_use]
    pub fn new(number: i64, baseline: Option<i128>) -> Self {
        let bytes = baseline.unwrap_or_default().to_le_bytes();
        Self { number, baseline: bytes, known: u8::from(baseline.is_some()), reserved: [0; 63] }
    }

    /// The result of all time at its start, if known.
    #[must_use]
    pub fn baseline(&self) -> Option<i128> {
        (self.known == 1).then(|| i128::from_le_bytes(self.baseline))
    }
}

/// The instrument of a halt that is not of one instrument.
pub const NO_INSTRUMENT: InstrumentIndex = InstrumentIndex::MAX;

wire_enum! {
    /// What a halt reaches.
    HaltScope {
        /// Everything.
        Global = 1 => "GLOBAL",
        /// One source of intents.
        Source = 2 => "SOURCE",
        /// One instrument.
        Instrument = 3 => "INSTRUMENT",
    }
}

/// A halt was raised, lowered or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Halt {
    /// The instrument, where the scope is one; else [`NO_INSTRUMENT`].
    pub instrument: InstrumentIndex,
    /// The source, where the scope is one; else 0.
    pub source: SourceId,
    /// Code of a [`HaltScope`].
    pub scope: u8,
    /// Code of the `HaltState` from now on.
    pub state: u8,
    /// Code of the `RejectCode` of the control that did it; `None` for a person.
    pub cause: u8,
    /// Bytes of `reason`.
    pub reason_length: u8,
    /// Spare, zero.
    pub reserved: [u8; 6],
    /// Why, in words.
    pub reason: [u8; HALT_REASON_MAX],
}

impl Payload for Halt {
    const KIND: RecordKind = RecordKind::Halt;
}

impl Halt {
    /// All trading is in `state` from now on. `cause` is the control that did it, `None` for a person; a `reason`
    /// that is too long is cut.
    #[must_use]
    pub fn global(state: HaltState, cause: RejectCode, reason: &str) -> Self {
        let (reason, reason_length) = clip(reason);
        Self {
            instrument: NO_INSTRUMENT,
            source: SourceId(0),
            scope: HaltScope::Global.code(),
            state: state.code(),
            cause: cause.code(),
            reason_length,
            reserved: [0; 6],
            reason,
        }
    }

    /// The same for one source.
    #[must_use]
    pub fn source(source: SourceId, state: HaltState, cause: RejectCode, reason: &str) -> Self {
        Self { source, scope: HaltScope::Source.code(), ..Self::global(state, cause, reason) }
    }

    /// The same for one instrument.
    #[must_use]
    pub fn instrument(index: InstrumentIndex, state: HaltState, cause: RejectCode, reason: &str) -> Self {
        Self { instrument: index, scope: HaltScope::Instrument.code(), ..Self::global(state, cause, reason) }
    }

    /// Why, in words; `None` when it is no text.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        text(&self.reason, self.reason_length)
    }
}

const _: () = {
    assert!(size_of::<EpochStart>() == PAYLOAD_BYTES);
    assert!(size_of::<InstrumentRow>() == PAYLOAD_BYTES);
    assert!(size_of::<Decision>() == PAYLOAD_BYTES);
    assert!(size_of::<Halt>() == PAYLOAD_BYTES);
    assert!(size_of::<Report>() == PAYLOAD_BYTES);
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Filters, NotionalFilter, QuantityFilter};
    use crate::journal::fixture::instrument;
    use std::mem::offset_of;

    #[test]
    fn golden_layout() {
        let epoch = [
            offset_of!(EpochStart, wall),
            offset_of!(EpochStart, build),
            offset_of!(EpochStart, config),
            offset_of!(EpochStart, previous),
            offset_of!(EpochStart, instruments),
            offset_of!(EpochStart, reserved),
            offset_of!(EpochStart, name_length),
            offset_of!(EpochStart, name),
        ];
        assert_eq!(epoch, [0, 8, 16, 24, 28, 32, 39, 40]);
        let row = [
            offset_of!(InstrumentRow, index),
            offset_of!(InstrumentRow, market),
            offset_of!(InstrumentRow, kind),
            offset_of!(InstrumentRow, price_scale),
            offset_of!(InstrumentRow, quantity_scale),
            offset_of!(InstrumentRow, multiplier),
            offset_of!(InstrumentRow, tick),
            offset_of!(InstrumentRow, lot),
            offset_of!(InstrumentRow, min_notional),
            offset_of!(InstrumentRow, untradable),
            offset_of!(InstrumentRow, symbol_length),
            offset_of!(InstrumentRow, cancel_replace),
            offset_of!(InstrumentRow, symbol),
        ];
        assert_eq!(row, [0, 4, 5, 6, 7, 8, 16, 24, 32, 40, 41, 42, 48]);
        let decision = [
            offset_of!(Intent, id),
            offset_of!(Intent, target),
            offset_of!(Intent, price),
            offset_of!(Intent, trigger),
            offset_of!(Intent, quantity),
            offset_of!(Intent, valid_until),
            offset_of!(Intent, decided),
            offset_of!(Intent, instrument),
            offset_of!(Intent, stamp),
            offset_of!(Intent, kind),
            offset_of!(Intent, side),
            offset_of!(Intent, order_type),
            offset_of!(Intent, time_in_force),
            offset_of!(Intent, self_trade),
            offset_of!(Intent, reserved),
        ];
        assert_eq!(decision, [0, 16, 32, 40, 48, 56, 64, 72, 76, 80, 81, 82, 83, 84, 85]);
        let intent = Intent { kind: 1, quantity: Quantity(7), ..Intent::default() };
        let decision = Decision::new(intent, RejectCode::Collar, 0x1234);
        assert_eq!(decision.as_bytes()[84..], [0, RejectCode::Collar.code(), 0x34, 0x12]);
        assert_eq!(
            (decision.intent(), decision.code(), decision.repeats()),
            (intent, RejectCode::Collar.code(), 0x1234)
        );
        let halt = [
            offset_of!(Halt, instrument),
            offset_of!(Halt, source),
            offset_of!(Halt, scope),
            offset_of!(Halt, state),
            offset_of!(Halt, cause),
            offset_of!(Halt, reason_length),
            offset_of!(Halt, reason),
        ];
        assert_eq!(halt, [0, 4, 6, 7, 8, 9, 16]);
    }

    #[test]
    fn a_row_says_what_the_instrument_is() {
        let mut spot = instrument("BTCUSDT");
        spot.filters = Filters {
            tick: Price(1),
            lot: QuantityFilter { step: Quantity(10), ..QuantityFilter::default() },
            notional: NotionalFilter { min: Some(i128::MAX), ..NotionalFilter::default() },
            ..Filters::default()
        };
        let row = InstrumentRow::new(7, &spot);
        let facts = row.facts().expect("valid");
        assert_eq!((facts.index, &*facts.symbol, facts.market), (7, "BTCUSDT", spot.market));
        assert_eq!((facts.price_scale, facts.quantity_scale), (spot.price_scale, spot.quantity_scale));
        assert_eq!((facts.tick, facts.lot, facts.multiplier), (Price(1), Quantity(10), spot.multiplier));
        assert_eq!((facts.min_notional, facts.tradable), (Some(i64::MAX), true));
    }

    #[test]
    fn a_symbol_is_whole_and_what_is_damaged_says_nothing() {
        let long = "X".repeat(SYMBOL_BYTES_MAX);
        let row = InstrumentRow::new(0, &instrument(&long));
        assert_eq!(&*row.facts().expect("valid").symbol, long);
        for bad in [
            InstrumentRow { symbol_length: 41, ..row },
            InstrumentRow { symbol: [0xff; SYMBOL_BYTES_MAX], ..row },
            InstrumentRow { market: 0, ..row },
            InstrumentRow { kind: 9, ..row },
            InstrumentRow { price_scale: 19, ..row },
        ] {
            assert_eq!(bad.facts(), None);
        }
    }

    #[test]
    fn long_reasons_are_cut_at_a_character() {
        let halt = |reason: &str| Halt::global(HaltState::Halted, RejectCode::None, reason);
        assert_eq!(halt(&"é".repeat(100)).reason(), Some("é".repeat(36).as_str()));
        assert_eq!(halt("").reason(), Some(""));
        let long = "a".repeat(47) + "é";
        assert_eq!(EpochStart::new(&long, 0, 0, Nanos(0), 0, 0).name(), Some("a".repeat(47).as_str()));
    }
}
