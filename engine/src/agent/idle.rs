//! What a thread does when its agents have nothing to do.

use crate::wire::wire_enum;

wire_enum! {
    /// How an idle thread waits.
    IdleStrategy {
        /// Burns its core: for isolated cores only.
        Spin = 1 => "spin",
        /// Spins, then yields, then sleeps in steps that double up to a millisecond.
        Backoff = 2 => "backoff",
        /// Sleeps at once.
        Park = 3 => "park",
    }
}

impl std::str::FromStr for IdleStrategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|idle| idle.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no idle strategy: spin, backoff or park"))
    }
}

/// Empty cycles spent spinning, then yielding, before the first sleep (after Aeron's back-off, performance.md §5).
const SPINS: u32 = 10;
const YIELDS: u32 = 20;
/// First and longest sleep, in microseconds.
const SLEEP_MIN_US: u64 = 1;
const SLEEP_MAX_US: u64 = 1_000;

/// The state of an idle thread: how many empty cycles it has seen in a row.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    strategy: IdleStrategy,
    empty_cycles: u32,
}

impl Idle {
    /// Starts busy.
    #[must_use]
    pub const fn new(strategy: IdleStrategy) -> Self {
        Self { strategy, empty_cycles: 0 }
    }

    /// To be called after every duty cycle with what it did.
    pub fn after(&mut self, work: usize) {
        if work > 0 {
            self.empty_cycles = 0;
            return;
        }
        self.empty_cycles = self.empty_cycles.saturating_add(1);
        match self.strategy {
            IdleStrategy::Spin => std::hint::spin_loop(),
            IdleStrategy::Park => sleep(SLEEP_MAX_US),
            IdleStrategy::Backoff if self.empty_cycles <= SPINS => std::hint::spin_loop(),
            IdleStrategy::Backoff if self.empty_cycles <= SPINS + YIELDS => std::thread::yield_now(),
            IdleStrategy::Backoff => {
                let doublings = (self.empty_cycles - SPINS - YIELDS).min(10);
                sleep((SLEEP_MIN_US << doublings).min(SLEEP_MAX_US));
            }
        }
    }
}

fn sleep(micros: u64) {
    std::thread::sleep(std::time::Duration::from_micros(micros));
}
