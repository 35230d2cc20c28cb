//! Requests about orders.

use engine::domain::{Instrument, InstrumentIndex, Nanos, Quantity, Scale};
use engine::venue::exchange::{
    AMOUNT_SCALE, AccountIndex, AmendOrder, CancelOrder, Event, FillFacts, NewOrder, OrderName, Restriction,
};

use super::super::failure::Failure;
use super::super::method::Method;
use super::super::params::Params;
use super::super::render::{Render, TimeUnit, list};
use super::new_order::{ALONE, Detail};
use super::{Call, Desk};

impl Desk {
    pub(super) fn about_orders(&mut self, call: &Call, now: Nanos) -> Result<String, Failure> {
        let account = Self::owner(call)?;
        match call.method {
            Method::OrderTest => self.test(account, &call.params, now),
            Method::OrderPlace => self.place(account, &call.params, now, call.unit),
            Method::OrderStatus => {
                let instrument = self.symbol(call.params.need("symbol")?)?;
                let order = self.exchange.find(account, instrument, named(&call.params)?)?;
                Ok(self.render(call).queried(order))
            }
            Method::OrderCancel => self.cancel(account, &call.params, now, call.unit),
            Method::CancelReplace => self.cancel_replace(account, call, now),
            Method::Amend => self.amend(account, call, now),
            Method::Amendments => self.amendments(account, call),
            Method::CancelAll => self.cancel_all(account, call, now),
            Method::OpenOrders => {
                let symbol = call.params.maybe("symbol")?;
                let instrument = symbol.map(|symbol| self.symbol(symbol)).transpose()?;
                let render = self.render(call);
                let open = self.exchange.open_orders(account, instrument);
                Ok(list(open.map(|order| render.queried(order))))
            }
            _ => self.all_orders(account, call),
        }
    }

    fn all_orders(&self, account: AccountIndex, call: &Call) -> Result<String, Failure> {
        let params = &call.params;
        let instrument = self.symbol(params.need("symbol")?)?;
        let from = params.integer("orderId")?.map_or(0, |id| u64::try_from(id).unwrap_or(0));
        let (start, end) = (params.time("startTime")?, params.time("endTime")?);
        let most = usize::try_from(params.integer("limit")?.unwrap_or(500)).unwrap_or(0).min(1_000);
        let within = |at: Nanos| {
            let at = at.0 / 1_000_000;
            start.is_none_or(|start| at >= start) && end.is_none_or(|end| at <= end)
        };
        let mine = self.exchange.orders().filter(|order| {
            order.account == account
                && order.instrument == instrument
                && order.id >= from
                && within(order.created)
        });
        let render = self.render(call);
        if params.get("orderId").is_some() || start.is_some() {
            return Ok(list(mine.take(most).map(|order| render.queried(order))));
        }
        let mut newest: Vec<_> = mine.rev().take(most).collect();
        newest.reverse();
        Ok(list(newest.into_iter().map(|order| render.queried(order))))
    }

    fn test(&mut self, account: AccountIndex, params: &Params, now: Nanos) -> Result<String, Failure> {
        let (new, _) = self.new_order(params, &ALONE)?;
        self.exchange.judge(now, account, &new)?;
        if params.flag("computeCommissionRates")? != Some(true) {
            return Ok("{}".to_owned());
        }
        let rates = self.commission_rates(account);
        Ok(format!("{{{rates}}}"))
    }

    pub(super) fn place(
        &mut self,
        account: AccountIndex,
        params: &Params,
        now: Nanos,
        unit: TimeUnit,
    ) -> Result<String, Failure> {
        let (new, detail) = self.new_order(params, &ALONE)?;
        self.limits.may_order(account, now, 1)?;
        self.carry_out(account, &new, detail, now, unit)
    }

    /// Places an order that the limits allow, and writes the answer.
    pub(super) fn carry_out(
        &mut self,
        account: AccountIndex,
        new: &NewOrder,
        detail: Detail,
        now: Nanos,
        unit: TimeUnit,
    ) -> Result<String, Failure> {
        let id = self.exchange.place(now, account, new)?;
        self.limits.ordered(account, now, 1);
        self.exchange.take_events(&mut self.events);
        let Some(order) = self.exchange.order(id) else {
            return Err(Failure::new(-1000, "Internal error."));
        };
        let render = Render { exchange: &self.exchange, unit };
        Ok(match detail {
            Detail::Ack => render.acknowledged(order),
            Detail::Result => render.placed(order, None),
            Detail::Full => {
                let fills: Vec<FillFacts> = self
                    .events
                    .iter()
                    .filter_map(|event| match event {
                        Event::Execution(execution) if execution.order.id == id => execution.fill,
                        _ => None,
                    })
                    .collect();
                render.placed(order, Some(&fills))
            }
        })
    }

