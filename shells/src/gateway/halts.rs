//! The gateway's own halt page: all that it maps. A halt is one store and one synced line, with every service hung or
//! dead; it holds across restarts, for names rather than for indices.

use std::path::PathBuf;

use engine::counters::{HaltPage, HaltReader, HaltState};
use engine::domain::{InstrumentIndex, SourceId};
use engine::error::SetupError;
use engine::shm::OwnerLock;
use engine::shm::paths::IpcPaths;

use crate::config::Places;
use crate::operator::halts::{Table, fill};
use crate::operator::log::{Act, Entry, OperatorLog, Scope};

/// The page's owner.
const OWNER: &str = "gateway";

/// Names by index, as the services last told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Symbols.
    pub instruments: Vec<(InstrumentIndex, String)>,
    /// Strategies.
    pub sources: Vec<(SourceId, String)>,
}

impl Names {
    const fn table(&self) -> Table<'_> {
        Table { instruments: self.instruments.as_slice(), sources: self.sources.as_slice() }
    }
}

/// The page.
pub struct Halts {
    page: HaltPage,
    path: PathBuf,
    log: OperatorLog,
    entries: Vec<Entry>,
    names: Names,
    _lock: OwnerLock,
}

impl Halts {
    /// Goes on with the page that is there, or makes it as strict as the log says.
    ///
    /// # Errors
    /// When another gateway runs on this instance, or the page or the log cannot be had.
    pub fn open(places: &Places) -> Result<Self, SetupError> {
        let ipc = IpcPaths::new(&places.ipc);
        let path = ipc.halts(OWNER);
        let made = |path: &std::path::Path| {
            std::fs::create_dir_all(path).map_err(|error| SetupError::io(path, "creating it", error))
        };
        path.parent().map_or(Ok(()), made)?;
        let data = places.owned_by(OWNER);
        made(&data)?;
        let lock = OwnerLock::take(&ipc, OWNER)?;
        let log = OperatorLog::of(&data, OWNER);
        let entries = log.read()?;
        let before = HaltReader::attach(&path).map_or(HaltState::Active, |page| page.global());
        let page = match HaltPage::reopen(&path) {
            Ok(page) => page,
            Err(_) => HaltPage::create(&path, 0)?,
        };
        let mut halts = Self { page, path, log, entries, names: Names::default(), _lock: lock };
        // A halt whose log could not be written stands on the page alone.
        fill(&mut halts.page, &[&halts.entries], halts.names.table(), before);
        Ok(halts)
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
        let mut entry = Entry::now(
            Act::Halt { scope: scope.clone(), state },
            reason,
            &crate::config::Environment::default(),
        );
        entry.user = Some(who);
        let stricter = state == HaltState::Halted;
        if stricter {
            self.set(scope, state);
        }
        let logged = self.log.append(&entry);
        match logged {
            Err(error) if !stricter => return Err(error),
            _ => self.entries.push(entry),
        }
        if !stricter {
            self.set(scope, state);
        }
        Ok(logged.err().map(|error| format!("halted, but not logged: {error}")))
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
    use crate::config::places::DataDirs;

    #[test]
    fn halts_follow_their_names_and_outlive_page_and_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let places =
            Places { instance: "t".into(), ipc: at("ipc"), data: at("data"), apart: DataDirs::default() };
        let names = |rows: [(u32, &str); 2]| Names {
            instruments: rows.map(|(index, name)| (index, name.to_owned())).into(),
            sources: vec![(SourceId(2), "mm/A".to_owned())],
        };
        let read = |index| {
            let page = HaltReader::attach(&IpcPaths::new(at("ipc")).halts(OWNER)).expect("a page");
            page.state(SourceId(0), index)
        };
        let mut halts = Halts::open(&places).expect("made");
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
        let mut halts = Halts::open(&places).expect("made again");
        assert_eq!(halts.global(), HaltState::Halted);
        halts.learn(names([(0, "A"), (1, "B")]));
        halts.apply(&Scope::Global, HaltState::Active, None, "token:1".into()).expect("resumed");
        assert_eq!((read(0), read(1)), (HaltState::Halted, HaltState::Active));
    }
}
