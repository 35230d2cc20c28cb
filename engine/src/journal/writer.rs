//! Writing a journal's segments. One process at a time, on a thread that may wait for a disk.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use zerocopy::IntoBytes;

use crate::crash;
use crate::error::SetupError;
use crate::journal::directory::{list, lock, segment_path, sync_names};
use crate::journal::payload::JOURNAL_NAME_MAX;
use crate::journal::quarantine;
use crate::journal::reader::{JournalReader, Segment, Torn};
use crate::journal::record::Record;
use crate::journal::segment::{
    Frame, Header, SEGMENT_RECORDS, WATERMARK_OFFSETS, Walk, Watermark, file_bytes, frame_offset,
};

/// How a journal is written.
#[derive(Clone, Debug)]
pub struct SegmentOptions {
    /// The journal's name, such as `risk`: a directory with another journal is refused.
    pub name: String,
    /// Records of a new segment, within `SEGMENT_RECORDS`; 65,536 make 8 MiB.
    pub segment_records: u32,
    /// Whether to sync. Without, records survive the death of the process but not of the machine.
    pub sync: bool,
}

impl SegmentOptions {
    /// Defaults for the journal called `name`: 8 MiB segments, synced.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), segment_records: 65_536, sync: true }
    }

    fn check(&self) -> Result<(), SetupError> {
        if self.name.is_empty() || self.name.len() > JOURNAL_NAME_MAX {
            let reason = format!("journal name {:?}: from 1 to {JOURNAL_NAME_MAX} bytes", self.name);
            return Err(SetupError::Invalid(reason));
        }
        if !SEGMENT_RECORDS.contains(&self.segment_records) {
            let reason =
                format!("{} records a segment: not within {SEGMENT_RECORDS:?}", self.segment_records);
            return Err(SetupError::Invalid(reason));
        }
        Ok(())
    }
}

/// A segment being written.
struct Current {
    path: PathBuf,
    file: File,
    header: Header,
    /// Frames written.
    used: u32,
    /// Where the next watermark goes: never over the furthest one.
    place: usize,
}

/// Writes the segments of one journal.
///
/// The first failed write or sync stops it for good: what the kernel has thrown away after one error, a second try
/// would report as written. Open it again to find out what is there.
pub struct SegmentWriter {
    dir: PathBuf,
    options: SegmentOptions,
    current: Option<Current>,
    spare: Option<File>,
    /// The state of the chain after the last record written.
    walk: Walk,
    durable: u64,
    quarantined: usize,
    failure: Option<String>,
    buffer: Vec<u8>,
    _lock: File,
}

impl SegmentWriter {
    /// Opens the journal in `dir`, or starts one. Recovers first: verifies every record (each is handed to
    /// `on_record`), moves a torn tail aside, and syncs what an earlier life may have left unsynced.
    ///
    /// # Errors
    /// When another process writes it, it is another journal's, it is damaged below what was synced, or the disk is
    /// full.
    pub fn open(
        dir: &Path,
        options: &SegmentOptions,
        mut on_record: impl FnMut(&Record),
    ) -> Result<Self, SetupError> {
        options.check()?;
        fs::create_dir_all(dir).map_err(|source| SetupError::io(dir, "create", source))?;
        let lock = lock(&dir.join("lock"))?;
        let mut reader = JournalReader::open(dir)?;
        if let Some(name) = reader.name()
            && name != options.name
        {
            return Err(SetupError::file(dir, format!("holds the journal {name}, not {}", options.name)));
        }
        for record in reader.by_ref() {
            on_record(&record?);
        }
        let (walk, last, torn) = reader.into_end();
        let mut writer = Self {
            dir: dir.to_owned(),
            options: options.clone(),
            current: None,
            spare: None,
            walk,
            durable: 0,
            quarantined: torn.as_ref().map_or(0, Torn::frames),
            failure: None,
            buffer: Vec::new(),
            _lock: lock,
        };
        if let Some(last) = last {
            writer.resume(&last, torn.as_ref())?;
        }
        // A spare of an earlier life may have another size: made anew.
        for number in list(dir)?.unused {
            let path = segment_path(dir, number);
            fs::remove_file(&path).map_err(|source| SetupError::io(&path, "remove", source))?;
        }
        writer.prepare_spare()?;
        Ok(writer)
    }

