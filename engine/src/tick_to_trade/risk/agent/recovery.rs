//! Risk after a restart: what its last life decided, counted again before anything new is approved (R7, R8).

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::vec::IntoIter;

use crate::clock::Moment;
use crate::counters::halt::HaltState;
use crate::domain::{Instruments, Nanos, OrderId, SourceId};
use crate::error::{RejectCode, SetupError};
use crate::hint::likely;
use crate::journal::translate::Translator;
use crate::journal::{DayStart, Decision, Halt, HaltScope, LimitChange, Record};
use crate::message::Intent;
use crate::tick_to_trade::risk::agent::Risk;
use crate::tick_to_trade::risk::governance::{Place, Refused};
use crate::tick_to_trade::risk::limits::Limits;
use crate::tick_to_trade::risk::request::{Request, read};
use crate::tick_to_trade::risk::state::State;

/// What the last life had decided of intents that may still stand in their rings: it took them, and died before it gave
/// their slots back.
#[derive(Debug)]
pub(super) struct Recovery {
    /// The latest identity of each source.
    last: BTreeMap<SourceId, (u16, u64)>,
    /// Orders that were approved and never left, and whose end is not journalled yet.
    unsent: Vec<Intent>,
}

impl Recovery {
    /// Whether the last life has decided `intent`, which came through the ring of `source`: a source's ids rise. A foreign
    /// identity tells nothing.
    pub(super) fn has_decided(&self, intent: &Intent, source: SourceId, epoch: u32) -> bool {
        let id = intent.id;
        let own = id.epoch == epoch && id.source == source;
        own && self.last.get(&id.source).is_some_and(|&last| (id.source_epoch, id.sequence) <= last)
    }
}

/// What a restart has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Records of risk's own journal.
    pub records: u64,
    /// Reports of route's.
    pub reports: u64,
    /// Orders that were approved and of which nothing was heard: they count in full.
    pub unreported: u64,
    /// Orders that were approved but never reached route's ring: dropped.
    pub unsent: u64,
}

/// What risk's own journal says.
#[derive(Default)]
struct Past {
    records: u64,
    /// Decisions of this epoch with their times, in order.
    decisions: Vec<(Nanos, Decision)>,
    /// Approved intents of this epoch by id, with the approval; without those that were withdrawn.
    approved: BTreeMap<OrderId, (u64, Intent)>,
    last: BTreeMap<SourceId, (u16, u64)>,
    /// The last halt of each scope, and when it was.
    halts: BTreeMap<(u8, SourceId, u32), (Halt, Nanos)>,
    /// Limits that were changed in this epoch, in order.
    limits: Vec<LimitChange>,
    day: Option<DayStart>,
}

impl Past {
    fn read(
        records: impl Iterator<Item = Result<Record, SetupError>>,
        instruments: &Instruments,
        epoch: u32,
    ) -> Result<Self, SetupError> {
        let mut past = Self::default();
        let mut table = Translator::new(instruments, epoch);
        for record in records {
            let record = record?;
            past.records += 1;
            table.follow(&record);
            if let Some(decision) = record.read::<Decision>() {
                past.on_decision(&decision, &record, epoch);
            } else if let Some(halt) = record.read::<Halt>() {
                let instrument = table.index(halt.instrument).unwrap_or(halt.instrument);
                let halt = Halt { instrument, ..halt };
                past.halts.insert((halt.scope, halt.source, instrument), (halt, record.at));
            } else if let Some(day) = record.read::<DayStart>() {
                past.day = Some(day);
            } else if let Some(change) = record.read::<LimitChange>().filter(|_| record.epoch == epoch) {
                past.limits.push(change);
            }
        }
        table.check()?;
        Ok(past)
    }

    fn on_decision(&mut self, decision: &Decision, record: &Record, epoch: u32) {
        let intent = decision.intent();
        let id = intent.id;
        if id.epoch != epoch || record.epoch != epoch {
            return;
        }
        self.decisions.push((record.at, *decision));
        if id.is_nameless() {
            return;
        }
        let last = self.last.entry(id.source).or_default();
        *last = (*last).max((id.source_epoch, id.sequence));
        if decision.code() == RejectCode::None.code() {
            self.approved.insert(id, (record.sequence, intent));
        } else if decision.code() == RejectCode::Expired.code() {
            // Withdrawn: a second intent under a used id is refused for that before its time is looked at.
            self.approved.remove(&id);
        }
    }

    /// The other one of the pair that an approved order was placed in, if it was.
    fn other_of(&self, id: OrderId) -> Option<OrderId> {
        self.approved.get(&id).filter(|(_, intent)| intent.is_of_pair()).map(|(_, intent)| intent.target)
    }

