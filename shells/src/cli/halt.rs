//! `trading halt|reduce-only|resume`: by shared memory alone, with every other process hung or dead.

use std::collections::BTreeMap;

use engine::counters::heartbeat::ALIVE_WITHIN;
use engine::counters::{HaltReader, HaltState};
use engine::error::SetupError;
use engine::shm::paths::{IpcPaths, OWNERS};
use serde_json::json;

use crate::api::orders::OrderFilter;
use crate::cli::acting;
use crate::cli::args::HaltArgs;
use crate::cli::looking::status::{AgentStatus, agents};
use crate::cli::output::say;
use crate::cli::table::counted;
use crate::config::{Environment, Places, Secrets, Settings};
use crate::operator::{self, OperatorLock, Scope};

/// Sets what may be traded.
///
/// # Errors
/// When the scope is unknown or the page cannot be written; for a halt that holds but was not logged as well.
pub fn run(state: HaltState, args: &HaltArgs, environment: &Environment) -> Result<(), SetupError> {
    let places = Settings::resolve(&args.act.places, environment, Secrets::Withhold)?.places;
    let scope = match (&args.symbol, &args.strategy) {
        (Some(symbol), _) => Scope::Symbol(symbol.clone()),
        (None, Some(strategy)) => Scope::Strategy(strategy.clone()),
        (None, None) => Scope::Global,
    };
    let done = operator::apply(&places, &scope, state, args.act.reason.clone(), environment)?;
    let ipc = IpcPaths::new(&places.ipc);
    let others = others(&ipc, state);
    // Letting go of everything lets go of nothing that was halted by its name.
    let scopes = if scope == Scope::Global { operator::still(&places)? } else { Vec::new() };
    let scopes: BTreeMap<_, _> = scopes.into_iter().filter(|(_, held)| *held > state).collect();
    if !args.act.json {
        say!("{scope}: {state}");
        for (owner, state) in &others {
            say!("but {owner} still says {state}");
        }
        for (scope, state) in &scopes {
            say!("but {scope} is still {state}");
        }
    }
    // The page stands: what follows needs an engine that beats.
    let cancels = state == HaltState::Halted && !args.keep_orders;
    let canceled = if cancels { cancel(&places, &ipc, &scope) } else { Ok(None) };
    if args.act.json {
        let others: Vec<_> =
            others.iter().map(|(owner, state)| json!({"owner": owner, "state": state})).collect();
        let number = canceled.as_ref().ok().copied().flatten();
        let warning = done.warning.clone().or_else(|| canceled.as_ref().err().map(ToString::to_string));
        say!(
            "{}",
            json!({"scope": scope, "state": state, "still": others, "scopes": scopes,
                "canceled": number, "warning": warning})
        );
    } else {
        match &canceled {
            Ok(Some(number)) => say!("{} cancelled", counted(*number, "order")),
            Ok(None) if cancels => say!("no order was cancelled: no engine beats that could"),
            Ok(None) => {}
            Err(error) => say!("not every order was cancelled: {error}"),
        }
    }
    done.warning.map_or(Ok(()), |warning| Err(SetupError::Invalid(warning)))
}

/// Cancels the open orders that a halt reaches, if an engine is there to do it; returns how many.
fn cancel(places: &Places, ipc: &IpcPaths, scope: &Scope) -> Result<Option<usize>, SetupError> {
    let beats = |agent: &AgentStatus| agent.heartbeat_age_ns.is_some_and(|age| age < ALIVE_WITHIN.0);
    if !agents(ipc).iter().all(|agent| agent.hosted && beats(agent)) {
        return Ok(None);
    }
    let _lock = OperatorLock::take(&places.owned_by("operator"))?;
    let mut session = acting::open(ipc, places)?;
    let filters = match scope {
        Scope::Global => vec![OrderFilter::default()],
        Scope::Symbol(symbol) => vec![OrderFilter { symbol: Some(symbol.clone()), strategy: None }],
        Scope::Strategy(_) => {
            let sources = operator::names::sources(ipc)?.into_iter();
            let meant = sources.filter(|(_, name)| scope.is_strategy(name));
            meant.map(|(_, name)| OrderFilter { symbol: None, strategy: Some(name) }).collect()
        }
    };
    let mut canceled = 0;
    for filter in filters {
        canceled += session.cancel_all(&filter).map_err(|error| acting::refuse(&error))?.canceled.len();
    }
    Ok(Some(canceled))
}

/// Whoever else holds everything stricter than `state`: only its owner can let go.
fn others(ipc: &IpcPaths, state: HaltState) -> Vec<(&'static str, HaltState)> {
    let pages = OWNERS.into_iter().filter(|owner| *owner != "operator");
    let states = pages.filter_map(|owner| {
        let page = ipc.halts(owner);
        page.exists()
            .then(|| (owner, HaltReader::attach(&page).map_or(HaltState::Halted, |page| page.global())))
    });
    states.filter(|(_, other)| *other > state).collect()
}
