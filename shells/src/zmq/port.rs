//! A port and its thread: bound only while the agent behind it beats.

use engine::agent::StopSignal;
use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::shm::identity::BUILD_HASH;
use prometheus::proto::MetricFamily;
use tokio::sync::watch;

use crate::config::{Settings, ZmqOptions};
use crate::service::families::{Families, names};

/// How long a port's thread waits for a message when it has nothing to do: a request ends the wait, what is to be pushed
/// does not.
const IDLE_MS: i64 = 2;
/// The same after so many waits in vain.
const QUIET_MS: i64 = 5;
/// See `QUIET_MS`.
const QUIET_AFTER: u32 = 100;

/// How often a port that could not be bound is tried again.
const BIND_EVERY: Nanos = Nanos::from_millis(100);

/// How often metrics are made.
const FAMILIES_EVERY: Nanos = Nanos::from_secs(1);

/// How long a port that was ours may stay taken before it is given up.
const BIND_PATIENCE: Nanos = Nanos::from_secs(5);

/// Largest message that libzmq lets in: a larger one costs its sender the connection. Requests have a lower limit
/// (`api::envelope::REQUEST_BYTES_MAX`), beyond which they get an error.
const MESSAGE_BYTES_MAX: i64 = 1 << 20;

/// Where and how a port listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// Address to listen on (`TRADING_BIND`).
    pub bind: String,
    /// The port; 0 lets the system choose one.
    pub port: u16,
    /// Messages kept for a peer that does not read (`TRADING_ZMQ_SNDHWM`).
    pub send_high_water: i32,
    /// Messages kept of a peer that we do not read (`TRADING_ZMQ_RCVHWM`).
    pub receive_high_water: i32,
    /// Milliseconds for which unsent messages outlive the socket (`TRADING_ZMQ_LINGER`).
    pub linger: i32,
}

impl PortConfig {
    /// Port `port`, the rest as it is set.
    #[must_use]
    pub fn of(settings: &Settings, port: u16) -> Self {
        let ZmqOptions { sndhwm, rcvhwm, linger } = settings.zmq;
        Self {
            bind: settings.bind.to_string(),
            port,
            send_high_water: sndhwm,
            receive_high_water: rcvhwm,
            linger,
        }
    }

    /// The address as libzmq wants it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        if self.port == 0 {
            return format!("tcp://{}:*", self.bind);
        }
        format!("tcp://{}:{}", self.bind, self.port)
    }
}

/// Whether a service can be used, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// `Ok` while its agent is attached and beats, its port is bound, and nothing is to be complained of.
    pub state: Result<(), String>,
    /// Since when.
    pub since: Nanos,
    /// When this was last found so: its age is that of the port's thread.
    pub checked: Nanos,
    /// Set when it cannot recover by itself: the process has to end, for this reason.
    pub fatal: Option<String>,
    /// Epoch of the engine that it looks at; 0 while none.
    pub epoch: u32,
    /// Where it listens, while it does.
    pub endpoint: Option<String>,
}

impl Readiness {
    /// Not ready yet, since `now`.
    #[must_use]
    pub fn starting(now: Nanos) -> Self {
        Self {
            state: Err("starting".to_owned()),
            since: now,
            checked: now,
            fatal: None,
            epoch: 0,
            endpoint: None,
        }
    }
}

/// What a service tells of itself.
#[derive(Clone)]
pub struct Told {
    /// Its name.
    pub service: &'static str,
    /// Whether it can be used.
    pub readiness: watch::Receiver<Readiness>,
    /// Its metrics, at most a second old.
    pub families: watch::Receiver<Vec<MetricFamily>>,
}

/// What stands behind a port.
pub trait Shell: Send {
    /// Kind of the socket.
    fn socket_type(&self) -> zmq::SocketType;

    /// Sets options of a new socket before it is bound.
    ///
    /// # Errors
    /// What libzmq says.
    fn prepare(&mut self, socket: &mut zmq::Socket) -> Result<(), zmq::Error>;

    /// Attaches to what is there. Called often; off the hot path.
    ///
    /// # Errors
    /// Why the service cannot be used now.
    fn refresh(&mut self, now: Nanos) -> Result<(), String>;

    /// Why nobody should rely on the service although it serves: then it is not ready and keeps its port.
    fn complaint(&self) -> Option<String> {
        None
    }

    /// Takes what is new, serves peers if there is a socket; returns how much was done.
    fn work(&mut self, now: Nanos, socket: Option<&mut zmq::Socket>) -> usize;

    /// Epoch of the engine that it looks at; 0 while none.
    fn epoch(&self) -> u32;

    /// Its metrics. Called once a second.
    fn families(&mut self, now: Nanos, families: &mut Families);
}

/// A port on its thread.
pub struct Port<S> {
    context: zmq::Context,
    config: PortConfig,
    shell: S,
    socket: Option<zmq::Socket>,
    bound_before: bool,
    bind_due: Nanos,
    refused_since: Option<Nanos>,
    readiness: watch::Sender<Readiness>,
    families: watch::Sender<Vec<MetricFamily>>,
    families_due: Nanos,
}

