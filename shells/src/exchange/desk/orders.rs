//! Requests about orders.

use std::borrow::Cow;

use engine::domain::{
    Instrument, InstrumentIndex, Nanos, OrderType, Price, Quantity, Scale, SelfTrade, Side, TimeInForce,
};
use engine::venue::exchange::{
    AMOUNT_SCALE, AccountIndex, AmendOrder, CancelOrder, Event, FillFacts, NewOrder, OrderName, Restriction,
};

use super::super::failure::Failure;
use super::super::method::Method;
use super::super::params::Params;
use super::super::render::{Render, TimeUnit, list};
use super::{Call, Desk};

/// How much a new order's answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Ack,
    Result,
    Full,
}

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
        let (new, _) = self.new_order(params, "")?;
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
        let (new, detail) = self.new_order(params, "")?;
        self.limits.may_order(account, now)?;
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
        self.limits.ordered(account, now);
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

    /// Reads the parameters of a new order. Those of a leg of a list have a `prefix`.
    pub(super) fn new_order(&mut self, params: &Params, prefix: &str) -> Result<(NewOrder, Detail), Failure> {
        let instrument = self.symbol(params.need("symbol")?)?;
        let side = match params.need("side")? {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(Failure::new(-1117, "Invalid side.")),
        };
        let kind = named_value(OrderType::ALL, params.need(&own(prefix, "type"))?, OrderType::as_str)
            .ok_or_else(|| Failure::new(-1116, "Invalid orderType."))?;
        let tif = params.maybe(&own(prefix, "timeInForce"))?;
        let tif = tif
            .map(|name| {
                named_value(TimeInForce::ALL, name, TimeInForce::as_str)
                    .ok_or_else(|| Failure::new(-1115, "Invalid timeInForce."))
            })
            .transpose()?;
        let listed = self.listed(instrument)?;
        let numbers = Numbers::read(params, listed, prefix)?;
        numbers.fit(kind, tif, prefix)?;
        let stp = match params.maybe("selfTradePreventionMode")? {
            None => SelfTrade::ExpireMaker,
            Some(name) => named_value(SelfTrade::ALL, name, SelfTrade::as_str).ok_or_else(|| {
                Failure::new(-1013, "This symbol does not allow the specified self-trade prevention mode.")
            })?,
        };
        let detail = match params.maybe("newOrderRespType")? {
            None if matches!(kind, OrderType::Limit | OrderType::Market) => Detail::Full,
            None if !prefix.is_empty() => Detail::Result,
            None | Some("ACK") => Detail::Ack,
            Some("RESULT") => Detail::Result,
            Some("FULL") => Detail::Full,
            Some(_) => return Err(Failure::illegal("newOrderRespType")),
        };
        let strategy_type = params.integer(&own(prefix, "strategyType"))?;
        if strategy_type.is_some_and(|kind| kind < 1_000_000) {
            return Err(Failure::new(-1134, "strategyType was less than 1000000."));
        }
        let new = NewOrder {
            instrument,
            client_id: self.client_id(params, &own(prefix, "newClientOrderId"))?,
            side,
            kind,
            time_in_force: tif.unwrap_or(TimeInForce::GoodTillCancel),
            price: numbers.price.unwrap_or(Price::NONE),
            stop_price: numbers.stop_price.unwrap_or(Price::NONE),
            quantity: numbers.quantity.unwrap_or(Quantity::ZERO),
            quote_quantity: numbers.value.unwrap_or(0),
            stp,
            strategy_id: params.integer(&own(prefix, "strategyId"))?,
            strategy_type,
        };
        Ok((new, detail))
    }

    pub(super) fn listed(&self, instrument: InstrumentIndex) -> Result<&Instrument, Failure> {
        self.exchange.instruments().get(instrument).ok_or_else(|| Failure::new(-1121, "Invalid symbol."))
    }

    /// A client's id for an order or cancel, or one made for it.
    pub(super) fn client_id(&mut self, params: &Params, name: &str) -> Result<Box<str>, Failure> {
        match params.get(name) {
            None | Some("") => Ok(self.ids.next()),
            Some(id) => {
                let sound = id.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:/".contains(c));
                if sound && id.len() <= 36 {
                    Ok(id.into())
                } else {
                    Err(Failure::told(
                        -1100,
                        format!(
                            "Illegal characters found in parameter '{name}'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{{1,36}}$'."
                        ),
                    ))
                }
            }
        }
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

/// Numbers of a new order, at the instrument's scales.
struct Numbers {
    price: Option<Price>,
    stop_price: Option<Price>,
    quantity: Option<Quantity>,
    value: Option<i128>,
    iceberg: bool,
    trailing: bool,
}

/// The name of a parameter of a new order: as it is, or that of a list's leg (`aboveStopPrice`, `aboveClientOrderId`).
fn own<'a>(prefix: &str, name: &'a str) -> Cow<'a, str> {
    if prefix.is_empty() {
        return Cow::Borrowed(name);
    }
    let name = name.strip_prefix("new").unwrap_or(name);
    let (first, rest) = name.split_at(1);
    Cow::Owned(format!("{prefix}{}{rest}", first.to_ascii_uppercase()))
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

