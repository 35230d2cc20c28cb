//! The strategy agent: owns the strategies, hands them what concerns them, and keeps their books of working orders.

use std::hint::cold_path;
use std::sync::Arc;

use crate::agent::{Agent, Observed};
use crate::clock::{Moment, Stopwatch};
use crate::counters::{CellWriter, Histograms};
use crate::domain::{Instruments, Nanos, OrderId, SourceId};
use crate::error::{RejectCode, SetupError};
use crate::hint::unlikely;
use crate::journal::Decision;
use crate::limits::{POLL_BATCH, SOURCES_MAX};
use crate::message::Report;
use crate::ring::broadcast::Polled;
use crate::tick_to_trade::commands::CommandDesk;
use crate::tick_to_trade::strategy::hosted::{Activity, Hosted};
use crate::tick_to_trade::strategy::inputs::Inputs;
use crate::tick_to_trade::strategy::row::StrategyRow;

/// How often the strategies' rows are refreshed, at most, in a duty cycle that took nothing.
const ROWS_EVERY: Nanos = Nanos::from_millis(100);

/// How much longer they may wait for such a cycle.
const ROWS_PATIENCE: Nanos = Nanos::from_millis(10);

/// Names of the host's latency histograms, in the order in which [`StrategyHost::time_in`] takes them.
pub const STRATEGY_STAGES: [&str; 1] = ["strategy"];

/// The agent. In a cycle it takes reports and refusals first, then ticks, then timers, so that a decision rests on
/// all that is known of the orders.
pub struct StrategyHost {
    inputs: Inputs,
    instruments: Arc<Instruments>,
    hosted: Vec<Hosted>,
    /// Which of `hosted` follow each instrument: a bit each, so that many instruments stay in the nearest caches.
    by_instrument: Vec<u64>,
    /// Which of `hosted` is each source.
    by_source: [Option<usize>; SOURCES_MAX],
    missed: u64,
    lost: u64,
    rows: Option<CellWriter<StrategyRow>>,
    rows_due: Nanos,
    timed: Option<(Stopwatch, Histograms)>,
    pub(super) desk: Option<Box<CommandDesk>>,
    pub(super) commanded: u64,
}

impl StrategyHost {
    /// A host of no strategies yet.
    #[must_use]
    pub fn new(inputs: Inputs, instruments: Arc<Instruments>) -> Self {
        let by_instrument = vec![0; instruments.len()];
        let by_source = [None; SOURCES_MAX];
        Self {
            inputs,
            instruments,
            hosted: Vec::new(),
            by_instrument,
            by_source,
            missed: 0,
            lost: 0,
            rows: None,
            rows_due: Nanos(i64::MIN),
            timed: None,
            desk: None,
            commanded: 0,
        }
    }

    /// Shows every strategy in `rows`, one cell a source, at most 110 ms late.
    pub fn show_in(&mut self, rows: CellWriter<StrategyRow>) {
        self.rows = Some(rows);
    }

    /// Records in `histograms` how long the strategies that follow a tick's instrument take for it, all together: from the
    /// tick's taking, or the end of the message before it ([`Moment`]).
    pub fn time_in(&mut self, stopwatch: Stopwatch, histograms: Histograms) {
        self.timed = Some((stopwatch, histograms));
    }

    /// A view for people: it changes no decision, so it is no work to replay; `idle` when nothing waits for it. Says whether it
    /// wrote.
    fn write_rows(&mut self, now: Nanos, idle: bool) -> bool {
        let due =
            unlikely(now >= self.rows_due) && (idle || now >= self.rows_due.saturating_add(ROWS_PATIENCE));
        if due {
            self.copy_rows(now);
        }
        due
    }

    #[cold]
    fn copy_rows(&mut self, now: Nanos) {
        self.rows_due = now.saturating_add(ROWS_EVERY);
        if let Some(rows) = &mut self.rows {
            for hosted in &self.hosted {
                let row = StrategyRow::of(hosted);
                rows.write(usize::from(row.source.0), &row);
            }
        }
    }

    /// Looks for risk's ends of all rings of intents, before the first intent has to.
    pub fn meet(&mut self) {
        self.hosted.iter_mut().for_each(Hosted::meet);
    }

    /// Looks for files that came, went or were replaced.
    #[cold]
    fn look(&mut self, now: Nanos) {
        self.meet();
        if self.inputs.look(now) {
            self.hosted.iter_mut().for_each(|hosted| hosted.lapped(now));
        }
    }

