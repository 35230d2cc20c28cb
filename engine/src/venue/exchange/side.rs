//! One side of one book: the market's levels, less what accounts took from them, and the accounts' resting orders.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::AccountIndex;
use crate::book::Level;
use crate::domain::{Price, Quantity, Side};
use crate::venue::simulated::QueueModel;
use crate::venue::simulated::queue::{Position, Stamp};

/// A level of the market.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// By the last update.
    market: i64,
    /// Taken by accounts since: the market does not see them, and is taken to have made up for it when it next changes
    /// the level.
    taken: i64,
}

impl Cell {
    const fn open(self) -> i64 {
        self.market - self.taken
    }
}

/// An account's order on the book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    pub(super) id: u64,
    pub(super) account: AccountIndex,
    pub(super) price: Price,
    /// What the book shows of it.
    pub(super) leaves: i64,
    /// What it does not show: it comes part by part, each behind what stands there by then.
    hidden: i64,
    /// The size of a part; 0 for an order that hides nothing.
    part: i64,
    position: Position,
}

impl Rest {
    /// The market's quantity before it.
    pub(super) const fn ahead(&self) -> i64 {
        self.position.ahead()
    }

    const fn whole(&self) -> i64 {
        self.leaves + self.hidden
    }

    const fn offer(&self, first: bool) -> Offer {
        let Self { id, account, price, leaves, .. } = *self;
        Offer::Order { id, account, price, quantity: leaves, whole: self.whole(), first }
    }
}

/// A fill of a resting order by the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MarketFill {
    pub(super) id: u64,
    pub(super) price: Price,
    pub(super) quantity: i64,
}

/// What stands at one price, in the order in which it trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// The market's.
    Market { price: Price, quantity: i64 },
    /// An account's: what the book shows of it, or the next part, and all that is left of it. An iceberg comes again
    /// with each part; only the first time it is `first`.
    Order { id: u64, account: AccountIndex, price: Price, quantity: i64, whole: i64, first: bool },
}

impl Offer {
    pub(super) const fn price(&self) -> Price {
        match *self {
            Self::Market { price, .. } | Self::Order { price, .. } => price,
        }
    }
}

/// One side. Keys are ranks: prices with the sign that puts the best first.
#[derive(Debug)]
pub(super) struct BookSide {
    side: Side,
    market: BTreeMap<i64, Cell>,
    /// Best first, then by time.
    orders: Vec<Rest>,
    /// Ranks whose published quantity may have changed since they were last asked for.
    changed: BTreeSet<i64>,
    /// Whether any changed since [`take_touched`](Self::take_touched).
    touched: bool,
}

impl BookSide {
    pub(super) const fn new(side: Side) -> Self {
        Self { side, market: BTreeMap::new(), orders: Vec::new(), changed: BTreeSet::new(), touched: false }
    }

    fn mark(&mut self, rank: i64) {
        self.changed.insert(rank);
        self.touched = true;
    }

    /// Whether anything published changed since the last call.
    pub(super) const fn take_touched(&mut self) -> bool {
        std::mem::replace(&mut self.touched, false)
    }

    const fn rank(&self, price: Price) -> i64 {
        -price.0 * self.side.sign()
    }

    const fn price(&self, rank: i64) -> Price {
        Price(-rank * self.side.sign())
    }

    /// Whether an order at `price` on this side is at or beyond `limit`, so that one on the other side reaches it.
    pub(super) const fn reaches(&self, price: Price, limit: Price) -> bool {
        self.rank(price) <= self.rank(limit)
    }

    /// Sets the market's levels. Everything else of the market goes if `whole`.
    pub(super) fn set_market(&mut self, levels: &[Level], whole: bool) {
        if whole {
            self.changed.extend(self.market.keys());
            self.touched = true;
            self.market.clear();
        }
        for level in levels.iter().filter(|level| level.quantity.0 >= 0 && level.price.0 > 0) {
            let rank = self.rank(level.price);
            let changed = if level.quantity.0 == 0 {
                self.market.remove(&rank).is_some()
            } else {
                // Told again without a change, it holds what it held: what was taken stays taken.
                let news = self.market.get(&rank).is_none_or(|cell| cell.market != level.quantity.0);
                if news {
                    self.market.insert(rank, Cell { market: level.quantity.0, taken: 0 });
                }
                news
            };
            if changed || whole {
                self.mark(rank);
            }
        }
    }

    /// Drops the market's levels at or beyond `limit` of the other side: stale ones that its newer level crosses.
    pub(super) fn drop_crossed(&mut self, limit: Price) {
        let limit = self.rank(limit);
        while let Some(rank) = self.market.keys().next().copied().filter(|rank| *rank <= limit) {
            self.market.remove(&rank);
            self.mark(rank);
        }
    }

