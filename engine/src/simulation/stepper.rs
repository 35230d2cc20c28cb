//! Virtual time: every agent of a session in one thread, from deadline to deadline.
//!
//! The exchange's side decodes each frame once and hands the event over; arrival times are those of the link. An agent
//! is driven when something has come for it or its deadline has, in the same order as if all were driven again and again
//! until nobody has work: who has no input does nothing. For whom only market data has come, a duty cycle is that part of it
//! which takes market data: the rest would find nothing.

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
    /// Until when market data alone need but a part of a duty cycle, and nothing of it has to be shown.
    quiet: [Nanos; AGENTS],
    /// What risk and route have journalled by the end of the last cycle.
    records: u64,
    /// What the strategies have sent by then.
    intents: u64,
}

/// The agents in the order in which they are driven.
const EXCHANGE: usize = 0;
const INGEST: usize = 1;
const HOST: usize = 2;
const RISK: usize = 3;
const ROUTE: usize = 4;
const AGENTS: usize = 5;

/// Who is to be driven: a bit an agent, so that one look tells whether anybody is. Higher up another, for whom only market
/// data has come.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Due(u16);

impl Due {
    const NOBODY: Self = Self(0);
    const ALL: Self = Self((1 << AGENTS) - 1);

    /// The agent is to be driven if `due`, or was before.
    #[inline]
    fn mark(&mut self, agent: usize, due: bool) {
        self.0 |= u16::from(due) << agent;
    }

    /// The agent is to be told of the market if `due`, or was before.
    #[inline]
    fn tell(&mut self, agent: usize, due: bool) {
        self.0 |= u16::from(due) << (AGENTS + agent);
    }

    /// Whether the agent is to be driven, once.
    #[inline]
    const fn take(&mut self, agent: usize) -> bool {
        let due = self.0 >> agent & 1 != 0;
        self.0 &= !(1 << agent);
        due
    }

    /// The same of an agent that a part of a duty cycle may do for, which it does while `quiet`.
    #[inline]
    const fn take_either(&mut self, agent: usize, quiet: bool) -> Drive {
        let (whole, part) = (1 << agent, 1 << (AGENTS + agent));
        let due = self.0;
        if due & (whole | part) == 0 {
            return Drive::Not;
        }
        self.0 = due & !(whole | part);
        if due & whole == 0 && quiet { Drive::Part } else { Drive::Whole }
    }
}

