//! What an instrument has traded: recent trades, aggregates, and bars of every interval.

use std::collections::VecDeque;

use engine::domain::{Instrument, Nanos, Price, Quantity, Side};
use engine::venue::exchange::PublicTrade;

use super::interval::{ZonedInterval, just_before};
use super::json::{millis, price, quantity};
use super::render::TimeUnit;

/// Trades and aggregates that are kept.
const TRADES_MAX: usize = 10_000;
/// Bars of a second that are kept: a day of them.
const BARS_MAX: usize = 86_400;

/// Trades of a span of time, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// When it opened, in milliseconds.
    pub opened: i64,
    /// First price.
    pub open: Price,
    /// Highest.
    pub high: Price,
    /// Lowest.
    pub low: Price,
    /// Last.
    pub close: Price,
    /// Quantity.
    pub volume: i128,
    /// Price × quantity.
    pub value: i128,
    /// The part that buyers took.
    pub bought: i128,
    /// Its value.
    pub bought_value: i128,
    /// Trades.
    pub trades: u64,
    /// First trade.
    pub first: u64,
    /// Last trade.
    pub last: u64,
}

impl Bar {
    fn of(trade: &PublicTrade, opened: i64) -> Self {
        let value = i128::from(trade.price.0) * i128::from(trade.quantity.0);
        let volume = i128::from(trade.quantity.0);
        let bought = i128::from(trade.aggressor == Side::Buy);
        Self {
            opened,
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            volume,
            value,
            bought: volume * bought,
            bought_value: value * bought,
            trades: 1,
            first: trade.id,
            last: trade.id,
        }
    }

    fn add(&mut self, next: &Self) {
        if self.trades == 0 {
            *self = Self { opened: self.opened, ..*next };
            return;
        }
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.volume += next.volume;
        self.value += next.value;
        self.bought += next.bought;
        self.bought_value += next.bought_value;
        self.trades += next.trades;
        self.last = next.last;
    }
}

/// Trades of one taker at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// Its id.
    pub id: u64,
    /// Its first trade, with the quantity of all.
    pub trade: PublicTrade,
    /// Its last trade.
    pub last: u64,
}

/// The history of one instrument.
#[derive(Debug, Default)]
pub struct History {
    trades: VecDeque<PublicTrade>,
    aggregates: VecDeque<Aggregate>,
    bars: VecDeque<Bar>,
    aggregate_id: u64,
}

impl History {
    /// Adds what one step of the exchange traded, in order. Returns its aggregates.
    pub fn add(&mut self, trades: &[PublicTrade]) -> Vec<Aggregate> {
        let mut aggregates: Vec<Aggregate> = Vec::new();
        for trade in trades {
            self.trades.push_back(*trade);
            let opened = millis(trade.time).div_euclid(1_000) * 1_000;
            let bar = Bar::of(trade, opened);
            match self.bars.back_mut().filter(|last| last.opened >= opened) {
                Some(last) => last.add(&bar),
                None => self.bars.push_back(bar),
            }
            match aggregates.last_mut() {
                Some(last) if last.trade.price == trade.price && last.trade.aggressor == trade.aggressor => {
                    last.trade.quantity.0 += trade.quantity.0;
                    last.last = trade.id;
                }
                _ => {
                    self.aggregate_id += 1;
                    aggregates.push(Aggregate { id: self.aggregate_id, trade: *trade, last: trade.id });
                }
            }
        }
        self.aggregates.extend(&aggregates);
        self.trades.drain(..self.trades.len().saturating_sub(TRADES_MAX));
        self.aggregates.drain(..self.aggregates.len().saturating_sub(TRADES_MAX));
        self.bars.drain(..self.bars.len().saturating_sub(BARS_MAX));
        aggregates
    }

    /// Recent trades, oldest first.
    pub fn trades(&self) -> impl DoubleEndedIterator<Item = &PublicTrade> + ExactSizeIterator {
        self.trades.iter()
    }

    /// Recent aggregates, oldest first.
    pub fn aggregates(&self) -> impl DoubleEndedIterator<Item = &Aggregate> + ExactSizeIterator {
        self.aggregates.iter()
    }

