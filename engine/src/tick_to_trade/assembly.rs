//! The path assembled: every ring, page and journal of the four agents, made in the order in which they attach.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use crate::agent::{Agent, Observed, Published};
use crate::clock::Stopwatch;
use crate::counters::cell::CellWriter;
use crate::counters::halt::{HaltPage, HaltPages, HaltReader, HaltState};
use crate::counters::{Counters, Heartbeat, Histograms};
use crate::domain::{InstrumentIndex, Instruments, Nanos, SourceId};
use crate::error::SetupError;
use crate::journal::digest::combine;
use crate::journal::{EpochStart, InstrumentRow, Journal, JournalWriter, SegmentOptions, StateHash, Tail};
use crate::limits::SOURCES_MAX;
use crate::message::Intent;
use crate::ring::{broadcast, spsc};
use crate::shm::Late;
use crate::shm::identity::BUILD_HASH;
use crate::shm::paths::IpcPaths;
use crate::tick_to_trade::ingest::{INGEST_STAGES, Ingest, IngestConfig, IngestPorts};
use crate::tick_to_trade::risk::{Limits, RISK_STAGES, Risk, RiskPorts};
use crate::tick_to_trade::route::{ROUTE_STAGES, Route, RoutePorts, RouteTiming};
use crate::tick_to_trade::strategy::host::{Inputs, StrategyHost};
use crate::tick_to_trade::strategy::hosted::Hosted;
use crate::tick_to_trade::strategy::outbox::Identity;
use crate::tick_to_trade::strategy::working::Working;
use crate::tick_to_trade::strategy::{Outbox, Strategy};
use crate::venue::{MarketData, OrderEntry};

/// A strategy and what it trades.
pub struct StrategySlot {
    /// What users call it.
    pub name: String,
    /// The strategy.
    pub strategy: Box<dyn Strategy>,
    /// The instruments that it follows.
    pub instruments: Vec<InstrumentIndex>,
}

/// Capacities of the rings, in messages.
#[derive(Clone, Copy, Debug)]
pub struct RingSizes {
    /// The tick ring.
    pub ticks: usize,
    /// Each intent ring.
    pub intents: usize,
    /// The order ring.
    pub orders: usize,
    /// Each journal ring.
    pub journal: usize,
}

impl RingSizes {
    /// The same capacity for every ring.
    #[must_use]
    pub const fn all(capacity: usize) -> Self {
        Self { ticks: capacity, intents: capacity, orders: capacity, journal: capacity }
    }
}

/// Everything that the agents are made from.
pub struct PathConfig {
    /// Where the shared files lie.
    pub ipc: IpcPaths,
    /// Where the journals lie: one directory each inside it.
    pub journals: PathBuf,
    /// Whether journals are synced to the disk.
    pub sync: bool,
    /// The engine's epoch, reserved durably.
    pub epoch: u32,
    /// The instrument table.
    pub instruments: Arc<Instruments>,
    /// The calibrated counter.
    pub stopwatch: Stopwatch,
    /// Ring capacities.
    pub rings: RingSizes,
    /// Ingest's settings.
    pub ingest: IngestConfig,
    /// Risk's limits.
    pub limits: Limits,
    /// Route's delays.
    pub timing: RouteTiming,
    /// Whether clients, the operator and the gateway may come and go while it runs: in a replay nobody does.
    pub external: bool,
    /// The present, for the journals' first records.
    pub now: Nanos,
}

/// The journals' cold side: one writer a journal.
pub struct JournalSet {
    writers: Vec<(&'static str, JournalWriter)>,
    ring: usize,
    undrained: usize,
}

/// Directory of a journal.
#[must_use]
pub fn journal_directory(journals: &FilePath, name: &str) -> PathBuf {
    journals.join(name)
}

impl JournalSet {
    /// Writers of no journal yet; each ring holds `ring` records.
    #[must_use]
    pub const fn new(ring: usize) -> Self {
        Self { writers: Vec::new(), ring, undrained: 0 }
    }