    /// `start` with what was changed in this epoch, no looser than `start`.
    fn limits(&self, start: &Limits, instruments: &Instruments) -> Result<Limits, SetupError> {
        let mut limits = start.clone();
        for change in &self.limits {
            let unreadable = || {
                SetupError::Invalid(format!(
                    "risk's journal sets limit {} to {}, which is no limit or no value of it",
                    change.key().unwrap_or("?"),
                    change.value().unwrap_or("?")
                ))
            };
            let (key, value) = change.key().zip(change.value()).ok_or_else(unreadable)?;
            let place = Place::of_key(&limits, instruments, key).ok_or_else(unreadable)?;
            let next = match place.set(&limits, start, instruments, value) {
                Err(Refused::Ceiling) => {
                    // This life was started with a tighter one.
                    let highest = place.show(start, instruments).ok_or_else(unreadable)?;
                    place.set(&limits, start, instruments, &highest)
                }
                set => set,
            };
            let next = next.map_err(|_| unreadable())?;
            // One that was not valid beside the others was refused then, too.
            if next.validate(instruments).is_ok() {
                limits = next;
            }
        }
        Ok(limits)
    }

    /// What becomes of the sources' counts and latches, in the order in which it happened.
    fn replay(&mut self) -> Replay {
        let source = |(&(scope, source, _), &(halt, at)): (&(u8, SourceId, u32), &(Halt, Nanos))| {
            (scope == HaltScope::Source.code()).then_some((source, (halt, at)))
        };
        let halts = self.halts.iter().filter_map(source).collect();
        Replay { decisions: std::mem::take(&mut self.decisions).into_iter().peekable(), halts }
    }
}

/// Counts again what the last life counted (C04, C16, C18, C21), decisions and reports in the order of their times. What
/// this raises before a source's last halt stands in the journal, or an operator cleared it; what it raises after that,
/// nobody has seen.
struct Replay {
    decisions: Peekable<IntoIter<(Nanos, Decision)>>,
    /// The last halt of each source, until its time has passed.
    halts: BTreeMap<SourceId, (Halt, Nanos)>,
}

impl Replay {
    /// Counts the decisions until `at`, and takes up what halted or freed `source` before.
    fn until(&mut self, at: Nanos, source: SourceId, state: &mut State) {
        while let Some((decided, decision)) = self.decisions.next_if(|(decided, _)| *decided <= at) {
            self.pass(decision.intent().id.source, decided, state);
            state.recount(&decision, decided);
        }
        self.pass(source, at, state);
    }

    /// Counts what is left.
    fn finish(mut self, state: &mut State) {
        self.until(Nanos::NEVER, SourceId::RISK, state);
        for source in self.halts.keys().copied().collect::<Vec<_>>() {
            self.pass(source, Nanos::NEVER, state);
        }
    }

    fn pass(&mut self, source: SourceId, at: Nanos, state: &mut State) {
        if self.halts.get(&source).is_none_or(|(_, halted)| *halted >= at) {
            return;
        }
        let Some((halt, _)) = self.halts.remove(&source) else { return };
        if halt.state == HaltState::Active.code() {
            state.clear_source(source);
        } else {
            let cause = RejectCode::try_from(halt.cause).unwrap_or(RejectCode::None);
            state.restore_source_latch(source, cause);
        }
    }
}

impl State {
    /// C04, C16, C21: counts a decision of the last life as that did. What it holds open is not counted here.
    fn recount(&mut self, decision: &Decision, at: Nanos) {
        let intent = decision.intent();
        let source = intent.id.source;
        if usize::from(source.0) >= self.sources.len() {
            return;
        }
        // A code that this build does not know is a refusal all the same.
        let code = RejectCode::try_from(decision.code()).unwrap_or(RejectCode::BadRequest);
        if code != RejectCode::None {
            (0..=decision.repeats()).for_each(|_| self.on_reject(source, code, at));
            return;
        }
        match read(&intent, self.origin(source)) {
            Ok(Request::New(order) | Request::Replace(order, _) | Request::Leg(order)) => {
                self.count_order(&order, at);
            }
            Ok(Request::Amend(_)) => self.on_amend(source, at),
            Ok(Request::Cancel(_) | Request::Sweep(_)) => self.on_cancel(source, at),
            Err(_) => {}
        }
    }
}

