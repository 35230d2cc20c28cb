//! A halt page and its log: of the gateway, and of port 5557. A halt is one store and one synced line, with every other
//! process hung or dead; it holds across restarts and reboots, for names rather than for indices.

use std::path::{Path, PathBuf};

use engine::counters::{HaltPage, HaltReader, HaltState};
use engine::domain::{InstrumentIndex, SourceId};
use engine::error::SetupError;

use crate::config::Environment;
use crate::operator::halts::{Table, fill};
use crate::operator::log::{Act, Entry, OperatorLog, Scope};

/// Names by index, as the engine last told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Symbols.
    pub instruments: Vec<(InstrumentIndex, String)>,
    /// Strategies.
    pub sources: Vec<(SourceId, String)>,
}

impl Names {
    /// The same, borrowed.
    #[must_use]
    pub const fn table(&self) -> Table<'_> {
        Table { instruments: self.instruments.as_slice(), sources: self.sources.as_slice() }
    }
}

/// A page that one process writes, and the log of what was set on it.
pub struct LoggedPage {
    page: HaltPage,
    path: PathBuf,
    log: OperatorLog,
    entries: Vec<Entry>,
    names: Names,
}

/// Makes the directory at `path`, where it is missing.
///
/// # Errors
/// When the operating system refuses.
pub fn made(path: &Path) -> Result<(), SetupError> {
    std::fs::create_dir_all(path).map_err(|error| SetupError::io(path, "creating it", error))
}

impl LoggedPage {
    /// Goes on with the page at `path`, or makes it: as strict as `log` says, and for everything as strict as the page
    /// was. The caller is the page's only writer, but for who [`restores`](Self::restore) it.
    ///
    /// # Errors
    /// When the page or the log cannot be had.
    pub fn open(path: PathBuf, log: OperatorLog) -> Result<Self, SetupError> {
        path.parent().map_or(Ok(()), made)?;
        log.path().parent().map_or(Ok(()), made)?;
        let entries = log.read()?;
        let before = HaltReader::attach(&path).map_or(HaltState::Active, |page| page.global());
        let page = match HaltPage::reopen(&path) {
            Ok(page) => page,
            Err(_) => HaltPage::create(&path, 0)?,
        };
        let mut logged = Self { page, path, log, entries, names: Names::default() };
        // Where the log could not be read, everything was halted on the page alone.
        fill(&mut logged.page, &[&logged.entries], logged.names.table(), before);
        Ok(logged)
    }

    /// Sets the page at `path` by `log` and `names`, for an engine that starts, though its writer may be setting it.
    /// Where nothing was ever logged, nothing is done.
    ///
    /// # Errors
    /// When the page or the log cannot be had, or the log does not rest: nobody knows what was halted then, and nothing
    /// may start.
    pub fn restore(path: &Path, log: &OperatorLog, names: &Names) -> Result<(), SetupError> {
        // What its writer halted meanwhile, and we wrote over, is in the log by now, or is set again once it is.
        log.at_rest(|| {
            if log.identity()?.iter().all(Option::is_none) {
                return Ok(());
            }
            Self::open(path.to_owned(), log.clone())?.learn(names.clone());
            Ok(())
        })
    }

    /// Halts everything on the page at `path`, whose log cannot be had: nobody knows what else it should say.
    ///
    /// # Errors
    /// When the page cannot be written.
    pub fn halt_unlogged(path: &Path) -> Result<(), SetupError> {
        path.parent().map_or(Ok(()), made)?;
        let page = HaltPage::reopen(path).or_else(|_| HaltPage::create(path, 0));
        page.map(|mut page| page.set_global(HaltState::Halted))
    }

    /// What the page says of everything.
    #[must_use]
    pub fn global(&self) -> HaltState {
        HaltReader::attach(&self.path).map_or(HaltState::Halted, |page| page.global())
    }

    /// Takes new names: halts follow their names to other indices.
    pub fn learn(&mut self, names: Names) {
        if names != self.names {
            self.names = names;
            let before = self.global();
            fill(&mut self.page, &[&self.entries], self.names.table(), before);
        }
    }

