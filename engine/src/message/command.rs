//! `Command` and `CommandAnswer`: what an operator asks of an agent, and what comes of it. One pair of rings a sender
//! and agent; keys and values are text, as users write them, in fields of fixed length.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::Nanos;
use crate::message::intent::Intent;
use crate::wire::wire_enum;

/// Longest name, key or value of a command, in bytes.
pub const COMMAND_TEXT_MAX: usize = 64;

/// Longest explanation in an answer, in bytes; a longer one is cut.
pub const ANSWER_DETAIL_MAX: usize = 184;

/// The row of a [`CommandKind::ClearLatch`] that means the global latch.
pub const ROW_GLOBAL: u32 = u32::MAX;

wire_enum! {
    /// What is asked for.
    CommandKind {
        /// Of risk: limit number `row`, with its key, value and ceiling.
        Limit = 1 => "LIMIT",
        /// Of risk: set limit `key` to `value` (C29).
        SetLimit = 2 => "SET_LIMIT",
        /// Of risk: its verdict on `intent`, changing nothing.
        Check = 3 => "CHECK",
        /// Of risk: clear the latches of source `row`, or the global one; `value` is the reason.
        ClearLatch = 4 => "CLEAR_LATCH",
        /// Of the strategy host: parameter number `row` of strategy `name`.
        Parameter = 5 => "PARAMETER",
        /// Of the strategy host: set parameter `key` of strategy `name` to `value`.
        SetParameter = 6 => "SET_PARAMETER",
        /// Of the strategy host: start strategy `name`.
        Start = 7 => "START",
        /// Of the strategy host: stop strategy `name` and cancel its orders.
        Stop = 8 => "STOP",
    }
}

wire_enum! {
    /// What came of a command.
    CommandCode {
        /// It was done.
        Done = 1 => "DONE",
        /// There is no such limit, parameter, source or strategy, or no such row: the list is over.
        Unknown = 2 => "UNKNOWN",
        /// The value cannot be read, contradicts another, or is out of range.
        BadValue = 3 => "BAD_VALUE",
        /// The value is looser than the engine was started with (C29).
        Ceiling = 4 => "CEILING",
        /// It came too late.
        Late = 5 => "EXPIRED",
        /// This agent takes no such command.
        Misdirected = 6 => "BAD_REQUEST",
    }
}

/// A text of at most `N` bytes in a field of its own; longer ones are cut at a character.
fn clip<const N: usize>(text: &str) -> ([u8; N], u8) {
    let kept = text.floor_char_boundary(N.min(text.len()));
    let mut bytes = [0; N];
    bytes[..kept].copy_from_slice(&text.as_bytes()[..kept]);
    (bytes, u8::try_from(kept).unwrap_or(u8::MAX))
}

fn text(bytes: &[u8], length: u8) -> Option<&str> {
    std::str::from_utf8(bytes.get(..usize::from(length))?).ok()
}

/// A command, 304 bytes. Written by the sender that owns its ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Command {
    /// Chosen by the sender; the answer carries it.
    pub id: u64,
    /// Later than this it is not carried out.
    pub valid_until: Nanos,
    /// The intent of a check, else zeros.
    pub intent: Intent,
    /// A row or source, by kind.
    pub row: u32,
    /// Code of a [`CommandKind`].
    pub kind: u8,
    name_length: u8,
    key_length: u8,
    value_length: u8,
    name: [u8; COMMAND_TEXT_MAX],
    key: [u8; COMMAND_TEXT_MAX],
    value: [u8; COMMAND_TEXT_MAX],
}

const _: () = assert!(size_of::<Command>() == 304);

impl Command {
    /// A command of `kind` without anything else.
    #[must_use]
    pub fn new(kind: CommandKind, id: u64, valid_until: Nanos) -> Self {
        Self {
            id,
            valid_until,
            intent: Intent::default(),
            row: 0,
            kind: kind.code(),
            name_length: 0,
            key_length: 0,
            value_length: 0,
            name: [0; COMMAND_TEXT_MAX],
            key: [0; COMMAND_TEXT_MAX],
            value: [0; COMMAND_TEXT_MAX],
        }
    }

    /// It with a name, key and value; `None` when one is longer than [`COMMAND_TEXT_MAX`].
    #[must_use]
    pub fn with(self, name: &str, key: &str, value: &str) -> Option<Self> {
        if [name, key, value].iter().any(|text| text.len() > COMMAND_TEXT_MAX) {
            return None;
        }
        let ((name, name_length), (key, key_length), (value, value_length)) =
            (clip(name), clip(key), clip(value));
        Some(Self { name, name_length, key, key_length, value, value_length, ..self })
    }

    /// Name, key and value; `None` when one is no text.
    #[must_use]
    pub fn texts(&self) -> Option<(&str, &str, &str)> {
        Some((
            text(&self.name, self.name_length)?,
            text(&self.key, self.key_length)?,
            text(&self.value, self.value_length)?,
        ))
    }
}

/// What came of a command, 328 bytes. Written by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CommandAnswer {
    /// The command's.
    pub id: u64,
    /// Code of a [`CommandCode`].
    pub code: u8,
    key_length: u8,
    value_length: u8,
    detail_length: u8,
    reserved: u32,
    key: [u8; COMMAND_TEXT_MAX],
    value: [u8; COMMAND_TEXT_MAX],
    detail: [u8; ANSWER_DETAIL_MAX],
}

const _: () = assert!(size_of::<CommandAnswer>() == 328);

impl CommandAnswer {
    /// The answer `code` to command `id`, with a key, a value and a detail; what is too long is cut.
    #[must_use]
    pub fn new(id: u64, code: CommandCode, key: &str, value: &str, detail: &str) -> Self {
        let ((key, key_length), (value, value_length), (detail, detail_length)) =
            (clip(key), clip(value), clip(detail));
        let code = code.code();
        Self { id, code, key_length, value_length, detail_length, reserved: 0, key, value, detail }
    }

    /// Key, value and detail; `None` when one is no text.
    #[must_use]
    pub fn texts(&self) -> Option<(&str, &str, &str)> {
        Some((
            text(&self.key, self.key_length)?,
            text(&self.value, self.value_length)?,
            text(&self.detail, self.detail_length)?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_and_long_ones_are_refused_or_cut() {
        let command = Command::new(CommandKind::SetLimit, 7, Nanos(9));
        let full = command.with("a", "BTCUSDT.max_notional", "12.5").expect("fits");
        assert_eq!(full.texts(), Some(("a", "BTCUSDT.max_notional", "12.5")));
        let long = "é".repeat(COMMAND_TEXT_MAX);
        assert_eq!(command.with("", &long, ""), None);
        let answer = CommandAnswer::new(7, CommandCode::BadValue, "k", "v", &long.repeat(3));
        let (_, _, detail) = answer.texts().expect("text");
        assert!(detail.len() == ANSWER_DETAIL_MAX && detail.chars().all(|c| c == 'é'));
        let hostile = Command { name_length: 200, ..full };
        assert_eq!(hostile.texts(), None);
    }
}
