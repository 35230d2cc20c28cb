//! Books from recorded tapes equal those of an independent oracle at each of its checkpoints.
//!
//! The tapes are reached through `TRADING_TEST_DATA`; without it generated tapes stand in for them.

mod market;

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Cursor};
use std::path::Path;

use engine::book::{
    Book, BookCounts, DiffIds, DiffOutcome, Level, SnapshotOutcome, SyncRule, write_checkpoint,
};
use engine::domain::{Filters, Instrument, InstrumentKind, Market as Venue, Price, Scale, Symbol};
use market::{Levels, Market, list};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A depth diff on the wire.
#[derive(Deserialize)]
struct Depth<'a> {
    s: &'a str,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    pu: Option<u64>,
    #[serde(borrow)]
    b: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    a: Vec<(&'a str, &'a str)>,
}

/// A combined stream's frame.
#[derive(Deserialize)]
struct Combined<'a> {
    #[serde(borrow)]
    data: Depth<'a>,
}

/// A snapshot on the wire.
#[derive(Deserialize)]
struct Snapshot<'a> {
    #[serde(rename = "lastUpdateId")]
    last_update_id: u64,
    #[serde(borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

/// A scale that covers every price and quantity of the tapes.
fn instrument(symbol: &str) -> Instrument {
    let scale = Scale::new(8).expect("valid");
    Instrument {
        symbol: Symbol::new(symbol).expect("it fits"),
        market: Venue::Spot,
        kind: InstrumentKind::Spot,
        base: "".into(),
        quote: "".into(),
        price_scale: scale,
        quantity_scale: scale,
        multiplier: 1,
        filters: Filters::default(),
        untradable: None,
    }
}

/// A symbol's book and the checkpoints that the oracle has of it.
struct Followed {
    instrument: Instrument,
    book: Book,
    expected: VecDeque<String>,
    compared: usize,
}

impl Followed {
    fn levels(&self, text: &[(&str, &str)]) -> Vec<Level> {
        let read = |&(price, quantity): &(&str, &str)| Level {
            price: self.instrument.price(price).expect("within the scale"),
            quantity: self.instrument.quantity(quantity).expect("within the scale"),
        };
        text.iter().map(read).collect()
    }

    /// Compares the book with the next checkpoint if it has reached it.
    fn compare(expected: &mut VecDeque<String>, instrument: &Instrument, book: &Book) -> usize {
        let reached = format!("{{\"s\":\"{}\",\"n\":{},", instrument.symbol, book.applied());
        let Some(line) = expected.pop_front_if(|line| line.starts_with(&reached)) else { return 0 };
        let mut own = Vec::new();
        write_checkpoint(&mut own, instrument, book).expect("a vector takes all");
        assert_eq!(String::from_utf8(own).expect("ASCII").trim_end(), line);
        1
    }

    fn snapshot(&mut self, payload: &str) {
        let snapshot: Snapshot<'_> = serde_json::from_str(payload).expect("a snapshot");
        let (bids, asks) = (self.levels(&snapshot.bids), self.levels(&snapshot.asks));
        let Self { instrument, book, expected, compared } = self;
        let outcome = book.on_snapshot_with(snapshot.last_update_id, &bids, &asks, &mut |book| {
            *compared += Self::compare(expected, instrument, book);
        });
        assert_eq!(outcome, SnapshotOutcome::Loaded);
    }

    fn diff(&mut self, depth: &Depth<'_>) {
        let ids = DiffIds { first: depth.first, last: depth.u, previous: depth.pu };
        let outcome = self.book.on_diff(ids, &self.levels(&depth.b), &self.levels(&depth.a));
        if outcome == DiffOutcome::Applied {
            self.compared += Self::compare(&mut self.expected, &self.instrument, &self.book);
        }
    }
}