impl Numbers {
    fn read(params: &Params, instrument: &Instrument, prefix: &str) -> Result<Self, Failure> {
        let at = |name: &str, scale: Scale, refused: &str| {
            let value = params.decimal(name, wire())?;
            value.map(|value| rescaled(value, scale).ok_or_else(|| filter(refused))).transpose()
        };
        Ok(Self {
            price: at(&own(prefix, "price"), instrument.price_scale, "PRICE_FILTER")?.map(Price),
            stop_price: at(&own(prefix, "stopPrice"), instrument.price_scale, "PRICE_FILTER")?.map(Price),
            quantity: at("quantity", instrument.quantity_scale, "LOT_SIZE")?.map(Quantity),
            value: params.decimal("quoteOrderQty", wire())?.map(i128::from),
            iceberg: params.get(&own(prefix, "icebergQty")).is_some(),
            trailing: ["trailingDelta", "pegPriceType"]
                .iter()
                .any(|name| params.get(&own(prefix, name)).is_some()),
        })
    }

    /// Whether what the type needs is there, and nothing else.
    fn fit(&self, kind: OrderType, tif: Option<TimeInForce>, prefix: &str) -> Result<(), Failure> {
        let missing = |name: &str| Failure::missing(&own(prefix, name));
        let unwanted = |name: &str| {
            Failure::told(-1106, format!("Parameter '{}' sent when not required.", own(prefix, name)))
        };
        if self.iceberg {
            return Err(Failure::new(-1013, "Iceberg orders are not supported for this symbol."));
        }
        if self.trailing {
            return Err(Failure::new(-1013, "Trailing stop orders are not supported for this symbol."));
        }
        let timed = kind.has_time_in_force();
        match tif {
            None if timed => return Err(missing("timeInForce")),
            Some(_) if !timed => return Err(unwanted("timeInForce")),
            _ => {}
        }
        match self.price {
            None if !kind.is_market() => return Err(missing("price")),
            Some(_) if kind.is_market() => return Err(unwanted("price")),
            _ => {}
        }
        match self.stop_price {
            None if kind.is_conditional() => return Err(missing("stopPrice")),
            Some(_) if !kind.is_conditional() => return Err(unwanted("stopPrice")),
            _ => {}
        }
        match (self.quantity, self.value) {
            (Some(_), Some(_)) if kind == OrderType::Market => {
                Err(Failure::new(-1128, "Combination of optional parameters invalid."))
            }
            (None, None) if kind == OrderType::Market => Err(Failure::new(
                -1102,
                "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
            )),
            (_, Some(_)) if kind != OrderType::Market => Err(unwanted("quoteOrderQty")),
            (None, _) if kind != OrderType::Market => Err(Failure::missing("quantity")),
            _ => Ok(()),
        }
    }
}

/// The value of a list that has this name.
pub(super) fn named_value<T: Copy>(all: &[T], name: &str, name_of: fn(T) -> &'static str) -> Option<T> {
    all.iter().copied().find(|value| name_of(*value) == name)
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
