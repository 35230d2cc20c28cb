//! TWAP execution: trades a size in equal slices over a time, and then no more.
//!
//! A programme begins when the strategy starts and counts its own fills. A slice rests at the touch or takes it; what
//! it has not traded when its time is over is taken with the next. A programme that fell behind, as while the book was
//! not trusted, catches up by two slices at a time, also after its end; what it has left then is never dropped.
#![allow(clippy::float_arithmetic)]

pub mod parameters;
pub mod schedule;

use crate::domain::{Instrument, InstrumentIndex, Nanos, OrderId, Price, Quantity, Side, TimeInForce};
use crate::message::report::ReportKind;
use crate::message::tick::Top;
use crate::message::{Report, Tick};
use crate::tick_to_trade::strategy::grid::{Grid, Rounding};
use crate::tick_to_trade::strategy::parameter::{ParameterError, ParameterValue, Table};
use crate::tick_to_trade::strategy::pause::Pause;
use crate::tick_to_trade::strategy::registry::Registered;
use crate::tick_to_trade::strategy::touch::{Touch, Touched};
use crate::tick_to_trade::strategy::working::{WorkingOrder, WorkingState};
use crate::tick_to_trade::strategy::{Outbox, Refusal, Start, Strategy};

pub use parameters::{NAME, PARAMETERS, Parameters, Style};
pub use schedule::Schedule;

/// Most slices in one order: what a programme that fell behind catches up by.
const CATCH_UP: i64 = 2;

/// The strategy, on one instrument.
pub struct Twap {
    parameters: Parameters,
    instrument: InstrumentIndex,
    grid: Grid,
    touch: Touch,
    pause: Pause,
    /// Whether a programme runs, finished or not.
    running: bool,
    /// When the programme began.
    start: Nanos,
    /// The position when it began.
    before: Quantity,
    /// What it is to trade in all; `None` until a price tells, where the size is in quote units.
    total: Option<Quantity>,
    /// Before this it sends nothing.
    next_order: Nanos,
    /// When it must decide although no price comes.
    timer: Nanos,
}

impl Twap {
    /// Trades `instrument`, which is at `index`.
    #[must_use]
    pub fn new(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self {
            parameters,
            instrument: index,
            grid: Grid::new(instrument),
            touch: Touch::default(),
            pause: Pause::default(),
            running: false,
            start: Nanos::ZERO,
            before: Quantity::ZERO,
            total: None,
            next_order: Nanos::ZERO,
            timer: Nanos::NEVER,
        }
    }

    fn schedule(&self, total: Quantity) -> Schedule {
        let Parameters { duration, slices, .. } = self.parameters;
        Schedule { start: self.start, duration, slices, total }
    }

    /// What has traded so far; fills against the programme's side, as by hand, count against it.
    fn done(&self, position: Quantity) -> Quantity {
        Quantity(self.parameters.side.sign() * (position.0 - self.before.0))
    }

    /// What the whole programme comes to: in quote units it follows from the first mid and then stays.
    fn fix_total(&mut self, mid: f64) -> Option<Quantity> {
        let Parameters { size, size_unit, .. } = self.parameters;
        self.total = self.total.or_else(|| self.grid.whole_quantity(size, size_unit, mid));
        self.total
    }

