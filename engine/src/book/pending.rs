//! Diffs that wait for a snapshot, bounded in number and bytes.

use std::collections::VecDeque;

use crate::book::rule::{Relation, SyncRule};
use crate::book::{DiffIds, Level};
use crate::limits::{BOOK_BUFFER_BYTES_MAX, BOOK_BUFFER_DIFFS_MAX};

/// A diff as it was received. Its levels borrow what holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diff<'a> {
    /// Its update ids.
    pub ids: DiffIds,
    /// Changed bids.
    pub bids: &'a [Level],
    /// Changed asks.
    pub asks: &'a [Level],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    ids: DiffIds,
    bids: usize,
    asks: usize,
}

/// A first-in first-out buffer of diffs. It takes no memory after a [`clear`](Self::clear).
///
/// What it holds is always one unbroken run, each diff the continuation of the one before: no snapshot could use
/// diffs before a gap and still be continued after it.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    entries: VecDeque<Entry>,
    /// The levels of all entries, one after the other.
    levels: VecDeque<Level>,
    /// Last update of the newest diff that is neither held nor to come: an older snapshot cannot be continued.
    floor: u64,
}

impl Pending {
    /// Tells that diffs up to `id` are not to come any more.
    pub fn start(&mut self, id: u64) {
        self.floor = id;
    }

    /// Takes a diff, unless it is old. A gap before it, and a lack of room, drop what is older.
    ///
    /// Returns how it relates to the run, and how many diffs were dropped (of too many bytes, even itself).
    pub fn hold(&mut self, rule: SyncRule, diff: &Diff<'_>) -> (Relation, u64) {
        let relation = match self.entries.back() {
            Some(newest) => rule.relate(diff.ids, newest.ids.last, false),
            None if diff.ids.last <= self.floor => Relation::Old,
            None => Relation::Next,
        };
        let mut dropped = 0;
        if relation == Relation::Old {
            return (relation, dropped);
        }
        while relation == Relation::Gap && self.drop_oldest() {
            dropped += 1;
        }
        self.entries.push_back(Entry { ids: diff.ids, bids: diff.bids.len(), asks: diff.asks.len() });
        self.levels.extend(diff.bids.iter().chain(diff.asks));
        while self.entries.len() > BOOK_BUFFER_DIFFS_MAX || self.bytes() > BOOK_BUFFER_BYTES_MAX {
            self.drop_oldest();
            dropped += 1;
        }
        (relation, dropped)
    }

    /// Whether the diffs held, and those to come, continue a snapshot at `id`.
    #[must_use]
    pub fn continues(&self, rule: SyncRule, id: u64) -> bool {
        let mut relations = self.entries.iter().map(|entry| rule.relate(entry.ids, id, true));
        id >= self.floor && relations.find(|&relation| relation != Relation::Old) != Some(Relation::Gap)
    }

    /// Bytes in use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>() + self.levels.len() * size_of::<Level>()
    }

    /// The oldest diff.
    pub fn oldest(&mut self) -> Option<Diff<'_>> {
        let entry = *self.entries.front()?;
        // Moves levels only when the buffer has wrapped since it was last asked.
        let (bids, rest) = self.levels.make_contiguous().split_at(entry.bids);
        Some(Diff { ids: entry.ids, bids, asks: &rest[..entry.asks] })
    }

    /// Forgets the oldest diff.
    pub fn pop(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.levels.drain(..entry.bids + entry.asks);
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(entry) = self.entries.front() else { return false };
        self.floor = entry.ids.last;
        self.pop();
        true
    }

    /// Forgets everything and gives the memory back.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Quantity};

    fn ids(update: u64) -> DiffIds {
        DiffIds { first: update, last: update, previous: None }
    }

    fn levels(count: usize) -> Vec<Level> {
        (1..).take(count).map(|price| Level { price: Price(price), quantity: Quantity(1) }).collect()
    }

    fn hold(pending: &mut Pending, update: u64, bids: &[Level], asks: &[Level]) -> (Relation, u64) {
        pending.hold(SyncRule::Spot, &Diff { ids: ids(update), bids, asks })
    }

    #[test]
    fn gives_back_what_it_took_in_order() {
        let mut pending = Pending::default();
        let all = levels(7);
        for update in 1..=40 {
            let (bids, asks) = all.split_at(usize::try_from(update % 7).expect("small"));
            assert_eq!(hold(&mut pending, update, bids, asks), (Relation::Next, 0));
            if update % 2 == 0 {
                let expected = update / 2;
                let (bids, asks) = all.split_at(usize::try_from(expected % 7).expect("small"));
                assert_eq!(pending.oldest(), Some(Diff { ids: ids(expected), bids, asks }));
                pending.pop();
            }
        }
        assert_eq!(pending.oldest().map(|diff| diff.ids), Some(ids(21)));
        assert_eq!(hold(&mut pending, 40, &all, &[]), (Relation::Old, 0));
        assert_eq!(hold(&mut pending, 42, &all, &[]), (Relation::Gap, 20));
        assert!(!pending.continues(SyncRule::Spot, 40) && pending.continues(SyncRule::Spot, 41));
        pending.clear();
        assert_eq!(pending.bytes(), 0);
        assert_eq!(pending.oldest(), None);
    }

    #[test]
    fn drops_the_oldest_beyond_its_bounds() {
        let mut pending = Pending::default();
        let count = BOOK_BUFFER_DIFFS_MAX as u64;
        for update in 1..=count {
            assert_eq!(hold(&mut pending, update, &[], &[]), (Relation::Next, 0));
        }
        assert_eq!(hold(&mut pending, count + 1, &[], &[]), (Relation::Next, 1));
        assert!(!pending.continues(SyncRule::Spot, 0) && pending.continues(SyncRule::Spot, 1));
        // One diff of more bytes than the bound pushes everything out, itself included.
        let huge = levels(BOOK_BUFFER_BYTES_MAX / size_of::<Level>());
        assert_eq!(hold(&mut pending, count + 2, &huge, &[]), (Relation::Next, count + 1));
        assert_eq!(pending.bytes(), 0);
        assert!(
            !pending.continues(SyncRule::Spot, count + 1) && pending.continues(SyncRule::Spot, count + 2)
        );
    }
}
