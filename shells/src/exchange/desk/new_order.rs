//! New orders read: their parameters, by the names that they have alone or in a list.

use std::borrow::Cow;

use engine::domain::{Instrument, OrderType, Price, Quantity, Scale, SelfTrade, Side, TimeInForce};
use engine::venue::exchange::NewOrder;

use super::super::failure::Failure;
use super::super::params::Params;
use super::Desk;
use super::orders::{filter, rescaled, wire};

/// How much a new order's answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Ack,
    Result,
    Full,
}

/// How the parameters of an order are called.
pub(super) struct Names {
    /// What stands before those that each order of a list has for itself.
    prefix: &'static str,
    side: &'static str,
    quantity: &'static str,
}

/// Those of an order alone.
pub(super) const ALONE: Names = Names { prefix: "", side: "side", quantity: "quantity" };
/// Those of a pair of which one cancels the other: the one below.
pub(super) const BELOW: Names = Names { prefix: "below", ..ALONE };
/// The one above.
pub(super) const ABOVE: Names = Names { prefix: "above", ..ALONE };
/// Those of the order that others wait for.
pub(super) const WORKING: Names =
    Names { prefix: "working", side: "workingSide", quantity: "workingQuantity" };
/// Those of the single order that waits.
pub(super) const PENDING: Names =
    Names { prefix: "pending", side: "pendingSide", quantity: "pendingQuantity" };
/// Those of a pair that waits: the one below.
pub(super) const PENDING_BELOW: Names = Names { prefix: "pendingBelow", ..PENDING };
/// The one above.
pub(super) const PENDING_ABOVE: Names = Names { prefix: "pendingAbove", ..PENDING };

impl Names {
    /// The name of a parameter that each order of a list has for itself (`aboveStopPrice`, `aboveClientOrderId`).
    fn own<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if self.prefix.is_empty() {
            return Cow::Borrowed(name);
        }
        let name = name.strip_prefix("new").unwrap_or(name);
        let (first, rest) = name.split_at(1);
        Cow::Owned(format!("{}{}{rest}", self.prefix, first.to_ascii_uppercase()))
    }
}