impl<S: Shell + 'static> Port<S> {
    /// A port of `shell`, not bound yet.
    pub fn new(context: &zmq::Context, config: PortConfig, shell: S, now: Nanos) -> Self {
        Self {
            context: context.clone(),
            config,
            shell,
            socket: None,
            bound_before: false,
            bind_due: Nanos(i64::MIN),
            refused_since: None,
            readiness: watch::Sender::new(Readiness::starting(now)),
            families: watch::Sender::default(),
            families_due: now,
        }
    }

    /// Tells of its readiness.
    #[must_use]
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    /// Tells its metrics.
    #[must_use]
    pub fn families(&self) -> watch::Receiver<Vec<MetricFamily>> {
        self.families.subscribe()
    }

    /// Serves on a thread called `name` until `stop`.
    ///
    /// # Errors
    /// When the machine refuses the thread.
    pub fn start(
        mut self,
        name: &'static str,
        mut clock: LiveClock,
        stop: StopSignal,
    ) -> Result<std::thread::JoinHandle<()>, SetupError> {
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let mut vain = 0_u32;
                while !stop.is_set() {
                    if self.turn(clock.now()) == 0 {
                        self.wait(if vain < QUIET_AFTER { IDLE_MS } else { QUIET_MS });
                        vain = vain.saturating_add(1);
                    } else {
                        vain = 0;
                    }
                }
            })
            .map_err(|error| SetupError::io(name, "starting the thread", error))
    }

    /// One turn; returns how much was done.
    fn turn(&mut self, now: Nanos) -> usize {
        let state = match self.shell.refresh(now) {
            Ok(()) => self.bind(now).and_then(|()| self.shell.complaint().map_or(Ok(()), Err)),
            Err(reason) => {
                // Closing it is what tells peers and start-up checks.
                self.socket = None;
                Err(reason)
            }
        };
        let fatal = self.fatal(now, &state);
        let epoch = self.shell.epoch();
        let endpoint = self.socket.as_ref().and_then(|socket| socket.get_last_endpoint().ok()?.ok());
        self.readiness.send_if_modified(|present| {
            let changed = present.state != state || present.fatal != fatal || present.epoch != epoch;
            let changed = changed || present.endpoint != endpoint;
            if present.state.is_ok() != state.is_ok() {
                present.since = now;
            }
            present.checked = now;
            if changed {
                (present.state, present.fatal, present.epoch) = (state, fatal, epoch);
                present.endpoint = endpoint;
            }
            changed
        });
        if now >= self.families_due {
            self.families_due = now.saturating_add(FAMILIES_EVERY);
            let mut families = Families::default();
            self.shell.families(now, &mut families);
            let build = format!("{BUILD_HASH:016x}");
            let labels = [("version", env!("CARGO_PKG_VERSION")), ("build", build.as_str())];
            families.gauge(names::BUILD, &labels, 1.0);
            self.families.send_replace(families.finish());
        }
        self.shell.work(now, self.socket.as_mut())
    }

    fn bind(&mut self, now: Nanos) -> Result<(), String> {
        if self.socket.is_some() {
            return Ok(());
        }
        let endpoint = self.config.endpoint();
        if now < self.bind_due {
            return Err(format!("{endpoint} is being bound"));
        }
        self.bind_due = now.saturating_add(BIND_EVERY);
        match self.open(&endpoint) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.bound_before = true;
                self.refused_since = None;
                Ok(())
            }
            Err(error) => {
                self.refused_since.get_or_insert(now);
                Err(format!("{endpoint} cannot be bound: {error}"))
            }
        }
    }

    fn open(&mut self, endpoint: &str) -> Result<zmq::Socket, zmq::Error> {
        let mut socket = self.context.socket(self.shell.socket_type())?;
        let config = &self.config;
        socket.set_linger(config.linger)?;
        socket.set_sndhwm(config.send_high_water)?;
        socket.set_rcvhwm(config.receive_high_water)?;
        socket.set_maxmsgsize(MESSAGE_BYTES_MAX)?;
        // A peer that has gone without a word is found within 3 s, one that never says hello within 5.
        socket.set_heartbeat_ivl(1_000)?;
        socket.set_heartbeat_timeout(3_000)?;
        socket.set_handshake_ivl(5_000)?;
        self.shell.prepare(&mut socket)?;
        socket.bind(endpoint)?;
        Ok(socket)
    }

    /// A port that another process holds is a second instance; one that was ours and does not come back is a defect.
    fn fatal(&self, now: Nanos, state: &Result<(), String>) -> Option<String> {
        let since = self.refused_since?;
        let patience = if self.bound_before { BIND_PATIENCE } else { Nanos::ZERO };
        (now - since >= patience).then(|| state.as_ref().err().cloned())?
    }

    fn wait(&self, milliseconds: i64) {
        match &self.socket {
            Some(socket) => {
                // An interrupted wait ends early, which is all there is to it.
                let _ = socket.poll(zmq::POLLIN, milliseconds);
            }
            None => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
}
