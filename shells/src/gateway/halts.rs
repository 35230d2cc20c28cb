//! The gateway's own halt page: all that it maps.

use engine::error::SetupError;
use engine::shm::OwnerLock;
use engine::shm::paths::IpcPaths;

use crate::config::Places;
use crate::operator::OperatorLog;
use crate::operator::page::{LoggedPage, Names, made};

/// The page's owner.
const OWNER: &str = "gateway";

/// The page, and the lock that makes this the only gateway of its instance.
pub struct Halts {
    /// The page.
    pub page: LoggedPage,
    _lock: OwnerLock,
}

impl Halts {
    /// Takes the lock and opens the page.
    ///
    /// # Errors
    /// When another gateway runs on this instance, or the page or the log cannot be had.
    pub fn open(places: &Places) -> Result<Self, SetupError> {
        let ipc = IpcPaths::new(&places.ipc);
        let path = ipc.halts(OWNER);
        path.parent().map_or(Ok(()), made)?;
        let lock = OwnerLock::take(&ipc, OWNER)?;
        let log = log(&ipc, places);
        let page = LoggedPage::open(path, log)?;
        Ok(Self { page, _lock: lock })
    }
}

fn log(ipc: &IpcPaths, places: &Places) -> OperatorLog {
    OperatorLog::of(&places.owned_by(OWNER), OWNER).beside(&ipc.halts(OWNER))
}

/// Makes the page as strict as its log says, for an engine that starts before the gateway does. Where the gateway is
/// another user, whose page risk cannot write, risk follows the log on a page of its own.
///
/// # Errors
/// Those of [`LoggedPage::restore`].
pub fn restore(ipc: &IpcPaths, places: &Places, names: &Names) -> Result<(), SetupError> {
    match places.apart(OWNER) {
        Some(_) => Ok(()),
        None => LoggedPage::restore(&ipc.halts(OWNER), &log(ipc, places), names),
    }
}
