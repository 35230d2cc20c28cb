//! Hosting: some or all of the agents in this process, the others in processes of their own, attached in any order.
//!
//! ```text
//! trading engine                       the four agents on one thread, no ports
//! trading engine --role risk           one of them; the others run elsewhere, come late, and may be restarted alone
//! ```
//!
//! Unlike `trading run`, a host that was killed goes on where it was: in its own rings, journals and halt page, in the
//! same engine epoch and session. A process whose epoch is over says so and ends.

mod crew;
mod keeper;
mod link;
pub mod stall;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::agent::{Idle, IdleStrategy, Runner, StopSignal};
use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::domain::{Instruments, Nanos};
use engine::error::SetupError;
use engine::journal::Health;
use engine::shm::paths::IpcPaths;
use engine::shm::{Bell, Late, OwnerLock};
use engine::tick_to_trade::assembly::{JournalSet, PathConfig, StrategySlot, Timeline, apart};

use crate::assembly::PathSetup;
use crate::cli::args::{EngineArgs, Role};
use crate::cli::output::say;
use crate::config::values::OnShutdown;
use crate::config::{Environment, Secrets, Settings, Venue};
use crate::host::crew::{Crew, Seat};
use crate::host::keeper::{Keeper, keep};
use crate::host::link::{Ends, Writers};
use crate::host::stall::{StallWatch, ended_within};
use crate::interrupt::Interrupt;
use crate::operator::logged::LoggedHalts;
use crate::predecessor;
use crate::quota;
use crate::run::threads::JournalThread;
use crate::run::{RING_CAPACITY, halts, recovery};
use crate::session::{self, Session, SessionFile};
use crate::trade::Trading;
use crate::venue::house::{self, House, HouseFrames, LiveFrames};
use crate::venue::listing::{self, Listing, inode};
use crate::venue::{VenueEntry, VenueFeed, Way, access};

/// How long a process that needs something of others waits until it looks again.
const AGAIN: Duration = Duration::from_millis(20);

/// How often it looks before it gives up: for a minute.
const ATTEMPTS: u32 = 3_000;

/// How long a thread that was told to end may take.
const LAST: Duration = Duration::from_secs(1);

/// How often a hosting process looks after its threads and its epoch.
const WATCH: Duration = Duration::from_millis(100);

/// What a session made by a host is called in its description.
pub const PLACEMENT: &str = "engine";

/// Runs `trading engine`.
///
/// # Errors
/// When another process plays one of the roles, what it needs of others does not come, a thread fails, or the engine's
/// epoch ends.
pub fn run(args: &EngineArgs, environment: &Environment) -> Result<(), SetupError> {
    let settings = access::settings(&args.settings, environment, |settings| reads(args, settings))?;
    crate::log::start(&settings);
    let interrupt = Interrupt::catch()?;
    let mut host = Host::start(args, &settings, &interrupt)?;
    say!("engine: epoch {}, {}", host.epoch, host.roles());
    let mut clock = host.clock;
    let end = args.duration.map_or(Nanos::NEVER, |span| clock.now().saturating_add(span.0));
    let mut outcome = Ok(());
    while !interrupt.came() && clock.now() < end {
        outcome = host.check();
        if outcome.is_err() {
            break;
        }
        std::thread::sleep(WATCH);
    }
    outcome.and(host.stop())
}

/// Which secrets a process with these arguments reads: who signs orders all, who follows SBE streams the key to those.
#[must_use]
pub fn reads(args: &EngineArgs, settings: &Settings) -> Secrets {
    let plays = |role| args.roles(settings.venue).is_ok_and(|roles| roles.contains(&role));
    match settings.venue {
        Venue::Paper if plays(Role::Venue) => settings.market_data_secrets(),
        Venue::Paper => Secrets::Withhold,
        _ if plays(Role::Route) => Secrets::Read,
        _ if plays(Role::Ingest) => settings.market_data_secrets(),
        _ => Secrets::Withhold,
    }
}

