//! The dense part of a ladder: one quantity a slot, and a bitmap to find the first slot in use.

/// Slots a word of the bitmap covers.
const WORD: usize = 64;

/// Most slots: 16 summary words, so that finding the first slot looks at 18 words at most.
pub const SLOTS_MAX: usize = WORD * WORD * 16;

/// Quantities by slot; zero is an empty slot.
///
/// Takes 8 bytes and a bit a slot on the heap, nothing while it has no slots.
#[derive(Clone, Debug, Default)]
pub struct Window {
    quantities: Vec<i64>,
    /// A bit a slot: set where the quantity is not zero.
    words: Vec<u64>,
    /// A bit a word: set where the word is not zero.
    summary: [u64; SLOTS_MAX / WORD / WORD],
    held: usize,
}

impl Window {
    /// Number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.quantities.len()
    }

    /// Number of slots in use.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Sets memory aside for `slots` slots.
    pub fn reserve(&mut self, slots: usize) {
        let slots = slots.min(SLOTS_MAX).next_multiple_of(WORD);
        self.quantities.reserve(slots.saturating_sub(self.quantities.len()));
        self.words.reserve((slots / WORD).saturating_sub(self.words.len()));
    }

    /// Empties it and gives it `slots` slots, rounded up to whole words, at most [`SLOTS_MAX`].
    pub fn reset(&mut self, slots: usize) {
        let slots = slots.min(SLOTS_MAX).next_multiple_of(WORD);
        self.summary = Default::default();
        self.held = 0;
        if slots == self.slots() {
            self.quantities.fill(0);
            self.words.fill(0);
        } else {
            self.quantities.clear();
            self.quantities.resize(slots, 0);
            self.words.clear();
            self.words.resize(slots / WORD, 0);
        }
    }

    /// Moves every quantity `by` slots down; what then has no slot goes to `out`, with the slot that it had.
    pub fn slide(&mut self, by: i64, mut out: impl FnMut(usize, i64)) {
        let mut shift = |window: &mut Self, slot: usize| {
            let quantity = window.quantity(slot);
            window.replace(slot, 0);
            let target = i64::try_from(slot).ok().and_then(|slot| slot.checked_sub(by));
            let target = target.and_then(|target| usize::try_from(target).ok()).unwrap_or(usize::MAX);
            if window.replace(target, quantity).is_none() {
                out(slot, quantity);
            }
        };
        // From the side that it moves to, so that none lands on one that has yet to move.
        for step in 0..self.words.len() {
            let at = if by >= 0 { step } else { self.words.len() - 1 - step };
            let mut bits = self.words[at];
            while bits != 0 {
                let bit = if by >= 0 { bits.trailing_zeros() } else { 63 - bits.leading_zeros() };
                bits &= !(1 << bit);
                shift(self, at * WORD + bit as usize);
            }
        }
    }

    /// Its slots, to set many of them.
    #[inline(always)]
    pub fn open(&mut self) -> Slots<'_> {
        let Self { quantities, words, summary, held } = self;
        Slots { quantities, words, summary, held, filled: 0, taken: 0, changed: 0 }
    }

    /// Sets a slot and returns what it held; `None`, and nothing done, where there is no such slot.
    ///
    /// A quantity below zero empties the slot as zero does.
    #[inline]
    pub fn replace(&mut self, slot: usize, quantity: i64) -> Option<i64> {
        let previous = self.get(slot)?;
        let mut slots = self.open();
        slots.set(slot, quantity.max(0));
        slots.close();
        Some(previous)
    }

    /// What a slot holds; `None` where there is no such slot.
    #[inline]
    #[must_use]
    pub fn get(&self, slot: usize) -> Option<i64> {
        self.quantities.get(slot).copied()
    }

    /// The same; zero where there is no such slot.
    #[inline]
    #[must_use]
    pub fn quantity(&self, slot: usize) -> i64 {
        self.get(slot).unwrap_or(0)
    }

    /// The first slot in use.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Option<usize> {
        let at = self.summary.iter().position(|&group| group != 0)?;
        let word = at * WORD + self.summary[at].trailing_zeros() as usize;
        Some(word * WORD + self.words.get(word)?.trailing_zeros() as usize)
    }

    /// Shows `take` the slots in use with their quantities, in order, until it takes one no more. Returns how many it took.
    pub fn first_while(&self, mut take: impl FnMut(usize, i64) -> bool) -> usize {
        let Some(first) = self.first() else { return 0 };
        let mut taken = 0;
        for (at, &word) in self.words.iter().enumerate().skip(first / WORD) {
            let mut bits = word;
            while bits != 0 {
                let slot = at * WORD + bits.trailing_zeros() as usize;
                if !take(slot, self.quantity(slot)) {
                    return taken;
                }
                taken += 1;
                bits &= bits - 1;
            }
        }
        taken
    }

    /// All slots in use with their quantities, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, i64)> {
        self.words.iter().enumerate().flat_map(move |(at, &word)| {
            let bits = std::iter::successors(Some(word), |bits| Some(bits & bits.wrapping_sub(1)));
            bits.take_while(|&bits| bits != 0).map(move |bits| {
                let slot = at * WORD + bits.trailing_zeros() as usize;
                (slot, self.quantity(slot))
            })
        })
    }
}

