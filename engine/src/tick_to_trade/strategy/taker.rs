//! What strategies that take a position and leave it again have in common: size, pace, stop and time limit.
//!
//! Such a strategy holds at most one position of one order. It says which side it would enter and which positions its
//! signal no longer supports; the taker does the rest, with orders that take the touch or nothing.
#![allow(clippy::float_arithmetic)]

use crate::domain::{
    BySide, Instrument, InstrumentIndex, Nanos, OrderId, Price, Quantity, Side, TimeInForce,
};
use crate::message::report::ReportKind;
use crate::message::tick::Top;
use crate::message::{Report, Tick};
use crate::tick_to_trade::strategy::grid::{Grid, SizeUnit};
use crate::tick_to_trade::strategy::pause::Pause;
use crate::tick_to_trade::strategy::touch::{Touch, Touched};
use crate::tick_to_trade::strategy::{Outbox, Refusal};

/// The parameters of a taker; their rows in a strategy's table come from [`taker_rows`](crate::taker_rows).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TakerParameters {
    /// What `order_size` is in.
    pub size_unit: SizeUnit,
    /// Size of the position that it takes.
    pub order_size: f64,
    /// It leaves when the mid is this far against the entry price, in basis points.
    pub stop_bps: f64,
    /// It leaves after this time.
    pub max_hold: Nanos,
    /// Least time between two orders.
    pub between: Nanos,
}

impl Default for TakerParameters {
    fn default() -> Self {
        Self {
            size_unit: SizeUnit::Notional,
            order_size: 250.0,
            stop_bps: 15.0,
            max_hold: Nanos::from_secs(300),
            between: Nanos::from_millis(250),
        }
    }
}

/// The rows of a strategy's table: its own, then those of the [`TakerParameters`] in its field `taker`.
#[macro_export]
macro_rules! taker_rows {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            $crate::tick_to_trade::strategy::parameter::Parameter {
                key: "size_unit",
                doc: "what order_size is in: quote asset, or the instrument's units (base, contracts)",
                kind: $crate::tick_to_trade::strategy::parameter::Kind::Choice {
                    words: $crate::tick_to_trade::strategy::grid::SizeUnit::WORDS,
                    set: |p, index| {
                        p.taker.size_unit = $crate::tick_to_trade::strategy::grid::SizeUnit::from_index(index);
                    },
                    get: |p| p.taker.size_unit.index(),
                },
            },
            $crate::tick_to_trade::strategy::parameter::Parameter {
                key: "order_size",
                doc: "size of the position it takes, in size_unit",
                kind: $crate::tick_to_trade::strategy::parameter::Kind::Number {
                    min: 1e-8,
                    max: 1e12,
                    slot: |p| &mut p.taker.order_size,
                },
            },
            $crate::tick_to_trade::strategy::parameter::Parameter {
                key: "stop_bps",
                doc: "it leaves when the mid is this far against the entry price, in basis points",
                kind: $crate::tick_to_trade::strategy::parameter::Kind::Number {
                    min: 0.1,
                    max: 10_000.0,
                    slot: |p| &mut p.taker.stop_bps,
                },
            },
            $crate::tick_to_trade::strategy::parameter::Parameter {
                key: "max_hold",
                doc: "it leaves after this time",
                kind: $crate::tick_to_trade::strategy::parameter::Kind::Duration {
                    min: $crate::domain::Nanos::from_millis(1),
                    max: $crate::domain::Nanos::from_secs(86_400),
                    slot: |p| &mut p.taker.max_hold,
                },
            },
            $crate::tick_to_trade::strategy::parameter::Parameter {
                key: "between",
                doc: "least time between two of its orders",
                kind: $crate::tick_to_trade::strategy::parameter::Kind::Duration {
                    min: $crate::domain::Nanos::from_millis(1),
                    max: $crate::domain::Nanos::from_secs(3_600),
                    slot: |p| &mut p.taker.between,
                },
            },
        ]
    };
}

/// What the signal of a strategy asks for at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The side to enter on when flat.
    pub enter: Option<Side>,
    /// Whether a position bought (sold) should go, because the signal has turned.
    pub leave: BySide<bool>,
}

/// Carries out the wishes of a strategy on one instrument.
#[derive(Debug)]
pub struct Taker {
    instrument: InstrumentIndex,
    grid: Grid,
    touch: Touch,
    pause: Pause,
    /// The price that the stop is measured from and when the position was first seen; `None` when flat.
    entry: Option<(Price, Nanos)>,
    /// Before this it sends no order.
    next_order: Nanos,
    /// When it must decide although no price comes.
    timer: Nanos,
}

