//! Strategies: the trait, the outbox that can only make intents, and the built-in ones.
//!
//! A strategy of your own is one file with an implementation of [`Strategy`] and one line in [`registry`]. It sees
//! the market as ticks, acts through its [`Outbox`], and reads its own orders and positions there; everything it
//! does still passes risk.

pub mod parameter;
pub mod grid;
pub mod estimate;
pub mod touch;
pub mod pause;
pub mod position;
pub mod working;
pub mod recovery;
pub mod outbox;
pub mod market_making;
pub mod taker;
pub mod range;
pub mod momentum;
pub mod mean_reversion;
pub mod book_imbalance;
pub mod twap;
pub mod registry;
pub mod hosted;
pub mod row;
pub mod inputs;
pub mod host;
mod govern;
pub mod control;
#[cfg(test)]
mod example;

use crate::domain::{InstrumentIndex, Instruments, Nanos};
use crate::message::{Report, Tick};

pub use outbox::Outbox;
pub use parameter::{ParameterError, ParameterValue};
pub use working::Refusal;

/// What a strategy is told when it starts. Its positions and open orders are in the outbox's
/// [`working`](Outbox::working).
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Every instrument of the engine.
    pub instruments: &'a Instruments,
    /// The present.
    pub now: Nanos,
}

/// Decides what to trade. Called by the [host](host::StrategyHost) on one thread; must not block, and must not
/// allocate once warm. Floats through `libm` only, so that a replay gives the same bits everywhere.
///
/// Before `on_report` and `on_refusal` the outbox's working orders and positions hold what they tell.
pub trait Strategy: Send {
    /// Its name, as in the [`registry`].
    fn name(&self) -> &'static str;

    /// It begins, for the first time or after a stop.
    fn on_start(&mut self, start: &Start<'_>, outbox: &mut Outbox);

    /// One of its instruments ticked.
    fn on_tick(&mut self, tick: &Tick, now: Nanos, outbox: &mut Outbox);

    /// Something happened to one of its orders. Also told while it is stopped.
    fn on_report(&mut self, report: &Report, now: Nanos, outbox: &mut Outbox);

    /// Risk refused one of its intents, or nobody answered it in time. Also told while it is stopped.
    fn on_refusal(&mut self, refusal: &Refusal, now: Nanos, outbox: &mut Outbox);

    /// The time it asked for with `next_timer` has come.
    fn on_timer(&mut self, now: Nanos, outbox: &mut Outbox);

    /// When it next wants `on_timer`; `Nanos::NEVER` if not at all.
    fn next_timer(&self) -> Nanos;

    /// Ticks of `instrument` were missed. By default it is told that the book is not trusted: prices are unknown
    /// until the next top.
    fn on_lapped(&mut self, instrument: InstrumentIndex, now: Nanos, outbox: &mut Outbox) {
        self.on_tick(&touch::untrusted(instrument, now), now, outbox);
    }

    /// It ends. Nothing need be done: the host cancels what still works.
    fn on_stop(&mut self, _now: Nanos, _outbox: &mut Outbox) {}

    /// Changes a parameter while it runs.
    ///
    /// # Errors
    /// When the key is not known or the value does not do; then nothing has changed.
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParameterError>;

    /// Its parameters with their present values.
    fn parameters(&self) -> Vec<ParameterValue>;

    /// What it thinks, as names and values for whoever watches; never on the hot path.
    fn signals(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}

#[cfg(test)]
pub(crate) mod testing;
