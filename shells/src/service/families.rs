//! Metric families, built anew for each scrape from what shared memory says: nothing is counted twice.

use std::collections::BTreeMap;

use engine::counters::{CounterReader, HistogramReader, Snapshot};
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

/// Upper bounds of a stage's buckets, in nanoseconds: 1-2-5 from 50 ns to 1 s.
pub const BOUNDS_NS: [u64; 23] = [
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
];

/// Name and help of every metric that the services make, in one place.
pub mod names {
    /// Name and help.
    pub type Name = (&'static str, &'static str);
    /// Stages of the path.
    pub const STAGE: Name = ("trading_stage_latency_seconds", "Time spent in a stage of the path.");
    /// Ticks.
    pub const TICKS: Name = ("trading_ticks_total", "Ticks published by ingest, as seen by this service.");
    /// Trust.
    pub const TRUSTED: Name = ("trading_book_trusted", "1 while the book is trusted.");
    /// Losses of trust.
    pub const GAPS: Name = ("trading_book_gaps_total", "Times the book lost its trust.");
    /// Age of the best prices.
    pub const BOOK_AGE: Name = ("trading_book_age_seconds", "Age of the newest best bid and ask.");
    /// Reconnects.
    pub const RECONNECTS: Name =
        ("trading_feed_reconnects_total", "Times the market data connection was made again.");
    /// Silence.
    pub const SILENT: Name = ("trading_feed_silent", "1 while a stream that should speak is silent.");
    /// Orders.
    pub const ORDERS: Name = ("trading_orders_total", "Orders by side and outcome.");
    /// Open orders.
    pub const OPEN: Name = ("trading_open_orders", "Open orders.");
    /// Unknown orders.
    pub const UNKNOWN: Name =
        ("trading_unknown_orders", "Orders of which it is not known whether they live.");
    /// Fills.
    pub const FILLS: Name = ("trading_fills_total", "Fills.");
    /// Refusals.
    pub const REJECTIONS: Name = ("trading_risk_rejections_total", "Intents that risk refused, by code.");
    /// Halts.
    pub const HALTED: Name =
        ("trading_halted", "0 active, 1 reduce only, 2 cancel only, 3 halted; the strictest page.");
    /// Positions.
    pub const POSITION: Name = ("trading_position", "Signed position.");
    /// Exposure.
    pub const EXPOSURE: Name = ("trading_exposure", "Worth of the position at the mark, without its sign.");
    /// PnL.
    pub const PNL: Name = ("trading_pnl", "Profit and loss since the engine's start.");
    /// Fees.
    pub const FEES: Name = ("trading_fees_total", "Fees paid.");
    /// Heartbeats.
    pub const HEARTBEAT: Name = ("trading_agent_heartbeat_age_seconds", "Age of an agent's heartbeat.");
    /// Duty cycles.
    pub const DUTY: Name =
        ("trading_agent_duty_cycle_seconds", "Mean time of an agent's duty cycles since the last look.");
    /// Rings.
    pub const OCCUPANCY: Name = ("trading_ring_occupancy", "Share of a ring that waits to be read.");
    /// Laps.
    pub const LAPPED: Name =
        ("trading_ring_lapped_total", "Messages that a reader of a ring was too slow to read.");
    /// Journals.
    pub const DURABLE_LAG: Name =
        ("trading_journal_durable_lag_seconds", "Age of the oldest record that is not on the disk yet.");
    /// Rate limits.
    pub const RATE: Name = ("trading_rate_limit_used_ratio", "Share of the venue's rate limit in use.");
    /// The venue's clock.
    pub const CLOCK: Name =
        ("trading_venue_clock_offset_seconds", "The venue's clock less ours, as last measured.");
    /// The day's loss.
    pub const DAY_LOSS: Name =
        ("trading_day_loss_used_ratio", "Loss since 00:00 UTC as a share of what stops new risk.");
    /// Drops.
    pub const DROPPED: Name = ("trading_zmq_dropped_total", "Messages that a peer was too slow to take.");
    /// Errors on the ZeroMQ port.
    pub const ZMQ_REQUESTS: Name = ("trading_zmq_requests_total", "Messages on the ZeroMQ port, by outcome.");
    /// The build.
    pub const BUILD: Name = ("trading_build_info", "Always 1; the labels tell the build.");
}

