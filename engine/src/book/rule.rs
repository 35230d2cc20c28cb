//! The venue's rules of how diffs continue a snapshot and one another (binance.md §4).

use crate::book::DiffIds;
use crate::domain::Market;

/// Which of the venue's two rules continues a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncRule {
    /// Diffs carry `U` and `u`: one that ends at or before the book's id is old, one that begins after id + 1 is a
    /// gap.
    Spot,
    /// Diffs carry `pu` too: the first after a snapshot must contain the snapshot's id, each later one must name
    /// the one before it.
    Futures,
}

impl SyncRule {
    /// The rule of a market.
    #[must_use]
    pub const fn of(market: Market) -> Self {
        match market {
            Market::Spot => Self::Spot,
            Market::UsdMargined | Market::CoinMargined => Self::Futures,
        }
    }

    /// How a diff relates to a book at `id`; `fresh` if that is the id of a snapshot and no diff followed yet.
    #[must_use]
    pub const fn relate(self, ids: DiffIds, id: u64, fresh: bool) -> Relation {
        // A snapshot of the futures markets may stand inside a diff, or at its end: the diff that ends at its id is
        // not old. One that names the id as its `pu` continues it just as surely.
        let (old, next) = match (self, ids.previous) {
            (Self::Spot, _) => (ids.last <= id, ids.first <= id.saturating_add(1)),
            (Self::Futures, Some(previous)) => {
                let old = ids.last < id || (ids.last == id && !fresh);
                (old, previous == id || (fresh && ids.first <= id))
            }
            (Self::Futures, None) => (false, false),
        };
        if old {
            Relation::Old
        } else if next {
            Relation::Next
        } else {
            Relation::Gap
        }
    }
}

/// How a diff relates to a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The book is past it.
    Old,
    /// It continues the book.
    Next,
    /// Diffs are missing before it.
    Gap,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(first: u64, last: u64, id: u64) -> Relation {
        SyncRule::Spot.relate(DiffIds { first, last, previous: None }, id, false)
    }

    fn futures(first: u64, last: u64, previous: u64, id: u64, fresh: bool) -> Relation {
        SyncRule::Futures.relate(DiffIds { first, last, previous: Some(previous) }, id, fresh)
    }

    #[test]
    fn spot_continues_at_or_before_the_next_id() {
        assert_eq!(spot(90, 99, 100), Relation::Old);
        assert_eq!(spot(90, 100, 100), Relation::Old);
        assert_eq!(spot(90, 101, 100), Relation::Next);
        assert_eq!(spot(101, 101, 100), Relation::Next);
        assert_eq!(spot(101, 120, 100), Relation::Next);
        assert_eq!(spot(102, 120, 100), Relation::Gap);
        assert_eq!(spot(u64::MAX, u64::MAX, u64::MAX), Relation::Old);
    }

    #[test]
    fn the_first_future_contains_the_snapshot() {
        assert_eq!(futures(90, 99, 80, 100, true), Relation::Old);
        assert_eq!(futures(90, 100, 80, 100, true), Relation::Next);
        assert_eq!(futures(100, 130, 80, 100, true), Relation::Next);
        assert_eq!(futures(105, 130, 103, 100, true), Relation::Gap);
        // Named by `pu`, nothing lies between.
        assert_eq!(futures(105, 130, 100, 100, true), Relation::Next);
    }

    #[test]
    fn later_futures_name_the_one_before() {
        assert_eq!(futures(105, 130, 100, 100, false), Relation::Next);
        assert_eq!(futures(90, 100, 80, 100, false), Relation::Old);
        assert_eq!(futures(100, 130, 80, 100, false), Relation::Gap);
        assert_eq!(futures(101, 130, 99, 100, false), Relation::Gap);
        assert_eq!(futures(101, 130, 101, 100, false), Relation::Gap);
    }

    #[test]
    fn a_future_without_its_previous_id_is_a_gap() {
        let ids = DiffIds { first: 1, last: 200, previous: None };
        assert_eq!(SyncRule::Futures.relate(ids, 100, true), Relation::Gap);
    }
}
