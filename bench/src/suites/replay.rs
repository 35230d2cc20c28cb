//! Replay of a recorded tape, quoting every 100 ms: decoding, books, the simulated exchange, risk, fills and journals,
//! beside hftbacktest and nautilus on the same recording where their Python packages are at hand.

use std::fs::File;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use engine::book::{Book, SyncRule};
use engine::domain::{Instrument, Instruments, Market, Nanos};
use engine::error::SetupError;
use engine::simulation::ahead::{FramesAhead, RecordedFrames};
use engine::simulation::source::{FrameSource as _, TapeFrames};
use engine::venue::binance::MarketEvent;
use engine::venue::binance::frames::{FrameDecoder, Read};
use engine::venue::replay::TapeSet;
use flate2::read::MultiGzDecoder;
use shells::replay::instruments::Table;

use crate::desk::playing::Replay;
use crate::frames::{Script, instrument};
use crate::histogram::Histogram;
use crate::machine::resident_bytes;
use crate::report::{Ratio, Row, Target};
use crate::rig::Placement;
use crate::series::{Samples, Series};
use crate::suites::Bench;

const SUITE: &str = "replay";

/// The recordings, in the test data.
const USD_M: &str = "tape/usdm_btcusdt_20240808.tsv.gz";
const DAY: &str = "tape/spot_nexousdt_a_20240723_0724.tsv.gz";

/// Frames of the tape that is made where there are no recordings.
const MADE: usize = 60_000;

/// What no replay of text on one core can be faster than, and with how many books of an instrument: none, and the exchange's and
/// the engine's.
const BOUNDS: [(&str, usize); 2] = [("nothing else", 0), ("and two books of it", 2)];

/// Memory after a day may be this many times that after its first hours.
const FLAT: Target = Target::AtMost(1.05);

/// A peer, its script's row, and how many times faster we must be.
const PEERS: [(&str, &str, &str, f64); 2] = [
    ("hftbacktest, ROI vector", "hftbacktest_replay.py", "mm100ms/roivec", 3.0),
    ("nautilus", "nautilus_replay.py", "quote 100ms", 30.0),
];

/// Runs the suite.
///
/// # Errors
/// When a tape cannot be read, or two replays of it differ.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let data = std::env::var_os("TRADING_TEST_DATA").map(PathBuf::from);
    let recorded = data.as_ref().map(|data| data.join(USD_M)).filter(|tape| tape.is_file());
    let recorded = recorded.filter(|_| bench.scale() != crate::rig::Scale::Tiny);
    let tape = match &recorded {
        Some(packed) => unpack(packed, bench.scratch)?,
        None => made(bench)?,
    };
    let (mut alone, mut ahead) = (Series::default(), Series::default());
    let mut bounds = [Series::default(), Series::default()];
    let mut end = None;
    for _ in 0..bench.scale().of(9, 3, 2) {
        let events = play(bench, &tape, &here, (&mut alone, &mut end))?;
        if bench.rig.has_two_cores() {
            let rig = bench.rig;
            let elsewhere =
                |tapes, table| Ok(rig.pair(|| FramesAhead::start(tapes, table), || ())?.0?.into());
            play(bench, &tape, &elsewhere, (&mut ahead, &mut end))?;
        }
        for (series, (_, books)) in bounds.iter_mut().zip(BOUNDS) {
            series.add_alone(&read(bench, &tape, events, books)?);
        }
    }
    let peers = recorded.as_ref().map(|packed| measure_peers(bench, packed)).unwrap_or_default();
    let ratios = |promised: bool| {
        let peers = &peers;
        move |_, own: &Samples| {
            let faster = |(name, target, events): &(&str, f64, f64)| {
                let (to, times) = (format!("faster than {name}"), 1_000.0 / events / own.figure());
                if promised {
                    Ratio::promised(to, times, Target::AtLeast(*target))
                } else {
                    Ratio::plain(to, times)
                }
            };
            peers.iter().map(faster).collect()
        }
    };
    let what = if recorded.is_some() { "the USD-M recording" } else { "a made tape" };
    let one = format!("an event of {what}, on one core");
    let two = format!("an event of {what}, read and decoded on another core");
    // As `trading replay` does it where it may use two cores: that is what is promised.
    let promised = bench.rig.has_two_cores();
    bench.report.push_series(SUITE, &one, &alone, &ratios(!promised));
    bench.report.push_series(SUITE, &two, &ahead, &ratios(promised));
    for (series, (more, _)) in bounds.iter().zip(BOUNDS) {
        let bound = format!("an event of {what}: read and decoded on one core, {more}");
        bench.report.push_series(SUITE, &bound, series, &ratios(false));
    }
    let rate = |series: &Series| series.alone().map(|samples| 1_000.0 / samples.figure());
    let End { requests, fills, .. } = end.unwrap_or_default();
    for (rate, cores) in [(rate(&alone), "one core"), (rate(&ahead), "two")] {
        let Some(rate) = rate else { continue };
        bench.report.note(format!(
            "replay: {rate:.2} million events a second of {what} on {cores}; each run made {requests} requests and {fills} fills and came to the same state hash"
        ));
    }
    if peers.is_empty() {
        bench.report.note("replay: hftbacktest and nautilus were not measured: see docs/benchmarks.md");
    }
    for (name, _, events) in &peers {
        let mut times = Histogram::default();
        times.record_mean(Nanos((1_000.0 / events * 1_000.0) as i64), 1_000);
        bench.report.push(Row::times(SUITE, format!("an event: {name}"), Placement::Alone, times));
    }
    if let Some(day) = data.map(|data| data.join(DAY)).filter(|tape| tape.is_file() && recorded.is_some()) {
        memory(bench, &day)?;
    }
    Ok(())
}

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct End {
    hash: String,
    requests: u64,
    fills: u64,
}

