//! `trading halt|reduce-only|resume`: by shared memory alone, with every other process hung or dead. Only a latch that risk
//! raised itself needs risk's process, and port 5557, to be cleared.

use std::collections::BTreeMap;

use engine::counters::heartbeat::ALIVE_WITHIN;
use engine::counters::{HaltReader, HaltState};
use engine::error::SetupError;
use engine::shm::paths::{IpcPaths, OWNERS};
use serde_json::json;

use crate::api::orders::{OrderFilter, Swept};
use crate::api::risk::HaltRequest;
use crate::cli::acting::orders::unconfirmed;
use crate::cli::acting::{self, ask};
use crate::cli::args::HaltArgs;
use crate::cli::looking::status::{AgentStatus, agents};
use crate::cli::output::say;
use crate::cli::table::counted;
use crate::config::{Environment, Places, Secrets, Settings};
use crate::operator::{self, OperatorLock, Scope};

/// How long port 5557 may take to clear a latch, in milliseconds.
const RESUME_MS: i32 = 2_000;

/// Sets what may be traded.
///
/// # Errors
/// When the scope is unknown or the page cannot be written; for a halt that holds but was not logged as well.
pub fn run(state: HaltState, args: &HaltArgs, environment: &Environment) -> Result<(), SetupError> {
    let settings = Settings::resolve(&args.act.places, environment, Secrets::Withhold)?;
    let places = settings.places;
    let scope = match (&args.symbol, &args.strategy) {
        (Some(symbol), _) => Scope::Symbol(symbol.clone()),
        (None, Some(strategy)) => Scope::Strategy(strategy.clone()),
        (None, None) => Scope::Global,
    };
    let done = operator::apply(&places, &scope, state, args.act.reason.clone(), environment)?;
    let ipc = IpcPaths::new(&places.ipc);
    let lets_go = state == HaltState::Active && done.warning.is_none();
    let latched = if lets_go { latched(&ipc, &scope) } else { Vec::new() };
    let cleared = clear(&settings.endpoints.risk_management, &latched, args.act.reason.as_deref());
    let others = others(&ipc, state);
    // Letting go of everything lets go of nothing that was halted by its name.
    let scopes = if scope == Scope::Global { operator::still(&places) } else { Ok(Vec::new()) };
    // What cannot be told of the log keeps no order from being cancelled.
    let (scopes, untold) = scopes.map_or_else(|error| (Vec::new(), Err(error)), |scopes| (scopes, Ok(())));
    let scopes: BTreeMap<_, _> = scopes.into_iter().filter(|(_, held)| *held > state).collect();
    if !args.act.json {
        if lets_go || state != HaltState::Active {
            say!("{scope}: {state} in {}", ipc.root().display());
        }
        if !ipc.instruments().exists() {
            say!("but no engine has ever run there: is this the right user and instance?");
        }
        if !latched.is_empty() && cleared.is_ok() {
            say!("risk's latch is cleared");
        }
        for (owner, state) in &others {
            say!("but {owner} still says {state}");
        }
        if let Err(error) = &cleared {
            say!("risk's latch stands: {error}");
        }
        for (scope, state) in &scopes {
            say!("but {scope} is still {state}");
        }
    }
    // The page stands: what follows needs an engine that beats.
    let cancels = state == HaltState::Halted && !args.keep_orders;
    let canceled = if cancels { cancel(&places, &ipc, &scope) } else { Ok(None) };
    let resting = match &canceled {
        Ok(swept) => {
            swept.as_ref().and_then(unconfirmed).map_or(Ok(()), |open| Err(SetupError::Invalid(open)))
        }
        Err(error) => Err(SetupError::Invalid(format!("not every order was cancelled: {error}"))),
    };
    if args.act.json {
        let others: Vec<_> =
            others.iter().map(|(owner, state)| json!({"owner": owner, "state": state})).collect();
        let number = canceled.as_ref().ok().and_then(|swept| Some(swept.as_ref()?.canceled.len()));
        let failed = [resting.as_ref().err(), cleared.as_ref().err()];
        let warning =
            done.warning.clone().or_else(|| failed.into_iter().flatten().next().map(ToString::to_string));
        say!(
            "{}",
            json!({"scope": scope, "state": state, "still": others, "scopes": scopes,
                "canceled": number, "warning": warning})
        );
    } else {
        match &canceled {
            Ok(Some(swept)) => say!("{} cancelled", counted(swept.canceled.len(), "order")),
            Ok(None) if cancels => say!("no order was cancelled: no engine beats that could"),
            Ok(None) | Err(_) => {}
        }
    }
    // It holds, and is logged; what it could not do is told with exit code 1.
    done.warning.map_or(Ok(()), |warning| Err(SetupError::Invalid(warning))).and(resting).and(untold)
}