/// How much of a duty cycle is due.
enum Drive {
    Not,
    /// What takes market data.
    Part,
    Whole,
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
        let (deadlines, quiet) = ([Nanos::NEVER; AGENTS], [Nanos(i64::MIN); AGENTS]);
        Self { exchange, path, journals, clock, due: Due::ALL, deadlines, quiet, records: 0, intents: 0 }
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
        self.play(|stepper, next| !stepper.exchange.is_exhausted() && at_step(next))?;
        let end = self.clock.now();
        self.path.stop(end);
        self.due = Due::ALL;
        let last = end.saturating_add(SETTLE);
        self.play(|stepper, next| stepper.path.route().orders().live() > 0 && next <= last)?;
        self.path.publish();
        self.journals.drain_all()
    }

    /// Lets everybody work now, and from deadline to deadline as long as `goes_on` says of the next one.
    fn play(&mut self, mut goes_on: impl FnMut(&Self, Nanos) -> bool) -> Result<(), SetupError> {
        loop {
            let now = self.clock.now();
            self.settle(now)?;
            let [exchange, ingest, host, risk, route] = self.deadlines;
            let agents = earlier(earlier(ingest, host), earlier(risk, route));
            let next = earlier(exchange, agents);
            if !goes_on(self, next) {
                return Ok(());
            }
            self.clock.advance_to(next);
            self.mark_due(agents);
        }
    }

    /// Marks everybody whose deadline has come; `agents` is that of the first agent.
    #[inline]
    fn mark_due(&mut self, agents: Nanos) {
        let (now, due) = (self.clock.now(), &mut self.due);
        // Its deadlines are those of frames and of what is on its way.
        due.tell(EXCHANGE, self.deadlines[EXCHANGE] <= now);
        if agents <= now {
            let agents = [INGEST, HOST, RISK, ROUTE];
            agents.iter().for_each(|&agent| due.mark(agent, self.deadlines[agent] <= now));
        }
    }

    /// Lets everybody work at `now` until nobody has anything to do.
    #[inline(always)]
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
        // In hand: in memory each mark would wait for the one before.
        let due = &mut { self.due };
        let moment = &mut Moment::default();
        self.drive_exchange(due, now);
        let ticks = self.drive_ingest(due, now, moment);
        self.drive_host(due, ticks, now, moment);
        self.drive_risk(due, ticks, now, moment);
        self.drive_route(due, now, moment);
        self.due = *due;
    }

    #[inline]
    fn drive_exchange(&mut self, due: &mut Due, now: Nanos) {
        let Self { exchange, path, deadlines, .. } = self;
        let answers = exchange.counters.answers;
        let work = match due.take_either(EXCHANGE, true) {
            Drive::Not => return,
            Drive::Part => exchange.do_market(now),
            Drive::Whole => exchange.do_work(now),
        };
        after(EXCHANGE, (work, exchange.next_deadline()), now, due, deadlines);
        due.mark(ROUTE, exchange.counters.answers != answers);
        due.mark(INGEST, hand_over(exchange, path.ingest_mut(), deadlines) <= now);
    }

    /// Returns how many ticks there are that nobody has taken.
    #[inline]
    fn drive_ingest(&mut self, due: &mut Due, now: Nanos, moment: &mut Moment) -> usize {
        let Self { exchange, path, deadlines, quiet, .. } = self;
        if !due.take(INGEST) {
            return 0;
        }
        let (ingest, ..) = path.parts_mut();
        let IngestCounters { snapshots_requested: wishes, ticks, .. } = *ingest.agent().counters();
        if now < quiet[INGEST] {
            let work = ingest.do_part(|ingest| ingest.do_work_from(now, moment));
            after(INGEST, (work, ingest.next_deadline()), now, due, deadlines);
        } else {
            drive(INGEST, ingest, (now, moment), due, deadlines);
            quiet[INGEST] = ingest.shown_by();
        }
        if exchange.holds_events() {
            // What waited behind those just taken.
            due.mark(INGEST, hand_over(exchange, ingest.agent_mut(), deadlines) <= now);
        }
        let counters = ingest.agent().counters();
        due.mark(EXCHANGE, counters.snapshots_requested != wishes);
        due.tell(HOST, counters.ticks != ticks);
        due.tell(RISK, counters.ticks != ticks);
        usize::try_from(counters.ticks - ticks).unwrap_or(usize::MAX)
    }

    #[inline]
    fn drive_host(&mut self, due: &mut Due, ticks: usize, now: Nanos, moment: &mut Moment) {
        let Self { path, deadlines, quiet, intents: sent, .. } = self;
        let (_, host, ..) = path.parts_mut();
        let work = match due.take_either(HOST, now < quiet[HOST]) {
            Drive::Not => return,
            Drive::Part => {
                let mut next = Nanos::NEVER;
                let work = host.do_part(|host| {
                    let (work, due) = host.do_ticks(ticks, now, moment);
                    next = due;
                    work
                });
                after(HOST, (work, next), now, due, deadlines)
            }
            Drive::Whole => {
                let work = drive(HOST, host, (now, moment), due, deadlines);
                quiet[HOST] = host.agent().quiet_until().min(host.shown_by());
                work
            }
        };
        due.tell(RISK, work > 0);
        let intents = host.agent().intents();
        due.mark(RISK, intents != *sent);
        *sent = intents;
    }

    #[inline]
    fn drive_risk(&mut self, due: &mut Due, ticks: usize, now: Nanos, moment: &mut Moment) {
        let Self { path, deadlines, quiet, .. } = self;
        let (_, _, risk, _) = path.parts_mut();
        let (records, mut is_all) = (risk.agent().records(), false);
        match due.take_either(RISK, now < quiet[RISK]) {
            Drive::Not => return,
            Drive::Part => {
                let work = risk.do_part(|risk| {
                    let (work, all) = risk.do_ticks(ticks, now, moment);
                    is_all = all;
                    work
                });
                after(RISK, (work, risk.next_deadline()), now, due, deadlines);
            }
            Drive::Whole => _ = drive(RISK, risk, (now, moment), due, deadlines),
        }
        if is_all {
            return;
        }
        quiet[RISK] = risk.agent().quiet_until().min(risk.shown_by());
        // Every decision is journalled: the host reads refusals there, and approvals come to route by a ring.
        let decided = risk.agent().records() != records;
        due.mark(HOST, decided);
        due.mark(ROUTE, decided);
    }

    #[inline]
    fn drive_route(&mut self, due: &mut Due, now: Nanos, moment: &mut Moment) {
        if !due.take(ROUTE) {
            return;
        }
        let Self { path, deadlines, .. } = self;
        let (_, _, _, route) = path.parts_mut();
        let (records, requests) = (route.agent().records(), route.agent().requests());
        drive(ROUTE, route, (now, moment), due, deadlines);
        let reported = route.agent().records() != records;
        due.mark(HOST, reported);
        due.mark(RISK, reported);
        due.mark(EXCHANGE, route.agent().requests() != requests);
    }
}

/// The earlier of two times, without a branch.
#[inline]
const fn earlier(one: Nanos, other: Nanos) -> Nanos {
    if one.0 < other.0 { one } else { other }
}

/// Gives ingest the exchange's events once it has taken all before them. Returns when ingest is due.
#[inline]
fn hand_over<S: FrameSource>(
    exchange: &mut SimulatedExchange<S>,
    ingest: &mut Ingest<DirectFeed>,
    deadlines: &mut [Nanos; AGENTS],
) -> Nanos {
    let feed = ingest.feed_mut();
    exchange.hand_over(feed);
    deadlines[INGEST] = earlier(deadlines[INGEST], feed.next_deadline());
    deadlines[INGEST]
}

/// Drives one agent, and notes when it wants to be driven again.
#[inline]
fn drive(
    which: usize,
    agent: &mut impl Agent,
    (now, moment): (Nanos, &mut Moment),
    due: &mut Due,
    deadlines: &mut [Nanos; AGENTS],
) -> usize {
    let work = agent.do_work_from(now, moment);
    after(which, (work, agent.next_deadline()), now, due, deadlines)
}

/// Notes when an agent wants to be driven again that did so much `work`: at once if it took a whole batch, for there may be
/// more.
#[inline]
fn after(
    which: usize,
    (work, next): (usize, Nanos),
    now: Nanos,
    due: &mut Due,
    deadlines: &mut [Nanos; AGENTS],
) -> usize {
    deadlines[which] = next;
    // Seldom, but for a batch that was whole.
    if next <= now || work >= POLL_BATCH {
        due.mark(which, work > 0);
    }
    work
}
