//! Route's orders: every live one, and the latest that ended, so that a late report still finds its order.
//!
//! Slabs made at the start with an index by id, so that nothing allocates while trading.

use std::cell::Cell;

use crate::domain::{Nanos, OrderId, Price, Quantity, Side};
use crate::message::report::{Report, ReportKind};
use crate::room;
use crate::tick_to_trade::order_index::OrderIndex;
use crate::tick_to_trade::route::state::OrderRecord;

/// Ended orders remembered (reliability.md F03: tombstones). Older ones are forgotten first; a report for a forgotten
/// order is counted as foreign.
const ENDED_MAX: usize = 65_536;

/// Live orders that there is room for from the start. Risk's limits bound them; an account that may hold more makes the
/// slab grow.
const LIVE_EXPECTED: usize = 16_384;

/// Vectors kept for orders with many trades, and the trades that each has room for.
const SPARES: usize = 256;
const SPARE_TRADES: usize = 64;

/// Marks the place of an ended order.
const ENDED: u32 = 1 << 31;

/// Orders by id. Bounded: live ones by risk's limits, ended ones by `ENDED_MAX`.
///
/// Live orders lie apart from ended ones, so that the few that trading is about stay in the cache whatever is remembered.
#[derive(Debug)]
pub struct Orders {
    live: Vec<OrderRecord>,
    /// Places of live orders that hold none, the latest to be given back on top.
    free: Vec<u32>,
    /// A ring: the next to end takes the place of the first to have ended.
    ended: Box<[OrderRecord]>,
    next_ended: usize,
    index: OrderIndex,
    /// Where the order is that was asked for last: of one event there are many questions.
    latest: Cell<u32>,
    count: usize,
    spares: Vec<Vec<u64>>,
}

impl Default for Orders {
    fn default() -> Self {
        Self::with_room(LIVE_EXPECTED, ENDED_MAX)
    }
}

/// A place without an order.
const fn vacant() -> OrderRecord {
    OrderRecord::new(OrderId::NONE, 0, Side::Buy, Price::NONE, Quantity::ZERO, Nanos::ZERO)
}

/// The id at a place: a function of what it reads from, for the index is changed meanwhile.
#[inline]
fn id_in(live: &[OrderRecord], ended: &[OrderRecord]) -> impl Fn(u32) -> OrderId {
    move |place| {
        if place & ENDED == 0 { live[place as usize].id } else { ended[(place & !ENDED) as usize].id }
    }
}

impl Orders {
    fn with_room(live: usize, ended: usize) -> Self {
        let last = u32::try_from(live).unwrap_or(ENDED).min(ENDED);
        Self {
            live: (0..last).map(|_| vacant()).collect(),
            free: (0..last).rev().collect(),
            ended: (0..ended).map(|_| vacant()).collect(),
            next_ended: 0,
            index: OrderIndex::new(live + ended),
            latest: Cell::new(0),
            count: 0,
            spares: (0..SPARES).map(|_| room::vector(SPARE_TRADES, 0)).collect(),
        }
    }

    /// Takes a new order. Returns `false`, and changes nothing, if its id was used before.
    #[inline(always)]
    pub fn insert(&mut self, order: OrderRecord) -> bool {
        // Here, so that the order is written where it stays and nowhere else.
        let place = self.take_place(order.id);
        if let Some(place) = place {
            *place = order;
            true
        } else {
            false
        }
    }

    /// To be called when no order came: what the next ones need is asked for.
    pub(super) fn prepare(&mut self) {
        self.index.fetch_ahead();
    }

    /// A place of its own for a new order; `None` if its id was used before.
    #[inline(always)]
    fn take_place(&mut self, id: OrderId) -> Option<&mut OrderRecord> {
        let place = self.free.pop().or_else(|| self.grow())?;
        if !self.index.insert_new(id, place, id_in(&self.live, &self.ended)) {
            self.free.push(place);
            return None;
        }
        self.count += 1;
        self.latest.set(place);
        Some(&mut self.live[place as usize])
    }

