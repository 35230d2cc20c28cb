//! One builder an agent.

use std::sync::Arc;

use crate::agent::{Agent, Observed, Published};
use crate::counters::cell::CellWriter;
use crate::counters::halt::{HaltPage, HaltPages, HaltReader, HaltState};
use crate::counters::{Counters, Heartbeat, Histograms};
use crate::domain::SourceId;
use crate::error::SetupError;
use crate::journal::{Journal, JournalReader, ListedInstrument, Tail};
use crate::limits::SOURCES_MAX;
use crate::message::{Intent, Tick};
use crate::ring::{broadcast, spsc};
use crate::shm::Late;
use crate::tick_to_trade::assembly::config::{PathConfig, StrategySlot};
use crate::tick_to_trade::assembly::journals::journal_directory;
use crate::tick_to_trade::commands::CommandDesk;
use crate::tick_to_trade::ingest::{INGEST_STAGES, Ingest, IngestPorts};
use crate::tick_to_trade::risk::{Governance, Peers, RISK_STAGES, Risk, RiskPorts};
use crate::tick_to_trade::route::{ROUTE_STAGES, Route, RoutePorts};
use crate::tick_to_trade::strategy::host::{STRATEGY_STAGES, StrategyHost};
use crate::tick_to_trade::strategy::hosted::Hosted;
use crate::tick_to_trade::strategy::inputs::Inputs;
use crate::tick_to_trade::strategy::outbox::Identity;
use crate::tick_to_trade::strategy::recovery::Past;
use crate::tick_to_trade::strategy::{Outbox, working::Working};
use crate::venue::{MarketData, OrderEntry};

/// Owners of halt pages that the engine cannot do without.
const HALT_OWNERS: [&str; 2] = ["risk", "route"];

/// Owners of halt pages that come and go.
const HALT_VISITORS: [&str; 4] = ["operator", "gateway", RISK_SERVICE, LOGGED_HALTS];

/// Owner of the halt page of port 5557, whose process may be another than risk's.
pub const RISK_SERVICE: &str = "risk/service";

/// Owner of the page on which risk's process puts what stands in logs of owners whose pages it cannot write.
pub const LOGGED_HALTS: &str = "risk/logged";

/// Ingest behind `feed`, and the instrument table for all who show numbers.
pub(super) fn ingest<M: MarketData>(
    config: &PathConfig,
    feed: M,
) -> Result<Published<Ingest<M>>, SetupError> {
    let PathConfig { ipc, epoch, instruments, .. } = config;
    let mut rows = CellWriter::create(&ipc.instruments(), instruments.len(), *epoch)?;
    for (index, instrument) in instruments.iter() {
        rows.write(index as usize, &ListedInstrument::new(index, instrument)?);
    }
    let ports = IngestPorts {
        ticks: broadcast::Producer::create(&ipc.ticks(), config.rings.ticks, *epoch)?,
        cells: CellWriter::create(&ipc.books(), instruments.len(), *epoch)?,
        histograms: Histograms::create(&ipc.histograms("ingest"), &INGEST_STAGES, *epoch)?,
    };
    publish(config, Ingest::new(ports, feed, Arc::clone(instruments), config.stopwatch, config.ingest))
}

/// The host with its strategies.
pub(super) fn strategies(
    config: &PathConfig,
    slots: Vec<StrategySlot>,
) -> Result<Published<StrategyHost>, SetupError> {
    let PathConfig { ipc, epoch, instruments, .. } = config;
    let mut reports = tail(config, "route")?;
    let mut past = Past::new(*epoch);
    if config.apart {
        past.read(&mut reports, instruments)?;
    }
    let inputs = Inputs {
        ticks: ticks(config)?,
        reports,
        decisions: Tail::attach(&ipc.journal("risk"), Some(&journal_directory(&config.journals, "risk")))?,
    };
    let mut host = StrategyHost::new(inputs, Arc::clone(instruments));
    host.show_in(CellWriter::create(&ipc.strategies(), SOURCES_MAX, *epoch)?);
    let histograms = Histograms::create(&ipc.histograms("strategy"), &STRATEGY_STAGES, *epoch)?;
    host.time_in(config.stopwatch, histograms);
    for (number, slot) in (0..).zip(slots) {
        let source = SourceId::strategy(number);
        let (ring, cursor) = (ipc.intents(source), ipc.intents_cursor(source));
        let producer: spsc::Producer<Intent> = open(config, &ring, &cursor, config.rings.intents)?;
        let lives = u16::try_from(producer.life()).unwrap_or(u16::MAX).max(past.source_epoch(source));
        let source_epoch = lives
            .checked_add(1)
            .ok_or_else(|| SetupError::file(&ring, "no source epoch is left in this engine epoch"))?;
        let identity = Identity { epoch: *epoch, source, source_epoch };
        let working: Working = past.working(source);
        let outbox = Outbox::new(producer, identity, working);
        host.add(Hosted::new(slot.name, slot.strategy, outbox, slot.instruments))?;
    }
    if config.external {
        host.govern(CommandDesk::open(ipc, "strategy", *epoch)?);
    }
    publish(config, host)
}

