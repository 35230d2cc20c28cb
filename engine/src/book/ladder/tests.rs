//! A ladder against a map.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn level(price: i64, quantity: i64) -> Level {
    Level { price: Price(price), quantity: Quantity(quantity) }
}

/// A step of a random walk: where the market moves, and what changes relative to it.
#[derive(Clone, Debug)]
enum Step {
    /// Consecutive changes, so that the window has reason to follow.
    Set(Vec<(i64, i64)>),
    /// The same at once.
    Together(Vec<(i64, i64)>),
    Far {
        price: i64,
        quantity: i64,
    },
    Move(i64),
    Load(Vec<(i64, i64)>),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let quantity = prop_oneof![2 => Just(0_i64), 3 => 1_i64..1_000];
    let edge = prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(-1), any::<i64>()];
    let near = proptest::collection::vec((-40_i64..40, quantity.clone()), 1..60);
    let wide = proptest::collection::vec((-3_000_i64..3_000, quantity.clone()), 1..80);
    prop_oneof![
        8 => near.clone().prop_map(Step::Set),
        4 => wide.clone().prop_map(Step::Set),
        4 => near.prop_map(Step::Together),
        2 => wide.clone().prop_map(Step::Together),
        2 => (edge, quantity).prop_map(|(price, quantity)| Step::Far { price, quantity }),
        4 => (-2_000_i64..2_000).prop_map(Step::Move),
        1 => wide.prop_map(Step::Load),
        1 => Just(Step::Clear),
    ]
}

/// A ladder and the same levels in a map.
struct Pair {
    ladder: Ladder,
    model: BTreeMap<i64, i64>,
    side: Side,
}

impl Pair {
    fn new(side: Side, tick: i64) -> Self {
        Self { ladder: Ladder::new(side, Price(tick)), model: BTreeMap::new(), side }
    }

    /// Sets a level of the map. Whether there was one.
    fn set_model(&mut self, price: i64, quantity: i64) -> bool {
        match quantity {
            0 => self.model.remove(&price).is_some(),
            _ => self.model.insert(price, quantity).is_some(),
        }
    }

    fn set_all(&mut self, levels: &[Level]) -> Result<(), TestCaseError> {
        let mut unknown = 0;
        for &Level { price, quantity } in levels {
            unknown += u64::from(!self.set_model(price.0, quantity.0) && quantity.0 == 0);
        }
        prop_assert_eq!(self.ladder.set_all(levels), unknown);
        Ok(())
    }

    fn set(&mut self, price: i64, quantity: i64) -> Result<(), TestCaseError> {
        let existed = self.set_model(price, quantity);
        prop_assert_eq!(self.ladder.set(level(price, quantity)), existed);
        prop_assert_eq!(self.ladder.quantity_at(Price(price)), Quantity(quantity));
        Ok(())
    }

    fn load(&mut self, levels: &[Level]) {
        let live = levels.iter().filter(|level| level.quantity.0 > 0);
        self.model = live.map(|level| (level.price.0, level.quantity.0)).collect();
        self.ladder.load(levels);
    }

    fn check_best(&self) -> Result<(), TestCaseError> {
        let best = match self.side {
            Side::Buy => self.model.last_key_value(),
            Side::Sell => self.model.first_key_value(),
        };
        prop_assert_eq!(self.ladder.best(), best.map(|(&price, &quantity)| level(price, quantity)));
        prop_assert_eq!(self.ladder.len(), self.model.len());
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let mut truth: Vec<_> = self.model.iter().map(|(&price, &quantity)| level(price, quantity)).collect();
        if self.side == Side::Buy {
            truth.reverse();
        }
        self.check_best()?;
        prop_assert!(self.ladder.iter().eq(truth.iter().copied()), "the levels differ");
        let (mut copied, none) = (vec![Level::default(); 7], vec![Level::default(); 7]);
        self.ladder.copy_best(&mut copied);
        let best = truth.iter().chain(&none).take(7);
        prop_assert!(copied.iter().eq(best), "the best levels differ");
        Ok(())
    }
}