/// 1 for a quantity above zero, 0 for zero; none is below.
#[inline(always)]
const fn is_some(quantity: i64) -> u64 {
    quantity.wrapping_neg().cast_unsigned() >> 63
}

/// The slots of a window while several are set: where they are stands beside them, and nothing has to be looked up again.
pub struct Slots<'w> {
    quantities: &'w mut [i64],
    words: &'w mut [u64],
    summary: &'w mut [u64],
    held: &'w mut usize,
    /// How many were set to a quantity, had one before, and have one now where they had none or the other way round.
    filled: u64,
    taken: u64,
    changed: u64,
}

impl Slots<'_> {
    /// Sets a slot to a quantity that is not below zero. Whether there is such a slot: if not, nothing is done.
    #[inline(always)]
    pub fn set(&mut self, slot: usize, quantity: i64) -> bool {
        let Some(cell) = self.quantities.get_mut(slot) else { return false };
        let Some(word) = self.words.get_mut(slot / WORD) else { return false };
        // Whether a level comes or goes is not predictable: no branches. That there is no other in its word is seldom.
        let (used, before) = (is_some(quantity), is_some(std::mem::replace(cell, quantity)));
        let (changed, old) = (used ^ before, *word);
        let flipped = changed << (slot % WORD);
        *word = old ^ flipped;
        if old & !flipped == 0
            && let Some(group) = self.summary.get_mut(slot / WORD / WORD)
        {
            *group ^= changed << (slot / WORD % WORD);
        }
        self.filled += used;
        self.taken += before;
        self.changed += changed;
        true
    }

    /// Notes how many are in use now. Returns how many of those that were set had a quantity before or have one now.
    #[inline(always)]
    pub fn close(self) -> u64 {
        let Self { held, filled, taken, changed, .. } = self;
        // Each is told of twice: as filled and taken, or as one of them and changed.
        *held = *held + filled as usize - taken as usize;
        (filled + taken + changed) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn agrees_with_a_map(words in 1_usize..200, by in -13_000_i64..13_000, ops in proptest::collection::vec((0_usize..13_000, -1_i64..3), 1..200)) {
            let mut window = Window::default();
            prop_assert_eq!(window.replace(0, 1), None);
            window.reset(words * WORD);
            let mut model = BTreeMap::new();
            for (slot, quantity) in ops {
                let previous = if slot >= words * WORD {
                    None
                } else if quantity > 0 {
                    Some(model.insert(slot, quantity).unwrap_or(0))
                } else {
                    Some(model.remove(&slot).unwrap_or(0))
                };
                prop_assert_eq!(window.replace(slot, quantity), previous);
                prop_assert_eq!(window.first(), model.keys().next().copied());
                prop_assert_eq!(window.held(), model.len());
            }
            prop_assert!(window.iter().eq(model.iter().map(|(&slot, &quantity)| (slot, quantity))));
            let (mut out, slots) = (BTreeMap::new(), (words * WORD) as i64);
            window.slide(by, |slot, quantity| _ = out.insert(slot, quantity));
            let lands = |slot: usize| (0..slots).contains(&(slot as i64 - by));
            let stays = model.iter().filter(|(slot, _)| lands(**slot));
            let stays = stays.map(|(&slot, &quantity)| ((slot as i64 - by) as usize, quantity));
            prop_assert!(window.iter().eq(stays));
            prop_assert_eq!(window.held() + out.len(), model.len());
            prop_assert!(out.iter().all(|(slot, quantity)| !lands(*slot) && model.get(slot) == Some(quantity)));
        }
    }

    #[test]
    fn reaches_its_last_slot() {
        let mut window = Window::default();
        window.reset(usize::MAX);
        assert_eq!(window.slots(), SLOTS_MAX);
        assert_eq!(window.replace(SLOTS_MAX - 1, 7), Some(0));
        assert_eq!(window.first(), Some(SLOTS_MAX - 1));
        window.reset(SLOTS_MAX);
        assert_eq!((window.first(), window.quantity(SLOTS_MAX - 1)), (None, 0));
    }
}