/// The agents that this process hosts, running.
pub struct Host {
    ipc: IpcPaths,
    roles: Vec<Role>,
    epoch: u32,
    /// As route's ring shows it.
    route_epoch: Late<u32>,
    clock: LiveClock,
    crew: Runner<Crew>,
    journals: Runner<JournalThread>,
    keeper: Option<Runner<Keeper>>,
    health: Health,
    stop_crew: StopSignal,
    /// Of the journals' thread, and of the tapes'.
    stop_journals: StopSignal,
    stall: StallWatch,
    on_shutdown: OnShutdown,
    feed: Option<PathBuf>,
    feed_inode: Option<u64>,
    edition: Option<u64>,
    logged_halts: Option<LoggedHalts>,
    locks: Vec<OwnerLock>,
}

/// What all roles are made from.
struct Ground<'a> {
    args: &'a EngineArgs,
    settings: &'a Settings,
    ipc: IpcPaths,
    trading: Trading,
    timeline: Timeline,
    way: Way,
    listing: Listing,
    edition: Option<u64>,
    instruments: Arc<Instruments>,
    epoch: u32,
    session: PathBuf,
    logged_halts: Option<LoggedHalts>,
}

/// The venue as the agents of this process see it.
struct Venued {
    house: Option<House>,
    feed: Option<VenueFeed>,
    entry: Option<VenueEntry>,
}

impl Host {
    /// Takes the roles, makes or goes on with what they own, waits for what they need of others, and starts: from then on
    /// `interrupt` is to be looked at.
    ///
    /// # Errors
    /// When a role is taken, a file cannot be made, or patience is over: the message names what is missing.
    pub fn start(args: &EngineArgs, settings: &Settings, interrupt: &Interrupt) -> Result<Self, SetupError> {
        quota::permit(settings.idle, Path::new("/"))?;
        let ipc = IpcPaths::new(&settings.places.ipc);
        ipc.create()?;
        let roles = args.roles(settings.venue)?;
        if settings.venue.needs_credentials() && roles.contains(&Role::Route) {
            // Before anybody is asked anything.
            settings.credentials()?;
        }
        let locks = roles.iter().map(|role| OwnerLock::take(&ipc, role.owner()));
        let locks = locks.collect::<Result<Vec<_>, _>>()?;
        let mut ground = Ground::prepare(args, settings, ipc, &roles)?;
        let mut journals = JournalSet::new(RING_CAPACITY);
        let (seats, keeper) = ground.seats(&roles, &mut journals)?;
        interrupt.begun();
        let (stop_crew, stop_journals) = (StopSignal::default(), StopSignal::default());
        let clock = ground.timeline.clock;
        let health = journals.health().clone();
        // Not all have a journal; what is in one is to be on the disk within a millisecond or so.
        let writing = if journals.is_empty() { Idle::patient() } else { Idle::new(IdleStrategy::Park) };
        let thread = JournalThread::new(journals);
        let journals = Runner::start(thread, clock, None, writing, stop_journals.clone())?;
        let start = |keeper| Runner::start(keeper, clock, None, Idle::patient(), stop_journals.clone());
        let keeper = keeper.map(start).transpose()?;
        let core = settings.cores.of(if roles.len() == 1 { roles[0].owner() } else { "engine" });
        let idle = Idle::new(settings.idle).with_bell(Bell::of(&ground.ipc, roles[0].owner(), ground.epoch)?);
        let crew = Runner::start(Crew::new(seats), clock, core, idle, stop_crew.clone())?;
        let linked = settings.venue == Venue::Paper && roles.contains(&Role::Ingest);
        let feed = linked.then(|| ground.ipc.link("feed").0);
        let feed_inode = feed.as_deref().and_then(inode);
        let Ground { ipc, epoch, edition, logged_halts, .. } = ground;
        let stall = StallWatch::new(&ipc, roles.iter().map(|role| role.owner()));
        Ok(Self {
            route_epoch: apart::route_epoch(&ipc),
            ipc,
            roles,
            epoch,
            clock,
            crew,
            journals,
            keeper,
            health,
            stop_crew,
            stop_journals,
            stall,
            on_shutdown: settings.on_shutdown,
            feed,
            feed_inode,
            edition,
            logged_halts,
            locks,
        })
    }

