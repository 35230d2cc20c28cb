//! `trading record` at a `simulated_exchange`: what it writes replays to the books that the exchange has.

mod stack;
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use engine::venue::replay::TapeReader;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stack::exchange::Exchange;
use stack::{Home, until};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

/// A recording under way; killed when the test ends, however it ends.
struct Recording(Child);

impl Drop for Recording {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The number behind `name` in a line of the recording.
fn figure(line: &str, name: &str) -> Option<u64> {
    let mut words = line.split_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

/// The last checkpoint of `symbol`: the replay's book at its end.
fn last(checkpoints: &str, symbol: &str) -> Value {
    let lines = checkpoints.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.rev().find(|line| line["s"] == symbol).expect("a checkpoint")
}

/// The whole book as checkpoints hash it.
fn hash(depth: &Value) -> String {
    let plain = |text: &Value| {
        let text = text.as_str().expect("a decimal");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }.to_owned()
    };
    let side = |name: &str, letter: char| {
        let levels = depth[name].as_array().expect("levels");
        levels.iter().map(|level| format!("{letter} {} {}\n", plain(&level[0]), plain(&level[1]))).collect()
    };
    let text: String = [side("bids", 'b'), side("asks", 'a')].iter().map(String::as_str).collect();
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How often each source stands on a tape.
fn sources(tape: &Path) -> BTreeMap<String, usize> {
    let mut reader = TapeReader::open(tape).expect("a tape");
    let mut counts = BTreeMap::new();
    while let Some(line) = reader.next().expect("whole") {
        let word = format!("{:?}", line.source);
        *counts.entry(word.split('(').next().expect("a word").to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn a_recording_replays_to_the_exchanges_books() {
    let sources = recorded("json");
    assert_eq!(sources.keys().collect::<Vec<_>>(), ["Rest", "Stream"]);
}

#[test]
fn so_does_one_in_sbe() {
    let sources = recorded("sbe");
    assert!(sources["Sbe"] > 100 && sources["Rest"] >= 3, "{sources:?}");
}

/// Records market data in `format`, and holds that the tape replays to the exchange's books; what is on the tape.
fn recorded(format: &str) -> BTreeMap<String, usize> {
    let home = Home::new();
    let exchange = Exchange::start(&home, &["--speed", "step", "--rate", "50"]);
    let out = home.path().join("tapes");
    let out_text = out.to_string_lossy().into_owned();
    let child = Command::new(env!("CARGO_BIN_EXE_trading"))
        .args(["record", "--out", &out_text])
        .args(["--market-data-format", format])
        .args(exchange.flags(false))
        .env_clear()
        .env("HOME", home.path())
        .env("TRADING_DATA_DIR", home.path().join("data"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut recording = Recording(child);
    let mut lines = BufReader::new(recording.0.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().expect("it goes on").expect("text");
    while figure(&line(), "snapshots").is_none_or(|count| count < 2) {
        exchange.admin("POST", "/admin/step?by=200ms");
    }
    for _ in 0..6 {
        exchange.admin("POST", "/admin/step?by=1s");
        line();
    }
    // The market rests: once the count of diffs does too, they are all on the tape.
    let mut counts = (0, 1, 2);
    while counts.0 != counts.1 || counts.1 != counts.2 {
        counts = (counts.1, counts.2, figure(&line(), "diffs").expect("a count"));
    }
    let id = i32::try_from(recording.0.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(id, Signal::TERM).expect("it lives");
    let status = until("it ends", || recording.0.try_wait().expect("waited"));
    assert!(status.success());

    let tape = std::fs::read_dir(&out).expect("tapes").next().expect("one").expect("an entry").path();
    let checkpoints = home.path().join("checkpoints");
    let replayed = support::trading(
        home.path(),
        &[
            "replay",
            "--json",
            &tape.to_string_lossy(),
            "--strategy",
            "none",
            "--every",
            "1000000",
            "--checkpoints",
            &checkpoints.to_string_lossy(),
        ],
    );
    support::success(&replayed);
    let summary: Value = serde_json::from_slice(&replayed.stdout).expect("JSON");
    let sources = sources(&tape);
    // All lines but the rules are frames, whatever they hold.
    assert_eq!(summary["ingest"]["frames"], sources.values().sum::<usize>() - 1, "{sources:?}");
    assert_eq!(summary["ingest"]["malformed"], 0);
    let checkpoints = std::fs::read_to_string(checkpoints).expect("checkpoints");
    for symbol in SYMBOLS {
        let depth = exchange.signed("/api/v3/depth", &format!("symbol={symbol}&limit=5000"));
        let found = last(&checkpoints, symbol);
        assert!(found["n"].as_u64().expect("a count") >= 3, "{found}");
        assert_eq!(found["u"], depth["lastUpdateId"], "{symbol}");
        assert_eq!(found["h"].as_str(), Some(hash(&depth).as_str()), "{symbol}: {found}");
    }
    sources
}
