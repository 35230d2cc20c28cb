//! The state hash of a journal: equal for two runs that decided and did the same.
//!
//! It covers logical fields only. Epochs, builds, clocks and stamps differ between a session and its replay; indices
//! differ between tables, so instruments count by name. Rows of the table, epoch starts and the input log are means,
//! not ends, and so is a day's baseline: they are not covered themselves.

use std::collections::BTreeMap;
use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

use crate::domain::{InstrumentIndex, OrderId, Price};
use crate::journal::payload::{Decision, EpochStart, Halt, InstrumentRow};
use crate::journal::record::{PAYLOAD_BYTES, Record, RecordKind};
use crate::limits::SYMBOL_BYTES_MAX;
use crate::message::Report;

/// A state hash, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateHash(pub [u8; 16]);

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One hash for several journals, in the order given.
#[must_use]
pub fn combine(hashes: &[StateHash]) -> StateHash {
    let mut fold = Fold::new(hashes.len() as u128);
    let mut state = 0;
    for hash in hashes {
        fold.bytes(&hash.0);
        state = fold.finish();
        fold = Fold::new(state);
    }
    StateHash(state.to_le_bytes())
}

/// A fixed little-endian encoding of one record's logical fields, after the state before it.
struct Fold {
    bytes: [u8; Self::ROOM],
    used: usize,
}

impl Fold {
    /// The state, the kind, and at most a payload with every instrument as a hash.
    const ROOM: usize = 16 + 1 + PAYLOAD_BYTES + 24;

    fn new(state: u128) -> Self {
        let mut fold = Self { bytes: [0; Self::ROOM], used: 0 };
        fold.bytes(&state.to_le_bytes());
        fold
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    fn signed(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }

    fn unsigned(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Identity without the engine's and the source's epoch: both count starts.
    fn id(&mut self, id: OrderId) {
        self.bytes(&id.source.0.to_le_bytes());
        self.unsigned(id.sequence);
    }

    fn finish(&self) -> u128 {
        xxh3_128(&self.bytes[..self.used])
    }
}

/// Kinds that are means, beside epochs and instruments.
const MEANS: [RecordKind; 4] = [RecordKind::Input, RecordKind::Answer, RecordKind::Unsent, RecordKind::Day];

/// Folds the records of one journal, in order.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    state: u128,
    /// Hash of (market, symbol) by index in the present epoch.
    instruments: BTreeMap<InstrumentIndex, u128>,
}

impl Digest {
    /// Of no records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record in.
    pub fn update(&mut self, record: &Record) {
        let mut fold = Fold::new(self.state);
        fold.bytes(&[record.kind]);
        if record.read::<EpochStart>().is_some() {
            // Indices mean something only within their epoch.
            self.instruments.clear();
            return;
        }
        if let Some(row) = record.read::<InstrumentRow>() {
            self.instruments.insert(row.index, name(&row));
            return;
        }
        if let Some(decision) = record.read::<Decision>() {
            self.decision(&mut fold, &decision);
        } else if let Some(report) = record.read::<Report>() {
            self.report(&mut fold, &report);
        } else if let Some(halt) = record.read::<Halt>() {
            self.halt(&mut fold, &halt);
        } else if MEANS.map(RecordKind::code).contains(&record.kind) {
            return;
        } else {
            // A later build's kind or layout: all of it counts, rather than none.
            fold.bytes(&record.payload);
        }
        self.state = fold.finish();
    }

    /// The hash of what was taken in so far.
    #[must_use]
    pub const fn finish(&self) -> StateHash {
        StateHash(self.state.to_le_bytes())
    }

    /// The instrument by name. An index without a row (of an intent that was refused for it) counts as itself.
    fn instrument(&self, fold: &mut Fold, index: InstrumentIndex) {
        match self.instruments.get(&index) {
            Some(name) => fold.bytes(&name.to_le_bytes()),
            None => fold.bytes(&u128::from(index).to_le_bytes()),
        }
    }

    fn decision(&self, fold: &mut Fold, decision: &Decision) {
        let intent = decision.intent();
        fold.id(intent.id);
        fold.id(intent.target);
        fold.signed(intent.price.0);
        fold.signed(intent.quantity.0);
        // How long it was good for; when is the clock's matter. Wraps: the source is not trusted.
        fold.signed(intent.valid_until.0.wrapping_sub(intent.decided.0));
        self.instrument(fold, intent.instrument);
        fold.bytes(&[intent.kind, intent.side, intent.order_type, intent.time_in_force, decision.code()]);
        fold.unsigned(u64::from(decision.repeats()));
        // Only where there are any: other orders have the hash that they had before there were triggers and modes.
        if (intent.trigger, intent.self_trade) != (Price::NONE, 0) {
            fold.signed(intent.trigger.0);
            fold.bytes(&[intent.self_trade]);
        }
    }

