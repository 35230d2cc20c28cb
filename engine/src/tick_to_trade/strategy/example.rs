//! Dip: buys when the mid falls far enough below its average, and leaves when it is back.
#![allow(clippy::float_arithmetic)]

use crate::domain::{BySide, Instrument, InstrumentIndex, Nanos, Side};
use crate::message::{Report, Tick};
use crate::taker_rows;
use crate::tick_to_trade::strategy::estimate::Average;
use crate::tick_to_trade::strategy::parameter::{Kind, Parameter, ParameterError, ParameterValue, Table};
use crate::tick_to_trade::strategy::registry::Registered;
use crate::tick_to_trade::strategy::taker::{Taker, TakerParameters, Wish};
use crate::tick_to_trade::strategy::touch::Touched;
use crate::tick_to_trade::strategy::{Outbox, Refusal, Start, Strategy};

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    half_life: Nanos,
    dip_bps: f64,
    taker: TakerParameters,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { half_life: Nanos::from_secs(60), dip_bps: 5.0, taker: TakerParameters::default() }
    }
}

/// The parameters, as users see them.
pub static PARAMETERS: Table<Parameters> = Table {
    strategy: Dip::NAME,
    rows: taker_rows![
        Parameter {
            key: "half_life",
            doc: "half life of the average of the mid",
            kind: Kind::Duration {
                min: Nanos::from_millis(1),
                max: Nanos::from_secs(3_600),
                slot: |p| &mut p.half_life,
            },
        },
        Parameter {
            key: "dip_bps",
            doc: "it buys when the mid is this far below its average, in basis points",
            kind: Kind::Number { min: 0.1, max: 10_000.0, slot: |p| &mut p.dip_bps },
        },
    ],
    check: |_| Ok(()),
};

/// The strategy, on one instrument.
pub struct Dip {
    parameters: Parameters,
    taker: Taker,
    average: Average,
    mid: f64,
}

impl Dip {
    fn decide(&mut self, now: Nanos, outbox: &mut Outbox) {
        let Some(average) = self.average.value() else { return };
        let below_bps = (1.0 - self.mid / average) * 1e4;
        let wish = Wish {
            enter: (below_bps >= self.parameters.dip_bps).then_some(Side::Buy),
            leave: BySide { buy: below_bps <= 0.0, sell: true },
        };
        self.taker.decide(&self.parameters.taker, wish, now, outbox);
    }
}

impl Registered for Dip {
    type Parameters = Parameters;
    const NAME: &'static str = "dip";
    const DOC: &'static str = "buys when the mid falls below its average, and leaves when it is back";

    fn table() -> &'static Table<Parameters> {
        &PARAMETERS
    }

    fn create(parameters: Parameters, index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self { parameters, taker: Taker::new(index, instrument), average: Average::default(), mid: 0.0 }
    }
}

impl Strategy for Dip {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn on_start(&mut self, start: &Start<'_>, _outbox: &mut Outbox) {
        self.taker.start(start.now);
        self.average = Average::default();
    }

    fn on_tick(&mut self, tick: &Tick, now: Nanos, outbox: &mut Outbox) {
        match self.taker.observe(tick) {
            Touched::Known(top) => {
                self.mid = self.taker.grid().mid(top.mid_times_two());
                self.average.observe(self.mid, now, self.parameters.half_life);
                self.decide(now, outbox);
            }
            Touched::Lost => self.average = Average::default(),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Agent;
    use crate::domain::Price;
    use crate::message::report::{OrderState, ReportKind};
    use crate::tick_to_trade::strategy::hosted::Hosted;
    use crate::tick_to_trade::strategy::registry::{Entry, Settings};
    use crate::tick_to_trade::strategy::testing::world::{NOW, World};
    use crate::tick_to_trade::strategy::testing::{instrument, report_of, top_tick};

    /// The line that registers it, as on the page.
    static TABLE: &[Entry] = &[Entry::of::<Dip>()];

    #[test]
    fn is_made_by_name_and_trades_in_the_host() {
        let [entry] = TABLE else { panic!("one entry") };
        let settings = Settings::from([("dip_bps".to_owned(), "20".to_owned())]);
        let strategy = entry.create(0, &instrument(), &settings).expect("made");
        let mut world = World::new();
        let outbox = world.outbox(2);
        world.host.add(Hosted::new("dip/TESTUSDT", strategy, outbox, vec![0])).expect("added");
        let sent = |second: i64, bid: i64, world: &mut World| {
            world.ticks.publish(&top_tick(bid, bid + 10));
            world.host.do_work(NOW + Nanos::from_secs(second));
            let sent = world.sent(0);
            for intent in &sent {
                let filled = intent.quantity.0;
                world.report(&report_of(intent, ReportKind::Fill, OrderState::Filled, filled));
            }
            sent.iter().map(|intent| (intent.side, intent.price)).collect::<Vec<_>>()
        };
        assert_eq!(sent(0, 10_000, &mut world), []);
        assert_eq!(sent(1, 9_990, &mut world), [], "ten basis points");
        assert_eq!(sent(2, 9_975, &mut world), [(Side::Buy.code(), Price(9_985))]);
        assert_eq!(sent(3, 9_985, &mut world), [], "not back yet");
        assert_eq!(sent(4, 10_000, &mut world), [(Side::Sell.code(), Price(10_000))]);
    }

    /// The page shows this file's code, word for word.
    #[test]
    fn the_page_shows_this_code() {
        let page = include_str!("../../../../docs/strategies.md");
        let own = include_str!("example.rs");
        let (code, _) = own.split_once("\n#[cfg(test)]").expect("tests");
        assert!(page.contains(&format!("```rust\n{code}```")), "docs/strategies.md shows another example");
        assert!(
            page.contains("```rust\nEntry::of::<Dip>(),\n```"),
            "docs/strategies.md registers it otherwise"
        );
    }

    /// The page names every strategy and every parameter there is.
    #[test]
    fn the_page_tells_of_every_strategy_and_parameter() {
        let page = include_str!("../../../../docs/strategies.md");
        for entry in crate::tick_to_trade::strategy::registry::TABLE {
            assert!(page.contains(&format!("| `{}` |", entry.name)), "{}", entry.name);
            for parameter in entry.parameters() {
                assert!(page.contains(&format!("`{}`", parameter.key)), "{}.{}", entry.name, parameter.key);
            }
        }
    }
}
