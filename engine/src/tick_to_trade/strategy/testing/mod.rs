//! What the tests of this folder share: instruments, ticks, an outbox on a real ring, and a venue that says yes.

pub mod world;

use tempfile::TempDir;

use crate::domain::{
    Filters, Instrument, InstrumentKind, Instruments, Market, Nanos, OrderId, Price, Quantity,
    QuantityFilter, Scale, Side, SourceId, Symbol,
};
use crate::message::Intent;
use crate::message::report::{OrderState, Report, ReportKind};
use crate::message::tick::{TRUSTED, Tick, TickKind};
use crate::ring::spsc::{Consumer, Producer};
use crate::tick_to_trade::strategy::outbox::{Identity, Outbox};
use crate::tick_to_trade::strategy::working::Working;
use crate::tick_to_trade::strategy::{Start, Strategy};

/// Two decimals, tick 0.05; three decimals of quantity, step 0.002 from 0.004 to 50.
pub fn kind_of(kind: InstrumentKind, multiplier: i64) -> Instrument {
    Instrument {
        symbol: Symbol::new("TESTUSDT").expect("it fits"),
        market: Market::Spot,
        kind,
        base: "TEST".into(),
        quote: "USDT".into(),
        price_scale: Scale::new(2).expect("valid"),
        quantity_scale: Scale::new(3).expect("valid"),
        multiplier,
        filters: Filters {
            tick: Price(5),
            lot: QuantityFilter { min: Quantity(4), max: Quantity(50_000), step: Quantity(2) },
            ..Filters::default()
        },
        untradable: None,
    }
}

pub fn instrument() -> Instrument {
    kind_of(InstrumentKind::Spot, 1)
}

/// A trusted top of instrument 0.
pub fn top_tick(bid: i64, ask: i64) -> Tick {
    Tick {
        values: [bid, 1_000, ask, 1_000],
        kind: TickKind::Top.code(),
        flags: TRUSTED,
        stamp: 7,
        ..Tick::default()
    }
}

/// A trade of instrument 0.
pub fn trade_tick(side: Side, quantity: i64) -> Tick {
    let values = [10_000, quantity, 1, side.code().into()];
    Tick { values, kind: TickKind::Trade.code(), flags: TRUSTED, ..Tick::default() }
}

/// What route would report of the order that `intent` made.
pub fn report_of(intent: &Intent, kind: ReportKind, state: OrderState, filled: i64) -> Report {
    Report {
        id: intent.id,
        price: intent.price,
        quantity: intent.quantity,
        cumulative: Quantity(filled),
        leaves: if state.is_terminal() { Quantity::ZERO } else { Quantity(intent.quantity.0 - filled) },
        instrument: intent.instrument,
        kind: kind.code(),
        state: state.code(),
        side: intent.side,
        ..Report::default()
    }
}

/// An outbox on a real ring, and its reading end.
pub struct Rig {
    pub outbox: Outbox,
    intents: Consumer<Intent>,
    _folder: TempDir,
}

pub const CAPACITY: usize = 64;

impl Rig {
    pub fn new() -> Self {
        Self::with(Working::new(&[], &[]))
    }

    pub fn with(working: Working) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (ring, cursor) = (folder.path().join("ring"), folder.path().join("cursor"));
        let producer = Producer::create(&ring, &cursor, CAPACITY, 1).expect("a ring");
        let intents = Consumer::attach(&ring, &cursor).expect("attached");
        let identity = Identity { epoch: 3, source: SourceId(2), source_epoch: 5 };
        Self { outbox: Outbox::new(producer, identity, working), intents, _folder: folder }
    }

    /// Every intent sent since the last call.
    pub fn sent(&mut self) -> Vec<Intent> {
        let sent = std::iter::from_fn(|| self.intents.poll()).collect();
        self.intents.commit();
        sent
    }
}

/// A strategy with its outbox, at a time that the test moves.
pub struct Bench<S> {
    pub strategy: S,
    pub rig: Rig,
    pub now: Nanos,
    news: Vec<Intent>,
}

impl<S: Strategy> Bench<S> {
    pub fn new(strategy: S, working: Working) -> Self {
        let mut bench =
            Self { strategy, rig: Rig::with(working), now: Nanos::from_secs(1_000), news: Vec::new() };
        bench.restart();
        bench
    }

    /// Starts the strategy, again after it was stopped.
    pub fn restart(&mut self) {
        let instruments = Instruments::new(vec![instrument()]).expect("valid");
        let start = Start { instruments: &instruments, now: self.now };
        self.rig.outbox.begin(self.now, 0);
        self.strategy.on_start(&start, &mut self.rig.outbox);
    }

    /// Moves time on, calling the timer where it is due.
    pub fn wait(&mut self, span: Nanos) {
        let end = self.now + span;
        for _ in 0..100_000 {
            let due = self.strategy.next_timer();
            if due > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(due);
            self.rig.outbox.begin(self.now, 0);
            self.strategy.on_timer(self.now, &mut self.rig.outbox);
        }
        panic!("the timer does not let time pass");
    }

    pub fn tick(&mut self, tick: &Tick) {
        self.rig.outbox.begin(self.now, tick.stamp);
        self.strategy.on_tick(tick, self.now, &mut self.rig.outbox);
    }

    /// What is sent at the moment of `tick`.
    pub fn sent_on(&mut self, tick: &Tick) -> Vec<Intent> {
        self.tick(tick);
        self.rig.sent()
    }

    pub fn tell(&mut self, report: &Report) {
        self.rig.outbox.begin(self.now, 0);
        self.rig.outbox.working_mut().apply(report);
        self.strategy.on_report(report, self.now, &mut self.rig.outbox);
    }

    /// A venue that accepts every order, cancel and replacement; returns what reached it.
    pub fn venue(&mut self) -> Vec<Intent> {
        let sent = self.rig.sent();
        for intent in &sent {
            if intent.target != OrderId::NONE {
                let target =
                    *self.news.iter().find(|order| order.id == intent.target).expect("it was placed");
                let filled = self.rig.outbox.working().find(target.id).map_or(0, |order| order.filled.0);
                self.tell(&report_of(&target, ReportKind::Canceled, OrderState::Canceled, filled));
            }
            if intent.places_order() {
                self.news.push(*intent);
                self.tell(&report_of(intent, ReportKind::Accepted, OrderState::Open, 0));
            }
        }
        sent
    }

    /// Fills all of `intent`.
    pub fn fill(&mut self, intent: &Intent) {
        self.tell(&report_of(intent, ReportKind::Fill, OrderState::Filled, intent.quantity.0));
    }

    pub fn position(&self) -> i64 {
        self.rig.outbox.working().position(0).quantity.0
    }
}
