//! The layout of a segment file, and how its bytes are checked.
//!
//! ```text
//! 0        header: what the file is, its place in the journal, check word
//! 512      watermark A  ┐ the last record known to be synced; written in turn, so that
//! 1024     watermark B  ┘ a torn one leaves the other
//! 1536     zero
//! 4096     frame 1 │ frame 2 │ … 128 bytes each: none straddles a sector
//! ```
//!
//! Check words are CRC32C, each seeded with the one before it through frames, headers and segments: a frame is valid
//! only after the very frames that were written before it. Space not yet written is zero.

use std::mem::offset_of;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::journal::payload::{EpochStart, Halt, InstrumentRow, JOURNAL_NAME_MAX, clip, text};
use crate::journal::record::{RECORD_VERSION, Record};
use crate::message::{Intent, Report};

/// Bytes before the first frame.
pub(super) const HEADER_PAGE: usize = 4096;

/// Bytes of a frame.
pub(super) const FRAME_BYTES: usize = 128;

/// Where the watermarks are: each alone in its sector.
pub(super) const WATERMARK_OFFSETS: [usize; 2] = [512, 1024];

/// Smallest and largest number of records in a segment.
pub const SEGMENT_RECORDS: std::ops::RangeInclusive<u32> = 1..=1 << 22;

/// `TRJOURNL`.
const MAGIC: u64 = u64::from_le_bytes(*b"TRJOURNL");

/// Version of this layout.
const VERSION: u32 = 1;

/// First word of every frame: `JR` and the length of a record.
const MARK: u32 = u32::from_le_bytes([120, 0, b'J', b'R']);

/// A record on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct Frame {
    mark: u32,
    check: u32,
    record: Record,
}

/// What a segment file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct Header {
    magic: u64,
    layout: u64,
    /// Sequence of its first record.
    pub first: u64,
    version: u32,
    /// Its number, from 1, as in its name.
    pub number: u32,
    /// How many records it holds.
    pub capacity: u32,
    /// Epoch of its first record.
    pub epoch: u32,
    /// Check word of the record before it; 0 for the first segment.
    pub previous: u32,
    name_length: u32,
    name: [u8; JOURNAL_NAME_MAX],
    check: u32,
    spare: u32,
}

/// How far a segment is known to be synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct Watermark {
    /// The last synced record.
    pub sequence: u64,
    /// Its check word.
    pub chain: u32,
    check: u32,
}

const _: () = {
    assert!(size_of::<Frame>() == FRAME_BYTES && size_of::<Record>() == 120);
    assert!(size_of::<Header>() <= WATERMARK_OFFSETS[0]);
    assert!(HEADER_PAGE.is_multiple_of(4096) && FRAME_BYTES * 4 == 512);
};

/// Bytes of a segment of `capacity` records.
pub(super) fn file_bytes(capacity: u32) -> usize {
    HEADER_PAGE + capacity as usize * FRAME_BYTES
}

/// Where frame `index` starts.
pub(super) fn frame_offset(index: u32) -> usize {
    file_bytes(index)
}

/// Whether nothing was ever written there.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// Hash of the sizes and offsets that the files depend on: a build with others refuses them.
fn layout() -> u64 {
    let places = [
        size_of::<Header>(),
        offset_of!(Frame, record),
        offset_of!(Record, at),
        offset_of!(Record, epoch),
        offset_of!(Record, kind),
        offset_of!(Record, payload),
        offset_of!(EpochStart, name),
        offset_of!(InstrumentRow, symbol),
        offset_of!(Intent, reserved),
        offset_of!(Halt, reason),
        offset_of!(Report, instrument),
        usize::from(RECORD_VERSION),
    ];
    xxh3_64(places.as_bytes())
}

impl Frame {
    /// Frames `record` after a record whose check word is `chain`.
    pub fn seal(record: Record, chain: u32) -> Self {
        let frame = Self { mark: MARK, check: 0, record };
        Self { check: frame.sum(chain), ..frame }
    }

    /// The check word that it should have after `chain`.
    fn sum(&self, chain: u32) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(chain, self.mark.as_bytes()), self.record.as_bytes())
    }

    /// Its check word: the chain for the next frame.
    pub const fn chain(&self) -> u32 {
        self.check
    }
}

impl Header {
    /// The header of segment `number` of journal `name`, after a record whose check word is `previous`.
    pub fn new(name: &str, number: u32, capacity: u32, first: u64, epoch: u32, previous: u32) -> Self {
        let (name, name_length) = clip(name);
        let header = Self {
            magic: MAGIC,
            layout: layout(),
            first,
            version: VERSION,
            number,
            capacity,
            epoch,
            previous,
            name_length: u32::from(name_length),
            name,
            check: 0,
            spare: 0,
        };
        Self { check: header.sum(), ..header }
    }

