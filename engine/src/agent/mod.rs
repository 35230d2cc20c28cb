//! Agents: a role is four methods; which thread drives it is decided elsewhere.

pub mod idle;
pub mod composite;
pub mod runner;
pub mod observed;

use crate::clock::Moment;
use crate::domain::Nanos;

pub use composite::Composite;
pub use idle::{Idle, IdleStrategy, Sleeper};
pub use observed::{Observed, Published};
pub use runner::{Runner, StopSignal};

/// A role of the engine. It talks to others only through rings, reads no clock, and never blocks.
pub trait Agent {
    /// The role's name, as users see it in counters and dashboards.
    fn name(&self) -> &'static str;

    /// One duty cycle at `now`: takes a bounded batch from its inputs, acts, and returns how much it did.
    ///
    /// Zero means that nothing changed: the cycle can be forgotten, and a replay leaves it out.
    fn do_work(&mut self, now: Nanos) -> usize;

    /// The same for a driver of several agents, one after the other. `moment` is when the one before was done with its last
    /// message: this one's first message begins there, unless something lengthy came first. It leaves when its own
    /// last message was done, or nothing if it took none or was busy with more than messages afterwards.
    #[inline]
    fn do_work_from(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        moment.forget();
        self.do_work(now)
    }

    /// The earliest time at which it wants a duty cycle although no input arrives; `Nanos::NEVER` if none.
    fn next_deadline(&self) -> Nanos;
}
