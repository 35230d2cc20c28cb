//! The agents on their threads, and back from them.

use engine::agent::{Agent, Idle, IdleStrategy, Published, Runner, StopSignal};
use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::journal::JournalState;
use engine::shm::Bell;
use engine::shm::paths::IpcPaths;
use engine::simulation::live::LivePath;
use engine::simulation::recorder::{RecordedEntry, RecordedFeed};
use engine::tick_to_trade::assembly::{JournalSet, Path, PathParts};
use engine::tick_to_trade::ingest::Ingest;
use engine::tick_to_trade::risk::Risk;
use engine::tick_to_trade::route::Route;
use engine::tick_to_trade::strategy::host::StrategyHost;

use crate::config::values::OnShutdown;
use crate::run::Plan;
use crate::transport::Watch;
use crate::venue::house::House;
use crate::venue::{VenueEntry, VenueFeed};

/// Market data of a live session.
pub type Feed = RecordedFeed<VenueFeed>;
/// Order entry of a live session.
pub type Entry = RecordedEntry<VenueEntry>;

/// How long the last cancels may take at the end.
const SETTLE: Nanos = Nanos::from_secs(2);

/// The path on one thread, with the exchange if that is in this process.
pub struct SharedThread {
    /// The exchange.
    pub house: Option<House>,
    /// The agents.
    pub path: LivePath<Feed, VenueEntry>,
}

impl Agent for SharedThread {
    fn name(&self) -> &'static str {
        "engine"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.house.as_mut().map_or(0, |house| house.do_work(now)) + self.path.do_work(now)
    }

    fn next_deadline(&self) -> Nanos {
        let house = self.house.as_ref().map_or(Nanos::NEVER, House::next_deadline);
        house.min(self.path.next_deadline())
    }
}

/// The agents while they run.
pub enum Threads {
    /// All on one thread.
    Shared(Runner<SharedThread>),
    /// One thread each.
    Dedicated(Box<Dedicated>),
}

/// One thread each.
pub struct Dedicated {
    house: Option<Runner<House>>,
    ingest: Runner<Published<Ingest<Feed>>>,
    host: Runner<Published<StrategyHost>>,
    risk: Runner<Published<Risk>>,
    route: Runner<Published<Route<Entry>>>,
}

/// The agents after they have run.
pub struct Rested {
    /// The agents.
    pub path: Path<Feed, Entry>,
    /// Cycles that the input log had no room for.
    pub lost_cycles: u64,
}

/// Pins, clocks and idles threads alike.
pub struct Starter {
    clock: LiveClock,
    idle: IdleStrategy,
    ipc: IpcPaths,
    epoch: u32,
    cores: crate::topology::Cores,
    stop: StopSignal,
}

impl Starter {
    /// Threads of `plan` that stop at `stop`.
    #[must_use]
    pub fn new(plan: &Plan, stop: &StopSignal) -> Self {
        let (ipc, cores) = (plan.ipc.clone(), plan.cores.clone());
        Self { clock: plan.clock, idle: plan.idle, ipc, epoch: plan.epoch, cores, stop: stop.clone() }
    }

    /// Starts `agent` on the core chosen for its name; its sleep ends when something happens on a socket of `watches`.
    ///
    /// # Errors
    /// When there is no such core, or no thread can be made.
    pub fn start<A: Agent + Send + 'static>(
        &self,
        agent: A,
        watches: Vec<Watch>,
    ) -> Result<Runner<A>, SetupError> {
        let idle = Idle::new(self.idle);
        if watches.is_empty() {
            return self.start_with(agent, idle);
        }
        self.start_with(agent, idle.with_sleeper(Box::new(move |limit| _ = Watch::wait(&watches, limit))))
    }

    /// Starts `agent` as one of several, which wake each other by bells.
    fn start_among<A: Agent + Send + 'static>(&self, agent: A) -> Result<Runner<A>, SetupError> {
        let bell = Bell::of(&self.ipc, agent.name(), self.epoch)?;
        self.start_with(agent, Idle::new(self.idle).with_bell(bell))
    }

    fn start_with<A: Agent + Send + 'static>(&self, agent: A, idle: Idle) -> Result<Runner<A>, SetupError> {
        let core = self.cores.of(agent.name());
        Runner::start(agent, self.clock, core, idle, self.stop.clone())
    }

    /// Starts every agent of a path on a thread of its own, those behind first.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start_each(&self, house: Option<House>, path: Path<Feed, Entry>) -> Result<Threads, SetupError> {
        let PathParts { ingest, host, risk, route } = path.into_parts();
        let route = self.start_among(route)?;
        let risk = self.start_among(risk)?;
        let host = self.start_among(host)?;
        let ingest = self.start_among(ingest)?;
        let house = house.map(|house| self.start_among(house)).transpose()?;
        Ok(Threads::Dedicated(Box::new(Dedicated { house, ingest, host, risk, route })))
    }
}

