//! Replays of recorded (or generated) tapes: exact books, equal hashes, and damage that never goes unnoticed.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use engine::venue::replay::damage::{Damage, damage_file};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use support::{generated_of, json, recorded, success, tape, tapes, trading};

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(path).expect("a file")).read_to_string(&mut text).expect("text");
    text
}

/// The interval at which the oracle took checkpoints. A book's counts are 0, every multiple of it, and the last: so it
/// is the first count of a book that has more than a first and a last, and beyond every count where there is none.
fn interval(expected: &str) -> u64 {
    let mut counts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in expected.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let count = line["n"].as_u64().expect("a count");
        counts.entry(line["s"].to_string()).or_default().extend(Some(count).filter(|&count| count > 0));
    }
    let first = counts.values().filter(|counts| counts.len() > 1).map(|counts| counts[0]).min();
    first.unwrap_or_else(|| counts.values().flatten().max().expect("a checkpoint") + 1)
}

#[test]
fn every_checkpoint_of_every_tape_equals_the_oracles() {
    let home = tempfile::tempdir().expect("a folder");
    let Some(data) = recorded() else { return };
    for tape in tapes(home.path()) {
        let name = tape.file_name().expect("a name").to_string_lossy().replace(".tsv.gz", "");
        let expected = unpacked(&data.join(format!("expected/{name}.jsonl.gz")));
        let every = interval(&expected).to_string();
        let out = home.path().join("checkpoints.jsonl.gz");
        let arguments = [
            "replay",
            tape.to_str().expect("a path"),
            "--checkpoints",
            out.to_str().expect("a path"),
            "--every",
            &every,
        ];
        let summary = json(home.path(), &arguments);
        assert_eq!(summary["books_untrusted"], serde_json::json!([]), "{name}");
        assert_eq!(
            (&summary["ingest"]["gaps"], &summary["ingest"]["malformed"]),
            (&0.into(), &0.into()),
            "{name}"
        );
        let found = unpacked(&out);
        for (line, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{name}, checkpoint {line}");
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "{name}");
    }
}

#[test]
fn equal_replays_come_to_equal_hashes_whatever_the_size_of_the_rings() {
    let home = tempfile::tempdir().expect("a folder");
    for tape in tapes(home.path()) {
        let tape = tape.to_str().expect("a path");
        let hash = |extra: &[&str]| {
            let summary = json(home.path(), &[&["replay", tape], extra].concat());
            summary["state_hash"].as_str().expect("a hash").to_owned()
        };
        let first = hash(&[]);
        assert_eq!(first, hash(&[]), "{tape}");
        assert_eq!(first, hash(&["--ring-capacity", "1024"]), "{tape}");
    }
}

#[test]
fn a_different_decision_makes_a_different_hash() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = tape(home.path(), "spot_btcusdt_20240808_0809");
    let tape = tape.to_str().expect("a path");
    let first = json(home.path(), &["replay", tape]);
    let other = json(home.path(), &["replay", tape, "--param", "order_size=200"]);
    assert!(first["orders"].as_u64() > Some(0), "the market maker must quote: {first}");
    assert_ne!(first["state_hash"], other["state_hash"]);
}

/// Ends of a damaged replay: gaps, malformed frames, books that are not trusted.
fn damaged(home: &Path, tape: &Path, damages: &[&str]) -> (u64, u64, usize) {
    let out = home.join("damaged.tsv.gz");
    let _ = fs::remove_file(&out);
    let damages: Vec<Damage> = damages.iter().map(|text| text.parse().expect("a damage")).collect();
    damage_file(tape, &out, &damages).expect("a damaged copy");
    let summary = json(home, &["replay", out.to_str().expect("a path"), "--strategy", "none"]);
    let count = |name: &str| summary["ingest"][name].as_u64().expect("a count");
    (count("gaps"), count("malformed"), summary["books_untrusted"].as_array().expect("books").len())
}

#[test]
fn damage_is_detected_counted_and_never_silently_wrong() {
    let home = tempfile::tempdir().expect("a folder");
    let tapes = match recorded() {
        Some(_) => vec![
            ("spot", tape(home.path(), "spot_btcusdt_20240808_0809")),
            ("usdm", tape(home.path(), "usdm_btcusdt_20240808")),
        ],
        None => vec![("generated", generated_of(home.path(), &["BTCUSDT"], 60))],
    };
    for (name, tape) in tapes {
        // Each capture has one symbol and one snapshot, so what loses trust stays untrusted to the end.
        let run = |damages: &[&str]| damaged(home.path(), &tape, damages);
        assert_eq!(run(&["drop:200:5"]), (1, 0, 1), "{name}: dropped frames");
        assert_eq!(run(&["dup:200"]), (0, 0, 0), "{name}: a repeated frame changes nothing");
        assert_eq!(run(&["swap:200"]).2, 1, "{name}: swapped frames are a gap");
        assert_eq!(run(&["cut:200"]).1, 1, "{name}: a cut frame is malformed");
        assert_eq!(run(&["cut:200"]).2, 1, "{name}: and its book is not trusted");
        assert_eq!(run(&["late:300"]), (0, 0, 0), "{name}: a late snapshot finds its diffs waiting");
    }
}

#[test]
fn a_report_holds_journals_that_verify_and_dump() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = tape(home.path(), "spot_btcusdt_20240808_0809");
    let report = home.path().join("report");
    let report = report.to_str().expect("a path");
    let summary = json(home.path(), &["replay", tape.to_str().expect("a path"), "--report", report]);
    let verified = json(home.path(), &["journal", "verify", report]);
    assert_eq!(verified.as_array().expect("journals").len(), 2);
    let dump = success(&trading(home.path(), &["journal", "dump", report, "--json"]));
    let fills = dump.lines().filter(|line| line.contains("\"FILL\"")).count() as u64;
    assert_eq!(Some(fills), summary["fills"].as_u64());
    // A report is never written over.
    let again = trading(home.path(), &["replay", tape.to_str().expect("a path"), "--report", report]);
    assert_eq!(again.status.code(), Some(1));
}

/// The lines of `tape` up to `seconds` after its first, as a plain tape.
fn beginning(home: &Path, tape: &Path, seconds: i64) -> PathBuf {
    let out = home.join("beginning.tsv");
    let mut text = String::new();
    let mut end = None;
    for line in unpacked(tape).lines() {
        let received: i64 = line.split('\t').next().and_then(|time| time.parse().ok()).expect("a time");
        if received > *end.get_or_insert(received + seconds * 1_000_000_000) {
            break;
        }
        text.push_str(line);
        text.push('\n');
    }
    fs::write(&out, text).expect("written");
    out
}

#[test]
fn memory_after_a_day_is_what_it_was_after_an_hour() {
    let home = tempfile::tempdir().expect("a folder");
    let whole = match recorded() {
        Some(_) => tape(home.path(), "spot_nexousdt_a_20240723_0724"),
        None => generated_of(home.path(), &["BTCUSDT"], 1_200),
    };
    let hour = beginning(home.path(), &whole, if recorded().is_some() { 3_600 } else { 50 });
    let peak = |tape: &Path| {
        let summary = json(home.path(), &["replay", tape.to_str().expect("a path")]);
        summary["memory_peak_kib"].as_u64().expect("a kernel that tells")
    };
    let (hour, day) = (peak(&hour), peak(&whole));
    assert!(day * 10 <= hour * 11, "{hour} KiB after an hour, {day} KiB after a day");
}
