//! One side of a book: exact at any price, on or off the tick grid, and fast near the touch.

use crate::book::Level;
use crate::book::far::FarLevels;
use crate::book::grid::Grid;
use crate::book::window::{SLOTS_MAX, Slots, Window};
use crate::domain::{Price, Quantity, Side};

/// Slots of a window when it opens: about 8 KiB.
const SLOTS_MIN: usize = 1 << 10;

/// Factor by which a window grows.
const GROWTH: usize = 4;

/// A window grows no further than this many slots a level: about 130 bytes a level.
const SLOTS_PER_LEVEL: usize = 16;

/// Misses that are always forgiven before the window follows the best price.
const PATIENCE: usize = 16;

/// The levels of one side.
///
/// Levels near the best price that are on the tick grid live in a window, found by index in about 2 ns; all others
/// live in an ordered map. The tick is a hint: it decides where a level is kept, never what the book says.
///
/// The window follows demand. Every change that misses it, although it would be inside if the window stood around
/// the present best price, is counted; after `PATIENCE` plus one for 16 levels held, the levels are redistributed
/// around the best price. Changes further out make it grow. So each change pays for at most 16 moves between window
/// and map, and a single change costs at worst one redistribution: every level of the side moves once (roughly 0.1 µs
/// each). A price that flickers far ahead of the rest pays in the same coin before it moves anything.
///
/// Memory: about 350 bytes when empty; 8.3 KiB with the first level; then 32 bytes or so a level in the map, and
/// at most 130 bytes a level (0.5 MiB in all) for a window that traffic deep in the book made grow.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// A price becomes its key by exclusive or with this: 0 for asks, -1 for bids (`!price` reverses the order
    /// without overflow), so that on both sides the better key is the lower.
    mask: i64,
    hint: Price,
    grid: Grid,
    /// Key of slot 0.
    base: i64,
    window: Window,
    /// Levels off the grid or outside the window, by key.
    far: FarLevels,
    /// The best of `far`, so that the top needs no search.
    far_best: Option<(i64, i64)>,
    /// Changes that missed the window near the best price.
    near_misses: usize,
    /// Changes that missed it further out.
    deep_misses: usize,
}

impl Ladder {
    /// An empty side. `tick` is a hint; zero is unknown.
    #[must_use]
    pub fn new(side: Side, tick: Price) -> Self {
        Self {
            mask: match side {
                Side::Buy => -1,
                Side::Sell => 0,
            },
            hint: tick,
            grid: Grid::new(tick.0),
            base: 0,
            window: Window::default(),
            far: FarLevels::default(),
            far_best: None,
            near_misses: 0,
            deep_misses: 0,
        }
    }

    /// Sets a level, or deletes it where the quantity is not above zero. Returns whether there was one.
    #[inline]
    pub fn set(&mut self, level: Level) -> bool {
        let key = level.price.0 ^ self.mask;
        match self.window.replace(self.slot(key), level.quantity.0) {
            Some(previous) => previous != 0,
            None => self.set_far(key, level.quantity.0),
        }
    }

    /// Sets levels with quantities that are not below zero, one after the other. Returns how many of them delete a level that
    /// there is not.
    #[inline(never)]
    pub fn set_all(&mut self, levels: &[Level]) -> u64 {
        let (mut near, mut known) = (self.open_near(), 0);
        for level in levels {
            if !near.set(level) {
                known += near.slots.close();
                let existed = self.set_far(level.price.0 ^ self.mask, level.quantity.0);
                known += u64::from(existed | (level.quantity.0 != 0));
                near = self.open_near();
            }
        }
        levels.len() as u64 - (known + near.slots.close())
    }

