//! Pairs of orders of which one cancels the other, from a request to intents.

use engine::domain::OrderType;

use crate::api::orders::{PlaceOco, PlaceOrder};
use crate::api::{ApiError, code};
use crate::client::intents::NewOrder;
use crate::service::instruments::Table;

/// The type that a leg's prices and place mean; without a price it has the type that asks for one.
const fn meant(stops_loss: bool, priced: bool, triggered: bool) -> OrderType {
    match (stops_loss, priced, triggered) {
        (true, false, _) => OrderType::StopLoss,
        (true, true, _) => OrderType::StopLossLimit,
        (false, _, false) => OrderType::LimitMaker,
        (false, false, true) => OrderType::TakeProfit,
        (false, true, true) => OrderType::TakeProfitLimit,
    }
}

/// Reads a request: the upper order and the lower one. Risk judges once more whether they make a pair, but its answer names no
/// field.
///
/// # Errors
/// `UNKNOWN_SYMBOL`, or `BAD_REQUEST` that names the field.
pub fn read(table: &Table, request: &PlaceOco) -> Result<[NewOrder; 2], ApiError> {
    let buys = request.side == "BUY";
    let leg = |name: &str, stops_loss: bool, [kind, price, stop_price, lifetime]: [&Option<String>; 4]| {
        let order_type = kind
            .clone()
            .unwrap_or_else(|| meant(stops_loss, price.is_some(), stop_price.is_some()).to_string());
        let order = PlaceOrder {
            client_id: None,
            symbol: request.symbol.clone(),
            side: request.side.clone(),
            order_type,
            time_in_force: lifetime.clone(),
            quantity: request.quantity.clone(),
            price: price.clone(),
            stop_price: stop_price.clone(),
            self_trade_prevention: request.self_trade_prevention.clone(),
            valid_for_ms: request.valid_for_ms,
        };
        let order = NewOrder::read_as(&format!("{name}_"), table, &order)?;
        judge_type(name, stops_loss, &order)?;
        Ok(order)
    };
    let PlaceOco { above_type, above_price, above_stop_price, above_time_in_force, .. } = request;
    let PlaceOco { below_type, below_price, below_stop_price, below_time_in_force, .. } = request;
    let above = leg("above", buys, [above_type, above_price, above_stop_price, above_time_in_force])?;
    let below = leg("below", !buys, [below_type, below_price, below_stop_price, below_time_in_force])?;
    let level = |order: &NewOrder| order.order_type.level(order.price, order.trigger);
    if level(&above) > level(&below) {
        return Ok([above, below]);
    }
    let of = |order: &NewOrder, price: &'static str, stop_price: &'static str| {
        if order.order_type.is_conditional() { stop_price } else { price }
    };
    let upper = of(&above, "above_price", "above_stop_price");
    let reason = format!("{upper}: it is not above {}", of(&below, "below_price", "below_stop_price"));
    Err(ApiError::new(code::BAD_REQUEST, reason))
}

/// Whether one of a pair is of a type that it may have where it stands.
fn judge_type(name: &str, stops_loss: bool, order: &NewOrder) -> Result<(), ApiError> {
    let (kind, side) = (order.order_type, order.side);
    let fits = if stops_loss { kind.stops_loss() } else { kind.waits_for_better() };
    if fits {
        return Ok(());
    }
    let types = if stops_loss {
        "stops a loss (STOP_LOSS, STOP_LOSS_LIMIT)"
    } else {
        "waits for a better price (LIMIT_MAKER, TAKE_PROFIT, TAKE_PROFIT_LIMIT)"
    };
    let reason = format!("{name}_type: {kind}: of a {side} the one {name} {types}");
    Err(ApiError::new(code::BAD_REQUEST, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::instruments::sample;

    fn request(side: &str, above: [Option<&str>; 2], below: [Option<&str>; 2]) -> PlaceOco {
        let [above_price, above_stop_price] = above.map(|text| text.map(str::to_owned));
        let [below_price, below_stop_price] = below.map(|text| text.map(str::to_owned));
        let (symbol, side, quantity) = ("ETHUSDT".into(), side.into(), "0.5".into());
        PlaceOco {
            symbol,
            side,
            quantity,
            above_price,
            above_stop_price,
            below_price,
            below_stop_price,
            ..PlaceOco::default()
        }
    }

    #[test]
    fn prices_and_place_say_which_types_are_meant() {
        use OrderType::{LimitMaker, StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit};
        let (high, low) = (Some("2600"), Some("2400"));
        for (side, above, below, types) in [
            ("SELL", [high, None], [None, low], [LimitMaker, StopLoss]),
            ("SELL", [None, high], [low, low], [TakeProfit, StopLossLimit]),
            ("SELL", [high, high], [None, low], [TakeProfitLimit, StopLoss]),
            ("BUY", [None, high], [low, None], [StopLoss, LimitMaker]),
            ("BUY", [high, high], [low, low], [StopLossLimit, TakeProfitLimit]),
        ] {
            let orders = read(&sample(), &request(side, above, below)).expect("good");
            assert_eq!(orders.map(|order| order.order_type), types, "{side} {above:?} {below:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        let (high, low) = (Some("2600"), Some("2400"));
        let (sell, buy) =
            (request("SELL", [high, None], [None, low]), request("BUY", [None, high], [low, None]));
        let text = |text: &str| Some(text.to_owned());
        for (request, reason) in [
            (request("SELL", [None, None], [None, low]), "above_price: missing"),
            (request("SELL", [high, None], [low, None]), "below_stop_price: missing"),
            (request("BUY", [None, high], [Some("x"), None]), "below_price: \"x\""),
            (request("sell", [high, None], [None, low]), "side: \"sell\""),
            (PlaceOco { above_type: text("OCO"), ..buy.clone() }, "above_type: \"OCO\""),
            (PlaceOco { below_time_in_force: text("DAY"), ..buy.clone() }, "below_time_in_force: \"DAY\""),
            (PlaceOco { below_time_in_force: text("IOC"), ..buy.clone() }, "below_time_in_force: IOC"),
            (PlaceOco { quantity: "0".into(), ..sell.clone() }, "quantity: "),
            (PlaceOco { valid_for_ms: Some(0), ..sell.clone() }, "valid_for_ms: 0"),
            (
                PlaceOco { above_stop_price: text("2600"), above_type: text("LIMIT_MAKER"), ..sell.clone() },
                "above_stop_price: an order of type LIMIT_MAKER has none",
            ),
            (PlaceOco { above_type: text("LIMIT"), ..sell.clone() }, "above_type: LIMIT: of a SELL"),
            (PlaceOco { below_type: text("TAKE_PROFIT"), ..sell }, "below_type: TAKE_PROFIT: of a SELL"),
            (PlaceOco { above_type: text("TAKE_PROFIT"), ..buy }, "above_type: TAKE_PROFIT: of a BUY"),
            (request("SELL", [low, None], [None, high]), "above_price: it is not above below_stop_price"),
            (request("SELL", [None, low], [low, low]), "above_stop_price: it is not above below_stop_price"),
            (request("BUY", [low, low], [high, None]), "above_stop_price: it is not above below_price"),
        ] {
            let error = read(&sample(), &request).expect_err(reason);
            assert!(error.message.starts_with(reason), "{error}");
            assert_eq!(error.code, code::BAD_REQUEST);
        }
    }
}
