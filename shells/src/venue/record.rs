//! `trading record`: the venue's market data on a tape, with the snapshots that its books need.
//!
//! Ingest itself follows the books while it records, so that a snapshot stands on the tape wherever a replay needs one:
//! at the start, and after every hole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::agent::Agent;
use engine::clock::tsc::LiveClock;
use engine::clock::{Clock, Stopwatch};
use engine::domain::{InstrumentIndex, Nanos};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::apart;
use engine::venue::replay::{TapeSource, TapeWriter};
use engine::venue::{Frame, MarketData};

use crate::assembly::PathSetup;
use crate::cli::args::{ParameterArgs, RecordArgs};
use crate::cli::output::say;
use crate::config::{Environment, Settings};
use crate::interrupt::Interrupt;
use crate::tapes;
use crate::trade::Trading;
use crate::venue::{Way, access};

/// Room of the rings, which nobody reads.
const CAPACITY: usize = 4_096;

/// How often a line tells how far it is.
const LINE: Nanos = Nanos::from_secs(1);

/// How long a thread without frames sleeps.
const SLEEP: Duration = Duration::from_millis(1);

/// A feed that leaves all it gives on a tape.
struct Taped<M> {
    inner: M,
    tape: Option<TapeWriter>,
    failure: Option<SetupError>,
    frames: u64,
}

impl<M: MarketData> MarketData for Taped<M> {
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        let Self { inner, tape, failure, frames } = self;
        let Some(tape) = tape.as_mut().filter(|_| failure.is_none()) else { return false };
        inner.poll(now, &mut |frame| {
            // One without a word tells nothing, and a tape cannot hold it.
            if !frame.payload.is_empty() {
                *failure = tape.write(frame.received, frame.source.into(), frame.payload).err();
                *frames += 1;
            }
            on_frame(frame);
        })
    }

    fn next_deadline(&self) -> Nanos {
        self.inner.next_deadline()
    }

    fn reconnects(&self) -> u64 {
        self.inner.reconnects()
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos) {
        self.inner.request_snapshot(instrument, now);
    }
}

/// Runs `trading record`.
///
/// # Errors
/// When the venue does not say what it lists, or the tape cannot be written.
pub fn run(args: &RecordArgs, environment: &Environment) -> Result<(), SetupError> {
    let settings = access::settings(&args.settings, environment, Settings::market_data_secrets)?;
    crate::log::start(&settings);
    let interrupt = Interrupt::catch()?;
    let stopwatch = Stopwatch::calibrate();
    let mut clock = LiveClock::new(stopwatch);
    let mut trading = Trading::of(&settings, &ParameterArgs::default())?;
    trading.strategies.clear();
    let way = Way::of(&settings)?;
    let listing = way.ask_listing(&trading.symbols, &mut clock)?;
    interrupt.begun();
    let (path, mut tape) = begin(&args.out, &settings, clock.now())?;
    tape.write(clock.now(), TapeSource::Rest(&listing.url), listing.body())?;
    let feed = Taped {
        inner: way.feed(&listing, &settings, &mut clock)?,
        tape: Some(tape),
        failure: None,
        frames: 0,
    };

    let scratch = tempfile::tempdir().map_err(|error| SetupError::io("a directory", "making it", error))?;
    let ipc = IpcPaths::new(scratch.path());
    ipc.create()?;
    let setup = PathSetup {
        ipc: &ipc,
        journals: scratch.path(),
        sync: false,
        epoch: 1,
        instruments: &Arc::clone(&listing.instruments),
        stopwatch,
        capacity: CAPACITY,
        external: false,
        now: clock.now(),
    };
    let mut ingest = apart::ingest(&setup.config(&trading, &[])?, feed)?;
    say!("recording {} of {} to {}", trading.symbols.join(","), way.venue, path.display());
    let start = clock.now();
    let end = args.duration.map_or(Nanos::NEVER, |span| start.saturating_add(span.0));
    let mut next_line = start.saturating_add(LINE);
    loop {
        let now = clock.now();
        if now >= end || interrupt.came() || ingest.agent().feed().failure.is_some() {
            break;
        }
        if ingest.do_work(now) == 0 {
            std::thread::sleep(SLEEP);
        }
        if now >= next_line {
            next_line = now.saturating_add(LINE);
            tell(ingest.agent(), now - start);
        }
    }
    tell(ingest.agent(), clock.now() - start);
    let feed = ingest.agent_mut().feed_mut();
    let finished = feed.tape.take().map_or(Ok(()), TapeWriter::finish);
    feed.failure.take().map_or(finished, Err)
}

fn tell<M: MarketData>(ingest: &engine::tick_to_trade::ingest::Ingest<Taped<M>>, elapsed: Nanos) {
    let counted = ingest.counters();
    say!(
        "{:>4} s  frames {}  diffs {}  snapshots {}  gaps {}  reconnects {}",
        elapsed.0 / 1_000_000_000,
        ingest.feed().frames,
        counted.diffs + counted.diffs_stale,
        counted.snapshots,
        counted.gaps,
        ingest.feed().reconnects()
    );
}

/// A new tape in `directory`, named after the venue and the time at which it begins.
fn begin(directory: &Path, settings: &Settings, now: Nanos) -> Result<(PathBuf, TapeWriter), SetupError> {
    fs::create_dir_all(directory).map_err(|error| SetupError::io(directory, "making it", error))?;
    let path = directory.join(tapes::name(settings.venue, now));
    let tape = TapeWriter::create(&path)?;
    Ok((path, tape))
}
