//! Every order of ours that is not proven terminal, from its approval on: what it may still trade, and at which price.
//!
//! A fixed slab, an index by id, and a list per (instrument, side) sorted best price first. Nothing
//! allocates after it is made.

use crate::domain::{BySide, InstrumentIndex, OrderId, Price, Quantity, Side, SourceId};
use crate::limits::CACHE_LINE;
use crate::message::report::OrderState;
use crate::message::{Report, ReportKind};
use crate::room::{self, Line};
use crate::tick_to_trade::order_index::{NIL, OrderIndex};
use crate::tick_to_trade::risk::instrument_set::InstrumentSet;
use crate::tick_to_trade::risk::request::NewOrder;

/// The table has no room for another order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableFull;

/// Where an order is, as far as risk cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// On its way to, or on, the venue's book.
    Live,
    /// The venue did not say: counted in full.
    Unknown,
    /// Terminal, but trades that its cumulative quantity tells of are still missing.
    Settling,
}

/// Whether an order is one of a pair of which one cancels the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pairing {
    Alone,
    /// It counts for both, as long as nothing is known of either but that it rests, or is on its way.
    Upper,
    /// The other counts for it meanwhile: they are of one side and quantity.
    Lower,
    /// Each counts for itself, but to the venue they are a pair still.
    PartedUpper,
    /// Likewise.
    PartedLower,
}

/// A line of the cache to each: what is told of an order, and who stands beside it in its list.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Slot {
    id: OrderId,
    instrument: InstrumentIndex,
    side: Side,
    price: Price,
    quantity: i64,
    filled: i64,
    phase: Phase,
    pairing: Pairing,
    /// The next worse of the same instrument and side; for a free slot, the next free one.
    next: u32,
    before: u32,
}

impl Slot {
    fn left(&self) -> i128 {
        // What is filled is not below zero: what does not fit is below zero itself.
        self.quantity.saturating_sub(self.filled).max(0).into()
    }

    /// What of it is counted here: the other of a pair counts for the lower one.
    fn counted(&self) -> i128 {
        if self.pairing == Pairing::Lower { 0 } else { self.left() }
    }

    /// Sorts best first, settling orders last: they trade no more.
    #[inline]
    fn rank(&self) -> (bool, i64) {
        let price = self.price.0;
        // The complement turns the order around, of all prices.
        (self.phase == Phase::Settling, if self.side == Side::Buy { !price } else { price })
    }
}

#[derive(Clone, Copy, Debug)]
struct Queue {
    head: u32,
    tail: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NIL, tail: NIL }
    }
}

/// What is open of an instrument, in one line of the cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub(super) struct OpenRow {
    /// What may still trade.
    pub(super) left: BySide<i128>,
    queues: BySide<Queue>,
    pub(super) tally: Tally,
}

const _: () = assert!(size_of::<Slot>() == CACHE_LINE && size_of::<OpenRow>() == CACHE_LINE);

/// Numbers of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Live or unknown.
    pub(super) open: u32,
    /// Unknown.
    pub(super) unknown: u32,
}

impl Tally {
    fn count(&mut self, phase: Phase) {
        self.open += u32::from(phase != Phase::Settling);
        self.unknown += u32::from(phase == Phase::Unknown);
    }

