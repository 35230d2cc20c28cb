//! The operator's command line: what users type, and what they see.

pub mod acting_args;
pub mod args;
pub mod output;
pub mod progress;
pub mod table;
pub mod looking;
pub mod journal;
pub mod config;
pub mod doctor;
pub mod halt;
pub mod token;
pub mod records;
pub mod tail;
pub mod trace;
pub mod top;
pub mod acting;

use clap::CommandFactory;
use engine::error::SetupError;

/// `trading completions SHELL`.
///
/// # Errors
/// Never: the signature is that of every command.
pub fn completions(shell: clap_complete::Shell) -> Result<(), SetupError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::Cli::command(), "trading", &mut script);
    output::print(format_args!("{}", String::from_utf8_lossy(&script).trim_end()));
    Ok(())
}
