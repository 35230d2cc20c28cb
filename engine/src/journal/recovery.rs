//! Tests of what a crash or rotten bytes leave behind (reliability.md §3: R1, R2, R9, R10).

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use proptest::prelude::*;

use crate::error::SetupError;
use crate::journal::directory::segment_path;
use crate::journal::fixture::{options, records};
use crate::journal::reader::{JournalReader, verify};
use crate::journal::record::Record;
use crate::journal::segment::{Checks, HEADER_PAGE, file_bytes, frame_offset};
use crate::journal::writer::SegmentWriter;

/// What was written: a sealed segment of 8, then 9 to 14 of which 12 to 14 were never synced.
const SYNCED: u64 = 11;
const WRITTEN: u64 = 14;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn open(dir: &Path) -> Result<(SegmentWriter, Vec<Record>), SetupError> {
    let mut found = Vec::new();
    let writer = SegmentWriter::open(dir, &options(), |record| found.push(*record))?;
    Ok((writer, found))
}

fn example(dir: &Path) {
    let (mut writer, _) = open(dir).expect("opened");
    writer.append(&records(1, SYNCED, 1)).expect("written");
    writer.sync().expect("synced");
    writer.append(&records(SYNCED + 1, WRITTEN, 1)).expect("written");
    writer.prepare_spare().expect("allocated");
}

/// What flipping a byte of the example must lead to.
#[derive(Debug, PartialEq)]
enum Expected {
    Refused,
    /// Records up to this one, and something torn behind them.
    Torn(u64),
    /// All records: the byte was one of two watermarks.
    Whole,
}

fn expected(segment: u32, at: usize) -> Expected {
    let is_watermark = (512..528).contains(&at) || (1024..1040).contains(&at);
    match segment {
        1 | 2 if is_watermark => Expected::Whole,
        2 if at >= frame_offset(3) => Expected::Torn(WRITTEN.min(8 + ((at - HEADER_PAGE) / 128) as u64)),
        _ => Expected::Refused,
    }
}

#[test]
fn no_flipped_byte_is_ever_accepted_as_another_record() {
    let folder = folder();
    example(folder.path());
    let all = records(1, WRITTEN, 1);
    for segment in 1..=3 {
        let path = segment_path(folder.path(), segment);
        let good = fs::read(&path).expect("read");
        let file = File::options().write(true).open(&path).expect("opened");
        for at in 0..good.len() {
            file.write_all_at(&[good[at] ^ 1 << (at % 8)], at as u64).expect("written");
            let found = JournalReader::open(folder.path())
                .and_then(|mut reader| Ok((reader.by_ref().collect::<Result<Vec<_>, _>>()?, reader)));
            let outcome = match found {
                Err(_) => Expected::Refused,
                Ok((found, reader)) => {
                    assert_eq!(found, all[..found.len()], "byte {at} of segment {segment}");
                    match reader.torn() {
                        Some(_) => Expected::Torn(found.len() as u64),
                        None => Expected::Whole,
                    }
                }
            };
            assert_eq!(outcome, expected(segment, at), "byte {at} of segment {segment}");
            file.write_all_at(&good[at..=at], at as u64).expect("written");
        }
    }
}

#[test]
fn without_check_words_rotten_bytes_would_be_accepted() {
    let folder = folder();
    example(folder.path());
    let path = segment_path(folder.path(), 1);
    let mut bytes = fs::read(&path).expect("read");
    bytes[frame_offset(2) + 60] ^= 1;
    fs::write(&path, &bytes).expect("written");
    assert!(verify(folder.path()).is_err());
    let blind =
        JournalReader::open(folder.path()).expect("opened").with_checks(Checks { chain: false, epoch: true });
    // The chain goes on from the words as they stand, so headers still fit.
    let found: Vec<_> = blind.collect::<Result<_, _>>().expect("accepted");
    assert_eq!(found.len(), WRITTEN as usize);
    assert_ne!(found[2], records(3, 3, 1)[0], "another record than was written");
}

