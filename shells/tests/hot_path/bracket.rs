//! A strategy that always works a pair around the market: a sell above it, or one below as the price falls.

use std::sync::mpsc::{Receiver, Sender};

use engine::domain::{Instrument, InstrumentIndex, Nanos, Price, Quantity, Side};
use engine::error::RejectCode;
use engine::message::report::{OrderState, ReportKind};
use engine::message::tick::TickKind;
use engine::message::{Report, Tick};
use engine::tick_to_trade::strategy::outbox::Better;
use engine::tick_to_trade::strategy::{Outbox, ParameterError, ParameterValue, Refusal, Start, Strategy};

/// What a bracket tells of itself; orders go by their sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It has placed a better one and a stop.
    Placed([u64; 2]),
    /// It was told of an order.
    Report(u64, ReportKind, OrderState),
    /// It was told that an order was refused.
    Refused(u64, RejectCode),
}

/// All of it.
#[derive(Debug, Default)]
pub struct Told {
    pub pairs: Vec<[u64; 2]>,
    pub reports: Vec<(u64, ReportKind, OrderState)>,
    pub refused: Vec<(u64, RejectCode)>,
}

impl Told {
    pub fn hear(events: &Receiver<Event>) -> Self {
        let mut told = Self::default();
        for event in events.try_iter() {
            match event {
                Event::Placed(pair) => told.pairs.push(pair),
                Event::Report(of, kind, state) => told.reports.push((of, kind, state)),
                Event::Refused(of, code) => told.refused.push((of, code)),
            }
        }
        told
    }
}

/// The strategy. It sells and buys in turns, so that what it holds stays small.
pub struct Bracket {
    index: InstrumentIndex,
    tick: Price,
    quantity: Quantity,
    side: Side,
    told: Sender<Event>,
}

impl Bracket {
    pub fn new(index: InstrumentIndex, instrument: &Instrument, told: Sender<Event>) -> Self {
        let quantity = Quantity(instrument.quantity_scale.unit() / 100);
        Self { index, tick: instrument.filters.tick, quantity, side: Side::Sell, told }
    }

    fn say(&self, event: Event) {
        self.told.send(event).expect("the test listens");
    }
}

impl Strategy for Bracket {
    fn name(&self) -> &'static str {
        "bracket"
    }
    fn on_start(&mut self, _start: &Start<'_>, _outbox: &mut Outbox) {}
    fn on_tick(&mut self, tick: &Tick, _now: Nanos, outbox: &mut Outbox) {
        if tick.kind != TickKind::Top.code() || !outbox.working().orders().is_empty() {
            return;
        }
        let (top, tick) = (tick.top(), self.tick.0);
        // A few ticks from the market, on the grid.
        let away = (top.bid.0 / 10_000 / tick).max(2) * tick;
        let (better, stop) = match self.side {
            Side::Sell => (top.ask.0 + away, top.bid.0 - away),
            Side::Buy => (top.bid.0 - away, top.ask.0 + away),
        };
        let pair = (Better::Maker(Price(better)), (Price(stop), None));
        if let Ok(pair) = outbox.oco(self.index, self.side, self.quantity, pair) {
            self.side = self.side.opposite();
            self.say(Event::Placed([pair.better.sequence, pair.stop.sequence]));
        }
    }
    fn on_report(&mut self, report: &Report, _now: Nanos, _outbox: &mut Outbox) {
        let kind = ReportKind::try_from(report.kind).expect("a kind");
        let state = OrderState::try_from(report.state).expect("a state");
        self.say(Event::Report(report.id.sequence, kind, state));
    }
    fn on_refusal(&mut self, refusal: &Refusal, _now: Nanos, _outbox: &mut Outbox) {
        self.say(Event::Refused(refusal.id.sequence, refusal.code));
    }
    fn on_timer(&mut self, _now: Nanos, _outbox: &mut Outbox) {}
    fn next_timer(&self) -> Nanos {
        Nanos::NEVER
    }
    fn set(&mut self, key: &str, _value: &str) -> Result<(), ParameterError> {
        let known = String::new();
        Err(ParameterError::Unknown { strategy: "bracket", key: key.to_owned(), known })
    }
    fn parameters(&self) -> Vec<ParameterValue> {
        Vec::new()
    }
}
