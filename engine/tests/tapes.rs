//! Reading tapes: the recorded ones where `TRADING_TEST_DATA` names them, else generated ones.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use engine::domain::{Instrument, Market, Nanos, Symbol};
use engine::error::SetupError;
use engine::venue::generated::GeneratedMarket;
use engine::venue::replay::damage::{self, Damage, OwnedLine};
use engine::venue::replay::{Catalog, TapeReader, TapeSet, TapeSource, TapeWriter};
use serde_json::Value;

/// A tape and what is known of it by other means.
struct Known {
    path: PathBuf,
    frames: u64,
    /// Symbols with a snapshot.
    symbols: usize,
    /// Symbols of its exchangeInfo; 0 if it has none.
    listed: usize,
    market: Market,
}

/// The tapes to read, in a folder that lives as long as the answer.
fn tapes() -> (Vec<Known>, Option<tempfile::TempDir>) {
    match std::env::var_os("TRADING_TEST_DATA") {
        Some(folder) => (recorded(Path::new(&folder)), None),
        None => {
            println!("TRADING_TEST_DATA is not set: running on generated tapes");
            let folder = tempfile::tempdir().expect("a folder");
            let known = [("one", &["BTCUSDT"][..]), ("three", &["ETHUSDT", "ADABTC", "XRPUSDC"])]
                .map(|(name, symbols)| generated(folder.path(), name, symbols));
            (known.into(), Some(folder))
        }
    }
}

/// Reads the table of tapes in the manifest.
fn recorded(folder: &Path) -> Vec<Known> {
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.md")).expect("a manifest");
    let mut known = Vec::new();
    for row in manifest.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let path = folder.join("tape").join(format!("{}.tsv.gz", cells.get(1).unwrap_or(&"")));
        if cells.len() > 8 && path.is_file() {
            known.push(Known {
                frames: cells[5].replace(',', "").parse().expect("a number of frames"),
                symbols: cells[7].rsplit('/').next().and_then(|n| n.trim().parse().ok()).expect("symbols"),
                listed: usize::from(cells[6].contains("exchangeInfo")),
                market: match cells[1] {
                    name if name.contains("coinm") => Market::CoinMargined,
                    name if name.contains("usdm") => Market::UsdMargined,
                    _ => Market::Spot,
                },
                path,
            });
        }
    }
    assert!(known.len() >= 11, "the manifest lists its tapes: {}", known.len());
    known
}

fn generated(folder: &Path, name: &str, symbols: &[&str]) -> Known {
    let path = folder.join(format!("{name}.tsv.zst"));
    let start = Nanos::from_secs(1_700_000_000);
    let mut market = GeneratedMarket::new(symbols, 4, start, 100).expect("a market");
    let mut writer = TapeWriter::create(&path).expect("created");
    let info = TapeSource::Rest("http://generated/api/v3/exchangeInfo");
    let listed = if symbols.len() > 1 { symbols.len() } else { 0 };
    if listed > 0 {
        writer.write(start, info, &market.exchange_info()).expect("written");
    }
    let frames = 20_000;
    for _ in 0..frames {
        market.next_frame(&mut |received, source, payload| {
            writer.write(received, (*source).into(), payload).expect("written");
        });
    }
    writer.finish().expect("finished");
    let frames = frames + u64::from(listed > 0);
    Known { path, frames, symbols: symbols.len(), listed, market: Market::Spot }
}

/// Stands in for the decoder of exchangeInfo: an instrument a symbol, nothing more known.
fn parse(json: &[u8], market: Market) -> Result<Vec<Instrument>, SetupError> {
    let info: Value = serde_json::from_slice(json).map_err(|error| SetupError::Invalid(error.to_string()))?;
    let symbols = info["symbols"].as_array().ok_or_else(|| SetupError::Invalid("no symbols".to_owned()))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().into();
    let listed = symbols.iter().map(|symbol| {
        Ok(Instrument {
            symbol: Symbol::new(symbol["symbol"].as_str().unwrap_or_default())?,
            market,
            kind: engine::domain::InstrumentKind::Spot,
            base: text(&symbol["baseAsset"]),
            quote: text(&symbol["quoteAsset"]),
            price_scale: engine::domain::Scale::ZERO,
            quantity_scale: engine::domain::Scale::ZERO,
            multiplier: 1,
            filters: engine::domain::Filters::default(),
            untradable: None,
        })
    });
    listed.collect()
}

fn lines(path: &Path) -> Vec<OwnedLine> {
    damage::read_lines(path).expect("a tape")
}

#[test]
fn every_tape_has_the_frames_its_manifest_says() {
    let (known, _folder) = tapes();
    for tape in &known {
        let mut reader = TapeReader::open(&tape.path).expect("opens");
        let (mut frames, mut last, mut snapshots) = (0, Nanos::ZERO, BTreeSet::new());
        while let Some(line) = reader.next().expect("whole") {
            frames += 1;
            assert_eq!(line.line, frames);
            assert!(line.received >= last && line.payload.first() == Some(&b'{'));
            assert_eq!(line.payload.last(), Some(&b'}'));
            last = line.received;
            match line.source {
                TapeSource::Rest(url) if url.contains("/depth") => {
                    assert!(!url.contains("(inferred)"));
                    snapshots.insert(url.to_owned());
                }
                TapeSource::Rest(_) | TapeSource::Stream => {}
                source => panic!("{source:?}"),
            }
        }
        assert_eq!((frames, snapshots.len()), (tape.frames, tape.symbols), "{}", tape.path.display());
    }
}

