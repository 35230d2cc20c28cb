//! `trading order|amend|replace|cancel|cancel-all|flatten`.

use std::time::Duration;

use engine::domain::{OrderId, OrderType};
use engine::error::SetupError;
use serde_json::{Value, json};

use crate::api::orders::{AmendOrder, CancelAll, Order, PlaceOrder, Swept};
use crate::cli::acting::ask::ask;
use crate::cli::acting::{connect, note, oco, refuse};
use crate::cli::args::{AmendArgs, CancelAllArgs, CancelArgs, FlattenArgs, OrderArgs, OrderCommand};
use crate::cli::looking::account::order_table;
use crate::cli::output::say;
use crate::cli::table::counted;
use crate::client::session::Session;
use crate::config::{Environment, Secrets, Settings, Span};
use crate::operator::held::Held;

/// How long the venue may take before an order is shown as it is then known: looks, and the time between them.
const LOOKS: u32 = 200;
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// `trading order buy|sell`.
///
/// # Errors
/// With risk's or the venue's code, when it was refused.
pub fn place(command: &OrderCommand, environment: &Environment) -> Result<(), SetupError> {
    let (side, args) = match command {
        OrderCommand::Buy(args) => ("BUY", args),
        OrderCommand::Sell(args) => ("SELL", args),
        OrderCommand::Oco(args) => return oco::place(args, environment),
    };
    let request = request(side, args);
    let places = Settings::resolve(&args.sending.act.places, environment, Secrets::Withhold)?.places;
    let command = format!("order {}", json!(request));
    let mut connected = connect(&places, command, args.sending.act.reason.clone(), environment)?;
    let placed = connected.session.place(&request).map_err(|error| refuse(&error))?;
    let order = settled(&mut connected.session, placed)?;
    show(std::slice::from_ref(&order), args.sending.act.json);
    not_refused(&order)
}

/// # Errors
/// With the code, when the venue has refused the order.
pub(super) fn not_refused(order: &Order) -> Result<(), SetupError> {
    match (&order.state, &order.reject_code) {
        (state, Some(code)) if state == "REJECTED" => {
            Err(SetupError::Invalid(format!("{code}: the venue refused it")))
        }
        _ => Ok(()),
    }
}

/// A span of the arguments, in milliseconds.
pub(super) fn millis(span: Span) -> u64 {
    u64::try_from(span.0.0 / 1_000_000).unwrap_or(0)
}

fn request(side: &str, args: &OrderArgs) -> PlaceOrder {
    let order_type = match (args.stop_price.is_some(), args.price.is_some()) {
        (false, false) => OrderType::Market,
        (false, true) if args.post_only => OrderType::LimitMaker,
        (false, true) => OrderType::Limit,
        (true, false) if args.take_profit => OrderType::TakeProfit,
        (true, false) => OrderType::StopLoss,
        (true, true) if args.take_profit => OrderType::TakeProfitLimit,
        (true, true) => OrderType::StopLossLimit,
    };
    PlaceOrder {
        client_id: None,
        symbol: args.symbol.clone(),
        side: side.to_owned(),
        order_type: order_type.to_string(),
        time_in_force: args.time_in_force.clone(),
        quantity: args.quantity.clone(),
        price: args.price.clone(),
        stop_price: args.stop_price.clone(),
        self_trade_prevention: args.sending.self_trade_prevention.clone(),
        valid_for_ms: args.sending.valid_for.map(millis),
    }
}

