//! The agent: rings and journals around the pass.
//!
//! Owner thread: whichever drives it. In: an intent ring per source, the tick stream, the tail of route's journal, the
//! halt pages of all owners. Out: the order ring, risk's journal, risk's halt page.

use std::hint::cold_path;

use crate::agent::Agent;
use crate::clock::{Moment, Stopwatch};
use crate::counters::Histograms;
use crate::counters::halt::{HaltPage, HaltPages, HaltState};
use crate::domain::{Instruments, Nanos, SourceId};
use crate::error::{RejectCode, SetupError};
use crate::hint::unlikely;
use crate::journal::{Journal, RecordKind, Tail};
use crate::ledger::Ledger;
use crate::limits::POLL_BATCH;
use crate::message::{Intent, Report, SealedOrder, Tick};
use crate::ring::broadcast::{Polled, Reader};
use crate::ring::spsc::{Consumer, Producer};
use crate::room::Line;
use crate::shm::Late;
use crate::tick_to_trade::risk::controls::{Gates, JOURNAL_RESERVE};
use crate::tick_to_trade::risk::counts::RiskCounts;
use crate::tick_to_trade::risk::flood::Flood;
use crate::tick_to_trade::risk::governance::Governance;
use crate::tick_to_trade::risk::limits::Limits;
use crate::tick_to_trade::risk::position::Exposure;
use crate::tick_to_trade::risk::state::State;

/// Reports taken in one cycle: an order brings a few, and what is known of the orders must keep pace with the intents.
const REPORTS_BATCH: usize = 4 * POLL_BATCH;

/// Ticks that a frame makes, but for one of many trades: an order that it causes waits for them, and for no more.
const TICKS_PER_FRAME: usize = 2;

/// Records that one intent may need: what is left of a flood, its own, and that of the other of a pair. With less room none
/// is taken.
const RECORDS_PER_INTENT: usize = 3;

/// What risk decides on an intent: it passes, or the code of the first control that fails.
pub type Verdict = Result<(), RejectCode>;

/// What risk is connected to.
pub struct RiskPorts {
    /// A ring of intents per source, each of which may come late. Identity comes from the ring.
    pub intents: Vec<(SourceId, Late<Consumer<Intent>>)>,
    /// The tick stream.
    pub ticks: Late<Reader<Tick>>,
    /// Reports: the tail of route's journal.
    pub reports: Tail,
    /// Approved orders. Nobody else holds this end.
    pub orders: Producer<SealedOrder>,
    /// Risk's own journal.
    pub journal: Journal,
    /// Risk's own halt page.
    pub page: HaltPage,
    /// The halt pages of all owners, risk's own among them.
    pub halts: HaltPages,
    /// Stamps journal records and latencies.
    pub stopwatch: Stopwatch,
    /// Whose death risk acts upon.
    pub peers: Peers,
    /// Stage latencies: `risk`, from an intent's taking, or the end of the stage before it ([`Moment`]), to its order's
    /// leaving or its refusal.
    pub histograms: Histograms,
}

/// Names of risk's latency histograms, in the order of [`RiskPorts::histograms`].
pub const RISK_STAGES: [&str; 1] = ["risk"];

/// The risk agent.
pub struct Risk {
    state: State,
    ports: RiskPorts,
    counts: RiskCounts,
    flood: Flood,
    /// Which source is asked first; moves on with every cycle that took an intent.
    first: usize,
    /// Whether prices have moved the day's result since it was last computed.
    day_due: bool,
    day_checked: Nanos,
    /// When files of others are looked for again.
    look_due: Nanos,
    watch: Watch,
    recovery: Option<Recovery>,
    /// What the journal's last day record says.
    day_written: Option<(i64, Option<i128>)>,
    governance: Option<Box<Governance>>,
}

