//! A strategy that quotes both sides every 100 ms, five ticks off the touch, and keeps what stands right: the same that
//! the peers' scripts do.

use engine::domain::{InstrumentIndex, Nanos, Price, Quantity, Side};
use engine::message::tick::Top;
use engine::message::{Report, Tick, TickKind};
use engine::tick_to_trade::strategy::{Outbox, ParameterError, ParameterValue, Refusal, Start, Strategy};

/// Time between two looks at the quotes.
const INTERVAL: Nanos = Nanos::from_millis(100);

/// Ticks between a quote and the touch.
const AWAY: i64 = 5;

/// Quotes one instrument.
pub struct Quoter {
    instrument: InstrumentIndex,
    tick: Price,
    quantity: Quantity,
    top: Option<Top>,
    next: Nanos,
}

impl Quoter {
    /// Quotes `quantity` of `instrument`, whose prices move by `tick`.
    #[must_use]
    pub const fn new(instrument: InstrumentIndex, tick: Price, quantity: Quantity) -> Self {
        Self { instrument, tick, quantity, top: None, next: Nanos::ZERO }
    }

    fn quote(&self, side: Side, price: Price, outbox: &mut Outbox) {
        let mut stands = false;
        let mut old = None;
        for order in outbox.working().side(self.instrument, side) {
            if order.price == price {
                stands = true;
            } else {
                old = Some(order.id);
            }
        }
        if let Some(id) = old {
            // Refused where its cancel is on its way already.
            let _ = outbox.cancel(id);
        }
        if !stands {
            let _ = outbox.limit_maker(self.instrument, side, price, self.quantity);
        }
    }
}

impl Strategy for Quoter {
    fn name(&self) -> &'static str {
        "quoter"
    }

    fn on_start(&mut self, start: &Start<'_>, _outbox: &mut Outbox) {
        self.next = start.now + INTERVAL;
    }

    fn on_tick(&mut self, tick: &Tick, _now: Nanos, _outbox: &mut Outbox) {
        if tick.kind == TickKind::Top.code() {
            self.top = Some(tick.top()).filter(|top| tick.trusted() && top.is_sound());
        }
    }

    fn on_report(&mut self, _report: &Report, _now: Nanos, _outbox: &mut Outbox) {}

    fn on_refusal(&mut self, _refusal: &Refusal, _now: Nanos, _outbox: &mut Outbox) {}

    fn on_timer(&mut self, now: Nanos, outbox: &mut Outbox) {
        self.next = now + INTERVAL;
        if let Some(top) = self.top {
            let away = AWAY * self.tick.0;
            self.quote(Side::Buy, Price(top.bid.0 - away), outbox);
            self.quote(Side::Sell, Price(top.ask.0 + away), outbox);
        }
    }

    fn next_timer(&self) -> Nanos {
        self.next
    }

    fn set(&mut self, key: &str, _value: &str) -> Result<(), ParameterError> {
        Err(ParameterError::Unknown { strategy: "quoter", key: key.to_owned(), known: "none".to_owned() })
    }

    fn parameters(&self) -> Vec<ParameterValue> {
        Vec::new()
    }
}
