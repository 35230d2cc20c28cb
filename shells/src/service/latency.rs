//! Percentiles of every stage, straight from the engine's histograms.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use engine::counters::{HistogramReader, Snapshot};
use engine::shm::paths::{IpcPaths, OWNERS};

use crate::api::service::{Latency, StageLatency};

/// The stages under `paths`, one of several owners with all of their times; owners that are not there, or cannot be read,
/// have none.
#[must_use]
pub fn latency(paths: &IpcPaths) -> Latency {
    let mut stages: BTreeMap<String, Snapshot> = BTreeMap::new();
    for file in OWNERS.iter().flat_map(|owner| [paths.histograms(owner), paths.journal_histograms(owner)]) {
        let Ok(reader) = HistogramReader::attach(&file) else { continue };
        for name in reader.names() {
            let Some(snapshot) = reader.get(name) else { continue };
            match stages.entry(name.to_owned()) {
                Entry::Vacant(entry) => _ = entry.insert(snapshot),
                Entry::Occupied(mut entry) => entry.get_mut().add(&snapshot),
            }
        }
    }
    Latency { stages: stages.into_iter().map(|(name, snapshot)| (name, row(&snapshot))).collect() }
}

fn row(snapshot: &Snapshot) -> StageLatency {
    // A percentile is the end of its cell, which may lie beyond the largest value in it.
    let of = |numerator, denominator| snapshot.percentile(numerator, denominator).min(snapshot.max);
    StageLatency {
        count: snapshot.count,
        p50_ns: of(50, 100),
        p90_ns: of(90, 100),
        p99_ns: of(99, 100),
        p999_ns: of(999, 1_000),
        max_ns: snapshot.max,
    }
}
