//! Requests about order lists.

use engine::domain::Nanos;
use engine::venue::exchange::{AccountIndex, Event, ListName, NewOrder};

use super::super::failure::Failure;
use super::super::method::Method;
use super::super::params::Params;
use super::super::render::list;
use super::new_order::{ABOVE, BELOW, Detail, PENDING, PENDING_ABOVE, PENDING_BELOW, WORKING};
use super::{Call, Desk};

/// Which list is meant, by its id or by what `client` holds.
fn named<'a>(params: &'a Params, client: &str) -> Result<ListName<'a>, Failure> {
    let id = params.integer("orderListId")?.map(|id| u64::try_from(id).unwrap_or(0));
    let client_id = params.maybe(client)?;
    if id.is_none() && client_id.is_none() {
        return Err(Failure::told(
            -1102,
            format!("Param '{client}' or 'orderListId' must be sent, but both were empty/null!"),
        ));
    }
    Ok(ListName { id, client_id })
}

/// Today's parameters of an OCO that is asked for as before 2024: its limit order is the one that waits for a better
/// price, its stop order the other.
fn todays(old: &Params) -> Result<Params, Failure> {
    let (limit, stop) = if old.need("side")? == "SELL" { ("above", "below") } else { ("below", "above") };
    old.need("price")?;
    old.need("stopPrice")?;
    let limited = old.maybe("stopLimitPrice")?.is_some();
    if limited {
        old.need("stopLimitTimeInForce")?;
    }
    let mut params = old.clone();
    params.set(&format!("{limit}Type"), "LIMIT_MAKER");
    params.set(&format!("{stop}Type"), if limited { "STOP_LOSS_LIMIT" } else { "STOP_LOSS" });
    for (name, leg, now) in [
        ("price", limit, "Price"),
        ("limitClientOrderId", limit, "ClientOrderId"),
        ("limitIcebergQty", limit, "IcebergQty"),
        ("limitStrategyId", limit, "StrategyId"),
        ("limitStrategyType", limit, "StrategyType"),
        ("stopPrice", stop, "StopPrice"),
        ("stopLimitPrice", stop, "Price"),
        ("stopLimitTimeInForce", stop, "TimeInForce"),
        ("stopClientOrderId", stop, "ClientOrderId"),
        ("stopIcebergQty", stop, "IcebergQty"),
        ("stopStrategyId", stop, "StrategyId"),
        ("stopStrategyType", stop, "StrategyType"),
        ("trailingDelta", stop, "TrailingDelta"),
    ] {
        if let Some(value) = old.get(name) {
            params.set(&format!("{leg}{now}"), value);
        }
    }
    Ok(params)
}

impl Desk {
    pub(super) fn about_lists(&mut self, call: &Call, now: Nanos) -> Result<String, Failure> {
        let account = Self::owner(call)?;
        match call.method {
            Method::OcoPlace => self.place_oco(account, call, &call.params, now),
            Method::OcoPlaceOld => self.place_oco(account, call, &todays(&call.params)?, now),
            Method::OtoPlace | Method::OtocoPlace => self.place_oto(account, call, now),
            Method::ListCancel => self.cancel_list(account, call, now),
            Method::ListStatus => {
                let found = self.exchange.find_list(account, named(&call.params, "origClientOrderId")?)?;
                Ok(self.render(call).list(found))
            }
            Method::OpenLists => {
                let render = self.render(call);
                Ok(list(self.exchange.open_lists(account).map(|open| render.list(open))))
            }
            Method::AllLists => self.all_lists(account, call),
            _ => self.not_offered(call),
        }
    }

    /// Orders that no symbol takes, as `exchangeInfo` says.
    fn not_offered(&self, call: &Call) -> Result<String, Failure> {
        self.symbol(call.params.need("symbol")?)?;
        Err(Failure::new(
            -1013,
            match call.method {
                Method::OpoPlace | Method::OpocoPlace => "OPO orders are not supported for this symbol.",
                _ => "SOR orders are not supported for this symbol.",
            },
        ))
    }

    fn place_oco(
        &mut self,
        account: AccountIndex,
        call: &Call,
        params: &Params,
        now: Nanos,
    ) -> Result<String, Failure> {
        let (below, detail) = self.new_order(params, &BELOW)?;
        let (above, _) = self.new_order(params, &ABOVE)?;
        let client_id = self.client_id(params, "listClientOrderId")?;
        self.limits.may_order(account, now, 2)?;
        let id = self.exchange.place_oco(now, account, client_id, [&below, &above])?;
        self.limits.ordered(account, now, 2);
        let render = self.render(call);
        let placed = self.exchange.list(id).ok_or_else(|| Failure::new(-1000, "Internal error."))?;
        Ok(render.list_reported(placed, |order| match detail {
            Detail::Ack => render.acknowledged(order),
            Detail::Result => render.placed(order, None),
            // None of them trades on arrival.
            Detail::Full => render.placed(order, Some(&[])),
        }))
    }

