//! The desk at which an agent takes commands: a pair of rings for each sender, each of which may come late.

use crate::clock::Moment;
use crate::domain::Nanos;
use crate::error::SetupError;
use crate::message::command::{Command, CommandAnswer, CommandCode};
use crate::ring::spsc::{Consumer, Producer};
use crate::shm::Late;
use crate::shm::paths::IpcPaths;

/// Answers that a sender may leave unread; more are thrown away.
const ANSWERS: usize = 256;

/// Commands that are taken from one sender in one cycle.
const BATCH: usize = 4;

/// Who sends commands to an agent: its own port's process, and the operator's command line.
#[must_use]
pub fn senders(agent: &str) -> [String; 2] {
    [format!("{agent}/service"), "operator".to_owned()]
}

struct Sender {
    requests: Late<Consumer<Command>>,
    answers: Producer<CommandAnswer>,
}

/// The desk of one agent.
pub struct CommandDesk {
    senders: Vec<Sender>,
    due: Nanos,
}

impl CommandDesk {
    /// The desk of `agent`, which makes its rings of answers. The rings of commands are their senders'.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn open(ipc: &IpcPaths, agent: &str, epoch: u32) -> Result<Self, SetupError> {
        let open = |sender: &String| {
            let (requests, cursor) = ipc.commands(agent, sender);
            let (answers, answers_cursor) = ipc.answers(agent, sender);
            Ok(Sender {
                requests: Consumer::late(&requests, &cursor),
                answers: Producer::create(&answers, &answers_cursor, ANSWERS, epoch)?,
            })
        };
        let senders = senders(agent).iter().map(open).collect::<Result<_, SetupError>>()?;
        Ok(Self { senders, due: Nanos(i64::MIN) })
    }

    /// Whether there may be something to take, or a ring is to be looked for: one look at each ring.
    #[inline(always)]
    #[must_use]
    pub fn is_waiting(&self, now: Nanos) -> bool {
        let waits = |sender: &Sender| sender.requests.get().is_some_and(|ring| !ring.is_empty());
        now >= self.due || self.senders.iter().any(waits)
    }

    /// Takes what has come and answers each by `carry_out`; returns how many commands. Looking for rings, and each command, makes
    /// `moment` unknown.
    pub fn serve(
        &mut self,
        now: Nanos,
        moment: &mut Moment,
        mut carry_out: impl FnMut(&Command) -> CommandAnswer,
    ) -> usize {
        if now >= self.due {
            self.look(now);
            moment.forget();
        }
        let mut taken = 0;
        for Sender { requests, answers } in &mut self.senders {
            let Some(ring) = requests.get_mut() else { continue };
            for _ in 0..BATCH {
                let Some(command) = ring.poll() else { break };
                taken += 1;
                moment.forget();
                let answer = if now > command.valid_until {
                    CommandAnswer::new(command.id, CommandCode::Late, "", "", "it came too late")
                } else {
                    carry_out(&command)
                };
                // A sender that reads no answers has stopped waiting for them.
                let _ = answers.try_push(&answer);
            }
            // Nobody may look here again before the next command.
            ring.commit();
        }
        taken
    }

    #[cold]
    fn look(&mut self, now: Nanos) {
        for sender in &mut self.senders {
            sender.requests.refresh(now);
        }
        self.due = self.senders.iter().map(|sender| sender.requests.due()).min().unwrap_or(Nanos::NEVER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::command::CommandKind;
    use crate::ring::backlog::Backlog;

    #[test]
    fn a_command_is_seen_before_the_next_look_and_given_back_with_its_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path().join("ipc"));
        ipc.create().expect("made");
        let (ring, cursor) = ipc.commands("risk", "operator");
        std::fs::create_dir_all(ring.parent().expect("a directory")).expect("made");
        let mut sender: Producer<Command> = Producer::create(&ring, &cursor, 64, 1).expect("made");
        let (mut desk, now) = (CommandDesk::open(&ipc, "risk", 1).expect("open"), Nanos::ZERO);
        let serve = |desk: &mut CommandDesk| {
            desk.serve(now, &mut Moment::default(), |command| {
                CommandAnswer::new(command.id, CommandCode::Done, "", "", "")
            })
        };
        assert!(desk.is_waiting(now), "nobody has looked for rings yet");
        assert_eq!((serve(&mut desk), desk.is_waiting(now)), (0, false));
        for sent in [1, BATCH, BATCH + 1] {
            for id in 0..sent {
                let command = Command::new(CommandKind::Limit, id as u64, now);
                assert!(sender.try_push(&command).is_ok(), "there is room");
            }
            let served = std::iter::from_fn(|| desk.is_waiting(now).then(|| serve(&mut desk)));
            assert_eq!(served.take(3).sum::<usize>(), sent);
            assert!(!desk.is_waiting(now));
            assert_eq!(Backlog::<Command>::attach(&ring, &cursor).expect("attached").waiting(), 0);
        }
    }
}