    /// More live orders than expected: twice the room. Gives a free place.
    #[cold]
    fn grow(&mut self) -> Option<u32> {
        let (before, capacity) = (self.live.len(), self.live.len() * 2);
        let places = u32::try_from(before).ok()?..u32::try_from(capacity).ok().filter(|&end| end <= ENDED)?;
        self.index = OrderIndex::new(capacity + self.ended.len());
        let ended = (ENDED..).zip(&self.ended);
        for (place, order) in
            (0..).zip(&self.live).chain(ended).filter(|(_, order)| order.id != OrderId::NONE)
        {
            self.index.insert(order.id, place);
        }
        self.live.resize_with(capacity, vacant);
        self.free.extend(places.rev());
        self.free.pop()
    }

    #[inline]
    fn place_of(&self, id: OrderId) -> Option<u32> {
        let latest = self.latest.get();
        // An id stands at one place at most, and at a vacant one that of no order, which is in no place.
        if id_in(&self.live, &self.ended)(latest) == id && id != OrderId::NONE {
            return Some(latest);
        }
        self.search(id)
    }

    fn search(&self, id: OrderId) -> Option<u32> {
        let place = self.index.find(id, id_in(&self.live, &self.ended))?;
        self.latest.set(place);
        Some(place)
    }

    /// The order with this id.
    #[inline]
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<&OrderRecord> {
        let place = self.place_of(id)?;
        Some(if place & ENDED == 0 {
            &self.live[place as usize]
        } else {
            &self.ended[(place & !ENDED) as usize]
        })
    }

    /// The order with this id, to change; the caller then says whether it [`ended`](Self::ended).
    #[inline]
    pub fn get_mut(&mut self, id: OrderId) -> Option<&mut OrderRecord> {
        let place = self.place_of(id)?;
        let order = if place & ENDED == 0 {
            &mut self.live[place as usize]
        } else {
            &mut self.ended[(place & !ENDED) as usize]
        };
        if order.trades.is_short()
            && let Some(vector) = self.spares.pop()
        {
            order.trades.lend(vector);
        }
        Some(order)
    }

    /// To be called when `id` went from live to terminal (`true`) or was revived (`false`).
    pub fn ended(&mut self, id: OrderId, terminal: bool) {
        if terminal { self.end(id) } else { self.revive(id) }
    }

    fn end(&mut self, id: OrderId) {
        let at = self.next_ended;
        let Some(place) = self.place_of(id).filter(|place| place & ENDED == 0) else { return };
        self.next_ended = (at + 1) % self.ended.len();
        self.forget(at);
        let to = ENDED | u32::try_from(at).unwrap_or(u32::MAX);
        self.index.relocate(id, to, id_in(&self.live, &self.ended));
        std::mem::swap(&mut self.live[place as usize], &mut self.ended[at]);
        self.latest.set(to);
        self.free.push(place);
        self.count -= 1;
        self.expect_end();
    }

    /// Brings to hand what the next order to end takes the place of, all of it as long ago as this table remembers: where the
    /// one that will be forgotten stands in the index, and the place behind it, which says so when its turn comes.
    #[inline]
    fn expect_end(&self) {
        self.index.fetch(self.ended[self.next_ended].id);
        room::fetch_whole(&self.ended[(self.next_ended + 1) % self.ended.len()]);
    }

    /// Leaves the place among the ended ones empty until its turn comes.
    fn revive(&mut self, id: OrderId) {
        let Some(from) = self.place_of(id).filter(|place| place & ENDED != 0) else { return };
        let Some(place) = self.free.pop().or_else(|| self.grow()) else { return };
        self.index.relocate(id, place, id_in(&self.live, &self.ended));
        let order = std::mem::replace(&mut self.ended[(from & !ENDED) as usize], vacant());
        self.live[place as usize] = order;
        self.count += 1;
    }

    /// Forgets the ended order at `at`, if there is one.
    fn forget(&mut self, at: usize) {
        let id = self.ended[at].id;
        if id == OrderId::NONE {
            return;
        }
        self.index.remove(id, id_in(&self.live, &self.ended));
        let order = &mut self.ended[at];
        self.spares.extend(order.trades.take_back());
        order.id = OrderId::NONE;
    }

    /// How many are not terminal.
    #[must_use]
    pub const fn live(&self) -> usize {
        self.count
    }

