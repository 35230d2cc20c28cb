//! `simulated_exchange`: an exchange to test against.

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory};
use engine::error::SetupError;
use shells::config::layers::Layers;
use shells::config::{Environment, Places};
use shells::exchange::admin::Question;
use shells::exchange::server;
use shells::exchange::settings::Settings;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) fn main() -> ExitCode {
    match run(&Settings::command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulated_exchange: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &ArgMatches) -> Result<(), SetupError> {
    let environment = Environment::of_process();
    let (settings, layers) = Settings::read(std::env::args_os(), flags, &environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| SetupError::Invalid(format!("no threads to serve with: {error}")))?;
    runtime.block_on(serve(&settings, &layers, &environment))
}

async fn serve(settings: &Settings, layers: &Layers, environment: &Environment) -> Result<(), SetupError> {
    shells::config::secret::shield()?;
    let keys = match &settings.keys {
        Some(path) => path.clone(),
        None => {
            let places = Places::of(layers, environment)?;
            std::fs::create_dir_all(&places.data)
                .map_err(|error| SetupError::io(&places.data, "making it", error))?;
            places.data.join("simulated_exchange.json")
        }
    };
    let running = server::start(settings, &keys).await?;
    println!("listening on {}, health and metrics on {}", running.address, running.operator);
    if settings.accounts.is_none() {
        println!("keys of the account \"demo\": {}", keys.display());
    }
    let failed = |error| SetupError::Invalid(format!("no signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    if let Some(path) = &settings.ledger {
        let (_, ledger) = running.ask(Question::Ledger).await?;
        std::fs::write(path, ledger).map_err(|error| SetupError::io(path, "writing the ledger", error))?;
    }
    Ok(())
}