/// Opens a damaged journal as a restarted owner does, and checks everything that recovery promises: a prefix of
/// what was written (R1) with all that was synced (R2), the same when done again (R9), and a next life that goes on
/// without a trace of what was cut (R10). Returns how many records there were.
fn recover(dir: &Path, written: &[Record], synced: u64) -> u64 {
    let (writer, found) = open(dir).expect("recovered");
    assert_eq!(found, written[..found.len()], "a prefix");
    let last = found.len() as u64;
    assert!(last >= synced, "{last} of {synced} synced records");
    assert_eq!((writer.written(), writer.durable()), (last, last));
    drop(writer);
    let (mut writer, again) = open(dir).expect("recovered again");
    assert_eq!((again, writer.quarantined()), (found.clone(), 0));
    let next = records(last + 1, last + 20, 2);
    writer.append(&next[..1]).expect("written");
    drop(writer);
    let (mut writer, once) = open(dir).expect("recovered a third time");
    assert_eq!(once.len() as u64, last + 1, "nothing of the first life stands behind the second");
    writer.append(&next[1..]).expect("written");
    drop(writer);
    let (_, both) = open(dir).expect("sound");
    assert_eq!(both, [found, next].concat());
    last
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A process killed anywhere in a write leaves the bytes before that point.
    #[test]
    fn killed_in_the_middle_of_a_write(first in 1_u64..8, count in 1_u64..8, cut in 0_usize..1024) {
        let folder = folder();
        let last = (first + count).min(8);
        let (mut writer, _) = open(folder.path()).expect("opened");
        writer.append(&records(1, first, 1)).expect("written");
        writer.sync().expect("synced");
        let path = segment_path(folder.path(), 1);
        let before = fs::read(&path).expect("read");
        writer.append(&records(first + 1, last, 1)).expect("written");
        drop(writer);
        let mut bytes = fs::read(&path).expect("read");
        let end = (frame_offset(0) + first as usize * 128 + cut).min(bytes.len());
        bytes[end..].copy_from_slice(&before[end..]);
        fs::write(&path, &bytes).expect("written");
        let found = recover(folder.path(), &records(1, last, 1), first);
        prop_assert_eq!(found, last.min(first + cut as u64 / 128));
    }

    /// After a power loss each sector holds either what was synced or what was written since.
    #[test]
    fn power_lost_with_any_sectors_on_the_disk(
        synced in 1_u64..60, unsynced in 0_u64..40, kept in prop::collection::vec(any::<bool>(), 64)
    ) {
        let folder = folder();
        let big = crate::journal::writer::SegmentOptions { segment_records: 128, ..options() };
        let mut writer = SegmentWriter::open(folder.path(), &big, |_| ()).expect("opened");
        writer.append(&records(1, synced, 1)).expect("written");
        // The watermark itself is not synced: the disk may have the one of the sync before.
        let path = segment_path(folder.path(), 1);
        let old = fs::read(&path).expect("read");
        writer.sync().expect("synced");
        let written = synced + unsynced;
        writer.append(&records(synced + 1, written, 1)).expect("written");
        drop(writer);
        let mut image = fs::read(&path).expect("read");
        for (sector, kept) in (0..image.len() / 512).zip(kept) {
            let bytes = sector * 512..(sector + 1) * 512;
            if !kept {
                image[bytes.clone()].copy_from_slice(&old[bytes]);
            }
        }
        fs::write(&path, &image).expect("written");
        recover(folder.path(), &records(1, written, 1), synced);
    }

    /// Any damage above the watermark is cut; its bytes are kept.
    #[test]
    fn damage_above_the_watermark_is_set_aside(at in frame_offset(3)..file_bytes(8), mask in 1_u8..) {
        let folder = folder();
        example(folder.path());
        let path = segment_path(folder.path(), 2);
        let mut bytes = fs::read(&path).expect("read");
        bytes[at] ^= mask;
        fs::write(&path, &bytes).expect("written");
        let torn = verify(folder.path()).expect("readable").torn.expect("torn");
        let last = recover(folder.path(), &records(1, WRITTEN, 1), SYNCED);
        prop_assert_eq!(last, WRITTEN.min(8 + ((at - HEADER_PAGE) / 128) as u64));
        let aside = fs::read(folder.path().join("00000002.torn-1")).expect("kept");
        prop_assert_eq!(aside.as_slice(), &bytes[torn.offset..torn.offset + torn.bytes]);
    }
}

#[test]
fn every_state_of_the_spare_segment_is_recovered() {
    for state in ["missing", "empty", "short", "allocated"] {
        let folder = folder();
        let (mut writer, _) = open(folder.path()).expect("opened");
        writer.append(&records(1, 8, 1)).expect("written");
        drop(writer);
        let spare = segment_path(folder.path(), 2);
        match state {
            "missing" => assert!(!spare.exists()),
            "empty" => fs::write(&spare, "").expect("written"),
            "short" => fs::write(&spare, [0; 700]).expect("written"),
            _ => fs::write(&spare, vec![0; file_bytes(8)]).expect("written"),
        }
        assert_eq!(recover(folder.path(), &records(1, 8, 1), 0), 8, "{state}");
    }
}

#[test]
fn a_header_without_records_is_recovered() {
    let folder = folder();
    let (mut writer, _) = open(folder.path()).expect("opened");
    writer.append(&records(1, 9, 1)).expect("written");
    drop(writer);
    let path = segment_path(folder.path(), 2);
    let mut bytes = fs::read(&path).expect("read");
    bytes[frame_offset(0)..].fill(0);
    fs::write(&path, &bytes).expect("written");
    assert_eq!(recover(folder.path(), &records(1, 9, 1), 8), 8);
}
