//! Reading a journal's segments, with every check.
//!
//! Damage below the durable watermark, or in a segment that another follows, is an error: what was promised to be
//! there is not. Damage above it is a torn tail, the trace of a crash: the journal ends in front of it.

use std::fs;
use std::path::{Path, PathBuf};

use zerocopy::FromBytes;

use crate::error::SetupError;
use crate::journal::digest::{Digest, StateHash};
use crate::journal::directory::{list, segment_path};
use crate::journal::record::Record;
use crate::journal::segment::{
    Damage, FRAME_BYTES, Frame, Header, Walk, Watermark, file_bytes, frame_offset, is_zero,
};

/// What stands behind the last record of a journal and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub path: PathBuf,
    /// Where it starts.
    pub offset: usize,
    /// Bytes up to the last one that is not zero.
    pub bytes: usize,
    /// Why it is no record.
    pub reason: String,
}

impl Torn {
    /// Frames that it reaches into.
    #[must_use]
    pub const fn frames(&self) -> usize {
        self.bytes.div_ceil(FRAME_BYTES)
    }
}

/// A segment in memory.
pub(super) struct Segment {
    pub path: PathBuf,
    pub header: Header,
    pub bytes: Vec<u8>,
    /// The watermarks found, by place.
    pub marks: [Option<Watermark>; 2],
    /// Frames taken so far.
    pub used: u32,
}

impl Segment {
    /// Reads a segment whose header is known.
    fn load(dir: &Path, header: &Header) -> Result<Self, SetupError> {
        let path = segment_path(dir, header.number);
        // Front to back, so that a watermark is never newer than the frames read after it.
        let bytes = fs::read(&path).map_err(|source| SetupError::io(&path, "read", source))?;
        if Header::parse(&bytes, header.number).as_ref() != Ok(header)
            || bytes.len() > file_bytes(header.capacity)
        {
            return Err(SetupError::file(path, "changed while it was read"));
        }
        let marks = Watermark::read(&bytes);
        Ok(Self { path, header: *header, bytes, marks, used: 0 })
    }

    /// The next frame; `None` when the file ends before it does.
    fn frame(&self) -> Option<Frame> {
        let offset = frame_offset(self.used);
        Frame::read_from_bytes(self.bytes.get(offset..offset + FRAME_BYTES)?).ok()
    }

    /// The last record that is known to be synced; that of the segment before it, where none of this one is.
    fn durable(&self) -> u64 {
        Watermark::furthest(self.marks).map_or(self.header.first - 1, |mark| mark.sequence)
    }

    /// What stands from the next frame on, if anything does.
    fn torn(&self, damage: Damage) -> Option<Torn> {
        let offset = frame_offset(self.used);
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let bytes = rest.iter().rposition(|&byte| byte != 0)? + 1;
        debug_assert!(!is_zero(rest));
        Some(Torn { path: self.path.clone(), offset, bytes, reason: damage.to_string() })
    }
}

/// The records of a journal, in order. Ends at the first error.
pub struct JournalReader {
    dir: PathBuf,
    headers: Vec<Header>,
    /// Index in `headers` of the segment after `open`.
    next: usize,
    open: Option<Segment>,
    walk: Walk,
    from: u64,
    torn: Option<Torn>,
    finished: bool,
}

impl JournalReader {
    /// Reads the journal in `dir` from its first record to the last one written by now. Its owner may be writing.
    ///
    /// # Errors
    /// When the directory cannot be listed, or a segment is foreign, damaged or missing.
    pub fn open(dir: &Path) -> Result<Self, SetupError> {
        let headers = list(dir)?.used;
        Ok(Self {
            dir: dir.to_owned(),
            headers,
            next: 0,
            open: None,
            walk: Walk::START,
            from: 0,
            torn: None,
            finished: false,
        })
    }

