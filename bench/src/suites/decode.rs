//! Frames to values: the engine's decoder beside serde_json and sonic-rs with typed, borrowed structs.
//!
//! The peers stop at text: a price is still a `&str`. The engine's figures include the exact integers and the look-up
//! of the symbol. Before anything is timed all parsers must agree on every value of every frame.

use std::hint::black_box;
use std::sync::Arc;

use engine::domain::{Instruments, Market, Nanos};
use engine::error::SetupError;
use engine::venue::binance::decode::Decoder;
use engine::venue::{Frame, Source};

use crate::frames::{Script, instrument};
use crate::peers::json::{self, BookTicker, DepthUpdate, Trade, Typed};
use crate::report::{Ratio, Target};
use crate::series::Series;
use crate::suites::Bench;

const SUITE: &str = "decode";

/// Frames of a kind, read in turn so that no branch predictor learns one by heart.
const FRAMES: usize = 64;

/// Most that one frame may take of a peer's time, by the project's promises.
const SERDE: Target = Target::AtLeast(8.0);
const SONIC: Target = Target::AtLeast(5.5);
const GENERAL: Target = Target::AtLeast(2.0);

/// A kind of message.
struct Kind {
    name: &'static str,
    market: Market,
    frames: Vec<Vec<u8>>,
    shuffled: Vec<Vec<u8>>,
    peers: Peers,
}

type Parser = fn(&[u8]) -> bool;

/// The peers' parsers for a kind's struct.
struct Peers {
    serde: Parser,
    sonic_slice: Parser,
    sonic_text: Parser,
    agree: fn(&[u8], &engine::venue::binance::MarketEvent<'_>, &Instruments) -> bool,
}

impl Peers {
    fn of<T: Typed>() -> Self {
        Self { serde: T::serde, sonic_slice: T::sonic_slice, sonic_text: T::sonic_text, agree: T::agrees }
    }
}

/// The measurements of a kind.
#[derive(Default)]
struct Rows {
    ours: Series,
    general: Series,
    serde: Series,
    serde_shuffled: Series,
    sonic_slice: Series,
    sonic_text: Series,
}

/// Runs the suite.
///
/// # Errors
/// When the parsers disagree about a frame.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let table = vec![instrument("BTCUSDT", Market::Spot), instrument("BTCUSDT", Market::UsdMargined)];
    let instruments = Arc::new(Instruments::new(table)?);
    let mut decoder = Decoder::new(Arc::clone(&instruments));
    let kinds = kinds(bench.scale().of(FRAMES, FRAMES, 8));
    for kind in &kinds {
        check(kind, &mut decoder, &instruments)?;
    }
    let mut rows: Vec<Rows> = kinds.iter().map(|_| Rows::default()).collect();
    for _ in 0..bench.rounds() {
        for (kind, rows) in kinds.iter().zip(&mut rows) {
            measure(bench, kind, rows, &mut decoder);
        }
    }
    for (kind, rows) in kinds.iter().zip(&rows) {
        report(bench, kind, rows);
    }
    Ok(())
}

fn kinds(count: usize) -> Vec<Kind> {
    let many = |market, seed, make: fn(&mut Script) -> Vec<u8>| {
        let mut script = Script::new(instrument("BTCUSDT", market), seed);
        (0..count).map(|_| make(&mut script)).collect::<Vec<_>>()
    };
    let kind =
        |name, market, peers, plain: fn(&mut Script) -> Vec<u8>, shuffled: fn(&mut Script) -> Vec<u8>| Kind {
            name,
            market,
            frames: many(market, 1, plain),
            shuffled: many(market, 1, shuffled),
            peers,
        };
    let (spot, futures) = (Market::Spot, Market::UsdMargined);
    vec![
        kind(
            "depthUpdate 20+20",
            spot,
            Peers::of::<DepthUpdate<'_>>(),
            |s| s.depth(20),
            |s| s.depth_shuffled(20),
        ),
        kind(
            "depthUpdate 100+100",
            spot,
            Peers::of::<DepthUpdate<'_>>(),
            |s| s.depth(100),
            |s| s.depth_shuffled(100),
        ),
        kind(
            "bookTicker",
            futures,
            Peers::of::<BookTicker<'_>>(),
            Script::book_ticker,
            Script::book_ticker_shuffled,
        ),
        kind(
            "bookTicker spot",
            spot,
            Peers::of::<BookTicker<'_>>(),
            Script::book_ticker,
            Script::book_ticker_shuffled,
        ),
        kind("trade", spot, Peers::of::<Trade<'_>>(), Script::trade, Script::trade_shuffled),
    ]
}

fn frame(payload: &[u8], market: Market) -> Frame<'_> {
    Frame { received: Nanos(0), market, source: Source::Stream, payload }
}