impl Desk {
    /// Reads the parameters of a new order, by their `names`.
    pub(super) fn new_order(
        &mut self,
        params: &Params,
        names: &Names,
    ) -> Result<(NewOrder, Detail), Failure> {
        let instrument = self.symbol(params.need("symbol")?)?;
        let side = match params.need(names.side)? {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(Failure::new(-1117, "Invalid side.")),
        };
        let kind = named_value(OrderType::ALL, params.need(&names.own("type"))?, OrderType::as_str)
            .ok_or_else(|| Failure::new(-1116, "Invalid orderType."))?;
        let tif = params.maybe(&names.own("timeInForce"))?;
        let tif = tif
            .map(|name| {
                named_value(TimeInForce::ALL, name, TimeInForce::as_str)
                    .ok_or_else(|| Failure::new(-1115, "Invalid timeInForce."))
            })
            .transpose()?;
        let listed = self.listed(instrument)?;
        let numbers = Numbers::read(params, listed, names)?;
        numbers.fit(kind, tif, names)?;
        let stp = match params.maybe("selfTradePreventionMode")? {
            None => SelfTrade::ExpireMaker,
            Some(name) => named_value(SelfTrade::ALL, name, SelfTrade::as_str).ok_or_else(|| {
                Failure::new(-1013, "This symbol does not allow the specified self-trade prevention mode.")
            })?,
        };
        let detail = match params.maybe("newOrderRespType")? {
            None if !names.prefix.is_empty() => Detail::Result,
            None if matches!(kind, OrderType::Limit | OrderType::Market) => Detail::Full,
            None | Some("ACK") => Detail::Ack,
            Some("RESULT") => Detail::Result,
            Some("FULL") => Detail::Full,
            Some(_) => return Err(Failure::illegal("newOrderRespType")),
        };
        let strategy_type = params.integer(&names.own("strategyType"))?;
        if strategy_type.is_some_and(|kind| kind < 1_000_000) {
            return Err(Failure::new(-1134, "strategyType was less than 1000000."));
        }
        let new = NewOrder {
            instrument,
            client_id: self.client_id(params, &names.own("newClientOrderId"))?,
            side,
            kind,
            time_in_force: tif.unwrap_or(TimeInForce::GoodTillCancel),
            price: numbers.price.unwrap_or(Price::NONE),
            stop_price: numbers.stop_price.unwrap_or(Price::NONE),
            quantity: numbers.quantity.unwrap_or(Quantity::ZERO),
            quote_quantity: numbers.value.unwrap_or(0),
            iceberg: numbers.iceberg.unwrap_or(Quantity::ZERO),
            trailing_delta: numbers.trailing.unwrap_or(0),
            stp,
            strategy_id: params.integer(&names.own("strategyId"))?,
            strategy_type,
        };
        Ok((new, detail))
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
}

/// Numbers of a new order, at the instrument's scales.
struct Numbers {
    price: Option<Price>,
    stop_price: Option<Price>,
    quantity: Option<Quantity>,
    value: Option<i128>,
    iceberg: Option<Quantity>,
    trailing: Option<u32>,
}

impl Numbers {
    fn read(params: &Params, instrument: &Instrument, names: &Names) -> Result<Self, Failure> {
        let at = |name: &str, scale: Scale, refused: &str| {
            let value = params.decimal(name, wire())?;
            value.map(|value| rescaled(value, scale).ok_or_else(|| filter(refused))).transpose()
        };
        let trailing = params.integer(&names.own("trailingDelta"))?.map(|delta| {
            u32::try_from(delta).ok().filter(|delta| *delta > 0).ok_or_else(|| filter("TRAILING_DELTA"))
        });
        let trailing = trailing.transpose()?;
        if params.get(&names.own("pegPriceType")).is_some() {
            return Err(Failure::new(-1013, "Pegged orders are not supported for this symbol."));
        }
        let value = if names.prefix.is_empty() { params.decimal("quoteOrderQty", wire())? } else { None };
        Ok(Self {
            price: at(&names.own("price"), instrument.price_scale, "PRICE_FILTER")?.map(Price),
            stop_price: at(&names.own("stopPrice"), instrument.price_scale, "PRICE_FILTER")?.map(Price),
            quantity: at(names.quantity, instrument.quantity_scale, "LOT_SIZE")?.map(Quantity),
            value: value.map(i128::from),
            iceberg: at(&names.own("icebergQty"), instrument.quantity_scale, "LOT_SIZE")?.map(Quantity),
            trailing,
        })
    }

    /// Whether what the type needs is there, and nothing else.
    fn fit(&self, kind: OrderType, tif: Option<TimeInForce>, names: &Names) -> Result<(), Failure> {
        let missing = |name: &str| Failure::missing(&names.own(name));
        let unwanted = |name: &str| {
            Failure::told(-1106, format!("Parameter '{}' sent when not required.", names.own(name)))
        };
        if self.iceberg.is_some() {
            if kind.is_market() {
                return Err(unwanted("icebergQty"));
            }
            if !matches!(tif, None | Some(TimeInForce::GoodTillCancel)) {
                return Err(Failure::new(-1014, "Unsupported order combination."));
            }
        }
        if self.trailing.is_some() && !kind.is_conditional() {
            return Err(unwanted("trailingDelta"));
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
            None if kind.is_conditional() && self.trailing.is_none() => {
                return Err(Failure::told(
                    -1102,
                    format!(
                        "Param '{}' or '{}' must be sent, but both were empty/null!",
                        names.own("stopPrice"),
                        names.own("trailingDelta")
                    ),
                ));
            }
            Some(_) if !kind.is_conditional() => return Err(unwanted("stopPrice")),
            _ => {}
        }
        match (self.quantity, self.value) {
            (Some(_), Some(_)) if kind == OrderType::Market => {
                Err(Failure::new(-1128, "Combination of optional parameters invalid."))
            }
            (None, None) if kind == OrderType::Market && names.prefix.is_empty() => Err(Failure::new(
                -1102,
                "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
            )),
            (_, Some(_)) if kind != OrderType::Market => Err(unwanted("quoteOrderQty")),
            (None, None) => Err(Failure::missing(names.quantity)),
            _ => Ok(()),
        }
    }
}

/// The value of a list that has this name.
pub(super) fn named_value<T: Copy>(all: &[T], name: &str, name_of: fn(T) -> &'static str) -> Option<T> {
    all.iter().copied().find(|value| name_of(*value) == name)
}
