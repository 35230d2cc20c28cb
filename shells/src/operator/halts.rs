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
    /// What went wrong, though the halt stands; or what still stands of what was to be let go.
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
/// When the scope is unknown, the page cannot be written, or, to let go, the log cannot. What is stricter than before
/// holds once its page is written, and says what else went wrong.
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
    let lock = || OperatorLock::take(&places.owned_by(OWNER));
    let Raised { stands, made } = raise(&ipc, scope, state)?;
    if state == HaltState::Active || !stands {
        let seen = log.read()?.len();
        return let_go(&ipc, &log, scope, (state, &entry, seen), &lock()?);
    }
    let (mut new, mut filled) = (made, Ok(()));
    let logged = lock().and_then(|_lock| {
        // Again: whoever held the lock may have let go of it.
        raise(&ipc, scope, state)?;
        log.append(&entry)?;
        if std::mem::take(&mut new) {
            filled = fill_by_log(&ipc, &log);
        }
        Ok(())
    });
    let warning = logged.err().map(|error| log.keep(&entry, &error));
    if new {
        filled = fill_by_log(&ipc, &log);
    }
    let unfilled = filled.err().map(|error| format!("everything is HALTED: {error}"));
    let warning = warning.into_iter().chain(unfilled).reduce(|first, second| format!("{first}; {second}"));
    // And again: an engine that started meanwhile may have set the page by a log without it.
    raise(&ipc, scope, state)?;
    Ok(Done { warning })
}

/// Logs `entry`, and sets the page to what the log then leaves: a later halt may have come while the disk was slow, and
/// it waits for no lock. What was asked for when the log had `seen` lines lets go of nothing that came behind them.
fn let_go(
    ipc: &IpcPaths,
    log: &OperatorLog,
    scope: &Scope,
    (state, entry, seen): (HaltState, &Entry, usize),
    _lock: &OperatorLock,
) -> Result<Done, SetupError> {
    // Nothing is let go of that is unknown, and nothing is logged that was not asked for in earnest.
    let words = words(ipc, scope)?;
    let entries = log.read()?;
    let since = left(entries.get(seen..).unwrap_or_default(), |logged| is_meant(scope, logged));
    if since > state {
        return Err(SetupError::Invalid(format!("{scope} was set to {since} meanwhile: ask again")));
    }
    log.append(entry)?;
    let entries = log.read()?;
    let stands = write(&mut open(ipc, log)?, &words, &entries);
    let warning = (stands > state).then(|| format!("{scope} is {stands}: that was asked for meanwhile"));
    Ok(Done { warning })
}

/// The operator's log, with the halts that hold and could not be logged.
pub(super) fn own_log(places: &Places, ipc: &IpcPaths) -> OperatorLog {
    OperatorLog::new(&places.owned_by(OWNER)).beside(&ipc.halts(OWNER))
}

/// Whether a line about `logged` is about `scope`.
fn is_meant(scope: &Scope, logged: &Scope) -> bool {
    match scope {
        Scope::Global => *logged == Scope::Global,
        Scope::Symbol(symbol) => logged.is_symbol(symbol),
        Scope::Strategy(name) => logged.is_strategy(name),
    }
}

/// What came of a stricter state on the page.
struct Raised {
    /// Whether the page says it of all that is meant, and nothing stricter.
    stands: bool,
    /// Whether the page was made for it.
    made: bool,
}

/// Makes the page at least as strict as `state`, by shared memory alone: whoever holds the lock may be hung, and so may
/// the disk. It waits for neither.
fn raise(ipc: &IpcPaths, scope: &Scope, state: HaltState) -> Result<Raised, SetupError> {
    let words = words(ipc, scope)?;
    if state == HaltState::Active {
        return Ok(Raised { stands: false, made: false });
    }
    let (mut page, made) = reopen_or_make(ipc)?;
    let stands = match words {
        Words::Global => page.raise_global(state) == state || made,
        Words::Instrument(index, _) => page.raise_instrument(index, state) == state,
        // Every one of them, also behind one that is stricter.
        Words::Sources(sources) => {
            sources.iter().map(|(source, _)| page.raise_source(*source, state)).max() == Some(state)
        }
    };
    Ok(Raised { stands, made })
}

/// The words of a page that a scope means, with their names.
enum Words {
    Global,
    Instrument(InstrumentIndex, String),
    Sources(Vec<(SourceId, String)>),
}