    pub(super) fn listed(&self, instrument: InstrumentIndex) -> Result<&Instrument, Failure> {
        self.exchange.instruments().get(instrument).ok_or_else(|| Failure::new(-1121, "Invalid symbol."))
    }

    pub(super) fn cancel(
        &mut self,
        account: AccountIndex,
        params: &Params,
        now: Nanos,
        unit: TimeUnit,
    ) -> Result<String, Failure> {
        let instrument = self.symbol(params.need("symbol")?)?;
        let cancel_id = self.client_id(params, "newClientOrderId")?;
        let cancel = CancelOrder {
            instrument,
            name: named(params)?,
            cancel_id: cancel_id.clone(),
            restriction: restriction(params)?,
        };
        let id = self.exchange.cancel(now, account, &cancel)?;
        let order = self.exchange.order(id).ok_or_else(|| Failure::new(-1000, "Internal error."))?;
        Ok(Render { exchange: &self.exchange, unit }.cancelled(order, &cancel_id))
    }

    fn cancel_all(&mut self, account: AccountIndex, call: &Call, now: Nanos) -> Result<String, Failure> {
        let instrument = self.symbol(call.params.need("symbol")?)?;
        let mut ids = Vec::new();
        let Self { exchange, ids: fresh, .. } = self;
        let cancelled = exchange.cancel_all(now, account, instrument, || {
            let id = fresh.next();
            ids.push(id.clone());
            id
        })?;
        let render = self.render(call);
        let orders = cancelled.iter().zip(&ids).filter_map(|(id, cancel_id)| {
            let order = self.exchange.order(*id)?;
            match order.list {
                0 => Some(render.cancelled(order, cancel_id)),
                list => self.cancelled_list(call, list, cancel_id).ok(),
            }
        });
        Ok(list(orders))
    }

    fn amend(&mut self, account: AccountIndex, call: &Call, now: Nanos) -> Result<String, Failure> {
        let params = &call.params;
        let instrument = self.symbol(params.need("symbol")?)?;
        let listed = self.listed(instrument)?;
        let quantity = params.decimal("newQty", wire())?.ok_or_else(|| Failure::missing("newQty"))?;
        let quantity = rescaled(quantity, listed.quantity_scale).ok_or_else(|| filter("LOT_SIZE"))?;
        let name = named(params)?;
        let former: Box<str> = self.exchange.find(account, instrument, name)?.client_id.clone();
        // Without a new id the venue makes one up.
        let client_id = match params.get("newClientOrderId") {
            Some(_) => self.client_id(params, "newClientOrderId")?,
            None => self.ids.next(),
        };
        let amend = AmendOrder { instrument, name, client_id, quantity: Quantity(quantity) };
        let id = self.exchange.amend(now, account, amend)?;
        self.exchange.take_events(&mut self.events);
        let execution = self.events.iter().rev().find_map(|event| match event {
            Event::Execution(execution) if execution.order.id == id => Some(execution.id),
            _ => None,
        });
        let order = self.exchange.order(id).ok_or_else(|| Failure::new(-1000, "Internal error."))?;
        Ok(format!(
            "{{\"transactTime\":{},\"executionId\":{},\"amendedOrder\":{}}}",
            call.unit.show(now),
            execution.unwrap_or(0),
            self.render(call).amended(order, &former)
        ))
    }
}

/// The scale of the wire.
pub(super) fn wire() -> Scale {
    Scale::new(AMOUNT_SCALE).unwrap_or(Scale::ZERO)
}

/// A number of the wire at another scale; `None` where that would round.
pub(super) fn rescaled(value: i64, scale: Scale) -> Option<i64> {
    let (value, from, to) = (i128::from(value), i128::from(wire().unit()), i128::from(scale.unit()));
    let scaled = value * to;
    if scaled % from == 0 { i64::try_from(scaled / from).ok() } else { None }
}

pub(super) fn filter(name: &str) -> Failure {
    Failure::told(-1013, format!("Filter failure: {name}"))
}

/// Which order is meant.
pub(super) fn named(params: &Params) -> Result<OrderName<'_>, Failure> {
    let id = params.integer("orderId")?.map(|id| u64::try_from(id).unwrap_or(0));
    let client_id = params.maybe("origClientOrderId")?;
    if id.is_none() && client_id.is_none() {
        return Err(Failure::new(
            -1102,
            "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
        ));
    }
    Ok(OrderName { id, client_id })
}

pub(super) fn restriction(params: &Params) -> Result<Restriction, Failure> {
    match params.maybe("cancelRestrictions")? {
        None => Ok(Restriction::Any),
        Some("ONLY_NEW") => Ok(Restriction::OnlyNew),
        Some("ONLY_PARTIALLY_FILLED") => Ok(Restriction::OnlyPartiallyFilled),
        Some(_) => Err(Failure::new(-1145, "Invalid cancelRestrictions")),
    }
}
