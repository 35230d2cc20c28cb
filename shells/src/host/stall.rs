//! Agents of this process that beat no more although it runs: a defect, or a disk that hangs. Peers notice at once by
//! themselves; the process ends, so that whoever restarts processes does.

use std::time::Duration;

use engine::counters::heartbeat::Pulse;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;

/// After how long without a beat the process gives its agent up.
const GIVEN_UP: Nanos = Nanos::from_secs(10);

/// How often it is looked whether threads have ended.
const LOOK: Duration = Duration::from_millis(20);

/// Whether threads that were told to end do so, for as long as an orderly end may wait for them.
#[must_use]
pub fn ended_within(limit: Duration, is_finished: impl Fn() -> bool) -> bool {
    for _ in 0..limit.as_millis() / LOOK.as_millis() {
        if is_finished() {
            return true;
        }
        std::thread::sleep(LOOK);
    }
    is_finished()
}

/// Watches the heartbeats of some agents, from within their process.
pub struct StallWatch {
    pulses: Vec<(&'static str, Pulse)>,
    began: Option<Nanos>,
}

impl StallWatch {
    /// Watches what `owners` write under `ipc`.
    #[must_use]
    pub fn new(ipc: &IpcPaths, owners: impl Iterator<Item = &'static str>) -> Self {
        let pulse = |owner| (owner, Pulse::new(&ipc.heartbeat(owner)));
        Self { pulses: owners.map(pulse).collect(), began: None }
    }

    /// Looks; to be called at least every 100 ms or so.
    ///
    /// # Errors
    /// When an agent has not moved for ten seconds, of which this process was awake.
    pub fn check(&mut self, now: Nanos) -> Result<(), SetupError> {
        let began = *self.began.get_or_insert(now);
        for (owner, pulse) in &mut self.pulses {
            pulse.look(now);
            // One that never beat may have stalled in its first cycle.
            let age = if pulse.age() == Nanos::NEVER { now - began } else { pulse.age() };
            if age >= GIVEN_UP {
                return Err(SetupError::Invalid(format!(
                    "{owner} stalled: its last beat is {} ms ago; this process gives it up",
                    age.0 / 1_000_000
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::counters::heartbeat::Heartbeat;

    #[test]
    fn ten_seconds_awake_without_a_beat_are_too_long() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path());
        ipc.create().expect("made");
        let at = |tenths: i64| Nanos::from_millis(100 * tenths);
        let mut heart = Heartbeat::create(&ipc.heartbeat("risk"), 7).expect("made");
        let mut watch = StallWatch::new(&ipc, ["risk"].into_iter());
        heart.beat(at(0));
        (0..99).for_each(|look| watch.check(at(look)).expect("young"));
        heart.beat(at(99));
        (99..148).for_each(|look| watch.check(at(look)).expect("it beat"));
        // The whole process was frozen for an hour, which is not counted.
        (0..50).for_each(|look| watch.check(at(36_000 + look)).expect("it slept"));
        let gone = (50..200).find_map(|look| watch.check(at(36_000 + look)).err()).expect("given up");
        assert!(gone.to_string().contains("risk stalled: its last beat is 10000 ms ago"), "{gone}");
    }

    #[test]
    fn an_agent_that_never_beats_is_given_up_as_well() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = StallWatch::new(&IpcPaths::new(folder.path()), ["route"].into_iter());
        watch.check(Nanos::ZERO).expect("young");
        assert!(watch.check(Nanos::from_secs(10)).is_err());
    }
}
