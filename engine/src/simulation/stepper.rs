//! Virtual time: every agent of a session in one thread, from deadline to deadline.
//!
//! The exchange's side decodes each frame once and hands the event over; arrival times are those of the link. An agent
//! is driven when something has come for it or its deadline has, in the same order as if all were driven again and again
//! until nobody has work: who has no input does nothing.

use crate::agent::Agent;
use crate::clock::{Clock, Moment, VirtualClock};
use crate::domain::Nanos;
use crate::error::SetupError;
use crate::limits::POLL_BATCH;
use crate::simulation::exchange::SimulatedExchange;
use crate::simulation::faults::Faults;
use crate::simulation::source::FrameSource;
use crate::tick_to_trade::assembly::{JournalSet, Path};
use crate::tick_to_trade::ingest::Ingest;
use crate::tick_to_trade::ingest::counts::IngestCounters;
use crate::venue::MarketData as _;
use crate::venue::link::{DirectFeed, LinkOrderEntry};

/// Duty cycles at one instant before the stepper takes it that somebody never comes to rest.
const CYCLES_PER_INSTANT_MAX: u32 = 1_000_000;

/// After the last frame, how long orders get to settle before they count as open.
const SETTLE: Nanos = Nanos::from_secs(30);

/// Drives a replay.
pub struct Stepper<S> {
    exchange: SimulatedExchange<S>,
    path: Path<DirectFeed, LinkOrderEntry>,
    journals: JournalSet,
    clock: VirtualClock,
    due: Due,
    deadlines: [Nanos; AGENTS],
    /// What risk and route have journalled by the end of the last cycle.
    records: u64,
}

/// The agents in the order in which they are driven.
const EXCHANGE: usize = 0;
const INGEST: usize = 1;
const HOST: usize = 2;
const RISK: usize = 3;
const ROUTE: usize = 4;
const AGENTS: usize = 5;

/// Who is to be driven: a bit an agent, so that one look tells whether anybody is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Due(u8);

impl Due {
    const NOBODY: Self = Self(0);
    const ALL: Self = Self((1 << AGENTS) - 1);

    /// The agent is to be driven if `due`, or was before.
    #[inline]
    fn mark(&mut self, agent: usize, due: bool) {
        self.0 |= u8::from(due) << agent;
    }

    /// Whether the agent is to be driven, once.
    #[inline]
    const fn take(&mut self, agent: usize) -> bool {
        let due = self.0 >> agent & 1 != 0;
        self.0 &= !(1 << agent);
        due
    }
}

impl<S: FrameSource> Stepper<S> {
    /// Joins an exchange and the agents that trade on it, at the exchange's first frame.
    pub fn new(
        mut exchange: SimulatedExchange<S>,
        path: Path<DirectFeed, LinkOrderEntry>,
        journals: JournalSet,
    ) -> Self {
        exchange.hand_over_events();
        let start = exchange.next_deadline();
        let clock = VirtualClock::new(if start == Nanos::NEVER { Nanos::ZERO } else { start });
        Self { exchange, path, journals, clock, due: Due::ALL, deadlines: [Nanos::NEVER; AGENTS], records: 0 }
    }

    /// Lets faults happen on the link.
    pub fn inject(&mut self, faults: Faults) {
        self.exchange.inject(faults);
    }

    /// The agents.
    pub const fn path(&self) -> &Path<DirectFeed, LinkOrderEntry> {
        &self.path
    }

    /// The exchange.
    pub const fn exchange(&self) -> &SimulatedExchange<S> {
        &self.exchange
    }

    /// The journals' writers.
    pub const fn journals(&self) -> &JournalSet {
        &self.journals
    }

    /// The present virtual time.
    pub fn now(&mut self) -> Nanos {
        self.clock.now()
    }

    /// Plays everything: the tape, then the strategies' stop, then what is still on its way.
    ///
    /// `at_step` is called with the virtual time before each step; it may wait (for a replay in real time) and stops
    /// the replay early by returning `false`.
    ///
    /// # Errors
    /// When the source or a journal fails, or an agent never comes to rest.
    pub fn run(&mut self, at_step: &mut dyn FnMut(Nanos) -> bool) -> Result<(), SetupError> {
        let start = self.clock.now();
        self.settle(start)?;
        while !self.exchange.is_exhausted() {
            let next = self.next_deadline();
            if !at_step(next) {
                break;
            }
            self.step_to(next)?;
        }
        let end = self.clock.now();
        self.path.stop(end);
        self.due = Due::ALL;
        self.settle(end)?;
        let last = end.saturating_add(SETTLE);
        while self.path.route().orders().live() > 0 {
            let next = self.next_deadline();
            if next > last {
                break;
            }
            self.step_to(next)?;
        }
        self.path.publish();
        self.journals.drain_all()
    }

