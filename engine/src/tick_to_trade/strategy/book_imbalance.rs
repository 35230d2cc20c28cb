//! Book imbalance: takes with the side of the book that holds more, before the price follows.
//!
//! The signal is `(bid quantity - ask quantity) / (bid quantity + ask quantity)` at the best prices, averaged over a
//! short time, because one order of a moment says little. It pays to cross only where the spread is small.
#![allow(clippy::float_arithmetic)]

use crate::domain::{BySide, Instrument, InstrumentIndex, Nanos, Side};
use crate::message::tick::Top;
use crate::message::{Report, Tick};
use crate::taker_rows;
use crate::tick_to_trade::strategy::estimate::Average;
use crate::tick_to_trade::strategy::parameter::{Kind, Parameter, ParameterError, ParameterValue, Table};
use crate::tick_to_trade::strategy::registry::Registered;
use crate::tick_to_trade::strategy::taker::{Taker, TakerParameters, Wish};
use crate::tick_to_trade::strategy::touch::Touched;
use crate::tick_to_trade::strategy::{Outbox, Refusal, Start, Strategy};

/// Its name in the registry.
pub const NAME: &str = "book_imbalance";

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    half_life: Nanos,
    entry: f64,
    exit: f64,
    max_spread_bps: f64,
    taker: TakerParameters,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            half_life: Nanos::from_millis(500),
            entry: 0.7,
            exit: 0.0,
            max_spread_bps: 1.0,
            taker: TakerParameters {
                stop_bps: 5.0,
                max_hold: Nanos::from_secs(30),
                between: Nanos::from_secs(1),
                ..TakerParameters::default()
            },
        }
    }
}

/// The parameters, as users see them.
pub static PARAMETERS: Table<Parameters> = Table {
    strategy: NAME,
    rows: taker_rows![
        Parameter {
            key: "half_life",
            doc: "time after which an imbalance counts half; it must have watched five times as long to enter",
            kind: Kind::Duration {
                min: Nanos::from_millis(1),
                max: Nanos::from_secs(600),
                slot: |p| &mut p.half_life,
            },
        },
        Parameter {
            key: "entry",
            doc: "least imbalance towards a side to enter on it, from 0 to 1",
            kind: Kind::Number { min: 0.01, max: 1.0, slot: |p| &mut p.entry },
        },
        Parameter {
            key: "exit",
            doc: "it leaves when the imbalance towards its side is at most this, from -1 to 1",
            kind: Kind::Number { min: -1.0, max: 1.0, slot: |p| &mut p.exit },
        },
        Parameter {
            key: "max_spread_bps",
            doc: "it does not enter across a wider spread, in basis points",
            kind: Kind::Number { min: 0.0, max: 1_000.0, slot: |p| &mut p.max_spread_bps },
        },
    ],
    check: |p| if p.exit >= p.entry { Err("exit is not less than entry") } else { Ok(()) },
};

/// Half lives it watches before it enters: what came before weighs a thirtieth then.
const WARM_UP: i64 = 5;

/// The strategy, on one instrument.
pub struct BookImbalance {
    parameters: Parameters,
    taker: Taker,
    imbalance: Average,
    /// When it began to watch without interruption; `None` while it does not.
    watching_since: Option<Nanos>,
    top: Top,
}

impl BookImbalance {
    /// Trades `instrument`, which is at `index`.
    #[must_use]
    pub fn new(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self {
            parameters,
            taker: Taker::new(index, instrument),
            imbalance: Average::default(),
            watching_since: None,
            top: Top::default(),
        }
    }

    /// Forgets what it saw: the book was not known for a while.
    fn forget(&mut self) {
        self.imbalance = Average::default();
        self.watching_since = None;
    }

    fn decide(&mut self, now: Nanos, outbox: &mut Outbox) {
        let Parameters { exit, .. } = self.parameters;
        let signal = self.imbalance.value();
        let leave = BySide {
            buy: signal.is_some_and(|signal| signal <= exit),
            sell: signal.is_some_and(|signal| -signal <= exit),
        };
        let wish = Wish { enter: self.enters(now), leave };
        self.taker.decide(&self.parameters.taker, wish, now, outbox);
    }

    fn enters(&self, now: Nanos) -> Option<Side> {
        let Parameters { half_life, entry, max_spread_bps, .. } = self.parameters;
        if now - self.watching_since? < Nanos(half_life.0.saturating_mul(WARM_UP)) {
            return None;
        }
        let spread = 2e4 * (self.top.ask.0 - self.top.bid.0) as f64 / self.top.mid_times_two() as f64;
        let signal = self.imbalance.value()?;
        if spread > max_spread_bps || signal.abs() < entry {
            return None;
        }
        Some(if signal > 0.0 { Side::Buy } else { Side::Sell })
    }
}

/// From -1 (all on the ask) to 1 (all on the bid).
fn imbalance(top: Top) -> f64 {
    let (bid, ask) = (top.bid_quantity.0 as f64, top.ask_quantity.0 as f64);
    let total = bid + ask;
    if total > 0.0 { (bid - ask) / total } else { 0.0 }
}

impl Registered for BookImbalance {
    type Parameters = Parameters;
    const NAME: &'static str = NAME;
    const DOC: &'static str = "takes with the heavier side of the best prices";

    fn table() -> &'static Table<Parameters> {
        &PARAMETERS
    }

    fn create(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self::new(parameters, index, instrument)
    }
}

impl Strategy for BookImbalance {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_start(&mut self, start: &Start<'_>, _outbox: &mut Outbox) {
        self.taker.start(start.now);
        self.forget();
    }

