//! What all halt pages together let be traded, for whoever asks, scrapes or subscribes.

use std::collections::BTreeMap;

use engine::counters::{HaltReader, HaltState};
use engine::domain::{InstrumentIndex, Nanos, SourceId};
use engine::journal::HaltScope;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::{LOGGED_HALTS, RISK_SERVICE};

use crate::api::risk::Permission;
use crate::service::attach::Attached;
use crate::service::instruments::Table;
use crate::service::show::Names;
use crate::zmq::halts::people;

/// Owners of halt pages.
const HALT_OWNERS: [&str; 6] = ["operator", "gateway", RISK_SERVICE, LOGGED_HALTS, "risk", "route"];

/// A source and an instrument that nobody halts: what a page says of them is its global word, or one scope's.
const NOBODY: SourceId = SourceId(engine::limits::SOURCES_MAX as u16 - 1);
const NOTHING: InstrumentIndex = engine::limits::INSTRUMENTS_MAX as InstrumentIndex - 1;

/// How soon subscribers are told of a change.
const TELL_EVERY: Nanos = Nanos::from_millis(50);

/// What may be traded at all, of one symbol, or by one strategy or person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted {
    /// Of what.
    pub scope: HaltScope,
    /// The symbol, the strategy, `client`, `operator`, or `global`.
    pub name: String,
    /// The strictest that any page says.
    pub state: HaltState,
}

/// What subscribers were told.
#[derive(Default)]
struct Told {
    /// What was not fully active, whether it is listed now or not: all else was, known or not.
    held: BTreeMap<(HaltScope, String), HaltState>,
    looked: bool,
}

impl Told {
    /// What of `rows` is other than was told. The first look changes nothing; `risk.state` tells it.
    fn changes(&mut self, mut rows: Vec<Permitted>) -> Vec<Permitted> {
        rows.retain(|Permitted { scope, name, state }| {
            let of = (*scope, name.clone());
            let before = match *state {
                HaltState::Active => self.held.remove(&of),
                state => self.held.insert(of, state),
            };
            before.unwrap_or(HaltState::Active) != *state
        });
        if std::mem::replace(&mut self.looked, true) { rows } else { Vec::new() }
    }
}

/// The pages of all owners.
pub struct Pages {
    pages: Vec<(&'static str, Attached<HaltReader>)>,
    told: Told,
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
        Self { pages: HALT_OWNERS.map(page).into(), told: Told::default(), due: Nanos(i64::MIN) }
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
        let strategies = names.rows().map(|strategy| (strategy.source, names.of(strategy.source)));
        rows.extend(
            people()
                .chain(strategies)
                .map(|(source, name)| row(HaltScope::Source, &name, self.strictest(source, NOTHING))),
        );
        rows
    }

    /// What has changed of it since the last look, whoever's page says so: people's halts stand in no journal.
    pub fn changes(&mut self, table: &Table, names: &Names, now: Nanos) -> Vec<Permission> {
        if now < self.due {
            return Vec::new();
        }
        self.due = now.saturating_add(TELL_EVERY);
        let told = |Permitted { scope, name, state }| Permission {
            scope: scope.to_string(),
            of: (scope != HaltScope::Global).then_some(name),
            state: state.to_string(),
            time_ns: now.0,
        };
        let rows = self.permitted(table, names);
        self.told.changes(rows).into_iter().map(told).collect()
    }

    fn strictest(&self, source: SourceId, instrument: InstrumentIndex) -> HaltState {
        let readers = self.pages.iter().filter_map(|(_, page)| page.get().ok());
        readers.map(|page| page.state(source, instrument)).max().unwrap_or(HaltState::Halted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_late_or_again_is_told_only_if_it_is_other_than_was_told() {
        let (active, halted) = (HaltState::Active, HaltState::Halted);
        let row = |name: &str, state| Permitted { scope: HaltScope::Source, name: name.to_owned(), state };
        let mut told = Told::default();
        let mut look = |rows: &[(&str, HaltState)]| {
            let rows = rows.iter().map(|&(name, state)| row(name, state)).collect();
            told.changes(rows).into_iter().map(|row| (row.name, row.state)).collect::<Vec<_>>()
        };
        assert_eq!(look(&[("a", active), ("b", halted)]), [], "the first look");
        assert_eq!(look(&[("a", active), ("b", halted), ("late", active)]), []);
        assert_eq!(look(&[("a", halted), ("b", halted)]), [("a".to_owned(), halted)]);
        assert_eq!(look(&[]), [], "the engine is away");
        // It is back, and what was let go of meanwhile is told; what is as it was is not.
        let back = [("a", active), ("b", halted), ("late", active), ("new", halted)];
        assert_eq!(look(&back), [("a".to_owned(), active), ("new".to_owned(), halted)]);
        assert_eq!(look(&back), []);
    }
}