    /// Recovers the journal called `name`, makes its ring, and writes the epoch's start and instrument table.
    ///
    /// # Errors
    /// When the journal is damaged or the files cannot be made.
    pub fn open(&mut self, name: &'static str, config: &PathConfig) -> Result<Journal, SetupError> {
        let (ring, cursor) = (config.ipc.journal(name), config.ipc.journal_cursor(name));
        let directory = journal_directory(&config.journals, name);
        let options = SegmentOptions { sync: config.sync, ..SegmentOptions::new(name) };
        let mut writer = JournalWriter::open(&directory, &options, &ring, &cursor)?;
        let previous = writer.epoch();
        let mut journal =
            Journal::create(&ring, &cursor, config.rings.journal, config.epoch, writer.next_sequence())?;
        writer.attach()?;
        let count = u32::try_from(config.instruments.len()).unwrap_or(u32::MAX);
        let start = EpochStart::new(name, previous, count, config.now, BUILD_HASH, 0);
        let elapsed = config.stopwatch.elapsed().0;
        let full = |_| SetupError::file(&ring, "is full at the start");
        journal.append(config.now, elapsed, &start).map_err(full)?;
        for (index, instrument) in config.instruments.iter() {
            // The table may be longer than the ring.
            while journal.free() == 0 {
                writer.drain()?;
            }
            journal.append(config.now, elapsed, &InstrumentRow::new(index, instrument)?).map_err(full)?;
        }
        while writer.drain()? > 0 {}
        self.writers.push((name, writer));
        Ok(journal)
    }

    /// Writes what has arrived; returns how many records.
    ///
    /// # Errors
    /// When a journal cannot be written: final.
    pub fn drain(&mut self) -> Result<usize, SetupError> {
        self.undrained = 0;
        let mut written = 0;
        for (_, writer) in &mut self.writers {
            written += writer.drain()?;
        }
        Ok(written)
    }

    /// Writes until nothing is left.
    ///
    /// # Errors
    /// When a journal cannot be written.
    pub fn drain_all(&mut self) -> Result<(), SetupError> {
        while self.drain()? > 0 {}
        Ok(())
    }

    /// For a driver that is the agents' own thread: drains often enough that no ring passes half its capacity. To be
    /// called after every duty cycle, which appends at most a few records an input.
    ///
    /// # Errors
    /// When a journal cannot be written.
    pub fn drain_after(&mut self, work: usize) -> Result<(), SetupError> {
        self.undrained += work * RECORDS_PER_MESSAGE;
        if self.undrained >= self.ring / 2 { self.drain_all() } else { Ok(()) }
    }

    /// State hash of the journals of risk and route together.
    #[must_use]
    pub fn state_hash(&self) -> StateHash {
        let logical = self.writers.iter().filter(|(name, _)| *name != "input");
        combine(&logical.map(|(_, writer)| writer.digest()).collect::<Vec<_>>())
    }

    /// Ends every journal in good order.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn retire(self) -> Result<(), SetupError> {
        self.writers.into_iter().try_for_each(|(_, writer)| writer.retire())
    }
}

/// Most records that one message makes an agent append.
const RECORDS_PER_MESSAGE: usize = 4;

/// The four agents.
pub struct Path<M, E> {
    ingest: Published<Ingest<M>>,
    host: Published<StrategyHost>,
    risk: Published<Risk>,
    route: Published<Route<E>>,
}

/// The agents apart, each to be driven on a thread of its own.
pub struct PathParts<M, E> {
    /// Frames to ticks.
    pub ingest: Published<Ingest<M>>,
    /// Ticks to intents.
    pub host: Published<StrategyHost>,
    /// Intents to orders.
    pub risk: Published<Risk>,
    /// Orders to the venue, and back.
    pub route: Published<Route<E>>,
}

