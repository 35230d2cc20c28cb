//! The exchange's book of one instrument: depth, refined by a newer best bid and ask, less what we took from it.

use super::config::better;
use crate::book::{Book, DiffIds, DiffOutcome, Level, SnapshotOutcome, SyncRule};
use crate::domain::{BySide, Instrument, Price, Quantity, Side};
use crate::message::tick::Top;

/// What our takers took from a level. The market's book never shows it, so it is remembered until the level's
/// quantity next changes: from then on the market is taken to have made up for us.
#[derive(Clone, Copy, Debug)]
struct Taken {
    price: Price,
    quantity: Quantity,
    visible: Quantity,
}

/// The exchange's book of one instrument.
#[derive(Debug)]
pub(super) struct Depth {
    book: Book,
    /// The newest best bid and ask, with the book update that made it so.
    ticker: Option<(u64, Top)>,
    taken: BySide<Vec<Taken>>,
}

impl Depth {
    /// Of an instrument, never synchronised.
    pub(super) fn new(instrument: &Instrument) -> Self {
        let book = Book::new(SyncRule::of(instrument.market), instrument.filters.tick);
        Self { book, ticker: None, taken: BySide::default() }
    }

    /// Takes a snapshot. Returns whether it told anything.
    pub(super) fn on_snapshot(&mut self, last_update_id: u64, bids: &[Level], asks: &[Level]) -> bool {
        let outcome = self.book.on_snapshot(last_update_id, bids, asks);
        self.after_update(outcome == SnapshotOutcome::Loaded)
    }

    /// Takes a diff. Returns whether it told anything.
    pub(super) fn on_diff(&mut self, ids: DiffIds, bids: &[Level], asks: &[Level]) -> bool {
        let outcome = self.book.on_diff(ids, bids, asks);
        self.after_update(outcome == DiffOutcome::Applied)
    }

    /// Takes a best bid and ask; one that is not newer than the last, or that cannot be, is ignored. Returns whether
    /// it told anything.
    pub(super) fn on_ticker(&mut self, update_id: u64, top: Top) -> bool {
        let newest = self.ticker.map_or(0, |(last, _)| last).max(self.book.update_id());
        let empty = top.bid == Price::NONE || top.ask == Price::NONE;
        let values = [top.bid.0, top.bid_quantity.0, top.ask.0, top.ask_quantity.0];
        let news = update_id > newest && (top.is_sound() || empty) && values.iter().all(|&value| value >= 0);
        if news {
            self.ticker = Some((update_id, top));
        }
        self.after_update(news && self.is_live())
    }

    /// After `news`, forgets what we took from levels that have changed since, or that are gone.
    #[inline]
    fn after_update(&mut self, news: bool) -> bool {
        if news && !self.is_untouched() {
            self.forget_taken();
        }
        news
    }

    #[cold]
    fn forget_taken(&mut self) {
        for side in [Side::Buy, Side::Sell] {
            let mut taken = std::mem::take(self.taken.get_mut(side));
            taken.retain(|level| self.quantity_at(side, level.price) == level.visible);
            *self.taken.get_mut(side) = taken;
        }
    }

    /// Whether the exchange has a book to match against. The book distrusts itself when it crosses, and no ticker that
    /// crosses is taken.
    pub(super) const fn is_live(&self) -> bool {
        self.book.is_trusted()
    }

    /// Whether neither side has levels.
    pub(super) fn is_empty(&self) -> bool {
        self.best(Side::Buy).or_else(|| self.best(Side::Sell)).is_none()
    }

    /// The ticker's level of `side`, where it is newer than the depth. A side without levels has price 0.
    fn refinement(&self, side: Side) -> Option<Level> {
        let (update_id, top) = self.ticker?;
        let (price, quantity) = match side {
            Side::Buy => (top.bid, top.bid_quantity),
            Side::Sell => (top.ask, top.ask_quantity),
        };
        (update_id > self.book.update_id()).then_some(Level { price, quantity })
    }

