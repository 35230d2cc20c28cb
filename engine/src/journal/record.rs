//! `Record`: what a journal is made of. One fixed size, in the ring and on disk.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::Nanos;
use crate::wire::wire_enum;

/// Bytes of a record's payload.
pub const PAYLOAD_BYTES: usize = 88;

/// Version of the payloads' layouts. A reader that finds another does not read the payload.
pub const RECORD_VERSION: u8 = 2;

wire_enum! {
    /// What a record holds.
    RecordKind {
        /// An engine epoch starts.
        Epoch = 1 => "EPOCH",
        /// A row of the epoch's instrument table.
        Instrument = 2 => "INSTRUMENT",
        /// Risk accepted or refused an intent.
        Decision = 3 => "DECISION",
        /// What became of an order.
        Report = 4 => "REPORT",
        /// What a duty cycle took from its inputs.
        Input = 5 => "INPUT",
        /// A halt was raised, lowered or changed.
        Halt = 6 => "HALT",
        /// A day of C19 started.
        Day = 7 => "DAY",
        /// A limit was changed (C29).
        Limit = 8 => "LIMIT",
        /// What a venue behind a connection said.
        Answer = 9 => "ANSWER",
        /// A request did not leave.
        Unsent = 10 => "UNSENT",
    }
}

/// One entry of a journal, 120 bytes: with a stamp in the ring, or a frame on disk, it fills two cache lines.
///
/// Written by the journal's owner alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Record {
    /// Counts the records of the journal from 1, without a hole, across epochs and segments. It says where a record
    /// belongs when a ring was lapped or drained twice.
    pub sequence: u64,
    /// When it was written, on the engine's timeline.
    pub at: Nanos,
    /// The same moment by the machine's monotonic clock, in nanoseconds: tells how long things took even where the
    /// timeline is a recording's.
    pub elapsed: i64,
    /// The engine epoch that wrote it; never falls, so bytes of an earlier life cannot pass for new ones.
    pub epoch: u32,
    /// Code of a [`RecordKind`].
    pub kind: u8,
    /// [`RECORD_VERSION`] of its writer.
    pub version: u8,
    /// Spare, zero.
    pub reserved: u16,
    /// By [`kind`](Self::kind), one of the types of `payload` and `input`, a `Report` or an `Answer`.
    pub payload: [u8; PAYLOAD_BYTES],
}

const _: () = {
    assert!(size_of::<Record>() == 120);
    // Files are read back by the bytes of this machine's integers.
    assert!(cfg!(target_endian = "little"));
};

/// A type that is the payload of one kind of record: 88 bytes, no padding, any bit pattern valid.
pub trait Payload: FromBytes + IntoBytes + Immutable + Copy {
    /// The kind of its records.
    const KIND: RecordKind;
}

impl Record {
    /// A record of `payload`.
    #[must_use]
    pub fn new<P: Payload>(sequence: u64, epoch: u32, at: Nanos, elapsed: i64, payload: &P) -> Self {
        const { assert!(size_of::<P>() == PAYLOAD_BYTES) };
        let mut bytes = [0; PAYLOAD_BYTES];
        bytes.copy_from_slice(payload.as_bytes());
        Self {
            sequence,
            at,
            elapsed,
            epoch,
            kind: P::KIND.code(),
            version: RECORD_VERSION,
            reserved: 0,
            payload: bytes,
        }
    }

    /// Its payload, if it is a `P` in a layout that this build knows.
    #[must_use]
    pub fn read<P: Payload>(&self) -> Option<P> {
        if self.kind != P::KIND.code() || self.version != RECORD_VERSION {
            return None;
        }
        P::read_from_bytes(&self.payload).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Report;
    use std::mem::offset_of;

    #[test]
    fn golden_layout() {
        assert_eq!(size_of::<Record>(), 120);
        assert_eq!(align_of::<Record>(), 8);
        let offsets = [
            offset_of!(Record, sequence),
            offset_of!(Record, at),
            offset_of!(Record, elapsed),
            offset_of!(Record, epoch),
            offset_of!(Record, kind),
            offset_of!(Record, version),
            offset_of!(Record, reserved),
            offset_of!(Record, payload),
        ];
        assert_eq!(offsets, [0, 8, 16, 24, 28, 29, 30, 32]);
    }

    #[test]
    fn gives_back_what_it_was_given_and_nothing_else() {
        let report = Report { venue_order_id: 77, ..Report::default() };
        let record = Record::new(1, 2, Nanos(3), 4, &report);
        assert_eq!(record.read::<Report>(), Some(report));
        let later = Record { version: RECORD_VERSION + 1, ..record };
        assert_eq!(later.read::<Report>(), None);
        let other = Record { kind: RecordKind::Halt.code(), ..record };
        assert_eq!(other.read::<Report>(), None);
    }
}
