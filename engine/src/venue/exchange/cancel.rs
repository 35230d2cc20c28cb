//! Cancels and amendments.

use std::sync::Arc;

use super::AccountIndex;
use super::core::Exchange;
use super::event::{Event, ExecutionKind, ListStatus};
use super::filters::AMENDS_MAX;
use super::matching::open_lock;
use super::order::Status;
use super::reject::{self, Reject};
use super::request::{CancelOrder, OrderName, Restriction};
use crate::domain::{InstrumentIndex, Nanos, OrderType, Quantity};

/// An amendment: a smaller quantity, with the order's place in the queue kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmendOrder<'a> {
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Which order.
    pub name: OrderName<'a>,
    /// The order's client id from now on.
    pub client_id: Box<str>,
    /// Its new quantity.
    pub quantity: Quantity,
}

impl Exchange {
    /// The open order that a cancel means.
    ///
    /// # Errors
    /// When there is none, or the cancel's restriction does not hold (-2011).
    pub fn cancellable(&self, account: AccountIndex, cancel: &CancelOrder<'_>) -> Result<u64, Reject> {
        let order = self.orders.find(account, cancel.instrument, cancel.name)?;
        let order = order.filter(|order| order.status.is_open()).ok_or(reject::UNKNOWN_ORDER)?;
        let allowed = match cancel.restriction {
            Restriction::Any => true,
            Restriction::OnlyNew => order.status == Status::New,
            Restriction::OnlyPartiallyFilled => order.status == Status::PartiallyFilled,
        };
        if allowed { Ok(order.id) } else { Err(reject::RESTRICTED) }
    }

    /// Cancels an order. Returns its id.
    ///
    /// # Errors
    /// When there is no such open order, or the restriction does not hold (-2011).
    pub fn cancel(
        &mut self,
        now: Nanos,
        account: AccountIndex,
        cancel: &CancelOrder<'_>,
    ) -> Result<u64, Reject> {
        self.advance(now);
        let id = self.cancellable(account, cancel)?;
        self.end(id, Status::Canceled, None, Some(cancel.cancel_id.clone()));
        self.finish(cancel.instrument);
        Ok(id)
    }

    /// Cancels every open order of an account on an instrument. Returns their ids; of a list, that of one of its orders,
    /// with which the other ended.
    ///
    /// # Errors
    /// When there is none (-2011).
    pub fn cancel_all(
        &mut self,
        now: Nanos,
        account: AccountIndex,
        instrument: InstrumentIndex,
        mut cancel_id: impl FnMut() -> Box<str>,
    ) -> Result<Vec<u64>, Reject> {
        self.advance(now);
        let mut ids: Vec<u64> =
            self.orders.open_of(account, Some(instrument)).map(|order| order.id).collect();
        if ids.is_empty() {
            return Err(reject::UNKNOWN_ORDER);
        }
        ids.retain(|&id| {
            let open = self.orders.get(id).is_some_and(|order| order.status.is_open());
            if open {
                self.end(id, Status::Canceled, None, Some(cancel_id()));
            }
            open
        });
        self.finish(instrument);
        Ok(ids)
    }

    /// Amends an order's quantity downwards; it keeps its place. Returns its id.
    ///
    /// # Errors
    /// When there is no such open order (-2038 with the reason), or the quantity does not pass.
    pub fn amend(&mut self, now: Nanos, account: AccountIndex, amend: AmendOrder<'_>) -> Result<u64, Reject> {
        self.advance(now);
        let order = self.orders.find(account, amend.instrument, amend.name)?;
        let order = order.filter(|order| order.status.is_open()).ok_or(reject::NO_SUCH_ORDER)?;
        let instruments = Arc::clone(&self.instruments);
        let instrument = Self::instrument_of(&instruments, amend.instrument)?;
        let by = order.quantity.0 - amend.quantity.0;
        if by <= 0 || order.leaves().0 <= by || order.kind == OrderType::Market {
            return Err(Reject::new(-2038, "The requested action would change no state; rejecting."));
        }
        if order.amends >= AMENDS_MAX {
            return Err(Reject::filter("MAX_NUM_ORDER_AMENDS"));
        }
        if !instrument.filters.lot.passes(amend.quantity) {
            return Err(Reject::filter("LOT_SIZE"));
        }
        let (id, side, price, former) = (order.id, order.side, order.price, order.client_id.clone());
        let owner = order.account;
        self.orders.rename(id, amend.client_id);
        let shared = self.shares_lock(id);
        let Some(order) = self.orders.get_mut(id) else { return Err(reject::NO_SUCH_ORDER) };
        order.quantity = amend.quantity;
        order.amends += 1;
        // What a list has reserved is not of one of its orders: it stays until one is set off.
        let keep = if shared { order.locked } else { open_lock(instrument, order) };
        let release = order.locked - keep;
        order.locked = keep;
        let order = order.clone();
        self.books[amend.instrument as usize].sides.get_mut(side).shrink(id, price, by);
        self.credit(owner, self.pays_with(&order), release, -release);
        self.report(ExecutionKind::Replaced, id, None, Some(former));
        if let Some(Event::Execution(execution)) = self.events.last_mut() {
            execution.former = Quantity(amend.quantity.0 + by);
        }
        if order.list != 0 {
            self.tell_list(order.list, ListStatus::Updated);
        }
        self.finish(amend.instrument);
        Ok(id)
    }
}