    fn sum(&self) -> u32 {
        crc32c::crc32c_append(self.previous, &self.as_bytes()[..offset_of!(Self, check)])
    }

    /// Its check word: the chain for its first frame.
    pub const fn chain(&self) -> u32 {
        self.check
    }

    /// The journal's name.
    pub fn name(&self) -> Option<&str> {
        text(&self.name, u8::try_from(self.name_length).ok()?)
    }

    /// Reads the header page of segment `number`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(page: &[u8], number: u32) -> Result<Self, &'static str> {
        let (header, rest) = Self::read_from_prefix(page).map_err(|_| "shorter than a header")?;
        if page.len() < HEADER_PAGE {
            return Err("shorter than a header");
        }
        if header.magic != MAGIC {
            return Err("no journal segment");
        }
        if header.check != header.sum() || header.spare != 0 || header.name().is_none() {
            return Err("its header is damaged");
        }
        if header.version != VERSION || header.layout != layout() {
            return Err("written by a build with another layout");
        }
        if header.number != number {
            return Err("its name is another segment's");
        }
        if !SEGMENT_RECORDS.contains(&header.capacity) || header.first == 0 {
            return Err("its header makes no sense");
        }
        let gap = size_of::<Self>();
        let unused = [gap..512, 528..1024, 1040..HEADER_PAGE];
        debug_assert_eq!(rest.len() + gap, page.len());
        if unused.into_iter().any(|range| !is_zero(&page[range])) {
            return Err("its header page is damaged");
        }
        Ok(header)
    }
}

impl Watermark {
    /// Synced up to `sequence`, whose check word is `chain`.
    pub fn new(sequence: u64, chain: u32) -> Self {
        let mark = Self { sequence, chain, check: 0 };
        Self { check: mark.sum(), ..mark }
    }

    fn sum(&self) -> u32 {
        crc32c::crc32c(&self.as_bytes()[..offset_of!(Self, check)])
    }

    /// The valid watermarks of a header page, by place.
    pub fn read(page: &[u8]) -> [Option<Self>; 2] {
        WATERMARK_OFFSETS.map(|at| {
            let (mark, _) = Self::read_from_prefix(page.get(at..)?).ok()?;
            (mark.sequence > 0 && mark.check == mark.sum()).then_some(mark)
        })
    }

    /// The furthest of them.
    pub fn furthest(marks: [Option<Self>; 2]) -> Option<Self> {
        marks.into_iter().flatten().max_by_key(|mark| mark.sequence)
    }
}

/// Why a frame is not the next record of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    /// Nothing was written there.
    #[error("nothing is written there")]
    Empty,
    /// The file is too short.
    #[error("the file ends before it")]
    Short,
    /// No frame.
    #[error("no frame starts there")]
    Mark,
    /// The check word is not that of these bytes after the frames before them.
    #[error("the checksum does not match")]
    Check,
    /// Another sequence.
    #[error("the sequence does not follow")]
    Sequence,
    /// An epoch before that of the record before it.
    #[error("the epoch is of an earlier life")]
    Epoch,
}

/// Walks the frames of a journal: knows what may come next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// The last record accepted; 0 before the first.
    pub sequence: u64,
    /// Its epoch.
    pub epoch: u32,
    /// Its check word, or that of the header after it.
    pub chain: u32,
    /// Always set outside tests, which clear them to show what the checks are for.
    pub checks: Checks,
}

/// Which checks a walk makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checks {
    /// Check words.
    pub chain: bool,
    /// Epochs.
    pub epoch: bool,
}

impl Checks {
    /// Every check.
    pub const ALL: Self = Self { chain: true, epoch: true };
}

impl Walk {
    /// Before the first record of a journal.
    pub const START: Self = Self { sequence: 0, epoch: 0, chain: 0, checks: Checks::ALL };

