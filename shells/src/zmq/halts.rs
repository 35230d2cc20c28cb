//! The halt page of port 5557. It is this service's own: it can raise it with every agent hung, and lower no other's.

use engine::counters::{HaltPage, HaltState};
use engine::domain::{InstrumentIndex, SourceId};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::RISK_SERVICE;

use crate::api::risk::HaltRequest;
use crate::api::{ApiError, code};
use crate::service::instruments::Table;
use crate::service::show::Names;

/// What a halt reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everything.
    Global,
    /// One instrument.
    Instrument(InstrumentIndex),
    /// One source.
    Source(SourceId),
}

impl Reach {
    /// What a request means.
    ///
    /// # Errors
    /// `BAD_REQUEST` when it names both a symbol and a strategy, `UNKNOWN_SYMBOL` or `UNKNOWN_STRATEGY`.
    pub fn read(request: &HaltRequest, table: &Table, names: &Names) -> Result<Self, ApiError> {
        match (&request.symbol, &request.strategy) {
            (None, None) => Ok(Self::Global),
            (Some(symbol), None) => Ok(Self::Instrument(table.find(symbol)?.index)),
            (None, Some(name)) => names.find(name).map(Self::Source).ok_or_else(|| {
                ApiError::new(code::UNKNOWN_STRATEGY, format!("{name:?}: there is no such strategy"))
            }),
            (Some(_), Some(_)) => {
                Err(ApiError::new(code::BAD_REQUEST, "symbol and strategy: only one may be given"))
            }
        }
    }
}

/// The page, once it was needed.
pub struct ServicePage {
    ipc: IpcPaths,
    page: Option<HaltPage>,
}

impl ServicePage {
    /// The page under `ipc`, as an earlier life of this service left it.
    #[must_use]
    pub fn new(ipc: &IpcPaths) -> Self {
        Self { ipc: ipc.clone(), page: None }
    }

    /// Sets what may be traded within `reach`. An engine of `epoch` runs, or 0 while none does.
    ///
    /// # Errors
    /// `INTERNAL` when the page cannot be written.
    pub fn set(&mut self, reach: Reach, state: HaltState, epoch: u32) -> Result<(), ApiError> {
        let internal = |error: SetupError| ApiError::new(code::INTERNAL, error.to_string());
        let page = match &mut self.page {
            Some(page) => page,
            None => self.page.insert(open(&self.ipc, epoch).map_err(internal)?),
        };
        match reach {
            Reach::Global => page.set_global(state),
            Reach::Instrument(instrument) => page.set_instrument(instrument, state),
            Reach::Source(source) => page.set_source(source, state),
        }
        Ok(())
    }
}

fn open(ipc: &IpcPaths, epoch: u32) -> Result<HaltPage, SetupError> {
    let path = ipc.halts(RISK_SERVICE);
    HaltPage::reopen(&path).or_else(|_| {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| SetupError::io(parent, "making it", error))?;
        }
        HaltPage::create(&path, epoch)
    })
}
