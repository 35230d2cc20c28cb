//! `trading strategy list|show|start|stop|set` and `trading limits show|set`.

use std::collections::BTreeMap;

use engine::error::SetupError;
use engine::tick_to_trade::strategy::registry;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::risk::{Limits, SetLimit};
use crate::api::strategies::{SetParameter, Strategy, StrategyName};
use crate::cli::acting::ask::{ask, within};
use crate::cli::acting::note;
use crate::cli::args::{AskArgs, LimitsCommand, LookArgs, NamedArgs, StrategyCommand};
use crate::cli::looking::view::{View, refuse};
use crate::cli::output::say;
use crate::cli::table::Table;
use crate::config::{Environment, Secrets, Settings};
use crate::service::show;

/// How long port 5558 may take to tell what holds, in milliseconds: without it, only defaults are shown.
const VALUES_MS: i32 = 1_000;

/// Runs a strategy command.
///
/// # Errors
/// With a code, when it was refused.
pub fn strategy(command: &StrategyCommand, environment: &Environment) -> Result<(), SetupError> {
    match command {
        StrategyCommand::List(args) => list(args, environment),
        StrategyCommand::Show { name, look } => show_one(name, look, environment),
        StrategyCommand::Start(NamedArgs { name, ask }) => {
            tell(("strategy.start", name), &StrategyName { name: name.clone() }, ask, environment)
        }
        StrategyCommand::Stop(NamedArgs { name, ask }) => {
            tell(("strategy.stop", name), &StrategyName { name: name.clone() }, ask, environment)
        }
        StrategyCommand::Set { name, key, value, ask } => {
            let request = SetParameter { name: name.clone(), key: key.clone(), value: value.clone() };
            tell(("strategy.set", name), &request, ask, environment)
        }
    }
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// Tells the strategy service, and prints what it answers.
fn tell(
    (op, name): (&str, &str),
    request: &impl Serialize,
    args: &AskArgs,
    environment: &Environment,
) -> Result<(), SetupError> {
    let settings = Settings::resolve(&args.connect, environment, Secrets::Withhold)?;
    note(&settings.places, format!("{op} {}", json!(request)), args.reason.clone(), environment)?;
    let answer = ask(&settings.endpoints.strategy_engine, op, request)?;
    match (args.json, answer["activity"].as_str()) {
        (true, _) => say!("{answer}"),
        (false, Some(activity)) => say!("{name} is {activity}"),
        (false, None) => say!("{name}: {} is {}", words(&answer["key"]), words(&answer["value"])),
    }
    Ok(())
}

fn rows(view: &View) -> Result<Vec<Strategy>, SetupError> {
    let table = view.views().table().map_err(|error| refuse(&error))?;
    Ok(view.views().names.rows().map(|row| show::strategy(&row, table)).collect())
}

/// The strategies that run, and those that could.
fn list(args: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let rows = rows(&View::open(args, environment)?)?;
    if args.json {
        say!("{}", json!(rows));
        return Ok(());
    }
    let mut table = Table::new(&["strategy", "source", "activity", "symbols", "intents", "working orders"]);
    for row in rows {
        table.row(vec![
            row.name,
            row.source.to_string(),
            row.activity,
            row.symbols.join(","),
            row.intents.to_string(),
            row.working_orders.to_string(),
        ]);
    }
    say!("{table}\n");
    let mut known = Table::new(&["can be run", "what it does"]);
    for entry in registry::TABLE {
        known.row(vec![entry.name.to_owned(), entry.doc.to_owned()]);
    }
    say!("{known}");
    Ok(())
}

/// One strategy: what it does in the engine, and the parameters of its kind.
fn show_one(name: &str, look: &LookArgs, environment: &Environment) -> Result<(), SetupError> {
    let rows = rows(&View::open(look, environment)?)?;
    let meant = |row: &&Strategy| row.name == name || row.name.split('/').next() == Some(name);
    let meant: Vec<&Strategy> = rows.iter().filter(meant).collect();
    let kind = name.split('/').next().unwrap_or(name);
    let entry = registry::TABLE.iter().find(|entry| entry.name == kind);
    if meant.is_empty() {
        let known: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(SetupError::Invalid(format!("UNKNOWN_STRATEGY: no strategy {name}; there are {known}")));
    }
    let endpoint = Settings::resolve(&look.places, environment, Secrets::Withhold)?.endpoints.strategy_engine;
    let values = values(&endpoint, &meant);
    let parameters: Vec<Value> = entry
        .map(|entry| {
            let rows = entry.parameters().into_iter();
            rows.map(|row| {
                let value = values.get(row.key).map(|values| values.join(", "));
                json!({"key": row.key, "value": value, "default": row.value, "range": row.range, "doc": row.doc})
            })
            .collect()
        })
        .unwrap_or_default();
    if look.json {
        say!("{}", json!({"running": meant, "parameters": parameters}));
        return Ok(());
    }
    for row in meant {
        say!("{} {}: {} intents, {} working orders", row.name, row.activity, row.intents, row.working_orders);
    }
    let mut table = Table::new(&["parameter", "value", "default", "range", "what it is"]);
    for row in &parameters {
        let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        table.row(vec![text("key"), text("value"), text("default"), text("range"), text("doc")]);
    }
    say!("\n{table}");
    Ok(())
}

/// The present values of each parameter in all of `meant`, as port 5558 tells; none where it does not answer.
fn values(endpoint: &str, meant: &[&Strategy]) -> BTreeMap<String, Vec<String>> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in meant {
        let asked = within(VALUES_MS, endpoint, "strategy.get", &StrategyName { name: row.name.clone() });
        let told = asked.ok().and_then(|answer| serde_json::from_value::<Strategy>(answer).ok());
        let Some(told) = told else { break };
        for parameter in told.parameters {
            let known = values.entry(parameter.key).or_default();
            if !known.contains(&parameter.value) {
                known.push(parameter.value);
            }
        }
    }
    values
}

/// Runs a limits command: both are asked of port 5557.
///
/// # Errors
/// With a code, when it was refused.
pub fn limits(command: &LimitsCommand, environment: &Environment) -> Result<(), SetupError> {
    let (LimitsCommand::Show(args) | LimitsCommand::Set { ask: args, .. }) = command;
    let settings = Settings::resolve(&args.connect, environment, Secrets::Withhold)?;
    let endpoint = &settings.endpoints.risk_management;
    let LimitsCommand::Set { key, value, .. } = command else {
        let answer = ask(endpoint, "limits.get", &json!({}))?;
        return show_limits(answer, args.json);
    };
    let request = SetLimit { key: key.clone(), value: value.clone() };
    note(&settings.places, format!("limits.set {}", json!(request)), args.reason.clone(), environment)?;
    let answer = ask(endpoint, "limits.set", &request)?;
    match args.json {
        true => say!("{answer}"),
        false => say!("{key} is {value}"),
    }
    Ok(())
}

fn show_limits(answer: Value, as_json: bool) -> Result<(), SetupError> {
    if as_json {
        say!("{answer}");
        return Ok(());
    }
    let limits: Limits = serde_json::from_value(answer)
        .map_err(|error| SetupError::Invalid(format!("the answer is not one of limits: {error}")))?;
    let mut table = Table::new(&["limit", "value", "ceiling"]);
    for (key, limit) in limits.limits {
        table.row(vec![key, limit.value, limit.ceiling]);
    }
    say!("{table}");
    Ok(())
}
