//! `trading halt|reduce-only|resume`: by shared memory alone, with every other process hung or dead.

use engine::counters::{HaltReader, HaltState};
use engine::error::SetupError;
use engine::shm::paths::{IpcPaths, OWNERS};
use serde_json::json;

use crate::cli::args::HaltArgs;
use crate::cli::output::say;
use crate::config::{Environment, Secrets, Settings};
use crate::operator::{self, Scope};

/// Sets what may be traded.
///
/// # Errors
/// When the scope is unknown or the page cannot be written; for a halt that holds but was not logged as well.
pub fn run(state: HaltState, args: &HaltArgs, environment: &Environment) -> Result<(), SetupError> {
    let places = Settings::resolve(&args.places, environment, Secrets::Withhold)?.places;
    let scope = match (&args.symbol, &args.strategy) {
        (Some(symbol), _) => Scope::Symbol(symbol.clone()),
        (None, Some(strategy)) => Scope::Strategy(strategy.clone()),
        (None, None) => Scope::Global,
    };
    let done = operator::apply(&places, &scope, state, args.reason.clone(), environment)?;
    let ipc = IpcPaths::new(&places.ipc);
    let others = others(&ipc, state);
    if args.json {
        let others: Vec<_> =
            others.iter().map(|(owner, state)| json!({"owner": owner, "state": state})).collect();
        say!("{}", json!({"scope": scope, "state": state, "still": others, "warning": done.warning}));
    } else {
        say!("{scope}: {state}");
        for (owner, state) in others {
            say!("but {owner} still says {state}");
        }
    }
    done.warning.map_or(Ok(()), |warning| Err(SetupError::Invalid(warning)))
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
