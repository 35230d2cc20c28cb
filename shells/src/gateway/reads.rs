//! Reads of the request ports: one request at a time of each kind, its answer kept. While a service is down its last
//! answer is shown, with its age.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api::{ApiError, code};
use crate::gateway::times;
use crate::gateway::upstream::{Lane, Service, Upstream};
use crate::operator::log::wall_clock;

/// How long an answer is as good as new.
const FRESH: Duration = Duration::from_millis(50);

/// How long a service may take to answer a read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers that are kept; the one longest unused makes room.
const KEPT_MAX: usize = 256;

/// An answer, or a text that was ready from the start.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The data as JSON, times as strings.
    pub data: Arc<str>,
    /// When it was made.
    pub time_ns: i64,
    /// How old it is.
    pub age: Duration,
    /// Whether the service is down and this is the last that it said.
    pub stale: bool,
}

impl Shown {
    /// `data` of this moment.
    #[must_use]
    pub fn now(mut data: Value) -> Self {
        times::as_strings(&mut data);
        let time_ns = wall_clock().0;
        Self { data: data.to_string().into(), time_ns, age: Duration::ZERO, stale: false }
    }

    /// The body of the response.
    #[must_use]
    pub fn body(&self) -> String {
        let Self { data, time_ns, age, stale } = self;
        let age_ns = age.as_nanos();
        format!(r#"{{"time_ns":"{time_ns}","age_ns":"{age_ns}","stale":{stale},"data":{data}}}"#)
    }
}

#[derive(Default)]
struct Slot {
    kept: Option<(Instant, i64, Arc<str>)>,
    failed: Option<(Instant, ApiError)>,
}

struct Entry {
    used: Instant,
    slot: Arc<Mutex<Slot>>,
}

/// The answers.
pub struct Reads {
    upstream: Upstream,
    entries: Mutex<BTreeMap<String, Entry>>,
}

impl Reads {
    /// Reads through `upstream`.
    #[must_use]
    pub fn new(upstream: Upstream) -> Self {
        Self { upstream, entries: Mutex::default() }
    }

    /// What `service` answers to `op`.
    ///
    /// # Errors
    /// What it says, or why it cannot be asked when there is no earlier answer.
    pub async fn get(
        &self,
        service: Service,
        op: &'static str,
        fields: Map<String, Value>,
    ) -> Result<Shown, ApiError> {
        let key = format!("{} {op} {}", service.name(), Value::Object(fields.clone()));
        let slot = self.slot(key).await;
        // Whoever asks the same meanwhile waits here and takes the same answer.
        let mut slot = slot.lock().await;
        if let Some(shown) = slot.shown(|age| age <= FRESH, false) {
            return Ok(shown);
        }
        let recent = slot.failed.clone().filter(|(at, _)| at.elapsed() <= FRESH);
        let outcome = match recent {
            Some((_, error)) => Err(error),
            None => self.upstream.call((service, Lane::Look), op, fields, PATIENCE).await,
        };
        match outcome {
            Ok(mut data) => {
                times::as_strings(&mut data);
                slot.kept = Some((Instant::now(), wall_clock().0, data.to_string().into()));
                slot.failed = None;
                slot.shown(|_| true, false)
                    .ok_or_else(|| ApiError::new(code::INTERNAL, "an answer that was kept is gone"))
            }
            Err(error) => {
                if slot.failed.as_ref().is_none_or(|(at, _)| at.elapsed() > FRESH) {
                    slot.failed = Some((Instant::now(), error.clone()));
                }
                let down = [code::NOT_READY, code::TIMEOUT, code::RATE_LIMIT].contains(&error.code.as_str());
                slot.shown(|_| down, true).ok_or(error)
            }
        }
    }

    async fn slot(&self, key: String) -> Arc<Mutex<Slot>> {
        let mut entries = self.entries.lock().await;
        if entries.len() >= KEPT_MAX
            && !entries.contains_key(&key)
            && let Some(oldest) =
                entries.iter().min_by_key(|(_, entry)| entry.used).map(|(oldest, _)| oldest.clone())
        {
            entries.remove(&oldest);
        }
        let now = Instant::now();
        let entry = entries.entry(key).or_insert_with(|| Entry { used: now, slot: Arc::default() });
        entry.used = now;
        Arc::clone(&entry.slot)
    }
}

impl Slot {
    fn shown(&self, will_do: impl FnOnce(Duration) -> bool, stale: bool) -> Option<Shown> {
        let (at, time_ns, data) = self.kept.as_ref()?;
        let age = at.elapsed();
        will_do(age).then(|| Shown { data: Arc::clone(data), time_ns: *time_ns, age, stale })
    }
}