    /// The same from record `sequence` on. Segments before the one that holds it are not read.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_at(dir: &Path, sequence: u64) -> Result<Self, SetupError> {
        let mut reader = Self::open(dir)?;
        let behind = reader.headers.partition_point(|header| header.first <= sequence);
        reader.next = behind.saturating_sub(1);
        reader.from = sequence;
        if let Some(header) = reader.headers.get(reader.next) {
            let (sequence, epoch, chain) = (header.first - 1, 0, header.previous);
            reader.walk = Walk { sequence, epoch, chain, ..Walk::START };
        }
        Ok(reader)
    }

    /// What stands behind the last record; known once the iteration has ended.
    #[must_use]
    pub const fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    /// Segments in use.
    #[must_use]
    pub const fn segments(&self) -> usize {
        self.headers.len()
    }

    /// The journal's name; `None` before its first segment.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.headers.first().and_then(Header::name)
    }

    /// Where the iteration ended: the state of the chain, and the last segment.
    pub(super) fn into_end(self) -> (Walk, Option<Segment>, Option<Torn>) {
        (self.walk, self.open, self.torn)
    }

    fn advance(&mut self) -> Result<Option<Record>, SetupError> {
        loop {
            let Some(segment) = &mut self.open else {
                if !self.load_next()? {
                    return Ok(None);
                }
                continue;
            };
            if segment.used == segment.header.capacity {
                if self.next == self.headers.len() {
                    return Ok(None);
                }
                self.open = None;
                continue;
            }
            let accepted = segment.frame().ok_or(Damage::Short).and_then(|frame| self.walk.accept(&frame));
            match accepted {
                Err(damage) => return self.end(damage).map(|()| None),
                Ok(record) => {
                    segment.used += 1;
                    self.check_marks()?;
                    if record.sequence >= self.from {
                        return Ok(Some(record));
                    }
                }
            }
        }
    }

    /// Opens the next segment and checks that it goes on where the one before it ended.
    fn load_next(&mut self) -> Result<bool, SetupError> {
        let Some(header) = self.headers.get(self.next) else { return Ok(false) };
        let segment = Segment::load(&self.dir, header)?;
        if header.first != self.walk.sequence + 1 || header.previous != self.walk.chain {
            return Err(SetupError::file(segment.path, "does not follow the segment before it"));
        }
        self.walk.chain = header.chain();
        self.next += 1;
        self.open = Some(segment);
        Ok(true)
    }

    /// The record that a watermark names must be the one that was synced.
    fn check_marks(&self) -> Result<(), SetupError> {
        let Some(segment) = &self.open else { return Ok(()) };
        let differs = |mark: &Watermark| mark.sequence == self.walk.sequence && mark.chain != self.walk.chain;
        if self.walk.checks.chain && segment.marks.iter().flatten().any(differs) {
            let reason = format!("record {} is not the one that was synced", self.walk.sequence);
            return Err(SetupError::file(&segment.path, reason));
        }
        Ok(())
    }

    /// The next frame is no record: the end, or damage where none may be.
    fn end(&mut self, damage: Damage) -> Result<(), SetupError> {
        let Some(segment) = &self.open else { return Ok(()) };
        let refuse = |promise: String| {
            let (sequence, offset) = (self.walk.sequence + 1, frame_offset(segment.used));
            let reason = format!("record {sequence} at byte {offset}: {damage}, yet {promise}");
            Err(SetupError::file(&segment.path, reason))
        };
        if self.next < self.headers.len() {
            return refuse("another segment follows".into());
        }
        if segment.durable() > self.walk.sequence {
            return refuse(format!("records up to {} were synced", segment.durable()));
        }
        self.torn = segment.torn(damage);
        Ok(())
    }

    /// Reads without some checks, to show what they are for.
    #[cfg(test)]
    pub(super) fn with_checks(mut self, checks: crate::journal::segment::Checks) -> Self {
        self.walk.checks = checks;
        self
    }
}

impl Iterator for JournalReader {
    type Item = Result<Record, SetupError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let record = self.advance().transpose();
        self.finished = !matches!(record, Some(Ok(_)));
        record
    }
}

/// The highest epoch in the last segment of the journal in `dir`; epochs never fall, so it is the journal's. 0 for an
/// empty journal.
///
/// # Errors
/// When the journal is damaged.
pub(super) fn last_epoch(dir: &Path) -> Result<u32, SetupError> {
    let first = list(dir)?.used.last().map_or(0, |header| header.first);
    JournalReader::open_at(dir, first)?.try_fold(0, |epoch, record| Ok(record?.epoch.max(epoch)))
}

/// One epoch of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochSummary {
    /// The epoch.
    pub epoch: u32,
    /// Its first record.
    pub first: u64,
    /// How many records it has.
    pub records: u64,
    /// The state hash of these records alone: what a replay of this session must reach.
    pub digest: StateHash,
}

/// What a journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records.
    pub records: u64,
    /// Segments in use.
    pub segments: usize,
    /// Its epochs, in order.
    pub epochs: Vec<EpochSummary>,
    /// What stands behind the last record, if anything does.
    pub torn: Option<Torn>,
    /// The state hash of all records.
    pub digest: StateHash,
}