    fn decide(&mut self, now: Nanos, outbox: &mut Outbox) {
        self.timer = Nanos::NEVER;
        if !self.running {
            return;
        }
        let Some(top) = self.touch.top() else {
            // Nobody rests where the market is not known.
            if outbox.cancel_all(Some(self.instrument)).is_err() {
                self.timer = now.saturating_add(self.parameters.between);
            }
            return;
        };
        let mid = self.grid.mid(top.mid_times_two());
        let Some(total) = self.fix_total(mid) else { return };
        let schedule = self.schedule(total);
        let working = outbox.working();
        let done = self.done(working.position(self.instrument).quantity);
        let late = schedule.until(schedule.slice(now)) > done;
        let next_slice = schedule.begin(schedule.slice(now) + 1);
        let resting = working.of(self.instrument).next().copied();
        if let Some(order) = resting {
            self.tend(&order, late, top, now, outbox);
            self.timer = self.timer.min(next_slice);
            return;
        }
        let Some(quantity) = self.due(&schedule, done, mid, now) else {
            if schedule.slice(now) < schedule.slices {
                self.timer = next_slice;
            }
            return;
        };
        let may_at = self.next_order.max(self.pause.until());
        if now >= may_at {
            self.send(quantity, late, top, now, outbox);
            self.timer = next_slice.max(self.next_order);
        } else {
            self.timer = may_at;
        }
    }

    /// The quantity of the next order; `None` while nothing is due that the venue would take.
    fn due(&self, schedule: &Schedule, done: Quantity, mid: f64, now: Nanos) -> Option<Quantity> {
        let least = self.grid.least_quantity(mid)?;
        let slice = schedule.slice(now);
        let most = (CATCH_UP * schedule.until(1).0).max(least.0);
        let up_to = |count: i64| {
            let due = (schedule.until(count).0 - done.0).min(most);
            let left = schedule.total.0 - done.0 - due;
            // What would be left is too little for an order of its own.
            let due = if due > 0 && left < least.0 { due + left } else { due };
            self.grid.fit(Quantity(due)).filter(|&quantity| quantity >= least)
        };
        // A maker takes what is late and rests with the rest.
        let late = (self.parameters.style == Style::Make).then(|| up_to(slice)).flatten();
        late.or_else(|| up_to(slice + 1))
    }

    /// Cancels a resting order that the market has left behind, or that is to be taken now.
    fn tend(&mut self, order: &WorkingOrder, late: bool, top: Top, now: Nanos, outbox: &mut Outbox) {
        let to_take = (late || self.parameters.style == Style::Take) && self.may_take(top);
        let left_behind = self.rest_price(top) != Some(order.price);
        if !to_take && !left_behind {
            return;
        }
        if order.state == WorkingState::Open && now >= self.next_order {
            self.next_order = now.saturating_add(self.parameters.between);
            // A full ring refuses it: the timer asks again.
            _ = outbox.cancel(order.id);
        }
        self.timer = self.next_order.max(now.saturating_add(self.parameters.between));
    }

    /// Sends `quantity`: resting where the style and the time allow, taking otherwise.
    fn send(&mut self, quantity: Quantity, late: bool, top: Top, now: Nanos, outbox: &mut Outbox) {
        let Parameters { side, style, between, .. } = self.parameters;
        self.next_order = now.saturating_add(between);
        // What is refused here, as by a full ring, is tried again after `between`.
        if (late || style == Style::Take) && self.may_take(top) {
            let how = TimeInForce::ImmediateOrCancel;
            _ = outbox.limit(self.instrument, side, self.taken(top), quantity, how);
        } else if let Some(price) = self.rest_price(top) {
            _ = outbox.limit_maker(self.instrument, side, price, quantity);
        }
    }

    /// The price that it would take.
    fn taken(&self, top: Top) -> Price {
        if self.parameters.side == Side::Buy { top.ask } else { top.bid }
    }

    /// Whether taking is not too dear.
    fn may_take(&self, top: Top) -> bool {
        let spread = 2e4 * (top.ask.0 - top.bid.0) as f64 / top.mid_times_two() as f64;
        spread <= self.parameters.max_spread_bps && self.within_limit(self.taken(top))
    }