type Play<'a> = &'a dyn Fn(TapeSet, Arc<Instruments>) -> Result<RecordedFrames, SetupError>;

/// Reads a tape as it is needed.
fn here(tapes: TapeSet, _: Arc<Instruments>) -> Result<RecordedFrames, SetupError> {
    Ok(TapeFrames::new(tapes).into())
}

/// Plays `tape` once, adds the time of an event to `series`, and holds what it came to against the runs before. Returns how many
/// events there were.
fn play(
    bench: &Bench<'_>,
    tape: &Path,
    how: Play<'_>,
    (series, end): (&mut Series, &mut Option<End>),
) -> Result<u64, SetupError> {
    let mut replay = Replay::of(tape, how, bench.rig.stopwatch, bench.scratch)?;
    let (played, time) = bench.rig.time(|| replay.run(&mut |_| {}));
    played?;
    let mut times = Histogram::default();
    times.record_mean(time, replay.events());
    series.add_alone(&times);
    let (requests, fills) = replay.requests_and_fills();
    let found = End { hash: replay.state_hash(), requests, fills };
    if requests == 0 || *end.get_or_insert_with(|| found.clone()) != found {
        let reason = format!("{SUITE}: {found:?} is not what came before, or nothing");
        return Err(SetupError::Invalid(reason));
    }
    Ok(replay.events())
}

/// Times of an event when the tape is only read and decoded: no exchange, no agent; and no book, or `books` of each instrument.
fn read(bench: &Bench<'_>, tape: &Path, events: u64, books: usize) -> Result<Histogram, SetupError> {
    let instruments = Table::of(&[tape.to_path_buf()], None)?.instruments;
    let book = |(_, instrument): (_, &Instrument)| {
        let rule = SyncRule::of(instrument.market);
        (0..books).map(|_| Book::new(rule, instrument.filters.tick)).collect::<Vec<_>>()
    };
    let mut books: Vec<Vec<Book>> = instruments.iter().map(book).collect();
    let mut frames = TapeFrames::new(TapeSet::open(&[tape.to_path_buf()])?);
    let mut decoder = FrameDecoder::new(instruments);
    let mut take = |event: &Read<'_>| match *event {
        Ok(MarketEvent::Depth { instrument, ids, bids, asks, .. }) => {
            for book in &mut books[instrument as usize] {
                black_box(book.on_diff(ids, bids, asks));
            }
        }
        Ok(MarketEvent::Snapshot { instrument, last_update_id, bids, asks }) => {
            for book in &mut books[instrument as usize] {
                black_box(book.on_snapshot(last_update_id, bids, asks));
            }
        }
        _ => {}
    };
    let (outcome, time) = bench.rig.time(|| {
        while frames.next_time()? != Nanos::NEVER {
            frames.next(&mut |frame| decoder.decode(frame, |event| take(black_box(event))))?;
        }
        Ok::<_, SetupError>(())
    });
    outcome?;
    let mut times = Histogram::default();
    times.record_mean(time, events);
    Ok(times)
}

