//! What the account commands look through: the services' own views of the engine, caught up once.

use engine::domain::Nanos;
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;

use crate::api::ApiError;
use crate::api::risk::RiskState;
use crate::cli::args::LookArgs;
use crate::cli::looking::{find_left, find_running};
use crate::config::{Environment, Places, Secrets, Settings};
use crate::operator::log::wall_clock;
use crate::zmq::desk::Desk;
use crate::zmq::looking::Views;
use crate::zmq::risk_management::RiskManagement;
use crate::zmq::router::Operations;

/// Empty answers in a row after which the journals have nothing left: one may pass over a thousand records of a ring
/// that came from the disk already.
const EMPTY_ENOUGH: usize = 128;

/// Views of an engine that runs, or ran.
pub struct View {
    risk: RiskManagement,
    /// Shared memory.
    pub ipc: IpcPaths,
    /// The instance's directories.
    pub places: Places,
}

impl View {
    /// Opens the instance that the flags name, and reads its journals to the end.
    ///
    /// # Errors
    /// When no engine ran there, or its tables cannot be read.
    pub fn open(args: &LookArgs, environment: &Environment) -> Result<Self, SetupError> {
        Self::of(&Settings::resolve(&args.places, environment, Secrets::Withhold)?.places)
    }

    /// Opens an instance, and reads its journals to the end.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of(places: &Places) -> Result<Self, SetupError> {
        // An engine that ended in good order emptied its journals' rings; one that was killed left them.
        let ipc = match IpcPaths::new(&places.ipc).journal("route").exists() {
            true => find_left(places)?,
            false => find_running(places)?,
        };
        let mut view = Self { risk: RiskManagement::new(&ipc, places), ipc, places: places.clone() };
        view.catch_up();
        view.views().table().map_err(|error| refuse(&error))?;
        Ok(view)
    }

    /// Takes what has come since; returns the present.
    pub fn catch_up(&mut self) -> Nanos {
        let now = wall_clock();
        let mut desk = Desk::default();
        // Why a service is not ready is no concern here: what it left can be looked at.
        let _ = self.risk.refresh(now);
        let mut empty = 0;
        while empty < EMPTY_ENOUGH {
            match self.risk.work(now, &mut desk) {
                0 => empty += 1,
                _ => empty = 0,
            }
        }
        now
    }
}

impl View {
    /// Books, orders, positions, names.
    #[must_use]
    pub const fn views(&self) -> &Views {
        self.risk.views()
    }

    /// What risk's port would tell of halts, rejects and open orders.
    ///
    /// # Errors
    /// When it is not known yet.
    pub fn risk_state(&self) -> Result<RiskState, SetupError> {
        self.risk.state().map_err(|error| refuse(&error))
    }
}

/// An error of a service as one of ours.
#[must_use]
pub fn refuse(error: &ApiError) -> SetupError {
    SetupError::Invalid(error.to_string())
}

/// What is not known yet, as an error.
#[must_use]
pub fn unknown(reason: &str) -> SetupError {
    SetupError::Invalid(reason.to_owned())
}
