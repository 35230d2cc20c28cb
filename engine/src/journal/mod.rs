//! Journals: fixed-size records, committed in a shared-memory ring, written and synced to CRC-framed segments.
//!
//! The owner [appends](appender) to a ring, which any process's death leaves whole (level P). Another thread
//! [drains](drain) it into [segments](writer) and syncs them (level S, power loss). [Readers](reader) of segments
//! verify; the [tail] follows a living journal; a [digest] says whether two runs did the same.

pub mod record;
pub mod payload;
pub mod listing;
pub mod input;
pub mod limit_change;
pub mod digest;
pub mod describe;
mod segment;
mod directory;
pub mod reader;
mod quarantine;
pub mod writer;
pub mod health;
pub mod appender;
pub mod drain;
pub mod tail;
pub mod translate;
pub mod epoch;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod recovery;

pub use appender::Journal;
pub use describe::Describer;
pub use digest::{Digest, StateHash};
pub use drain::JournalWriter;
pub use health::{Health, JournalState};
pub use input::{InputRecord, Unsent};
pub use limit_change::LimitChange;
pub use listing::ListedInstrument;
pub use payload::{DayStart, Decision, EpochStart, Halt, HaltScope, InstrumentFacts, InstrumentRow};
pub use reader::{JournalReader, Summary, verify};
pub use record::{Payload, Record, RecordKind};
pub use segment::SEGMENT_RECORDS;
pub use tail::Tail;
pub use writer::SegmentOptions;