    fn report(&self, fold: &mut Fold, report: &Report) {
        fold.id(report.id);
        fold.unsigned(report.venue_order_id);
        fold.signed(report.price.0);
        fold.signed(report.quantity.0);
        fold.signed(report.cumulative.0);
        fold.signed(report.leaves.0);
        fold.signed(report.fee);
        fold.unsigned(report.trade_id);
        self.instrument(fold, report.instrument);
        fold.bytes(&[report.kind, report.state, report.side, report.detail]);
    }

    fn halt(&self, fold: &mut Fold, halt: &Halt) {
        self.instrument(fold, halt.instrument);
        fold.bytes(&halt.source.0.to_le_bytes());
        fold.bytes(&[halt.scope, halt.state, halt.cause, halt.reason_length]);
        fold.bytes(&halt.reason);
    }
}

/// The name of a row's instrument. An unreadable one counts by its bytes.
fn name(row: &InstrumentRow) -> u128 {
    let mut bytes = [0; 2 + SYMBOL_BYTES_MAX];
    bytes[0] = row.market;
    bytes[1] = row.symbol_length;
    bytes[2..].copy_from_slice(&row.symbol);
    xxh3_128(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::HaltState;
    use crate::domain::{Nanos, Quantity, SourceId};
    use crate::error::RejectCode;
    use crate::journal::fixture::instrument;
    use crate::journal::input::{InputRecord, Unsent};
    use crate::message::{Answer, Intent};
    use zerocopy::{FromBytes, Immutable, IntoBytes};

    /// What a run is, apart from what it does: must not count.
    #[derive(Clone, Copy)]
    struct Circumstances {
        epoch: u32,
        at: i64,
        index: u32,
    }

    const ONE: Circumstances = Circumstances { epoch: 1, at: 1_000, index: 0 };
    const OTHER: Circumstances = Circumstances { epoch: 7, at: 5_000, index: 41 };

    fn id(run: Circumstances, sequence: u64) -> OrderId {
        let source_epoch = u16::try_from(run.epoch).expect("small");
        OrderId { epoch: run.epoch, source: SourceId(2), source_epoch, sequence }
    }

    fn intent(run: Circumstances) -> Intent {
        Intent {
            id: id(run, 10),
            target: id(run, 9),
            price: Price(100),
            trigger: Price::NONE,
            quantity: Quantity(5),
            valid_until: Nanos(run.at + 50),
            decided: Nanos(run.at),
            instrument: run.index,
            stamp: run.epoch,
            kind: 1,
            side: 2,
            order_type: 1,
            time_in_force: 3,
            self_trade: 0,
            reserved: [0; 3],
        }
    }

    fn decision(run: Circumstances) -> Decision {
        Decision::new(intent(run), RejectCode::Collar, 3)
    }

    fn report(run: Circumstances) -> Report {
        Report {
            id: id(run, 10),
            venue_order_id: 1,
            price: Price(100),
            quantity: Quantity(5),
            cumulative: Quantity(5),
            leaves: Quantity(0),
            fee: -3,
            trade_id: 4,
            instrument: run.index,
            kind: 3,
            state: 6,
            side: 2,
            detail: 0x11,
            at: Nanos(run.at),
        }
    }

    fn halt(_: Circumstances) -> Halt {
        Halt::global(HaltState::CancelOnly, RejectCode::None, "operator")
    }

    /// The hash of a session with these three in it.
    fn hash(run: Circumstances, decision: &Decision, report: &Report, halt: &Halt) -> StateHash {
        let mut digest = Digest::new();
        let row = InstrumentRow::new(run.index, &instrument("BTCUSDT"));
        let start = EpochStart::new("risk", run.epoch - 1, 1, Nanos(run.at), u64::from(run.epoch), 0);
        let mut sequence = u64::from(run.epoch) * 100;
        let mut put = |record: Record| {
            sequence += 1;
            digest.update(&Record { sequence, ..record });
        };
        let (epoch, at, elapsed) = (run.epoch, Nanos(run.at), run.at / 3);
        put(Record::new(0, epoch, at, elapsed, &start));
        put(Record::new(0, epoch, at, elapsed, &row));
        put(Record::new(0, epoch, at, elapsed, &InputRecord::new(1, u64::from(epoch))));
        put(Record::new(0, epoch, at, elapsed, &Answer { received: at, ..Answer::default() }));
        put(Record::new(0, epoch, at, elapsed, &Unsent::new(run.epoch.into())));
        put(Record::new(0, epoch, at, elapsed, decision));
        put(Record::new(0, epoch, at, elapsed, report));
        put(Record::new(0, epoch, at, elapsed, halt));
        digest.finish()
    }

    fn plain(run: Circumstances) -> StateHash {
        hash(run, &decision(run), &report(run), &halt(run))
    }

    #[test]
    fn circumstances_do_not_count() {
        assert_eq!(plain(ONE), plain(OTHER));
    }

    #[test]
    fn the_hash_is_pinned() {
        // Replays of old sessions compare with the hash written then: a change here is a change of format.
        assert_eq!(plain(ONE).to_string(), "7773605f2595a9874beee36bcf25b3c5");
    }

    #[test]
    fn the_name_counts_and_not_the_index() {
        let mut digest = Digest::new();
        digest.update(&Record::new(1, 1, Nanos(0), 0, &decision(ONE)));
        let nameless = digest.finish();
        let named = |symbol| {
            let mut digest = Digest::new();
            let row = InstrumentRow::new(0, &instrument(symbol));
            digest.update(&Record::new(1, 1, Nanos(0), 0, &row));
            digest.update(&Record::new(2, 1, Nanos(0), 0, &decision(ONE)));
            digest.finish()
        };
        let (bitcoin, ether) = (named("BTCUSDT"), named("ETHUSDT"));
        assert!(bitcoin != ether && bitcoin != nameless);
    }

    #[test]
    fn order_counts() {
        let records =
            [Record::new(1, 1, Nanos(0), 0, &decision(ONE)), Record::new(2, 1, Nanos(0), 0, &report(ONE))];
        let fold = |order: [usize; 2]| {
            let mut digest = Digest::new();
            order.into_iter().for_each(|i| digest.update(&records[i]));
            digest.finish()
        };
        assert_ne!(fold([0, 1]), fold([1, 0]));
        let (a, b) = (fold([0, 1]), fold([1, 0]));
        assert_ne!(combine(&[a, b]), combine(&[b, a]));
        assert_ne!(combine(&[a]), combine(&[a, StateHash::default()]));
    }

    /// Byte ranges of each payload that are not logical: epochs of ids, clocks, the stamp, spare bytes, and the
    /// index (which counts by name).
    const DECISION_IGNORED: &[std::ops::Range<usize>] = &[0..4, 6..8, 16..20, 22..24, 76..80];
    const REPORT_IGNORED: &[std::ops::Range<usize>] = &[0..4, 6..8, 80..88];
    const HALT_IGNORED: &[std::ops::Range<usize>] = std::slice::from_ref(&(10..16));

    fn flip<P: FromBytes + IntoBytes + Immutable>(payload: &P, at: usize, mask: u8) -> P {
        let mut bytes = payload.as_bytes().to_vec();
        bytes[at] ^= mask;
        P::read_from_bytes(&bytes).expect("any bytes are valid")
    }

    #[test]
    fn every_logical_byte_counts_and_no_other() {
        let (decision, report, halt) = (decision(ONE), report(ONE), halt(ONE));
        let ignores = |ranges: &[std::ops::Range<usize>], at| ranges.iter().any(|range| range.contains(&at));
        for (at, mask) in (0..PAYLOAD_BYTES).flat_map(|at| [(at, 1), (at, 0x80)]) {
            let changed = hash(ONE, &flip(&decision, at, mask), &report, &halt) != plain(ONE);
            assert_eq!(changed, !ignores(DECISION_IGNORED, at), "byte {at} of a decision");
            let changed = hash(ONE, &decision, &flip(&report, at, mask), &halt) != plain(ONE);
            assert_eq!(changed, !ignores(REPORT_IGNORED, at), "byte {at} of a report");
            let changed = hash(ONE, &decision, &report, &flip(&halt, at, mask)) != plain(ONE);
            assert_eq!(changed, !ignores(HALT_IGNORED, at), "byte {at} of a halt");
        }
    }
}