    /// The market's best price, whatever of it is taken.
    pub(super) fn best_market(&self) -> Option<Price> {
        self.market.keys().next().map(|&rank| self.price(rank))
    }

    /// The market's best level that is open.
    pub(super) fn best_open(&self) -> Option<Level> {
        let level = self.market.iter().find(|(_, cell)| cell.open() > 0)?;
        Some(Level { price: self.price(*level.0), quantity: Quantity(level.1.open()) })
    }

    /// Takes from the market's level.
    pub(super) fn take_market(&mut self, price: Price, quantity: i64) {
        let rank = self.rank(price);
        if let Some(cell) = self.market.get_mut(&rank) {
            cell.taken += quantity;
            self.mark(rank);
            for order in self.at_mut(rank) {
                order.position.on_taken(quantity);
            }
        }
    }

    fn range(&self, rank: i64) -> std::ops::Range<usize> {
        let start = self.orders.partition_point(|order| self.rank(order.price) < rank);
        let length = self.orders[start..].partition_point(|order| self.rank(order.price) == rank);
        start..start + length
    }

    fn at_mut(&mut self, rank: i64) -> &mut [Rest] {
        let range = self.range(rank);
        &mut self.orders[range]
    }

    /// Adds an order behind everything at its price, of which the book shows no more than a `part` at a time if that is
    /// not 0.
    pub(super) fn insert(&mut self, id: u64, account: AccountIndex, price: Price, whole: i64, part: i64) {
        let leaves = if part > 0 { whole.min(part) } else { whole };
        let hidden = whole - leaves;
        let rank = self.rank(price);
        let cell = self.market.get(&rank).copied().unwrap_or_default();
        let mut position = Position::joining(cell.open(), cell.market);
        let range = self.range(rank);
        if let Some(earlier) = self.orders[range.clone()].last() {
            position.stay_behind(earlier.ahead());
        }
        self.orders.insert(range.end, Rest { id, account, price, leaves, hidden, part, position });
        self.mark(rank);
    }

    fn find(&self, id: u64, price: Price) -> Option<usize> {
        let range = self.range(self.rank(price));
        let start = range.start;
        self.orders[range].iter().position(|order| order.id == id).map(|at| start + at)
    }

    /// Takes an order off.
    pub(super) fn remove(&mut self, id: u64, price: Price) {
        if let Some(at) = self.find(id, price) {
            self.orders.remove(at);
            self.mark(self.rank(price));
        }
    }

    /// An order has traded or was prevented; it keeps its place while anything of what is shown is left. With nothing
    /// left it goes; an iceberg's next part comes behind everything at its price.
    pub(super) fn reduce(&mut self, id: u64, price: Price, by: i64) {
        let Some(at) = self.find(id, price) else { return };
        self.orders[at].leaves -= by;
        self.mark(self.rank(price));
        if self.orders[at].leaves <= 0 {
            let gone = self.orders.remove(at);
            if gone.whole() > 0 {
                self.insert(id, gone.account, price, gone.whole(), gone.part);
            }
        }
    }

    /// An order was made smaller by less than what is left of it, what it hides first; it keeps its place.
    pub(super) fn shrink(&mut self, id: u64, price: Price, by: i64) {
        let Some(at) = self.find(id, price) else { return };
        let order = &mut self.orders[at];
        let hidden = order.hidden.min(by);
        order.hidden -= hidden;
        order.leaves -= by - hidden;
        self.mark(self.rank(price));
    }

    /// Everything that stands here, in the order in which it trades, best first. `on_offer` says whether to go on.
    pub(super) fn walk(&self, mut on_offer: impl FnMut(Offer) -> bool) {
        let mut orders = self.orders.iter().peekable();
        let mut levels = self.market.iter().filter(|(_, cell)| cell.open() > 0).peekable();
        loop {
            let next_order = orders.peek().map(|order| self.rank(order.price));
            let next_level = levels.peek().map(|(rank, _)| **rank);
            let rank = match (next_order, next_level) {
                (Some(order), Some(level)) => order.min(level),
                (Some(rank), None) | (None, Some(rank)) => rank,
                (None, None) => return,
            };
            let price = self.price(rank);
            let open = levels.next_if(|(level, _)| **level == rank).map_or(0, |(_, cell)| cell.open());
            let mut told = 0;
            let mut icebergs: Vec<Rest> = Vec::new();
            while let Some(order) = orders.next_if(|order| order.price == price) {
                let before = order.ahead().min(open) - told;
                if before > 0 {
                    told += before;
                    if !on_offer(Offer::Market { price, quantity: before }) {
                        return;
                    }
                }
                if !on_offer(order.offer(true)) {
                    return;
                }
                if order.hidden > 0 {
                    icebergs.push(*order);
                }
            }
            if open > told && !on_offer(Offer::Market { price, quantity: open - told }) {
                return;
            }
            // The parts that nobody sees come behind all that is seen, in turns.
            while !icebergs.is_empty() {
                for order in &mut icebergs {
                    let leaves = order.part.min(order.hidden);
                    (order.leaves, order.hidden) = (leaves, order.hidden - leaves);
                    if !on_offer(order.offer(false)) {
                        return;
                    }
                }
                icebergs.retain(|order| order.hidden > 0);
            }
        }
    }

