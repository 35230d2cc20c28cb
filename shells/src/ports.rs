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

/// The four ports on their threads.
pub struct Ports {
    stop: StopSignal,
    threads: Vec<JoinHandle<()>>,
    told: Vec<Told>,
    http: Result<Servers, SetupError>,
}

impl Ports {
    /// Starts them on `first` and the three ports above it; on ports that the system chooses if it is 0.
    ///
    /// # Errors
    /// When there are not four ports there, or the machine refuses a thread.
    pub fn start(
        first: u16,
        settings: &Settings,
        ipc: &IpcPaths,
        mut clock: LiveClock,
        stopwatch: Stopwatch,
    ) -> Result<Self, SetupError> {
        let context = zmq::Context::new();
        let not_yet = Err(SetupError::Invalid("http is not served yet".to_owned()));
        let stop = StopSignal::default();
        let mut ports = Self { stop, threads: Vec::new(), told: Vec::new(), http: not_yet };
        let now = clock.now();
        let places = &settings.places;
        let config = |place: u16| {
            let port = if first == 0 { Some(0) } else { first.checked_add(place) };
            let port = port.ok_or_else(|| SetupError::Invalid(format!("port {first}: too high")))?;
            Ok::<_, SetupError>(PortConfig::of(settings, port))
        };
        let market_data = MarketData::new(ipc);
        ports.add(SERVICES[0], Port::new(&context, config(0)?, market_data, now), clock)?;
        let orders = Router::new(OrderExecution::new(ipc, places));
        ports.add(SERVICES[1], Port::new(&context, config(1)?, orders, now), clock)?;
        let risk = Router::new(RiskManagement::new(ipc, places));
        ports.add(SERVICES[2], Port::new(&context, config(2)?, risk, now), clock)?;
        let strategies = Router::new(StrategyEngine::new(ipc, places));
        ports.add(SERVICES[3], Port::new(&context, config(3)?, strategies, now), clock)?;
        let http_port = |place: usize| match first {
            0 => Some(0),
            first => first.checked_add(OFFSET)?.checked_add(u16::try_from(place).ok()?),
        };
        let told = ports.told.iter().cloned().enumerate();
        let told: Option<Vec<_>> = told.map(|(place, told)| Some((told, http_port(place)?))).collect();
        let told = told.ok_or_else(|| SetupError::Invalid(format!("port {first}: too high for HTTP")))?;
        ports.http = Servers::start(settings.bind, told, clock, stopwatch);
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