    /// Whether `price` of `side` lies behind what the ticker tells, so that its level is that of the depth.
    pub(super) fn leaves_behind(&self, side: Side, price: Price) -> bool {
        self.refinement(side).is_none_or(|top| top.price.is_some() && better(side, top.price.0, price.0))
    }

    /// The best bid and ask as the newest ticker has them, where both sides have levels of which we took nothing.
    #[inline]
    pub(super) fn ticker_best(&self) -> Option<(Price, Price)> {
        let (_, top) = self.ticker.filter(|_| self.is_untouched())?;
        let is_whole = top.is_sound() && top.bid_quantity.0 > 0 && top.ask_quantity.0 > 0;
        is_whole.then_some((top.bid, top.ask))
    }

    /// Whether we took nothing that the market has not made up for.
    #[inline]
    const fn is_untouched(&self) -> bool {
        self.taken.buy.is_empty() && self.taken.sell.is_empty()
    }

    /// The levels of `side` as the market shows them, best first.
    fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let refined = self.refinement(side);
        let head = refined.filter(|top| top.price.is_some() && top.quantity.0 > 0);
        let hidden = move |level: &Level| {
            refined.is_some_and(|top| !top.price.is_some() || !better(side, top.price.0, level.price.0))
        };
        head.into_iter().chain(self.book.side(side).iter().skip_while(hidden))
    }

    /// The best price of `side` as the market shows it: asked for with every change, and mostly one of two values at hand.
    fn best(&self, side: Side) -> Option<Price> {
        match self.refinement(side) {
            None => self.book.side(side).best().map(|level| level.price),
            Some(top) if top.price.is_some() && top.quantity.0 > 0 => Some(top.price),
            Some(_) => self.levels(side).next().map(|level| level.price),
        }
    }

    /// The levels of `side` less what we took from them, best first.
    pub(super) fn open(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let left = move |level: Level| {
            let taken = self.taken.get(side).iter().find(|taken| taken.price == level.price);
            let quantity = Quantity(level.quantity.0 - taken.map_or(0, |taken| taken.quantity.0));
            (quantity.0 > 0).then_some(Level { quantity, ..level })
        };
        self.levels(side).filter_map(left)
    }

    /// The best price of `side` at which anything is left.
    pub(super) fn best_open(&self, side: Side) -> Option<Price> {
        if self.taken.get(side).is_empty() {
            return self.best(side);
        }
        self.open(side).next().map(|level| level.price)
    }

    /// What the market shows at `price` on `side`.
    pub(super) fn quantity_at(&self, side: Side, price: Price) -> Quantity {
        match self.refinement(side) {
            Some(top) if price == top.price => top.quantity,
            Some(top) if !top.price.is_some() || better(side, price.0, top.price.0) => Quantity::ZERO,
            _ => self.book.side(side).quantity_at(price),
        }
    }

    /// Notes that we took `quantity` at `price` from `side`.
    pub(super) fn take(&mut self, side: Side, price: Price, quantity: Quantity) {
        let visible = self.quantity_at(side, price);
        let taken = self.taken.get_mut(side);
        match taken.iter_mut().find(|level| level.price == price) {
            Some(level) => level.quantity.0 += quantity.0,
            None => taken.push(Taken { price, quantity, visible }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{instrument, levels};
    use super::*;

    fn diff(last: u64) -> DiffIds {
        DiffIds { first: last, last, previous: None }
    }

    fn depth() -> Depth {
        let mut depth = Depth::new(&instrument());
        assert!(depth.on_snapshot(10, &levels(&[(99, 5), (98, 7)]), &levels(&[(101, 4), (102, 6)])));
        depth
    }

    fn top(bid: i64, bid_quantity: i64, ask: i64, ask_quantity: i64) -> Top {
        let (bid, ask) = (Price(bid), Price(ask));
        Top { bid, bid_quantity: Quantity(bid_quantity), ask, ask_quantity: Quantity(ask_quantity) }
    }

    fn open(depth: &Depth, side: Side) -> Vec<(i64, i64)> {
        depth.open(side).map(|level| (level.price.0, level.quantity.0)).collect()
    }

    #[test]
    fn a_newer_ticker_refines_the_top_until_the_depth_catches_up() {
        let mut depth = depth();
        assert!(!depth.on_ticker(10, top(100, 9, 101, 9)));
        assert_eq!(open(&depth, Side::Buy), [(99, 5), (98, 7)], "not newer than the depth");
        depth.on_ticker(13, top(98, 3, 100, 1));
        assert_eq!(open(&depth, Side::Buy), [(98, 3)]);
        assert_eq!(open(&depth, Side::Sell), [(100, 1), (101, 4), (102, 6)]);
        let at = |depth: &Depth, side, price| depth.quantity_at(side, Price(price)).0;
        assert_eq!([99, 98, 97].map(|price| at(&depth, Side::Buy, price)), [0, 3, 0]);
        assert_eq!([99, 100, 101].map(|price| at(&depth, Side::Sell, price)), [0, 1, 4]);
        assert!(!depth.on_ticker(12, top(97, 3, 100, 1)), "older");
        assert!(!depth.on_ticker(14, top(100, 3, 100, 1)), "crossed");
        assert!(!depth.on_ticker(14, top(0, -1, 100, 1)), "negative");
        assert_eq!(open(&depth, Side::Buy), [(98, 3)], "none of these counts");
        depth.on_diff(diff(11), &levels(&[(97, 1)]), &[]);
        assert_eq!(open(&depth, Side::Buy), [(98, 3), (97, 1)], "still older than the ticker");
        depth.on_diff(DiffIds { first: 12, last: 13, previous: None }, &levels(&[(99, 0)]), &[]);
        assert_eq!(open(&depth, Side::Buy), [(98, 7), (97, 1)]);
    }

    #[test]
    fn a_ticker_may_empty_a_side() {
        let mut depth = depth();
        depth.on_ticker(11, top(0, 0, 101, 4));
        assert_eq!(open(&depth, Side::Buy), []);
        assert_eq!(depth.quantity_at(Side::Buy, Price(98)).0, 0);
        depth.on_ticker(12, top(99, 5, 0, 0));
        assert_eq!(open(&depth, Side::Sell), []);
        assert_eq!(depth.quantity_at(Side::Sell, Price(102)).0, 0);
        assert!(depth.is_live());
    }

    #[test]
    fn what_we_took_stays_taken_until_the_level_changes() {
        let mut depth = depth();
        depth.take(Side::Sell, Price(101), Quantity(3));
        depth.take(Side::Sell, Price(101), Quantity(1));
        depth.take(Side::Sell, Price(102), Quantity(2));
        assert_eq!(open(&depth, Side::Sell), [(102, 4)]);
        assert_eq!(depth.quantity_at(Side::Sell, Price(101)).0, 4, "the market does not see us");
        depth.on_diff(diff(11), &levels(&[(99, 6)]), &levels(&[(101, 4)]));
        assert_eq!(open(&depth, Side::Sell), [(102, 4)], "told again, not changed");
        depth.on_diff(diff(12), &[], &levels(&[(101, 3)]));
        assert_eq!(open(&depth, Side::Sell), [(101, 3), (102, 4)]);
        depth.on_diff(diff(13), &[], &levels(&[(101, 0), (102, 0)]));
        assert_eq!(depth.best_open(Side::Sell), None);
    }

    #[test]
    fn no_book_before_the_snapshot_and_after_a_gap() {
        assert!(!Depth::new(&instrument()).is_live());
        let mut depth = depth();
        assert!(depth.is_live());
        assert!(!depth.on_diff(diff(9), &levels(&[(99, 1)]), &[]), "old");
        assert!(!depth.on_diff(diff(16), &[], &[]));
        assert!(!depth.is_live());
    }
}