    /// The market traded `quantity` at `price` against this side: which orders it filled. An order at a better price
    /// would have traded first; one at that price trades when the queue before it is gone. No more than the trade.
    pub(super) fn on_print(&mut self, price: Price, quantity: i64, stamp: Stamp) -> Vec<MarketFill> {
        let mut fills = Vec::new();
        let (mut given, mut earlier, mut waiting) = (0, 0, false);
        let print = self.rank(price);
        for at in 0..self.orders.len() {
            let rank = self.rank(self.orders[at].price);
            if rank > print || (rank < print && given >= quantity) {
                break;
            }
            let order = &mut self.orders[at];
            let filled = if rank < print {
                order.whole().min(quantity - given)
            } else {
                let reaches = order.position.on_trade(quantity, given, stamp);
                order.position.stay_behind(earlier);
                earlier = order.ahead();
                if waiting { 0 } else { reaches.min(order.leaves).min(quantity - given) }
            };
            waiting |= filled < order.leaves;
            given += filled;
            if filled > 0 {
                fills.push(MarketFill { id: order.id, price: order.price, quantity: filled });
            }
        }
        self.settle(&fills);
        fills
    }

    /// The other side's open market level reached these orders: which it fills, best first.
    pub(super) fn on_crossed(&mut self, level: Level) -> Vec<MarketFill> {
        let mut left = level.quantity.0;
        let mut fills = Vec::new();
        let limit = self.rank(level.price);
        for order in self.orders.iter().take_while(|order| self.rank(order.price) <= limit) {
            let quantity = order.leaves.min(left);
            left -= quantity;
            if quantity == 0 {
                break;
            }
            fills.push(MarketFill { id: order.id, price: order.price, quantity });
        }
        self.settle(&fills);
        fills
    }

    fn settle(&mut self, fills: &[MarketFill]) {
        for fill in fills {
            self.reduce(fill.id, fill.price, fill.quantity);
        }
    }

    /// The market's levels have changed: every order learns what its level holds.
    pub(super) fn on_levels(&mut self, stamp: Stamp, model: QueueModel) {
        let mut earlier = (Price::NONE, 0);
        for order in &mut self.orders {
            let rank = -order.price.0 * self.side.sign();
            let cell = self.market.get(&rank).copied().unwrap_or_default();
            order.position.on_level(cell.market, stamp, model);
            if earlier.0 == order.price {
                order.position.stay_behind(earlier.1);
            }
            earlier = (order.price, order.ahead());
        }
    }

    /// What is published at `price`.
    pub(super) fn quantity_at(&self, price: Price) -> i64 {
        let rank = self.rank(price);
        let orders: i64 = self.orders[self.range(rank)].iter().map(|order| order.leaves).sum();
        self.market.get(&rank).map_or(0, |cell| cell.open().max(0)) + orders
    }

    /// The best published level.
    pub(super) fn best(&self) -> Option<Level> {
        let market = self.best_open().map(|level| self.rank(level.price));
        let order = self.orders.first().map(|order| self.rank(order.price));
        let rank = market.into_iter().chain(order).min()?;
        let price = self.price(rank);
        Some(Level { price, quantity: Quantity(self.quantity_at(price)) })
    }

    /// The published levels, best first.
    pub(super) fn levels(&self, most: usize) -> Vec<Level> {
        let mut levels = Vec::with_capacity(most.min(self.market.len() + self.orders.len()));
        let mut from = Bound::Unbounded;
        let mut orders = self.orders.iter().map(|order| self.rank(order.price)).peekable();
        while levels.len() < most {
            let market = self.market.range((from, Bound::Unbounded)).find(|(_, cell)| cell.open() > 0);
            let past = |rank: &i64| matches!(from, Bound::Excluded(last) if *rank <= last);
            while orders.next_if(past).is_some() {}
            let rank = market.map(|(rank, _)| *rank).into_iter().chain(orders.peek().copied()).min();
            let Some(rank) = rank else { break };
            let price = self.price(rank);
            levels.push(Level { price, quantity: Quantity(self.quantity_at(price)) });
            from = Bound::Excluded(rank);
        }
        levels
    }

    /// The published levels that may have changed since the last call, best first; a quantity of 0 is a level gone.
    pub(super) fn take_changes(&mut self) -> Vec<Level> {
        let changed = std::mem::take(&mut self.changed);
        let level = |rank| {
            let price = self.price(rank);
            Level { price, quantity: Quantity(self.quantity_at(price)) }
        };
        changed.into_iter().map(level).collect()
    }
}
