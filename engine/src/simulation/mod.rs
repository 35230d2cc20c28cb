//! Whole sessions: the simulated exchange on its side of the wire, the four agents on theirs, and what drives them.
//!
//! The same agents run live, in a replay and under virtual time; only the driver differs:
//!
//! ```text
//! live      the machine's clock: cycle after cycle; each that did something is logged
//! stepper   virtual time: to the next deadline, then until nobody has anything to do
//! rerun     a recorded session: cycle by cycle as its input log says
//! ```

pub mod source;
pub mod ahead;
mod exchange_counts;
pub mod faults;
pub mod exchange;
pub mod live;
pub mod stepper;
pub mod recorder;
pub mod replayed;
pub mod rerun;
pub mod audit;
