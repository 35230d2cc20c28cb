//! Commands to risk: limits (C29), dry runs, latches.

use crate::clock::Moment;
use crate::domain::{Instruments, Nanos, SourceId};
use crate::error::RejectCode;
use crate::journal::LimitChange;
use crate::message::command::{Command, CommandAnswer, CommandCode, CommandKind, ROW_GLOBAL};
use crate::tick_to_trade::risk::agent::Risk;
use crate::tick_to_trade::risk::governance::{Governance, Place, Refused};
use crate::tick_to_trade::risk::limits::Limits;

impl Risk {
    /// Takes commands from now on.
    pub fn govern(&mut self, governance: Governance) {
        self.governance = Some(Box::new(governance));
    }

    #[inline(always)]
    pub(super) fn take_commands(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        if !self.governance.as_ref().is_some_and(|governance| governance.desk.is_waiting(now)) {
            return 0;
        }
        self.serve(now, moment)
    }

    #[inline(never)]
    fn serve(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        let Some(mut governance) = self.governance.take() else { return 0 };
        let Governance { desk, instruments, ceiling } = &mut *governance;
        let taken = desk.serve(now, moment, |command| self.carry_out(command, instruments, ceiling, now));
        self.governance = Some(governance);
        self.counts.commands += taken as u64;
        taken
    }

    fn carry_out(
        &mut self,
        command: &Command,
        instruments: &Instruments,
        ceiling: &Limits,
        now: Nanos,
    ) -> CommandAnswer {
        let answer = |code, detail: &str| CommandAnswer::new(command.id, code, "", "", detail);
        let Some((_, key, value)) = command.texts() else {
            return answer(CommandCode::BadValue, "the command holds no text");
        };
        match CommandKind::try_from(command.kind) {
            Ok(CommandKind::Limit) => {
                let limits = &self.state.limits;
                let place = usize::try_from(command.row).ok().and_then(|row| Place::of_row(limits, row));
                let shown = place.and_then(|place| {
                    let (value, highest) =
                        (place.show(limits, instruments)?, place.show(ceiling, instruments)?);
                    let key = place.key(instruments);
                    Some(CommandAnswer::new(command.id, CommandCode::Done, &key, &value, &highest))
                });
                shown.unwrap_or_else(|| answer(CommandCode::Unknown, "there are no more"))
            }
            Ok(CommandKind::SetLimit) => match self.set_limit((key, value), instruments, ceiling, now) {
                Ok(()) => CommandAnswer::new(command.id, CommandCode::Done, key, value, ""),
                Err((code, reason)) => answer(code, &reason),
            },
            Ok(CommandKind::Check) => {
                let verdict = self.check(&command.intent, now).err().unwrap_or(RejectCode::None);
                CommandAnswer::new(command.id, CommandCode::Done, "", verdict.as_str(), "")
            }
            Ok(CommandKind::ClearLatch) => match (command.row, u16::try_from(command.row)) {
                (ROW_GLOBAL, _) => {
                    self.clear_global(value, now);
                    answer(CommandCode::Done, "")
                }
                (_, Ok(source)) if usize::from(source) < self.state.sources.len() => {
                    self.clear_source(SourceId(source), value, now);
                    answer(CommandCode::Done, "")
                }
                _ => answer(CommandCode::Unknown, "there is no such source"),
            },
            _ => answer(CommandCode::Misdirected, "risk takes no such command"),
        }
    }

    fn set_limit(
        &mut self,
        (key, value): (&str, &str),
        instruments: &Instruments,
        ceiling: &Limits,
        now: Nanos,
    ) -> Result<(), (CommandCode, String)> {
        let limits = &self.state.limits;
        let place = Place::of_key(limits, instruments, key)
            .ok_or_else(|| (CommandCode::Unknown, format!("{key}: there is no such limit")))?;
        let next = place.set(limits, ceiling, instruments, value).map_err(|refused| match refused {
            Refused::Unknown => (CommandCode::Unknown, format!("{key}: there is no such limit")),
            Refused::BadValue => (CommandCode::BadValue, format!("{key} = {value}: no value of this limit")),
            Refused::Ceiling => {
                let highest = place.show(ceiling, instruments).unwrap_or_default();
                (CommandCode::Ceiling, format!("{key} = {value}: looser than the start's {highest}"))
            }
        })?;
        // Journalled first: what holds is what the journal says.
        let elapsed = self.elapsed();
        let change = LimitChange::new(key, value);
        if self.ports.journal.append(now, elapsed, &change).is_err() {
            return Err((CommandCode::BadValue, format!("{key}: the journal is full: nothing has changed")));
        }
        self.set_limits(instruments, next, now).map_err(|error| (CommandCode::BadValue, error.to_string()))
    }
}