    /// Takes a strategy in; it starts with the next cycle. Its outbox's working orders must hold all that the tails
    /// had before their present positions.
    ///
    /// # Errors
    /// When its name or source is taken, its source is out of range, or it follows an instrument that there is not.
    pub fn add(&mut self, hosted: Hosted) -> Result<(), SetupError> {
        let invalid =
            |reason: String| Err(SetupError::Invalid(format!("strategy {}: {reason}", hosted.name())));
        if self.get(hosted.name()).is_some() {
            return invalid("there is one of that name already".to_owned());
        }
        let source = hosted.outbox().identity().source;
        match self.by_source.get(usize::from(source.0)) {
            None => return invalid(format!("source {} is not below {SOURCES_MAX}", source.0)),
            Some(Some(_)) => return invalid(format!("source {} is taken", source.0)),
            Some(None) => {}
        }
        if let Some(unknown) =
            hosted.instruments().iter().find(|index| self.instruments.get(**index).is_none())
        {
            return invalid(format!("there is no instrument {unknown}"));
        }
        let at = self.hosted.len();
        self.by_source[usize::from(source.0)] = Some(at);
        for &instrument in hosted.instruments() {
            self.by_instrument[instrument as usize] |= 1 << at;
        }
        self.hosted.push(hosted);
        Ok(())
    }

    /// Every strategy, in the order of their addition.
    pub fn iter(&self) -> impl Iterator<Item = &Hosted> {
        self.hosted.iter()
    }

    /// The strategy called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Hosted> {
        self.hosted.iter().find(|hosted| hosted.name() == name)
    }

    /// The strategy called `name`, for the operator's commands.
    #[must_use]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Hosted> {
        self.hosted.iter_mut().find(|hosted| hosted.name() == name)
    }

    /// Orders that strategies believe to be open.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.hosted.iter().map(|hosted| hosted.outbox().working().orders().len()).sum()
    }

    /// Stops every strategy and cancels its orders.
    pub fn stop_all(&mut self, now: Nanos) {
        self.hosted.iter_mut().for_each(|hosted| hosted.stop(now));
    }

    /// Ticks that the host was too slow to read.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    /// Records of route's journal that were lost for good. Any stops every strategy: its positions may be wrong.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// What the host reads, to attach again to a producer that was restarted; between two cycles.
    pub const fn inputs_mut(&mut self) -> &mut Inputs {
        &mut self.inputs
    }

    fn of_source(&mut self, source: SourceId) -> Option<&mut Hosted> {
        let at = (*self.by_source.get(usize::from(source.0))?)?;
        self.hosted.get_mut(at)
    }

    /// Takes a batch of reports. Returns how many, and whether there are no more.
    #[inline(never)]
    fn take_reports(&mut self, now: Nanos) -> (usize, bool) {
        for taken in 0..POLL_BATCH {
            match self.inputs.reports.poll() {
                Polled::Empty => return (taken, true),
                Polled::Message(record) => {
                    if let Some(report) = record.read::<Report>()
                        && let Some(hosted) = self.of_source(report.id.source)
                    {
                        hosted.report(&report, now);
                    }
                }
                Polled::Lapped { missed } => {
                    self.lost += missed;
                    self.hosted.iter_mut().for_each(|hosted| hosted.blind(now));
                }
            }
        }
        (POLL_BATCH, false)
    }

    /// Takes a batch of decisions. Returns how many, and whether there are no more.
    #[inline(never)]
    fn take_decisions(&mut self, now: Nanos) -> (usize, bool) {
        for taken in 0..POLL_BATCH {
            match self.inputs.decisions.poll() {
                Polled::Empty => return (taken, true),
                Polled::Message(record) => {
                    if let Some((id, code)) = record.read::<Decision>().as_ref().and_then(refused)
                        && let Some(hosted) = self.of_source(id.source)
                    {
                        hosted.refuse(id, code, now);
                    }
                }
                // An intent whose refusal was missed is found lost when its time is over.
                Polled::Lapped { .. } => {}
            }
        }
        (POLL_BATCH, false)
    }

    /// A duty cycle for which nothing but `ticks` ticks have come, before [`quiet_until`](Self::quiet_until): what there is
    /// besides is not looked at. Returns also when the next is due that nothing comes for.
    pub fn do_ticks(&mut self, ticks: usize, now: Nanos, moment: &mut Moment) -> (usize, Nanos) {
        let (mut work, mut next) = (self.take_ticks(ticks, now, moment), Nanos::NEVER);
        for hosted in &mut self.hosted {
            let mut due = hosted.next_deadline();
            let timed = if due > now { 0 } else { hosted.time(now, true) };
            if timed > 0 {
                moment.forget();
                due = hosted.next_deadline();
            }
            (work, next) = (work + timed, next.min(due));
        }
        (work, next)
    }

    /// Until when ticks alone bring nothing but [`do_ticks`](Self::do_ticks), as of the cycle that has just ended.
    #[must_use]
    pub fn quiet_until(&self) -> Nanos {
        let starting = self.hosted.iter().any(|hosted| hosted.activity() == Activity::Starting);
        if starting || self.desk.is_some() {
            return Nanos(i64::MIN);
        }
        self.rows_due.saturating_add(ROWS_PATIENCE).min(self.inputs.ticks.due())
    }

    /// Intents that the strategies have sent.
    #[inline]
    #[must_use]
    pub fn intents(&self) -> u64 {
        self.hosted.iter().map(|hosted| hosted.outbox().sequence()).sum()
    }

    /// Takes a batch of ticks, of which there are no more than `ticks`.
    #[inline(always)]
    fn take_ticks(&mut self, ticks: usize, now: Nanos, moment: &mut Moment) -> usize {
        let most = ticks.min(POLL_BATCH);
        let (mut taken, mut clock) = (0, moment.take());
        let Some(ticks) = self.inputs.ticks.get_mut() else { return 0 };
        for _ in 0..most {
            match ticks.poll() {
                Polled::Empty => break,
                // Where it was put: what is stored word by word cannot be moved at once, for some twenty cycles.
                Polled::Message(ref tick) => {
                    let followers = self.by_instrument.get(tick.instrument as usize);
                    if let Some(&followers) = followers.filter(|followers| **followers != 0) {
                        // One reading of the clock ends a tick's time and begins the next one's.
                        let started = self.timed.as_ref().map(|timed| clock.or_read(&timed.0));
                        ones(followers).for_each(|at| self.hosted[at].tick(tick, now));
                        if let (Some((stopwatch, times)), Some(started)) = (&mut self.timed, started) {
                            let done = stopwatch.elapsed();
                            times.note(0, done - started);
                            clock = Moment::at(done);
                            *moment = clock;
                        }
                    }
                }
                Polled::Lapped { missed } => {
                    cold_path();
                    self.missed += missed;
                    self.hosted.iter_mut().for_each(|hosted| hosted.lapped(now));
                    clock.forget();
                    moment.forget();
                }
            }
            taken += 1;
        }
        taken
    }
}

