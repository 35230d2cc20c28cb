//! The frame of an SBE message: header, block, groups and text, each within the bytes that there are.

use crate::domain::Nanos;
use crate::venue::binance::{DecodeError, DecodeReason};

/// Bytes of a message's header: blockLength, templateId, schemaId and version, 16 bits each.
pub(super) const HEADER: usize = 8;

/// The frame is not what its header or lengths say.
pub(super) const fn malformed(at: usize) -> DecodeError {
    DecodeError { reason: DecodeReason::Malformed, at, instrument: None }
}

/// A message whose header was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    /// Length of the block, by the header.
    block: usize,
    pub(super) template: u16,
    pub(super) schema: u16,
}

/// A repeating group whose entries all lie within the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    start: usize,
    entry: usize,
    count: usize,
    /// Where what follows it begins.
    pub(super) end: usize,
}

impl Group {
    /// `groupSizeEncoding`: length of an entry in 16 bits, their number in 32.
    pub(super) fn wide(message: &Message<'_>, at: usize) -> Result<(usize, usize, usize), DecodeError> {
        let count = u32::from_le_bytes(message.at::<4>(at + 2)?);
        let count = usize::try_from(count).map_err(|_| malformed(at))?;
        Ok((usize::from(message.short(at)?), count, at + 6))
    }

    /// `groupSize16Encoding`: both in 16 bits.
    pub(super) fn narrow(message: &Message<'_>, at: usize) -> Result<(usize, usize, usize), DecodeError> {
        Ok((usize::from(message.short(at)?), usize::from(message.short(at + 2)?), at + 4))
    }

    /// Where each entry begins.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = usize> {
        let Self { start, entry, count, .. } = *self;
        (0..count).map(move |number| start + number * entry)
    }
}

type Dimensions = fn(&Message<'_>, usize) -> Result<(usize, usize, usize), DecodeError>;

impl<'a> Message<'a> {
    /// Reads the header.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let message = Self { bytes, block: 0, template: 0, schema: 0 };
        let (block, template, schema) = (message.short(0)?, message.short(2)?, message.short(4)?);
        // The version says nothing that the lengths do not; it must be there.
        message.short(6)?;
        Ok(Self { bytes, block: usize::from(block), template, schema })
    }

    /// Where the block ends, which must hold `needed` bytes.
    pub(super) fn after_block(&self, needed: usize) -> Result<usize, DecodeError> {
        let end = HEADER + self.block;
        if self.block < needed || end > self.bytes.len() { Err(malformed(0)) } else { Ok(end) }
    }

    /// The group at `at`, whose entries must hold `needed` bytes.
    pub(super) fn group(&self, at: usize, read: Dimensions, needed: usize) -> Result<Group, DecodeError> {
        let (entry, count, start) = read(self, at)?;
        let length = entry.checked_mul(count).ok_or(malformed(at))?;
        let end = start.checked_add(length).filter(|&end| end <= self.bytes.len()).ok_or(malformed(at))?;
        // The entries of an empty group are of no length that matters.
        if count > 0 && entry < needed { Err(malformed(at)) } else { Ok(Group { start, entry, count, end }) }
    }

    /// The text at `at`, behind its length of 8 bits.
    pub(super) fn text(&self, at: usize) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.byte(at)?);
        let text = self.bytes.get(at + 1..at + 1 + length).ok_or(malformed(at))?;
        if text.is_empty() { Err(malformed(at)) } else { Ok(text) }
    }

    /// The byte at `at`.
    pub(super) fn byte(&self, at: usize) -> Result<u8, DecodeError> {
        self.bytes.get(at).copied().ok_or(malformed(at))
    }

    fn short(&self, at: usize) -> Result<u16, DecodeError> {
        self.at(at).map(u16::from_le_bytes)
    }

    fn at<const N: usize>(&self, at: usize) -> Result<[u8; N], DecodeError> {
        let bytes = self.bytes.get(at..at.saturating_add(N)).and_then(|bytes| bytes.first_chunk());
        bytes.copied().ok_or(malformed(at))
    }

    /// The bytes of the field at `offset` in the block.
    pub(super) fn field<const N: usize>(&self, offset: usize) -> Result<[u8; N], DecodeError> {
        if offset + N > self.block { Err(malformed(HEADER + offset)) } else { self.at(HEADER + offset) }
    }

    /// The signed number at `at`.
    pub(super) fn signed(&self, at: usize) -> Result<i64, DecodeError> {
        self.at(at).map(i64::from_le_bytes)
    }

    /// The number at `at`, which is not negative.
    pub(super) fn unsigned(&self, at: usize) -> Result<u64, DecodeError> {
        u64::try_from(self.signed(at)?).map_err(|_| malformed(at))
    }

    /// The signed field at `offset` in the block.
    pub(super) fn signed_field(&self, offset: usize) -> Result<i64, DecodeError> {
        self.field(offset).map(i64::from_le_bytes)
    }

    /// The field at `offset` in the block, which is not negative.
    pub(super) fn unsigned_field(&self, offset: usize) -> Result<u64, DecodeError> {
        u64::try_from(self.signed_field(offset)?).map_err(|_| malformed(HEADER + offset))
    }

    /// The time at `offset` in the block, in microseconds since the epoch.
    pub(super) fn time(&self, offset: usize) -> Result<Nanos, DecodeError> {
        let micros = i64::try_from(self.unsigned_field(offset)?).ok();
        micros.and_then(|micros| micros.checked_mul(1_000)).map(Nanos).ok_or(malformed(HEADER + offset))
    }
}
