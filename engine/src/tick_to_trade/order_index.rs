//! Where an order is kept, by its id: the index of the tables that risk and route keep.
//!
//! Open addressing with linear probing over a fixed array, at most half full. Nothing allocates after it is made.

use crate::domain::OrderId;
use crate::hint::unlikely;
use crate::limits::CACHE_LINE;
use crate::room;

/// No place.
pub(super) const NIL: u32 = u32::MAX;

/// Ids in a row that lie side by side: as many as fill a cache line. A group whose line is taken moves on to the next.
const NEIGHBOURS: u64 = 8;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where the search for its id starts, in as many of its upper bits as there are lines and in its lowest, and a mark of
    /// the id between them.
    hash: u32,
    place: u32,
}

const EMPTY: Entry = Entry { hash: 0, place: NIL };

/// A line of entries.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line([Entry; NEIGHBOURS as usize]);

const _: () = assert!(size_of::<Line>() == CACHE_LINE);

/// Places of orders in a table of fixed capacity. The ids stand at their places alone: whoever asks says how to read them.
#[derive(Debug)]
pub(super) struct OrderIndex {
    lines: Box<[Line]>,
    /// By how much a hash is longer than the number of a line.
    shift: u32,
    /// The first id of the group that comes after the latest one, until its entries are asked for.
    ahead: Option<OrderId>,
}

impl OrderIndex {
    /// An index of up to `capacity` orders. The table that it belongs to never holds more.
    pub(super) fn new(capacity: usize) -> Self {
        let length = (capacity * 2).next_power_of_two().max(NEIGHBOURS as usize);
        let lines = room::slice(length / NEIGHBOURS as usize, Line([EMPTY; NEIGHBOURS as usize]));
        Self { shift: u32::BITS - lines.len().trailing_zeros(), lines, ahead: None }
    }

    const fn mask(&self) -> usize {
        self.lines.len() * NEIGHBOURS as usize - 1
    }

    /// The entry at `at`, which is within the mask.
    #[inline(always)]
    const fn at(&self, at: usize) -> &Entry {
        &self.lines[at / NEIGHBOURS as usize].0[at % NEIGHBOURS as usize]
    }

    #[inline(always)]
    const fn at_mut(&mut self, at: usize) -> &mut Entry {
        &mut self.lines[at / NEIGHBOURS as usize].0[at % NEIGHBOURS as usize]
    }

    /// [`NEIGHBOURS`] ids that a source gives one after the other lie side by side, as they are used. Where its groups begin is
    /// decided by who it is; each is a golden section behind the one before, which keeps those of one source in a row
    /// apart (Knuth, 6.4, theorem S): nearly all where they fill a third of the lines or less, and in tables of some sizes
    /// a few more meet. Those of several sources lie as if they had been drawn.
    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    const fn hash(id: OrderId) -> u32 {
        // What differs most in the lowest bits, which are mixed into all others.
        let begin = id.owner().rotate_left(32).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        let group = begin.wrapping_add(id.sequence / NEIGHBOURS).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (((group >> 32) & !(NEIGHBOURS - 1)) | (id.sequence % NEIGHBOURS)) as u32
    }

    /// Where the search for an id of this hash starts.
    #[inline]
    const fn home(&self, hash: u32) -> usize {
        let line = (hash as u64 >> self.shift) as usize;
        line * NEIGHBOURS as usize + hash as usize % NEIGHBOURS as usize
    }

    /// Asks for where the search for `id` starts.
    #[inline]
    pub(super) fn fetch(&self, id: OrderId) {
        room::fetch(self.at(self.home(Self::hash(id))));
    }

    /// Asks for the entries of the group that comes next, if nobody has. They are somewhere else altogether, and the order that
    /// had to wait for them would take half as long again: whoever has nothing to do asks.
    #[inline(always)]
    pub(super) fn fetch_ahead(&mut self) {
        if let Some(first) = self.ahead.take() {
            self.fetch_group(first);
        }
    }

    /// Asks for the line of the ids from `first` on, which comes up once a group.
    #[cold]
    #[inline(never)]
    fn fetch_group(&self, first: OrderId) {
        self.fetch(first);
    }