/// Plays a tape and compares every checkpoint. Returns how many there were, and what happened to the books.
fn play(tape: impl BufRead, expected: impl BufRead, rule: SyncRule, tick: i64) -> (usize, Vec<BookCounts>) {
    let mut books: BTreeMap<String, Followed> = BTreeMap::new();
    for line in expected.lines().map(|line| line.expect("readable")) {
        let symbol = line.split('"').nth(3).expect("a symbol").to_owned();
        let followed = books.entry(symbol).or_insert_with_key(|symbol| Followed {
            instrument: instrument(symbol),
            book: Book::new(rule, Price(tick)),
            expected: VecDeque::new(),
            compared: 0,
        });
        followed.expected.push_back(line);
    }
    for line in tape.lines().map(|line| line.expect("readable")) {
        let mut fields = line.splitn(3, '\t').skip(1);
        let (source, payload) = (fields.next().expect("a source"), fields.next().expect("a payload"));
        if source.starts_with("rest") {
            let Some(query) = source.split_once("/depth?symbol=") else { continue };
            let symbol = query.1.split('&').next().expect("a symbol");
            books.get_mut(symbol).expect("an expected symbol").snapshot(payload);
        } else if is_depth(payload) {
            let whole = serde_json::from_str::<Combined<'_>>(payload).map(|combined| combined.data);
            let depth = whole.or_else(|_| serde_json::from_str(payload)).expect("a diff");
            books.get_mut(depth.s).expect("an expected symbol").diff(&depth);
        }
    }
    for (symbol, followed) in &books {
        assert!(followed.expected.is_empty(), "{symbol}: not reached: {:?}", followed.expected);
        assert!(followed.book.is_trusted(), "{symbol}");
    }
    (
        books.values().map(|followed| followed.compared).sum(),
        books.values().map(|f| *f.book.counts()).collect(),
    )
}

fn is_depth(payload: &str) -> bool {
    payload.get(..90).is_some_and(|head| head.contains("\"depthUpdate\""))
}

/// Plays a recorded tape; `None` without test data.
fn recorded(name: &str, rule: SyncRule, tick: i64) -> Option<(usize, Vec<BookCounts>)> {
    let folder = std::env::var_os("TRADING_TEST_DATA")?;
    let open = |path: String| {
        let file =
            std::fs::File::open(Path::new(&folder).join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        BufReader::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(file)))
    };
    let played =
        play(open(format!("tape/{name}.tsv.gz")), open(format!("expected/{name}.jsonl.gz")), rule, tick);
    assert!(played.1.iter().all(|counts| counts.gaps + counts.unsound + counts.malformed == 0), "{name}");
    Some(played)
}

/// Plays a generated tape in place of a recorded one.
fn generated(rule: SyncRule, seed: u64) {
    println!("TRADING_TEST_DATA is not set: a generated tape stands in");
    let (tape, expected) = generate(rule, seed);
    let (compared, counts) = play(Cursor::new(tape), Cursor::new(&expected), rule, 1_000_000);
    assert_eq!((compared, counts[0].gaps), (expected.lines().count(), 0));
}

/// A tape of one symbol in the venue's form, and the checkpoints that follow from it.
fn generate(rule: SyncRule, seed: u64) -> (String, String) {
    let mut market = Market::new(rule, seed);
    let (mut tape, mut expected) = (String::new(), String::new());
    let snapshot_at = market.last();
    let mut applied = 0;
    for step in 0..500 {
        let diff = market.diff();
        let previous = diff.ids.previous.map_or(String::new(), |id| format!("\"pu\":{id},"));
        let sides = format!("\"b\":{},\"a\":{}", json(&diff.bids), json(&diff.asks));
        let ids = format!("\"U\":{},\"u\":{}", diff.ids.first, diff.ids.last);
        tape += &format!("{step}\tws\t{{\"stream\":\"gen@depth\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1,");
        tape += &format!("\"s\":\"GEN\",{ids},{previous}{sides}}}}}\n");
        if step == 5 {
            let book = market.at(snapshot_at);
            let sides = format!("\"bids\":{},\"asks\":{}", json(&list(&book.0)), json(&list(&book.1)));
            tape += &format!("{step}\trest https://x/depth?symbol=GEN&limit=1000\t");
            tape += &format!("{{\"lastUpdateId\":{snapshot_at},{sides}}}\n");
        }
        if step == 0 {
            expected += &line(0, snapshot_at, &market.at(snapshot_at));
        }
        applied += 1;
        if applied % 50 == 0 {
            expected += &line(applied, diff.ids.last, &market.at(diff.ids.last));
        }
    }
    (tape, expected)
}

