//! The judge: plain lists and definitions, nothing shared with the pass but the messages and the limits.

use crate::counters::halt::HaltState;
use crate::domain::{Instrument, InstrumentKind, Nanos, Quantity, Side};
use crate::error::RejectCode;
use crate::message::Intent;
use crate::tick_to_trade::risk::fixture::{limits, table};
use crate::tick_to_trade::risk::limits::{Limits, Rate};
use crate::tick_to_trade::risk::valuation::tests::par_value;

/// An approved order and all that was said of it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) intent: Intent,
    pub(super) at: Nanos,
    pub(super) filled: i64,
    /// By how much the venue has lowered its quantity.
    pub(super) lowered: i64,
    pub(super) ended: bool,
    pub(super) unknown: bool,
}

impl Placed {
    fn left(&self) -> i128 {
        if self.ended { 0 } else { i128::from(self.rest()) }
    }

    pub(super) const fn rest(&self) -> i64 {
        self.intent.quantity.0 - self.lowered - self.filled
    }

    /// As it is by now.
    pub(super) fn now(&self) -> Intent {
        Intent { quantity: Quantity(self.intent.quantity.0 - self.lowered), ..self.intent }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Book {
    pub(super) bid: i64,
    pub(super) ask: i64,
    pub(super) at: Nanos,
    pub(super) trusted: bool,
}

pub(super) struct Judge {
    limits: Limits,
    table: Vec<Instrument>,
    pub(super) books: Vec<Book>,
    pub(super) positions: Vec<i128>,
    pub(super) placed: Vec<Placed>,
    /// Identities seen, by source.
    pub(super) last: Vec<u64>,
    pub(super) fills: Vec<(u16, u32, Nanos)>,
    pub(super) halted: Vec<bool>,
}

/// The limits of the traces: few messages a second, so that buckets empty.
pub(super) fn narrow() -> Limits {
    let mut limits = limits();
    limits.sources.iter_mut().for_each(|own| own.orders.count = 4);
    limits.account.orders.count = 6;
    limits
}

/// Whether `events` (in order) and one more at `now` fit a token bucket, by its definition: no span holds more than a
/// full bucket and what it gains in the span.
fn conforms(events: &[Nanos], now: Nanos, rate: Rate) -> bool {
    let allowed = |span: i64| {
        i128::from(rate.count) + i128::from(span) * i128::from(rate.count) / i128::from(rate.per.0)
    };
    events.iter().enumerate().all(|(i, first)| (events.len() - i + 1) as i128 <= allowed(now.0 - first.0))
}

fn has_no_limit(intent: &Intent) -> bool {
    matches!(intent.order_type, 2 | 4 | 6)
}

impl Judge {
    pub(super) fn new() -> Self {
        let table = table();
        Self {
            limits: narrow(),
            books: vec![Book::default(); table.len()],
            positions: vec![0; table.len()],
            placed: Vec::new(),
            last: vec![0; 3],
            fills: Vec::new(),
            halted: vec![false; 3],
            table,
        }
    }

    /// Twice the mid, if the book is healthy.
    fn doubled(&self, instrument: usize, now: Nanos) -> Option<i128> {
        let Book { bid, ask, at, trusted } = self.books[instrument];
        let fresh = now.0 - at.0 <= self.limits.instruments[instrument].stale_after.0;
        (trusted && fresh && bid > 0 && bid < ask).then(|| i128::from(bid) + i128::from(ask))
    }

    /// Value in account units of `quantity` at `doubled / 2`, rounded up to a whole quote unit first, as quantities and
    /// prices here are whole numbers.
    fn value(&self, instrument: usize, quantity: i128, doubled: i128, now: Nanos) -> Option<i128> {
        let Instrument { kind, multiplier, .. } = &self.table[instrument];
        let contracts = quantity * i128::from(*multiplier);
        let quote = if *kind == InstrumentKind::Inverse { contracts } else { (contracts * doubled + 1) / 2 };
        if instrument != 3 {
            return Some(par_value(quote));
        }
        Some((par_value(quote) * self.doubled(0, now)? + 1) / 2)
    }

    fn own(&self, instrument: usize, side: Side) -> impl Iterator<Item = &Placed> {
        self.placed.iter().filter(move |placed| {
            placed.intent.instrument as usize == instrument
                && placed.intent.side == side.code()
                && !placed.ended
        })
    }

    fn left(&self, instrument: usize, side: Side) -> i128 {
        self.own(instrument, side).map(Placed::left).sum()
    }

    /// The range in which the position may end.
    fn range(&self, instrument: usize) -> (i128, i128) {
        let position = self.positions[instrument];
        (position - self.left(instrument, Side::Sell), position + self.left(instrument, Side::Buy))
    }

    /// Every limit that a new order with valid codes would break.
    pub(super) fn violations(&self, intent: &Intent, now: Nanos, halt: HaltState) -> Vec<RejectCode> {
        let mut broken = Vec::new();
        let i = intent.instrument as usize;
        let (price, quantity) = (i128::from(intent.price.0), i128::from(intent.quantity.0));
        let side = if intent.side == 1 { Side::Buy } else { Side::Sell };
        let (is_market, waits) = (has_no_limit(intent), intent.order_type >= 4);
        let trigger = i128::from(intent.trigger.0);
        let own = &self.limits.instruments[i];
        let mut fails = |fails: bool, code| {
            if fails {
                broken.push(code);
            }
        };

        let (low, high) = self.range(i);
        let (low, high) = match side {
            Side::Buy => (low, high + quantity),
            Side::Sell => (low - quantity, high),
        };
        let position = self.positions[i];
        let reduces = (side == Side::Buy && position < 0 && high <= 0)
            || (side == Side::Sell && position > 0 && low >= 0);
        fails(
            halt > HaltState::ReduceOnly || (halt == HaltState::ReduceOnly && !reduces),
            RejectCode::Halted,
        );
        let source = usize::from(intent.id.source.0);
        fails(intent.id.sequence <= self.last[source], RejectCode::DuplicateId);
        fails(intent.valid_until < now, RejectCode::Expired);
        fails(quantity > i128::from(own.max_quantity.0), RejectCode::MaxQuantity);
        if quantity > 1_000_000 || price > 1_000_000 || trigger > 1_000_000 {
            broken.push(RejectCode::MaxNotional);
            return broken;
        }
        let Some(doubled) = self.doubled(i, now) else {
            broken.push(RejectCode::StaleMarketData);
            return broken;
        };
        let filters = &self.table[i].filters;
        let off_tick = |price: i128| filters.tick.0 > 0 && price % i128::from(filters.tick.0) != 0;
        fails((!is_market && off_tick(price)) || (waits && off_tick(trigger)), RejectCode::FilterPrice);
        let lot = filters.lot;
        let off_lot = lot.step.0 > 0
            && (intent.quantity < lot.min
                || intent.quantity > lot.max
                || intent.quantity.0 % lot.step.0 != 0);
        fails(off_lot, RejectCode::FilterLot);
        let mid_value = if is_market { (quantity * doubled + 1) / 2 } else { quantity * price };
        fails(filters.notional.min.is_some_and(|min| mid_value < min), RejectCode::FilterNotional);

        // ref × 1.01, rounded up; where it waits, what it may come to there.
        let at_most = if is_market {
            ((doubled * 10_100 + 19_999) / 20_000).max((trigger * 101 + 99) / 100)
        } else {
            price.max(trigger)
        };
        let value = self.value(i, quantity, 2 * at_most, now);
        fails(value.is_none_or(|value| value > own.max_notional), RejectCode::MaxNotional);
        let around = if waits { 2 * trigger } else { doubled };
        let distance = (2 * price - around) * if side == Side::Buy { 1 } else { -1 };
        let bps = if distance > 0 { own.collar_aggressive_bps } else { own.collar_passive_bps };
        fails(!is_market && distance.abs() * 10_000 > i128::from(bps) * around, RejectCode::Collar);
        let far = (2 * trigger - doubled).abs() * 10_000 > i128::from(own.collar_passive_bps) * doubled;
        fails(waits && far, RejectCode::Collar);

        if !reduces {
            self.exposing(i, (low, high), doubled, now, &mut broken);
        }
        self.counting(intent, now, side, &mut broken);
        broken
    }

    /// The limits of what could come of it: `range` is where the position may end with the order in.
    fn exposing(
        &self,
        i: usize,
        (low, high): (i128, i128),
        doubled: i128,
        now: Nanos,
        broken: &mut Vec<RejectCode>,
    ) {
        let own = &self.limits.instruments[i];
        let worst = low.abs().max(high.abs());
        let worst_value = self.value(i, worst, doubled, now);
        let over =
            worst > i128::from(own.max_position.0) || worst_value.is_none_or(|v| v > own.max_position_value);
        if over {
            broken.push(RejectCode::MaxPosition);
        }
        let gross = (0..self.table.len()).map(|other| {
            let (low, high) = if other == i { (low, high) } else { self.range(other) };
            match low.abs().max(high.abs()) {
                // Flat at the end, but held or ordered on the way, still needs a price.
                0 if self.positions[other] == 0 && (low, high) == (0, 0) => Some(0),
                worst => self.doubled(other, now).and_then(|doubled| self.value(other, worst, doubled, now)),
            }
        });
        let gross: Option<i128> = gross.sum();
        if gross.is_none_or(|gross| gross > self.limits.account.max_gross) {
            broken.push(RejectCode::MaxGross);
        }
    }

    /// The limits that count orders.
    fn counting(&self, intent: &Intent, now: Nanos, side: Side, broken: &mut Vec<RejectCode>) {
        let (limits, i) = (&self.limits, intent.instrument as usize);
        let source = usize::from(intent.id.source.0);
        let mut fails = |fails: bool, code| {
            if fails {
                broken.push(code);
            }
        };
        let open = |on: Option<usize>| {
            let live = self.placed.iter().filter(|placed| !placed.ended);
            live.filter(|placed| on.is_none_or(|i| placed.intent.instrument as usize == i)).count() as u32
        };
        let venue = self.table[i].filters.max_open_orders.unwrap_or(u32::MAX);
        fails(open(Some(i)) >= limits.instruments[i].max_open.min(venue), RejectCode::MaxOpen);
        fails(open(None) >= limits.account.max_open, RejectCode::MaxOpen);
        let unknown = |on: Option<usize>| {
            let unknown = self.placed.iter().filter(|placed| placed.unknown && !placed.ended);
            unknown.filter(|placed| on.is_none_or(|i| placed.intent.instrument as usize == i)).count() as u32
        };
        let unresolved = unknown(Some(i)) >= limits.instruments[i].max_unknown
            || unknown(None) >= limits.account.max_unknown;
        fails(unresolved, RejectCode::Unresolved);

        let times = |of: Option<usize>| -> Vec<Nanos> {
            let own = self
                .placed
                .iter()
                .filter(|p| of.is_none_or(|source| usize::from(p.intent.id.source.0) == source));
            own.map(|placed| placed.at).collect()
        };
        fails(!conforms(&times(Some(source)), now, limits.sources[source].orders), RejectCode::MessageRate);
        fails(!conforms(&times(None), now, limits.account.orders), RejectCode::MessageRate);
        let content = |intent: &Intent| {
            let Intent { instrument, side, price, trigger, quantity, .. } = *intent;
            (intent.id.source, instrument, side, price, trigger, quantity)
        };
        let span = limits.account.duplicates;
        let equal = self
            .placed
            .iter()
            .filter(|p| content(&p.intent) == content(intent) && now.0 - p.at.0 <= span.per.0);
        fails(equal.count() as u32 + 1 >= span.count, RejectCode::DuplicateContent);
        fails(self.halted[source], RejectCode::RepeatExecution);

        let crosses = self.own(i, side.opposite()).any(|other| {
            has_no_limit(intent)
                || has_no_limit(&other.intent)
                || match side {
                    Side::Buy => intent.price >= other.intent.price,
                    Side::Sell => intent.price <= other.intent.price,
                }
        });
        fails(crosses, RejectCode::SelfTrade);
    }

    pub(super) fn on_fill(&mut self, source: u16, instrument: u32, now: Nanos) {
        self.fills.push((source, instrument, now));
        let limit = self.limits.account.repeat_fills;
        let recent = self
            .fills
            .iter()
            .filter(|&&(s, i, at)| (s, i) == (source, instrument) && now.0 - at.0 <= limit.per.0);
        if recent.count() as u32 >= limit.count {
            self.halted[usize::from(source)] = true;
        }
    }
}
