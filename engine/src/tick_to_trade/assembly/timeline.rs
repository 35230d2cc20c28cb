//! One timeline for all processes of an engine: one calibration of the time-stamp counter, published by ingest, so that a
//! stamp of one process means the same in another.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::clock::Stopwatch;
use crate::clock::tsc::LiveClock;
use crate::counters::{CellReader, CellWriter};
use crate::domain::Nanos;
use crate::error::SetupError;
use crate::shm::paths::IpcPaths;

/// The calibration as it lies in shared memory.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Calibration {
    counter: [u64; 2],
    origin: i64,
}

/// The clocks of a process.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    /// Durations and stamps.
    pub stopwatch: Stopwatch,
    /// The present.
    pub clock: LiveClock,
}

impl Timeline {
    /// Goes on with the timeline that was published in this boot, or calibrates a new one and publishes it. For ingest.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn publish(ipc: &IpcPaths) -> Result<Self, SetupError> {
        if let Ok(found) = Self::find(ipc) {
            return Ok(found);
        }
        let stopwatch = Stopwatch::calibrate();
        let clock = LiveClock::new(stopwatch);
        let calibration = Calibration { counter: stopwatch.calibration(), origin: clock.origin().0 };
        CellWriter::create(&ipc.timeline(), 1, 1)?.write(0, &calibration);
        Ok(Self { stopwatch, clock })
    }

    /// The timeline that ingest has published.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn find(ipc: &IpcPaths) -> Result<Self, SetupError> {
        let cells = CellReader::<Calibration>::attach(&ipc.timeline())?;
        let found = cells.read(0).ok_or_else(|| SetupError::file(ipc.timeline(), "is still empty"))?;
        let stopwatch = Stopwatch::from_calibration(found.counter);
        Ok(Self { stopwatch, clock: LiveClock::from_origin(stopwatch, Nanos(found.origin)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn two_processes_read_the_same_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path());
        ipc.create().expect("made");
        assert!(Timeline::find(&ipc).is_err());
        let mut first = Timeline::publish(&ipc).expect("published");
        let mut second = Timeline::find(&ipc).expect("found");
        let mut again = Timeline::publish(&ipc).expect("found again");
        let times = [first.clock.now(), second.clock.now(), again.clock.now(), first.clock.now()];
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(first.stopwatch.calibration(), second.stopwatch.calibration());
    }
}
