//! Several agents as one: polled in order, so that a cycle's messages flow through all of them at one `now`.

use crate::agent::Agent;
use crate::clock::Moment;
use crate::domain::Nanos;

/// Agents that share a thread. Their order is the order of the path.
pub struct Composite {
    name: &'static str,
    agents: Vec<Box<dyn Agent + Send>>,
}

impl Composite {
    /// Joins `agents`, to be polled in this order.
    #[must_use]
    pub fn new(name: &'static str, agents: Vec<Box<dyn Agent + Send>>) -> Self {
        Self { name, agents }
    }
}

impl Agent for Composite {
    fn name(&self) -> &'static str {
        self.name
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        let mut moment = Moment::UNKNOWN;
        self.agents.iter_mut().map(|agent| agent.do_work_from(now, &mut moment)).sum()
    }

    fn next_deadline(&self) -> Nanos {
        self.agents.iter().map(|agent| agent.next_deadline()).min().unwrap_or(Nanos::NEVER)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Tells what moment it was handed, and leaves its own.
    struct Reader(Sender<Moment>, Moment);

    /// Knows nothing of moments.
    struct Plain;

    impl Agent for Reader {
        fn name(&self) -> &'static str {
            "reader"
        }
        fn do_work(&mut self, now: Nanos) -> usize {
            self.do_work_from(now, &mut Moment::default())
        }
        fn do_work_from(&mut self, _now: Nanos, moment: &mut Moment) -> usize {
            self.0.send(*moment).expect("the test listens");
            *moment = self.1;
            1
        }
        fn next_deadline(&self) -> Nanos {
            Nanos::NEVER
        }
    }

    impl Agent for Plain {
        fn name(&self) -> &'static str {
            "plain"
        }
        fn do_work(&mut self, _now: Nanos) -> usize {
            1
        }
        fn next_deadline(&self) -> Nanos {
            Nanos::NEVER
        }
    }

    #[test]
    fn a_moment_goes_to_the_next_agent_of_the_same_cycle_and_no_further() {
        let (sender, handed) = channel();
        let [first, second] = [1, 2].map(|at| Moment::at(Nanos(at)));
        let reader = |left| Box::new(Reader(sender.clone(), left)) as Box<dyn Agent + Send>;
        let mut all =
            Composite::new("all", vec![reader(first), reader(second), Box::new(Plain), reader(second)]);
        for _ in 0..2 {
            assert_eq!(all.do_work(Nanos::ZERO), 4);
            assert_eq!(
                handed.try_iter().collect::<Vec<_>>(),
                [Moment::UNKNOWN, first, Moment::UNKNOWN],
                "nothing of the cycle before, and nothing past an agent that leaves none"
            );
        }
    }
}
