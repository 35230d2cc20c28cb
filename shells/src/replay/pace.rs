//! How fast a replay goes: as fast as it can, or as it was recorded.

use engine::clock::tsc::LiveClock;
use engine::clock::{Clock, Stopwatch};
use engine::domain::Nanos;

use crate::cli::args::Speed;

/// Longest single sleep: a replay in real time still ends soon after it is told to.
const NAP: Nanos = Nanos::from_millis(100);

/// Holds a replay back to the recording's own pace.
pub struct Pace {
    /// The clock, and its reading minus the recording's; `None` at full speed.
    offset: Option<(LiveClock, Nanos)>,
}

impl Pace {
    /// Starts at `start` of the recording.
    #[must_use]
    pub fn new(speed: Speed, start: Nanos) -> Self {
        let offset = (speed == Speed::Real).then(|| {
            let mut clock = LiveClock::new(Stopwatch::calibrate());
            let offset = clock.now() - start;
            (clock, offset)
        });
        Self { offset }
    }

    /// Waits until `next` of the recording. Always goes on.
    pub fn wait_for(&mut self, next: Nanos) -> bool {
        if let Some((clock, offset)) = &mut self.offset {
            loop {
                let left = next - (clock.now() - *offset);
                if left <= Nanos::ZERO {
                    break;
                }
                let nap = left.min(NAP).0.unsigned_abs();
                std::thread::sleep(std::time::Duration::from_nanos(nap));
            }
        }
        true
    }
}
