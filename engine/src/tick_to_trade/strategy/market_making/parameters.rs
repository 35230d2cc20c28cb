//! What can be set of market making.

use crate::domain::{Instrument, InstrumentIndex, Nanos};
use crate::tick_to_trade::strategy::grid::SizeUnit;
use crate::tick_to_trade::strategy::market_making::MarketMaking;
use crate::tick_to_trade::strategy::parameter::{Kind, Parameter, Table};
use crate::tick_to_trade::strategy::registry::Registered;

/// The name of the strategy in the registry.
pub const NAME: &str = "market_making";

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    pub(super) gamma: f64,
    pub(super) kappa: f64,
    pub(super) horizon: Nanos,
    pub(super) size_unit: SizeUnit,
    pub(super) order_size: f64,
    pub(super) max_position: f64,
    pub(super) min_spread_ticks: i64,
    pub(super) requote_bps: f64,
    pub(super) refresh: Nanos,
    pub(super) volatility_half_life: Nanos,
    pub(super) volatility_sample: Nanos,
    pub(super) warm_up: Nanos,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            gamma: 0.02,
            kappa: 1.0,
            horizon: Nanos::from_secs(60),
            size_unit: SizeUnit::Notional,
            order_size: 250.0,
            max_position: 2_500.0,
            min_spread_ticks: 1,
            requote_bps: 0.5,
            refresh: Nanos::from_millis(100),
            volatility_half_life: Nanos::from_secs(60),
            volatility_sample: Nanos::from_secs(1),
            warm_up: Nanos::from_secs(30),
        }
    }
}

const HOUR: Nanos = Nanos::from_secs(3_600);

/// The parameters, as users see them.
pub static PARAMETERS: Table<Parameters> = Table {
    strategy: NAME,
    rows: &[
        Parameter {
            key: "gamma",
            doc: "risk aversion, per basis point and order: how hard inventory and volatility push the quotes",
            kind: Kind::Number { min: 1e-6, max: 100.0, slot: |p| &mut p.gamma },
        },
        Parameter {
            key: "kappa",
            doc: "how fast fills thin out with the distance from the mid, per basis point",
            kind: Kind::Number { min: 1e-4, max: 1_000.0, slot: |p| &mut p.kappa },
        },
        Parameter {
            key: "horizon",
            doc: "how far off the time is always taken to be by which the inventory must be gone",
            kind: Kind::Duration {
                min: Nanos::from_millis(1),
                max: Nanos(24 * HOUR.0),
                slot: |p| &mut p.horizon,
            },
        },
        Parameter {
            key: "size_unit",
            doc: "what order_size and max_position are in: quote asset, or the instrument's units (base, contracts)",
            kind: Kind::Choice {
                words: SizeUnit::WORDS,
                set: |p, index| p.size_unit = SizeUnit::from_index(index),
                get: |p| p.size_unit.index(),
            },
        },
        Parameter {
            key: "order_size",
            doc: "size of a quote, in size_unit",
            kind: Kind::Number { min: 1e-8, max: 1e12, slot: |p| &mut p.order_size },
        },
        Parameter {
            key: "max_position",
            doc: "no quote that could take the position beyond this, either way, in size_unit",
            kind: Kind::Number { min: 1e-8, max: 1e12, slot: |p| &mut p.max_position },
        },
        Parameter {
            key: "min_spread_ticks",
            doc: "least distance between our two quotes, in ticks",
            kind: Kind::Count { min: 1, max: 1_000_000, slot: |p| &mut p.min_spread_ticks },
        },
        Parameter {
            key: "requote_bps",
            doc: "a quote is moved when its target is this far from it, in basis points, and at least one tick",
            kind: Kind::Number { min: 0.0, max: 1_000.0, slot: |p| &mut p.requote_bps },
        },
        Parameter {
            key: "refresh",
            doc: "least time between two looks at the quotes, and most that a change waits then for a tick; 0s looks at every tick",
            kind: Kind::Duration { min: Nanos::ZERO, max: HOUR, slot: |p| &mut p.refresh },
        },
        Parameter {
            key: "volatility_half_life",
            doc: "time after which a move of the mid counts half",
            kind: Kind::Duration {
                min: Nanos::from_millis(1),
                max: HOUR,
                slot: |p| &mut p.volatility_half_life,
            },
        },
        Parameter {
            key: "volatility_sample",
            doc: "least time between two samples of the mid: its bounce is no volatility",
            kind: Kind::Duration {
                min: Nanos::from_millis(1),
                max: HOUR,
                slot: |p| &mut p.volatility_sample,
            },
        },
        Parameter {
            key: "warm_up",
            doc: "time the mid must have been watched before the first quote",
            kind: Kind::Duration { min: Nanos::ZERO, max: HOUR, slot: |p| &mut p.warm_up },
        },
    ],
    check: |p| {
        if p.max_position < p.order_size { Err("max_position is less than order_size") } else { Ok(()) }
    },
};

impl Registered for MarketMaking {
    type Parameters = Parameters;
    const NAME: &'static str = NAME;
    const DOC: &'static str =
        "quotes both sides around a price that leans against the inventory (Avellaneda-Stoikov)";

    fn table() -> &'static Table<Parameters> {
        &PARAMETERS
    }

    fn create(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self::new(parameters, index, instrument)
    }
}
