//! The engines: the one that is measured, alone on the second core, with a frame every quarter of a millisecond, and one that
//! is only there to be read. Each frame leads to an order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use engine::clock::tsc::LiveClock;
use engine::clock::{Clock, Stopwatch};
use engine::domain::{InstrumentIndex, Instruments, Market, Nanos};
use engine::error::SetupError;
use engine::primitive::Ordering;
use engine::shm::paths::IpcPaths;
use engine::venue::{Frame, MarketData, Source};

use crate::desk::entry::Encoder;
use crate::desk::{Desk, Plan};
use crate::frames::{Script, instrument};
use crate::histogram::Histogram;
use crate::series::Series;
use crate::suites::gateway::{Between, broken, phase};

/// From frame to frame.
pub const PACE: Nanos = Nanos::from_micros(250);

/// From frame to frame of the other engine: often enough for its book to be fresh.
const PACE_BESIDE: Nanos = Nanos::from_millis(100);

/// Between two looks of the other engine, which shares the first core with all who are asked and who ask.
const NAP: Duration = Duration::from_millis(20);

/// Levels of a frame, a side.
const LEVELS: usize = 20;

/// Frames before the first whose order is asked for: the book's snapshot, and the diff that joins it.
const BEFORE_ORDERS: u64 = 2;

/// Frames between two writings of the journals, which are not part of the way.
const CHUNK: u64 = 64;

/// A feed of one frame at a time, made before it arrives.
struct Prepared {
    market: Market,
    script: Script,
    url: Option<String>,
    payload: Vec<u8>,
    arrived: bool,
}

impl Prepared {
    /// A market that begins with its snapshot.
    fn new(mut script: Script, market: Market) -> Self {
        let (url, payload) = script.snapshot(1_000);
        Self { market, script, url: Some(url), payload, arrived: false }
    }

    fn make_next(&mut self) {
        (self.url, self.payload) = (None, self.script.depth(LEVELS));
    }
}

impl MarketData for Prepared {
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        if !std::mem::take(&mut self.arrived) {
            return false;
        }
        let source = self.url.as_deref().map_or(Source::Stream, Source::Rest);
        on_frame(&Frame { received: now, market: self.market, source, payload: &self.payload });
        true
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }

    fn request_snapshot(&mut self, _instrument: InstrumentIndex, _now: Nanos) {}
}

/// An engine with its market.
struct Mill {
    desk: Desk<Prepared, Encoder>,
    clock: LiveClock,
    stopwatch: Stopwatch,
    pace: Nanos,
    due: Nanos,
    frames: u64,
}

impl Mill {
    /// One with its journals under `journals` and its shared memory under `scratch`; tells where that is.
    fn new(
        pace: Nanos,
        journals: &Path,
        stopwatch: Stopwatch,
        (scratch, tell): (&Path, Sender<IpcPaths>),
    ) -> Result<Self, SetupError> {
        let mut clock = LiveClock::new(stopwatch);
        let traded = instrument("BTCUSDT", Market::Spot);
        let instruments = Arc::new(Instruments::new(vec![traded.clone()])?);
        let disk: Option<PathBuf> = Some(journals.to_path_buf());
        let start = clock.now();
        let plan = Plan { start, disk, ..Plan::new(Arc::clone(&instruments), Vec::new()) };
        let ends = (Prepared::new(Script::new(traded, 1), Market::Spot), Encoder::new(instruments));
        let desk = Desk::between(ends, &plan, stopwatch, scratch)?;
        // Whoever waits for it may have given up.
        let _ = tell.send(desk.ipc.clone());
        Ok(Self { desk, clock, stopwatch, pace, due: start, frames: 0 })
    }

    /// One duty cycle; if a frame was due, the time from its bytes to its order's.
    fn turn(&mut self) -> Result<Option<Nanos>, SetupError> {
        let now = self.clock.now();
        self.desk.at(now);
        if now < self.due {
            self.desk.cycle();
            return Ok(None);
        }
        // Frames that are late are not made up for: each arrives alone.
        self.due = now + self.pace;
        let time = one_frame(&mut self.desk, self.stopwatch, self.frames >= BEFORE_ORDERS)?;
        self.frames += 1;
        if self.frames.is_multiple_of(CHUNK) {
            self.desk.journals.drain_all()?;
        }
        self.desk.agents.ingest.agent_mut().feed_mut().make_next();
        Ok(Some(time))
    }
}

/// Runs until the end is asked for, with its journals under `journals`; tells where its shared memory is, and gives the
/// times of each phase, from a frame's bytes to its order's.
///
/// # Errors
/// When it cannot be made, or a frame does not lead to exactly one order.
pub fn run(
    between: &Between,
    journals: &Path,
    stopwatch: Stopwatch,
    place: (&Path, Sender<IpcPaths>),
) -> Result<[Series; phase::KINDS], SetupError> {
    let mut mill = Mill::new(PACE, journals, stopwatch, place)?;
    let mut series: [Series; phase::KINDS] = Default::default();
    let (mut times, mut current) = (Histogram::prepared(), phase::BETWEEN);
    loop {
        let wanted = between.wanted.load(Ordering::Acquire);
        if wanted != current {
            if let Some(series) = series.get_mut(usize::try_from(current).unwrap_or(usize::MAX)) {
                series.add_alone(&std::mem::replace(&mut times, Histogram::prepared()));
            }
            current = wanted;
            between.taken.store(0, Ordering::Release);
            between.seen.store(current, Ordering::Release);
        }
        if current == phase::END {
            return Ok(series);
        }
        if let Some(time) = mill.turn()?
            && (current as usize) < phase::KINDS
        {
            times.record(time);
            between.taken.fetch_add(1, Ordering::Release);
        }
    }
}

/// Runs an engine that nobody measures until the end is asked for, on the caller's core, which it mostly leaves alone.
///
/// # Errors
/// As [`run`].
pub fn run_beside(
    between: &Between,
    journals: &Path,
    stopwatch: Stopwatch,
    place: (&Path, Sender<IpcPaths>),
) -> Result<(), SetupError> {
    let mut mill = Mill::new(PACE_BESIDE, journals, stopwatch, place)?;
    while between.wanted.load(Ordering::Acquire) != phase::END {
        mill.turn()?;
        std::thread::sleep(NAP);
    }
    Ok(())
}

/// Lets the next frame arrive; the time until its order left.
fn one_frame(
    desk: &mut Desk<Prepared, Encoder>,
    stopwatch: Stopwatch,
    leads: bool,
) -> Result<Nanos, SetupError> {
    desk.agents.ingest.agent_mut().feed_mut().arrived = true;
    let orders = |desk: &Desk<Prepared, Encoder>| desk.agents.route.agent().entry().orders;
    let before = orders(desk);
    let start = stopwatch.elapsed();
    desk.cycle();
    let time = stopwatch.elapsed() - start;
    let sent = orders(desk) - before;
    if leads && sent != 1 {
        return Err(broken(format!("a frame led to {sent} orders")));
    }
    // The venue's answer comes later, and is no part of the way.
    while desk.cycle() > 0 {}
    Ok(time)
}