    /// Whether it can go on; to be called at least every 100 ms or so.
    ///
    /// # Errors
    /// When a journal cannot be written, a thread has ended by itself, an agent beats no more, route has begun another
    /// epoch, the venue's rules have changed, or the feed of `paper` is another one.
    pub fn check(&mut self) -> Result<(), SetupError> {
        self.health.check()?;
        let now = self.clock.now();
        self.stall.check(now)?;
        if let Some(halts) = &mut self.logged_halts {
            halts.follow();
        }
        let kept = self.keeper.as_ref().is_none_or(|keeper| !keeper.is_finished());
        if self.crew.is_finished() || self.journals.is_finished() || !kept {
            return Err(SetupError::Invalid("a thread of the engine ended by itself".to_owned()));
        }
        self.route_epoch.refresh(now);
        // A ring that is not there for a moment is no other epoch.
        if let Some(&found) = self.route_epoch.get()
            && found != self.epoch
            && self.roles.iter().any(|role| matches!(role, Role::Risk | Role::Strategy))
        {
            let reason = format!("route has begun epoch {found}; this process belongs to {}", self.epoch);
            return Err(SetupError::Invalid(reason));
        }
        // One that is not there for a moment says nothing else.
        if let Some(found) = listing::edition(&self.ipc)
            && self.edition.is_some_and(|edition| edition != found)
        {
            let reason = "the venue's rules have changed: start again to follow them";
            return Err(SetupError::file(listing::file(&self.ipc), reason));
        }
        match &self.feed {
            Some(feed) if inode(feed) != self.feed_inode => {
                Err(SetupError::file(feed, "the venue has made a new feed: start again to read it"))
            }
            _ => Ok(()),
        }
    }

    /// Ends in order: what rests is cancelled or kept, agents stop, journals are written to the end.
    ///
    /// # Errors
    /// When a thread panicked or does not end, or a journal cannot be written.
    pub fn stop(self) -> Result<(), SetupError> {
        self.stop_crew.stop();
        let rested = if ended_within(LAST, || self.crew.is_finished()) {
            let mut clock = self.clock;
            self.crew.join().map(|crew| crew.rest(&mut clock, self.on_shutdown)).map(tell)
        } else {
            // Its thread still writes what these guard: only the process's end frees them.
            std::mem::forget(self.locks);
            Err(SetupError::Invalid(
                "the agents' thread does not end; what rests is left as it is".to_owned(),
            ))
        };
        self.stop_journals.stop();
        if !ended_within(LAST, || self.journals.is_finished()) {
            return Err(SetupError::Invalid("the journals' thread does not end".to_owned()));
        }
        if let Some(keeper) = self.keeper.filter(|keeper| ended_within(LAST, || keeper.is_finished())) {
            keeper.join()?.finish();
        }
        // The rings stay: another process may be reading them, and the next life goes on in them.
        self.journals.join()?.finish().and(rested)
    }

    fn roles(&self) -> String {
        self.roles.iter().map(|role| role.owner()).collect::<Vec<_>>().join(" ")
    }
}

