//! What every request port shares: its views, its health, and the operations that all of them answer.

use engine::counters::{CounterReader, HistogramReader};
use engine::domain::{InstrumentIndex, Nanos, Price};
use engine::journal::JournalState;
use engine::shm::paths::IpcPaths;

use crate::api::service::ServiceStatus;
use crate::api::{ApiError, code, envelope::Request};
use crate::config::Places;
use crate::service::account::{Account, Event};
use crate::service::families::Families;
use crate::service::instruments::Table;
use crate::service::latency::latency;
use crate::service::liveness::Liveness;
use crate::service::market::BookView;
use crate::service::rings::Rings;
use crate::service::show::{Names, counters};
use crate::session::Session;
use crate::zmq::desk::{Outcome, result};
use crate::zmq::router::RouterCounts;

/// A poll that takes as many records is still reading the past.
const BEHIND: usize = 1_024;

/// The views of a request port.
pub struct Views {
    service: &'static str,
    agent: &'static str,
    /// Shared memory.
    pub ipc: IpcPaths,
    /// Books and instruments.
    pub books: BookView,
    /// Orders, fills, positions.
    pub account: Account,
    /// Names of sources.
    pub names: Names,
    liveness: Liveness,
    rings: Rings,
    ready: Result<(), String>,
    counts: RouterCounts,
    generation: u64,
    /// The epoch to which the account belongs.
    epoch: u32,
    /// Where sessions lie.
    places: Places,
    /// Whether the journals have not been read to their end yet.
    behind: bool,
}

impl Views {
    /// Views for `service`, whose agent is `agent`.
    #[must_use]
    pub fn new(service: &'static str, agent: &'static str, ipc: &IpcPaths, places: &Places) -> Self {
        Self {
            service,
            agent,
            ipc: ipc.clone(),
            books: BookView::new(ipc),
            account: Account::new(ipc, places),
            names: Names::new(ipc),
            liveness: Liveness::new(agent, ipc),
            rings: Rings::of(agent, ipc),
            ready: Err("starting".to_owned()),
            counts: RouterCounts::default(),
            generation: 0,
            epoch: 0,
            places: places.clone(),
            behind: true,
        }
    }

    /// Attaches to what is there.
    ///
    /// # Errors
    /// Why the service cannot be used.
    pub fn refresh(&mut self, now: Nanos) -> Result<(), String> {
        self.names.refresh(now);
        if self.books.refresh(now) {
            let table = self.books.table().ok();
            self.generation += 1;
            self.behind = true;
            self.account.restart(table).map_err(|error| error.to_string())?;
        }
        let alive = self.liveness.check(now);
        let epoch = self.liveness.epoch();
        if epoch != 0 && std::mem::replace(&mut self.epoch, epoch) != epoch {
            // Another epoch may have journals of its own, under the same instrument table.
            self.generation += 1;
            self.behind = true;
            self.account.restart(self.books.table().ok()).map_err(|error| error.to_string())?;
        }
        let attached = self.books.table().map(|_| ()).map_err(str::to_owned);
        // Orders before risk ever ran cannot be: a port does not wait for agents that start after its own.
        let alone = self.account.waits_for_other_than(self.agent);
        let attached = attached.and_then(|()| match self.account.orders() {
            Err(reason) if !alone => Err(reason.to_owned()),
            _ => Ok(()),
        });
        let attached = attached.and_then(|()| match self.behind {
            true if !alone => Err("the journals are being read".to_owned()),
            _ => Ok(()),
        });
        let usable = alive.and(attached);
        self.ready = usable.clone().and_then(|()| self.journals());
        usable
    }

