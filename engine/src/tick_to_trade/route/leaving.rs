//! Requests on their way out, where the venue's entry holds them: all of a duty cycle leave together at its end, and the
//! time of each order ends there. Nothing waits longer, or for more to come.

use crate::clock::Moment;
use crate::counters::Histograms;
use crate::crash;
use crate::domain::Nanos;
use crate::limits::POLL_BATCH;
use crate::room;
use crate::tick_to_trade::route::Route;
use crate::venue::OrderEntry;

/// The orders taken up in this duty cycle: when each was, and the stamp of the frame that caused what is to leave, or 0.
#[derive(Debug)]
pub(super) struct Leaving(Vec<(Nanos, u32)>);

impl Default for Leaving {
    fn default() -> Self {
        Self(room::vector(POLL_BATCH, (Nanos::ZERO, 0)))
    }
}

impl Leaving {
    pub(super) fn add(&mut self, started: Nanos, stamp: u32) {
        debug_assert!(self.0.len() < POLL_BATCH);
        self.0.push((started, stamp));
    }
}

impl<E: OrderEntry> Route<E> {
    /// Ends a duty cycle: what was asked of the venue leaves, and with it the time of the orders is over.
    pub(super) fn let_leave(&mut self, moment: &mut Moment) {
        self.entry.flush();
        if self.leaving.0.is_empty() {
            return;
        }
        crash::point("route.left");
        let done = self.stopwatch.elapsed();
        *moment = Moment::at(done);
        for order in self.leaving.0.drain(..) {
            record_departure(&mut self.ports.histograms, order, done);
        }
    }

    /// A request was handed to the entry; unless that holds it, it has left.
    #[inline(always)]
    pub(super) fn handed_over(&self) {
        if !self.entry.holds() {
            crash::point("route.left");
        }
    }
}

/// The time of an order, and that from the taking up of the frame that caused its request to its leaving; timers cause requests
/// without a frame.
#[inline]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn record_departure(histograms: &mut Histograms, (started, stamp): (Nanos, u32), done: Nanos) {
    histograms.note(0, done - started);
    if stamp != 0 {
        let since = (done.0 as u32).wrapping_sub(stamp);
        histograms.note(1, Nanos(since.into()));
    }
}
