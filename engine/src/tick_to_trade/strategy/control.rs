//! What an operator may do to the strategies of a host while they run: list, show, start, stop and tune them.

use crate::domain::{InstrumentIndex, Nanos, Quantity, SourceId};
use crate::tick_to_trade::strategy::host::StrategyHost;
use crate::tick_to_trade::strategy::hosted::{Activity, Hosted};
use crate::tick_to_trade::strategy::{ParameterError, ParameterValue};

/// Why a command to a strategy was refused: one line that names it. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The host has no such strategy.
    #[error("no strategy {name:?}; there are {known}")]
    Unknown {
        /// The name given.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// It cannot start.
    #[error("{0}")]
    NotStarted(String),
    /// It does not take the parameter.
    #[error("{0}")]
    Parameter(#[from] ParameterError),
}

/// A strategy as an operator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// The strategy that it runs, as in the registry.
    pub strategy: &'static str,
    /// Its source number.
    pub source: SourceId,
    /// Whether it acts.
    pub activity: Activity,
    /// Why it was stopped for good, where it was.
    pub failure: Option<String>,
    /// The instruments that it follows, each with its own position.
    pub positions: Vec<(InstrumentIndex, Quantity)>,
    /// Intents that it has made.
    pub intents: u64,
    /// Its working orders.
    pub working: usize,
    /// Its parameters.
    pub parameters: Vec<ParameterValue>,
    /// What it thinks.
    pub signals: Vec<(&'static str, f64)>,
}

impl Shown {
    fn of(hosted: &Hosted) -> Self {
        let working = hosted.outbox().working();
        let held = |&index: &InstrumentIndex| (index, working.position(index).quantity);
        let failed = hosted.activity() == Activity::Failed;
        Self {
            name: hosted.name().to_owned(),
            strategy: hosted.strategy().name(),
            source: hosted.outbox().identity().source,
            activity: hosted.activity(),
            failure: hosted.failure().map(str::to_owned),
            positions: hosted.instruments().iter().map(held).collect(),
            intents: hosted.outbox().sequence(),
            working: working.orders().len(),
            // One that failed is not asked for anything any more.
            parameters: if failed { Vec::new() } else { hosted.parameters() },
            signals: if failed { Vec::new() } else { hosted.strategy().signals() },
        }
    }
}

impl StrategyHost {
    /// Every strategy, in the order of their addition.
    #[must_use]
    pub fn list(&self) -> Vec<Shown> {
        self.iter().map(Shown::of).collect()
    }

    /// The strategy called `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn show(&self, name: &str) -> Result<Shown, ControlError> {
        self.get(name).map(Shown::of).ok_or_else(|| self.unknown(name))
    }

    /// Starts the strategy called `name` with the next cycle. One that runs goes on.
    ///
    /// # Errors
    /// When there is none, or it was stopped for good.
    pub fn start(&mut self, name: &str) -> Result<(), ControlError> {
        let hosted = self.named(name)?;
        hosted.start().map_err(|error| ControlError::NotStarted(error.to_string()))
    }

    /// Stops the strategy called `name` and cancels its orders. One that is stopped stays so.
    ///
    /// # Errors
    /// When there is none.
    pub fn stop(&mut self, name: &str, now: Nanos) -> Result<(), ControlError> {
        self.named(name)?.stop(now);
        Ok(())
    }

    /// Sets a parameter of the strategy called `name`, running or not.
    ///
    /// # Errors
    /// When there is none, or it does not take the key or the value.
    pub fn set(&mut self, name: &str, key: &str, value: &str) -> Result<(), ControlError> {
        let hosted = self.named(name)?;
        if let Some(failure) = hosted.failure() {
            return Err(ControlError::NotStarted(format!("strategy {name}: {failure}")));
        }
        Ok(hosted.set(key, value)?)
    }

    fn named(&mut self, name: &str) -> Result<&mut Hosted, ControlError> {
        let unknown = self.unknown(name);
        self.get_mut(name).ok_or(unknown)
    }

    fn unknown(&self, name: &str) -> ControlError {
        let known: Vec<_> = self.iter().map(Hosted::name).collect();
        ControlError::Unknown { name: name.to_owned(), known: known.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Agent;
    use crate::error::RejectCode;
    use crate::message::IntentKind;
    use crate::message::report::{OrderState, ReportKind};
    use crate::tick_to_trade::strategy::registry;
    use crate::tick_to_trade::strategy::testing::world::{NOW, World, heard};
    use crate::tick_to_trade::strategy::testing::{instrument, report_of, top_tick};

    fn world() -> World {
        let mut world = World::new();
        for (name, source) in [("twap/TESTUSDT", 2), ("momentum/TESTUSDT", 3)] {
            let kind = name.split('/').next().expect("a kind");
            let strategy = registry::create(kind, 0, &instrument(), &registry::Settings::new());
            let outbox = world.outbox(source);
            world.host.add(Hosted::new(name, strategy.expect("made"), outbox, vec![0])).expect("added");
        }
        world
    }

    #[test]
    fn lists_shows_starts_stops_and_tunes_by_name() {
        let mut world = world();
        world.host.do_work(NOW);
        let names: Vec<_> = world.host.list().into_iter().map(|shown| (shown.name, shown.source.0)).collect();
        assert_eq!(names, [("twap/TESTUSDT".to_owned(), 2), ("momentum/TESTUSDT".to_owned(), 3)]);
        world.host.set("twap/TESTUSDT", "slices", "4").expect("valid");
        world.host.set("twap/TESTUSDT", "order_life", "5s").expect("valid");
        let shown = world.host.show("twap/TESTUSDT").expect("hosted");
        let value = |key: &str| {
            shown.parameters.iter().find(|row| row.key == key).map(|row| row.value.clone()).expect("a row")
        };
        assert_eq!((value("slices"), value("order_life")), ("4".to_owned(), "5s".to_owned()));
        assert_eq!((shown.strategy, shown.activity), ("twap", Activity::Running));

        world.ticks.publish(&top_tick(10_000, 10_010));
        world.host.do_work(NOW);
        let order = world.sent(0)[0];
        world.report(&report_of(&order, ReportKind::Accepted, OrderState::Open, 0));
        world.report(&report_of(&order, ReportKind::Fill, OrderState::Partial, 10));
        world.host.do_work(NOW);
        world.host.stop("twap/TESTUSDT", NOW).expect("hosted");
        assert_eq!(world.sent(0)[0].target, order.id);
        let shown = world.host.show("twap/TESTUSDT").expect("hosted");
        assert_eq!((shown.activity, shown.working), (Activity::Stopped, 1));
        assert_eq!(shown.positions, [(0, Quantity(10))]);
        world.host.start("twap/TESTUSDT").expect("it can");
        assert_eq!(world.host.show("twap/TESTUSDT").expect("hosted").activity, Activity::Starting);
    }

    #[test]
    fn refusals_name_what_was_wrong() {
        let mut world = world();
        let known = "twap/TESTUSDT, momentum/TESTUSDT";
        let unknown = format!("no strategy \"hodl\"; there are {known}");
        assert_eq!(world.host.show("hodl").expect_err("unknown").to_string(), unknown);
        assert_eq!(world.host.start("hodl").expect_err("unknown").to_string(), unknown);
        assert_eq!(world.host.stop("hodl", NOW).expect_err("unknown").to_string(), unknown);
        assert_eq!(world.host.set("hodl", "a", "b").expect_err("unknown").to_string(), unknown);
        let refused = world.host.set("twap/TESTUSDT", "slices", "0").expect_err("out of range");
        assert_eq!(refused.to_string(), r#"twap: slices = "0": out of range; it takes 1 to 10000"#);
    }

    #[test]
    fn a_strategy_that_panics_is_stopped_its_orders_cancelled_and_the_others_go_on() {
        let mut world = World::new();
        let (bad, good) = (world.echo("bad", 2, &[0]), world.echo("good", 3, &[0]));
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.host.do_work(NOW);
        let order = world.sent(0)[0];
        world.report(&report_of(&order, ReportKind::Accepted, OrderState::Open, 0));
        world.host.do_work(NOW);
        heard(&good);
        world.sent(1);
        // An `Echo` panics when nobody listens to it any more.
        drop(bad);
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.host.do_work(NOW);
        let shown = world.host.show("bad").expect("hosted");
        assert_eq!((shown.activity, shown.parameters.len()), (Activity::Failed, 0));
        assert!(shown.failure.expect("a reason").starts_with("it panicked: the test listens"));
        let cancels = world.sent(0);
        assert_eq!((cancels.len(), cancels[0].kind), (1, IntentKind::Cancel.code()));
        assert_eq!(cancels[0].target, order.id);
        assert_eq!((heard(&good).len(), world.sent(1).len()), (2, 2), "the other heard both ticks");
        let refused = world.host.start("bad").expect_err("for good").to_string();
        assert!(refused.contains("it panicked") && refused.contains("restart"), "{refused}");
        // The cancel fails; the host asks again without the strategy.
        world.report(&report_of(&order, ReportKind::CancelRejected, OrderState::Open, 0));
        world.host.do_work(NOW);
        world.host.do_work(NOW + Nanos::from_secs(1));
        assert_eq!(world.sent(0)[0].target, order.id);
    }

    #[test]
    fn bad_intents_in_a_row_end_a_strategy_and_refusals_of_other_kinds_do_not() {
        for (code, end) in [
            (RejectCode::FilterPrice, Activity::Failed),
            (RejectCode::BadRequest, Activity::Failed),
            (RejectCode::MaxPosition, Activity::Running),
            (RejectCode::Halted, Activity::Running),
        ] {
            let mut world = World::new();
            let _listening = world.echo("echo", 2, &[0]);
            for _ in 0..10 {
                assert_ne!(world.host.show("echo").expect("hosted").activity, Activity::Failed);
                world.ticks.publish(&top_tick(10_000, 10_010));
                world.host.do_work(NOW);
                for intent in world.sent(0) {
                    world.decide(intent, code);
                }
                world.host.do_work(NOW);
            }
            let shown = world.host.show("echo").expect("hosted");
            assert_eq!((shown.activity, shown.working), (end, 0), "{code}");
        }
    }

    #[test]
    fn a_timer_that_does_not_let_time_pass_ends_its_strategy() {
        let mut world = World::new();
        let _listening = world.stuck("stuck", 2, &[0]);
        let mut cycles = 0;
        while world.host.do_work(NOW) > 0 {
            cycles += 1;
            assert!(cycles < 10_000, "time never passes");
        }
        let shown = world.host.show("stuck").expect("hosted");
        assert_eq!(shown.failure.as_deref(), Some("its timer does not let time pass"));
    }
}