    /// Why nobody should rely on the service although it can be used.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        self.ready.clone().err()
    }

    /// Whether what the agent journals reaches the disk (C25).
    fn journals(&self) -> Result<(), String> {
        let code = self.liveness.counters().ok().and_then(|counters| counters.get("journal_state"));
        let state = code.and_then(|code| u8::try_from(code).ok()).map(JournalState::try_from);
        let what = match state {
            // An agent of another build says nothing of it.
            None | Some(Ok(JournalState::Sound)) => return Ok(()),
            Some(Ok(JournalState::NoRoom)) => "has no room for its next segment",
            Some(Ok(JournalState::Failed) | Err(_)) => "cannot be written",
        };
        let session = Session::of(&self.places, self.epoch());
        let agent = self.agent;
        Err(format!("the journal of {agent}'s process {what}: {}", session.directory().join(agent).display()))
    }

    /// Counts how often the account began anew.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes what the journals tell.
    pub fn poll(&mut self, now: Nanos, on_event: &mut dyn FnMut(&Event)) -> usize {
        let taken = self.account.poll(now, on_event);
        self.behind = taken >= BEHIND || self.account.orders().is_err();
        taken
    }

    /// Takes note of what the router counted.
    pub const fn counted(&mut self, counts: RouterCounts) {
        self.counts = counts;
    }

    /// What the router has counted.
    #[must_use]
    pub const fn counts(&self) -> &RouterCounts {
        &self.counts
    }

    /// The engine's epoch; 0 while there is none.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.liveness.epoch()
    }

    /// The instrument table.
    ///
    /// # Errors
    /// `NOT_READY`.
    pub fn table(&self) -> Result<&Table, ApiError> {
        self.books.table().map_err(not_ready)
    }

    /// The price at which a position is valued: the middle of the book, else its last value.
    #[must_use]
    pub fn mark(&self, instrument: InstrumentIndex) -> Option<Price> {
        self.books.mark(instrument)
    }

    /// Metrics of its agent: heartbeat, stages and rings.
    pub fn families(&mut self, now: Nanos, families: &mut Families) {
        self.liveness.families(families);
        self.rings.families(now, families);
        for file in [self.ipc.histograms(self.agent), self.ipc.journal_histograms(self.agent)] {
            if let Ok(reader) = HistogramReader::attach(&file) {
                families.stages(&reader);
            }
        }
    }

    /// The agent's counters.
    ///
    /// # Errors
    /// Why they are not attached.
    pub fn counters(&self) -> Result<&CounterReader, &str> {
        self.liveness.counters()
    }

    /// Serves `status`, `latency` and `instruments`; `None` for any other operation.
    #[must_use]
    pub fn serve(&self, request: &Request, now: Nanos) -> Option<Outcome> {
        let no_fields = || match request.fields.keys().next() {
            Some(field) => {
                Err(ApiError::new(code::BAD_REQUEST, format!("{}: unknown field `{field}`", request.op)))
            }
            None => Ok(()),
        };
        let outcome = match request.op.as_str() {
            "status" => no_fields().and_then(|()| result(&self.status(now))),
            "latency" => no_fields().and_then(|()| result(&latency(&self.ipc))),
            "instruments" => no_fields().and_then(|()| result(&self.table()?.show())),
            _ => return None,
        };
        Some(outcome)
    }

    fn status(&self, now: Nanos) -> ServiceStatus {
        let RouterCounts { requests, malformed, oversized, throttled, dropped, peers, subscribers } =
            self.counts;
        ServiceStatus {
            service: self.service.to_owned(),
            ready: self.ready.is_ok(),
            reason: self.ready.clone().err(),
            epoch: self.epoch(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time_ns: now.0,
            counters: counters(&[
                ("requests", requests),
                ("malformed", malformed),
                ("oversized", oversized),
                ("throttled", throttled),
                ("dropped", dropped),
                ("peers", peers),
                ("subscribers", subscribers),
                ("records_lost", self.account.lost()),
            ]),
        }
    }
}

/// `NOT_READY`, for a reason.
pub fn not_ready(reason: &str) -> ApiError {
    ApiError::new(code::NOT_READY, reason)
}

/// `UNKNOWN_OP`.
#[must_use]
pub fn unknown(request: &Request) -> ApiError {
    ApiError::new(code::UNKNOWN_OP, format!("{:?}: this port has no such operation", request.op))
}

#[cfg(test)]
mod tests {
    use engine::counters::Counters;

    use super::*;

    #[test]
    fn a_journal_that_does_not_reach_the_disk_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path().join("ipc"));
        ipc.create().expect("made");
        let mut counters = Counters::create(&ipc.counters("risk"), &["journal_state"], 7).expect("made");
        let (ipc_root, data) = (ipc.root().to_owned(), folder.path().join("data"));
        let places =
            Places { instance: "default".to_owned(), ipc: ipc_root, data, apart: Default::default() };
        let mut views = Views::new("risk_management", "risk", &ipc, &places);
        let mut told = |code| {
            counters.set(0, code);
            let _ = views.liveness.check(Nanos::from_secs(1));
            views.journals()
        };
        assert_eq!(told(0), Ok(()));
        let directory = folder.path().join("data/sessions/00000007/risk").display().to_string();
        let reason = told(1).expect_err("no room");
        assert_eq!(
            reason,
            format!("the journal of risk's process has no room for its next segment: {directory}")
        );
        assert!(told(2).expect_err("failed").contains("cannot be written"));
        assert!(told(99).expect_err("unreadable").contains("cannot be written"));
    }
}