impl Taker {
    /// Trades `instrument`, which is at `index`.
    #[must_use]
    pub fn new(index: InstrumentIndex, instrument: &Instrument) -> Self {
        Self {
            instrument: index,
            grid: Grid::new(instrument),
            touch: Touch::default(),
            pause: Pause::default(),
            entry: None,
            next_order: Nanos::ZERO,
            timer: Nanos::NEVER,
        }
    }

    /// The instrument's grid.
    #[must_use]
    pub const fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Whether it holds a position that the venue would let it close.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.entry.is_some()
    }

    /// When it wants to decide although no price comes; `Nanos::NEVER` if not at all.
    #[must_use]
    pub const fn next_timer(&self) -> Nanos {
        self.timer
    }

    /// Begins at `now`, knowing no price.
    pub fn start(&mut self, now: Nanos) {
        self.touch = Touch::default();
        self.pause = Pause::default();
        self.entry = None;
        self.next_order = now;
        self.timer = Nanos::NEVER;
    }

    /// Takes a tick: what it meant for the best bid and ask.
    pub fn observe(&mut self, tick: &Tick) -> Touched {
        self.touch.observe(tick)
    }

    /// Takes a report of one of its orders: it wants to decide anew.
    pub fn report(&mut self, report: &Report, now: Nanos) {
        if report.kind == ReportKind::Rejected.code() {
            self.pause.refused(now);
        } else if report.kind == ReportKind::Accepted.code() || report.kind == ReportKind::Fill.code() {
            self.pause.accepted();
        }
        self.timer = now;
    }

    /// Takes a refusal of one of its intents.
    pub fn refusal(&mut self, refusal: &Refusal, now: Nanos) {
        if refusal.target == OrderId::NONE {
            self.pause.refused(now);
        }
    }

    /// Sends the order that the moment asks for, if any.
    pub fn decide(&mut self, parameters: &TakerParameters, wish: Wish, now: Nanos, outbox: &mut Outbox) {
        self.timer = Nanos::NEVER;
        let Some(top) = self.touch.top() else { return };
        let working = outbox.working();
        let position = working.position(self.instrument);
        // What the venue would not take for being too small is as good as flat.
        let held = self.grid.fit(Quantity(position.quantity.0.saturating_abs()));
        match (held, self.entry) {
            (None, _) => self.entry = None,
            (Some(_), Some(_)) => {}
            (Some(_), None) => {
                self.entry = Some((position.entry().unwrap_or(Price(top.mid_times_two() / 2)), now));
            }
        }
        if let Some((_, since)) = self.entry {
            let due = since.saturating_add(parameters.max_hold);
            self.timer = due.max(now.saturating_add(parameters.between));
        }
        if working.of(self.instrument).count() > 0 || now < self.next_order || self.pause.holds(now) {
            return;
        }
        let order = match held {
            Some(held) => {
                let side = if position.quantity.0 > 0 { Side::Buy } else { Side::Sell };
                let goes = *wish.leave.get(side) || self.overdue(parameters, side, top, now);
                goes.then_some((side.opposite(), held))
            }
            None => wish.enter.zip(self.quantity(parameters, top)),
        };
        if let Some((side, quantity)) = order {
            let touch = if side == Side::Buy { top.ask } else { top.bid };
            self.next_order = now.saturating_add(parameters.between);
            // What is refused here, as by a full ring, is tried again like an order that found no taker.
            _ = outbox.limit(self.instrument, side, touch, quantity, TimeInForce::ImmediateOrCancel);
        }
    }

    fn quantity(&self, parameters: &TakerParameters, top: Top) -> Option<Quantity> {
        let TakerParameters { order_size, size_unit, .. } = *parameters;
        self.grid.order_quantity(order_size, size_unit, self.grid.mid(top.mid_times_two()))
    }

    /// Whether the position on `side` is at its stop or has been held too long.
    fn overdue(&self, parameters: &TakerParameters, side: Side, top: Top, now: Nanos) -> bool {
        let Some((entry, since)) = self.entry else { return false };
        let mid = self.grid.mid(top.mid_times_two());
        let loss = -(side.sign() as f64) * (mid / self.grid.price(entry) - 1.0) * 1e4;
        loss >= parameters.stop_bps || now - since >= parameters.max_hold
    }
}
