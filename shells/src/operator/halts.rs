//! The operator's halt page: written by the operator's commands alone, one at a time, and by an engine's start, which
//! sets it from the operator's log. It works with every other process stopped or dead.
//!
//! The page counts by index, the log by name: indices change with the instrument table, an operator's halt of a symbol
//! does not. To halt, the page comes first; to let go, the log: whatever dies in between, the next start is the stricter.

use std::path::Path;

use engine::counters::{HaltPage, HaltReader, HaltState};
use engine::domain::{InstrumentIndex, SourceId};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;

use crate::config::{Environment, Places};
use crate::operator::lock::OperatorLock;
use crate::operator::log::{Act, Entry, OperatorLog, Scope};
use crate::operator::names;

/// The page's owner.
const OWNER: &str = "operator";

/// The epoch of a page that no engine made.
const NO_EPOCH: u32 = 0;

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What went wrong, though the halt stands.
    pub warning: Option<String>,
}

/// What a page's words are for: names of instruments and sources.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Symbols by index.
    pub instruments: &'a [(InstrumentIndex, String)],
    /// Strategies by source.
    pub sources: &'a [(SourceId, String)],
}

/// Sets what may be traded of `scope`, on the page and in the log.
///
/// # Errors
/// When the scope is unknown, the page cannot be written, or, to let go, the log cannot. A halt whose page is written
/// holds, and says what else went wrong.
pub fn apply(
    places: &Places,
    scope: &Scope,
    state: HaltState,
    reason: Option<String>,
    environment: &Environment,
) -> Result<Done, SetupError> {
    let ipc = IpcPaths::new(&places.ipc);
    let log = own_log(places, &ipc);
    let entry = Entry::now(Act::Halt { scope: scope.clone(), state }, reason, environment);
    let lock = OperatorLock::take(&places.owned_by("operator"));
    if state == HaltState::Halted {
        // Whoever holds the lock may be hung: a halt waits for nobody.
        set(&ipc, &log, scope, state)?;
        let logged = lock.and_then(|_lock| log.append(&entry));
        return Ok(Done { warning: logged.err().map(|error| log.keep(&entry, &error)) });
    }
    let _lock = lock?;
    // Nothing is let go of that is unknown, and nothing is logged that was not asked for in earnest.
    let words = words(&ipc, scope)?;
    log.read()?;
    log.append(&entry)?;
    write(&mut open(&ipc, &log)?, &words, state);
    Ok(Done { warning: None })
}

/// The operator's log, with the halts that hold and could not be logged.
pub(super) fn own_log(places: &Places, ipc: &IpcPaths) -> OperatorLog {
    OperatorLog::new(&places.owned_by(OWNER)).beside(&ipc.halts(OWNER))
}

fn set(ipc: &IpcPaths, log: &OperatorLog, scope: &Scope, state: HaltState) -> Result<(), SetupError> {
    let words = words(ipc, scope)?;
    write(&mut open(ipc, log)?, &words, state);
    Ok(())
}

/// The words of a page that a scope means.
enum Words {
    Global,
    Instrument(InstrumentIndex),
    Sources(Vec<SourceId>),
}

fn words(ipc: &IpcPaths, scope: &Scope) -> Result<Words, SetupError> {
    match scope {
        Scope::Global => Ok(Words::Global),
        Scope::Symbol(symbol) => names::instrument(ipc, symbol).map(|(index, _)| Words::Instrument(index)),
        Scope::Strategy(name) => {
            let sources = names::sources(ipc)?;
            let meant = sources.iter().filter(|(_, source)| scope.is_strategy(source));
            let meant: Vec<SourceId> = meant.map(|(source, _)| *source).collect();
            if meant.is_empty() {
                let known: Vec<_> = sources.into_iter().map(|(_, name)| name).collect();
                let known = known.join(", ");
                return Err(SetupError::Invalid(format!("no strategy {name}; there are {known}")));
            }
            Ok(Words::Sources(meant))
        }
    }
}

fn write(page: &mut HaltPage, words: &Words, state: HaltState) {
    match words {
        Words::Global => page.set_global(state),
        Words::Instrument(index) => page.set_instrument(*index, state),
        Words::Sources(sources) => sources.iter().for_each(|&source| page.set_source(source, state)),
    }
}

/// Goes on with the page, or makes it where there is none that can be read: as strict as the log says.
pub(super) fn open(ipc: &IpcPaths, log: &OperatorLog) -> Result<HaltPage, SetupError> {
    let path = ipc.halts(OWNER);
    if let Ok(page) = HaltPage::reopen(&path) {
        return Ok(page);
    }
    ipc.create()?;
    // Where nobody knows what the operator wanted, nothing is traded.
    let Ok(entries) = log.read() else {
        return make(&path, &[], Table { instruments: &[], sources: &[] }, HaltState::Halted);
    };
    let instruments: Vec<_> = names::instruments(ipc).unwrap_or_default();
    let instruments: Vec<_> =
        instruments.into_iter().map(|(index, facts)| (index, facts.symbol.to_string())).collect();
    let sources = names::sources(ipc).unwrap_or_default();
    make(&path, &entries, Table { instruments: &instruments, sources: &sources }, HaltState::Active)
}