    /// Goes on with the segment that an earlier life wrote last.
    fn resume(&mut self, last: &Segment, torn: Option<&Torn>) -> Result<(), SetupError> {
        let io = |action| move |source| SetupError::io(&last.path, action, source);
        let file = OpenOptions::new().read(true).write(true).open(&last.path).map_err(io("open"))?;
        if let Some(torn) = torn {
            quarantine::set_aside(&self.dir, torn, &last.bytes, &file, self.options.sync)?;
        }
        allocate(&last.path, &file, last.header.capacity)?;
        let furthest = Watermark::furthest(last.marks);
        let synced = furthest.map_or(0, |mark| (mark.sequence + 1).saturating_sub(last.header.first));
        let synced = u32::try_from(synced).map_or(last.used, |synced| synced.min(last.used));
        // After a failed sync the kernel may hold these as clean though the disk never saw them: written again, they
        // are dirty again.
        let unsynced = frame_offset(synced)..frame_offset(last.used);
        file.write_all_at(&last.bytes[unsynced.clone()], unsynced.start as u64).map_err(io("write"))?;
        let place = usize::from(furthest.is_some() && last.marks[0] == furthest);
        let (path, header) = (last.path.clone(), last.header);
        self.current = Some(Current { path, file, header, used: last.used, place });
        self.sync()
    }

    /// Writes `records`. They are safe from the death of the process on return, and from that of the machine after
    /// [`sync`](Self::sync).
    ///
    /// # Errors
    /// When they do not follow the records before them, or the operating system refuses; final.
    pub fn append(&mut self, records: &[Record]) -> Result<(), SetupError> {
        self.guarded(|writer| writer.append_all(records))
    }

    /// Makes everything written so far durable, and notes in the segment that it is.
    ///
    /// # Errors
    /// When the operating system refuses; final.
    pub fn sync(&mut self) -> Result<(), SetupError> {
        self.guarded(Self::sync_current)
    }

