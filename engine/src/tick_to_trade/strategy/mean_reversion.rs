//! Mean reversion: takes against a price that has left its usual range, and leaves when it is back.
//!
//! The signal is the distance of the mid from its mean in standard deviations, both weighted exponentially in time. A
//! position that its stop has closed is not taken again before the price was back in its range: what left the range
//! for good is a trend.
#![allow(clippy::float_arithmetic)]

use crate::domain::{BySide, Instrument, InstrumentIndex, Nanos, Side};
use crate::message::{Report, Tick};
use crate::taker_rows;
use crate::tick_to_trade::strategy::parameter::{Kind, Parameter, ParameterError, ParameterValue, Table};
use crate::tick_to_trade::strategy::range::{Bars, Range};
use crate::tick_to_trade::strategy::registry::Registered;
use crate::tick_to_trade::strategy::taker::{Taker, TakerParameters, Wish};
use crate::tick_to_trade::strategy::touch::Touched;
use crate::tick_to_trade::strategy::{Outbox, Refusal, Start, Strategy};

/// Its name in the registry.
pub const NAME: &str = "mean_reversion";

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    half_life: Nanos,
    warm_up: Nanos,
    entry: f64,
    exit: f64,
    entry_bps: f64,
    taker: TakerParameters,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            half_life: Nanos::from_secs(120),
            warm_up: Nanos::from_secs(120),
            entry: 2.5,
            exit: 0.5,
            entry_bps: 3.0,
            taker: TakerParameters { stop_bps: 25.0, ..TakerParameters::default() },
        }
    }
}

const DAY: Nanos = Nanos::from_secs(86_400);

/// The parameters, as users see them.
pub static PARAMETERS: Table<Parameters> = Table {
    strategy: NAME,
    rows: taker_rows![
        Parameter {
            key: "half_life",
            doc: "time after which a price counts half in the mean and the deviation",
            kind: Kind::Duration { min: Nanos::from_millis(10), max: DAY, slot: |p| &mut p.half_life },
        },
        Parameter {
            key: "warm_up",
            doc: "time the price must have been known before the first order; bars of the past count",
            kind: Kind::Duration { min: Nanos::ZERO, max: DAY, slot: |p| &mut p.warm_up },
        },
        Parameter {
            key: "entry",
            doc: "it enters when the mid is this many standard deviations from the mean",
            kind: Kind::Number { min: 0.1, max: 100.0, slot: |p| &mut p.entry },
        },
        Parameter {
            key: "exit",
            doc: "it leaves when the mid is back within this many standard deviations of the mean, or beyond it",
            kind: Kind::Number { min: 0.0, max: 100.0, slot: |p| &mut p.exit },
        },
        Parameter {
            key: "entry_bps",
            doc: "and only when that is at least this far, in basis points: below the costs nothing is to be won",
            kind: Kind::Number { min: 0.0, max: 10_000.0, slot: |p| &mut p.entry_bps },
        },
    ],
    check: |p| if p.exit >= p.entry { Err("exit is not less than entry") } else { Ok(()) },
};

/// The strategy, on one instrument.
pub struct MeanReversion {
    parameters: Parameters,
    taker: Taker,
    range: Range,
    bars: Bars,
    mid: Option<f64>,
    /// Whether the price was in its range since the last position.
    armed: bool,
}

impl MeanReversion {
    /// Trades `instrument`, which is at `index`.
    #[must_use]
    pub fn new(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self {
            parameters,
            taker: Taker::new(index, instrument),
            range: Range::default(),
            bars: Bars::default(),
            mid: None,
            armed: true,
        }
    }

    /// Standard deviations of the mid above the mean, once warm.
    fn score(&self) -> Option<f64> {
        let score = self.range.score(self.mid?)?;
        (self.range.seen() >= self.parameters.warm_up).then_some(score)
    }

    fn decide(&mut self, now: Nanos, outbox: &mut Outbox) {
        let Parameters { entry, exit, .. } = self.parameters;
        let score = self.score();
        self.armed &= !self.taker.holds();
        self.armed |= score.is_some_and(|score| score.abs() < entry) && !self.taker.holds();
        let leave = BySide {
            buy: score.is_some_and(|score| score >= -exit),
            sell: score.is_some_and(|score| score <= exit),
        };
        let wish = Wish { enter: score.and_then(|score| self.enters(score)), leave };
        self.taker.decide(&self.parameters.taker, wish, now, outbox);
    }

