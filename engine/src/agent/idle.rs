//! What a thread does when its agents have nothing to do.

use std::time::Duration;

use crate::domain::Nanos;
use crate::shm::Bell;
use crate::wire::wire_enum;

wire_enum! {
    /// How an idle thread waits.
    IdleStrategy {
        /// Burns its core: for isolated cores only.
        Spin = 1 => "spin",
        /// Spins, then yields, then sleeps: until a peer rings, where there are bells, else in steps that double up to a
        /// millisecond.
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
/// First and longest sleep. Not all that an agent waits for rings a bell: people's intents and commands do not, and wait
/// no longer than this, or than `SLEEP_QUIET`.
const SLEEP_MIN: Duration = Duration::from_micros(1);
const SLEEP_MAX: Duration = Duration::from_millis(1);
/// The same where bells wake, after so many empty cycles that nothing has come for a fifth of a second: then each sleep
/// costs more than all that it finds.
const SLEEP_QUIET: Duration = Duration::from_millis(2);
const QUIET_CYCLES: u32 = 400;
/// Longest sleep of a patient thread: an empty ring holds what comes in many times as long.
const PATIENCE: Duration = Duration::from_millis(8);
/// Shortest sleep until a deadline that is near or past: a thread that asked to sleep does not spin.
const NAP: Duration = Duration::from_micros(20);

/// Sleeps at most so long, and ends early when there is something to do.
pub type Sleeper = Box<dyn FnMut(Duration) + Send>;

/// The state of an idle thread.
pub struct Idle {
    strategy: IdleStrategy,
    longest: Duration,
    /// Empty cycles in a row.
    empty_cycles: u32,
    bell: Option<Bell>,
    /// Sleeps in place of the system, where sockets are to wake the thread.
    sleeper: Option<Sleeper>,
    /// Peers take this thread for asleep; its present cycle is the last look.
    listening: bool,
}

impl Idle {
    /// Starts busy, with nobody to wake and nobody who wakes.
    #[must_use]
    pub const fn new(strategy: IdleStrategy) -> Self {
        Self { strategy, longest: SLEEP_MAX, empty_cycles: 0, bell: None, sleeper: None, listening: false }
    }

    /// For a thread that is in no hurry and would take a core from those that are: it parks, and the longer nothing comes,
    /// the longer it sleeps.
    #[must_use]
    pub fn patient() -> Self {
        Self { longest: PATIENCE, ..Self::new(IdleStrategy::Park) }
    }

    /// Wakes peers by `bell`, and sleeps until one of theirs.
    #[must_use]
    pub fn with_bell(self, bell: Bell) -> Self {
        Self { bell: Some(bell), ..self }
    }

    /// Sleeps by `sleeper`, unless there is a bell.
    #[must_use]
    pub fn with_sleeper(self, sleeper: Sleeper) -> Self {
        Self { sleeper: Some(sleeper), ..self }
    }

    /// To be called after every duty cycle at `now` with what it did; `deadline` says when the next one is due although
    /// no input comes, and is asked only before a sleep.
    pub fn after(&mut self, work: usize, now: Nanos, deadline: impl FnOnce() -> Nanos) {
        if let Some(bell) = &mut self.bell {
            bell.look(now);
        }
        if work > 0 {
            self.empty_cycles = 0;
            return self.wake_peers();
        }
        self.empty_cycles = self.empty_cycles.saturating_add(1);
        match self.strategy {
            IdleStrategy::Spin => std::hint::spin_loop(),
            IdleStrategy::Park => self.sleep(0, now, deadline),
            IdleStrategy::Backoff if self.empty_cycles <= SPINS => std::hint::spin_loop(),
            IdleStrategy::Backoff if self.empty_cycles <= SPINS + YIELDS => std::thread::yield_now(),
            IdleStrategy::Backoff => self.sleep(SPINS + YIELDS, now, deadline),
        }
    }

    /// Once per duty cycle, however much it published.
    fn wake_peers(&mut self) {
        let Some(bell) = &mut self.bell else { return };
        if std::mem::take(&mut self.listening) {
            bell.rise();
        }
        bell.ring();
    }

    /// `before` empty cycles were spent awake.
    fn sleep(&mut self, before: u32, now: Nanos, deadline: impl FnOnce() -> Nanos) {
        match &mut self.bell {
            Some(bell) if self.listening => {
                self.listening = false;
                let left = deadline().0.saturating_sub(now.0).max(0).unsigned_abs();
                let longest = if self.empty_cycles > QUIET_CYCLES { SLEEP_QUIET } else { SLEEP_MAX };
                bell.sleep(Duration::from_nanos(left).clamp(NAP, longest));
            }
            Some(bell) => {
                // One cycle more: whoever rings from now on knows that we sleep.
                bell.listen();
                self.listening = true;
            }
            None => {
                let doublings = (self.empty_cycles - before).min(10);
                let first = if self.strategy == IdleStrategy::Park { SLEEP_MAX / 2 } else { SLEEP_MIN };
                let span = (first * (1 << doublings)).min(self.longest);
                match &mut self.sleeper {
                    Some(sleeper) => sleeper(span),
                    None => std::thread::sleep(span),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    /// An idle thread's state, and how long it slept each time.
    fn sleeping(strategy: IdleStrategy) -> (Idle, Receiver<Duration>) {
        let (slept, sleeps) = channel();
        let sleeper = Box::new(move |span| slept.send(span).expect("the test hears it"));
        (Idle::new(strategy).with_sleeper(sleeper), sleeps)
    }

    #[test]
    fn where_sockets_wake_a_thread_they_end_its_sleeps() {
        let (mut idle, sleeps) = sleeping(IdleStrategy::Park);
        for work in [0, 1, 0] {
            idle.after(work, Nanos::ZERO, || Nanos::NEVER);
        }
        assert_eq!(sleeps.try_iter().collect::<Vec<_>>(), [SLEEP_MAX; 2]);

        let (idle, sleeps) = sleeping(IdleStrategy::Park);
        let mut idle = Idle { sleeper: idle.sleeper, ..Idle::patient() };
        for work in [1, 0, 0, 0, 0, 0, 1, 0] {
            idle.after(work, Nanos::ZERO, || Nanos::NEVER);
        }
        let spans: Vec<_> = sleeps.try_iter().map(|span| span.as_millis()).collect();
        assert_eq!(spans, [1, 2, 4, 8, 8, 1], "a patient one sleeps longer and longer");

        let (mut idle, sleeps) = sleeping(IdleStrategy::Backoff);
        for _ in 0..SPINS + YIELDS {
            idle.after(0, Nanos::ZERO, || Nanos::NEVER);
        }
        assert_eq!(sleeps.try_iter().count(), 0, "awake at first");
        for _ in 0..20 {
            idle.after(0, Nanos::ZERO, || Nanos::NEVER);
        }
        let spans: Vec<_> = sleeps.try_iter().collect();
        assert_eq!((spans[0], spans[1], spans[19]), (2 * SLEEP_MIN, 4 * SLEEP_MIN, SLEEP_MAX));

        let (mut idle, sleeps) = sleeping(IdleStrategy::Spin);
        (0..100).for_each(|_| idle.after(0, Nanos::ZERO, || Nanos::NEVER));
        assert_eq!(sleeps.try_iter().count(), 0);
    }
}
