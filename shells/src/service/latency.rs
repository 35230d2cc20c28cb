//! Percentiles of every stage, straight from the engine's histograms.

use std::collections::BTreeMap;

use engine::counters::HistogramReader;
use engine::shm::paths::{IpcPaths, OWNERS};

use crate::api::service::{Latency, StageLatency};

/// The stages under `paths`; owners that are not there, or cannot be read, have none.
#[must_use]
pub fn latency(paths: &IpcPaths) -> Latency {
    let mut stages = BTreeMap::new();
    for owner in OWNERS {
        let Ok(reader) = HistogramReader::attach(&paths.histograms(owner)) else { continue };
        for name in reader.names() {
            let Some(snapshot) = reader.get(name) else { continue };
            // A percentile is the end of its cell, which may lie beyond the largest value in it.
            let of = |numerator, denominator| snapshot.percentile(numerator, denominator).min(snapshot.max);
            let row = StageLatency {
                count: snapshot.count,
                p50_ns: of(50, 100),
                p90_ns: of(90, 100),
                p99_ns: of(99, 100),
                p999_ns: of(999, 1_000),
                max_ns: snapshot.max,
            };
            stages.insert(name.to_owned(), row);
        }
    }
    Latency { stages }
}
