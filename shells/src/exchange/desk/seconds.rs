//! What is told every second: bars, tickers and averages.

use engine::domain::{Instrument, InstrumentIndex, Instruments, Nanos};

use super::super::interval::ZonedInterval;
use super::super::json::{millis, price, text};
use super::super::render::list;
use super::super::streams::{self, Subject, Topic, WINDOWS};
use super::Desk;
use super::tickers::rolling_since;

impl Desk {
    pub(super) fn publish_second(&mut self, index: InstrumentIndex, instrument: &Instrument, now: Nanos) {
        self.publish_bars(index, instrument, now);
        let subject = Subject::One(index);
        let to = self.following(subject, |topic| topic == Topic::Ticker);
        if !to.is_empty() {
            let day = self.day(index, now);
            self.spread(to, |unit| day.event(instrument, unit));
        }
        let to = self.following(subject, |topic| topic == Topic::MiniTicker);
        if !to.is_empty() {
            let day = self.last_day(index, now);
            self.spread(to, |unit| day.mini(instrument, unit));
        }
        for (which, (name, length)) in WINDOWS.into_iter().enumerate() {
            let to = self.following(subject, |topic| topic == Topic::Window(which));
            if !to.is_empty() {
                let window = self.since(index, rolling_since(length, now), now);
                self.spread(to, |unit| window.rolling(name, instrument, unit));
            }
        }
        let to = self.following(subject, |topic| topic == Topic::AvgPrice);
        if !to.is_empty() {
            let history = &self.history[index as usize];
            let average = history.average(millis(now)).unwrap_or_default();
            let traded = history.trades().next_back().map_or(now, |trade| trade.time);
            self.spread(to, |unit| {
                format!(
                    "{{\"e\":\"avgPrice\",\"E\":{},\"s\":{},\"i\":\"5m\",\"w\":{},\"T\":{}}}",
                    unit.show(now),
                    text(&instrument.symbol),
                    price(instrument, average),
                    unit.show(traded)
                )
            });
        }
    }

    fn publish_bars(&mut self, index: InstrumentIndex, instrument: &Instrument, now: Nanos) {
        for interval in ZonedInterval::streamed() {
            // A bar of more than a second is told every two.
            if !interval.is_second() && !self.publications.is_multiple_of(20) {
                continue;
            }
            let to = self.following(Subject::One(index), |topic| topic == Topic::Kline(interval));
            if to.is_empty() {
                continue;
            }
            // Right after the end of a bar it is the finished one that is told.
            let told = millis(now).div_euclid(1_000) * 1_000 - 1;
            if let Some(bar) = self.history[index as usize].present(interval, told) {
                self.spread(to, |unit| streams::kline(instrument, interval, &bar, now, unit));
            }
        }
    }

    /// Tells the streams of all symbols, each with those that traded in the last second.
    pub(super) fn publish_market(&mut self, instruments: &Instruments, now: Nanos) {
        let since = now - Nanos::from_secs(1);
        let traded = |index: InstrumentIndex| {
            let newest = self.history[index as usize].trades().next_back();
            newest.is_some_and(|trade| trade.time >= since)
        };
        let changed: Vec<(InstrumentIndex, &Instrument)> =
            instruments.iter().filter(|(index, _)| traded(*index)).collect();
        if changed.is_empty() {
            return;
        }
        let to = self.following(Subject::All, |topic| topic == Topic::MiniTicker);
        if !to.is_empty() {
            let days: Vec<_> =
                changed.iter().map(|(index, listed)| (*listed, self.last_day(*index, now))).collect();
            self.spread(to, |unit| list(days.iter().map(|(listed, day)| day.mini(listed, unit))));
        }
        for (which, (name, length)) in WINDOWS.into_iter().enumerate() {
            let to = self.following(Subject::All, |topic| topic == Topic::Window(which));
            if !to.is_empty() {
                let opens = rolling_since(length, now);
                let windows: Vec<_> =
                    changed.iter().map(|(index, listed)| (*listed, self.since(*index, opens, now))).collect();
                self.spread(to, |unit| {
                    list(windows.iter().map(|(listed, window)| window.rolling(name, listed, unit)))
                });
            }
        }
    }
}
