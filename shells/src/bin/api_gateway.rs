//! `api_gateway`: REST and WebSocket in front of the services.

use std::process::ExitCode;

use clap::Parser;
use shells::config::{AllFlags, Environment, Secrets, Settings};

/// REST and WebSocket in front of the trading services.
#[derive(Debug, Parser)]
#[command(name = "api_gateway", version, max_term_width = 110)]
struct Arguments {
    /// Every setting
    #[command(flatten)]
    settings: AllFlags,
}

pub(crate) fn main() -> ExitCode {
    // Bad usage ends in the parser with exit code 2.
    let arguments = Arguments::parse();
    let settings = Settings::resolve(&arguments.settings, &Environment::of_process(), Secrets::Withhold);
    match settings.and_then(|settings| shells::gateway::process::run(&settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("api_gateway: {error}");
            ExitCode::FAILURE
        }
    }
}
