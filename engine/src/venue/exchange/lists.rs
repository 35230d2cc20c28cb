//! Order lists (binance.md §6). One cancels the other: two orders of one side and quantity, one above the last price and
//! one below; what one of them does ends the other, so one reservation, the larger, serves both. One triggers the other:
//! a working order, and one or such a pair that comes on the book, and is reserved for, when it has filled whole.

use std::collections::{BTreeMap, VecDeque};

use super::AccountIndex;
use super::core::Exchange;
use super::event::{Event, ListChange, ListStatus};
use super::matching::open_lock;
use super::order::{Expiry, Order, Status};
use super::reject::{self, Reject};
use crate::domain::{InstrumentIndex, Nanos, Side};
use crate::wire::wire_enum;

/// Lists that are remembered; of those that have ended the oldest goes first.
const REMEMBERED_MAX: usize = 100_000;

wire_enum! {
    /// What the orders of a list have to do with each other (`contingencyType`).
    Contingency {
        /// One cancels the other.
        Oco = 1 => "OCO",
        /// One triggers the other, or a pair of which one cancels the other.
        Oto = 2 => "OTO",
    }
}

/// A list of orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderList {
    /// The exchange's id of it, from 1.
    pub id: u64,
    /// Its owner.
    pub account: AccountIndex,
    /// Its instrument.
    pub instrument: InstrumentIndex,
    /// Its owner's id of it.
    pub client_id: Box<str>,
    /// What its orders have to do with each other.
    pub contingency: Contingency,
    /// Its orders: the working one, if there is one; then the one below, the one above, or the single one.
    pub legs: Vec<u64>,
    /// Whether one of the pair trades or was triggered: the other has ended.
    activated: bool,
    /// Whether none of its orders is open any more.
    pub done: bool,
    /// When it last changed.
    pub updated: Nanos,
}

impl OrderList {
    /// A list just placed.
    pub(super) const fn new(
        (id, account, instrument): (u64, AccountIndex, InstrumentIndex),
        client_id: Box<str>,
        contingency: Contingency,
        legs: Vec<u64>,
        updated: Nanos,
    ) -> Self {
        let (activated, done) = (false, false);
        Self { id, account, instrument, client_id, contingency, legs, activated, done, updated }
    }

    /// The order that the others wait for, if there is one.
    #[must_use]
    pub fn working(&self) -> Option<u64> {
        (self.contingency == Contingency::Oto).then(|| self.legs.first().copied()).flatten()
    }

    /// The orders that are not the working one.
    pub(super) fn others(&self) -> &[u64] {
        &self.legs[usize::from(self.contingency == Contingency::Oto)..]
    }

    /// The two of which one ends the other, if there are two.
    fn pair(&self) -> Option<[u64; 2]> {
        self.others().try_into().ok()
    }
}

/// All lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    by_id: BTreeMap<u64, OrderList>,
    last: u64,
    /// Those whose working order has filled and whose other orders are not placed yet.
    ready: VecDeque<u64>,
}

impl Lists {
    /// The next list whose other orders are to be placed.
    pub(super) fn next_ready(&mut self) -> Option<u64> {
        self.ready.pop_front()
    }

    /// The id of the next list.
    pub(super) const fn next_id(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn insert(&mut self, list: OrderList) {
        self.by_id.insert(list.id, list);
        while self.by_id.len() > REMEMBERED_MAX
            && let Some(oldest) = self.by_id.first_entry().filter(|oldest| oldest.get().done)
        {
            oldest.remove();
        }
    }
}

/// Which list is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListName<'a> {
    /// `orderListId`.
    pub id: Option<u64>,
    /// `listClientOrderId`.
    pub client_id: Option<&'a str>,
}

impl Exchange {
    /// The list that an account means.
    ///
    /// # Errors
    /// When there is none (-2013).
    pub fn find_list(&self, account: AccountIndex, name: ListName<'_>) -> Result<&OrderList, Reject> {
        let mut own = self.lists(account).rev();
        let meant = |list: &&OrderList| {
            name.id.is_none_or(|id| id == list.id)
                && name.client_id.is_none_or(|client_id| *client_id == *list.client_id)
        };
        own.find(meant).ok_or(reject::NO_SUCH_LIST)
    }

    /// Lists of an account that are remembered, oldest first.
    pub fn lists(&self, account: AccountIndex) -> impl DoubleEndedIterator<Item = &OrderList> {
        self.lists.by_id.values().filter(move |list| list.account == account)
    }

    /// Those of which an order is open.
    pub fn open_lists(&self, account: AccountIndex) -> impl Iterator<Item = &OrderList> {
        self.lists(account).filter(|list| !list.done)
    }

