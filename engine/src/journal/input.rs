//! The input log: what each duty cycle took from its inputs, so that a live session can be replayed.
//!
//! Rings keep the order within an input; what decides between equal runs is *when* an agent looked and *how much*
//! it took. A cycle that took nothing and read nothing leaves no record.
//!
//! What a tape cannot tell stands before the record of its cycle: which requests did not leave, and, where the venue is
//! behind a connection, every event of it.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::InstrumentIndex;
use crate::journal::record::{PAYLOAD_BYTES, Payload, RecordKind};
use crate::message::Answer;

/// Most inputs of one agent that one record tells of.
pub const INPUTS_MAX: usize = 6;

/// Most book reads that one record tells of; a cycle with more writes further parts.
pub const BOOK_READS_MAX: usize = 3;

/// A copy of a book cell that an agent took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BookRead {
    /// Version of the book that was copied.
    pub version: u64,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Spare, zero.
    pub reserved: u32,
}

/// What one duty cycle of one agent took. Its `now` is the `at` of its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct InputRecord {
    /// Counts the agent's duty cycles, empty ones too.
    pub cycle: u64,
    /// How many messages it took from each input, by the agent's own numbering.
    pub taken: [u32; INPUTS_MAX],
    /// The books it read, in order; [`books`](Self::books) of them.
    pub reads: [BookRead; BOOK_READS_MAX],
    /// The agent, by the topology's numbering.
    pub agent: u16,
    /// How many of `reads` are used.
    pub books: u16,
    /// Number of this record within its cycle, from 0. Only part 0 counts messages.
    pub part: u32,
}

const _: () = assert!(size_of::<InputRecord>() == PAYLOAD_BYTES);

impl Payload for InputRecord {
    const KIND: RecordKind = RecordKind::Input;
}

impl Payload for Answer {
    const KIND: RecordKind = RecordKind::Answer;
}

/// A request of route's that did not leave: whoever asked was told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Unsent {
    /// Counts route's requests of the session from 1: orders, cancels, amendments, queries and questions alike.
    pub request: u64,
    /// Spare, zero.
    pub reserved: [u64; 10],
}

impl Payload for Unsent {
    const KIND: RecordKind = RecordKind::Unsent;
}

impl Unsent {
    /// Request number `request`.
    #[must_use]
    pub const fn new(request: u64) -> Self {
        Self { request, reserved: [0; 10] }
    }
}

impl InputRecord {
    /// Duty cycle number `cycle` of `agent`, which took nothing yet.
    #[must_use]
    pub fn new(agent: u16, cycle: u64) -> Self {
        Self { agent, cycle, ..Self::default() }
    }

    /// Counts `count` messages taken from `input`; `false` when there is no such input.
    #[must_use]
    pub fn took(&mut self, input: usize, count: u32) -> bool {
        let Some(taken) = self.taken.get_mut(input) else { return false };
        *taken = taken.saturating_add(count);
        true
    }

    /// Notes a book read; `false` when the record is full: append it, go on with [`next_part`](Self::next_part).
    #[must_use]
    pub fn read_book(&mut self, instrument: InstrumentIndex, version: u64) -> bool {
        let Some(read) = self.reads.get_mut(usize::from(self.books)) else { return false };
        *read = BookRead { version, instrument, reserved: 0 };
        self.books += 1;
        true
    }

    /// The empty next part of the same cycle.
    #[must_use]
    pub fn next_part(&self) -> Self {
        Self { part: self.part + 1, ..Self::new(self.agent, self.cycle) }
    }

    /// Whether nothing was taken or read: such a cycle is not journalled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.books == 0 && self.taken == [0; INPUTS_MAX]
    }

    /// The books that were read; a count beyond the record (a foreign writer's) is held to it.
    #[must_use]
    pub fn books_read(&self) -> &[BookRead] {
        &self.reads[..usize::from(self.books).min(BOOK_READS_MAX)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn golden_layout() {
        let offsets = [
            offset_of!(InputRecord, cycle),
            offset_of!(InputRecord, taken),
            offset_of!(InputRecord, reads),
            offset_of!(InputRecord, agent),
            offset_of!(InputRecord, books),
            offset_of!(InputRecord, part),
        ];
        assert_eq!(offsets, [0, 8, 32, 80, 82, 84]);
    }

    #[test]
    fn counts_up_to_its_room_and_says_when_it_is_full() {
        let mut record = InputRecord::new(3, 9);
        assert!(record.is_empty());
        assert!(record.took(5, 2) && record.took(5, 3) && !record.took(6, 1));
        assert_eq!(record.taken, [0, 0, 0, 0, 0, 5]);
        for version in 0..3 {
            assert!(record.read_book(1, version));
        }
        assert!(!record.read_book(1, 3));
        let next = record.next_part();
        assert!(next.is_empty() && (next.agent, next.cycle, next.part) == (3, 9, 1));
        assert_eq!(record.books_read().len(), 3);
        record.books = u16::MAX;
        assert_eq!(record.books_read().len(), 3);
    }
}
