//! Order lists: one cancels the other (binance.md §6). Two orders of one side and quantity, one above the last price and
//! one below; what one of them does ends the other, so one reservation, the larger, serves both.

use std::collections::BTreeMap;

use super::AccountIndex;
use super::balances::Amount;
use super::core::Exchange;
use super::event::{Event, ExecutionKind, ListChange, ListStatus};
use super::filters::ORDER_LISTS_MAX;
use super::matching::open_lock;
use super::order::{Expiry, Order, Status};
use super::reject::{self, Reject};
use super::request::NewOrder;
use crate::domain::{InstrumentIndex, Nanos, OrderType, Price, Side};

/// Lists that are remembered; of those that have ended the oldest goes first.
const REMEMBERED_MAX: usize = 100_000;

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
    /// Its orders: the one below, the one above.
    pub legs: [u64; 2],
    /// Whether one of them trades or was triggered: the other has ended.
    activated: bool,
    /// Whether none of its orders is open any more.
    pub done: bool,
    /// When it last changed.
    pub updated: Nanos,
}

/// All lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    by_id: BTreeMap<u64, OrderList>,
    last: u64,
}

impl Lists {
    fn insert(&mut self, list: OrderList) {
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

/// A leg's place: where its price, or what sets it off, stands against the last price.
const fn level(leg: &NewOrder) -> Price {
    if leg.kind.is_conditional() { leg.stop_price } else { leg.price }
}

/// Whether both legs are of types that a list of `side` may have where they are.
fn judge_types(side: Side, [below, above]: [&NewOrder; 2]) -> Result<(), Reject> {
    use OrderType::{Limit, LimitMaker, Market, StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit};
    if below.kind == LimitMaker && above.kind == LimitMaker {
        return Err(Reject::new(-1168, "At least one OCO order must be contingent."));
    }
    for (leg, is_above) in [(below, false), (above, true)] {
        let misplaced = match (leg.kind, side) {
            (Limit | Market, _) => Some((-1158, "Order type not supported in OCO.")),
            (LimitMaker, Side::Buy) if is_above => Some((-1165, "A limit order in a buy OCO must be below.")),
            (LimitMaker, Side::Sell) if !is_above => {
                Some((-1166, "A limit order in a sell OCO must be above."))
            }
            (StopLoss | StopLossLimit, Side::Buy) if !is_above => {
                Some((-1196, "A stop loss order in a buy OCO must be above."))
            }
            (StopLoss | StopLossLimit, Side::Sell) if is_above => {
                Some((-1197, "A stop loss order in a sell OCO must be below."))
            }
            (TakeProfit | TakeProfitLimit, Side::Buy) if is_above => {
                Some((-1198, "A take profit order in a buy OCO must be below."))
            }
            (TakeProfit | TakeProfitLimit, Side::Sell) if !is_above => {
                Some((-1199, "A take profit order in a sell OCO must be above."))
            }
            _ => None,
        };
        if let Some((code, message)) = misplaced {
            return Err(Reject::new(code, message));
        }
    }
    Ok(())
}

impl Exchange {
    /// Places two orders of which one ends the other. What becomes of them is in the events.
    ///
    /// # Errors
    /// When either is refused, or they do not fit each other: nothing has changed.
    pub fn place_oco(
        &mut self,
        now: Nanos,
        account: AccountIndex,
        client_id: Box<str>,
        legs: [&NewOrder; 2],
    ) -> Result<u64, Reject> {
        self.advance(now);
        let [below, above] = legs;
        let locks = self.admit_oco(account, &client_id, legs)?;
        self.lists.last += 1;
        let id = self.lists.last;
        let mut placed = [0; 2];
        for ((at, leg), lock) in placed.iter_mut().zip(legs).zip(locks) {
            let working = !leg.kind.is_conditional();
            *at = self.accept(account, leg, working, lock, id);
        }
        let (instrument, updated) = (below.instrument, self.clock);
        let (activated, done) = (false, false);
        let list = OrderList { id, account, instrument, client_id, legs: placed, activated, done, updated };
        self.lists.insert(list);
        for (order, leg) in placed.into_iter().zip([below, above]) {
            self.report(ExecutionKind::New, order, None, None);
            let book = &mut self.books[instrument as usize];
            if leg.kind.is_conditional() {
                book.waiting.push(order);
            } else {
                book.sides.get_mut(leg.side).insert(order, account, leg.price, leg.quantity.0);
            }
        }
        self.tell_list(id, ListStatus::Started);
        self.finish(instrument);
        Ok(id)
    }

    /// What each leg reserves: the first that needs the more of the two, the other nothing.
    fn admit_oco(
        &self,
        account: AccountIndex,
        client_id: &str,
        legs: [&NewOrder; 2],
    ) -> Result<[Amount; 2], Reject> {
        let [below, above] = legs;
        judge_types(below.side, legs)?;
        let last = self.books.get(below.instrument as usize).and_then(|book| book.last);
        let apart = match last {
            Some(last) => level(below) < last && last < level(above),
            None => level(below) < level(above),
        };
        if !apart {
            return Err(reject::RELATIONSHIP);
        }
        let open = self.open_lists(account).filter(|list| list.instrument == below.instrument);
        if open.count() >= ORDER_LISTS_MAX {
            return Err(Reject::filter("MAX_NUM_ORDER_LISTS"));
        }
        let mut open = self.open_lists(account);
        if below.client_id == above.client_id || open.any(|list| *list.client_id == *client_id) {
            return Err(reject::DUPLICATE);
        }
        let (_, first) = self.appraise(account, below, 0)?;
        let (_, second) = self.appraise(account, above, 1)?;
        let lock = first.max(second);
        self.pays(account, below, lock)?;
        Ok(if first >= second { [lock, 0] } else { [0, lock] })
    }

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

    /// Cancels both orders of a list. Returns its id.
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
        let (id, legs) = (list.id, list.legs);
        let open = |id: &u64| self.orders.get(*id).is_some_and(|order| order.status.is_open());
        if let Some(leg) = legs.into_iter().find(open) {
            // The other one, if it is open, ends with it.
            self.end(leg, Status::Canceled, None, Some(cancel_id.into()));
        }
        self.finish(instrument);
        Ok(id)
    }

    /// An order of a list is about to trade or to be triggered: what was reserved is its own from now on, and the other
    /// one ends.
    pub(super) fn activate(&mut self, id: u64, list: u64) {
        let Some(found) = self.lists.by_id.get_mut(&list).filter(|list| !list.activated) else { return };
        found.activated = true;
        let Some(other) = found.legs.into_iter().find(|&leg| leg != id) else { return };
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

    /// An order of a list has ended: if nothing else ended the other one, this does. A list without open orders is done.
    pub(super) fn leg_ended(&mut self, order: &Order, request_id: Option<&str>) {
        let Some(list) = self.lists.by_id.get(&order.list) else { return };
        let open = |id: &u64| self.orders.get(*id).is_some_and(|order| order.status.is_open());
        let (id, activated, other) = (list.id, list.activated, list.legs.into_iter().find(open));
        match other {
            Some(other) if !activated => {
                let expiry =
                    order.expiry.or((order.status != Status::Canceled).then_some(Expiry::OcoTrigger));
                let status = if order.status == Status::Canceled { order.status } else { Status::Expired };
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
