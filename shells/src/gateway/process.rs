//! The process `api_gateway`: settings, sockets, signals.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::agent::StopSignal;
use engine::domain::SourceId;
use engine::error::SetupError;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::service::Instrument;
use crate::api::strategies::Strategy;
use crate::config::Settings;
use crate::gateway::app::app;
use crate::gateway::feed::Feed;
use crate::gateway::guard::Throttle;
use crate::gateway::halts::Halts;
use crate::gateway::reads::Reads;
use crate::gateway::tokens::{Known, Watched};
use crate::gateway::upstream::{Lane, Service, Sink, Upstream};
use crate::gateway::ws::Seats;
use crate::gateway::{Gateway, routes};
use crate::http::connections;
use crate::http::counted::Requests;
use crate::operator::page::Names;

/// Connections at once.
const CONNECTIONS_MAX: usize = 1_024;

/// The port when none is set.
pub const PORT: u16 = 8_080;

/// How often the file of tokens is looked at.
const TOKENS_EVERY: Duration = Duration::from_millis(500);

/// How often names are learned, and channels without pushes are filled.
const ROUND_EVERY: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the settings do not do, a file cannot be used, or the port is taken.
pub fn run(settings: &Settings) -> Result<(), SetupError> {
    crate::log::start(settings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| SetupError::io("gateway", "starting the runtime", error))?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: &Settings) -> Result<(), SetupError> {
    let failed = |error| SetupError::io("gateway", "listening for signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let running = start(settings).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

/// A gateway that serves.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    beside: [JoinHandle<()>; 2],
    upstream: (StopSignal, std::thread::JoinHandle<()>),
}

/// Starts a gateway on the caller's runtime.
///
/// # Errors
/// When the settings do not do, a file cannot be used, or the port is taken.
pub async fn start(settings: &Settings) -> Result<Running, SetupError> {
    let (stop, stopped) = watch::channel(false);
    let stop_upstream = StopSignal::default();
    let halts = Halts::open(&settings.places)?;
    let tokens = Watched::open(&settings.api_tokens_file)?;
    let feed = Arc::new(Feed::default());
    let (upstream, thread) = Upstream::start(
        &settings.endpoints,
        settings.zmq,
        Arc::clone(&feed) as Arc<dyn Sink>,
        stop_upstream.clone(),
    )?;
    let address = SocketAddr::new(settings.bind, settings.port.unwrap_or(PORT));
    let busy = |error| SetupError::io(address.to_string(), "listening there", error);
    let listener = TcpListener::bind(address).await.map_err(busy)?;
    let address = listener.local_addr().map_err(busy)?;
    let (known, tokens_known) = watch::channel(tokens.known.clone());
    let gateway = assemble(upstream, feed, halts, tokens_known, stopped.clone())?;
    tell_start(address, &tokens.known, &settings.api_tokens_file);
    let watching = tokio::spawn(watch_tokens(tokens, known));
    let rounds = tokio::spawn(go_round(Arc::clone(&gateway)));
    let serving = tokio::spawn(connections::serve(listener, app(gateway), stopped, CONNECTIONS_MAX));
    let beside = [watching, rounds];
    Ok(Running { address, stop, serving, beside, upstream: (stop_upstream, thread) })
}

impl Running {
    /// Closes the port, lets requests under way finish, and ends its threads.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.beside.iter().for_each(JoinHandle::abort);
        // A task that panicked has said so; there is nothing more to end.
        let _ = self.serving.await;
        let (stop, thread) = self.upstream;
        stop.stop();
        let _ = thread.join();
    }
}

fn assemble(
    upstream: Upstream,
    feed: Arc<Feed>,
    halts: Halts,
    tokens: watch::Receiver<Known>,
    stopped: watch::Receiver<bool>,
) -> Result<Arc<Gateway>, SetupError> {
    let registry = prometheus::Registry::new();
    let register = || {
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Requests::new("api_gateway", &routes::paths(), &registry)
    };
    let requests =
        register().map_err(|error: prometheus::Error| SetupError::Invalid(format!("metrics: {error}")))?;
    Ok(Arc::new(Gateway {
        reads: Reads::new(upstream.clone()),
        upstream,
        feed,
        requests,
        registry,
        throttle: Throttle::default(),
        tokens,
        seats: Seats::default(),
        stopped,
        halts: halts.into(),
    }))
}

fn tell_start(address: SocketAddr, known: &Known, file: &Path) {
    match known {
        Known::Tokens(tokens) => {
            let valid = tokens.iter().filter(|token| token.revoked_ns.is_none()).count();
            tracing::info!(%address, valid, "serving who holds a token");
        }
        _ => {
            let file = file.display();
            tracing::warn!(%address, "no tokens in {file}: serving this machine alone; make one with `trading token create --role read`");
        }
    }
}

async fn watch_tokens(mut tokens: Watched, known: watch::Sender<Known>) {
    let mut every = tokio::time::interval(TOKENS_EVERY);
    loop {
        every.tick().await;
        if tokens.refresh() {
            match &tokens.known {
                Known::Broken(why) => tracing::error!(why, "the tokens cannot be used: nobody is served"),
                Known::Nobody | Known::Tokens(_) => tracing::info!("the tokens have changed"),
            }
            known.send_replace(tokens.known.clone());
        }
    }
}

/// Learns names for halts, and fills the channels that nobody pushes.
async fn go_round(gateway: Arc<Gateway>) {
    let mut every = tokio::time::interval(ROUND_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Some(names) = names(&gateway).await {
            gateway.halts().page.learn(names);
        }
        for (channel, service, op) in [
            ("positions", Service::RiskManagement, "positions"),
            ("latency", Service::OrderExecution, "latency"),
        ] {
            if gateway.feed.hub.is_heard(channel)
                && let Ok(data) = look(&gateway, service, op).await
            {
                gateway.feed.tell(channel, &data);
            }
        }
    }
}

async fn look(gateway: &Gateway, service: Service, op: &'static str) -> Result<Value, crate::api::ApiError> {
    gateway.upstream.call((service, Lane::Look), op, Map::new(), Duration::from_secs(1)).await
}

/// What indices mean. They are the places of the instruments' table, and the sources of the strategies.
async fn names(gateway: &Gateway) -> Option<Names> {
    let instruments = look(gateway, Service::RiskManagement, "instruments").await.ok()?;
    let instruments: Vec<Instrument> = serde_json::from_value(instruments).ok()?;
    let strategies = look(gateway, Service::StrategyEngine, "strategies").await.ok()?;
    let strategies: Vec<Strategy> = serde_json::from_value(strategies).ok()?;
    Some(Names {
        instruments: (0..).zip(instruments.into_iter().map(|row| row.symbol)).collect(),
        sources: strategies.into_iter().map(|row| (SourceId(row.source), row.name)).collect(),
    })
}