impl<'a> Ground<'a> {
    fn prepare(
        args: &'a EngineArgs,
        settings: &'a Settings,
        ipc: IpcPaths,
        roles: &[Role],
    ) -> Result<Self, SetupError> {
        let mut timeline = if roles.contains(&Role::Ingest) {
            Timeline::publish(&ipc)?
        } else {
            wait(|| Timeline::find(&ipc))?
        };
        let trading = Trading::of(settings, &args.parameters)?;
        let way = Way::of(settings)?;
        let listing = if roles.contains(&Role::Ingest) {
            let listing = way.ask_listing(&trading.symbols, &mut timeline.clock)?;
            listing.publish(&ipc)?;
            listing
        } else {
            wait(|| Listing::find(&ipc, settings.venue, &trading.symbols))?
        };
        let mut ground = Self {
            args,
            settings,
            edition: listing::edition(&ipc),
            ipc,
            trading,
            timeline,
            way,
            instruments: Arc::clone(&listing.instruments),
            listing,
            epoch: 1,
            session: settings.places.data.clone(),
            logged_halts: None,
        };
        if roles.contains(&Role::Route) {
            (ground.session, ground.epoch) = ground.own_session()?;
        } else if roles.iter().any(|role| matches!(role, Role::Risk | Role::Strategy)) {
            ground.epoch = wait(|| apart::epoch(&ground.ipc))?;
            ground.session = Session::of(&settings.places, ground.epoch).directory().to_owned();
        }
        if roles.contains(&Role::Risk) {
            let (places, epoch) = (&settings.places, ground.epoch);
            recovery::recover_risk_apart(&ground.ipc, places, epoch)?;
            wait(|| Session::of(places, epoch).keep_risk_apart(places, epoch, settings.sessions_kept))?;
        }
        Ok(ground)
    }

    /// The session that route was in when it was killed, or a new one.
    fn own_session(&self) -> Result<(PathBuf, u32), SetupError> {
        let places = &self.settings.places;
        if let Ok(epoch) = apart::epoch(&self.ipc) {
            let directory = Session::of(places, epoch).directory().to_owned();
            if Session::open(&directory).is_ok_and(|(_, file)| file.placement == PLACEMENT) {
                return Ok((directory, epoch));
            }
        }
        // What another kind of engine left belongs to its own session.
        recovery::recover(&self.ipc, places)?;
        let least = session::least_epoch(self.settings.venue, { self.timeline.clock }.now());
        let (session, epoch) = Session::create(places, self.settings.sessions_kept, least)?;
        let trading = self.trading.clone();
        let file = SessionFile::begin(epoch, PLACEMENT, trading, RING_CAPACITY, 0);
        session.describe(&file.at_venue(self.way.window()))?;
        Ok((session.directory().to_owned(), epoch))
    }

    fn config(&self, strategies: &[StrategySlot]) -> Result<PathConfig, SetupError> {
        let setup = PathSetup {
            ipc: &self.ipc,
            journals: &self.session,
            sync: true,
            epoch: self.epoch,
            instruments: &self.instruments,
            stopwatch: self.timeline.stopwatch,
            capacity: RING_CAPACITY,
            external: true,
            now: { self.timeline.clock }.now(),
        };
        let mut config = PathConfig { apart: true, ..setup.config(&self.trading, strategies)? };
        config.timing = self.way.timing();
        Ok(config)
    }

    fn strategies(&self) -> Result<Vec<StrategySlot>, SetupError> {
        let targets = self.trading.targets(&self.instruments, &[])?;
        self.trading.strategies(&self.instruments, &targets)
    }

