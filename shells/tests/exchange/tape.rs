//! The market of a tape: its books are those that a plain reading of the tape leads to, at any pace.
//!
//! The recorded tape is reached through `TRADING_TEST_DATA`; a generated one is always played.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::domain::Nanos;
use engine::venue::generated::GeneratedMarket;
use engine::venue::replay::{TapeReader, TapeSource, TapeWriter};
use serde_json::Value;

use crate::support::{Exchange, deadline, now};

/// Looks at a book, spread over the part of a tape that is played.
const LOOKS: usize = 12;

/// One side: quantity by price, both as the venue writes them.
type Levels = BTreeMap<String, String>;

/// A book at a moment of the tape.
struct Moment {
    at: Nanos,
    bids: Levels,
    asks: Levels,
}

/// A number without the zeros at its end: `exchangeInfo` decides how many are written.
fn plain(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

fn apply(side: &mut Levels, levels: &Value) {
    for level in levels.as_array().expect("levels") {
        let [price, quantity] = [0, 1].map(|place| plain(level[place].as_str().expect("a text")));
        if quantity == "0" {
            side.remove(&price);
        } else {
            side.insert(price, quantity);
        }
    }
}

/// The tape's first time, and the book of `symbol` after every diff up to `count` of them.
fn read(tape: &Path, symbol: &str, count: usize) -> (Nanos, Vec<Moment>) {
    let mut reader = TapeReader::open(tape).expect("a tape");
    let (mut first, mut moments, mut last) = (None, Vec::<Moment>::new(), None);
    let (mut bids, mut asks) = (Levels::new(), Levels::new());
    while let Some(line) = reader.next().expect("a line") {
        let at = line.received;
        first.get_or_insert(at);
        if moments.len() >= count && moments.last().is_some_and(|moment| moment.at < at) {
            break;
        }
        let whole: Value = serde_json::from_slice(line.payload).expect("JSON");
        let body = if whole["data"].is_object() { &whole["data"] } else { &whole };
        match line.source {
            TapeSource::Rest(url) if url.contains("depth") && url.contains(symbol) => {
                let id = body["lastUpdateId"].as_u64().expect("an id");
                if last.is_none_or(|last| last < id) {
                    (bids, asks) = (Levels::new(), Levels::new());
                    apply(&mut bids, &body["bids"]);
                    apply(&mut asks, &body["asks"]);
                    last = Some(id);
                }
            }
            TapeSource::Stream if body["e"] == "depthUpdate" && body["s"] == symbol => {
                let id = body["u"].as_u64().expect("an id");
                if last.is_some_and(|last| id > last) {
                    apply(&mut bids, &body["b"]);
                    apply(&mut asks, &body["a"]);
                    last = Some(id);
                    // What comes at one time is played at one time.
                    moments.pop_if(|moment| moment.at == at);
                    moments.push(Moment { at, bids: bids.clone(), asks: asks.clone() });
                }
            }
            _ => {}
        }
    }
    (first.expect("a line"), moments)
}

fn book(exchange: &Exchange, symbol: &str) -> (Levels, Levels) {
    let (status, _, depth) =
        exchange.http("GET", &format!("/api/v3/depth?symbol={symbol}&limit=5000"), "", "");
    assert_eq!(status, 200, "{depth}");
    let (mut bids, mut asks) = (Levels::new(), Levels::new());
    apply(&mut bids, &depth["bids"]);
    apply(&mut asks, &depth["asks"]);
    (bids, asks)
}

/// A tape of `seconds` of a generated market, without the diff that comes at `lost`.
fn generated(folder: &Path, seconds: i64, lost: Option<Nanos>) -> PathBuf {
    let path = folder.join(format!("generated-{}.tsv.gz", lost.is_some()));
    let start = Nanos::from_secs(1_700_000_000);
    let mut market = GeneratedMarket::new(&["BTCUSDT"], 7, start, 100).expect("a market").prompt();
    let mut tape = TapeWriter::create(&path).expect("a tape");
    let info = market.exchange_info();
    tape.write(start, TapeSource::Rest("http://generated/api/v3/exchangeInfo"), &info).expect("written");
    market.request_snapshot(0, start);
    while market.next_time() < start + Nanos::from_secs(seconds) {
        market.next_frame(&mut |received, source, payload| {
            let is_diff = payload.windows(11).any(|part| part == b"depthUpdate");
            if !is_diff || lost != Some(received) {
                tape.write(received, (*source).into(), payload).expect("written");
            }
        });
    }
    tape.finish().expect("closed");
    path
}

/// Steps through a tape up to each of some moments; the first at which the book is another.
fn first_difference(tape: &Path, mut at: Nanos, moments: &[Moment]) -> Option<Nanos> {
    let path = tape.to_str().expect("text");
    let exchange = Exchange::start(&["--speed", "step", "--limits", "10", "--tape", path]);
    let every = (moments.len() / LOOKS).max(1);
    moments.iter().step_by(every).find_map(|moment| {
        let span = (moment.at - at).0;
        at = moment.at;
        assert_eq!(exchange.operator("POST", &format!("/admin/step?by={span}ns")).0, 200);
        let (bids, asks) = book(&exchange, "BTCUSDT");
        assert!(bids.len() > 10 && asks.len() > 10, "{} and {} levels", bids.len(), asks.len());
        (bids != moment.bids || asks != moment.asks).then_some(at)
    })
}

/// Plays the first `count` diffs of a tape and compares the book at some of them.
fn step_through(tape: &Path, count: usize) {
    let (start, moments) = read(tape, "BTCUSDT", count);
    let moved = moments.iter().filter(|moment| moment.bids != moments[0].bids).count();
    assert!(moved > moments.len() / 2 && moved > LOOKS, "a book that stands still proves nothing");
    assert_eq!(first_difference(tape, start, &moments), None);
}

#[test]
fn a_stepped_tape_has_the_books_of_the_tape() {
    let folder = tempfile::tempdir().expect("a folder");
    step_through(&generated(folder.path(), 20, None), 400);
    match std::env::var_os("TRADING_TEST_DATA").map(PathBuf::from) {
        Some(data) => step_through(&data.join("tape/spot_btcusdt_20240808_0809.tsv.gz"), 400),
        None => println!("TRADING_TEST_DATA is not set: no recorded tape was played"),
    }
}

/// An exchange that loses one diff of its tape: the comparison must see it.
#[test]
fn a_lost_diff_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let (start, moments) = read(&generated(folder.path(), 5, None), "BTCUSDT", 12);
    let broken = generated(folder.path(), 5, Some(moments[6].at));
    assert_eq!(first_difference(&broken, start, &moments[..12]), Some(moments[6].at));
}

#[test]
fn a_tape_in_real_time_or_faster_ends_in_its_last_book() {
    for (seconds, speed) in [(2, "1"), (60, "50")] {
        let folder = tempfile::tempdir().expect("a folder");
        let tape = generated(folder.path(), seconds, None);
        let (_, moments) = read(&tape, "BTCUSDT", usize::MAX);
        let end = moments.last().expect("a diff");
        let path = tape.to_str().expect("text");
        let exchange = Exchange::start(&["--speed", speed, "--limits", "1000", "--tape", path]);
        let until = deadline();
        loop {
            let ready = exchange.operator("GET", "/ready").0 == 200;
            if ready && book(&exchange, "BTCUSDT") == (end.bids.clone(), end.asks.clone()) {
                break;
            }
            assert!(now() < until, "speed {speed}: the last book never came");
            std::thread::yield_now();
        }
    }
}
