//! A book of one instrument: snapshot and diffs by the venue's rule, and trust as a state (binance.md §4).

use crate::book::pending::{Diff, Pending};
use crate::book::rule::{Relation, SyncRule};
use crate::book::trust::{BookCounts, DiffOutcome, Distrust, SnapshotOutcome, Trust};
use crate::book::{DiffIds, Ladder, Level};
use crate::domain::{Price, Side};
use crate::limits::BOOK_LEVELS_MAX;
use crate::message::tick::Top;

/// The book of one instrument.
///
/// While it is trusted, it is exactly the venue's book at [`update_id`](Self::update_id), as far as the snapshot and
/// the diffs told it. Once it is not, its levels stay readable, diffs wait, and only a snapshot that they continue
/// restores trust.
///
/// In the order of use: what every tick tells of the book stands in one line.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Book {
    update_id: u64,
    version: u64,
    applied: u64,
    rule: SyncRule,
    trust: Trust,
    /// No diff was applied since the snapshot.
    fresh: bool,
    loaded: bool,
    bids: Ladder,
    asks: Ladder,
    /// Diffs since trust was lost.
    pending: Pending,
    counts: BookCounts,
}

impl Book {
    /// An empty book that was never synchronised. `tick` is a hint for speed; zero is unknown.
    #[must_use]
    pub fn new(rule: SyncRule, tick: Price) -> Self {
        Self {
            update_id: 0,
            version: 0,
            applied: 0,
            rule,
            trust: Trust::Untrusted(Distrust::NeverSynced),
            fresh: false,
            loaded: false,
            bids: Ladder::new(Side::Buy, tick),
            asks: Ladder::new(Side::Sell, tick),
            pending: Pending::default(),
            counts: BookCounts::default(),
        }
    }

    /// Takes a depth diff.
    pub fn on_diff(&mut self, ids: DiffIds, bids: &[Level], asks: &[Level]) -> DiffOutcome {
        let diff = Diff { ids, bids, asks };
        let complete = ids.previous.is_some() == (self.rule == SyncRule::Futures);
        if !complete || ids.first > ids.last || !are_changes(bids) || !are_changes(asks) {
            self.counts.malformed += 1;
            self.distrust(Distrust::Malformed);
            return DiffOutcome::Malformed;
        }
        if self.trust != Trust::Trusted {
            return self.hold(&diff);
        }
        match self.rule.relate(ids, self.update_id, self.fresh) {
            Relation::Old => {
                self.counts.stale += 1;
                DiffOutcome::Stale
            }
            Relation::Gap => {
                self.distrust(Distrust::Gap);
                self.counts.gaps += 1;
                self.hold(&diff);
                DiffOutcome::Gap
            }
            Relation::Next => {
                self.apply(&diff);
                if self.is_trusted() { DiffOutcome::Applied } else { DiffOutcome::Unsound }
            }
        }
    }

    /// Takes the answer to a snapshot request.
    pub fn on_snapshot(&mut self, last_update_id: u64, bids: &[Level], asks: &[Level]) -> SnapshotOutcome {
        self.on_snapshot_with(last_update_id, bids, asks, &mut |_| {})
    }

    /// Takes the answer to a snapshot request, and shows the book after the load and after each diff that waited:
    /// checkpoints fall between them.
    pub fn on_snapshot_with(
        &mut self,
        last_update_id: u64,
        bids: &[Level],
        asks: &[Level],
        seen: &mut dyn FnMut(&Self),
    ) -> SnapshotOutcome {
        let held = |level: &Level| level.quantity.0 > 0;
        if !are_changes(bids) || !are_changes(asks) || !bids.iter().chain(asks).all(held) {
            self.counts.malformed += 1;
            return SnapshotOutcome::Malformed;
        }
        if self.is_trusted() {
            if last_update_id <= self.update_id {
                return SnapshotOutcome::Ignored;
            }
        } else if !self.pending.continues(self.rule, last_update_id) {
            self.counts.too_old += 1;
            return SnapshotOutcome::TooOld;
        }
        self.bids.load(bids);
        self.asks.load(asks);
        (self.update_id, self.fresh, self.applied) = (last_update_id, true, 0);
        self.counts.resyncs += u64::from(self.loaded);
        (self.loaded, self.trust) = (true, Trust::Trusted);
        self.version += 1;
        self.examine();
        seen(self);
        self.drain(seen);
        if self.is_trusted() { SnapshotOutcome::Loaded } else { SnapshotOutcome::Unsound }
    }

