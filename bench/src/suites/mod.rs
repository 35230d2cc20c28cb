//! The suites: each measures one part against its floor or its peers.

pub mod baseline;
pub mod decode;
pub mod sbe;
pub mod book;
pub mod risk;
pub mod order_rate;
pub mod growth;
pub mod replay;
pub mod tick_to_order;
pub mod ring;
pub mod exchange;
pub mod gateway;
pub mod placements;
pub mod wire;

use std::path::Path;

use engine::error::SetupError;

use crate::report::Report;
use crate::rig::{Rig, Scale, Wait};

/// A suite's name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    /// Rings between threads and processes, beside their peers
    Ring,
    /// Frames to values, beside JSON parsers
    Decode,
    /// Books, beside a tree
    Book,
    /// Every control of risk, beside a JSON parser
    Risk,
    /// A frame's bytes to an order's bytes, through everything between
    TickToOrder,
    /// Orders a second, in bursts and for ever
    OrderRate,
    /// A recorded tape through everything in virtual time
    Replay,
    /// What more instruments cost
    Growth,
    /// The simulated exchange over sockets, beside an echo
    Exchange,
    /// What reads of the gateway and scrapes cost the way from a frame to an order, and how many are held
    Gateway,
    /// Every stage on one thread, on a thread each, and in a process each, at one market
    Placements,
    /// A frame on the wire to an order on the wire, beside an echo
    WireToWire,
    /// What the measuring itself costs
    Baseline,
    /// Every suite
    All,
}

/// What a suite works with.
pub struct Bench<'a> {
    /// The cores.
    pub rig: &'a Rig,
    /// Where rows go.
    pub report: &'a mut Report,
    /// A directory of its own in shared memory.
    pub scratch: &'a Path,
}

impl Bench<'_> {
    /// How much to measure.
    #[must_use]
    pub const fn scale(&self) -> Scale {
        self.rig.scale
    }

    /// How often every row of a suite is measured, in turn with the others.
    #[must_use]
    pub const fn rounds(&self) -> u32 {
        self.scale().of(15, 5, 1)
    }
}

/// What the other process of a measurement between two does.
///
/// # Errors
/// When nothing of that name is measured between processes, or something cannot be opened.
pub fn answer(name: &str, place: &Path, wait: Wait) -> Result<(), SetupError> {
    match tick_to_order::KINDS.iter().find(|kind| kind.name == name) {
        Some(kind) => tick_to_order::apart::answer(kind, place, wait),
        None if name == tick_to_order::crossing::NAME => tick_to_order::crossing::answer(place, wait),
        None => ring::answer(name, place, wait),
    }
}

/// Runs a suite.
///
/// # Errors
/// When something cannot be set up, or what is measured does not do what it should.
pub fn run(suite: Suite, bench: &mut Bench<'_>) -> Result<(), SetupError> {
    match suite {
        Suite::Baseline => baseline::run(bench),
        Suite::Decode => {
            decode::run(bench)?;
            sbe::run(bench)
        }
        Suite::Book => book::run(bench),
        Suite::OrderRate => order_rate::run(bench),
        Suite::Replay => replay::run(bench),
        Suite::Growth => growth::run(bench),
        Suite::Risk => risk::run(bench),
        Suite::TickToOrder => tick_to_order::run(bench),
        Suite::Ring => ring::run(bench),
        Suite::Exchange => exchange::run(bench),
        Suite::Gateway => gateway::run(bench),
        Suite::Placements => placements::run(bench),
        Suite::WireToWire => wire::run(bench),
        Suite::All => {
            for each in [
                Suite::Baseline,
                Suite::Decode,
                Suite::Book,
                Suite::Risk,
                Suite::TickToOrder,
                Suite::Growth,
                Suite::Ring,
                Suite::Exchange,
                Suite::Gateway,
                Suite::WireToWire,
            ] {
                run(each, bench)?;
            }
            Ok(())
        }
    }
}
