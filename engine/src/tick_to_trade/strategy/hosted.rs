//! A strategy in the host's care: with its name, outbox and instruments, running or stopped.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::domain::{InstrumentIndex, Instruments, Nanos, OrderId};
use crate::error::{RejectCode, SetupError};
use crate::message::{Report, Tick};
use crate::tick_to_trade::strategy::outbox::{self, Outbox};
use crate::tick_to_trade::strategy::working::{WorkingOrder, WorkingState};
use crate::tick_to_trade::strategy::{ParameterError, ParameterValue, Start, Strategy};
use crate::wire::wire_enum;

/// How long after a stop, and again, the host cancels what still works.
const SWEEP: Nanos = Nanos::from_secs(1);

/// Refusals of intents that no sound strategy makes, in a row, at which the host stops one.
const BAD_INTENTS_MAX: u32 = 10;

/// Timers of one strategy at one moment at which the host stops it: with it, time would never pass.
const TIMERS_PER_MOMENT_MAX: u32 = 1_000;

wire_enum! {
    /// Whether a strategy acts.
    Activity {
        /// It starts with the next cycle.
        Starting = 1 => "STARTING",
        /// It is told of the market and its timers.
        Running = 2 => "RUNNING",
        /// It is told of its orders only, and the host cancels them.
        Stopped = 3 => "STOPPED",
        /// Stopped for good, because it panicked or misbehaved: it is told nothing, and the host cancels its orders.
        Failed = 4 => "FAILED",
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
    /// Why it was stopped for good.
    failure: Option<String>,
    /// Bad intents in a row, and timers at the last moment that it had one.
    bad_intents: u32,
    timers: (Nanos, u32),
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
            failure: None,
            bad_intents: 0,
            timers: (Nanos::ZERO, 0),
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

    /// Looks for risk's end of its ring of intents.
    pub(super) fn meet(&mut self) {
        self.outbox.meet();
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

    /// Why it was stopped for good, where it was.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
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
    /// When it failed, or reports were lost: its positions may be wrong until the host is made anew.
    pub fn start(&mut self) -> Result<(), SetupError> {
        let refuse = |reason: &str| {
            Err(SetupError::Invalid(format!("strategy {}: {reason}: restart the strategy engine", self.name)))
        };
        if let Some(failure) = &self.failure {
            return refuse(failure);
        }
        if self.blind {
            return refuse("reports of its orders were lost");
        }
        if self.activity == Activity::Stopped {
            self.activity = Activity::Starting;
        }
        Ok(())
    }

    /// Stops it and cancels its orders. Does nothing to a stopped one.
    pub fn stop(&mut self, now: Nanos) {
        if matches!(self.activity, Activity::Stopped | Activity::Failed) {
            return;
        }
        if self.activity == Activity::Running {
            self.call(now, 0, |strategy, outbox| strategy.on_stop(now, outbox));
        }
        if self.activity != Activity::Failed {
            self.activity = Activity::Stopped;
            self.sweep(now);
        }
    }

    /// Stops it for good: reports were lost, so that what it knows of its orders and positions may be wrong.
    pub(super) fn blind(&mut self, now: Nanos) {
        self.blind = true;
        self.stop(now);
    }

    /// Stops it for good and cancels its orders; it is not asked.
    fn fail(&mut self, reason: String, now: Nanos) {
        if self.activity == Activity::Failed {
            return;
        }
        self.failure = Some(reason);
        self.activity = Activity::Failed;
        self.sweep(now);
    }

    /// Lets the strategy act at `now`, caused by the tick with `stamp`. Its panic is its own end and nobody else's:
    /// what it was in the middle of stays as it is, and it is never called again.
    fn call(&mut self, now: Nanos, stamp: u32, act: impl FnOnce(&mut dyn Strategy, &mut Outbox)) {
        if self.activity == Activity::Failed {
            return;
        }
        self.outbox.begin(now, stamp);
        let Self { strategy, outbox, .. } = self;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| act(&mut **strategy, outbox))) {
            self.fail_of(&*panic, now);
        }
    }

    /// Ends it because of its panic.
    #[cold]
    #[inline(never)]
    fn fail_of(&mut self, panic: &(dyn Any + Send), now: Nanos) {
        let told = panic.downcast_ref::<String>().map(String::as_str);
        let told = told.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why");
        self.fail(format!("it panicked: {told}"), now);
    }

    /// Tells it that it begins, once; returns whether it did.
    #[inline]
    pub(super) fn begin(&mut self, instruments: &Instruments, now: Nanos) -> usize {
        if self.activity != Activity::Starting {
            return 0;
        }
        self.run(instruments, now);
        1
    }

    #[cold]
    fn run(&mut self, instruments: &Instruments, now: Nanos) {
        self.activity = Activity::Running;
        self.call(now, 0, |strategy, outbox| strategy.on_start(&Start { instruments, now }, outbox));
    }

    #[inline(always)]
    pub(super) fn tick(&mut self, tick: &Tick, now: Nanos) {
        if self.activity == Activity::Running {
            self.call(now, tick.stamp, |strategy, outbox| strategy.on_tick(tick, now, outbox));
        }
    }

    pub(super) fn lapped(&mut self, now: Nanos) {
        for at in 0..self.instruments.len() {
            if self.activity == Activity::Running {
                let instrument = self.instruments[at];
                self.call(now, 0, |strategy, outbox| strategy.on_lapped(instrument, now, outbox));
            }
        }
    }

    pub(super) fn report(&mut self, report: &Report, now: Nanos) {
        self.bad_intents = 0;
        self.outbox.working_mut().apply(report);
        self.call(now, 0, |strategy, outbox| strategy.on_report(report, now, outbox));
    }

    pub(super) fn refuse(&mut self, id: OrderId, code: RejectCode, now: Nanos) {
        if is_bad(code) {
            self.bad_intents += 1;
            if self.bad_intents == BAD_INTENTS_MAX {
                let reason = format!("{BAD_INTENTS_MAX} bad intents in a row, the last refused with {code}");
                self.fail(reason, now);
            }
        }
        if let Some(refusal) = self.outbox.working_mut().refuse(id, code) {
            self.call(now, 0, |strategy, outbox| strategy.on_refusal(&refusal, now, outbox));
        }
    }

    /// What is due at `now`: its timer, intents that got lost, and the cancels of a stopped one. Returns how much
    /// was. `drained` says that every report and refusal so far has been told.
    #[inline]
    pub(super) fn time(&mut self, now: Nanos, drained: bool) -> usize {
        if self.next_deadline() > now { 0 } else { self.take_time(now, drained) }
    }

    #[inline(never)]
    fn take_time(&mut self, now: Nanos, drained: bool) -> usize {
        let mut done = 0;
        while drained && let Some(refusal) = self.outbox.working_mut().lost(now) {
            self.call(now, 0, |strategy, outbox| strategy.on_refusal(&refusal, now, outbox));
            done += 1;
        }
        if self.activity == Activity::Running && self.next_timer() <= now {
            self.count_timer(now);
            self.call(now, 0, |strategy, outbox| strategy.on_timer(now, outbox));
            done += 1;
        }
        if self.sweep_due() <= now {
            self.sweep(now);
            done += 1;
        }
        done
    }

    fn count_timer(&mut self, now: Nanos) {
        self.timers = if self.timers.0 == now { (now, self.timers.1 + 1) } else { (now, 1) };
        if self.timers.1 > TIMERS_PER_MOMENT_MAX {
            self.fail("its timer does not let time pass".to_owned(), now);
        }
    }

    /// When it wants its timer. Should it panic over that, the timer is due at once, and panics in its turn.
    fn next_timer(&self) -> Nanos {
        catch_unwind(AssertUnwindSafe(|| self.strategy.next_timer())).unwrap_or(Nanos::ZERO)
    }

    /// When [`time`](Self::time) should next be called.
    #[inline]
    pub(super) fn next_deadline(&self) -> Nanos {
        let timer = match self.activity {
            Activity::Starting => Nanos::ZERO,
            Activity::Running => self.next_timer(),
            Activity::Stopped | Activity::Failed => self.sweep_due(),
        };
        timer.min(self.outbox.working().next_answer())
    }

    fn sweep_due(&self) -> Nanos {
        let left = |order: &WorkingOrder| order.state != WorkingState::Cancelling;
        let stopped = matches!(self.activity, Activity::Stopped | Activity::Failed);
        let any = stopped && self.outbox.working().orders().iter().any(left);
        if any { self.next_sweep } else { Nanos::NEVER }
    }

    fn sweep(&mut self, now: Nanos) {
        self.outbox.begin(now, 0);
        // A full ring refuses some; the next sweep asks again.
        _ = self.outbox.cancel_all(None);
        self.next_sweep = now.saturating_add(SWEEP);
    }
}

/// Whether a refusal tells of an intent that no sound strategy makes: off the instrument's grid or bounds, or of an
/// instrument or order that there is not.
const fn is_bad(code: RejectCode) -> bool {
    matches!(
        code,
        RejectCode::BadRequest
            | RejectCode::DuplicateId
            | RejectCode::FilterPrice
            | RejectCode::FilterLot
            | RejectCode::FilterNotional
    )
}
