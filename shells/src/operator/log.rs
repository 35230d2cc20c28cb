//! The operator's log: one JSON object a line, synced to the disk before the command answers.
//!
//! ```text
//! DATA/INSTANCE/operator.log   {"time_ns":…,"uid":0,"user":"ann","act":"halt","scope":"symbol","of":"BTCUSDT",…}
//! IPC/operator/unlogged.log    the halts that hold though the disk did not take them
//! ```

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use engine::counters::HaltState;
use engine::domain::Nanos;
use engine::error::SetupError;
use serde::{Deserialize, Serialize};

use crate::config::Environment;

/// What a halt holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", content = "of", rename_all = "snake_case")]
pub enum Scope {
    /// Everything.
    Global,
    /// One symbol.
    Symbol(String),
    /// One strategy: `NAME` on all of its symbols, or `NAME/SYMBOL`.
    Strategy(String),
}

impl Scope {
    /// Whether the symbol called `name` is meant.
    #[must_use]
    pub fn is_symbol(&self, name: &str) -> bool {
        matches!(self, Self::Symbol(symbol) if symbol == name)
    }

    /// Whether a source called `name` is meant.
    #[must_use]
    pub fn is_strategy(&self, name: &str) -> bool {
        match self {
            Self::Strategy(given) => {
                name == given || name.strip_prefix(given).is_some_and(|rest| rest.starts_with('/'))
            }
            Self::Global | Self::Symbol(_) => false,
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Global => f.write_str("everything"),
            Self::Symbol(symbol) => write!(f, "symbol {symbol}"),
            Self::Strategy(strategy) => write!(f, "strategy {strategy}"),
        }
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// A halt was raised, changed or lowered.
    Halt {
        /// Of what.
        #[serde(flatten)]
        scope: Scope,
        /// What may be traded of it from now on.
        state: HaltState,
    },
    /// A command was given to the engine.
    Command {
        /// The command, as it was understood.
        command: String,
    },
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, since the epoch.
    pub time_ns: i64,
    /// The user's number.
    pub uid: u32,
    /// The name that the user's session gave, which nobody vouches for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What was done.
    #[serde(flatten)]
    pub act: Act,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Entry {
    /// `act`, now, by the user of this process.
    #[must_use]
    pub fn now(act: Act, reason: Option<String>, environment: &Environment) -> Self {
        let user = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| environment.get(name));
        Self {
            time_ns: wall_clock().0,
            uid: rustix::process::getuid().as_raw(),
            user: user.map(str::to_owned),
            act,
            reason,
        }
    }
}

/// File, length and time of the last change of each file of a log; `None` where there is none.
pub type LogIdentity = Vec<Option<(u64, u64, i64, i64)>>;

/// How often a page is set anew while its log changes.
const SETS_MAX: u32 = 100;

/// The log of one owner of a halt page. One file is written; others may be read with it.
#[derive(Clone, Debug)]
pub struct OperatorLog {
    path: PathBuf,
    /// The log that the same owner left elsewhere.
    before: Option<PathBuf>,
    /// In shared memory, beside the page: what the disk did not take.
    unlogged: Option<PathBuf>,
}

impl OperatorLog {
    /// The log in the instance's data directory.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self::of(data, "operator")
    }

    /// The log of another owner of a halt page, in the same form.
    #[must_use]
    pub fn of(data: &Path, owner: &str) -> Self {
        Self { path: data.join(format!("{owner}.log")), before: None, unlogged: None }
    }

    /// The same, with the halts that hold on `page` and could not be logged.
    #[must_use]
    pub fn beside(self, page: &Path) -> Self {
        Self { unlogged: Some(page.with_file_name("unlogged.log")), ..self }
    }

    /// The same, behind the log of the same name in `data`, if any is meant: where its owner logged in another deployment.
    #[must_use]
    pub fn after(self, data: Option<&Path>) -> Self {
        let name = self.path.file_name().unwrap_or_default();
        Self { before: data.map(|data| data.join(name)), ..self }
    }