proptest! {
    #[test]
    fn agrees_with_a_map(
        buy in any::<bool>(),
        tick in prop_oneof![Just(0_i64), Just(1), Just(2), Just(10), Just(1_000_000), Just(7), Just(i64::MAX)],
        start in prop_oneof![0_i64..1_000_000_000, i64::MAX - 900_000_000..i64::MAX, i64::MIN..900_000_000 + i64::MIN],
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut pair = Pair::new(if buy { Side::Buy } else { Side::Sell }, tick);
        // Half the grid, so that every other offset is off it, except where the tick is 1.
        let unit = (tick % 1_000_001).max(2) / 2;
        let mut middle = start;
        let at = |middle: i64, offset: i64| middle.saturating_add(offset.saturating_mul(unit));
        for step in steps {
            match step {
                Step::Set(changes) => {
                    for (offset, quantity) in changes {
                        pair.set(at(middle, offset), quantity)?;
                        pair.check_best()?;
                    }
                }
                Step::Together(changes) => {
                    let levels: Vec<_> = changes.iter().map(|&(offset, quantity)| level(at(middle, offset), quantity)).collect();
                    pair.set_all(&levels)?;
                }
                Step::Far { price, quantity } => pair.set(price, quantity)?,
                Step::Move(offset) => middle = at(middle, offset),
                Step::Load(levels) => {
                    let levels: Vec<_> = levels.iter().map(|&(offset, quantity)| level(at(middle, offset), quantity)).collect();
                    pair.load(&levels);
                }
                Step::Clear => {
                    pair.ladder.clear();
                    pair.model.clear();
                }
            }
            pair.check()?;
        }
    }
}

#[test]
fn the_window_follows_the_market_and_grows_with_deep_traffic() {
    let mut pair = Pair::new(Side::Buy, 10);
    let deep: Vec<_> = (0..5_000).map(|i| level(1_000_000 - i * 100, 1)).collect();
    pair.load(&deep);
    let far_at_first = pair.ladder.far.len();
    assert!(far_at_first > 4_000, "{far_at_first}");
    for round in 0..12 {
        for i in 0..5_000 {
            pair.set(1_000_000 - i * 100, 1 + round).expect("agrees");
        }
    }
    assert_eq!(pair.ladder.window.slots(), SLOTS_MAX);
    assert!(pair.ladder.far.len() < 200, "{}", pair.ladder.far.len());
    pair.check().expect("agrees");
    // The market walks away by more than the window; what it trades at is soon inside again.
    for i in 0..2_000 {
        pair.set(3_000_000 + i % 50 * 10, i % 3).expect("agrees");
    }
    let inside = pair.ladder.window.first().map(|slot| pair.ladder.key(slot) ^ -1);
    assert_eq!(inside, pair.ladder.best().map(|best| best.price.0));
    pair.check().expect("agrees");
}

#[test]
fn a_flickering_price_pays_before_it_moves_the_window() {
    let mut ladder = Ladder::new(Side::Sell, Price(1));
    ladder.load(&(1_000..1_500).map(|price| level(price, 1)).collect::<Vec<_>>());
    let base = ladder.base;
    for _ in 0..20 {
        ladder.set(level(1, 1));
        assert_eq!(ladder.best(), Some(level(1, 1)));
        ladder.set(level(1, 0));
        assert_eq!(ladder.best(), Some(level(1_000, 1)));
    }
    assert_eq!(ladder.base, base);
}

#[test]
fn a_window_takes_all_it_covers_and_ends_with_the_range_of_a_price() {
    let mut pair = Pair::new(Side::Sell, 1);
    let last = 3_000 + i64::try_from(SLOTS_MIN).expect("small") * 3 / 4 - 1;
    for price in [1_000, last] {
        pair.set(price, 1).expect("agrees");
    }
    pair.set(1_000, 0).expect("agrees");
    for quantity in 1..40 {
        pair.set(3_000, quantity).expect("agrees");
    }
    assert_eq!((pair.ladder.slot(3_000), pair.ladder.slot(last)), (SLOTS_MIN / 4, SLOTS_MIN - 1));
    assert!(pair.ladder.far.is_empty());
    for price in [i64::MAX, i64::MIN, i64::MAX - 5, i64::MIN + 5] {
        let mut pair = Pair::new(Side::Sell, 1);
        pair.set(price, 1).expect("agrees");
        pair.set(!price, 1).expect("agrees");
        pair.check().expect("agrees");
    }
}

#[test]
fn costs_nothing_before_the_first_level() {
    let mut ladder = Ladder::new(Side::Sell, Price(1));
    assert!(!ladder.set(level(5, 0)));
    ladder.clear();
    assert_eq!((ladder.window.slots(), ladder.is_empty()), (0, true));
    assert!(size_of::<Ladder>() <= 360, "{}", size_of::<Ladder>());
}