    /// Those that are not terminal, in the same order as all.
    pub fn open(&self) -> impl Iterator<Item = &OrderRecord> {
        // The places given back last are taken first: the few that are live stand near the beginning.
        self.live.iter().filter(|order| order.id != OrderId::NONE).take(self.count)
    }

    /// Every order remembered, in no particular order, but in the same one whenever the same happened.
    pub fn iter(&self) -> impl Iterator<Item = &OrderRecord> {
        self.live.iter().chain(&self.ended).filter(|order| order.id != OrderId::NONE)
    }
}

/// A report of `order` as it stands.
#[inline]
pub(super) fn describe(order: &OrderRecord, kind: ReportKind, now: Nanos) -> Report {
    Report {
        id: order.id,
        venue_order_id: order.venue_order_id,
        price: order.price,
        quantity: order.quantity,
        cumulative: order.cumulative,
        leaves: order.leaves(),
        fee: 0,
        trade_id: 0,
        instrument: order.instrument,
        kind: kind.code(),
        state: order.state.code(),
        side: order.side.code(),
        detail: 0,
        at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::report::OrderState;

    fn order(sequence: u64) -> OrderRecord {
        let id = OrderId { epoch: 1, sequence, ..OrderId::NONE };
        OrderRecord::new(id, 0, Side::Buy, Price(1), Quantity(1), Nanos::ZERO)
    }

    #[test]
    fn an_id_is_taken_once_and_the_oldest_ended_are_forgotten() {
        let mut orders = Orders::default();
        let count = (LIVE_EXPECTED + ENDED_MAX) as u64 + 10;
        for sequence in 1..=count {
            assert!(orders.insert(order(sequence)));
            assert!(!orders.insert(order(sequence)));
            let id = order(sequence).id;
            orders.get_mut(id).expect("inserted").state = OrderState::Filled;
            orders.ended(id, true);
            assert!(!orders.insert(order(sequence)), "ended, and known");
        }
        assert_eq!((orders.live(), orders.iter().count()), (0, ENDED_MAX));
        let last_forgotten = count - ENDED_MAX as u64;
        assert!(orders.get(order(last_forgotten).id).is_none());
        assert!(orders.get(order(last_forgotten + 1).id).is_some());
    }

    #[test]
    fn a_revived_order_is_live_again_and_outlasts_those_that_ended() {
        let mut orders = Orders::with_room(2, 4);
        let id = |sequence| order(sequence).id;
        for sequence in 1..=4 {
            orders.insert(order(sequence));
            orders.ended(id(sequence), true);
        }
        orders.ended(id(2), false);
        assert_eq!((orders.live(), orders.iter().count()), (1, 4));
        for sequence in 5..=20 {
            assert!(orders.insert(order(sequence)));
            orders.ended(id(sequence), true);
            orders.ended(id(sequence), true);
        }
        assert_eq!(orders.get(id(2)).map(|order| order.id), Some(id(2)));
        assert!(orders.get(id(16)).is_none() && (17..=20).all(|sequence| orders.get(id(sequence)).is_some()));
        orders.ended(id(2), true);
        assert_eq!((orders.live(), orders.iter().count()), (0, 4));
    }

    #[test]
    fn more_live_orders_than_expected_make_it_grow() {
        let mut orders = Orders::with_room(4, 4);
        orders.insert(order(1_000));
        orders.ended(order(1_000).id, true);
        for sequence in 1..=100 {
            assert!(orders.insert(order(sequence)));
        }
        assert_eq!((orders.live(), orders.iter().count()), (100, 101));
        assert!((1..=100).chain([1_000]).all(|sequence| orders.get(order(sequence).id).is_some()));
    }

    #[test]
    fn a_vector_lent_for_many_trades_comes_back() {
        let mut orders = Orders::with_room(4, 1);
        let id = order(1).id;
        orders.insert(order(1));
        for trade in 0..20 {
            orders.get_mut(id).expect("live").trades.push(trade);
        }
        assert_eq!(orders.spares.len(), SPARES - 1);
        orders.ended(id, true);
        orders.insert(order(2));
        orders.ended(order(2).id, true);
        assert_eq!((orders.spares.len(), orders.iter().count()), (SPARES, 1));
    }
}
