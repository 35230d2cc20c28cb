//! What risk shows of itself.

use crate::agent::Observed;
use crate::error::RejectCode;
use crate::tick_to_trade::risk::agent::Risk;
use crate::tick_to_trade::risk::counts::unsigned;

impl Observed for Risk {
    fn names(&self) -> Vec<String> {
        let codes = RejectCode::ALL[1..].iter().map(|code| format!("rejected_{}", code.as_str()));
        let names = ["orders", "cancels", "rejected", "reports", "reports_missed", "ticks", "ticks_missed"];
        let names = names
            .iter()
            .chain(&["latches", "orders_lost", "external", "commands", "day_loss", "day_loss_soft", "amends"])
            .chain(&["journal_state"])
            .map(|&name| name.to_owned());
        names.chain(codes).collect()
    }

    fn values(&self, set: &mut dyn FnMut(usize, u64)) {
        let c = &self.counts;
        let sums = [
            c.orders,
            c.cancels,
            c.rejected.iter().sum(),
            c.reports,
            c.reports_missed,
            c.ticks,
            c.ticks_missed,
            c.latches,
            c.orders_lost,
            c.external,
            c.commands,
            unsigned(-self.state.day.result.unwrap_or(0)),
            unsigned(self.state.limits.account.day_loss_soft),
            c.amends,
            u64::from(self.ports.journal.health().state().code()),
        ];
        // The first code is none of a refusal.
        sums.iter().chain(&c.rejected[1..]).enumerate().for_each(|(index, &value)| set(index, value));
    }

    fn record_times(&mut self) {
        self.ports.histograms.settle();
    }
}