impl<M: MarketData, E: OrderEntry> Path<M, E> {
    /// Makes every file and agent; the journals' writers join `journals`.
    ///
    /// # Errors
    /// When a file cannot be made, a journal is damaged, or a limit or strategy does not fit the instruments.
    pub fn assemble(
        config: &PathConfig,
        strategies: Vec<StrategySlot>,
        feed: M,
        entry: E,
        journals: &mut JournalSet,
    ) -> Result<Self, SetupError> {
        let PathConfig { ipc, epoch, instruments, .. } = config;
        let risk_journal = journals.open("risk", config)?;
        let route_journal = journals.open("route", config)?;
        let pages = HaltOwners::create(config)?;
        write_instruments(config)?;

        let ports = IngestPorts {
            ticks: broadcast::Producer::create(&ipc.ticks(), config.rings.ticks, *epoch)?,
            cells: CellWriter::create(&ipc.books(), instruments.len(), *epoch)?,
            histograms: Histograms::create(&ipc.histograms("ingest"), &INGEST_STAGES, *epoch)?,
        };
        let ingest = Ingest::new(ports, feed, Arc::clone(instruments), config.stopwatch, config.ingest);
        let (host, intents) = assemble_host(config, strategies)?;
        let orders =
            spsc::Producer::create(&ipc.orders(), &ipc.orders_cursor(), config.rings.orders, *epoch)?;
        let ports = RiskPorts {
            intents,
            ticks: broadcast::Reader::attach(&ipc.ticks())?,
            reports: tail(config, "route")?,
            orders,
            journal: risk_journal,
            page: pages.risk,
            halts: attach_halts(config)?,
            stopwatch: config.stopwatch,
            histograms: Histograms::create(&ipc.histograms("risk"), &RISK_STAGES, *epoch)?,
        };
        let risk = Risk::new(instruments, config.limits.clone(), ports)?;
        let ports = RoutePorts {
            orders: spsc::Consumer::attach(&ipc.orders(), &ipc.orders_cursor())?,
            journal: route_journal,
            halts: attach_halts(config)?,
            own_halts: pages.route,
            histograms: Histograms::create(&ipc.histograms("route"), &ROUTE_STAGES, *epoch)?,
        };
        let route = Route::new(ports, entry, config.stopwatch, config.timing);
        Ok(Self {
            ingest: publish(config, ingest)?,
            host: publish(config, host)?,
            risk: publish(config, risk)?,
            route: publish(config, route)?,
        })
    }

    /// Takes the agents apart.
    pub fn into_parts(self) -> PathParts<M, E> {
        let Self { ingest, host, risk, route } = self;
        PathParts { ingest, host, risk, route }
    }

    /// Joins agents that were apart.
    pub fn from_parts(parts: PathParts<M, E>) -> Self {
        let PathParts { ingest, host, risk, route } = parts;
        Self { ingest, host, risk, route }
    }

    /// Ingest.
    pub const fn ingest(&self) -> &Ingest<M> {
        self.ingest.agent()
    }

    /// Ingest, to set up.
    pub const fn ingest_mut(&mut self) -> &mut Ingest<M> {
        self.ingest.agent_mut()
    }

    /// The strategies' host.
    pub const fn host(&self) -> &StrategyHost {
        self.host.agent()
    }

    /// Risk.
    pub const fn risk(&self) -> &Risk {
        self.risk.agent()
    }

    /// Route.
    pub const fn route(&self) -> &Route<E> {
        self.route.agent()
    }

    /// Frames that ingest took so far.
    pub const fn frames_taken(&self) -> u64 {
        self.ingest().counters().frames
    }

    /// Answers that route took so far.
    pub const fn answers_taken(&self) -> u64 {
        self.route().counters.events
    }

    /// Stops every strategy: the host cancels its orders.
    pub fn stop(&mut self, now: Nanos) {
        self.host.agent_mut().stop_all(now);
    }

    /// Copies out all counters now.
    pub fn publish(&mut self) {
        self.ingest.publish();
        self.host.publish();
        self.risk.publish();
        self.route.publish();
    }
}

impl<M: MarketData, E: OrderEntry> Agent for Path<M, E> {
    fn name(&self) -> &'static str {
        "path"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.ingest.do_work(now) + self.host.do_work(now) + self.risk.do_work(now) + self.route.do_work(now)
    }

    fn next_deadline(&self) -> Nanos {
        let first = self.ingest.next_deadline().min(self.host.next_deadline());
        first.min(self.risk.next_deadline()).min(self.route.next_deadline())
    }
}

