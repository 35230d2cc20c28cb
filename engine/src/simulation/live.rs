//! A live session on one thread: the exchange and the agents cycle after cycle on the machine's clock, and the input
//! log that makes it replayable.

use crate::agent::Agent;
use crate::clock::Stopwatch;
use crate::domain::Nanos;
use crate::journal::{InputRecord, Journal};
use crate::simulation::recorder::{Notes, RecordedEntry};
use crate::tick_to_trade::assembly::Path;
use crate::venue::{MarketData, OrderEntry};

/// Inputs of the path, by their number in an [`InputRecord`].
pub mod inputs {
    /// Frames that ingest took.
    pub const FRAMES: usize = 0;
    /// Answers that route took.
    pub const ANSWERS: usize = 1;
    /// Commands to end.
    pub const STOPS: usize = 2;
}

/// The agents of a session on one thread, with their input log.
pub struct LivePath<M, E> {
    path: Path<M, RecordedEntry<E>>,
    log: Journal,
    stopwatch: Stopwatch,
    cycle: u64,
    frames: u64,
    answers: u64,
    lost: u64,
}

impl<M: MarketData, E: OrderEntry> LivePath<M, E> {
    /// Logs to `log` what `path` takes.
    pub const fn new(path: Path<M, RecordedEntry<E>>, log: Journal, stopwatch: Stopwatch) -> Self {
        Self { path, log, stopwatch, cycle: 0, frames: 0, answers: 0, lost: 0 }
    }

    /// The agents.
    pub const fn path(&self) -> &Path<M, RecordedEntry<E>> {
        &self.path
    }

    /// Cycles and notes that the log had no room for: above zero, the session cannot be replayed.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The agents, when the session is over.
    pub fn into_path(self) -> Path<M, RecordedEntry<E>> {
        self.path
    }

    /// Begins the end: every order is cancelled, whoever placed it.
    pub fn close(&mut self, now: Nanos) {
        self.path.close(now);
        self.log_cycle(now, Some(inputs::STOPS));
    }

    /// Copies out what is shown.
    pub fn publish(&mut self) {
        self.path.publish();
    }

    fn log_cycle(&mut self, now: Nanos, command: Option<usize>) {
        self.cycle += 1;
        let (frames, answers) = (self.path.frames_taken(), self.path.answers_taken());
        let mut record = InputRecord::new(0, self.cycle);
        let count = |total: u64, before: u64| u32::try_from(total - before).unwrap_or(u32::MAX);
        let mut counted = record.took(inputs::FRAMES, count(frames, self.frames));
        counted &= record.took(inputs::ANSWERS, count(answers, self.answers));
        if let Some(command) = command {
            counted &= record.took(command, 1);
        }
        (self.frames, self.answers) = (frames, answers);
        let elapsed = self.stopwatch.elapsed().0;
        // A reader comes to the cycle's record with all at hand that the cycle needs.
        let notes = self.path.entry_mut().notes_mut();
        self.lost += notes.map_or(0, |notes| log_notes(&mut self.log, notes, now, elapsed));
        if !counted || self.log.append(now, elapsed, &record).is_err() {
            self.lost += 1;
        }
    }
}

/// Moves `notes` into `log`; returns how many it had no room for.
fn log_notes(log: &mut Journal, notes: &mut Notes, now: Nanos, elapsed: i64) -> u64 {
    let mut lost = 0;
    for answer in notes.answers.drain(..) {
        lost += u64::from(log.append(now, elapsed, &answer).is_err());
    }
    for unsent in notes.unsent.drain(..) {
        lost += u64::from(log.append(now, elapsed, &unsent).is_err());
    }
    lost
}

impl<M: MarketData, E: OrderEntry> Agent for LivePath<M, E> {
    fn name(&self) -> &'static str {
        "path"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        let work = self.path.do_work(now);
        if work > 0 {
            self.log_cycle(now, None);
        }
        work
    }

    fn next_deadline(&self) -> Nanos {
        self.path.next_deadline()
    }
}
