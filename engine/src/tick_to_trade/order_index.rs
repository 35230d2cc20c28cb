//! Where an order is kept, by its id: the index of the tables that risk and route keep.
//!
//! Open addressing with linear probing over a fixed array, at most half full. Nothing allocates after it is made.

use crate::domain::OrderId;

/// No place.
pub(super) const NIL: u32 = u32::MAX;

/// Ids in a row that lie side by side. A cache line holds two or three entries; a group whose place is taken moves as
/// far as the groups before it are long.
const NEIGHBOURS: u64 = 8;

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: OrderId,
    place: u32,
}

/// Ids and the places of their orders in a table of fixed capacity.
#[derive(Debug)]
pub(super) struct OrderIndex {
    entries: Box<[Entry]>,
}

impl OrderIndex {
    /// An index of up to `capacity` orders. The table that it belongs to never holds more.
    pub(super) fn new(capacity: usize) -> Self {
        let empty = Entry { id: OrderId::NONE, place: NIL };
        Self { entries: vec![empty; (capacity.max(1) * 2).next_power_of_two()].into() }
    }

    const fn mask(&self) -> usize {
        self.entries.len() - 1
    }

    /// Where the search for `id` starts. [`NEIGHBOURS`] ids that a source gives one after the other lie side by side, as
    /// they are used; which such group is where is decided by words multiplied by odd constants of a good spread, whose
    /// high bits are the best mixed.
    #[inline]
    fn home(&self, id: OrderId) -> usize {
        let owner = u64::from(id.epoch) << 32 | u64::from(id.source.0) << 16 | u64::from(id.source_epoch);
        let mixed = owner.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ (id.sequence / NEIGHBOURS);
        let group = (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) * NEIGHBOURS;
        (group + id.sequence % NEIGHBOURS) as usize & self.mask()
    }

    /// The place of `id`.
    #[inline]
    pub(super) fn find(&self, id: OrderId) -> Option<u32> {
        let mut at = self.home(id);
        // At most half of the entries are taken: an empty one ends every search.
        loop {
            let entry = self.entries[at];
            if entry.place == NIL {
                return None;
            }
            if entry.id == id {
                return Some(entry.place);
            }
            at = (at + 1) & self.mask();
        }
    }

    /// Notes that `id`, which is not in the index, is at `place`.
    pub(super) fn insert(&mut self, id: OrderId, place: u32) {
        let mut at = self.home(id);
        while self.entries[at].place != NIL {
            at = (at + 1) & self.mask();
        }
        self.entries[at] = Entry { id, place };
    }

    /// Forgets `id`. Returns whether it was there.
    pub(super) fn remove(&mut self, id: OrderId) -> bool {
        let mut hole = self.home(id);
        while self.entries[hole].id != id || self.entries[hole].place == NIL {
            if self.entries[hole].place == NIL {
                return false;
            }
            hole = (hole + 1) & self.mask();
        }
        // Move back whatever the hole would cut off from its home (Knuth, 6.4, algorithm R).
        let mut next = (hole + 1) & self.mask();
        while self.entries[next].place != NIL {
            let home = self.home(self.entries[next].id);
            if next.wrapping_sub(home) & self.mask() >= next.wrapping_sub(hole) & self.mask() {
                self.entries[hole] = self.entries[next];
                hole = next;
            }
            next = (next + 1) & self.mask();
        }
        self.entries[hole].place = NIL;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceId;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn finds_what_a_map_finds(steps in prop::collection::vec((0_u64..24, 0_u16..2, prop::bool::ANY), 1..400)) {
            let (mut index, mut model) = (OrderIndex::new(48), BTreeMap::new());
            for (at, (sequence, source, insert)) in (0..).zip(steps) {
                let id = OrderId { epoch: 1, source: SourceId(source), source_epoch: 1, sequence };
                if insert && !model.contains_key(&id) {
                    index.insert(id, at);
                    model.insert(id, at);
                } else if !insert {
                    prop_assert_eq!(index.remove(id), model.remove(&id).is_some());
                }
                for sequence in 0..24 {
                    let id = OrderId { sequence, ..id };
                    prop_assert_eq!(index.find(id), model.get(&id).copied());
                }
            }
        }
    }
}