    /// Bars of an interval that opened in `from..=to`, oldest first, at most `most`; the newest ones without `from`.
    /// A span without trades stands at the close of the one before. The work is bounded by the bars that are kept and by
    /// `most`, however long nothing traded.
    #[must_use]
    pub fn bars(&self, interval: ZonedInterval, from: Option<i64>, to: i64, most: usize) -> Vec<Bar> {
        let end = self.bars.partition_point(|bar| interval.bar_of(bar.opened).0 <= to);
        let Some(newest) = end.checked_sub(1).map(|at| self.bars[at].opened) else { return Vec::new() };
        if most == 0 || from.is_some_and(|from| from > newest) {
            return Vec::new();
        }
        let from = from.map_or_else(
            || (1..most).fold(interval.bar_of(newest).0, |opened, _| interval.bar_of(opened - 1).0),
            |from| from.max(0),
        );
        // Where the next bar opens: at first, the first one of the span.
        let mut next = match interval.bar_of(from) {
            (opens, closes) if opens < from => closes,
            (opens, _) => opens,
        };
        let start = self.bars.partition_point(|bar| bar.opened < next);
        let mut close = start.checked_sub(1).map(|at| self.bars[at].close);
        let mut found: Vec<Bar> = Vec::new();
        for second in self.bars.range(start..end.max(start)) {
            if let Some(last) = found.last_mut().filter(|_| second.opened < next) {
                last.add(second);
            } else {
                let (opened, closes) = interval.bar_of(second.opened);
                while let Some(close) = close.filter(|_| next < opened && found.len() < most) {
                    found.push(Bar {
                        opened: next,
                        open: close,
                        high: close,
                        low: close,
                        close,
                        ..Bar::default()
                    });
                    next = interval.bar_of(next).1;
                }
                if found.len() >= most {
                    break;
                }
                found.push(Bar { opened, ..*second });
                next = closes;
            }
            close = Some(second.close);
        }
        found
    }

    /// The present bar of an interval.
    #[must_use]
    pub fn present(&self, interval: ZonedInterval, now: i64) -> Option<Bar> {
        let (opened, _) = interval.bar_of(now);
        let last = *self.bars.back()?;
        let mut sum = Bar { opened, ..Bar::default() };
        let from = self.bars.partition_point(|bar| bar.opened < opened);
        self.bars.range(from..).for_each(|bar| sum.add(bar));
        if sum.trades == 0 {
            let close = last.close;
            sum = Bar { open: close, high: close, low: close, close, ..sum };
        }
        Some(sum)
    }

    /// The sum of what was traded since `opened`, in milliseconds.
    #[must_use]
    pub fn since(&self, opened: i64) -> Bar {
        let mut sum = Bar { opened, ..Bar::default() };
        let from = self.bars.partition_point(|bar| bar.opened < opened);
        self.bars.range(from..).for_each(|bar| sum.add(bar));
        sum
    }

    /// Average price of the last five minutes by volume; the last price where nothing traded.
    #[must_use]
    pub fn average(&self, now: i64) -> Option<Price> {
        let sum = self.since(now - 300_000);
        let average = sum.value.checked_div(sum.volume).and_then(|price| i64::try_from(price).ok());
        average.map(Price).or_else(|| self.bars.back().map(|bar| bar.close))
    }
}

/// A trade as `trades` lists it.
#[must_use]
pub fn trade_json(instrument: &Instrument, trade: &PublicTrade, unit: TimeUnit) -> String {
    format!(
        "{{\"id\":{},\"price\":{},\"qty\":{},\"quoteQty\":{},\"time\":{},\"isBuyerMaker\":{},\"isBestMatch\":true}}",
        trade.id,
        price(instrument, trade.price),
        quantity(instrument, trade.quantity),
        value_json(instrument, i128::from(trade.price.0) * i128::from(trade.quantity.0)),
        unit.show(trade.time),
        trade.aggressor == Side::Sell
    )
}

/// A value in quote, with eight decimals.
#[must_use]
pub fn value_json(instrument: &Instrument, value: i128) -> String {
    let scale = instrument.notional_scale();
    let (value, scale) =
        if scale > 8 { (value / 10_i128.pow(u32::from(scale - 8)), 8) } else { (value, scale) };
    let mut out = String::new();
    super::json::decimal(&mut out, value, scale);
    out
}

/// A volume, which may be beyond a quantity.
#[must_use]
pub fn volume_json(instrument: &Instrument, volume: i128) -> String {
    let mut out = String::new();
    super::json::decimal(&mut out, volume, instrument.quantity_scale.digits());
    out
}

/// A bar as `klines` lists it.
#[must_use]
pub fn bar_json(instrument: &Instrument, bar: &Bar, closes: i64, unit: TimeUnit) -> String {
    let shown = |value| price(instrument, value);
    format!(
        "[{},{},{},{},{},{},{},{},{},{},{},\"0\"]",
        unit.show(Nanos::from_millis(bar.opened)),
        shown(bar.open),
        shown(bar.high),
        shown(bar.low),
        shown(bar.close),
        volume_json(instrument, bar.volume),
        unit.show(just_before(closes)),
        value_json(instrument, bar.value),
        bar.trades,
        volume_json(instrument, bar.bought),
        value_json(instrument, bar.bought_value)
    )
}