/// The state that the log leaves for what `is_meant` picks.
pub(super) fn left(entries: &[Entry], is_meant: impl Fn(&Scope) -> bool) -> HaltState {
    let halts = entries.iter().filter_map(|entry| match &entry.act {
        Act::Halt { scope, state } if is_meant(scope) => Some(*state),
        Act::Halt { .. } | Act::Command { .. } => None,
    });
    halts.last().unwrap_or(HaltState::Active)
}

/// Symbols and strategies that the operator's log still holds, whatever is true of everything.
///
/// # Errors
/// When the log is damaged.
pub fn still(places: &Places) -> Result<Vec<(String, HaltState)>, SetupError> {
    let ipc = IpcPaths::new(&places.ipc);
    let entries = own_log(places, &ipc).read()?;
    // Where no engine has told of its names there is nothing that a page could hold by them.
    let symbols = names::instruments(&ipc).unwrap_or_default().into_iter().map(|(_, facts)| {
        let state =
            left(&entries, |scope| matches!(scope, Scope::Symbol(symbol) if *symbol == *facts.symbol));
        (format!("symbol {}", facts.symbol), state)
    });
    let strategies = names::sources(&ipc).unwrap_or_default().into_iter().map(|(_, name)| {
        let state = left(&entries, |scope| scope.is_strategy(&name));
        (format!("strategy {name}"), state)
    });
    Ok(symbols.chain(strategies).filter(|(_, state)| *state > HaltState::Active).collect())
}

fn make(
    path: &Path,
    entries: &[Entry],
    table: Table<'_>,
    at_least: HaltState,
) -> Result<HaltPage, SetupError> {
    let mut page = HaltPage::create(path, NO_EPOCH)?;
    fill(&mut page, &[entries], table, at_least);
    Ok(page)
}

/// Sets every word of a page from logs, by name, to the strictest that one of them leaves; everything at least as strict
/// as `at_least`.
pub fn fill(page: &mut HaltPage, logs: &[&[Entry]], table: Table<'_>, at_least: HaltState) {
    let strictest = |is_meant: &dyn Fn(&Scope) -> bool| {
        logs.iter().map(|entries| left(entries, is_meant)).max().unwrap_or(HaltState::Active)
    };
    page.set_global(strictest(&|scope| *scope == Scope::Global).max(at_least));
    for (index, symbol) in table.instruments {
        page.set_instrument(*index, strictest(&|scope| matches!(scope, Scope::Symbol(s) if s == symbol)));
    }
    for (source, name) in table.sources {
        page.set_source(*source, strictest(&|scope| scope.is_strategy(name)));
    }
}

