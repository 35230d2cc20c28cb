//! The acting commands. Orders go through the operator's own intent ring, and risk decides on them like on any other;
//! what an agent must do by itself is asked of its service. Every command is in the operator's log before it acts.

pub mod ask;
mod oco;
pub mod orders;
pub mod services;

use engine::clock::Stopwatch;
use engine::clock::tsc::LiveClock;
use engine::domain::SourceId;
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;

use crate::api::ApiError;
use crate::client::session::Session;
use crate::config::{Environment, Places};
use crate::operator::{Act, Entry, OperatorLock, OperatorLog};

/// A connection to the engine, held while no other operator's command acts.
pub struct Connected {
    /// The connection.
    pub session: Session,
    _lock: OperatorLock,
}

/// Writes `command` to the operator's log, and connects.
///
/// # Errors
/// When another command acts, the log cannot be written, or no engine runs.
pub fn connect(
    places: &Places,
    command: String,
    reason: Option<String>,
    environment: &Environment,
) -> Result<Connected, SetupError> {
    let ipc = crate::cli::looking::find_running(places)?;
    let lock = OperatorLock::take(&places.owned_by("operator"))?;
    note(places, command, reason, environment)?;
    let session = open(&ipc, places)?;
    Ok(Connected { session, _lock: lock })
}

/// Opens the operator's ring; the caller holds the operator's lock.
pub(super) fn open(ipc: &IpcPaths, places: &Places) -> Result<Session, SetupError> {
    let clock = LiveClock::new(Stopwatch::calibrate());
    Session::connect(ipc, places, SourceId::OPERATOR, clock).map_err(|error| refuse(&error))
}

/// Writes `command` to the operator's log.
///
/// # Errors
/// When it is not on the disk.
pub fn note(
    places: &Places,
    command: String,
    reason: Option<String>,
    environment: &Environment,
) -> Result<(), SetupError> {
    let entry = Entry::now(Act::Command { command }, reason, environment);
    OperatorLog::new(&places.owned_by("operator")).append(&entry)
}

/// A refusal as the command line tells it: the code first.
pub(super) fn refuse(error: &ApiError) -> SetupError {
    SetupError::Invalid(error.to_string())
}
