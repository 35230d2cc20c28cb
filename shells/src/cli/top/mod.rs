//! `trading top`: the whole system on a screen that keeps up, and a halt key.

pub mod keys;
pub mod snapshot;
pub mod screen;

use std::io::IsTerminal;
use std::time::Duration;

use engine::counters::HaltState;
use engine::error::SetupError;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::cli::acting::orders::unconfirmed;
use crate::cli::args::LookArgs;
use crate::cli::halt;
use crate::cli::looking::view::View;
use crate::cli::output::say;
use crate::cli::table::counted;
use crate::cli::top::keys::{Keys, Wish};
use crate::cli::top::snapshot::Snapshot;
use crate::config::Environment;
use crate::operator::halts::Done;
use crate::operator::{self, Scope};

/// How long a screen stands when no key is pressed.
const REFRESH: Duration = Duration::from_millis(250);

/// Runs the command until its user leaves; with `--json` it prints what one screen would show.
///
/// # Errors
/// When standard output is no terminal, or no engine has run there.
pub fn run(args: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let mut view = View::open(args, environment)?;
    if args.json {
        say!("{}", serde_json::json!(Snapshot::of(&view)?));
        return Ok(());
    }
    if !std::io::stdout().is_terminal() {
        let reason = "top needs a terminal; with --json it prints one screen's content";
        return Err(SetupError::Invalid(reason.to_owned()));
    }
    // Restores the terminal when it panics, too.
    let mut terminal = ratatui::init();
    let outcome = watch(&mut terminal, &mut view, environment);
    ratatui::restore();
    outcome
}

fn watch(
    terminal: &mut DefaultTerminal,
    view: &mut View,
    environment: &Environment,
) -> Result<(), SetupError> {
    let io = |error| SetupError::io("terminal", "drawing on it", error);
    let mut keys = Keys::default();
    loop {
        view.catch_up();
        let snapshot = Snapshot::of(view)?;
        terminal.draw(|frame| screen::draw(frame, &snapshot, &keys)).map_err(io)?;
        if !event::poll(REFRESH).map_err(io)? {
            continue;
        }
        let Event::Key(key) = event::read().map_err(io)? else { continue };
        if key.kind != KeyEventKind::Press {
            continue;
        }
        match keys.press(key) {
            Wish::Nothing => {}
            Wish::Quit => return Ok(()),
            Wish::Set(state) => {
                let reason = Some("trading top".to_owned());
                let done = operator::apply(&view.places, &Scope::Global, state, reason, environment);
                keys.tell(match done {
                    Ok(Done { warning }) if state == HaltState::Halted => {
                        let told = halted(view);
                        warning.map_or(told.clone(), |warning| format!("{told}; {warning}"))
                    }
                    Ok(Done { warning: Some(warning) }) => warning,
                    Ok(_) => format!("everything: {state}"),
                    Err(error) => error.to_string(),
                });
            }
        }
    }
}

/// Cancels what rests after a halt of everything, and tells what came of it.
fn halted(view: &View) -> String {
    match halt::cancel(&view.places, &view.ipc, &Scope::Global) {
        Ok(None) => "everything: HALTED; no order was cancelled: no engine beats that could".to_owned(),
        Ok(Some(swept)) => unconfirmed(&swept).map_or_else(
            || format!("everything: HALTED, {} cancelled", counted(swept.canceled.len(), "order")),
            |open| format!("everything: HALTED; {open}"),
        ),
        Err(error) => format!("everything: HALTED; not every order was cancelled: {error}"),
    }
}

#[cfg(test)]
mod tests;
