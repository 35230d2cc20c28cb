//! A `simulated_exchange` in this process, and the key to its account.

use std::path::Path;
use std::sync::Arc;

use clap::Parser as _;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::venue::binance::canonical;
use serde_json::Value;
use shells::binance::Signer;
use shells::config::{Credentials, Secret};
use shells::exchange::server::{self, Running};
use shells::exchange::settings::Settings;
use tokio::runtime::Runtime;

/// A server's threads: one, on `core`.
///
/// # Errors
/// When the system gives none.
pub fn runtime(core: usize) -> Result<Runtime, SetupError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_start(move || {
            // A core that the rig has tried.
            core_affinity::set_for_current(core_affinity::CoreId { id: core });
        })
        .enable_all()
        .build()
        .map_err(|error| SetupError::Invalid(format!("no threads to serve with: {error}")))
}

/// The exchange, and the key to its account.
pub struct Server {
    /// Where it listens.
    pub running: Running,
    /// Signs for its account, and may log on.
    pub signer: Arc<Signer>,
}

impl Server {
    /// Starts one on a free port, told `flags` beside the usual ones.
    ///
    /// # Errors
    /// When a flag is no good, or no port is to be had.
    pub fn start(runtime: &Runtime, scratch: &Path, flags: &[&str]) -> Result<Self, SetupError> {
        let keys = scratch.join("keys.json");
        // Limits of a hundred thousand times Binance's: what is measured is the work, not the refusals.
        let usual = ["simulated_exchange", "--bind", "127.0.0.1", "--port", "0", "--limits", "100000"];
        let settings = Settings::try_parse_from(usual.iter().chain(flags))
            .map_err(|error| SetupError::Invalid(error.to_string()))?;
        let running = runtime.block_on(server::start(&settings, &keys))?;
        let text = std::fs::read(&keys).map_err(|error| SetupError::io(&keys, "reading it", error))?;
        let told: Value = serde_json::from_slice(&text)
            .map_err(|error| SetupError::file(&keys, format!("no JSON: {error}")))?;
        let field = |name: &str| Secret::new(told["ed25519"][name].as_str().unwrap_or_default().to_owned());
        let signer = Signer::new(&Credentials { key: field("api_key"), secret: field("private_key") })?;
        Ok(Self { running, signer: Arc::new(signer) })
    }

    /// The request that makes a connection a session.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn log_on(&self, now: Nanos) -> Result<String, SetupError> {
        let millis = now.0 / 1_000_000;
        let mut request = format!(
            "{{\"id\":\"greeting\",\"method\":\"session.logon\",\"params\":{{\"timestamp\":{millis}}}}}"
        )
        .into_bytes();
        let unread = |_| SetupError::Invalid("our own request cannot be read".to_owned());
        let payload = canonical::payload(&request, self.signer.api_key()).map_err(unread)?;
        let signature = self.signer.sign(&payload);
        canonical::attach(&mut request, self.signer.api_key(), &signature).map_err(unread)?;
        String::from_utf8(request).map_err(|error| SetupError::Invalid(error.to_string()))
    }
}
