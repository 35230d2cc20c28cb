//! Bad input gets one clear line that names it, the right exit code, and leaves nothing half-written.

mod support;

use std::fs;
use std::path::Path;

use support::{generated, trading};

/// The one line on standard error, and the exit code.
fn refusal(home: &Path, arguments: &[&str]) -> (i32, String) {
    let output = trading(home, arguments);
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(output.stdout.is_empty(), "{arguments:?} printed before it refused");
    (output.status.code().expect("an exit code"), error.trim_end().to_owned())
}

#[test]
fn files_that_are_no_tapes_are_named_with_their_line() {
    let home = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = home.path().join(name);
        fs::write(&path, content).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    let whole = fs::read(generated(home.path(), 5)).expect("a tape");
    let cases = [
        (home.path().join("absent").to_str().expect("a path").to_owned(), "absent"),
        (file("empty", b""), "empty"),
        (file("binary", &[0, 159, 146, 150, 0, 1, 2]), "binary"),
        (file("words", b"this is no tape\nat all\n"), "line 1"),
        (file("time", b"12x\tws\t{}\n"), "line 1"),
        (file("cut.gz", &whole[..whole.len() / 2]), "cut.gz"),
    ];
    for (path, named) in &cases {
        let (code, error) = refusal(home.path(), &["replay", path]);
        assert_eq!(code, 1, "{path}: {error}");
        assert!(error.contains(named) && error.lines().count() == 1, "{path}: {error}");
    }
}

#[test]
fn unknown_names_and_bad_values_are_named() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = generated(home.path(), 5);
    let tape = tape.to_str().expect("a path");
    let cases: [(&[&str], i32, &str); 14] = [
        (&["replay", tape, "--symbols", "NOPEUSDT"], 1, "NOPEUSDT"),
        (&["replay", tape, "--strategy", "astrology"], 1, "astrology"),
        (&["replay", tape, "--param", "gamma=-1"], 1, "gamma"),
        (&["replay", tape, "--param", "gama=1"], 1, "gama"),
        (&["replay", tape, "--queue", "fifo"], 1, "fifo"),
        (&["replay", tape, "--ring-capacity", "1000"], 1, "1000"),
        (&["replay", tape, "--max-daily-loss", "1e3"], 2, "1e3"),
        (&["replay", tape, "--order-latency", "soon"], 2, "soon"),
        (&["replay", tape, "--checkpoints", "out"], 2, "--every"),
        (&["replay"], 2, "FILE"),
        (&["run", "--market-data-format", "sbe"], 1, "TRADING_MARKET_DATA_FORMAT=sbe"),
        (&["run", "--trade-stream", "aggTrade"], 1, "TRADING_TRADE_STREAM=aggTrade"),
        (&["run", "--klines", "1m,5m"], 1, "TRADING_KLINES"),
        (&["run", "--klines", "2m"], 2, "\"2m\" is no interval"),
    ];
    for (arguments, code, named) in cases {
        let (found, error) = refusal(home.path(), arguments);
        assert_eq!(found, code, "{arguments:?}: {error}");
        assert!(error.contains(named), "{arguments:?}: {error}");
    }
}

#[test]
fn a_refused_replay_leaves_nothing_behind() {
    let home = tempfile::tempdir().expect("a folder");
    let whole = fs::read(generated(home.path(), 5)).expect("a tape");
    let cut = home.path().join("cut.gz");
    fs::write(&cut, &whole[..whole.len() - 20]).expect("written");
    let out = home.path().join("checkpoints.jsonl");
    let arguments = [
        "replay",
        cut.to_str().expect("a path"),
        "--checkpoints",
        out.to_str().expect("a path"),
        "--every",
        "10",
    ];
    assert_eq!(refusal(home.path(), &arguments).0, 1);
    assert!(!out.exists());
}

#[test]
fn looking_at_nothing_says_how_to_start_something() {
    let home = tempfile::tempdir().expect("a folder");
    for command in [&["latency"][..], &["counters"], &["book", "BTCUSDT"]] {
        let (code, error) = refusal(home.path(), command);
        assert_eq!(code, 1);
        assert!(error.contains("trading run"), "{error}");
    }
    let (code, error) = refusal(home.path(), &["journal", "verify"]);
    assert_eq!(code, 1);
    assert!(error.contains("no session"), "{error}");
}