/// Every strategy has a source of its own: a word has a bit for each.
const _: () = assert!(SOURCES_MAX <= u64::BITS as usize);

/// Places of the bits that are set, lowest first.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(lowest)
    })
}

/// The intent that a decision refused, and why. A code that this build does not know is a refusal all the same.
fn refused(decision: &Decision) -> Option<(OrderId, RejectCode)> {
    match RejectCode::try_from(decision.code()) {
        Ok(RejectCode::None) => None,
        Ok(code) => Some((decision.intent().id, code)),
        Err(_) => Some((decision.intent().id, RejectCode::BadRequest)),
    }
}

impl Agent for StrategyHost {
    fn name(&self) -> &'static str {
        "strategy"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.do_work_from(now, &mut Moment::default())
    }

    fn do_work_from(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        let commands = self.take_commands(now, moment);
        let started: usize = self.hosted.iter_mut().map(|hosted| hosted.begin(&self.instruments, now)).sum();
        if unlikely(self.inputs.is_due(now)) {
            self.look(now);
            moment.forget();
        }
        let (mut reports, mut no_more_reports) = (0, true);
        if !self.inputs.reports.is_empty() {
            (reports, no_more_reports) = self.take_reports(now);
        }
        let (mut decisions, mut no_more_decisions) = (0, true);
        if !self.inputs.decisions.is_empty() {
            (decisions, no_more_decisions) = self.take_decisions(now);
        }
        let told = started + reports + decisions;
        if told > 0 {
            moment.forget();
        }
        let ticks = self.take_ticks(POLL_BATCH, now, moment);
        let told_all = no_more_reports && no_more_decisions;
        let timed: usize = self.hosted.iter_mut().map(|hosted| hosted.time(now, told_all)).sum();
        let work = commands + told + ticks + timed;
        if self.write_rows(now, work == 0) || timed > 0 {
            moment.forget();
        }
        if work == 0 {
            self.record_times();
            self.hosted.iter().for_each(|hosted| hosted.outbox().prepare());
        }
        work
    }

    fn next_deadline(&self) -> Nanos {
        self.hosted.iter().map(Hosted::next_deadline).min().unwrap_or(Nanos::NEVER)
    }
}

impl Observed for StrategyHost {
    fn names(&self) -> Vec<String> {
        ["ticks_missed", "reports_lost", "intents"].map(str::to_owned).to_vec()
    }

    fn values(&self, set: &mut dyn FnMut(usize, u64)) {
        (0..).zip([self.missed, self.lost, self.intents()]).for_each(|(index, value)| set(index, value));
    }

    fn record_times(&mut self) {
        if let Some((_, times)) = &mut self.timed {
            times.settle();
        }
    }
}

#[cfg(test)]
mod tests;
