//! Pairs of orders of which one cancels the other, from a request to intents.

use engine::domain::OrderType;

use crate::api::ApiError;
use crate::api::orders::{PlaceOco, PlaceOrder};
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

/// Reads a request: the upper order and the lower one. Whether they make a pair, risk judges.
///
/// # Errors
/// `UNKNOWN_SYMBOL`, or `BAD_REQUEST` that names the order and the field.
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
        NewOrder::read(table, &order)
            .map_err(|error| ApiError { message: format!("{name}: {}", error.message), ..error })
    };
    let PlaceOco { above_type, above_price, above_stop_price, above_time_in_force, .. } = request;
    let PlaceOco { below_type, below_price, below_stop_price, below_time_in_force, .. } = request;
    Ok([
        leg("above", buys, [above_type, above_price, above_stop_price, above_time_in_force])?,
        leg("below", !buys, [below_type, below_price, below_stop_price, below_time_in_force])?,
    ])
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
    fn what_is_wrong_is_named_with_its_order() {
        let (high, low) = (Some("2600"), Some("2400"));
        for (request, reason) in [
            (request("SELL", [None, None], [None, low]), "above: price: missing"),
            (request("SELL", [high, None], [low, None]), "below: stop_price: missing"),
            (request("BUY", [None, high], [Some("x"), None]), "below: price: \"x\""),
            (request("sell", [high, None], [None, low]), "above: side: \"sell\""),
            (
                PlaceOco { above_type: Some("OCO".into()), ..request("BUY", [None, high], [low, None]) },
                "above: type: \"OCO\"",
            ),
        ] {
            let error = read(&sample(), &request).expect_err(reason);
            assert!(error.message.starts_with(reason), "{error}");
        }
    }
}
