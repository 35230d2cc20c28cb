//! A recorded session again: the same frames, the same answers, cycle by cycle as its input log says.

use std::path::Path as FilePath;
use std::sync::Arc;

use crate::agent::Agent;
use crate::domain::{Instruments, Market, Nanos};
use crate::error::SetupError;
use crate::journal::{InputRecord, JournalReader, Record};
use crate::ring::spsc;
use crate::simulation::live::inputs;
use crate::tick_to_trade::assembly::{JournalSet, Path};
use crate::venue::binance::user_data;
use crate::venue::link::{Answer, FeedWriter, LinkFeed, LinkOrderEntry};
use crate::venue::replay::{TapeReader, TapeSource};
use crate::venue::simulated::Request;
use crate::venue::{Frame, Source};

/// The venue's ends of the link, fed from the recording.
pub struct RerunPorts {
    /// Frames to the engine.
    pub feed: FeedWriter,
    /// Answers to the engine.
    pub answers: spsc::Producer<Answer>,
    /// What the engine sends this time.
    pub requests: spsc::Consumer<Request>,
    /// Snapshots that the engine wishes for: the recording holds the ones it got.
    pub wishes: spsc::Consumer<u64>,
}

/// Reads a tape twice over: its frames and its answers, each in their own order.
struct Recording {
    frames: TapeReader,
    answers: TapeReader,
    market: Market,
    instruments: Arc<Instruments>,
}

impl Recording {
    fn open(tape: &FilePath, market: Market, instruments: Arc<Instruments>) -> Result<Self, SetupError> {
        Ok(Self { frames: TapeReader::open(tape)?, answers: TapeReader::open(tape)?, market, instruments })
    }

    /// Gives the next `count` frames to `feed`.
    fn give_frames(&mut self, count: u32, feed: &mut FeedWriter) -> Result<(), SetupError> {
        let mut given = 0;
        while given < count {
            let Some(line) = self.frames.next()? else {
                return Err(self.short("frames"));
            };
            let source = match line.source {
                TapeSource::Stream => Source::Stream,
                TapeSource::Rest(url) if url.contains("exchangeInfo") => continue,
                TapeSource::Rest(url) => Source::Rest(url),
                _ => continue,
            };
            let frame = Frame { received: line.received, market: self.market, source, payload: line.payload };
            if feed.write(&frame).is_err() {
                return Err(SetupError::Invalid(
                    "the feed ring is too small for one cycle's frames".to_owned(),
                ));
            }
            given += 1;
        }
        Ok(())
    }

    /// Gives the next `count` answers to `answers`.
    fn give_answers(&mut self, count: u32, answers: &mut spsc::Producer<Answer>) -> Result<(), SetupError> {
        let mut given = 0;
        while given < count {
            let Some(line) = self.answers.next()? else {
                return Err(self.short("answers"));
            };
            if !matches!(line.source, TapeSource::User) {
                continue;
            }
            let (number, received) = (line.line, line.received);
            let event = user_data::decode(line.payload, self.market, &self.instruments, received)
                .map_err(|error| error.to_string())
                .and_then(|event| event.ok_or_else(|| "no answer about an order of ours".to_owned()));
            let event = match event {
                Ok(event) => event,
                Err(reason) => {
                    let name = self.answers.name().to_owned();
                    return Err(SetupError::file(name, format!("line {number}: {reason}")));
                }
            };
            if answers.try_push(&Answer::from(&event)).is_err() {
                return Err(SetupError::Invalid("the answer ring is too small for one cycle".to_owned()));
            }
            given += 1;
        }
        Ok(())
    }

    fn short(&self, what: &str) -> SetupError {
        SetupError::file(self.frames.name(), format!("ends before its input log does: too few {what}"))
    }
}

/// Drives a recorded session again.
pub struct Rerun {
    path: Path<LinkFeed, LinkOrderEntry>,
    journals: JournalSet,
    ports: RerunPorts,
    now: Nanos,
}

impl Rerun {
    /// Joins the agents to the recording's ends of the link.
    pub const fn new(path: Path<LinkFeed, LinkOrderEntry>, journals: JournalSet, ports: RerunPorts) -> Self {
        Self { path, journals, ports, now: Nanos::ZERO }
    }

    /// The agents.
    pub const fn path(&self) -> &Path<LinkFeed, LinkOrderEntry> {
        &self.path
    }

    /// The journals' writers.
    pub const fn journals(&self) -> &JournalSet {
        &self.journals
    }

    /// The time of the last cycle.
    pub const fn now(&self) -> Nanos {
        self.now
    }

    /// Plays `tape` as the input log in `log` says.
    ///
    /// # Errors
    /// When the tape or the log cannot be read, or an agent did not take what it took when it was recorded.
    pub fn run(
        &mut self,
        tape: &FilePath,
        market: Market,
        instruments: Arc<Instruments>,
        log: &FilePath,
    ) -> Result<(), SetupError> {
        let mut recording = Recording::open(tape, market, instruments)?;
        for record in JournalReader::open(log)? {
            let record = record?;
            if let Some(cycle) = record.read::<InputRecord>() {
                self.cycle(&record, &cycle, &mut recording)?;
            }
        }
        self.path.publish();
        self.journals.drain_all()
    }

    fn cycle(
        &mut self,
        record: &Record,
        cycle: &InputRecord,
        recording: &mut Recording,
    ) -> Result<(), SetupError> {
        let now = record.at;
        self.now = now;
        if cycle.taken[inputs::STOPS] > 0 {
            self.path.close(now);
            return Ok(());
        }
        let (frames, answers) = (cycle.taken[inputs::FRAMES], cycle.taken[inputs::ANSWERS]);
        recording.give_frames(frames, &mut self.ports.feed)?;
        recording.give_answers(answers, &mut self.ports.answers)?;
        let before = (self.path.frames_taken(), self.path.answers_taken());
        let work = self.path.do_work(now);
        self.journals.drain_after(work)?;
        let taken = (self.path.frames_taken() - before.0, self.path.answers_taken() - before.1);
        while self.ports.requests.poll().is_some() || self.ports.wishes.poll().is_some() {}
        if taken == (u64::from(frames), u64::from(answers)) {
            return Ok(());
        }
        Err(SetupError::Invalid(format!(
            "cycle {}: took {} frames and {} answers where {frames} and {answers} were recorded",
            cycle.cycle, taken.0, taken.1
        )))
    }
}