    fn place_oto(&mut self, account: AccountIndex, call: &Call, now: Nanos) -> Result<String, Failure> {
        let params = &call.params;
        let (working, detail) = self.new_order(params, &WORKING)?;
        let mut pending = Vec::new();
        if call.method == Method::OtoPlace {
            pending.push(self.new_order(params, &PENDING)?.0);
        } else {
            pending.push(self.new_order(params, &PENDING_BELOW)?.0);
            pending.push(self.new_order(params, &PENDING_ABOVE)?.0);
        }
        let client_id = self.client_id(params, "listClientOrderId")?;
        let others: Vec<&NewOrder> = pending.iter().collect();
        // The venue counts what only waits as well: two orders for an OTO, three for an OTOCO.
        let orders = 1 + others.len() as u64;
        self.limits.may_order(account, now, orders)?;
        let id = self.exchange.place_oto(now, account, client_id, &working, &others)?;
        self.limits.ordered(account, now, orders);
        self.exchange.take_events(&mut self.events);
        let executions = || {
            self.events.iter().filter_map(|event| match event {
                Event::Execution(execution) => Some(&**execution),
                _ => None,
            })
        };
        let render = self.render(call);
        let placed = self.exchange.list(id).ok_or_else(|| Failure::new(-1000, "Internal error."))?;
        Ok(render.list_reported(placed, |order| {
            // An order that waits is told as it was placed, whatever has become of it since: the venue does so too.
            let first = executions().find(|execution| execution.order.id == order.id);
            let works = placed.working() == Some(order.id);
            let told = first.filter(|_| !works).map_or(order, |first| &first.order);
            match detail {
                Detail::Ack => render.acknowledged(told),
                Detail::Result => render.placed(told, None),
                Detail::Full => {
                    let fills: Vec<_> = executions()
                        .filter(|execution| execution.order.id == order.id && works)
                        .filter_map(|execution| execution.fill)
                        .collect();
                    render.placed(told, Some(&fills))
                }
            }
        }))
    }

    fn cancel_list(&mut self, account: AccountIndex, call: &Call, now: Nanos) -> Result<String, Failure> {
        let params = &call.params;
        let instrument = self.symbol(params.need("symbol")?)?;
        let cancel_id = self.client_id(params, "newClientOrderId")?;
        let name = named(params, "listClientOrderId")?;
        let id = self.exchange.cancel_list(now, account, (instrument, name), &cancel_id)?;
        self.cancelled_list(call, id, &cancel_id)
    }

    /// The answer to the cancel of a list.
    pub(super) fn cancelled_list(&self, call: &Call, id: u64, cancel_id: &str) -> Result<String, Failure> {
        let render = self.render(call);
        let found = self.exchange.list(id).ok_or_else(|| Failure::new(-1000, "Internal error."))?;
        Ok(render.list_reported(found, |order| render.cancelled(order, cancel_id)))
    }

    fn all_lists(&self, account: AccountIndex, call: &Call) -> Result<String, Failure> {
        let params = &call.params;
        let (start, end) = (params.time("startTime")?, params.time("endTime")?);
        let from = params.integer("fromId")?;
        if from.is_some() && (start.is_some() || end.is_some()) {
            return Err(Failure::new(-1128, "Combination of optional parameters invalid."));
        }
        let from_id = from.map_or(0, |id| u64::try_from(id).unwrap_or(0));
        let most = usize::try_from(params.integer("limit")?.unwrap_or(500)).unwrap_or(0).min(1_000);
        let within = |at: Nanos| {
            let at = at.0 / 1_000_000;
            start.is_none_or(|start| at >= start) && end.is_none_or(|end| at <= end)
        };
        let mine = self.exchange.lists(account).filter(|list| list.id >= from_id && within(list.updated));
        let render = self.render(call);
        if from.is_some() || start.is_some() {
            return Ok(list(mine.take(most).map(|found| render.list(found))));
        }
        let mut newest: Vec<_> = mine.rev().take(most).collect();
        newest.reverse();
        Ok(list(newest.into_iter().map(|found| render.list(found))))
    }
}
