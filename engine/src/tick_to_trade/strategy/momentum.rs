//! Momentum: goes with a move of the mid price that trades confirm, and leaves when it turns.
//!
//! The signal is the distance between a fast and a slow average of the mid price, in basis points of the slow one.
//! Beyond the entry threshold, and with the flow of trades on the same side, it takes the touch for one order; it
//! leaves when the averages cross back, at a stop, or after a time.
#![allow(clippy::float_arithmetic)]

use crate::domain::{BySide, Instrument, InstrumentIndex, Nanos, Side};
use crate::message::tick::TickKind;
use crate::message::{Report, Tick};
use crate::taker_rows;
use crate::tick_to_trade::strategy::estimate::{Average, Flow};
use crate::tick_to_trade::strategy::parameter::{Kind, Parameter, ParameterError, ParameterValue, Table};
use crate::tick_to_trade::strategy::registry::Registered;
use crate::tick_to_trade::strategy::taker::{Taker, TakerParameters, Wish};
use crate::tick_to_trade::strategy::touch::Touched;
use crate::tick_to_trade::strategy::{Outbox, Refusal, Start, Strategy};

/// Its name in the registry.
pub const NAME: &str = "momentum";

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    fast: Nanos,
    slow: Nanos,
    entry_bps: f64,
    flow: f64,
    flow_half_life: Nanos,
    taker: TakerParameters,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            fast: Nanos::from_secs(5),
            slow: Nanos::from_secs(60),
            entry_bps: 3.0,
            flow: 0.2,
            flow_half_life: Nanos::from_secs(10),
            taker: TakerParameters::default(),
        }
    }
}

const HOUR: Nanos = Nanos::from_secs(3_600);
const MILLISECOND: Nanos = Nanos::from_millis(1);

/// The parameters, as users see them.
pub static PARAMETERS: Table<Parameters> = Table {
    strategy: NAME,
    rows: taker_rows![
        Parameter {
            key: "fast",
            doc: "half life of the fast average of the mid",
            kind: Kind::Duration { min: MILLISECOND, max: HOUR, slot: |p| &mut p.fast },
        },
        Parameter {
            key: "slow",
            doc: "half life of the slow average; it must have watched that long before the first order",
            kind: Kind::Duration { min: MILLISECOND, max: Nanos(24 * HOUR.0), slot: |p| &mut p.slow },
        },
        Parameter {
            key: "entry_bps",
            doc: "least distance of the averages to enter, in basis points",
            kind: Kind::Number { min: 0.01, max: 10_000.0, slot: |p| &mut p.entry_bps },
        },
        Parameter {
            key: "flow",
            doc: "least share of taking volume on our side beyond the other's to enter, from 0 (off) to 1",
            kind: Kind::Number { min: 0.0, max: 1.0, slot: |p| &mut p.flow },
        },
        Parameter {
            key: "flow_half_life",
            doc: "time after which a trade counts half",
            kind: Kind::Duration { min: MILLISECOND, max: HOUR, slot: |p| &mut p.flow_half_life },
        },
    ],
    check: |p| if p.slow <= p.fast { Err("slow is not longer than fast") } else { Ok(()) },
};

/// The strategy, on one instrument.
pub struct Momentum {
    parameters: Parameters,
    taker: Taker,
    fast: Average,
    slow: Average,
    flow: Flow,
    /// When it began to watch without interruption; `None` while it does not.
    watching_since: Option<Nanos>,
}

impl Momentum {
    /// Trades `instrument`, which is at `index`.
    #[must_use]
    pub fn new(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self {
            parameters,
            taker: Taker::new(index, instrument),
            fast: Average::default(),
            slow: Average::default(),
            flow: Flow::default(),
            watching_since: None,
        }
    }

    /// How far the fast average is from the slow one, in basis points; `None` before the first price.
    fn signal(&self) -> Option<f64> {
        Some((self.fast.value()? / self.slow.value()? - 1.0) * 1e4)
    }

    /// Forgets the averages: prices were missed, and what they would have said is not known.
    fn forget(&mut self) {
        self.fast = Average::default();
        self.slow = Average::default();
        self.watching_since = None;
    }