    fn enters(&self, score: f64) -> Option<Side> {
        let off_bps = (self.mid? / self.range.mean()? - 1.0).abs() * 1e4;
        if !self.armed || score.abs() < self.parameters.entry || off_bps < self.parameters.entry_bps {
            return None;
        }
        Some(if score < 0.0 { Side::Buy } else { Side::Sell })
    }
}

impl Registered for MeanReversion {
    type Parameters = Parameters;
    const NAME: &'static str = NAME;
    const DOC: &'static str =
        "takes against a price that has left its usual range, and leaves when it is back";

    fn table() -> &'static Table<Parameters> {
        &PARAMETERS
    }

    fn create(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self::new(parameters, index, instrument)
    }
}

impl Strategy for MeanReversion {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_start(&mut self, start: &Start<'_>, _outbox: &mut Outbox) {
        self.taker.start(start.now);
        self.mid = None;
        self.range.lose(start.now, self.parameters.half_life);
        self.armed = true;
    }

    fn on_tick(&mut self, tick: &Tick, now: Nanos, outbox: &mut Outbox) {
        let half_life = self.parameters.half_life;
        if let Some(bar) = self.bars.observe(tick) {
            let close = self.taker.grid().price(bar.close);
            self.range.bar(bar, close, now, half_life);
        }
        match self.taker.observe(tick) {
            Touched::Known(top) => {
                let mid = self.taker.grid().mid(top.mid_times_two());
                self.mid = Some(mid);
                self.range.observe(mid, now, half_life);
                self.decide(now, outbox);
            }
            Touched::Lost => {
                self.mid = None;
                self.range.lose(now, half_life);
            }
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

    fn on_stop(&mut self, now: Nanos, _outbox: &mut Outbox) {
        self.mid = None;
        self.range.lose(now, self.parameters.half_life);
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ParameterError> {
        PARAMETERS.set(&mut self.parameters, key, value)
    }

    fn parameters(&self) -> Vec<ParameterValue> {
        PARAMETERS.show(&self.parameters)
    }

    fn signals(&self) -> Vec<(&'static str, f64)> {
        let mean = self.range.mean().map(|mean| ("mean", mean));
        let score = self.mid.and_then(|mid| self.range.score(mid)).map(|score| ("score", score));
        mean.into_iter().chain(score).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Quantity, TimeInForce};
    use crate::message::Intent;
    use crate::message::report::{OrderState, ReportKind};
    use crate::message::tick::TickKind;
    use crate::tick_to_trade::strategy::testing::{Bench, instrument, report_of, top_tick};
    use crate::tick_to_trade::strategy::touch::untrusted;
    use crate::tick_to_trade::strategy::working::Working;

    const SECOND: Nanos = Nanos::from_secs(1);

    fn cold(settings: &[(&str, &str)]) -> Bench<MeanReversion> {
        let mut strategy = MeanReversion::new(Parameters::default(), 0, &instrument());
        let base = [("half_life", "60s"), ("warm_up", "60s"), ("size_unit", "quantity"), ("order_size", "1")];
        for (key, value) in base.iter().chain(settings) {
            strategy.set(key, value).expect("valid");
        }
        Bench::new(strategy, Working::new(&[], &[]))
    }

    /// The mid between 99.95 and 100.05 for two minutes: a deviation of five cents.
    fn warm(settings: &[(&str, &str)]) -> Bench<MeanReversion> {
        let mut bench = cold(settings);
        for n in 0..120 {
            let bid = 9_990 + 10 * (n % 2);
            assert_eq!(bench.sent_on(&top_tick(bid, bid + 10)), [], "in its range");
            bench.wait(SECOND);
        }
        bench
    }

    /// What is sent on `mid`; orders are filled in full.
    fn at(bench: &mut Bench<MeanReversion>, mid: i64) -> Option<(Side, Price)> {
        let sent = bench.sent_on(&top_tick(mid - 5, mid + 5));
        assert!(sent.len() <= 1);
        bench.wait(SECOND);
        let intent = *sent.first()?;
        assert_eq!((intent.quantity, intent.time_in_force), (Quantity(1_000), IOC));
        bench.fill(&intent);
        Some((Side::try_from(intent.side).expect("valid"), intent.price))
    }

    const IOC: u8 = TimeInForce::ImmediateOrCancel.code();

    #[test]
    fn takes_against_the_move_and_leaves_within_its_range() {
        for sign in [1, -1] {
            let (into, out) = if sign > 0 { (Side::Sell, Side::Buy) } else { (Side::Buy, Side::Sell) };
            let mut bench = warm(&[("stop_bps", "10000")]);
            assert_eq!(at(&mut bench, 10_000 + sign * 10), None, "two deviations");
            assert_eq!(at(&mut bench, 10_000 + sign * 20), Some((into, Price(10_000 + sign * 15))));
            assert_eq!(bench.position(), into.sign() * 1_000);
            assert_eq!(at(&mut bench, 10_000 + sign * 25), None, "one position");
            assert_eq!(at(&mut bench, 10_000 + sign * 8), None, "not back yet");
            assert_eq!(at(&mut bench, 10_000), Some((out, Price(10_000 + sign * 5))));
            assert_eq!(bench.position(), 0);
        }
    }

    #[test]
    fn what_would_not_pay_is_not_taken() {
        let mut bench = warm(&[("entry_bps", "25")]);
        assert_eq!(at(&mut bench, 10_020), None, "20 basis points, whatever the deviations");
        assert!(at(&mut bench, 10_030).is_some());
    }

    #[test]
    fn a_stopped_position_is_not_taken_again_before_the_price_was_back() {
        let mut bench = warm(&[("stop_bps", "20"), ("half_life", "1h")]);
        assert!(at(&mut bench, 10_030).is_some());
        assert_eq!(at(&mut bench, 10_060).map(|(side, _)| side), Some(Side::Buy), "the stop");
        assert_eq!((at(&mut bench, 10_060), at(&mut bench, 10_080)), (None, None), "a trend");
        assert_eq!(at(&mut bench, 10_000), None);
        assert!(at(&mut bench, 10_090).is_some(), "armed again");
    }

    #[test]
    fn an_entry_that_found_no_taker_is_tried_again() {
        let mut bench = warm(&[]);
        for _ in 0..3 {
            let sent = bench.sent_on(&top_tick(10_025, 10_035));
            let [intent]: [Intent; 1] = sent.try_into().expect("one entry");
            bench.tell(&report_of(&intent, ReportKind::Expired, OrderState::Expired, 0));
            bench.wait(SECOND);
        }
        assert_eq!(bench.position(), 0);
    }

    #[test]
    fn is_not_warm_on_too_little_and_a_long_blindness_cools_it() {
        let mut bench = cold(&[]);
        for n in 0..59 {
            let bid = 9_990 + 10 * (n % 2);
            bench.tick(&top_tick(bid, bid + 10));
            bench.wait(SECOND);
        }
        assert_eq!(at(&mut bench, 10_050), None, "59 seconds");
        let mut bench = warm(&[]);
        bench.tick(&untrusted(0, bench.now));
        bench.wait(SECOND);
        assert!(at(&mut bench, 10_050).is_some(), "a second is bridged");
        let mut bench = warm(&[]);
        bench.tick(&untrusted(0, bench.now));
        bench.wait(Nanos::from_secs(30));
        assert_eq!((at(&mut bench, 10_050), at(&mut bench, 10_080)), (None, None));
    }

    #[test]
    fn bars_of_the_past_warm_it_up() {
        let mut bench = cold(&[]);
        let now = bench.now.0 / 1_000_000;
        for n in 0..100 {
            let close = 9_995 + 10 * (n % 2);
            let bar = |kind: TickKind, values| Tick { kind: kind.code(), values, ..top_tick(1, 2) };
            bench.tick(&bar(TickKind::Bar, [close; 4]));
            bench.tick(&bar(TickKind::BarVolume, [1, 1, now - (100 - n) * 1_000, 1]));
        }
        assert_eq!(at(&mut bench, 10_050), Some((Side::Sell, Price(10_045))), "on its first price");
    }
}
