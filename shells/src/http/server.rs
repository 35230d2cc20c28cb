//! The servers: one thread and one tokio runtime for all that a process hosts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::clock::tsc::LiveClock;
use engine::clock::{Clock, Stopwatch};
use engine::error::SetupError;
use prometheus::{Registry, TextEncoder};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http::connections;
use crate::http::counted::Requests;
use crate::zmq::port::{Readiness, Told};

/// Routes, as metrics name them.
const ROUTES: [&str; 3] = ["/health", "/ready", "/metrics"];

/// Connections to one service at once: a scraper, a health check, some people.
const CONNECTIONS_MAX: usize = 64;

/// A readiness this old means that the port's own thread hangs.
const STALE: engine::domain::Nanos = engine::domain::Nanos::from_secs(2);

/// A service's server.
#[derive(Clone)]
struct Served {
    told: Told,
    registry: Registry,
    requests: Requests,
    clock: LiveClock,
    stopwatch: Stopwatch,
}

/// The servers on their thread.
pub struct Servers {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
    addresses: Vec<SocketAddr>,
}

impl Servers {
    /// Binds and serves each of `told` on its port of `bind`; 0 lets the system choose.
    ///
    /// # Errors
    /// When a port is taken, or the machine refuses a thread.
    pub fn start(
        bind: IpAddr,
        told: Vec<(Told, u16)>,
        clock: LiveClock,
        stopwatch: Stopwatch,
    ) -> Result<Self, SetupError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| SetupError::io("http", "starting the runtime", error))?;
        let (stop, stopped) = watch::channel(false);
        let mut serving = Vec::new();
        let mut addresses = Vec::new();
        for (told, port) in told {
            let address = SocketAddr::new(bind, port);
            let failed = |error| SetupError::io(address.to_string(), "listening there", error);
            let listener = runtime.block_on(TcpListener::bind(address)).map_err(failed)?;
            addresses.push(listener.local_addr().map_err(failed)?);
            let served = Served::new(told, clock, stopwatch)?;
            serving.push((listener, router(served)));
        }
        let thread = std::thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || runtime.block_on(serve(serving, stopped)))
            .map_err(|error| SetupError::io("http", "starting the thread", error))?;
        Ok(Self { stop, thread, addresses })
    }

    /// Where the servers listen, in the order of their services.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Closes the ports and ends the thread.
    pub fn stop(self) {
        self.stop.send_replace(true);
        // A thread that panicked has said so; there is nothing more to end.
        let _ = self.thread.join();
    }
}

/// Serves until told to stop.
async fn serve(serving: Vec<(TcpListener, Router)>, stopped: watch::Receiver<bool>) {
    let mut servers = JoinSet::new();
    for (listener, router) in serving {
        servers.spawn(connections::serve(listener, router, stopped.clone(), CONNECTIONS_MAX));
    }
    while servers.join_next().await.is_some() {}
}

impl Served {
    fn new(told: Told, clock: LiveClock, stopwatch: Stopwatch) -> Result<Self, SetupError> {
        let registry = Registry::new();
        let register = || {
            registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
            Requests::new(told.service, &ROUTES, &registry)
        };
        let requests = register().map_err(|error: prometheus::Error| {
            SetupError::Invalid(format!("metrics of {}: {error}", told.service))
        })?;
        Ok(Self { told, registry, requests, clock, stopwatch })
    }

    /// The service's state, or why it cannot be used.
    fn ready(&self) -> Result<Readiness, String> {
        let readiness = self.told.readiness.borrow().clone();
        let mut clock = self.clock;
        let age = clock.now() - readiness.checked;
        if age > STALE {
            return Err(format!("the port's thread has not moved for {} ms", age.0 / 1_000_000));
        }
        match &readiness.state {
            Ok(()) => Ok(readiness),
            Err(reason) => Err(reason.clone()),
        }
    }
}

fn router(served: Served) -> Router {
    let state = Arc::new(served);
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), counted))
        .with_state(state)
}

async fn counted(State(served): State<Arc<Served>>, request: Request, next: Next) -> Response {
    let started = served.stopwatch.elapsed();
    let method = request.method().as_str().to_owned();
    let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let seconds = (served.stopwatch.elapsed() - started).0 as f64 / 1e9;
    served.requests.count(&method, &path, response.status().as_u16(), seconds);
    response
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Alive: this thread answers.
async fn health(State(served): State<Arc<Served>>) -> Response {
    json_response(StatusCode::OK, &json!({"service": served.told.service, "status": "alive"}))
}

async fn ready(State(served): State<Arc<Served>>) -> Response {
    let service = served.told.service;
    match served.ready() {
        Ok(readiness) => {
            let body = json!({"service": service, "ready": true, "epoch": readiness.epoch});
            json_response(StatusCode::OK, &body)
        }
        Err(reason) => {
            let body = json!({"service": service, "ready": false, "reason": reason});
            json_response(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

async fn metrics(State(served): State<Arc<Served>>) -> Response {
    let mut families = served.registry.gather();
    families.extend(served.told.families.borrow().iter().cloned());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    match TextEncoder::new().encode_to_string(&families) {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            let body = json!({"service": served.told.service, "error": error.to_string()});
            json_response(StatusCode::INTERNAL_SERVER_ERROR, &body)
        }
    }
}
