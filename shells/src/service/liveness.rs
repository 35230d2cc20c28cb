//! Whether an agent is attached and beats.

use engine::counters::CounterReader;
use engine::domain::Nanos;
use engine::shm::paths::IpcPaths;

use crate::service::attach::Attached;

/// How often the counters are looked at.
const LOOK_EVERY: Nanos = Nanos::from_millis(100);

/// Watches one agent through its counters.
pub struct Liveness {
    agent: &'static str,
    counters: Attached<CounterReader>,
    due: Nanos,
    state: Result<(), String>,
}

impl Liveness {
    /// Watches `agent` under `ipc`.
    #[must_use]
    pub fn new(agent: &'static str, ipc: &IpcPaths) -> Self {
        let path = ipc.counters(agent);
        Self {
            agent,
            counters: Attached::new(move || CounterReader::attach(&path)),
            due: Nanos(i64::MIN),
            state: Err(String::new()),
        }
    }

    /// Whether the agent is there and beats.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check(&mut self, now: Nanos) -> Result<(), String> {
        if now >= self.due {
            self.due = now.saturating_add(LOOK_EVERY);
            self.counters.refresh(now);
            self.state = match self.counters.get() {
                Ok(_) => Ok(()),
                Err(reason) => Err(format!("{} is not there: {reason}", self.agent)),
            };
        }
        self.state.clone()
    }

    /// Epoch of the agent; 0 while it is not there.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.counters.get().map_or(0, CounterReader::epoch)
    }
}
