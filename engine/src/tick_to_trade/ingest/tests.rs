//! The agent against hand-written frames: what it publishes, and what it asks for.

use std::collections::VecDeque;

use super::*;
use crate::counters::HistogramReader;
use crate::counters::cell::CellReader;
use crate::domain::{
    Filters, Instrument, InstrumentKind, Interval, Market, Price, Quantity, Scale, Side, Symbol,
};
use crate::limits::RING_CAPACITY_MIN;
use crate::message::TickKind;
use crate::ring::broadcast::Polled;
use crate::venue::{Frame, Source};

const START: Nanos = Nanos::from_secs(1_700_000_000);
const URL: &str = "https://api.binance.com/api/v3/depth?symbol=ABCUSDT&limit=1000";

#[derive(Default)]
struct Script {
    near: bool,
    frames: VecDeque<(bool, String)>,
    wishes: Vec<InstrumentIndex>,
}

impl MarketData for Script {
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        let Some((rest, text)) = self.frames.pop_front() else { return false };
        let source = if rest { Source::Rest(URL) } else { Source::Stream };
        on_frame(&Frame { received: now, market: Market::Spot, source, payload: text.as_bytes() });
        true
    }

    fn is_near(&self) -> bool {
        self.near
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, _now: Nanos) {
        self.wishes.push(instrument);
    }
}

