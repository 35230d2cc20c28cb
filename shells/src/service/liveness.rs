//! Whether an agent is attached and beats.

use engine::counters::CounterReader;
use engine::counters::heartbeat::{HeartbeatReader, Pulse};
use engine::domain::Nanos;
use engine::shm::paths::IpcPaths;

use crate::service::attach::{Attached, Current};
use crate::service::families::{Families, names};

/// How often the heartbeat is looked at.
const LOOK_EVERY: Nanos = Nanos::from_millis(100);

/// From this age of its heartbeat on an agent counts as stalled: with what it takes to look and to tell, within 2 s.
const STALLED: Nanos = Nanos::from_millis(1_500);

/// The venue's clock less ours, in nanoseconds, of route's counters.
#[must_use]
pub fn venue_clock_offset(route: &CounterReader) -> i64 {
    let count = |name| i64::try_from(route.get(name).unwrap_or(0)).unwrap_or(i64::MAX);
    count("venue_clock_ahead_ns") - count("venue_clock_behind_ns")
}

impl Current for HeartbeatReader {
    fn is_current(&self) -> bool {
        Self::is_current(self)
    }
}

/// Watches one agent: its heartbeat, and its counters.
pub struct Liveness {
    agent: &'static str,
    counters: Attached<CounterReader>,
    heart: Attached<HeartbeatReader>,
    pulse: Pulse,
    due: Nanos,
    state: Result<(), String>,
    /// Cycles, and the agent's time in the last of them, when metrics were last made.
    cycles: (u64, Nanos),
}

impl Liveness {
    /// Watches `agent` under `ipc`.
    #[must_use]
    pub fn new(agent: &'static str, ipc: &IpcPaths) -> Self {
        let (path, heartbeat) = (ipc.counters(agent), ipc.heartbeat(agent));
        Self {
            agent,
            counters: Attached::new(move || CounterReader::attach(&path)),
            pulse: Pulse::new(&heartbeat),
            heart: Attached::new(move || HeartbeatReader::attach(&heartbeat)),
            due: Nanos(i64::MIN),
            state: Err(format!("{agent} is not there yet")),
            cycles: (0, Nanos::ZERO),
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
            self.heart.refresh(now);
            self.pulse.look(now);
            self.state = self.judge();
        }
        self.state.clone()
    }

    fn judge(&self) -> Result<(), String> {
        let agent = self.agent;
        self.counters.get().map_err(|reason| format!("{agent} is not there: {reason}"))?;
        self.heart.get().map_err(|reason| format!("{agent} is not there: {reason}"))?;
        match self.pulse.age() {
            Nanos::NEVER => Err(format!("{agent} does not beat: it ended, or has not begun")),
            age if age > STALLED => {
                Err(format!("{agent} stalled: its last beat is {} ms ago", age.0 / 1_000_000))
            }
            _ => Ok(()),
        }
    }

    /// Its counters.
    ///
    /// # Errors
    /// Why they are not attached.
    pub fn counters(&self) -> Result<&CounterReader, &str> {
        self.counters.get()
    }

    /// Epoch of the agent; 0 while it is not there.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.counters.get().map_or(0, CounterReader::epoch)
    }

    /// Age of its heartbeat and mean length of its duty cycles since the last call.
    pub fn families(&mut self, families: &mut Families) {
        let labels = [("agent", self.agent)];
        if self.pulse.age() != Nanos::NEVER {
            families.gauge(names::HEARTBEAT, &labels, self.pulse.age().0 as f64 / 1e9);
        }
        let Ok(heart) = self.heart.get() else { return };
        let (cycles, time) = (heart.cycles(), heart.time());
        let (cycles_before, time_before) = std::mem::replace(&mut self.cycles, (cycles, time));
        if cycles > cycles_before && cycles_before > 0 {
            let mean = (time - time_before).0.max(0) as f64 / (cycles - cycles_before) as f64;
            families.gauge(names::DUTY, &labels, mean / 1e9);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::counters::Counters;
    use engine::counters::heartbeat::Heartbeat;

    #[test]
    fn a_stall_is_told_apart_from_absence_and_from_what_a_dead_one_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path());
        ipc.create().expect("made");
        let at = Nanos::from_millis;
        let mut liveness = Liveness::new("risk", &ipc);
        assert!(liveness.check(at(0)).expect_err("absent").contains("risk is not there"));
        let _counters = Counters::create(&ipc.counters("risk"), &["orders"], 7).expect("made");
        let mut heart = Heartbeat::create(&ipc.heartbeat("risk"), 7).expect("made");
        heart.beat(at(50));
        assert!(liveness.check(at(100)).expect_err("silent").contains("does not beat"));
        heart.beat(at(150));
        assert_eq!((liveness.check(at(200)), liveness.epoch()), (Ok(()), 7));
        (3..=17).for_each(|look| _ = liveness.check(at(100 * look)));
        assert_eq!(liveness.check(at(1_700)), Ok(()));
        assert!(
            liveness.check(at(1_800)).expect_err("hung").contains("risk stalled: its last beat is 1600 ms")
        );
        heart.beat(at(1_850));
        assert_eq!(liveness.check(at(1_900)), Ok(()));
    }
}
