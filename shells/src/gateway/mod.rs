//! The gateway: REST, WebSocket, OpenAPI. It faces people, so it maps nothing but its own halt page and talks to the
//! other services only by their ZeroMQ ports; while one is down it shows the last that it said, with its age.

pub mod bucket;
pub mod times;
pub mod problem;
pub mod tokens;
pub mod upstream;
pub mod hub;
pub mod feed;
pub mod reads;
pub mod halts;
pub mod routes;
pub mod extract;
pub mod guard;
pub mod read;
pub mod act;
pub mod ws;
pub mod openapi;
pub mod app;
pub mod process;

use std::sync::Arc;

use tokio::sync::watch;

use crate::gateway::feed::Feed;
use crate::gateway::guard::Throttle;
use crate::gateway::halts::Halts;
use crate::gateway::reads::Reads;
use crate::gateway::tokens::Known;
use crate::gateway::upstream::Upstream;
use crate::gateway::ws::Seats;
use crate::http::counted::Requests;

/// What every handler shares.
pub struct Gateway {
    /// The way to the services.
    pub upstream: Upstream,
    /// Their answers.
    pub reads: Reads,
    /// What they say unasked.
    pub feed: Arc<Feed>,
    /// Counts of requests.
    pub requests: Requests,
    /// All metrics.
    pub registry: prometheus::Registry,
    /// Rates of callers.
    pub throttle: Throttle,
    /// The tokens, as last read.
    pub tokens: watch::Receiver<Known>,
    /// Seats of WebSocket clients.
    pub seats: Seats,
    /// Turns true when the process stops.
    pub stopped: watch::Receiver<bool>,
    /// The halt page.
    #[allow(clippy::disallowed_types)] // Held for one store and one synced line, never across a wait.
    halts: std::sync::Mutex<Halts>,
}

impl Gateway {
    /// The halt page.
    #[allow(clippy::disallowed_types)] // As above.
    pub fn halts(&self) -> std::sync::MutexGuard<'_, Halts> {
        // A halt has to work whatever happened before.
        self.halts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
