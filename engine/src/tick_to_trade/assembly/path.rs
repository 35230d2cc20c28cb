//! The four agents in one process.

use crate::agent::{Agent, Published};
use crate::clock::Moment;
use crate::domain::{Instruments, Nanos};
use crate::error::SetupError;
use crate::tick_to_trade::assembly::builders;
use crate::tick_to_trade::assembly::config::{PathConfig, StrategySlot};
use crate::tick_to_trade::assembly::journals::JournalSet;
use crate::tick_to_trade::ingest::Ingest;
use crate::tick_to_trade::risk::Risk;
use crate::tick_to_trade::route::Route;
use crate::tick_to_trade::strategy::host::StrategyHost;
use crate::venue::{MarketData, OrderEntry};

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
        let risk_journal = journals.open("risk", config)?;
        let route_journal = journals.open("route", config)?;
        let (risk_page, route_page) = (builders::page(config, "risk")?, builders::page(config, "route")?);
        let count = strategies.len();
        let mut path = Self {
            ingest: builders::ingest(config, feed)?,
            host: builders::strategies(config, strategies)?,
            risk: builders::risk(config, count, risk_journal, risk_page)?,
            route: builders::route(config, entry, route_journal, route_page)?,
        };
        // Whoever reads what they write is there by now.
        path.host.agent_mut().meet();
        path.risk.agent_mut().meet();
        path.route.agent_mut().meet();
        Ok(path)
    }

    /// Says that one thread drives them all: ingest then brings what the others will need of an instrument as soon as
    /// it hears of it. Among many, or after a silence, these lines come from afar.
    pub fn share_thread(&mut self, instruments: &Instruments) {
        let lines: Vec<_> = self.risk().lines().chain(instruments.line()).collect();
        self.ingest_mut().bring(lines.into_iter());
    }

    /// The agents, each to be driven by itself.
    #[allow(clippy::type_complexity)] // The four agents, as `PathParts` names them.
    pub const fn parts_mut(
        &mut self,
    ) -> (
        &mut Published<Ingest<M>>,
        &mut Published<StrategyHost>,
        &mut Published<Risk>,
        &mut Published<Route<E>>,
    ) {
        (&mut self.ingest, &mut self.host, &mut self.risk, &mut self.route)
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

    /// Risk, to set up.
    pub const fn risk_mut(&mut self) -> &mut Risk {
        self.risk.agent_mut()
    }

    /// Route.
    pub const fn route(&self) -> &Route<E> {
        self.route.agent()
    }

    /// Route's way to the venue, for who records it or plays it again.
    pub const fn entry_mut(&mut self) -> &mut E {
        self.route.agent_mut().entry_mut()
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

    /// Begins the end: every strategy is stopped and cancels its orders; risk approves nothing new, and cancels what is
    /// still open shortly after, whoever placed it.
    pub fn close(&mut self, now: Nanos) {
        self.stop(now);
        self.risk.agent_mut().close(now);
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
        let Self { ingest, host, risk, route } = self;
        let moment = &mut Moment::default();
        let ticked = ingest.do_work_from(now, moment) + host.do_work_from(now, moment);
        ticked + risk.do_work_from(now, moment) + route.do_work_from(now, moment)
    }

    fn next_deadline(&self) -> Nanos {
        let first = self.ingest.next_deadline().min(self.host.next_deadline());
        first.min(self.risk.next_deadline()).min(self.route.next_deadline())
    }
}