    /// Withdraws trust. The first reason stands until the book is trusted again.
    ///
    /// After [`Distrust::Disconnected`] nothing is expected of the ids to come: what waited is forgotten.
    pub fn distrust(&mut self, why: Distrust) {
        if self.is_trusted() {
            self.trust = Trust::Untrusted(why);
            self.pending.start(self.update_id);
            self.version += 1;
        }
        if why == Distrust::Disconnected {
            self.pending.clear();
        }
    }

    /// Whether the book may be used, and why not.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        self.trust
    }

    /// Whether the book may be used.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        matches!(self.trust, Trust::Trusted)
    }

    /// The venue's id of the last update in the book; 0 before the first snapshot.
    #[must_use]
    pub const fn update_id(&self) -> u64 {
        self.update_id
    }

    /// Counts every change of levels or trust.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Diffs applied since the last snapshot.
    #[must_use]
    pub const fn applied(&self) -> u64 {
        self.applied
    }

    /// What happened since the start.
    #[must_use]
    pub const fn counts(&self) -> &BookCounts {
        &self.counts
    }

    /// Bytes of diffs that wait for a snapshot.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.pending.bytes()
    }

    /// The bids or the asks.
    #[must_use]
    pub const fn side(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    /// The best bid.
    #[inline]
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.best()
    }

    /// The best ask.
    #[inline]
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.best()
    }

    /// The best bid and ask; price and quantity 0 where a side is empty.
    #[inline]
    #[must_use]
    pub fn top(&self) -> Top {
        let (bid, ask) = (self.bids.best().unwrap_or_default(), self.asks.best().unwrap_or_default());
        Top { bid: bid.price, bid_quantity: bid.quantity, ask: ask.price, ask_quantity: ask.quantity }
    }

    /// Sets the levels of a diff that continues the book.
    fn apply(&mut self, diff: &Diff<'_>) {
        self.counts.unknown_deletes += self.bids.set_all(diff.bids) + self.asks.set_all(diff.asks);
        (self.update_id, self.fresh) = (diff.ids.last, false);
        self.applied += 1;
        self.version += 1;
        self.examine();
    }

    /// Withdraws trust from a book that cannot be the venue's.
    fn examine(&mut self) {
        let top = self.top();
        let why = if top.bid.is_some() && top.ask.is_some() && !top.is_sound() {
            Distrust::Crossed
        } else if self.bids.len().max(self.asks.len()) > BOOK_LEVELS_MAX {
            Distrust::Overflow
        } else {
            return;
        };
        self.counts.unsound += 1;
        self.distrust(why);
    }

    /// Keeps a diff for the next snapshot.
    fn hold(&mut self, diff: &Diff<'_>) -> DiffOutcome {
        let (relation, dropped) = self.pending.hold(self.rule, diff);
        self.counts.buffered_drops += dropped;
        match relation {
            Relation::Old => {
                self.counts.stale += 1;
                DiffOutcome::Stale
            }
            Relation::Next => DiffOutcome::Buffered,
            Relation::Gap => {
                self.counts.gaps += 1;
                DiffOutcome::Gap
            }
        }
    }

    /// Applies the diffs that waited, as long as the book stays trusted.
    fn drain(&mut self, seen: &mut dyn FnMut(&Self)) {
        let mut pending = std::mem::take(&mut self.pending);
        while self.is_trusted() {
            let Some(diff) = pending.oldest() else { break };
            match self.rule.relate(diff.ids, self.update_id, self.fresh) {
                Relation::Old => self.counts.stale += 1,
                Relation::Next => {
                    self.apply(&diff);
                    seen(self);
                }
                // The run is unbroken and begins with what was checked before the load.
                Relation::Gap => {
                    self.counts.gaps += 1;
                    self.distrust(Distrust::Gap);
                    break;
                }
            }
            pending.pop();
        }
        self.pending = pending;
        if self.is_trusted() {
            self.pending.clear();
        } else {
            self.pending.start(self.update_id);
        }
    }
}