    /// The agents of `roles`, in the order of the path. What each writes for others is made before anything is waited for.
    fn seats(
        &mut self,
        roles: &[Role],
        journals: &mut JournalSet,
    ) -> Result<(Vec<Seat>, Option<Keeper>), SetupError> {
        let ends = self.ends(roles)?;
        let slots = self.strategies()?;
        let config = self.config(&slots)?;
        let mut seats = Vec::new();
        let Venued { house, feed, entry } = self.venued(ends, &config, roles)?;
        seats.extend(house.map(|house| Seat::Venue(Box::new(house))));
        let mut keeper = None;
        if let Some(feed) = feed {
            let (feed, kept) =
                keep((self.settings, &self.listing), (&self.ipc, config.epoch), feed, config.now)?;
            keeper = kept;
            seats.push(Seat::Ingest(Box::new(apart::ingest(&config, feed)?)));
        }
        let route = entry.map(|entry| apart::route(&config, entry, journals)).transpose()?;
        let trades = roles.iter().any(|role| matches!(role, Role::Risk | Role::Strategy));
        if trades {
            wait(|| apart::check_instruments(&self.ipc, &self.instruments))?;
        }
        let count = slots.len();
        let risk = if roles.contains(&Role::Risk) {
            self.restore_halts(&slots)?;
            let mut risk = apart::risk(&config, count, journals)?;
            let Settings { places, venue, .. } = self.settings;
            if let Some(reason) = predecessor::left(places, *venue, self.epoch, config.now)?
                && !predecessor::is_told(&self.session)?
            {
                risk.agent_mut().begin_halted(&reason, config.now);
                predecessor::tell(&reason);
            }
            Some(risk)
        } else {
            None
        };
        if roles.contains(&Role::Strategy) {
            wait(|| apart::ready_for_strategies(&config))?;
            seats.push(Seat::Strategy(Box::new(apart::strategies(&config, slots)?)));
        }
        seats.extend(risk.map(|risk| Seat::Risk(Box::new(risk))));
        seats.extend(route.map(|route| Seat::Route(Box::new(route))));
        Ok((seats, keeper))
    }

    /// What this process writes of the rings to the fills of `paper`.
    fn ends(&self, roles: &[Role]) -> Result<Option<Writers>, SetupError> {
        if self.way.is_remote() { Ok(None) } else { Ends::make(&self.ipc, roles).map(Some) }
    }

    /// The venue as the agents of `roles` see it.
    fn venued(
        &mut self,
        ends: Option<Writers>,
        config: &PathConfig,
        roles: &[Role],
    ) -> Result<Venued, SetupError> {
        let Self { way, listing, settings, args, timeline, ipc, .. } = self;
        if let Some(ends) = ends {
            let Ends { venue, feed, entry } = ends.attach(ipc)?;
            let open = |ports| {
                let feed = way.feed(listing, settings, &mut timeline.clock)?;
                let frames = HouseFrames::Live(Box::new(LiveFrames::new(feed)));
                house::open(frames, ports, &listing.instruments, &args.fills, (ipc, config.epoch))
            };
            let house = venue.map(open).transpose()?;
            let feed = feed.map(|feed| VenueFeed::Link(Box::new(feed)));
            let entry = entry.map(|entry| VenueEntry::Link(Box::new(entry)));
            return Ok(Venued { house, feed, entry });
        }
        let mut venued = Venued { house: None, feed: None, entry: None };
        if roles.contains(&Role::Ingest) {
            let feed = way.feed(listing, settings, &mut timeline.clock)?;
            venued.feed = Some(VenueFeed::Sockets(Box::new(feed)));
        }
        if roles.contains(&Role::Route) {
            let entry = way.entry(listing, settings, &mut timeline.clock)?;
            venued.entry = Some(VenueEntry::Sockets(Box::new(entry)));
        }
        Ok(venued)
    }

    /// A halt outlives shared memory: it is put back before anything may be approved.
    fn restore_halts(&mut self, slots: &[StrategySlot]) -> Result<(), SetupError> {
        let places = &self.settings.places;
        let (names, _) = halts::restore((&self.ipc, places), &self.instruments, slots)?;
        self.logged_halts = LoggedHalts::start(places, &self.ipc, names.table())?;
        Ok(())
    }
}

/// Says what stays at the venue.
fn tell(open: usize) {
    if open > 0 {
        tracing::warn!(open, "orders stay at the venue");
    }
}

/// Tries again until it succeeds or patience is over.
fn wait<T>(mut attempt: impl FnMut() -> Result<T, SetupError>) -> Result<T, SetupError> {
    for _ in 0..ATTEMPTS {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(_) => std::thread::sleep(AGAIN),
        }
    }
    attempt().map_err(|error| SetupError::Invalid(format!("waited for a minute: {error}")))
}