impl Risk {
    /// Takes up what an earlier life left: its own journal in `records`, and all of route's, whose tail must stand at
    /// its first record. To be called once, before the first cycle; nothing is approved before.
    ///
    /// Order by order the journals agree in the end: what route reported is as it reported; what was approved in this
    /// epoch and not reported counts in full, unless the order ring, which `resumed` says is the old one, shows that it
    /// never left.
    ///
    /// # Errors
    /// When a journal cannot be read, the instruments of this epoch were others, or a changed limit is none.
    pub fn recover(
        &mut self,
        records: impl Iterator<Item = Result<Record, SetupError>>,
        instruments: &Instruments,
        resumed: bool,
    ) -> Result<Recovered, SetupError> {
        let epoch = self.state.epoch;
        crate::crash::point("recovery");
        let mut past = Past::read(records, instruments, epoch)?;
        let limits = past.limits(&self.state.limits, instruments)?;
        self.state.set_limits(instruments, limits, Nanos(i64::MIN))?;
        let mut found = Recovered { records: past.records, ..Recovered::default() };
        let mut reported = BTreeSet::new();
        let mut table = Translator::new(instruments, epoch);
        let (state, mut replay) = (&mut self.state, past.replay());
        self.ports.reports.catch_up(|record| {
            table.follow(record);
            let Some(report) = table.report(record) else { return };
            found.reports += 1;
            if report.id.epoch == epoch {
                reported.insert(report.id);
            }
            replay.until(record.at, report.id.source, state);
            state.on_report_of(&report, past.other_of(report.id), record.at);
        })?;
        table.check()?;
        replay.finish(state);
        let unsent = self.hold_unreported(&past, &reported, resumed, &mut found);
        for (id, (_, intent)) in past.approved.iter().filter(|(_, (_, intent))| intent.is_of_pair()) {
            self.state.orders.pair_again(*id, intent.opens_pair());
        }
        for (source, &(source_epoch, sequence)) in &past.last {
            if usize::from(source.0) < self.state.sources.len() {
                self.state.on_identity(OrderId { epoch, source: *source, source_epoch, sequence });
            }
        }
        self.restore_halts(&past);
        if let Some(day) = past.day {
            self.state.day.restore(day.number, day.baseline());
            self.day_written = self.state.day.baseline();
        }
        // What was won and lost since the last life is not computed yet, and nothing held may be left to move it.
        self.day_due = true;
        self.recovery = Some(Recovery { last: past.last, unsent });
        Ok(found)
    }

    /// Holds in full what was approved and not reported; returns what of it never left.
    fn hold_unreported(
        &mut self,
        past: &Past,
        reported: &BTreeSet<OrderId>,
        resumed: bool,
        found: &mut Recovered,
    ) -> Vec<Intent> {
        let mut unsent = Vec::new();
        let published =
            if resumed { self.ports.orders.last().map_or(0, |order| order.approval()) } else { u64::MAX };
        for (id, (approval, intent)) in &past.approved {
            let request = read(intent, self.state.origin(id.source));
            let Some(order) = request.as_ref().ok().and_then(Request::order) else { continue };
            if reported.contains(id) || usize::from(id.source.0) >= self.state.sources.len() {
                continue;
            }
            if *approval > published {
                found.unsent += 1;
                unsent.push(*intent);
                continue;
            }
            found.unreported += 1;
            self.state.hold(order);
        }
        unsent
    }

    /// Journals that what was approved and never left has expired, as far as the journal has room; whether all of it is.
    /// Before that nothing is approved: above a later approval it would look as if it had left.
    #[inline]
    pub(super) fn withdraw_unsent(&mut self, now: Nanos, moment: &mut Moment) -> bool {
        if self.has_withdrawn() {
            return true;
        }
        moment.forget();
        self.withdraw(now)
    }

    /// Whether nothing is left of what was approved and never left.
    #[inline]
    pub(super) fn has_withdrawn(&self) -> bool {
        likely(self.recovery.is_none()) || self.recovery.as_ref().is_some_and(|past| past.unsent.is_empty())
    }

    #[cold]
    fn withdraw(&mut self, now: Nanos) -> bool {
        let elapsed = self.elapsed();
        let Some(past) = &mut self.recovery else { return true };
        while let Some(&intent) = past.unsent.last() {
            let decision = Decision::new(intent, RejectCode::Expired, 0);
            if self.ports.journal.append(now, elapsed, &decision).is_err() {
                return false;
            }
            past.unsent.pop();
        }
        true
    }

    /// Puts the latches back: as the page holds them, or as the journal does, whichever is stricter.
    fn restore_halts(&mut self, past: &Past) {
        for (halt, _) in past.halts.values() {
            let state = HaltState::try_from(halt.state).unwrap_or(HaltState::Halted);
            let cause = RejectCode::try_from(halt.cause).unwrap_or(RejectCode::None);
            match HaltScope::try_from(halt.scope) {
                // The replay has told the controls.
                Ok(HaltScope::Source) => {
                    self.ports.page.raise_source(halt.source, state);
                }
                Ok(HaltScope::Instrument) => {
                    self.ports.page.raise_instrument(halt.instrument, state);
                }
                _ => {
                    self.ports.page.raise_global(state);
                    if cause == RejectCode::DayLoss {
                        self.state.day_latch = state;
                    }
                }
            }
        }
    }
}