/// Risk, for `count` strategies and whoever comes.
pub(super) fn risk(
    config: &PathConfig,
    count: usize,
    journal: Journal,
    page: HaltPage,
) -> Result<Published<Risk>, SetupError> {
    let PathConfig { ipc, epoch, instruments, .. } = config;
    let late = |source| spsc::Consumer::<Intent>::late(&ipc.intents(source), &ipc.intents_cursor(source));
    let external = SourceId::EXTERNAL.into_iter().filter(|_| config.external);
    let mut intents: Vec<_> = external.map(|source| (source, late(source))).collect();
    for number in (0..).take(count) {
        let source = SourceId::strategy(number);
        intents.push((source, config.join(late(source))?));
    }
    let orders: spsc::Producer<_> = open(config, &ipc.orders(), &ipc.orders_cursor(), config.rings.orders)?;
    let resumed = orders.life() > 0;
    let ports = RiskPorts {
        intents,
        ticks: ticks(config)?,
        reports: tail(config, "route")?,
        orders,
        journal,
        page,
        halts: halts(config, "risk")?,
        peers: if config.apart { Peers::watch(ipc) } else { Peers::default() },
        stopwatch: config.stopwatch,
        histograms: Histograms::create(&ipc.histograms("risk"), &RISK_STAGES, *epoch)?,
    };
    let mut risk = Risk::new(instruments, config.limits.clone(), ports)?;
    if config.apart {
        let own = JournalReader::open(&journal_directory(&config.journals, "risk"))?;
        risk.recover(own, instruments, resumed)?;
    }
    if config.external {
        let desk = CommandDesk::open(ipc, "risk", *epoch)?;
        risk.govern(Governance::new(desk, Arc::clone(instruments), config.limits.clone()));
    }
    publish(config, risk)
}

/// Route in front of `entry`.
pub(super) fn route<E: OrderEntry>(
    config: &PathConfig,
    entry: E,
    journal: Journal,
    page: HaltPage,
) -> Result<Published<Route<E>>, SetupError> {
    let PathConfig { ipc, epoch, instruments, .. } = config;
    let ports = RoutePorts {
        orders: config.join(spsc::Consumer::late(&ipc.orders(), &ipc.orders_cursor()))?,
        journal,
        halts: halts(config, "route")?,
        own_halts: page,
        histograms: Histograms::create(&ipc.histograms("route"), &ROUTE_STAGES, *epoch)?,
    };
    let mut route = Route::new(ports, entry, config.stopwatch, config.timing);
    if config.apart {
        let own = JournalReader::open(&journal_directory(&config.journals, "route"))?;
        route.recover(own, instruments, *epoch)?;
    }
    publish(config, route)
}

/// The halt page of `owner`: apart, the one of its last life, whose latches hold.
pub(super) fn page(config: &PathConfig, owner: &str) -> Result<HaltPage, SetupError> {
    let path = config.ipc.halts(owner);
    match HaltPage::reopen(&path) {
        Ok(page) if config.apart => Ok(page),
        _ => HaltPage::create(&path, config.epoch),
    }
}

/// A ring that the agent writes: apart, the one of its last life.
fn open<T: crate::ring::Message>(
    config: &PathConfig,
    ring: &std::path::Path,
    cursor: &std::path::Path,
    capacity: usize,
) -> Result<spsc::Producer<T>, SetupError> {
    if config.apart {
        return spsc::Producer::open(ring, cursor, capacity, config.epoch);
    }
    spsc::Producer::create(ring, cursor, capacity, config.epoch)
}

fn ticks(config: &PathConfig) -> Result<Late<broadcast::Reader<Tick>>, SetupError> {
    let mut first = true;
    config.join(Late::new(config.ipc.ticks(), move |path| {
        // What was published before we came is stale; of a ring that took its place, nothing is.
        let reader = broadcast::Reader::attach(path);
        let reader = if std::mem::take(&mut first) { reader } else { broadcast::Reader::attach_at(path, 0) };
        reader.inspect_err(|_| first = true)
    }))
}

/// The halt pages that the agent `own` obeys.
fn halts(config: &PathConfig, own: &str) -> Result<HaltPages, SetupError> {
    let mut pages = Vec::new();
    for owner in HALT_OWNERS.iter().filter(|&&owner| owner == own || !config.apart) {
        pages.push(HaltReader::attach(&config.ipc.halts(owner))?);
    }
    let mut pages = HaltPages::new(pages);
    for owner in HALT_OWNERS.iter().filter(|&&owner| owner != own && config.apart) {
        pages.watch(&config.ipc.halts(owner), HaltState::Halted, config.now);
    }
    for owner in HALT_VISITORS.iter().filter(|_| config.external) {
        pages.watch(&config.ipc.halts(owner), HaltState::Active, config.now);
    }
    Ok(pages)
}

/// The tail of another agent's journal: from its first record where there may be a past to take up.
fn tail(config: &PathConfig, journal: &str) -> Result<Tail, SetupError> {
    let directory = journal_directory(&config.journals, journal);
    let ring = config.ipc.journal(journal);
    if config.apart {
        Tail::attach_from(&ring, Some(&directory), 1)
    } else {
        Tail::attach(&ring, Some(&directory))
    }
}

fn publish<A: Agent + Observed>(config: &PathConfig, agent: A) -> Result<Published<A>, SetupError> {
    let names = agent.names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let counters = Counters::create(&config.ipc.counters(agent.name()), &names, config.epoch)?;
    let heartbeat = Heartbeat::create(&config.ipc.heartbeat(agent.name()), config.epoch)?;
    Ok(Published::new(agent, counters).beating(heartbeat))
}