    fn decide(&mut self, now: Nanos, outbox: &mut Outbox) {
        let signal = self.signal();
        let leave = BySide {
            buy: signal.is_some_and(|signal| signal < 0.0),
            sell: signal.is_some_and(|signal| signal > 0.0),
        };
        let wish = Wish { enter: self.enters(now), leave };
        self.taker.decide(&self.parameters.taker, wish, now, outbox);
    }

    /// The side to enter on, if any.
    fn enters(&self, now: Nanos) -> Option<Side> {
        let since = self.watching_since?;
        if now - since < self.parameters.slow {
            return None;
        }
        let (signal, flow) = (self.signal()?, self.flow.imbalance());
        if signal >= self.parameters.entry_bps && flow >= self.parameters.flow {
            Some(Side::Buy)
        } else if -signal >= self.parameters.entry_bps && -flow >= self.parameters.flow {
            Some(Side::Sell)
        } else {
            None
        }
    }
}

impl Registered for Momentum {
    type Parameters = Parameters;
    const NAME: &'static str = NAME;
    const DOC: &'static str = "goes with a move of the mid price that trades confirm";

    fn table() -> &'static Table<Parameters> {
        &PARAMETERS
    }

    fn create(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self::new(parameters, index, instrument)
    }
}

impl Strategy for Momentum {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_start(&mut self, start: &Start<'_>, _outbox: &mut Outbox) {
        self.taker.start(start.now);
        self.forget();
        self.flow = Flow::default();
    }

