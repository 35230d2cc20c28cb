//! A recorded session again: the same frames, the same answers, cycle by cycle as its input log says.

use std::path::Path as FilePath;
use std::sync::Arc;

use crate::agent::Agent;
use crate::domain::{Instruments, Market, Nanos};
use crate::error::SetupError;
use crate::journal::{InputRecord, JournalReader, Record, Unsent};
use crate::message::Answer;
use crate::ring::spsc;
use crate::simulation::live::inputs;
use crate::simulation::replayed::ReplayedEntry;
use crate::tick_to_trade::assembly::{JournalSet, Path};
use crate::venue::binance::user_data;
use crate::venue::link::{FeedWriter, LinkFeed};
use crate::venue::replay::{TapeReader, TapeSource};
use crate::venue::{Frame, VenueEvent};

/// The venue's ends of the feed, fed from the recording.
pub struct RerunPorts {
    /// Frames to the engine.
    pub feed: FeedWriter,
    /// Snapshots that the engine wishes for: the recording holds the ones it got.
    pub wishes: spsc::Consumer<u64>,
}

/// What a session left, beside its journals.
pub struct Recorded<'a> {
    /// Its tape.
    pub tape: &'a FilePath,
    /// The directory of its input log.
    pub log: &'a FilePath,
    /// The market that its feed carried.
    pub market: Market,
    /// What was traded.
    pub instruments: Arc<Instruments>,
    /// Whether the venue was behind a connection: then the input log holds what it said, else the tape does.
    pub connection: bool,
}

/// Reads a tape twice over: its frames and its answers, each in their own order.
struct Recording {
    frames: TapeReader,
    /// Unread where the answers are in the input log.
    answers: Option<TapeReader>,
    market: Market,
    instruments: Arc<Instruments>,
}

impl Recording {
    fn open(recorded: &Recorded<'_>) -> Result<Self, SetupError> {
        let Recorded { tape, market, ref instruments, connection, .. } = *recorded;
        let answers = if connection { None } else { Some(TapeReader::open(tape)?) };
        Ok(Self { frames: TapeReader::open(tape)?, answers, market, instruments: Arc::clone(instruments) })
    }

    /// Gives the next `count` frames to `feed`.
    fn give_frames(&mut self, count: u32, feed: &mut FeedWriter) -> Result<(), SetupError> {
        let mut given = 0;
        while given < count {
            let Some(line) = self.frames.next()? else {
                return Err(self.short("frames"));
            };
            let Some(source) = line.source.market_data() else { continue };
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

    /// Gives the tape's next `count` answers to `entry`, unless they are in the input log.
    fn give_answers(&mut self, count: u32, entry: &mut ReplayedEntry) -> Result<(), SetupError> {
        let Some(answers) = &mut self.answers else { return Ok(()) };
        let mut given = 0;
        while given < count {
            let Some(line) = answers.next()? else {
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
                    let name = answers.name().to_owned();
                    return Err(SetupError::file(name, format!("line {number}: {reason}")));
                }
            };
            entry.hear(event);
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
    path: Path<LinkFeed, ReplayedEntry>,
    journals: JournalSet,
    ports: RerunPorts,
    now: Nanos,
}

impl Rerun {
    /// Joins the agents to the recording's ends of the feed.
    pub const fn new(path: Path<LinkFeed, ReplayedEntry>, journals: JournalSet, ports: RerunPorts) -> Self {
        Self { path, journals, ports, now: Nanos::ZERO }
    }

    /// The agents.
    pub const fn path(&self) -> &Path<LinkFeed, ReplayedEntry> {
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

    /// Plays what was `recorded`, cycle by cycle.
    ///
    /// # Errors
    /// When the tape or the log cannot be read, or an agent did not do what it did when it was recorded.
    pub fn run(&mut self, recorded: &Recorded<'_>) -> Result<(), SetupError> {
        let mut recording = Recording::open(recorded)?;
        for record in JournalReader::open(recorded.log)? {
            let record = record?;
            if let Some(answer) = record.read::<Answer>() {
                let event = VenueEvent::try_from(&answer).map_err(|code| {
                    SetupError::file(recorded.log, format!("record {}: {code}", record.sequence))
                })?;
                self.path.entry_mut().hear(event);
            } else if let Some(unsent) = record.read::<Unsent>() {
                self.path.entry_mut().refuse(unsent);
            } else if let Some(cycle) = record.read::<InputRecord>() {
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
        recording.give_answers(answers, self.path.entry_mut())?;
        let before = (self.path.frames_taken(), self.path.answers_taken());
        let work = self.path.do_work(now);
        self.journals.drain_after(work)?;
        let taken = (self.path.frames_taken() - before.0, self.path.answers_taken() - before.1);
        while self.ports.wishes.poll().is_some() {}
        if taken != (u64::from(frames), u64::from(answers)) {
            return Err(SetupError::Invalid(format!(
                "cycle {}: took {} frames and {} answers where {frames} and {answers} were recorded",
                cycle.cycle, taken.0, taken.1
            )));
        }
        match self.path.route().entry().unmade() {
            None => Ok(()),
            Some(request) => Err(SetupError::Invalid(format!(
                "cycle {}: did not come to request {request}, which did not leave when it was recorded",
                cycle.cycle
            ))),
        }
    }
}
