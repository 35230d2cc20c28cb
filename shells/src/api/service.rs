//! What every service answers: `status`, `latency`, `instruments`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceStatus {
    /// The service, such as `risk_management`.
    pub service: String,
    /// Whether its agent is attached and beats.
    pub ready: bool,
    /// Why not, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The engine epoch whose memory it looks at; 0 when none.
    pub epoch: u32,
    /// Version of this build.
    pub version: String,
    /// When this was made.
    pub time_ns: i64,
    /// What it has counted.
    pub counters: BTreeMap<String, u64>,
}

/// `latency`: every stage of the path, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Latency {
    /// By stage.
    pub stages: BTreeMap<String, StageLatency>,
}

/// Percentiles of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageLatency {
    /// Recordings.
    pub count: u64,
    /// The median.
    pub p50_ns: u64,
    /// 90 of 100 do not exceed it.
    pub p90_ns: u64,
    /// 99 of 100 do not exceed it.
    pub p99_ns: u64,
    /// 999 of 1000 do not exceed it.
    #[serde(rename = "p99.9_ns")]
    pub p999_ns: u64,
    /// The largest.
    pub max_ns: u64,
}

/// One row of `instruments`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Instrument {
    /// The symbol.
    pub symbol: String,
    /// `spot`, `usdm` or `coinm`.
    pub market: String,
    /// `spot`, `linear` or `inverse`.
    pub kind: String,
    /// The asset that is bought and sold.
    pub base: String,
    /// The asset in which it is priced.
    pub quote: String,
    /// Grid of prices; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick_size: Option<String>,
    /// Grid of quantities; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot_size: Option<String>,
    /// Smallest notional; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_notional: Option<String>,
    /// Value of one contract; 1 for spot.
    pub multiplier: i64,
    /// Decimals of a price.
    pub price_scale: u8,
    /// Decimals of a quantity.
    pub quantity_scale: u8,
    /// Whether it can be traded.
    pub tradable: bool,
}