impl Risk {
    /// The lines that an order needs of its instrument's own.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.state.lines().chain(self.ports.halts.lines())
    }

    /// Risk over `instruments`, with nothing held and nothing open, in the engine epoch of its journal.
    ///
    /// # Errors
    /// When the limits are not valid, or a ring's source has no limits or a second ring.
    pub fn new(instruments: &Instruments, limits: Limits, ports: RiskPorts) -> Result<Self, SetupError> {
        let state = State::new(instruments, limits, ports.journal.epoch())?;
        for (place, (source, _)) in ports.intents.iter().enumerate() {
            if usize::from(source.0) >= state.sources.len() {
                return Err(SetupError::Invalid(format!("source {}: has a ring but no limits", source.0)));
            }
            if ports.intents[..place].iter().any(|(other, _)| other == source) {
                return Err(SetupError::Invalid(format!("source {}: has two rings", source.0)));
            }
        }
        let watch = Watch::new(state.orders.capacity());
        Ok(Self {
            state,
            ports,
            counts: RiskCounts::default(),
            flood: Flood::default(),
            first: 0,
            day_due: false,
            day_checked: Nanos(i64::MIN),
            look_due: Nanos(i64::MIN),
            watch,
            recovery: None,
            day_written: None,
            governance: None,
        })
    }

    /// Decides `intent` as if its source had sent it now, and changes nothing.
    ///
    /// # Errors
    /// The code of the first control that fails.
    pub fn check(&mut self, intent: &Intent, now: Nanos) -> Verdict {
        let free = self.ports.journal.free();
        let gates = self.gates(intent, intent.id.source, free);
        self.state.check(intent, intent.id.source, now, &gates).map(|_| ())
    }

    /// What it has done.
    #[must_use]
    pub const fn counts(&self) -> &RiskCounts {
        &self.counts
    }

    /// The halt pages that it obeys.
    #[must_use]
    pub const fn halts(&self) -> &HaltPages {
        &self.ports.halts
    }

    /// Records that it has journalled.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.ports.journal.position()
    }

    /// Positions and PnL.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.state.ledger
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.state.limits
    }

    /// Takes new limits over. What was counted stays counted.
    ///
    /// # Errors
    /// When they are not valid, or change sources or currency: the old ones stay in force.
    pub fn set_limits(
        &mut self,
        instruments: &Instruments,
        limits: Limits,
        now: Nanos,
    ) -> Result<(), SetupError> {
        self.state.set_limits(instruments, limits, now)
    }

    /// Position of an instrument and what its open buys and sells may still add; `None` when it is not known.
    #[must_use]
    pub fn exposure(&self, instrument: u32) -> Option<(i64, i128, i128)> {
        if instrument as usize >= self.state.instruments() || !self.state.is_reconciled(instrument) {
            return None;
        }
        let Exposure { position, buys, sells } = self.state.exposure(instrument);
        Some((position, buys, sells))
    }

    /// Open orders of the account, and how many of them are unresolved.
    #[must_use]
    pub const fn open_orders(&self) -> (u32, u32) {
        let tally = self.state.orders.total();
        (tally.open, tally.unknown)
    }

    /// Result since 00:00 UTC in the account's currency, when last computed; `None` when it was not known.
    #[must_use]
    pub const fn day_result(&self) -> Option<i128> {
        self.state.day.result
    }

    #[inline(always)]
    fn gates(&mut self, intent: &Intent, source: SourceId, free: usize) -> Gates {
        // What names no instrument is held to the global state; C02 will refuse it if that lets it pass.
        let listed = (intent.instrument as usize) < self.state.instruments();
        let halts = &mut self.ports.halts;
        let halt = if listed { halts.state(source, intent.instrument) } else { halts.global() };
        let halt = if self.is_closing() { halt.max(HaltState::CancelOnly) } else { halt };
        let (journal_free, ring_free) = (self.room_of(free), self.ports.orders.free());
        Gates { halt, journal_free, ring_free, link_up: self.ports.peers.link_up() }
    }

    fn elapsed(&self) -> i64 {
        self.ports.stopwatch.elapsed().0
    }

    #[inline(never)]
    fn take_reports(&mut self, now: Nanos) -> usize {
        let mut taken = 0;
        while taken < REPORTS_BATCH {
            match self.ports.reports.poll() {
                Polled::Empty => break,
                Polled::Lapped { missed } => {
                    cold_path();
                    self.state.exposure_lost = true;
                    self.counts.reports_missed += missed;
                }
                Polled::Message(record) if record.kind == RecordKind::Report.code() => {
                    match record.read::<Report>() {
                        Some(report) if self.state.on_report(&report, now) => self.check_day(now),
                        Some(_) => {}
                        // A layout that this build does not know.
                        None => self.state.exposure_lost = true,
                    }
                    self.counts.reports += 1;
                }
                // Route's other records are not about orders.
                Polled::Message(_) => {}
            }
            taken += 1;
        }
        taken
    }

    /// A duty cycle for which nothing but `ticks` ticks have come, before [`quiet_until`](Self::quiet_until): what there is
    /// besides is not looked at. Says also whether they were all there was to do: else it is quiet until another time.
    #[inline]
    pub fn do_ticks(&mut self, ticks: usize, now: Nanos, moment: &mut Moment) -> (usize, bool) {
        let ticks = self.take_ticks(ticks, moment);
        if self.day_due && self.day_deadline() <= now {
            return (self.settle_day(ticks, now, moment), false);
        }
        if ticks > TICKS_PER_FRAME {
            moment.forget();
        }
        (ticks, true)
    }

    #[cold]
    fn settle_day(&mut self, ticks: usize, now: Nanos, moment: &mut Moment) -> usize {
        self.after_ticks((0, ticks), now, moment)
    }

    /// Until when ticks alone bring nothing but [`do_ticks`](Self::do_ticks), as of now.
    #[must_use]
    pub fn quiet_until(&self) -> Nanos {
        let idle = self.flood.pending().is_none() && !self.state.has_raised() && self.watch.halted.is_empty();
        if !self.has_withdrawn() || !idle || self.is_closing() || self.governance.is_some() {
            return Nanos(i64::MIN);
        }
        let looks = self.look_due.min(self.ports.halts.due()).min(self.watch.halted_due);
        looks.min(self.state.day.end())
    }

    /// Takes a batch of ticks, of which there are no more than `ticks`.
    #[inline(always)]
    fn take_ticks(&mut self, ticks: usize, moment: &mut Moment) -> usize {
        let (mut taken, most) = (0, ticks.min(POLL_BATCH));
        let Some(ticks) = self.ports.ticks.get_mut() else {
            cold_path();
            return 0;
        };
        while taken < most {
            match ticks.poll() {
                Polled::Empty => break,
                Polled::Lapped { missed } => {
                    cold_path();
                    self.state.on_tick_gap();
                    self.counts.ticks_missed += missed;
                    moment.forget();
                }
                Polled::Message(tick) => {
                    self.day_due |= self.state.on_tick(&tick);
                    self.counts.ticks += 1;
                }
            }
            taken += 1;
        }
        taken
    }

    /// What a duty cycle does behind its ticks, of which there were some, after other work.
    #[inline(always)]
    fn after_ticks(&mut self, (mut work, ticks): (usize, usize), now: Nanos, moment: &mut Moment) -> usize {
        if unlikely(self.day_due) && self.day_deadline() <= now {
            self.check_day(now);
            work += 1;
        }
        if unlikely(self.publish_latches(now)) {
            moment.forget();
        }
        if unlikely(self.flood.pending().is_some()) && self.journal_room() > JOURNAL_RESERVE {
            self.flush(now);
            work += 1;
        }
        if work > 0 || ticks > TICKS_PER_FRAME {
            moment.forget();
        }
        work += ticks + self.take_commands(now, moment) + self.take_intents(now, moment);
        work += self.cancel_halted(now, moment);
        if unlikely(self.is_closing()) { work + self.cancel_all(now, moment) } else { work }
    }

    /// Takes intents in turn, one of each source a round.
    fn take_intents(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        let (mut taken, sources) = (0, self.ports.intents.len());
        // One reading of the clock ends an intent's time and begins the next one's.
        let (mut clock, mut intent) = (moment.take(), Intent::default());
        let mut room = self.ports.journal.free();
        for _ in 0..POLL_BATCH {
            let (mut at, mut more) = (self.first, false);
            for _ in 0..sources {
                if unlikely(room < RECORDS_PER_INTENT) {
                    // What cannot be journalled is not taken: the rings fill, and the sources are told so at once.
                    return taken;
                }
                let (source, ring) = &mut self.ports.intents[at];
                let source = *source;
                let waits = |next: &Intent| next.awaits_other(now);
                if ring.get_mut().is_some_and(|ring| ring.poll_unless_into(&mut intent, waits)) {
                    let followed;
                    (clock, followed) = self.take_intent(&intent, (source, at), room, now, clock);
                    *moment = clock;
                    taken += 1;
                    room = self.ports.journal.free();
                    match self.ports.intents[at].1.get_mut() {
                        // As its next poll would: the source may wait for the room.
                        Some(ring) if !followed => ring.commit(),
                        _ => more = true,
                    }
                }
                at = if at + 1 < sources { at + 1 } else { 0 };
            }
            if !more {
                break;
            }
        }
        if taken > 0 {
            self.first = if self.first + 1 < sources { self.first + 1 } else { 0 };
        } else {
            self.ports.histograms.settle();
            self.state.prepare();
            self.ports.journal.prepare();
            self.ports.orders.prepare();
        }
        taken
    }

    /// Decides an intent of `source`, whose ring is the `at`-th. `clock` is the moment it is taken at; gives the moment that it
    /// was decided at, and whether another may stand behind it.
    #[inline(always)]
    fn take_intent(
        &mut self,
        intent: &Intent,
        (source, at): (SourceId, usize),
        free: usize,
        now: Nanos,
        clock: Moment,
    ) -> (Moment, bool) {
        let epoch = self.state.epoch;
        if unlikely(self.recovery.as_ref().is_some_and(|past| past.has_decided(intent, source, epoch))) {
            // Taken before the last life ended; its cursor had not been given back yet.
            return (Moment::UNKNOWN, true);
        }
        let ring = &mut self.ports.intents[at].1;
        let other = if unlikely(intent.opens_pair()) { other_of(intent, ring) } else { None };
        let next = ring.get_mut().and_then(Consumer::peek);
        if let Some(next) = &next {
            cold_path();
            // What it needs comes while this one is decided.
            self.state.expect(source, next);
        }
        let started = clock.or_read(&self.ports.stopwatch);
        self.counts.external += u64::from(source < SourceId::FIRST_STRATEGY);
        match other {
            None => self.decide(intent, source, free, now, started.0),
            Some(other) => self.decide_pair([intent, &other], source, free, now, started.0),
        }
        let done = self.ports.stopwatch.elapsed();
        self.ports.histograms.note(0, done - started);
        (Moment::at(done), next.is_some())
    }
}

