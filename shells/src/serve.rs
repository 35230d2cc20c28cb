//! One service in a process of its own: it hosts its agent, or looks at the memory of an engine that does
//! (`TRADING_HOST_AGENT=false`); in any order of starts, and it ends in order.

use std::process::ExitCode;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Args, Command, FromArgMatches};
use engine::clock::Stopwatch;
use engine::clock::tsc::LiveClock;
use engine::error::SetupError;
use engine::shm::OwnerLock;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::Timeline;

use crate::api::orders::OrderFilter;
use crate::cli::acting::ask;
use crate::cli::args::{EngineArgs, Role};
use crate::config::values::OnShutdown;
use crate::config::{Environment, Secrets, Settings};
use crate::host::{self, Host};
use crate::interrupt::Interrupt;
use crate::log;
use crate::ports::{FIRST_PORT, Ground, Ports, SERVICES};
use crate::venue::access;
use crate::zmq::port::Readiness;

/// How long a last request to cancel everything may take, in milliseconds, how many there are, and what is between them.
const SWEEP_MS: i32 = 1_500;
const SWEEPS: u32 = 4;
const SWEEP_EVERY: Duration = Duration::from_millis(200);

/// How often the main thread looks up.
const WATCH: Duration = Duration::from_millis(50);

/// Arguments of `trading engine` that a service does not take.
const OF_THE_ENGINE: [&str; 2] = ["roles", "duration"];

/// Runs the process of `service` until it is told to end: exit code 0 then, 1 when it cannot go on, 2 for bad usage.
#[must_use]
pub fn main(service: &'static str) -> ExitCode {
    let command = Command::new(service).version(env!("CARGO_PKG_VERSION")).max_term_width(110);
    // What it hosts, and for how long, is not asked.
    let command = EngineArgs::augment_args(command)
        .about(
            "One service of the trading system; it waits for its engine and attaches again after a restart",
        )
        .mut_args(|arg| if OF_THE_ENGINE.contains(&arg.get_id().as_str()) { arg.hide(true) } else { arg });
    let matches = command.get_matches();
    if let Some(other) =
        OF_THE_ENGINE.iter().find(|id| matches.value_source(id) == Some(ValueSource::CommandLine))
    {
        eprintln!("{service}: --{} is of `trading engine`", if *other == "roles" { "role" } else { "for" });
        return ExitCode::from(2);
    }
    let outcome = EngineArgs::from_arg_matches(&matches)
        .map_err(|error| SetupError::Invalid(error.to_string()))
        .and_then(|mut args| {
            args.roles = vec![role(service)];
            let reads = |settings: &Settings| match settings.host_agent {
                true => host::reads(&args, settings),
                false => Secrets::Withhold,
            };
            let settings = access::settings(&args.settings, &Environment::of_process(), reads)?;
            run(service, &args, &settings)
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{service}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The agent that `service` hosts.
fn role(service: &str) -> Role {
    match service {
        "market_data" => Role::Ingest,
        "order_execution" => Role::Route,
        "risk_management" => Role::Risk,
        _ => Role::Strategy,
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
/// When another instance of the service runs, a port is taken, its agent cannot be hosted, or a thread ended by itself.
fn run(service: &'static str, args: &EngineArgs, settings: &Settings) -> Result<(), SetupError> {
    log::start(settings);
    let ipc = IpcPaths::new(&settings.places.ipc);
    ipc.create()?;
    let lock = ipc.root().join(format!("{service}.lock"));
    let busy = format!("{service} runs on this instance already; stop it, or choose another --instance");
    let _lock = OwnerLock::take_file(&lock, &busy)?;
    let interrupt = Interrupt::catch()?;
    // The engine's own timeline where there is one, so that times mean the same on both sides.
    let Timeline { stopwatch, clock } = Timeline::find(&ipc).unwrap_or_else(|_| {
        let stopwatch = Stopwatch::calibrate();
        Timeline { stopwatch, clock: LiveClock::new(stopwatch) }
    });
    let port = settings.port.unwrap_or_else(|| usual_port(service));
    let ports = Ports::serve(&[(service, port)], Ground { settings, ipc: &ipc, clock, stopwatch })?;
    tracing::info!(service, port, ipc = %ipc.root().display(), "started");
    // The port says "not ready" meanwhile, and is bound once the agent beats.
    let host = settings.host_agent.then(|| Host::start(args, settings, &interrupt)).transpose();
    interrupt.begun();
    let outcome = host.and_then(|mut host| {
        let outcome = watch(service, &ports, host.as_mut(), &interrupt);
        match &outcome {
            Ok(()) => tracing::info!(service, "ending"),
            Err(reason) => tracing::error!(service, %reason, "ending"),
        }
        // Route takes nothing new any more while it rests: what its clients left is for risk to cancel meanwhile.
        let sweeper = sweeper(service, settings, &ports);
        // Why it ends comes before what its end met.
        let outcome = outcome.and(host.map_or(Ok(()), Host::stop));
        if let Some(Err(_)) = sweeper.map(std::thread::JoinHandle::join) {
            tracing::warn!(service, "the thread that cancelled what rests panicked");
        }
        outcome
    });
    ports.stop();
    outcome
}

/// Asks order execution itself to cancel everything through risk, where that is to be done at the end, on a thread of
/// its own that ends within the patience of one request.
fn sweeper(service: &'static str, settings: &Settings, ports: &Ports) -> Option<std::thread::JoinHandle<()>> {
    let told = ports.told().first().filter(|told| told.service == "order_execution")?;
    let closes = settings.host_agent && settings.on_shutdown == OnShutdown::Cancel;
    let endpoint = told.readiness.borrow().endpoint.clone().filter(|_| closes)?;
    // What listens everywhere is reached here.
    let endpoint = endpoint.replace("//0.0.0.0:", "//127.0.0.1:");
    let sweep = move || {
        for _ in 0..SWEEPS {
            // Again: what was approved before route's page was read is known a little later.
            let all = OrderFilter::default();
            if let Err(error) = ask::within(SWEEP_MS, &endpoint, "order.cancel_all", &all) {
                tracing::warn!(service, reason = %error, "what rests was not cancelled");
                return;
            }
            std::thread::sleep(SWEEP_EVERY);
        }
    };
    std::thread::Builder::new().name("sweeper".to_owned()).spawn(sweep).ok()
}

/// Looks after the ports and the agent until a signal comes.
fn watch(
    service: &str,
    ports: &Ports,
    mut host: Option<&mut Host>,
    interrupt: &Interrupt,
) -> Result<(), SetupError> {
    let mut last = None;
    while !interrupt.came() {
        if let Some(complaint) = ports.complaints().first() {
            return Err(SetupError::Invalid(complaint.clone()));
        }
        host.as_deref_mut().map_or(Ok(()), Host::check)?;
        tell(service, ports, &mut last);
        std::thread::sleep(WATCH);
    }
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