impl Threads {
    /// Whether a thread ended by itself: a defect.
    #[must_use]
    pub fn any_ended(&self) -> bool {
        match self {
            Self::Shared(thread) => thread.is_finished(),
            Self::Dedicated(threads) => {
                threads.house.as_ref().is_some_and(Runner::is_finished)
                    || threads.ingest.is_finished()
                    || threads.host.is_finished()
                    || threads.risk.is_finished()
                    || threads.route.is_finished()
            }
        }
    }

    /// Whether every thread has ended.
    #[must_use]
    pub fn all_ended(&self) -> bool {
        match self {
            Self::Shared(thread) => thread.is_finished(),
            Self::Dedicated(threads) => {
                threads.house.as_ref().is_none_or(Runner::is_finished)
                    && threads.ingest.is_finished()
                    && threads.host.is_finished()
                    && threads.risk.is_finished()
                    && threads.route.is_finished()
            }
        }
    }

    /// Takes the agents back. Where resting orders are to be cancelled, strategies cancel theirs and risk what is left,
    /// whoever placed it: everything is driven on this thread until no order is open or two seconds have passed.
    ///
    /// # Errors
    /// When a thread panicked.
    pub fn rest(self, mut clock: LiveClock, on_shutdown: OnShutdown) -> Result<Rested, SetupError> {
        match self {
            Self::Shared(thread) => {
                let SharedThread { mut house, mut path } = thread.join()?;
                if on_shutdown == OnShutdown::Cancel {
                    path.close(clock.now());
                    settle(&mut clock, house.as_mut(), &mut path, |path| path.path().route().orders().live());
                }
                path.publish();
                house.iter_mut().for_each(House::publish);
                let lost_cycles = path.lost();
                Ok(Rested { path: path.into_path(), lost_cycles })
            }
            Self::Dedicated(threads) => {
                let Dedicated { house, ingest, host, risk, route } = *threads;
                let mut house = house.map(Runner::join).transpose()?;
                let parts = PathParts {
                    ingest: ingest.join()?,
                    host: host.join()?,
                    risk: risk.join()?,
                    route: route.join()?,
                };
                let mut path = Path::from_parts(parts);
                if on_shutdown == OnShutdown::Cancel {
                    path.close(clock.now());
                    settle(&mut clock, house.as_mut(), &mut path, |path| path.route().orders().live());
                }
                path.publish();
                house.iter_mut().for_each(House::publish);
                Ok(Rested { path, lost_cycles: 0 })
            }
        }
    }
}

/// Drives the path, and the exchange if it is here, until no order is open and both are idle, or time is over.
fn settle<P: Agent>(
    clock: &mut LiveClock,
    mut house: Option<&mut House>,
    path: &mut P,
    live: impl Fn(&P) -> usize,
) {
    let end = clock.now().saturating_add(SETTLE);
    loop {
        let now = clock.now();
        let work = house.as_mut().map_or(0, |house| house.do_work(now)) + path.do_work(now);
        if now >= end || (live(path) == 0 && work == 0) {
            return;
        }
    }
}

/// How long a disk that has no room is left alone.
const RETRY: Nanos = Nanos::from_millis(20);

/// Drains journals on a thread of its own: what the agents commit reaches the disk in groups.
pub struct JournalThread {
    journals: JournalSet,
    /// When it tries again; later than at once only while a disk has no room.
    due: Nanos,
}

impl JournalThread {
    /// Drains `journals`, whose health says what it meets.
    #[must_use]
    pub const fn new(journals: JournalSet) -> Self {
        Self { journals, due: Nanos(i64::MIN) }
    }

    /// Writes what is left, on the thread that asks.
    ///
    /// # Errors
    /// When a journal cannot be written, or could not be before.
    pub fn finish(mut self) -> Result<JournalSet, SetupError> {
        self.journals.health().check()?;
        self.journals.drain_all()?;
        Ok(self.journals)
    }
}

impl Agent for JournalThread {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        let before = self.journals.health().state();
        // Whoever looks after the process ends it.
        if now < self.due || before == JournalState::Failed {
            return 0;
        }
        let drained = self.journals.drain();
        match (&drained, before, self.journals.health().state()) {
            (Err(reason), _, JournalState::NoRoom) => {
                self.due = now.saturating_add(RETRY);
                if before == JournalState::Sound {
                    tracing::error!(%reason, "no room for a journal: no new order passes until there is");
                }
            }
            (Ok(_), JournalState::NoRoom, _) => tracing::warn!("there is room for the journals again"),
            _ => {}
        }
        drained.unwrap_or(0)
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }
}