    #[inline(always)]
    fn open_near(&mut self) -> Near<'_> {
        Near { mask: self.mask, grid: self.grid, base: self.base, slots: self.window.open() }
    }

    /// The best level.
    #[inline]
    #[must_use]
    pub fn best(&self) -> Option<Level> {
        let (key, quantity) = self.best_entry()?;
        Some(self.level(key, quantity))
    }

    /// The quantity at `price`; zero where there is no level.
    #[must_use]
    pub fn quantity_at(&self, price: Price) -> Quantity {
        let key = price.0 ^ self.mask;
        // A level for which the window has a slot is nowhere else.
        let held = self.window.get(self.slot(key)).or_else(|| self.far.get(key));
        Quantity(held.unwrap_or(0))
    }

    /// Number of levels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.window.held() + self.far.len()
    }

    /// Whether there are no levels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All levels, best first.
    pub fn iter(&self) -> impl Iterator<Item = Level> {
        let mut near = self.window.iter().map(|(slot, quantity)| (self.key(slot), quantity)).peekable();
        let mut far = self.far.iter().peekable();
        std::iter::from_fn(move || {
            let far_first = match (near.peek(), far.peek()) {
                (Some((near, _)), Some((far, _))) => far < near,
                (near, _) => near.is_none(),
            };
            if far_first { far.next() } else { near.next() }
        })
        .map(|(key, quantity)| self.level(key, quantity))
    }

    /// The best levels, as many as `out` holds; where there are fewer, the rest of `out` stays as it is.
    pub fn copy_best(&self, out: &mut [Level]) {
        // The window alone tells, unless a level that it does not hold is among them.
        let beyond = self.far_best.map_or(i64::MAX, |(key, _)| key);
        let mut free = out.iter_mut();
        let near = self.window.first_while(|slot, quantity| {
            let key = self.key(slot);
            let level = free.next().filter(|_| key < beyond);
            level.map(|level| *level = self.level(key, quantity)).is_some()
        });
        if near < out.len() && near < self.len() {
            out.iter_mut().zip(self.iter()).for_each(|(slot, level)| *slot = level);
        }
    }

    /// Deletes all levels; the window keeps its memory.
    pub fn clear(&mut self) {
        self.load(&[]);
    }

    /// Replaces all levels by those of `levels`, in any order; of two at one price the later counts, and those
    /// whose quantity is not above zero are left out.
    pub fn load(&mut self, levels: &[Level]) {
        self.window.reset(self.window.slots());
        self.far.clear();
        self.far_best = None;
        (self.near_misses, self.deep_misses) = (0, 0);
        let live = || levels.iter().filter(|level| level.quantity.0 > 0);
        let mask = self.mask;
        let Some(best) = live().map(|level| level.price.0 ^ mask).min() else { return };
        self.grid = Grid::choose(self.hint, levels);
        self.prepare(live().count());
        self.open(best);
        for level in live() {
            let key = level.price.0 ^ mask;
            if self.window.replace(self.slot(key), level.quantity.0).is_none() {
                self.far.insert(key, level.quantity.0);
            }
        }
        self.far_best = self.far.first();
    }

    /// Sets memory aside for a book of `levels`, so that following it allocates nothing as long as it has about as many.
    fn prepare(&mut self, levels: usize) {
        let mut slots = SLOTS_MIN;
        while slots * GROWTH <= SLOTS_MAX.min(levels * SLOTS_PER_LEVEL) {
            slots *= GROWTH;
        }
        self.window.reserve(slots);
        self.far.reserve(levels);
    }

    #[inline]
    fn slot(&self, key: i64) -> usize {
        self.grid.slot(key.wrapping_sub(self.base))
    }

    #[inline]
    fn key(&self, slot: usize) -> i64 {
        self.base + i64::try_from(slot).unwrap_or(0) * self.grid.tick()
    }

    #[inline]
    fn level(&self, key: i64, quantity: i64) -> Level {
        Level { price: Price(key ^ self.mask), quantity: Quantity(quantity) }
    }

    #[inline]
    fn best_entry(&self) -> Option<(i64, i64)> {
        let near = self.window.first().map(|slot| (self.key(slot), self.window.quantity(slot)));
        match (near, self.far_best) {
            (Some(near), Some(far)) => Some(near.min(far)),
            (near, far) => near.or(far),
        }
    }

    /// Sets a level for which the window has no slot.
    #[cold]
    #[inline(never)]
    fn set_far(&mut self, key: i64, quantity: i64) -> bool {
        if self.window.slots() == 0 {
            if quantity <= 0 {
                return self.far.remove(key);
            }
            self.open(key);
            if let Some(previous) = self.window.replace(self.slot(key), quantity) {
                return previous != 0;
            }
        }
        let existed = if quantity > 0 {
            if self.far_best.is_none_or(|(best, _)| key <= best) {
                self.far_best = Some((key, quantity));
            }
            self.far.insert(key, quantity)
        } else {
            let existed = self.far.remove(key);
            if self.far_best.is_some_and(|(best, _)| key == best) {
                self.far_best = self.far.first();
            }
            existed
        };
        self.follow(key);
        existed
    }

    /// Opens the window, which holds nothing, around the best key.
    fn open(&mut self, best: i64) {
        let tick = self.grid.tick();
        let price = best ^ self.mask;
        // The grid is that of prices: `!price` is no multiple of the tick.
        self.base = (price - price % tick) ^ self.mask;
        if self.window.slots() == 0 {
            self.window.reset(SLOTS_MIN);
        }
        self.base = self.base_around(0, self.window.slots());
    }

    /// Counts a miss at `key`, and moves or grows the window when there were enough.
    fn follow(&mut self, key: i64) {
        let Some((best, _)) = self.best_entry() else { return };
        // What is too far away for 64 bits is for every window.
        let (Some(away), Some(distance), Some(ahead)) =
            (key.checked_sub(best), key.checked_sub(self.base), best.checked_sub(self.base))
        else {
            return;
        };
        let tick = self.grid.tick();
        let (slots, levels) = (self.window.slots(), self.len());
        let wider = slots * GROWTH;
        let near = covers(slots, away, tick);
        let wanted = near
            || (wider <= SLOTS_MAX && wider <= levels * SLOTS_PER_LEVEL && covers(SLOTS_MAX, away, tick));
        // A division comes last: most misses want no window.
        if !wanted || distance % tick != 0 {
            return;
        }
        let (misses, most, slots) = if near {
            (&mut self.near_misses, PATIENCE + levels / 16, slots)
        } else {
            (&mut self.deep_misses, slots / 4, wider)
        };
        *misses += 1;
        if *misses > most {
            self.rebuild(ahead.div_euclid(tick), slots);
        }
    }

    /// The base of a window of `slots` slots around the best price, which is `best` ticks from the present base. It
    /// stays on the grid, and the window within the range of a key.
    fn base_around(&self, best: i64, slots: usize) -> i64 {
        let (tick, best) = (i128::from(self.grid.tick()), i128::from(best));
        let slots = slots as i128;
        let base = i128::from(self.base);
        let lowest = (i128::from(i64::MIN) - base).div_euclid(tick) + 1;
        let highest = (i128::from(i64::MAX) - base) / tick - slots;
        let steps = (best - slots / 4).clamp(lowest, highest);
        i64::try_from(base + steps * tick).expect("the bounds above keep it within the range")
    }

    /// Redistributes all levels over a window of `slots` slots around the best price, `best` ticks from the base.
    fn rebuild(&mut self, best: i64, slots: usize) {
        let base = self.base_around(best, slots);
        let grid = self.grid;
        let slide = (i128::from(base) - i128::from(self.base)) / i128::from(grid.tick());
        let slide = i64::try_from(slide).unwrap_or(if slide < 0 { i64::MIN } else { i64::MAX });
        let key_of = |slot: usize, base: i64| base + i64::try_from(slot).unwrap_or(0) * grid.tick();
        let (old_base, far) = (self.base, &mut self.far);
        // On the same grid every level moves by the same number of slots; for another size all leave first.
        let same = slots == self.window.slots();
        let slide = if same { slide } else { i64::MAX };
        self.window.slide(slide, |slot, quantity| _ = far.insert(key_of(slot, old_base), quantity));
        if !same {
            self.window.reset(slots);
        }
        self.base = base;
        let window = &mut self.window;
        far.retain(|key, quantity| {
            key < base || window.replace(grid.slot(key.wrapping_sub(base)), quantity).is_none()
        });
        self.far_best = self.far.first();
        (self.near_misses, self.deep_misses) = (0, 0);
    }
}

/// The window of a ladder while several of its levels are set.
struct Near<'l> {
    mask: i64,
    grid: Grid,
    base: i64,
    slots: Slots<'l>,
}

impl Near<'_> {
    /// Sets a level, if the window has a slot for it.
    #[inline(always)]
    fn set(&mut self, level: &Level) -> bool {
        let slot = self.grid.slot((level.price.0 ^ self.mask).wrapping_sub(self.base));
        self.slots.set(slot, level.quantity.0)
    }
}

/// Whether a window of `slots` slots, a `tick` each, around the best key has one for a key `away` behind it. A quarter of
/// the window lies ahead of the best price.
fn covers(slots: usize, away: i64, tick: i64) -> bool {
    // At most 2^16 slots of 2^40.
    let slots = i64::try_from(slots).unwrap_or(i64::MAX);
    (-(slots / 4) * tick..(slots - slots / 4) * tick).contains(&away)
}

#[cfg(test)]
mod tests;
