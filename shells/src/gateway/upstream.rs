//! The gateway's side of the services' ZeroMQ ports: one thread holds every socket.
//!
//! Each request port has two connections, one to look and one to act, so that whoever floods the first cannot starve
//! the second. Nothing is sent to a service that has not answered `status` within [`SILENT`], and nothing is queued for
//! one that is not connected: an order never waits for a service to come back.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use engine::agent::StopSignal;
use engine::error::SetupError;
use serde_json::{Map, Value};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::api::service::ServiceStatus;
use crate::api::{ApiError, Push, Reply, Request, code};
use crate::config::{Endpoints, ZmqOptions};
use crate::gateway::bucket::Bucket;

/// How long a service may be silent before nothing more is sent to it.
pub const SILENT: Duration = Duration::from_secs(2);

/// How often each service is asked for its status, and told that we subscribe.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Longest wait of the thread.
const WAIT_MS: i64 = 100;

/// Most messages taken from one socket in a turn.
const BATCH: usize = 512;

/// Requests a second to one port, below what its router grants a peer.
const PER_SECOND: u32 = 800;
const BURST: u32 = 1_500;

/// Most requests under way; each has a deadline.
const PENDING_MAX: usize = 4_096;

/// Largest message taken from a service.
const MESSAGE_BYTES_MAX: i64 = 4 << 20;

/// A service with a request port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// 5556.
    OrderExecution,
    /// 5557.
    RiskManagement,
    /// 5558.
    StrategyEngine,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OrderExecution, Self::RiskManagement, Self::StrategyEngine];

    /// Its name, as it calls itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderExecution => "order_execution",
            Self::RiskManagement => "risk_management",
            Self::StrategyEngine => "strategy_engine",
        }
    }

    fn endpoint(self, endpoints: &Endpoints) -> &str {
        match self {
            Self::OrderExecution => &endpoints.order_execution,
            Self::RiskManagement => &endpoints.risk_management,
            Self::StrategyEngine => &endpoints.strategy_engine,
        }
    }
}

/// Which of a port's two connections a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Reads, and pushes.
    Look,
    /// Whatever changes something, and the health checks.
    Act,
}

/// What the thread hands on.
pub trait Sink: Send + Sync + 'static {
    /// A message of port 5555.
    fn market(&self, topic: &str, payload: &[u8]);
    /// A push of a request port.
    fn push(&self, push: Push);
}

/// The last status of a service.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When it came.
    pub at: Instant,
    /// What it said.
    pub status: ServiceStatus,
}

struct Call {
    service: Service,
    lane: Lane,
    op: &'static str,
    fields: Map<String, Value>,
    deadline: Instant,
    answer: oneshot::Sender<Result<Value, ApiError>>,
}

/// The way to the services.
#[derive(Clone)]
pub struct Upstream {
    calls: mpsc::SyncSender<Call>,
    wake: Arc<UnixStream>,
    heard: [watch::Receiver<Option<Heard>>; 3],
}

impl Upstream {
    /// Starts the thread.
    ///
    /// # Errors
    /// When a socket or the thread cannot be had.
    pub fn start(
        endpoints: &Endpoints,
        options: ZmqOptions,
        sink: Arc<dyn Sink>,
        stop: StopSignal,
    ) -> Result<(Self, JoinHandle<()>), SetupError> {
        let failed = |error: std::io::Error| SetupError::io("upstream", "starting it", error);
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        wake.set_nonblocking(true).and_then(|()| woken.set_nonblocking(true)).map_err(failed)?;
        let (calls, inbox) = mpsc::sync_channel(PENDING_MAX);
        let channels = [0; 3].map(|_| watch::channel(None));
        let [(a, a_heard), (b, b_heard), (c, c_heard)] = channels;
        let upstream = Self { calls, wake: Arc::new(wake), heard: [a_heard, b_heard, c_heard] };
        let sockets = Sockets::open(endpoints, options).map_err(|error| {
            SetupError::Invalid(format!("the services' endpoints cannot be used: {error}"))
        })?;
        let worker = Worker {
            sockets,
            woken,
            inbox,
            heard: [a, b, c],
            sink,
            pending: BTreeMap::new(),
            next_id: 1,
            ask_due: Instant::now(),
        };
        let thread = std::thread::Builder::new().name("upstream".to_owned()).spawn(move || worker.run(&stop));
        thread.map(|thread| (upstream, thread)).map_err(failed)
    }

    /// The last status of `service`, if it came within [`SILENT`].
    ///
    /// # Errors
    /// `NOT_READY`.
    pub fn alive(&self, service: Service) -> Result<Heard, ApiError> {
        let name = service.name();
        let heard = self.heard[service as usize].borrow().clone();
        let heard =
            heard.ok_or_else(|| ApiError::new(code::NOT_READY, format!("{name} has not answered yet")))?;
        let age = heard.at.elapsed();
        if age > SILENT {
            let reason = format!("{name} has not answered for {} ms", age.as_millis());
            return Err(ApiError::new(code::NOT_READY, reason));
        }
        Ok(heard)
    }

