//! How full the lossless rings are, and how old what waits in a journal's ring is.

use engine::domain::{Nanos, SourceId};
use engine::journal::Record;
use engine::message::{Intent, SealedOrder};
use engine::ring::Message;
use engine::ring::backlog::Backlog;
use engine::shm::paths::IpcPaths;

use crate::service::attach::{Attached, Current};
use crate::service::families::{Families, names};

impl<T: Message> Current for Backlog<T> {
    fn is_current(&self) -> bool {
        Self::is_current(self)
    }
}

/// One ring.
struct Watched<T> {
    name: String,
    backlog: Attached<Backlog<T>>,
}

impl<T: Message> Watched<T> {
    fn new(name: impl Into<String>, ring: std::path::PathBuf, cursor: std::path::PathBuf) -> Self {
        Self { name: name.into(), backlog: Attached::new(move || Backlog::attach(&ring, &cursor)) }
    }

    fn show(&mut self, now: Nanos, families: &mut Families) -> Option<&Backlog<T>> {
        self.backlog.refresh(now);
        let backlog = self.backlog.get().ok()?;
        let share = backlog.waiting() as f64 / backlog.capacity() as f64;
        families.gauge(names::OCCUPANCY, &[("ring", &self.name)], share);
        Some(backlog)
    }
}

/// The rings that one agent empties, and its journal.
pub struct Rings {
    intents: Vec<Watched<Intent>>,
    orders: Option<Watched<SealedOrder>>,
    journal: Option<Watched<Record>>,
    agent: &'static str,
}

impl Rings {
    /// The rings of `agent` under `ipc`.
    #[must_use]
    pub fn of(agent: &'static str, ipc: &IpcPaths) -> Self {
        let sources = if agent == "risk" { engine::limits::SOURCES_MAX as u16 } else { 0 };
        let intents = (0..sources).map(SourceId).map(|source| {
            Watched::new(format!("intents-{}", source.0), ipc.intents(source), ipc.intents_cursor(source))
        });
        let orders = Watched::new("orders", ipc.orders(), ipc.orders_cursor());
        let journal = Watched::new(format!("{agent}-journal"), ipc.journal(agent), ipc.journal_cursor(agent));
        Self {
            intents: intents.collect(),
            orders: (agent == "route").then_some(orders),
            journal: ["risk", "route"].contains(&agent).then_some(journal),
            agent,
        }
    }

    /// Occupancy of each ring that is there, and the journal's lag. `now` must be of the engine's timeline.
    pub fn families(&mut self, now: Nanos, families: &mut Families) {
        for ring in &mut self.intents {
            ring.show(now, families);
        }
        if let Some(ring) = &mut self.orders {
            ring.show(now, families);
        }
        if let Some(backlog) = self.journal.as_mut().and_then(|ring| ring.show(now, families)) {
            let lag = backlog.oldest().map_or(0, |record| (now - record.at).0.max(0));
            families.gauge(names::DURABLE_LAG, &[("journal", self.agent)], lag as f64 / 1e9);
        }
    }
}
