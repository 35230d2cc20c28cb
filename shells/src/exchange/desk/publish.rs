//! Telling what happened: reports to their accounts, the market to those who follow it.

use engine::domain::{InstrumentIndex, Nanos};
use engine::venue::exchange::{AccountIndex, Event, Execution, ExecutionKind, PublicTrade};

use super::super::json::millis;
use super::super::render::Render;
use super::super::sbe::{self, SbeTopic};
use super::super::streams::{self, Subject, Topic};
use super::{Desk, Out};

impl Desk {
    /// Tells everything that has happened, in order.
    pub(super) fn tell(&mut self, now: Nanos) {
        if self.events.is_empty() {
            return;
        }
        let events = std::mem::take(&mut self.events);
        let mut trades: Vec<PublicTrade> = Vec::new();
        for event in &events {
            match event {
                Event::Execution(execution) => {
                    let order = &execution.order;
                    self.records.note(execution);
                    if let Some(fill) = execution.fill.filter(|_| execution.kind == ExecutionKind::Trade)
                        && order.filled == fill.quantity
                    {
                        self.limits.filled(order.account, now, fill.maker);
                    }
                    self.inform(order.account, now, Some(execution), |render| {
                        render.execution(execution, now)
                    });
                }
                Event::Balances(change) => {
                    self.inform(change.account, now, None, |render| render.position(change, now));
                }
                Event::List(change) => {
                    self.inform(change.list.account, now, None, |render| render.list_status(change, now));
                }
                Event::Trade(trade) => {
                    if trades.last().is_some_and(|last| last.instrument != trade.instrument) {
                        self.traded(&trades, now);
                        trades.clear();
                    }
                    trades.push(*trade);
                }
                Event::Top(instrument) => {
                    self.traded(&trades, now);
                    trades.clear();
                    self.top(*instrument, now);
                }
            }
        }
        self.traded(&trades, now);
        // The buffer is kept for the next time.
        self.events = events;
        self.events.clear();
    }

    fn inform(
        &mut self,
        account: AccountIndex,
        now: Nanos,
        report: Option<&Execution>,
        write: impl Fn(&Render<'_>) -> String,
    ) {
        if self.listeners.of(account).is_empty() {
            return;
        }
        for listener in self.listeners.of(account).to_vec() {
            let event = write(&Render { exchange: &self.exchange, unit: listener.unit });
            let frame = format!("{{\"subscriptionId\":{},\"event\":{event}}}", listener.id);
            self.send_frame(listener.connection, Out::Frame(frame.into()), "user", report, now);
        }
    }

    fn traded(&mut self, trades: &[PublicTrade], now: Nanos) {
        let Some(first) = trades.first() else { return };
        let index = first.instrument;
        let aggregates = self.history[index as usize].add(trades);
        let instruments = std::sync::Arc::clone(self.exchange.instruments());
        let Some(instrument) = instruments.get(index) else { return };
        let to = self.following(Subject::One(index), |topic| topic == Topic::Trade);
        if !to.is_empty() {
            for trade in trades {
                self.spread(to.clone(), |unit| streams::trade(instrument, trade, now, unit));
            }
        }
        self.spread_sbe(index, SbeTopic::Trade, now, |_, instrument| {
            Some(sbe::trades(instrument, trades, now))
        });
        let to = self.following(Subject::One(index), |topic| topic == Topic::AggTrade);
        if !to.is_empty() {
            for aggregate in &aggregates {
                self.spread(to.clone(), |unit| streams::agg_trade(instrument, aggregate, now, unit));
            }
        }
    }

    fn top(&mut self, index: InstrumentIndex, now: Nanos) {
        self.spread_sbe(index, SbeTopic::BestBidAsk, now, |desk, instrument| {
            let (last, best) = desk.exchange.top(index)?;
            Some(sbe::best_bid_ask(instrument, last, &best, now))
        });
        let to = self.following(Subject::One(index), |topic| topic == Topic::BookTicker);
        if to.is_empty() {
            return;
        }
        let instruments = std::sync::Arc::clone(self.exchange.instruments());
        if let Some((instrument, (last, top))) = instruments.get(index).zip(self.exchange.top(index)) {
            self.spread(to, |_| streams::book_ticker(instrument, last, &top, true));
        }
    }

    /// Tells every WebSocket that the server goes down soon (binance.md §4).
    pub(in crate::exchange) fn announce_shutdown(&mut self, now: Nanos) {
        let event = format!("{{\"e\":\"serverShutdown\",\"E\":{}}}", millis(now));
        let streams: Vec<_> = self.followers.connections().collect();
        for (connection, combined) in streams {
            let frame = if combined {
                format!("{{\"stream\":\"!serverShutdown\",\"data\":{event}}}")
            } else {
                event.clone()
            };
            self.send(connection, Out::Frame(frame.into()));
        }
        for connection in self.api.clone() {
            self.send(connection, Out::Frame(format!("{{\"event\":{event}}}").into()));
        }
    }

    /// Publishes what is told at intervals.
    pub(super) fn publish(&mut self, now: Nanos) {
        self.publications += 1;
        let slow = self.publications.is_multiple_of(10);
        let instruments = std::sync::Arc::clone(self.exchange.instruments());
        for (index, instrument) in instruments.iter() {
            self.publish_depth(index, instrument, slow, now);
            if slow {
                self.publish_second(index, instrument, now);
            }
        }
        if slow {
            self.publish_market(&instruments, now);
        }
    }

    fn publish_depth(
        &mut self,
        index: InstrumentIndex,
        instrument: &engine::domain::Instrument,
        slow: bool,
        now: Nanos,
    ) {
        let change = self.exchange.take_depth(index);
        let to = self.following(Subject::One(index), |topic| topic == Topic::Depth { slow: false });
        if let Some(change) = change.as_ref().filter(|_| !to.is_empty()) {
            self.spread(to, |unit| streams::depth(instrument, change, now, unit));
        }
        if let Some(change) = &change {
            self.spread_sbe(index, SbeTopic::Depth, now, |_, instrument| {
                Some(sbe::depth(instrument, change, now))
            });
        }
        self.spread_sbe(index, SbeTopic::Levels, now, |desk, instrument| {
            let (last, sides) = desk.exchange.depth(index, sbe::LEVELS)?;
            Some(sbe::levels(instrument, last, &sides, now))
        });
        if let Some(change) = change {
            self.slow_depth.gather(index, &change);
        }
        if slow && let Some(change) = self.slow_depth.take(index, &self.exchange) {
            let to = self.following(Subject::One(index), |topic| topic == Topic::Depth { slow: true });
            if !to.is_empty() {
                self.spread(to, |unit| streams::depth(instrument, &change, now, unit));
            }
        }
        for levels in [5, 10, 20] {
            let wants =
                |topic| matches!(topic, Topic::Partial { levels: n, slow: s } if n == levels && (!s || slow));
            let to = self.following(Subject::One(index), wants);
            if to.is_empty() {
                continue;
            }
            if let Some((last, sides)) = self.exchange.depth(index, levels) {
                self.spread(to, |_| streams::book(instrument, last, &sides));
            }
        }
    }
}
