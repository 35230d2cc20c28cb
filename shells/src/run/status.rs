//! One line a second about a live session, from shared memory alone.

use engine::counters::{CounterReader, HistogramReader};
use engine::domain::Nanos;
use engine::shm::paths::IpcPaths;

use crate::run::Plan;

/// Reads what the agents count. The files appear when the agents are made.
pub struct Status {
    ipc: IpcPaths,
    frames_before: u64,
}

impl Status {
    /// Looks at the files of `plan`.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self { ipc: plan.ipc.clone(), frames_before: 0 }
    }

    /// The line for `elapsed` since the start.
    pub fn line(&mut self, elapsed: Nanos) -> String {
        let read = |owner: &str, name: &str| {
            CounterReader::attach(&self.ipc.counters(owner))
                .ok()
                .and_then(|reader| reader.get(name))
                .unwrap_or(0)
        };
        let frames = read("ingest", "frames");
        let latency = HistogramReader::attach(&self.ipc.histograms("route")).ok();
        let quantile = |numerator, denominator| {
            let value = latency
                .as_ref()
                .and_then(|reader| reader.percentile("tick_to_order", numerator, denominator));
            value
                .filter(|&nanos| nanos > 0)
                .map_or_else(|| "-".to_owned(), |nanos| format!("{:.1} us", nanos as f64 / 1_000.0))
        };
        let untrusted = read("ingest", "distrusts");
        let line = format!(
            "{:>4} s  frames/s {:>6}  orders {:>6}  fills {:>5}  open {:>3}  rejects {:>5}  gaps {}  distrusts {untrusted}  tick-to-order p50 {} p99 {}",
            elapsed.0 / 1_000_000_000,
            frames.saturating_sub(self.frames_before),
            read("route", "sent"),
            read("route", "fills"),
            read("route", "live_orders"),
            read("risk", "rejected"),
            read("ingest", "gaps"),
            quantile(1, 2),
            quantile(99, 100),
        );
        self.frames_before = frames;
        line
    }
}
