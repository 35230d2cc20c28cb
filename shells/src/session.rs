//! A session's directory: its tape, its journals, and what it was run with.
//!
//! ```text
//! DATA/INSTANCE/epoch               the last engine epoch, reserved durably
//! DATA/INSTANCE/sessions/00000007/  session.json  tape.tsv  risk/  route/  input/
//! ```
//!
//! Where risk's data lies apart, `risk` is a link to `RISK/INSTANCE/sessions/00000007/risk`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use engine::domain::Nanos;
use engine::error::SetupError;
use engine::journal::epoch;
use engine::tick_to_trade::route::RouteTiming;
use serde::{Deserialize, Serialize};

use crate::config::values::RecvWindow;
use crate::config::{Places, Venue};
use crate::trade::Trading;
use crate::venue;

/// What a session was run with and how it ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionFile {
    /// Version of this file.
    pub version: u32,
    /// The engine's epoch.
    pub epoch: u32,
    /// `shared` or `dedicated`: only a session on one shared thread replays bit for bit.
    pub placement: String,
    /// What traded.
    pub trading: Trading,
    /// Capacity of the rings.
    pub ring_capacity: usize,
    /// Seed of the generated market.
    pub seed: u64,
    /// Why it began with everything halted, where it did.
    #[serde(default)]
    pub begins_halted: Option<String>,
    /// For how many milliseconds the venue might take a request, where it was behind a connection.
    #[serde(default)]
    pub recv_window_ms: Option<u32>,
    /// State hash at the end; absent while it runs, or when it was killed.
    pub state_hash: Option<String>,
    /// Frames, orders, answers and cycles that could not be recorded, and what people did: above zero it does not replay.
    pub lost: u64,
}

/// Version of [`SessionFile`].
const VERSION: u32 = 2;

/// Names inside a data directory.
const SESSIONS: &str = "sessions";
/// Names inside a session's directory.
const FILE: &str = "session.json";
/// Risk's journal.
const RISK: &str = "risk";
/// Name of the tape.
pub const TAPE: &str = "tape.tsv";

/// A session's directory.
#[derive(Clone, Debug)]
pub struct Session {
    directory: PathBuf,
}

impl Session {
    /// Makes the directory of a new session under a new epoch, no lower than `least`; of all sessions the latest `kept`
    /// stay.
    ///
    /// # Errors
    /// When the operating system refuses, or the epoch's record is damaged.
    pub fn create(places: &Places, kept: usize, least: u32) -> Result<(Self, u32), SetupError> {
        let io = |path: &Path, error| SetupError::io(path, "making the session's directory", error);
        fs::create_dir_all(&places.data).map_err(|error| io(&places.data, error))?;
        let epoch = epoch::reserve(&places.data, least)?;
        let sessions = sessions(places);
        let directory = numbered(&places.data, epoch);
        fs::create_dir_all(&directory).map_err(|error| io(&directory, error))?;
        if let Some(apart) = places.apart(RISK) {
            let link = directory.join(RISK);
            symlink(numbered(&apart, epoch).join(RISK), &link).map_err(|error| io(&link, error))?;
        }
        keep_latest(&sessions, kept)?;
        Ok((Self { directory }, epoch))
    }

    /// Makes the directory of risk's journal where that lies apart; of all of them the latest `kept` stay. To be called by
    /// the process that writes it.
    ///
    /// # Errors
    /// When the operating system refuses, or the session's link leads elsewhere: then nobody would find the journal.
    pub fn keep_risk_apart(&self, places: &Places, epoch: u32, kept: usize) -> Result<(), SetupError> {
        let Some(apart) = places.apart(RISK) else { return Ok(()) };
        let own = numbered(&apart, epoch).join(RISK);
        fs::create_dir_all(&own).map_err(|error| SetupError::io(&own, "making it", error))?;
        keep_latest(&apart.join(SESSIONS), kept)?;
        let link = self.directory.join(RISK);
        let same =
            |path: &Path| fs::canonicalize(path).map_err(|error| SetupError::io(path, "finding it", error));
        if same(&link)? == same(&own)? {
            return Ok(());
        }
        let reason = format!("does not lead to {}: is TRADING_DATA_DIRS the same everywhere?", own.display());
        Err(SetupError::file(link, reason))
    }

    /// Where risk's journal of `epoch` lies.
    #[must_use]
    pub fn risk_journal(places: &Places, epoch: u32) -> PathBuf {
        numbered(&places.owned_by(RISK), epoch).join(RISK)
    }

    /// The session of `epoch`, whether it is there or not.
    #[must_use]
    pub fn of(places: &Places, epoch: u32) -> Self {
        Self { directory: numbered(&places.data, epoch) }
    }

