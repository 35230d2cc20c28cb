//! A live session from the first thread to the last record.

use std::sync::Arc;
use std::time::Duration;

use engine::agent::{Idle, IdleStrategy, Runner, StopSignal};
use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::counters::HaltState;
use engine::domain::{Instruments, Nanos};
use engine::error::SetupError;
use engine::journal::Health;
use engine::ring::{bytes, spsc};
use engine::shm::paths::IpcPaths;
use engine::simulation::live::LivePath;
use engine::simulation::recorder::{Notes, RecordedEntry, RecordedFeed, Recorder};
use engine::simulation::source::GeneratedFrames;
use engine::tick_to_trade::assembly::{JournalSet, Path};
use engine::venue::link::{FeedReader, FeedWriter};
use engine::venue::replay::TapeWriter;

use crate::assembly::{Link, PathSetup};
use crate::cli::args::RunArgs;
use crate::cli::output::say;
use crate::config::Settings;
use crate::config::values::OnShutdown;
use crate::host::stall::{StallWatch, ended_within};
use crate::interrupt::Interrupt;
use crate::ports::Ports;
use crate::predecessor;
use crate::replay::summary::{Facts, Summary};
use crate::run::status::Status;
use crate::run::threads::{Entry, Feed, JournalThread, Rested, SharedThread, Starter, Threads};
use crate::run::{Backing, Plan, RING_CAPACITY, halts};
use crate::topology::Placement;
use crate::trade::Trading;
use crate::venue::house::{self, House, HouseFrames, LiveFrames};
use crate::venue::{VenueEntry, VenueFeed, timing};

/// Bytes of the recorder's ring of frames.
const RECORDER_BYTES: usize = 32 << 20;

/// How often the watching thread looks up.
const WATCH: Duration = Duration::from_millis(20);

/// How long threads that were told to end may take.
const LAST: Duration = Duration::from_secs(3);

/// Whose heartbeats are watched, beside the exchange's where it is in this process.
const AGENTS: [&str; 4] = ["ingest", "strategy", "risk", "route"];

/// A running session.
pub struct Live {
    threads: Threads,
    recorder: Runner<Recorder>,
    journals: Runner<JournalThread>,
    health: Health,
    stop_agents: StopSignal,
    stop_rest: StopSignal,
    stall: StallWatch,
    clock: LiveClock,
    session: std::path::PathBuf,
    on_shutdown: OnShutdown,
}

/// A session that has ended.
pub struct Ended {
    /// What it came to.
    pub summary: Summary,
    /// Frames, orders, answers and cycles that were not recorded, and what people did.
    pub lost: u64,
}

/// The wrapped ends of the link, and the recorder behind them.
struct Taps {
    feed: Feed,
    entry: Entry,
    recorder: Recorder,
}

impl Live {
    /// Makes everything and starts the threads.
    ///
    /// # Errors
    /// When a file or thread cannot be made, or a setting is no good.
    pub fn start(
        plan: &Plan,
        backing: Backing,
        (args, settings): (&RunArgs, &Settings),
        tape: TapeWriter,
    ) -> Result<Self, SetupError> {
        let targets = plan.trading.targets(&plan.instruments, &[])?;
        let strategies = plan.trading.strategies(&plan.instruments, &targets)?;
        let (_, said) = halts::restore((&plan.ipc, &plan.places), &plan.instruments, &strategies)?;
        if said != HaltState::Active {
            eprintln!("trading: the operator says {said}; `trading resume` takes it back");
        }
        let timing = timing(backing.window());
        let (house, feed, entry) = venued(plan, backing, args, settings)?;
        let watches: Vec<_> = [feed.watch()?, entry.watch()?].into_iter().flatten().collect();
        let mut taps = Taps::create(plan, feed, entry, tape)?;
        if args.placement == Placement::Shared {
            taps.entry = taps.entry.noting(Notes::new(timing.connection));
        }
        let session = plan.session.directory().to_owned();
        let on_shutdown = plan.on_shutdown;
        let mut clock = plan.clock;
        let setup = PathSetup {
            ipc: &plan.ipc,
            journals: &session,
            sync: true,
            epoch: plan.epoch,
            instruments: &plan.instruments,
            stopwatch: plan.stopwatch,
            capacity: RING_CAPACITY,
            external: true,
            now: clock.now(),
        };
        let mut config = setup.config(&plan.trading, &strategies)?;
        config.timing = timing;
        let mut journals = JournalSet::new(RING_CAPACITY);
        let mut path = Path::assemble(&config, strategies, taps.feed, taps.entry, &mut journals)?;
        if let Some(reason) = &plan.begins_halted {
            path.risk_mut().begin_halted(reason, config.now);
            predecessor::tell(reason);
        }
        let log = journals.open("input", &config)?;
        let (stop_agents, stop_rest) = (StopSignal::default(), StopSignal::default());
        let starter = Starter::new(plan, &stop_agents);
        let stall = StallWatch::new(&plan.ipc, AGENTS.into_iter().chain(house.is_some().then_some("venue")));
        let recorder = Runner::start(taps.recorder, plan.clock, None, Idle::patient(), stop_rest.clone())?;
        let health = journals.health().clone();
        let journals = JournalThread::new(journals);
        let journals =
            Runner::start(journals, plan.clock, None, Idle::new(IdleStrategy::Park), stop_rest.clone())?;
        let threads = match args.placement {
            Placement::Shared => {
                path.share_thread(&plan.instruments);
                let path = LivePath::new(path, log, plan.stopwatch);
                Threads::Shared(starter.start(SharedThread { house, path }, watches)?)
            }
            Placement::Dedicated => starter.start_each(house, path)?,
        };
        Ok(Self {
            threads,
            recorder,
            journals,
            health,
            stop_agents,
            stop_rest,
            stall,
            clock,
            session,
            on_shutdown,
        })
    }

