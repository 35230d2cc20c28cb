//! Sending commands to an agent, and reading what came of them.

use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::message::Intent;
use engine::message::command::{Command, CommandAnswer, CommandCode, CommandKind};
use engine::ring::spsc::{Consumer, Producer};
use engine::shm::Late;
use engine::shm::paths::IpcPaths;

use crate::api::{ApiError, code};

/// Commands that may be under way.
const CAPACITY: usize = 256;

/// How long a command may wait for its carrying out.
const VALID_FOR: Nanos = Nanos::from_secs(2);

/// How long to wait for an answer.
const PATIENCE: Nanos = Nanos::from_secs(5);

/// How long to sleep between two looks.
const NAP: std::time::Duration = std::time::Duration::from_millis(1);

/// Most rows that a list may have.
const ROWS_MAX: u32 = 1 << 20;

/// What an agent said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The command's id.
    pub id: u64,
    /// Key, value and detail: of a limit the third is its ceiling, of a parameter what it does.
    pub outcome: Result<[String; 3], ApiError>,
    /// Whether it said that there is no such thing: the end of a list.
    pub is_unknown: bool,
}

/// What is wrong, in the codes of the API. `unknown` is the code for what does not exist.
fn read(answer: &CommandAnswer, unknown: &str) -> Answer {
    let texts = answer.texts().map(|(key, value, detail)| [key, value, detail].map(str::to_owned));
    let is_unknown = answer.code == CommandCode::Unknown.code();
    let outcome = match (CommandCode::try_from(answer.code), texts) {
        (Ok(CommandCode::Done), Some(texts)) => Ok(texts),
        (Ok(CommandCode::Unknown), Some([_, _, detail])) => Err(ApiError::new(unknown, detail)),
        (Ok(refused), Some([_, _, detail])) => Err(ApiError::new(refused.as_str(), detail)),
        _ => Err(ApiError::new(code::INTERNAL, "the agent's answer cannot be read")),
    };
    Answer { id: answer.id, outcome, is_unknown }
}

/// One sender's end of the rings to one agent.
pub struct Commands {
    requests: Producer<Command>,
    answers: Late<Consumer<CommandAnswer>>,
    unknown: &'static str,
    epoch: u32,
    next: u64,
}

impl Commands {
    /// Opens the rings of `sender` to `agent` (`risk` or `strategy`) of the engine of `epoch`. The caller makes sure
    /// that no other process is this sender. `now` tells its commands from those of earlier lives.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn open(
        ipc: &IpcPaths,
        agent: &'static str,
        sender: &str,
        epoch: u32,
        now: Nanos,
    ) -> Result<Self, SetupError> {
        let (ring, cursor) = ipc.commands(agent, sender);
        if let Some(parent) = ring.parent() {
            std::fs::create_dir_all(parent).map_err(|error| SetupError::io(parent, "making it", error))?;
        }
        let (answers, answers_cursor) = ipc.answers(agent, sender);
        Ok(Self {
            requests: Producer::open(&ring, &cursor, CAPACITY, epoch)?,
            answers: Consumer::late(&answers, &answers_cursor),
            unknown: if agent == "risk" { code::UNKNOWN_LIMIT } else { code::UNKNOWN_STRATEGY },
            epoch,
            next: now.0.unsigned_abs(),
        })
    }

    /// The engine's epoch for which they were opened.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Sends a command; gives its id.
    ///
    /// # Errors
    /// `BAD_REQUEST` when a text is too long, `NOT_READY` when the agent takes no more.
    pub fn send(
        &mut self,
        kind: CommandKind,
        row: u32,
        (name, key, value): (&str, &str, &str),
        now: Nanos,
    ) -> Result<u64, ApiError> {
        let mut command = Command::new(kind, self.next + 1, now.saturating_add(VALID_FOR));
        command.row = row;
        let command = command
            .with(name, key, value)
            .ok_or_else(|| ApiError::new(code::BAD_REQUEST, "a name, key or value is too long"))?;
        self.push(&command)
    }

    /// Asks risk for its verdict on `intent`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn check(&mut self, intent: Intent, now: Nanos) -> Result<u64, ApiError> {
        let valid_until = now.saturating_add(VALID_FOR);
        let mut command = Command::new(CommandKind::Check, self.next + 1, valid_until);
        command.intent = intent;
        self.push(&command)
    }

    fn push(&mut self, command: &Command) -> Result<u64, ApiError> {
        let full = |_| ApiError::new(code::NOT_READY, "the agent takes no more commands");
        self.requests.try_push(command).map_err(full)?;
        self.next += 1;
        Ok(command.id)
    }

    /// The next answer that has come.
    pub fn poll(&mut self, now: Nanos) -> Option<Answer> {
        self.answers.refresh(now);
        let answer = self.answers.get_mut()?.poll()?;
        Some(read(&answer, self.unknown))
    }

    /// Waits for the answer to command `id`.
    ///
    /// # Errors
    /// `TIMEOUT`.
    pub fn wait(&mut self, id: u64, clock: &mut LiveClock) -> Result<Answer, ApiError> {
        let end = clock.now().saturating_add(PATIENCE);
        loop {
            let now = clock.now();
            match self.poll(now) {
                Some(answer) if answer.id == id => return Ok(answer),
                // Of an earlier life, or one that was given up.
                Some(_) => {}
                None if now >= end => {
                    return Err(ApiError::new(code::TIMEOUT, "the agent did not answer: it may be stopped"));
                }
                None => std::thread::sleep(NAP),
            }
        }
    }

    /// Every row of a list: limits, or the parameters of strategy `name`.
    ///
    /// # Errors
    /// `UNKNOWN_STRATEGY` when there is not even a first row, or `TIMEOUT`.
    pub fn list(
        &mut self,
        kind: CommandKind,
        name: &str,
        clock: &mut LiveClock,
    ) -> Result<Vec<[String; 3]>, ApiError> {
        let mut rows = Vec::new();
        for row in 0..ROWS_MAX {
            let id = self.send(kind, row, (name, "", ""), clock.now())?;
            let answer = self.wait(id, clock)?;
            match answer.outcome {
                Ok(texts) => rows.push(texts),
                Err(_) if answer.is_unknown && row > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(rows)
    }
}