    /// Whether `scope` is known. Where nobody has told names yet, only everything is.
    #[must_use]
    pub fn knows(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Global => true,
            Scope::Symbol(symbol) => self.names.instruments.iter().any(|(_, name)| name == symbol),
            Scope::Strategy(_) => self.names.sources.iter().any(|(_, name)| scope.is_strategy(name)),
        }
    }

    /// Sets what may be traded of `scope`: to be stricter, the page comes first, to let go, the log.
    ///
    /// # Errors
    /// When letting go cannot be logged. A stricter state holds even so; `Ok` then carries what went wrong.
    pub fn apply(
        &mut self,
        scope: &Scope,
        state: HaltState,
        reason: Option<String>,
        who: String,
    ) -> Result<Option<String>, SetupError> {
        let act = Act::Halt { scope: scope.clone(), state };
        let mut entry = Entry::now(act, reason, &Environment::default());
        entry.user = Some(who);
        let stricter = state == HaltState::Halted;
        if stricter {
            self.set(scope, state);
        }
        let warning = match self.log.append(&entry) {
            Ok(()) => None,
            Err(error) if stricter => Some(self.log.keep(&entry, &error)),
            Err(error) => return Err(error),
        };
        self.entries.push(entry);
        // A stricter one again, for an engine that started meanwhile may have set the page by a log without it.
        self.set(scope, state);
        Ok(warning)
    }

    fn set(&mut self, scope: &Scope, state: HaltState) {
        match scope {
            Scope::Global => self.page.set_global(state),
            Scope::Symbol(symbol) => {
                let meant = self.names.instruments.iter().filter(|(_, name)| name == symbol);
                meant.for_each(|(index, _)| self.page.set_instrument(*index, state));
            }
            Scope::Strategy(_) => {
                let meant = self.names.sources.iter().filter(|(_, name)| scope.is_strategy(name));
                meant.for_each(|(source, _)| self.page.set_source(*source, state));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::shm::paths::IpcPaths;

    #[test]
    fn halts_follow_their_names_and_outlive_page_and_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let path = || IpcPaths::new(at("ipc")).halts("gateway");
        let open = || LoggedPage::open(path(), OperatorLog::of(&at("data"), "gateway"));
        let names = |rows: [(u32, &str); 2]| Names {
            instruments: rows.map(|(index, name)| (index, name.to_owned())).into(),
            sources: vec![(SourceId(2), "mm/A".to_owned())],
        };
        let read = |index| HaltReader::attach(&path()).expect("a page").state(SourceId(0), index);
        let mut halts = open().expect("made");
        let symbol = Scope::Symbol("A".to_owned());
        assert!(!halts.knows(&symbol) && halts.knows(&Scope::Global));
        halts.learn(names([(0, "A"), (1, "B")]));
        assert!(halts.knows(&Scope::Strategy("mm".to_owned())));
        assert_eq!(halts.apply(&symbol, HaltState::Halted, None, "token:1".into()).expect("halted"), None);
        assert_eq!((read(0), read(1)), (HaltState::Halted, HaltState::Active));
        halts.learn(names([(1, "A"), (0, "B")]));
        assert_eq!((read(0), read(1)), (HaltState::Active, HaltState::Halted));
        halts.apply(&Scope::Global, HaltState::Halted, None, "token:1".into()).expect("halted");
        drop(halts);
        std::fs::remove_dir_all(at("ipc")).expect("a reboot");
        let mut halts = open().expect("made again");
        assert_eq!(halts.global(), HaltState::Halted);
        halts.learn(names([(0, "A"), (1, "B")]));
        halts.apply(&Scope::Global, HaltState::Active, None, "token:1".into()).expect("resumed");
        assert_eq!((read(0), read(1)), (HaltState::Halted, HaltState::Active));
    }

    #[test]
    fn a_log_that_cannot_be_looked_at_is_not_taken_for_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let path = IpcPaths::new(at("ipc")).halts("gateway");
        let restore =
            || LoggedPage::restore(&path, &OperatorLog::of(&at("data"), "gateway"), &Names::default());
        restore().expect("nothing was ever logged");
        std::fs::write(at("data"), "a file in the place of the directory").expect("written");
        let error = restore().expect_err("nobody knows").to_string();
        assert!(error.contains("data/gateway.log: looking at it: "), "{error}");
    }
}
