//! What the agents are made from.

use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::Stopwatch;
use crate::domain::{InstrumentIndex, Instruments, Nanos};
use crate::error::SetupError;
use crate::shm::Late;
use crate::shm::late::Presence;
use crate::shm::paths::IpcPaths;
use crate::tick_to_trade::ingest::IngestConfig;
use crate::tick_to_trade::risk::Limits;
use crate::tick_to_trade::route::RouteTiming;
use crate::tick_to_trade::strategy::Strategy;

/// A strategy and what it trades.
pub struct StrategySlot {
    /// What users call it.
    pub name: String,
    /// The strategy.
    pub strategy: Box<dyn Strategy>,
    /// The instruments that it follows.
    pub instruments: Vec<InstrumentIndex>,
}

/// Capacities of the rings, in messages.
#[derive(Clone, Copy, Debug)]
pub struct RingSizes {
    /// The tick ring.
    pub ticks: usize,
    /// Each intent ring.
    pub intents: usize,
    /// The order ring.
    pub orders: usize,
    /// Each journal ring.
    pub journal: usize,
}

/// Most messages of a ring between two agents: far more than cycles leave in it, and so few that a slot is still in the
/// nearer caches when its turn comes again.
const BETWEEN_AGENTS: usize = 1_024;

impl RingSizes {
    /// Ticks and journals of `capacity`, whose readers may fall behind; intents and orders, which the next agent takes at
    /// once, of no more than stays in the caches.
    #[must_use]
    pub const fn of_session(capacity: usize) -> Self {
        let short = if capacity < BETWEEN_AGENTS { capacity } else { BETWEEN_AGENTS };
        Self { ticks: capacity, intents: short, orders: short, journal: capacity }
    }

    /// The same capacity for every ring.
    #[must_use]
    pub const fn all(capacity: usize) -> Self {
        Self { ticks: capacity, intents: capacity, orders: capacity, journal: capacity }
    }
}

/// Everything that the agents are made from.
pub struct PathConfig {
    /// Where the shared files lie.
    pub ipc: IpcPaths,
    /// Where the journals lie: one directory each inside it.
    pub journals: PathBuf,
    /// Whether journals are synced to the disk.
    pub sync: bool,
    /// The engine's epoch, reserved durably.
    pub epoch: u32,
    /// The instrument table.
    pub instruments: Arc<Instruments>,
    /// The calibrated counter.
    pub stopwatch: Stopwatch,
    /// Ring capacities.
    pub rings: RingSizes,
    /// Ingest's settings.
    pub ingest: IngestConfig,
    /// Risk's limits.
    pub limits: Limits,
    /// Route's delays.
    pub timing: RouteTiming,
    /// Whether clients, the operator and the gateway may come and go while it runs: in a replay nobody does.
    pub external: bool,
    /// Whether the agents live in processes of their own: each goes on with the files of its last life, and attaches to
    /// its peers' files when they come and again when they are replaced.
    pub apart: bool,
    /// The present, for the journals' first records.
    pub now: Nanos,
}

impl PathConfig {
    /// A peer's file: looked for from now on where agents are apart, there already and for good where they are not.
    ///
    /// # Errors
    /// When it should be there and is not.
    pub(super) fn join<T>(&self, mut late: Late<T>) -> Result<Late<T>, SetupError> {
        late.look(self.now);
        if !self.apart {
            if late.presence() != Presence::Here {
                let reason = late.failure().unwrap_or("is not there").to_owned();
                return Err(SetupError::file(late.path(), reason));
            }
            late.settle();
        }
        Ok(late)
    }
}
