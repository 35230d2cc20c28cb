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
use crate::config::places::RISK_BEFORE;
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

fn log(ipc: &IpcPaths, places: &Places) -> OperatorLog {
    let before = places.apart(RISK_BEFORE);
    OperatorLog::of(&places.owned_by("risk"), LOG).beside(&ipc.halts(RISK_SERVICE)).after(before.as_deref())
}

/// Makes the page as strict as its log says: to be called where risk is hosted, before anything is approved.
///
/// # Errors
/// Those of [`LoggedPage::restore`].
pub fn restore(ipc: &IpcPaths, places: &Places, names: &Names) -> Result<(), SetupError> {
    LoggedPage::restore(&ipc.halts(RISK_SERVICE), &log(ipc, places), names)
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
    /// `UNKNOWN_SYMBOL` or `UNKNOWN_STRATEGY`; `INTERNAL` when the page or its log cannot be written. A halt holds even
    /// so, for as long as shared memory lasts; where the log cannot be read, everything is halted.
    pub fn set(
        &mut self,
        scope: &Scope,
        state: HaltState,
        reason: Option<String>,
        names: Names,
    ) -> Result<(), ApiError> {
        let page = match &mut self.page {
            Some(page) => page,
            None => self.page.insert(open(&self.ipc, &self.places, state)?),
        };
        page.learn(names);
        if !page.knows(scope) {
            let code = match scope {
                Scope::Symbol(_) => code::UNKNOWN_SYMBOL,
                Scope::Global | Scope::Strategy(_) => code::UNKNOWN_STRATEGY,
            };
            return Err(ApiError::new(code, format!("{scope}: there is no such thing")));
        }
        match page.apply(scope, state, reason, WHO.to_owned()) {
            Ok(None) => Ok(()),
            Ok(Some(warning)) => Err(internal(format!("{scope}: {warning}"))),
            Err(error) => Err(internal(error.to_string())),
        }
    }
}

fn internal(reason: String) -> ApiError {
    ApiError::new(code::INTERNAL, reason)
}