fn check(kind: &Kind, decoder: &mut Decoder, instruments: &Instruments) -> Result<(), SetupError> {
    for payload in kind.frames.iter().chain(&kind.shuffled) {
        let disagree = |who: &str| {
            let text = String::from_utf8_lossy(payload);
            Err(SetupError::Invalid(format!("decode: {who} disagrees about {text}")))
        };
        let Ok(event) = decoder.decode(&frame(payload, kind.market)) else { return disagree("the engine") };
        if !(kind.peers.agree)(payload, &event, instruments) {
            return disagree("serde_json or sonic-rs");
        }
    }
    Ok(())
}

fn measure(bench: &Bench<'_>, kind: &Kind, rows: &mut Rows, decoder: &mut Decoder) {
    let bytes: usize = kind.frames.iter().map(Vec::len).sum();
    // About the same time for every kind: some five milliseconds of the slowest parser.
    let batches = bench.scale().of(4_000_000, 2_000_000, 20_000) as u64 / bytes as u64 + 1;
    let count = kind.frames.len() as u64;
    let mut ours = |frames: &[Vec<u8>]| {
        bench.rig.time_batches(batches * 4, count, || {
            for payload in frames {
                _ = black_box(decoder.decode(&frame(black_box(payload), kind.market)));
            }
        })
    };
    rows.ours.add_alone(&ours(&kind.frames));
    rows.general.add_alone(&ours(&kind.shuffled));
    let peer = |parse: Parser, frames: &[Vec<u8>]| {
        bench.rig.time_batches(batches, count, || {
            for payload in frames {
                black_box(parse(black_box(payload)));
            }
        })
    };
    rows.serde.add_alone(&peer(kind.peers.serde, &kind.frames));
    rows.serde_shuffled.add_alone(&peer(kind.peers.serde, &kind.shuffled));
    rows.sonic_slice.add_alone(&peer(kind.peers.sonic_slice, &kind.frames));
    rows.sonic_text.add_alone(&peer(kind.peers.sonic_text, &kind.frames));
}

fn report(bench: &mut Bench<'_>, kind: &Kind, rows: &Rows) {
    let name = |what: &str| format!("{}: {what}", kind.name);
    let times =
        |peer: &Series, own: &crate::series::Samples| peer.alone().map_or(f64::NAN, |peer| peer.over(own));
    bench.report.push_series(SUITE, &name("engine"), &rows.ours, &|_, own| {
        let sonic = times(&rows.sonic_slice, own).min(times(&rows.sonic_text, own));
        vec![
            Ratio::promised("faster than serde_json", times(&rows.serde, own), SERDE),
            Ratio::promised("faster than the best sonic-rs", sonic, SONIC),
        ]
    });
    bench.report.push_series(SUITE, &name("engine, fields in any order"), &rows.general, &|_, own| {
        vec![Ratio::promised("faster than serde_json", times(&rows.serde_shuffled, own), GENERAL)]
    });
    let none = |_, _: &crate::series::Samples| Vec::new();
    bench.report.push_series(SUITE, &name(json::SERDE), &rows.serde, &none);
    bench.report.push_series(SUITE, &name("serde_json, fields in any order"), &rows.serde_shuffled, &none);
    bench.report.push_series(SUITE, &name("sonic-rs, from bytes"), &rows.sonic_slice, &none);
    bench.report.push_series(SUITE, &name("sonic-rs, from text"), &rows.sonic_text, &none);
}