    fn on_tick(&mut self, tick: &Tick, now: Nanos, outbox: &mut Outbox) {
        match self.taker.observe(tick) {
            Touched::Known(top) => {
                self.top = top;
                self.imbalance.observe(imbalance(top), now, self.parameters.half_life);
                self.watching_since.get_or_insert(now);
                self.decide(now, outbox);
            }
            Touched::Lost => self.forget(),
            Touched::Unchanged => {}
        }
    }

    fn on_report(&mut self, report: &Report, now: Nanos, _outbox: &mut Outbox) {
        self.taker.report(report, now);
    }

    fn on_refusal(&mut self, refusal: &Refusal, now: Nanos, _outbox: &mut Outbox) {
        self.taker.refusal(refusal, now);
    }

    fn on_timer(&mut self, now: Nanos, outbox: &mut Outbox) {
        self.decide(now, outbox);
    }

    fn next_timer(&self) -> Nanos {
        self.taker.next_timer()
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ParameterError> {
        PARAMETERS.set(&mut self.parameters, key, value)
    }

    fn parameters(&self) -> Vec<ParameterValue> {
        PARAMETERS.show(&self.parameters)
    }

    fn signals(&self) -> Vec<(&'static str, f64)> {
        self.imbalance.value().map(|value| ("imbalance", value)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Quantity, TimeInForce};
    use crate::tick_to_trade::strategy::testing::{Bench, instrument, top_tick};
    use crate::tick_to_trade::strategy::touch::untrusted;
    use crate::tick_to_trade::strategy::working::Working;

    const STEP: Nanos = Nanos::from_millis(100);

    fn bench(settings: &[(&str, &str)]) -> Bench<BookImbalance> {
        let mut strategy = BookImbalance::new(Parameters::default(), 0, &instrument());
        let base = [
            ("half_life", "1s"),
            ("between", "100ms"),
            ("max_spread_bps", "10"),
            ("size_unit", "quantity"),
            ("order_size", "1"),
        ];
        for (key, value) in base.iter().chain(settings) {
            strategy.set(key, value).expect("valid");
        }
        Bench::new(strategy, Working::new(&[], &[]))
    }

    /// Shows a book of these quantities for `tenths` of a second; what is sent first, filled.
    fn show(
        bench: &mut Bench<BookImbalance>,
        quantities: (i64, i64),
        tenths: u32,
    ) -> Option<(u32, Side, Price)> {
        let mut book = top_tick(9_995, 10_000);
        (book.values[1], book.values[3]) = quantities;
        for passed in 0..tenths {
            let sent = bench.sent_on(&book);
            bench.wait(STEP);
            if let Some(intent) = sent.first() {
                assert_eq!((sent.len(), intent.quantity), (1, Quantity(1_000)));
                assert_eq!(intent.time_in_force, TimeInForce::ImmediateOrCancel.code());
                bench.fill(intent);
                return Some((passed, Side::try_from(intent.side).expect("valid"), intent.price));
            }
        }
        None
    }

    #[test]
    fn takes_with_the_heavy_side_and_leaves_when_it_is_gone() {
        for (heavy, light, into, out) in [
            ((9_000, 1_000), (1_000, 9_000), (Side::Buy, 10_000), (Side::Sell, 9_995)),
            ((1_000, 9_000), (9_000, 1_000), (Side::Sell, 9_995), (Side::Buy, 10_000)),
        ] {
            let mut bench = bench(&[("max_hold", "1h"), ("entry", "0.69")]);
            assert_eq!(show(&mut bench, (5_000, 5_000), 60), None, "even");
            let (after, side, price) = show(&mut bench, heavy, 60).expect("an entry");
            // 0.8 of imbalance for t seconds averages 0.8 (1 - 2^-t): 0.69 after 2.86.
            assert_eq!((after, side, price), (29, into.0, Price(into.1)));
            assert_eq!(show(&mut bench, heavy, 100), None, "one position");
            let (_, side, price) = show(&mut bench, light, 60).expect("an exit");
            assert_eq!((side, price, bench.position()), (out.0, Price(out.1), 0));
        }
    }

    #[test]
    fn a_moment_a_wide_spread_and_a_cold_start_do_not_make_it_enter() {
        let mut flicker = bench(&[]);
        show(&mut flicker, (5_000, 5_000), 60);
        for _ in 0..50 {
            assert_eq!(show(&mut flicker, (100_000, 1), 1), None);
            assert_eq!(show(&mut flicker, (5_000, 5_000), 3), None);
        }
        let mut wide = bench(&[("max_spread_bps", "4.9")]);
        assert_eq!(show(&mut wide, (9_000, 1_000), 100), None, "five basis points");
        wide.strategy.set("max_spread_bps", "5.1").expect("valid");
        assert!(show(&mut wide, (9_000, 1_000), 1).is_some(), "tuned while it runs");
        let mut cold = bench(&[]);
        assert_eq!(show(&mut cold, (9_000, 1_000), 50), None);
        cold.tick(&untrusted(0, cold.now));
        assert_eq!(show(&mut cold, (9_000, 1_000), 50), None, "cold again");
        assert!(show(&mut cold, (9_000, 1_000), 1).is_some());
    }

    #[test]
    fn leaves_after_its_time_without_a_tick() {
        let mut bench = bench(&[("max_hold", "3s")]);
        show(&mut bench, (9_000, 1_000), 60).expect("an entry");
        bench.tick(&top_tick(9_995, 10_000));
        assert_eq!(bench.rig.sent(), []);
        bench.wait(Nanos::from_secs(4));
        let sent = bench.rig.sent();
        assert_eq!(sent.iter().map(|exit| exit.side).collect::<Vec<_>>(), [Side::Sell.code()]);
    }
}
