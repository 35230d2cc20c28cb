//! Commands to the strategy host, as they come through its rings.

use crate::clock::Moment;
use crate::domain::Nanos;
use crate::message::command::{Command, CommandAnswer, CommandCode, CommandKind};
use crate::tick_to_trade::commands::CommandDesk;
use crate::tick_to_trade::strategy::control::ControlError;
use crate::tick_to_trade::strategy::host::StrategyHost;
use crate::tick_to_trade::strategy::hosted::Activity;

impl StrategyHost {
    /// Takes commands at `desk` from now on.
    pub fn govern(&mut self, desk: CommandDesk) {
        self.desk = Some(Box::new(desk));
    }

    /// Commands taken so far.
    #[must_use]
    pub const fn commanded(&self) -> u64 {
        self.commanded
    }

    #[inline(always)]
    pub(super) fn take_commands(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        if !self.desk.as_ref().is_some_and(|desk| desk.is_waiting(now)) {
            return 0;
        }
        self.serve(now, moment)
    }

    #[inline(never)]
    fn serve(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        let Some(mut desk) = self.desk.take() else { return 0 };
        let taken = desk.serve(now, moment, |command| carry_out(self, command, now));
        self.desk = Some(desk);
        self.commanded += taken as u64;
        taken
    }
}

/// Does what `command` asks of `host`.
fn carry_out(host: &mut StrategyHost, command: &Command, now: Nanos) -> CommandAnswer {
    let answer = |code, detail: &str| CommandAnswer::new(command.id, code, "", "", detail);
    let Some((name, key, value)) = command.texts() else {
        return answer(CommandCode::BadValue, "the command holds no text");
    };
    let outcome = match CommandKind::try_from(command.kind) {
        Ok(CommandKind::Parameter) => return parameter(host, command, name),
        Ok(CommandKind::SetParameter) => host.set(name, key, value),
        Ok(CommandKind::Start) => host.start(name),
        Ok(CommandKind::Stop) => host.stop(name, now),
        _ => return answer(CommandCode::Misdirected, "the strategy host takes no such command"),
    };
    match outcome {
        Ok(()) => CommandAnswer::new(command.id, CommandCode::Done, key, value, ""),
        Err(error) => answer(code(&error), &error.to_string()),
    }
}

const fn code(error: &ControlError) -> CommandCode {
    match error {
        ControlError::Unknown { .. } => CommandCode::Unknown,
        ControlError::NotStarted(_) | ControlError::Parameter(_) => CommandCode::BadValue,
    }
}

fn parameter(host: &StrategyHost, command: &Command, name: &str) -> CommandAnswer {
    let unknown = |detail: &str| CommandAnswer::new(command.id, CommandCode::Unknown, "", "", detail);
    let Some(hosted) = host.get(name) else {
        return unknown("there is no such strategy");
    };
    if hosted.activity() == Activity::Failed {
        // One that failed is not asked for anything any more.
        return unknown("it failed");
    }
    match hosted.parameters().get(command.row as usize) {
        Some(row) => {
            let detail = format!("{}; {}", row.doc, row.range);
            CommandAnswer::new(command.id, CommandCode::Done, row.key, &row.value, &detail)
        }
        None => unknown("there are no more"),
    }
}
