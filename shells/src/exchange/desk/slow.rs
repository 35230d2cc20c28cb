//! Depth once a second: what ten publications told, as one.

use std::collections::BTreeSet;

use engine::book::Level;
use engine::domain::{BySide, InstrumentIndex, Price, Side};
use engine::venue::exchange::{DepthChange, Exchange};

/// What changed since the last second.
#[derive(Clone, Debug, Default)]
struct Gathered {
    ids: Option<(u64, u64)>,
    prices: BySide<BTreeSet<Price>>,
}

/// By instrument.
#[derive(Debug)]
pub(super) struct SlowDepth(Vec<Gathered>);

impl SlowDepth {
    pub(super) fn new(instruments: usize) -> Self {
        Self(vec![Gathered::default(); instruments])
    }

    pub(super) fn gather(&mut self, index: InstrumentIndex, change: &DepthChange) {
        let Some(gathered) = self.0.get_mut(index as usize) else { return };
        let first = gathered.ids.map_or(change.first, |(first, _)| first);
        gathered.ids = Some((first, change.last));
        gathered.prices.buy.extend(change.levels.buy.iter().map(|level| level.price));
        gathered.prices.sell.extend(change.levels.sell.iter().map(|level| level.price));
    }

    /// What has changed, with the quantities of now: right after the last publication.
    pub(super) fn take(&mut self, index: InstrumentIndex, exchange: &Exchange) -> Option<DepthChange> {
        let gathered = std::mem::take(self.0.get_mut(index as usize)?);
        let (first, last) = gathered.ids?;
        let levels = |side, prices: BTreeSet<Price>| -> Vec<Level> {
            let level = |price| Level { price, quantity: exchange.published_quantity(index, side, price) };
            prices.into_iter().map(level).collect()
        };
        let BySide { buy, sell } = gathered.prices;
        Some(DepthChange {
            first,
            last,
            levels: BySide { buy: levels(Side::Buy, buy), sell: levels(Side::Sell, sell) },
        })
    }
}
