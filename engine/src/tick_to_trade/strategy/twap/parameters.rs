//! What can be set of TWAP.

use crate::domain::{Nanos, Side};
use crate::tick_to_trade::strategy::grid::SizeUnit;
use crate::tick_to_trade::strategy::parameter::{Kind, Parameter, Table};

/// The name of the strategy in the registry.
pub const NAME: &str = "twap";

/// How a slice is traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Takes the touch at once.
    Take,
    /// Rests at the touch for its slice of time, then takes what is left.
    Make,
}

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    pub(super) side: Side,
    pub(super) size_unit: SizeUnit,
    pub(super) size: f64,
    pub(super) duration: Nanos,
    pub(super) slices: i64,
    pub(super) style: Style,
    pub(super) max_spread_bps: f64,
    pub(super) limit: f64,
    pub(super) between: Nanos,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            side: Side::Buy,
            size_unit: SizeUnit::Notional,
            size: 2_500.0,
            duration: Nanos::from_secs(600),
            slices: 20,
            style: Style::Make,
            max_spread_bps: 10.0,
            limit: 0.0,
            between: Nanos::from_millis(250),
        }
    }
}

const DAY: Nanos = Nanos::from_secs(86_400);

/// The parameters, as users see them.
pub static PARAMETERS: Table<Parameters> = Table {
    strategy: NAME,
    rows: &[
        Parameter {
            key: "side",
            doc: "whether it buys or sells; it cannot change while a programme runs",
            kind: Kind::Choice {
                words: &["buy", "sell"],
                set: |p, index| p.side = if index == 0 { Side::Buy } else { Side::Sell },
                get: |p| usize::from(p.side == Side::Sell),
            },
        },
        Parameter {
            key: "size_unit",
            doc: "what size is in: quote asset at the first mid, or the instrument's units (base, contracts)",
            kind: Kind::Choice {
                words: SizeUnit::WORDS,
                set: |p, index| p.size_unit = SizeUnit::from_index(index),
                get: |p| p.size_unit.index(),
            },
        },
        Parameter {
            key: "size",
            doc: "what is to be traded in all, in size_unit",
            kind: Kind::Number { min: 1e-8, max: 1e12, slot: |p| &mut p.size },
        },
        Parameter {
            key: "duration",
            doc: "over how long it is spread",
            kind: Kind::Duration { min: Nanos::from_secs(1), max: DAY, slot: |p| &mut p.duration },
        },
        Parameter {
            key: "slices",
            doc: "into how many equal parts, the first of which trades at the start",
            kind: Kind::Count { min: 1, max: 10_000, slot: |p| &mut p.slices },
        },
        Parameter {
            key: "style",
            doc: "take: takes the touch; make: rests at the touch and takes what its slice of time has left",
            kind: Kind::Choice {
                words: &["take", "make"],
                set: |p, index| p.style = if index == 0 { Style::Take } else { Style::Make },
                get: |p| usize::from(p.style == Style::Make),
            },
        },
        Parameter {
            key: "max_spread_bps",
            doc: "it does not take across a wider spread, in basis points",
            kind: Kind::Number { min: 0.0, max: 10_000.0, slot: |p| &mut p.max_spread_bps },
        },
        Parameter {
            key: "limit",
            doc: "no price worse than this, in the quote asset; 0 is none",
            kind: Kind::Number { min: 0.0, max: 1e12, slot: |p| &mut p.limit },
        },
        Parameter {
            key: "between",
            doc: "least time between two of its orders",
            kind: Kind::Duration {
                min: Nanos::from_millis(1),
                max: Nanos::from_secs(3_600),
                slot: |p| &mut p.between,
            },
        },
    ],
    check: |p| {
        if p.duration.0 / p.slices < p.between.0 {
            Err("the slices follow each other faster than between allows")
        } else {
            Ok(())
        }
    },
};
