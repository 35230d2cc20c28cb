//! The agents on their threads, and back from them.

use engine::agent::{Agent, IdleStrategy, Published, Runner, StopSignal};
use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::simulation::exchange::SimulatedExchange;
use engine::simulation::live::LivePath;
use engine::simulation::recorder::{RecordedEntry, RecordedFeed};
use engine::simulation::source::GeneratedFrames;
use engine::tick_to_trade::assembly::{JournalSet, Path, PathParts};
use engine::tick_to_trade::ingest::Ingest;
use engine::tick_to_trade::risk::Risk;
use engine::tick_to_trade::route::Route;
use engine::tick_to_trade::strategy::host::StrategyHost;
use engine::venue::link::{LinkFeed, LinkOrderEntry};

use crate::config::values::OnShutdown;
use crate::run::Plan;

/// Market data of a live session.
pub type Feed = RecordedFeed<LinkFeed>;
/// Order entry of a live session.
pub type Entry = RecordedEntry<LinkOrderEntry>;
/// The exchange of a live session.
pub type Exchange = Published<SimulatedExchange<GeneratedFrames>>;

/// How long strategies' last cancels may take at the end.
const SETTLE: Nanos = Nanos::from_secs(2);

/// The exchange and the path on one thread.
pub struct SharedThread {
    /// The exchange.
    pub exchange: Exchange,
    /// The agents.
    pub path: LivePath<Feed, Entry>,
}

impl Agent for SharedThread {
    fn name(&self) -> &'static str {
        "engine"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.exchange.do_work(now) + self.path.do_work(now)
    }

    fn next_deadline(&self) -> Nanos {
        self.exchange.next_deadline().min(self.path.next_deadline())
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
    exchange: Runner<Exchange>,
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
    cores: crate::topology::Cores,
    stop: StopSignal,
}

impl Starter {
    /// Threads of `plan` that stop at `stop`.
    #[must_use]
    pub fn new(plan: &Plan, stop: &StopSignal) -> Self {
        Self { clock: plan.clock, idle: plan.idle, cores: plan.cores.clone(), stop: stop.clone() }
    }

    /// Starts `agent` on the core chosen for its name.
    ///
    /// # Errors
    /// When there is no such core, or no thread can be made.
    pub fn start<A: Agent + Send + 'static>(&self, agent: A) -> Result<Runner<A>, SetupError> {
        let core = self.cores.of(agent.name());
        Runner::start(agent, self.clock, core, self.idle, self.stop.clone())
    }

    /// Starts every agent of a path on a thread of its own, those behind first.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start_each(&self, exchange: Exchange, path: Path<Feed, Entry>) -> Result<Threads, SetupError> {
        let PathParts { ingest, host, risk, route } = path.into_parts();
        let route = self.start(route)?;
        let risk = self.start(risk)?;
        let host = self.start(host)?;
        let ingest = self.start(ingest)?;
        let exchange = self.start(exchange)?;
        Ok(Threads::Dedicated(Box::new(Dedicated { exchange, ingest, host, risk, route })))
    }
}

impl Threads {
    /// Whether a thread ended by itself: a defect.
    #[must_use]
    pub fn any_ended(&self) -> bool {
        match self {
            Self::Shared(thread) => thread.is_finished(),
            Self::Dedicated(threads) => {
                threads.exchange.is_finished()
                    || threads.ingest.is_finished()
                    || threads.host.is_finished()
                    || threads.risk.is_finished()
                    || threads.route.is_finished()
            }
        }
    }

    /// Takes the agents back. Where resting orders are to be cancelled it stops the strategies, and drives everything
    /// on this thread until no order is open or two seconds have passed.
    ///
    /// # Errors
    /// When a thread panicked.
    pub fn rest(self, mut clock: LiveClock, on_shutdown: OnShutdown) -> Result<Rested, SetupError> {
        match self {
            Self::Shared(thread) => {
                let SharedThread { mut exchange, mut path } = thread.join()?;
                if on_shutdown == OnShutdown::Cancel {
                    path.stop(clock.now());
                    settle(&mut clock, &mut exchange, &mut path, |path| path.path().route().orders().live());
                }
                path.publish();
                exchange.publish();
                let lost_cycles = path.lost();
                Ok(Rested { path: path.into_path(), lost_cycles })
            }
            Self::Dedicated(threads) => {
                let Dedicated { exchange, ingest, host, risk, route } = *threads;
                let mut exchange = exchange.join()?;
                let parts = PathParts {
                    ingest: ingest.join()?,
                    host: host.join()?,
                    risk: risk.join()?,
                    route: route.join()?,
                };
                let mut path = Path::from_parts(parts);
                if on_shutdown == OnShutdown::Cancel {
                    path.stop(clock.now());
                    settle(&mut clock, &mut exchange, &mut path, |path| path.route().orders().live());
                }
                path.publish();
                exchange.publish();
                Ok(Rested { path, lost_cycles: 0 })
            }
        }
    }
}

/// Drives exchange and path until no order is open and both are idle, or time is over.
fn settle<P: Agent>(
    clock: &mut LiveClock,
    exchange: &mut Exchange,
    path: &mut P,
    live: impl Fn(&P) -> usize,
) {
    let end = clock.now().saturating_add(SETTLE);
    loop {
        let now = clock.now();
        let work = exchange.do_work(now) + path.do_work(now);
        if now >= end || (live(path) == 0 && work == 0) {
            return;
        }
    }
}

/// Drains journals on a thread of its own: what the agents commit reaches the disk in groups.
pub struct JournalThread {
    /// The writers.
    pub journals: JournalSet,
    /// What went wrong; nothing is written after it.
    pub failure: Option<SetupError>,
}

impl Agent for JournalThread {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn do_work(&mut self, _now: Nanos) -> usize {
        if self.failure.is_some() {
            return 0;
        }
        self.journals.drain().unwrap_or_else(|error| {
            self.failure = Some(error);
            0
        })
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }
}
