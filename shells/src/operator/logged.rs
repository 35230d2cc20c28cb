//! Halts that stand in logs of others, on a page of risk's own. Where the operator and the gateway run as users of their
//! own, risk can read their logs and write neither their pages nor their shared memory; yet what they halted must hold
//! before risk approves anything, after a reboot that took every page with it, too.

use engine::counters::{HaltPage, HaltState};
use engine::domain::{InstrumentIndex, SourceId};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::LOGGED_HALTS;

use crate::config::Places;
use crate::operator::halts::{Table, fill};
use crate::operator::log::{LogIdentity, OperatorLog};

/// Whose logs are followed.
const OWNERS: [&str; 2] = ["operator", "gateway"];

/// Looks in a row at a log that cannot be read until nothing is traded: fewer may have met a line half written.
const UNREADABLE_LOOKS: u32 = 20;

/// A log, and what it was like when it was last read.
struct Followed {
    log: OperatorLog,
    seen: LogIdentity,
}

/// The page, and the logs that it follows.
pub struct LoggedHalts {
    page: HaltPage,
    logs: Vec<Followed>,
    instruments: Vec<(InstrumentIndex, String)>,
    sources: Vec<(SourceId, String)>,
    unreadable: u32,
}

impl LoggedHalts {
    /// Makes the page from the logs of all owners whose data lies apart; `None` where there is no such owner, so that
    /// [`restore`](super::restore) does.
    ///
    /// # Errors
    /// When a log is damaged, or the page cannot be written: then nobody knows what was halted, and nothing may start.
    pub fn start(places: &Places, ipc: &IpcPaths, table: Table<'_>) -> Result<Option<Self>, SetupError> {
        let apart = OWNERS.iter().filter_map(|owner| Some((places.apart(owner)?, *owner)));
        let logs: Vec<_> = apart
            .map(|(data, owner)| {
                let log = OperatorLog::of(&data, owner).beside(&ipc.halts(owner));
                Followed { log, seen: Vec::new() }
            })
            .collect();
        if logs.is_empty() {
            return Ok(None);
        }
        let path = ipc.halts(LOGGED_HALTS);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| SetupError::io(parent, "making it", error))?;
        }
        let page = HaltPage::reopen(&path).or_else(|_| HaltPage::create(&path, 0))?;
        let (instruments, sources) = (table.instruments.to_vec(), table.sources.to_vec());
        let mut halts = Self { page, logs, instruments, sources, unreadable: 0 };
        halts.read()?;
        Ok(Some(halts))
    }

    /// Takes over what has been logged since; to be called a few times a second.
    pub fn follow(&mut self) {
        let same = |followed: &Followed| followed.log.identity().is_ok_and(|found| found == followed.seen);
        if self.logs.iter().all(same) {
            return;
        }
        match self.read() {
            Ok(()) => self.unreadable = 0,
            Err(error) => {
                self.unreadable += 1;
                if self.unreadable == UNREADABLE_LOOKS {
                    tracing::error!(%error, "halted: what was halted before cannot be read");
                    self.page.set_global(HaltState::Halted);
                }
            }
        }
    }

    fn read(&mut self) -> Result<(), SetupError> {
        // Before they are read: what is logged meanwhile is read again.
        let seen = self.logs.iter().map(|followed| followed.log.identity());
        let seen: Vec<_> = seen.collect::<Result<_, _>>()?;
        let entries = self.logs.iter().map(|followed| followed.log.read()).collect::<Result<Vec<_>, _>>()?;
        let entries: Vec<_> = entries.iter().map(Vec::as_slice).collect();
        let table = Table { instruments: &self.instruments, sources: &self.sources };
        fill(&mut self.page, &entries, table, HaltState::Active);
        self.logs.iter_mut().zip(seen).for_each(|(followed, seen)| followed.seen = seen);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;
    use crate::operator::log::{Act, Entry, Scope};
    use engine::counters::HaltReader;

    #[test]
    fn what_others_log_is_obeyed_from_the_start_and_while_running_and_let_go_by_them_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let apart = format!("operator={},gateway={}", at("operator").display(), at("gateway").display());
        let apart = apart.parse().expect("two directories");
        let places = Places { instance: "t".into(), ipc: at("ipc"), data: at("data"), apart };
        let ipc = IpcPaths::new(&places.ipc);
        let log = |owner: &str, scope: &Scope, state| {
            let data = places.owned_by(owner);
            std::fs::create_dir_all(&data).expect("made");
            let act = Act::Halt { scope: scope.clone(), state };
            let entry = Entry::now(act, None, &Environment::default());
            let log = OperatorLog::of(&data, owner).beside(&ipc.halts(owner));
            log.append(&entry).expect("written");
        };
        let symbol = Scope::Symbol("BTCUSDT".into());
        log("operator", &symbol, HaltState::Halted);
        let table = Table {
            instruments: &[(0, "ETHUSDT".into()), (7, "BTCUSDT".into())],
            sources: &[(SourceId::strategy(0), "mm/BTCUSDT".into())],
        };
        let mut halts = LoggedHalts::start(&places, &ipc, table).expect("made").expect("owners apart");
        let page = HaltReader::attach(&ipc.halts(LOGGED_HALTS)).expect("a page");
        let read = |instrument| page.state(SourceId::strategy(0), instrument);
        assert_eq!((read(0), read(7)), (HaltState::Active, HaltState::Halted));

        log("gateway", &Scope::Global, HaltState::ReduceOnly);
        halts.follow();
        assert_eq!((read(0), read(7)), (HaltState::ReduceOnly, HaltState::Halted));
        log("operator", &symbol, HaltState::Active);
        halts.follow();
        assert_eq!((read(0), read(7)), (HaltState::ReduceOnly, HaltState::ReduceOnly), "the gateway's stays");
        log("gateway", &Scope::Global, HaltState::Active);
        halts.follow();
        assert_eq!((read(0), read(7)), (HaltState::Active, HaltState::Active));

        // What the disk did not take holds as well: the index may be another one after a start.
        let unlogged = |scope| {
            let act = Act::Halt { scope, state: HaltState::Halted };
            let entry = Entry::now(act, None, &Environment::default());
            let path = ipc.halts("gateway");
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            let log = OperatorLog::of(&places.owned_by("gateway"), "gateway").beside(&path);
            log.keep(&entry, &SetupError::Invalid("full".to_owned()))
        };
        assert!(unlogged(symbol.clone()).contains("the loss of shared memory forgets it"));
        halts.follow();
        assert_eq!((read(0), read(7)), (HaltState::Active, HaltState::Halted));
        log("gateway", &symbol, HaltState::Active);
        halts.follow();
        assert_eq!((read(0), read(7)), (HaltState::Active, HaltState::Active));

        std::fs::write(places.owned_by("operator").join("operator.log"), "{\"act\":\"halt\"}\n")
            .expect("damaged");
        for _ in 1..UNREADABLE_LOOKS {
            halts.follow();
        }
        assert_eq!(read(0), HaltState::Active, "it may be half a line");
        halts.follow();
        assert_eq!(read(0), HaltState::Halted);
        assert!(LoggedHalts::start(&places, &ipc, table).is_err(), "nothing starts on a damaged log");
    }
}