    /// All files, the one that matters most for entries of the same time last.
    fn files(&self) -> impl Iterator<Item = &Path> {
        let Self { path, before, unlogged } = self;
        [before.as_deref(), Some(path.as_path()), unlogged.as_deref()].into_iter().flatten()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What changes with every line that is logged, or with another file in the place of one of the log's.
    ///
    /// # Errors
    /// When it cannot be told whether a file is there: what it may say must not count as nothing.
    pub fn identity(&self) -> Result<LogIdentity, SetupError> {
        let identity = |path: &Path| match std::fs::metadata(path) {
            Ok(facts) => Ok(Some((facts.ino(), facts.len(), facts.mtime(), facts.mtime_nsec()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SetupError::io(path, "looking at it", error)),
        };
        self.files().map(identity).collect()
    }

    /// Does `set`, which reads the log, until nothing was logged meanwhile.
    ///
    /// # Errors
    /// Those of `set`, and when the log cannot be looked at or does not rest: nobody knows what is halted then.
    pub fn at_rest<T>(&self, mut set: impl FnMut() -> Result<T, SetupError>) -> Result<T, SetupError> {
        for _ in 0..SETS_MAX {
            let before = self.identity()?;
            let done = set()?;
            if self.identity()? == before {
                return Ok(done);
            }
        }
        Err(SetupError::file(&self.path, "does not rest: nobody knows what is halted"))
    }

    /// Appends `entry` and syncs it. A line that an earlier command left torn is ended first.
    ///
    /// # Errors
    /// When it is not on the disk.
    pub fn append(&self, entry: &Entry) -> Result<(), SetupError> {
        match entry.act {
            Act::Halt { .. } => append(&self.path, &self.behind_all(entry)),
            Act::Command { .. } => append(&self.path, entry),
        }
    }

    /// `entry` with a time behind all that stand in any of the files, if they can be read: a clock that was ahead once
    /// puts no halt before an earlier resume, and no resume before an earlier halt.
    fn behind_all(&self, entry: &Entry) -> Entry {
        let latest = self.read().ok().and_then(|entries| entries.iter().map(|entry| entry.time_ns).max());
        let least = latest.map_or(i64::MIN, |latest| latest.saturating_add(1));
        Entry { time_ns: entry.time_ns.max(least), ..entry.clone() }
    }

    /// Keeps the `entry` of a halt that holds and could not be logged, because of `error`, for as long as shared memory
    /// lasts. Says what was not done.
    #[must_use]
    pub fn keep(&self, entry: &Entry, error: &SetupError) -> String {
        let kept = self.unlogged.as_deref().is_some_and(|path| append(path, &self.behind_all(entry)).is_ok());
        let until = if kept { "the loss of shared memory" } else { "the next start" };
        format!("halted, but not logged: {error}; {until} forgets it")
    }

    /// Every entry, oldest first. A torn line at a command's end is passed over: that command never answered.
    ///
    /// # Errors
    /// When a file cannot be read, or a line was damaged after it was written.
    pub fn read(&self) -> Result<Vec<Entry>, SetupError> {
        let mut entries = Vec::new();
        for path in self.files() {
            // In its own file an entry stands behind all before it, whatever the machine's clock said.
            let mut latest = i64::MIN;
            entries.extend(read(path)?.into_iter().map(|entry| {
                latest = latest.max(entry.time_ns);
                (latest, entry)
            }));
        }
        entries.sort_by_key(|(time, _)| *time);
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }
}

fn append(path: &Path, entry: &Entry) -> Result<(), SetupError> {
    let io = |action| move |error| SetupError::io(path, action, error);
    let fresh = !path.exists();
    let text = serde_json::to_string(entry).map_err(|error| SetupError::file(path, error.to_string()))?;
    let torn = std::fs::read(path).is_ok_and(|bytes| bytes.last().is_some_and(|&last| last != b'\n'));
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(io("opening it"))?;
    let start = if torn { "\n" } else { "" };
    file.write_all(format!("{start}{text}\n").as_bytes()).map_err(io("writing it"))?;
    file.sync_all().map_err(io("syncing it"))?;
    if fresh && let Some(directory) = path.parent() {
        // A new file is only there once its directory says so.
        let directory = File::open(directory);
        directory.and_then(|directory| directory.sync_all()).map_err(io("syncing its directory"))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Entry>, SetupError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SetupError::io(path, "reading it", error)),
    };
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            // Whole lines end in a brace: what does not was cut off.
            Err(_) if !line.ends_with('}') => {}
            Err(error) => return Err(SetupError::file(path, format!("line {}: {error}", number + 1))),
        }
    }
    Ok(entries)
}

