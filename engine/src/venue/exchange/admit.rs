//! New orders are judged: filters first, then what the book and the account make of them.

use super::AccountIndex;
use super::balances::{Amount, base_amount, quote_reserve};
use super::core::Exchange;
use super::filters::{self, ALGO_ORDERS_MAX, ICEBERG_ORDERS_MAX};
use super::order::Order;
use super::plan::{Plan, Taker, plan};
use super::reject::{self, Reject};
use super::request::NewOrder;
use super::waiting::turning_point;
use crate::domain::{Instrument, Nanos, OrderType, Price, Quantity, Side, TimeInForce};

impl Exchange {
    /// Judges a new order as [`place`](Self::place) would, and changes nothing.
    ///
    /// # Errors
    /// What `place` would refuse it with.
    pub fn judge(&mut self, now: Nanos, account: AccountIndex, new: &NewOrder) -> Result<(), Reject> {
        self.advance(now);
        self.admit(account, new).map(|_| ())
    }

    /// Judges a new order by the filters alone, as the venue does before it cancels another one for it, and changes
    /// nothing.
    ///
    /// # Errors
    /// When a filter refuses it.
    pub fn judge_filters(&mut self, now: Nanos, account: AccountIndex, new: &NewOrder) -> Result<(), Reject> {
        self.advance(now);
        self.pass_filters(account, new, &[])
    }

    /// What an order would do, where it acts at once, and what has to be reserved for it, which the account has.
    pub(super) fn admit(
        &self,
        account: AccountIndex,
        new: &NewOrder,
    ) -> Result<(Option<Plan>, Amount), Reject> {
        self.pass(account, new, &[])?;
        let (plan, lock) = self.prospects(account, new)?;
        self.pays(account, new, lock)?;
        Ok((plan, lock))
    }

    /// Whether the account has `lock` of what the order pays with.
    pub(super) fn pays(&self, account: AccountIndex, new: &NewOrder, lock: Amount) -> Result<(), Reject> {
        let book = self.books.get(new.instrument as usize).ok_or(reject::SYMBOL)?;
        let asset = match new.side {
            Side::Buy => book.quote,
            Side::Sell => book.base,
        };
        let free = self.accounts.get(account as usize).map(|account| account.balances[asset as usize].free);
        if free.is_none_or(|free| free < lock) { Err(reject::BALANCE) } else { Ok(()) }
    }

    /// Whether a new order passes the filters, beside `others` of the same request, and no open one has its name.
    pub(super) fn pass(
        &self,
        account: AccountIndex,
        new: &NewOrder,
        others: &[&NewOrder],
    ) -> Result<(), Reject> {
        self.pass_filters(account, new, others)?;
        let name = super::request::OrderName { id: None, client_id: Some(&new.client_id) };
        let taken =
            self.orders.find(account, new.instrument, name)?.is_some_and(|order| order.status.is_open());
        if taken { Err(reject::DUPLICATE) } else { Ok(()) }
    }

    /// Whether a new order passes the filters, beside `others` of the same request.
    fn pass_filters(
        &self,
        account: AccountIndex,
        new: &NewOrder,
        others: &[&NewOrder],
    ) -> Result<(), Reject> {
        let instrument = Self::instrument_of(&self.instruments, new.instrument)?;
        let book = &self.books[new.instrument as usize];
        if instrument.untradable.is_some() || book.feed.is_none() {
            return Err(reject::CLOSED);
        }
        filters::judge(instrument, new, book.last)?;
        if new.quote_quantity > 0 {
            filters::judge_value(instrument, new.quote_quantity)?;
        }
        let most = instrument.filters.max_open_orders.map_or(usize::MAX, |most| most as usize);
        if self.orders.has_open(account, new.instrument, most.saturating_sub(others.len())) {
            return Err(Reject::filter("MAX_NUM_ORDERS"));
        }
        let open = || self.orders.open_of(account, Some(new.instrument));
        let waits = |order: &&Order| order.kind.is_conditional() && order.working.is_none();
        let beside = others.iter().filter(|other| other.kind.is_conditional()).count();
        if new.kind.is_conditional() && open().filter(waits).count() + beside >= ALGO_ORDERS_MAX {
            return Err(Reject::filter("MAX_NUM_ALGO_ORDERS"));
        }
        let beside = others.iter().filter(|other| other.iceberg.0 > 0).count();
        if new.iceberg.0 > 0
            && open().filter(|order| order.iceberg.0 > 0).count() + beside >= ICEBERG_ORDERS_MAX
        {
            return Err(Reject::filter("MAX_NUM_ICEBERG_ORDERS"));
        }
        Ok(())
    }

    /// What the book makes of an order that has passed the filters, and what has to be reserved for it.
    pub(super) fn prospects(
        &self,
        account: AccountIndex,
        new: &NewOrder,
    ) -> Result<(Option<Plan>, Amount), Reject> {
        let instrument = Self::instrument_of(&self.instruments, new.instrument)?;
        let plan = if new.kind.is_conditional() {
            if new.stop_price.is_some() && self.triggers(new.instrument, new.kind, new.side, new.stop_price) {
                return Err(reject::WOULD_TRIGGER);
            }
            None
        } else {
            Some(self.plan(account, instrument, new))
        };
        if new.kind == OrderType::LimitMaker && plan.as_ref().is_some_and(|plan| !plan.steps.is_empty()) {
            return Err(reject::WOULD_TAKE);
        }
        let lock = self.reserve(instrument, new, plan.as_ref()).ok_or_else(|| Reject::filter("NOTIONAL"))?;
        Ok((plan, lock))
    }

    pub(super) fn plan(&self, account: AccountIndex, instrument: &Instrument, new: &NewOrder) -> Plan {
        let by_value = new.quote_quantity > 0;
        let step = instrument.filters.lot_of(true).step.0;
        let taker = Taker {
            account,
            limit: (!new.kind.is_market()).then_some(new.price),
            quantity: if by_value { i64::MAX } else { new.quantity.0 },
            value: by_value.then_some((new.quote_quantity, step)),
            stp: new.stp,
        };
        let side = self.books[new.instrument as usize].sides.get(new.side.opposite());
        let mut plan = plan(instrument, side, &taker);
        if new.time_in_force == TimeInForce::FillOrKill && plan.filled < new.quantity.0 {
            plan.steps.clear();
            (plan.filled, plan.value, plan.prevented) = (0, Some(0), 0);
        }
        plan
    }

    /// What has to be reserved for a new order; `None` where it does not fit.
    fn reserve(&self, instrument: &Instrument, new: &NewOrder, plan: Option<&Plan>) -> Option<Amount> {
        match (new.side, new.kind) {
            (Side::Sell, _) if new.quote_quantity > 0 => {
                plan.map(|plan| base_amount(instrument, Quantity(plan.filled + plan.prevented)))
            }
            (Side::Sell, _) => Some(base_amount(instrument, new.quantity)),
            (Side::Buy, OrderType::Market) => plan?.value,
            (Side::Buy, _) => quote_reserve(instrument, self.reserve_price(new), new.quantity),
        }
    }

    /// The price at which a new order is reserved for: its limit, or what sets it off; for one that trails without such a
    /// price, what would set it off if the price turned now.
    pub(super) fn reserve_price(&self, new: &NewOrder) -> Price {
        if !new.kind.is_market() {
            new.price
        } else if new.stop_price.is_some() || new.trailing_delta == 0 {
            new.stop_price
        } else {
            let last = self.books.get(new.instrument as usize).and_then(|book| book.last);
            last.map_or(Price::NONE, |last| turning_point(new.side, last, new.trailing_delta))
        }
    }
}