    /// What follows from a new id for the group behind its own: with the last of its own it is high time.
    #[inline(always)]
    fn look_ahead(&mut self, id: OrderId) {
        match id.sequence % NEIGHBOURS {
            0 => self.ahead = Some(OrderId { sequence: id.sequence.wrapping_add(NEIGHBOURS), ..id }),
            last if last == NEIGHBOURS - 1 => self.fetch_ahead(),
            _ => {}
        }
    }

    /// Where the entry of `id` is. `id_at` reads the id of the order at a place.
    #[inline]
    fn entry_of(&self, id: OrderId, id_at: impl Fn(u32) -> OrderId) -> Option<usize> {
        let hash = Self::hash(id);
        let mut at = self.home(hash);
        // At most half of the entries are taken: an empty one ends every search.
        loop {
            let entry = *self.at(at);
            if entry.place == NIL {
                return None;
            }
            if entry.hash == hash && id_at(entry.place) == id {
                return Some(at);
            }
            at = (at + 1) & self.mask();
        }
    }

    /// The entry of `id`, as long as nothing is removed, and its place.
    #[inline]
    pub(super) fn entry(&self, id: OrderId, id_at: impl Fn(u32) -> OrderId) -> Option<(usize, u32)> {
        self.entry_of(id, id_at).map(|at| (at, self.at(at).place))
    }

    /// The place of `id`.
    #[inline]
    pub(super) fn find(&self, id: OrderId, id_at: impl Fn(u32) -> OrderId) -> Option<u32> {
        self.entry_of(id, id_at).map(|at| self.at(at).place)
    }

    /// Notes that `id`, which is not in the index, is at `place`.
    #[inline]
    pub(super) fn insert(&mut self, id: OrderId, place: u32) {
        // No entry is its: nobody needs to be asked whose an entry of the same hash is.
        self.insert_new(id, place, |_| OrderId::NONE);
    }

    /// Notes that `id` is at `place`, unless it is in the index. Returns whether it was not.
    #[inline(always)]
    pub(super) fn insert_new(&mut self, id: OrderId, place: u32, id_at: impl Fn(u32) -> OrderId) -> bool {
        let hash = Self::hash(id);
        let mut at = self.home(hash);
        while unlikely(self.at(at).place != NIL) {
            let Entry { hash: other, place } = *self.at(at);
            // Hardly ever another id's: ids of the same hash are far apart.
            if unlikely(other == hash) && id_at(place) == id {
                return false;
            }
            at = (at + 1) & self.mask();
        }
        *self.at_mut(at) = Entry { hash, place };
        self.look_ahead(id);
        true
    }

    /// Notes that `id` moves to `place`; `id_at` reads the id still where it was. Returns where that is, or `None`, and
    /// changes nothing, when it is not in the index.
    pub(super) fn relocate(
        &mut self,
        id: OrderId,
        place: u32,
        id_at: impl Fn(u32) -> OrderId,
    ) -> Option<u32> {
        let at = self.entry_of(id, id_at)?;
        Some(std::mem::replace(&mut self.at_mut(at).place, place))
    }

    /// Forgets `id`. Returns whether it was there.
    pub(super) fn remove(&mut self, id: OrderId, id_at: impl Fn(u32) -> OrderId) -> bool {
        let Some(entry) = self.entry_of(id, id_at) else { return false };
        self.remove_at(entry);
        true
    }