/// Sets the page for an engine that starts, with its own instruments and strategies: by name from the log, and
/// everything halted if the page was. To be called before any agent runs.
///
/// # Errors
/// When the log is damaged, or the page cannot be written: then nobody knows what the operator wants, and nothing may
/// start.
pub fn restore(places: &Places, ipc: &IpcPaths, table: Table<'_>) -> Result<HaltState, SetupError> {
    let _lock = OperatorLock::take(&places.owned_by("operator"))?;
    let entries = own_log(places, ipc).read()?;
    let path = ipc.halts(OWNER);
    // Where the log could not be read, everything was halted on the page alone.
    let before = HaltReader::attach(&path).map_or(HaltState::Active, |page| page.global());
    // Made anew: what earlier indices meant is gone, and who still reads the old page sees that it was replaced.
    make(&path, &entries, table, before)?;
    Ok(left(&entries, |scope| *scope == Scope::Global).max(before))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::places::DataDirs;

    fn world() -> (tempfile::TempDir, Places, IpcPaths) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let places =
            Places { instance: "t".into(), ipc: at("ipc"), data: at("data"), apart: DataDirs::default() };
        let ipc = IpcPaths::new(&places.ipc);
        (folder, places, ipc)
    }

    fn named<T>(rows: Vec<(T, &str)>) -> Vec<(T, String)> {
        rows.into_iter().map(|(key, name)| (key, name.to_owned())).collect()
    }

    fn state(ipc: &IpcPaths, source: u16, instrument: u32) -> HaltState {
        HaltReader::attach(&ipc.halts(OWNER)).expect("a page").state(SourceId(source), instrument)
    }

    fn log(places: &Places, scope: Scope, state: HaltState) {
        std::fs::create_dir_all(&places.data).expect("made");
        let entry = Entry::now(Act::Halt { scope, state }, None, &Environment::default());
        OperatorLog::new(&places.owned_by("operator")).append(&entry).expect("written");
    }

    #[test]
    fn a_halt_needs_no_engine_and_survives_the_loss_of_shared_memory() {
        let (_folder, places, ipc) = world();
        let environment = Environment::default();
        apply(&places, &Scope::Global, HaltState::Halted, None, &environment).expect("halted");
        assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
        std::fs::remove_dir_all(&places.ipc).expect("a reboot");
        ipc.create().expect("made");
        let table = Table { instruments: &[], sources: &[] };
        assert_eq!(restore(&places, &ipc, table).expect("restored"), HaltState::Halted);
        assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
        apply(&places, &Scope::Global, HaltState::Active, None, &environment).expect("resumed");
        assert_eq!(state(&ipc, 0, 0), HaltState::Active);
        assert_eq!(restore(&places, &ipc, table).expect("restored"), HaltState::Active);
    }

    #[test]
    fn a_halt_follows_its_name_to_another_index() {
        let (_folder, places, ipc) = world();
        ipc.create().expect("made");
        log(&places, Scope::Symbol("ETH".into()), HaltState::Halted);
        log(&places, Scope::Strategy("mm".into()), HaltState::ReduceOnly);
        log(&places, Scope::Strategy("mm/BTC".into()), HaltState::Active);
        let sources = named(vec![(SourceId(2), "mm/BTC"), (SourceId(3), "mm/ETH"), (SourceId(4), "mmx/ETH")]);
        for (instruments, eth, btc) in
            [(named(vec![(0, "ETH"), (1, "BTC")]), 0, 1), (named(vec![(0, "BTC"), (1, "ETH")]), 1, 0)]
        {
            restore(&places, &ipc, Table { instruments: &instruments, sources: &sources }).expect("restored");
            assert_eq!(state(&ipc, 2, eth), HaltState::Halted);
            assert_eq!(state(&ipc, 2, btc), HaltState::Active, "the later line for mm/BTC");
            assert_eq!(state(&ipc, 3, btc), HaltState::ReduceOnly);
            assert_eq!(state(&ipc, 4, btc), HaltState::Active, "mmx is not mm");
        }
    }

    #[test]
    fn a_halt_waits_for_no_hung_command_and_what_lets_go_does() {
        let (_folder, places, ipc) = world();
        let _hung = OperatorLock::take(&places.owned_by("operator")).expect("free");
        let environment = Environment::default();
        let done = apply(&places, &Scope::Global, HaltState::Halted, None, &environment).expect("halted");
        assert!(done.warning.expect("told").contains("operator.lock"));
        assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
        assert!(apply(&places, &Scope::Global, HaltState::Active, None, &environment).is_err());
        assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
        drop(_hung);
        // It is not in the log, and still outlives the engine.
        let table = Table { instruments: &[], sources: &[] };
        assert_eq!(restore(&places, &ipc, table).expect("restored"), HaltState::Halted);
    }

    #[test]
    fn a_halt_that_could_not_be_logged_follows_its_name_until_it_is_let_go() {
        let (_folder, places, ipc) = world();
        ipc.create().expect("made");
        log(&places, Scope::Strategy("mm".into()), HaltState::Halted);
        let unlogged = Entry::now(
            Act::Halt { scope: Scope::Symbol("ETH".into()), state: HaltState::Halted },
            None,
            &Environment::default(),
        );
        let _told = own_log(&places, &ipc).keep(&unlogged, &SetupError::Invalid("full".to_owned()));
        let sources = named(vec![(SourceId(2), "mm/BTC")]);
        for (instruments, eth, btc) in
            [(named(vec![(0, "ETH"), (1, "BTC")]), 0, 1), (named(vec![(0, "BTC"), (1, "ETH")]), 1, 0)]
        {
            restore(&places, &ipc, Table { instruments: &instruments, sources: &sources }).expect("restored");
            assert_eq!((state(&ipc, 3, eth), state(&ipc, 3, btc)), (HaltState::Halted, HaltState::Active));
        }
        log(&places, Scope::Symbol("ETH".into()), HaltState::Active);
        let instruments = named(vec![(0, "ETH")]);
        restore(&places, &ipc, Table { instruments: &instruments, sources: &sources }).expect("restored");
        assert_eq!((state(&ipc, 3, 0), state(&ipc, 2, 0)), (HaltState::Active, HaltState::Halted));
    }

    #[test]
    fn a_damaged_log_lets_nothing_start() {
        let (_folder, places, ipc) = world();
        ipc.create().expect("made");
        log(&places, Scope::Global, HaltState::Halted);
        std::fs::write(places.data.join("operator.log"), "{\"act\":\"halt\"}\n").expect("damaged");
        let table = Table { instruments: &[], sources: &[] };
        assert!(restore(&places, &ipc, table).is_err());
    }
}
