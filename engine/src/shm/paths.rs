//! Where every shared file lies: one directory per producing process, so that each can be mounted read-only
//! elsewhere. A consumer's cursor lies in the consumer's own directory.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::domain::SourceId;
use crate::error::SetupError;

/// Owners of directories: the four agents, the input log, the venue's end of the link, and those who may halt.
pub const OWNERS: [&str; 8] =
    ["ingest", "strategy", "risk", "route", "input", "venue", "operator", "gateway"];

/// Mode of an owner's directory: the owner makes, renames and removes files; the group looks; others do not.
const OWNER_MODE: u32 = 0o750;
/// Mode of the directory of them all.
const ROOT_MODE: u32 = 0o755;

/// The files under one engine's ipc directory.
#[derive(Clone, Debug)]
pub struct IpcPaths {
    root: PathBuf,
}

impl IpcPaths {
    /// Files under `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes the directories that are not there. What stands already keeps its owner and its mode: where each process has
    /// a user of its own, whoever installs the engine makes them first.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn create(&self) -> Result<(), SetupError> {
        let make = |path: PathBuf, mode: u32| {
            let made = DirBuilder::new().recursive(true).mode(mode).create(&path);
            made.map_err(|error| SetupError::io(path, "creating it", error))
        };
        make(self.root.clone(), ROOT_MODE)?;
        OWNERS.iter().try_for_each(|owner| make(self.root.join(owner), OWNER_MODE))
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Held locked while an engine runs on this directory.
    #[must_use]
    pub fn guard(&self) -> PathBuf {
        self.root.join("engine.lock")
    }

    /// Ingest's tick ring.
    #[must_use]
    pub fn ticks(&self) -> PathBuf {
        self.root.join("ingest/ticks.ring")
    }

    /// Ingest's book cells.
    #[must_use]
    pub fn books(&self) -> PathBuf {
        self.root.join("ingest/books.cells")
    }

    /// The intent ring of a source, in the directory of whoever makes it: strategies, the operator's command line, and
    /// the order execution service, which hosts route, for the clients of port 5556.
    #[must_use]
    pub fn intents(&self, source: SourceId) -> PathBuf {
        let owner = match source {
            SourceId::CLIENT => "route",
            SourceId::OPERATOR => "operator",
            _ => "strategy",
        };
        self.root.join(format!("{owner}/intents-{}.ring", source.0))
    }

    /// Risk's cursor in a source's intent ring.
    #[must_use]
    pub fn intents_cursor(&self, source: SourceId) -> PathBuf {
        self.root.join(format!("risk/intents-{}.cursor", source.0))
    }

    /// Risk's order ring.
    #[must_use]
    pub fn orders(&self) -> PathBuf {
        self.root.join("risk/orders.ring")
    }

    /// Route's cursor in the order ring.
    #[must_use]
    pub fn orders_cursor(&self) -> PathBuf {
        self.root.join("route/orders.cursor")
    }

    /// The journal ring of `owner`.
    #[must_use]
    pub fn journal(&self, owner: &str) -> PathBuf {
        self.root.join(owner).join("journal.ring")
    }

    /// The journal writer's cursor in the journal ring of `owner`.
    #[must_use]
    pub fn journal_cursor(&self, owner: &str) -> PathBuf {
        self.root.join(owner).join("journal.cursor")
    }

    /// Held locked by the process that writes the directory of `owner`.
    #[must_use]
    pub fn lock(&self, owner: &str) -> PathBuf {
        self.root.join(owner).join("lock")
    }

    /// Heartbeat of the agent `owner`.
    #[must_use]
    pub fn heartbeat(&self, owner: &str) -> PathBuf {
        self.root.join(owner).join("heartbeat")
    }

    /// The bell by which `owner` wakes its peers.
    #[must_use]
    pub fn bell(&self, owner: &str) -> PathBuf {
        self.root.join(owner).join("bell")
    }

    /// Counters of `owner`.
    #[must_use]
    pub fn counters(&self, owner: &str) -> PathBuf {
        self.root.join(owner).join("counters")
    }

    /// Latency histograms of `owner`.
    #[must_use]
    pub fn histograms(&self, owner: &str) -> PathBuf {
        self.root.join(owner).join("histograms")
    }

    /// How long the writer of the journal of `owner` takes.
    #[must_use]
    pub fn journal_histograms(&self, owner: &str) -> PathBuf {
        self.root.join(owner).join("journal.histograms")
    }

    /// Halt page of `owner`.
    #[must_use]
    pub fn halts(&self, owner: &str) -> PathBuf {
        self.root.join(owner).join("halts")
    }

    /// A ring of the link to the simulated venue, by name, and its reader's cursor: each in the directory of its writer.
    /// The recorder's rings lie with the venue's, that of ingest's tapes with ingest's.
    #[must_use]
    pub fn link(&self, name: &str) -> (PathBuf, PathBuf) {
        let (writer, reader) = match name {
            "feed" => ("venue", "ingest"),
            "answers" => ("venue", "route"),
            "wishes" => ("ingest", "venue"),
            "tape" => ("ingest", "ingest"),
            "requests" => ("route", "venue"),
            _ => ("venue", "venue"),
        };
        let at = |owner: &str, ending: &str| self.root.join(owner).join(format!("{name}.{ending}"));
        (at(writer, "ring"), at(reader, "cursor"))
    }

    /// The calibration of the clocks, by ingest.
    #[must_use]
    pub fn timeline(&self) -> PathBuf {
        self.root.join("ingest/timeline.cells")
    }

    /// The instrument table of the running engine, for whoever shows its numbers; written by ingest.
    #[must_use]
    pub fn instruments(&self) -> PathBuf {
        self.root.join("ingest/instruments.cells")
    }

    /// What the strategy host shows of each strategy.
    #[must_use]
    pub fn strategies(&self) -> PathBuf {
        self.root.join("strategy/strategies.cells")
    }

    /// The ring of commands of `sender` to `agent`, in the sender's directory, and the agent's cursor in it.
    #[must_use]
    pub fn commands(&self, agent: &str, sender: &str) -> (PathBuf, PathBuf) {
        let (ring, cursor) = (format!("commands-{agent}.ring"), format!("commands-{}.cursor", flat(sender)));
        (self.root.join(sender).join(ring), self.root.join(agent).join(cursor))
    }

    /// The ring of answers of `agent` to `sender`, in the agent's directory, and the sender's cursor in it.
    #[must_use]
    pub fn answers(&self, agent: &str, sender: &str) -> (PathBuf, PathBuf) {
        let (ring, cursor) = (format!("answers-{}.ring", flat(sender)), format!("answers-{agent}.cursor"));
        (self.root.join(agent).join(ring), self.root.join(sender).join(cursor))
    }
}

/// An owner's name as part of a file's.
fn flat(owner: &str) -> String {
    owner.replace('/', "-")
}