/// The order once the venue has answered, or as it is known when it takes long.
pub(super) fn settled(session: &mut Session, mut order: Order) -> Result<Order, SetupError> {
    let id: OrderId = order
        .order_id
        .parse()
        .map_err(|error| SetupError::Invalid(format!("{}: {error}", order.order_id)))?;
    for _ in 0..LOOKS {
        if !["APPROVED", "SENT"].contains(&order.state.as_str()) {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
        order = session.order(id).map_err(|error| refuse(&error))?;
    }
    Ok(order)
}

pub(super) fn show(orders: &[Order], as_json: bool) {
    match orders {
        [order] if as_json => say!("{}", json!(order)),
        _ if as_json => say!("{}", json!(orders)),
        _ => say!("{}", order_table(orders)),
    }
}

/// `trading amend`: asked of port 5556. The order keeps its id and its place.
///
/// # Errors
/// With a code, when it was refused.
pub fn amend(args: &AmendArgs, environment: &Environment) -> Result<(), SetupError> {
    let answer = change(args, "amend", environment)?;
    if args.ask.json {
        say!("{answer}");
    } else {
        say!("{} is amended", args.order);
    }
    Ok(())
}

/// `trading replace`: asked of port 5556, which has the order cancelled and the other placed in its stead.
///
/// # Errors
/// With a code, when it was refused.
pub fn replace(args: &AmendArgs, environment: &Environment) -> Result<(), SetupError> {
    let answer = change(args, "replace", environment)?;
    match (args.ask.json, answer["order_id"].as_str()) {
        (false, Some(id)) => say!("{} is replaced by {id}", args.order),
        _ => say!("{answer}"),
    }
    Ok(())
}

fn change(args: &AmendArgs, verb: &str, environment: &Environment) -> Result<Value, SetupError> {
    let settings = Settings::resolve(&args.ask.connect, environment, Secrets::Withhold)?;
    let request = AmendOrder {
        order_id: Some(args.order.clone()),
        client_id: None,
        quantity: args.quantity.clone(),
        price: args.price.clone(),
        stop_price: args.stop_price.clone(),
    };
    note(&settings.places, format!("{verb} {}", json!(request)), args.ask.reason.clone(), environment)?;
    ask(&settings.endpoints.order_execution, &format!("order.{verb}"), &request)
}

/// States in which nothing of an order rests at the venue.
const ENDS: [&str; 5] = ["CANCELED", "FILLED", "EXPIRED", "REJECTED", "NEVER_PLACED"];

/// `trading cancel`.
///
/// # Errors
/// With a code, when it was refused.
pub fn cancel(args: &CancelArgs, environment: &Environment) -> Result<(), SetupError> {
    let places = Settings::resolve(&args.act.places, environment, Secrets::Withhold)?.places;
    let id: OrderId = args
        .order
        .parse()
        .map_err(|error| SetupError::Invalid(format!("{}: {error}; it looks like t-1-2-1-7f", args.order)))?;
    let mut connected = connect(&places, format!("cancel {id}"), args.act.reason.clone(), environment)?;
    connected.session.cancel(id).map_err(|error| refuse(&error))?;
    let mut order = connected.session.order(id).map_err(|error| refuse(&error))?;
    for _ in 0..LOOKS {
        if ENDS.contains(&order.state.as_str()) {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
        order = connected.session.order(id).map_err(|error| refuse(&error))?;
    }
    show(std::slice::from_ref(&order), args.act.json);
    match order.state.as_str() {
        state if ENDS.contains(&state) => Ok(()),
        state => Err(SetupError::Invalid(format!("{id} is {state}: the venue has not confirmed the cancel"))),
    }
}

/// Tells what was done.
///
/// # Errors
/// When the venue has not confirmed every cancel.
fn swept(swept: &Swept, as_json: bool) -> Result<(), SetupError> {
    if as_json {
        say!("{}", json!(swept));
    } else {
        say!("{} cancelled, {} placed", counted(swept.canceled.len(), "order"), swept.placed.len());
        for id in &swept.placed {
            say!("{id}");
        }
    }
    unconfirmed(swept).map_or(Ok(()), |reason| Err(SetupError::Invalid(reason)))
}

/// Which cancels the venue has not confirmed, in words; none if it has confirmed all.
#[must_use]
pub fn unconfirmed(swept: &Swept) -> Option<String> {
    let open = counted(swept.open.len(), "order");
    let all = swept.open.join(", ");
    (!swept.open.is_empty())
        .then(|| format!("{open} still open, the venue has not confirmed the cancel: {all}"))
}

/// `trading cancel-all`.
///
/// # Errors
/// With a code, when one was refused.
pub fn cancel_all(args: &CancelAllArgs, environment: &Environment) -> Result<(), SetupError> {
    let places = Settings::resolve(&args.act.places, environment, Secrets::Withhold)?.places;
    let CancelAllArgs { symbol, strategy, foreign, .. } = args;
    let request = CancelAll { symbol: symbol.clone(), strategy: strategy.clone(), foreign: *foreign };
    let command = format!("cancel-all {}", json!(request));
    let mut connected = connect(&places, command, args.act.reason.clone(), environment)?;
    let done = connected.session.cancel_all(&request).map_err(|error| refuse(&error))?;
    swept(&done, args.act.json)
}

/// `trading flatten`: strategies are held meanwhile, or they would place anew what is cancelled.
///
/// # Errors
/// With a code, when something was refused: what was done until then stays done.
pub fn flatten(args: &FlattenArgs, environment: &Environment) -> Result<(), SetupError> {
    let places = Settings::resolve(&args.act.places, environment, Secrets::Withhold)?.places;
    let command = format!("flatten {}", args.symbol.as_deref().unwrap_or("everything"));
    let mut connected = connect(&places, command, args.act.reason.clone(), environment)?;
    let held = Held::strategies(&places, args.symbol.as_deref())?;
    let done = connected.session.flatten(args.symbol.as_deref());
    // Whatever came of it, strategies get back what the operator's log lets them have.
    held.release()?;
    swept(&done.map_err(|error| refuse(&error))?, args.act.json)
}
