//! Lists of orders are judged and placed: at once, or when the working order of the list has filled.

use super::AccountIndex;
use super::balances::Amount;
use super::core::Exchange;
use super::event::{ExecutionKind, ListStatus};
use super::filters::ORDER_LISTS_MAX;
use super::lists::{Contingency, OrderList};
use super::order::{Expiry, Order, Status};
use super::plan::Plan;
use super::reject::{self, Reject};
use super::request::NewOrder;
use crate::domain::{Nanos, OrderType, Price, Side};

/// A leg's place: where its price, or what sets it off, stands against the last price. One that trails at once has none.
fn level(leg: &NewOrder) -> Option<Price> {
    let price = if leg.kind.is_conditional() { leg.stop_price } else { leg.price };
    Some(price).filter(|price| price.is_some())
}

/// Whether the legs stand on both sides of `last`, or below and above each other where nothing has traded.
fn apart([below, above]: [&NewOrder; 2], last: Option<Price>) -> Result<(), Reject> {
    let (low, high) = (level(below), level(above));
    let rising = |low: Option<Price>, high: Option<Price>| low.zip(high).is_none_or(|(low, high)| low < high);
    let sound = rising(low, high) && rising(low, last) && rising(last, high);
    if sound { Ok(()) } else { Err(reject::RELATIONSHIP) }
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
        judge_types(legs[0].side, legs)?;
        self.admit_list(account, &client_id, &legs)?;
        for (at, leg) in legs.into_iter().enumerate() {
            self.pass(account, leg, &legs[..at])?;
        }
        let prospects = self.pair_prospects(account, legs)?;
        let id = self.open_list(account, client_id, Contingency::Oco, &legs);
        let placed = self.list(id).map(|list| list.legs.clone()).unwrap_or_default();
        for (order, (plan, lock)) in placed.iter().zip(&prospects) {
            self.set_working(*order, plan.is_some(), *lock);
        }
        for (order, (plan, _)) in placed.into_iter().zip(prospects) {
            self.begin(order, plan.as_ref());
        }
        self.tell_list(id, ListStatus::Started);
        self.finish(legs[0].instrument);
        Ok(id)
    }

    /// Places a working order, and one or two that wait until it has filled whole: until then nothing is reserved for them.
    /// Two are a pair of which one ends the other, the one below first. What becomes of them is in the events.
    ///
    /// # Errors
    /// When one is refused, or they do not fit each other: nothing has changed.
    pub fn place_oto(
        &mut self,
        now: Nanos,
        account: AccountIndex,
        client_id: Box<str>,
        working: &NewOrder,
        pending: &[&NewOrder],
    ) -> Result<u64, Reject> {
        self.advance(now);
        let legs: Vec<&NewOrder> = std::iter::once(working).chain(pending.iter().copied()).collect();
        if !matches!(working.kind, OrderType::Limit | OrderType::LimitMaker) {
            return Err(Reject::new(-1116, "Invalid orderType."));
        }
        if let [below, above] = *pending {
            judge_types(below.side, [below, above])?;
            apart([below, above], None)?;
        }
        self.admit_list(account, &client_id, &legs)?;
        for (at, leg) in legs.iter().enumerate() {
            self.pass(account, leg, &legs[..at])?;
        }
        let (plan, lock) = self.prospects(account, working)?;
        self.pays(account, working, lock)?;
        let id = self.open_list(account, client_id, Contingency::Oto, &legs);
        let placed = self.list(id).map(|list| list.legs.clone()).unwrap_or_default();
        let (first, others) = (placed[0], &placed[1..]);
        self.set_working(first, true, lock);
        for order in others {
            if let Some(order) = self.orders.get_mut(*order) {
                order.status = Status::PendingNew;
            }
        }
        others.iter().for_each(|order| self.report(ExecutionKind::New, *order, None, None));
        self.tell_list(id, ListStatus::Started);
        if let Some(plan) = plan {
            self.execute(first, &plan);
        }
        self.finish(working.instrument);
        Ok(id)
    }

    /// Makes a list and its orders, which nothing is reserved for yet, and none of which works. Returns its id.
    fn open_list(
        &mut self,
        account: AccountIndex,
        client_id: Box<str>,
        contingency: Contingency,
        legs: &[&NewOrder],
    ) -> u64 {
        let id = self.lists.next_id();
        let instrument = legs.first().map_or(0, |leg| leg.instrument);
        let placed = legs.iter().map(|leg| self.accept(account, leg, false, 0, id)).collect();
        let updated = self.clock;
        self.lists.insert(OrderList::new((id, account, instrument), client_id, contingency, placed, updated));
        id
    }

    /// Reserves for an order of a list, which is new from now on, and works unless it waits for a price.
    fn set_working(&mut self, id: u64, works: bool, lock: Amount) {
        let now = self.clock;
        let Some(order) = self.orders.get(id).map(Order::again) else { return };
        let reserved_at = self.reserve_price(&order);
        let Some(order) = self.orders.get_mut(id) else { return };
        order.status = Status::New;
        order.working = works.then_some(now);
        (order.reserved_at, order.locked) = (reserved_at, lock);
        let order = order.clone();
        if lock != 0 {
            self.credit(order.account, self.pays_with(&order), -lock, lock);
        }
        if !works {
            self.follow_price(id);
        }
        self.report(ExecutionKind::New, id, None, None);
    }

    /// Carries an order out as planned, or lets it wait for its price.
    fn begin(&mut self, id: u64, plan: Option<&Plan>) {
        match plan {
            Some(plan) => self.execute(id, plan),
            None => self.wait(id),
        }
    }

    /// The working order of a list has filled: the others are placed as new orders are. If the book or the account refuses
    /// them they expire.
    pub(super) fn place_pending(&mut self, list: u64) {
        let Some(others) = self.list(list).map(|list| list.others().to_vec()) else { return };
        let is_pending = |order: &&Order| order.status == Status::PendingNew;
        let orders: Vec<&Order> =
            others.iter().filter_map(|id| self.orders.get(*id)).filter(is_pending).collect();
        let Some(account) = orders.first().map(|order| order.account) else { return };
        let news: Vec<NewOrder> = orders.into_iter().map(Order::again).collect();
        let prospects = match &*news {
            [single] => self
                .prospects(account, single)
                .and_then(|(plan, lock)| self.pays(account, single, lock).map(|()| vec![(plan, lock)])),
            [below, above] => self.pair_prospects(account, [below, above]).map(Vec::from),
            _ => Ok(Vec::new()),
        };
        let Ok(prospects) = prospects else {
            // The other one of a pair ends with it.
            self.end(others[0], Status::Expired, Some(Expiry::Rejected), None);
            return;
        };
        for (id, (plan, lock)) in others.iter().zip(&prospects) {
            self.set_working(*id, plan.is_some(), *lock);
        }
        for (id, (plan, _)) in others.iter().zip(&prospects) {
            self.begin(*id, plan.as_ref());
        }
    }

    /// Whether the account may have another list of these orders.
    fn admit_list(&self, account: AccountIndex, client_id: &str, legs: &[&NewOrder]) -> Result<(), Reject> {
        let instrument = legs.first().map_or(0, |leg| leg.instrument);
        let open = self.open_lists(account).filter(|list| list.instrument == instrument);
        if open.count() >= ORDER_LISTS_MAX {
            return Err(Reject::filter("MAX_NUM_ORDER_LISTS"));
        }
        let twice = |at: usize| legs[..at].iter().any(|leg| leg.client_id == legs[at].client_id);
        if (0..legs.len()).any(twice) || self.open_lists(account).any(|list| *list.client_id == *client_id) {
            return Err(reject::DUPLICATE);
        }
        Ok(())
    }

    /// What the book makes of a pair, and what each reserves: the first that needs the more of the two, the other nothing.
    fn pair_prospects(
        &self,
        account: AccountIndex,
        legs: [&NewOrder; 2],
    ) -> Result<[(Option<Plan>, Amount); 2], Reject> {
        let [below, above] = legs;
        apart(legs, self.last_price(below.instrument))?;
        let (below_plan, first) = self.prospects(account, below)?;
        let (above_plan, second) = self.prospects(account, above)?;
        let lock = first.max(second);
        self.pays(account, below, lock)?;
        let (first, second) = if first >= second { (lock, 0) } else { (0, lock) };
        Ok([(below_plan, first), (above_plan, second)])
    }
}