    /// Allocates the next segment, if it is not there yet, so that no record ever waits for that or finds the disk
    /// full.
    ///
    /// # Errors
    /// When the disk is full. Not final: the present segment can still be written, and the next call tries again. A
    /// directory that cannot be synced is final.
    pub fn prepare_spare(&mut self) -> Result<(), SetupError> {
        if self.spare.is_some() {
            return Ok(());
        }
        let path = segment_path(&self.dir, self.next_number());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|source| SetupError::io(&path, "create", source))?;
        if let Err(error) = allocate(&path, &file, self.options.segment_records) {
            // The next attempt makes it anew.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        if self.options.sync {
            self.guarded(|writer| sync_names(&writer.dir))?;
        }
        self.spare = Some(file);
        Ok(())
    }

    /// Records that surely find room: in the present segment, and in the next if it is allocated.
    #[must_use]
    pub fn room(&self) -> usize {
        let left = self.current.as_ref().map_or(0, |current| current.header.capacity - current.used);
        let spare = self.spare.as_ref().map_or(0, |_| self.options.segment_records);
        left as usize + spare as usize
    }

    /// Whether an error stopped it for good.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// The last record written; 0 for none.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.walk.sequence
    }

    /// The last record synced; 0 for none. Without `sync` in the options, the last one handed to the kernel.
    #[must_use]
    pub const fn durable(&self) -> u64 {
        self.durable
    }

    /// Epoch of the last record written; 0 for none.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.walk.epoch
    }

    /// Frames of a torn tail that were moved aside when it was opened.
    #[must_use]
    pub const fn quarantined(&self) -> usize {
        self.quarantined
    }

    /// Makes every later sync fail, as a broken disk does.
    #[cfg(test)]
    pub(super) fn break_sync(&mut self) {
        self.options.sync = true;
        let device = File::open("/dev/null").expect("a device that cannot be synced");
        self.current.as_mut().expect("a segment").file = device;
    }

    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<(), SetupError>) -> Result<(), SetupError> {
        if let Some(failure) = &self.failure {
            return Err(SetupError::file(
                &self.dir,
                format!("journal stopped by an earlier error: {failure}"),
            ));
        }
        let done = work(self);
        self.failure = done.as_ref().err().map(ToString::to_string);
        done
    }

    fn next_number(&self) -> u32 {
        self.current.as_ref().map_or(1, |current| current.header.number + 1)
    }

    fn append_all(&mut self, mut records: &[Record]) -> Result<(), SetupError> {
        self.check(records)?;
        while let Some(first) = records.first() {
            let room = self.current.as_ref().map_or(0, |current| current.header.capacity - current.used);
            if room == 0 {
                self.roll(first.epoch)?;
                continue;
            }
            let now = records.len().min(room as usize);
            let (batch, rest) = records.split_at(now);
            self.write(batch)?;
            records = rest;
        }
        Ok(())
    }

    /// The owner's own mistakes stop here, before they are on disk.
    fn check(&self, records: &[Record]) -> Result<(), SetupError> {
        let mut before = (self.walk.sequence, self.walk.epoch);
        for record in records {
            if record.sequence != before.0 + 1 || record.epoch < before.1 {
                let reason = format!(
                    "record {} of epoch {} cannot follow record {} of epoch {}",
                    record.sequence, record.epoch, before.0, before.1
                );
                return Err(SetupError::file(&self.dir, reason));
            }
            before = (record.sequence, record.epoch);
        }
        Ok(())
    }

    /// Writes records that fit the present segment.
    fn write(&mut self, records: &[Record]) -> Result<(), SetupError> {
        let Some(current) = &mut self.current else {
            return Err(SetupError::file(&self.dir, "no segment is open"));
        };
        let mut chain = self.walk.chain;
        self.buffer.clear();
        for record in records {
            let frame = Frame::seal(*record, chain);
            chain = frame.chain();
            self.buffer.extend_from_slice(frame.as_bytes());
        }
        let offset = frame_offset(current.used) as u64;
        let path = &current.path;
        current
            .file
            .write_all_at(&self.buffer, offset)
            .map_err(|source| SetupError::io(path, "write", source))?;
        if let Some(last) = records.last() {
            current.used += u32::try_from(records.len()).expect("at most the segment's room");
            self.walk = Walk { sequence: last.sequence, epoch: last.epoch, chain, ..self.walk };
        }
        Ok(())
    }

    fn sync_current(&mut self) -> Result<(), SetupError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if self.durable == self.walk.sequence {
            return Ok(());
        }
        let path = &current.path;
        let io = |action| move |source| SetupError::io(path, action, source);
        if self.options.sync {
            current.file.sync_data().map_err(io("sync"))?;
        }
        // Not synced itself: found again it is true, lost it was only late.
        let mark = Watermark::new(self.walk.sequence, self.walk.chain);
        let offset = WATERMARK_OFFSETS[current.place] as u64;
        current.file.write_all_at(mark.as_bytes(), offset).map_err(io("write"))?;
        current.place ^= 1;
        self.durable = self.walk.sequence;
        Ok(())
    }

    /// Goes on in the spare segment. A header stands only where everything before it is synced.
    fn roll(&mut self, epoch: u32) -> Result<(), SetupError> {
        self.sync_current()?;
        self.prepare_spare()?;
        let number = self.next_number();
        let path = segment_path(&self.dir, number);
        let Some(file) = self.spare.take() else {
            return Err(SetupError::file(path, "no spare segment"));
        };
        let (first, previous) = (self.walk.sequence + 1, self.walk.chain);
        let capacity = self.options.segment_records;
        let header = Header::new(&self.options.name, number, capacity, first, epoch, previous);
        let io = |action, source| SetupError::io(&path, action, source);
        file.write_all_at(header.as_bytes(), 0).map_err(|source| io("write", source))?;
        crash::point("journal.rolled");
        if self.options.sync {
            file.sync_data().map_err(|source| io("sync", source))?;
        }
        self.walk.chain = header.chain();
        self.current = Some(Current { path, file, header, used: 0, place: 0 });
        Ok(())
    }
}

