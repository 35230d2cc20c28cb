//! The strategy agent: owns the strategies, hands them what concerns them, and keeps their books of working orders.

use std::sync::Arc;

use crate::agent::{Agent, Observed};
use crate::counters::CellWriter;
use crate::domain::{Instruments, Nanos, OrderId, SourceId};
use crate::error::{RejectCode, SetupError};
use crate::journal::Decision;
use crate::limits::{POLL_BATCH, SOURCES_MAX};
use crate::message::Report;
use crate::ring::broadcast::Polled;
use crate::tick_to_trade::commands::CommandDesk;
use crate::tick_to_trade::strategy::hosted::Hosted;
use crate::tick_to_trade::strategy::inputs::Inputs;
use crate::tick_to_trade::strategy::row::StrategyRow;

/// How often the strategies' rows are refreshed, at most.
const ROWS_EVERY: Nanos = Nanos::from_millis(100);

/// The agent. In a cycle it takes reports and refusals first, then ticks, then timers, so that a decision rests on
/// all that is known of the orders.
pub struct StrategyHost {
    inputs: Inputs,
    instruments: Arc<Instruments>,
    hosted: Vec<Hosted>,
    /// Which of `hosted` follow each instrument.
    by_instrument: Vec<Vec<usize>>,
    /// Which of `hosted` is each source.
    by_source: [Option<usize>; SOURCES_MAX],
    missed: u64,
    lost: u64,
    rows: Option<CellWriter<StrategyRow>>,
    rows_due: Nanos,
    pub(super) desk: Option<Box<CommandDesk>>,
    pub(super) commanded: u64,
}

