//! Drives an agent on a thread of its own until it is told to stop.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::agent::Agent;
use crate::agent::idle::Idle;
use crate::clock::Clock;
use crate::error::SetupError;
use crate::primitive::{AtomicBool, Ordering};

/// Asks threads to stop. Copies share one flag.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// Asks every thread that holds a copy to end its present cycle and stop.
    pub fn stop(&self) {
        // Relaxed: the flag carries no data; what the threads wrote is seen through joining them.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A running agent.
pub struct Runner<A> {
    thread: JoinHandle<A>,
}

impl<A: Agent + Send + 'static> Runner<A> {
    /// Starts `agent` on a named thread, pinned to `core` where one is given, with its own clock and way of waiting.
    ///
    /// # Errors
    /// When the machine has no such core or refuses the thread.
    pub fn start(
        mut agent: A,
        mut clock: impl Clock + 'static,
        core: Option<usize>,
        idle: Idle,
        stop: StopSignal,
    ) -> Result<Self, SetupError> {
        let pin = core.map(find_core).transpose()?;
        let name = agent.name();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                if let Some(core) = pin {
                    core_affinity::set_for_current(core);
                }
                let mut idle = idle;
                while !stop.is_set() {
                    let now = clock.now();
                    let work = agent.do_work(now);
                    idle.after(work, now, || agent.next_deadline());
                }
                agent
            })
            .map_err(|source| SetupError::io(name, "starting the thread", source))?;
        Ok(Self { thread })
    }

    /// Waits for the thread after its [`StopSignal`] and hands the agent back.
    ///
    /// # Errors
    /// When the agent panicked.
    pub fn join(self) -> Result<A, SetupError> {
        let name = self.thread.thread().name().unwrap_or("agent").to_owned();
        self.thread.join().map_err(|_| SetupError::Invalid(format!("the {name} thread panicked")))
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

fn find_core(index: usize) -> Result<core_affinity::CoreId, SetupError> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let known: Vec<usize> = cores.iter().map(|core| core.id).collect();
    cores.into_iter().find(|core| core.id == index).ok_or_else(|| {
        SetupError::Invalid(format!("core {index} is not one this process may use: {known:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::IdleStrategy;
    use crate::clock::VirtualClock;
    use crate::domain::Nanos;

    struct Counting(u64);

    impl Agent for Counting {
        fn name(&self) -> &'static str {
            "counting"
        }
        fn do_work(&mut self, _now: Nanos) -> usize {
            self.0 += 1;
            1
        }
        fn next_deadline(&self) -> Nanos {
            Nanos::NEVER
        }
    }

    #[test]
    fn runs_until_stopped_and_gives_the_agent_back() {
        let stop = StopSignal::default();
        let clock = VirtualClock::new(Nanos::ZERO);
        let runner = Runner::start(Counting(0), clock, None, Idle::new(IdleStrategy::Backoff), stop.clone())
            .expect("a thread");
        stop.stop();
        let agent = runner.join().expect("no panic");
        assert!(agent.0 <= 1_000_000_000);
    }

    #[test]
    fn refuses_a_core_that_is_not_there() {
        let clock = VirtualClock::new(Nanos::ZERO);
        let refused = Runner::start(
            Counting(0),
            clock,
            Some(9_999),
            Idle::new(IdleStrategy::Park),
            StopSignal::default(),
        )
        .err();
        assert!(refused.expect("no such core").to_string().contains("core 9999"));
    }
}