    /// Where an order of ours rests: at the best price of our side, or at the limit where that is worse.
    fn rest_price(&self, top: Top) -> Option<Price> {
        let best = if self.parameters.side == Side::Buy {
            self.grid.below(Price(top.bid.0.saturating_add(1)))
        } else {
            self.grid.above(Price(top.ask.0.saturating_sub(1)))
        };
        match self.limit() {
            Limit::None => best,
            Limit::Unusable => None,
            Limit::At(limit) if self.parameters.side == Side::Buy => best.map(|best| best.min(limit)),
            Limit::At(limit) => best.map(|best| best.max(limit)),
        }
    }

    fn within_limit(&self, price: Price) -> bool {
        match self.limit() {
            Limit::None => true,
            Limit::Unusable => false,
            Limit::At(limit) if self.parameters.side == Side::Buy => price <= limit,
            Limit::At(limit) => price >= limit,
        }
    }

    fn limit(&self) -> Limit {
        let Parameters { side, limit, .. } = self.parameters;
        if limit <= 0.0 {
            return Limit::None;
        }
        let rounding = if side == Side::Buy { Rounding::Down } else { Rounding::Up };
        self.grid.quantise_price(limit, rounding).map_or(Limit::Unusable, Limit::At)
    }
}

/// The worst price allowed.
enum Limit {
    /// Any.
    None,
    /// This one.
    At(Price),
    /// The venue's grid has none as good: nothing may be sent.
    Unusable,
}

impl Registered for Twap {
    type Parameters = Parameters;
    const NAME: &'static str = NAME;
    const DOC: &'static str = "buys or sells a size in equal slices over a time (execution)";

    fn table() -> &'static Table<Parameters> {
        &PARAMETERS
    }

    fn create(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self::new(parameters, index, instrument)
    }
}

impl Strategy for Twap {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_start(&mut self, start: &Start<'_>, outbox: &mut Outbox) {
        self.touch = Touch::default();
        self.pause = Pause::default();
        self.running = true;
        self.start = start.now;
        self.before = outbox.working().position(self.instrument).quantity;
        self.total = None;
        self.next_order = start.now;
        self.timer = Nanos::NEVER;
    }

    fn on_tick(&mut self, tick: &Tick, now: Nanos, outbox: &mut Outbox) {
        if self.touch.observe(tick) != Touched::Unchanged {
            self.decide(now, outbox);
        }
    }

    fn on_report(&mut self, report: &Report, now: Nanos, _outbox: &mut Outbox) {
        match ReportKind::try_from(report.kind) {
            Ok(ReportKind::Rejected) => self.pause.refused(now),
            Ok(ReportKind::Accepted | ReportKind::Fill) => self.pause.accepted(),
            _ => {}
        }
        self.timer = now;
    }

    fn on_refusal(&mut self, refusal: &Refusal, now: Nanos, _outbox: &mut Outbox) {
        if refusal.target == OrderId::NONE {
            self.pause.refused(now);
        }
        self.timer = self.next_order.max(self.pause.until()).max(now.saturating_add(self.parameters.between));
    }

    fn on_timer(&mut self, now: Nanos, outbox: &mut Outbox) {
        self.decide(now, outbox);
    }

    fn next_timer(&self) -> Nanos {
        self.timer
    }

    fn on_stop(&mut self, _now: Nanos, _outbox: &mut Outbox) {
        self.running = false;
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ParameterError> {
        let mut changed = self.parameters;
        PARAMETERS.set(&mut changed, key, value)?;
        if self.running && changed.side != self.parameters.side {
            let reason = "side cannot change while a programme runs: stop it first";
            return Err(ParameterError::Conflict { strategy: NAME, reason });
        }
        if (changed.size, changed.size_unit) != (self.parameters.size, self.parameters.size_unit) {
            self.total = None;
        }
        self.parameters = changed;
        self.timer = Nanos::ZERO;
        Ok(())
    }

    fn parameters(&self) -> Vec<ParameterValue> {
        PARAMETERS.show(&self.parameters)
    }

    fn signals(&self) -> Vec<(&'static str, f64)> {
        self.total.map(|total| ("total", self.grid.quantity(total))).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