/// Nothing traded yet at this price.
#[must_use]
pub fn no_trade(instrument: u32, time: Nanos) -> PublicTrade {
    PublicTrade {
        instrument,
        id: 0,
        price: Price::NONE,
        quantity: Quantity::ZERO,
        aggressor: Side::Buy,
        time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(id: u64, ms: i64, at: i64, quantity: i64) -> PublicTrade {
        PublicTrade {
            id,
            price: Price(at),
            quantity: Quantity(quantity),
            aggressor: if id.is_multiple_of(2) { Side::Buy } else { Side::Sell },
            time: Nanos::from_millis(ms),
            ..no_trade(0, Nanos::ZERO)
        }
    }

    #[test]
    fn bars_are_without_holes() {
        let interval = |name| ZonedInterval::named(name, 0).expect("an interval");
        let mut history = History::default();
        history.add(&[trade(1, 500, 10, 1), trade(2, 700, 12, 2)]);
        history.add(&[trade(3, 3_100, 9, 4)]);
        let bars = history.bars(interval("1s"), None, i64::MAX, 10);
        let shape: Vec<_> =
            bars.iter().map(|bar| (bar.opened, bar.open.0, bar.close.0, bar.trades)).collect();
        assert_eq!(shape, [(0, 10, 12, 2), (1_000, 12, 12, 0), (2_000, 12, 12, 0), (3_000, 9, 9, 1)]);
        assert_eq!((bars[0].volume, bars[0].value, bars[0].bought), (3, 34, 2));
        assert_eq!(history.bars(interval("1s"), None, i64::MAX, 2).len(), 2);
        assert_eq!(history.bars(interval("1s"), Some(1_000), i64::MAX, 2)[0].opened, 1_000);
        let from = |from| history.bars(interval("1s"), Some(from), i64::MAX, 10);
        assert_eq!(from(2_500).iter().map(|bar| bar.opened).collect::<Vec<_>>(), [3_000]);
        assert_eq!(from(1_000).iter().map(|bar| bar.close.0).collect::<Vec<_>>(), [12, 12, 9]);
        assert_eq!((from(3_001).len(), from(i64::MAX).len()), (0, 0));
        assert_eq!(
            history.present(interval("1m"), 5_000).map(|bar| (bar.high.0, bar.low.0, bar.trades)),
            Some((12, 9, 3))
        );
        assert_eq!(history.average(5_000), Some(Price(10)), "70 / 7");
    }

    #[test]
    fn a_hole_of_decades_costs_no_more_than_the_bars_that_are_asked_for() {
        let interval = |name| ZonedInterval::named(name, 0).expect("an interval");
        let mut history = History::default();
        let late = 50 * 365 * super::super::interval::DAY;
        history.add(&[trade(1, 500, 10, 1)]);
        // Second by second through decades this would not end, nor fit.
        history.add(&[trade(2, late, 12, 2)]);
        let opened = |bars: Vec<Bar>| bars.iter().map(|bar| bar.opened).collect::<Vec<_>>();
        assert_eq!(opened(history.bars(interval("1s"), Some(0), i64::MAX, 3)), [0, 1_000, 2_000]);
        assert_eq!(opened(history.bars(interval("1s"), Some(7), i64::MAX, 2)), [1_000, 2_000]);
        assert_eq!(opened(history.bars(interval("1s"), None, i64::MAX, 2)), [late - 1_000, late]);
        assert_eq!(opened(history.bars(interval("1s"), None, 999, 9)), [0]);
        assert_eq!(history.bars(interval("1M"), Some(0), i64::MAX, 1_000).len(), 50 * 12);
        assert_eq!(history.bars(interval("1M"), Some(i64::MAX), i64::MAX, 9).len(), 0);
    }

    #[test]
    fn one_takers_trades_at_one_price_are_one_aggregate() {
        let mut history = History::default();
        let same = [trade(2, 0, 10, 1), trade(4, 0, 10, 2), trade(6, 0, 11, 1)];
        let aggregates = history.add(&same);
        let shape: Vec<_> =
            aggregates.iter().map(|a| (a.id, a.trade.id, a.last, a.trade.quantity.0)).collect();
        assert_eq!(shape, [(1, 2, 4, 3), (2, 6, 6, 1)]);
    }
}