/// Opens the page to set `state`. A halt needs no log: without one it is of everything.
fn open(ipc: &IpcPaths, places: &Places, state: HaltState) -> Result<LoggedPage, ApiError> {
    let path = ipc.halts(RISK_SERVICE);
    LoggedPage::open(path.clone(), log(ipc, places)).map_err(|error| {
        if state != HaltState::Halted {
            return internal(error.to_string());
        }
        match LoggedPage::halt_unlogged(&path) {
            Ok(()) => {
                internal(format!("everything is halted, for what was halted before cannot be read: {error}"))
            }
            Err(failure) => internal(format!("nothing is halted: {failure}; {error}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::counters::HaltReader;

    #[test]
    fn a_halt_holds_whatever_became_of_its_log_and_says_what_it_could_not_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let places = Places {
            instance: "t".into(),
            ipc: at("ipc"),
            data: at("data"),
            apart: crate::config::places::DataDirs::default(),
        };
        let ipc = IpcPaths::new(at("ipc"));
        let names = || Names { instruments: vec![(0, "A".to_owned()), (1, "B".to_owned())], sources: vec![] };
        let read = |index| {
            let page = HaltReader::attach(&ipc.halts(RISK_SERVICE)).expect("a page");
            page.state(SourceId(0), index)
        };
        let symbol = Scope::Symbol("A".to_owned());
        let refused = |page: &mut ServicePage, state| {
            page.set(&symbol, state, None, names()).expect_err("not logged").message
        };
        // The log is a directory: it can neither be read nor written.
        std::fs::create_dir_all(at("data/risk_service.log")).expect("made");
        let mut page = ServicePage::new(&ipc, &places);
        assert!(HaltReader::attach(&ipc.halts(RISK_SERVICE)).is_err());
        refused(&mut page, HaltState::ReduceOnly);
        assert!(refused(&mut page, HaltState::Halted).starts_with("everything is halted"));
        assert_eq!((read(0), read(1)), (HaltState::Halted, HaltState::Halted));
        // With a log again it is what was asked for; everything stays halted until it is let go.
        std::fs::remove_dir(at("data/risk_service.log")).expect("removed");
        page.set(&symbol, HaltState::Halted, None, names()).expect("logged");
        page.set(&Scope::Global, HaltState::Active, None, names()).expect("logged");
        assert_eq!((read(0), read(1)), (HaltState::Halted, HaltState::Active));
        // It can be read no more, and what is halted then is halted all the same.
        std::fs::rename(at("data/risk_service.log"), at("data/kept")).expect("moved");
        std::fs::create_dir(at("data/risk_service.log")).expect("made");
        let other = Scope::Symbol("B".to_owned());
        let told = page.set(&other, HaltState::Halted, None, names()).expect_err("not logged").message;
        assert!(told.contains("symbol B: halted, but not logged"), "{told}");
        assert_eq!(read(1), HaltState::Halted);
        // Nobody starts by a log that cannot be read. By the log as it was, what it did not take holds, by its name.
        assert!(restore(&ipc, &places, &names()).is_err());
        std::fs::remove_dir(at("data/risk_service.log")).expect("removed");
        std::fs::rename(at("data/kept"), at("data/risk_service.log")).expect("moved");
        let turned = Names { instruments: vec![(0, "B".to_owned()), (1, "A".to_owned())], sources: vec![] };
        restore(&ipc, &places, &turned).expect("restored");
        restore(&ipc, &places, &names()).expect("restored");
        assert_eq!((read(0), read(1)), (HaltState::Halted, HaltState::Halted));
        page = ServicePage::new(&ipc, &places);
        page.set(&other, HaltState::Active, None, names()).expect("logged");
        restore(&ipc, &places, &names()).expect("restored");
        assert_eq!((read(0), read(1)), (HaltState::Halted, HaltState::Active));
    }

    #[test]
    fn what_was_halted_in_the_other_deployment_holds_in_this_one_until_it_is_let_go_here() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let apart = |text: String| text.parse::<crate::config::places::DataDirs>().expect("directories");
        let (risk, data) = (at("risk").display().to_string(), at("data").display().to_string());
        // As the two compose files have them: one user to a service, and one engine.
        let services = |ipc: &str| Places {
            instance: "t".into(),
            ipc: at(ipc),
            data: at("data/t"),
            apart: apart(format!("risk={risk},risk_before={data}")),
        };
        let engine = |ipc: &str| Places { apart: apart(format!("risk_before={risk}")), ..services(ipc) };
        let names = || Names { instruments: vec![(0, "A".to_owned()), (1, "B".to_owned())], sources: vec![] };
        let read = |places: &Places| {
            let ipc = IpcPaths::new(&places.ipc);
            restore(&ipc, places, &names()).expect("restored");
            let page = HaltReader::attach(&ipc.halts(RISK_SERVICE)).expect("a page");
            [page.state(SourceId(0), 0), page.state(SourceId(0), 1)]
        };
        let set = |places: &Places, symbol: &str, state| {
            let ipc = IpcPaths::new(&places.ipc);
            let scope = Scope::Symbol(symbol.to_owned());
            ServicePage::new(&ipc, places).set(&scope, state, None, names()).expect("logged");
        };
        let (halted, active) = (HaltState::Halted, HaltState::Active);
        set(&services("1"), "A", halted);
        assert_eq!(read(&engine("2")), [halted, active]);
        set(&engine("2"), "A", active);
        set(&engine("2"), "B", halted);
        assert_eq!(read(&engine("2")), [active, halted]);
        assert_eq!(read(&services("3")), [active, halted], "and back again");
        set(&services("3"), "B", active);
        assert_eq!((read(&services("4")), read(&engine("5"))), ([active; 2], [active; 2]));
    }
}
