//! Market making with inventory skew: quotes both sides around a price that leans against the inventory.
//!
//! One maker order a side. A quote moves only when its target has moved far enough to be worth its place in the queue,
//! and its successor waits for the end of the old one, so that the exposure is never two orders.
#![allow(clippy::float_arithmetic)]

pub mod parameters;
pub mod model;

use crate::domain::{BySide, Instrument, InstrumentIndex, Nanos, OrderId, Price, Quantity, Side};
use crate::message::report::ReportKind;
use crate::message::tick::Top;
use crate::message::{Report, Tick};
use crate::tick_to_trade::strategy::estimate::{Variance, seconds};
use crate::tick_to_trade::strategy::grid::{Grid, Rounding};
use crate::tick_to_trade::strategy::parameter::{ParameterError, ParameterValue};
use crate::tick_to_trade::strategy::pause::Pause;
use crate::tick_to_trade::strategy::touch::{Touch, Touched};
use crate::tick_to_trade::strategy::working::WorkingState;
use crate::tick_to_trade::strategy::{Outbox, Refusal, Start, Strategy};

use model::{half_spread, skew};
pub use parameters::{NAME, PARAMETERS, Parameters};

/// How long after a failed request it tries again.
const RETRY: Nanos = Nanos::from_millis(10);

/// Where it would quote now: a price per side, unless it would not, and the quantity of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Quotes {
    prices: BySide<Option<Price>>,
    quantity: Quantity,
}

/// The strategy, on one instrument.
pub struct MarketMaking {
    parameters: Parameters,
    instrument: InstrumentIndex,
    grid: Grid,
    touch: Touch,
    variance: Variance,
    /// Of new orders, by side: the venue may refuse one side alone, as for want of the asset.
    pauses: BySide<Pause>,
    /// Something changed since the last look.
    changed: bool,
    /// When it looks again although nothing changed.
    retry_at: Nanos,
    /// Before this it does not look.
    next_look: Nanos,
}

impl MarketMaking {
    /// Quotes `instrument`, which is at `index`.
    #[must_use]
    pub fn new(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self {
            parameters,
            instrument: index,
            grid: Grid::new(instrument),
            touch: Touch::default(),
            variance: Variance::default(),
            pauses: BySide::default(),
            changed: false,
            retry_at: Nanos::NEVER,
            next_look: Nanos::ZERO,
        }
    }

    /// The variance to quote by, once warm.
    fn warm_variance(&self) -> Option<f64> {
        let warm = self.variance.observed() >= self.parameters.warm_up;
        self.variance.per_second().filter(|_| warm)
    }

    /// Where to quote around `top` while holding `position`.
    fn quotes(&self, top: Top, position: Quantity) -> Quotes {
        let Parameters { gamma, kappa, size_unit, order_size, max_position, .. } = self.parameters;
        let mid = self.grid.mid(top.mid_times_two());
        let (Some(variance), Some(quantity)) =
            (self.warm_variance(), self.grid.order_quantity(order_size, size_unit, mid))
        else {
            return Quotes::default();
        };
        let horizon = seconds(self.parameters.horizon);
        let one = self.grid.size(quantity, size_unit, mid);
        let held = self.grid.size(position, size_unit, mid);
        let centre = mid * (1.0 + 1e-4 * skew(held / one, gamma, variance, horizon));
        let least = self.parameters.min_spread_ticks as f64 * self.grid.price(Price(self.grid.tick())) / 2.0;
        let half = (mid * 1e-4 * half_spread(gamma, kappa, variance, horizon)).max(least);
        let bid = self.grid.quantise_price(centre - half, Rounding::Down);
        let ask = self.grid.quantise_price(centre + half, Rounding::Up);
        // A maker stays on its side of the market; both bounds push the quotes apart.
        let bid = bid.zip(self.grid.below(top.ask)).map(|(wanted, most)| wanted.min(most));
        let ask = ask.zip(self.grid.above(top.bid)).map(|(wanted, least)| wanted.max(least));
        Quotes {
            prices: BySide {
                buy: bid.filter(|_| held + one <= max_position),
                sell: ask.filter(|_| held - one >= -max_position),
            },
            quantity,
        }
    }

    /// Looks at the quotes if there is reason to and it may; else leaves it to the timer.
    fn look(&mut self, now: Nanos, outbox: &mut Outbox) {
        let due = self.changed || now >= self.retry_at;
        if !due || now < self.next_look {
            return;
        }
        self.next_look = now.saturating_add(self.parameters.refresh);
        self.changed = false;
        let pauses = Side::ALL.iter().map(|&side| self.pauses.get(side));
        self.retry_at =
            pauses.filter(|pause| pause.holds(now)).map(Pause::until).min().unwrap_or(Nanos::NEVER);
        let mut done = true;
        if let Some(top) = self.touch.top() {
            let quotes = self.quotes(top, outbox.working().position(self.instrument).quantity);
            for &side in Side::ALL {
                done &= self.steer(side, &quotes, top, now, outbox);
            }
        } else {
            done = outbox.cancel_all(Some(self.instrument)).is_ok();
        }
        if !done {
            self.retry(now);
        }
    }

