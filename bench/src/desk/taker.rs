//! A strategy that answers every new top with immediate orders: the shortest way from a tick to an order.

use engine::domain::{Nanos, Quantity, Side, TimeInForce};
use engine::message::{Report, Tick, TickKind};
use engine::tick_to_trade::strategy::{Outbox, ParameterError, ParameterValue, Refusal, Start, Strategy};

/// Sends `orders` a top, each of another quantity than those before it: risk would refuse equal ones.
pub struct Taker {
    orders: usize,
    turn: i64,
}

impl Taker {
    /// `orders` a top.
    #[must_use]
    pub const fn new(orders: usize) -> Self {
        Self { orders, turn: 0 }
    }
}

impl Strategy for Taker {
    fn name(&self) -> &'static str {
        "taker"
    }

    fn on_start(&mut self, _start: &Start<'_>, _outbox: &mut Outbox) {}

    fn on_tick(&mut self, tick: &Tick, _now: Nanos, outbox: &mut Outbox) {
        if tick.kind != TickKind::Top.code() || !tick.trusted() {
            return;
        }
        let top = tick.top();
        for _ in 0..self.orders {
            self.turn += 1;
            let quantity = Quantity(100_000 + self.turn % 8_192);
            let how = TimeInForce::ImmediateOrCancel;
            // A refusal shows in the count of orders, which every suite checks.
            let _ = outbox.limit(tick.instrument, Side::Buy, top.bid, quantity, how);
        }
    }

    fn on_report(&mut self, _report: &Report, _now: Nanos, _outbox: &mut Outbox) {}

    fn on_refusal(&mut self, _refusal: &Refusal, _now: Nanos, _outbox: &mut Outbox) {}

    fn on_timer(&mut self, _now: Nanos, _outbox: &mut Outbox) {}

    fn next_timer(&self) -> Nanos {
        Nanos::NEVER
    }

    fn set(&mut self, key: &str, _value: &str) -> Result<(), ParameterError> {
        Err(ParameterError::Unknown { strategy: "taker", key: key.to_owned(), known: "none".to_owned() })
    }

    fn parameters(&self) -> Vec<ParameterValue> {
        Vec::new()
    }
}