/// The machine's clock.
#[must_use]
pub fn wall_clock() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    Nanos::from_secs(time.tv_sec).saturating_add(Nanos(time.tv_nsec))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halt(of: &str) -> Entry {
        let act = Act::Halt { scope: Scope::Symbol(of.into()), state: HaltState::Halted };
        Entry::now(act, Some("news".into()), &Environment::default())
    }

    #[test]
    fn what_was_appended_is_read_back_past_a_torn_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = OperatorLog::new(folder.path());
        assert_eq!(log.read().expect("nothing yet"), []);
        let (first, second) = (halt("A"), halt("B"));
        log.append(&first).expect("written");
        let mut file = OpenOptions::new().append(true).open(log.path()).expect("there");
        file.write_all(b"{\"time_ns\":12,\"ui").expect("torn");
        log.append(&second).expect("written");
        assert_eq!(log.read().expect("read"), [first, second]);
    }

    #[test]
    fn entries_of_all_files_come_in_order_and_those_of_one_file_as_they_stand() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for directory in ["data", "before", "page"] {
            std::fs::create_dir(at(directory)).expect("made");
        }
        let log = OperatorLog::new(&at("data")).beside(&at("page/halts")).after(Some(&at("before")));
        let nothing = log.identity().expect("told");
        assert!(nothing.len() == 3 && nothing.iter().all(Option::is_none));
        let entry = |time_ns, of| Entry { time_ns, ..halt(of) };
        // The clock was set back between B and C; D was not logged; A is of another deployment.
        append(&log.path, &entry(20, "B")).expect("written");
        append(&log.path, &entry(10, "C")).expect("written");
        let told = log.keep(&entry(12, "D"), &SetupError::Invalid("full".to_owned()));
        assert_eq!(told, "halted, but not logged: full; the loss of shared memory forgets it");
        OperatorLog::new(&at("before")).append(&entry(15, "A")).expect("written");
        log.append(&entry(30, "E")).expect("written");
        let read = log.read().expect("read").into_iter().map(|entry| entry.act);
        let wanted = ["A", "B", "C", "D", "E"].map(|of| halt(of).act);
        assert_eq!(read.collect::<Vec<_>>(), wanted);
        // The clock was far ahead in the other deployment: what is done here later still counts as later.
        append(&at("before/operator.log"), &entry(1_000, "F")).expect("written");
        log.append(&entry(40, "G")).expect("written");
        let told = log.keep(&entry(41, "H"), &SetupError::Invalid("full".to_owned()));
        assert!(told.contains("the loss of shared memory"));
        log.append(&entry(42, "I")).expect("written");
        let read = log.read().expect("read").into_iter().map(|entry| (entry.time_ns, entry.act));
        let wanted = [(1_000, "F"), (1_001, "G"), (1_002, "H"), (1_003, "I")];
        assert_eq!(read.skip(5).collect::<Vec<_>>(), wanted.map(|(time, of)| (time, halt(of).act)));
        assert!(log.identity().expect("told").iter().all(Option::is_some));
        std::fs::remove_dir_all(at("page")).expect("removed");
        assert!(
            log.keep(&entry(40, "J"), &SetupError::Invalid("full".to_owned())).contains("the next start")
        );
    }

    #[test]
    fn who_sets_a_page_by_the_log_sees_what_is_kept_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = OperatorLog::new(folder.path()).beside(&folder.path().join("halts"));
        let full = || SetupError::Invalid("full".to_owned());
        let mut sets = 0;
        let read = log.at_rest(|| {
            sets += 1;
            let read = log.read()?.len();
            if sets == 1 {
                let _told = log.keep(&halt("A"), &full());
            }
            Ok(read)
        });
        assert_eq!((read.expect("it rests"), sets), (1, 2));
        let restless = log.at_rest(|| {
            let _told = log.keep(&halt("B"), &full());
            Ok(())
        });
        assert!(restless.expect_err("never").to_string().contains("operator.log: does not rest"));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = OperatorLog::new(folder.path());
        log.append(&halt("A")).expect("written");
        std::fs::write(log.path(), "{\"time_ns\":1}\n").expect("damaged");
        let error = log.read().expect_err("damaged").to_string();
        assert!(error.contains("operator.log: line 1: "), "{error}");
    }
}