/// Owners of halt pages within the path.
const HALT_OWNERS: [&str; 2] = ["risk", "route"];

/// Owners of halt pages that come and go.
const HALT_VISITORS: [&str; 3] = ["operator", "gateway", RISK_SERVICE];

/// Owner of the halt page of port 5557, whose process may be another than risk's.
pub const RISK_SERVICE: &str = "risk/service";

/// The halt pages that the path writes.
struct HaltOwners {
    risk: HaltPage,
    route: HaltPage,
}

impl HaltOwners {
    fn create(config: &PathConfig) -> Result<Self, SetupError> {
        let page = |owner: &str| HaltPage::create(&config.ipc.halts(owner), config.epoch);
        Ok(Self { risk: page("risk")?, route: page("route")? })
    }
}

fn attach_halts(config: &PathConfig) -> Result<HaltPages, SetupError> {
    let pages = HALT_OWNERS.iter().map(|owner| HaltReader::attach(&config.ipc.halts(owner)));
    let mut pages = HaltPages::new(pages.collect::<Result<Vec<_>, _>>()?);
    for owner in HALT_VISITORS.iter().filter(|_| config.external) {
        pages.watch(&config.ipc.halts(owner), HaltState::Active, config.now);
    }
    Ok(pages)
}

fn tail(config: &PathConfig, journal: &str) -> Result<Tail, SetupError> {
    let directory = journal_directory(&config.journals, journal);
    Tail::attach(&config.ipc.journal(journal), Some(&directory))
}

fn write_instruments(config: &PathConfig) -> Result<(), SetupError> {
    let count = config.instruments.len();
    let mut cells = CellWriter::create(&config.ipc.instruments(), count, config.epoch)?;
    for (index, instrument) in config.instruments.iter() {
        cells.write(index as usize, &InstrumentRow::new(index, instrument)?);
    }
    Ok(())
}

/// Risk's end of each source's ring.
type IntentRings = Vec<(SourceId, Late<spsc::Consumer<Intent>>)>;

/// The host with its strategies, and risk's ends of their rings.
fn assemble_host(
    config: &PathConfig,
    strategies: Vec<StrategySlot>,
) -> Result<(StrategyHost, IntentRings), SetupError> {
    let PathConfig { ipc, epoch, instruments, .. } = config;
    let inputs = Inputs {
        ticks: broadcast::Reader::attach(&ipc.ticks())?,
        reports: tail(config, "route")?,
        decisions: tail(config, "risk")?,
    };
    let mut host = StrategyHost::new(inputs, Arc::clone(instruments));
    host.show_in(CellWriter::create(&ipc.strategies(), SOURCES_MAX, *epoch)?);
    let external = SourceId::EXTERNAL.into_iter().filter(|_| config.external);
    let late = |source| spsc::Consumer::late(&ipc.intents(source), &ipc.intents_cursor(source));
    let mut intents: IntentRings = external.map(|source| (source, late(source))).collect();
    for (number, slot) in (0..).zip(strategies) {
        let source = SourceId::strategy(number);
        let (ring, cursor) = (ipc.intents(source), ipc.intents_cursor(source));
        let producer = spsc::Producer::create(&ring, &cursor, config.rings.intents, *epoch)?;
        intents.push((source, Late::fixed(spsc::Consumer::attach(&ring, &cursor)?)));
        let identity = Identity { epoch: *epoch, source, source_epoch: 1 };
        let outbox = Outbox::new(producer, identity, Working::new(&[], &[]));
        host.add(Hosted::new(slot.name, slot.strategy, outbox, slot.instruments))?;
    }
    Ok((host, intents))
}

fn publish<A: Agent + Observed>(config: &PathConfig, agent: A) -> Result<Published<A>, SetupError> {
    let names = agent.names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let counters = Counters::create(&config.ipc.counters(agent.name()), &names, config.epoch)?;
    let heartbeat = Heartbeat::create(&config.ipc.heartbeat(agent.name()), config.epoch)?;
    Ok(Published::new(agent, counters).beating(heartbeat))
}
