//! Counters of an agent, copied to its mapped file off the hot path.

use crate::agent::Agent;
use crate::clock::Moment;
use crate::counters::{Counters, Heartbeat};
use crate::domain::Nanos;
use crate::hint::unlikely;

/// An agent that counts what it does in plain fields.
pub trait Observed {
    /// Names of its counters, in the order of [`values`](Self::values).
    fn names(&self) -> Vec<String>;

    /// The present value of each counter.
    fn values(&self, set: &mut dyn FnMut(usize, u64));

    /// Records the durations that it has noted.
    fn record_times(&mut self) {}
}

/// How often counters are copied out, at most.
const INTERVAL: Nanos = Nanos::from_millis(100);

/// How often a heartbeat beats, at most: watchers look every 100 ms (C24), and a cycle that moved nothing else need not touch it.
const BEAT: Nanos = Nanos::from_millis(10);

/// How much longer either may wait for a duty cycle that took nothing: what a message has just caused need not wait for them.
const PATIENCE: Nanos = Nanos::from_millis(10);

/// An agent whose counters appear in a mapped file, at most 110 ms of the timeline late as long as it is driven;
/// whoever stops driving it calls [`publish`](Self::publish) last.
pub struct Published<A> {
    agent: A,
    counters: Counters,
    heartbeat: Option<Heartbeat>,
    /// Duty cycles since the last beat.
    cycles: u64,
    beat_due: Nanos,
    /// When counters are due, and whether they have changed.
    due: Nanos,
    stale: bool,
    /// Before it there is neither to beat nor to copy.
    tend_due: Nanos,
}

impl<A: Agent + Observed> Published<A> {
    /// Joins an agent and the file made from its names.
    pub fn new(agent: A, counters: Counters) -> Self {
        let ever = Nanos(i64::MIN);
        let (beat_due, due, tend_due) = (ever, ever, ever);
        Self { agent, counters, heartbeat: None, cycles: 0, beat_due, due, stale: true, tend_due }
    }

    /// Shows in `heartbeat` that there are duty cycles, and how many, at most 20 ms late.
    #[must_use]
    pub fn beating(self, heartbeat: Heartbeat) -> Self {
        Self { heartbeat: Some(heartbeat), ..self }
    }

    /// The agent.
    pub const fn agent(&self) -> &A {
        &self.agent
    }

    /// The agent, to set up.
    pub const fn agent_mut(&mut self) -> &mut A {
        &mut self.agent
    }

    /// Tells those who watch that it leaves on purpose, and that what it has open is to stay.
    pub fn rest(&mut self) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.rest();
        }
    }

    /// Lets the agent do `part` of a duty cycle, for a driver that knows what has come for it. Nothing of that is shown before
    /// a whole cycle, which is due by [`shown_by`](Self::shown_by).
    #[inline]
    pub fn do_part(&mut self, part: impl FnOnce(&mut A) -> usize) -> usize {
        let work = part(&mut self.agent);
        self.stale |= work > 0;
        work
    }

    /// When counters have waited for long enough, whatever the agent is busy with.
    #[inline]
    pub fn shown_by(&self) -> Nanos {
        self.due.saturating_add(PATIENCE)
    }

    /// Beats, and copies the counters out, if either is due and need not wait for a cycle without `work` any more.
    #[cold]
    fn tend(&mut self, work: usize, now: Nanos, moment: &mut Moment) {
        if now >= self.beat_due {
            let cycles = std::mem::take(&mut self.cycles);
            if let Some(heartbeat) = &mut self.heartbeat {
                heartbeat.beat_for(cycles, now);
            }
            self.beat_due = now.saturating_add(BEAT);
        }
        if self.stale && now >= self.due && (work == 0 || now >= self.shown_by()) {
            self.publish();
            moment.forget();
            self.due = now.saturating_add(INTERVAL);
        }
        self.tend_due = self.beat_due.min(if self.stale { self.due } else { Nanos::NEVER });
    }

    /// Copies the counters out now.
    pub fn publish(&mut self) {
        let counters = &mut self.counters;
        self.agent.record_times();
        self.agent.values(&mut |index, value| counters.set(index, value));
        self.stale = false;
    }
}

