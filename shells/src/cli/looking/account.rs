//! `trading orders|fills|positions|pnl|risk`: the account, out of the engine's journals.

use engine::error::SetupError;
use serde::Serialize;

use crate::api::orders::{Fill, Order};
use crate::api::risk::{Pnl, Position};
use crate::cli::args::{FillListArgs, LookArgs, OrdersArgs};
use crate::cli::looking::view::{View, refuse, unknown};
use crate::cli::output::say;
use crate::cli::table::{Table, clock_time};
use crate::config::Environment;
use crate::service::show;

/// Prints `rows` as JSON, or `table` of them.
fn print<T: Serialize>(rows: &T, as_json: bool, table: impl FnOnce() -> Table) {
    if as_json {
        say!("{}", serde_json::json!(rows));
    } else {
        say!("{}", table());
    }
}

/// `trading orders`.
///
/// # Errors
/// When no engine ran there.
pub fn orders(args: &OrdersArgs, environment: &Environment) -> Result<(), SetupError> {
    let view = View::open(&args.look, environment)?;
    let rows = list_orders(&view, args.all)?;
    print(&rows, args.look.json, || order_table(&rows));
    Ok(())
}

/// The open orders, or all that are known, oldest first.
///
/// # Errors
/// When nothing is known yet.
pub fn list_orders(view: &View, all: bool) -> Result<Vec<Order>, SetupError> {
    let table = view.views().table().map_err(|error| refuse(&error))?;
    let orders = view.views().account.orders().map_err(unknown)?;
    let meant = orders.iter().filter(|row| all || row.is_open());
    let mut rows: Vec<Order> = meant
        .filter_map(|row| Some(show::order(row, table.get(row.instrument)?, &view.views().names)))
        .collect();
    rows.sort_by_key(|order| order.created_ns);
    Ok(rows)
}

/// Orders for people.
#[must_use]
pub fn order_table(rows: &[Order]) -> Table {
    let mut table = Table::new(&[
        "created", "order", "symbol", "strategy", "side", "type", "price", "quantity", "filled", "state",
        "code",
    ]);
    for order in rows {
        table.row(vec![
            clock_time(order.created_ns),
            order.order_id.clone(),
            order.symbol.clone(),
            order.strategy.clone(),
            order.side.clone(),
            match &order.stop_price {
                Some(stop) => format!("{} {stop} {}", order.order_type, order.time_in_force),
                None => format!("{} {}", order.order_type, order.time_in_force),
            },
            order.price.clone().unwrap_or_default(),
            order.quantity.clone(),
            order.filled.clone(),
            order.state.clone(),
            order.reject_code.clone().unwrap_or_default(),
        ]);
    }
    table
}

/// `trading fills`.
///
/// # Errors
/// When no engine ran there.
pub fn fills(args: &FillListArgs, environment: &Environment) -> Result<(), SetupError> {
    let view = View::open(&args.look, environment)?;
    let table = view.views().table().map_err(|error| refuse(&error))?;
    let orders = view.views().account.orders().map_err(unknown)?;
    let newest = orders.fills().rev().take(args.limit);
    let mut rows: Vec<Fill> = newest
        .filter_map(|report| Some(show::fill(report, table.get(report.instrument)?, &view.views().names)))
        .collect();
    rows.reverse();
    print(&rows, args.look.json, || {
        let mut table = Table::new(&[
            "time",
            "symbol",
            "strategy",
            "side",
            "price",
            "quantity",
            "fee",
            "in",
            "liquidity",
            "order",
        ]);
        for fill in &rows {
            table.row(vec![
                clock_time(fill.time_ns),
                fill.symbol.clone(),
                fill.strategy.clone(),
                fill.side.clone(),
                fill.price.clone(),
                fill.quantity.clone(),
                fill.fee.clone(),
                fill.fee_asset.clone(),
                fill.liquidity.clone(),
                fill.order_id.clone(),
            ]);
        }
        table
    });
    Ok(())
}

/// Positions: the account's, and each strategy's.
///
/// # Errors
/// When nothing is known yet.
pub fn list_positions(view: &View) -> Result<Vec<Position>, SetupError> {
    let table = view.views().table().map_err(|error| refuse(&error))?;
    let ledger = view.views().account.ledger().map_err(unknown)?;
    Ok(show::positions((table, ledger), None, &view.views().names, &|index| view.views().mark(index)))
}

/// `trading positions`.
///
/// # Errors
/// When no engine ran there.
pub fn positions(args: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let view = View::open(args, environment)?;
    let rows = list_positions(&view)?;
    print(&rows, args.json, || {
        let mut table =
            Table::new(&["symbol", "strategy", "position", "value", "in", "average price", "mark"]);
        for row in &rows {
            table.row(vec![
                row.symbol.clone(),
                row.strategy.clone().unwrap_or_else(|| "all".to_owned()),
                row.quantity.clone(),
                row.value.clone().unwrap_or_default(),
                row.asset.clone(),
                row.average_price.clone().unwrap_or_default(),
                row.mark.clone().unwrap_or_default(),
            ]);
        }
        table
    });
    Ok(())
}

/// PnL: the account's, and each strategy's.
///
/// # Errors
/// When nothing is known yet.
pub fn list_pnl(view: &View) -> Result<Vec<Pnl>, SetupError> {
    let table = view.views().table().map_err(|error| refuse(&error))?;
    let ledger = view.views().account.ledger().map_err(unknown)?;
    Ok(show::pnl((table, ledger), None, &view.views().names, &|index| view.views().mark(index)))
}

/// `trading pnl`.
///
/// # Errors
/// When no engine ran there.
pub fn pnl(args: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let view = View::open(args, environment)?;
    let rows = list_pnl(&view)?;
    print(&rows, args.json, || {
        let heading = ["symbol", "strategy", "realised", "unrealised", "fees", "PnL", "in", "fees beside"];
        let mut table = Table::new(&heading);
        for row in &rows {
            let beside = row.other_fees.iter().map(|(asset, fee)| format!("{fee} {asset}"));
            table.row(vec![
                row.symbol.clone(),
                row.strategy.clone().unwrap_or_else(|| "all".to_owned()),
                row.realised.clone(),
                row.unrealised.clone(),
                row.fees.clone(),
                row.total.clone(),
                row.asset.clone(),
                beside.collect::<Vec<_>>().join(", "),
            ]);
        }
        table
    });
    Ok(())
}

/// `trading risk`.
///
/// # Errors
/// When no engine ran there.
pub fn risk(args: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let state = View::open(args, environment)?.risk_state()?;
    if args.json {
        say!("{}", serde_json::json!(state));
        return Ok(());
    }
    say!("trading {}", state.state);
    let mut table = Table::new(&["scope", "state"]);
    for (owner, state) in &state.pages {
        table.row(vec![format!("page of {owner}"), state.clone()]);
    }
    for (name, state) in state.symbols.iter().chain(&state.strategies) {
        table.row(vec![name.clone(), state.clone()]);
    }
    say!("{table}");
    if let Some(halt) = &state.last_halt {
        let of = halt.of.clone().unwrap_or_default();
        say!("last: {} {of} {} at {}: {}", halt.scope, halt.state, clock_time(halt.time_ns), halt.reason);
    }
    say!("orders approved {}, open {}, unknown {}", state.approved, state.open_orders, state.unknown_orders);
    for (code, count) in &state.rejected {
        say!("rejected {code} {count}");
    }
    Ok(())
}