/// Reads a whole journal and says what it holds.
///
/// # Errors
/// When it cannot be read or is damaged below what was synced.
pub fn verify(dir: &Path) -> Result<Summary, SetupError> {
    let mut reader = JournalReader::open(dir)?;
    let (mut records, mut digest) = (0, Digest::new());
    let (mut epochs, mut session) = (Vec::<EpochSummary>::new(), Digest::new());
    for record in reader.by_ref() {
        let record = record?;
        records += 1;
        digest.update(&record);
        if epochs.last().is_none_or(|last| last.epoch != record.epoch) {
            session = Digest::new();
            let (epoch, first) = (record.epoch, record.sequence);
            epochs.push(EpochSummary { epoch, first, records: 0, digest: StateHash::default() });
        }
        session.update(&record);
        if let Some(last) = epochs.last_mut() {
            last.records += 1;
            last.digest = session.finish();
        }
    }
    let segments = reader.segments();
    Ok(Summary { records, segments, epochs, torn: reader.torn, digest: digest.finish() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::{options, records};
    use crate::journal::writer::SegmentWriter;

    /// A journal of records `1..=last`, eight a segment.
    fn journal(last: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = SegmentWriter::open(folder.path(), &options(), |_| ()).expect("opened");
        writer.append(&records(1, last, 1)).expect("written");
        writer.sync().expect("synced");
        folder
    }

    fn refusal(dir: &Path) -> String {
        verify(dir).expect_err("refused").to_string()
    }

    #[test]
    fn starts_anywhere() {
        let folder = journal(30);
        for from in 0..=32 {
            let reader = JournalReader::open_at(folder.path(), from).expect("opened");
            let found: Vec<_> = reader.collect::<Result<_, _>>().expect("sound");
            assert_eq!(found, records(from.max(1), 30, 1));
        }
        assert_eq!(last_epoch(folder.path()).expect("sound"), 1);
    }

    #[test]
    fn an_empty_folder_is_an_empty_journal_and_no_folder_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let summary = verify(folder.path()).expect("empty");
        assert_eq!((summary.records, summary.segments), (0, 0));
        assert!(verify(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_missing_segment_is_named() {
        for number in [1, 2, 3] {
            let folder = journal(30);
            fs::remove_file(segment_path(folder.path(), number)).expect("removed");
            let refusal = refusal(folder.path());
            assert!(refusal.contains(&format!("0000000{number}.journal: segment is missing")), "{refusal}");
        }
    }

    #[test]
    fn an_emptied_segment_is_named() {
        let folder = journal(30);
        fs::write(segment_path(folder.path(), 2), vec![0; file_bytes(8)]).expect("written");
        assert!(refusal(folder.path()).contains("00000002.journal: is empty, yet segment 3 is not"));
    }

    #[test]
    fn foreign_files_are_refused() {
        let folder = journal(3);
        for name in ["1.journal", "00000000.journal", "0000000x.journal", "000000001.journal"] {
            fs::write(folder.path().join(name), "").expect("written");
            assert!(refusal(folder.path()).contains("no segment's number"), "{name}");
            fs::remove_file(folder.path().join(name)).expect("removed");
        }
        fs::write(folder.path().join("notes.txt"), "ours").expect("written");
        assert_eq!(verify(folder.path()).expect("sound").records, 3);
        fs::write(segment_path(folder.path(), 2), "a file of somebody else").expect("written");
        assert!(refusal(folder.path()).contains("shorter than a header"));
        fs::write(segment_path(folder.path(), 2), [b'x'; 5000]).expect("written");
        assert!(refusal(folder.path()).contains("no journal segment"));
    }

    #[test]
    fn a_segment_of_another_life_or_place_is_refused() {
        let (folder, other) = (journal(30), journal(30));
        // The same content chains the same; another content does not.
        let fresh = tempfile::tempdir().expect("a folder");
        let mut writer = SegmentWriter::open(fresh.path(), &options(), |_| ()).expect("opened");
        writer.append(&records(1, 30, 2)).expect("written");
        let second = |dir: &Path| segment_path(dir, 2);
        fs::copy(second(other.path()), second(folder.path())).expect("copied");
        assert_eq!(verify(folder.path()).expect("the same").records, 30);
        fs::copy(second(fresh.path()), second(folder.path())).expect("copied");
        assert!(refusal(folder.path()).contains("does not follow the segment before it"));
        fs::copy(segment_path(other.path(), 3), second(folder.path())).expect("copied");
        assert!(refusal(folder.path()).contains("its name is another segment's"));
    }

    #[test]
    fn a_truncated_file_is_a_torn_tail_only_above_the_watermark() {
        let whole = journal(12);
        let path = segment_path(whole.path(), 2);
        let bytes = fs::read(&path).expect("read");
        // Zero space may go; a synced record may not.
        fs::write(&path, &bytes[..frame_offset(4)]).expect("written");
        assert_eq!(verify(whole.path()).expect("sound").records, 12);
        fs::write(&path, &bytes[..frame_offset(4) - 1]).expect("written");
        assert!(
            refusal(whole.path()).contains(
                "record 12 at byte 4480: the file ends before it, yet records up to 12 were synced"
            )
        );
        fs::write(&path, &bytes[..100]).expect("written");
        assert!(refusal(whole.path()).contains("shorter than a header"));
        let mut long = bytes.clone();
        long.push(0);
        fs::write(&path, &long).expect("written");
        assert!(refusal(whole.path()).contains("longer"));
        // The first segment is sealed by the second.
        fs::write(&path, &bytes).expect("written");
        let first = segment_path(whole.path(), 1);
        let bytes = fs::read(&first).expect("read");
        fs::write(&first, &bytes[..bytes.len() - 128]).expect("written");
        assert!(refusal(whole.path()).contains("yet another segment follows"));
    }

    #[test]
    fn a_living_journal_can_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = SegmentWriter::open(folder.path(), &options(), |_| ()).expect("opened");
        for last in 1..=40 {
            writer.append(&records(last, last, 1)).expect("written");
            let summary = verify(folder.path()).expect("sound");
            assert_eq!((summary.records, summary.torn), (last, None));
        }
    }
}