impl<A: Agent + Observed> Agent for Published<A> {
    fn name(&self) -> &'static str {
        self.agent.name()
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.do_work_from(now, &mut Moment::default())
    }

    #[inline(always)]
    fn do_work_from(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        let work = self.agent.do_work_from(now, moment);
        self.stale |= work > 0;
        self.cycles += 1;
        if unlikely(now >= self.tend_due) && (work == 0 || now >= self.tend_due.saturating_add(PATIENCE)) {
            self.tend(work, now, moment);
        }
        work
    }

    fn next_deadline(&self) -> Nanos {
        self.agent.next_deadline()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::HeartbeatReader;

    /// Does as much as it is told, and counts how often it had to record what it has noted.
    struct Busy(usize, usize);

    impl Agent for Busy {
        fn name(&self) -> &'static str {
            "busy"
        }
        fn do_work(&mut self, _now: Nanos) -> usize {
            self.0
        }
        fn do_work_from(&mut self, _now: Nanos, moment: &mut Moment) -> usize {
            *moment = Moment::at(Nanos(7));
            self.0
        }
        fn next_deadline(&self) -> Nanos {
            Nanos::NEVER
        }
    }

    impl Observed for Busy {
        fn names(&self) -> Vec<String> {
            vec!["cycles".to_owned()]
        }
        fn values(&self, set: &mut dyn FnMut(usize, u64)) {
            set(0, 1);
        }
        fn record_times(&mut self) {
            self.1 += 1;
        }
    }

    #[test]
    fn counters_are_copied_out_behind_messages_and_are_not_the_beginning_of_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let counters = Counters::create(&folder.path().join("counters"), &["cycles"], 1).expect("made");
        let mut agent = Published::new(Busy(1, 0), counters);
        let mut copied = |now: Nanos, work| {
            agent.agent_mut().0 = work;
            let mut moment = Moment::UNKNOWN;
            agent.do_work_from(now, &mut moment);
            moment == Moment::UNKNOWN
        };
        assert!(copied(Nanos(0), 1), "the first time at once");
        assert!(!copied(Nanos(1), 1) && !copied(Nanos(2), 0), "too early");
        assert!(!copied(INTERVAL, 1), "behind what waits");
        assert!(copied(INTERVAL + Nanos(1), 0), "nothing waits");
        let due = INTERVAL + Nanos(1) + INTERVAL;
        assert!(!copied(due, 0), "nothing has changed");
        let late = due + BEAT;
        assert!(!copied(late, 1), "behind what waits, again");
        assert!(!copied(late + PATIENCE - Nanos(1), 1), "for as long as that is bearable");
        assert!(copied(late + PATIENCE, 1), "it has waited for long enough");
        assert_eq!(agent.agent().1, 3, "durations are recorded before they are shown");
    }

    #[test]
    fn a_heartbeat_tells_of_all_cycles_and_not_in_each() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let counters = Counters::create(&at("counters"), &["cycles"], 1).expect("made");
        let heartbeat = Heartbeat::create(&at("heartbeat"), 1).expect("made");
        let mut agent = Published::new(Busy(1, 0), counters).beating(heartbeat);
        let reader = HeartbeatReader::attach(&at("heartbeat")).expect("attached");
        let mut beaten = |now, work| {
            agent.agent_mut().0 = work;
            agent.do_work(now);
            (reader.cycles(), reader.time())
        };
        assert_eq!(beaten(Nanos(5), 1), (1, Nanos(5)));
        let second = Nanos(5) + BEAT;
        for now in 6..9 {
            assert_eq!(beaten(Nanos(now), 0), (1, Nanos(5)));
        }
        assert_eq!(beaten(second - Nanos(1), 0), (1, Nanos(5)));
        assert_eq!(beaten(second, 1), (1, Nanos(5)), "behind what waits");
        assert_eq!(beaten(second + Nanos(1), 0), (7, second + Nanos(1)));
        // What is busy throughout beats as well, and nobody hurries after what was missed.
        let third = second + Nanos(1) + BEAT + PATIENCE;
        assert_eq!(beaten(third - Nanos(1), 1), (7, second + Nanos(1)));
        assert_eq!(beaten(third, 1), (9, third));
        let late = third + BEAT + BEAT + PATIENCE;
        assert_eq!((beaten(late, 0), beaten(late + Nanos(1), 0)), ((10, late), (10, late)));
    }
}