/// Cancels the open orders that a halt reaches, if an engine is there to do it.
///
/// # Errors
/// When a cancel was refused, or the operator's ring cannot be used.
pub fn cancel(places: &Places, ipc: &IpcPaths, scope: &Scope) -> Result<Option<Swept>, SetupError> {
    let beats = |agent: &AgentStatus| agent.heartbeat_age_ns.is_some_and(|age| age < ALIVE_WITHIN.0);
    let all_beat = || agents(ipc).iter().all(|agent| agent.hosted && beats(agent));
    if !all_beat() {
        return Ok(None);
    }
    let _lock = OperatorLock::take(&places.owned_by("operator"))?;
    let mut session = match acting::open(ipc, places) {
        // It was stopped a moment ago.
        Err(_) if !all_beat() => return Ok(None),
        session => session?,
    };
    let filters = match scope {
        Scope::Global => vec![OrderFilter::default()],
        Scope::Symbol(symbol) => vec![OrderFilter { symbol: Some(symbol.clone()), strategy: None }],
        Scope::Strategy(_) => {
            let sources = operator::names::sources(ipc)?.into_iter();
            let meant = sources.filter(|(_, name)| scope.is_strategy(name));
            meant.map(|(_, name)| OrderFilter { symbol: None, strategy: Some(name) }).collect()
        }
    };
    let mut all = Swept::default();
    for filter in filters {
        let Swept { canceled, open, .. } =
            session.cancel_all(&filter.into()).map_err(|error| acting::refuse(&error))?;
        all.canceled.extend(canceled);
        all.open.extend(open);
    }
    Ok(Some(all))
}

/// What risk has halted by itself of what a resume of `scope` is about: everything (`None`), or strategies by name.
fn latched(ipc: &IpcPaths, scope: &Scope) -> Vec<Option<String>> {
    let Ok(page) = HaltReader::attach(&ipc.halts("risk")) else { return Vec::new() };
    match scope {
        Scope::Global => Vec::from_iter((page.global() > HaltState::Active).then_some(None)),
        Scope::Strategy(_) => {
            let sources = operator::names::sources(ipc).unwrap_or_default().into_iter();
            let meant = sources.filter(|(_, name)| scope.is_strategy(name));
            meant
                .filter(|(source, _)| page.source(*source) > HaltState::Active)
                .map(|(_, name)| Some(name))
                .collect()
        }
        // Risk latches no symbol.
        Scope::Symbol(_) => Vec::new(),
    }
}

/// Asks port 5557 to clear those latches.
fn clear(endpoint: &str, latched: &[Option<String>], reason: Option<&str>) -> Result<(), SetupError> {
    let reason = Some(reason.unwrap_or("`trading resume`").to_owned());
    latched.iter().try_for_each(|strategy| {
        let request = HaltRequest { symbol: None, strategy: strategy.clone(), reason: reason.clone() };
        ask::within(RESUME_MS, endpoint, "resume", &request).map(|_| ())
    })
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
