//! Counters of an agent, copied to its mapped file off the hot path.

use crate::agent::Agent;
use crate::clock::Moment;
use crate::counters::{Counters, Heartbeat};
use crate::domain::Nanos;

/// An agent that counts what it does in plain fields.
pub trait Observed {
    /// Names of its counters, in the order of [`values`](Self::values).
    fn names(&self) -> Vec<String>;

    /// The present value of each counter.
    fn values(&self, set: &mut dyn FnMut(usize, u64));
}

/// How often counters are copied out, at most.
const INTERVAL: Nanos = Nanos::from_millis(100);

/// An agent whose counters appear in a mapped file, at most 100 ms of the timeline late as long as it is driven;
/// whoever stops driving it calls [`publish`](Self::publish) last.
pub struct Published<A> {
    agent: A,
    counters: Counters,
    heartbeat: Option<Heartbeat>,
    due: Nanos,
    stale: bool,
}

impl<A: Agent + Observed> Published<A> {
    /// Joins an agent and the file made from its names.
    pub fn new(agent: A, counters: Counters) -> Self {
        Self { agent, counters, heartbeat: None, due: Nanos(i64::MIN), stale: true }
    }

    /// Shows every duty cycle in `heartbeat` as well.
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

    /// Copies the counters out now.
    pub fn publish(&mut self) {
        let counters = &mut self.counters;
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

    fn do_work_from(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        let work = self.agent.do_work_from(now, moment);
        self.stale |= work > 0;
        if self.stale && now >= self.due {
            self.publish();
            moment.forget();
            self.due = now.saturating_add(INTERVAL);
        }
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.beat(now);
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

    struct Busy;

    impl Agent for Busy {
        fn name(&self) -> &'static str {
            "busy"
        }
        fn do_work(&mut self, _now: Nanos) -> usize {
            1
        }
        fn do_work_from(&mut self, _now: Nanos, moment: &mut Moment) -> usize {
            *moment = Moment::at(Nanos(7));
            1
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
    }

    #[test]
    fn copying_the_counters_out_is_not_the_beginning_of_a_message() {
        let folder = tempfile::tempdir().expect("a folder");
        let counters = Counters::create(&folder.path().join("counters"), &["cycles"], 1).expect("made");
        let mut agent = Published::new(Busy, counters);
        let left = [0, 1, INTERVAL.0].map(|now| {
            let mut moment = Moment::UNKNOWN;
            agent.do_work_from(Nanos(now), &mut moment);
            moment
        });
        assert_eq!(left, [Moment::UNKNOWN, Moment::at(Nanos(7)), Moment::UNKNOWN]);
    }
}
