//! What all halt pages together let be traded, for whoever asks, scrapes or subscribes.

use engine::counters::{HaltReader, HaltState};
use engine::domain::{InstrumentIndex, Nanos, SourceId};
use engine::journal::HaltScope;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::{LOGGED_HALTS, RISK_SERVICE};

use crate::api::risk::Permission;
use crate::service::attach::Attached;
use crate::service::instruments::Table;
use crate::service::show::Names;

/// Owners of halt pages.
const HALT_OWNERS: [&str; 6] = ["operator", "gateway", RISK_SERVICE, LOGGED_HALTS, "risk", "route"];

/// A source and an instrument that nobody halts: what a page says of them is its global word, or one scope's.
const NOBODY: SourceId = SourceId(engine::limits::SOURCES_MAX as u16 - 1);
const NOTHING: InstrumentIndex = engine::limits::INSTRUMENTS_MAX as InstrumentIndex - 1;

/// How soon subscribers are told of a change.
const TELL_EVERY: Nanos = Nanos::from_millis(50);

/// What may be traded at all, of one symbol, or by one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted {
    /// Of what.
    pub scope: HaltScope,
    /// The symbol, the strategy, or `global`.
    pub name: String,
    /// The strictest that any page says.
    pub state: HaltState,
}

/// The pages of all owners.
pub struct Pages {
    pages: Vec<(&'static str, Attached<HaltReader>)>,
    told: Vec<Permitted>,
    due: Nanos,
}

impl Pages {
    /// The pages under `ipc`.
    #[must_use]
    pub fn new(ipc: &IpcPaths) -> Self {
        let page = |owner: &'static str| {
            let path = ipc.halts(owner);
            (owner, Attached::new(move || HaltReader::attach(&path)))
        };
        Self { pages: HALT_OWNERS.map(page).into(), told: Vec::new(), due: Nanos(i64::MIN) }
    }

    /// Attaches to what is there, when that is due.
    pub fn refresh(&mut self, now: Nanos) {
        for (_, page) in &mut self.pages {
            page.refresh(now);
        }
    }

    /// Attaches to what is there now.
    pub fn refresh_now(&mut self, now: Nanos) {
        for (_, page) in &mut self.pages {
            page.refresh_now(now);
        }
    }

    /// What each page says of everything; `ABSENT` where there is none.
    pub fn by_owner(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.pages
            .iter()
            .map(|(owner, page)| (*owner, page.get().map_or("ABSENT", |page| page.global().as_str())))
    }

    /// What they together say of everything.
    #[must_use]
    pub fn global(&self) -> HaltState {
        self.strictest(NOBODY, NOTHING)
    }

    /// What they together say, scope by scope.
    #[must_use]
    pub fn permitted(&self, table: &Table, names: &Names) -> Vec<Permitted> {
        let row = |scope, name: &str, state| Permitted { scope, name: name.to_owned(), state };
        let mut rows = vec![row(HaltScope::Global, "global", self.global())];
        rows.extend(
            table
                .iter()
                .map(|facts| row(HaltScope::Instrument, &facts.symbol, self.strictest(NOBODY, facts.index))),
        );
        rows.extend(names.rows().map(|strategy| {
            let state = self.strictest(strategy.source, NOTHING);
            row(HaltScope::Source, strategy.name().unwrap_or("strategy"), state)
        }));
        rows
    }

    /// What has changed of it since the last look, whoever's page says so: people's halts stand in no journal.
    pub fn changes(&mut self, table: &Table, names: &Names, now: Nanos) -> Vec<Permission> {
        if now < self.due {
            return Vec::new();
        }
        self.due = now.saturating_add(TELL_EVERY);
        let found = self.permitted(table, names);
        let before = std::mem::replace(&mut self.told, found);
        // The first look changes nothing; `risk.state` tells it.
        let changed = self.told.iter().filter(|row| !before.is_empty() && !before.contains(row));
        let told = |Permitted { scope, name, state }: &Permitted| Permission {
            scope: scope.to_string(),
            of: (*scope != HaltScope::Global).then(|| name.clone()),
            state: state.to_string(),
            time_ns: now.0,
        };
        changed.map(told).collect()
    }

    fn strictest(&self, source: SourceId, instrument: InstrumentIndex) -> HaltState {
        let readers = self.pages.iter().filter_map(|(_, page)| page.get().ok());
        readers.map(|page| page.state(source, instrument)).max().unwrap_or(HaltState::Halted)
    }
}