    /// The last status of `service`, however old.
    #[must_use]
    pub fn last_status(&self, service: Service) -> Option<Heard> {
        self.heard[service as usize].borrow().clone()
    }

    /// Sends a request and waits for its answer, at most `patience`. Nothing is ever sent twice.
    ///
    /// # Errors
    /// What the service says; `NOT_READY` when nothing was sent, `TIMEOUT` when no answer came.
    pub async fn call(
        &self,
        (service, lane): (Service, Lane),
        op: &'static str,
        fields: Map<String, Value>,
        patience: Duration,
    ) -> Result<Value, ApiError> {
        self.alive(service)?;
        let (answer, answered) = oneshot::channel();
        let call = Call { service, lane, op, fields, deadline: Instant::now() + patience, answer };
        self.calls
            .try_send(call)
            .map_err(|_| ApiError::new(code::RATE_LIMIT, "too many requests are under way"))?;
        // A full pipe means that the thread has been woken already.
        let _ = (&*self.wake).write(&[1]);
        answered.await.unwrap_or_else(|_| Err(ApiError::new(code::INTERNAL, "the gateway is stopping")))
    }
}

/// A connection of one lane.
struct Dealer {
    service: Service,
    lane: Lane,
    socket: zmq::Socket,
    bucket: Bucket,
}

struct Sockets {
    market: zmq::Socket,
    dealers: Vec<Dealer>,
}

impl Sockets {
    fn open(endpoints: &Endpoints, options: ZmqOptions) -> Result<Self, zmq::Error> {
        let context = zmq::Context::new();
        let socket = |kind, endpoint: &str| {
            let socket = context.socket(kind)?;
            socket.set_linger(0)?;
            socket.set_sndhwm(options.sndhwm)?;
            socket.set_rcvhwm(options.rcvhwm)?;
            socket.set_maxmsgsize(MESSAGE_BYTES_MAX)?;
            socket.set_heartbeat_ivl(1_000)?;
            socket.set_heartbeat_timeout(3_000)?;
            socket.set_reconnect_ivl(100)?;
            socket.set_reconnect_ivl_max(1_000)?;
            // Nothing waits for a connection that is not there.
            socket.set_immediate(true)?;
            socket.connect(endpoint)?;
            Ok::<_, zmq::Error>(socket)
        };
        let market = socket(zmq::SUB, &endpoints.market_data)?;
        market.set_subscribe(b"")?;
        let mut dealers = Vec::new();
        for service in Service::ALL {
            for lane in [Lane::Look, Lane::Act] {
                let socket = socket(zmq::DEALER, service.endpoint(endpoints))?;
                dealers.push(Dealer { service, lane, socket, bucket: Bucket::new(PER_SECOND, BURST) });
            }
        }
        Ok(Self { market, dealers })
    }
}

enum Waiting {
    Client(oneshot::Sender<Result<Value, ApiError>>),
    Status(Service),
    Subscribed,
}

struct Worker {
    sockets: Sockets,
    woken: UnixStream,
    inbox: mpsc::Receiver<Call>,
    heard: [watch::Sender<Option<Heard>>; 3],
    sink: Arc<dyn Sink>,
    pending: BTreeMap<u64, (Instant, Waiting)>,
    next_id: u64,
    ask_due: Instant,
}

impl Worker {
    fn run(mut self, stop: &StopSignal) {
        while !stop.is_set() {
            self.wait();
            let now = Instant::now();
            self.send_calls(now);
            self.take_replies(now);
            self.take_market();
            self.expire(now);
            if now >= self.ask_due {
                self.ask_due = now + ASK_EVERY;
                self.ask(now);
            }
        }
    }

    fn wait(&mut self) {
        let mut items = vec![zmq::PollItem::from_fd(self.woken.as_raw_fd(), zmq::POLLIN)];
        items.push(self.sockets.market.as_poll_item(zmq::POLLIN));
        items.extend(self.sockets.dealers.iter().map(|dealer| dealer.socket.as_poll_item(zmq::POLLIN)));
        // An interrupted wait ends early, which is all there is to it.
        let _ = zmq::poll(&mut items, WAIT_MS);
        let mut sink = [0; 256];
        while matches!(self.woken.read(&mut sink), Ok(count) if count == sink.len()) {}
    }

    fn send_calls(&mut self, now: Instant) {
        for _ in 0..PENDING_MAX {
            let Ok(call) = self.inbox.try_recv() else { return };
            let Call { service, lane, op, fields, deadline, answer } = call;
            if self.pending.len() >= PENDING_MAX {
                let busy = ApiError::new(code::RATE_LIMIT, "too many requests are under way");
                // Who no longer waits needs no answer.
                let _ = answer.send(Err(busy));
                continue;
            }
            self.send(
                (service, lane),
                op,
                fields,
                (deadline.min(now + Duration::from_secs(60)), now),
                Waiting::Client(answer),
            );
        }
    }

