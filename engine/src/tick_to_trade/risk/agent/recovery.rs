//! Risk after a restart: what its last life decided, counted again before anything new is approved (R7, R8).

use std::collections::{BTreeMap, BTreeSet};

use crate::counters::halt::HaltState;
use crate::domain::{Instruments, Nanos, OrderId, SourceId};
use crate::error::{RejectCode, SetupError};
use crate::journal::translate::Translator;
use crate::journal::{DayStart, Decision, Halt, HaltScope, LimitChange, Record};
use crate::message::Intent;
use crate::tick_to_trade::risk::agent::Risk;
use crate::tick_to_trade::risk::governance::{Place, Refused};
use crate::tick_to_trade::risk::limits::Limits;
use crate::tick_to_trade::risk::request::{Origin, Request, read};

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
    /// Approved orders of this epoch by id, with the approval and its time.
    approved: BTreeMap<OrderId, (u64, Intent, Nanos)>,
    last: BTreeMap<SourceId, (u16, u64)>,
    halts: BTreeMap<(u8, SourceId, u32), Halt>,
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
                past.halts.insert((halt.scope, halt.source, instrument), Halt { instrument, ..halt });
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
        if id.epoch != epoch || record.epoch != epoch || id.is_nameless() {
            return;
        }
        let last = self.last.entry(id.source).or_default();
        *last = (*last).max((id.source_epoch, id.sequence));
        if decision.code() == RejectCode::None.code() {
            self.approved.insert(id, (record.sequence, intent, record.at));
        } else if decision.code() == RejectCode::Expired.code() {
            // Withdrawn: a second intent under a used id is refused for that before its time is looked at.
            self.approved.remove(&id);
        }
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
        let past = Past::read(records, instruments, epoch)?;
        let limits = past.limits(&self.state.limits, instruments)?;
        self.state.set_limits(instruments, limits, Nanos(i64::MIN))?;
        let mut found = Recovered { records: past.records, ..Recovered::default() };
        let mut reported = BTreeSet::new();
        let mut table = Translator::new(instruments, epoch);
        let state = &mut self.state;
        self.ports.reports.catch_up(|record| {
            table.follow(record);
            let Some(report) = table.report(record) else { return };
            found.reports += 1;
            if report.id.epoch == epoch {
                reported.insert(report.id);
            }
            state.on_report(&report, record.at);
        })?;
        table.check()?;
        let mut unsent = Vec::new();
        let published =
            if resumed { self.ports.orders.last().map_or(0, |order| order.approval()) } else { u64::MAX };
        for (id, (approval, intent, at)) in &past.approved {
            let origin = Origin { source: id.source, epoch, instruments: self.state.filters.len() };
            let Ok(Request::New(order)) = read(intent, origin) else { continue };
            if reported.contains(id) || usize::from(id.source.0) >= self.state.sources.len() {
                continue;
            }
            if *approval > published {
                found.unsent += 1;
                unsent.push(*intent);
                continue;
            }
            found.unreported += 1;
            self.state.on_approval(&order, *at);
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
        self.recovery = Some(Recovery { last: past.last, unsent });
        Ok(found)
    }

    /// Journals that what was approved and never left has expired, as far as the journal has room; whether all of it is.
    /// Before that nothing is approved: above a later approval it would look as if it had left.
    #[inline]
    pub(super) fn withdraw_unsent(&mut self, now: Nanos) -> bool {
        if self.recovery.as_ref().is_none_or(|past| past.unsent.is_empty()) {
            return true;
        }
        self.withdraw(now)
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
        // What was counted again has raised what stands in the journal already, or what an operator has cleared since.
        self.state.forget_latches();
        for halt in past.halts.values() {
            let state = HaltState::try_from(halt.state).unwrap_or(HaltState::Halted);
            let cause = RejectCode::try_from(halt.cause).unwrap_or(RejectCode::None);
            match HaltScope::try_from(halt.scope) {
                Ok(HaltScope::Source) => {
                    self.ports.page.raise_source(halt.source, state);
                    if state > HaltState::Active {
                        self.state.restore_source_latch(halt.source, cause);
                    }
                }
                Ok(HaltScope::Instrument) => self.ports.page.raise_instrument(halt.instrument, state),
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