    fn discount(&mut self, phase: Phase) {
        self.open -= u32::from(phase != Phase::Settling);
        self.unknown -= u32::from(phase == Phase::Unknown);
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct OpenOrders {
    slots: Box<[Slot]>,
    free: u32,
    index: OrderIndex,
    rows: Box<[OpenRow]>,
    /// The instruments with open orders.
    open: InstrumentSet,
    total: Tally,
}

impl OpenOrders {
    /// What is open of an instrument.
    pub(super) fn line(&self) -> [Line; 1] {
        Line::first_of(&self.rows)
    }

    pub(super) fn new(instruments: usize, capacity: usize) -> Self {
        let capacity = u32::try_from(capacity.max(1)).unwrap_or(NIL - 1).min(NIL - 1);
        let empty = |number: u32| Slot {
            id: OrderId::NONE,
            instrument: 0,
            side: Side::Buy,
            price: Price::NONE,
            quantity: 0,
            filled: 0,
            phase: Phase::Live,
            pairing: Pairing::Alone,
            next: if number + 1 < capacity { number + 1 } else { NIL },
            before: NIL,
        };
        Self {
            slots: (0..capacity).map(empty).collect(),
            free: 0,
            index: OrderIndex::new(capacity as usize),
            rows: room::slice(instruments, OpenRow::default()),
            open: InstrumentSet::new(instruments),
            total: Tally::default(),
        }
    }

    fn find(&self, id: OrderId) -> Option<u32> {
        self.index.find(id, |place| self.slots[place as usize].id)
    }

    /// Whether another order finds room.
    pub(super) const fn has_room(&self) -> bool {
        self.free != NIL
    }

    /// What is open of an instrument.
    #[inline]
    pub(super) fn row(&self, instrument: InstrumentIndex) -> &OpenRow {
        &self.rows[instrument as usize]
    }

    /// What open orders of `side` may still trade: Σ of what is left of each, of a pair once.
    #[cfg(test)]
    pub(super) fn left(&self, instrument: InstrumentIndex, side: Side) -> i128 {
        *self.row(instrument).left.get(side)
    }

    /// The same of one source alone. Walks the side's orders, of which C15 bounds the number.
    pub(super) fn left_of(&self, source: SourceId, instrument: InstrumentIndex, side: Side) -> i128 {
        let mut at = self.row(instrument).queues.get(side).head;
        let mut left = 0;
        while let Some(slot) = self.slots.get(at as usize) {
            left += if slot.id.source == source { slot.counted() } else { 0 };
            at = slot.next;
        }
        left
    }

    /// The best price of our orders of `side` in `row` that may still trade.
    #[inline(always)]
    pub(super) fn best(&self, row: &OpenRow, side: Side) -> Option<Price> {
        let head = self.slots.get(row.queues.get(side).head as usize)?;
        (head.phase != Phase::Settling).then_some(head.price)
    }

    /// Every order of a source that `wanted` names which may still be cancelled, with its instrument.
    pub(super) fn open_of(&self, wanted: impl Fn(SourceId) -> bool) -> Vec<(OrderId, InstrumentIndex)> {
        let mut found = Vec::new();
        self.open_of_into(wanted, &mut found);
        found
    }

    /// The same, added to `found`, which has room for [`capacity`](Self::capacity) where it must not allocate.
    pub(super) fn open_of_into(
        &self,
        wanted: impl Fn(SourceId) -> bool,
        found: &mut Vec<(OrderId, InstrumentIndex)>,
    ) {
        let open = self.open.members().iter().map(|&instrument| &self.row(instrument).queues);
        for (queue, side) in open.flat_map(|queue| [(queue, Side::Buy), (queue, Side::Sell)]) {
            let mut at = queue.get(side).head;
            while let Some(slot) = self.slots.get(at as usize) {
                if slot.phase != Phase::Settling && wanted(slot.id.source) {
                    found.push((slot.id, slot.instrument));
                }
                at = slot.next;
            }
        }
    }

    /// Orders that it can hold.
    pub(super) const fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Numbers of orders on an instrument.
    pub(super) fn tally(&self, instrument: InstrumentIndex) -> Tally {
        self.row(instrument).tally
    }

    /// Numbers of orders of the account.
    pub(super) const fn total(&self) -> Tally {
        self.total
    }

    /// Quantity and fills of an order that may be amended.
    pub(super) fn amendable(&self, id: OrderId) -> Option<(Quantity, Quantity)> {
        let slot = &self.slots[self.find(id)? as usize];
        (slot.phase == Phase::Live).then_some((Quantity(slot.quantity), Quantity(slot.filled)))
    }

    /// Source, side and what is left of an order that may still trade.
    pub(super) fn working(&self, id: OrderId) -> Option<(SourceId, Side, i128)> {
        let slot = &self.slots[self.find(id)? as usize];
        (slot.phase != Phase::Settling).then(|| (slot.id.source, slot.side, slot.left()))
    }

    /// The instrument of an order that may still be cancelled.
    pub(super) fn instrument_of(&self, id: OrderId) -> Option<InstrumentIndex> {
        let slot = &self.slots[self.find(id)? as usize];
        (slot.phase != Phase::Settling).then_some(slot.instrument)
    }

    /// Counts an approved order in full, until reports say otherwise. One that is in the table already is the same
    /// order: ids do not repeat. Returns whether nothing was left of its instrument before.
    ///
    /// # Errors
    /// When the table is full.
    #[inline(always)]
    pub(super) fn reserve(&mut self, order: &NewOrder, worst: Price) -> Result<bool, TableFull> {
        let added = self.add(Slot {
            id: order.id,
            instrument: order.instrument,
            side: order.side,
            price: worst,
            quantity: order.quantity.0,
            filled: 0,
            phase: Phase::Live,
            pairing: Pairing::Alone,
            next: NIL,
            before: NIL,
        });
        if added.is_err() { self.find(order.id).map(|_| false).ok_or(TableFull) } else { added }
    }

    /// Takes what a report says of its order, of which `traded` was just applied to the position.
    ///
    /// What is left is counted from the fills that reached the position, never from what a report claims: an order whose
    /// trades are still on their way stays counted, also when it is terminal already.
    ///
    /// # Errors
    /// When the report tells of an open order that is not in the table and there is no room for it, or its instrument
    /// or side is not known: then exposure is not known any more.
    pub(super) fn on_report(&mut self, report: &Report, traded: i64) -> Result<(), TableFull> {
        // A state that this build does not know leaves the order unresolved (F20).
        let state = OrderState::try_from(report.state).unwrap_or(OrderState::Unknown);
        let found = self.index.entry(report.id, |place| self.slots[place as usize].id);
        let Some((entry, at)) = found else { return self.adopt(report, state) };
        if matches!(self.slots[at as usize].pairing, Pairing::Upper | Pairing::Lower) {
            self.part_unless_untouched(at, report, state);
        }
        let mut slot = self.slots[at as usize];
        slot.filled = slot.filled.saturating_add(traded);
        if state.is_terminal() {
            let missing = report.cumulative.0.saturating_sub(slot.filled);
            if missing <= 0 {
                self.remove(entry, at);
                return Ok(());
            }
            slot.quantity = report.cumulative.0;
            slot.phase = Phase::Settling;
        } else {
            let claimed = report.cumulative.0.saturating_add(report.leaves.0);
            // Only the venue's own word that it lowered the quantity frees any of it.
            let amended = report.kind == ReportKind::Amended.code();
            slot.quantity = if amended { claimed } else { slot.quantity.max(claimed) };
            slot.phase = if state == OrderState::Unknown { Phase::Unknown } else { Phase::Live };
        }
        self.replace(at, slot);
        Ok(())
    }

    /// An order that was not approved here in this life, or came back from the dead (F04, F24): it counts.
    #[cold]
    fn adopt(&mut self, report: &Report, state: OrderState) -> Result<(), TableFull> {
        if state.is_terminal() || (report.leaves.0 <= 0 && state != OrderState::Unknown) {
            return Ok(());
        }
        let side = Side::try_from(report.side).map_err(|_| TableFull)?;
        if report.instrument as usize >= self.rows.len() {
            return Err(TableFull);
        }
        // A fill's price is not the order's: without one, assume the worst.
        let priced = report.kind != ReportKind::Fill.code() && report.price.is_some();
        let worst = if side == Side::Buy { Price(i64::MAX) } else { Price::NONE };
        let quantity = report.cumulative.0.saturating_add(report.leaves.0.max(0));
        let quantity =
            if report.kind == ReportKind::Fill.code() { quantity } else { quantity.max(report.quantity.0) };
        self.add(Slot {
            id: report.id,
            instrument: report.instrument,
            side,
            price: if priced { report.price } else { worst },
            quantity,
            filled: report.cumulative.0.max(0),
            phase: if state == OrderState::Unknown { Phase::Unknown } else { Phase::Live },
            pairing: Pairing::Alone,
            next: NIL,
            before: NIL,
        })?;
        Ok(())
    }

    /// To be called when no order came: what the next ones need is asked for.
    pub(super) fn prepare(&mut self) {
        self.index.fetch_ahead();
    }

    /// Adds an order, unless it is in the table. Returns whether nothing was left of its instrument before.
    #[inline(always)]
    fn add(&mut self, slot: Slot) -> Result<bool, TableFull> {
        let at = self.free;
        let free = self.slots.get(at as usize).ok_or(TableFull)?.next;
        let is_new = self.index.insert_new(slot.id, at, |place| self.slots[place as usize].id);
        if is_new {
            self.free = free;
        }
        Ok(is_new && self.link(at, &slot))
    }

    /// Removes the order at `at`, which the index has at `entry`.
    fn remove(&mut self, entry: usize, at: u32) {
        self.unlink(at);
        self.index.remove_at(entry);
        self.slots[at as usize].next = self.free;
        self.free = at;
    }

    /// Puts `slot`, a copy of what is at `at` but for what was told of the order, in its place.
    fn replace(&mut self, at: u32, slot: Slot) {
        let old = self.slots[at as usize];
        if old.rank() != slot.rank() {
            self.unlink(at);
            self.link(at, &slot);
            return;
        }
        // No better or worse than before: it stays where it is in its list.
        let row = &mut self.rows[slot.instrument as usize];
        *row.left.get_mut(slot.side) += slot.counted() - old.counted();
        if old.phase != slot.phase {
            for tally in [&mut row.tally, &mut self.total] {
                tally.discount(old.phase);
                tally.count(slot.phase);
            }
        }
        self.slots[at as usize] = slot;
    }

    /// The first order of a list that is worse than `rank`. Sought from both ends at once: a new order is often among the
    /// best, and often the last of those at one price.
    fn first_worse(&self, queue: Queue, rank: (bool, i64)) -> u32 {
        let is_worse = |at: u32| self.slots[at as usize].rank() > rank;
        let (mut from_head, mut from_tail, mut found) = (queue.head, queue.tail, NIL);
        loop {
            if from_head == NIL || is_worse(from_head) {
                return from_head;
            }
            if !is_worse(from_tail) {
                return found;
            }
            from_head = self.slots[from_head as usize].next;
            found = from_tail;
            from_tail = self.slots[from_tail as usize].before;
        }
    }

    /// Puts a slot into its list and sums. Returns whether nothing was left of its instrument before. Inline for what is known
    /// of a new order.
    #[inline(always)]
    fn link(&mut self, at: u32, slot: &Slot) -> bool {
        let queue = *self.rows[slot.instrument as usize].queues.get(slot.side);
        let next = self.first_worse(queue, slot.rank());
        let before = if next == NIL { queue.tail } else { self.slots[next as usize].before };
        self.slots[at as usize] = Slot { before, next, ..*slot };
        let row = &mut self.rows[slot.instrument as usize];
        let queue = row.queues.get_mut(slot.side);
        match self.slots.get_mut(next as usize) {
            Some(next) => next.before = at,
            None => queue.tail = at,
        }
        match self.slots.get_mut(before as usize) {
            Some(before) => before.next = at,
            None => queue.head = at,
        }
        let is_first = row.left.buy | row.left.sell == 0;
        *row.left.get_mut(slot.side) += slot.counted();
        row.tally.count(slot.phase);
        if row.tally.open == 1 {
            self.open.set(slot.instrument, true);
        }
        self.total.count(slot.phase);
        is_first
    }

    fn unlink(&mut self, at: u32) {
        let slot = self.slots[at as usize];
        let row = &mut self.rows[slot.instrument as usize];
        let queue = row.queues.get_mut(slot.side);
        match self.slots.get_mut(slot.next as usize) {
            Some(next) => next.before = slot.before,
            None => queue.tail = slot.before,
        }
        match self.slots.get_mut(slot.before as usize) {
            Some(before) => before.next = slot.next,
            None => queue.head = slot.next,
        }
        *row.left.get_mut(slot.side) -= slot.counted();
        row.tally.discount(slot.phase);
        if row.tally.open == 0 {
            self.open.set(slot.instrument, false);
        }
        self.total.discount(slot.phase);
    }
}

mod pair;

#[cfg(test)]
mod tests;
