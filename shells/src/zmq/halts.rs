//! Halts by port 5557, on a page and in a log of its service's own: it can raise them with every agent hung, and lower no
//! other's; what it halted outlives shared memory.

use engine::counters::HaltState;
use engine::domain::SourceId;
use engine::error::SetupError;
use engine::message::command::ROW_GLOBAL;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::RISK_SERVICE;

use crate::api::risk::HaltRequest;
use crate::api::{ApiError, code};
use crate::config::Places;
use crate::operator::page::{LoggedPage, Names};
use crate::operator::{OperatorLog, Scope};
use crate::service::instruments::Table;
use crate::service::show;

/// Name of the log, beside risk's journals.
const LOG: &str = "risk_service";

/// Who set it, as the log says: the port asks nobody for a name.
const WHO: &str = "port 5557";

/// Everything that may be halted here, by name.
#[must_use]
pub fn names(table: &Table, strategies: &show::Names) -> Names {
    let named = strategies.rows().filter_map(|row| Some((row.source, row.name()?.to_owned())));
    let instruments = table.iter().map(|facts| (facts.index, facts.symbol.to_string())).collect();
    Names { instruments, sources: named.chain(people()).collect() }
}

/// Sources that are no strategies.
pub fn people() -> impl Iterator<Item = (SourceId, String)> {
    [(SourceId::CLIENT, "client"), (SourceId::OPERATOR, "operator")]
        .into_iter()
        .map(|(source, name)| (source, name.to_owned()))
}

/// What a request means.
///
/// # Errors
/// `BAD_REQUEST` when it names both a symbol and a strategy.
pub fn scope(request: &HaltRequest) -> Result<Scope, ApiError> {
    match (&request.symbol, &request.strategy) {
        (None, None) => Ok(Scope::Global),
        (Some(symbol), None) => Ok(Scope::Symbol(symbol.clone())),
        (None, Some(name)) => Ok(Scope::Strategy(name.clone())),
        (Some(_), Some(_)) => {
            Err(ApiError::new(code::BAD_REQUEST, "symbol and strategy: only one may be given"))
        }
    }
}

/// Rows of risk's latches within `scope`; an instrument has none of its own.
#[must_use]
pub fn latches(scope: &Scope, names: &Names) -> Vec<u32> {
    match scope {
        Scope::Global => vec![ROW_GLOBAL],
        Scope::Symbol(_) => Vec::new(),
        Scope::Strategy(_) => {
            let meant = names.sources.iter().filter(|(_, name)| scope.is_strategy(name));
            meant.map(|(source, _)| u32::from(source.0)).collect()
        }
    }
}

fn log(places: &Places) -> OperatorLog {
    OperatorLog::of(&places.owned_by("risk"), LOG)
}

/// Makes the page as strict as its log says: to be called where risk is hosted, before anything is approved.
///
/// # Errors
/// Those of [`LoggedPage::restore`].
pub fn restore(ipc: &IpcPaths, places: &Places, names: &Names) -> Result<(), SetupError> {
    LoggedPage::restore(&ipc.halts(RISK_SERVICE), &log(places), names)
}

/// The page, once it was needed.
pub struct ServicePage {
    ipc: IpcPaths,
    places: Places,
    page: Option<LoggedPage>,
}

impl ServicePage {
    /// The page under `ipc`, with its log under `places`.
    #[must_use]
    pub fn new(ipc: &IpcPaths, places: &Places) -> Self {
        Self { ipc: ipc.clone(), places: places.clone(), page: None }
    }

    /// Sets what may be traded within `scope`, of what `names` lists.
    ///
    /// # Errors
    /// `UNKNOWN_SYMBOL` or `UNKNOWN_STRATEGY`; `INTERNAL` when the page cannot be written, or, to let go, its log.
    pub fn set(
        &mut self,
        scope: &Scope,
        state: HaltState,
        reason: Option<String>,
        names: Names,
    ) -> Result<(), ApiError> {
        let internal = |error: SetupError| ApiError::new(code::INTERNAL, error.to_string());
        let page = match &mut self.page {
            Some(page) => page,
            None => self
                .page
                .insert(LoggedPage::open(self.ipc.halts(RISK_SERVICE), log(&self.places)).map_err(internal)?),
        };
        page.learn(names);
        if !page.knows(scope) {
            let code = match scope {
                Scope::Symbol(_) => code::UNKNOWN_SYMBOL,
                Scope::Global | Scope::Strategy(_) => code::UNKNOWN_STRATEGY,
            };
            return Err(ApiError::new(code, format!("{scope}: there is no such thing")));
        }
        if let Some(warning) = page.apply(scope, state, reason, WHO.to_owned()).map_err(internal)? {
            tracing::error!(warning);
        }
        Ok(())
    }
}
