//! From what happens on the exchange to what we are told of it: events with their arrival times, fees, ids, sums.

use std::collections::VecDeque;

use super::account::Account;
use super::config::{FeeRate, SimulationConfig};
use super::fees;
use super::registry::{Finished, Registry};
use super::resting::OpenOrder;
use crate::book::Level;
use crate::domain::{Instrument, InstrumentIndex, Liquidity, Nanos, OrderId, Quantity};
use crate::message::OrderState;
use crate::venue::{VenueEvent, VenueEventKind};

/// Events that fit before the queue has to grow.
const EVENTS_AT_START: usize = 1_024;

/// The exchange's back office for our account.
#[derive(Debug)]
pub(super) struct Clearing {
    pub(super) registry: Registry,
    pub(super) account: Account,
    events: VecDeque<VenueEvent>,
    latency: Nanos,
    maker: FeeRate,
    taker: FeeRate,
    /// Trades so far; a trade's id is its number.
    trades: u64,
    /// Orders accepted so far; an order's id at the venue is its number.
    orders: u64,
    /// The arrival of the last event: none comes before an earlier one.
    arrival: Nanos,
}

impl Clearing {
    pub(super) fn new(instruments: usize, config: &SimulationConfig) -> Self {
        Self {
            registry: Registry::new(),
            account: Account::new(instruments),
            events: VecDeque::with_capacity(EVENTS_AT_START),
            latency: config.answer_latency.max(Nanos::ZERO),
            maker: config.maker_fee,
            taker: config.taker_fee,
            trades: 0,
            orders: 0,
            arrival: Nanos::ZERO,
        }
    }

    /// The venue's id for the next order.
    pub(super) fn next_order(&mut self) -> u64 {
        self.orders += 1;
        self.orders
    }

    /// Sends an event that happened at `now` on the exchange; its `received` is set here.
    pub(super) fn send(&mut self, now: Nanos, event: VenueEvent) {
        self.arrival = self.arrival.max(now.saturating_add(self.latency));
        self.events.push_back(VenueEvent { received: self.arrival, ..event });
    }

    /// Says of an order on the book, or of one just taken off, what happened to it.
    pub(super) fn say(&mut self, now: Nanos, kind: VenueEventKind, order: &OpenOrder) {
        let (id, venue_order_id, instrument) = (order.id, order.venue_order_id, order.instrument);
        self.send(
            now,
            VenueEvent { kind, id, venue_order_id, cumulative: order.filled, instrument, received: now },
        );
    }

    /// Says something of an id that the venue has no order for.
    pub(super) fn answer(
        &mut self,
        now: Nanos,
        kind: VenueEventKind,
        id: OrderId,
        instrument: InstrumentIndex,
    ) {
        let cumulative = Quantity::ZERO;
        self.send(now, VenueEvent { kind, id, venue_order_id: 0, cumulative, instrument, received: now });
    }

    /// Whether the fee of every trade that `trades`, and then `rest` at its price, can become fits: a part of a
    /// trade never costs more than the whole.
    pub(super) fn affordable(&self, instrument: &Instrument, trades: &[Level], rest: Option<Level>) -> bool {
        let fits = |level: &Level, rate| fees::fee(instrument, level.price, level.quantity, rate).is_some();
        trades.iter().all(|level| fits(level, self.taker)) && rest.iter().all(|level| fits(level, self.maker))
    }

    /// Clears a trade of `order`, whose `filled` already holds it. The order must have been found affordable.
    pub(super) fn trade(
        &mut self,
        now: Nanos,
        instrument: &Instrument,
        order: &OpenOrder,
        trade: Level,
        liquidity: Liquidity,
    ) {
        let rate = match liquidity {
            Liquidity::Maker => self.maker,
            Liquidity::Taker => self.taker,
        };
        let fee = fees::fee(instrument, trade.price, trade.quantity, rate)
            .expect("`affordable` found the fee of the whole order to fit");
        self.trades += 1;
        self.account.add(order.instrument, order.side, trade.quantity, fee);
        let kind = VenueEventKind::Trade {
            price: trade.price,
            quantity: trade.quantity,
            trade_id: self.trades,
            fee,
            fee_asset: fees::asset(instrument),
            liquidity,
        };
        self.say(now, kind, order);
        if order.leaves() == Quantity::ZERO {
            self.finish(order, OrderState::Filled);
        }
    }

    /// Says that an order ended otherwise than by trading.
    pub(super) fn end(&mut self, now: Nanos, order: &OpenOrder, state: OrderState) {
        let kind =
            if state == OrderState::Canceled { VenueEventKind::Canceled } else { VenueEventKind::Expired };
        self.say(now, kind, order);
        self.finish(order, state);
    }

    fn finish(&mut self, order: &OpenOrder, state: OrderState) {
        self.registry.finish(Finished {
            id: order.id,
            instrument: order.instrument,
            venue_order_id: order.venue_order_id,
            cumulative: order.filled,
            state,
        });
    }

    /// The next event that has arrived by `now`.
    pub(super) fn next_event(&mut self, now: Nanos) -> Option<VenueEvent> {
        self.events.pop_front_if(|event| event.received <= now)
    }

    /// When the next event arrives.
    pub(super) fn next_arrival(&self) -> Nanos {
        self.events.front().map_or(Nanos::NEVER, |event| event.received)
    }
}