/// Whether all levels may stand in a diff: prices above zero, quantities not below.
fn are_changes(levels: &[Level]) -> bool {
    // Nearly always they may, so all are looked at: the sign of what is put together is that of any that is wrong.
    let sign = |level: &Level| level.price.0 | level.price.0.wrapping_sub(1) | level.quantity.0;
    let (fours, rest) = levels.as_chunks::<4>();
    let signs = |levels: &[Level]| levels.iter().fold(0, |signs, level| signs | sign(level));
    fours.iter().fold(signs(rest), |all, four| all | signs(four)) >= 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Quantity;
    use crate::limits::{BOOK_BUFFER_BYTES_MAX, BOOK_BUFFER_DIFFS_MAX};

    fn level(price: i64, quantity: i64) -> Level {
        Level { price: Price(price), quantity: Quantity(quantity) }
    }

    /// A spot book on a market where update `u` sets the bid at 100 to `u`; asks rest at 200.
    struct Spot(Book);

    impl Spot {
        fn new() -> Self {
            Self(Book::new(SyncRule::Spot, Price(1)))
        }

        fn synced(id: u64) -> Self {
            let mut book = Self::new();
            assert_eq!(book.snapshot(id), SnapshotOutcome::Loaded);
            book
        }

        fn snapshot(&mut self, id: u64) -> SnapshotOutcome {
            let quantity = i64::try_from(id).expect("small");
            self.0.on_snapshot(id, &[level(100, quantity)], &[level(200, 1)])
        }

        fn diff(&mut self, first: u64, last: u64) -> DiffOutcome {
            let ids = DiffIds { first, last, previous: None };
            self.0.on_diff(ids, &[level(100, i64::try_from(last).expect("small"))], &[])
        }

        fn is_at(&self, id: u64) -> bool {
            let quantity = self.0.best_bid().map_or(0, |level| level.quantity.0.unsigned_abs());
            self.0.is_trusted() && self.0.update_id() == id && quantity == id
        }
    }

    #[test]
    fn buffers_until_the_snapshot_and_continues_it() {
        let mut book = Spot::new();
        assert_eq!(book.0.trust(), Trust::Untrusted(Distrust::NeverSynced));
        for (first, last) in [(1, 5), (6, 10), (11, 15)] {
            assert_eq!(book.diff(first, last), DiffOutcome::Buffered);
        }
        assert_eq!(book.diff(6, 10), DiffOutcome::Stale);
        let mut seen = Vec::new();
        let outcome = book.0.on_snapshot_with(7, &[level(100, 7)], &[], &mut |book| {
            seen.push((book.update_id(), book.applied()));
        });
        assert_eq!((outcome, seen), (SnapshotOutcome::Loaded, vec![(7, 0), (10, 1), (15, 2)]));
        assert!(book.is_at(15));
        assert_eq!(book.0.buffered_bytes(), 0);
        assert_eq!(book.diff(16, 16), DiffOutcome::Applied);
        assert_eq!(book.diff(16, 16), DiffOutcome::Stale);
        assert_eq!(book.diff(10, 18), DiffOutcome::Applied);
        assert!(book.is_at(18));
        assert_eq!((book.0.applied(), book.0.version()), (4, 5));
        assert_eq!(*book.0.counts(), BookCounts { stale: 3, ..BookCounts::default() });
    }

    #[test]
    fn a_gap_withdraws_trust_until_a_snapshot_reaches_past_it() {
        let mut book = Spot::synced(100);
        assert_eq!(book.diff(111, 120), DiffOutcome::Gap);
        assert_eq!(book.0.trust(), Trust::Untrusted(Distrust::Gap));
        assert_eq!(book.0.best_bid(), Some(level(100, 100)));
        assert_eq!(book.diff(101, 110), DiffOutcome::Stale);
        assert_eq!(book.diff(121, 130), DiffOutcome::Buffered);
        for old in [99, 100, 109] {
            assert_eq!(book.snapshot(old), SnapshotOutcome::TooOld);
            assert!(!book.0.is_trusted());
        }
        assert_eq!(book.snapshot(110), SnapshotOutcome::Loaded);
        assert!(book.is_at(130));
        let counts = BookCounts { gaps: 1, stale: 1, too_old: 3, resyncs: 1, ..BookCounts::default() };
        assert_eq!(*book.0.counts(), counts);
    }

    #[test]
    fn a_gap_among_the_waiting_leaves_only_what_follows_it() {
        let mut book = Spot::new();
        assert_eq!(book.diff(1, 5), DiffOutcome::Buffered);
        assert_eq!(book.diff(11, 15), DiffOutcome::Gap);
        assert_eq!(book.snapshot(4), SnapshotOutcome::TooOld);
        assert_eq!(book.snapshot(12), SnapshotOutcome::Loaded);
        assert!(book.is_at(15));
        assert_eq!((book.0.counts().gaps, book.0.counts().buffered_drops), (1, 1));
    }

    #[test]
    fn snapshots_of_a_trusted_book() {
        let mut book = Spot::synced(100);
        book.diff(101, 110);
        for late in [50, 110] {
            assert_eq!(book.snapshot(late), SnapshotOutcome::Ignored);
        }
        assert!(book.is_at(110));
        assert_eq!(book.snapshot(115), SnapshotOutcome::Loaded);
        assert!(book.is_at(115));
        assert_eq!(book.diff(111, 115), DiffOutcome::Stale);
        assert_eq!(book.diff(116, 118), DiffOutcome::Applied);
        assert!(book.is_at(118));
    }

    #[test]
    fn a_lost_frame_is_found_by_the_next() {
        let mut book = Spot::synced(100);
        book.0.distrust(Distrust::Malformed);
        book.0.distrust(Distrust::Gap);
        assert_eq!(book.0.trust(), Trust::Untrusted(Distrust::Malformed));
        // Diffs up to 100 are gone, so an older snapshot cannot be continued.
        assert_eq!(book.snapshot(99), SnapshotOutcome::TooOld);
        assert_eq!(book.snapshot(100), SnapshotOutcome::Loaded);
        assert_eq!(book.diff(111, 120), DiffOutcome::Gap);
    }

    #[test]
    fn a_new_stream_may_count_anew() {
        let mut book = Spot::synced(100);
        book.0.distrust(Distrust::Disconnected);
        assert_eq!(book.diff(5, 6), DiffOutcome::Buffered);
        assert_eq!(book.snapshot(4), SnapshotOutcome::Loaded);
        assert!(book.is_at(6));
    }

    #[test]
    fn nonsense_is_refused_whole() {
        let ids = DiffIds { first: 101, last: 101, previous: None };
        let backwards = DiffIds { first: 102, last: 101, previous: None };
        let foreign = DiffIds { first: 101, last: 101, previous: Some(100) };
        for (ids, bad) in [
            (ids, level(0, 1)),
            (ids, level(-1, 1)),
            (ids, level(5, -1)),
            (backwards, level(5, 1)),
            (foreign, level(5, 1)),
        ] {
            let mut book = Spot::synced(100);
            assert_eq!(book.0.on_diff(ids, &[level(100, 9), bad], &[]), DiffOutcome::Malformed);
            assert_eq!(book.0.trust(), Trust::Untrusted(Distrust::Malformed));
            assert_eq!(book.0.best_bid(), Some(level(100, 100)));
            assert_eq!(book.snapshot(101), SnapshotOutcome::Loaded);
        }
        let mut book = Spot::synced(100);
        assert_eq!(book.0.on_snapshot(101, &[level(5, 0)], &[]), SnapshotOutcome::Malformed);
        assert!(book.is_at(100));
        let mut futures = Book::new(SyncRule::Futures, Price(1));
        assert_eq!(futures.on_diff(ids, &[], &[]), DiffOutcome::Malformed);
    }

    #[test]
    fn a_crossed_book_is_not_trusted() {
        let mut book = Spot::synced(100);
        let diff = |id| DiffIds { first: id, last: id, previous: None };
        assert_eq!(book.0.on_diff(diff(101), &[level(200, 1)], &[]), DiffOutcome::Unsound);
        assert_eq!(book.0.trust(), Trust::Untrusted(Distrust::Crossed));
        assert_eq!(book.0.on_diff(diff(102), &[], &[]), DiffOutcome::Buffered);
        assert_eq!(book.0.on_snapshot(101, &[level(9, 1)], &[level(9, 1)]), SnapshotOutcome::Unsound);
        assert_eq!(book.0.trust(), Trust::Untrusted(Distrust::Crossed));
        assert_eq!(book.snapshot(101), SnapshotOutcome::Loaded);
        assert_eq!((book.0.update_id(), book.0.counts().unsound), (102, 2));
        // One side alone crosses nothing.
        assert_eq!(book.0.on_diff(diff(103), &[], &[level(200, 0)]), DiffOutcome::Applied);
        assert_eq!(book.0.top(), Top { bid: Price(100), bid_quantity: Quantity(101), ..Top::default() });
    }

    #[test]
    fn a_side_without_end_is_not_trusted() {
        let mut book = Spot::synced(100);
        let prices = 201..=200 + i64::try_from(BOOK_LEVELS_MAX).expect("small");
        let asks: Vec<_> = prices.map(|price| level(price, 1)).collect();
        let ids = DiffIds { first: 101, last: 101, previous: None };
        assert_eq!(book.0.on_diff(ids, &[], &asks), DiffOutcome::Unsound);
        assert_eq!(book.0.trust(), Trust::Untrusted(Distrust::Overflow));
    }

    #[test]
    fn a_full_buffer_drops_the_oldest_and_then_refuses_older_snapshots() {
        let mut book = Spot::new();
        let (count, extra) = (BOOK_BUFFER_DIFFS_MAX as u64, 10);
        for id in 1..=count + extra {
            assert_eq!(book.diff(id, id), DiffOutcome::Buffered);
            assert!(book.0.buffered_bytes() <= BOOK_BUFFER_BYTES_MAX);
        }
        assert_eq!(book.0.counts().buffered_drops, extra);
        assert_eq!(book.snapshot(extra - 1), SnapshotOutcome::TooOld);
        assert_eq!(book.snapshot(extra), SnapshotOutcome::Loaded);
        assert!(book.is_at(count + extra));
    }

    #[test]
    fn unknown_deletes_are_counted_and_harmless() {
        let mut book = Spot::synced(100);
        let ids = DiffIds { first: 101, last: 101, previous: None };
        assert_eq!(
            book.0.on_diff(ids, &[level(7, 0), level(100, 0)], &[level(900, 0)]),
            DiffOutcome::Applied
        );
        assert_eq!((book.0.counts().unknown_deletes, book.0.side(Side::Buy).len()), (2, 0));
    }
}