use names::Name;

/// Families in the making.
#[derive(Debug, Default)]
pub struct Families(BTreeMap<&'static str, MetricFamily>);

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let pair = |&(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

impl Families {
    fn add(&mut self, (name, help): Name, kind: MetricType, metric: Metric) {
        let family = self.0.entry(name).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family
        });
        family.mut_metric().push(metric);
    }

    /// A counter's present value.
    pub fn counter(&mut self, name: Name, labels: &[(&str, &str)], value: u64) {
        let mut counter = Counter::default();
        counter.set_value(value as f64);
        let mut metric = labelled(labels);
        metric.set_counter(counter);
        self.add(name, MetricType::COUNTER, metric);
    }

    /// A gauge's present value.
    pub fn gauge(&mut self, name: Name, labels: &[(&str, &str)], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = labelled(labels);
        metric.set_gauge(gauge);
        self.add(name, MetricType::GAUGE, metric);
    }

    /// A latency histogram. A cell of the engine's that lies across a bound counts above it.
    pub fn histogram(&mut self, name: Name, labels: &[(&str, &str)], snapshot: &Snapshot) {
        let cells = snapshot.cells();
        let mut histogram = Histogram::default();
        let bucket = |&bound: &u64| {
            let below = cells.iter().take_while(|(high, _)| *high <= bound).map(|(_, count)| count).sum();
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound as f64 / 1e9);
            bucket.set_cumulative_count(below);
            bucket
        };
        histogram.set_bucket(BOUNDS_NS.iter().map(bucket).collect());
        histogram.set_sample_count(cells.iter().map(|(_, count)| count).sum());
        histogram.set_sample_sum(snapshot.sum as f64 / 1e9);
        let mut metric = labelled(labels);
        metric.set_histogram(histogram);
        self.add(name, MetricType::HISTOGRAM, metric);
    }

    /// Every stage of `reader`.
    pub fn stages(&mut self, reader: &HistogramReader) {
        for stage in reader.names() {
            if let Some(snapshot) = reader.get(stage) {
                self.histogram(names::STAGE, &[("stage", stage)], &snapshot);
            }
        }
    }

    /// The counter `counter` of `reader`, if there is one.
    pub fn from_counter(
        &mut self,
        name: Name,
        labels: &[(&str, &str)],
        reader: &CounterReader,
        counter: &str,
    ) {
        if let Some(value) = reader.get(counter) {
            self.counter(name, labels, value);
        }
    }

    /// The families, by name.
    #[must_use]
    pub fn finish(self) -> Vec<MetricFamily> {
        self.0.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::counters::Histograms;
    use prometheus::{Encoder, TextEncoder};

    #[test]
    fn buckets_hold_what_was_recorded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("histograms");
        let mut histograms = Histograms::create(&path, &["risk"], 1).expect("made");
        for nanos in [40, 60, 900, 3_000_000, 2_000_000_000] {
            histograms.record(0, nanos);
        }
        let mut families = Families::default();
        families.stages(&HistogramReader::attach(&path).expect("attached"));
        families.gauge(names::TRUSTED, &[("symbol", "BTCUSDT")], 1.0);
        let mut text = Vec::new();
        TextEncoder::new().encode(&families.finish(), &mut text).expect("encoded");
        let text = String::from_utf8(text).expect("text");
        for line in [
            "trading_stage_latency_seconds_bucket{stage=\"risk\",le=\"0.00000005\"} 1",
            "trading_stage_latency_seconds_bucket{stage=\"risk\",le=\"0.0000001\"} 2",
            "trading_stage_latency_seconds_bucket{stage=\"risk\",le=\"0.000001\"} 3",
            "trading_stage_latency_seconds_bucket{stage=\"risk\",le=\"0.005\"} 4",
            "trading_stage_latency_seconds_bucket{stage=\"risk\",le=\"1\"} 4",
            "trading_stage_latency_seconds_bucket{stage=\"risk\",le=\"+Inf\"} 5",
            "trading_stage_latency_seconds_count{stage=\"risk\"} 5",
            "trading_book_trusted{symbol=\"BTCUSDT\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