    fn send(
        &mut self,
        (service, lane): (Service, Lane),
        op: &'static str,
        fields: Map<String, Value>,
        (deadline, now): (Instant, Instant),
        waiting: Waiting,
    ) {
        let id = self.next_id;
        self.next_id += 1;
        let outcome = self.try_send((service, lane), id, op, fields, now);
        match (outcome, waiting) {
            (Ok(()), waiting) => {
                self.pending.insert(id, (deadline, waiting));
            }
            (Err(error), Waiting::Client(answer)) => {
                // Who no longer waits needs no answer.
                let _ = answer.send(Err(error));
            }
            (Err(_), Waiting::Status(_) | Waiting::Subscribed) => {}
        }
    }

    fn try_send(
        &mut self,
        (service, lane): (Service, Lane),
        id: u64,
        op: &'static str,
        fields: Map<String, Value>,
        now: Instant,
    ) -> Result<(), ApiError> {
        let request = Request { id: id.to_string(), op: op.to_owned(), fields };
        let text =
            serde_json::to_vec(&request).map_err(|error| ApiError::new(code::INTERNAL, error.to_string()))?;
        let name = service.name();
        let dealer = self.sockets.dealers.iter_mut().find(|d| d.service == service && d.lane == lane);
        let Some(dealer) = dealer else {
            return Err(ApiError::new(code::INTERNAL, format!("{name} has no connection")));
        };
        if !dealer.bucket.take(now) {
            let reason = format!("{name} is asked more than {PER_SECOND} times a second");
            return Err(ApiError::new(code::RATE_LIMIT, reason));
        }
        dealer
            .socket
            .send(text, zmq::DONTWAIT)
            .map_err(|error| ApiError::new(code::NOT_READY, format!("{name} cannot be reached: {error}")))
    }

    fn take_replies(&mut self, now: Instant) {
        for place in 0..self.sockets.dealers.len() {
            for _ in 0..BATCH {
                let Some(text) = receive(&self.sockets.dealers[place].socket) else { break };
                let Some(text) = text.last() else { continue };
                if let Ok(reply) = serde_json::from_slice::<Reply>(text) {
                    self.take_reply(reply, now);
                } else if let Ok(push) = serde_json::from_slice::<Push>(text) {
                    self.sink.push(push);
                } else {
                    tracing::warn!(
                        service = self.sockets.dealers[place].service.name(),
                        "a message that is neither reply nor push"
                    );
                }
            }
        }
    }

    fn take_reply(&mut self, reply: Reply, now: Instant) {
        let waiting = reply.id.parse().ok().and_then(|id: u64| self.pending.remove(&id));
        match waiting {
            Some((_, Waiting::Client(answer))) => {
                // Who no longer waits needs no answer.
                let _ = answer.send(reply.outcome());
            }
            Some((_, Waiting::Status(service))) => {
                if let Ok(status) = reply.outcome() {
                    self.heard[service as usize].send_replace(Some(Heard { at: now, status }));
                }
            }
            Some((_, Waiting::Subscribed)) | None => {}
        }
    }

    fn take_market(&mut self) {
        for _ in 0..BATCH {
            let Some(frames) = receive(&self.sockets.market) else { return };
            if let [topic, payload] = frames.as_slice()
                && let Ok(topic) = std::str::from_utf8(topic)
            {
                self.sink.market(topic, payload);
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        let late: Vec<u64> =
            self.pending.iter().filter(|(_, (deadline, _))| *deadline <= now).map(|(id, _)| *id).collect();
        for id in late {
            if let Some((_, Waiting::Client(answer))) = self.pending.remove(&id) {
                let reason = "no answer came in time: what became of the request is not known";
                // Who no longer waits needs no answer.
                let _ = answer.send(Err(ApiError::new(code::TIMEOUT, reason)));
            }
        }
    }

    /// A restarted router has forgotten us: being subscribed is said again and again.
    fn ask(&mut self, now: Instant) {
        let deadlines = (now + SILENT, now);
        for service in Service::ALL {
            self.send((service, Lane::Act), "status", Map::new(), deadlines, Waiting::Status(service));
            self.send((service, Lane::Look), "subscribe", Map::new(), deadlines, Waiting::Subscribed);
        }
    }
}

/// The frames of the next message; `None` when there is none.
fn receive(socket: &zmq::Socket) -> Option<Vec<Vec<u8>>> {
    let mut frames = vec![socket.recv_bytes(zmq::DONTWAIT).ok()?];
    while socket.get_rcvmore().unwrap_or(false) {
        let frame = socket.recv_bytes(zmq::DONTWAIT).ok()?;
        if frames.len() < 3 {
            frames.push(frame);
        }
    }
    Some(frames)
}