    /// A list by the exchange's id.
    #[must_use]
    pub fn list(&self, id: u64) -> Option<&OrderList> {
        self.lists.by_id.get(&id)
    }

    /// Cancels the orders of a list. Returns its id.
    ///
    /// # Errors
    /// When no such list is open (-2011).
    pub fn cancel_list(
        &mut self,
        now: Nanos,
        account: AccountIndex,
        (instrument, name): (InstrumentIndex, ListName<'_>),
        cancel_id: &str,
    ) -> Result<u64, Reject> {
        self.advance(now);
        let list = self.find_list(account, name).ok().filter(|list| list.instrument == instrument);
        let list = list.filter(|list| !list.done).ok_or(reject::UNKNOWN_LIST)?;
        let (id, legs) = (list.id, list.legs.clone());
        let open = |id: &u64| self.orders.get(*id).is_some_and(|order| order.status.is_open());
        if let Some(leg) = legs.into_iter().find(open) {
            // The others, if they are open, end with it.
            self.end(leg, Status::Canceled, None, Some(cancel_id.into()));
        }
        self.finish(instrument);
        Ok(id)
    }

    /// Whether what is reserved for an order is not its own: it waits for another order of its list, or the other one of
    /// its pair may use it as well.
    pub(super) fn shares_lock(&self, id: u64) -> bool {
        let Some(order) = self.orders.get(id).filter(|order| order.list != 0) else { return false };
        let pair = self.lists.by_id.get(&order.list).filter(|list| !list.activated).and_then(OrderList::pair);
        order.status == Status::PendingNew || pair.is_some_and(|pair| pair.contains(&id))
    }

    /// An order of a list is about to trade or to be triggered: what was reserved is its own from now on, and the other
    /// one ends.
    pub(super) fn activate(&mut self, id: u64, list: u64) {
        let Some(found) = self.lists.by_id.get_mut(&list).filter(|list| !list.activated) else { return };
        let Some(pair) = found.pair().filter(|pair| pair.contains(&id)) else { return };
        found.activated = true;
        let Some(other) = pair.into_iter().find(|&leg| leg != id) else { return };
        let lock = self.orders.get_mut(other).map_or(0, |order| std::mem::take(&mut order.locked));
        let instruments = std::sync::Arc::clone(&self.instruments);
        let Some(order) = self.orders.get_mut(id) else { return };
        order.locked += lock;
        let listed = instruments.get(order.instrument);
        // A market buy's reservation is settled where its trades are known.
        if let Some(instrument) = listed.filter(|_| !(order.kind.is_market() && order.side == Side::Buy)) {
            let spare = order.locked - open_lock(instrument, order);
            order.locked -= spare;
            let order = order.clone();
            self.credit(order.account, self.pays_with(&order), spare, -spare);
        }
        self.end(other, Status::Expired, Some(Expiry::OcoTrigger), None);
    }

    /// An order of a list has ended: if nothing else ended the others, this does. A working order that has filled sets them
    /// off instead. A list without open orders is done.
    pub(super) fn leg_ended(&mut self, order: &Order, request_id: Option<&str>) {
        let Some(list) = self.lists.by_id.get(&order.list) else { return };
        let worked = list.working() == Some(order.id);
        let (id, activated) = (list.id, list.activated);
        if worked && order.status == Status::Filled {
            self.lists.ready.push_back(id);
            return;
        }
        let open = |id: &u64| self.orders.get(*id).is_some_and(|order| order.status.is_open());
        match list.legs.iter().copied().find(open) {
            Some(other) if !activated => {
                let (status, expiry) = match order.status {
                    Status::Canceled => (Status::Canceled, None),
                    _ if worked => (Status::Expired, Some(Expiry::OtoPhaseOneExpired)),
                    _ => (Status::Expired, order.expiry.or(Some(Expiry::OcoTrigger))),
                };
                self.end(other, status, expiry, request_id.map(Into::into));
            }
            Some(_) => {}
            None => self.finish_list(id),
        }
    }

    fn finish_list(&mut self, id: u64) {
        if let Some(list) = self.lists.by_id.get_mut(&id).filter(|list| !list.done) {
            list.done = true;
            self.tell_list(id, ListStatus::Done);
        }
    }

    /// Tells that a list has changed.
    pub(super) fn tell_list(&mut self, id: u64, status: ListStatus) {
        let time = self.clock;
        let Some(list) = self.lists.by_id.get_mut(&id) else { return };
        list.updated = time;
        self.events.push(Event::List(Box::new(ListChange { list: list.clone(), status, time })));
    }
}
