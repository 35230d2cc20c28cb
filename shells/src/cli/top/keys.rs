//! The keys of `trading top`: what may be traded is changed only after a confirmation.

use engine::counters::HaltState;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What the next key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A command.
    Looking,
    /// Whether this is really meant.
    Confirm(HaltState),
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing yet.
    Nothing,
    /// To leave.
    Quit,
    /// To set what may be traded.
    Set(HaltState),
}

/// The state of the keyboard.
#[derive(Clone, Debug)]
pub struct Keys {
    mode: Mode,
    message: Option<String>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { mode: Mode::Looking, message: None }
    }
}

impl Keys {
    /// What the next key means.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What to tell, until the next key.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Tells something.
    pub fn tell(&mut self, message: String) {
        self.message = Some(message);
    }

    /// Takes a key.
    pub fn press(&mut self, key: KeyEvent) -> Wish {
        self.message = None;
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Wish::Quit;
        }
        match std::mem::replace(&mut self.mode, Mode::Looking) {
            Mode::Confirm(state) if key.code == KeyCode::Char('y') => return Wish::Set(state),
            Mode::Confirm(_) => self.message = Some("nothing was changed".to_owned()),
            Mode::Looking => match key.code {
                KeyCode::Char('h') => self.mode = Mode::Confirm(HaltState::Halted),
                KeyCode::Char('o') => self.mode = Mode::Confirm(HaltState::ReduceOnly),
                KeyCode::Char('r') => self.mode = Mode::Confirm(HaltState::Active),
                KeyCode::Char('q') | KeyCode::Esc => return Wish::Quit,
                _ => {}
            },
        }
        Wish::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keys: &mut Keys, character: char) -> Wish {
        keys.press(KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE))
    }

    #[test]
    fn a_halt_needs_a_yes() {
        let mut keys = Keys::default();
        assert_eq!(press(&mut keys, 'y'), Wish::Nothing, "to nothing");
        assert_eq!(press(&mut keys, 'h'), Wish::Nothing);
        assert_eq!(keys.mode(), Mode::Confirm(HaltState::Halted));
        assert_eq!(press(&mut keys, 'n'), Wish::Nothing);
        assert_eq!((keys.mode(), keys.message()), (Mode::Looking, Some("nothing was changed")));
        assert_eq!(press(&mut keys, 'y'), Wish::Nothing, "the question is gone");
        press(&mut keys, 'h');
        assert_eq!(press(&mut keys, 'y'), Wish::Set(HaltState::Halted));
        press(&mut keys, 'r');
        assert_eq!(press(&mut keys, 'y'), Wish::Set(HaltState::Active));
        assert_eq!(press(&mut keys, 'q'), Wish::Quit);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(keys.press(control_c), Wish::Quit);
    }
}
