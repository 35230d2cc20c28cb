//! A generated market: every update is logged, so that the true book at any update id is known.

use std::collections::BTreeMap;

use engine::book::{DiffIds, Level, SyncRule};
use engine::domain::{Price, Quantity, Side};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A source of small numbers from a seed.
pub struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// Bids and asks by price.
pub type Levels = (BTreeMap<i64, i64>, BTreeMap<i64, i64>);

/// A diff as the venue sends it.
#[derive(Clone, Debug)]
pub struct Diff {
    /// Its ids.
    pub ids: DiffIds,
    /// Changed bids.
    pub bids: Vec<Level>,
    /// Changed asks.
    pub asks: Vec<Level>,
}

/// A market and everything that ever happened on it.
pub struct Market {
    /// Its randomness.
    pub dice: Dice,
    rule: SyncRule,
    middle: i64,
    book: Levels,
    log: Vec<(u64, Side, i64, i64)>,
    last: u64,
}

impl Market {
    /// A market with a few levels a side.
    pub fn new(rule: SyncRule, seed: u64) -> Self {
        let mut market = Self {
            dice: Dice::new(seed),
            rule,
            middle: 10_000,
            book: Levels::default(),
            log: Vec::new(),
            last: 0,
        };
        for _ in 0..3 {
            market.diff();
        }
        market
    }

    /// Id of the last update.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The true book at `id`.
    pub fn at(&self, id: u64) -> Levels {
        let mut levels = Levels::default();
        for &(_, side, price, quantity) in self.log.iter().take_while(|&&(at, ..)| at <= id) {
            put(&mut levels, side, price, quantity);
        }
        levels
    }

    /// The next diff: its updates happen now.
    pub fn diff(&mut self) -> Diff {
        let previous = self.last;
        // The ids of a futures symbol have holes: other symbols count in between.
        let skip = if self.rule == SyncRule::Futures { self.dice.below(40) } else { 0 };
        self.last += skip;
        let mut changed: BTreeMap<(bool, i64), i64> = BTreeMap::new();
        for _ in 0..=self.dice.below(8) {
            let (side, price, quantity) = self.update();
            changed.insert((side == Side::Buy, price), quantity);
        }
        let of = |bids: bool| {
            let mine = changed.iter().filter(move |((side, _), _)| *side == bids);
            mine.map(|(&(_, price), &quantity)| level(price, quantity)).collect()
        };
        let previous_id = (self.rule == SyncRule::Futures).then_some(previous);
        let ids = DiffIds { first: previous + skip + 1, last: self.last, previous: previous_id };
        Diff { ids, bids: of(true), asks: of(false) }
    }

    fn update(&mut self) -> (Side, i64, i64) {
        if self.dice.once_in(6) {
            // Far jumps now and then: the ladder's window must follow.
            let reach = if self.dice.once_in(20) { 3_000 } else { 5 };
            self.middle +=
                i64::try_from(self.dice.below(2 * reach + 1)).expect("small") - 100.min(reach as i64);
        }
        let bid = self.book.0.last_key_value().map(|(&price, _)| price).filter(|&bid| bid >= self.middle);
        let ask = self.book.1.first_key_value().map(|(&price, _)| price).filter(|&ask| ask <= self.middle);
        let near = |dice: &mut Dice| i64::try_from(dice.below(60)).expect("small") + 1;
        let (side, price, quantity) = match (bid, ask) {
            (Some(bid), _) => (Side::Buy, bid, 0),
            (_, Some(ask)) => (Side::Sell, ask, 0),
            _ if self.dice.once_in(2) => (Side::Buy, self.middle - near(&mut self.dice), self.quantity()),
            _ => (Side::Sell, self.middle + near(&mut self.dice), self.quantity()),
        };
        self.last += 1;
        put(&mut self.book, side, price, quantity);
        self.log.push((self.last, side, price, quantity));
        (side, price, quantity)
    }

    /// Zero often enough to delete, also what is not there.
    fn quantity(&mut self) -> i64 {
        if self.dice.once_in(3) { 0 } else { i64::try_from(self.dice.below(1_000)).expect("small") + 1 }
    }
}

/// A level of plain numbers.
pub fn level(price: i64, quantity: i64) -> Level {
    Level { price: Price(price), quantity: Quantity(quantity) }
}

/// The levels of a map.
pub fn list(side: &BTreeMap<i64, i64>) -> Vec<Level> {
    side.iter().map(|(&price, &quantity)| level(price, quantity)).collect()
}

/// Sets or deletes a level.
pub fn put(levels: &mut Levels, side: Side, price: i64, quantity: i64) {
    let side = match side {
        Side::Buy => &mut levels.0,
        Side::Sell => &mut levels.1,
    };
    if quantity == 0 {
        side.remove(&price);
    } else {
        side.insert(price, quantity);
    }
}