    fn on_tick(&mut self, tick: &Tick, now: Nanos, outbox: &mut Outbox) {
        if tick.kind == TickKind::Trade.code() {
            let (_, quantity, side) = tick.trade();
            if let Some(side) = side {
                let quantity = self.taker.grid().quantity(quantity);
                self.flow.observe(side, quantity, now, self.parameters.flow_half_life);
            }
            return;
        }
        match self.taker.observe(tick) {
            Touched::Known(top) => {
                let mid = self.taker.grid().mid(top.mid_times_two());
                self.fast.observe(mid, now, self.parameters.fast);
                self.slow.observe(mid, now, self.parameters.slow);
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
        let mut signals = vec![("flow", self.flow.imbalance())];
        signals.extend(self.signal().map(|signal| ("distance_bps", signal)));
        signals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{OrderId, Price, Quantity, TimeInForce};
    use crate::message::Intent;
    use crate::message::report::{OrderState, ReportKind};
    use crate::tick_to_trade::strategy::testing::{Bench, instrument, report_of, top_tick, trade_tick};
    use crate::tick_to_trade::strategy::touch::untrusted;
    use crate::tick_to_trade::strategy::working::Working;

    const SECOND: Nanos = Nanos::from_secs(1);

    fn bench(settings: &[(&str, &str)]) -> Bench<Momentum> {
        let mut strategy = Momentum::new(Parameters::default(), 0, &instrument());
        for (key, value) in [("fast", "2s"), ("slow", "10s"), ("size_unit", "quantity"), ("order_size", "1")]
        {
            strategy.set(key, value).expect("valid");
        }
        for (key, value) in settings {
            strategy.set(key, value).expect("valid");
        }
        Bench::new(strategy, Working::new(&[], &[]))
    }

    /// Ticks once a second from `from` by `step`, with trades on `side`, until an order is sent; then fills it.
    fn walk(
        bench: &mut Bench<Momentum>,
        from: i64,
        step: i64,
        side: Side,
        seconds: i64,
    ) -> Option<(i64, Intent)> {
        for n in 0..seconds {
            let bid = from + n * step;
            bench.tick(&trade_tick(side, 1_000));
            bench.tick(&top_tick(bid, bid + 10));
            let sent = bench.venue();
            bench.wait(SECOND);
            if let Some(&intent) = sent.first() {
                assert_eq!(sent.len(), 1);
                bench.fill(&intent);
                return Some((bid, intent));
            }
        }
        None
    }

    fn side_of(intent: &Intent) -> Side {
        Side::try_from(intent.side).expect("valid")
    }

    #[test]
    fn enters_with_the_move_at_the_touch_and_leaves_when_it_turns() {
        for (step, side) in [(5, Side::Buy), (-5, Side::Sell)] {
            let mut bench = bench(&[("stop_bps", "10000"), ("max_hold", "1h")]);
            assert_eq!(walk(&mut bench, 10_000, 0, side, 15), None, "flat prices");
            let (bid, entry) = walk(&mut bench, 10_000, step, side, 30).expect("a move");
            let touch = if side == Side::Buy { bid + 10 } else { bid };
            assert_eq!((side_of(&entry), entry.price), (side, Price(touch)));
            assert_eq!(entry.time_in_force, TimeInForce::ImmediateOrCancel.code());
            assert_eq!((entry.quantity, bench.position()), (Quantity(1_000), side.sign() * 1_000));
            assert_eq!(walk(&mut bench, bid, step, side, 10), None, "one position, held while it runs");
            let (_, exit) =
                walk(&mut bench, bid + 10 * step, -3 * step, side.opposite(), 60).expect("a turn");
            assert_eq!(
                (side_of(&exit), exit.quantity, bench.position()),
                (side.opposite(), entry.quantity, 0)
            );
        }
    }

    #[test]
    fn does_not_enter_against_the_flow_before_it_is_warm_or_without_trust() {
        let mut against = bench(&[]);
        walk(&mut against, 10_000, 0, Side::Sell, 15);
        assert_eq!(walk(&mut against, 10_000, 5, Side::Sell, 20), None, "trades do not confirm");
        let mut cold = bench(&[]);
        assert_eq!(walk(&mut cold, 10_000, 20, Side::Buy, 10), None, "slow has not watched long enough");
        let mut blind = bench(&[]);
        walk(&mut blind, 10_000, 0, Side::Buy, 15);
        blind.tick(&untrusted(0, blind.now));
        assert_eq!(walk(&mut blind, 10_500, 5, Side::Buy, 10), None, "warms up anew after a gap");
    }

    #[test]
    fn a_stop_and_a_time_limit_end_a_position_that_does_not_turn() {
        let mut stopped = bench(&[("stop_bps", "30"), ("max_hold", "1h"), ("slow", "1h"), ("fast", "30m")]);
        // Averages so slow that they never turn; the position is there from the start.
        stopped.rig.outbox.working_mut().apply(&held_report(10_000));
        assert_eq!(stopped.sent_on(&top_tick(9_975, 9_985)), [], "20 basis points");
        stopped.wait(SECOND);
        let sent = stopped.sent_on(&top_tick(9_960, 9_970));
        assert_eq!(
            sent.iter().map(|exit| (side_of(exit), exit.price)).collect::<Vec<_>>(),
            [(Side::Sell, Price(9_960))]
        );

        let mut timed = bench(&[("max_hold", "20s")]);
        timed.rig.outbox.working_mut().apply(&held_report(10_000));
        assert_eq!(timed.sent_on(&top_tick(9_995, 10_005)), []);
        timed.wait(Nanos::from_millis(19_999));
        assert_eq!(timed.rig.sent(), []);
        timed.wait(Nanos::from_millis(1));
        assert_eq!(timed.rig.sent().len(), 1, "by the timer, without a tick");
    }

    fn held_report(price: i64) -> Report {
        Report {
            id: OrderId { sequence: 99, ..OrderId::NONE },
            price: Price(price),
            quantity: Quantity(1_000),
            cumulative: Quantity(1_000),
            kind: ReportKind::Fill.code(),
            state: OrderState::Filled.code(),
            side: Side::Buy.code(),
            ..Report::default()
        }
    }

    #[test]
    fn an_exit_that_finds_no_taker_is_tried_again_but_not_at_once() {
        let mut bench = bench(&[("max_hold", "5s"), ("between", "1s")]);
        bench.rig.outbox.working_mut().apply(&held_report(10_000));
        bench.tick(&top_tick(9_995, 10_005));
        let mut exits = 0;
        for _ in 0..100 {
            bench.wait(Nanos::from_millis(100));
            for intent in bench.rig.sent() {
                exits += 1;
                let kind = ReportKind::Expired;
                let state = OrderState::Expired;
                bench.tell(&report_of(&intent, kind, state, 0));
            }
        }
        assert_eq!(exits, 6, "from the fifth to the tenth second");
        assert_eq!(bench.position(), 1_000);
    }
}
