//! The agents in two processes that share memory alone: ingest and route in front, strategy and risk behind.

use std::path::Path as FilePath;

use engine::agent::{Agent as _, Published};
use engine::clock::Clock as _;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::{JournalSet, PathConfig, Timeline, apart};
use engine::tick_to_trade::ingest::Ingest;
use engine::tick_to_trade::risk::Risk;
use engine::tick_to_trade::route::Route;
use engine::tick_to_trade::strategy::host::StrategyHost;

use crate::desk::entry::Encoder;
use crate::desk::feed::Frames;
use crate::desk::{BRISK, Plan};
use crate::rig::Wait;

/// Without work for so long, the process behind writes its journal.
pub const QUIET: Nanos = Nanos::from_micros(100);

/// The process behind ends by then, should nobody end it.
const LONGEST: Nanos = Nanos::from_secs(60);

fn config(plan: &Plan, room: &FilePath, timeline: &Timeline) -> PathConfig {
    let now = { timeline.clock }.now();
    PathConfig { apart: true, now, ..plan.config(room, timeline.stopwatch) }
}

/// The process that has the venue on both sides: fed and answered from memory.
pub struct Front {
    ingest: Published<Ingest<Frames>>,
    route: Published<Route<Encoder>>,
    /// Route's journal.
    pub journals: JournalSet,
    timeline: Timeline,
}

impl Front {
    /// Makes its agents, their files under `room`.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn open(mut plan: Plan, room: &FilePath) -> Result<Self, SetupError> {
        plan.rate = BRISK;
        let ipc = IpcPaths::new(room.join("ipc"));
        ipc.create()?;
        let timeline = Timeline::publish(&ipc)?;
        let (feed, entry) =
            (Frames::new(std::mem::take(&mut plan.frames)), Encoder::new(plan.instruments.clone()));
        let (config, mut journals) = (config(&plan, room, &timeline), JournalSet::new(plan.journal));
        let route = apart::route(&config, entry, &mut journals)?;
        Ok(Self { ingest: apart::ingest(&config, feed)?, route, journals, timeline })
    }

    /// Orders encoded so far.
    pub const fn orders(&self) -> u64 {
        self.route.agent().entry().orders
    }

    /// Makes the next frame arrive. Nobody has looked at it yet.
    pub fn arrive(&self) {
        self.ingest.agent().feed().give(1);
    }

    /// One duty cycle of both; says when it was.
    pub fn cycle(&mut self, wait: Wait) -> Nanos {
        let now = self.timeline.clock.now();
        if self.ingest.do_work(now) + self.route.do_work(now) == 0 {
            wait.relax();
        }
        now
    }

    /// Duty cycles for `span`.
    pub fn pass(&mut self, span: Nanos, wait: Wait) {
        let end = self.timeline.clock.now() + span;
        while self.cycle(wait) < end {}
    }
}

/// The other process.
pub struct Behind {
    host: Published<StrategyHost>,
    risk: Published<Risk>,
    journals: JournalSet,
    timeline: Timeline,
}

impl Behind {
    /// Makes its agents, beside a [`Front`] of the same `plan` and `room`.
    ///
    /// # Errors
    /// When the other is not there, or a file cannot be made.
    pub fn open(mut plan: Plan, room: &FilePath) -> Result<Self, SetupError> {
        plan.rate = BRISK;
        let timeline = Timeline::find(&IpcPaths::new(room.join("ipc")))?;
        let (config, mut journals) = (config(&plan, room, &timeline), JournalSet::new(plan.journal));
        let risk = apart::risk(&config, 1, &mut journals)?;
        Ok(Self { host: apart::strategies(&config, vec![plan.taker()])?, risk, journals, timeline })
    }

    /// Answers until it is ended.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn serve(mut self, wait: Wait) -> Result<(), SetupError> {
        let start = self.timeline.clock.now();
        let (mut busy, mut now) = (Nanos::NEVER, start);
        while now - start < LONGEST {
            now = self.timeline.clock.now();
            if self.host.do_work(now) + self.risk.do_work(now) > 0 {
                busy = now;
            } else if busy != Nanos::NEVER && now - busy > QUIET {
                self.journals.drain_all()?;
                busy = Nanos::NEVER;
            } else {
                wait.relax();
            }
        }
        Ok(())
    }
}