/// Unpacks a recording, so that only the replay itself is timed.
fn unpack(packed: &Path, scratch: &Path) -> Result<PathBuf, SetupError> {
    let io = |error| SetupError::io(packed, "unpacking it", error);
    let tape = scratch.join("tape.tsv");
    let mut unpacked = MultiGzDecoder::new(File::open(packed).map_err(io)?);
    std::io::copy(&mut unpacked, &mut File::create(&tape).map_err(io)?).map_err(io)?;
    Ok(tape)
}

/// A tape of made frames, for machines without recordings.
fn made(bench: &Bench<'_>) -> Result<PathBuf, SetupError> {
    let mut script = Script::new(instrument("BTCUSDT", Market::Spot), 7);
    let (url, snapshot) = script.snapshot(1_000);
    let mut text = format!("1723161600000000000\trest https://api.binance.com{url}\t").into_bytes();
    text.extend_from_slice(&snapshot);
    text.push(b'\n');
    for n in 0..bench.scale().of(MADE, MADE, 2_000) as u64 {
        let frame = match n % 8 {
            0 => script.depth(20),
            1 | 4 => script.trade(),
            _ => script.book_ticker(),
        };
        text.extend_from_slice(format!("{}\tws\t", 1_723_161_600_000_000_000 + n * 3_700_000).as_bytes());
        text.extend_from_slice(&frame);
        text.push(b'\n');
    }
    let tape = bench.scratch.join("tape.tsv");
    std::fs::write(&tape, text).map_err(|error| SetupError::io(&tape, "writing it", error))?;
    Ok(tape)
}

/// Millions of events a second of each peer that can be run: by `BENCH_PEERS`, the directory of their scripts, with the
/// prepared recording `usdm.npz` in it or made there, and `BENCH_PYTHON`, an interpreter that has their packages.
fn measure_peers(bench: &mut Bench<'_>, packed: &Path) -> Vec<(&'static str, f64, f64)> {
    let (Some(scripts), Some(python)) = (std::env::var_os("BENCH_PEERS"), std::env::var_os("BENCH_PYTHON"))
    else {
        return Vec::new();
    };
    let scripts = PathBuf::from(scripts).canonicalize().unwrap_or_default();
    let call = |script: &str, arguments: &[&std::ffi::OsStr]| {
        let mut command = Command::new(&python);
        command.current_dir(bench.scratch).arg(scripts.join(script)).args(arguments);
        let run = command.output().ok().filter(|run| run.status.success())?;
        Some(String::from_utf8_lossy(&run.stdout).into_owned())
    };
    if call("prepare.py", &[packed.as_os_str(), "usdm.npz".as_ref()]).is_none() {
        return Vec::new();
    }
    let repetitions = bench.scale().of("5", "2", "1");
    let mut found = Vec::new();
    for (name, script, row, target) in PEERS {
        let text = call(script, &[repetitions.as_ref()]).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(row));
        let millions =
            line.and_then(|line| line.split(" M ").next()?.rsplit(' ').next()?.parse::<f64>().ok());
        match millions {
            Some(millions) => found.push((name, target, millions)),
            None => bench.report.note(format!("replay: {name} was not measured: its script did not run")),
        }
    }
    found
}

/// A day of a recording: memory after it beside memory after its first four hours.
fn memory(bench: &mut Bench<'_>, day: &Path) -> Result<(), SetupError> {
    const EARLY: Nanos = Nanos::from_secs(4 * 3_600);
    let mut replay = Replay::of(day, &here, bench.rig.stopwatch, bench.scratch)?;
    let (mut start, mut early) = (None, 0);
    replay.run(&mut |now| {
        let began = *start.get_or_insert(now);
        if early == 0 && now - began > EARLY {
            early = resident_bytes();
        }
    })?;
    let late = resident_bytes();
    let mut bytes = Histogram::default();
    bytes.record(Nanos(late as i64));
    let row = Row::times(SUITE, "memory after a day of a recording", Placement::Alone, bytes);
    let ratio = Ratio::promised("that after four hours", late as f64 / early.max(1) as f64, FLAT);
    bench.report.push(Row { unit: "bytes", ..row }.with(ratio));
    Ok(())
}
