//! `trading order oco`.

use engine::error::SetupError;
use serde_json::json;

use crate::api::orders::PlaceOco;
use crate::cli::acting::orders::{millis, not_refused, settled, show};
use crate::cli::acting::{connect, refuse};
use crate::cli::args::{OcoArgs, SideArg};
use crate::config::{Environment, Secrets, Settings};

/// Places two orders of which one cancels the other, and shows both as the venue has them.
///
/// # Errors
/// With risk's or the venue's code, when they were refused.
pub(super) fn place(args: &OcoArgs, environment: &Environment) -> Result<(), SetupError> {
    let side = match args.side {
        SideArg::Sell => "SELL",
        SideArg::Buy => "BUY",
    };
    let request = PlaceOco {
        symbol: args.symbol.clone(),
        side: side.to_owned(),
        quantity: args.quantity.clone(),
        above_type: args.above_type.clone(),
        above_price: args.above_price.clone(),
        above_stop_price: args.above_stop_price.clone(),
        above_time_in_force: args.above_time_in_force.clone(),
        below_type: args.below_type.clone(),
        below_price: args.below_price.clone(),
        below_stop_price: args.below_stop_price.clone(),
        below_time_in_force: args.below_time_in_force.clone(),
        self_trade_prevention: args.sending.self_trade_prevention.clone(),
        valid_for_ms: args.sending.valid_for.map(millis),
    };
    let places = Settings::resolve(&args.sending.act.places, environment, Secrets::Withhold)?.places;
    let command = format!("order oco {}", json!(request));
    let mut connected = connect(&places, command, args.sending.act.reason.clone(), environment)?;
    let [above, below] = connected.session.place_pair(&request).map_err(|error| refuse(&error))?;
    let orders = [settled(&mut connected.session, above)?, settled(&mut connected.session, below)?];
    show(&orders, args.sending.act.json);
    orders.iter().try_for_each(not_refused)
}
