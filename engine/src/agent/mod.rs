//! Agents: a role is four methods; which thread drives it is decided elsewhere.

pub mod idle;
pub mod composite;
pub mod runner;
pub mod observed;

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

    /// The earliest time at which it wants a duty cycle although no input arrives; `Nanos::NEVER` if none.
    fn next_deadline(&self) -> Nanos;
}