struct Bench {
    ingest: Ingest<Script>,
    ticks: broadcast::Reader<Tick>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let ports = IngestPorts {
            ticks: broadcast::Producer::create(&at("ticks"), RING_CAPACITY_MIN, 1).expect("made"),
            cells: CellWriter::create(&at("cells"), 1, 1).expect("made"),
            histograms: Histograms::create(&at("histograms"), &INGEST_STAGES, 1).expect("made"),
        };
        let ticks = broadcast::Reader::attach(&at("ticks")).expect("attached");
        let scale = Scale::new(2).expect("valid");
        let instrument = Instrument {
            symbol: Symbol::new("ABCUSDT").expect("it fits"),
            market: Market::Spot,
            kind: InstrumentKind::Spot,
            base: "ABC".into(),
            quote: "USDT".into(),
            price_scale: scale,
            quantity_scale: scale,
            multiplier: 1,
            filters: Filters { tick: Price(1), ..Filters::default() },
            untradable: None,
        };
        let instruments = Arc::new(Instruments::new(vec![instrument]).expect("a table"));
        let config = IngestConfig { silence: Nanos::from_secs(10) };
        let ingest = Ingest::new(ports, Script::default(), instruments, Stopwatch::calibrate(), config);
        Self { ingest, ticks, folder }
    }

    fn stream(&mut self, text: &str) {
        self.ingest.feed.frames.push_back((false, text.to_owned()));
    }

    fn diff(&mut self, first: u64, last: u64, bid: &str, ask: &str) {
        self.stream(&format!(
            r#"{{"e":"depthUpdate","E":1700000000000,"s":"ABCUSDT","U":{first},"u":{last},"b":[{bid}],"a":[{ask}]}}"#
        ));
    }

    fn snapshot(&mut self, id: u64) {
        let text = format!(r#"{{"lastUpdateId":{id},"bids":[["10.00","1.00"]],"asks":[["10.05","2.00"]]}}"#);
        self.ingest.feed.frames.push_back((true, text));
    }

    /// Works at `now` and gives the ticks, by kind and values.
    fn work(&mut self, now: Nanos) -> Vec<(TickKind, [i64; 4], bool)> {
        while self.ingest.do_work(now) > 0 {}
        let mut ticks = Vec::new();
        while let Polled::Message(tick) = self.ticks.poll() {
            ticks.push((TickKind::try_from(tick.kind).expect("a kind"), tick.values, tick.trusted()));
        }
        ticks
    }

    /// A trusted book at update 11.
    fn synchronised() -> Self {
        let mut bench = Self::new();
        bench.diff(11, 11, r#"["9.99","3.00"]"#, "");
        bench.snapshot(10);
        bench.work(START);
        assert!(bench.ingest.book(0).is_some_and(Book::is_trusted));
        bench.ingest.feed.wishes.clear();
        bench
    }
}

/// By then cells wait no longer.
const CELLS: Nanos = Nanos::from_millis(5);

const TOP: [i64; 4] = [1_000, 100, 1_005, 200];

#[test]
fn the_times_of_a_frame_are_recorded_when_nothing_has_come_behind_it() {
    let mut bench = Bench::synchronised();
    let histograms = HistogramReader::attach(&bench.folder.path().join("histograms")).expect("attached");
    let counts = || INGEST_STAGES.map(|stage| histograms.get(stage).expect("a stage").count);
    assert_eq!(counts(), [2, 2], "both frames until here");
    bench.diff(12, 12, r#"["9.98","3.00"]"#, "");
    assert_eq!((bench.ingest.do_work(START), counts()), (1, [2, 2]));
    assert_eq!((bench.ingest.do_work(START), counts()), (0, [3, 3]));
}

#[test]
fn a_book_is_trusted_from_its_snapshot_on() {
    let mut bench = Bench::new();
    bench.diff(11, 11, r#"["9.99","3.00"]"#, "");
    assert_eq!(bench.work(START), [], "nothing is known before the snapshot");
    assert_eq!(bench.ingest.feed.wishes, [0], "so one is asked for");
    bench.snapshot(10);
    assert_eq!(bench.work(START), [(TickKind::Trust, [1, 11, 0, 0], true), (TickKind::Top, TOP, true)]);
}

#[test]
fn a_gap_takes_trust_until_the_next_snapshot() {
    let mut bench = Bench::synchronised();
    bench.diff(13, 13, r#"["10.01","1.00"]"#, "");
    assert_eq!(bench.work(START), [(TickKind::Trust, [0, 11, 0, 0], false)]);
    assert_eq!((bench.ingest.counters().gaps, bench.ingest.feed.wishes.as_slice()), (1, &[0][..]));
    // It asks again while nothing comes, not at once.
    bench.work(START + Nanos::from_millis(999));
    assert_eq!(bench.ingest.feed.wishes.len(), 1);
    bench.work(START + Nanos::from_secs(1));
    assert_eq!(bench.ingest.feed.wishes.len(), 2);
    bench.snapshot(12);
    let ticks = bench.work(START + Nanos::from_secs(2));
    assert_eq!(ticks[0], (TickKind::Trust, [1, 13, 0, 0], true));
    assert_eq!(ticks[1], (TickKind::Top, [1_001, 100, 1_005, 200], true));
}

#[test]
fn an_unreadable_frame_takes_trust_from_the_book_it_names() {
    let mut bench = Bench::synchronised();
    // More decimals than the instrument has: nothing rounds.
    bench.diff(12, 12, r#"["10.001","1.00"]"#, "");
    assert_eq!(bench.work(START), [(TickKind::Trust, [0, 11, 0, 0], false)]);
    let mut bench = Bench::synchronised();
    bench.stream(r#"{"e":"depthUpdate","E":17"#);
    assert_eq!(bench.work(START), [], "a frame that names no book is counted; the gap will show");
    assert_eq!(bench.ingest.counters().malformed, 1);
}

#[test]
fn a_ticker_ahead_of_the_book_refines_the_top() {
    let mut bench = Bench::synchronised();
    let ticker = |id: u64, bid: &str| {
        format!(r#"{{"u":{id},"s":"ABCUSDT","b":"{bid}","B":"1.00","a":"10.05","A":"2.00"}}"#)
    };
    bench.stream(&ticker(15, "10.02"));
    assert_eq!(bench.work(START), [(TickKind::Top, [1_002, 100, 1_005, 200], true)]);
    // An older one, and a diff that has not caught up, tell nothing new.
    bench.stream(&ticker(14, "10.01"));
    bench.diff(12, 12, r#"["9.98","1.00"]"#, "");
    assert_eq!(bench.work(START), []);
    bench.diff(13, 15, r#"["10.02","4.00"]"#, "");
    assert_eq!(bench.work(START), [(TickKind::Top, [1_002, 400, 1_005, 200], true)]);
}

#[test]
fn each_trade_is_told_once() {
    let mut bench = Bench::synchronised();
    bench.stream(r#"{"e":"trade","E":1700000000000,"s":"ABCUSDT","t":5,"p":"10.05","q":"0.50","T":1700000000000,"m":false,"M":true}"#);
    bench.stream(r#"{"e":"aggTrade","E":1700000000000,"s":"ABCUSDT","a":3,"p":"10.05","q":"0.50","f":5,"l":5,"T":1700000000000,"m":false,"M":true}"#);
    let buy = i64::from(Side::Buy.code());
    assert_eq!(bench.work(START), [(TickKind::Trade, [1_005, 50, 5, buy], true)]);
}

#[test]
fn silence_is_told_once_and_ends_with_the_next_frame() {
    let mut bench = Bench::synchronised();
    let silent = START + Nanos::from_secs(10);
    assert_eq!(bench.work(silent), [(TickKind::Silence, [10_000_000_000, 0, 0, 0], true)]);
    assert_eq!(bench.work(silent + Nanos::from_secs(60)), []);
    bench.diff(12, 12, "", r#"["10.06","1.00"]"#);
    assert_eq!(bench.work(silent + Nanos::from_secs(61)), []);
    assert_eq!(bench.work(silent + Nanos::from_secs(71)).len(), 1);
}

#[test]
fn cells_follow_the_book_within_a_millisecond() {
    let mut bench = Bench::synchronised();
    assert_eq!(bench.ingest.next_deadline(), START + Nanos::from_millis(1));
    bench.work(START + Nanos::from_millis(1));
    let cells = CellReader::<BookCell>::attach(&bench.folder.path().join("cells")).expect("attached");
    let cell = cells.read(0).expect("written");
    let bids: Vec<_> = cell.levels(Side::Buy).map(|level| (level.price, level.quantity)).collect();
    assert!(cell.is_trusted());
    assert_eq!(bids, [(Price(1_000), Quantity(100)), (Price(999), Quantity(300))]);
}

#[test]
fn a_cell_waits_for_a_cycle_without_frames_but_not_for_ever() {
    let mut bench = Bench::synchronised();
    let cells = CellReader::<BookCell>::attach(&bench.folder.path().join("cells")).expect("attached");
    let trade = r#"{"e":"trade","E":1700000000000,"s":"ABCUSDT","t":1,"p":"10.00","q":"1.00","T":1700000000000,"m":true,"M":true}"#;
    for (after, written) in [(1, false), (4, false), (5, true)] {
        bench.stream(trade);
        bench.ingest.do_work(START + Nanos::from_millis(after));
        assert_eq!(cells.read(0).is_some_and(|cell| cell.is_trusted()), written, "{after} ms");
    }
}

#[test]
fn both_ticks_of_a_bar_know_its_interval() {
    let mut bench = Bench::synchronised();
    let mut told = Vec::new();
    // Three minutes, and a length that the venue has no name for.
    for closes in [1_700_000_179_999_u64, 1_700_000_179_998] {
        bench.stream(&format!(
            r#"{{"e":"kline","E":1700000000000,"s":"ABCUSDT","k":{{"t":1700000000000,"T":{closes},"s":"ABCUSDT","i":"3m","o":"10.00","c":"10.10","h":"10.20","l":"9.90","v":"3.50","n":2,"x":true}}}}"#
        ));
        while bench.ingest.do_work(START) > 0 {}
        while let Polled::Message(tick) = bench.ticks.poll() {
            assert!(tick.trusted());
            told.push((TickKind::try_from(tick.kind).expect("a kind"), tick.interval()));
        }
    }
    let bar = |interval| [TickKind::Bar, TickKind::BarVolume].map(|kind| (kind, interval));
    assert_eq!(told, [bar(Some(Interval::Minutes3)), bar(None)].concat());
}

/// What a cycle at `now` with a trade leaves, and whether that was read in it.
fn left_after_trade(bench: &mut Bench, now: Nanos) -> (Moment, bool) {
    bench.stream(
        r#"{"e":"trade","E":1700000000000,"s":"ABCUSDT","t":1,"p":"10.00","q":"1.00","T":1700000000000,"m":true,"M":true}"#,
    );
    let stopwatch = Stopwatch::calibrate();
    let mut moment = Moment::at(Nanos(7));
    bench.ingest.markets.stopwatch = stopwatch;
    let before = stopwatch.elapsed();
    bench.ingest.do_work_from(now, &mut moment);
    let after = stopwatch.elapsed();
    (moment, (before..=after).contains(&moment.or_read(&stopwatch)))
}

#[test]
fn a_cycle_leaves_the_end_of_its_last_frame_unless_it_did_more_or_asked_the_kernel() {
    let mut bench = Bench::synchronised();
    bench.ingest.feed.near = true;
    bench.work(START + CELLS);
    let (moment, within) = left_after_trade(&mut bench, START + CELLS);
    assert!(within && moment != Moment::UNKNOWN);
    let mut idle = Moment::at(Nanos(7));
    bench.ingest.do_work_from(START + CELLS, &mut idle);
    assert_eq!(idle, Moment::UNKNOWN, "it took nothing");
    bench.diff(12, 12, r#"["9.98","3.00"]"#, "");
    bench.work(START + CELLS);
    let late = START + CELLS + CELLS;
    assert_eq!(left_after_trade(&mut bench, late).0, Moment::UNKNOWN, "it wrote a cell");
    assert!(left_after_trade(&mut bench, late).1);
    bench.diff(14, 14, r#"["9.97","3.00"]"#, "");
    assert_eq!(left_after_trade(&mut bench, late).0, Moment::UNKNOWN, "it asked for a snapshot");
    assert!(left_after_trade(&mut bench, late).1);
    bench.ingest.feed.near = false;
    assert_eq!(left_after_trade(&mut bench, late).0, Moment::UNKNOWN, "its feed has sockets");
}
