//! The four services and the gateway in front of them, each on threads of its own on the first core.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use engine::clock::Stopwatch;
use engine::clock::tsc::LiveClock;
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use shells::config::{AllFlags, Environment, Secrets, Settings};
use shells::gateway::process;
use shells::ports::{Ground as PortGround, Ports};
use shells::session::Session;
use shells::transport::Url;
use tokio::sync::oneshot;

use crate::suites::gateway::{PATIENCE, broken};

/// Between two looks at what has come up.
const NAP: Duration = Duration::from_millis(5);

/// Where services find what an engine leaves, before the engine is there.
pub struct Ground {
    settings: Settings,
    session: Session,
    stopwatch: Stopwatch,
}

impl Ground {
    /// Directories under `scratch`, and a session's.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn new(scratch: &Path, stopwatch: Stopwatch) -> Result<Self, SetupError> {
        let at = |name: &str| scratch.join(name).to_string_lossy().into_owned();
        let variables =
            [("HOME", at("home")), ("TRADING_DATA_DIR", at("data")), ("TRADING_PORT", "0".to_owned())];
        let environment: Environment = variables.into_iter().collect();
        let settings = Settings::resolve(&AllFlags::default(), &environment, Secrets::Withhold)?;
        let (session, _) = Session::create(&settings.places, settings.sessions_kept, 0)?;
        Ok(Self { settings, session, stopwatch })
    }

    /// Where the engine's journals are looked for.
    #[must_use]
    pub fn journals(&self) -> PathBuf {
        self.session.directory().to_path_buf()
    }
}

/// Everything that looks at the engine.
pub struct Stack {
    ports: Ports,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    gateway: Url,
    scraped: Vec<Url>,
}

impl Stack {
    /// Starts the services before the engine under `ipc`, and the gateway before them, once they are ready.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn start(ground: Ground, ipc: &IpcPaths) -> Result<Self, SetupError> {
        let Ground { mut settings, stopwatch, .. } = ground;
        settings.places.ipc = ipc.root().to_path_buf();
        let clock = LiveClock::new(stopwatch);
        let ports = Ports::start(0, PortGround { settings: &settings, ipc, clock, stopwatch })?;
        let places = &mut settings.endpoints;
        let endpoints = [
            &mut places.market_data,
            &mut places.order_execution,
            &mut places.risk_management,
            &mut places.strategy_engine,
        ];
        for (told, endpoint) in ports.told().iter().zip(endpoints) {
            let bound = || told.readiness.borrow().endpoint.clone();
            *endpoint = wait_for(told.service, stopwatch, bound)?;
        }
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let failed = |error| SetupError::io("gateway", "starting its thread", error);
        let serve = move || serve(&settings, &tell, stopped);
        let thread = std::thread::Builder::new().name("gateway".to_owned()).spawn(serve).map_err(failed)?;
        let address = told.recv().map_err(|_| broken("the gateway did not begin"))??;
        let url =
            |address: SocketAddr| format!("http://{address}").parse::<Url>().map_err(SetupError::Invalid);
        let http = ports.http().map_err(broken)?;
        let scraped = http.addresses().iter().copied().chain([address]).map(url).collect::<Result<_, _>>()?;
        Ok(Self { ports, stop, thread, gateway: url(address)?, scraped })
    }

    /// Where the gateway is read.
    #[must_use]
    pub fn gateway_url(&self) -> Url {
        self.gateway.clone()
    }

    /// Everybody who tells metrics: the four services, and the gateway.
    #[must_use]
    pub fn scraped(&self) -> &[Url] {
        &self.scraped
    }

    /// Ends all of it.
    pub fn stop(self) {
        // A gateway that has ended is told nothing.
        let _ = self.stop.send(());
        // A thread that panicked has said so.
        let _ = self.thread.join();
        self.ports.stop();
    }
}

/// What `look` gives, once it does.
fn wait_for<T>(what: &str, stopwatch: Stopwatch, look: impl Fn() -> Option<T>) -> Result<T, SetupError> {
    let end = stopwatch.elapsed() + PATIENCE;
    loop {
        match look() {
            Some(found) => return Ok(found),
            None if stopwatch.elapsed() > end => return Err(broken(format!("{what} did not come up"))),
            None => std::thread::sleep(NAP),
        }
    }
}

/// The gateway's one thread of HTTP.
fn serve(
    settings: &Settings,
    tell: &mpsc::Sender<Result<SocketAddr, SetupError>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever waits is told, or is gone.
            let _ = tell.send(Err(SetupError::io("gateway", "starting the runtime", error)));
            return;
        }
    };
    runtime.block_on(async {
        match process::start(settings).await {
            Ok(running) => {
                let _ = tell.send(Ok(running.address));
                // An error means that whoever would stop it is gone.
                let _ = stopped.await;
                running.stop().await;
            }
            Err(error) => _ = tell.send(Err(error)),
        }
    });
}