#[test]
fn containers_do_not_matter() {
    let (known, _folder) = tapes();
    let copies = tempfile::tempdir().expect("a folder");
    for tape in known.iter().filter(|tape| tape.frames < 80_000) {
        let original = lines(&tape.path);
        for name in ["copy.tsv", "copy.gz", "copy.tsv.zst"] {
            let path = copies.path().join(name);
            damage::damage_file(&tape.path, &path, &[]).expect("copied");
            assert!(lines(&path) == original, "{} as {name}", tape.path.display());
            std::fs::remove_file(&path).expect("removed");
        }
    }
}

#[test]
fn a_collectors_file_says_what_the_tape_says() {
    let (known, _folder) = tapes();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("collector.gz");
    for tape in known.iter().filter(|tape| tape.symbols == 1 && tape.listed == 0) {
        let original = lines(&tape.path);
        let file = std::fs::File::create(&path).expect("created");
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        for line in &original {
            write!(gzip, "{} ", line.received.0).expect("written");
            gzip.write_all(&line.payload).expect("written");
            gzip.write_all(b"\n").expect("written");
        }
        gzip.finish().expect("finished");
        let read = lines(&path);
        assert_eq!(read.len(), original.len());
        // Its snapshots find their symbol and market again; what else the URL said is lost.
        let place = |line: &OwnedLine| {
            let url = line.url.as_deref()?;
            let symbol = engine::venue::replay::scan::symbol_of_url(url).map(str::to_owned);
            Some((engine::venue::replay::scan::market_of_url(url), symbol))
        };
        for (one, other) in original.iter().zip(&read) {
            assert!((one.received, &one.payload) == (other.received, &other.payload));
            assert_eq!(place(one), place(other));
        }
    }
}

#[test]
fn a_set_of_tapes_is_read_in_order() {
    let (known, _folder) = tapes();
    let paths: Vec<PathBuf> = known.iter().map(|tape| tape.path.clone()).collect();
    let mut set = TapeSet::open(&paths).expect("tapes");
    assert!(set.markets().eq(known.iter().map(|tape| tape.market)));
    let mut counts = vec![0_u64; known.len()];
    let mut last = Nanos::ZERO;
    while let Some(line) = set.next().expect("whole") {
        assert!(line.received >= last);
        assert_eq!(line.market, known[line.tape].market);
        last = line.received;
        counts[line.tape] += 1;
    }
    assert_eq!(counts, known.iter().map(|tape| tape.frames).collect::<Vec<_>>());
    assert_eq!(set.times_back(), 0);
}

#[test]
fn every_tape_has_its_catalog() {
    let (known, _folder) = tapes();
    for tape in &known {
        let catalog = Catalog::scan(std::slice::from_ref(&tape.path), parse).expect("a catalog");
        let name = tape.path.display();
        println!("{name}: {} instruments", catalog.entries.len());
        let inferred: BTreeMap<&str, &Instrument> = catalog
            .entries
            .iter()
            .filter(|entry| entry.inferred)
            .map(|entry| (&*entry.instrument.symbol, &entry.instrument))
            .collect();
        if tape.listed > 0 {
            assert!(inferred.is_empty() && catalog.entries.len() >= tape.symbols, "{name}");
            continue;
        }
        assert_eq!((inferred.len(), catalog.entries.len()), (tape.symbols, tape.symbols), "{name}");
        // What was inferred before the replay holds all of it.
        let mut levels = 0;
        for line in lines(&tape.path) {
            let json: Value = serde_json::from_slice(&line.payload).expect("JSON");
            let data = json.get("data").unwrap_or(&json);
            let named = line.url.as_deref().and_then(engine::venue::replay::scan::symbol_of_url);
            let symbol = named.or_else(|| data["s"].as_str()).expect("a symbol");
            let instrument = inferred[symbol];
            assert!(instrument.untradable.is_none() && instrument.market == tape.market);
            for level in ["bids", "asks", "b", "a"].iter().filter_map(|side| data[side].as_array()).flatten()
            {
                let price = instrument.price(level[0].as_str().expect("a price")).expect("fits");
                instrument.quantity(level[1].as_str().expect("a quantity")).expect("fits");
                if line.url.is_some() {
                    assert_eq!(price.0 % instrument.filters.tick.0, 0);
                }
                levels += 1;
            }
        }
        assert!(levels > 1_000, "{name}");
    }
}

#[test]
fn a_damaged_copy_reads_and_differs_where_it_should() {
    let (known, _folder) = tapes();
    let smallest = known.iter().min_by_key(|tape| tape.frames).expect("a tape");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("damaged.tsv.zst");
    let damages = ["drop:20:5", "dup:40", "swap:7", "cut:9", "late:300"];
    let damages = damages.map(|text| text.parse::<Damage>().expect("a damage"));
    damage::damage_file(&smallest.path, &path, &damages).expect("damaged");
    let (whole, damaged) = (lines(&smallest.path), lines(&path));
    assert_eq!(damaged.len(), whole.len() - 5 + 1);
    let broken =
        damaged.iter().filter(|line| serde_json::from_slice::<Value>(&line.payload).is_err()).count();
    assert_eq!(broken, 1, "the frame that was cut");
    assert!(damaged.is_sorted_by_key(|line| line.received));
    let snapshots = |lines: &[OwnedLine]| {
        let rest = lines.iter().filter(|line| line.url.is_some());
        rest.map(|line| line.received.0).collect::<BTreeSet<_>>()
    };
    let late: BTreeSet<i64> = snapshots(&whole).iter().map(|at| at + 300_000_000).collect();
    assert_eq!(snapshots(&damaged), late);
}