    /// Forgets the id whose [`entry`](Self::entry) is at `hole`.
    pub(super) fn remove_at(&mut self, mut hole: usize) {
        // Move back whatever the hole would cut off from its home (Knuth, 6.4, algorithm R).
        let mut next = (hole + 1) & self.mask();
        while self.at(next).place != NIL {
            let home = self.home(self.at(next).hash);
            if next.wrapping_sub(home) & self.mask() >= next.wrapping_sub(hole) & self.mask() {
                *self.at_mut(hole) = *self.at(next);
                hole = next;
            }
            next = (next + 1) & self.mask();
        }
        *self.at_mut(hole) = EMPTY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceId;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Orders of an index: few lines for many groups, so that most are not where they would be alone.
    const CAPACITY: usize = 16;

    fn id(source: u16, sequence: u64) -> OrderId {
        OrderId { epoch: 1, source: SourceId(source), source_epoch: 1, sequence }
    }

    #[test]
    fn ids_of_one_hash_are_told_apart() {
        let mut seen = BTreeMap::new();
        // Ids in a row have hashes far apart: these are anything but.
        let scattered = (0..1 << 18).map(|n: u64| id(n as u16, n * n * NEIGHBOURS));
        let mut pairs = scattered.filter_map(|id| Some((seen.insert(OrderIndex::hash(id), id)?, id)));
        let (one, other) = pairs.next().expect("of so many groups among 2^29 two meet");
        let ids = [one, other];
        let id_at = |place: u32| ids[place as usize];
        let mut index = OrderIndex::new(CAPACITY);
        index.insert(one, 0);
        assert_eq!((index.find(one, id_at), index.find(other, id_at)), (Some(0), None));
        index.insert(other, 1);
        assert_eq!((index.find(one, id_at), index.find(other, id_at)), (Some(0), Some(1)));
        assert!(index.remove(one, id_at));
        assert_eq!((index.find(one, id_at), index.find(other, id_at)), (None, Some(1)));
    }

    #[test]
    fn ids_that_a_source_gives_in_a_row_are_in_nobody_elses_place() {
        for (source, capacity) in [(0, 1 << 10), (3, 81_920), (9, 81_920)] {
            let mut index = OrderIndex::new(capacity);
            for sequence in (1 << 40)..(1 << 40) + capacity as u64 {
                let home = index.home(OrderIndex::hash(id(source, sequence)));
                assert_eq!(index.at(home).place, NIL, "the home of {sequence}");
                index.insert(id(source, sequence), 0);
            }
        }
    }

    #[test]
    fn the_next_group_is_asked_for_once_by_the_idle_or_by_the_last_of_the_group() {
        let mut index = OrderIndex::new(1 << 10);
        for sequence in NEIGHBOURS..4 * NEIGHBOURS {
            index.insert(id(1, sequence), 0);
            let group = sequence / NEIGHBOURS;
            let waits = (sequence % NEIGHBOURS + 1 < NEIGHBOURS).then(|| id(1, (group + 1) * NEIGHBOURS));
            // In the second group somebody has nothing to do after each order.
            assert_eq!(index.ahead, waits.filter(|_| group != 2 || sequence % NEIGHBOURS == 0), "{sequence}");
            if group == 2 {
                index.fetch_ahead();
                assert_eq!(index.ahead, None);
            }
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_map_finds(steps in prop::collection::vec((0_u64..24, 0_u16..8, 0_u8..4), 1..400)) {
            let (mut index, mut model) = (OrderIndex::new(CAPACITY), BTreeMap::new());
            // Every step has a place of its own: one is read by nobody once its id is forgotten.
            let ids: Vec<OrderId> = steps.iter().map(|&(sequence, source, _)| id(source, sequence)).collect();
            let id_at = |place: u32| ids[place as usize];
            for (at, (&id, (.., step))) in (0..).zip(ids.iter().zip(steps)) {
                match step {
                    0 => {
                        prop_assert_eq!(index.relocate(id, at, id_at), model.get(&id).copied());
                        model.entry(id).and_modify(|place| *place = at);
                    }
                    1 if at % 2 == 0 => prop_assert_eq!(index.remove(id, id_at), model.remove(&id).is_some()),
                    1 => {
                        let entry = index.entry(id, id_at);
                        prop_assert_eq!(entry.map(|(_, place)| place), model.remove(&id));
                        if let Some((entry, _)) = entry {
                            index.remove_at(entry);
                        }
                    }
                    2 if model.len() < CAPACITY && !model.contains_key(&id) => {
                        index.insert(id, at);
                        model.insert(id, at);
                    }
                    3 if model.len() < CAPACITY => {
                        prop_assert_eq!(index.insert_new(id, at, id_at), !model.contains_key(&id));
                        model.entry(id).or_insert(at);
                    }
                    _ => {}
                }
                for &id in &ids {
                    prop_assert_eq!(index.find(id, id_at), model.get(&id).copied());
                }
            }
        }
    }
}