    /// Takes the next frame.
    ///
    /// # Errors
    /// When it is not the next record; the walk stays where it was.
    pub fn accept(&mut self, frame: &Frame) -> Result<Record, Damage> {
        if is_zero(frame.as_bytes()) {
            return Err(Damage::Empty);
        }
        if frame.mark != MARK {
            return Err(Damage::Mark);
        }
        if self.checks.chain && frame.check != frame.sum(self.chain) {
            return Err(Damage::Check);
        }
        let record = frame.record;
        if record.sequence != self.sequence + 1 {
            return Err(Damage::Sequence);
        }
        if self.checks.epoch && record.epoch < self.epoch {
            return Err(Damage::Epoch);
        }
        (self.sequence, self.epoch, self.chain) = (record.sequence, record.epoch, frame.check);
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::record;

    fn page(header: &Header) -> Vec<u8> {
        let mut page = vec![0; HEADER_PAGE];
        page[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        page
    }

    #[test]
    fn golden_layout() {
        assert_eq!([offset_of!(Frame, mark), offset_of!(Frame, check), offset_of!(Frame, record)], [0, 4, 8]);
        let header = [
            offset_of!(Header, magic),
            offset_of!(Header, layout),
            offset_of!(Header, first),
            offset_of!(Header, version),
            offset_of!(Header, number),
            offset_of!(Header, capacity),
            offset_of!(Header, epoch),
            offset_of!(Header, previous),
            offset_of!(Header, name_length),
            offset_of!(Header, name),
            offset_of!(Header, check),
        ];
        assert_eq!(header, [0, 8, 16, 24, 28, 32, 36, 40, 44, 48, 96]);
        assert_eq!((size_of::<Header>(), size_of::<Watermark>()), (104, 16));
        assert_eq!(frame_offset(0), 4096);
        // The check word is as a second implementation (bit by bit, in Python) computed it.
        let frame = Frame::seal(record(1, 1), 0);
        assert_eq!(&frame.as_bytes()[..8], [120, 0, b'J', b'R', 190, 205, 41, 28]);
    }

    #[test]
    fn every_byte_of_a_header_page_counts() {
        let header = Header::new("risk", 3, 8, 17, 2, 99);
        let page = page(&header);
        assert_eq!(Header::parse(&page, 3), Ok(header));
        assert_eq!(header.name(), Some("risk"));
        assert_eq!(Header::parse(&page, 4), Err("its name is another segment's"));
        assert_eq!(Header::parse(&page[..4000], 3), Err("shorter than a header"));
        for at in (0..HEADER_PAGE).filter(|at| !(512..528).contains(at) && !(1024..1040).contains(at)) {
            let mut damaged = page.clone();
            damaged[at] ^= 0x10;
            assert!(Header::parse(&damaged, 3).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_torn_watermark_leaves_the_other() {
        let mut page = vec![0; HEADER_PAGE];
        assert_eq!(Watermark::read(&page), [None, None]);
        page[512..528].copy_from_slice(Watermark::new(40, 1).as_bytes());
        page[1024..1040].copy_from_slice(Watermark::new(41, 2).as_bytes());
        assert_eq!(Watermark::furthest(Watermark::read(&page)), Some(Watermark::new(41, 2)));
        page[1025] ^= 1;
        assert_eq!(Watermark::furthest(Watermark::read(&page)), Some(Watermark::new(40, 1)));
    }

    #[test]
    fn only_the_next_record_is_accepted() {
        let mut walk = Walk::START;
        let first = Frame::seal(record(1, 2), 0);
        assert_eq!(walk.accept(&first), Ok(record(1, 2)));
        let chain = first.chain();
        assert_eq!(walk.accept(&first), Err(Damage::Check), "the same again");
        assert_eq!(walk.accept(&Frame::seal(record(3, 2), chain)), Err(Damage::Sequence));
        assert_eq!(walk.accept(&Frame::seal(record(2, 1), chain)), Err(Damage::Epoch));
        assert_eq!(walk.accept(&Frame::seal(record(2, 2), chain + 1)), Err(Damage::Check));
        assert_eq!(walk.accept(&Frame { mark: 0, ..Frame::seal(record(2, 2), chain) }), Err(Damage::Mark));
        let zero = Frame::read_from_bytes(&[0; FRAME_BYTES]).expect("any bytes are valid");
        assert_eq!(walk.accept(&zero), Err(Damage::Empty));
        assert_eq!(walk.accept(&Frame::seal(record(2, 3), chain)), Ok(record(2, 3)));
    }

    #[test]
    fn without_the_epoch_check_recycled_bytes_would_revive() {
        // A frame of an earlier life that happens to fit sequence and chain.
        let recycled = Frame::seal(record(2, 1), Frame::seal(record(1, 2), 0).chain());
        let mut walk = Walk::START;
        walk.accept(&Frame::seal(record(1, 2), 0)).expect("the first");
        assert_eq!(walk.accept(&recycled), Err(Damage::Epoch));
        walk.checks.epoch = false;
        assert_eq!(walk.accept(&recycled), Ok(record(2, 1)));
    }
}
