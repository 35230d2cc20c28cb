//! Every frame of every recorded tape against the oracle, and the number of each kind against the tape's manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::tests::{instrument, instruments};
use super::{Decoder, oracle};
use crate::domain::{Instruments, Market, Nanos};
#[cfg(target_arch = "x86_64")]
use crate::venue::binance::number::Avx2;
use crate::venue::binance::{MarketEvent, Skip};
use crate::venue::{Frame, Source};

/// Frames of each kind: depth, snapshot, book ticker, trade, aggregate trade, kline, other.
type Counts = [usize; 7];

/// What the manifest of the recordings says of them.
const TAPES: &[(&str, Counts)] = &[
    ("coinm_btcusd_perp_20240808_0809", [44_795, 1, 48_355, 5_235, 0, 0, 0]),
    ("spot_btcusdt_20240808_0809", [6_495, 1, 73_174, 19_904, 0, 0, 0]),
    ("spot_nexousdt_a_20240723_0724", [68_182, 1, 33_437, 12_458, 0, 0, 0]),
    ("usdm_btcusdt_20230404_0405", [16_110, 1, 44_205, 12_935, 0, 0, 514]),
    ("usdm_btcusdt_20240808", [6_551, 1, 66_089, 21_313, 0, 0, 0]),
    ("cryptofeed_spot_20210404", [2_688, 3, 0, 0, 1_910, 118, 0]),
    ("cryptofeed_spot_20210417", [614, 10, 570, 0, 24, 20, 1]),
    ("cryptofeed_spot_20211012", [177, 4, 84, 0, 2, 2, 1]),
    ("cryptofeed_us_20211012", [336, 4, 128, 0, 11, 5, 1]),
    ("cryptofeed_usdm_20210405", [4_423, 5, 3_424, 0, 574, 0, 0]),
    ("cryptofeed_usdm_20210722", [764, 4, 613, 0, 91, 67, 1]),
];

/// The recordings, or `None` with a word about it.
pub(in crate::venue::binance) fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("TRADING_TEST_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!(
            "TRADING_TEST_DATA is not set: recorded frames are not read, hand-written ones are (decode::tests)"
        );
    }
    folder
}

/// Each line of a tape: source and payload.
pub(in crate::venue::binance) fn lines(path: &Path) -> impl Iterator<Item = (String, String)> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines().map(|line| {
        let line = line.expect("a tape is text");
        let mut parts = line.splitn(3, '\t').skip(1).map(str::to_owned);
        (parts.next().expect("a source"), parts.next().expect("a payload"))
    })
}

/// Where a line of a tape came from.
pub(in crate::venue::binance) fn source(text: &str) -> Source<'_> {
    text.strip_prefix("rest ").map_or(Source::Stream, Source::Rest)
}

/// All symbols of a tape, at the scale of everything Binance writes.
fn symbols(path: &Path, market: Market) -> Arc<Instruments> {
    let mut found = BTreeSet::new();
    for (origin, payload) in lines(path) {
        match source(&origin) {
            Source::Rest(url) => found.extend(oracle::asked_symbol(url).map(str::to_owned)),
            Source::Stream | Source::Sbe => {
                let symbol = payload.split("\"s\":\"").nth(1).and_then(|rest| rest.split('"').next());
                found.extend(symbol.map(str::to_owned));
            }
        }
    }
    instruments(found.iter().map(|symbol| instrument(symbol, market, 8, 8)).collect())
}

fn kind(event: &MarketEvent<'_>) -> usize {
    match event {
        MarketEvent::Depth { .. } => 0,
        MarketEvent::Snapshot { .. } => 1,
        MarketEvent::BookTicker { .. } => 2,
        MarketEvent::Trade { aggregate: false, .. } => 3,
        MarketEvent::Trade { aggregate: true, .. } => 4,
        MarketEvent::Kline { .. } => 5,
        MarketEvent::Skipped(Skip::Event) => 6,
        MarketEvent::Skipped(Skip::Symbol) => panic!("every symbol is listed"),
    }
}

#[test]
fn every_recorded_frame_agrees_with_the_oracle() {
    let Some(folder) = recordings() else { return };
    for &(name, expected) in TAPES {
        let path = folder.join("tape").join(format!("{name}.tsv.gz"));
        let market = match name {
            _ if name.contains("coinm") => Market::CoinMargined,
            _ if name.contains("usdm") => Market::UsdMargined,
            _ => Market::Spot,
        };
        let instruments = symbols(&path, market);
        let mut decoder = Decoder::new(Arc::clone(&instruments));
        let mut by_words = Decoder::new(Arc::clone(&instruments));
        by_words.by_words();
        let mut counts = Counts::default();
        let mut straight = BTreeMap::new();
        #[cfg(target_arch = "x86_64")]
        let mut alike = 0;
        for (origin, payload) in lines(&path) {
            let frame =
                Frame { received: Nanos::ZERO, market, source: source(&origin), payload: payload.as_bytes() };
            *straight.entry(decoder.straight(&frame).is_some()).or_insert(0_usize) += 1;
            #[cfg(target_arch = "x86_64")]
            if let Some(avx2) = Avx2::detect() {
                alike += usize::from(decoder.alike(avx2, &frame).is_some());
            }
            let told = oracle::decode(&frame, &instruments).unwrap_or_else(|| panic!("{name}: {payload}"));
            assert_eq!(decoder.decode(&frame), Ok(told.event()), "{name}: {payload}");
            assert_eq!(by_words.decode(&frame), Ok(told.event()), "{name}: {payload}");
            let general = decoder.general(&frame).map(|event| kind(&event));
            let event = decoder.decode(&frame).expect("it was accepted");
            counts[kind(&event)] += 1;
            assert_eq!(general, Ok(kind(&event)), "{name}: {payload}");
        }
        assert_eq!(counts, expected, "{name}");
        // A feed of one instrument, as most of these: nearly every frame lies as one before it did.
        #[cfg(target_arch = "x86_64")]
        if Avx2::detect().is_some() && !name.starts_with("cryptofeed") {
            let [depths, _, tickers, trades, ..] = counts;
            assert!(alike * 1_000 >= (depths + tickers + trades) * 999, "{name}: {alike} of {counts:?}");
        }
        // What is not documented to be straight is rare: bars, aggregates, answers.
        let [_, snapshots, .., aggregates, bars, others] = counts;
        assert_eq!(
            straight.get(&false).copied().unwrap_or(0),
            snapshots + aggregates + bars + others,
            "{name}"
        );
    }
}

#[test]
fn the_oracle_itself_refuses_damage() {
    let all = instruments(vec![instrument("BTCUSDT", Market::Spot, 2, 2)]);
    let decode = |text: &str| {
        let payload = text.as_bytes();
        let frame = Frame { received: Nanos::ZERO, market: Market::Spot, source: Source::Stream, payload };
        oracle::decode(&frame, &all).is_some()
    };
    let good = r#"{"u":1,"s":"BTCUSDT","b":"1.10","B":"1","a":"2","A":"0.50"}"#;
    assert!(decode(good) && serde_json::from_str::<Value>(good).is_ok());
    for (from, to) in
        [("1.10", "1.101"), ("1.10", "1."), ("1.10", "-1"), ("1.10", "1e1"), ("\"A\"", "\"X\""), ("}", "")]
    {
        assert!(!decode(&good.replace(from, to)), "{from} to {to}");
    }
}
