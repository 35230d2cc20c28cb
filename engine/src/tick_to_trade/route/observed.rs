//! What route shows of itself.

use crate::agent::Observed;
use crate::tick_to_trade::route::Route;
use crate::tick_to_trade::route::counts::RouteCounters;
use crate::venue::OrderEntry;

impl<E: OrderEntry> Observed for Route<E> {
    fn names(&self) -> Vec<String> {
        let more = [
            "live_orders",
            "stood_in",
            "weight_used_ppm",
            "orders_used_ppm",
            "venue_clock_ahead_ns",
            "venue_clock_behind_ns",
        ];
        RouteCounters::NAMES.iter().chain(&more).map(|&name| name.to_owned()).collect()
    }

    fn values(&self, set: &mut dyn FnMut(usize, u64)) {
        let (stood_in, used) = (u64::from(self.link.rounds.is_some()), self.entry.limits_used());
        let offset = self.entry.clock_offset().0;
        let (ahead, behind) = (offset.max(0).unsigned_abs(), offset.min(0).unsigned_abs());
        let more = [self.orders.live() as u64, stood_in, used.weight_ppm, used.orders_ppm, ahead, behind];
        let values = self.counters.to_array().into_iter().chain(more);
        values.enumerate().for_each(|(i, value)| set(i, value));
    }

    fn record_times(&mut self) {
        self.ports.histograms.settle();
    }
}
