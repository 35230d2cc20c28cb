//! The levels of a ladder that its window does not hold, in order of their keys.
//!
//! A row of small sorted chunks. Chunks that empty are kept for later, and some are always at hand, so that a book that
//! has reached its size allocates nothing. The first keys of all chunks stand side by side: none but the right one is looked
//! into.

use crate::limits::CACHE_LINE;
use crate::room;

/// Levels in a chunk: two of its arrays fill 16 cache lines.
const LEVELS: usize = 64;

/// A chunk with no more levels than this joins its neighbour where both fit.
const FEW: usize = LEVELS / 4;

/// Spare chunks made when there are none: some for every few in use.
const SPARES_MIN: usize = 2;

#[derive(Clone, Debug)]
struct Chunk {
    keys: [i64; LEVELS],
    quantities: [i64; LEVELS],
    used: usize,
}

impl Chunk {
    fn new() -> Box<Self> {
        Box::new(Self { keys: [0; LEVELS], quantities: [0; LEVELS], used: 0 })
    }

    fn keys(&self) -> &[i64] {
        &self.keys[..self.used]
    }

    fn insert(&mut self, at: usize, key: i64, quantity: i64) {
        self.keys.copy_within(at..self.used, at + 1);
        self.quantities.copy_within(at..self.used, at + 1);
        (self.keys[at], self.quantities[at]) = (key, quantity);
        self.used += 1;
    }

    fn remove(&mut self, at: usize) {
        self.keys.copy_within(at + 1..self.used, at);
        self.quantities.copy_within(at + 1..self.used, at);
        self.used -= 1;
    }

    /// Moves the levels from `at` on behind those of `other`.
    fn give(&mut self, at: usize, other: &mut Self) {
        let (count, end) = (self.used - at, other.used);
        other.keys[end..end + count].copy_from_slice(&self.keys[at..self.used]);
        other.quantities[end..end + count].copy_from_slice(&self.quantities[at..self.used]);
        other.used += count;
        self.used = at;
    }
}

/// Quantities by key.
#[derive(Clone, Debug, Default)]
#[allow(clippy::vec_box)] // Chunks change places among the others: a pointer moves then, not a kilobyte.
pub(super) struct FarLevels {
    /// In the order of their keys; none is empty.
    chunks: Vec<Box<Chunk>>,
    /// The first key of each.
    firsts: Vec<i64>,
    spares: Vec<Box<Chunk>>,
    len: usize,
}

impl FarLevels {
    /// How many levels there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[cfg(test)]
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The level with the lowest key.
    pub(super) fn first(&self) -> Option<(i64, i64)> {
        self.chunks.first().map(|chunk| (chunk.keys[0], chunk.quantities[0]))
    }

    /// The quantity at `key`.
    pub(super) fn get(&self, key: i64) -> Option<i64> {
        let (chunk, place) = self.find(key);
        place.ok().and_then(|at| self.chunks.get(chunk).map(|chunk| chunk.quantities[at]))
    }