/// A plain number of hundredths.
fn plain(hundredths: i64) -> String {
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn json(levels: &[Level]) -> String {
    let rows: Vec<_> = levels
        .iter()
        .map(|level| {
            format!(
                "[\"{}.{:02}\",\"{}\"]",
                level.price.0 / 100,
                level.price.0 % 100,
                plain(level.quantity.0)
            )
        })
        .collect();
    format!("[{}]", rows.join(","))
}

/// A checkpoint, by the definition at the top of the oracle.
fn line(applied: u64, id: u64, book: &Levels) -> String {
    let bids: Vec<_> = book.0.iter().rev().map(|(&p, &q)| (plain(p), plain(q))).collect();
    let asks: Vec<_> = book.1.iter().map(|(&p, &q)| (plain(p), plain(q))).collect();
    let mut text = String::new();
    for (name, side) in [("b", &bids), ("a", &asks)] {
        for (price, quantity) in side {
            text += &format!("{name} {price} {quantity}\n");
        }
    }
    let hash: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    let best = |side: &Vec<(String, String)>| match side.first() {
        Some((price, quantity)) => format!("[\"{price}\",\"{quantity}\"]"),
        None => "null".to_owned(),
    };
    format!(
        "{{\"s\":\"GEN\",\"n\":{applied},\"u\":{id},\"bid\":{},\"ask\":{},\"nb\":{},\"na\":{},\"h\":\"{hash}\"}}\n",
        best(&bids),
        best(&asks),
        bids.len(),
        asks.len()
    )
}

#[test]
fn spot() {
    match recorded("spot_btcusdt_20240808_0809", SyncRule::Spot, 1_000_000) {
        Some((compared, counts)) => {
            // MANIFEST.md: the snapshot was cut at 1,000 levels.
            assert_eq!((compared, counts[0].unknown_deletes), (14, 26_140));
        }
        None => generated(SyncRule::Spot, 1),
    }
}

#[test]
fn usd_margined() {
    match recorded("usdm_btcusdt_20240808", SyncRule::Futures, 10_000_000) {
        Some((compared, _)) => assert_eq!(compared, 15),
        None => generated(SyncRule::Futures, 2),
    }
}

#[test]
fn usd_margined_without_a_hint_of_the_tick() {
    match recorded("usdm_btcusdt_20230404_0405", SyncRule::Futures, 0) {
        Some((compared, _)) => assert_eq!(compared, 34),
        None => generated(SyncRule::Futures, 3),
    }
}

#[test]
fn coin_margined_with_a_wrong_hint_of_the_tick() {
    match recorded("coinm_btcusd_perp_20240808_0809", SyncRule::Futures, 77) {
        Some((compared, _)) => assert_eq!(compared, 24),
        None => generated(SyncRule::Futures, 4),
    }
}

#[test]
fn a_whole_day() {
    match recorded("spot_nexousdt_a_20240723_0724", SyncRule::Spot, 100_000) {
        Some((compared, _)) => assert_eq!(compared, 36),
        None => generated(SyncRule::Spot, 5),
    }
}

#[test]
fn several_symbols_on_one_connection() {
    let tapes = [
        ("cryptofeed_spot_20210404", SyncRule::Spot, 30),
        ("cryptofeed_spot_20210417", SyncRule::Spot, 23),
        ("cryptofeed_spot_20211012", SyncRule::Spot, 9),
        ("cryptofeed_us_20211012", SyncRule::Spot, 10),
        ("cryptofeed_usdm_20210405", SyncRule::Futures, 51),
        ("cryptofeed_usdm_20210722", SyncRule::Futures, 13),
    ];
    for (name, rule, checkpoints) in tapes {
        match recorded(name, rule, 0) {
            Some((compared, _)) => assert_eq!(compared, checkpoints, "{name}"),
            None => generated(rule, checkpoints as u64),
        }
    }
}