    /// Shows a line a second until the time is over, a signal comes, or a thread ends by itself.
    ///
    /// # Errors
    /// When an agent beats no more, or a journal cannot be written.
    pub fn watch(
        &mut self,
        (duration, interrupt): (Option<Nanos>, &Interrupt),
        mut status: Status,
        quiet: bool,
        ports: Option<&Ports>,
    ) -> Result<(), SetupError> {
        let mut clock = self.clock;
        let start = clock.now();
        let end = duration.map_or(Nanos::NEVER, |duration| start.saturating_add(duration));
        let mut next_line = start.saturating_add(Nanos::from_secs(1));
        let mut told = Vec::new();
        loop {
            self.health.check()?;
            let now = clock.now();
            if now >= end || interrupt.came() || self.threads.any_ended() {
                return Ok(());
            }
            self.stall.check(now)?;
            // A port that is taken stops no trading: people are told, once.
            for complaint in ports.map(Ports::complaints).unwrap_or_default() {
                if !told.contains(&complaint) {
                    eprintln!("trading: {complaint}");
                    told.push(complaint);
                }
            }
            if now >= next_line {
                next_line = next_line.saturating_add(Nanos::from_secs(1));
                if !quiet {
                    say!("{}", status.line(now - start));
                }
            }
            std::thread::sleep(WATCH);
        }
    }

    /// Stops in order: strategies, orders, agents, then recorder and journals.
    ///
    /// # Errors
    /// When a thread panicked or does not end, a journal or the tape failed, or the session does not reconcile.
    pub fn end(
        self,
        trading: &Trading,
        instruments: &Arc<Instruments>,
        ipc: &IpcPaths,
        elapsed: Nanos,
    ) -> Result<Ended, SetupError> {
        self.stop_agents.stop();
        let rested = if ended_within(LAST, || self.threads.all_ended()) {
            self.threads.rest(self.clock, self.on_shutdown)
        } else {
            Err(SetupError::Invalid("the agents' threads do not end; what rests is left as it is".to_owned()))
        };
        self.stop_rest.stop();
        let written = || self.recorder.is_finished() && self.journals.is_finished();
        let rested = match rested {
            // A disk that hangs may be the reason, and is not waited for.
            Err(reason) if !ended_within(LAST, written) => return Err(reason),
            rested => rested,
        };
        self.recorder.join()?.finish()?;
        let journals = self.journals.join()?.finish()?;
        let Rested { path, lost_cycles } = rested?;
        // What people sent, and when they halted, is on no tape.
        let lost = lost_cycles
            + path.ingest().feed().lost()
            + path.route().entry().lost()
            + path.risk().counts().external
            + path.risk().counts().commands
            + path.host().commanded()
            + path.risk().halts().held()
            + path.route().halts().held();
        let facts =
            Facts { elapsed, inferred: Vec::new(), trading: trading.clone(), journals: self.session.clone() };
        let summary = Summary::of(&path, &journals, instruments, ipc, facts)?;
        drop(path);
        journals.retire()?;
        Ok(Ended { summary, lost })
    }
}

impl Taps {
    fn create(plan: &Plan, feed: VenueFeed, entry: VenueEntry, tape: TapeWriter) -> Result<Self, SetupError> {
        let (frames, frames_cursor) = plan.ipc.link("recorded-frames");
        let (departures, departures_cursor) = plan.ipc.link("recorded-departures");
        let (answers, answers_cursor) = plan.ipc.link("recorded-answers");
        let epoch = plan.epoch;
        let tap = FeedWriter::new(bytes::Producer::create(&frames, &frames_cursor, RECORDER_BYTES, epoch)?);
        let leaving = spsc::Producer::create(&departures, &departures_cursor, RING_CAPACITY, epoch)?;
        let answering = spsc::Producer::create(&answers, &answers_cursor, RING_CAPACITY, epoch)?;
        let recorder = Recorder::new(
            FeedReader::new(bytes::Consumer::attach(&frames, &frames_cursor)?),
            spsc::Consumer::attach(&departures, &departures_cursor)?,
            spsc::Consumer::attach(&answers, &answers_cursor)?,
            Arc::clone(&plan.instruments),
            tape,
        );
        let feed = RecordedFeed::new(feed, tap);
        Ok(Self { feed, entry: RecordedEntry::new(entry, leaving, answering), recorder })
    }
}

/// The venue as the agents see it, and the exchange behind it if that is in this process.
fn venued(
    plan: &Plan,
    backing: Backing,
    args: &RunArgs,
    settings: &Settings,
) -> Result<(Option<House>, VenueFeed, VenueEntry), SetupError> {
    let mut clock = plan.clock;
    let frames = match backing {
        Backing::Sockets(way, listing) => {
            let feed = VenueFeed::Sockets(Box::new(way.feed(&listing, settings, &mut clock)?));
            let entry = VenueEntry::Sockets(Box::new(way.entry(&listing, settings, &mut clock)?));
            return Ok((None, feed, entry));
        }
        Backing::Paper(way, listing) => {
            HouseFrames::Live(Box::new(LiveFrames::new(way.feed(&listing, settings, &mut clock)?)))
        }
        Backing::Generated(market) => {
            HouseFrames::Generated(GeneratedFrames::new(*market, &plan.symbols, &plan.instruments))
        }
    };
    let Link { feed, entry, venue } = Link::create(&plan.ipc, RING_CAPACITY, plan.epoch)?;
    let house = house::open(frames, venue, &plan.instruments, &args.fills, (&plan.ipc, plan.epoch))?;
    Ok((Some(house), VenueFeed::Link(Box::new(feed)), VenueEntry::Link(Box::new(entry))))
}