impl StrategyHost {
    /// A host of no strategies yet.
    #[must_use]
    pub fn new(inputs: Inputs, instruments: Arc<Instruments>) -> Self {
        let by_instrument = vec![Vec::new(); instruments.len()];
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
            desk: None,
            commanded: 0,
        }
    }

    /// Shows every strategy in `rows`, one cell a source, at most 100 ms late.
    pub fn show_in(&mut self, rows: CellWriter<StrategyRow>) {
        self.rows = Some(rows);
    }

    /// A view for people: it changes no decision, so it is no work to replay.
    fn write_rows(&mut self, now: Nanos) {
        if now < self.rows_due {
            return;
        }
        self.rows_due = now.saturating_add(ROWS_EVERY);
        if let Some(rows) = &mut self.rows {
            for hosted in &self.hosted {
                let row = StrategyRow::of(hosted);
                rows.write(usize::from(row.source.0), &row);
            }
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
            let followers = &mut self.by_instrument[instrument as usize];
            if !followers.contains(&at) {
                followers.push(at);
            }
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

    fn take_ticks(&mut self, now: Nanos) -> usize {
        let mut taken = 0;
        let Some(ticks) = self.inputs.ticks.get_mut() else { return 0 };
        for _ in 0..POLL_BATCH {
            match ticks.poll() {
                Polled::Empty => break,
                Polled::Message(tick) => {
                    if let Some(followers) = self.by_instrument.get(tick.instrument as usize) {
                        followers.iter().for_each(|&at| self.hosted[at].tick(&tick, now));
                    }
                }
                Polled::Lapped { missed } => {
                    self.missed += missed;
                    self.hosted.iter_mut().for_each(|hosted| hosted.lapped(now));
                }
            }
            taken += 1;
        }
        taken
    }
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
        let commands = self.take_commands(now);
        let started: usize = self.hosted.iter_mut().map(|hosted| hosted.begin(&self.instruments, now)).sum();
        if self.inputs.look(now) {
            self.hosted.iter_mut().for_each(|hosted| hosted.lapped(now));
        }
        let (reports, no_more_reports) = self.take_reports(now);
        let (decisions, no_more_decisions) = self.take_decisions(now);
        let ticks = self.take_ticks(now);
        let told_all = no_more_reports && no_more_decisions;
        let timed: usize = self.hosted.iter_mut().map(|hosted| hosted.time(now, told_all)).sum();
        self.write_rows(now);
        commands + started + reports + decisions + ticks + timed
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
        let intents = self.hosted.iter().map(|hosted| hosted.outbox().sequence()).sum();
        (0..).zip([self.missed, self.lost, intents]).for_each(|(index, value)| set(index, value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::domain::Price;
    use crate::message::IntentKind;
    use crate::message::report::{OrderState, ReportKind};
    use crate::tick_to_trade::strategy::hosted::Activity;
    use crate::tick_to_trade::strategy::registry;
    use crate::tick_to_trade::strategy::testing::world::{Echo, NOW, World, at, heard};
    use crate::tick_to_trade::strategy::testing::{CAPACITY, instrument, report_of, top_tick};

    #[test]
    fn each_strategy_hears_of_its_own_instruments_and_orders_only() {
        let mut world = World::new();
        let (first, second) = (world.echo("first", 2, &[0]), world.echo("second", 5, &[0, 1]));
        assert_eq!((world.host.next_deadline(), world.host.do_work(NOW)), (Nanos::ZERO, 2));
        assert_eq!((heard(&first), heard(&second).len()), (vec!["start 10000000000 0".to_owned()], 1));
        world.ticks.publish(&at(top_tick(10_000, 10_010), 1));
        world.ticks.publish(&at(top_tick(10_000, 10_010), 7));
        assert_eq!(world.host.do_work(NOW), 2);
        assert_eq!((heard(&first), heard(&second)), (vec![], vec!["tick 1 of 1 holding 0".to_owned()]));
        assert_eq!(world.sent(0), []);
        let intent = world.sent(1)[0];
        assert_eq!((intent.id.source, intent.stamp, intent.decided), (SourceId(5), 7, NOW));
        world.report(&report_of(&intent, ReportKind::Accepted, OrderState::Open, 0));
        let mut stranger = report_of(&intent, ReportKind::Accepted, OrderState::Open, 0);
        stranger.id.source = SourceId(6);
        world.report(&stranger);
        stranger.id.source = SourceId(60_000);
        world.report(&stranger);
        assert_eq!(world.host.do_work(NOW), 3);
        assert_eq!((heard(&first), heard(&second)), (vec![], vec!["report 2 of 1".to_owned()]));
        assert_eq!(world.host.do_work(NOW), 0, "nothing changed");
    }

    #[test]
    fn a_fill_is_known_before_the_tick_of_the_same_cycle() {
        let mut world = World::new();
        let told = world.echo("echo", 1, &[0]);
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.host.do_work(NOW);
        let intent = world.sent(0)[0];
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.report(&report_of(&intent, ReportKind::Fill, OrderState::Filled, 10));
        heard(&told);
        world.host.do_work(NOW);
        assert_eq!(heard(&told), ["report 3 of 1", "tick 1 of 0 holding 10"]);
    }

    #[test]
    fn refusals_come_from_risks_journal_and_silence_is_one_in_the_end() {
        let mut world = World::new();
        let told = world.echo("echo", 1, &[0]);
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.host.do_work(NOW);
        let sent = world.sent(0);
        world.decide(sent[0], RejectCode::MaxPosition);
        world.decide(sent[1], RejectCode::None);
        heard(&told);
        assert_eq!(world.host.do_work(NOW), 2);
        assert_eq!(heard(&told), ["refused 1 MAX_POS"]);
        // The timer at 11 s, then nobody answers the second: valid until 11 s, a second of grace.
        assert_eq!(world.host.next_deadline(), NOW + Nanos::from_secs(1));
        world.host.do_work(NOW + Nanos::from_secs(1));
        assert_eq!(world.host.next_deadline(), NOW + Nanos::from_secs(2));
        world.host.do_work(NOW + Nanos::from_secs(2));
        assert_eq!(heard(&told), ["timer 11000000000", "refused 2 EXPIRED"]);
        assert_eq!(world.host.next_deadline(), Nanos::NEVER);
    }

    #[test]
    fn a_late_host_hears_what_was_reported_before_it_calls_an_intent_lost() {
        let mut world = World::new();
        let told = world.echo("echo", 1, &[0]);
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.host.do_work(NOW);
        let intent = world.sent(0)[0];
        // More reports than a batch stand before the one that answers.
        let mut stranger = report_of(&intent, ReportKind::Accepted, OrderState::Open, 0);
        stranger.id.source = SourceId(9);
        (0..POLL_BATCH).for_each(|_| world.report(&stranger));
        world.report(&report_of(&intent, ReportKind::Accepted, OrderState::Open, 0));
        heard(&told);
        let late = NOW + Nanos::from_secs(60);
        world.host.do_work(late);
        world.host.do_work(late);
        assert_eq!(heard(&told), ["timer 70000000000", "report 2 of 1"]);
    }

    #[test]
    fn a_lapped_reader_takes_every_book_for_untrusted() {
        let mut world = World::new();
        let (first, second) = (world.echo("first", 1, &[0]), world.echo("second", 2, &[0, 1]));
        world.host.do_work(NOW);
        heard(&first);
        heard(&second);
        for _ in 0..3 * CAPACITY {
            world.ticks.publish(&at(top_tick(10_000, 10_010), 0));
        }
        world.host.do_work(NOW);
        let (first, second) = (heard(&first), heard(&second));
        assert_eq!(first[0], "tick 5 of 0 holding 0");
        assert_eq!(second[..2], ["tick 5 of 0 holding 0", "tick 5 of 1 holding 0"]);
        while world.host.do_work(NOW) > 0 {}
        assert!(world.host.missed() as usize >= 2 * CAPACITY, "{}", world.host.missed());
    }

    #[test]
    fn stopping_cancels_and_goes_on_cancelling_until_nothing_works() {
        let mut world = World::new();
        let told = world.echo("echo", 1, &[0]);
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.host.do_work(NOW);
        let order = world.sent(0)[0];
        world.report(&report_of(&order, ReportKind::Accepted, OrderState::Open, 0));
        world.host.do_work(NOW);
        world.host.get_mut("echo").expect("hosted").stop(NOW);
        let cancel = world.sent(0)[0];
        assert_eq!((cancel.kind, cancel.target), (IntentKind::Cancel.code(), order.id));
        // The cancel fails; while stopped it hears of its order, of no tick and no timer.
        world.report(&report_of(&order, ReportKind::CancelRejected, OrderState::Open, 0));
        world.ticks.publish(&top_tick(10_000, 10_010));
        heard(&told);
        world.host.do_work(NOW);
        assert_eq!((heard(&told), world.sent(0)), (vec!["report 8 of 1".to_owned()], vec![]));
        let sweep = world.host.next_deadline();
        assert_eq!(sweep, NOW + Nanos::from_secs(1));
        world.host.do_work(sweep);
        assert_eq!(world.sent(0)[0].target, order.id);
        world.report(&report_of(&order, ReportKind::Canceled, OrderState::Canceled, 0));
        world.host.do_work(sweep);
        assert_eq!(world.host.next_deadline(), Nanos::NEVER);
        let hosted = world.host.get_mut("echo").expect("hosted");
        assert_eq!(hosted.activity(), Activity::Stopped);
        hosted.start().expect("may start");
        heard(&told);
        world.host.do_work(sweep);
        assert_eq!(heard(&told), ["start 11000000000 0"]);
    }

    #[test]
    fn lost_reports_stop_every_strategy_for_good() {
        let mut world = World::new();
        let told = world.echo("echo", 1, &[0]);
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.host.do_work(NOW);
        let order = world.sent(0)[0];
        let report = report_of(&order, ReportKind::Accepted, OrderState::Open, 0);
        world.report(&report);
        world.host.do_work(NOW);
        // The ring forgets reports that the host has not read, and there are no segments to read them from.
        for _ in 0..3 * CAPACITY {
            world.report(&report);
            assert!(world.route_drain.poll_held().is_some());
            world.route_drain.commit();
        }
        world.host.do_work(NOW);
        assert!(world.host.lost() > 0);
        assert_eq!(world.sent(0)[0].target, order.id, "its order is cancelled");
        let hosted = world.host.get_mut("echo").expect("hosted");
        assert_eq!(hosted.activity(), Activity::Stopped);
        let error = hosted.start().expect_err("what it knows may be wrong").to_string();
        assert_eq!(error, "strategy echo: reports of its orders were lost: restart the strategy engine");
        drop(told);
    }

    #[test]
    fn names_sources_and_instruments_are_checked() {
        let mut world = World::new();
        let _told = world.echo("echo", 1, &[0]);
        for (name, source, instrument, reason) in [
            ("echo", 2, 0, "strategy echo: there is one of that name already"),
            ("other", 1, 0, "strategy other: source 1 is taken"),
            ("other", 64, 0, "strategy other: source 64 is not below 64"),
            ("other", 2, 9, "strategy other: there is no instrument 9"),
        ] {
            let outbox = world.outbox(source);
            let echo = Box::new(Echo { log: channel().0, timer: Nanos::NEVER, stuck: false });
            let error =
                world.host.add(Hosted::new(name, echo, outbox, vec![instrument])).expect_err("refused");
            assert_eq!(error.to_string(), reason);
        }
    }

    #[test]
    fn parameters_reach_the_strategy_and_its_outbox() {
        let mut world = World::new();
        let outbox = world.outbox(3);
        let making =
            registry::create("market_making", 1, &instrument(), &registry::Settings::new()).expect("made");
        world.host.add(Hosted::new("making", making, outbox, vec![1])).expect("added");
        let hosted = world.host.get_mut("making").expect("hosted");
        hosted.set("gamma", "0.25").expect("valid");
        hosted.set("order_life", "5s").expect("valid");
        assert!(hosted.set("order_life", "never").is_err());
        assert!(hosted.set("gama", "0.25").is_err());
        let value = |key| hosted.parameters().into_iter().find(|row| row.key == key).map(|row| row.value);
        assert_eq!((value("gamma").as_deref(), value("order_life").as_deref()), (Some("0.25"), Some("5s")));
    }

    #[test]
    fn market_making_lives_in_the_host() {
        let mut world = World::new();
        let settings =
            [("warm_up", "2s"), ("size_unit", "quantity"), ("order_size", "1"), ("max_position", "5")];
        let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let making = registry::create("market_making", 0, &instrument(), &settings).expect("made");
        let outbox = world.outbox(3);
        world.host.add(Hosted::new("making", making, outbox, vec![0])).expect("added");
        for n in 0..4 {
            world.ticks.publish(&top_tick(9_900 + n % 2 * 2, 10_100));
            world.host.do_work(NOW + Nanos::from_secs(n));
        }
        let sent = world.sent(0);
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|intent| intent.price > Price(9_900) && intent.price < Price(10_100)));
        assert_eq!(sent.iter().map(|intent| intent.side).collect::<Vec<_>>(), [1, 2]);
    }
}
