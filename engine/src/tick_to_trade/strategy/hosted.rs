//! A strategy in the host's care: with its name, outbox and instruments, running or stopped.

use crate::domain::{InstrumentIndex, Instruments, Nanos, OrderId};
use crate::error::{RejectCode, SetupError};
use crate::message::{Report, Tick};
use crate::tick_to_trade::strategy::outbox::{self, Outbox};
use crate::tick_to_trade::strategy::working::{WorkingOrder, WorkingState};
use crate::tick_to_trade::strategy::{ParameterError, ParameterValue, Start, Strategy};
use crate::wire::wire_enum;

/// How long after a stop, and again, the host cancels what still works.
const SWEEP: Nanos = Nanos::from_secs(1);

wire_enum! {
    /// Whether a strategy acts.
    Activity {
        /// It starts with the next cycle.
        Starting = 1 => "STARTING",
        /// It is told of the market and its timers.
        Running = 2 => "RUNNING",
        /// It is told of its orders only, and the host cancels them.
        Stopped = 3 => "STOPPED",
    }
}

/// One strategy with all that is its own.
pub struct Hosted {
    name: String,
    strategy: Box<dyn Strategy>,
    outbox: Outbox,
    instruments: Vec<InstrumentIndex>,
    activity: Activity,
    /// While stopped: when to cancel what still works.
    next_sweep: Nanos,
    blind: bool,
}

impl Hosted {
    /// `strategy`, known to users as `name`, which follows `instruments` and acts through `outbox`.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        strategy: Box<dyn Strategy>,
        outbox: Outbox,
        instruments: Vec<InstrumentIndex>,
    ) -> Self {
        let activity = Activity::Starting;
        Self {
            name: name.into(),
            strategy,
            outbox,
            instruments,
            activity,
            next_sweep: Nanos::ZERO,
            blind: false,
        }
    }

    /// What users call it; one strategy may run several times.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The strategy.
    #[must_use]
    pub fn strategy(&self) -> &dyn Strategy {
        &*self.strategy
    }

    /// Its outbox, with its working orders and positions.
    #[must_use]
    pub const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The instruments that it follows.
    #[must_use]
    pub fn instruments(&self) -> &[InstrumentIndex] {
        &self.instruments
    }

    /// Whether it acts.
    #[must_use]
    pub const fn activity(&self) -> Activity {
        self.activity
    }

    /// Its parameters and its outbox's, with their present values.
    #[must_use]
    pub fn parameters(&self) -> Vec<ParameterValue> {
        let mut all = self.strategy.parameters();
        all.extend(outbox::PARAMETERS.show(&self.outbox.life()));
        all
    }

    /// Changes a parameter of it or of its outbox.
    ///
    /// # Errors
    /// When the key is not known or the value does not do; then nothing has changed.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ParameterError> {
        if outbox::PARAMETERS.rows.iter().all(|row| row.key != key) {
            return self.strategy.set(key, value);
        }
        let mut life = self.outbox.life();
        outbox::PARAMETERS.set(&mut life, key, value)?;
        self.outbox.set_life(life);
        Ok(())
    }

    /// Starts it with the next cycle, if it is stopped.
    ///
    /// # Errors
    /// When reports were lost: its positions may be wrong until the host is made anew.
    pub fn start(&mut self) -> Result<(), SetupError> {
        if self.blind {
            let reason = "reports of its orders were lost: restart the strategy engine";
            return Err(SetupError::Invalid(format!("strategy {}: {reason}", self.name)));
        }
        if self.activity == Activity::Stopped {
            self.activity = Activity::Starting;
        }
        Ok(())
    }

    /// Stops it and cancels its orders. Does nothing to a stopped one.
    pub fn stop(&mut self, now: Nanos) {
        if self.activity == Activity::Stopped {
            return;
        }
        self.outbox.begin(now, 0);
        if self.activity == Activity::Running {
            self.strategy.on_stop(now, &mut self.outbox);
        }
        self.activity = Activity::Stopped;
        self.sweep(now);
    }

    /// Stops it for good: reports were lost, so that what it knows of its orders and positions may be wrong.
    pub(super) fn blind(&mut self, now: Nanos) {
        self.blind = true;
        self.stop(now);
    }

    /// Tells it that it begins, once; returns whether it did.
    pub(super) fn begin(&mut self, instruments: &Instruments, now: Nanos) -> usize {
        if self.activity != Activity::Starting {
            return 0;
        }
        self.activity = Activity::Running;
        self.outbox.begin(now, 0);
        self.strategy.on_start(&Start { instruments, now }, &mut self.outbox);
        1
    }

    pub(super) fn tick(&mut self, tick: &Tick, now: Nanos) {
        if self.activity == Activity::Running {
            self.outbox.begin(now, tick.stamp);
            self.strategy.on_tick(tick, now, &mut self.outbox);
        }
    }

    pub(super) fn lapped(&mut self, now: Nanos) {
        if self.activity == Activity::Running {
            self.outbox.begin(now, 0);
            for &instrument in &self.instruments {
                self.strategy.on_lapped(instrument, now, &mut self.outbox);
            }
        }
    }

    pub(super) fn report(&mut self, report: &Report, now: Nanos) {
        self.outbox.begin(now, 0);
        self.outbox.working_mut().apply(report);
        self.strategy.on_report(report, now, &mut self.outbox);
    }

    pub(super) fn refuse(&mut self, id: OrderId, code: RejectCode, now: Nanos) {
        if let Some(refusal) = self.outbox.working_mut().refuse(id, code) {
            self.outbox.begin(now, 0);
            self.strategy.on_refusal(&refusal, now, &mut self.outbox);
        }
    }

    /// What is due at `now`: its timer, intents that got lost, and the cancels of a stopped one. Returns how much
    /// was. `drained` says that every report and refusal so far has been told.
    pub(super) fn time(&mut self, now: Nanos, drained: bool) -> usize {
        let mut done = 0;
        while drained && let Some(refusal) = self.outbox.working_mut().lost(now) {
            self.outbox.begin(now, 0);
            self.strategy.on_refusal(&refusal, now, &mut self.outbox);
            done += 1;
        }
        if self.activity == Activity::Running && self.strategy.next_timer() <= now {
            self.outbox.begin(now, 0);
            self.strategy.on_timer(now, &mut self.outbox);
            done += 1;
        }
        if self.sweep_due() <= now {
            self.sweep(now);
            done += 1;
        }
        done
    }

    /// When [`time`](Self::time) should next be called.
    pub(super) fn next_deadline(&self) -> Nanos {
        let timer = match self.activity {
            Activity::Starting => Nanos::ZERO,
            Activity::Running => self.strategy.next_timer(),
            Activity::Stopped => self.sweep_due(),
        };
        timer.min(self.outbox.working().next_answer())
    }

    fn sweep_due(&self) -> Nanos {
        let left = |order: &WorkingOrder| order.state != WorkingState::Cancelling;
        let any = self.activity == Activity::Stopped && self.outbox.working().orders().iter().any(left);
        if any { self.next_sweep } else { Nanos::NEVER }
    }

    fn sweep(&mut self, now: Nanos) {
        self.outbox.begin(now, 0);
        // A full ring refuses some; the next sweep asks again.
        _ = self.outbox.cancel_all(None);
        self.next_sweep = now.saturating_add(SWEEP);
    }
}
