//! Several agents as one: polled in order, so that a cycle's messages flow through all of them at one `now`.

use crate::agent::Agent;
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
        self.agents.iter_mut().map(|agent| agent.do_work(now)).sum()
    }

    fn next_deadline(&self) -> Nanos {
        self.agents.iter().map(|agent| agent.next_deadline()).min().unwrap_or(Nanos::NEVER)
    }
}