    /// Looks again in a while although nothing else may happen. What is to be cancelled because the book is not trusted waits
    /// for no `refresh`.
    fn retry(&mut self, now: Nanos) {
        let soon = now.saturating_add(RETRY);
        self.retry_at = self.retry_at.min(soon);
        if self.touch.top().is_none() {
            self.next_look = self.next_look.min(soon);
        }
    }

    /// Brings the orders of `side` towards one order at its target, or none. Returns `false` when a request could not
    /// be sent; whatever else it waits for is reported.
    fn steer(&self, side: Side, quotes: &Quotes, top: Top, now: Nanos, outbox: &mut Outbox) -> bool {
        let wanted = *quotes.prices.get(side);
        let (first, second) = {
            let mut orders = outbox.working().side(self.instrument, side);
            (orders.next().copied(), orders.next().copied())
        };
        if let Some(order) = second.or(first) {
            // One order a side. Of two, left by an earlier run, the newer goes first.
            let stays =
                second.is_none() && wanted.is_some_and(|wanted| !self.moved(order.price, wanted, top));
            return stays || order.state != WorkingState::Open || outbox.cancel(order.id).is_ok();
        }
        let Some(price) = wanted else { return true };
        let meets = |other: Price| (price.0 - other.0) * side.sign() >= 0;
        let blocked = outbox.working().side(self.instrument, side.opposite()).any(|order| meets(order.price));
        // Our own order in the way (C22) goes first; the end of a pause is on the timer.
        if blocked || self.pauses.get(side).holds(now) {
            return true;
        }
        outbox.limit_maker(self.instrument, side, price, quotes.quantity).is_ok()
    }

    /// Whether the target is far enough from the quote to give up its place in the queue.
    fn moved(&self, quote: Price, wanted: Price, top: Top) -> bool {
        let distance = (quote.0 - wanted.0).abs();
        // Both in price units: a mid of half the sum, basis points of 1e-4.
        let threshold = self.parameters.requote_bps * 0.5e-4 * top.mid_times_two() as f64;
        distance >= self.grid.tick() && distance as f64 >= threshold
    }
}

impl Strategy for MarketMaking {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_start(&mut self, start: &Start<'_>, _outbox: &mut Outbox) {
        self.touch = Touch::default();
        self.variance.interrupt();
        self.pauses = BySide::default();
        self.changed = false;
        self.retry_at = Nanos::NEVER;
        self.next_look = start.now;
    }

    fn on_tick(&mut self, tick: &Tick, now: Nanos, outbox: &mut Outbox) {
        match self.touch.observe(tick) {
            Touched::Known(top) => {
                let Parameters { volatility_sample, volatility_half_life, .. } = self.parameters;
                let mid = self.grid.mid(top.mid_times_two());
                self.variance.observe(mid, now, volatility_sample, volatility_half_life);
                self.changed = true;
                self.look(now, outbox);
            }
            Touched::Lost => {
                self.variance.interrupt();
                self.changed = true;
                self.next_look = now;
                self.look(now, outbox);
            }
            Touched::Unchanged => {}
        }
    }

    fn on_report(&mut self, report: &Report, now: Nanos, _outbox: &mut Outbox) {
        let Ok(side) = Side::try_from(report.side) else { return };
        match ReportKind::try_from(report.kind) {
            Ok(ReportKind::CancelRejected) => return self.retry(now),
            Ok(ReportKind::Accepted) => self.pauses.get_mut(side).accepted(),
            Ok(ReportKind::Rejected) => self.pauses.get_mut(side).refused(now),
            _ => {}
        }
        self.changed = true;
    }

    fn on_refusal(&mut self, refusal: &Refusal, now: Nanos, _outbox: &mut Outbox) {
        if refusal.target == OrderId::NONE {
            self.pauses.get_mut(refusal.side).refused(now);
        }
        // Not at once: risk may answer the next request the same way, without time passing.
        self.retry(now);
    }

    fn on_timer(&mut self, now: Nanos, outbox: &mut Outbox) {
        self.look(now, outbox);
    }

    /// The first tick after `next_look` goes before the timer: what it makes us quote is then known to be its doing,
    /// and rests on the newest price. Where the market is quiet the timer makes up for it, one `refresh` later.
    fn next_timer(&self) -> Nanos {
        let quiet = self.next_look.saturating_add(self.parameters.refresh);
        let changed = if self.changed { quiet } else { Nanos::NEVER };
        changed.min(self.retry_at.max(self.next_look))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ParameterError> {
        PARAMETERS.set(&mut self.parameters, key, value)?;
        self.changed = true;
        // A shorter `refresh` does not wait for the end of the longer one.
        self.next_look = Nanos::ZERO;
        Ok(())
    }

    fn parameters(&self) -> Vec<ParameterValue> {
        PARAMETERS.show(&self.parameters)
    }

    fn signals(&self) -> Vec<(&'static str, f64)> {
        let mut signals = Vec::new();
        if let Some(variance) = self.variance.per_second() {
            let Parameters { gamma, kappa, horizon, .. } = self.parameters;
            signals.push(("volatility_bps_per_root_second", libm::sqrt(variance)));
            signals.push(("half_spread_bps", half_spread(gamma, kappa, variance, seconds(horizon))));
        }
        signals
    }
}

#[cfg(test)]
mod tests;
