//! The day's result: when it is computed, and what of it is journalled.

use crate::domain::Nanos;
use crate::journal::DayStart;
use crate::tick_to_trade::risk::agent::Risk;
use crate::tick_to_trade::risk::controls::JOURNAL_RESERVE;

/// Shortest time between two computations of the day's result because prices moved (C19). A fill computes it at once.
const DAY_CHECK_EVERY: Nanos = Nanos::from_millis(100);

impl Risk {
    pub(super) fn check_day(&mut self, now: Nanos) {
        self.state.check_day(now);
        self.day_checked = now;
        self.day_due = false;
        self.write_day(now);
    }

    /// Journals what the day counts from, when that has changed: it must outlive this process.
    fn write_day(&mut self, now: Nanos) {
        let day = self.state.day.baseline();
        let Some((number, baseline)) = day.filter(|_| day != self.day_written) else { return };
        if self.ports.journal.free() <= JOURNAL_RESERVE {
            return;
        }
        let elapsed = self.elapsed();
        if self.ports.journal.append(now, elapsed, &DayStart::new(number, baseline)).is_ok() {
            self.day_written = day;
        }
    }

    pub(super) fn day_deadline(&self) -> Nanos {
        if self.day_due { self.day_checked.saturating_add(DAY_CHECK_EVERY) } else { Nanos::NEVER }
    }
}