    /// Opens a recorded session.
    ///
    /// # Errors
    /// When the directory holds none, or its description cannot be read.
    pub fn open(directory: &Path) -> Result<(Self, SessionFile), SetupError> {
        let path = directory.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| SetupError::io(&path, "reading it", error))?;
        let file: SessionFile =
            serde_json::from_str(&text).map_err(|error| SetupError::file(&path, error.to_string()))?;
        if file.version != VERSION {
            return Err(SetupError::file(&path, format!("version {} is not {VERSION}", file.version)));
        }
        Ok((Self { directory: directory.to_owned() }, file))
    }

    /// Whether `directory` looks like a session's.
    #[must_use]
    pub fn is_one(directory: &Path) -> bool {
        directory.join(FILE).is_file()
    }

    /// Writes what the session is run with, or how it ended.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn describe(&self, file: &SessionFile) -> Result<(), SetupError> {
        let path = self.directory.join(FILE);
        let text =
            serde_json::to_string_pretty(file).map_err(|error| SetupError::file(&path, error.to_string()))?;
        fs::write(&path, text + "\n").map_err(|error| SetupError::io(path, "writing it", error))
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its tape.
    #[must_use]
    pub fn tape(&self) -> PathBuf {
        self.directory.join(TAPE)
    }
}

impl SessionFile {
    /// A session that begins.
    #[must_use]
    pub fn begin(epoch: u32, placement: &str, trading: Trading, ring_capacity: usize, seed: u64) -> Self {
        let placement = placement.to_owned();
        Self {
            version: VERSION,
            epoch,
            placement,
            trading,
            ring_capacity,
            seed,
            begins_halted: None,
            recv_window_ms: None,
            state_hash: None,
            lost: 0,
        }
    }

    /// The same, of a session whose venue, if it is behind a connection, may take a request within `window`.
    #[must_use]
    pub fn at_venue(self, window: Option<RecvWindow>) -> Self {
        Self { recv_window_ms: window.map(|window| window.0), ..self }
    }

    /// What route waits for in this session.
    #[must_use]
    pub fn timing(&self) -> RouteTiming {
        venue::timing(self.recv_window_ms.map(RecvWindow))
    }
}

/// The latest session of an instance.
///
/// # Errors
/// When there is none.
pub fn latest(places: &Places) -> Result<PathBuf, SetupError> {
    let sessions = sessions(places);
    list(&sessions)
        .pop()
        .ok_or_else(|| SetupError::file(sessions, "holds no session; make one with `trading run`"))
}

/// The latest session of an instance before that of `epoch`, with its own epoch.
#[must_use]
pub fn before(places: &Places, epoch: u32) -> Option<(u32, PathBuf)> {
    let mut numbered = list(&sessions(places)).into_iter().filter_map(|directory| {
        let number = directory.file_name()?.to_str()?.parse().ok()?;
        Some((number, directory))
    });
    numbered.rfind(|(number, _)| *number < epoch)
}

/// The least epoch of a session that begins `now`.
///
/// A venue with accounts of its own remembers every order id, so a data directory that was lost, or restored from a
/// backup, must repeat none: there an epoch is at least the minutes since 2026. An engine would have to start more than
/// once a minute all its life to come before its clock.
#[must_use]
pub fn least_epoch(venue: Venue, now: Nanos) -> u32 {
    const YEAR_2026: Nanos = Nanos::from_secs(1_767_225_600);
    const MINUTE: Nanos = Nanos::from_secs(60);
    if venue.needs_credentials() { u32::try_from((now - YEAR_2026).0 / MINUTE.0).unwrap_or(0) } else { 0 }
}

/// The session of an engine's epoch.
///
/// # Errors
/// When it is not there any more, or never was.
pub fn of_epoch(places: &Places, epoch: u32) -> Result<PathBuf, SetupError> {
    let directory = numbered(&places.data, epoch);
    if directory.is_dir() {
        return Ok(directory);
    }
    Err(SetupError::file(directory, "is not there: an order's id begins with the epoch of its session"))
}

fn sessions(places: &Places) -> PathBuf {
    places.data.join(SESSIONS)
}

/// The directory of an epoch's session under the data directory `data`.
fn numbered(data: &Path, epoch: u32) -> PathBuf {
    data.join(SESSIONS).join(format!("{epoch:08}"))
}

/// Removes all but the latest `kept`.
fn keep_latest(sessions: &Path, kept: usize) -> Result<(), SetupError> {
    let mut older = list(sessions);
    while older.len() > kept {
        let oldest = older.remove(0);
        fs::remove_dir_all(&oldest)
            .map_err(|error| SetupError::io(oldest, "removing an old session", error))?;
    }
    Ok(())
}

/// Sessions' directories, oldest first.
fn list(sessions: &Path) -> Vec<PathBuf> {
    let is_number = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
    };
    let entries = fs::read_dir(sessions).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_number).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_at_a_venue_that_remembers_follow_the_clock() {
        // 2026-01-02 and 2025-12-31, 00:00 UTC.
        let [second, before] = [1_767_312_000, 1_767_139_200].map(Nanos::from_secs);
        for venue in Venue::ALL {
            let expected = if venue.needs_credentials() { 24 * 60 } else { 0 };
            assert_eq!((least_epoch(venue, second), least_epoch(venue, before)), (expected, 0), "{venue}");
        }
    }
}