impl Agent for Risk {
    fn name(&self) -> &'static str {
        "risk"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.do_work_from(now, &mut Moment::default())
    }

    fn do_work_from(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        if unlikely(!self.withdraw_unsent(now, moment)) {
            return 0;
        }
        if unlikely(now >= self.look_due) {
            self.look(now);
            moment.forget();
        }
        if unlikely(self.ports.halts.refresh(now)) {
            moment.forget();
        }
        let mut work = 0;
        if unlikely(self.state.day.is_over(now)) {
            // Before today's ticks: what was won and lost until now was so yesterday.
            self.check_day(now);
            work += 1;
        }
        if !self.ports.reports.is_empty() {
            work += self.take_reports(now);
        }
        let ticks = self.take_ticks(POLL_BATCH, moment);
        self.after_ticks((work, ticks), now, moment)
    }

    fn next_deadline(&self) -> Nanos {
        let halted = if self.open_orders().0 > 0 { self.watch.halted_due } else { Nanos::NEVER };
        // A day begins at its first moment, and not whenever somebody looks next.
        let (result, next) = (self.day_deadline(), self.state.day.next());
        result.min(next).min(self.watch.closing_due).min(halted)
    }
}

mod commands;
mod day;
mod decide;
mod inherited;
mod latches;
mod observed;
mod pair;
mod recovery;
mod watch;

pub use recovery::Recovered;
pub use watch::Peers;

use pair::other_of;
use recovery::Recovery;
use watch::Watch;

#[cfg(test)]
mod tests;