    /// All levels, lowest key first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.chunks.iter().flat_map(|chunk| {
            chunk.keys().iter().copied().zip(chunk.quantities[..chunk.used].iter().copied())
        })
    }

    /// Sets the quantity at `key`. Returns whether there was one.
    pub(super) fn insert(&mut self, key: i64, quantity: i64) -> bool {
        let (mut chunk, place) = self.find(key);
        let mut at = match place {
            Ok(at) => {
                self.chunks[chunk].quantities[at] = quantity;
                return true;
            }
            Err(at) => at,
        };
        self.len += 1;
        if self.chunks.is_empty() {
            let fresh = self.spare();
            self.chunks.push(fresh);
            self.firsts.push(key);
        }
        if self.chunks[chunk].used == LEVELS {
            let mut fresh = self.spare();
            // Behind the last level of all nothing has to move: books are loaded in order.
            let last = chunk + 1 == self.chunks.len() && at == LEVELS;
            let half = if last { LEVELS } else { LEVELS / 2 };
            self.chunks[chunk].give(half, &mut fresh);
            self.firsts.insert(chunk + 1, fresh.keys[0]);
            self.chunks.insert(chunk + 1, fresh);
            if at > half || last {
                (chunk, at) = (chunk + 1, at - half);
            }
        }
        self.chunks[chunk].insert(at, key, quantity);
        self.firsts[chunk] = self.chunks[chunk].keys[0];
        false
    }

    /// Deletes the level at `key`. Returns whether there was one.
    pub(super) fn remove(&mut self, key: i64) -> bool {
        let (at, Ok(place)) = self.find(key) else { return false };
        self.len -= 1;
        self.chunks[at].remove(place);
        self.tidy(at);
        true
    }

    /// Deletes all levels.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.spares.append(&mut self.chunks);
        self.firsts.clear();
    }

    /// Deletes the levels for which `keep` says no.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(i64, i64) -> bool) {
        for chunk in &mut self.chunks {
            let mut kept = 0;
            for at in 0..chunk.used {
                let (key, quantity) = (chunk.keys[at], chunk.quantities[at]);
                if keep(key, quantity) {
                    (chunk.keys[kept], chunk.quantities[kept]) = (key, quantity);
                    kept += 1;
                }
            }
            self.len -= chunk.used - kept;
            chunk.used = kept;
        }
        for at in (0..self.chunks.len()).rev() {
            self.tidy(at);
        }
    }

    /// Makes spare chunks for `levels` levels in chunks half full, and some more.
    pub(super) fn reserve(&mut self, levels: usize) {
        let wanted = SPARES_MIN + 2 * levels / LEVELS;
        let there = self.chunks.len() + self.spares.len();
        self.make(wanted.saturating_sub(there));
    }

    /// Which chunk `key` belongs to, and where it is or would be there.
    fn find(&self, key: i64) -> (usize, Result<usize, usize>) {
        let behind = self.firsts.partition_point(|&first| first <= key);
        let at = behind.saturating_sub(1);
        let Some(chunk) = self.chunks.get(at) else { return (at, Err(0)) };
        // They have to come from afar, and the search would wait for one after the other.
        chunk.keys.iter().step_by(CACHE_LINE / size_of::<i64>()).for_each(room::fetch);
        (at, chunk.keys().binary_search(&key))
    }

    /// After levels of the chunk at `at` were deleted: joins it with one beside it where it has few levels, or puts it
    /// aside where it has none.
    fn tidy(&mut self, at: usize) {
        let used = self.chunks[at].used;
        self.firsts[at] = self.chunks[at].keys[0];
        if used > FEW {
            return;
        }
        let fits = |other: Option<&Box<Chunk>>| other.is_some_and(|other| other.used + used <= LEVELS / 2);
        let into = if used > 0 && at > 0 && fits(self.chunks.get(at - 1)) {
            Some((at - 1, at))
        } else if used > 0 && fits(self.chunks.get(at + 1)) {
            Some((at, at + 1))
        } else {
            None
        };
        let gone = match into {
            Some((_, second)) => second,
            None if used == 0 => at,
            None => return,
        };
        let mut empty = self.chunks.remove(gone);
        self.firsts.remove(gone);
        if let Some((first, _)) = into {
            empty.give(0, &mut self.chunks[first]);
        }
        self.spares.push(empty);
    }

    /// An empty chunk.
    fn spare(&mut self) -> Box<Chunk> {
        if self.spares.is_empty() {
            self.stock();
        }
        let mut chunk = self.spares.pop().unwrap_or_else(Chunk::new);
        chunk.used = 0;
        chunk
    }

    /// Makes as many spare chunks as there are in use, and room to hold them all on either side.
    #[cold]
    fn stock(&mut self) {
        self.make(SPARES_MIN + self.chunks.len());
    }

    fn make(&mut self, more: usize) {
        self.spares.extend((0..more).map(|_| Chunk::new()));
        let all = self.chunks.len() + self.spares.len() + SPARES_MIN;
        self.chunks.reserve(all - self.chunks.len());
        self.firsts.reserve(all - self.firsts.len());
        self.spares.reserve(all - self.spares.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(i64, i64),
        Remove(i64),
        Retain(i64),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = || prop_oneof![9 => -600_i64..600, 1 => any::<i64>()];
        prop_oneof![
            600 => (key(), 1_i64..100).prop_map(|(key, quantity)| Step::Insert(key, quantity)),
            400 => key().prop_map(Step::Remove),
            2 => (2_i64..5).prop_map(Step::Retain),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec(step(), 1..1_500)) {
            let (mut levels, mut model) = (FarLevels::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Insert(key, quantity) => {
                        prop_assert_eq!(levels.insert(key, quantity), model.insert(key, quantity).is_some());
                    }
                    Step::Remove(key) => {
                        prop_assert_eq!(levels.remove(key), model.remove(&key).is_some());
                        prop_assert_eq!(levels.get(key), None);
                    }
                    Step::Retain(part) => {
                        levels.retain(|key, _| key % part == 0);
                        model.retain(|key, _| key % part == 0);
                    }
                    Step::Clear => {
                        levels.clear();
                        model.clear();
                    }
                }
                prop_assert_eq!(levels.len(), model.len());
                prop_assert_eq!(levels.first(), model.first_key_value().map(|(&key, &quantity)| (key, quantity)));
            }
            prop_assert!(levels.iter().eq(model.iter().map(|(&key, &quantity)| (key, quantity))));
            prop_assert!(model.iter().all(|(&key, &quantity)| levels.get(key) == Some(quantity)));
            prop_assert!(levels.chunks.iter().all(|chunk| chunk.used > 0));
            prop_assert!(levels.chunks.iter().map(|chunk| chunk.keys[0]).eq(levels.firsts.iter().copied()));
        }
    }
}