fn words(ipc: &IpcPaths, scope: &Scope) -> Result<Words, SetupError> {
    match scope {
        Scope::Global => Ok(Words::Global),
        Scope::Symbol(symbol) => {
            names::instrument(ipc, symbol).map(|(index, _)| Words::Instrument(index, symbol.clone()))
        }
        Scope::Strategy(name) => {
            let sources = names::sources(ipc)?;
            let (meant, others): (Vec<_>, Vec<_>) =
                sources.into_iter().partition(|(_, source)| scope.is_strategy(source));
            if meant.is_empty() {
                let known: Vec<_> = others.into_iter().map(|(_, name)| name).collect();
                let known = known.join(", ");
                return Err(SetupError::Invalid(format!("no strategy {name}; there are {known}")));
            }
            Ok(Words::Sources(meant))
        }
    }
}

/// Sets the words to what the log leaves for them; gives the strictest of it.
fn write(page: &mut HaltPage, words: &Words, entries: &[Entry]) -> HaltState {
    match words {
        Words::Global => {
            let state = left(entries, |scope| *scope == Scope::Global);
            page.set_global(state);
            state
        }
        Words::Instrument(index, symbol) => {
            let state = left(entries, |scope| scope.is_symbol(symbol));
            page.set_instrument(*index, state);
            state
        }
        Words::Sources(sources) => {
            let set = sources.iter().map(|(source, name)| {
                let state = left(entries, |scope| scope.is_strategy(name));
                page.set_source(*source, state);
                state
            });
            set.max().unwrap_or(HaltState::Active)
        }
    }
}

/// Goes on with the page, or makes it where there is none that can be read: as strict as the log says.
pub(super) fn open(ipc: &IpcPaths, log: &OperatorLog) -> Result<HaltPage, SetupError> {
    let (page, made) = reopen_or_make(ipc)?;
    if !made {
        return Ok(page);
    }
    fill_by_log(ipc, log)?;
    HaltPage::reopen(&ipc.halts(OWNER))
}

/// Goes on with the page, or makes it, and says so: a new one halts everything until it is [filled](fill_by_log).
fn reopen_or_make(ipc: &IpcPaths) -> Result<(HaltPage, bool), SetupError> {
    let path = ipc.halts(OWNER);
    if let Ok(page) = HaltPage::reopen(&path) {
        return Ok((page, false));
    }
    ipc.create()?;
    // No lock is waited for here: another command may be making it too.
    let made = HaltPage::create(&path, NO_EPOCH);
    let mut page = HaltPage::reopen(&path).map_err(|error| made.err().unwrap_or(error))?;
    page.set_global(HaltState::Halted);
    Ok((page, true))
}

/// Sets a new page by the log.
///
/// # Errors
/// When the log cannot be read: nobody knows what the operator wanted, so nothing is traded.
fn fill_by_log(ipc: &IpcPaths, log: &OperatorLog) -> Result<(), SetupError> {
    let entries = log.read()?;
    let mut page = HaltPage::reopen(&ipc.halts(OWNER))?;
    let instruments: Vec<_> = names::instruments(ipc).unwrap_or_default();
    let instruments: Vec<_> =
        instruments.into_iter().map(|(index, facts)| (index, facts.symbol.to_string())).collect();
    let sources = names::sources(ipc).unwrap_or_default();
    fill(&mut page, &[&entries], Table { instruments: &instruments, sources: &sources }, HaltState::Active);
    Ok(())
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
        let state = left(&entries, |scope| scope.is_symbol(&facts.symbol));
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
        page.set_instrument(*index, strictest(&|scope| scope.is_symbol(symbol)));
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
    let _lock = OperatorLock::take(&places.owned_by(OWNER))?;
    let log = own_log(places, ipc);
    let path = ipc.halts(OWNER);
    // What could not wait for the lock is kept in the log, and set again then.
    log.at_rest(|| {
        let entries = log.read()?;
        // Where the log could not be read, everything was halted on the page alone.
        let before = HaltReader::attach(&path).map_or(HaltState::Active, |page| page.global());
        // Made anew: what earlier indices meant is gone, and who still reads the old page sees that it was replaced.
        make(&path, &entries, table, before)?;
        Ok(left(&entries, |scope| *scope == Scope::Global).max(before))
    })
}

#[cfg(test)]
mod tests;
