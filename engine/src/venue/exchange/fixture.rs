//! What the tests of this module share.

use std::sync::Arc;

use super::{AMOUNT_SCALE, AccountSpec, Amount, Event, Exchange, NewOrder};
use crate::book::{DiffIds, Level};
use crate::domain::{
    Filters, Instrument, InstrumentKind, Instruments, Market, Nanos, OrderType, Price, Quantity, Scale,
    SelfTrade, Side, Symbol, TimeInForce,
};
use crate::venue::binance::MarketEvent;
use crate::venue::simulated::{FeeRate, QueueModel};

pub(super) const UNIT: Amount = 10_i128.pow(AMOUNT_SCALE as u32);

/// Whole prices and quantities, no filters.
pub(super) fn instrument(symbol: &str) -> Instrument {
    let (base, quote) = symbol.split_at(3);
    Instrument {
        symbol: Symbol::new(symbol).expect("it fits"),
        market: Market::Spot,
        kind: InstrumentKind::Spot,
        base: base.into(),
        quote: quote.into(),
        price_scale: Scale::ZERO,
        quantity_scale: Scale::ZERO,
        multiplier: 1,
        filters: Filters::default(),
        untradable: None,
    }
}

pub(super) fn levels(levels: &[(i64, i64)]) -> Vec<Level> {
    levels
        .iter()
        .map(|&(price, quantity)| Level { price: Price(price), quantity: Quantity(quantity) })
        .collect()
}

pub(super) fn spec(maker: i32, taker: i32) -> AccountSpec {
    let deposits = vec![("ABC".into(), 1_000 * UNIT), ("USDT".into(), 100_000 * UNIT)];
    AccountSpec { maker: FeeRate(maker), taker: FeeRate(taker), deposits }
}

/// An exchange with three accounts, and a market of 5 at 99 and 7 at 98 against 4 at 101 and 6 at 102.
pub(super) struct Rig {
    pub(super) exchange: Exchange,
    pub(super) events: Vec<Event>,
    now: Nanos,
    update: u64,
    trade: u64,
    client: u64,
}

impl Rig {
    pub(super) fn new(instrument: Instrument) -> Self {
        let instruments = Instruments::new(vec![instrument]).expect("a table");
        let accounts = [spec(0, 0), spec(0, 0), spec(1_000, 1_000)];
        let exchange = Exchange::new(Arc::new(instruments), &accounts, QueueModel::RiskAverse);
        let now = Nanos::from_millis(100);
        let mut rig = Self { exchange, events: Vec::new(), now, update: 10, trade: 0, client: 0 };
        let (bids, asks) = (levels(&[(99, 5), (98, 7)]), levels(&[(101, 4), (102, 6)]));
        rig.exchange.on_market(
            now,
            &MarketEvent::Snapshot { instrument: 0, last_update_id: 10, bids: &bids, asks: &asks },
        );
        rig
    }

    fn tick(&mut self) -> Nanos {
        self.now = self.now + Nanos::from_millis(1);
        self.now
    }

    pub(super) fn diff(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        let now = self.tick();
        self.update += 1;
        let ids = DiffIds { first: self.update, last: self.update, previous: None };
        let (bids, asks) = (levels(bids), levels(asks));
        let event = MarketEvent::Depth { instrument: 0, ids, event_time: now, bids: &bids, asks: &asks };
        self.exchange.on_market(now, &event);
    }

    pub(super) fn print(&mut self, aggressor: Side, price: i64, quantity: i64) {
        let now = self.tick();
        self.trade += 1;
        self.exchange.on_market(
            now,
            &MarketEvent::Trade {
                instrument: 0,
                trade_id: self.trade,
                price: Price(price),
                quantity: Quantity(quantity),
                aggressor,
                event_time: now,
                aggregate: false,
            },
        );
    }

    /// Places; the order's id, or the code it was refused with.
    pub(super) fn place(&mut self, account: u32, new: &NewOrder) -> Result<u64, i32> {
        let now = self.tick();
        self.client += 1;
        let client_id =
            if new.client_id.is_empty() { format!("c{}", self.client).into() } else { new.client_id.clone() };
        let new = NewOrder { client_id, ..new.clone() };
        self.exchange.place(now, account, &new).map_err(|reject| reject.code)
    }

    pub(super) fn now(&mut self) -> Nanos {
        self.tick()
    }

    /// One whose last price is 100, and what it held before.
    pub(super) fn traded() -> (Self, Vec<Amount>) {
        let mut rig = Self::new(instrument("ABCUSDT"));
        rig.print(Side::Buy, 100, 1);
        rig.told();
        let totals = rig.totals();
        (rig, totals)
    }

    /// What was told of lists together with the executions of the last call of [`told`](Self::told).
    pub(super) fn lists(&self) -> Vec<&'static str> {
        let status = |event: &Event| match event {
            Event::List(change) => Some(change.status.as_str()),
            _ => None,
        };
        self.events.iter().filter_map(status).collect()
    }

    /// Executions since the last call: order, kind, status, last quantity and price.
    pub(super) fn told(&mut self) -> Vec<(u64, &'static str, &'static str, i64, i64)> {
        self.events.clear();
        self.exchange.take_events(&mut self.events);
        let tell = |event: &Event| match event {
            Event::Execution(execution) => {
                let (quantity, price) = execution.fill.map_or((0, 0), |fill| (fill.quantity.0, fill.price.0));
                let order = &execution.order;
                Some((order.id, execution.kind.as_str(), order.status.as_str(), quantity, price))
            }
            _ => None,
        };
        self.events.iter().filter_map(tell).collect()
    }

    /// Free and locked, in whole units.
    pub(super) fn balance(&self, account: u32, asset: usize) -> (Amount, Amount) {
        let balance = self.exchange.account(account).expect("an account").balances[asset];
        (balance.free / UNIT, balance.locked / UNIT)
    }

    /// Everything there is of each asset.
    pub(super) fn totals(&self) -> Vec<Amount> {
        let count = self.exchange.assets().len();
        (0..count)
            .map(|asset| {
                let accounts = (0..3).filter_map(|account| self.exchange.account(account));
                let held: Amount = accounts.map(|account| account.balances[asset].total()).sum();
                held + self.exchange.market_gains()[asset] + self.exchange.fees_taken()[asset]
            })
            .collect()
    }
}

pub(super) fn limit(side: Side, price: i64, quantity: i64) -> NewOrder {
    NewOrder {
        instrument: 0,
        client_id: "".into(),
        side,
        kind: OrderType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        price: Price(price),
        stop_price: Price::NONE,
        quantity: Quantity(quantity),
        quote_quantity: 0,
        iceberg: Quantity::ZERO,
        trailing_delta: 0,
        stp: SelfTrade::ExpireMaker,
        strategy_id: None,
        strategy_type: None,
    }
}

pub(super) fn market(side: Side, quantity: i64) -> NewOrder {
    NewOrder { kind: OrderType::Market, price: Price::NONE, ..limit(side, 0, quantity) }
}
