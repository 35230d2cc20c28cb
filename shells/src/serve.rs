//! One service in a process of its own: it looks at the memory of an engine, in any order of starts, and ends in order.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use engine::clock::Stopwatch;
use engine::clock::tsc::LiveClock;
use engine::error::SetupError;
use engine::shm::OwnerLock;
use engine::shm::paths::IpcPaths;

use crate::config::{AllFlags, Environment, Secrets, Settings};
use crate::log;
use crate::ports::{FIRST_PORT, Ground, Ports, SERVICES};
use crate::run::status::Interrupt;
use crate::zmq::port::Readiness;

/// How often the main thread looks up.
const WATCH: Duration = Duration::from_millis(50);

/// Runs the process of `service` until it is told to end: exit code 0 then, 1 when it cannot go on, 2 for bad usage.
#[must_use]
pub fn main(service: &'static str) -> ExitCode {
    let command = Command::new(service)
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "One service of the trading system; it waits for its engine and attaches again after a restart",
        )
        .max_term_width(110);
    let matches = AllFlags::augment_args(command).get_matches();
    let settings = AllFlags::from_arg_matches(&matches)
        .map_err(|error| SetupError::Invalid(error.to_string()))
        .and_then(|flags| Settings::resolve(&flags, &Environment::of_process(), Secrets::Withhold));
    match settings.and_then(|settings| run(service, &settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{service}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The port of `service` when none is chosen.
fn usual_port(service: &str) -> u16 {
    let place = SERVICES.iter().position(|name| *name == service).unwrap_or(0);
    FIRST_PORT + u16::try_from(place).unwrap_or(0)
}

/// Serves until a signal comes.
///
/// # Errors
/// When another instance of the service runs, a port is taken, or a thread ended by itself.
fn run(service: &'static str, settings: &Settings) -> Result<(), SetupError> {
    log::start(settings);
    let ipc = IpcPaths::new(&settings.places.ipc);
    ipc.create()?;
    let lock = ipc.root().join(format!("{service}.lock"));
    let busy = format!("{service} runs on this instance already; stop it, or choose another --instance");
    let _lock = OwnerLock::take_file(&lock, &busy)?;
    let interrupt = Interrupt::catch()?;
    let stopwatch = Stopwatch::calibrate();
    let clock = LiveClock::new(stopwatch);
    let port = settings.port.unwrap_or_else(|| usual_port(service));
    let ports = Ports::serve(&[(service, port)], Ground { settings, ipc: &ipc, clock, stopwatch })?;
    tracing::info!(service, port, ipc = %ipc.root().display(), "started");
    let mut last = None;
    while !interrupt.came() {
        if let Some(complaint) = ports.complaints().first() {
            let complaint = complaint.clone();
            ports.stop();
            return Err(SetupError::Invalid(complaint));
        }
        tell(service, &ports, &mut last);
        std::thread::sleep(WATCH);
    }
    tracing::info!(service, "ending");
    ports.stop();
    Ok(())
}

/// Logs what has become of the service, if it is another thing than `last` time: the kind of reason counts, not its
/// figures.
fn tell(service: &str, ports: &Ports, last: &mut Option<String>) {
    let Some(told) = ports.told().first() else { return };
    let readiness = told.readiness.borrow().clone();
    let kind = match &readiness.state {
        Ok(()) => "ready".to_owned(),
        Err(reason) => reason.split(':').next().unwrap_or_default().to_owned(),
    };
    if last.as_ref() == Some(&kind) || readiness.state == Readiness::starting(readiness.since).state {
        return;
    }
    *last = Some(kind);
    let http = ports.http().ok().and_then(|servers| servers.addresses().first().copied());
    let http = http.map_or_else(String::new, |address| address.to_string());
    match readiness.state {
        Ok(()) => {
            let endpoint = readiness.endpoint.unwrap_or_default();
            tracing::info!(service, endpoint, http, epoch = readiness.epoch, "ready");
        }
        Err(reason) => tracing::warn!(service, http, reason, "not ready"),
    }
}
