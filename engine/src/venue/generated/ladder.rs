//! One side of the generated book: real levels, consumed by market orders.

use crate::book::Level;
use crate::domain::{Price, Quantity, Side};

/// Most levels of a side: below the 1,000 of a snapshot, so that a snapshot is the whole book.
pub(super) const LEVELS_MAX: usize = 600;

/// One side, in ticks and lots.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    side: Side,
    /// From the worst level to the best: the best changes most, and moves least there.
    levels: Vec<Level>,
    /// Prices changed since the last diff, with repetitions.
    changed: Vec<Price>,
}

impl Ladder {
    pub(super) fn new(side: Side) -> Self {
        Self { side, levels: Vec::with_capacity(LEVELS_MAX + 1), changed: Vec::with_capacity(LEVELS_MAX) }
    }

    /// Better prices are greater.
    const fn rank(&self, price: Price) -> i64 {
        price.0 * self.side.sign()
    }

    fn find(&self, price: Price) -> Result<usize, usize> {
        self.levels.binary_search_by_key(&self.rank(price), |level| self.rank(level.price))
    }

    /// Levels from the worst to the best.
    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    pub(super) fn best(&self) -> Level {
        self.levels.last().copied().unwrap_or_default()
    }

    /// Adds to the level at `price`. A side that would grow too long loses its worst level.
    pub(super) fn add(&mut self, price: Price, quantity: Quantity) {
        match self.find(price) {
            Ok(at) => self.levels[at].quantity.0 += quantity.0,
            Err(at) => self.levels.insert(at, Level { price, quantity }),
        }
        self.changed.push(price);
        if self.levels.len() > LEVELS_MAX {
            self.reduce(0, Quantity(i64::MAX));
        }
    }

    /// Takes up to `quantity` from the level at `at`, counted from the worst; how much it was.
    pub(super) fn reduce(&mut self, at: usize, quantity: Quantity) -> Quantity {
        let Some(level) = self.levels.get_mut(at) else { return Quantity::ZERO };
        self.changed.push(level.price);
        let taken = quantity.min(level.quantity);
        level.quantity.0 -= taken.0;
        if level.quantity == Quantity::ZERO {
            self.levels.remove(at);
        }
        taken
    }

    /// Forgets the changes.
    pub(super) fn clear_changes(&mut self) {
        self.changed.clear();
    }

    /// Hands each changed level over once, best first, as it stands now (0 if it is gone), and forgets the changes.
    pub(super) fn take_changes(&mut self, mut on_level: impl FnMut(Level)) {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable_by_key(|&price| std::cmp::Reverse(self.rank(price)));
        changed.dedup();
        for price in changed.drain(..) {
            let quantity = self.find(price).map_or(Quantity::ZERO, |at| self.levels[at].quantity);
            on_level(Level { price, quantity });
        }
        self.changed = changed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(price: i64, quantity: i64) -> Level {
        Level { price: Price(price), quantity: Quantity(quantity) }
    }

    #[test]
    fn levels_stay_sorted_and_changes_are_told_once() {
        let mut asks = Ladder::new(Side::Sell);
        for (price, quantity) in [(10, 5), (12, 1), (11, 2), (12, 3)] {
            asks.add(Price(price), Quantity(quantity));
        }
        assert_eq!(asks.levels(), [level(12, 4), level(11, 2), level(10, 5)]);
        assert_eq!(asks.best(), level(10, 5));
        assert_eq!(asks.reduce(2, Quantity(7)), Quantity(5));
        let mut changes = Vec::new();
        asks.take_changes(|level| changes.push(level));
        assert_eq!(changes, [level(10, 0), level(11, 2), level(12, 4)]);
        asks.take_changes(|level| panic!("told twice: {level:?}"));
        assert_eq!(asks.reduce(9, Quantity(1)), Quantity::ZERO);
    }

    #[test]
    fn a_side_loses_its_worst_level_when_full() {
        let mut bids = Ladder::new(Side::Buy);
        for price in 1..=i64::try_from(LEVELS_MAX).expect("small") + 1 {
            bids.add(Price(price), Quantity(1));
        }
        assert_eq!((bids.levels().len(), bids.levels()[0]), (LEVELS_MAX, level(2, 1)));
        let mut last = level(0, 9);
        bids.take_changes(|level| last = level);
        assert_eq!(last, level(1, 0), "the loss is told");
    }
}
