//! Virtual time: every agent of a session in one thread, from deadline to deadline.

use crate::agent::Agent;
use crate::clock::{Clock, VirtualClock};
use crate::domain::Nanos;
use crate::error::SetupError;
use crate::simulation::exchange::SimulatedExchange;
use crate::simulation::source::FrameSource;
use crate::tick_to_trade::assembly::{JournalSet, Path};
use crate::venue::link::{LinkFeed, LinkOrderEntry};

/// Duty cycles at one instant before the stepper takes it that somebody never comes to rest.
const CYCLES_PER_INSTANT_MAX: u32 = 1_000_000;

/// After the last frame, how long orders get to settle before they count as open.
const SETTLE: Nanos = Nanos::from_secs(30);

/// Drives a replay.
pub struct Stepper<S> {
    exchange: SimulatedExchange<S>,
    path: Path<LinkFeed, LinkOrderEntry>,
    journals: JournalSet,
    clock: VirtualClock,
    steps: u64,
}

impl<S: FrameSource> Stepper<S> {
    /// Joins an exchange and the agents that trade on it, at the exchange's first frame.
    pub fn new(
        exchange: SimulatedExchange<S>,
        path: Path<LinkFeed, LinkOrderEntry>,
        journals: JournalSet,
    ) -> Self {
        let start = exchange.next_deadline();
        let clock = VirtualClock::new(if start == Nanos::NEVER { Nanos::ZERO } else { start });
        Self { exchange, path, journals, clock, steps: 0 }
    }

    /// The agents.
    pub const fn path(&self) -> &Path<LinkFeed, LinkOrderEntry> {
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
            let next = self.exchange.next_deadline().min(self.path.next_deadline());
            if !at_step(next) {
                break;
            }
            self.step_to(next)?;
        }
        let end = self.clock.now();
        self.path.stop(end);
        self.settle(end)?;
        let last = end.saturating_add(SETTLE);
        while self.path.route().orders().live() > 0 {
            let next = self.exchange.next_deadline().min(self.path.next_deadline());
            if next > last {
                break;
            }
            self.step_to(next)?;
        }
        self.path.publish();
        self.journals.drain_all()
    }

    fn step_to(&mut self, next: Nanos) -> Result<(), SetupError> {
        self.clock.advance_to(next);
        let now = self.clock.now();
        self.steps += 1;
        self.settle(now)
    }

    /// Lets everybody work at `now` until nobody has anything to do.
    fn settle(&mut self, now: Nanos) -> Result<(), SetupError> {
        for _ in 0..CYCLES_PER_INSTANT_MAX {
            let work = self.exchange.do_work(now) + self.path.do_work(now);
            // A real thread would write behind the agents; here their rings must never fill, or a replay would depend
            // on their size.
            self.journals.drain_after(work)?;
            if let Some(failure) = self.exchange.take_failure() {
                return Err(failure);
            }
            if work == 0 {
                return Ok(());
            }
        }
        Err(SetupError::Invalid(format!("the agents never came to rest at {} ns", now.0)))
    }
}