/// Gives a segment its full size on disk: a full disk is an error now, not in the middle of a session.
fn allocate(path: &Path, file: &File, capacity: u32) -> Result<(), SetupError> {
    fallocate(file, FallocateFlags::empty(), 0, file_bytes(capacity) as u64)
        .map_err(|errno| SetupError::io(path, "allocate", errno.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::{options, record, records};
    use crate::journal::reader::verify;

    fn open(dir: &Path) -> Result<SegmentWriter, SetupError> {
        SegmentWriter::open(dir, &options(), |_| ())
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn synced_records_are_durable_and_the_next_segment_is_ready() {
        let folder = folder();
        let synced = SegmentOptions { sync: true, ..options() };
        let mut writer = SegmentWriter::open(folder.path(), &synced, |_| ()).expect("opened");
        writer.append(&records(1, 3, 1)).expect("written");
        assert_eq!((writer.written(), writer.durable(), writer.spare.is_some()), (3, 0, false));
        writer.sync().expect("synced");
        writer.prepare_spare().expect("allocated");
        assert_eq!((writer.durable(), writer.spare.is_some()), (3, true));
        writer.append(&records(4, 4, 1)).expect("written");
        writer.sync().expect("synced");
        let bytes = fs::read(segment_path(folder.path(), 1)).expect("read");
        let marks = Watermark::read(&bytes).map(|mark| mark.map(|mark| mark.sequence));
        assert_eq!(marks, [Some(3), Some(4)], "in turn: a torn one leaves the other");
        let spare = fs::metadata(segment_path(folder.path(), 2)).expect("there");
        assert_eq!(spare.len(), file_bytes(8) as u64);
    }

    #[test]
    fn a_new_life_does_not_write_over_the_furthest_watermark() {
        let folder = folder();
        let marks = || {
            let bytes = fs::read(segment_path(folder.path(), 1)).expect("read");
            Watermark::read(&bytes).map(|mark| mark.map(|mark| mark.sequence))
        };
        let mut writer = open(folder.path()).expect("opened");
        writer.append(&records(1, 3, 1)).expect("written");
        writer.sync().expect("synced");
        assert_eq!(marks(), [Some(3), None]);
        drop(writer);
        let mut writer = open(folder.path()).expect("opened");
        assert_eq!(marks(), [Some(3), Some(3)], "recovery syncs what it found");
        writer.append(&records(4, 4, 1)).expect("written");
        writer.sync().expect("synced");
        assert_eq!(marks(), [Some(4), Some(3)]);
    }

    #[test]
    fn a_header_stands_only_behind_what_is_synced() {
        let folder = folder();
        let mut writer = open(folder.path()).expect("opened");
        writer.append(&records(1, 8, 1)).expect("written");
        writer.break_sync();
        assert!(writer.append(&records(9, 9, 1)).is_err());
        assert_eq!(list(folder.path()).expect("listed").used.len(), 1);
    }

    #[test]
    fn one_writer_at_a_time_and_of_one_journal() {
        let folder = folder();
        let mut writer = open(folder.path()).expect("opened");
        assert!(open(folder.path()).is_err(), "locked");
        writer.append(&records(1, 1, 1)).expect("written");
        drop(writer);
        let other = SegmentOptions { name: "other".into(), ..options() };
        let error = SegmentWriter::open(folder.path(), &other, |_| ()).err().expect("refused").to_string();
        assert!(error.contains("holds the journal test, not other"), "{error}");
        for bad in [
            SegmentOptions { name: String::new(), ..options() },
            SegmentOptions { name: "n".repeat(49), ..options() },
            SegmentOptions { segment_records: 0, ..options() },
        ] {
            assert!(SegmentWriter::open(folder.path(), &bad, |_| ()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_does_not_follow_is_never_written() {
        for bad in [records(2, 2, 1), records(4, 4, 1), vec![record(3, 0)], vec![record(3, 1), record(5, 1)]]
        {
            let folder = folder();
            let mut writer = open(folder.path()).expect("opened");
            writer.append(&records(1, 2, 1)).expect("written");
            assert!(writer.append(&bad).is_err());
            assert_eq!(verify(folder.path()).expect("sound").records, 2);
        }
    }

    #[test]
    fn a_failed_sync_or_write_is_final() {
        // A device that cannot be synced, then a file that is open for reading only.
        let synced = SegmentOptions { sync: true, ..options() };
        for failing in ["/dev/null", "/proc/version"] {
            let folder = folder();
            let mut writer = SegmentWriter::open(folder.path(), &synced, |_| ()).expect("opened");
            writer.append(&records(1, 2, 1)).expect("written");
            writer.sync().expect("synced");
            writer.append(&records(3, 3, 1)).expect("written");
            let current = writer.current.as_mut().expect("a segment");
            let good = std::mem::replace(&mut current.file, File::open(failing).expect("opened"));
            let failed = match failing {
                "/dev/null" => writer.sync(),
                _ => writer.append(&records(4, 4, 1)),
            };
            assert!(failed.is_err(), "{failing}");
            // The fault is gone; the latch is not.
            writer.current.as_mut().expect("a segment").file = good;
            let error = writer.append(&records(4, 4, 1)).expect_err("latched").to_string();
            assert!(error.contains("stopped by an earlier error"), "{error}");
            assert!(writer.sync().is_err());
            assert_eq!(writer.durable(), 2);
        }
    }

    #[test]
    fn a_spare_that_cannot_be_made_leaves_the_present_segment_usable() {
        let folder = folder();
        let mut writer = open(folder.path()).expect("opened");
        writer.append(&records(1, 2, 1)).expect("written");
        let obstacle = segment_path(folder.path(), 2);
        fs::create_dir(&obstacle).expect("made");
        assert!(writer.prepare_spare().is_err());
        writer.append(&records(3, 8, 1)).expect("written");
        fs::remove_dir(&obstacle).expect("removed");
        writer.prepare_spare().expect("allocated");
        writer.append(&records(9, 30, 1)).expect("written");
        assert_eq!(verify(folder.path()).expect("sound").records, 30);
    }
}