    fn next_deadline(&self) -> Nanos {
        self.deadlines.into_iter().min().unwrap_or(Nanos::NEVER)
    }

    fn step_to(&mut self, next: Nanos) -> Result<(), SetupError> {
        self.clock.advance_to(next);
        let now = self.clock.now();
        for (agent, deadline) in self.deadlines.into_iter().enumerate() {
            self.due.mark(agent, deadline <= now);
        }
        self.settle(now)
    }

    /// Lets everybody work at `now` until nobody has anything to do.
    fn settle(&mut self, now: Nanos) -> Result<(), SetupError> {
        for _ in 0..CYCLES_PER_INSTANT_MAX {
            self.cycle(now);
            let records = self.path.risk().records() + self.path.route().records();
            let appended = usize::try_from(records - self.records).unwrap_or(usize::MAX);
            self.records = records;
            // A real thread would write behind the agents; here their rings must never fill, or a replay would depend
            // on their size. A cycle counts for one more, so that what was journalled does not wait for long.
            self.journals.drain_behind(appended + 1)?;
            if let Some(failure) = self.exchange.take_failure() {
                return Err(failure);
            }
            if self.due == Due::NOBODY {
                return Ok(());
            }
        }
        Err(SetupError::Invalid(format!("the agents never came to rest at {} ns", now.0)))
    }

    /// Drives whoever is due, once, and finds out for whom that left something.
    fn cycle(&mut self, now: Nanos) {
        let Self { exchange, path, deadlines, .. } = self;
        // In hand: in memory each mark would wait for the one before.
        let due = &mut { self.due };
        let moment = &mut Moment::default();
        let (ingest, host, risk, route) = path.parts_mut();
        if due.take(EXCHANGE) {
            let answers = exchange.counters.answers;
            drive(EXCHANGE, exchange, (now, moment), due, deadlines);
            due.mark(ROUTE, exchange.counters.answers != answers);
        }
        due.mark(INGEST, hand_over(exchange, ingest.agent_mut(), deadlines) <= now);
        if due.take(INGEST) {
            let IngestCounters { snapshots_requested: wishes, ticks, .. } = *ingest.agent().counters();
            drive(INGEST, ingest, (now, moment), due, deadlines);
            // What waited behind the events just taken.
            due.mark(INGEST, hand_over(exchange, ingest.agent_mut(), deadlines) <= now);
            let counters = ingest.agent().counters();
            due.mark(EXCHANGE, counters.snapshots_requested != wishes);
            due.mark(HOST, counters.ticks != ticks);
            due.mark(RISK, counters.ticks != ticks);
        }
        if due.take(HOST) {
            let work = drive(HOST, host, (now, moment), due, deadlines);
            due.mark(RISK, work > 0);
        }
        if due.take(RISK) {
            let records = risk.agent().records();
            drive(RISK, risk, (now, moment), due, deadlines);
            // Every decision is journalled: the host reads refusals there, and approvals come to route by a ring.
            let decided = risk.agent().records() != records;
            due.mark(HOST, decided);
            due.mark(ROUTE, decided);
        }
        if due.take(ROUTE) {
            let (records, requests) = (route.agent().records(), route.agent().requests());
            drive(ROUTE, route, (now, moment), due, deadlines);
            let reported = route.agent().records() != records;
            due.mark(HOST, reported);
            due.mark(RISK, reported);
            due.mark(EXCHANGE, route.agent().requests() != requests);
        }
        self.due = *due;
    }
}

/// Gives ingest the exchange's events once it has taken all before them. Returns when ingest is due.
#[inline]
fn hand_over<S: FrameSource>(
    exchange: &mut SimulatedExchange<S>,
    ingest: &mut Ingest<DirectFeed>,
    deadlines: &mut [Nanos; AGENTS],
) -> Nanos {
    if let Some(outbox) = exchange.outbox() {
        let feed = ingest.feed_mut();
        feed.refill(outbox);
        deadlines[INGEST] = deadlines[INGEST].min(feed.next_deadline());
    }
    deadlines[INGEST]
}

/// Drives one agent, and notes when it wants to be driven again: at once if it took a whole batch, for there may be
/// more.
#[inline]
fn drive(
    which: usize,
    agent: &mut impl Agent,
    (now, moment): (Nanos, &mut Moment),
    due: &mut Due,
    deadlines: &mut [Nanos; AGENTS],
) -> usize {
    let work = agent.do_work_from(now, moment);
    deadlines[which] = agent.next_deadline();
    due.mark(which, work >= POLL_BATCH || (work > 0 && deadlines[which] <= now));
    work
}
