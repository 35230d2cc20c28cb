//! The four ports together, for a process that hosts them all.

use std::thread::JoinHandle;

use engine::agent::StopSignal;
use engine::clock::tsc::LiveClock;
use engine::clock::{Clock, Stopwatch};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;

use crate::config::Settings;
use crate::http::OFFSET;
use crate::http::server::Servers;
use crate::zmq::market_data::MarketData;
use crate::zmq::order_execution::OrderExecution;
use crate::zmq::port::{Port, PortConfig, Shell, Told};
use crate::zmq::risk_management::RiskManagement;
use crate::zmq::router::Router;
use crate::zmq::strategy_engine::StrategyEngine;

/// The first of the four ports when none is chosen: market data, then orders, risk and strategies.
pub const FIRST_PORT: u16 = 5555;

/// The services, in the order of their ports.
pub const SERVICES: [&str; 4] = ["market_data", "order_execution", "risk_management", "strategy_engine"];

/// Ports on their threads.
pub struct Ports {
    stop: StopSignal,
    threads: Vec<JoinHandle<()>>,
    told: Vec<Told>,
    http: Result<Servers, SetupError>,
}

/// What ports are made from.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// How they listen, and where journals lie.
    pub settings: &'a Settings,
    /// Shared memory.
    pub ipc: &'a IpcPaths,
    /// The engine's timeline.
    pub clock: LiveClock,
    /// For how long answers take.
    pub stopwatch: Stopwatch,
}

impl Ports {
    /// Starts all four, on `first` and the three ports above it; on ports that the system chooses if it is 0.
    ///
    /// # Errors
    /// When there are not four ports there, or the machine refuses a thread.
    pub fn start(first: u16, ground: Ground<'_>) -> Result<Self, SetupError> {
        let port = |place: u16| match first {
            0 => Ok(0),
            first => first
                .checked_add(place)
                .ok_or_else(|| SetupError::Invalid(format!("port {first}: too high for four"))),
        };
        let services: Vec<_> = (0..).zip(SERVICES).map(|(place, name)| Ok((name, port(place)?))).collect();
        Self::serve(&services.into_iter().collect::<Result<Vec<_>, SetupError>>()?, ground)
    }

    /// Starts the named services, each on its port, and their HTTP servers.
    ///
    /// # Errors
    /// When a port is too high for the HTTP port above it, or the machine refuses a thread.
    pub fn serve(services: &[(&'static str, u16)], ground: Ground<'_>) -> Result<Self, SetupError> {
        let Ground { settings, ipc, mut clock, stopwatch } = ground;
        let context = zmq::Context::new();
        let not_yet = Err(SetupError::Invalid("http is not served yet".to_owned()));
        let stop = StopSignal::default();
        let mut ports = Self { stop, threads: Vec::new(), told: Vec::new(), http: not_yet };
        let (now, places) = (clock.now(), &settings.places);
        let mut http = Vec::new();
        for &(name, port) in services {
            let config = PortConfig::of(settings, port);
            match name {
                "market_data" => {
                    ports.add(name, Port::new(&context, config, MarketData::new(ipc), now), clock)?;
                }
                "order_execution" => {
                    let router = Router::new(OrderExecution::new(ipc, places));
                    ports.add(name, Port::new(&context, config, router, now), clock)?;
                }
                "risk_management" => {
                    let router = Router::new(RiskManagement::new(ipc, places));
                    ports.add(name, Port::new(&context, config, router, now), clock)?;
                }
                "strategy_engine" => {
                    let router = Router::new(StrategyEngine::new(ipc, places));
                    ports.add(name, Port::new(&context, config, router, now), clock)?;
                }
                name => return Err(SetupError::Invalid(format!("{name}: there is no such service"))),
            }
            let above = if port == 0 { Some(0) } else { port.checked_add(OFFSET) };
            let above = above.ok_or_else(|| {
                SetupError::Invalid(format!("port {port}: no room for HTTP {OFFSET} above it"))
            })?;
            http.extend(ports.told.last().cloned().map(|told| (told, above)));
        }
        ports.http = Servers::start(settings.bind, http, clock, stopwatch);
        Ok(ports)
    }

    fn add<S: Shell + 'static>(
        &mut self,
        name: &'static str,
        port: Port<S>,
        clock: LiveClock,
    ) -> Result<(), SetupError> {
        self.told.push(Told { service: name, readiness: port.readiness(), families: port.families() });
        self.threads.push(port.start(name, clock, self.stop.clone())?);
        Ok(())
    }

    /// What each service tells of itself.
    #[must_use]
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// The HTTP servers, in the order of [`SERVICES`].
    ///
    /// # Errors
    /// Why they do not listen.
    pub const fn http(&self) -> Result<&Servers, &SetupError> {
        self.http.as_ref()
    }

    /// Why a port cannot serve at all; a line each.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let fatal = |told: &Told| {
            told.readiness.borrow().fatal.as_ref().map(|reason| format!("{}: {reason}", told.service))
        };
        let http = self.http.as_ref().err().map(|error| format!("http: {error}"));
        self.told.iter().filter_map(fatal).chain(http).collect()
    }

    /// Closes the ports and ends the threads.
    pub fn stop(self) {
        self.stop.stop();
        if let Ok(http) = self.http {
            http.stop();
        }
        for thread in self.threads {
            // A thread that panicked has said so; there is nothing more to end.
            let _ = thread.join();
        }
    }
}
